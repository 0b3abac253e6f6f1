// Boards of four GPUs, which tables tell by the number of GPUs in a node alone. Four A100 are
// joined pair by pair, each by 4 of a GPU's 12 links ("NV4" of nvidia-smi topo -m,
// github.com/NVIDIA/nccl-tests/issues/331); four H100 or H200, taken to be so too, by 6 of 18.
// NVSwitches are on boards of eight.
#pragma once

#include <string_view>

#include "sim/cluster/topology_spec.hpp"

namespace danlu {

/// Of a GPU's name, the GPUs of a node, and what a table says of the links between them.
bool is_board_of_four(std::string_view gpu, int gpus_per_node, std::string_view joined);
/// Bandwidth between two GPUs of such a board, each direction; `eight` is a node with NVSwitches.
BytesPerSecond pair_bandwidth(const TopologySpec& eight);
/// Makes half a node with NVSwitches such a board.
void join_pairs(TopologySpec& node);

}  // namespace danlu
