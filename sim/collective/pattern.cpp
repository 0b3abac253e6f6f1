#include "sim/collective/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <numeric>

#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"

namespace danlu {
namespace {

/// Sorts by link and adds up repeated ones.
void merge_loads(std::vector<LinkLoad>& loads) {
  std::sort(loads.begin(), loads.end(),
            [](const LinkLoad& a, const LinkLoad& b) { return a.link < b.link; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < loads.size(); ++i) {
    if (kept > 0 && loads[kept - 1].link == loads[i].link) {
      loads[kept - 1].weight += loads[i].weight;
    } else {
      loads[kept++] = loads[i];
    }
  }
  loads.resize(kept);
}

/// Lays one phase over the links of a cluster.
class PhaseRouter {
 public:
  PhaseRouter(const Cluster& cluster, const Group& group, const Phase& phase, Pattern& pattern)
      : cluster_(cluster), group_(group), phase_(phase), pattern_(pattern) {}

  void add() {
    add_streams();
    add_reduced();
    merge_loads(pattern_.loads);
    take_out_common_divisor();
    set_tightest();
    if (!phase_.critical.empty()) {
      pattern_.local_latency = pattern_.network_latency = {};
      for (const Hop& hop : phase_.critical) {
        const Route links = way(hop.from, hop.to, 0);
        add_latency(hop.from, hop.to, cluster_.topology.latency(links) * hop.times);
      }
    } else if (phase_.mean_steps > 0) {
      const double share = phase_.mean_steps / static_cast<double>(phase_.streams.size());
      pattern_.local_latency = pattern_.local_latency * share;
      pattern_.network_latency = pattern_.network_latency * share;
    } else {
      pattern_.local_latency = is_local(slowest_) ? slowest_latency_ : Seconds{};
      pattern_.network_latency = is_local(slowest_) ? Seconds{} : slowest_latency_;
    }
  }

 private:
  int gpu(int position) const { return group_.rank(position); }
  Route way(int from, int to, int flow) const { return route(cluster_, gpu(from), gpu(to), flow); }
  bool is_local(const Stream& stream) const {
    return cluster_.node_of(gpu(stream.from)) == cluster_.node_of(gpu(stream.to));
  }
  void add_latency(int from, int to, Seconds latency) {
    (is_local({from, to, 1, 0}) ? pattern_.local_latency : pattern_.network_latency) += latency;
  }

  void add_streams() {
    for (const Stream& stream : phase_.streams) {
      const Route links = way(stream.from, stream.to, stream.flow);
      const Seconds latency = cluster_.topology.latency(links);
      add_latency(stream.from, stream.to, latency);
      if (latency >= slowest_latency_) {
        slowest_latency_ = latency;
        slowest_ = stream;
      }
      if (connections_ == 1 || is_local(stream)) {
        add_flow(links, stream.weight * connections_);
        continue;
      }
      for (int i = 0; i < connections_; ++i) {
        add_flow(way(stream.from, stream.to, stream.flow * connections_ + i), stream.weight);
      }
    }
  }

  void add_flow(const Route& links, int weight) {
    for (const LinkId link : links) {
      pattern_.loads.push_back({link, weight});
    }
  }

  /// Weights count parts, of which there are `connections` times as many: less, where they allow.
  void take_out_common_divisor() {
    int divisor = connections_;
    for (const LinkLoad& load : pattern_.loads) {
      divisor = std::gcd(divisor, load.weight);
    }
    for (LinkLoad& load : pattern_.loads) {
      load.weight /= divisor;
    }
    pattern_.parts = pattern_.parts * connections_ / divisor;
  }

  /// Every link once, however many streams meet on it.
  void add_reduced() {
    std::map<LinkId, int> weights;
    for (const Stream& stream : phase_.reduced) {
      for (const LinkId link : way(stream.from, stream.to, stream.flow)) {
        weights[link] = std::max(weights[link], stream.weight);
      }
    }
    for (const auto& [link, weight] : weights) {
      pattern_.loads.push_back({link, weight * connections_});
    }
  }

  void set_tightest() {
    double least = std::numeric_limits<double>::infinity();
    for (const LinkLoad& load : pattern_.loads) {
      const double rate = cluster_.topology.link(load.link).bandwidth.value / load.weight;
      if (rate < least) {
        least = rate;
        pattern_.tightest = load;
      }
    }
  }

  const Cluster& cluster_;
  const Group& group_;
  const Phase& phase_;
  Pattern& pattern_;
  // Every stream between nodes is so many flows with a part of its bytes each.
  int connections_ =
      cluster_.spec.topology.routing == Routing::Ecmp ? cluster_.spec.topology.connections : 1;
  Stream slowest_;
  Seconds slowest_latency_;
};

/// Links by what may slow a stream on them besides their rate.
enum class Side { Node, Pcie, Network };
constexpr std::size_t kSides = 3;
Side side_of(LinkKind kind) {
  return kind == LinkKind::ScaleUp ? Side::Node
         : kind == LinkKind::Pcie  ? Side::Pcie
                                   : Side::Network;
}

/// Share of the links' rate that sums in the switches of a node reach, and whether the cap on their
/// bus bandwidth holds them to it: that is 2(n-1)/(n+1) of a port's rate.
struct NodeSums {
  double share = 1;
  bool is_capped = false;
};
NodeSums node_sums(const TopologySpec& topology, double ranks) {
  const double usual = topology.scale_up_reduction_efficiency / topology.scale_up_efficiency;
  const double capped = topology.scale_up_reduction_cap_share * (ranks + 1) / (2 * (ranks - 1)) /
                        topology.scale_up_efficiency;
  const bool is_capped = topology.scale_up_reduction_cap_share > 0 && capped < usual;
  return {is_capped ? capped : usual, is_capped};
}

/// Finds what limits the pattern. Sums made by switches, and trees, fall short of what the links
/// achieve otherwise: where that makes them the limit, more bytes on all links stand for it.
void set_limit(const Cluster& cluster, const Group& group, Pattern& pattern) {
  const TopologySpec& topology = cluster.topology_among(group.ranks);
  IdArray<Side, double, kSides> share{1, 1, 1};
  IdArray<Side, Limit::Of, kSides> of{};
  NodeSums sums;
  const Algorithm algorithm = pattern.algorithm;
  if (reduces_in_node(algorithm)) {
    sums = node_sums(topology, group.per_node());
    share[Side::Node] = sums.share;
    of[Side::Node] = sums.is_capped ? Limit::Of::Cap : Limit::Of::Sums;
  }
  if (algorithm == Algorithm::NvlsTree && topology.nccl_tuning) {
    share[Side::Network] = topology.head_share > 0 ? topology.head_share : kTreeNetworkShare;
  } else if (algorithm == Algorithm::Sharp || algorithm == Algorithm::NvlsSharp) {
    share[Side::Network] = topology.fabric_reduction_efficiency;
    of[Side::Network] =
        topology.fabric_reduction_efficiency < 1 ? Limit::Of::Sums : Limit::Of::Link;
  }
  double free = std::numeric_limits<double>::infinity();
  double held = free;
  for (const LinkLoad& load : pattern.loads) {
    const Link& link = cluster.topology.link(load.link);
    const Side side = side_of(link.kind);
    const double rate = link.bandwidth.value / load.weight;
    free = std::min(free, rate);
    if (rate * share[side] < held) {
      held = rate * share[side];
      pattern.limit = {of[side], load.link,
                       of[side] == Limit::Of::Link ? link.bandwidth : link.bandwidth * share[side]};
    }
  }
  if (pattern.limit.of == Limit::Of::Cap) {
    pattern.limit.rate = topology.scale_up_bandwidth * topology.scale_up_reduction_cap_share;
  }
  pattern.inflation = reduces_in_switches(algorithm) ? free / held : 1;
}

}  // namespace

std::vector<Pattern> steady_patterns(const Cluster& cluster, const Group& group,
                                     Algorithm algorithm, CollectiveOp op) {
  std::vector<Pattern> patterns;
  for (const Phase& phase : row_of(algorithm).phases(op, group)) {
    Pattern pattern{
        .algorithm = algorithm, .ranks = group.ranks, .parts = phase.parts, .count = phase.count};
    PhaseRouter(cluster, group, phase, pattern).add();
    set_limit(cluster, group, pattern);
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

Pattern ring_pattern(const Cluster& cluster, const Group& group) {
  return steady_patterns(cluster, group, Algorithm::Ring, CollectiveOp::AllReduce).front();
}

Pattern ring_pattern(const Cluster& cluster, std::span<const int> ranks) {
  return ring_pattern(cluster, make_group(cluster, ranks));
}

Pattern phase_pattern(const Cluster& cluster, const Group& group, const Phase& phase) {
  Pattern pattern{.algorithm = Algorithm::Direct, .ranks = group.ranks};
  PhaseRouter(cluster, group, phase, pattern).add();
  set_limit(cluster, group, pattern);
  return pattern;
}

std::string describe(const Cluster& cluster, const Limit& limit) {
  const LinkKind kind = cluster.topology.link(limit.link).kind;
  const std::string_view where = kind == LinkKind::ScaleUp ? "NVSwitch" : "network switches";
  switch (limit.of) {
    case Limit::Of::Link:
      return fmt::format("{} {}", name_of(kind), to_text(limit.rate));
    case Limit::Of::Sums:
      return fmt::format("sums in {} {}", where, to_text(limit.rate));
    case Limit::Of::Cap:
      return fmt::format("sums in {}, capped at {}", where, to_text(limit.rate));
  }
  return "";
}

Pattern host_pattern(const Cluster& cluster, int gpu, bool to_host) {
  Pattern pattern{.algorithm = Algorithm::Direct, .ranks = {gpu}};
  Route route;
  cluster.inside.append_host(gpu, to_host, route);
  std::sort(route.begin(), route.end());
  for (const LinkId link : route) {
    pattern.loads.push_back({link, 1});
    pattern.local_latency += cluster.topology.link(link).latency;
  }
  set_limit(cluster, {.ranks = {gpu}}, pattern);
  return pattern;
}

Pattern transfer_pattern(const Cluster& cluster, int from, int to) {
  return phase_pattern(cluster, {.ranks = {from, to}}, {.streams = {{0, 1, 1, 0}}});
}

}  // namespace danlu
