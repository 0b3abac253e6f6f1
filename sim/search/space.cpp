#include "sim/search/space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "sim/base/shell_word.hpp"

namespace danlu {
namespace {

/// Keys whose values are whole numbers that nothing but data follows from.
constexpr std::array<std::string_view, 7> kNumbers{
    "parallelism.tensor", "parallelism.pipeline", "parallelism.context",     "parallelism.ulysses",
    "parallelism.expert", "training.micro_batch", "training.schedule.chunks"};

constexpr std::string_view kPair = "parallelism.overlap.pair";

int to_int(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Replicas are what the other degrees leave; false where they leave a part of one.
bool fill_data(int gpus, ParallelismSpec& p) {
  double others = 1;
  for (const Degree& degree : kDegrees) {
    others *= degree.axis == Axis::Replicate ? 1 : p.*degree.ranks;
  }
  if (others > gpus || gpus % static_cast<int>(others) != 0) {
    return false;
  }
  p.data = gpus / static_cast<int>(others);
  return true;
}

}  // namespace

SearchSpace::SearchSpace(const Variants& variants, std::vector<SearchAxis> axes)
    : variants_(variants), axes_(std::move(axes)) {
  for (const SearchAxis& axis : axes_) {
    AxisKey& key = keys_.emplace_back(AxisKey{.key = PlanKey(axis.key)});
    key.is_number = std::find(kNumbers.begin(), kNumbers.end(), axis.key) != kNumbers.end();
    key.is_overlap = axis.key.starts_with("parallelism.overlap.") && axis.key != kPair;
    for (const std::string& value : axis.values) {
      key.numbers.push_back(key.is_number ? to_int(value) : 0);
    }
    const auto own = std::find(axis.values.begin(), axis.values.end(), variants_.text_at(axis.key));
    if (own != axis.values.end() && !variants_.follows(axis.key)) {
      key.own = static_cast<std::int8_t>(own - axis.values.begin());
    }
  }
}

SearchPlan SearchSpace::own_plan() const {
  return {std::vector<std::int8_t>(axes_.size(), SearchPlan::kOwn)};
}

const Workload& SearchSpace::base(std::vector<std::int8_t> words) {
  std::vector<KeyValue> values;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    words[i] = keys_[i].is_number ? SearchPlan::kOwn : words[i];
    if (words[i] != SearchPlan::kOwn) {
      values.push_back({axes_[i].key, axes_[i].values[static_cast<std::size_t>(words[i])]});
    }
  }
  const auto [known, is_new] = bases_.try_emplace(std::move(words));
  if (is_new) {
    known->second = variants_.workload(values);
  }
  return known->second;
}

void SearchSpace::put_numbers(const SearchPlan& plan, Workload& workload) const {
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    if (keys_[i].is_number && plan.at[i] != SearchPlan::kOwn) {
      keys_[i].key.put(workload, keys_[i].numbers[static_cast<std::size_t>(plan.at[i])]);
    }
  }
}

Workload SearchSpace::workload(const SearchPlan& plan) {
  Workload made = base(plan.at);
  put_numbers(plan, made);
  fill_data(variants_.scenario().cluster.gpus, made.parallelism);
  return made;
}

bool SearchSpace::can_run(const Workload& workload) const {
  const ClusterSpec& cluster = variants_.scenario().cluster;
  return problems(workload, cluster.gpus, cluster.gpu).empty();
}

SearchPlan SearchSpace::plain(SearchPlan plan) {
  const Workload made = workload(plan);
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const bool pairs_nothing = axes_[i].key == kPair && made.microbatches() == 1 &&
                               !variants_.scenario().workload.parallelism.overlap_pairs;
    if (plan.at[i] == keys_[i].own || pairs_nothing || !keys_[i].key.has_effect(made)) {
      plan.at[i] = SearchPlan::kOwn;
    }
  }
  return plan;
}

std::vector<SearchPlan> SearchSpace::legal_plans() {
  std::vector<SearchPlan> found;
  SearchPlan plan = own_plan();
  add_plans(0, plan, found);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

/// Words first, without overlaps.
void SearchSpace::add_plans(std::size_t axis, SearchPlan& plan, std::vector<SearchPlan>& found) {
  while (axis < axes_.size() && (keys_[axis].is_number || keys_[axis].is_overlap)) {
    ++axis;
  }
  if (axis == axes_.size()) {
    add_numbers(0, plan, base(plan.at), found);
    return;
  }
  for (std::size_t value = 0; value < axes_[axis].values.size(); ++value) {
    plan.at[axis] = static_cast<std::int8_t>(value);
    add_plans(axis + 1, plan, found);
  }
  plan.at[axis] = SearchPlan::kOwn;
}

/// `made` has the numbers of the axes before.
void SearchSpace::add_numbers(std::size_t axis, SearchPlan& plan, const Workload& made,
                              std::vector<SearchPlan>& found) {
  while (axis < axes_.size() && !keys_[axis].is_number) {
    ++axis;
  }
  if (axis == axes_.size()) {
    if (can_run(made)) {
      found.push_back(plain(plan));
    }
    return;
  }
  for (std::size_t value = 0; value < axes_[axis].values.size(); ++value) {
    plan.at[axis] = static_cast<std::int8_t>(value);
    Workload next = made;
    keys_[axis].key.put(next, keys_[axis].numbers[value]);
    if (fill_data(variants_.scenario().cluster.gpus, next.parallelism)) {
      add_numbers(axis + 1, plan, next, found);
    }
  }
  plan.at[axis] = SearchPlan::kOwn;
}

std::vector<SearchPlan> SearchSpace::with_overlaps(const SearchPlan& plan) {
  std::vector<SearchPlan> all{plan};
  for (std::size_t axis = 0; axis < axes_.size(); ++axis) {
    if (!keys_[axis].is_overlap) {
      continue;
    }
    std::vector<SearchPlan> more;
    for (const SearchPlan& before : all) {
      for (std::size_t value = 0; value < axes_[axis].values.size(); ++value) {
        more.push_back(before);
        more.back().at[axis] = static_cast<std::int8_t>(value);
      }
    }
    all = std::move(more);
  }
  for (SearchPlan& one : all) {
    one = plain(std::move(one));
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

bool SearchSpace::same(const SearchPlan& a, const SearchPlan& b) {
  for (std::size_t axis = 0; axis < axes_.size(); ++axis) {
    if (a.at[axis] != b.at[axis] && text(a, axis) != text(b, axis)) {
      return false;
    }
  }
  return true;
}

std::vector<KeyValue> SearchSpace::settings(const SearchPlan& plan) {
  std::vector<KeyValue> said;
  const SearchPlan its = plain(plan);
  const Scenario& scenario = variants_.scenario();
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    if (its.at[i] == SearchPlan::kOwn) {
      continue;
    }
    SearchPlan without = its;
    without.at[i] = SearchPlan::kOwn;
    const std::string& text = axes_[i].values[static_cast<std::size_t>(its.at[i])];
    if (variants_.follows(axes_[i].key) && keys_[i].key.text_in(workload(without)) == text) {
      continue;
    }
    said.push_back({axes_[i].key, text});
  }
  constexpr const char* kData = "parallelism.data";
  const int data = workload(its).parallelism.data;
  if (!variants_.follows(kData) && data != scenario.workload.parallelism.data) {
    said.push_back({kData, fmt::format("{}", data)});
  }
  return said;
}

std::string SearchSpace::text(const SearchPlan& plan, std::size_t axis) {
  const Workload made = workload(plan);
  if (!keys_[axis].key.has_effect(made)) {
    return "-";
  }
  if (plan.at[axis] != SearchPlan::kOwn) {
    return axes_[axis].values[static_cast<std::size_t>(plan.at[axis])];
  }
  std::string found = keys_[axis].key.text_in(made);
  found = found.empty() ? variants_.text_at(axes_[axis].key) : found;
  return found.empty() ? "left out" : found;
}

std::string short_text(const std::vector<KeyValue>& settings) {
  std::string text;
  for (const KeyValue& one : settings) {
    const std::size_t dot = one.key.find('.');
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", one.key.substr(dot + 1), one.text);
  }
  return text.empty() ? "as it stands" : text;
}

std::string options_text(const std::vector<KeyValue>& settings) {
  std::string text;
  for (const KeyValue& one : settings) {
    text += fmt::format("{}--set {}", text.empty() ? "" : " ", shell_word(one.setting()));
  }
  return text;
}

}  // namespace danlu
