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

/// How often a class crosses a link.
struct ClassWeight {
  PatternClassId pattern{};
  int weight = 0;
  auto operator<=>(const ClassWeight&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// What a class of links says of rates: sum over `row` of weight x rate <= capacity.
struct Inequality {
  std::vector<ClassWeight> row;  // by class, ascending
  LinkId representative{};
  double capacity = 0;
  bool flaps = false;

  /// The rate of the row's only class if this were its only limit.
  double own_limit() const { return capacity / row.front().weight; }
};

/// That of every class. `pattern_classes` and `link_classes` give the class of every pattern and
/// link of `step`; links of a class are crossed alike.
IdVector<LinkClassId, Inequality> inequalities(
    const Cluster& cluster, const StepPatterns& step,
    const IdVector<PatternId, PatternClassId>& pattern_classes,
    const IdVector<LoadedLinkId, LinkClassId>& link_classes);

/// The links, and by class of patterns which of them its flow crosses, how often.
struct FoldedLinks {
  IdVector<FoldedLinkId, FoldedLink> links;
  IdVector<PatternClassId, std::vector<FoldedLoad>> loads;
};

/// Of classes as for `inequalities`.
FoldedLinks folded_links(const Cluster& cluster, const StepPatterns& step,
                         const IdVector<PatternId, PatternClassId>& pattern_classes,
                         const IdVector<LoadedLinkId, LinkClassId>& link_classes);

/// All links of `step` by what crosses them, for reports.
IdVector<LinkClassId, LinkClass> link_classes(
    const Cluster& cluster, const StepPatterns& step,
    const IdVector<PatternId, PatternClassId>& pattern_classes);

}  // namespace danlu
