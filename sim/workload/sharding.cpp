#include "sim/workload/sharding.hpp"

#include "sim/workload/workload.hpp"

namespace danlu {

AxisSet shard_axes(const ParallelismSpec& parallelism, AxisSet split) {
  const AxisSet all{Axis::Context, Axis::Expert, Axis::Shard};
  return parallelism.zero > 0 ? parallelism.mesh().split(all.without(split)) : AxisSet{};
}

Shards shards_of(const ParallelismSpec& parallelism, AxisSet split) {
  const int shards = parallelism.mesh().size(shard_axes(parallelism, split));
  const bool scattered =
      parallelism.zero >= 2 && parallelism.sharding.reduce == Reduce::EveryMicrobatch;
  return {.weights = parallelism.zero >= 3 ? shards : 1,
          .gradients = scattered ? shards : 1,
          .optimizer = shards};
}

bool casts_on_gather(const ParallelismSpec& parallelism) {
  return parallelism.zero >= 3 && !parallelism.sharding.keeps_copy;
}

std::vector<GradientSum> gradient_sums(const ParallelismSpec& parallelism, AxisSet split) {
  const Mesh mesh = parallelism.mesh();
  const AxisSet scattered = shard_axes(parallelism, split);
  const AxisSet summed = mesh.split(kDataAxes.without(split).without(scattered));
  std::vector<GradientSum> sums;
  if (!scattered.empty()) {
    sums.push_back({scattered, CollectiveOp::ReduceScatter});
  }
  if (!summed.empty()) {
    sums.push_back({summed, CollectiveOp::AllReduce, 1.0 / mesh.size(scattered)});
  }
  return sums;
}

}  // namespace danlu
