#include "src/validate_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/base/text.hpp"
#include "sim/base/units.hpp"

namespace danlu {
namespace {

constexpr double kLargeError = 0.25;  // shown in colour from here on

constexpr std::array kGroupings{Grouping{"device", &ValidationPoint::device},
                                Grouping{"source", &ValidationPoint::source},
                                Grouping{"framework", &ValidationPoint::framework},
                                Grouping{"precision", &ValidationPoint::precision},
                                Grouping{"kind", &ValidationPoint::kind},
                                Grouping{"size", &ValidationPoint::size}};

struct TextCell {
  std::string text;
  bool stands_out = false;
};
struct TextColumn {
  std::string_view label;
  int width = 0;  // 0: as wide as it comes
  bool right = true;
};
struct TextTable {
  std::string title;
  std::vector<TextColumn> columns;
  std::vector<std::vector<TextCell>> rows;
};
/// Sentences, then tables.
struct ValidationPage {
  std::vector<std::string> sentences;
  std::vector<TextTable> tables;
};

std::string percent(const std::optional<double>& share, bool sign) {
  if (!share) {
    return "-";
  }
  return sign ? fmt::format("{:+.1f} %", 100 * *share) : fmt::format("{:.1f} %", 100 * *share);
}
TextCell error_cell(double error) {
  return {percent(error, true), std::abs(error) >= kLargeError};
}

// ---- what is said ---------------------------------------------------------------------------

std::vector<std::string> sentences_of(const Validation& validation) {
  const ErrorStatistics all = error_statistics(validation.points);
  const std::size_t repeats = validation.points.size() - static_cast<std::size_t>(all.rows);
  std::vector<std::string> lines{
      fmt::format(
          "{} rows of the table '{}', {} of them complete, {} simulated{}", validation.rows,
          validation.table, validation.complete, validation.points.size(),
          repeats == 0 ? "" : fmt::format(" ({} repeat another one and count once)", repeats)),
      fmt::format("error of the simulated time: median {}, 90th percentile {} (both without sign), "
                  "mean {}",
                  percent(all.median_abs, false), percent(all.p90_abs, false),
                  percent(all.mean, true))};
  if (const ErrorFloor floor = error_floor(validation.points); floor.rows > 0) {
    lines.push_back(fmt::format(
        "floor of error: {} rows share {} scenarios; their published times lie {} (median), {} "
        "(mean), {} (most) from the middle of theirs",
        floor.rows, floor.scenarios, percent(floor.median, false), percent(floor.mean, false),
        percent(floor.most, false)));
  }
  if (const ErrorFloor floor = sweep_floor(validation.points); floor.rows > 0) {
    lines.push_back(fmt::format(
        "floor of error: the nearest curves through {} sweeps over {} sizes, if more bytes take no "
        "less time, are {} (median), {} (90th percentile), {} (mean) off",
        floor.scenarios, floor.rows, percent(floor.median, false), percent(floor.p90, false),
        percent(floor.mean, false)));
  }
  if (const ErrorStatistics peaks = error_statistics(validation.memory); peaks.rows > 0) {
    lines.push_back(fmt::format(
        "error of the peak of memory, of {} rows: median {}, 90th percentile {}, mean {}",
        peaks.rows, percent(peaks.median_abs, false), percent(peaks.p90_abs, false),
        percent(peaks.mean, true)));
  }
  return lines;
}

TextTable points_table(std::string title, const std::vector<ValidationPoint>& points) {
  TextTable table{.title = std::move(title),
                  .columns = {{"row", 28, false},
                              {"device", 7, false},
                              {"published", 12},
                              {"simulated", 12},
                              {"error", 10}},
                  .rows = {}};
  for (const ValidationPoint& point : points) {
    table.rows.push_back({{shown(point.id, 28)},
                          {point.device},
                          {to_text(Seconds{point.published})},
                          {to_text(Seconds{point.simulated})},
                          error_cell(point.error())});
  }
  return table;
}

std::vector<ValidationPoint> worst_points(const Validation& validation, int most) {
  std::vector<ValidationPoint> points = validation.points;
  std::erase_if(points, [](const ValidationPoint& point) { return !point.repeats.empty(); });
  std::stable_sort(points.begin(), points.end(),
                   [](const ValidationPoint& a, const ValidationPoint& b) {
                     return std::abs(a.error()) > std::abs(b.error());
                   });
  points.resize(std::min(points.size(), static_cast<std::size_t>(std::max(most, 0))));
  return points;
}

TextTable group_table(std::string title, const std::vector<ValidationPoint>& points,
                      std::string ValidationPoint::*group) {
  TextTable table{
      .title = std::move(title),
      .columns = {{"", 44, false}, {"rows", 5}, {"median", 10}, {"p90", 10}, {"mean", 10}},
      .rows = {}};
  for (const auto& [name, statistics] : error_statistics_by(points, group)) {
    table.rows.push_back({{shown(name, 41)},
                          {fmt::format("{}", statistics.rows)},
                          {percent(statistics.median_abs, false)},
                          {percent(statistics.p90_abs, false)},
                          error_cell(statistics.mean.value_or(0))});
  }
  return table;
}

/// Reasons of rows, most rows first; how many have no other one.
TextTable reason_table(const std::vector<RowReasons>& rows) {
  TextTable table{.title = fmt::format("Not simulated: {} rows", rows.size()),
                  .columns = {{"rows", 5}, {"for it only", 11}, {" reason", 0, false}},
                  .rows = {}};
  for (const ReasonCount& reason : count_reasons(rows)) {
    table.rows.push_back({{fmt::format("{}", reason.rows)},
                          {fmt::format("{}", reason.alone)},
                          {" " + shown(reason.reason, 100)}});
  }
  return table;
}

TextTable remark_table(const std::vector<RowReasons>& rows) {
  TextTable table{.title = fmt::format("Taken for granted of {} rows", rows.size()),
                  .columns = {{"rows", 5}, {" what", 0, false}},
                  .rows = {}};
  for (const ReasonCount& remark : count_reasons(rows)) {
    table.rows.push_back({{fmt::format("{}", remark.rows)}, {" " + shown(remark.reason, 100)}});
  }
  return table;
}

ValidationPage page_of(const Validation& validation, const ValidateOptions& options) {
  ValidationPage page{.sentences = sentences_of(validation), .tables = {}};
  const auto add = [&](TextTable table) {
    if (!table.rows.empty()) {
      page.tables.push_back(std::move(table));
    }
  };
  add(points_table("Largest errors", worst_points(validation, options.worst)));
  for (const Grouping& grouping : kGroupings) {
    if (std::find(options.by.begin(), options.by.end(), grouping.name) != options.by.end()) {
      add(group_table(fmt::format("By {}", grouping.name), validation.points, grouping.group));
      add(group_table(fmt::format("Peak of memory by {}", grouping.name), validation.memory,
                      grouping.group));
    }
  }
  if (options.rows) {
    add(points_table("Rows", validation.points));
  }
  add(remark_table(validation.remarks));
  add(reason_table(validation.not_simulated));
  return page;
}

// ---- JSON -----------------------------------------------------------------------------------

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

void add_statistics(Json& json, const ErrorStatistics& statistics) {
  json["median_abs_error"] = number_or_null(statistics.median_abs);
  json["p90_abs_error"] = number_or_null(statistics.p90_abs);
  json["mean_error"] = number_or_null(statistics.mean);
}

Json by_group(const std::vector<ValidationPoint>& points, std::string ValidationPoint::*group) {
  Json json = Json::object();
  for (const auto& [name, statistics] : error_statistics_by(points, group)) {
    json[name]["rows"] = statistics.rows;
    add_statistics(json[name], statistics);
  }
  return json;
}

Json points_of(const std::vector<ValidationPoint>& points) {
  Json json = Json::array();
  for (const ValidationPoint& point : points) {
    json.push_back({{"id", point.id},
                    {"published", point.published},
                    {"simulated", point.simulated},
                    {"unit", point.unit},
                    {"error", point.error()}});
  }
  return json;
}

/// Null where no row has a peak of memory.
Json memory_of(const Validation& validation) {
  if (validation.memory.empty()) {
    return nullptr;
  }
  Json json;
  json["rows"] = validation.memory.size();
  add_statistics(json, error_statistics(validation.memory));
  json["by_source"] = by_group(validation.memory, &ValidationPoint::source);
  json["points"] = points_of(validation.memory);
  return json;
}

/// Null where no rows share what it goes by.
Json floor_of(const ErrorFloor& floor, const char* groups) {
  if (floor.rows == 0) {
    return nullptr;
  }
  return {{"rows", floor.rows},
          {groups, floor.scenarios},
          {"median_abs", number_or_null(floor.median)},
          {"p90_abs", number_or_null(floor.p90)},
          {"mean_abs", number_or_null(floor.mean)},
          {"most_abs", number_or_null(floor.most)}};
}

Json reasons_of(const std::vector<RowReasons>& rows) {
  Json json = Json::array();
  for (const RowReasons& row : rows) {
    json.push_back({{"id", row.id}, {"reason", fmt::format("{}", fmt::join(row.reasons, "; "))}});
  }
  return json;
}

}  // namespace

std::span<const Grouping> groupings() {
  return kGroupings;
}

std::string text_of(const Validation& validation, const ValidateOptions& options, bool colour) {
  const auto paint = [&](const std::string& text, const char* code) {
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  };
  const auto laid = [](const std::string& text, const TextColumn& column) {
    return column.right ? fmt::format("{:>{}}", text, column.width)
                        : fmt::format("{:<{}}", text, column.width);
  };
  const auto in_line = [&](const TextTable& table, const auto& cell_at) {
    std::string line = " ";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      line += " " + cell_at(i);
    }
    return line + "\n";
  };
  const ValidationPage page = page_of(validation, options);
  std::string text = fmt::format("{}\n", fmt::join(page.sentences, "\n"));
  for (const TextTable& table : page.tables) {
    text += "\n" + paint(table.title, "1") + "\n";
    text += in_line(table, [&](std::size_t i) {
      return laid(std::string(table.columns[i].label), table.columns[i]);
    });
    for (const std::vector<TextCell>& row : table.rows) {
      text += in_line(table, [&](std::size_t i) {
        const std::string cell = laid(row[i].text, table.columns[i]);
        return row[i].stands_out ? paint(cell, "33") : cell;
      });
    }
  }
  return text;
}

std::string markdown_of(const Validation& validation, const ValidateOptions& options) {
  const auto cell = [](std::string_view text) {
    std::string escaped;
    for (const char c : text) {
      escaped +=
          c == '|' || c == '<' || c == '*' || c == '_' ? fmt::format("\\{}", c) : std::string(1, c);
    }
    return escaped;
  };
  const ValidationPage page = page_of(validation, options);
  std::string text = fmt::format("{}\n", fmt::join(page.sentences, "\n\n"));
  for (const TextTable& table : page.tables) {
    text += fmt::format("\n### {}\n\n|", table.title);
    std::string rule = "|";
    for (const TextColumn& column : table.columns) {
      text += fmt::format(" {} |", column.label);
      rule += column.right ? " ---: |" : " --- |";
    }
    text += fmt::format("\n{}\n", rule);
    for (const std::vector<TextCell>& row : table.rows) {
      text += "|";
      for (const TextCell& of : row) {
        text += fmt::format(" {} |", cell(of.text));
      }
      text += "\n";
    }
  }
  return text;
}

std::string csv_of(const Validation& validation) {
  std::string text =
      "id,source,device,framework,precision,kind,published,simulated,unit,error,gpu,gpus,profile,"
      "repeats,published_peak,simulated_peak\n";
  std::map<std::string_view, const ValidationPoint*> peaks;
  for (const ValidationPoint& point : validation.memory) {
    peaks[point.id] = &point;
  }
  for (const ValidationPoint& point : validation.points) {
    for (const std::string& cell :
         {point.id, point.source, point.device, point.framework, point.precision, point.kind}) {
      text += csv_cell(cell) + ",";
    }
    const auto peak = peaks.find(point.id);
    text += fmt::format(
        "{},{},{},{},{},{},{},{},{}\n", point.published, point.simulated, point.unit, point.error(),
        csv_cell(point.gpu), point.gpus > 0 ? fmt::format("{}", point.gpus) : "",
        csv_cell(point.profile), csv_cell(point.repeats),
        peak == peaks.end()
            ? ","
            : fmt::format("{},{}", peak->second->published, peak->second->simulated));
  }
  return text;
}

Json json_of(const Validation& validation) {
  Json json;
  json["schema"] = "danlu.validate/1";
  json["table"] = validation.table;
  json["rows"] = validation.rows;
  json["complete"] = validation.complete;
  json["simulated"] = validation.points.size();
  add_statistics(json, error_statistics(validation.points));
  json["floor"] = floor_of(error_floor(validation.points), "scenarios");
  json["sweep_floor"] = floor_of(sweep_floor(validation.points), "sweeps");
  for (const Grouping& grouping : kGroupings) {
    json[fmt::format("by_{}", grouping.name)] = by_group(validation.points, grouping.group);
  }
  json["points"] = points_of(validation.points);
  json["memory"] = memory_of(validation);
  json["repeats"] = Json::array();
  for (const ValidationPoint& point : validation.points) {
    if (!point.repeats.empty()) {
      json["repeats"].push_back({{"id", point.id}, {"of", point.repeats}});
    }
  }
  json["remarks"] = reasons_of(validation.remarks);
  json["not_simulated"] = reasons_of(validation.not_simulated);
  return json;
}

}  // namespace danlu
