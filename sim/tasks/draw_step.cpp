// What chance decides in a step: how long jittering kernels take, and where in their period GPUs
// that throttle are.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "sim/tasks/plan_step.hpp"

namespace danlu {
namespace {

std::optional<Throttle> shifted(std::optional<Throttle> throttle, double by) {
  if (throttle) {
    throttle->phase += by;
    throttle->phase -= std::floor(throttle->phase);
  }
  return throttle;
}

/// Stretches of kernels of a task, each of which draws a number.
std::uint32_t draws_of(const TaskGraph& graph, const Task& task) {
  if (task.kind != TaskKind::Run) {
    return task.kind == TaskKind::Compute && !task.on_host ? 1 : 0;
  }
  const std::vector<Segment>& segments = graph.programs[task.slice.program].program->segments;
  const auto at = [&](std::size_t i) { return segments.begin() + static_cast<std::ptrdiff_t>(i); };
  return static_cast<std::uint32_t>(
      std::count_if(at(task.slice.first), at(task.slice.last),
                    [](const Segment& segment) { return segment.is_compute; }));
}

bool any_jitters(const StepPlan& plan) {
  return std::any_of(plan.fold.rank_classes.begin(), plan.fold.rank_classes.end(),
                     [](const RankClass& ranks) { return ranks.jitters; });
}

}  // namespace

void number_draws(StepPlan& plan) {
  if (!any_jitters(plan)) {
    return;
  }
  IdVector<RankClassId, std::uint32_t> drawn(plan.fold.rank_classes.size());
  for (const TaskId id : plan.graph.tasks.ids()) {
    Task& task = plan.graph.tasks[id];
    if (const std::uint32_t draws = draws_of(plan.graph, task); draws > 0) {
      const RankClassId ranks = plan.graph.participants.of(id).front();
      task.draw = drawn[ranks];
      drawn[ranks] += draws;
    }
  }
}

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
  plan.graph.jitter.clear();
  if (any_jitters(plan)) {
    for (const RankClass& ranks : classes) {
      plan.graph.jitter.push_back(
          ranks.jitters ? std::optional(JitterFactors(degraded.jitter, draw, ranks.representative))
                        : std::nullopt);
    }
  }
}

}  // namespace danlu
