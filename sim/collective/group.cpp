#include "sim/collective/group.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "sim/base/error.hpp"
#include "sim/base/ids.hpp"
#include "sim/collective/gates.hpp"
#include "sim/collective/rings.hpp"

namespace danlu {
namespace {

/// Positions by node, nodes in the order in which the ranks name them first.
std::vector<std::vector<int>> by_node(const Cluster& cluster, std::span<const int> ranks) {
  std::vector<std::pair<int, int>> keyed;  // node, position
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    keyed.emplace_back(cluster.node_of(ranks[i]), static_cast<int>(i));
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<std::vector<int>> nodes;
  for (std::size_t i = 0; i < keyed.size(); ++i) {
    if (i == 0 || keyed[i].first != keyed[i - 1].first) {
      nodes.emplace_back();
    }
    nodes.back().push_back(keyed[i].second);
  }
  return nodes;
}

// ---- the grid of a group

/// A torus of the machine: of chips in a node, or of switches between nodes.
struct Machine {
  std::vector<int> dims;
  int shortest_ring = 3;
};

/// The part of an axis that a group takes: `length` points, evenly `spacing` apart.
struct Range {
  int first = 0;
  int length = 1;
  int spacing = 1;
};

/// What the points of `values` are on an axis; none if they are not evenly apart.
std::optional<Range> range_of(const std::set<int>& values) {
  Range range{*values.begin(), static_cast<int>(values.size()), 1};
  if (range.length > 1) {
    range.spacing = *std::next(values.begin()) - range.first;
  }
  int expected = range.first;
  for (const int value : values) {
    if (value != expected) {
      return std::nullopt;
    }
    expected += range.spacing;
  }
  return range;
}

/// The box that `points` fill; none if they do not fill one.
std::optional<std::vector<Range>> box_of(const Machine& machine, const std::set<int>& points) {
  std::vector<Range> box;
  int stride = 1;
  std::size_t size = 1;
  for (const int dim : machine.dims) {
    std::set<int> values;
    for (const int point : points) {
      values.insert(point / stride % dim);
    }
    const std::optional<Range> range = range_of(values);
    if (!range) {
      return std::nullopt;
    }
    box.push_back(*range);
    size *= index(range->length);
    stride *= dim;
  }
  return size == points.size() ? std::optional(box) : std::nullopt;
}

/// Axes of a box. One that spans a whole ring of the machine is closed, from three points on.
std::vector<GridAxis> axes_of(const Machine& machine, const std::vector<Range>& box) {
  std::vector<GridAxis> axes;
  for (std::size_t axis = 0; axis < box.size(); ++axis) {
    const int dim = machine.dims[axis];
    const bool closed = dim >= machine.shortest_ring && box[axis].length > 2 &&
                        box[axis].length * box[axis].spacing == dim;
    axes.push_back({box[axis].length, closed, GridAxis::Turn::Any});
  }
  return axes;
}

/// Chips of a torus node, then the nodes; or ranks below one switch of a torus of switches, then
/// the switches.
GroupGrid grid_of(const Cluster& cluster, const Group& group) {
  const TopologySpec& topology = cluster.spec.topology;
  const bool of_chips = topology.scale_up == ScaleUpKind::Torus;
  if (!of_chips && topology.fabric != FabricKind::Torus) {
    return {};
  }
  const Machine machine =
      of_chips ? Machine{topology.scale_up_dims, topology.scale_up_wrap} : Machine{topology.dims};
  std::map<int, std::vector<int>> by_point;  // positions, in the order of the nodes
  for (const std::vector<int>& members : group.nodes) {
    for (const int position : members) {
      const int gpu = group.ranks[index(position)];
      by_point[of_chips ? gpu % topology.gpus_per_node
                        : cluster.node_of(gpu) / topology.nodes_per_leaf]
          .push_back(position);
    }
  }
  std::set<int> points;
  for (const auto& [point, positions] : by_point) {
    points.insert(point);
    if (positions.size() != by_point.begin()->second.size()) {
      return {};
    }
  }
  const std::optional<std::vector<Range>> box = box_of(machine, points);
  if (points.size() < 2 || !box) {
    return {};
  }
  GroupGrid grid{axes_of(machine, *box), {}};
  const GridAxis others{static_cast<int>(by_point.begin()->second.size()), true,
                        of_chips ? GridAxis::Turn::Last : GridAxis::Turn::First};
  // By number, the points of a box come with the first axis varying fastest.
  for (const auto& [point, positions] : by_point) {
    grid.at.insert(grid.at.end(), positions.begin(), positions.end());
  }
  grid.axes.insert(grid.axes.begin(), others);
  return grid;
}

}  // namespace

int Group::per_node() const {
  const std::size_t count = nodes.front().size();
  const bool even = std::all_of(nodes.begin(), nodes.end(), [&](const std::vector<int>& members) {
    return members.size() == count;
  });
  return even ? static_cast<int>(count) : 0;
}

Group make_group(const Cluster& cluster, std::span<const int> ranks) {
  check(ranks.size() >= 2, "a group has two ranks or more");
  Group group{.ranks = std::vector<int>(ranks.begin(), ranks.end()),
              .nodes = by_node(cluster, ranks)};
  group.gates = gates_of(cluster, ranks, group.nodes);
  group.rings = ring_orders(cluster, group);
  group.grid = grid_of(cluster, group);
  return group;
}

}  // namespace danlu
