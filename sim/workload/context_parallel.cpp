// Context parallelism as a pass over a block: what ranks that share a sequence exchange around
// attention. All else sees each position by itself.
//
//   all-gather   keys and values of all are gathered, backward their gradients scattered, for which
//                they are gathered again (Llama Team 2024, section 3.3.2; Megatron-LM's all_gather)
//   gather-ring  they are gathered, but attention runs over each rank's by itself; backward their
//                gradients go round in fp32, N times, each rank adding its own (PyTorch's
//                torch/distributed/tensor/experimental/_attention.py with allgather, of 2.6 and
//                later). Nothing hides it where it is compiled: a traced collective is waited for
//                where it is issued (_maybe_wrap_tensor of torch/distributed/
//                _functional_collectives.py), and TorchInductor does not reorder unless asked to
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
// Merging what the steps of a ring give costs no time yet, but for gather-ring (merge_rounds).
#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

constexpr double kMergedBytes = 4;  // bytes of what is summed over ranks' keys

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
  if (z.merges) {
    const double wider = kMergedBytes / z.element;
    return {.axes = Axis::Context,
            .bytes = all,
            .forward = Way{"gather keys and values", CollectiveOp::AllGather},
            .backward = Way{"pass their gradients", CollectiveOp::SendReceive, wider},
            .again = true,
            .buffers = all + 2 * wider * z.keys_and_values(z.queries)};
  }
  return {.axes = Axis::Context,
          .bytes = all,
          .forward = Way{"gather keys and values", CollectiveOp::AllGather},
          .backward = Way{"scatter their gradients", CollectiveOp::ReduceScatter},
          .again = true,
          .buffers = 2 * all};
}

/// What attention over each rank's keys by itself adds in passes, all of them joined to as few as a
/// compiler can: keys and values are put together for the gather; what each further rank's keys
/// give is merged into a sum in fp32; and so are, backward, the gradients of each rank's. The first
/// sum reads none, and the last one of outputs and of queries' gradients is written as narrow as
/// they are; those of keys and values come back wide.
void merge_rounds(const RankShape& z, Operator& core) {
  const double out = z.batch * z.queries * z.core_output;
  const double keys = z.keys_and_values(z.queries).value / z.element;
  const double joined = 2 * z.element * keys;
  const double sum = kMergedBytes + z.element + kMergedBytes;  // read, added to, written
  const double first = kMergedBytes;
  const double narrowed = kMergedBytes - z.element;
  const int rounds = static_cast<int>(z.context);
  core.forward.push_back(
      memory_pass(joined + out * ((z.context - 1) * sum - (first - z.element) - narrowed),
                  PassKind::Stream, rounds));
  core.input_gradient.push_back(
      memory_pass(joined + out * (z.context * sum - first - narrowed) +
                      keys * (z.context * sum - first + kMergedBytes + z.element),
                  PassKind::Stream, 3 * rounds));
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
    if (is_core && shape.merges) {
      merge_rounds(shape, std::get<Operator>(step));
    }
    steps.push_back(std::move(step));
    if (is_core && shape.ulysses > 1) {
      steps.emplace_back(of_heads(shape, "output", shape.core_output));
    }
  }
  block.steps = std::move(steps);
}

}  // namespace danlu
