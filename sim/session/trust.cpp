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

// Who writes the files.
const std::string kValidateWrites =
    "the file is what danlu validate tests/validation/training.csv --format csv prints";
const std::string kFitWrites = "the file is what fit_training --left-out writes";

double number_in(const CsvTable& table, const CsvRow& row, std::string_view column,
                 const std::string& hint) {
  const std::optional<double> number = parse_number(table.cell(row, column));
  if (!number || *number <= 0) {
    throw InputError(table.problem(
        row, column, fmt::format("expected a number above zero in '{}'", column), hint));
  }
  return *number;
}

void read_steps_and_peaks(const std::filesystem::path& file, PublishedRuns& runs) {
  if (!std::filesystem::exists(file)) {
    return;
  }
  constexpr std::array<std::string_view, 1> kKnown{"simulated"};
  const CsvTable table = read_csv(file, kKnown);
  const auto number = [&](const CsvRow& row, std::string_view column) {
    return number_in(table, row, column, kValidateWrites);
  };
  for (const CsvRow& row : table.rows()) {
    if (!table.cell(row, "repeats").empty()) {
      continue;
    }
    ValidationPoint run{.id = std::string(table.cell(row, "id")),
                        .device = std::string(table.cell(row, "device")),
                        .published = number(row, "published"),
                        .simulated = number(row, "simulated"),
                        .kind = std::string(table.cell(row, "kind")),
                        .gpu = std::string(table.cell(row, "gpu")),
                        .gpus = static_cast<int>(number(row, "gpus")),
                        .profile = std::string(table.cell(row, "profile"))};
    runs.steps.push_back(run);
    if (!table.cell(row, "published_peak").empty()) {
      run.published = number(row, "published_peak");
      run.simulated = number(row, "simulated_peak");
      run.unit = "B";
      runs.peaks.push_back(std::move(run));
    }
  }
}

/// The points that are like it.
template <typename Like>
std::vector<ValidationPoint> those(const std::vector<ValidationPoint>& points, const Like& like) {
  std::vector<ValidationPoint> found;
  std::copy_if(points.begin(), points.end(), std::back_inserter(found), like);
  return found;
}

/// Whether the scenario says itself what its GPU can do.
bool has_own_figures(const Report& report) {
  return std::any_of(report.settings.begin(), report.settings.end(), [](const auto& setting) {
    return setting.from_user && setting.key.starts_with("cluster.gpu.") &&
           setting.key != "cluster.gpu.preset";
  });
}

/// Whether ZeRO has any ranks to share out over.
bool shares_weights(const ParallelismSpec& p) {
  return p.data > 1 || p.context > 1 || p.ulysses > 1;
}

}  // namespace

std::string_view kind_of_plan(const Workload& workload, int gpus_per_node) {
  const ParallelismSpec& p = workload.parallelism;
  return workload.model.experts.count > 0    ? "experts"
         : p.tensor > gpus_per_node          ? "tensor over nodes"
         : workload.training.lora.is_there() ? "LoRA"
         : p.zero >= 2 && shares_weights(p)  ? "FSDP and ZeRO-2, -3"
         : p.context > 1 || p.ulysses > 1    ? "sequences shared"
         : !p.stage_layers.empty()           ? "uneven stages"
         : p.pipeline > 1                    ? "pipeline"
         : p.tensor > 1                      ? "tensor"
         : p.data > 1                        ? "data alone"
                                             : "one GPU";
}

PublishedRuns read_published_runs(const std::filesystem::path& folder) {
  PublishedRuns runs;
  read_steps_and_peaks(folder / "validated.csv", runs);
  const std::filesystem::path left_out = folder / "validated-left-out.csv";
  if (std::filesystem::exists(left_out)) {
    constexpr std::array<std::string_view, 1> kKnown{"left_out"};
    const CsvTable table = read_csv(left_out, kKnown);
    for (const CsvRow& row : table.rows()) {
      runs.left_out[std::string(table.cell(row, "id"))] =
          number_in(table, row, "left_out", kFitWrites);
    }
  }
  return runs;
}

Trust trust_in(const Report& report, const PublishedRuns& runs) {
  Trust trust{.gpu = report.gpu,
              .framework = report.workload.training.framework,
              .kind = std::string(kind_of_plan(report.workload, report.gpus_per_node)),
              .own_figures = has_own_figures(report)};
  if (report.gpu == kInventedGpu || report.cluster == kInventedNode) {
    trust.likeness = Likeness::Invented;
    return trust;
  }
  // Boards of one GPU (A100 of 40 and of 80 GB) are one device of the tables.
  const auto board =
      std::find_if(runs.steps.begin(), runs.steps.end(),
                   [&](const ValidationPoint& run) { return run.gpu == report.gpu; });
  if (board == runs.steps.end()) {
    return trust;
  }
  trust.gpu = board->device;
  for (const Likeness likeness :
       {Likeness::SameKind, Likeness::OtherFrameworks, Likeness::OtherKinds}) {
    std::vector<ValidationPoint> like = those(runs.steps, [&](const ValidationPoint& run) {
      return run.device == trust.gpu &&
             (likeness == Likeness::OtherKinds || run.kind == trust.kind) &&
             (likeness != Likeness::SameKind ||
              (!run.profile.empty() && run.profile == trust.framework));
    });
    if (like.size() < kEnoughRuns) {
      continue;
    }
    for (ValidationPoint& run : like) {
      const auto left_out = runs.left_out.find(run.id);
      trust.in_sample += left_out == runs.left_out.end() ? 1 : 0;
      run.simulated = left_out == runs.left_out.end() ? run.simulated : left_out->second;
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

MemoryTrust memory_trust_in(const Workload& workload, int gpus_per_node,
                            const PublishedRuns& runs) {
  MemoryTrust trust{.framework = workload.training.framework,
                    .kind = std::string(kind_of_plan(workload, gpus_per_node))};
  for (const PeakLikeness likeness :
       {PeakLikeness::SameKind, PeakLikeness::SameFramework, PeakLikeness::All}) {
    const std::vector<ValidationPoint> like = those(runs.peaks, [&](const ValidationPoint& run) {
      const bool same_framework = !run.profile.empty() && run.profile == trust.framework;
      return likeness == PeakLikeness::All ||
             (same_framework &&
              (likeness == PeakLikeness::SameFramework || run.kind == trust.kind));
    });
    if (like.size() < kEnoughRuns) {
      continue;
    }
    const ErrorStatistics errors = error_statistics(like);
    std::vector<double> times;
    for (const ValidationPoint& run : like) {
      times.push_back(run.published / run.simulated);
    }
    trust.likeness = likeness;
    trust.peaks = errors.rows;
    trust.median_abs = errors.median_abs;
    trust.p90_abs = errors.p90_abs;
    trust.mean = errors.mean;
    trust.p90_times = quantile(std::move(times), 0.9);
    break;
  }
  return trust;
}

void set_trust(Report& report, const PublishedRuns& runs) {
  report.trust = trust_in(report, runs);
  report.memory_trust = memory_trust_in(report.workload, report.gpus_per_node, runs);
}

}  // namespace danlu
