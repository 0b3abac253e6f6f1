// Boards of four GPUs, which tables name by the number of GPUs in a node alone. Four A100, H100 or
// H200 are joined pair by pair, each pair by a third of a GPU's links: 4 of 12 and 6 of 18 ("NV4"
// of nvidia-smi topo -m, github.com/NVIDIA/nccl-tests/issues/331). NVSwitches are on boards of eight.
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
