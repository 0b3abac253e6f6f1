// The attention half of a layer on one tensor-parallel rank. T = b s tokens, tensor degree t:
//
//   norm | QKV [T, (q+2kv)/t, h] | attention, a/t heads | projection [T, h, q/t] | residual
//
// Each product runs twice backward: for its input [T, in, out] and for its weight [in, out, T].
// With sequence parallelism norms, dropouts and residuals see T/t tokens. With c ranks that share a
// sequence T = b s/c.
#include <utility>

#include "sim/workload/layers.hpp"
#include "sim/workload/rank_shape.hpp"

namespace danlu {
namespace {

Operator qkv(const RankShape& z) {
  const double width = z.query + 2 * z.kv;
  const double whole = z.model.query_width() + 2 * z.model.kv_width();
  Operator op = linear(z, kQkv, z.hidden, width);
  // Copies of key-value heads, of which there are fewer than ranks, are not the model's work.
  count_only((z.query + 2 * z.model.kv_width() / z.tensor) / width, op);
  op.weight = split_weight(z, z.hidden * whole, z.hidden * width, whole, width);
  op.kept = {z.element * z.local_tokens * z.hidden};
  op.split = Split::Columns;
  return op;
}

/// Attention as separate products, softmax and dropout over the s x s scores.
void add_unfused(const RankShape& z, Operator& op) {
  const double heads = z.batch * z.heads;
  const double q = z.queries;
  const double s = z.sequence;
  const double d = z.model.head_dim;
  const double scores = heads * q * s;
  const bool drops = z.training.dropout;
  const double dropout = scores * (2 * z.element + kMaskBytes);
  op.forward = {gemm(q, s, d, heads, z.element), memory_pass(scores * 2 * z.element)};
  op.input_gradient = {gemm(q, s, d, heads, z.element),
                       gemm(s, d, q, heads, z.element)};  // through the values
  if (drops) {
    op.forward.push_back(memory_pass(dropout));
    op.input_gradient.push_back(memory_pass(dropout));
  }
  op.forward.push_back(gemm(q, d, s, heads, z.element));
  op.input_gradient.push_back(memory_pass(scores * 3 * z.element));
  op.input_gradient.push_back(gemm(q, d, s, heads, z.element));  // queries
  op.input_gradient.push_back(gemm(s, d, q, heads, z.element));  // keys
  if (z.training.causal_flops) {
    for (Kernels* kernels : {&op.forward, &op.input_gradient}) {
      for (Kernel& kernel : *kernels) {
        kernel.model_flops = kernel.model_flops / 2;
      }
    }
  }
  // In 16 bits: softmax's output 2, a mask 1 and dropout's output 2.
  op.kept_inside = {z.element / 2 * (drops ? 5 : 2) * scores};
}

/// FLOPs of the two attention products (scores and values) of all heads, forward: what the mask
/// leaves, or twice that.
Flops products_of_scores(const RankShape& z, bool causal) {
  return {2 * 2 * (causal ? z.pairs : 2 * z.pairs) * z.model.query_width()};
}

/// One fused causal kernel: it does half of the square, backward does the scores once more. Ranks
/// that share a sequence hold two pieces of it, the i-th and the i-th from the end, so that the
/// mask leaves all of them the same work, in each round of a ring, too (Megatron-LM).
void add_flash(const RankShape& z, Operator& op) {
  const double share = z.batch / z.tensor / (z.ulysses * z.context) / z.rounds;
  const Flops done = share * products_of_scores(z, true);
  const Flops counted = share * products_of_scores(z, z.training.causal_flops);
  const double keys = z.sequence / z.rounds;
  const double qkvo = z.batch * 2 * (z.queries * z.core_query + keys * z.core_kv);
  op.needs_output = true;
  op.forward = {{.kind = KernelKind::AttentionForward,
                 .flops = done,
                 .model_flops = counted,
                 .bytes = {z.element * qkvo}}};
  op.input_gradient = {{.kind = KernelKind::AttentionBackward,
                        .flops = 2.5 * done,
                        .model_flops = 2 * counted,
                        .bytes = {2 * z.element * qkvo}}};
}

/// Attention, which keeps its queries and this rank's keys and values. Rotary positions, by which
/// queries and keys are turned, and back, are a step before it where ranks exchange in between.
void add_core(const RankShape& z, Block& block) {
  const double attending = z.batch * z.queries;
  Operator op{.name = kAttention, .kept = {z.element * attending * (z.core_query + 2 * z.core_kv)}};
  z.training.attention == AttentionKind::Flash ? add_flash(z, op) : add_unfused(z, op);
  if (z.model.positions == 0) {
    const Kernel turn = memory_pass(z.tokens * (z.query + z.kv) * 2 * z.element);
    if (z.ulysses * z.context > 1) {
      block.steps.emplace_back(
          Operator{.name = "rotary", .forward = {turn}, .input_gradient = {turn}});
    } else {
      op.forward.insert(op.forward.begin(), turn);
      op.input_gradient.push_back(turn);
    }
  }
  block.steps.emplace_back(std::move(op));
}

Operator projection(const RankShape& z) {
  Operator op = linear(z, kProjection, z.query, z.hidden);
  op.weight = split_weight(z, z.model.query_width() * z.hidden, z.query * z.hidden, z.hidden,
                           z.hidden);  // every rank adds the biases to its sum
  op.kept = {z.element * z.tokens * z.query};
  op.split = Split::Rows;
  return op;
}

}  // namespace

void add_attention(const RankShape& z, Block& block) {
  block.steps.emplace_back(norm(z, kNorm, z.block_input()));
  block.steps.emplace_back(qkv(z));
  add_core(z, block);
  block.steps.emplace_back(projection(z));
  block.steps.emplace_back(residual(z));
}

}  // namespace danlu
