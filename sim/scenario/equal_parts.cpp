#include "sim/scenario/equal_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/base/units.hpp"

namespace danlu {
namespace {

/// What a topology says of a whole node.
struct OfNode {
  std::string path;
  Dimension dimension;
};
const std::array kOfNode{OfNode{"node.nics.count", Dimension::Number},
                         OfNode{"node.power", Dimension::Power},
                         OfNode{"node.memory", Dimension::Size}};

/// The same of a part, rounded to what is shown of it.
void scale(Values& cluster, const OfNode& figure, double share) {
  Value value = cluster.at(figure.path);
  if (figure.dimension == Dimension::Number) {
    value.number = std::max(1.0, std::round(value.number * share));
    value.text = fmt::format("{}", value.number);
  } else {
    value.text = format_quantity(value.number * share, figure.dimension);
    value.number = parse_quantity(value.text, figure.dimension)->value;
  }
  value.origin = "derived: goes with node.gpus";
  cluster.set(figure.path, std::move(value));
}

}  // namespace

int equal_part(int gpus, int node, int tray) {
  if (gpus <= node) {
    return node;
  }
  int part = node - node % tray;
  while (part > 0 && gpus % part != 0) {
    part -= tray;
  }
  return 2 * part >= node ? part : node;
}

std::vector<std::string> take_equal_parts(Values& cluster, const Values& said) {
  if (!cluster.has("gpus") || !cluster.has("node.tray") || said.has("node.gpus") ||
      said.has("node.xml") || said.has_below("mixed.")) {
    return {};
  }
  const int gpus = static_cast<int>(cluster.at("gpus").number);
  const int node = static_cast<int>(cluster.at("node.gpus").number);
  const int tray = static_cast<int>(cluster.at("node.tray").number);
  const int part = equal_part(gpus, node, tray);
  if (gpus <= node || gpus % node == 0) {
    return {};
  }
  if (part == node) {
    return {fmt::format(
        "{} GPUs are no equal parts of nodes of {} in whole trays of {}: the last node has fewer",
        gpus, node, tray)};
  }
  Value value = cluster.at("node.gpus");
  value.number = part;
  value.text = fmt::format("{}", part);
  value.origin = "derived: equal parts of nodes, in whole trays";
  cluster.set("node.gpus", std::move(value));
  for (const OfNode& figure : kOfNode) {
    if (cluster.has(figure.path) && !said.has(figure.path)) {
      scale(cluster, figure, static_cast<double>(part) / node);
    }
  }
  return {fmt::format(
      "{} GPUs are taken as equal parts, {} of each of {} nodes of {} GPUs (node.gpus: {}); cost "
      "and energy are those of the {} alone",
      gpus, part, gpus / part, node, part, gpus)};
}

}  // namespace danlu
