#include "sim/plan/step_demands.hpp"

#include <algorithm>

#include "sim/plan/program.hpp"
#include "sim/workload/memory.hpp"

namespace danlu {
namespace {

void add_once(std::vector<Demand>& demands, const Demand& demand) {
  if (std::find(demands.begin(), demands.end(), demand) == demands.end()) {
    demands.push_back(demand);
  }
}

/// Every layer asks for the same, so that one in each kind of chunk tells.
std::vector<Demand> tensor_demands(const Workload& w, const KernelTimer& timer, int stage) {
  std::vector<Demand> found;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const Chunk held{.layers = 1,
                     .first = stage == 0 && chunk == 0,
                     .last = stage == w.parallelism.pipeline - 1 && chunk == w.training.chunks - 1};
    for (const Program& program :
         {forward_program(w, timer, held), backward_program(w, timer, held)}) {
      for (const Segment& segment : program.segments) {
        if (!segment.is_compute) {
          add_once(found, {segment.op, segment.bytes});
        }
      }
    }
  }
  return found;
}

}  // namespace

std::vector<Demand> demands(const Workload& w, const KernelTimer& timer, GroupKind kind,
                            int stage) {
  if (kind == GroupKind::Tensor) {
    return tensor_demands(w, timer, stage);
  }
  if (kind == GroupKind::Embedding) {
    return {{CollectiveOp::AllReduce, embedding_gradients(w)}};
  }
  std::vector<Demand> found;
  for (const Bytes bucket : gradient_buckets(w, stage)) {
    add_once(found, {gradient_op(w), bucket});
  }
  if (w.parallelism.zero > 0) {
    add_once(found, {CollectiveOp::AllGather, gathered_parameters(w, stage)});
  }
  return found;
}

std::vector<Bytes> gradient_buckets(const Workload& w, int stage) {
  const double all = rank_parameters(w, stage);
  if (!w.parallelism.overlap_data) {
    return {Bytes{all * w.training.gradient_bytes}};
  }
  const auto layers = static_cast<std::size_t>(w.stage_layers(stage));
  const double layer = rank_layer_parameters(w.model, w.parallelism.tensor);
  const double ends = std::max(0.0, all - static_cast<double>(layers) * layer);
  std::vector<Bytes> buckets(layers, Bytes{layer * w.training.gradient_bytes});
  (stage == 0 ? buckets.back() : buckets.front()) =
      Bytes{(layer + ends) * w.training.gradient_bytes};
  return buckets;
}

Bytes gathered_parameters(const Workload& w, int stage) {
  return {rank_parameters(w, stage) * element_bytes(w.training.precision)};
}

Bytes embedding_gradients(const Workload& w) {
  return {w.model.rank_vocab(w.parallelism.tensor) * w.model.hidden * w.training.gradient_bytes};
}

CollectiveOp gradient_op(const Workload& w) {
  return w.parallelism.zero == 0 ? CollectiveOp::AllReduce : CollectiveOp::ReduceScatter;
}

}  // namespace danlu
