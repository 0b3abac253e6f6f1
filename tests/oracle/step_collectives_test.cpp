// How a step carries out its collectives: the algorithm that danlu collective would choose or the
// user asks for, phase by phase or message by message, against closed forms.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/collectives.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::plain_cluster;
using testing::play;
using testing::whole_group;

/// Replicas of a two-layer model on every GPU of a cluster, one microbatch.
Workload replicas_on(const Cluster& cluster) {
  Workload w = testing::shipped("llama3-8b-h100.yaml").workload;
  w.model.layers = 2;
  w.parallelism = {.data = cluster.spec.gpus};
  w.training.global_batch = cluster.spec.gpus;
  return w;
}

Cluster dgx_h100(int gpus) {
  ClusterSpec spec = load_topology("dgx-h100", testing::shipped_presets());
  spec.gpu = load_gpu("h100", testing::shipped_presets());
  spec.gpus = gpus;
  return build_cluster(spec);
}

Cluster plain_h100(int nodes, int gpus) {
  Cluster cluster = plain_cluster(nodes, gpus, 400_GBps, 50_GBps, 2_us);
  cluster.spec.gpu = load_gpu("h100", testing::shipped_presets());
  return build_cluster(cluster.spec);
}

const Communication& gradient_reduction(const StepPlan& plan) {
  for (const Communication& info : plan.graph.communications) {
    if (info.op == CollectiveOp::AllReduce && info.group == "data group") {
      return info;
    }
  }
  throw std::runtime_error("no gradients are reduced");
}

/// How long the step's gradient reduction took when played.
Seconds played(const StepPlan& plan) {
  const Timeline timeline = play(plan.graph);
  Seconds begin{1e9};
  Seconds end;
  for (const TaskId i : plan.graph.tasks.ids()) {
    const Task& task = plan.graph.tasks[i];
    if (plan.graph.name_of(task) == "reduce gradients") {
      begin = std::min(begin, timeline.start[i]);
      end = std::max(end, timeline.finish[i]);
    }
  }
  return end - begin;
}

// Alone on the machine a collective of a step takes what danlu collective says of it: on 64 H100
// the same algorithm and protocol, and the same time to rounding.
TEST(StepCollectives, ChooseAsDanluCollectiveDoes) {
  const Cluster cluster = dgx_h100(64);
  const StepPlan plan = plan_step(replicas_on(cluster), cluster);
  const Communication& info = gradient_reduction(plan);
  const testing::Chosen alone =
      testing::choose(cluster, whole_group(cluster), CollectiveOp::AllReduce, info.bytes_per_rank);
  EXPECT_EQ(info.choice, alone.choice);
  EXPECT_TRUE(near(info.alone.value, alone.alone.value));
  EXPECT_TRUE(near(played(plan).value, alone.alone.value));
}

// Every algorithm that can make an all-reduce over two nodes of four can be asked for, and is
// played to its closed form; halving-doubling, two-level and direct in several phases.
TEST(StepCollectives, EveryAlgorithmCanBeAskedForAndTakesItsClosedForm) {
  Cluster cluster = plain_h100(2, 4);
  cluster.spec.topology.scale_up_reduction_efficiency = 0.8;
  cluster.spec.topology.fabric_reduction_efficiency = 0.8;
  const Group group = whole_group(cluster);
  int played_algorithms = 0;
  std::size_t most_parts = 0;
  for (const AlgorithmRow& row : algorithms()) {
    if (!row.obstacle(CollectiveOp::AllReduce, group, cluster.spec.topology).empty()) {
      continue;
    }
    Workload w = replicas_on(cluster);
    w.communication.data.algorithm = row.algorithm;
    EXPECT_TRUE(forced_choice_problems(w, cluster).empty()) << row.name();
    const StepPlan plan = plan_step(w, cluster);
    const Communication& info = gradient_reduction(plan);
    EXPECT_EQ(info.choice.algorithm, row.algorithm) << row.name();
    const Seconds closed =
        alone_time(cluster, group, info.choice, CollectiveOp::AllReduce, info.bytes_per_rank,
                   steady_patterns(cluster, group, row.algorithm, CollectiveOp::AllReduce));
    EXPECT_TRUE(near(info.alone.value, closed.value)) << row.name();
    EXPECT_TRUE(near(played(plan).value, closed.value)) << row.name();
    most_parts = std::max(most_parts, info.parts.size());
    ++played_algorithms;
  }
  EXPECT_GE(played_algorithms, 8);  // all but NVLS, for one node, and the broadcast
  EXPECT_GE(most_parts, 4U);        // two levels: scatter, scatter, gather, gather
}

// T20 in a step. 8 ranks on one switch, 50 GB/s, 5 us: message by message a ring all-reduce is
// 14 rounds of 5 us + S/8 / 50 GB/s, as the closed form has it. All ranks and all messages of a
// round are alike, so that 14 messages and a launch are played for 112.
TEST(StepCollectives, MessagesOfARingTakeItsClosedForm) {
  Cluster cluster = plain_cluster(8, 1, 100_GBps, 50_GBps, 5_us);
  cluster.spec.gpu = load_gpu("h100", testing::shipped_presets());
  cluster = build_cluster(cluster.spec);
  Workload w = replicas_on(cluster);
  w.collectives = CollectiveMode::Stepwise;
  const StepPlan plan = plan_step(w, cluster);
  const Communication& info = gradient_reduction(plan);
  const double closed = 14 * (5e-6 + std::ceil(info.bytes_per_rank.value / 8) / 50e9);
  EXPECT_TRUE(near(played(plan).value, closed));
  EXPECT_EQ(info.parts.size(), 15U);
  w.fold = FoldMode::Off;
  const StepPlan unfolded = plan_step(w, cluster);
  EXPECT_EQ(gradient_reduction(unfolded).parts.size(), 1 + 14 * 8U);
  EXPECT_TRUE(near(played(unfolded).value, closed));
}

// Two messages of one round between the same two ranks are two flows: with one GPU on each of two
// nodes and two rings asked for by hand they share the link and each takes twice as long.
TEST(StepCollectives, MessagesOfParallelRingsShareTheirLinks) {
  const Cluster cluster = plain_h100(2, 4);
  Workload w = replicas_on(cluster);
  w.collectives = CollectiveMode::Stepwise;
  for (const FoldMode fold : {FoldMode::Exact, FoldMode::Off}) {
    w.fold = fold;
    const StepPlan plan = plan_step(w, cluster);
    // Four rings over eight ranks: each NIC has one crossing of 1/32 S in each of 14 rounds; inside
    // nodes each port carries three such chunks at 400 GB/s. Latencies are 2 us in both: a round
    // ends with its slowest message, the one between nodes.
    const Communication& info = gradient_reduction(plan);
    const double chunk = std::ceil(info.bytes_per_rank.value / 32);
    EXPECT_TRUE(near(played(plan).value, 14 * (2e-6 + chunk / 50e9), 0.02));
  }
}

// What cannot be done is said; what can be done for some of the operations is done for those.
TEST(StepCollectives, WishesThatNothingFulfilsAreRefused) {
  const Cluster cluster = plain_h100(2, 4);
  Workload w = replicas_on(cluster);
  w.communication.data.algorithm = Algorithm::Nvls;
  const auto refused = [&](const char* key, const char* why, const char* hint) {
    const std::vector<ForcedChoiceProblem> found = forced_choice_problems(w, cluster);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].key, key);
    EXPECT_EQ(found[0].message,
              fmt::format("'{}' can carry out none of the step's collectives: {}", key, why));
    EXPECT_EQ(found[0].hint, fmt::format("here can be used: {}", hint));
  };
  refused("communication.data.algorithm", "NVLS works inside one scale-up domain",
          "auto, ring, tree, halving-doubling, recursive-doubling, two-level, direct");
  w.communication.data = {std::nullopt, Protocol::LL};
  refused("communication.data.protocol", "no algorithm uses LL here", "auto, Simple");
  w.communication.data = {Algorithm::Tree, Protocol::LL};
  refused("communication.data.protocol", "tree does not use LL here", "auto, Simple");
  w.communication.data = {};
  w.communication.tensor.algorithm = Algorithm::Nvls;  // no tensor group: nothing to refuse
  EXPECT_TRUE(forced_choice_problems(w, cluster).empty());
}

}  // namespace
}  // namespace danlu
