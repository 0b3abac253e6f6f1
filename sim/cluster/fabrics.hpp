// The fabrics between nodes, a struct each: what routing looks up, by index. add_...() puts the
// switches and cables into the graph, append_route() gives the way from NIC to NIC by structure, in
// time proportional to its length. All choices among equal paths are made by `hash`.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "sim/cluster/grid.hpp"
#include "sim/cluster/nodes.hpp"
#include "sim/cluster/topology.hpp"
#include "sim/cluster/topology_spec.hpp"

namespace danlu {

/// A NIC, by its node and its number there.
struct NicAt {
  int node = 0;
  int nic = 0;
};

/// Scrambles all bits of a number (the finaliser of splitmix64: Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", OOPSLA 2014).
constexpr std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

/// A number below `choices`; the hash moves on, so that the next choice is independent.
inline int choose(std::uint64_t& hash, int choices) {
  hash = scramble(hash);
  return static_cast<int>(hash % static_cast<std::uint64_t>(choices));
}

/// Folded-Clos trees of two or three levels, one for each plane (clos.cpp):
///
///             core            core of plane 0, 1, ...: joins pods
///            /    \           .
///        spine    spine       one set for each pod and plane
///        /   \    /   \       .
///     leaf leaf  leaf leaf    for each group of nodes: one, or one for each rail; for each port
///      |    |     |    |      .
///     NIC  NIC   NIC  NIC
///
/// With adaptive routing the spines of a pod and plane, the cores and the ports of a NIC are
/// bundles of one; with ECMP every one is there. Cable c of a leaf leads to spine c mod spines,
/// cable d of spine a to core (a x cables + d) mod cores: pods are alike, so what leads up to a
/// core in one pod leads down from it in another.
struct Clos {
  int ports = 1;  // of a NIC that are links of their own
  int rails = 1;  // leaves of a group are by NIC
  int nics = 1;
  int nodes_per_group = 1;
  int groups_per_pod = 1;
  int planes = 1;
  bool rail_planes = false;      // every rail is a plane
  int leaf_cables = 1;           // links from a leaf to its spines
  int spines = 1;                // of a pod and plane
  int spine_cables = 1;          // links from a spine to its cores
  int cores = 0;                 // of a plane
  std::vector<LinkId> nic_up;    // by NIC and port
  std::vector<LinkId> leaf_up;   // by leaf: the first of its links up
  std::vector<LinkId> spine_up;  // by pod, plane and spine: the first of its links up
  std::vector<bool> dead_port;   // as nic_up; empty: none is dead
  std::vector<bool> dead_cable;  // by leaf and link up; empty: none is dead

  bool is_live_port(NicAt at, int port) const {
    return dead_port.empty() || !dead_port[index((at.node * nics + at.nic) * ports + port)];
  }
  bool is_live_cable(int leaf, int cable) const {
    return dead_cable.empty() || !dead_cable[index(leaf * leaf_cables + cable)];
  }
};
/// The ports by which both NICs reach each other.
std::vector<int> common_ports(const Clos& clos, NicAt from, NicAt to);
/// Whether a way leads from one of the NICs to the other.
bool has_way(const Clos& clos, NicAt from, NicAt to);

/// Switches on a grid, each with its nodes (torus.cpp).
struct TorusFabric {
  Grid grid;
  int nodes_per_switch = 1;
  int nics = 1;
  std::vector<LinkId> nic_up;  // by NIC
  LinkId first_cable{};        // of the grid's cables, in its order
};

/// Groups of switches; inside a group all to all, between two groups a number of cables
/// (dragonfly.cpp). Routes are minimal: at most one step in the group, one between groups, one in
/// the other group.
struct Dragonfly {
  /// The cables between two groups that join the same two switches.
  struct Global {
    int low_switch = 0;  // in the group with the lower number
    int high_switch = 0;
    LinkId up{};  // from the lower group to the higher
  };
  int nodes_per_switch = 1;
  int switches_per_group = 1;
  int nics = 1;
  bool adaptive = true;
  int groups = 1;
  std::vector<LinkId> nic_up;                // by NIC
  std::vector<LinkId> local;                 // by switch and switch of its group
  std::vector<std::vector<Global>> globals;  // by group x groups + group, the lower first
};

using Fabric = std::variant<std::monostate, Clos, TorusFabric, Dragonfly>;

/// Ports of a switch above the leaves, of an uplink's speed: as many as a leaf's own ports come to
/// in bandwidth, where the topology does not say.
double upper_ports(const TopologySpec& spec);

/// The leaves that so many nodes hang on, those of a group on all of the group's: leaf i serves
/// those of group i / leaves. Of tori and dragonflies a switch with nodes is one.
struct LeafLayout {
  int leaves = 1;  // of a group
  int nodes = 1;   // of a group
  int groups = 1;
};
LeafLayout leaf_layout(const TopologySpec& spec, int nodes);

Clos add_clos(const ClusterSpec& spec, const Nodes& nodes, TopologyParts& parts);
TorusFabric add_torus(const ClusterSpec& spec, const Nodes& nodes, TopologyParts& parts);
Dragonfly add_dragonfly(const ClusterSpec& spec, const Nodes& nodes, TopologyParts& parts);

void append_route(const Clos& clos, NicAt from, NicAt to, std::uint64_t hash, Route& route);
void append_route(const TorusFabric& torus, NicAt from, NicAt to, std::uint64_t hash, Route& route);
void append_route(const Dragonfly& dragonfly, NicAt from, NicAt to, std::uint64_t hash,
                  Route& route);

/// The cable from ports of a NIC to a switch; `to` is left to the caller.
Link nic_cable(const ClusterSpec& spec, const Nodes& nodes, NicAt at, int ports);
/// `count` cables between two switches that carry `nominal` together.
Link switch_cable(const TopologySpec& spec, LinkKind kind, BytesPerSecond nominal, int count);

}  // namespace danlu
