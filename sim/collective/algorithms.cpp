#include "sim/collective/algorithms.hpp"

#include <array>
#include <bit>

namespace danlu {
namespace {

using Op = CollectiveOp;

bool reduces_or_gathers(Op op) {
  return op == Op::AllReduce || op == Op::ReduceScatter || op == Op::AllGather;
}
std::string unless(bool fine, std::string_view reason) {
  return fine ? "" : std::string(reason);
}
bool is_power_of_two(const Group& group) {
  return std::has_single_bit(static_cast<unsigned>(group.size()));
}

std::string ring_obstacle(Op op, const Group& /*group*/, const TopologySpec& /*topology*/) {
  return unless(reduces_or_gathers(op) || op == Op::Broadcast, "a ring does not do it");
}
std::string tree_obstacle(Op op, const Group& /*group*/, const TopologySpec& /*topology*/) {
  return unless(op == Op::AllReduce, "the tree only makes an all-reduce");
}
std::string halving_doubling_obstacle(Op op, const Group& group, const TopologySpec& /*topology*/) {
  return !reduces_or_gathers(op)
             ? "halving and doubling makes all-reduce, reduce-scatter and all-gather"
             : unless(is_power_of_two(group), "needs a power of two of ranks");
}
std::string recursive_doubling_obstacle(Op op, const Group& group,
                                        const TopologySpec& /*topology*/) {
  return op != Op::AllReduce ? "recursive doubling only makes an all-reduce"
                             : unless(is_power_of_two(group), "needs a power of two of ranks");
}
std::string binomial_obstacle(Op op, const Group& /*group*/, const TopologySpec& /*topology*/) {
  return unless(op == Op::Broadcast, "the binomial tree only makes a broadcast");
}
std::string two_level_obstacle(Op op, const Group& group, const TopologySpec& /*topology*/) {
  if (op == Op::Dispatch) {
    return unless(group.per_node() > 0, "dispatch needs equally many ranks on every node");
  }
  return op == Op::Broadcast || op == Op::SendReceive
             ? "two levels make no broadcast"
             : unless(group.node_count() > 1 && group.per_node() > 1,
                      "needs two nodes or more, with equally many ranks, two or more, on each");
}
std::string torus_obstacle(Op op, const Group& group, const TopologySpec& topology) {
  if (!reduces_or_gathers(op)) {
    return "the torus algorithm makes all-reduce, reduce-scatter and all-gather";
  }
  return topology.scale_up != ScaleUpKind::Torus && topology.fabric != FabricKind::Torus
             ? "neither the nodes nor the fabric are a torus"
             : unless(!group.grid.axes.empty(),
                      "the ranks do not fill a box of the torus, evenly spaced along every axis");
}
bool sums_in_nodes(const TopologySpec& topology) {
  return topology.scale_up == ScaleUpKind::Switch && topology.scale_up_reduction_efficiency > 0;
}
constexpr std::string_view kNoNodeSums =
    "the switches of the node do not reduce (node.scale_up.reduction_efficiency)";

std::string nvls_obstacle(Op op, const Group& group, const TopologySpec& topology) {
  if (op != Op::AllReduce) {
    return "NVLS only makes an all-reduce";
  }
  return group.node_count() > 1 ? "NVLS works inside one scale-up domain"
                                : unless(sums_in_nodes(topology), kNoNodeSums);
}
std::string nvls_tree_obstacle(Op op, const Group& group, const TopologySpec& topology) {
  if (op != Op::AllReduce) {
    return "NVLS with trees only makes an all-reduce";
  }
  return group.node_count() < 2 || group.per_node() < 2
             ? "NVLS with trees needs two nodes or more, with equally many ranks on each"
             : unless(sums_in_nodes(topology), kNoNodeSums);
}
std::string sharp_obstacle(Op op, const Group& group, const TopologySpec& topology) {
  if (op != Op::AllReduce) {
    return "SHARP only makes an all-reduce";
  }
  return group.node_count() < 2 || group.per_node() == 0
             ? "SHARP needs two nodes or more, with equally many ranks on each"
             : unless(topology.fabric_reduction_efficiency > 0,
                      "the switches of the fabric do not reduce (fabric.reduction_efficiency)");
}
std::string nvls_sharp_obstacle(Op op, const Group& group, const TopologySpec& topology) {
  std::string network = sharp_obstacle(op, group, topology);
  return !network.empty()       ? network
         : group.per_node() < 2 ? "needs two ranks or more on every node"
                                : unless(sums_in_nodes(topology), kNoNodeSums);
}
std::string direct_obstacle(Op op, const Group& /*group*/, const TopologySpec& /*topology*/) {
  return unless(op != Op::Dispatch, "direct messages are an all-to-all");
}

constexpr IdArray<Algorithm, AlgorithmRow, kAlgorithms> kRows{{
    {Algorithm::Ring, "chunks travel around rings that use every NIC",
     "all-reduce, reduce-scatter, all-gather, broadcast", ring_obstacle, ring_transfers,
     ring_phases},
    {Algorithm::Tree, "double binary trees over nodes, chains inside", "all-reduce", tree_obstacle,
     tree_transfers, tree_phases},
    {Algorithm::HalvingDoubling, "halves are exchanged, then gathered again",
     "all-reduce, reduce-scatter, all-gather", halving_doubling_obstacle,
     halving_doubling_transfers, halving_doubling_phases},
    {Algorithm::RecursiveDoubling, "everything is exchanged in log2(n) rounds", "all-reduce",
     recursive_doubling_obstacle, recursive_doubling_transfers, recursive_doubling_phases},
    {Algorithm::Binomial, "whoever has the data passes it on", "broadcast", binomial_obstacle,
     binomial_transfers, binomial_phases},
    {Algorithm::TwoLevel, "inside nodes, then along rails; all-to-all: the other way round",
     "all-reduce, reduce-scatter, all-gather, all-to-all, dispatch", two_level_obstacle,
     two_level_transfers, two_level_phases},
    {Algorithm::Torus, "axis by axis through a torus, all axes at once, both ways around",
     "all-reduce, reduce-scatter, all-gather", torus_obstacle, torus_transfers, torus_phases},
    {Algorithm::Nvls, "NVSwitches reduce and multicast", "all-reduce", nvls_obstacle,
     nvls_transfers, nvls_phases},
    {Algorithm::NvlsTree, "NVLS in the nodes, double binary trees between them", "all-reduce",
     nvls_tree_obstacle, nvls_tree_transfers, nvls_tree_phases},
    {Algorithm::Sharp, "the switches of the fabric reduce", "all-reduce", sharp_obstacle,
     sharp_transfers, sharp_phases},
    {Algorithm::NvlsSharp, "NVLS in the nodes, the switches of the fabric reduce between them",
     "all-reduce", nvls_sharp_obstacle, nvls_sharp_transfers, nvls_sharp_phases},
    {Algorithm::Direct, "everybody sends to everybody",
     "all-to-all, send, all-reduce, reduce-scatter, all-gather, broadcast", direct_obstacle,
     direct_transfers, direct_phases},
}};

}  // namespace

std::span<const AlgorithmRow> algorithms() {
  return kRows.items;
}

const AlgorithmRow& row_of(Algorithm algorithm) {
  return kRows[algorithm];
}

}  // namespace danlu
