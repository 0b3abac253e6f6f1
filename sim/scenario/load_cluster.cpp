#include "sim/scenario/load_cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "sim/base/text.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/cluster/limits.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/load_degraded.hpp"
#include "sim/scenario/load_pcie.hpp"
#include "sim/scenario/nccl_times.hpp"
#include "sim/scenario/nccl_topology.hpp"
#include "sim/scenario/unused_keys.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".yaml") || name.ends_with(".yml");
}

/// Reads a preset whole: every problem in it, and every required key.
Values read_preset_text(const std::string& yaml, const fs::path& file,
                        std::span<const KeyRow> keys) {
  std::vector<Problem> problems;
  Values values = read_values(yaml, file.string(), keys, "", problems);
  if (values.has("node.xml")) {
    const Values own = values;
    add_node_of_xml(values, own, file.parent_path());
    values.overlay(own);
  }
  check_required(values, keys, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return values;
}

/// "4x4x2" as its numbers.
std::vector<int> read_dims(const Values& values, std::string_view path,
                           std::vector<Problem>& problems) {
  std::vector<int> dims;
  if (!values.has(path)) {
    return dims;
  }
  constexpr double kLongestAxis = 1024;
  constexpr std::size_t kMostAxes = 6;
  const std::string text = values.at(path).text;
  for (const std::string_view part : split(text, 'x')) {
    const double dim = parse_number(part).value_or(0);
    dims.push_back(dim >= 1 && dim <= kLongestAxis && dim == std::floor(dim) ? static_cast<int>(dim)
                                                                             : 0);
  }
  double size = 1;
  for (const int dim : dims) {
    size *= dim;
  }
  if (size < 1 || size > kLargestCluster || dims.size() > kMostAxes) {
    problems.push_back(values.problem(
        path, fmt::format("expected the points along each axis, found '{}'", shown(text)),
        "three axes of four points are 4x4x4"));
    dims.clear();
  }
  return dims;
}

/// All pairs of GPUs are linked.
void join_all(TopologySpec& spec, int links) {
  spec.mesh_links.clear();
  for (int first = 0; first < spec.gpus_per_node; ++first) {
    for (int second = first + 1; second < spec.gpus_per_node; ++second) {
      spec.mesh_links.push_back({first, second, links});
    }
  }
}

/// A key that the chosen kind needs.
void require_for_kind(const Values& values, std::string_view kind_path, std::string_view path,
                      std::string_view hint, std::vector<Problem>& problems) {
  if (values.misses(path)) {
    problems.push_back(
        values.problem(kind_path, fmt::format("missing key '{}'", path), std::string(hint)));
  }
}

void check_torus(const Values& values, const TopologySpec& spec, std::vector<Problem>& problems) {
  require_for_kind(values, "node.scale_up.kind", "node.scale_up.dims",
                   "GPUs along each axis, as in 4x4x4", problems);
  const double size = std::accumulate(spec.scale_up_dims.begin(), spec.scale_up_dims.end(), 1.0,
                                      std::multiplies<>());
  if (!spec.scale_up_dims.empty() && size != spec.gpus_per_node) {
    problems.push_back(values.problem(
        "node.scale_up.dims",
        fmt::format("the torus has {:.0f} points, the node {} GPUs", size, spec.gpus_per_node)));
  }
}

void check_dragonfly(const Values& values, const TopologySpec& spec,
                     std::vector<Problem>& problems) {
  for (const char* path :
       {"fabric.groups", "fabric.switches_per_group", "fabric.global_links_per_switch"}) {
    require_for_kind(values, "fabric.kind", path, "a dragonfly has groups of switches", problems);
  }
  const int ports = spec.switches_per_group * spec.global_links_per_switch;
  if (ports > 0 && spec.groups - 1 > ports) {
    problems.push_back(
        values.problem("fabric.groups",
                       fmt::format("{} groups: each must reach {} others and has {} global links",
                                   spec.groups, spec.groups - 1, ports),
                       "switches_per_group x global_links_per_switch must be at least groups - 1"));
  }
}

void check_fabric(const Values& values, const TopologySpec& spec, std::vector<Problem>& problems) {
  if (spec.scale_up == ScaleUpKind::Torus) {
    check_torus(values, spec, problems);
  }
  if (spec.fabric == FabricKind::Dragonfly) {
    check_dragonfly(values, spec, problems);
  }
  if (spec.fabric == FabricKind::Torus) {
    require_for_kind(values, "fabric.kind", "fabric.dims", "switches along each axis, as in 8x8x8",
                     problems);
  }
  if (spec.nodes_per_pod % spec.nodes_per_leaf != 0) {
    problems.push_back(values.problem("fabric.nodes_per_pod",
                                      fmt::format("nodes_per_pod ({}) must be a multiple of "
                                                  "nodes_per_leaf ({})",
                                                  spec.nodes_per_pod, spec.nodes_per_leaf)));
  }
  if (spec.fabric == FabricKind::RailOnly && !spec.pxn && spec.nics_per_node > 1) {
    problems.push_back(values.problem("fabric.pxn", "a rail-only fabric has no way between rails",
                                      "leave out pxn, or choose kind: rail-optimised"));
  }
}

void check_mesh(const Values& values, const TopologySpec& spec, std::vector<Problem>& problems) {
  if (spec.scale_up != ScaleUpKind::Mesh) {
    return;
  }
  if (spec.mesh_links.empty()) {
    problems.push_back(values.problem("node.scale_up.kind", "a mesh needs 'links'",
                                      "links: [[0, 1, 2]] says that 2 links join GPUs 0 and 1"));
  }
  for (const MeshLink& link : spec.mesh_links) {
    if (std::max(link.first, link.second) >= spec.gpus_per_node) {
      problems.push_back(
          values.problem("node.scale_up.links",
                         fmt::format("a link names GPU {}, the node has GPUs 0 to {}",
                                     std::max(link.first, link.second), spec.gpus_per_node - 1)));
      return;
    }
  }
}

/// The direct links of a node: those listed, those of all pairs, or those of a torus.
void read_mesh(const Values& values, const Getter& get, TopologySpec& spec) {
  if (values.has("node.scale_up.links")) {
    for (const auto& [first, second, links] : values.at("node.scale_up.links").links) {
      spec.mesh_links.push_back(
          {static_cast<int>(first), static_cast<int>(second), static_cast<int>(links)});
    }
  }
  if (get.text("node.scale_up.kind") == kFullMesh) {
    join_all(spec, get.count("node.scale_up.links_per_pair"));
  }
  if (spec.scale_up == ScaleUpKind::Torus) {
    for (const auto& [first, second] : Grid(spec.scale_up_dims, spec.scale_up_wrap).cables()) {
      spec.mesh_links.push_back({first, second, 1});
    }
  }
}

void read_node(const Values& values, const Getter& get, TopologySpec& spec,
               std::vector<Problem>& problems) {
  if (spec.scale_up_bandwidth > BytesPerSecond{}) {
    spec.scale_up_reduction_cap_share =
        get.number("node.scale_up.reduction_cap") / spec.scale_up_bandwidth.value;
  }
  spec.scale_up_dims = read_dims(values, "node.scale_up.dims", problems);
  check_nics(values, spec, problems);
  read_pcie(values, spec, problems);
  read_mesh(values, get, spec);
}

void read_fabric(const Values& values, const Getter& get, TopologySpec& spec,
                 std::vector<Problem>& problems) {
  spec.dims = read_dims(values, "fabric.dims", problems);
  if (const double small = get.number("fabric.small_latency");
      small > 0 && spec.fabric_latency > Seconds{}) {
    spec.fabric_small_share = small / spec.fabric_latency.value;
  }
}

/// What is not limited stays 0; reading is as fast as writing where nothing else is said.
void read_storage(const Getter& get, StorageSpec& storage) {
  get.fill(storage, "storage");
  storage.read = get.has("storage.read") ? storage.read : storage.write;
  storage.node_read = get.has("storage.node_read") ? storage.node_read : storage.node_write;
}

/// A figure of a topology file that was measured together with another: what is laid over the other
/// holds for it in proportion.
struct Measured {
  std::string_view figure;
  std::string_view with;
};
constexpr std::array kMeasured{
    Measured{"node.scale_up.reduction_cap", "node.scale_up.bandwidth"},
    Measured{"fabric.small_latency", "fabric.latency"},
};

}  // namespace

std::vector<std::string> scale_measured(Values& values, const Values& file, const Values& said) {
  std::vector<std::string> notes;
  for (const auto& [figure, with] : kMeasured) {
    if (!file.has(figure) || !file.has(with) || !values.has(with)) {
      continue;
    }
    const double before = file.at(with).number;
    const double factor = before > 0 ? values.at(with).number / before : 1;
    constexpr double kSame = 1e-9;
    const double goes_with_it = file.at(figure).number * factor;
    const bool own = said.has(figure) && std::abs(values.at(figure).number - goes_with_it) >
                                             kSame * goes_with_it;  // and not what danlu shows
    if (factor == 1 || own) {
      continue;
    }
    const KeyRow* row = find_key(topology_keys(), figure);
    check(row != nullptr, "a measured figure that the table lacks");
    const auto text = [&](double number) {
      return row->dimension == Dimension::Duration ? to_text(Seconds{number})
                                                   : to_text(BytesPerSecond{number});
    };
    Value scaled = file.at(figure);
    scaled.number = goes_with_it;
    scaled.text = text(scaled.number);
    scaled.origin = fmt::format("derived: goes with {}", with);
    notes.push_back(
        fmt::format("'{}' is {} here: the topology's {} belongs to a '{}' of {} and goes with it",
                    figure, scaled.text, text(file.at(figure).number), with, text(before)));
    if (!said.has(figure)) {
      values.set(std::string(figure), std::move(scaled));
    }
  }
  return notes;
}

std::string no_file(const std::string& name, std::string_view what, const fs::path& beside) {
  std::error_code error;
  const std::string path = shown(name, kLongestPath);
  return fs::is_directory(beside / name, error)
             ? fmt::format("'{}' is a directory, not a {} file", path, what)
             : fmt::format("there is no {} file '{}'", what, path);
}

fs::path find_file(const std::string& name, std::string_view what, Problem asked,
                   const fs::path& beside, const fs::path& folder) {
  if (is_path(name)) {
    const bool in_file = asked.position.line > 0;  // and not on the command line
    std::error_code error;
    for (const fs::path& path :
         {(in_file ? fs::path(asked.position.file).parent_path() : beside) / name,
          fs::path(name)}) {
      if (fs::is_regular_file(path, error)) {
        return path;
      }
    }
    asked.message =
        no_file(name, what, in_file ? fs::path(asked.position.file).parent_path() : beside);
    asked.hint = "a path starts at the folder of the file that holds it";
    throw InputError(std::move(asked));
  }
  const std::vector<std::string> known = preset_names(folder);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    const std::vector<std::string_view> names(known.begin(), known.end());
    const std::string_view near = nearest(name, names);
    asked.message = fmt::format("unknown {} '{}'", what, shown(name));
    asked.hint = near.empty() ? fmt::format("known: {}", join(names, ", "))
                              : fmt::format("did you mean '{}'?", near);
    throw InputError(std::move(asked));
  }
  return folder / (name + ".yaml");
}

Values read_preset(const fs::path& file, std::span<const KeyRow> keys) {
  return read_preset_text(read_text_file(file), file, keys);
}

void add_node_of_xml(Values& values, const Values& own, const fs::path& beside) {
  Problem asked = own.problem("node.xml", "");
  const std::string name = own.at("node.xml").text;
  const bool in_file = asked.position.line > 0;
  const fs::path file = (in_file ? fs::path(asked.position.file).parent_path() : beside) / name;
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    asked.message = fmt::format("there is no file '{}'", shown(name, kLongestPath));
    asked.hint = "a path starts at the folder of the file that holds it";
    throw InputError(std::move(asked));
  }
  values.erase_tree("node.xml");
  add_nccl_node(file, values);
  assume_nccl_times(values);
}

std::vector<std::string> preset_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".yaml") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

GpuSpec make_gpu(const Values& values) {
  GpuSpec gpu;
  Getter(values, gpu_keys()).fill(gpu);
  return gpu;
}

Values find_gpu(const std::string& name, const Problem& asked, const fs::path& beside,
                const LoadOptions& options) {
  return read_preset(find_file(name, "GPU", asked, beside, options.topologies / "gpus"),
                     gpu_keys());
}

void add_gpu(Values& topology, const fs::path& beside, const LoadOptions& options) {
  Values gpu = topology.below("gpu.");
  gpu.lay_over(find_gpu(topology.at("gpu.preset").text, topology.problem("gpu.preset", ""), beside,
                        options));
  topology.set_below("gpu.", gpu);
}

void add_network(Values& topology, const fs::path& beside, const LoadOptions& options) {
  if (!topology.has("network.preset")) {
    return;
  }
  const std::string name = topology.at("network.preset").text;
  const Values network =
      read_preset(find_file(name, "network", topology.problem("network.preset", ""), beside,
                            options.topologies / "networks"),
                  network_keys());
  Value sources = topology.has("sources") ? topology.at("sources") : Value{};
  std::string lines = network.has("sources") ? network.at("sources").text : "";
  for (const std::string_view line : split(sources.text, '\n')) {
    const std::string_view key = line.substr(0, line.find('\t'));
    if (std::find(kNetworkCurve.begin(), kNetworkCurve.end(), key) == kNetworkCurve.end()) {
      lines += fmt::format("\n{}", line);
    }
  }
  for (const std::string_view key : kNetworkCurve) {
    topology.erase_tree(key);
    if (network.has(key)) {
      Value value = network.at(key);
      value.position = sources.position;  // whose source stands with the topology's from here on
      value.origin = fmt::format("network preset {}", name);
      topology.set(std::string(key), std::move(value));
    }
  }
  sources.text = std::move(lines);
  topology.set("sources", std::move(sources));
}

Values find_topology(const std::string& name, const Problem& asked, const fs::path& beside,
                     const LoadOptions& options) {
  return read_preset(find_file(name, "topology", asked, beside, options.topologies),
                     topology_keys());
}

namespace {

/// What was assumed for the values that stand in the end.
void add_notes(const Values& values, std::vector<std::string>& notes) {
  for (const std::string& path : values.paths()) {
    if (!values.at(path).note.empty()) {
      notes.push_back(values.at(path).note);
    }
  }
  if (values.has("node.xml.gpus") && !values.has("node.pcie.bandwidth")) {
    notes.emplace_back(
        "node.xml: the file does not say how fast the PCIe of GPUs is: 64 GB/s "
        "(node.pcie.bandwidth)");
  }
}

}  // namespace

TopologySpec make_topology(const Values& given, std::vector<Problem>& problems) {
  TopologySpec spec{.nics_per_node = 0};  // a lone node's
  Values values = given;
  fit_nccl_node(values, spec.notes, problems);
  const Getter get(values, topology_keys());
  add_notes(values, spec.notes);
  get.fill(spec);
  read_node(values, get, spec, problems);
  read_fabric(values, get, spec, problems);
  read_storage(get, spec.storage);
  if (spec.scale_up != ScaleUpKind::None && spec.scale_up_bandwidth.value == 0) {
    problems.push_back(values.problem(
        values.has("node.scale_up.kind") || !values.has("node.xml.gpus") ? "node.scale_up.kind"
                                                                         : "node.xml.gpus",
        "missing key 'node.scale_up.bandwidth'",
        "per GPU (mesh: per link) and direction; kind: none if only PCIe joins the GPUs"));
  }
  check_mesh(values, spec, problems);
  check_fabric(values, spec, problems);
  return spec;
}

void check_nccl_gpu(const Values& values, const GpuSpec& gpu, Problem asked,
                    const LoadOptions& options, std::vector<std::string>& notes,
                    std::vector<Problem>& problems) {
  const bool contradicts = nccl_gpu_complaint(values, gpu, "").has_value();
  if (!contradicts && values.has("node.xml.sm") && gpu.compute_capability == 0) {
    notes.push_back(fmt::format(
        "'gpu' is {}, whose file has no compute_capability: nothing says that it is the GPU of "
        "sm {:.0f} that node.xml describes",
        gpu.name, values.at("node.xml.sm").number));
  }
  if (!contradicts) {
    return;
  }
  constexpr double kTenths = 10;
  const double sm = values.has("node.xml.sm") ? values.at("node.xml.sm").number : 0;
  std::vector<std::string> fitting;
  for (const std::string& name : preset_names(options.topologies / "gpus")) {
    const Values preset = read_preset(options.topologies / "gpus" / (name + ".yaml"), gpu_keys());
    if (std::round(Getter(preset, gpu_keys()).number("compute_capability") * kTenths) == sm) {
      fitting.push_back(name);
    }
  }
  const std::vector<std::string_view> names(fitting.begin(), fitting.end());
  const Complaint complaint = *nccl_gpu_complaint(values, gpu, join(names, ", "));
  if (fitting.empty() && sm > 0 && std::floor(sm / kTenths) == std::floor(gpu.compute_capability)) {
    notes.push_back(complaint.message);
    return;
  }
  asked.message = complaint.message;
  asked.hint = complaint.hint;
  problems.push_back(std::move(asked));
}

GpuSpec load_gpu(const std::string& name, const LoadOptions& options) {
  return make_gpu(find_gpu(name, {{name, 0, 0}, "", "", ""}, "", options));
}

ClusterSpec make_cluster(Values values, const fs::path& beside, const LoadOptions& options) {
  std::vector<Problem> problems;
  add_gpu(values, beside, options);
  check_factors(values, topology_keys(), problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  ClusterSpec spec{.topology = make_topology(values, problems),
                   .gpu = make_gpu(values.below("gpu."))};
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  check_nccl_gpu(values, spec.gpu, values.problem("gpu.preset", ""), options, spec.topology.notes,
                 problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  spec.gpus = spec.topology.gpus_per_node;
  return spec;
}

ClusterSpec load_topology(const std::string& name, const LoadOptions& options) {
  const Problem asked{{name, 0, 0}, "", "", ""};
  Values values = find_topology(name, asked, "", options);
  Values said;
  std::vector<Problem> problems;
  std::vector<Problem> same;
  const auto override = [&](Values& into, std::vector<Problem>& wrong) {
    for (const std::string& override_text : options.overrides) {
      if (!is_of_damage(override_text)) {
        apply_override(override_text, topology_keys(), into, wrong);
      }
    }
  };
  override(said, same);
  if (said.has("network.preset")) {
    values.set("network.preset", said.at("network.preset"));
  }
  add_network(values, "", options);
  const Values file = values;
  override(values, problems);
  std::vector<std::string> notes;
  find_unused_keys(said, values, topology_keys(), cluster_key_uses(), "", {problems, notes});
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  if (said.has("node.xml")) {  // a file named here gives way to what else is set here
    add_node_of_xml(values, said, "");
    values.overlay(said);
  }
  scale_measured(values, file, said);
  ClusterSpec cluster = make_cluster(values, fs::path(name).parent_path(), options);
  cluster.topology.notes.insert(cluster.topology.notes.end(), notes.begin(), notes.end());
  return cluster;
}

ClusterSpec load_topology_text(const std::string& yaml, const fs::path& file,
                               const LoadOptions& options) {
  Values values = read_preset_text(yaml, file, topology_keys());
  add_network(values, file.parent_path(), options);
  return make_cluster(std::move(values), file.parent_path(), options);
}

}  // namespace danlu
