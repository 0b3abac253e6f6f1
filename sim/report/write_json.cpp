// A document as JSON in SI units. What does not apply is null: a figure, and an object of figures
// none of which does.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/report/writers.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

/// Keys that an object begins with, where people read it in another order.
struct KeyOrder {
  std::string_view object;
  std::vector<std::string_view> first;
};
const std::vector<KeyOrder>& key_orders() {
  static const std::vector<KeyOrder> orders{
      {"",
       {"schema", "base", "settings", "runs", "scenario", "overrides", "verdict", "notes",
        "assumed", "model", "parameters", "topology", "gpu", "gpus", "plan"}},
      {"/step",
       {"time_s", "tokens_per_s", "tokens_per_s_per_gpu", "model_tflops_per_gpu",
        "hardware_tflops_per_gpu", "peak_tflops_per_gpu", "mfu"}},
      {"/critical_path", {"compute_s"}},
      {"/memory",
       {"capacity_bytes", "peak_bytes", "parameters_bytes", "gradients_bytes", "optimizer_bytes",
        "activations_bytes", "other_bytes", "stage", "reserve_bytes", "fits"}},
      {"/run", {"tokens", "steps", "days", "gpu_hours"}},
      {"/faults",
       {"name", "trials", "seed", "finished", "ettr", "ettr_distribution", "goodput", "failures",
        "unnoticed_corruptions", "begun_anew", "failures_distribution", "wall_time_s",
        "fault_free_s", "step_s", "steps", "time_s", "lost_s", "gpu_time_s", "gpu_hours"}}};
  return orders;
}

/// "busiest.link" as a pointer into JSON; "" is the whole.
Json::json_pointer pointer(std::string_view path) {
  std::string text = path.empty() ? "" : "/" + std::string(path);
  std::replace(text.begin(), text.end(), '.', '/');
  return Json::json_pointer(text);
}

Json value_of(const Figure& figure) {
  return json_value(figure.value);
}

/// The cells of a row by the columns' keys.
Json object_of(const Section& section, const Row& row) {
  Json object = Json::object();
  for (std::size_t i = 0; i < section.columns.size(); ++i) {
    const Column& column = section.columns[i];
    if (!column.key.empty()) {
      object[pointer(column.key)] = i == 0 ? Json(row.label) : value_of(row.cells[i - 1]);
    }
  }
  return object;
}

void add_section(const Section& section, Json& json) {
  if (section.shape == Shape::Table || section.shape == Shape::List) {
    json[pointer(section.key)] = Json::array();
  } else if (section.shape == Shape::Lists) {
    json[pointer(section.key)] = Json::object();
  } else if (section.rows.empty() && !section.key.empty()) {
    json[pointer(section.key)] = nullptr;
  }
  for (const Row& row : section.rows) {
    if (row.is_sentence()) {
      continue;
    }
    switch (section.shape) {
      case Shape::Figures:
        if (!row.key.empty()) {
          json[pointer(joined_key(section.key, row.key))] = value_of(row.cells.front());
        }
        break;
      case Shape::Groups:
        if (!row.key.empty()) {
          json[pointer(joined_key(section.key, row.key))] = object_of(section, row);
        }
        break;
      case Shape::Table:
        json[pointer(section.key)].push_back(object_of(section, row));
        break;
      case Shape::List:
        json[pointer(section.key)].push_back(value_of(row.cells.front()));
        break;
      case Shape::Lists:
        if (!row.key.empty()) {
          Json& list = json[pointer(section.key)][row.key];
          std::transform(row.cells.begin(), row.cells.end(), std::back_inserter(list), value_of);
        }
        break;
    }
  }
}

/// Makes null of objects whose figures are all absent.
void settle(Json& json) {
  const auto is_null = [](const Json& part) { return part.is_null(); };
  if (json.is_object() && !json.empty() && std::all_of(json.begin(), json.end(), is_null)) {
    json = nullptr;
  } else if (json.is_structured()) {
    std::for_each(json.begin(), json.end(), settle);
  }
}

/// Puts first what an object begins with.
void reorder(const KeyOrder& order, Json& json) {
  const Json::json_pointer at{std::string(order.object)};
  if (!json.contains(at) || !json[at].is_object()) {
    return;
  }
  Json& object = json[at];
  Json ordered = Json::object();
  for (const std::string_view key : order.first) {
    if (const auto found = object.find(std::string(key)); found != object.end()) {
      ordered[std::string(key)] = std::move(*found);
      object.erase(std::string(key));
    }
  }
  for (auto& [key, value] : object.items()) {
    ordered[key] = std::move(value);
  }
  object = std::move(ordered);
}

/// What is not UTF-8 (in the name of a file, say) is replaced.
std::string dumped(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Json json_value(const FigureValue& value) {
  return std::visit(
      [](const auto& held) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) {
          return nullptr;
        } else {
          return held;
        }
      },
      value);
}

Json json_of(const Document& document) {
  Json json{{"schema", document.schema}};
  for (const Section& section : document.sections) {
    add_section(section, json);
  }
  settle(json);
  for (const Document& run : document.runs) {
    json["runs"].push_back(json_of(run));
  }
  for (const KeyOrder& order : key_orders()) {
    reorder(order, json);
  }
  return json;
}

std::string write_json(std::span<const Document> documents, bool /*colour*/) {
  std::string text;
  for (const Document& document : documents) {
    text += (text.empty() ? "" : ",\n") + dumped(json_of(document));
  }
  return documents.size() > 1 ? "[\n" + text + "]\n" : text;
}

std::string json_report(const Report& report) {
  return write_json(std::array{document_of(report)}, false);
}

}  // namespace danlu
