// What chance decides in a step: how long jittering kernels take, and where in their period GPUs
// that throttle are.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "sim/base/philox.hpp"
#include "sim/plan/plan_step.hpp"

namespace danlu {
namespace {

/// The factors of all GPUs: log-normal with mean 1 and the standard deviation asked for.
class Factors {
 public:
  Factors(const Jitter& jitter, int draw)
      : streams_(jitter.seed, static_cast<std::uint32_t>(draw)),
        variance_(std::log1p(jitter.spread * jitter.spread)) {}

  /// Of the n-th task of compute in a GPU's program, whatever else is played.
  double of(int gpu, std::uint32_t n) const {
    const std::uint64_t stream = stream_name("jitter", "GPU", static_cast<std::uint64_t>(gpu) + 1);
    return std::exp(std::sqrt(variance_) * streams_.normal(stream, n) - variance_ / 2);
  }

 private:
  RandomStreams streams_;
  double variance_;  // of the logarithm
};

std::optional<Throttle> shifted(std::optional<Throttle> throttle, double by) {
  if (throttle) {
    throttle->phase += by;
    throttle->phase -= std::floor(throttle->phase);
  }
  return throttle;
}

}  // namespace

void draw_step(StepPlan& plan, const DegradedSpec& degraded, int draw) {
  const std::vector<RankClass>& units = plan.fold.units;
  plan.graph.throttles.clear();
  if (std::any_of(units.begin(), units.end(),
                  [](const RankClass& u) { return u.throttle.has_value(); })) {
    for (const RankClass& unit : units) {
      plan.graph.throttles.push_back(
          shifted(unit.throttle, static_cast<double>(draw) / degraded.draws));
    }
  }
  const Factors factors(degraded.jitter, draw);
  std::vector<std::uint32_t> numbers(units.size());
  for (std::size_t i = 0; i < plan.graph.tasks.size(); ++i) {
    Task& task = plan.graph.tasks[i];
    if (task.kind == TaskKind::Compute) {
      const auto unit = static_cast<std::size_t>(plan.graph.participants[i].front());
      task.stretch =
          units[unit].jitters ? factors.of(units[unit].representative, numbers[unit]++) : 1;
    }
  }
}

double tasks_of_jitter(const StepPlan& plan, const Workload& workload, const Jitter& jitter) {
  std::vector<double> tasks(plan.fold.units.size());  // of one rank
  for (std::size_t i = 0; i < plan.graph.tasks.size(); ++i) {
    const Task& task = plan.graph.tasks[i];
    const int own = task.kind == TaskKind::Run       ? task.slice.last - task.slice.first
                    : task.kind == TaskKind::Compute ? 1
                                                     : 0;
    for (const int unit : plan.graph.participants[i]) {
      tasks[static_cast<std::size_t>(unit)] += own;
    }
  }
  const Mesh mesh = workload.parallelism.mesh();
  const int tensor = workload.parallelism.tensor;
  double sum = 0;
  for (int first = 0; first < mesh.world_size(); first += tensor) {  // tensor ranks are in a row
    double own = 0;
    bool jitters = false;
    for (int rank = first; rank < first + tensor; ++rank) {
      const int unit = plan.fold.unit_of_rank[static_cast<std::size_t>(rank)];
      own += tasks[static_cast<std::size_t>(unit)];
      jitters = jitters || jitter.shakes(static_cast<int>(index(mesh.gpu(rank))));
    }
    sum += jitters ? own : 0;
  }
  return sum;
}

}  // namespace danlu
