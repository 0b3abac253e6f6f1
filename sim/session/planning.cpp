#include "sim/session/planning.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/session/effort.hpp"

namespace danlu {
namespace {

void check_forced_choices(const Scenario& scenario, const Cluster& cluster) {
  std::vector<Problem> problems;
  for (ForcedChoiceProblem& found : forced_choice_problems(scenario.workload, cluster)) {
    const auto place = scenario.places.find(found.key);
    Problem problem = place == scenario.places.end() ? Problem{} : place->second;
    problem.message = std::move(found.message);
    problem.hint = std::move(found.hint);
    problems.push_back(std::move(problem));
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
}

/// What makes a large step smaller.
std::vector<std::string> ways_out(const Scenario& scenario, const StepSize& size) {
  const Workload& w = scenario.workload;
  std::vector<std::string> ways;
  if (size.segments > size.tasks) {
    return {"fewer layers on a stage (model.layers, parallelism.pipeline) make less of it"};
  }
  const DegradedSpec& d = scenario.cluster.degraded;
  const bool damaged =
      !d.gpus.empty() || !d.nics.empty() || !d.scale_up.empty() || !d.throttle.empty();
  if (d.jitter.spread > 0) {
    ways.emplace_back("degraded.jitter.gpus lets only some of them jitter, for example 0-63");
  }
  if (w.fold == FoldMode::Off) {
    ways.emplace_back("fold: exact plays one of each class of equal ranks");
  } else if (w.fold == FoldMode::Exact && damaged && w.collectives != CollectiveMode::Stepwise) {
    ways.emplace_back("fold: bound plays coarse classes at their worst");
  }
  if (w.fold == FoldMode::Exact && scenario.cluster.topology.routing == Routing::Ecmp) {
    ways.emplace_back(
        "cluster.fabric.routing: adaptive, since flows that a hash sends over links of their own "
        "make hardly two ranks alike");
  }
  // Formulas hide what a damaged network costs where flows share what is left of it.
  const bool network_is_damaged = !d.nics.empty() || !d.scale_up.empty() || !d.links.empty() ||
                                  !d.leaves.empty() || !d.spines.empty();
  if (w.collectives != CollectiveMode::Formula && !network_is_damaged) {
    ways.emplace_back("collectives: formula lets no communication slow another");
  }
  if (w.microbatches() > 1) {
    ways.emplace_back("fewer microbatches (training.global_batch) make less to play");
  }
  if (w.training.chunks > 1) {
    ways.emplace_back("so do fewer chunks (training.schedule.chunks)");
  }
  return ways;
}

void allow_step(std::string what, const StepSize& size, std::vector<std::string> ways_out,
                const SessionOptions& options) {
  Effort effort = effort_of(std::move(what), size.parts(), std::move(ways_out));
  effort.time = kTimeOfTask * size.effort();
  allow_tasks(effort, options);
}

void allow_size(const Scenario& scenario, const StepSize& size, const SessionOptions& options) {
  allow_step(fmt::format("{}: this step has about {:.2g} tasks and parts of tasks", scenario.name,
                         size.parts()),
             size, ways_out(scenario, size), options);
}

/// Jittering GPUs are all unlike, so that a large cluster of them may have too much to plan. What
/// can be planned is announced then.
void allow_jitter(const Scenario& scenario, const Cluster& cluster, SessionOptions options) {
  const Jitter& jitter = scenario.cluster.degraded.jitter;
  if (jitter.spread == 0) {
    return;
  }
  Cluster calm = cluster;
  calm.spec.degraded.jitter = {};
  options.announce = nullptr;
  const StepSize size =
      size_with_jitter(plan_step(scenario.workload, calm), scenario.workload, jitter);
  allow_step(fmt::format("{}: no two GPUs that jitter are alike, so this step has {:.2g} tasks "
                         "and {:.2g} stretches of kernels and exchanges within them",
                         scenario.name, size.tasks, size.drawn),
             size, ways_out(scenario, size), options);
}

void allow_messages(const Scenario& scenario, const Cluster& cluster,
                    const SessionOptions& options) {
  if (scenario.workload.collectives != CollectiveMode::Stepwise) {
    return;
  }
  Workload steady = scenario.workload;
  steady.collectives = CollectiveMode::Steady;
  const double tasks = tasks_by_message(plan_step(steady, cluster));
  allow_tasks(
      effort_of(fmt::format("{}: message by message this step has up to {:.2g} tasks",
                            scenario.name, tasks),
                tasks, {"collectives: steady plays each phase of a collective as one flow"}),
      options);
}

}  // namespace

MemoryReport check_scenario(const Scenario& scenario) {
  if (!scenario.places.empty()) {
    check_forced_choices(scenario, build_cluster(scenario.cluster));
  }
  return measure_memory(scenario.workload, scenario.cluster);
}

void announce_cluster(const Scenario& scenario, const SessionOptions& options) {
  announce_layout(
      fmt::format("{}: {} GPUs are to be laid out and folded (ten times as slowly where "
                  "their groups sit in many ways)",
                  scenario.name, scenario.cluster.gpus),
      scenario.cluster, kTimeOfGpu, kMemoryOfGpu, options);
}

StepPlan plan_within_limits(const Scenario& scenario, const Cluster& cluster,
                            const SessionOptions& options, Disturbed disturbed) {
  if (const StepSize least = least_size(scenario.workload); least.parts() > options.tasks.most) {
    allow_size(scenario, least, options);
  }
  check_forced_choices(scenario, cluster);
  allow_jitter(scenario, cluster, options);
  allow_messages(scenario, cluster, options);
  const auto allow = [&](const StepSize& size) {
    options.say(fmt::format("about {:.3g} tasks, {:.3g} segments", size.tasks, size.segments));
    allow_size(scenario, size, options);
  };
  return plan_step(scenario.workload, cluster, allow, disturbed);
}

}  // namespace danlu
