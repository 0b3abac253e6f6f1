// The attention half of a layer on one tensor-parallel rank. T = b s tokens, tensor degree t:
//
//   norm | QKV [T, (q+k+v)/t, h] | attention, a/t heads | projection [T, h, o/t] | residual
//
// where q, k, v, o are the widths of queries, keys, values and output of all heads. Each product
// runs twice backward: for its input [T, in, out] and for its weight [in, out, T]. With sequence
// parallelism norms, dropouts and residuals see T/t tokens. With c ranks that share a sequence
// T = b s/c. Between QKV and attention there may be norms of queries and keys; latent attention has
// more products in the place of QKV (latent_attention.cpp).
#include <cmath>
#include <utility>

#include "sim/workload/layers.hpp"
#include "sim/workload/rank_shape.hpp"

namespace danlu {
namespace {

Operator qkv(const RankShape& z) {
  const double width = z.query + z.key + z.value;
  const double once = z.model.key_width() + z.model.value_width();
  const double whole = z.model.query_width() + once;
  Operator op = linear(z, kQkv, z.hidden, width);
  // Copies of key-value heads, of which there are fewer than ranks, are not the model's work.
  count_only((z.query + once / z.tensor) / width, op);
  op.weight = split_weight(z, Biased::Qkv, z.hidden * whole, z.hidden * width, whole, width);
  op.kept = {z.element * z.local_tokens * z.hidden};
  op.split = Split::Columns;
  op.part = ModelPart::Attention;
  return op;
}

/// Norms of queries and keys, each head by itself or all of them at once; how ranks that share the
/// heads would then sum squares, 4 bytes a token, is left out. They have no shifts.
Operator qk_norms(const RankShape& z) {
  const bool shared = z.model.qk_norm == QkNorm::Head;
  const double both = z.query + z.key;
  return {.name = "query and key norms",
          .forward = {memory_pass(z.tokens * both * 2 * z.element, PassKind::Norm)},
          .input_gradient = {memory_pass(z.tokens * both * 3 * z.element, PassKind::NormBackward)},
          .weight = {shared ? 2 * z.model.key_dim() : z.model.query_width() + z.model.key_width(),
                     shared ? 2 * z.model.key_dim() : both},
          .kept = {z.element * z.tokens * both},
          .part = ModelPart::Norms};
}

/// Whether softmax is not one kernel: where the user says so, and where Megatron-LM's cannot
/// (megatron/fused_kernels, FusedScaleMaskSoftmax.is_kernel_available).
bool splits_softmax(const RankShape& z, double seen) {
  constexpr double kLongest = 2048;
  constexpr double kTogether = 4;  // sequences x heads
  return z.training.splits(UnfusedPart::Softmax) || seen > kLongest ||
         std::fmod(z.batch * z.heads, kTogether) != 0;
}

/// Attention as separate products, softmax and dropout over the q x s scores: all of them, of which
/// the model's work is what the mask leaves.
void add_unfused(const RankShape& z, const LayerSort& sort, double s, Operator& op) {
  const double heads = z.batch * z.heads;
  const double q = z.queries;
  const double d = z.model.key_dim();
  const double v = z.model.head_values();
  const double scores = heads * q * s;
  const bool drops = z.training.dropout;
  const double dropout = scores * (2 * z.element + kMaskBytes);
  // cuBLAS wants rows of whole 16 bytes (sim/cluster/gpu_spec.hpp, gemm_unaligned).
  const auto of_heads = [&](double rows, double columns, double depth) {
    Kernel product = gemm(rows, columns, depth, heads, z.element);
    product.aligned = whole_rows(d * z.element) && whole_rows(v * z.element);
    return product;
  };
  op.forward = {of_heads(q, s, d), memory_pass(scores * 2 * z.element, PassKind::Scores)};
  // In single operators: to fp32, scaled, masked, softmax, back to 16 bits; backward likewise.
  constexpr double kSplitForward = 32, kSplitBackward = 34;  // bytes of a score more
  constexpr int kSplitLaunches = 4;
  const bool splits = splits_softmax(z, s);
  if (splits) {
    op.forward.push_back(memory_pass(scores * kSplitForward, PassKind::Scores, kSplitLaunches));
  }
  op.input_gradient = {of_heads(q, s, v), of_heads(s, v, q)};  // through the values
  if (drops) {
    op.forward.push_back(memory_pass(dropout, PassKind::Scores));
    op.input_gradient.push_back(memory_pass(dropout, PassKind::Scores));
  }
  op.forward.push_back(of_heads(q, v, s));
  op.input_gradient.push_back(memory_pass(scores * 3 * z.element, PassKind::Scores));
  if (splits) {
    op.input_gradient.push_back(
        memory_pass(scores * kSplitBackward, PassKind::Scores, kSplitLaunches));
  }
  op.input_gradient.push_back(of_heads(q, d, s));  // queries
  op.input_gradient.push_back(of_heads(s, d, q));  // keys
  const double left = attended_pairs(z.training, sort.window, s) / (s * s / 2);
  const double counted = left * (z.training.causal_flops && !sort.sees_all ? 0.5 : 1);
  for (Kernels* kernels : {&op.forward, &op.input_gradient}) {
    for (Kernel& kernel : *kernels) {
      kernel.model_flops = counted * kernel.model_flops;
    }
  }
  // In 16 bits: softmax's output 2, a mask 1 and dropout's output 2.
  op.kept_inside = {z.element / 2 * (drops ? 5 : 2) * scores};
}

/// One fused kernel: with a causal mask it does half of the square, backward does the scores once
/// more, so three products as wide as keys and two as wide as values. Ranks that share a sequence
/// hold two pieces of it, the i-th and the i-th from the end, so that the mask leaves all of them
/// the same work, in each round of a ring, too (Megatron-LM).
void add_flash(const RankShape& z, const LayerSort& sort, double seen, Operator& op) {
  const double masked = attended_pairs(z.training, sort.window, seen);
  const double pairs = (sort.sees_all ? 2 : 1) * masked / z.rounds;
  const double longest = most_attended(z.training, sort.window, seen) / z.rounds;
  const double attended = pairs / seen;
  const AttentionShape shape{.kind = z.training.attention,
                             .heads = z.batch * z.heads,
                             .queries = z.queries,
                             .keys = attended,
                             .most = sort.sees_all ? attended : longest,
                             .key_dim = z.model.query_width() / z.model.heads,
                             .value_dim = z.model.output_width() / z.model.heads};
  const double keys = seen / z.rounds;
  const bool eight_bit = z.training.attention == AttentionKind::CudnnFp8;
  const double e = eight_bit ? 1 : z.element;
  const double inputs = z.batch * (z.queries * z.core_query + keys * (z.core_key + z.core_value));
  const double outputs = z.batch * z.queries * z.core_output;
  const Bytes moved{e * (inputs + outputs)};
  op.needs_output = !eight_bit;
  op.forward = {attention_kernel(shape, false, moved)};
  op.input_gradient = {attention_kernel(shape, true, 2 * moved)};
  const double counted = z.training.causal_flops || sort.sees_all ? 1 : 2;
  op.forward[0].model_flops = counted * op.forward[0].flops;
  op.input_gradient[0].model_flops = 2 * op.forward[0].model_flops;
  if (eight_bit) {
    // Made narrow before it and wide behind it, in passes of their own (fused_attn_fwd and _bwd of
    // TransformerEngine's pytorch/attention/dot_product_attention/backends.py, for inputs and
    // outputs of 16 bits).
    const Kernel narrow = memory_pass(inputs * (z.element + e));
    const Kernel wide = memory_pass(outputs * (e + z.element));
    op.forward.insert(op.forward.begin(), narrow);
    op.forward.push_back(wide);
    op.input_gradient.insert(op.input_gradient.begin(), wide);
    op.input_gradient.push_back(narrow);
    op.kept = {e / z.element * op.kept.value + e * outputs};
  }
}

/// Attention to sequences of `seen` positions, which keeps its queries and this rank's keys and
/// values. Rotary positions, by which queries and keys of one sequence are turned, and back, are a
/// step before it where ranks exchange in between.
void add_core(const RankShape& z, const LayerSort& sort, double seen, bool turns, Block& block) {
  const double attending = z.batch * z.queries;
  const double sinks = z.model.sinks ? z.model.heads : 0;
  Operator op{.name = kAttention,
              .weight = {sinks, sinks / z.tensor},
              .kept = {z.element * attending *
                       (z.core_query + seen / z.sequence * (z.core_key + z.core_value))},
              .part = ModelPart::Attention};
  is_fused(z.training.attention) ? add_flash(z, sort, seen, op) : add_unfused(z, sort, seen, op);
  if (turns) {
    const double turned = z.model.is_latent()
                              ? 2 * z.model.heads / z.tensor * z.model.latent.rotary_dim
                              : z.query + z.key;
    const Kernel turn = memory_pass(z.tokens * turned * 2 * z.element);
    if (z.ulysses * z.context > 1) {
      block.steps.emplace_back(
          Operator{.name = kRotary, .forward = {turn}, .input_gradient = {turn}});
    } else {
      op.forward.insert(op.forward.begin(), turn);
      op.input_gradient.push_back(turn);
    }
  }
  block.steps.emplace_back(std::move(op));
}

Operator projection(const RankShape& z) {
  Operator op = linear(z, kProjection, z.output, z.hidden);
  op.weight = split_weight(z, Biased::Output, z.model.output_width() * z.hidden,
                           z.output * z.hidden, z.hidden,
                           z.hidden);  // every rank adds the biases to its sum
  op.kept = {z.element * z.tokens * z.output};
  op.split = Split::Rows;
  op.part = ModelPart::Attention;
  return op;
}

/// What attends to the encoder's output: queries of the layer's input, keys and values of that,
/// which is one array for all layers and kept where it is made.
void add_cross_products(const RankShape& z, Block& block) {
  Operator queries = linear(z, kCrossQueries, z.hidden, z.query);
  queries.weight = split_weight(z, Biased::Qkv, z.hidden * z.model.query_width(),
                                z.hidden * z.query, z.model.query_width(), z.query);
  queries.kept = {z.element * z.local_tokens * z.hidden};
  const double once = z.model.key_width() + z.model.value_width();
  const double both = z.key + z.value;
  Operator keys = linear(z, z.encoded_tokens(), "cross keys and values", z.hidden, both);
  keys.across = Bytes{z.element * z.encoded_tokens() * z.hidden};
  count_only(once / z.tensor / both, keys);
  keys.weight = split_weight(z, Biased::Qkv, z.hidden * once, z.hidden * both, once, both);
  for (Operator* product : {&queries, &keys}) {
    product->split = Split::Columns;
    product->part = ModelPart::Attention;
    block.steps.emplace_back(std::move(*product));
  }
  add_core(z, {.sees_all = true}, z.encoded, false, block);
  block.steps.emplace_back(projection(z));
}

}  // namespace

void add_attention_products(const RankShape& z, const LayerSort& sort, Block& block) {
  if (z.model.is_latent()) {
    add_latent_qkv(z, block);
  } else {
    block.steps.emplace_back(qkv(z));
  }
  if (z.model.qk_norm != QkNorm::None) {
    block.steps.emplace_back(qk_norms(z));
  }
  add_core(z, sort, z.sequence, z.turns, block);
  block.steps.emplace_back(projection(z));
}

void add_attention(const RankShape& z, const LayerSort& sort, Block& block) {
  block.steps.emplace_back(norm(z, kNorm, z.block_input()));
  add_attention_products(z, sort, block);
  add_end_of_half(z, block);
  if (sort.crosses) {
    block.steps.emplace_back(norm(z, kNorm, z.block_input()));
    add_cross_products(z, block);
    add_end_of_half(z, block);
  }
}

}  // namespace danlu
