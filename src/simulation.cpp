#include "src/simulation.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <new>
#include <optional>
#include <thread>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/engine/engine.hpp"
#include "sim/report/given_up.hpp"
#include "src/campaign.hpp"
#include "src/child_process.hpp"
#include "src/limits.hpp"

namespace danlu {
namespace {

void log_tasks(const StepPlan& plan, const Timeline& timeline) {
  if (!spdlog::should_log(spdlog::level::trace)) {
    return;
  }
  for (const TaskId i : plan.graph.tasks.ids()) {
    spdlog::trace("{:.9f} to {:.9f} s: {}", timeline.start[i].value, timeline.finish[i].value,
                  plan.graph.describe(i));
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
  for (const auto* times : {&timeline.start, &timeline.finish}) {
    bytes.append(reinterpret_cast<const char*>(times->data()), times->size() * sizeof(Seconds));
  }
  return bytes;
}

Timeline unpack(const std::string& bytes) {
  const std::size_t tasks = bytes.size() / sizeof(Seconds) / 2;
  Timeline timeline;
  timeline.start.resize(tasks);
  timeline.finish.resize(tasks);
  std::memcpy(timeline.start.data(), bytes.data(), tasks * sizeof(Seconds));
  std::memcpy(timeline.finish.data(), bytes.data() + tasks * sizeof(Seconds),
              tasks * sizeof(Seconds));
  for (const Seconds finish : timeline.finish) {
    timeline.end = std::max(timeline.end, finish);
  }
  return timeline;
}

void check_child(const ChildResult& child) {
  if (!child.succeeded && child.output == std::bad_alloc().what()) {
    throw std::bad_alloc();
  }
  check(child.succeeded, child.output);
}

/// Plays the graph in a child, so that this process can play more.
Timeline play(const TaskGraph& graph, const CommonOptions& common) {
  const EngineOptions options{.simgrid_log = common.simgrid_log};
  const ChildResult child =
      run_in_children(1, 1, [&](std::size_t) { return pack(simulate(graph, options)); }).front();
  check_child(child);
  return unpack(child.output);
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
  if (w.fold == FoldMode::Off) {
    ways.emplace_back("fold: exact plays one of each class of equal ranks");
  } else if (w.fold == FoldMode::Exact && damaged && w.collectives != CollectiveMode::Stepwise) {
    ways.emplace_back("fold: bound plays coarse classes at their worst");
  }
  if (w.microbatches() > 1) {
    ways.emplace_back("fewer microbatches (training.global_batch) make less to play");
  }
  if (w.training.chunks > 1) {
    ways.emplace_back("so do fewer chunks (training.schedule.chunks)");
  }
  return ways;
}

/// What so many tasks of one step take.
Effort effort_of(std::string what, double tasks, std::vector<std::string> ways) {
  return {std::move(what), tasks, kTimeOfTask * tasks, kMemoryOfTask * tasks, std::move(ways)};
}

void check_size(const Scenario& scenario, const StepSize& size, const CommonOptions& common) {
  allow_tasks(effort_of(fmt::format("{}: this step has about {:.2g} tasks and parts of tasks",
                                    scenario.name, size.parts()),
                        size.parts(), ways_out(scenario, size)),
              common);
}

/// Building and folding a large cluster takes about 10 us and 1.5 kB a GPU, and up to ten times as
/// long where groups sit in many ways, as with leaves of which the last is not full.
void announce_cluster(const Scenario& scenario) {
  announce_layout(
      fmt::format("{}: {} GPUs are to be laid out and folded (ten times as slowly where "
                  "their groups sit in many ways)",
                  scenario.name, scenario.cluster.gpus),
      scenario.cluster, {10e-6}, {1.5e3});
}

/// Jittering GPUs are all unlike, so that a large cluster of them has too many tasks.
void refuse_too_much_jitter(const Scenario& scenario, const CommonOptions& common) {
  const Jitter& jitter = scenario.cluster.degraded.jitter;
  if (jitter.spread == 0) {
    return;
  }
  ClusterSpec calm = scenario.cluster;
  calm.degraded.jitter = {};
  const double tasks =
      tasks_of_jitter(plan_step(scenario.workload, build_cluster(calm)), scenario.workload, jitter);
  allow_tasks(effort_of(fmt::format("{}: no two GPUs that jitter are alike, so this step has "
                                    "{:.2g} tasks",
                                    scenario.name, tasks),
                        tasks,
                        {"degraded.jitter.gpus lets only some of them jitter, for example 0-63",
                         "fewer microbatches (training.global_batch) make less to play"}),
              common);
}

/// What only shows once the machine is built.
void refuse_what_cannot_run(const Scenario& scenario, const Cluster& cluster,
                            const CommonOptions& common) {
  if (const StepSize least = least_size(scenario.workload); least.parts() > common.max_tasks) {
    check_size(scenario, least, common);
  }
  check_wishes(scenario, cluster);
  refuse_too_much_jitter(scenario, common);
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
      common);
}

/// Says what it takes to play a step of so many tasks again and again, several at a time.
void allow_plays(const std::string& what, std::size_t plays, std::size_t tasks,
                 std::vector<std::string> ways, const CommonOptions& common) {
  const double processors = std::max(1U, std::thread::hardware_concurrency());
  const double on_each = static_cast<double>(plays) * static_cast<double>(tasks) / processors;
  Effort effort = effort_of(fmt::format("{}: {} steps of about {} tasks", what, plays, tasks),
                            on_each, std::move(ways));
  effort.memory = kMemoryOfTask * (static_cast<double>(tasks) * processors);
  allow_tasks(effort, common);
}

/// Why a step does not end: a communication hung on a flapping link for too long. "" if it does.
std::string what_hung(const Scenario& scenario, const Cluster& cluster, const StepPlan& plan,
                      const Timeline& timeline) {
  const Seconds timeout = scenario.workload.communication.timeout;
  const std::optional<GivenUp> found = first_given_up(cluster, plan, timeline, timeout);
  if (!found) {
    return "";
  }
  const std::string which =
      found->microbatch < 0 ? "" : fmt::format(", microbatch {}", found->microbatch);
  return fmt::format(
      "{}: the step does not end: '{}' ({}{}) {} {} began at {} and was given up at {}, after "
      "communication.timeout ({})",
      scenario.name, found->communication, found->group, which,
      found->waits ? "waiting for ranks that hang on" : "over", found->part, to_text(found->began),
      to_text(found->at), to_text(timeout));
}
void throw_if_hung(const std::string& what) {
  if (!what.empty()) {
    throw CannotRun(what,
                    "the job ends there; the faults section says what that costs in a campaign");
  }
}

/// Plays the plan: how many seconds the step takes, or why it does not end. For a child.
std::string end_of_step(const Scenario& scenario, const Cluster& cluster, const StepPlan& plan,
                        const CommonOptions& common) {
  const Timeline timeline = simulate(plan.graph, {.simgrid_log = common.simgrid_log});
  const std::string hung = what_hung(scenario, cluster, plan, timeline);
  return hung.empty() ? fmt::format("{}", timeline.end.value) : hung;
}

/// What `count` children that end with end_of_step() have played, as many at a time as there are
/// processors.
std::vector<Seconds> seconds_of_children(std::size_t count,
                                         const std::function<std::string(std::size_t)>& play) {
  std::vector<Seconds> steps;
  const auto processors = static_cast<int>(std::thread::hardware_concurrency());
  for (const ChildResult& child : run_in_children(count, processors, play)) {
    check_child(child);
    const std::optional<double> step = parse_number(child.output);
    throw_if_hung(step ? "" : child.output);
    steps.push_back({*step});
  }
  return steps;
}

/// How long the step takes in each draw; `first` is known. Every other draw is played in a child,
/// which draws in its own copy of `plan`.
DrawsReport play_draws(const Scenario& scenario, const Cluster& cluster, StepPlan& plan,
                       Seconds first, const CommonOptions& common) {
  const DegradedSpec& degraded = scenario.cluster.degraded;
  const std::vector<Seconds> others =
      seconds_of_children(static_cast<std::size_t>(degraded.draws) - 1, [&](std::size_t i) {
        draw_step(plan, degraded, static_cast<int>(i) + 1);
        const std::string end = end_of_step(scenario, cluster, plan, common);
        return parse_number(end) ? end : fmt::format("draw {}: {}", i + 2, end);
      });
  DrawsReport draws{{first}};
  draws.steps.insert(draws.steps.end(), others.begin(), others.end());
  return draws;
}

Simulation simulate_scenario(Scenario scenario, const CommonOptions& common,
                             const PlanCheck& check = {}) {
  const auto begin = std::chrono::steady_clock::now();
  announce_cluster(scenario);
  const Cluster cluster = build_cluster(scenario.cluster);
  spdlog::info("{}: {} nodes, {} links", scenario.name, cluster.nodes(),
               cluster.topology.links().size());
  Simulation simulation;
  simulation.plan = plan_within_limits(scenario, cluster, common);
  if (check) {
    check(simulation.plan);
  }
  // The graph is acyclic and every byte is accounted for.
  const StepPlan& plan = simulation.plan;
  spdlog::info("plan: {} classes of ranks, {} of communications, {} links, {} tasks",
               plan.fold.rank_classes.size(), plan.fold.patterns.size(), plan.fold.links.size(),
               plan.graph.tasks.size());
  const int draws = scenario.cluster.degraded.draws;
  if (draws > 1) {
    allow_plays(fmt::format("{}: degraded.draws", scenario.name), static_cast<std::size_t>(draws),
                plan.graph.tasks.size(), {"fewer draws"}, common);
  }
  simulation.timeline = play(plan.graph, common);
  // Every task has finished.
  throw_if_hung(what_hung(scenario, cluster, plan, simulation.timeline));
  log_tasks(plan, simulation.timeline);
  simulation.report = measure(scenario.name, scenario.workload, cluster, plan, simulation.timeline);
  if (draws > 1) {
    simulation.report.draws =
        play_draws(scenario, cluster, simulation.plan, simulation.timeline.end, common);
    simulation.report.run = measure_run(simulation.report, scenario.cluster);
  }
  for (const Setting& setting : scenario.settings) {
    const bool from_user =
        setting.source == Setting::Source::File || setting.source == Setting::Source::CommandLine;
    simulation.report.settings.push_back({setting.key, setting.text, from_user});
  }
  for (const Assumed& assumed : scenario.assumed) {
    simulation.report.assumptions.push_back({assumed.key, assumed.text, assumed.reason});
  }
  simulation.scenario = std::move(scenario);
  if (simulation.scenario.faults) {
    simulation.report.faults = play_campaign(simulation.scenario, simulation.report, common);
  }
  std::vector<std::string>& notes = simulation.scenario.notes;
  const std::vector<std::string> flaps = late_flaps(cluster, simulation.timeline.end);
  notes.insert(notes.end(), flaps.begin(), flaps.end());
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

StepPlan plan_within_limits(const Scenario& scenario, const Cluster& cluster,
                            const CommonOptions& common) {
  refuse_what_cannot_run(scenario, cluster, common);
  return plan_step(scenario.workload, cluster, [&](const StepSize& size) {
    spdlog::info("about {:.3g} tasks, {:.3g} segments", size.tasks, size.segments);
    check_size(scenario, size, common);
  });
}

void allow_plays_of(const std::string& what, std::span<const Scenario> scenarios,
                    const Report& first, std::vector<std::string> ways,
                    const CommonOptions& common) {
  allow_plays(what, scenarios.size(), static_cast<std::size_t>(first.simulation.tasks_played),
              std::move(ways), common);
}

std::vector<Seconds> play_steps(std::span<const Scenario> scenarios, const CommonOptions& common) {
  return seconds_of_children(scenarios.size(), [&](std::size_t i) {
    const Cluster cluster = build_cluster(scenarios[i].cluster);
    return end_of_step(scenarios[i], cluster, plan_step(scenarios[i].workload, cluster), common);
  });
}

std::vector<std::optional<Seconds>> try_steps(std::span<const Scenario> scenarios,
                                              std::size_t most_tasks, const CommonOptions& common) {
  constexpr unsigned kPatience = 5;  // seconds
  const auto processors = static_cast<int>(std::thread::hardware_concurrency());
  std::vector<std::optional<Seconds>> steps;
  for (const ChildResult& child : run_in_children(scenarios.size(), processors, [&](std::size_t i) {
         alarm(kPatience);
         const Cluster cluster = build_cluster(scenarios[i].cluster);
         const StepPlan plan = plan_step(scenarios[i].workload, cluster, [&](const StepSize& size) {
           check(size.parts() <= static_cast<double>(most_tasks), "too large to be tried");
         });
         return end_of_step(scenarios[i], cluster, plan, common);
       })) {
    const std::optional<double> step = child.succeeded ? parse_number(child.output) : std::nullopt;
    steps.push_back(step ? std::optional(Seconds{*step}) : std::nullopt);
  }
  return steps;
}

Simulation simulate_in_child(const std::filesystem::path& file, const CommonOptions& common) {
  spdlog::info("reading {}", file.string());
  Scenario scenario = load_scenario(file, {topologies_folder(), common.overrides});
  const std::string name = scenario.name;
  const int gpus = scenario.cluster.gpus;
  const FoldMode fold = scenario.workload.fold;
  try {
    return simulate_scenario(std::move(scenario), common);
  } catch (const std::bad_alloc&) {
    throw out_of_memory(name, gpus, fold);
  }
}

std::vector<Simulation> simulate_files(std::span<const std::filesystem::path> files,
                                       const CommonOptions& common, const PlanCheck& check) {
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
    try {
      simulations.push_back(simulate_scenario(std::move(scenario), common, check));
    } catch (const std::bad_alloc&) {
      throw out_of_memory(name, gpus, fold);
    }
  }
  return simulations;
}

}  // namespace danlu
