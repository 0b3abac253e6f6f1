// A node from NCCL's topology file (XML; NCCL_TOPO_DUMP_FILE writes it, NCCL_TOPO_FILE reads it):
// the GPUs, what their NVLinks lead to, PCIe, and the NICs next to them.
#pragma once

#include <filesystem>

#include "sim/scenario/values.hpp"

namespace danlu {

/// The keys below `node.` that the file gives: gpus, scale_up, pcie and nics. The rate of an NVLink
/// is not in the file; it follows from the GPUs' compute capability, as in NCCL. Throws InputError.
Values read_nccl_node(const std::filesystem::path& file);

}  // namespace danlu
