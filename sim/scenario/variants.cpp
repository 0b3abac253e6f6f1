#include "sim/scenario/variants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/derive_plan.hpp"
#include "sim/scenario/members.hpp"
#include "sim/scenario/read_scenario.hpp"
#include "sim/scenario/unused_keys.hpp"

namespace danlu {
namespace {

/// The value of a row, which is known to be right.
Value value_of(const KeyRow& row, const std::string& text) {
  Value value{.text = text};
  const std::optional<Complaint> wrong = read_scalar(row, value);
  check(!wrong, fmt::format("a value of {} that the reader should have refused", row.path));
  if (row.single) {
    value.numbers = {value.number};
  }
  return value;
}

/// Calls `use` with the member of the row and the part of the workload that it belongs to.
template <typename Work, typename Use>
void with_part(const KeyRow& row, Work& workload, const Use& use) {
  const auto try_part = [&](auto& part) {
    using Spec = std::remove_cvref_t<decltype(part)>;
    if (const auto* const member = std::any_cast<Member<Spec>>(&row.member)) {
      use(*member, part);
    }
  };
  try_part(workload.parallelism);
  try_part(workload.parallelism.sharding);
  try_part(workload.training);
  try_part(workload.model);
  try_part(workload.model.experts);
}

const KeyRow& row_at(std::string_view key) {
  const KeyRow* const row = find_key(scenario_keys(), key);
  check(row != nullptr, fmt::format("there is no key '{}'", key));
  return *row;
}

/// What stands in the workload; "" of a key that cannot be read back.
std::string value_in(const KeyRow& row, const Workload& workload) {
  std::string text;
  with_part(row, workload, [&](const auto& member, const auto& part) {
    text = member.get ? member.get(part).text : "";
  });
  return text;
}

}  // namespace

Variants::Variants(std::filesystem::path file, LoadOptions options)
    : file_(std::move(file)), options_(std::move(options)) {
  ReadScenario read = read_scenario(read_text_file(file_), file_, options_);
  all_ = read.values.all;
  scenario_ = build_scenario(std::move(read), file_, options_);
  forget_derived(all_);
}

Scenario Variants::load(const std::vector<KeyValue>& values) const {
  LoadOptions options = options_;
  for (const KeyValue& value : values) {
    options.overrides.push_back(value.setting());
  }
  return load_scenario(file_, options);
}

Workload Variants::workload(const std::vector<KeyValue>& values) const {
  Values all = all_;
  for (const KeyValue& value : values) {
    all.set(value.key, value_of(row_at(value.key), value.text));
  }
  std::vector<Problem> problems;  // of degrees that do not divide: Workload's problems() has them
  derive_plan(all, problems);
  Workload workload = scenario_.workload;
  fill_plan(all, workload);
  return workload;
}

std::string Variants::text_at(std::string_view key) const {
  const auto found = std::find_if(scenario_.settings.begin(), scenario_.settings.end(),
                                  [&](const Setting& setting) { return setting.key == key; });
  return found == scenario_.settings.end() ? "" : found->text;
}

bool Variants::follows(std::string_view key) const {
  return std::any_of(scenario_.settings.begin(), scenario_.settings.end(),
                     [&](const Setting& setting) {
                       return setting.key == key && setting.source == Setting::Source::Derived;
                     });
}

PlanKey::PlanKey(std::string_view key) : row_(&row_at(key)) {
  for (const KeyUse& use : scenario_key_uses()) {
    if (key != use.key && !key.starts_with(fmt::format("{}.", use.key))) {
      continue;
    }
    Rule& rule = rules_.emplace_back(Rule{{&row_at(use.decided_by)}, use.used_with});
    for (const std::string_view other : use.or_by) {
      rule.decided_by.push_back(&row_at(other));
    }
  }
}

bool PlanKey::has_effect(const Workload& workload) const {
  return std::all_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return std::any_of(rule.decided_by.begin(), rule.decided_by.end(), [&](const KeyRow* row) {
      return is_used_with(rule.used_with, value_in(*row, workload));
    });
  });
}

void PlanKey::put(Workload& workload, int number) const {
  const auto whole = static_cast<double>(number);
  with_part(*row_, workload, [&](const auto& member, auto& part) {
    member.set(part, {.number = whole, .numbers = {whole}});
  });
}

std::string PlanKey::text_in(const Workload& workload) const {
  return value_in(*row_, workload);
}

}  // namespace danlu
