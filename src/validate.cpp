#include "src/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/session/training_rows.hpp"
#include "sim/session/validate.hpp"
#include "sim/validation/plot_svg.hpp"
#include "src/output_file.hpp"
#include "src/progress.hpp"
#include "src/session.hpp"
#include "src/validate_report.hpp"

namespace danlu {
namespace {

/// Throws when errors are wanted by something that rows of the kind do not have.
void check_groupings(TableKind kind, const ValidateOptions& options) {
  for (const std::string& by : options.by) {
    const bool of_all = by == "device" || by == "source";
    if (!of_all && (by == "size") == (kind == TableKind::Training)) {
      refuse("--by", fmt::format("rows of a table of kind '{}' have no {}", name_of(kind), by),
             kind == TableKind::Training ? "device, source, framework, precision or kind"
                                         : "device, source or size");
    }
  }
}

void write_report(const Validation& validation, const ValidateOptions& options,
                  const CommonOptions& common) {
  const std::string format = !common.format.empty() ? common.format
                             : common.json          ? "json"
                             : options.markdown     ? "markdown"
                                                    : "text";
  if (format == "json") {
    print_json(json_of(validation));
  } else if (format == "csv") {
    print(csv_of(validation));
  } else if (format == "markdown") {
    print(markdown_of(validation, options));
  } else {
    print_page(text_of(validation, options, wants_colour()));
  }
}

int say_none_simulated(const Validation& validation, const ValidateOptions& options) {
  const std::vector<ReasonCount> reasons = count_reasons(validation.not_simulated);
  complain(fmt::format("error: {}: no row could be simulated: {}\n", options.table.string(),
                       reasons.empty()
                           ? "the table has none"
                           : fmt::format("{} ({} of {} rows)", shown(reasons[0].reason, 200),
                                         reasons[0].rows, validation.rows)));
  return kExitCannotRun;
}

}  // namespace

int run_validate(const ValidateOptions& options, const CommonOptions& common) {
  const LoadOptions load{topologies_folder(), {}};
  const MeasuredTable table = read_table(options.table);
  check_groupings(table.kind, options);
  if (!options.scenario.empty()) {
    if (table.kind != TableKind::Training) {
      refuse("--scenario",
             fmt::format("rows of a table of kind '{}' are no scenarios", name_of(table.kind)));
    }
    check_table(table);
    print(scenario_of_row(table.csv, options.scenario, load, session_options(common)));
    return kExitDone;
  }
  if (!options.plot.empty()) {
    check_outputs(std::vector{Output{"--plot", options.plot}});
    if (is_same_file(options.plot, options.table)) {
      refuse("--plot", "this would replace the table that is read");
    }
    check_endings(std::vector{Output{"--plot", options.plot}});
  }
  SessionOptions session = session_options(common);
  session.processes = options.jobs;
  Progress progress(common);
  session.progress = counting(progress, "rows");
  const Validation validation = validate(table, load, session);
  progress.clear();
  write_report(validation, options, common);
  if (validation.points.empty()) {
    return say_none_simulated(validation, options);
  }
  if (!options.plot.empty()) {
    write_file(options.plot, plot_svg(validation));
  }
  return kExitDone;
}

}  // namespace danlu
