// A collective that runs alone crosses one link which stands for its tightest. Here it is played
// again over every link that it loads, each as often as its streams cross it, and must take the
// same time: for every algorithm, operation and protocol, on machines with each kind of bottleneck.
#include <algorithm>
#include <numeric>

#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/transfers.hpp"
#include "sim/tasks/collective_graph.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::play;
using testing::shipped_presets;

/// One node with switches, one without; two nodes; rails; groups joined by few cables; a torus.
constexpr std::pair<const char*, int> kMachines[]{
    {"dgx-h100", 8},       {"dgx1-v100", 8},       {"lesson", 16},
    {"h100-superpod", 32}, {"h100-dragonfly", 64}, {"tpu-v4", 64},
};

Cluster machine(const std::string& topology, int gpus) {
  ClusterSpec spec = load_topology(topology, shipped_presets());
  spec.gpus = gpus;
  spec.topology.fabric_reduction_efficiency = 1;  // so that no algorithm is left out
  return build_cluster(spec);
}

Group whole_group(const Cluster& cluster) {
  std::vector<int> ranks(static_cast<std::size_t>(cluster.spec.gpus));
  std::iota(ranks.begin(), ranks.end(), 0);
  return make_group(cluster, ranks);
}

std::vector<CollectiveOp> ops_of(const AlgorithmRow& row, const Cluster& cluster,
                                 const Group& group) {
  std::vector<CollectiveOp> ops;
  for (const auto& [op, name] : kNames<CollectiveOp>) {
    if (op == CollectiveOp::Dispatch) {
      continue;  // has no messages
    }
    if (row.obstacle(op, group, cluster.spec.topology).empty()) {
      ops.push_back(op);
    }
  }
  return ops;
}

class Alone : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Alone, TheTightestLinkTakesAsLongAsAll) {
  const AlgorithmRow& row = algorithms()[GetParam()];
  std::size_t played = 0;
  for (const auto& [topology, gpus] : kMachines) {
    const Cluster cluster = machine(topology, gpus);
    const Group group = whole_group(cluster);
    CollectiveGraph sequence(cluster);
    IdVector<ChannelId, Channel> full;
    for (const CollectiveOp op : ops_of(row, cluster, group)) {
      for (const Protocol protocol : protocols_of(row.algorithm, cluster.spec.topology)) {
        const std::vector<Candidate> choices =
            candidates(cluster, group, op, {row.algorithm, protocol});
        for (const Bytes bytes : {8_B, 1_MB, 1_GB}) {
          sequence.add_steady(group, fastest(cluster, group, op, bytes, choices), op, bytes);
          for (const Pattern& phase : choices.front().phases) {
            full.push_back({});
            for (const LinkLoad& load : phase.loads) {
              full.back().loads.push_back({make_id<FoldedLinkId>(index(load.link)), load.weight});
            }
          }
        }
      }
    }
    if (full.empty()) {
      continue;
    }
    TaskGraph over_all_links = sequence.graph();
    over_all_links.channels = std::move(full);
    over_all_links.links.clear();
    for (const Link& link : cluster.topology.links()) {
      over_all_links.links.push_back({link.bandwidth});
    }
    ASSERT_EQ(over_all_links.channels.size(), sequence.graph().channels.size());
    const Timeline one = play(sequence.graph());
    const Timeline all = play(over_all_links);
    for (const TaskId task : one.finish.ids()) {
      EXPECT_TRUE(near(one.finish[task].value, all.finish[task].value, 1e-12))
          << row.name() << " on " << topology << ", phase " << index(task);
    }
    played += one.finish.size();
  }
  EXPECT_GE(played, 3U) << row.name();
}

/// When each collective of `sequence` ends, with messages that are alike as one or not.
std::vector<Seconds> ends_of(const Cluster& cluster, const AlgorithmRow& row, FoldMode fold,
                             std::size_t& tasks) {
  constexpr double kMost = 2500;  // messages, which take seconds where no two end together
  const Group group = whole_group(cluster);
  CollectiveGraph sequence(cluster);
  std::vector<TaskId> last;
  for (const CollectiveOp op : ops_of(row, cluster, group)) {
    for (const Bytes bytes : {8_B, 100_MB}) {
      if (playable_messages(op, group, row.algorithm, bytes) > kMost) {
        continue;
      }
      const TransferList list = playable_transfers(op, group, row.algorithm, bytes);
      last.push_back(sequence.add_stepwise(group, {row.algorithm, Protocol::Simple}, list,
                                           fold_messages(cluster, group, list, fold), op, bytes));
    }
  }
  tasks = sequence.graph().tasks.size();
  std::vector<Seconds> ends;
  const Timeline timeline = last.empty() ? Timeline{} : play(sequence.graph());
  for (const TaskId task : last) {
    ends.push_back(timeline.finish[task]);
  }
  return ends;
}

TEST_P(Alone, MessagesThatAreAlikeArePlayedAsOne) {
  const AlgorithmRow& row = algorithms()[GetParam()];
  if (reduces_in_switches(row.algorithm)) {
    return;  // never played message by message
  }
  for (const auto& [topology, gpus] : kMachines) {
    for (const bool broken : {false, true}) {
      Cluster cluster = machine(topology, gpus);
      if (broken && gpus > cluster.spec.topology.gpus_per_node) {
        cluster.spec.degraded.nics[1] = 0.3;
        cluster = build_cluster(cluster.spec);
      }
      std::size_t few = 0;
      std::size_t all = 0;
      const std::vector<Seconds> folded = ends_of(cluster, row, FoldMode::Exact, few);
      const std::vector<Seconds> one_by_one = ends_of(cluster, row, FoldMode::Off, all);
      EXPECT_LE(few, all);
      for (std::size_t i = 0; i < folded.size(); ++i) {
        EXPECT_TRUE(near(folded[i].value, one_by_one[i].value, 1e-9))
            << row.name() << " on " << topology << (broken ? ", broken" : "") << ", " << i << ": "
            << folded[i].value << " and " << one_by_one[i].value;
      }
    }
  }
}

TEST(FoldedMessages, AnAllToAllHasOnePerPartnerAndPlaceInTheNode) {
  // 64 GPUs in nodes of 8 below one leaf: nodes are alike, GPUs of a node may differ. Of 64 x 63
  // messages 8 x 63 are played, and between them stand a launch and an end.
  const Cluster cluster = machine("dgx-h100", 64);
  const AlgorithmRow& row = row_of(Algorithm::Direct);
  const Group group = whole_group(cluster);
  const TransferList list = playable_transfers(CollectiveOp::AllToAll, group, row.algorithm, 64_MB);
  const MessageFold fold = fold_messages(cluster, group, list, FoldMode::Exact);
  EXPECT_EQ(list.transfers.size(), 64U * 63);
  EXPECT_LE(played_messages(list, fold.ways, fold.way_classes, fold.rank_classes).size(), 8U * 63);
  EXPECT_LE(most_at_once(list, fold), 8 * 8);  // eight of a rank are under way
}

TEST_P(Alone, MessagesAreCountedWithoutListingThem) {
  const AlgorithmRow& row = algorithms()[GetParam()];
  if (reduces_in_switches(row.algorithm)) {
    return;  // never played message by message
  }
  for (const auto& [topology, gpus] : kMachines) {
    const Cluster cluster = machine(topology, gpus);
    const Group group = whole_group(cluster);
    for (const CollectiveOp op : ops_of(row, cluster, group)) {
      for (const Bytes bytes : {8_B, 64_MB, 1_GB}) {
        EXPECT_DOUBLE_EQ(playable_messages(op, group, row.algorithm, bytes),
                         static_cast<double>(
                             playable_transfers(op, group, row.algorithm, bytes).transfers.size()))
            << row.name() << ", " << name_of(op) << " on " << topology;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Alone, ::testing::Range(std::size_t{0}, kAlgorithms),
                         [](const auto& row) {
                           std::string name(algorithms()[row.param].name());
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace danlu
