#include "sim/workload/sharding.hpp"

#include <algorithm>

#include "sim/workload/workload.hpp"

namespace danlu {

namespace {

/// What splits the data has a communicator of its own, named by `axis`, also where that has one
/// rank and those that share a sequence join the same ranks (Megatron's dp-cp group and cp group).
AxisSet of_data(AxisSet axes, Axis axis) {
  const bool of_sequence = axes.without(kSequenceAxes) != axes;
  return of_sequence && !axes.contains(Axis::Replicate) ? axes.with(axis) : axes;
}

}  // namespace

bool ShardingSpec::has_unit(UnitPart part) const {
  return std::find(units.begin(), units.end(), part) != units.end();
}

AxisSet shard_axes(const ParallelismSpec& parallelism, AxisSet copies) {
  const AxisSet all = copies.without({Axis::Replicate, Axis::ExpertReplicate});
  return parallelism.zero > 0 ? of_data(parallelism.mesh().split(all), Axis::Shard) : AxisSet{};
}

Shards shards_of(const ParallelismSpec& parallelism, AxisSet copies) {
  const int shards = parallelism.mesh().size(shard_axes(parallelism, copies));
  const bool scattered =
      parallelism.zero >= 2 && parallelism.sharding.reduce == Reduce::EveryMicrobatch;
  return {.weights = parallelism.zero >= 3 ? shards : 1,
          .gradients = scattered ? shards : 1,
          .optimizer = shards};
}

bool casts_on_gather(const ParallelismSpec& parallelism) {
  return parallelism.zero >= 3 && !parallelism.sharding.keeps_copy;
}

std::vector<GradientSum> gradient_sums(const ParallelismSpec& parallelism, AxisSet copies) {
  const Mesh mesh = parallelism.mesh();
  const bool sums_all = parallelism.zero == 1 && !parallelism.sharding.scatters;
  const AxisSet scattered = sums_all ? AxisSet{} : shard_axes(parallelism, copies);
  const AxisSet summed = of_data(mesh.split(copies.without(scattered)), Axis::Replicate);
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
