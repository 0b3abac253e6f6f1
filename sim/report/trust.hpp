// How far the time of a step is to be trusted: how far simulated published runs of its kind are
// from what was measured.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "sim/base/names.hpp"

namespace danlu {

/// Which published runs are most like a run: those of its GPU, framework and kind of plan; of its
/// GPU and kind; of its GPU; none, or too few; or none can be, since its hardware is invented.
enum class Likeness { SameKind, OtherFrameworks, OtherKinds, Nothing, Invented };
template <>
inline constexpr auto kNames<Likeness> =
    std::to_array<Named<Likeness>>({{Likeness::SameKind, "same kind"},
                                    {Likeness::OtherFrameworks, "other frameworks"},
                                    {Likeness::OtherKinds, "other kinds"},
                                    {Likeness::Nothing, "nothing"},
                                    {Likeness::Invented, "invented hardware"}});

struct Trust {
  Likeness likeness = Likeness::Nothing;
  std::string gpu, framework, kind;  // of the run; framework: "" where it names none
  bool own_figures = false;          // the scenario changes figures of its GPU
  // Of the published runs; nothing without any:
  int runs = 0;
  int fewest_gpus = 0, most_gpus = 0;
  std::optional<double> median_abs, p90_abs, mean;  // simulated over published time, less one
};

/// "31 published runs like this one (A100, megatron-core, pipeline, 64 to 3,072 GPUs) are met
/// within 3.5 % (median) and 9.3 % (90th percentile)".
std::string trust_text(const Trust& trust);

}  // namespace danlu
