#include "sim/plan/refine.hpp"

#include <algorithm>
#include <unordered_map>

#include "sim/plan/hash.hpp"

namespace danlu {
namespace {

using Hashes = std::vector<std::uint64_t>;

/// Starts a round: every hash is made of the old colour.
void start(const std::vector<int>& colours, Hashes& hashes) {
  hashes.resize(colours.size());
  std::transform(colours.begin(), colours.end(), hashes.begin(),
                 [](int colour) { return mix(0, colour); });
}

/// The two ranks of a message differ, a collective's are alike.
int role_of(bool is_directed, std::size_t position) {
  return is_directed ? static_cast<int>(position) : 0;
}

class Refinement {
 public:
  Refinement(const StepPatterns& step, const Cluster& cluster, std::vector<int> ranks)
      : step_(step) {
    colours_.ranks = std::move(ranks);
    colours_.patterns = colours_of(step.shapes);
    for (const LinkId link : step.links) {
      links_.push_back(first_colour(cluster, link));
    }
    colours_.links = colours_of(links_);
  }

  Colours run() {
    for (int before = 0, now = count(); now != before; now = count()) {
      before = now;
      refine_patterns();
      refine_links();
      refine_ranks();
    }
    return std::move(colours_);
  }

 private:
  int count() const {
    return count_colours(colours_.ranks) + count_colours(colours_.patterns) +
           count_colours(colours_.links);
  }

  void refine_patterns() {
    start(colours_.patterns, patterns_);
    for (std::size_t i = 0; i < step_.size(); ++i) {
      std::uint64_t sum = 0;
      for (const Load& load : step_.loads.of(i)) {
        sum += mix(mix(1, colours_.links[static_cast<std::size_t>(load.link)]), load.weight);
      }
      const auto ranks = step_.ranks.of(i);
      for (std::size_t at = 0; at < ranks.size(); ++at) {
        sum += mix(mix(2, colours_.ranks[static_cast<std::size_t>(ranks[at])]),
                   role_of(step_.is_directed(i), at));
      }
      patterns_[i] = mix(patterns_[i], sum);
    }
    colours_.patterns = colours_of(patterns_);
  }

  void refine_links() {
    start(colours_.links, links_);
    for (std::size_t i = 0; i < step_.size(); ++i) {
      const std::uint64_t colour = mix(3, colours_.patterns[i]);
      for (const Load& load : step_.loads.of(i)) {
        links_[static_cast<std::size_t>(load.link)] += mix(colour, load.weight);
      }
    }
    colours_.links = colours_of(links_);
  }

  void refine_ranks() {
    start(colours_.ranks, ranks_);
    for (std::size_t i = 0; i < step_.size(); ++i) {
      const std::uint64_t colour = mix(4, colours_.patterns[i]);
      const auto ranks = step_.ranks.of(i);
      for (std::size_t at = 0; at < ranks.size(); ++at) {
        ranks_[static_cast<std::size_t>(ranks[at])] +=
            mix(colour, role_of(step_.is_directed(i), at));
      }
    }
    colours_.ranks = colours_of(ranks_);
  }

  const StepPatterns& step_;
  Colours colours_;
  Hashes ranks_, patterns_, links_;
};

}  // namespace

std::uint64_t first_colour(const Cluster& cluster, LinkId link) {
  std::uint64_t hash = mix(0, cluster.topology.link(link).bandwidth.value);
  for (const ShareChange& change : share_changes(cluster.flaps_of(link))) {
    hash = mix(mix(hash, change.time.value), change.share);
  }
  return hash;
}

Colours refine(const StepPatterns& step, const Cluster& cluster, std::vector<int> ranks) {
  return Refinement(step, cluster, std::move(ranks)).run();
}

std::vector<int> colours_of(const std::vector<std::uint64_t>& hashes) {
  std::unordered_map<std::uint64_t, int> numbers;
  std::vector<int> colours(hashes.size());
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    colours[i] = numbers.try_emplace(hashes[i], static_cast<int>(numbers.size())).first->second;
  }
  return colours;
}

int count_colours(const std::vector<int>& colours) {
  return colours.empty() ? 0 : *std::max_element(colours.begin(), colours.end()) + 1;
}

}  // namespace danlu
