// The MLP half of a layer on one tensor-parallel rank. T = b s tokens, tensor degree t:
//
//   norm | MLP up [T, f/t, h] | activation | MLP down [T, h, f/t] | residual
#include <utility>

#include "sim/workload/layers.hpp"

namespace danlu {

void add_mlp_products(const RankShape& z, double whole, const std::string& what, Block& block) {
  const double gates = z.model.gated_mlp ? 2 : 1;
  const double held = whole / z.tensor;
  const double wide = z.tokens * held;
  Operator up = linear(z, what + kMlpUp, z.hidden, gates * held);
  up.weight = split_weight(z, Biased::Mlp, z.hidden * gates * whole, z.hidden * gates * held,
                           gates * whole, gates * held);
  up.kept = {z.element * z.local_tokens * z.hidden};
  up.split = Split::Columns;
  Operator down = linear(z, what + kMlpDown, held, z.hidden);
  down.weight = split_weight(z, Biased::Mlp, whole * z.hidden, held * z.hidden, z.hidden, z.hidden);
  down.kept = {z.element * wide};
  down.split = Split::Rows;
  block.steps.emplace_back(std::move(up));
  block.steps.emplace_back(
      Operator{.name = what + kActivation,
               .forward = {memory_pass(wide * (gates + 1) * z.element)},
               .input_gradient = {memory_pass(wide * (2 * gates + 1) * z.element)},
               .kept = {z.element * wide * gates}});
  block.steps.emplace_back(std::move(down));
}

void add_mlp(const RankShape& z, Block& block) {
  block.steps.emplace_back(norm(z, kNorm, z.block_input()));
  add_mlp_products(z, z.model.ffn, "", block);
  add_end_of_half(z, block);
}

}  // namespace danlu
