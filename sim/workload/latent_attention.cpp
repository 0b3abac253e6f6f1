// What stands in the place of QKV in latent attention (MLA, DeepSeek-AI 2024, section 2.1): a
// narrow array is made of the layer's input, normed, and queries, keys and values of all heads of
// that. With ranks r of queries and c of keys and values, p for positions, n a head's part without
// them and v its values, a heads:
//
//   latent down [T/t, r+c+p, h] | latent norms | (gather r+c+p) | latent up [T, a(n+p)/t, r]
//                                                                           [T, a(n+v)/t, c]
//
// As in Megatron-LM every tensor rank holds the whole of "down" and makes its own tokens' part with
// it (all of them without sequence parallelism), and what is gathered is the narrow array. Where
// queries are not made of one (r = 0) their product takes the layer's input, which is gathered
// beside the array. The part p of keys is one for all heads.
#include "sim/workload/layers.hpp"

namespace danlu {
namespace {

/// The layer's input to the narrow array; every rank's is its own where they split tokens.
Operator down(const RankShape& z, double narrow) {
  const double width = narrow + z.model.latent.rotary_dim;
  Operator op = linear(z, z.local_tokens, kLatentDown, z.hidden, width);
  count_only(z.tokens / z.tensor / z.local_tokens, op);
  const double biases = z.model.biases.on(Biased::Qkv) ? width : 0;
  const double parameters = z.hidden * width + biases;
  op.weight = {.whole = parameters, .held = parameters, .partial = parameters};
  op.kept = {z.element * z.local_tokens * z.hidden};
  op.part = ModelPart::Attention;
  return op;
}

Operator norms_of(const RankShape& z, double narrow) {
  const double elements = z.local_tokens * narrow;
  const double parameters = z.model.norm_parameters(narrow);
  return {.name = kLatentNorms,
          .forward = {memory_pass(elements * 2 * z.element, PassKind::Norm)},
          .input_gradient = {memory_pass(elements * 3 * z.element, PassKind::NormBackward)},
          .weight = {.whole = parameters, .held = parameters, .partial = parameters},
          .kept = {z.element * elements},
          .part = ModelPart::Norms};
}

void append(const Kernels& more, Kernels& kernels) {
  kernels.insert(kernels.end(), more.begin(), more.end());
}

/// The products that make queries, and keys and values, of all heads that a rank has.
Operator up(const RankShape& z) {
  const Latent& latent = z.model.latent;
  const double queries_from = latent.query_rank > 0 ? latent.query_rank : z.hidden;
  const double each = z.model.head_dim + z.model.head_values();  // keys and values of a head
  const double heads = z.model.heads / z.tensor;
  Operator op = linear(z, kLatentUp, queries_from, z.query);
  const Operator keys = linear(z, kLatentUp, latent.kv_rank, heads * each);
  append(keys.forward, op.forward);
  append(keys.input_gradient, op.input_gradient);
  append(keys.weight_gradient, op.weight_gradient);
  const double whole = queries_from * z.model.query_width() + latent.kv_rank * z.model.heads * each;
  op.weight = split_weight(z, Biased::Qkv, whole, whole / z.tensor,
                           z.model.query_width() + z.model.heads * each, z.query + heads * each);
  // The input of a layer is kept by "down", too.
  op.kept = {z.element * z.local_tokens * (latent.query_rank + latent.kv_rank)};
  op.split = Split::Columns;
  op.across = Bytes{z.element * z.tokens * (queries_from + latent.kv_rank + latent.rotary_dim)};
  op.part = ModelPart::Attention;
  return op;
}

}  // namespace

void add_latent_qkv(const RankShape& z, Block& block) {
  const double narrow = z.model.latent.query_rank + z.model.latent.kv_rank;
  block.steps.emplace_back(down(z, narrow));
  block.steps.emplace_back(norms_of(z, narrow));
  block.steps.emplace_back(up(z));
}

}  // namespace danlu
