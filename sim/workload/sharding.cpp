#include "sim/workload/sharding.hpp"

#include "sim/workload/workload.hpp"

namespace danlu {

namespace {

/// What splits the data has a communicator of its own, named by `axis`, also where that has one
/// rank and those that share a sequence join the same ranks (Megatron's dp-cp group and cp group).
AxisSet of_data(AxisSet axes, Axis axis) {
  return axes.empty() || axes.contains(Axis::Replicate) ? axes : axes.with(axis);
}

}  // namespace

AxisSet shard_axes(const ParallelismSpec& parallelism, AxisSet split) {
  const AxisSet all = kDataAxes.without(Axis::Replicate);
  return parallelism.zero > 0 ? of_data(parallelism.mesh().split(all.without(split)), Axis::Shard)
                              : AxisSet{};
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
  const AxisSet summed =
      of_data(mesh.split(kDataAxes.without(split).without(scattered)), Axis::Replicate);
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
