// danlu topology NAME: counts, bandwidths in both conventions, bisection, routes.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "sim/base/error.hpp"
#include "sim/cluster/port_note.hpp"
#include "sim/report/platform_xml.hpp"
#include "sim/scenario/idle_fabric.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/effort.hpp"
#include "src/commands.hpp"
#include "src/session.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

/// Vertices by kind; a vertex that stands for several chips counts as several.
std::map<VertexKind, int> count_vertices(const Topology& topology) {
  std::map<VertexKind, int> counts;
  for (const Vertex& vertex : topology.vertices()) {
    counts[vertex.kind] += vertex.count;
  }
  return counts;
}

/// The drawing in the head comment of a topology's file. It shows what stands in the file, so there
/// is none of what --set puts over it.
std::string drawing(const std::filesystem::path& file, const CommonOptions& common) {
  if (!common.overrides.empty()) {
    return "(no drawing: the one in the file does not show what --set changes)\n";
  }
  std::ifstream stream(file);
  std::string text;
  for (std::string line; std::getline(stream, line) && line.starts_with('#');) {
    if (line.find("yaml-language-server") == std::string::npos) {
      text += line.substr(line.size() > 1 ? 2 : 1) + "\n";
    }
  }
  return text;
}

std::string both_ways(BytesPerSecond one_way) {
  return fmt::format("{} each way, {} both ways together", to_text(one_way), to_text(2 * one_way));
}

std::string scale_up_text(const TopologySpec& topology) {
  switch (topology.scale_up) {
    case ScaleUpKind::None:
      return fmt::format("  PCIe per GPU: {}\n", both_ways(topology.pcie_bandwidth));
    case ScaleUpKind::Switch:
      return fmt::format("  scale-up per GPU: {}\n", both_ways(topology.scale_up_bandwidth));
    case ScaleUpKind::Mesh:
    case ScaleUpKind::Torus:
      return fmt::format("  scale-up per link: {}\n", both_ways(topology.scale_up_bandwidth));
  }
  return "";
}

std::string route_text(const Cluster& cluster, int from, int to) {
  const Topology& topology = cluster.topology;
  const Route links = route(cluster, from, to);
  BytesPerSecond least = topology.link(links.front()).bandwidth;
  std::string text = fmt::format("  GPU {} to GPU {}:\n    {}\n", from, to,
                                 topology.vertex_name(topology.link(links.front()).from));
  for (const LinkId id : links) {
    const Link& link = topology.link(id);
    least = std::min(least, link.bandwidth);
    text += fmt::format("    -> {:<22} {:>10} nominal, {:>10} achieved, {}\n",
                        topology.vertex_name(link.to), to_text(link.nominal),
                        to_text(link.bandwidth), to_text(link.latency));
  }
  return text + fmt::format("    {} at most, {} latency\n", to_text(least),
                            to_text(topology.latency(links)));
}

Json route_json(const Cluster& cluster, int from, int to) {
  const Topology& topology = cluster.topology;
  Json links = Json::array();
  const Route way = route(cluster, from, to);
  for (const LinkId id : way) {
    const Link& link = topology.link(id);
    links.push_back({{"from", topology.vertex_name(link.from)},
                     {"to", topology.vertex_name(link.to)},
                     {"kind", name_of(link.kind)},
                     {"nominal_bytes_per_s", link.nominal.value},
                     {"bytes_per_s", link.bandwidth.value},
                     {"latency_s", link.latency.value}});
  }
  return {{"from_gpu", from},
          {"to_gpu", to},
          {"latency_s", topology.latency(way).value},
          {"links", links}};
}

using Pairs = std::vector<std::pair<int, int>>;  // of GPUs

/// The pair that the user asked for, else one inside a node and one between nodes.
Pairs routes_to_show(const std::vector<int>& asked, const ClusterSpec& spec) {
  if (asked.size() == 2) {
    const auto [low, high] = std::minmax(asked[0], asked[1]);
    if (low < 0 || high >= spec.gpus || low == high) {
      throw InputError(Problem{{"--route", 0, 0},
                               fmt::format("needs two different GPUs from 0 to {}", spec.gpus - 1),
                               "",
                               ""});
    }
    return {{asked[0], asked[1]}};
  }
  Pairs routes;
  if (spec.gpus > 1) {
    routes.emplace_back(0, 1);
  }
  if (spec.gpus > spec.topology.gpus_per_node) {
    routes.emplace_back(0, spec.topology.gpus_per_node);
  }
  return routes;
}

/// Of one in which nothing is degraded.
BytesPerSecond node_bisection(ClusterSpec spec) {
  spec.gpus = spec.topology.gpus_per_node;
  spec.degraded = {};
  return bisection_bandwidth(build_cluster(spec));
}

Json topology_json(const Cluster& cluster, const Pairs& routes) {
  const ClusterSpec& spec = cluster.spec;
  Json vertices = Json::object();
  for (const auto& [kind, count] : count_vertices(cluster.topology)) {
    vertices[std::string(row_named(kind).plural)] = count;
  }
  Json ways = Json::array();
  for (const auto& [from, to] : routes) {
    ways.push_back(route_json(cluster, from, to));
  }
  return {{"schema", "danlu.topology/1"},
          {"name", spec.topology.name},
          {"gpu", spec.gpu.name},
          {"gpus", spec.gpus},
          {"nodes", cluster.nodes()},
          {"counts", vertices},
          {"directed_links", cluster.topology.links().size()},
          {"node_bisection_bytes_per_s", node_bisection(spec).value},
          {"bisection_bytes_per_s", bisection_bandwidth(cluster).value},
          {"notes", notes_of(cluster)},
          {"routes", ways}};
}

std::string topology_text(const Cluster& cluster, const Pairs& routes, const std::string& picture) {
  const ClusterSpec& spec = cluster.spec;
  std::string text = fmt::format("{}: {} GPUs ({}) in {} nodes\n\n", spec.topology.name, spec.gpus,
                                 spec.gpu.name, cluster.nodes());
  text += picture.empty() ? "" : picture + "\n";
  for (const auto& [kind, count] : count_vertices(cluster.topology)) {
    text += fmt::format("  {:<20} {:>8}\n", row_named(kind).plural, count);
  }
  text += fmt::format("  {:<20} {:>8}\n\n", "directed links", cluster.topology.links().size());
  text += scale_up_text(spec.topology);
  const double each = static_cast<double>(spec.topology.nics_per_node) /
                      std::max(1, spec.topology.cards_per_node());
  text += fmt::format("  NIC: {} x {}\n", spec.topology.cards_per_node(),
                      both_ways(spec.topology.nic_bandwidth * each));
  text += fmt::format("  bisection of a node: {} both ways (max-flow between its halves)\n",
                      to_text(node_bisection(spec)));
  const DegradedSpec& hurt = cluster.spec.degraded;
  const bool whole = hurt.nics.empty() && hurt.scale_up.empty() && hurt.links.empty() &&
                     hurt.leaves.empty() && hurt.spines.empty();
  text += fmt::format("  bisection of all: {} both ways{}\n\nRoutes\n",
                      to_text(bisection_bandwidth(cluster)),
                      whole ? "" : ", as built: what is degraded still counts");
  for (const auto& [from, to] : routes) {
    text += route_text(cluster, from, to);
  }
  return text + notes_text(cluster);
}

std::string platform_xml(const Cluster& cluster) {
  if (cluster.spec.gpus > kMostPlatformGpus) {
    throw InputError(Problem{
        {"--format simgrid-xml", 0, 0},
        fmt::format("must have at most {} GPUs, found {}", kMostPlatformGpus, cluster.spec.gpus),
        "the file lists the route of every pair: see --gpus",
        ""});
  }
  return simgrid_platform(cluster);
}

}  // namespace

std::vector<std::string> notes_of(const Cluster& cluster) {
  std::vector<std::string> notes = cluster.spec.topology.notes;
  if (std::string note = port_note(cluster.spec.topology, cluster.spec.nodes()); !note.empty()) {
    notes.push_back(std::move(note));
  }
  const std::vector<std::string> damage = damage_notes(cluster);
  notes.insert(notes.end(), damage.begin(), damage.end());
  return notes;
}

std::string notes_text(const Cluster& cluster) {
  std::string text;
  for (const std::string& note : notes_of(cluster)) {
    text += fmt::format("{}note: {}\n", text.empty() ? "\n" : "", note);
  }
  return text;
}

int show_topology(const TopologyOptions& options, const CommonOptions& common) {
  const std::filesystem::path folder = topologies_folder();
  ClusterSpec spec = load_topology(options.topology, {folder, common.overrides});
  spec.gpus = options.gpus > 0 ? options.gpus : 4 * spec.topology.gpus_per_node;
  if (std::string problem = cluster_problem(spec); !problem.empty()) {
    throw InputError(Problem{{"--gpus", 0, 0}, std::move(problem), "", ""});
  }
  degrade_cluster(spec, {folder, common.overrides});
  if (spec.topology.fabric != FabricKind::RailOptimised) {  // whose spines are there all the same
    note_idle_fabric(spec, {folder, common.overrides});
  }
  // Of a mesh the max-flow for its bisection takes longest: links x GPUs of a node.
  const Seconds of_gpu{6.5e-6 + (spec.topology.scale_up == ScaleUpKind::Mesh ? 1e-8 : 0) * 12 *
                                    spec.topology.gpus_per_node};
  announce_layout(fmt::format("the links of {} GPUs are to be laid out", spec.gpus), spec, of_gpu,
                  {1.8e3}, session_options(common));
  const Cluster cluster = build_cluster(spec);
  const Pairs routes = routes_to_show(options.route, spec);
  if (options.format == "simgrid-xml") {
    print(platform_xml(cluster));
  } else if (options.format == "json" || (options.format.empty() && common.json)) {
    print_json(topology_json(cluster, routes));
  } else {
    const std::filesystem::path preset = folder / (options.topology + ".yaml");
    const std::filesystem::path file = options.topology;
    const std::string picture = drawing(std::filesystem::exists(preset) ? preset : file, common);
    print(topology_text(cluster, routes, picture));
  }
  return kExitDone;
}

}  // namespace danlu
