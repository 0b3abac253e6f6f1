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
          .forward = {memory_pass(boundary * 2 * z.element, PassKind::Norm)},
          .input_gradient = {memory_pass(boundary * 3 * z.element, PassKind::NormBackward)},
          .weight = {.whole = parameters, .held = parameters, .partial = parameters},
          .kept = kept,
          .part = ModelPart::Norms};
}

Weight split_weight(const RankShape& z, Biased product, double whole_matrix, double held_matrix,
                    double whole_biases, double held_biases) {
  const double biases = z.model.biases.on(product) ? 1 : 0;
  const bool is_whole = held_biases == whole_biases;
  return {.whole = whole_matrix + biases * whole_biases,
          .held = held_matrix + biases * held_biases,
          .partial = is_whole ? biases * held_biases : 0};
}

Operator residual(const RankShape& z) {
  const double boundary = z.local_tokens * z.hidden;
  const double mask = z.training.dropout ? kMaskBytes : 0;
  return {.name = kResidual,
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

/// Attention and MLP of the same input, which is kept once, as the sum of what they make is
/// exchanged once (Wang and Komatsuzaki 2021, GPT-J): only the last product is before a sum. Behind
/// one norm they have one array in common, which the first product exchanges for both, unless each
/// does (tensor_parallel.cpp).
void add_side_by_side(const RankShape& z, const LayerSort& sort, Block& block) {
  const bool one_norm = z.model.norms == 1;
  block.steps.emplace_back(norm(z, kNorm, z.block_input()));
  add_attention_products(z, sort, block);
  std::get<Operator>(block.steps.back()).exchanges = false;
  if (!one_norm) {
    block.steps.emplace_back(norm(z, kNorm, {}));
  }
  const std::size_t up = block.steps.size();
  add_mlp_products(z, z.model.ffn, "", block);
  if (one_norm) {
    auto& shares_input = std::get<Operator>(block.steps[up]);
    const bool each_keeps = z.tensor > 1 && z.tensor_inputs == TensorInputs::Each;
    shares_input.exchanges = each_keeps || z.tensor_inputs == TensorInputs::Halves;
    shares_input.kept = each_keeps && z.splits_sequence ? shares_input.kept : Bytes{};
  }
  // What they made is added before it is exchanged, and the gradients of their input behind that,
  // unless both are exchanged as one.
  const bool as_one = one_norm && !std::get<Operator>(block.steps[up]).exchanges;
  const double gradients = (as_one ? z.tokens : z.local_tokens) * z.hidden;
  auto& down = std::get<Operator>(block.steps.back());
  down.forward.push_back(memory_pass(z.tokens * z.hidden * 3 * z.element));
  block.steps.emplace_back(residual(z));
  auto& end = std::get<Operator>(block.steps.back());
  end.input_gradient.push_back(memory_pass(gradients * 3 * z.element));
}

}  // namespace

Block layer(const RankShape& z, const LayerSort& sort) {
  Block block{.input = z.block_input()};
  if (sort.predicts > 0) {
    begin_prediction(z, sort, block);
  }
  if (z.model.side_by_side()) {
    add_side_by_side(z, sort, block);
  } else {
    add_attention(z, sort, block);
    sort.experts ? add_experts(z, sort, block) : add_mlp(z, block);
  }
  if (sort.ends_encoder) {  // the stages of the decoder keep its output (memory.cpp)
    block.steps.emplace_back(norm(z, "encoder norm", z.block_input()));
  }
  if (sort.predicts > 0) {
    add_final_norm(z, block);
    if (!z.predicts_apart) {
      add_loss(z, {}, block);  // by the head's table
    }
  }
  return block;
}

Block embedding(const RankShape& z, int halves, double tokens) {
  const ModelSpec& m = z.model;
  const double all_halves = m.kind == ModelKind::EncoderDecoder ? 2 : 1;
  const double written = tokens * z.hidden;
  const double others = (static_cast<double>(m.positions) + m.token_types) * z.hidden;
  const double relative = m.relative_positions * m.heads;
  Block block{
      .steps = {Operator{.name = "embedding",
                         .forward = {memory_pass(written * 2 * z.element)},
                         .input_gradient = {memory_pass(written * (z.element + z.gradient))},
                         .weight = {m.vocab * z.hidden + others + all_halves * relative,
                                    z.vocab * z.hidden + others + halves * relative / z.tensor},
                         .split = Split::Rows,
                         .part = ModelPart::Embeddings}}};
  if (m.embedding_norm) {
    block.steps.emplace_back(norm(z, "embedding norm", {}));
  }
  return block;
}

namespace {

/// Bytes of a logit. In place: cast to fp32 (2 + 4), maximum (4), exponential (8); backward reads 4
/// and writes 2. In single operators difference, sum and quotient are passes, too (54 to 55 bytes
/// measured on one H200, both ways; Megatron-LM's vocab_parallel_cross_entropy). One kernel reads
/// 16 bits twice, and backward reads and writes them (11 to 15 measured of a compiled one).
/// PyTorch's cross entropy of logits that nobody widened takes log_softmax (read three times,
/// written) and backward zeros, their gradient and what came out, read twice each, and writes
/// (aten's native/cuda/SoftMax.cu, Loss.cu). Megatron's own fusion compiles three functions around
/// its sums over ranks: cast and maximum (2 + 4), exponential and sum (4 + 4), quotient (4 + 4);
/// backward reads 4 and writes 2 (counted in megatron/core/fusions/fused_cross_entropy.py).
/// `unfused` is of a loss in place: who asks for another one has that.
Operator loss_of(const RankShape& z) {
  const double logits = z.logits();
  const auto made = [&](double forward, double backward, int launches) {
    return Operator{.name = kLoss,
                    .forward = {memory_pass(logits * forward, PassKind::Stream, launches)},
                    .input_gradient = {memory_pass(logits * backward)}};
  };
  switch (z.training.loss) {
    case Loss::InPlace:
      return z.training.splits(UnfusedPart::Loss) ? made(40, 14, 8) : made(18, 6, 1);
    case Loss::EagerNarrow:
      return made(8, 12, 2);
    case Loss::Fused:
      return made(8, 4, 1);
    case Loss::FusedWide:
      return made(22, 6, 3);
    default:
      return made(40, 14, 8);
  }
}

}  // namespace

void add_final_norm(const RankShape& z, Block& block) {
  if (z.model.final_norm) {
    block.steps.emplace_back(norm(z, "final norm", {}));
  }
}

void add_loss(const RankShape& z, const Weight& table, Block& block) {
  Operator logits = linear(z, "logits", z.hidden, z.vocab);
  count_only(z.model.vocab / (z.vocab * z.tensor), logits);  // rows of padding
  logits.weight = table;
  logits.part = ModelPart::Head;
  logits.split = Split::Columns;
  Operator loss = loss_of(z);
  block.steps.emplace_back(std::move(logits));
  if (z.logits_ranks > 1) {
    block.steps.emplace_back(Exchange{.bytes = {z.element * z.logits()},
                                      .forward = Way{"gather logits", CollectiveOp::AllGather}});
    block.steps.emplace_back(std::move(loss));
    return;
  }
  block.steps.emplace_back(std::move(loss));
  // Over a split vocabulary: maximum, sum and target, 4 bytes per token each.
  for (int i = 0; i < 3; ++i) {
    block.steps.emplace_back(
        Exchange{.bytes = {4 * z.tokens}, .forward = Way{"sum loss", CollectiveOp::AllReduce}});
  }
}

Block head(const RankShape& z) {
  Block block;
  if (z.model.pooler) {  // of the first token of each sequence
    Operator pooler = linear(z, z.batch, "pooler", z.hidden, z.hidden);
    const double parameters = z.hidden * (z.hidden + 1);
    pooler.weight = {parameters, parameters};
    pooler.part = ModelPart::Head;
    block.steps.emplace_back(std::move(pooler));
  }
  const double biases = z.model.biases.on(Biased::Head) ? 1 : 0;
  const bool tied = z.model.tied_embeddings;
  const bool holds = !tied || !z.ends_meet;  // beside the embedding
  add_final_norm(z, block);
  add_loss(z,
           {(tied ? 0 : z.model.vocab * z.hidden) + biases * z.model.vocab,
            (holds ? z.vocab * z.hidden : 0) + biases * z.vocab},
           block);
  for (int i = 0; z.predicts_apart && i < z.model.prediction_layers; ++i) {
    add_loss(z, {}, block);
  }
  return block;
}

}  // namespace danlu
