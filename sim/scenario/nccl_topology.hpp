// A node from NCCL's topology file (XML; NCCL_TOPO_DUMP_FILE writes it, NCCL_TOPO_FILE reads it,
// clouds ship some) or RCCL's: the GPUs, what their NVLinks lead to, PCIe, and the NICs near them.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "sim/cluster/gpu_spec.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// Puts what the file says of the keys below `node.` into `values`, in place of what is there; what
/// it does not say stays. The rate of an NVLink is not in the file; it follows from the GPUs'
/// compute capability, as in NCCL. Below `node.xml.` it leaves what later checks need. Throws
/// InputError.
void add_nccl_node(const std::filesystem::path& file, Values& values);

/// Makes what the file implied fit the keys that were laid over it: other GPUs in a node than the
/// file has, another way of joining them. Nothing to do without a file.
void fit_nccl_node(Values& values, std::vector<std::string>& notes, std::vector<Problem>& problems);

/// What is wrong if the file's GPUs are not `gpu`; `fitting` names those that would be.
std::optional<Complaint> nccl_gpu_complaint(const Values& values, const GpuSpec& gpu,
                                            std::string_view fitting);

}  // namespace danlu
