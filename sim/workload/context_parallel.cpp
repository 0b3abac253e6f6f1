// Context parallelism as a pass over a block: what ranks that share a sequence exchange around
// attention. All else sees each position by itself.
//
//   all-gather   keys and values of all are gathered, backward their gradients scattered, for which
//                they are gathered again (Llama Team 2024, section 3.3.2; Megatron-LM's all_gather)
//   ring         they go round in N-1 steps beside attention to those that are there; backward they
//                go round again and their gradients after them (Liu et al. 2023; Megatron's p2p)
//   Ulysses      queries, keys and values change from all heads of some positions to some heads of
//                all positions, and the output back (Jacobs et al. 2023; Megatron's a2a). Key-value
//                heads of which there are fewer than ranks are sent as copies
//
// Both together are Ulysses within groups and one of the others between them (Fang and Zhao 2024;
// Megatron's a2a+p2p), so that N is parallelism.context. Bytes that a rank sends forward, with T
// positions on a rank and widths q and k of queries and keys, n of Ulysses:
//
//   all-gather, ring   (N-1) 2 T k            Ulysses   (n-1)/n T (2 q + 2 k)
//
// with q for k where heads of keys and values are repeated before (context_heads: query).
// Merging what the steps of a ring give costs no time yet.
#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

/// Backward needs the other ranks' keys and values once more, and they and their gradients have
/// buffers meanwhile: all of them when gathered, else those at hand and those on their way.
Exchange of_keys_and_values(const RankShape& z) {
  if (z.rounds > 1) {
    const Bytes own = z.keys_and_values(z.queries);
    return {.axes = Axis::Context,
            .bytes = own,
            .forward = Way{"pass keys and values", CollectiveOp::SendReceive},
            .backward = Way{"pass keys, values and gradients", CollectiveOp::SendReceive},
            .rounds = static_cast<int>(z.rounds),
            .buffers = 4 * own};
  }
  const Bytes all = z.keys_and_values(z.sequence);
  return {.axes = Axis::Context,
          .bytes = all,
          .forward = Way{"gather keys and values", CollectiveOp::AllGather},
          .backward = Way{"scatter their gradients", CollectiveOp::ReduceScatter},
          .again = true,
          .buffers = 2 * all};
}

/// Between all heads of some positions and some heads of all positions.
Exchange of_heads(const RankShape& z, const std::string& what, double width) {
  const Way way{"exchange " + what, CollectiveOp::AllToAll};
  const Way back{way.name + " gradients", CollectiveOp::AllToAll};
  return {.axes = Axis::Ulysses,
          .bytes = {z.element * z.batch * z.queries * width},
          .forward = way,
          .backward = back};
}

}  // namespace

void split_over_sequence_ranks(const RankShape& shape, Block& block) {
  std::vector<Step> steps;
  for (Step& step : block.steps) {
    const auto* op = std::get_if<Operator>(&step);
    const bool is_core = op != nullptr && op->name == kAttention;
    if (is_core && shape.ulysses > 1) {
      steps.emplace_back(of_heads(shape, "queries", shape.core_query));
      steps.emplace_back(of_heads(shape, "keys", shape.core_key));
      steps.emplace_back(of_heads(shape, "values", shape.core_value));
    }
    if (is_core && shape.context > 1) {
      steps.emplace_back(of_keys_and_values(shape));
    }
    steps.push_back(std::move(step));
    if (is_core && shape.ulysses > 1) {
      steps.emplace_back(of_heads(shape, "output", shape.core_output));
    }
  }
  block.steps = std::move(steps);
}

}  // namespace danlu
