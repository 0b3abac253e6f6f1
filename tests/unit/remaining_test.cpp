// Which nodes are left of a cluster whose nodes differ.
#include "sim/cluster/remaining.hpp"

#include <gtest/gtest.h>

#include "sim/cluster/cluster.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

// Eight nodes: four, three of another kind, and one of that kind with a slow GPU and a dead NIC. Of
// four that are left the slow one is one, of the three ceil(3/2) stay, and one of the four.
TEST(Remaining, EverySortLosesItsShareTheRareOnesLast) {
  ClusterSpec spec = testing::plain_cluster(8, 2, 100_GBps, 10_GBps, 2_us).spec;
  spec.others.push_back({spec.topology, spec.gpu});
  spec.kind_of_node = {{4, 1}, {5, 1}, {6, 1}, {7, 1}};
  spec.degraded.gpus = {{15, 2.0}};
  spec.degraded.nics = {{14, 0.0}};
  const ClusterSpec left = with_nodes_left(spec, 4);  // 0, 4, 5, 7; behind them 1, 2, 3, 6
  EXPECT_EQ(left.gpus, 16);
  EXPECT_EQ(left.kind_of_node, (std::map<int, int>{{1, 1}, {2, 1}, {3, 1}, {7, 1}}));
  EXPECT_EQ(left.degraded.gpus, (std::map<int, double>{{7, 2.0}}));
  EXPECT_EQ(left.degraded.nics, (std::map<int, double>{{6, 0.0}}));
  EXPECT_NO_THROW(build_cluster(left));
  // All of them are left as they were.
  EXPECT_EQ(with_nodes_left(spec, 8).kind_of_node, spec.kind_of_node);
  EXPECT_EQ(with_nodes_left(spec, 8).degraded.gpus, spec.degraded.gpus);
}

}  // namespace
}  // namespace danlu
