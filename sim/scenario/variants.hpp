// A scenario that is read once and asked for again and again with other values at keys of its plan,
// as the command line would set them. load_scenario() reads files and takes milliseconds; this
// takes microseconds and makes the same workload.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// A value at a key, as a scenario file would have it.
struct KeyValue {
  std::string key;  // "parallelism.tensor"
  std::string text;

  /// "parallelism.tensor=4", as --set takes it.
  std::string setting() const { return key + "=" + text; }
  bool operator==(const KeyValue&) const = default;
};

class Variants {
 public:
  /// Throws what load_scenario() throws.
  Variants(std::filesystem::path file, LoadOptions options);

  /// As it stands in the file and the overrides.
  const Scenario& scenario() const { return scenario_; }
  /// The same with more overrides, read anew and checked: everything that belongs to it. Throws
  /// InputError.
  Scenario load(const std::vector<KeyValue>& values) const;
  /// The workload of that, unchecked: problems() says whether it can run. What follows from values
  /// follows from these.
  Workload workload(const std::vector<KeyValue>& values) const;

  /// What stands at a key, as a file would have it: the user's, a preset's, a default, or what
  /// follows from others; "" where nothing does.
  std::string text_at(std::string_view key) const;
  /// Whether that follows from what stands at other keys.
  bool follows(std::string_view key) const;

 private:
  std::filesystem::path file_;
  LoadOptions options_;
  Values all_;  // over presets, without what follows of the plan
  Scenario scenario_;
};

/// A key of the plan in workloads that are at hand.
class PlanKey {
 public:
  explicit PlanKey(std::string_view key);

  /// Whether it has an effect there, by the rules for unused keys.
  bool has_effect(const Workload& workload) const;
  /// Puts a whole number there; nothing follows from it.
  void put(Workload& workload, int number) const;
  /// What stands there, as a file would have it; "" of a key that cannot be read back.
  std::string text_in(const Workload& workload) const;

 private:
  struct Rule {
    std::vector<const KeyRow*> decided_by;  // one of them is enough
    std::string used_with;
  };
  const KeyRow* row_;
  std::vector<Rule> rules_;
};

}  // namespace danlu
