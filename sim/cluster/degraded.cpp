#include "sim/cluster/degraded.hpp"

#include <algorithm>

namespace danlu {
namespace {

double share_of(const std::map<int, double>& shares, int number) {
  const auto found = shares.find(number);
  return found == shares.end() ? 1 : found->second;
}

bool inside_node(VertexKind kind) {
  return kind == VertexKind::Gpu || kind == VertexKind::ScaleUpSwitch ||
         kind == VertexKind::PcieSwitch;
}

}  // namespace

void degrade(const DegradedSpec& degraded, int gpus_per_node, int nics_per_node,
             Topology& topology) {
  if (degraded.nics.empty() && degraded.scale_up.empty()) {
    return;
  }
  for (std::size_t i = 0; i < topology.links().size(); ++i) {
    const Link& link = topology.links()[i];
    const Vertex& from = topology.vertex(link.from);
    const Vertex& to = topology.vertex(link.to);
    double share = 1;
    for (const Vertex* end : {&from, &to}) {
      if (end->kind == VertexKind::Nic && link.kind == LinkKind::NicCable) {
        share = std::min(share, share_of(degraded.nics, end->node * nics_per_node + end->number));
      } else if (end->kind == VertexKind::Gpu && inside_node(from.kind) && inside_node(to.kind)) {
        share =
            std::min(share, share_of(degraded.scale_up, end->node * gpus_per_node + end->number));
      }
    }
    topology.set_bandwidth(make_id<LinkId>(i), link.bandwidth * share);
  }
}

}  // namespace danlu
