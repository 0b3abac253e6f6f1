// Inside sim/scenario: from Values to cluster specs.
#pragma once

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// The file that `name` means: a preset of `folder`, or a path beside the file that names it.
/// `what` it is ("GPU") and `asked`, where it was written, are for messages.
std::filesystem::path find_file(const std::string& name, std::string_view what, Problem asked,
                                const std::filesystem::path& beside,
                                const std::filesystem::path& folder);
/// What to say of a path `beside` which there is no such file.
std::string no_file(const std::string& name, std::string_view what,
                    const std::filesystem::path& beside);
/// Reads a preset whole: every problem in it, and every required key.
Values read_preset(const std::filesystem::path& file, std::span<const KeyRow> keys);

/// The GPU called `name`; problems with the name are shown at `asked` (where it was written).
GpuSpec find_gpu(const std::string& name, const Problem& asked, const std::filesystem::path& beside,
                 const LoadOptions& options);

/// The values of the topology file called `name`.
Values find_topology(const std::string& name, const Problem& asked,
                     const std::filesystem::path& beside, const LoadOptions& options);

/// The topology that `values` describe, with its GPU. Throws InputError.
ClusterSpec make_cluster(const Values& values, const std::filesystem::path& beside,
                         const LoadOptions& options);

/// Puts the node of the NCCL file that `own` names at `node.xml` into `values`.
void add_node_of_xml(Values& values, const Values& own, const std::filesystem::path& beside);

/// Compares `gpu`, named at `asked`, with the one of the NCCL file in `values`: a problem, or a
/// note where danlu ships no GPU of the file's and the generation is right.
void check_nccl_gpu(const Values& values, const GpuSpec& gpu, Problem asked,
                    const LoadOptions& options, std::vector<std::string>& notes,
                    std::vector<Problem>& problems);

/// Builds the spec; relations that do not hold are added to `problems`.
TopologySpec make_topology(const Values& values, std::vector<Problem>& problems);

}  // namespace danlu
