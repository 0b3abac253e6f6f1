#include "src/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <thread>

#include "sim/base/csv.hpp"
#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/collective/group.hpp"
#include "sim/engine/engine.hpp"
#include "sim/plan/collective_graph.hpp"
#include "sim/plan/plan_step.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"
#include "sim/validation/gemm_table.hpp"
#include "sim/validation/nccl_table.hpp"
#include "sim/validation/training_table.hpp"
#include "sim/validation/validation.hpp"
#include "src/child_process.hpp"
#include "src/program.hpp"
#include "src/simulation.hpp"

namespace danlu {
namespace {

constexpr double kLargeError = 0.25;  // shown in colour from here on

// ---- what the table is, and its rows --------------------------------------------------------

/// A kind of table, known by a column that only it has.
struct TableKind {
  std::string_view name;
  std::string_view column;
  Validation (*validate)(const CsvTable& table, const ValidateOptions& options);
  std::span<const ColumnRule> (*columns)();
  std::span<const std::string_view> (*needed_columns)() = nullptr;
};

int jobs(const ValidateOptions& options) {
  const int processors = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
  return options.jobs > 0 ? options.jobs : processors;
}

/// Adds a point with the seconds that a child printed.
void add_point(ValidationPoint point, const ChildResult& child, Validation& validation) {
  point.simulated = child.succeeded ? parse_number(child.output).value_or(0) : 0;
  if (point.simulated > 0) {
    validation.points.push_back(std::move(point));
  } else {
    validation.not_simulated.push_back({point.id, {"simulation failed: " + child.output}});
  }
}

/// The step of one scenario; in a process of its own.
double step_seconds(const std::string& yaml, const std::string& name, const LoadOptions& load,
                    const CommonOptions& common) {
  const Scenario scenario = load_scenario_text(yaml, name, load);
  const Cluster cluster = build_cluster(scenario.cluster);
  return simulate(plan_within_limits(scenario, cluster, common).graph).end.value;
}

Validation validate_training(const CsvTable& table, const ValidateOptions& options) {
  const LoadOptions load{options.topologies, {}};
  const CommonOptions common{.max_tasks = options.max_tasks};
  Validation result{.table = "training", .rows = static_cast<int>(table.rows().size())};
  std::vector<Conversion> runs;
  for (const CsvRow& row : table.rows()) {
    result.complete += is_complete(table, row) ? 1 : 0;
    Conversion conversion = convert(table, row, load);
    if (conversion.scenario_yaml) {
      runs.push_back(std::move(conversion));
    } else {
      result.not_simulated.push_back({conversion.id, std::move(conversion.reasons)});
    }
  }
  const std::vector<ChildResult> steps =
      run_in_children(runs.size(), jobs(options), [&](std::size_t i) {
        return fmt::format("{}", step_seconds(*runs[i].scenario_yaml, runs[i].id, load, common));
      });
  for (std::size_t i = 0; i < runs.size(); ++i) {
    add_point({runs[i].id, runs[i].device, runs[i].source, runs[i].published_step_s, 0}, steps[i],
              result);
  }
  return result;
}

Validation validate_gemm(const CsvTable& table, const ValidateOptions& options) {
  return validate_products(table, {options.topologies, {}});
}

/// One collective on an idle cluster; in a process of its own.
double collective_seconds(const MeasuredCollective& measured) {
  const Cluster cluster = build_cluster(measured.cluster);
  std::vector<int> ranks(static_cast<std::size_t>(measured.cluster.gpus));
  std::iota(ranks.begin(), ranks.end(), 0);
  const Group group = make_group(cluster, ranks);
  CollectiveGraph sequence(cluster);
  if (measured.experts) {
    sequence.add_exchange(expert_exchange(cluster, group, *measured.experts));
  } else {
    const std::vector<Candidate> choices = candidates(cluster, group, measured.op, measured.forced);
    sequence.add_steady(group, fastest(cluster, group, measured.op, measured.bytes, choices),
                        measured.op, measured.bytes);
  }
  return simulate(sequence.graph()).end.value;
}

Validation validate_nccl(const CsvTable& table, const ValidateOptions& options) {
  const LoadOptions load{options.topologies, {}};
  Validation result{.table = "nccl", .rows = static_cast<int>(table.rows().size())};
  std::vector<CollectiveConversion> runs;
  for (const CsvRow& row : table.rows()) {
    CollectiveConversion conversion = convert_collective(table, row, load);
    const bool experts = conversion.collective && conversion.collective->experts;
    result.complete += experts || !table.cell(row, "size_bytes").empty() ? 1 : 0;
    if (conversion.collective) {
      runs.push_back(std::move(conversion));
    } else {
      result.not_simulated.push_back({conversion.id, std::move(conversion.reasons)});
    }
  }
  const std::vector<ChildResult> times = run_in_children(
      runs.size(), jobs(options),
      [&](std::size_t i) { return fmt::format("{}", collective_seconds(*runs[i].collective)); });
  for (std::size_t i = 0; i < runs.size(); ++i) {
    add_point({.id = runs[i].id,
               .device = runs[i].device,
               .source = runs[i].source,
               .published = runs[i].collective->published.value,
               .size = size_range(runs[i].collective->bytes)},
              times[i], result);
  }
  return result;
}

constexpr std::array kTableKinds{
    TableKind{"training", "step_time_s", validate_training, training_columns,
              needed_training_columns},
    TableKind{"nccl", "busbw_GBps", validate_nccl, collective_columns},
    TableKind{"gemm", "tflops", validate_gemm, product_columns, needed_product_columns}};

/// Throws when the table has not all columns that its kind needs.
void check_columns(const CsvTable& table, const TableKind& kind) {
  if (kind.needed_columns == nullptr) {
    return;
  }
  const std::span<const std::string_view> needed = kind.needed_columns();
  std::vector<std::string_view> missing;
  std::copy_if(needed.begin(), needed.end(), std::back_inserter(missing),
               [&](std::string_view column) { return !table.has_column(column); });
  if (!missing.empty()) {
    throw InputError(Problem{
        {table.file(), 1, 1},
        fmt::format("a table of kind '{}' lacks the columns {}", kind.name, join(missing, ", ")),
        fmt::format("it needs {} and {}", join(needed, ", "), kind.column),
        ""});
  }
}

/// Throws when errors are wanted by something that rows of the kind do not have.
void check_groupings(const TableKind& kind, const ValidateOptions& options) {
  const bool by_size = std::find(options.by.begin(), options.by.end(), "size") != options.by.end();
  if (by_size && kind.validate != validate_nccl) {
    throw InputError(Problem{{"--by", 0, 0},
                             fmt::format("rows of a table of kind '{}' have no size", kind.name),
                             "device or source",
                             ""});
  }
}

Validation validate(const std::filesystem::path& file, const ValidateOptions& options) {
  std::vector<std::string_view> columns;
  for (const TableKind& kind : kTableKinds) {
    columns.push_back(kind.column);
  }
  const CsvTable table = read_csv(file, columns);
  for (const TableKind& kind : kTableKinds) {
    if (table.has_column(kind.column)) {
      check_columns(table, kind);
      check_groupings(kind, options);
      check_cells(table, kind.columns());
      return kind.validate(table, options);
    }
  }
  throw InputError(Problem{{table.file(), 1, 1},
                           "the header is of no kind of table that danlu knows",
                           "training runs have a column step_time_s, collectives busbw_GBps, "
                           "matrix products tflops",
                           ""});
}

// ---- JSON -----------------------------------------------------------------------------------

using Json = nlohmann::ordered_json;

Json optional(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

void add_statistics(Json& json, const ErrorStatistics& statistics) {
  json["median_abs_error"] = optional(statistics.median_abs);
  json["p90_abs_error"] = optional(statistics.p90_abs);
  json["mean_error"] = optional(statistics.mean);
}

Json by_group(const Validation& validation, std::string ValidationPoint::*group) {
  Json json = Json::object();
  for (const auto& [name, statistics] : error_statistics_by(validation.points, group)) {
    json[name]["rows"] = statistics.rows;
    add_statistics(json[name], statistics);
  }
  return json;
}

Json to_json(const Validation& validation) {
  Json json;
  json["schema"] = "danlu.validate/1";
  json["table"] = validation.table;
  json["rows"] = validation.rows;
  json["complete"] = validation.complete;
  json["simulated"] = validation.points.size();
  add_statistics(json, error_statistics(validation.points));
  json["by_device"] = by_group(validation, &ValidationPoint::device);
  json["by_source"] = by_group(validation, &ValidationPoint::source);
  json["by_size"] = by_group(validation, &ValidationPoint::size);
  json["points"] = Json::array();
  for (const ValidationPoint& point : validation.points) {
    json["points"].push_back({{"id", point.id},
                              {"published", point.published},
                              {"simulated", point.simulated},
                              {"unit", point.unit},
                              {"error", point.error()}});
  }
  json["not_simulated"] = Json::array();
  for (const NotSimulated& row : validation.not_simulated) {
    json["not_simulated"].push_back(
        {{"id", row.id}, {"reason", fmt::format("{}", fmt::join(row.reasons, "; "))}});
  }
  return json;
}

// ---- text -----------------------------------------------------------------------------------

struct Grouping {
  std::string_view name;
  std::string ValidationPoint::*group;
};
constexpr std::array kGroupings{Grouping{"device", &ValidationPoint::device},
                                Grouping{"source", &ValidationPoint::source},
                                Grouping{"size", &ValidationPoint::size}};

class TextReport {
 public:
  TextReport(const Validation& validation, const ValidateOptions& options)
      : validation_(validation), options_(options) {}

  std::string make() {
    add_summary();
    add_worst();
    for (const Grouping& grouping : kGroupings) {
      if (std::find(options_.by.begin(), options_.by.end(), grouping.name) != options_.by.end()) {
        add_groups(fmt::format("By {}", grouping.name), grouping.group);
      }
    }
    add_reasons();
    return std::move(text_);
  }

 private:
  static std::string percent(const std::optional<double>& share, bool sign) {
    if (!share) {
      return "-";
    }
    return sign ? fmt::format("{:+.1f} %", 100 * *share) : fmt::format("{:.1f} %", 100 * *share);
  }
  std::string paint(const std::string& text, const char* code) const {
    return options_.colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }
  void heading(const std::string& text) { text_ += "\n" + paint(text, "1") + "\n"; }
  void error_cell(double error) {
    const std::string text = fmt::format("{:>10}", percent(error, true));
    text_ += std::abs(error) >= kLargeError ? paint(text, "33") : text;
  }

  void add_summary() {
    const ErrorStatistics all = error_statistics(validation_.points);
    text_ += fmt::format(
        "{} rows of the table '{}', {} of them complete, {} simulated\n"
        "error of the simulated time: median {}, 90th percentile {} (both without sign), mean {}\n",
        validation_.rows, validation_.table, validation_.complete, all.rows,
        percent(all.median_abs, false), percent(all.p90_abs, false), percent(all.mean, true));
  }

  void add_worst() {
    std::vector<ValidationPoint> points = validation_.points;
    std::stable_sort(points.begin(), points.end(),
                     [](const ValidationPoint& a, const ValidationPoint& b) {
                       return std::abs(a.error()) > std::abs(b.error());
                     });
    points.resize(std::min(points.size(), static_cast<std::size_t>(std::max(options_.worst, 0))));
    if (points.empty()) {
      return;
    }
    heading("Largest errors");
    text_ += fmt::format("  {:<28} {:<7} {:>12} {:>12} {:>10}\n", "row", "device", "published",
                         "simulated", "error");
    for (const ValidationPoint& point : points) {
      text_ += fmt::format("  {:<28} {:<7} {:>12} {:>12} ", shown(point.id, 28), point.device,
                           to_text(Seconds{point.published}), to_text(Seconds{point.simulated}));
      error_cell(point.error());
      text_ += "\n";
    }
  }

  void add_groups(const std::string& title, std::string ValidationPoint::*group) {
    const auto groups = error_statistics_by(validation_.points, group);
    if (groups.empty()) {
      return;
    }
    heading(title);
    text_ +=
        fmt::format("  {:<44} {:>5} {:>10} {:>10} {:>10}\n", "", "rows", "median", "p90", "mean");
    for (const auto& [name, statistics] : groups) {
      text_ +=
          fmt::format("  {:<44} {:>5} {:>10} {:>10} ", shown(name, 41), statistics.rows,
                      percent(statistics.median_abs, false), percent(statistics.p90_abs, false));
      error_cell(statistics.mean.value_or(0));
      text_ += "\n";
    }
  }

  void add_reasons() {
    const std::vector<ReasonCount> reasons = count_reasons(validation_.not_simulated);
    if (reasons.empty()) {
      return;
    }
    heading(fmt::format("Not simulated: {} rows", validation_.not_simulated.size()));
    text_ += fmt::format("  {:>5} {:>11}  {}\n", "rows", "for it only", "reason");
    for (const ReasonCount& reason : reasons) {
      text_ +=
          fmt::format("  {:>5} {:>11}  {}\n", reason.rows, reason.alone, shown(reason.reason, 100));
    }
  }

  const Validation& validation_;
  const ValidateOptions& options_;
  std::string text_;
};

}  // namespace

int run_validate(const ValidateOptions& options) {
  const Validation validation = validate(options.table, options);
  options.json ? print_json(to_json(validation))
               : print_page(TextReport(validation, options).make());
  if (!validation.points.empty()) {
    return kExitDone;
  }
  const std::vector<ReasonCount> reasons = count_reasons(validation.not_simulated);
  complain(fmt::format("error: {}: no row could be simulated: {}\n", options.table.string(),
                       reasons.empty()
                           ? "the table has none"
                           : fmt::format("{} ({} of {} rows)", shown(reasons[0].reason, 200),
                                         reasons[0].rows, validation.rows)));
  return kExitCannotRun;
}

}  // namespace danlu
