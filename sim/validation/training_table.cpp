#include "sim/validation/training_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/validation/training_notes.hpp"
#include "sim/validation/training_parts.hpp"

namespace danlu {
namespace {

/// The columns without which nothing can be simulated, in the order of the messages.
constexpr std::array<std::string_view, 15> kNeededColumns{
    "gpu",         "gpus",      "layers",  "hidden", "ffn_hidden", "gated_mlp",
    "heads",       "vocab",     "seq_len", "tp",     "pp",         "global_batch_seqs",
    "micro_batch", "recompute", "dtype"};

/// Seconds of a step; 0 where the row has no rate.
double published_step(const TrainingRow& row) {
  for (const char* column : {"step_time_s", "derived_step_time_s"}) {
    if (row.number(column) > 0) {
      return row.number(column);
    }
  }
  const double rate = row.number("tokens_per_s_per_gpu") * row.number("gpus");
  const double tokens = row.number("global_batch_seqs") * row.number("seq_len");
  return rate > 0 && tokens > 0 ? tokens / rate : 0;
}

void check_rate(const TrainingRow& row, double step, std::vector<std::string>& reasons) {
  if (step == 0) {
    reasons.emplace_back("missing rate");
  }
  if (notes_say(row, Note::IncludesEvaluation)) {
    reasons.emplace_back("rate includes evaluation");
  }
}

void check_needed(const TrainingRow& row, std::vector<std::string>& reasons) {
  for (const std::string_view column : kNeededColumns) {
    if (!row.has(column)) {
      reasons.push_back(fmt::format("missing {}", column));
    }
  }
  if (!row.has("zero_stage_or_sharding") && row.number("dp") != 1) {
    reasons.emplace_back("missing zero_stage_or_sharding");
  }
}

void append(std::vector<std::string>& all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

std::string Conversion::reason() const {
  return fmt::format("{}", fmt::join(reasons, "; "));
}

Conversion convert(const CsvTable& table, const CsvRow& csv, const LoadOptions& options) {
  const TrainingRow row(table, csv);
  constexpr double kGiga = 1e9;
  Conversion result{
      .id = std::string(row.cell("id")),
      .source = std::string(row.cell("source")),
      .date = std::string(row.cell("date")),
      .framework = std::string(row.cell("framework")),
      .published_step_s = published_step(row),
      .published_peak = row.number("peak_mem_gb") * kGiga,
      .peak_of = value_named<PeakOf>(row.cell("peak_mem_of")).value_or(PeakOf::Allocated)};
  if (result.id.empty()) {
    result.id = fmt::format("line {}", row.line());
  }
  check_rate(row, result.published_step_s, result.reasons);
  const DeviceRow* device = device_of(row, result.reasons);
  check_needed(row, result.reasons);
  std::vector<RowSection> sections;
  if (device != nullptr) {
    result.device = device->family;
    sections.push_back(cluster_section(row, *device, options));
  }
  sections.push_back(model_section(row));
  sections.push_back(parallelism_section(row));
  sections.push_back(training_section(row, device, options));
  for (const RowSection& section : sections) {
    append(result.reasons, section.reasons);
    append(result.remarks, section.remarks);
    result.yaml += section.yaml;
  }
  if (result.reasons.empty()) {
    try {
      result.scenario = load_scenario_text(result.yaml, result.id, options);
    } catch (const InputError& error) {
      result.reasons.push_back(error.problems().front().message);
    }
  }
  return result;
}

std::span<const std::string_view> needed_training_columns() {
  return kNeededColumns;
}

bool is_complete(const CsvTable& table, const CsvRow& row) {
  if (table.has_column("complete")) {
    return parse_flag(table.cell(row, "complete")).value_or(false);
  }
  return std::none_of(kNeededColumns.begin(), kNeededColumns.end(),
                      [&](std::string_view column) { return table.cell(row, column).empty(); });
}

}  // namespace danlu
