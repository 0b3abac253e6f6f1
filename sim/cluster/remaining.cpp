#include "sim/cluster/remaining.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace danlu {
namespace {

/// Calls `use` for every entry of the damage, with the node that it is in and its words.
template <typename Use>
void for_each_damage(const ClusterSpec& spec, const Use& use) {
  const DegradedSpec& damage = spec.degraded;
  const int gpus = spec.topology.gpus_per_node;
  const int nics = spec.topology.nics_per_node;
  for (const auto& [gpu, slowdown] : damage.gpus) {
    use(gpu / gpus, fmt::format("GPU {} {}", gpu % gpus, slowdown));
  }
  for (const auto& [nic, share] : damage.nics) {
    use(nic / nics, fmt::format("NIC {} {}", nic % nics, share));
  }
  for (const auto& [gpu, share] : damage.scale_up) {
    use(gpu / gpus, fmt::format("scale-up {} {}", gpu % gpus, share));
  }
  for (const DegradedSpec::MeshShare& link : damage.links) {
    use(link.first / gpus,
        fmt::format("link {} {} {}", link.first % gpus, link.second % gpus, link.share));
  }
  for (const auto& [gpu, throttle] : damage.throttle) {
    use(gpu / gpus, fmt::format("throttle {} {} {} {} {}", gpu % gpus, throttle.slowdown,
                                throttle.period.value, throttle.share, throttle.phase));
  }
  for (const Flap& flap : damage.flaps) {
    const bool nic = flap.part == Flap::Part::Nic;
    use(flap.number / (nic ? nics : gpus),
        fmt::format("flap {} {} {} {} {}", nic, flap.number % (nic ? nics : gpus), flap.at.value,
                    flap.length.value, flap.share));
  }
  for (const auto& [first, last] : damage.jitter.gpus) {
    for (int gpu = first; gpu <= last; ++gpu) {
      use(gpu / gpus, fmt::format("jitter {}", gpu % gpus));
    }
  }
}

/// Nodes that are alike, the rarest sort first.
std::vector<std::vector<int>> sorts_of_nodes(const ClusterSpec& spec) {
  std::vector<std::string> words(spec.nodes());
  for (std::size_t node = 0; node < words.size(); ++node) {
    words[node] = fmt::format("kind {}", spec.kind_of(static_cast<int>(node)));
  }
  for_each_damage(spec, [&](int node, const std::string& what) {
    words[static_cast<std::size_t>(node)] += "; " + what;
  });
  std::map<std::string, std::vector<int>> by_words;
  for (std::size_t node = 0; node < words.size(); ++node) {
    by_words[words[node]].push_back(static_cast<int>(node));
  }
  std::vector<std::vector<int>> sorts;
  for (auto& entry : by_words) {
    sorts.push_back(std::move(entry.second));
  }
  std::stable_sort(sorts.begin(), sorts.end(),
                   [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return sorts;
}

/// The old numbers of the nodes in their new order.
std::vector<int> order_of_nodes(const ClusterSpec& spec, int nodes) {
  const std::vector<std::vector<int>> sorts = sorts_of_nodes(spec);
  const std::int64_t all = spec.nodes();
  std::vector<int> left;
  std::vector<int> lost;
  for (std::size_t i = 0; i < sorts.size(); ++i) {
    const auto size = static_cast<std::int64_t>(sorts[i].size());
    const std::int64_t share = (nodes * size + all - 1) / all;  // rounded up
    const std::int64_t room = nodes - static_cast<std::int64_t>(left.size());
    const std::int64_t stay = i + 1 == sorts.size() ? room : std::min(share, room);
    left.insert(left.end(), sorts[i].begin(), sorts[i].begin() + stay);
    lost.insert(lost.end(), sorts[i].begin() + stay, sorts[i].end());
  }
  std::sort(left.begin(), left.end());
  std::sort(lost.begin(), lost.end());
  left.insert(left.end(), lost.begin(), lost.end());
  return left;
}

}  // namespace

ClusterSpec with_nodes_left(const ClusterSpec& spec, int nodes) {
  std::vector<int> place(spec.nodes());  // by old number, the new one
  const std::vector<int> order = order_of_nodes(spec, nodes);
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  }
  const int per_node = spec.topology.gpus_per_node;
  const auto moved = [&](int part, int parts) {
    return place[static_cast<std::size_t>(part / parts)] * parts + part % parts;
  };
  const auto move_all = [&](const auto& of, int parts) {
    auto renumbered = of;
    renumbered.clear();
    for (const auto& [part, value] : of) {
      renumbered.emplace(moved(part, parts), value);
    }
    return renumbered;
  };
  ClusterSpec found = spec;
  found.gpus = spec.nodes() * per_node;
  found.kind_of_node = move_all(spec.kind_of_node, 1);
  DegradedSpec& damage = found.degraded;
  damage.gpus = move_all(damage.gpus, per_node);
  damage.nics = move_all(damage.nics, spec.topology.nics_per_node);
  damage.scale_up = move_all(damage.scale_up, per_node);
  damage.throttle = move_all(damage.throttle, per_node);
  for (DegradedSpec::MeshShare& link : damage.links) {
    link = {moved(link.first, per_node), moved(link.second, per_node), link.share};
  }
  for (Flap& flap : damage.flaps) {
    flap.number =
        moved(flap.number, flap.part == Flap::Part::Nic ? spec.topology.nics_per_node : per_node);
  }
  damage.jitter.gpus.clear();
  for (const auto& [first, last] : spec.degraded.jitter.gpus) {
    for (int gpu = first; gpu <= last; ++gpu) {
      damage.jitter.gpus.emplace(moved(gpu, per_node), moved(gpu, per_node));
    }
  }
  return found;
}

}  // namespace danlu
