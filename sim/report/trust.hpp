// How far the time of a step and its peak of memory are to be trusted: how far simulated published
// runs of their kind are from what was measured.
//
// An error of a time is what a new run may expect: each published run is predicted by constants
// that were fitted without the runs of its publisher. Peaks of memory have no fitted constants.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

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
  int in_sample = 0;  // of them, whose publisher's runs were in the fits all the same
  std::optional<double> median_abs, p90_abs, mean;  // simulated over published time, less one
};

/// Which published peaks of memory are most like a plan's, on any GPU: those of its framework and
/// kind of plan; of its framework; all; none is shipped.
enum class PeakLikeness { SameKind, SameFramework, All, Nothing };
template <>
inline constexpr auto kNames<PeakLikeness> =
    std::to_array<Named<PeakLikeness>>({{PeakLikeness::SameKind, "same kind"},
                                        {PeakLikeness::SameFramework, "other kinds"},
                                        {PeakLikeness::All, "all"},
                                        {PeakLikeness::Nothing, "nothing"}});

struct MemoryTrust {
  PeakLikeness likeness = PeakLikeness::Nothing;
  std::string framework, kind;  // of the plan; framework: "" where it names none
  int peaks = 0;
  // Of the published peaks; nothing without any:
  std::optional<double> median_abs, p90_abs, mean;  // simulated over published peak, less one
  std::optional<double> p90_times;  // nine of ten are at most so many times what is simulated

  /// What a plan may need whose simulated peak is that: no more with nine of ten published runs.
  Bytes may_need(Bytes peak) const { return p90_times.value_or(1) * peak; }
};

/// "31 published runs like this one (A100, megatron-core, pipeline, 64 to 3,072 GPUs) are met
/// within 3.5 % (median) and 9.3 % (90th percentile), predicted without their publishers' runs".
std::string trust_text(const Trust& trust);

/// "62 published peaks like this one (megatron-deepspeed, pipeline) are met within 7.6 % (median)
/// and 12.0 % (90th percentile), nine of ten are at most 1.12 times what is simulated"; and where
/// a peak so many times as large is above the capacity, that the plan fits within this error only.
std::string memory_trust_text(const MemoryTrust& trust, Bytes peak, Bytes capacity);
/// Whether it fits, but would not if it needed what one of ten published runs do.
bool fits_within_error_only(const MemoryTrust& trust, Bytes peak, Bytes capacity);

}  // namespace danlu
