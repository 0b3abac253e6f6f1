// What a step takes at least, by what its first microbatches did. A step of fewer microbatches
// (sim/tasks/rounds.hpp) does the same as the whole one until some stage comes to a pass that the
// other has not, or not there:
//
//   fewer   stage 0   F0 F1 F2 B0 F3 B1|B2 B3           T: the first of these passes begins not
//           stage 1      F0 B0 F1 B1 F2 B2 F3 B3           before then, in either step
//   whole   stage 0   F0 F1 F2 B0 F3 B1|F4 B2 F5 B3 ..
//
// What comes behind a pass that begins up to T is the whole step's, and takes at least
//
//   rest(pass) = least(pass) + the largest of rest(its stage's next pass)
//                                            send + rest(the pass that takes it up)
//                                            the step's end, behind a stage's last pass
//
// with the longest way through the tasks of a pass, each at the least that it can take
// (sim/engine/least_rest.hpp). So the step ends at T + rest at the earliest: a pipeline that has
// lost a second by then never gets it back.
#pragma once

#include <optional>

#include "sim/tasks/plan_step.hpp"

namespace danlu {

struct WholeStep {
  Seconds least;     // that it takes; 0 s: nothing is known
  Seconds at_begin;  // that of what was known at its beginning, when nothing was lost yet
};

/// `plan` and `timeline` are those of `fewer`, which differs from `whole` in the number of its
/// microbatches alone, on a cluster that is the same at all times.
WholeStep least_of_whole(const Workload& whole, const Workload& fewer, const StepPlan& plan,
                         const Timeline& timeline);

/// So many microbatches of `whole` that they may show that it takes longer than that, if time is
/// lost as it was in `fewer`. None where that would be most of them.
std::optional<Workload> enough_to_tell(const Workload& whole, const Workload& fewer,
                                       const WholeStep& known, Seconds wanted);

}  // namespace danlu
