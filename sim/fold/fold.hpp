// Folding: which ranks have the same timeline, and the small max-min system that gives it exactly.
//
// Ranks, communication patterns and links are coloured (refine.hpp), and colours are refined until
// they no longer split: two ranks keep the same colour only if they run the same program at the
// same speed and take part in patterns of the same colours, two patterns only if their ranks and
// the links they load agree, two links only if their capacity and the patterns crossing them agree.
// That partition is equitable, so by symmetry the members of a class do the same at the same time,
// and one of each is played. With W(F, l) the number of times all patterns of class F together
// cross link l, a max-min share of the full system is one of the small system in which F's one flow
// crosses l with weight W(F, l):
//
//   four flows over one uplink of capacity c      sum of 4 rates <= c      4 x rate(F) <= c
//
// Links with equal capacity and weights give the same inequality and become one; links whose
// inequality follows from others' are dropped before (implied_links.hpp).
//
// FoldMode::Bound folds coarsely, by stage, and gives an upper bound. A pattern's max-min rate is
// never below its guaranteed rate, the least of capacity / (its weight and those of all other
// groups) over its links: on the link that limits a flow no other flow is faster, so capacity <=
// rate x weights of the flows there, and a group has at most one flow at a time, at most of its
// heaviest pattern's weight. Every communication of a class therefore takes its worst member's
// latency and guaranteed rate, every stage computes each stretch of kernels as slowly as its
// slowest kind of rank (one that throttles as if it were always hot), and each of these durations
// is at least the true one. A task starts when all that it waits for has ended; by induction along
// the graph nothing ends before its true time.
#pragma once

#include <optional>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/fold/step_patterns.hpp"

namespace danlu {

/// A link of the small system: its capacity, and a link of the cluster that it stands for.
struct FoldedLink {
  BytesPerSecond capacity;
  LinkId representative{};
};
struct FoldedLoad {
  FoldedLinkId link{};
  int weight = 1;
  bool operator==(const FoldedLoad&) const = default;
};

/// A pattern of a group, and the rates of each of its streams.
struct CarriedPattern {
  PatternKey key;
  Pattern pattern;
  PatternClassId pattern_class{};
  BytesPerSecond alone;       // in an otherwise empty cluster
  BytesPerSecond guaranteed;  // while all groups of the step communicate
};

/// Groups of one class that carry out their communications alike, with equal latencies and equal
/// bytes in every stream; the slowest one's rates.
struct GroupShape {
  Group group;     // one of them
  GroupPlan plan;  // empty for a transfer
  std::vector<CarriedPattern> patterns;
};

/// A class of groups, played as one.
struct GroupClass {
  GroupSort sort;
  std::vector<RankClassId> rank_classes;  // taking part; sender then receiver
  std::vector<GroupShape> shapes;         // one, but in a coarse fold
  bool is_private = true;  // no other class loads its links, so its rates are what it gets
  bool is_alone = true;    // no other group at all loads its links
  bool flaps = false;      // a link that it loads does
};

/// A class of patterns, played as one flow.
struct PatternClass {
  GroupClassId group{};
  std::vector<FoldedLoad> loads;
  BytesPerSecond rate;  // of each stream when no other class runs
};

/// A class of ranks, played as one.
struct RankClass {
  RankId representative{};
  int stage = 0;
  int members = 1;
  std::vector<GpuSpeed> speeds{};  // of its members: the slowest at each kernel counts
  std::optional<Throttle> throttle{};
  bool jitters = false;  // then it has one member, the representative
};

/// Links of one kind and capacity that the same classes cross equally often.
struct LinkClass {
  struct Crossing {
    PatternClassId pattern{};
    int weight = 1;  // all its members together
  };
  std::vector<LinkId> links{};
  std::vector<Crossing> crossings{};
};

struct Fold {
  IdVector<RankClassId, RankClass> rank_classes;
  IdVector<RankId, RankClassId> class_of_rank;
  IdVector<GroupClassId, GroupClass> groups;
  IdVector<PatternClassId, PatternClass> patterns;
  IdVector<FoldedLinkId, FoldedLink> links;       // those that can limit a flow
  IdVector<LinkClassId, LinkClass> link_classes;  // all that carry anything
  bool exact = true;                              // false for a bound that may be above the truth
};

Fold fold(const Workload& workload, const StepProgram& program, const Cluster& cluster);

}  // namespace danlu
