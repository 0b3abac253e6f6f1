// The small max-min system of a fold: one inequality for each class of links, fewer where several
// say the same or one follows from another.
//
//   link class     sum over classes F of  W(F, l) rate(F)  <=  capacity
//
// A common divisor of all weights divides the capacity instead, equal inequalities become one, and
// of those with only one class in them its tightest stay.
#pragma once

#include <vector>

#include "sim/fold/fold.hpp"

namespace danlu {

/// The links, and by class of patterns which of them its flow crosses, how often.
struct FoldedLinks {
  IdVector<FoldedLinkId, FoldedLink> links;
  IdVector<PatternClassId, std::vector<FoldedLoad>> loads;
};

/// `pattern_classes` and `link_classes` give the class of every pattern and link of `step`; links
/// of a class are crossed alike.
FoldedLinks folded_links(const Cluster& cluster, const StepPatterns& step,
                         const IdVector<PatternId, PatternClassId>& pattern_classes,
                         const IdVector<LoadedLinkId, LinkClassId>& link_classes);

/// All links of `step` by what crosses them, for reports.
IdVector<LinkClassId, LinkClass> link_classes(
    const Cluster& cluster, const StepPatterns& step,
    const IdVector<PatternId, PatternClassId>& pattern_classes);

}  // namespace danlu
