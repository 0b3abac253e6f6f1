#include "sim/fold/refine.hpp"

#include <vector>

#include "sim/fold/hash.hpp"

namespace danlu {
namespace {

template <typename Id>
using Hashes = IdVector<Id, std::uint64_t>;

/// Starts a round: every hash is made of the old colour.
template <typename Id, typename Colour>
void start(const IdVector<Id, Colour>& colours, Hashes<Id>& hashes) {
  hashes.resize(colours.size());
  for (const Id id : colours.ids()) {
    hashes[id] = mix(0, colours[id]);
  }
}

/// The two ranks of a message differ, a collective's are alike.
int role_of(bool is_directed, std::size_t position) {
  return is_directed ? static_cast<int>(position) : 0;
}

class Refinement {
 public:
  Refinement(const StepPatterns& step, const Cluster& cluster, IdVector<RankId, RankClassId> ranks)
      : step_(step) {
    colours_.ranks = std::move(ranks);
    colours_.patterns = colours_of<PatternClassId>(step.shapes);
    for (const LinkId link : step.links) {
      links_.push_back(first_colour(cluster, link));
    }
    colours_.links = colours_of<LinkClassId>(links_);
  }

  Colours run() {
    for (std::size_t before = 0, now = count(); now != before; now = count()) {
      before = now;
      refine_patterns();
      refine_links();
      refine_ranks();
    }
    return std::move(colours_);
  }

 private:
  std::size_t count() const {
    return count_colours(colours_.ranks) + count_colours(colours_.patterns) +
           count_colours(colours_.links);
  }

  void refine_patterns() {
    start(colours_.patterns, patterns_);
    for (const PatternId i : step_.patterns()) {
      std::uint64_t sum = 0;
      for (const Load& load : step_.loads.of(i)) {
        sum += mix(mix(1, colours_.links[load.link]), load.weight);
      }
      const auto ranks = step_.ranks.of(i);
      for (std::size_t at = 0; at < ranks.size(); ++at) {
        sum += mix(mix(2, colours_.ranks[ranks[at]]), role_of(step_.is_directed(i), at));
      }
      patterns_[i] = mix(patterns_[i], sum);
    }
    colours_.patterns = colours_of<PatternClassId>(patterns_);
  }

  void refine_links() {
    start(colours_.links, links_);
    for (const PatternId i : step_.patterns()) {
      const std::uint64_t colour = mix(3, colours_.patterns[i]);
      for (const Load& load : step_.loads.of(i)) {
        links_[load.link] += mix(colour, load.weight);
      }
    }
    colours_.links = colours_of<LinkClassId>(links_);
  }

  void refine_ranks() {
    start(colours_.ranks, ranks_);
    for (const PatternId i : step_.patterns()) {
      const std::uint64_t colour = mix(4, colours_.patterns[i]);
      const auto ranks = step_.ranks.of(i);
      for (std::size_t at = 0; at < ranks.size(); ++at) {
        ranks_[ranks[at]] += mix(colour, role_of(step_.is_directed(i), at));
      }
    }
    colours_.ranks = colours_of<RankClassId>(ranks_);
  }

  const StepPatterns& step_;
  Colours colours_;
  Hashes<RankId> ranks_;
  Hashes<PatternId> patterns_;
  Hashes<LoadedLinkId> links_;
};

}  // namespace

std::uint64_t first_colour(const Cluster& cluster, LinkId link) {
  std::uint64_t hash = mix(0, cluster.topology.link(link).bandwidth.value);
  if (cluster.flaps.contains(link)) {
    for (const ShareChange& change : share_changes(cluster.flaps_of(link))) {
      hash = mix(mix(hash, change.time.value), change.share);
    }
  }
  return hash;
}

Colours refine(const StepPatterns& step, const Cluster& cluster,
               IdVector<RankId, RankClassId> ranks) {
  return Refinement(step, cluster, std::move(ranks)).run();
}

}  // namespace danlu
