// Colour refinement: the coarsest equitable partition of ranks, patterns and links that is finer
// than the colours they start with.
//
//   rank  --takes part in-->  pattern  --loads, so often-->  link
//
// Each round gives everything a new colour made of its old one and the multiset of its neighbours'
// colours; the rounds end when no class splits any more. A multiset is hashed as the sum of its
// members' hashes, so nothing is sorted and a round costs one pass over the loads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "sim/base/id_vector.hpp"
#include "sim/fold/step_patterns.hpp"

namespace danlu {

/// A colour for each, which is the class that it is in: 0, 1, 2, ... in order of first appearance.
struct Colours {
  IdVector<RankId, RankClassId> ranks;
  IdVector<PatternId, PatternClassId> patterns;
  IdVector<LoadedLinkId, LinkClassId> links;
};

/// What tells links apart from the beginning: capacity, and when they flap.
std::uint64_t first_colour(const Cluster& cluster, LinkId link);

/// `ranks` are the ranks' first colours; patterns start with their shapes, links with first_colour.
Colours refine(const StepPatterns& step, const Cluster& cluster,
               IdVector<RankId, RankClassId> ranks);

/// Equal hashes as equal colours.
template <typename Colour, typename Id>
IdVector<Id, Colour> colours_of(const IdVector<Id, std::uint64_t>& hashes) {
  std::unordered_map<std::uint64_t, Colour> known;
  IdVector<Id, Colour> colours(hashes.size());
  for (const Id id : hashes.ids()) {
    colours[id] = known.try_emplace(hashes[id], make_id<Colour>(known.size())).first->second;
  }
  return colours;
}

/// How many colours there are.
template <typename Colour, typename Id>
std::size_t count_colours(const IdVector<Id, Colour>& colours) {
  return colours.empty() ? 0 : index(*std::max_element(colours.begin(), colours.end())) + 1;
}

/// Each a colour of its own.
template <typename Colour, typename Id>
IdVector<Id, Colour> all_different(IdRange<Id> ids) {
  IdVector<Id, Colour> colours;
  for (const Id id : ids) {
    colours.push_back(make_id<Colour>(index(id)));
  }
  return colours;
}

}  // namespace danlu
