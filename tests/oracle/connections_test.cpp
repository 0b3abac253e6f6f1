// Traffic of two GPUs as several flows, which ECMP sends over paths of their own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "sim/collective/group.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/collective/tuning.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::plain_cluster;
using testing::shipped_presets;

constexpr BytesPerSecond kNic{25e9};

/// Two leaves of two nodes with one GPU each, and two spines: GPUs 0 and 1 send to 2 and 3 over two
/// cables.
Cluster two_leaves(std::uint32_t seed, int connections, Routing routing = Routing::Ecmp) {
  ClusterSpec spec = plain_cluster(4, 1, kNic, kNic, Seconds{}).spec;
  spec.topology.fabric = FabricKind::FatTree;
  spec.topology.nodes_per_leaf = 2;
  spec.topology.switch_ports = 2;
  spec.topology.routing = routing;
  spec.topology.ecmp_seed = seed;
  spec.topology.connections = connections;
  return build_cluster(spec);
}

/// What the fuller cable out of leaf 0 carries of the bytes of one transfer, when both run.
double fuller_cable(const Cluster& cluster) {
  std::map<LinkId, double> carried;
  for (const int sender : {0, 1}) {
    const Pattern pattern = transfer_pattern(cluster, sender, sender + 2);
    for (const LinkLoad& load : pattern.loads) {
      if (cluster.topology.link(load.link).kind == LinkKind::Uplink) {
        carried[load.link] += static_cast<double>(load.weight) / pattern.parts;
      }
    }
  }
  double most = 0;
  for (const auto& [link, share] : carried) {
    most = std::max(most, share);
  }
  return most;
}

// 2N flows fall on two cables, X of them on the first: binomial. The fuller one has N + |X - N|,
// and E|X - N| = N C(2N, N) / 4^N:  N = 1: 1/2, so 1.5 transfers;  N = 2: 2 x 6/16 = 3/4 of 2, so
// 1.375;  N = 16: 16 x 601080390/4294967296 = 2.239 of 16, so 1.140. Evenly spread it would be 1.
TEST(Connections, ThinOutTheCollisionsOfEcmp) {
  constexpr int kSeeds = 2000;
  for (const auto& [connections, expected] :
       std::map<int, double>{{1, 1.5}, {2, 1.375}, {16, 1.1399}}) {
    double sum = 0;
    double squares = 0;
    for (int seed = 1; seed <= kSeeds; ++seed) {
      const double fuller = fuller_cable(two_leaves(static_cast<std::uint32_t>(seed), connections));
      sum += fuller;
      squares += fuller * fuller;
    }
    const double mean = sum / kSeeds;
    const double error = std::sqrt((squares / kSeeds - mean * mean) / kSeeds);
    EXPECT_NEAR(mean, expected, 4 * error) << connections << " connections";
  }
}

// The bytes on every cable add up to those of both transfers, and so do those on a NIC.
TEST(Connections, CarryAllBytes) {
  const Cluster cluster = two_leaves(7, 16);
  const Pattern pattern = transfer_pattern(cluster, 0, 2);
  double uplinks = 0;
  for (const LinkLoad& load : pattern.loads) {
    const double share = static_cast<double>(load.weight) / pattern.parts;
    if (cluster.topology.link(load.link).kind == LinkKind::Uplink) {
      uplinks += share;
    } else {
      EXPECT_TRUE(near(share, 1));
    }
  }
  EXPECT_TRUE(near(uplinks, 2));  // up from leaf 0, down to leaf 1
}

bool same(const Pattern& a, const Pattern& b) {
  return a.parts == b.parts && a.count == b.count && a.local_latency == b.local_latency &&
         a.network_latency == b.network_latency &&
         std::equal(a.loads.begin(), a.loads.end(), b.loads.begin(), b.loads.end(),
                    [](const LinkLoad& x, const LinkLoad& y) {
                      return x.link == y.link && x.weight == y.weight;
                    });
}

// Where traffic spreads by itself, and where two GPUs have only one path, several flows are one.
TEST(Connections, ChangeNothingWhereTrafficSpreadsAnyway) {
  EXPECT_TRUE(same(transfer_pattern(two_leaves(1, 1, Routing::Adaptive), 0, 3),
                   transfer_pattern(two_leaves(1, 16, Routing::Adaptive), 0, 3)));
  EXPECT_TRUE(
      same(transfer_pattern(two_leaves(1, 1), 0, 1), transfer_pattern(two_leaves(1, 16), 0, 1)));
  for (const char* topology : {"h100-superpod", "alibaba-hpn", "h100-dragonfly"}) {
    ClusterSpec spec = load_topology(topology, shipped_presets());
    spec.gpus = 1024;
    spec.topology.routing = Routing::Adaptive;
    const std::vector<int> ranks{0, 8, 16, 264, 520};
    const Cluster one = build_cluster(spec);
    spec.topology.connections = 16;
    const Cluster many = build_cluster(spec);
    EXPECT_TRUE(same(ring_pattern(one, ranks), ring_pattern(many, ranks))) << topology;
  }
}

}  // namespace
}  // namespace danlu
