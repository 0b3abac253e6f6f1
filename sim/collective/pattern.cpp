#include "sim/collective/pattern.hpp"

#include <algorithm>
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
  int gpu(int position) const { return group_.ranks[static_cast<std::size_t>(position)]; }
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

/// Rate of a stream if only NVLink ports, or only the rest, were in its way.
BytesPerSecond limit(const Cluster& cluster, const Pattern& pattern, bool scale_up) {
  double rate = std::numeric_limits<double>::infinity();
  for (const LinkLoad& load : pattern.loads) {
    const Link& link = cluster.topology.link(load.link);
    if ((link.kind == LinkKind::ScaleUp) == scale_up) {
      rate = std::min(rate, link.bandwidth.value / load.weight);
    }
  }
  return {rate};
}

/// Sums made by switches fall short of what the links achieve otherwise: more bytes on the links
/// stand for that.
double inflation(const Cluster& cluster, const Group& group, const Pattern& pattern) {
  const TopologySpec& topology = cluster.topology_among(group.ranks);
  const double ranks = group.per_node();
  const BytesPerSecond in_node = limit(cluster, pattern, true);
  const BytesPerSecond between = limit(cluster, pattern, false);
  double achieved = topology.scale_up_reduction_efficiency / topology.scale_up_efficiency;
  if (topology.scale_up_reduction_cap >
      BytesPerSecond{}) {  // a bus rate: 2(n-1)/(n+1) of the port's
    const double port = topology.scale_up_reduction_cap.value * (ranks + 1) / (2 * (ranks - 1));
    achieved = std::min(achieved,
                        port / (topology.scale_up_bandwidth * topology.scale_up_efficiency).value);
  }
  switch (pattern.algorithm) {
    case Algorithm::Nvls:
      return 1 / achieved;
    case Algorithm::NvlsTree:
      return std::min(in_node, between) /
             std::min(in_node * achieved, between * (topology.nccl_tuning ? kTreeNetworkShare : 1));
    case Algorithm::Sharp:
      return 1 / topology.fabric_reduction_efficiency;
    default:
      return 1;
  }
}

}  // namespace

std::vector<Pattern> steady_patterns(const Cluster& cluster, const Group& group,
                                     Algorithm algorithm, CollectiveOp op) {
  std::vector<Pattern> patterns;
  for (const Phase& phase : row_of(algorithm).phases(op, group)) {
    Pattern pattern{
        .algorithm = algorithm, .ranks = group.ranks, .parts = phase.parts, .count = phase.count};
    PhaseRouter(cluster, group, phase, pattern).add();
    pattern.inflation = inflation(cluster, group, pattern);
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
  return pattern;
}

Pattern transfer_pattern(const Cluster& cluster, int from, int to) {
  return phase_pattern(cluster, {.ranks = {from, to}}, {.streams = {{0, 1, 1, 0}}});
}

}  // namespace danlu
