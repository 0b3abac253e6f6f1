// The graph of a cluster (Boost.Graph): vertices are GPUs, NICs and switches, edges are directed
// links. A full-duplex cable is two edges; parallel cables and the chips of one switching level are
// bundled into one edge or vertex with a count, since traffic is spread evenly over them.
#pragma once

#include <boost/graph/adjacency_list.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

namespace danlu {

enum class VertexKind { Gpu, ScaleUpSwitch, PcieSwitch, Nic, Leaf, Spine };

/// One vertex; `level` orders the tree: routes climb to a common vertex and descend.
struct Vertex {
  VertexKind kind = VertexKind::Gpu;
  int node = -1;   // -1 outside nodes
  int number = 0;  // within the node, or over all for leaves and spines
  int count = 1;   // chips that this vertex stands for
  int level = 0;
};

enum class LinkKind { ScaleUp, Pcie, NicCable, Uplink };
std::string_view link_kind_name(LinkKind kind);

/// One directed link: `bandwidth` is what collectives achieve, `nominal` what the data sheet says.
struct Link {
  VertexId from{};
  VertexId to{};
  LinkKind kind = LinkKind::ScaleUp;
  BytesPerSecond bandwidth{};
  BytesPerSecond nominal{};
  Seconds latency{};
  int count = 1;  // cables in the bundle
};

/// The links from a source to a destination, in order.
using Route = std::vector<LinkId>;

class Topology {
 public:
  using Graph =
      boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Vertex, LinkId>;

  VertexId add_vertex(const Vertex& vertex);
  /// Adds the link and its twin in the other direction.
  void add_cable(Link link);
  /// Replaces what collectives achieve on a link.
  void set_bandwidth(LinkId id, BytesPerSecond bandwidth) {
    links_[index(id)].bandwidth = bandwidth;
  }

  const Vertex& vertex(VertexId id) const { return graph_[index(id)]; }
  const Link& link(LinkId id) const { return links_[index(id)]; }
  std::span<const Link> links() const { return links_; }
  const Graph& graph() const { return graph_; }
  VertexId gpu(GpuId id) const { return gpus_[index(id)]; }
  std::size_t gpu_count() const { return gpus_.size(); }

  /// The route between two different GPUs: up to their nearest common vertex and down again, in
  /// time proportional to its length; where there is none (a mesh), the fewest links (Boost's BFS).
  /// Throws InternalError when the GPUs are not connected.
  Route route(GpuId from, GpuId to) const;
  /// The same by breadth-first search over the whole graph; for meshes, and to check route().
  Route shortest_route(GpuId from, GpuId to) const;

  Seconds latency(const Route& route) const;
  /// "gpu 3 of node 0", "leaf 2", ...
  std::string vertex_name(VertexId id) const;
  /// "node 0: gpu 3 -> NVSwitch"
  std::string link_name(LinkId id) const;

 private:
  Graph graph_;
  std::vector<Link> links_;
  std::vector<VertexId> gpus_;
};

}  // namespace danlu
