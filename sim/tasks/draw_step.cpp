// What chance decides in a step: how long jittering kernels take, and where in their period GPUs
// that throttle are.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "sim/base/philox.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {
namespace {

/// The factors of all GPUs: log-normal with mean 1 and the standard deviation asked for.
class Factors {
 public:
  Factors(const Jitter& jitter, int draw)
      : streams_(jitter.seed, static_cast<std::uint32_t>(draw)),
        variance_(std::log1p(jitter.spread * jitter.spread)) {}

  /// Of the n-th task of compute in a rank's program, whatever else is played.
  double of(RankId rank, std::uint32_t n) const {
    const std::uint64_t stream = stream_name("jitter", "GPU", index(rank) + 1);
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
  const IdVector<RankClassId, RankClass>& classes = plan.fold.rank_classes;
  plan.graph.throttles.clear();
  if (std::any_of(classes.begin(), classes.end(),
                  [](const RankClass& ranks) { return ranks.throttle.has_value(); })) {
    for (const RankClass& ranks : classes) {
      plan.graph.throttles.push_back(
          shifted(ranks.throttle, static_cast<double>(draw) / degraded.draws));
    }
  }
  const Factors factors(degraded.jitter, draw);
  IdVector<RankClassId, std::uint32_t> numbers(classes.size());
  for (const TaskId id : plan.graph.tasks.ids()) {
    Task& task = plan.graph.tasks[id];
    if (task.kind == TaskKind::Compute && !task.on_host) {
      const RankClassId ranks = plan.graph.participants[id].front();
      task.stretch =
          classes[ranks].jitters ? factors.of(classes[ranks].representative, numbers[ranks]++) : 1;
    }
  }
}

double tasks_of_jitter(const StepPlan& plan, const Workload& workload, const Jitter& jitter) {
  IdVector<RankClassId, double> tasks(plan.fold.rank_classes.size());  // of one rank
  for (const TaskId id : plan.graph.tasks.ids()) {
    const Task& task = plan.graph.tasks[id];
    const std::size_t own = task.kind == TaskKind::Run       ? task.slice.last - task.slice.first
                            : task.kind == TaskKind::Compute ? 1
                                                             : 0;
    for (const RankClassId ranks : plan.graph.participants[id]) {
      tasks[ranks] += static_cast<double>(own);
    }
  }
  const Mesh mesh = workload.mesh();
  const int tensor = workload.parallelism.tensor;
  double sum = 0;
  for (int first = 0; first < mesh.world_size(); first += tensor) {  // tensor ranks are in a row
    double own = 0;
    bool jitters = false;
    for (int rank = first; rank < first + tensor; ++rank) {
      own += tasks[plan.fold.class_of_rank[RankId{rank}]];
      jitters = jitters || jitter.shakes(static_cast<int>(index(mesh.gpu(rank))));
    }
    sum += jitters ? own : 0;
  }
  return sum;
}

}  // namespace danlu
