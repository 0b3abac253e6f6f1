// A sweep as a table for programs, a line for each point: CSV, and JSON Lines, where settings and
// figures are objects by their keys and names.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sim/base/csv.hpp"
#include "sim/report/sweep_report.hpp"
#include "sim/report/writers.hpp"

namespace danlu {

std::string sweep_csv(const SweepReport& sweep) {
  std::string text = "point";
  for (const SweepAxis& axis : sweep.axes) {
    text += "," + csv_cell(axis.key);
  }
  text += ",status,reason";
  for (const std::string& name : sweep.names) {
    text += "," + csv_cell(name);
  }
  for (std::size_t number = 0; number < sweep.points.size(); ++number) {
    const SweepPoint& point = sweep.points[number];
    text += fmt::format("\n{}", number);
    for (const std::string& value : point.values) {
      text += "," + csv_cell(value);
    }
    text += fmt::format(",{},{}", name_of(point.status), csv_cell(point.reason));
    for (const Figure& figure : point.figures) {
      text += "," + csv_value(figure.value);
    }
  }
  return text + "\n";
}

std::string sweep_jsonl(const SweepReport& sweep) {
  using Json = nlohmann::ordered_json;
  std::string text;
  for (std::size_t number = 0; number < sweep.points.size(); ++number) {
    const SweepPoint& point = sweep.points[number];
    Json line{{"point", number}};
    for (std::size_t i = 0; i < sweep.axes.size(); ++i) {
      line["settings"][sweep.axes[i].key] = point.values[i];
    }
    line["status"] = name_of(point.status);
    line["reason"] = point.reason.empty() ? Json() : Json(point.reason);
    for (std::size_t i = 0; i < sweep.names.size(); ++i) {
      line["figures"][sweep.names[i]] = json_value(point.figures[i].value);
    }
    text += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return text;
}

}  // namespace danlu
