#include "sim/fold/implied_links.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace danlu {
namespace {

constexpr std::size_t kMostGuards = 1024;  // at a vertex; where more meet, no link is dropped
constexpr double kRounding = 1 + 1e-12;
constexpr double kNothing = 1e-12;  // of a weight
constexpr double kAny = std::numeric_limits<double>::infinity();

/// A pattern on a link.
struct Crossing {
  PatternId pattern{};
  int weight = 1;
};

class Search {
 public:
  Search(const StepPatterns& step, const Cluster& cluster)
      : step_(step),
        topology_(cluster.topology),
        cluster_(cluster),
        implied_(step.links.size(), false),
        open_(step.keys.size(), 0) {
    const std::size_t vertices = topology_.vertices().size();
    into_.resize(vertices);
    out_of_.resize(vertices);
    for (const LoadedLinkId l : step.links.ids()) {
      into_[link(l).to].push_back(l);
      out_of_[link(l).from].push_back(l);
    }
    crossings_ = Lists<LoadedLinkId, Crossing>::sorted(step.links.size(), [&](const auto& put) {
      for (const PatternId pattern : step.patterns()) {
        for (const Load& load : step.loads.of(pattern)) {
          put(load.link, {pattern, load.weight});
        }
      }
    });
  }

  IdVector<LoadedLinkId, bool> run() {
    std::vector<LoadedLinkId> widest_first;
    for (const LoadedLinkId l : step_.links.ids()) {
      widest_first.push_back(l);
    }
    std::stable_sort(widest_first.begin(), widest_first.end(),
                     [&](LoadedLinkId a, LoadedLinkId b) { return capacity(a) > capacity(b); });
    for (const LoadedLinkId l : widest_first) {
      const bool flaps = cluster_.flaps.contains(step_.links[l]);  // it will be full while it does
      implied_[l] =
          !flaps && (is_implied(l, out_of_[link(l).to]) || is_implied(l, into_[link(l).from]));
    }
    return std::move(implied_);
  }

 private:
  const Link& link(LoadedLinkId l) const { return topology_.link(step_.links[l]); }
  double capacity(LoadedLinkId l) const { return link(l).bandwidth.value; }

  /// Whether guards among `candidates` leave `l` room for all its patterns: each of them standing
  /// for what it carries at most, or for more than that.
  bool is_implied(LoadedLinkId l, const std::vector<LoadedLinkId>& candidates) {
    return candidates.size() <= kMostGuards &&
           (most_on(l, candidates, 1) <= capacity(l) * kRounding ||
            most_on(l, candidates, kAny) <= capacity(l) * kRounding);
  }

  /// What the guards allow on `l`; infinite where they do not stand for all of it.
  double most_on(LoadedLinkId l, const std::vector<LoadedLinkId>& candidates, double most_share) {
    for (const Crossing& crossing : crossings_.of(l)) {
      open_[crossing.pattern] = crossing.weight;
    }
    std::size_t left = crossings_.of(l).size();
    double most = 0;
    for (std::size_t i = 0; i < candidates.size() && left > 0; ++i) {
      const LoadedLinkId guard = candidates[i];
      const bool back = link(guard).from == link(l).to && link(guard).to == link(l).from;
      if (guard != l && !back && !implied_[guard] && capacity(guard) <= capacity(l)) {
        most += capacity(guard) * take_over(guard, most_share, left);
      }
    }
    for (const Crossing& crossing : crossings_.of(l)) {
      open_[crossing.pattern] = 0;
    }
    return left == 0 ? most : kAny;
  }

  /// Lets `guard` stand for what is open of the patterns that cross it; returns its share.
  double take_over(LoadedLinkId guard, double most_share, std::size_t& left) {
    double share = 0;
    for (const Crossing& crossing : crossings_.of(guard)) {
      share = std::max(share, open_[crossing.pattern] / static_cast<double>(crossing.weight));
    }
    share = std::min(share, most_share);
    for (const Crossing& crossing : crossings_.of(guard)) {
      double& weight = open_[crossing.pattern];
      if (weight > 0) {
        weight -= share * crossing.weight;
        if (weight <= kNothing) {
          weight = 0;
          --left;
        }
      }
    }
    return share;
  }

  const StepPatterns& step_;
  const Topology& topology_;
  const Cluster& cluster_;
  IdVector<LoadedLinkId, bool> implied_;
  IdVector<PatternId, double> open_;  // of its weight on the link in question, what has no guard
  IdVector<VertexId, std::vector<LoadedLinkId>> into_, out_of_;
  Lists<LoadedLinkId, Crossing> crossings_;
};

}  // namespace

IdVector<LoadedLinkId, bool> implied_links(const StepPatterns& step, const Cluster& cluster) {
  return Search(step, cluster).run();
}

}  // namespace danlu
