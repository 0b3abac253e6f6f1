// How many GPUs? The best plan for each number of them, and what the whole run takes with it. More
// GPUs make it shorter and, since they are used less well, dearer: between numbers of GPUs time and
// cost are two objectives, and a number is on the front if no other is better in both.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/report/document.hpp"
#include "sim/report/search_report.hpp"

namespace danlu {

/// The best plan for one number of GPUs.
struct ScaledPlan {
  int gpus = 0;
  std::optional<RankedPlan> best{};
  std::string obstacle{};  // else why there is none
};

struct ScaleReport {
  std::string scenario;
  std::string file;
  std::string own_obstacle{};  // why the scenario's own plan cannot be read, where it cannot
  std::vector<ScaledPlan> sizes{};
  Seconds wall{};
};

/// What the run of a plan takes: its campaign where the scenario has faults, the whole run where it
/// has tokens, else its step; and what that costs, in dollars, else in GPU time.
struct RunTotals {
  Seconds time;
  double cost = 0;
};
RunTotals totals_of(const Report& report);

/// By size: whether no other is faster and cheaper, or one of these and as good in the other.
std::vector<bool> front_of(const std::vector<ScaledPlan>& sizes);

/// The document of "danlu.search-gpus/1".
Document document_of(const ScaleReport& report);

}  // namespace danlu
