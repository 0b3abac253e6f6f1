#include "sim/session/training_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/session/planning.hpp"
#include "sim/session/plays.hpp"
#include "sim/session/trust.hpp"
#include "sim/session/validate.hpp"
#include "sim/validation/training_table.hpp"
#include "sim/workload/memory.hpp"

namespace danlu {
namespace {

ValidationPoint point_of(const Conversion& run) {
  const Workload& w = run.scenario->workload;
  return {.id = run.id,
          .device = run.device,
          .source = run.source,
          .published = run.published_step_s,
          .framework = run.framework,
          .precision = std::string(name_of(w.training.precision)),
          .kind = std::string(kind_of_plan(w, run.scenario->cluster.topology.gpus_per_node)),
          .gpu = run.scenario->cluster.gpu.name,
          .gpus = run.scenario->cluster.gpus,
          .profile = w.training.framework,
          .scenario = run.yaml};
}

Bytes simulated_peak(const MemoryUse& use, PeakOf of) {
  switch (of) {
    case PeakOf::Allocated:
      return use.peak();
    case PeakOf::Reserved:
      return use.reserved();
    case PeakOf::Card:
      return use.card();
  }
  return {};
}

/// A row, and which of the steps that are played is its: rows of one scenario share one.
struct RowOfTable {
  Conversion run;
  std::size_t play = 0;
  std::string repeats;  // the id of an earlier row of the same run; "": none
};

/// Rows that can be played; the others are counted in `result`.
std::vector<RowOfTable> convert_rows(const CsvTable& table, const LoadOptions& load,
                                     Validation& result) {
  std::vector<RowOfTable> rows;
  std::map<std::tuple<std::string, std::string, double, std::string>, std::string> runs;
  std::map<std::string, std::size_t> plays;
  for (const CsvRow& row : table.rows()) {
    result.complete += is_complete(table, row) ? 1 : 0;
    Conversion run = convert(table, row, load);
    if (!run.scenario) {
      result.not_simulated.push_back({run.id, std::move(run.reasons)});
      continue;
    }
    const auto [first, is_new] =
        runs.try_emplace({run.source, run.date, run.published_step_s, run.yaml}, run.id);
    const std::size_t play = plays.try_emplace(run.yaml, plays.size()).first->second;
    rows.push_back({std::move(run), play, is_new ? "" : first->second});
  }
  return rows;
}

constexpr std::string_view kTooLarge = "too many tasks (--max-tasks): collectives formula";

/// With a remark where the step is too large to be played but by closed forms.
Played play_row(const Scenario& scenario, const Cluster& cluster, const SessionOptions& options) {
  try {
    return end_of_scenario(scenario, cluster, options, [&](const Scenario& shorter) {
      return plan_within_limits(shorter, cluster, options, Disturbed::Open);
    });
  } catch (const CannotRun&) {
    Scenario closed = scenario;
    closed.workload.collectives = CollectiveMode::Formula;
    Played played = end_of_scenario(closed, cluster, options, [&](const Scenario& shorter) {
      return plan_within_limits(shorter, cluster, options);
    });
    played.why = kTooLarge;
    return played;
  }
}

SessionOptions without_notes(SessionOptions options) {
  options.announce = nullptr;
  return options;
}

}  // namespace

std::vector<Played> play_rows(std::span<const Scenario* const> rows,
                              const SessionOptions& options) {
  std::vector<const ClusterSpec*> clusters;
  for (const Scenario* row : rows) {
    clusters.push_back(&row->cluster);
  }
  const SessionOptions quietly = without_notes(options);  // rows are many
  return play_on_clusters(
      clusters, nullptr, pool_of(options, rows.size()),
      [&](std::size_t i, const Cluster& cluster) { return play_row(*rows[i], cluster, quietly); });
}

Validation validate_training(const CsvTable& table, const LoadOptions& load,
                             const SessionOptions& options) {
  Validation result{.table = "training", .rows = static_cast<int>(table.rows().size())};
  std::vector<RowOfTable> rows = convert_rows(table, load, result);
  std::vector<const Scenario*> scenarios;
  for (const RowOfTable& row : rows) {
    if (row.play == scenarios.size()) {
      scenarios.push_back(&*row.run.scenario);
    }
  }
  const std::vector<Played> steps = play_rows(scenarios, options);
  for (RowOfTable& row : rows) {
    Conversion& run = row.run;
    const Played& step = steps[row.play];
    ValidationPoint point = point_of(run);
    point.repeats = row.repeats;
    add_point(point, step, result);
    if (!step.ended()) {
      continue;
    }
    if (!step.why.empty()) {
      run.remarks.push_back(step.why);
    }
    if (!run.remarks.empty()) {
      result.remarks.push_back({run.id, run.remarks});
    }
    if (run.published_peak > 0) {
      point.published = run.published_peak;
      point.simulated = simulated_peak(memory_use(run.scenario->workload), run.peak_of).value;
      point.unit = "B";
      result.memory.push_back(std::move(point));
    }
  }
  return result;
}

std::string scenario_of_row(const CsvTable& table, std::string_view id, const LoadOptions& load,
                            const SessionOptions& options) {
  std::vector<std::string_view> ids;
  for (const CsvRow& row : table.rows()) {
    const std::string_view found = table.cell(row, "id");
    ids.push_back(found);
    if (found != id) {
      continue;
    }
    const Conversion run = convert(table, row, load);
    if (!run.scenario) {
      throw InputError(table.problem(row, "id", fmt::format("no scenario: {}", run.reason())));
    }
    std::string text = fmt::format("# {}: {} published\n", printable(run.id),
                                   to_text(Seconds{run.published_step_s}));
    for (const std::string& remark : run.remarks) {
      text += fmt::format("# {}\n", printable(remark));
    }
    const Scenario* const scenario = &*run.scenario;
    if (play_rows({&scenario, 1}, options).front().why != kTooLarge) {
      return text + run.yaml;
    }
    return fmt::format("{}# {}\n{}collectives: {}\n", text, kTooLarge, run.yaml,
                       name_of(CollectiveMode::Formula));
  }
  const std::string_view near = nearest(id, ids);
  throw InputError(Problem{{"--scenario", 0, 0},
                           fmt::format("the table has no row '{}'", shown(id)),
                           near.empty() ? "" : fmt::format("did you mean '{}'?", near),
                           ""});
}

}  // namespace danlu
