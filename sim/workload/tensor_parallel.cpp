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
//
// The input is not gathered once more where it is kept as it was gathered, which PyTorch's DTensors
// do: autograd keeps what a product has seen. Where each product has an input layout of its own
// (ColwiseParallel(input_layouts=Shard(1)) of torch.distributed.tensor.parallel), all that stands
// before columns is there for each of them: three times for QKV, twice for gate and up.
//
// Attention and MLP side by side are summed before they are exchanged (layers.cpp), so that what
// stands after rows is there once. What stands before columns is there for both, unless they
// have one norm and nobody asks for more: GPT-J's f_psum stands before it (kingoflolz/
// mesh-transformer-jax, mesh_transformer/layers.py), while each of Megatron's ColumnParallelLinear
// has its own, with one norm, too (EleutherAI/gpt-neox, megatron/mpu/layers.py).
#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

Exchange before_columns(const RankShape& z, const Operator& op) {
  Exchange made{.bytes = op.across.value_or(z.boundary()), .beside = op.beside};
  if (z.splits_sequence) {
    made.forward = Way{"gather input", CollectiveOp::AllGather};
    made.backward = Way{"scatter gradient", CollectiveOp::ReduceScatter};
    made.again = gathers_again(z.tensor_inputs);
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

/// Products of one input that an operator stands for.
int products_in(const RankShape& z, const Operator& op) {
  constexpr int kQkvProducts = 3;
  if (op.name == kQkv) {
    return kQkvProducts;
  }
  return z.model.gated_mlp && op.name.ends_with(kMlpUp) ? 2 : 1;
}

}  // namespace

void split_over_tensor_ranks(const RankShape& shape, Block& block) {
  std::vector<Step> steps;
  for (Step& step : block.steps) {
    auto* op = std::get_if<Operator>(&step);
    const Split split = op == nullptr || !op->exchanges ? Split::None : op->split;
    if (split == Split::Columns) {
      const int inputs = shape.tensor_inputs == TensorInputs::Each ? products_in(shape, *op) : 1;
      steps.insert(steps.end(), static_cast<std::size_t>(inputs), before_columns(shape, *op));
      if (shape.splits_sequence && !gathers_again(shape.tensor_inputs)) {
        op->kept = inputs * shape.tensor * op->kept;
      }
    }
    steps.push_back(step);
    if (split == Split::Rows) {
      steps.emplace_back(after_rows(shape, *op));
    }
  }
  block.steps = std::move(steps);
}

}  // namespace danlu
