// Multi-token prediction (DeepSeek-AI 2024, arXiv:2412.19437, section 2.2): behind the layers there
// is one more for each token after the next. It begins with what the layers made and the embedding
// of the next token, and ends with logits of its own by the same table:
//
//   embedding | norms of both | join [T, h/t, 2h] | a layer | final norm | logits | loss
//
// The last stage holds it, and so a copy of the table of tokens where that is not the head's. Or
// the part before the head does (parallelism.prediction_before_head, Megatron-core's layouts with
// m|L), which sends what it made beside what the layers made; its logits are then the head's:
//
//   ... layers | embedding to final norm of each --[layers' output, one array each]--> head: the
//   model's final norm (Megatron-core has it behind the last layer), 1 + n times logits and loss
//
// (megatron/core/transformer/pipeline_parallel_layer_layout.py; process_mtp_loss of
// multi_token_prediction.py, which takes the arrays apart).
#include "sim/workload/layers.hpp"

namespace danlu {

void begin_prediction(const RankShape& z, const LayerSort& sort, Block& block) {
  const double written = z.tokens * z.hidden;
  const bool copies = sort.predicts == 1 && z.prediction_copies;
  block.steps.emplace_back(
      Operator{.name = "embedding again",
               .forward = {memory_pass(written * 2 * z.element)},
               .input_gradient = {memory_pass(written * (z.element + z.gradient))},
               .weight = {0, copies ? z.vocab * z.hidden : 0},
               .split = Split::Rows,
               .part = ModelPart::Embeddings});
  block.steps.emplace_back(norm(z, "norm of the embedding", z.block_input()));
  block.steps.emplace_back(norm(z, "norm of the layers' output", z.block_input()));
  Operator join = linear(z, "join", 2 * z.hidden, z.hidden / z.tensor);
  const double matrix = 2 * z.hidden * z.hidden;
  join.weight = {matrix, matrix / z.tensor};
  join.kept = 2 * z.block_input();
  join.split = Split::Columns;
  join.across = 2 * z.boundary();
  join.part = ModelPart::Prediction;
  block.steps.emplace_back(std::move(join));
  // Each tensor rank made some columns of it.
  block.steps.emplace_back(
      Exchange{.bytes = z.boundary(), .forward = Way{"gather output", CollectiveOp::AllGather}});
}

}  // namespace danlu
