#include "sim/workload/layers.hpp"

#include <utility>

namespace danlu {

Operator linear(const RankShape& z, double tokens, std::string name, double in, double out) {
  return {.name = std::move(name),
          .forward = {gemm(tokens, out, in, 1, z.element)},
          .input_gradient = {gemm(tokens, in, out, 1, z.element)},
          .weight_gradient = {gemm(in, out, tokens, 1, z.element, {z.gradient * in * out})}};
}

Operator linear(const RankShape& z, std::string name, double in, double out) {
  return linear(z, z.tokens, std::move(name), in, out);
}

void count_only(double share, Operator& product) {
  for (Kernels* kernels : {&product.forward, &product.input_gradient, &product.weight_gradient}) {
    for (Kernel& kernel : *kernels) {
      kernel.model_flops = share * kernel.model_flops;
    }
  }
}

Operator norm(const RankShape& z, std::string name, Bytes kept) {
  const double boundary = z.local_tokens * z.hidden;
  const double parameters = z.model.norm_parameters();
  return {.name = std::move(name),
          .forward = {memory_pass(boundary * 2 * z.element)},
          .input_gradient = {memory_pass(boundary * 3 * z.element)},
          .weight = {parameters, parameters},
          .kept = kept,
          .part = ModelPart::Norms};
}

Weight split_weight(const RankShape& z, Biased product, double whole_matrix, double held_matrix,
                    double whole_biases, double held_biases) {
  const double biases = z.model.biases.on(product) ? 1 : 0;
  return {whole_matrix + biases * whole_biases, held_matrix + biases * held_biases};
}

Operator residual(const RankShape& z) {
  const double boundary = z.local_tokens * z.hidden;
  const double mask = z.training.dropout ? kMaskBytes : 0;
  return {.name = "residual",
          .forward = {memory_pass(boundary * (3 * z.element + mask))},
          .input_gradient = {memory_pass(boundary * (2 * z.element + mask))},
          .kept = {z.element / 2 * mask * boundary}};
}

void add_end_of_half(const RankShape& z, Block& block) {
  if (z.model.norms == 4) {
    block.steps.emplace_back(norm(z, "norm behind", z.block_input()));
  }
  block.steps.emplace_back(residual(z));
}

namespace {

/// Attention and MLP of the same input, which is normed, exchanged and kept once, as the sum of
/// what they make is (Wang and Komatsuzaki 2021, GPT-J): only the first product is behind a gather,
/// only the last before a sum.
void add_side_by_side(const RankShape& z, const LayerSort& sort, Block& block) {
  block.steps.emplace_back(norm(z, kNorm, z.block_input()));
  add_attention_products(z, sort, block);
  std::get<Operator>(block.steps.back()).split = Split::None;
  const std::size_t up = block.steps.size();
  add_mlp_products(z, z.model.ffn, "", block);
  auto& shares_input = std::get<Operator>(block.steps[up]);
  shares_input.split = Split::None;
  shares_input.kept = {};
  block.steps.emplace_back(residual(z));
}

}  // namespace

Block layer(const RankShape& z, const LayerSort& sort) {
  Block block{.input = z.block_input()};
  if (z.model.norms == 1) {
    add_side_by_side(z, sort, block);
  } else {
    add_attention(z, sort, block);
    sort.experts ? add_experts(z, block) : add_mlp(z, block);
  }
  return block;
}

Block embedding(const RankShape& z) {
  const double written = z.tokens * z.hidden;
  const double positions = static_cast<double>(z.model.positions) * z.hidden;
  Block block{.steps = {Operator{
                  .name = "embedding",
                  .forward = {memory_pass(written * 2 * z.element)},
                  .input_gradient = {memory_pass(written * (z.element + z.gradient))},
                  .weight = {z.model.vocab * z.hidden + positions, z.vocab * z.hidden + positions},
                  .split = Split::Rows,
                  .part = ModelPart::Embeddings}}};
  if (z.model.embedding_norm) {
    block.steps.emplace_back(norm(z, "embedding norm", {}));
  }
  return block;
}

Block head(const RankShape& z, bool holds_table) {
  Operator logits = linear(z, "logits", z.hidden, z.vocab);
  count_only(z.model.vocab / (z.vocab * z.tensor), logits);  // rows of padding
  const double biases = z.model.biases.on(Biased::Head) ? 1 : 0;
  logits.weight = {
      (z.model.tied_embeddings ? 0 : z.model.vocab * z.hidden) + biases * z.model.vocab,
      (holds_table ? z.vocab * z.hidden : 0) + biases * z.vocab};
  logits.part = ModelPart::Head;
  logits.split = Split::Columns;
  // fp32 logits: cast (2 + 4 bytes), maximum (4), exponential (8); backward reads 4, writes 2.
  Operator loss{.name = "loss",
                .forward = {memory_pass(z.tokens * z.vocab * 18)},
                .input_gradient = {memory_pass(z.tokens * z.vocab * 6)}};
  Block block{.steps = {norm(z, "final norm", {}), std::move(logits), std::move(loss)}};
  // Over a split vocabulary: maximum, sum and target, 4 bytes per token each.
  for (int i = 0; i < 3; ++i) {
    block.steps.emplace_back(
        Exchange{.bytes = {4 * z.tokens}, .forward = Way{"sum loss", CollectiveOp::AllReduce}});
  }
  return block;
}

}  // namespace danlu
