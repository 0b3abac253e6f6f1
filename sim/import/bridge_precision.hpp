// The section mixed_precision of Megatron-Bridge, which it lays over model, optimizer and ddp
// (MixedPrecisionConfig.setup of megatron/bridge/training/mixed_precision.py): the name of a
// recipe, or its settings written out. NeMo's model.fp8, and ddp of a file without that section,
// too.
#pragma once

#include "sim/import/draft.hpp"

namespace danlu {

/// Precision, scales, how wide gradients and gathered weights are, layers that stay wide. To be
/// called once the degree of ZeRO is known.
void finish_bridge_precision(Draft& draft);

}  // namespace danlu
