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

void join_halves(Draft& draft, const HalfFlags& flags) {
  const GivenFlag* given = draft.given(flags.decoder_layers);
  const std::optional<long> decoder = draft.whole(flags.decoder_layers);
  const long encoder = draft.count("model.layers");
  if (!decoder || encoder < 1) {
    return;
  }
  draft.forget("model.layers");
  draft.set("model.kind", "encoder-decoder", given);
  draft.set("model.encoder_layers", std::to_string(encoder), draft.given(flags.encoder_layers));
  draft.set("model.layers", std::to_string(encoder + *decoder), given, "with the encoder's");
  if (const std::optional<long> length = draft.whole(flags.decoder_length)) {
    draft.set("training.decoder_length", std::to_string(*length),
              draft.given(flags.decoder_length));
  }
  const std::optional<long> split = draft.whole(flags.split);
  const std::optional<long> more = draft.whole(flags.more_stages);
  const long stages = std::max(1L, draft.count("parallelism.pipeline"));
  if (split && stages > 1) {
    split_layers(draft, *draft.given(flags.split), *split, encoder, *decoder);
  } else if (more && *more > 0) {
    const GivenFlag* from = draft.given(flags.more_stages);
    draft.forget("parallelism.pipeline");
    draft.set("parallelism.pipeline", std::to_string(*more + stages), from, "and the decoder's");
    split_layers(draft, *from, *more, encoder, *decoder);
  }
}

}  // namespace danlu
