#include "sim/session/trust.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/base/csv.hpp"
#include "sim/base/error.hpp"
#include "sim/base/text.hpp"

namespace danlu {
namespace {

// topologies/gpus/lesson.yaml and topologies/lesson.yaml
constexpr std::string_view kInventedGpu = "lesson GPU";
constexpr std::string_view kInventedNode = "lesson node";

double number_in(const CsvTable& table, const CsvRow& row, std::string_view column) {
  const std::optional<double> number = parse_number(table.cell(row, column));
  if (!number || *number <= 0) {
    throw InputError(table.problem(
        row, column, fmt::format("expected a number above zero in '{}'", column),
        "the file is what danlu validate tests/validation/training.csv --format csv prints"));
  }
  return *number;
}

/// Whether the scenario says itself what its GPU can do.
bool has_own_figures(const Report& report) {
  return std::any_of(report.settings.begin(), report.settings.end(), [](const auto& setting) {
    return setting.from_user && setting.key.starts_with("cluster.gpu.") &&
           setting.key != "cluster.gpu.preset";
  });
}

}  // namespace

std::string_view kind_of_plan(const Workload& workload, int gpus_per_node) {
  const ParallelismSpec& p = workload.parallelism;
  return workload.model.experts.count > 0    ? "experts"
         : p.tensor > gpus_per_node          ? "tensor over nodes"
         : workload.training.lora.is_there() ? "LoRA"
         : p.zero >= 2                       ? "FSDP and ZeRO-2, -3"
         : p.context > 1 || p.ulysses > 1    ? "sequences shared"
         : !p.stage_layers.empty()           ? "uneven stages"
         : p.pipeline > 1                    ? "pipeline"
         : p.tensor > 1                      ? "tensor"
         : p.data > 1                        ? "data alone"
                                             : "one GPU";
}

std::vector<ValidationPoint> read_validated_runs(const std::filesystem::path& file) {
  std::vector<ValidationPoint> runs;
  if (!std::filesystem::exists(file)) {
    return runs;
  }
  constexpr std::array<std::string_view, 1> kKnown{"simulated"};
  const CsvTable table = read_csv(file, kKnown);
  for (const CsvRow& row : table.rows()) {
    if (table.cell(row, "repeats").empty()) {
      runs.push_back({.id = std::string(table.cell(row, "id")),
                      .device = std::string(table.cell(row, "device")),
                      .published = number_in(table, row, "published"),
                      .simulated = number_in(table, row, "simulated"),
                      .kind = std::string(table.cell(row, "kind")),
                      .gpu = std::string(table.cell(row, "gpu")),
                      .gpus = static_cast<int>(number_in(table, row, "gpus")),
                      .profile = std::string(table.cell(row, "profile"))});
    }
  }
  return runs;
}

Trust trust_in(const Report& report, const std::vector<ValidationPoint>& runs) {
  Trust trust{.gpu = report.gpu,
              .framework = report.workload.training.framework,
              .kind = std::string(kind_of_plan(report.workload, report.gpus_per_node)),
              .own_figures = has_own_figures(report)};
  if (report.gpu == kInventedGpu || report.cluster == kInventedNode) {
    trust.likeness = Likeness::Invented;
    return trust;
  }
  // Boards of one GPU (A100 of 40 and of 80 GB) are one device of the tables.
  const auto board = std::find_if(
      runs.begin(), runs.end(), [&](const ValidationPoint& run) { return run.gpu == report.gpu; });
  if (board == runs.end()) {
    return trust;
  }
  trust.gpu = board->device;
  for (const Likeness likeness :
       {Likeness::SameKind, Likeness::OtherFrameworks, Likeness::OtherKinds}) {
    std::vector<ValidationPoint> like;
    std::copy_if(runs.begin(), runs.end(), std::back_inserter(like),
                 [&](const ValidationPoint& run) {
                   return run.device == trust.gpu &&
                          (likeness == Likeness::OtherKinds || run.kind == trust.kind) &&
                          (likeness != Likeness::SameKind ||
                           (!run.profile.empty() && run.profile == trust.framework));
                 });
    if (like.size() < kEnoughRuns) {
      continue;
    }
    const ErrorStatistics errors = error_statistics(like);
    const auto [fewest, most] = std::minmax_element(
        like.begin(), like.end(), [](const auto& a, const auto& b) { return a.gpus < b.gpus; });
    trust.likeness = likeness;
    trust.runs = errors.rows;
    trust.fewest_gpus = fewest->gpus;
    trust.most_gpus = most->gpus;
    trust.median_abs = errors.median_abs;
    trust.p90_abs = errors.p90_abs;
    trust.mean = errors.mean;
    break;
  }
  return trust;
}

}  // namespace danlu
