#include "sim/session/shrunk_steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "sim/cluster/remaining.hpp"
#include "sim/session/campaign_time.hpp"
#include "sim/session/plays.hpp"

namespace danlu {
namespace {

/// The batch, rounded up to whole microbatches for each replica; interleaved: to whole rounds.
int shared_batch(const Workload& workload) {
  const TrainingSpec& training = workload.training;
  const int together = training.chunks > 1 ? workload.parallelism.pipeline : 1;
  const int unit = training.micro_batch * workload.parallelism.data * together;
  return (training.global_batch + unit - 1) / unit * unit;
}

/// The scenario with `replicas` of its replicas, on the nodes that are left; empty where such a
/// plan cannot run.
std::optional<Scenario> shrunk(Scenario scenario, int replicas) {
  Workload& workload = scenario.workload;
  TrainingSpec& training = workload.training;
  ParallelismSpec& parallelism = workload.parallelism;
  parallelism.data = replicas;
  training.global_batch = shared_batch(workload);
  const int ranks = parallelism.mesh().world_size();
  const int per_node = scenario.cluster.topology.gpus_per_node;
  scenario.cluster = with_nodes_left(scenario.cluster, (ranks + per_node - 1) / per_node);
  const bool runs = problems(workload, ranks, scenario.cluster.gpu).empty() &&
                    cluster_problem(scenario.cluster).empty();
  return runs ? std::optional(std::move(scenario)) : std::nullopt;
}

/// Whether a job is ever left with so many replicas: with whole nodes lost, those that fit on the
/// others, or, where only the broken ones leave, those that had no rank there.
bool may_be_left(const Scenario& scenario, std::size_t on_a_node, int replicas) {
  const std::int64_t all = scenario.workload.parallelism.data;
  if (scenario.faults->spec.recovery.kind == RecoverySpec::Kind::Replica) {
    return (all - replicas) % static_cast<std::int64_t>(on_a_node) == 0;
  }
  const std::int64_t nodes = scenario.cluster.nodes();
  const std::int64_t left = (replicas * nodes + all - 1) / all;  // the fewest that hold them
  return left * all / nodes == replicas;
}

}  // namespace

std::vector<std::vector<ReplicaId>> replicas_by_node(const Scenario& scenario) {
  const Mesh mesh = scenario.workload.mesh();
  std::vector<std::vector<ReplicaId>> by_node(static_cast<std::size_t>(scenario.cluster.nodes()));
  for (int rank = 0; rank < mesh.world_size(); ++rank) {
    const int replica = mesh.coordinate(rank, Axis::Shard) +
                        mesh.size(Axis::Shard) * mesh.coordinate(rank, Axis::Replicate);
    std::vector<ReplicaId>& here =
        by_node[static_cast<std::size_t>(rank / scenario.cluster.topology.gpus_per_node)];
    if (here.empty() || here.back() != ReplicaId{replica}) {
      here.push_back(ReplicaId{replica});
    }
  }
  for (std::vector<ReplicaId>& here : by_node) {
    std::sort(here.begin(), here.end());
    here.erase(std::unique(here.begin(), here.end()), here.end());
  }
  return by_node;
}

std::vector<Seconds> estimate_shrunk(const Scenario& scenario, const Report& healthy) {
  Workload workload = scenario.workload;
  const auto length = [&] {
    const ScheduleRow* const schedule = workload.schedule();
    const double bubble = schedule != nullptr ? schedule->bubble(workload.schedule_shape()) : 0;
    return workload.microbatches() * (1 + bubble);
  };
  const double of_all = length();
  std::vector<Seconds> steps;
  for (int replicas = 1; replicas <= scenario.workload.parallelism.data; ++replicas) {
    workload.training.global_batch = scenario.workload.training.global_batch;
    workload.parallelism.data = replicas;
    workload.training.global_batch = shared_batch(workload);
    steps.push_back(to_nanoseconds(healthy.step.time * (length() / of_all)));
  }
  return steps;
}

std::vector<Seconds> play_shrunk(const Scenario& scenario, const Cluster& cluster,
                                 const Report& healthy, const FaultsPlan& plan,
                                 const SessionOptions& options) {
  const Seconds step = to_nanoseconds(healthy.step.time);
  const int all = scenario.workload.parallelism.data;
  const std::size_t on_a_node = replicas_by_node(scenario).front().size();
  std::map<int, std::size_t> place;  // by microbatches, in `scenarios`
  std::vector<Scenario> scenarios;
  std::vector<std::optional<std::size_t>> played(static_cast<std::size_t>(all));
  for (const bool occurs : {true, false}) {
    for (int replicas = all - 1; replicas >= plan.spec.recovery.min_replicas; --replicas) {
      if (may_be_left(scenario, on_a_node, replicas) != occurs) {
        continue;
      }
      if (std::optional<Scenario> less = shrunk(scenario, replicas)) {
        const auto [at, added] = place.emplace(less->workload.microbatches(), scenarios.size());
        played[static_cast<std::size_t>(replicas - 1)] = at->second;
        if (added) {
          scenarios.push_back(std::move(*less));
        }
      }
    }
  }
  allow_plays(fmt::format("{}: the job with fewer replicas", scenario.name), scenarios.size(),
              healthy.simulation.tasks_played, {"a larger faults.recovery.min_replicas"}, options);
  const std::vector<Seconds> times = play_steps(scenarios, &cluster, options);
  std::vector<Seconds> steps;
  for (int replicas = 1; replicas <= all; ++replicas) {
    const std::optional<std::size_t>& at = played[static_cast<std::size_t>(replicas - 1)];
    steps.push_back(at ? to_nanoseconds(times[*at]) : step * (static_cast<double>(all) / replicas));
    if (at) {
      options.say(
          fmt::format("{} of {} replicas: step {:.6g} s", replicas, all, steps.back().value));
    }
  }
  return steps;
}

}  // namespace danlu
