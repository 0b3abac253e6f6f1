// What follows for the model from several flags of Megatron-LM.
#pragma once

#include "sim/import/draft.hpp"

namespace danlu {

/// Attention, positions, sizes, experts, and the halves of an encoder-decoder.
void finish_megatron_model(Draft& draft);

}  // namespace danlu
