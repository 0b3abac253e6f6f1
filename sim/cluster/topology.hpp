// The graph of a cluster: vertices are GPUs, NICs and switches, edges are directed links. A
// full-duplex cable is two edges; parallel cables and the chips of one switching level are bundled
// into one edge or vertex with a count where traffic is spread evenly over them. Boost.Graph
// searches it, in topology.cpp and bisection.cpp; its headers stay there.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

namespace danlu {

enum class VertexKind { Gpu, ScaleUpSwitch, PcieSwitch, Cpu, Nic, Leaf, Spine, Core, Switch };
struct VertexKindRow {
  VertexKind value;
  std::string_view name;
  std::string_view plural;  // for the counts
};
template <>
inline constexpr auto kNames<VertexKind> =
    std::to_array<VertexKindRow>({{VertexKind::Gpu, "GPU", "GPUs"},
                                  {VertexKind::ScaleUpSwitch, "NVSwitch", "scale-up switches"},
                                  {VertexKind::PcieSwitch, "PCIe switch", "PCIe switches"},
                                  {VertexKind::Cpu, "CPUs", "CPUs"},
                                  {VertexKind::Nic, "NIC", "NICs"},
                                  {VertexKind::Leaf, "leaf", "leaf switches"},
                                  {VertexKind::Spine, "spine", "spine switches"},
                                  {VertexKind::Core, "core", "core switches"},
                                  {VertexKind::Switch, "switch", "switches"}});

struct Vertex {
  VertexKind kind = VertexKind::Gpu;
  int node = -1;   // -1 outside nodes
  int number = 0;  // within the node; of switches, over all of the kind; -1: the only one
  int count = 1;   // chips that this vertex stands for
};

enum class LinkKind : std::uint8_t {
  ScaleUp,
  Pcie,
  NicCable,
  Uplink,
  CoreUplink,
  TorusCable,
  LocalCable,
  GlobalCable
};
template <>
inline constexpr auto kNames<LinkKind> =
    std::to_array<Named<LinkKind>>({{LinkKind::ScaleUp, "scale-up"},
                                    {LinkKind::Pcie, "PCIe"},
                                    {LinkKind::NicCable, "NIC"},
                                    {LinkKind::Uplink, "uplink"},
                                    {LinkKind::CoreUplink, "core uplink"},
                                    {LinkKind::TorusCable, "torus"},
                                    {LinkKind::LocalCable, "local"},
                                    {LinkKind::GlobalCable, "global"}});

/// One directed link: `bandwidth` is what collectives achieve, `nominal` what the data sheet says.
struct Link {
  VertexId from{};
  VertexId to{};
  LinkKind kind = LinkKind::ScaleUp;
  int count = 1;  // cables in the bundle; here, so that a link has 40 bytes
  BytesPerSecond bandwidth{};
  BytesPerSecond nominal{};
  Seconds latency{};
};

/// The links from a source to a destination, in order.
using Route = std::vector<LinkId>;

/// The same cable in the other direction: links are made in pairs.
constexpr LinkId twin(LinkId link) {
  return make_id<LinkId>(index(link) ^ 1U);
}

/// Throws std::length_error for more links than are laid out.
void check_links(double links);

/// Vertices and links, before they are a graph.
class TopologyParts {
 public:
  VertexId add_vertex(const Vertex& vertex);
  /// Adds the link and its twin; returns the link. Cable after cable, ids grow by two.
  LinkId add_cable(Link link);

  std::vector<Vertex> vertices;
  std::vector<Link> links;
};

class Topology {
 public:
  Topology() = default;
  explicit Topology(TopologyParts parts);
  /// Replaces what collectives achieve on a link.
  void set_bandwidth(LinkId id, BytesPerSecond bandwidth) {
    links_[index(id)].bandwidth = bandwidth;
  }

  std::span<const Vertex> vertices() const { return vertices_; }
  std::span<const Link> links() const { return links_; }
  const Vertex& vertex(VertexId id) const { return vertices_[index(id)]; }
  const Link& link(LinkId id) const { return links_[index(id)]; }
  VertexId gpu(GpuId id) const { return gpus_[index(id)]; }
  std::size_t gpu_count() const { return gpus_.size(); }
  /// Parts of a kind; a vertex that stands for several chips counts as several.
  int count(VertexKind kind) const;

  /// A route with the fewest links, by Boost's breadth-first search over the whole graph: to check
  /// the routes that structure gives. Throws InternalError when the GPUs are not connected.
  Route shortest_route(GpuId from, GpuId to) const;

  Seconds latency(const Route& route) const;
  /// "GPU 3 of node 0", "leaf 2", ...
  std::string vertex_name(VertexId id) const;
  /// "GPU 3 of node 0 -> NVSwitch of node 0"
  std::string link_name(LinkId id) const;

 private:
  std::vector<Vertex> vertices_;
  std::vector<Link> links_;
  std::vector<VertexId> gpus_;
};

}  // namespace danlu
