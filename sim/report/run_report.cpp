// The whole run as so many equal steps, nothing failing; and the mean over draws that it takes.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/report/report.hpp"

namespace danlu {
namespace {

/// Of a GPU's share of its node, the mean over GPUs; none where a kind of node has no power.
std::optional<double> watts_per_gpu(const ClusterSpec& cluster) {
  double watts = 0;
  for (const auto& [topology, gpu, gpus] : cluster.gpus_by_kind()) {
    if (topology.node_power_watts == 0 && gpus > 0) {
      return std::nullopt;
    }
    watts += topology.node_power_watts * gpus / topology.gpus_per_node;
  }
  return watts / cluster.gpus;
}

/// Of a GPU's board, the mean over GPUs.
double board_watts(const ClusterSpec& cluster) {
  double watts = 0;
  for (const auto& [topology, gpu, gpus] : cluster.gpus_by_kind()) {
    watts += gpu.power_watts * gpus;
  }
  return watts / cluster.gpus;
}

}  // namespace

Seconds DrawsReport::mean() const {
  return std::accumulate(steps.begin(), steps.end(), Seconds{}) / static_cast<double>(steps.size());
}

Seconds DrawsReport::standard_error() const {
  const auto count = static_cast<double>(steps.size());
  double squares = 0;
  for (const Seconds step : steps) {
    squares += std::pow((step - mean()).value, 2);
  }
  return {std::sqrt(squares / (count - 1) / count)};
}

std::optional<double> dollars_per_gpu_hour(const ClusterSpec& cluster) {
  double dollars = 0;
  for (const auto& [topology, gpu, gpus] : cluster.gpus_by_kind()) {
    if (gpu.dollars_per_hour == 0 && gpus > 0) {
      return std::nullopt;
    }
    dollars += gpu.dollars_per_hour * gpus;
  }
  return dollars / cluster.gpus;
}

std::optional<RunReport> measure_run(const Report& report, const ClusterSpec& cluster) {
  const std::optional<double> tokens = report.workload.training.tokens;
  if (!tokens) {
    return std::nullopt;
  }
  constexpr double kSecondsPerYear = 365.25 * 86400;
  constexpr double kSecondsPerHour = 3600;
  constexpr double kMega = 1e6;
  const Seconds step = report.draws ? report.draws->mean() : report.step.time;
  const double slower = step / report.step.time;  // than the draw that the report is of
  RunReport run{.tokens = *tokens, .steps = std::ceil(*tokens / report.workload.tokens_per_step())};
  const double seconds = run.steps * step.value;
  run.days = seconds / 86400;
  run.gpu_hours = seconds / kSecondsPerHour * report.gpus;
  run.gpu_years = run.gpu_hours * kSecondsPerHour / kSecondsPerYear;
  double met = 0;  // parameters, by one token
  for (const PartParameters& part : report.parameters_by_part) {
    met += part.active;
  }
  const double token_parameters = *tokens * met * slower / kSecondsPerYear;
  run.gpu_years_6tp = 6 * token_parameters / report.step.model_flops_per_gpu_second;
  if (report.workload.training.recompute == Recompute::Full &&
      report.workload.training.recompute_layers.empty()) {
    run.gpu_years_8tp = 8 * token_parameters / report.step.hardware_flops_per_gpu_second;
  }
  run.gpu_energy_mwh = board_watts(cluster) * run.gpu_hours / kMega;
  if (const std::optional<double> watts = watts_per_gpu(cluster)) {
    run.energy_mwh = *watts * run.gpu_hours / kMega;
  }
  if (const std::optional<double> dollars = dollars_per_gpu_hour(cluster)) {
    run.cost_usd = *dollars * run.gpu_hours;
  } else if (cluster.kinds() > 1) {
    std::vector<std::string_view> unpriced;
    for (const auto& [topology, gpu, gpus] : cluster.gpus_by_kind()) {
      if (gpu.dollars_per_hour == 0 && gpus > 0) {
        unpriced.emplace_back(gpu.name);
      }
    }
    run.unpriced = join(unpriced, " and ");
  }
  return run;
}

}  // namespace danlu
