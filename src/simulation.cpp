#include "src/simulation.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>

#include "sim/base/error.hpp"
#include "sim/engine/engine.hpp"
#include "src/campaign.hpp"
#include "src/child_process.hpp"

namespace danlu {
namespace {

void log_tasks(const StepPlan& plan, const Timeline& timeline) {
  if (!spdlog::should_log(spdlog::level::trace)) {
    return;
  }
  for (std::size_t i = 0; i < plan.graph.tasks.size(); ++i) {
    spdlog::trace("{:.9f} to {:.9f} s: {}", timeline.start[i].value, timeline.finish[i].value,
                  plan.graph.describe(make_id<TaskId>(i)));
  }
}

/// The most memory that this process or a child has held.
Bytes peak_memory() {
  rusage own{};
  rusage children{};
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &children);
  return {1024.0 * static_cast<double>(std::max(own.ru_maxrss, children.ru_maxrss))};
}

/// A timeline as bytes: start and finish of every task.
std::string pack(const Timeline& timeline) {
  std::string bytes;
  for (const std::vector<Seconds>* times : {&timeline.start, &timeline.finish}) {
    bytes.append(reinterpret_cast<const char*>(times->data()), times->size() * sizeof(Seconds));
  }
  return bytes;
}

Timeline unpack(const std::string& bytes) {
  const std::size_t tasks = bytes.size() / sizeof(Seconds) / 2;
  Timeline timeline{std::vector<Seconds>(tasks), std::vector<Seconds>(tasks), {}};
  std::memcpy(timeline.start.data(), bytes.data(), tasks * sizeof(Seconds));
  std::memcpy(timeline.finish.data(), bytes.data() + tasks * sizeof(Seconds),
              tasks * sizeof(Seconds));
  for (const Seconds finish : timeline.finish) {
    timeline.end = std::max(timeline.end, finish);
  }
  return timeline;
}

/// Plays the graph here, or in a child when this process has more to play.
Timeline play(const TaskGraph& graph, bool alone, const CommonOptions& common) {
  const EngineOptions options{.simgrid_log = common.simgrid_log};
  if (alone) {
    return simulate(graph, options);
  }
  const ChildResult child =
      run_in_children(1, 1, [&](std::size_t) { return pack(simulate(graph, options)); }).front();
  if (!child.succeeded && child.output == std::bad_alloc().what()) {
    throw std::bad_alloc();
  }
  check(child.succeeded, child.output);
  return unpack(child.output);
}

/// What only shows once the machine is built.
void refuse_what_cannot_run(const Scenario& scenario, const Cluster& cluster) {
  check_wishes(scenario, cluster);
  if (scenario.workload.collectives != CollectiveMode::Stepwise) {
    return;
  }
  Workload steady = scenario.workload;
  steady.collectives = CollectiveMode::Steady;
  if (const double tasks = tasks_by_message(plan_step(steady, cluster));
      tasks > kMostTasksByMessage) {
    throw CannotRun(fmt::format("{}: message by message this step has up to {:.2g} tasks; danlu "
                                "plays {:.2g}",
                                scenario.name, tasks, kMostTasksByMessage),
                    "collectives: steady plays each phase of a collective as one flow");
  }
}

Simulation simulate_scenario(Scenario scenario, bool alone, const CommonOptions& common) {
  const auto begin = std::chrono::steady_clock::now();
  const Cluster cluster = build_cluster(scenario.cluster);
  spdlog::info("{}: {} nodes, {} links", scenario.name, cluster.nodes(),
               cluster.topology.links().size());
  refuse_what_cannot_run(scenario, cluster);
  Simulation simulation;
  simulation.plan = plan_step(scenario.workload, cluster);
  // The graph is acyclic and every byte is accounted for.
  const StepPlan& plan = simulation.plan;
  spdlog::info("plan: {} classes of ranks, {} of communications, {} links, {} tasks",
               plan.fold.units.size(), plan.fold.patterns.size(), plan.fold.links.size(),
               plan.graph.tasks.size());
  simulation.timeline = play(plan.graph, alone, common);
  // Every task has finished.
  log_tasks(plan, simulation.timeline);
  simulation.report = measure(scenario.name, scenario.workload, cluster, plan, simulation.timeline);
  simulation.scenario = std::move(scenario);
  if (simulation.scenario.faults) {
    simulation.report.faults = play_campaign(simulation.scenario, simulation.report, common);
  }
  std::vector<std::string>& notes = simulation.scenario.notes;
  if (simulation.report.faults) {
    const std::vector<std::string> late = campaign_notes(*simulation.report.faults);
    notes.insert(notes.end(), late.begin(), late.end());
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  simulation.report.overrides = common.overrides;
  simulation.report.notes.insert(simulation.report.notes.begin(), notes.begin(), notes.end());
  simulation.report.simulation.wall = {wall.count()};
  simulation.report.simulation.peak_memory = peak_memory();
  spdlog::info("step {:.6g} s, simulated in {:.3g} s", simulation.report.step.time.value,
               wall.count());
  return simulation;
}

/// What to tell a user whose machine has not the memory to play a scenario.
CannotRun out_of_memory(const std::string& name, int gpus, FoldMode fold) {
  return {fmt::format("{}: this machine has not enough memory to play {} GPUs", name, gpus),
          fold == FoldMode::Off
              ? "fold: exact plays one of each class of equal ranks, with the same result"
              : "fewer microbatches (training.global_batch) or collectives: steady make less to "
                "play"};
}

}  // namespace

void check_wishes(const Scenario& scenario, const Cluster& cluster) {
  std::vector<Problem> problems;
  for (WishProblem& found : wish_problems(scenario.workload, cluster)) {
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

Seconds play_step(const Scenario& scenario, const CommonOptions& common) {
  const Cluster cluster = build_cluster(scenario.cluster);
  return play(plan_step(scenario.workload, cluster).graph, false, common).end;
}

Simulation simulate_in_child(const std::filesystem::path& file, const CommonOptions& common) {
  spdlog::info("reading {}", file.string());
  Scenario scenario = load_scenario(file, {topologies_folder(), common.overrides});
  const std::string name = scenario.name;
  const int gpus = scenario.cluster.gpus;
  const FoldMode fold = scenario.workload.fold;
  try {
    return simulate_scenario(std::move(scenario), false, common);
  } catch (const std::bad_alloc&) {
    throw out_of_memory(name, gpus, fold);
  }
}

std::vector<Simulation> simulate_files(std::span<const std::filesystem::path> files,
                                       const CommonOptions& common) {
  std::vector<Scenario> scenarios;
  const LoadOptions options{topologies_folder(), common.overrides};
  for (const std::filesystem::path& file : files) {
    spdlog::info("reading {}", file.string());
    scenarios.push_back(load_scenario(file, options));
  }
  // From here on no value is unvalidated.
  std::vector<Simulation> simulations;
  for (Scenario& scenario : scenarios) {
    const std::string name = scenario.name;
    const int gpus = scenario.cluster.gpus;
    const FoldMode fold = scenario.workload.fold;
    const bool alone = files.size() == 1 && !scenario.faults;
    try {
      simulations.push_back(simulate_scenario(std::move(scenario), alone, common));
    } catch (const std::bad_alloc&) {
      throw out_of_memory(name, gpus, fold);
    }
  }
  return simulations;
}

}  // namespace danlu
