#include "sim/import/halves.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace danlu {
namespace {

/// The first stages hold the encoder's layers, the others the decoder's.
void split_layers(Draft& draft, const GivenFlag& from, long encoder_stages, long encoder,
                  long decoder) {
  const long decoder_stages = draft.count("parallelism.pipeline") - encoder_stages;
  if (encoder_stages < 1 || decoder_stages < 1 || encoder % encoder_stages != 0 ||
      decoder % decoder_stages != 0) {
    draft.not_used(from, fmt::format("{} layers of the encoder on {} stages and {} of the decoder "
                                     "on {} are not shared evenly",
                                     encoder, encoder_stages, decoder, decoder_stages));
    return;
  }
  std::vector<long> layers(static_cast<std::size_t>(encoder_stages), encoder / encoder_stages);
  layers.insert(layers.end(), static_cast<std::size_t>(decoder_stages), decoder / decoder_stages);
  draft.set("parallelism.stage_layers", fmt::format("[{}]", fmt::join(layers, ", ")), &from);
}

}  // namespace

void join_halves(Draft& draft) {
  constexpr std::string_view kDecoder = "--decoder-num-layers|model.decoder.num_layers";
  constexpr std::string_view kEncoder =
      "--encoder-num-layers|--num-layers|model.encoder.num_layers";
  constexpr std::string_view kLength = "--decoder-seq-length|model.data.seq_length_dec";
  constexpr std::string_view kSplit =  // the decoder's first stage, of parallelism.pipeline
      "--pipeline-model-parallel-split-rank|model.pipeline_model_parallel_split_rank";
  constexpr std::string_view kMore =  // of the encoder, beside those of parallelism.pipeline
      "--encoder-pipeline-model-parallel-size";
  const GivenFlag* given = draft.given(kDecoder);
  const std::optional<long> decoder = draft.whole(kDecoder);
  const long encoder = draft.count("model.layers");
  if (!decoder || encoder < 1) {
    return;
  }
  draft.forget("model.layers");
  draft.set("model.kind", "encoder-decoder", given);
  draft.set("model.encoder_layers", std::to_string(encoder), draft.given(kEncoder));
  draft.set("model.layers", std::to_string(encoder + *decoder), given, "with the encoder's");
  if (const std::optional<long> length = draft.whole(kLength)) {
    draft.set("training.decoder_length", std::to_string(*length), draft.given(kLength));
  }
  const std::optional<long> split = draft.whole(kSplit);
  const std::optional<long> more = draft.whole(kMore);
  const long stages = std::max(1L, draft.count("parallelism.pipeline"));
  if (split && stages > 1) {
    split_layers(draft, *draft.given(kSplit), *split, encoder, *decoder);
  } else if (more && *more > 0) {
    const GivenFlag* from = draft.given(kMore);
    draft.forget("parallelism.pipeline");
    draft.set("parallelism.pipeline", std::to_string(*more + stages), from, "and the decoder's");
    split_layers(draft, *from, *more, encoder, *decoder);
  }
}

}  // namespace danlu
