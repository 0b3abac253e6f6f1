// Inside sim/scenario: from Values to cluster specs.
#pragma once

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// The kind of node.scale_up that is a mesh of all pairs, whose links are not listed.
inline constexpr std::string_view kFullMesh = "full-mesh";

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

/// The values of the GPU file called `name`; problems with the name are shown at `asked` (where it
/// was written).
Values find_gpu(const std::string& name, const Problem& asked, const std::filesystem::path& beside,
                const LoadOptions& options);
/// The GPU that the values of a GPU file describe.
GpuSpec make_gpu(const Values& values);

/// The values of the topology file called `name`.
Values find_topology(const std::string& name, const Problem& asked,
                     const std::filesystem::path& beside, const LoadOptions& options);

/// What a network's preset says: one measured curve, which replaces another as a whole.
inline constexpr std::array<std::string_view, 11> kNetworkCurve{"node.nics.efficiency",
                                                                "fabric.latency",
                                                                "fabric.small_latency",
                                                                "fabric.line_latency",
                                                                "fabric.ll128",
                                                                "fabric.message_rate",
                                                                "fabric.reduction_efficiency",
                                                                "collective.network_fill",
                                                                "collective.network_passes",
                                                                "collective.head_share",
                                                                "collective.tuner"};
/// The keys of a network's file.
std::span<const KeyRow> network_keys();
/// Puts the curve of the network that `topology` names, if any, in the place of its own. Throws
/// InputError.
void add_network(Values& topology, const std::filesystem::path& beside, const LoadOptions& options);

/// Lays what stands in the `gpu` section of a topology over the GPU file that it names. Throws
/// InputError.
void add_gpu(Values& topology, const std::filesystem::path& beside, const LoadOptions& options);

/// The topology that `values` describe, with its GPU. Throws InputError.
ClusterSpec make_cluster(Values values, const std::filesystem::path& beside,
                         const LoadOptions& options);

/// Scales the figures of a topology's `file` that were measured together with another one which is
/// another in `values`, unless they were `said` anew themselves. Returns what to tell the user.
std::vector<std::string> scale_measured(Values& values, const Values& file, const Values& said);

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
