// Of an encoder-decoder (T5) frameworks give layers, lengths and stages half by half; danlu has
// them of both together, the encoder's first.
#pragma once

#include <string_view>

#include "sim/import/draft.hpp"

namespace danlu {

/// What a framework calls them: "a|b" under either name, "" for what it does not have.
struct HalfFlags {
  std::string_view encoder_layers;
  std::string_view decoder_layers;
  std::string_view decoder_length;  // of sequences; the encoder's is training.sequence_length
  std::string_view split;           // the decoder's first stage, of parallelism.pipeline
  std::string_view more_stages;     // of the encoder, beside those of parallelism.pipeline
};

/// Where the decoder's layers are given: model.layers, which are the encoder's until then, lengths
/// and stages. Throws InputError where a flag is no number.
void join_halves(Draft& draft, const HalfFlags& flags);

}  // namespace danlu
