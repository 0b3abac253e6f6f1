// The longest way through a step, by its passes: a stage makes them one after the other, and one
// that takes up what another made waits for it and for its way.
//
//   rest(pass) = pass + larger of  rest of the stage's next pass, or its end of the step
//                                  send + rest of the pass that takes up what this one made
//
// With the least that each of them can take it is a time that the step cannot beat.
#pragma once

#include <vector>

#include "sim/program/step_program.hpp"

namespace danlu {

/// What the parts of a step take at least, all by stage.
struct LeastTimes {
  std::vector<IdVector<PassId, Seconds>> passes;
  std::vector<Seconds> sends_on, sends_back;  // to the next stage, and to the one before
  std::vector<Seconds> ends;                  // behind the last pass
};

/// From the beginning of each pass to the end of the step, by stage.
std::vector<IdVector<PassId, Seconds>> rests(const StepProgram& step, const LeastTimes& least);

/// The whole step.
Seconds longest_way(const StepProgram& step, const LeastTimes& least);

}  // namespace danlu
