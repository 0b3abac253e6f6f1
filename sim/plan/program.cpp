#include "sim/plan/program.hpp"

#include <algorithm>
#include <array>

#include "sim/workload/layer.hpp"

namespace danlu {
namespace {

using Kernels = std::vector<Kernel>;

/// Appends segments; `ready_` is what the next segment of the main line waits for.
class ProgramBuilder {
 public:
  ProgramBuilder(const Workload& workload, const KernelTimer& timer)
      : w_(workload),
        p_(workload.parallelism),
        timer_(timer),
        boundary_(boundary_bytes(workload)),
        tokens_fp32_{4.0 * workload.training.micro_batch * workload.training.sequence_length} {}

  void set_recomputing(bool recomputing) { recomputing_ = recomputing; }

  void compute(std::string_view name, const Kernels& kernels) {
    ready_ = {add_compute(name, kernels)};
  }

  /// A product split by columns: its input is gathered before (sequence parallel).
  void column_forward(std::string_view name, const ParallelLinear& linear,
                      std::string_view rest_name, const Kernels& rest) {
    if (gathers()) {
      chunked("gather input", CollectiveOp::AllGather, name, linear.forward, /*comm_first=*/true);
    } else {
      compute(name, {linear.forward});
    }
    if (!rest.empty()) {
      compute(rest_name, rest);
    }
  }

  /// A product split by rows: its output is summed after.
  void row_forward(std::string_view name, const ParallelLinear& linear) {
    if (p_.tensor == 1) {
      compute(name, {linear.forward});
    } else if (gathers()) {
      chunked("scatter output", CollectiveOp::ReduceScatter, name, linear.forward, false);
    } else {
      chunked("sum output", CollectiveOp::AllReduce, name, linear.forward, false);
    }
  }

  void row_backward(std::string_view name, const ParallelLinear& linear) {
    if (gathers()) {
      chunked("gather gradient", CollectiveOp::AllGather, name, linear.backward_input, true);
    } else {
      compute(name, {linear.backward_input});
    }
    compute(name, {linear.backward_weight});
  }

  /// The input's gradient is summed while the weight's is computed, if the plan overlaps them.
  void column_backward(std::string_view name, const ParallelLinear& linear) {
    if (p_.tensor == 1) {
      compute(name, {linear.backward_input, linear.backward_weight});
      return;
    }
    const bool overlaps = p_.overlap_tensor != TensorOverlap::None;
    std::vector<int> weight_needs;
    if (gathers()) {  // the weight's gradient needs the whole input again
      const int gather = add_collective("gather input again", CollectiveOp::AllGather, ready_);
      weight_needs.push_back(gather);
      if (!overlaps) {
        ready_ = {gather};
      }
    }
    compute(name, {linear.backward_input});
    const int sum = gathers()
                        ? add_collective("scatter gradient", CollectiveOp::ReduceScatter, ready_)
                        : add_collective("sum gradient", CollectiveOp::AllReduce, ready_);
    weight_needs.push_back(overlaps ? ready_.front() : sum);
    const int weight = add_compute(name, {linear.backward_weight}, weight_needs);
    ready_ = {sum, weight};
  }

  void collective(std::string_view name, CollectiveOp op, Bytes bytes) {
    if (p_.tensor > 1) {
      ready_ = {add_collective(name, op, ready_, bytes)};
    }
  }
  void boundary_collective(std::string_view name, CollectiveOp op) {
    collective(name, op, boundary_);
  }
  /// The loss over a split vocabulary: maximum, sum and target, 4 bytes per token each.
  void loss_collectives() {
    for (int i = 0; i < 3; ++i) {
      collective("sum loss", CollectiveOp::AllReduce, tokens_fp32_);
    }
  }

  /// What arrived from another stage in slices is put together over NVLink.
  void gather_arrival() {
    if (p_.scatter_gather && !p_.sequence) {
      boundary_collective("gather arrival", CollectiveOp::AllGather);
    }
  }

  bool gathers() const { return p_.sequence && p_.tensor > 1; }
  void end_layer() { program_.layer_ends.push_back(size()); }
  Program take() { return std::move(program_); }

 private:
  int size() const { return static_cast<int>(program_.segments.size()); }

  int add_compute(std::string_view name, const Kernels& kernels, std::vector<int> after) {
    program_.segments.push_back(
        {.name = name,
         .compute = recomputing_ ? timer_.recompute_time(kernels) : timer_.time(kernels),
         .after = std::move(after)});
    return size() - 1;
  }
  int add_compute(std::string_view name, const Kernels& kernels) {
    return add_compute(name, kernels, ready_);
  }
  int add_collective(std::string_view name, CollectiveOp op, std::vector<int> after, Bytes bytes) {
    program_.segments.push_back(
        {.name = name, .is_compute = false, .op = op, .bytes = bytes, .after = std::move(after)});
    return size() - 1;
  }
  int add_collective(std::string_view name, CollectiveOp op, std::vector<int> after) {
    return add_collective(name, op, std::move(after), boundary_);
  }

  /// A collective beside a product. With TensorOverlap::Full both are cut into pieces along the
  /// tokens, and the pieces of one run beside those of the other.
  void chunked(std::string_view collective_name, CollectiveOp op, std::string_view compute_name,
               const Kernel& product, bool comm_first) {
    const int pieces = p_.overlap_tensor == TensorOverlap::Full ? p_.tensor_chunks : 1;
    const Kernel piece = pieces == 1 ? product : piece_of(w_, product, pieces);
    std::vector<int> line = ready_;
    for (int i = 0; i < pieces; ++i) {
      if (comm_first) {
        const int arrived = add_collective(collective_name, op, i == 0 ? line : std::vector<int>{},
                                           boundary_ / pieces);
        ready_ = {add_compute(compute_name, {piece}, {arrived})};
      } else {
        const int made = add_compute(compute_name, {piece}, i == 0 ? line : std::vector<int>{});
        ready_ = {add_collective(collective_name, op, {made}, boundary_ / pieces)};
      }
    }
  }

  const Workload& w_;
  const ParallelismSpec& p_;
  const KernelTimer& timer_;
  Bytes boundary_;
  Bytes tokens_fp32_;
  bool recomputing_ = false;
  std::vector<int> ready_;
  Program program_;
};

void layer_forward(ProgramBuilder& builder, const LayerKernels& layer) {
  builder.compute("norm", layer.norm_forward);
  builder.column_forward("QKV", layer.qkv, "attention", layer.attention_forward);
  builder.row_forward("projection", layer.projection);
  Kernels between = layer.residual_forward;
  between.insert(between.end(), layer.norm_forward.begin(), layer.norm_forward.end());
  builder.compute("residual and norm", between);
  builder.column_forward("MLP up", layer.mlp_up, "activation", layer.activation_forward);
  builder.row_forward("MLP down", layer.mlp_down);
  builder.compute("residual", layer.residual_forward);
}

void layer_backward(ProgramBuilder& builder, const LayerKernels& layer, Recompute recompute) {
  if (recompute == Recompute::Full) {
    builder.set_recomputing(true);
    layer_forward(builder, layer);
    builder.set_recomputing(false);
  }
  builder.compute("residual", layer.residual_backward);
  builder.row_backward("MLP down", layer.mlp_down);
  builder.compute("activation", layer.activation_backward);
  builder.column_backward("MLP up", layer.mlp_up);
  Kernels between = layer.norm_backward;
  between.insert(between.end(), layer.residual_backward.begin(), layer.residual_backward.end());
  builder.compute("norm and residual", between);
  builder.row_backward("projection", layer.projection);
  if (recompute == Recompute::Selective) {
    builder.set_recomputing(true);
    builder.compute("attention again", layer.attention_forward);
    builder.set_recomputing(false);
  }
  builder.compute("attention", layer.attention_backward);
  builder.column_backward("QKV", layer.qkv);
  builder.compute("norm", layer.norm_backward);
}

}  // namespace

Program forward_program(const Workload& workload, const KernelTimer& timer, Chunk chunk) {
  ProgramBuilder builder(workload, timer);
  const EndKernels end_parts = end_kernels(workload);
  if (chunk.first) {
    builder.compute("embedding", end_parts.embedding_forward);
    builder.boundary_collective(
        "sum embedding", builder.gathers() ? CollectiveOp::ReduceScatter : CollectiveOp::AllReduce);
  } else {
    builder.gather_arrival();
  }
  const LayerKernels layer = layer_kernels(workload);
  for (int i = 0; i < chunk.layers; ++i) {
    layer_forward(builder, layer);
    builder.end_layer();
  }
  if (chunk.last) {
    builder.compute("final norm", end_parts.final_norm_forward);
    builder.column_forward("logits", end_parts.logits, "loss", end_parts.loss_forward);
    builder.loss_collectives();
  }
  return builder.take();
}

Program backward_program(const Workload& workload, const KernelTimer& timer, Chunk chunk) {
  ProgramBuilder builder(workload, timer);
  const EndKernels end_parts = end_kernels(workload);
  if (chunk.last) {
    builder.compute("loss", end_parts.loss_backward);
    builder.column_backward("logits", end_parts.logits);
    builder.compute("final norm", end_parts.final_norm_backward);
  } else {
    builder.gather_arrival();
  }
  const LayerKernels layer = layer_kernels(workload);
  for (int i = 0; i < chunk.layers; ++i) {
    layer_backward(builder, layer, workload.training.recompute);
    builder.end_layer();
  }
  if (chunk.first) {
    if (builder.gathers()) {
      builder.boundary_collective("gather gradient", CollectiveOp::AllGather);
    }
    builder.compute("embedding", end_parts.embedding_backward);
  }
  return builder.take();
}

SegmentTimes play_alone(const Program& program, int first, int last,
                        const std::vector<Seconds>& durations) {
  SegmentTimes times;
  std::array<Seconds, 2> stream_free{};  // compute, tensor communication
  for (int i = first; i < last; ++i) {
    const Segment& segment = program.segments[static_cast<std::size_t>(i)];
    Seconds& free = stream_free[segment.is_compute ? 0 : 1];
    Seconds start = free;
    for (const int before : segment.after) {
      if (before >= first) {
        start = std::max(start, times.finish[static_cast<std::size_t>(before - first)]);
      }
    }
    const Seconds duration =
        segment.is_compute ? segment.compute.total() : durations[static_cast<std::size_t>(i)];
    free = start + duration;
    times.start.push_back(start);
    times.finish.push_back(free);
    times.total = std::max(times.total, free);
  }
  return times;
}

}  // namespace danlu
