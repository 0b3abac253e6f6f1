// Of an encoder-decoder (T5) frameworks give layers, lengths and stages half by half; danlu has
// them of both together, the encoder's first.
#pragma once

#include "sim/import/draft.hpp"

namespace danlu {

/// Where the decoder's layers are given: model.layers, which are the encoder's until then, lengths
/// and stages. Throws InputError where a flag is no number.
void join_halves(Draft& draft);

}  // namespace danlu
