#include "src/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/session/validate.hpp"
#include "src/session.hpp"

namespace danlu {
namespace {

constexpr double kLargeError = 0.25;  // shown in colour from here on

/// Throws when errors are wanted by something that rows of the kind do not have.
void check_groupings(TableKind kind, const ValidateOptions& options) {
  const bool by_size = std::find(options.by.begin(), options.by.end(), "size") != options.by.end();
  if (by_size && kind == TableKind::Training) {
    throw InputError(
        Problem{{"--by", 0, 0},
                fmt::format("rows of a table of kind '{}' have no size", name_of(kind)),
                "device or source",
                ""});
  }
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

Json by_group(const std::vector<ValidationPoint>& points, std::string ValidationPoint::*group) {
  Json json = Json::object();
  for (const auto& [name, statistics] : error_statistics_by(points, group)) {
    json[name]["rows"] = statistics.rows;
    add_statistics(json[name], statistics);
  }
  return json;
}

Json to_json(const ValidationPoint& point) {
  return {{"id", point.id},
          {"published", point.published},
          {"simulated", point.simulated},
          {"unit", point.unit},
          {"error", point.error()}};
}

/// Peaks of memory; null where no row has one.
Json memory_of(const Validation& validation) {
  if (validation.memory.empty()) {
    return nullptr;
  }
  Json json;
  json["rows"] = validation.memory.size();
  add_statistics(json, error_statistics(validation.memory));
  json["by_source"] = by_group(validation.memory, &ValidationPoint::source);
  json["points"] = Json::array();
  for (const ValidationPoint& point : validation.memory) {
    json["points"].push_back(to_json(point));
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
  json["by_device"] = by_group(validation.points, &ValidationPoint::device);
  json["by_source"] = by_group(validation.points, &ValidationPoint::source);
  json["by_size"] = by_group(validation.points, &ValidationPoint::size);
  json["points"] = Json::array();
  for (const ValidationPoint& point : validation.points) {
    json["points"].push_back(to_json(point));
  }
  json["memory"] = memory_of(validation);
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
  TextReport(const Validation& validation, const ValidateOptions& options, bool colour)
      : validation_(validation), options_(options), colour_(colour) {}

  std::string make() {
    add_summary();
    add_worst();
    for (const Grouping& grouping : kGroupings) {
      if (std::find(options_.by.begin(), options_.by.end(), grouping.name) != options_.by.end()) {
        add_groups(fmt::format("By {}", grouping.name), validation_.points, grouping.group);
        add_groups(fmt::format("Peak of memory by {}", grouping.name), validation_.memory,
                   grouping.group);
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
    return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
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
    if (const ErrorStatistics peaks = error_statistics(validation_.memory); peaks.rows > 0) {
      text_ += fmt::format(
          "error of the peak of memory, of {} rows: median {}, 90th percentile {}, mean {}\n",
          peaks.rows, percent(peaks.median_abs, false), percent(peaks.p90_abs, false),
          percent(peaks.mean, true));
    }
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

  void add_groups(const std::string& title, const std::vector<ValidationPoint>& points,
                  std::string ValidationPoint::*group) {
    const auto groups = error_statistics_by(points, group);
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
  bool colour_;
  std::string text_;
};

}  // namespace

int run_validate(const ValidateOptions& options, const CommonOptions& common) {
  const LoadOptions load{topologies_folder(), {}};
  const MeasuredTable table = read_table(options.table);
  check_groupings(table.kind, options);
  SessionOptions session = session_options(common);
  session.processes = options.jobs;
  const Validation validation = validate(table, load, session);
  common.json ? print_json(to_json(validation))
              : print_page(TextReport(validation, options, wants_colour()).make());
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
