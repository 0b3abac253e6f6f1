// What a step does to gradients beside the kernel that updates weights, in passes of its own, as
// frameworks do once a step (training.gradient_passes). Bytes of each gradient, of g bytes as it is
// summed and m as the optimizer has it (4 where fp16's are copied to fp32):
//
//   zero      the sums, before the first microbatch is added          g    of all that a rank holds
//   check     their norm, whether some are no number (NaN)            g    of all
//   average   divided by the number of replicas, if there are some   2 g   of all
//   unscale   the loss scale of fp16 taken off, overflows found      2 m   of what a rank updates
//   norm      the norm that they are clipped by                       m    of what a rank updates
//   clip      multiplied by what that asks for                       2 m   of what a rank updates
//   norm_all, clip_all   the same                               m, 2 m   of all
//   buckets   joined before they are summed, put back after that     4 g   of all
//   check_copied, norm_copied   check and norm of a copy in fp32    g + 8  of all; g of fp32's
//
// What a rank holds is all of its weights' gradients with ZeRO-1, whose state alone is split: there
// such passes move more than the update. Sums of norms over ranks, a few bytes, are not counted.
#pragma once

#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

namespace danlu {

struct TrainingSpec;
struct ParallelismSpec;
class AxisSet;

enum class GradientPass {
  Zero,
  Check,
  Average,
  Unscale,
  Norm,
  Clip,
  NormAll,
  ClipAll,
  Buckets,
  CheckCopied,
  NormCopied
};
template <>
inline constexpr auto kNames<GradientPass> =
    std::to_array<Named<GradientPass>>({{GradientPass::Zero, "zero"},
                                        {GradientPass::Check, "check"},
                                        {GradientPass::Average, "average"},
                                        {GradientPass::Unscale, "unscale"},
                                        {GradientPass::Norm, "norm"},
                                        {GradientPass::Clip, "clip"},
                                        {GradientPass::NormAll, "norm_all"},
                                        {GradientPass::ClipAll, "clip_all"},
                                        {GradientPass::Buckets, "buckets"},
                                        {GradientPass::CheckCopied, "check_copied"},
                                        {GradientPass::NormCopied, "norm_copied"}});

/// Bytes that these passes move in a rank's memory, of so many trained parameters that ranks along
/// `copies` hold, too.
Bytes gradient_pass_bytes(const TrainingSpec& training, const ParallelismSpec& parallelism,
                          AxisSet copies, double parameters);

}  // namespace danlu
