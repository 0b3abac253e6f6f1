// Tensor parallelism as a pass over a block: what stands around products that are split (Megatron's
// f and g, Shoeybi et al. 2019), with sequence parallelism as gathers and scatters (Korthikanti et
// al. 2022).
//
//                        before columns                after rows
//   tensor      forward  -                             all-reduce
//               backward all-reduce                    -
//   + sequence  forward  all-gather                    reduce-scatter
//               backward reduce-scatter, and the       all-gather
//                        input gathered once more
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

Exchange before_columns(const RankShape& z, const Operator& op) {
  Exchange made{.bytes = op.across.value_or(z.boundary()), .beside = op.beside};
  if (z.splits_sequence) {
    made.forward = Way{"gather input", CollectiveOp::AllGather};
    made.backward = Way{"scatter gradient", CollectiveOp::ReduceScatter};
    made.again = true;
  } else {
    made.backward = Way{"sum gradient", CollectiveOp::AllReduce};
  }
  return made;
}

Exchange after_rows(const RankShape& z, const Operator& op) {
  Exchange made{.bytes = z.boundary(), .beside = op.beside};
  if (z.splits_sequence) {
    made.forward = Way{"scatter output", CollectiveOp::ReduceScatter};
    made.backward = Way{"gather gradient", CollectiveOp::AllGather};
  } else {
    made.forward = Way{"sum output", CollectiveOp::AllReduce};
  }
  if (!op.is_product()) {
    made.forward->name = "sum " + op.name;
  }
  return made;
}

}  // namespace

void split_over_tensor_ranks(const RankShape& shape, Block& block) {
  std::vector<Step> steps;
  for (Step& step : block.steps) {
    const auto* op = std::get_if<Operator>(&step);
    const Split split = op == nullptr ? Split::None : op->split;
    if (split == Split::Columns) {
      steps.emplace_back(before_columns(shape, *op));
    }
    steps.push_back(step);
    if (split == Split::Rows) {
      steps.emplace_back(after_rows(shape, *op));
    }
  }
  block.steps = std::move(steps);
}

}  // namespace danlu
