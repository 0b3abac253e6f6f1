// What a search for the best plan tells, as plain data; document_of() says how it reads.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/report/document.hpp"
#include "sim/report/report.hpp"

namespace danlu {

/// A key that was varied, or could have been.
struct SearchedAxis {
  std::string key;                  // "parallelism.tensor"
  std::vector<std::string> values;  // one: it was not
  bool from_user = false;
};

/// One of the best plans, simulated.
struct RankedPlan {
  std::string plan;     // "tensor 4, pipeline 16": what differs from the scenario
  std::string options;  // "--set parallelism.tensor=4 ...", which make the scenario that plan
  Seconds bound;
  Report report;
  // No plan that fits is as fast and takes less memory, or takes as little and is faster; not known
  // of the scenario as it stands.
  std::optional<bool> on_front{};
};

/// A plan that trades step for memory.
struct FrontPlan {
  std::string plan, options;  // of RankedPlan
  Seconds step;
  Bytes memory;  // that a GPU holds at most
};

/// How many plans take so much longer than the best at most.
struct NearPlans {
  double within = 0;
  std::size_t least = 0;  // that were played
  std::size_t most = 0;   // and that may, by their bound
};

/// One change, and the step with it.
struct PlanChange {
  std::string key;
  std::string from, to;  // "-": without effect
  std::optional<Seconds> step;
};

/// The best plan for two values, of a map.
struct MapCell {
  std::size_t plans = 0;  // that can run
  std::size_t fit = 0;
  std::optional<Seconds> step;  // none: no plan fits
  bool certain = false;         // false: the best cannot be faster than that
};
struct PlanMap {
  std::string down, across;  // keys
  std::vector<std::string> down_values, across_values;
  std::vector<MapCell> cells;  // row by row

  const MapCell& at(std::size_t row, std::size_t column) const {
    return cells[row * across_values.size() + column];
  }
};

struct SearchReport {
  std::string scenario;
  std::string file;
  std::vector<SearchedAxis> axes;
  std::vector<std::string> notes;
  bool leaves_faults_out = false;  // that the scenario has
  // Plans:
  std::size_t can_run = 0;  // valid, whatever memory they take
  std::size_t fit = 0;
  std::size_t played = 0;             // the scenario's own and changes of it left out
  std::size_t unplayable = 0;         // too large, say
  std::string obstacle;               // of the first of these
  Bytes least_missing, most_missing;  // of memory, of those that do not fit
  Bytes reserve, capacity;
  // Fastest first. What `danlu run` would advise of the first is its report's saving, of keys and
  // values that were not varied, or with less of memory left free.
  std::vector<RankedPlan> best;
  bool saving_is_tight = false;   // the latter
  std::optional<RankedPlan> own;  // the scenario as it stands, where it fits
  std::string own_obstacle;       // else why not
  bool has_own = true;            // false: it cannot be read, and `singles` and `way` have no start
  std::vector<NearPlans> near;
  std::vector<FrontPlan> front;                         // fastest first; empty: not asked for
  std::vector<std::pair<Bytes, Seconds>> behind_front;  // memory and step of the others played
  std::vector<PlanChange> singles;  // of the scenario as it stands, fastest first
  std::vector<PlanChange> way;      // from there to the best, change upon change
  PlanMap map;
  Seconds wall;
};

/// The document of "danlu.search/1".
Document document_of(const SearchReport& report);

/// The map as a drawing: colour is the step, hatched does not fit, a `>` that the best there takes
/// longer than that.
std::string write_map_svg(const SearchReport& report);

/// The front of step and memory as a drawing, with the other plans that were played.
std::string write_front_svg(const SearchReport& report);

}  // namespace danlu
