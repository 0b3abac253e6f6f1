// Folding: which ranks have the same timeline, and the small max-min system that gives it exactly.
//
// Ranks, communication patterns and links are coloured, and colours are refined until they no
// longer split: two ranks keep the same colour only if they run the same program and take part in
// patterns of the same colours, two patterns only if their ranks and the links they load agree,
// two links only if their capacity and the patterns crossing them agree. That partition is
// equitable, so by symmetry the members of a class do the same at the same time, and one of each
// is played. With W(F, l) the number of times all patterns of class F together cross link l, a
// max-min share of the full system is one of the small system in which F's one flow crosses l with
// weight W(F, l):
//
//   four flows over one uplink of capacity c      sum of 4 rates <= c      4 x rate(F) <= c
//
// Links with equal capacity and weights give the same inequality and become one.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/collective/pattern.hpp"
#include "sim/workload/rank_layout.hpp"

namespace danlu {

enum class PatternKind { Tensor, Data, Embedding, SendForward, SendBackward };

/// All communication patterns of a step.
struct StepPatterns {
  std::vector<PatternKind> kinds;
  std::vector<Pattern> patterns;
};
StepPatterns step_patterns(const Workload& workload, const Cluster& cluster,
                           const RankLayout& layout);

/// A link of the small system: its capacity, and a link of the cluster that it stands for.
struct FoldedLink {
  BytesPerSecond capacity;
  LinkId representative{};
  int members = 1;
};
struct FoldedLoad {
  int link = 0;  // of Fold::links
  int weight = 1;
};

/// A class of patterns, played as one.
struct PatternClass {
  PatternKind kind = PatternKind::Tensor;
  Pattern representative;
  std::vector<int> units;  // classes of ranks taking part; sender then receiver
  std::vector<FoldedLoad> loads;
  bool is_private = true;     // no other class loads its links, so its rate is known
  BytesPerSecond alone_rate;  // of each stream when nothing else runs
};

/// A class of ranks, played as one.
struct RankClass {
  int representative = 0;
  int stage = 0;
  int members = 1;
};

struct Fold {
  std::vector<RankClass> units;
  std::vector<int> unit_of_rank;
  std::vector<PatternClass> patterns;
  std::vector<FoldedLink> links;
  bool exact = true;  // false for FoldMode::Bound when the coarse classes are not equitable
};

Fold fold(const Workload& workload, const Cluster& cluster, const RankLayout& layout);

}  // namespace danlu
