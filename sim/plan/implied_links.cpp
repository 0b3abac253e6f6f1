#include "sim/plan/implied_links.hpp"

#include <algorithm>
#include <numeric>

namespace danlu {
namespace {

constexpr std::size_t kMostGuards = 1024;  // at a vertex; where more meet, no link is dropped
constexpr double kRounding = 1 + 1e-12;

/// A pattern on a link.
struct Crossing {
  int pattern = 0;
  int weight = 1;
};

class Search {
 public:
  Search(const StepPatterns& step, const Cluster& cluster)
      : step_(step),
        topology_(cluster.topology),
        cluster_(cluster),
        implied_(step.links.size(), false),
        open_(step.size(), 0) {
    const std::size_t vertices = topology_.vertices().size();
    into_.resize(vertices);
    out_of_.resize(vertices);
    for (std::size_t l = 0; l < step.links.size(); ++l) {
      into_[index(link(l).to)].push_back(static_cast<int>(l));
      out_of_[index(link(l).from)].push_back(static_cast<int>(l));
    }
    collect_crossings();
  }

  std::vector<bool> run() {
    std::vector<int> widest_first(step_.links.size());
    std::iota(widest_first.begin(), widest_first.end(), 0);
    std::stable_sort(widest_first.begin(), widest_first.end(), [&](int a, int b) {
      return capacity(static_cast<std::size_t>(a)) > capacity(static_cast<std::size_t>(b));
    });
    for (const int number : widest_first) {
      const auto l = static_cast<std::size_t>(number);
      const bool flaps = cluster_.flaps.contains(step_.links[l]);  // it will be full while it does
      implied_[l] = !flaps && (is_implied(l, out_of_[index(link(l).to)]) ||
                               is_implied(l, into_[index(link(l).from)]));
    }
    return std::move(implied_);
  }

 private:
  const Link& link(std::size_t l) const { return topology_.link(step_.links[l]); }
  double capacity(std::size_t l) const { return link(l).bandwidth.value; }

  void collect_crossings() {
    offsets_.assign(step_.links.size() + 1, 0);
    for (const Load& load : step_.loads.all()) {
      ++offsets_[static_cast<std::size_t>(load.link) + 1];
    }
    std::partial_sum(offsets_.begin(), offsets_.end(), offsets_.begin());
    crossings_.resize(step_.loads.all().size());
    std::vector<std::size_t> next(offsets_.begin(), offsets_.end() - 1);
    for (std::size_t i = 0; i < step_.size(); ++i) {
      for (const Load& load : step_.loads.of(i)) {
        crossings_[next[static_cast<std::size_t>(load.link)]++] = {static_cast<int>(i),
                                                                   load.weight};
      }
    }
  }
  std::span<const Crossing> crossings(std::size_t l) const {
    return std::span(crossings_).subspan(offsets_[l], offsets_[l + 1] - offsets_[l]);
  }

  /// Whether guards among `candidates` leave `l` room for all its patterns.
  bool is_implied(std::size_t l, const std::vector<int>& candidates) {
    if (candidates.size() > kMostGuards) {
      return false;
    }
    for (const Crossing& crossing : crossings(l)) {
      open_[static_cast<std::size_t>(crossing.pattern)] = crossing.weight;
    }
    std::size_t left = crossings(l).size();
    double most = 0;
    for (std::size_t i = 0; i < candidates.size() && left > 0; ++i) {
      const auto guard = static_cast<std::size_t>(candidates[i]);
      if (guard != l && !implied_[guard] && capacity(guard) <= capacity(l)) {
        most += capacity(guard) * take_over(guard, left);
      }
    }
    for (const Crossing& crossing : crossings(l)) {
      open_[static_cast<std::size_t>(crossing.pattern)] = 0;
    }
    return left == 0 && most <= capacity(l) * kRounding;
  }

  /// Lets `guard` stand for those of the open patterns that cross it; returns the largest ratio of
  /// their weights.
  double take_over(std::size_t guard, std::size_t& left) {
    double ratio = 0;
    for (const Crossing& crossing : crossings(guard)) {
      int& weight = open_[static_cast<std::size_t>(crossing.pattern)];
      if (weight > 0) {
        ratio = std::max(ratio, static_cast<double>(weight) / crossing.weight);
        weight = 0;
        --left;
      }
    }
    return ratio;
  }

  const StepPatterns& step_;
  const Topology& topology_;
  const Cluster& cluster_;
  std::vector<bool> implied_;
  std::vector<int> open_;  // by pattern: its weight on the link in question, until it has a guard
  std::vector<std::vector<int>> into_, out_of_;  // by vertex: links
  std::vector<std::size_t> offsets_;             // by link: its first crossing
  std::vector<Crossing> crossings_;
};

}  // namespace

std::vector<bool> implied_links(const StepPatterns& step, const Cluster& cluster) {
  return Search(step, cluster).run();
}

}  // namespace danlu
