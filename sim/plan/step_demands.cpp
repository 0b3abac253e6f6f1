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

/// Layers of a kind ask for the same, so that one of each kind tells.
std::vector<Demand> tensor_demands(const Workload& w, const ModelBlocks& model, int stage) {
  std::vector<Demand> found;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    Chunk held = chunk_at(w, model, {stage, chunk});
    std::sort(held.layers.begin(), held.layers.end());
    held.layers.erase(std::unique(held.layers.begin(), held.layers.end()), held.layers.end());
    for (const Program& program :
         {forward_program(w, model, held), backward_program(w, model, held)}) {
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

std::vector<Demand> demands(const Workload& w, const ModelBlocks& model, GroupSort sort,
                            int stage) {
  if (sort == kTensorGroups) {
    return tensor_demands(w, model, stage);
  }
  if (sort == kEmbeddingGroups) {
    return {{CollectiveOp::AllReduce, embedding_gradients(w)}};
  }
  std::vector<Demand> found;
  for (const Bytes bucket : gradient_buckets(w, model, stage)) {
    add_once(found, {gradient_op(w), bucket});
  }
  if (w.parallelism.zero > 0) {
    add_once(found, {CollectiveOp::AllGather, gathered_parameters(w, model, stage)});
  }
  return found;
}

std::vector<Bytes> gradient_buckets(const Workload& w, const ModelBlocks& model, int stage) {
  const double gradient = w.training.gradient_bytes;
  if (!w.parallelism.overlap_data) {
    return {Bytes{rank_parameters(w, model, stage) * gradient}};
  }
  double ends = 0;
  std::vector<Bytes> buckets;
  for (int chunk = w.training.chunks; chunk-- > 0;) {
    const PlacedChunk at{stage, chunk};
    const std::vector<int> layers = layers_of(w, model, at);
    for (auto kind = layers.rbegin(); kind != layers.rend(); ++kind) {
      buckets.push_back({weight_of(model.kinds[static_cast<std::size_t>(*kind)]).held * gradient});
    }
    ends += w.placement().is_first(at) ? weight_of(model.embedding).held : 0;
    ends += w.placement().is_last(at) ? weight_of(model.head).held : 0;
  }
  const bool first = stage == w.placement().first_stage();
  (first ? buckets.back() : buckets.front()) += Bytes{ends * gradient};
  return buckets;
}

Bytes gathered_parameters(const Workload& w, const ModelBlocks& model, int stage) {
  return {rank_parameters(w, model, stage) * element_bytes(w.training.precision)};
}

Bytes embedding_gradients(const Workload& w) {
  return {w.model.rank_vocab(w.parallelism.tensor) * w.model.hidden * w.training.gradient_bytes};
}

CollectiveOp gradient_op(const Workload& w) {
  return w.parallelism.zero == 0 ? CollectiveOp::AllReduce : CollectiveOp::ReduceScatter;
}

}  // namespace danlu
