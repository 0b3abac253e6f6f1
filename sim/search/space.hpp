// The plans that a search may choose from: all combinations of the axes' values that danlu's own
// checks let run. A plan is what the command line would make of the scenario with its settings:
//
//   plan  <->  --set parallelism.tensor=4 --set training.schedule.chunks=6  <->  Workload
//
// A key that has no effect in a plan (sequence parallelism without tensor ranks) keeps what the
// scenario says, so that no two plans differ in nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/search/axes.hpp"

namespace danlu {

/// By axis the place of its value, or kOwn: what the scenario says, or what follows.
struct SearchPlan {
  static constexpr std::int8_t kOwn = -1;
  std::vector<std::int8_t> at;
  auto operator<=>(const SearchPlan&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// One class, since plans are made of workloads that are kept: values that others follow from are
/// read once for all plans that share them.
class SearchSpace {
 public:
  SearchSpace(const Variants& variants, std::vector<SearchAxis> axes);

  const Variants& variants() const { return variants_; }
  const std::vector<SearchAxis>& axes() const { return axes_; }
  /// The scenario as it stands.
  SearchPlan own_plan() const;
  /// Every plan that can run, with the scenario's own overlaps, in order of their values.
  std::vector<SearchPlan> legal_plans();
  /// The plan with every combination of overlaps that differs, in order. What runs beside what
  /// makes no difference to whether a plan can run, nor to its memory, but for passes side by side
  /// (overlap.pair), which are no overlap here.
  std::vector<SearchPlan> with_overlaps(const SearchPlan& plan);
  /// The plan with what has no effect, and what the scenario says anyway, as the scenario has it.
  SearchPlan plain(SearchPlan plan);
  /// What the plan trains; for can_run() to judge.
  Workload workload(const SearchPlan& plan);
  bool can_run(const Workload& workload) const;
  /// What of it the command line has to say.
  std::vector<KeyValue> settings(const SearchPlan& plan);
  /// Whether the same stands at every axis, or nothing that has an effect.
  bool same(const SearchPlan& a, const SearchPlan& b);
  /// What stands at an axis, as a file would have it; "-" where it has no effect.
  std::string text(const SearchPlan& plan, std::size_t axis);

 private:
  struct AxisKey {
    PlanKey key;
    bool is_number = false;              // nothing but data follows from it
    bool is_overlap = false;             // of with_overlaps()
    std::vector<int> numbers{};          // its values then
    std::int8_t own = SearchPlan::kOwn;  // the place of the scenario's value, if it says one
  };
  const Workload& base(std::vector<std::int8_t> words);
  void put_numbers(const SearchPlan& plan, Workload& workload) const;
  void add_plans(std::size_t axis, SearchPlan& plan, std::vector<SearchPlan>& found);
  void add_numbers(std::size_t axis, SearchPlan& plan, const Workload& made,
                   std::vector<SearchPlan>& found);

  const Variants& variants_;
  std::vector<SearchAxis> axes_;
  std::vector<AxisKey> keys_;
  std::map<std::vector<std::int8_t>, Workload> bases_;  // by the plan without its numbers
};

/// "tensor 4, pipeline 16, chunks 6": settings without their sections, for people.
std::string short_text(const std::vector<KeyValue>& settings);
/// "--set parallelism.tensor=4 --set training.schedule.chunks=6"
std::string options_text(const std::vector<KeyValue>& settings);

}  // namespace danlu
