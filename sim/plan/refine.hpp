// Colour refinement: the coarsest equitable partition of ranks, patterns and links that is finer
// than the colours they start with.
//
//   rank  --takes part in-->  pattern  --loads, so often-->  link
//
// Each round gives everything a new colour made of its old one and the multiset of its neighbours'
// colours; the rounds end when no class splits any more. A multiset is hashed as the sum of its
// members' hashes, so nothing is sorted and a round costs one pass over the loads.
#pragma once

#include <vector>

#include "sim/plan/step_patterns.hpp"

namespace danlu {

/// A colour for each: 0, 1, 2, ... in order of first appearance.
struct Colours {
  std::vector<int> ranks, patterns, links;
};

/// What tells links apart from the beginning: capacity, and when they flap.
std::uint64_t first_colour(const Cluster& cluster, LinkId link);

/// `ranks` are the ranks' first colours; patterns start with their shapes, links with first_colour.
Colours refine(const StepPatterns& step, const Cluster& cluster, std::vector<int> ranks);

/// Equal hashes as equal colours.
std::vector<int> colours_of(const std::vector<std::uint64_t>& hashes);
/// How many colours there are.
int count_colours(const std::vector<int>& colours);

}  // namespace danlu
