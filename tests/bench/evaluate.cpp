// How many plans are evaluated in a second: all plans of a scenario over tensor, pipeline and data
// ranks, microbatches and chunks, on one thread. Every 40th is played by SimGrid, too, and must end
// at the same time.
//
//   evaluate SCENARIO TOPOLOGIES [THREADS]
#include "sim/session/evaluate.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>

#include "sim/base/error.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/plays.hpp"

namespace danlu {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::vector<Workload> all_plans(const Scenario& scenario) {
  std::vector<Workload> plans;
  const int gpus = scenario.cluster.gpus;
  Workload plan = scenario.workload;
  ParallelismSpec& p = plan.parallelism;
  TrainingSpec& t = plan.training;
  for (p.tensor = 1; p.tensor <= gpus; ++p.tensor) {
    for (p.pipeline = 1; p.tensor * p.pipeline <= gpus; ++p.pipeline) {
      p.data = gpus / (p.tensor * p.pipeline);
      p.sequence = p.tensor > 1;
      for (t.micro_batch = 1; t.micro_batch <= t.global_batch; t.micro_batch *= 2) {
        for (t.chunks = 1; t.chunks <= 12; ++t.chunks) {
          if (problems(plan, gpus, scenario.cluster.gpu).empty()) {
            plans.push_back(plan);
          }
        }
      }
    }
  }
  return plans;
}

int run(const char* file, const char* topologies, int threads) {
  const Scenario scenario = load_scenario(file, {topologies, {}});
  const std::vector<Workload> plans = all_plans(scenario);
  const Cluster cluster = build_cluster(scenario.cluster);

  auto begin = std::chrono::steady_clock::now();
  for (const Workload& plan : plans) {
    (void)measure_memory(plan, scenario.cluster);
  }
  fmt::print("memory of {} plans: {:.3g} s, {:.4g} a second\n", plans.size(), seconds_since(begin),
             static_cast<double>(plans.size()) / seconds_since(begin));

  Evaluator evaluator(cluster, {.threads = threads});
  begin = std::chrono::steady_clock::now();
  const std::vector<Evaluation> found = evaluator.evaluate(plans);
  const double wall = seconds_since(begin);
  double best = 1e300;
  std::size_t ended = 0;
  for (const Evaluation& one : found) {
    if (one.outcome == Evaluation::Outcome::Ended) {
      ++ended;
      best = std::min(best, one.step.value);
    }
  }
  fmt::print("{} plans, of which {} ended: {:.3g} s, {:.4g} a second; best {:.17g} s\n",
             plans.size(), ended, wall, static_cast<double>(plans.size()) / wall, best);

  begin = std::chrono::steady_clock::now();
  (void)Evaluator(cluster, {.threads = threads}).evaluate(plans, Seconds{1.1 * best});
  fmt::print("bounded by 1.1 of the best: {:.3g} s\n", seconds_since(begin));

  double slowest = 0;
  std::vector<Scenario> played;
  std::vector<Seconds> expected;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    begin = std::chrono::steady_clock::now();
    (void)Evaluator(cluster, {.threads = 1}).evaluate({&plans[i], 1});
    const double alone = seconds_since(begin);
    if (alone > slowest) {
      slowest = alone;
      const ParallelismSpec& p = plans[i].parallelism;
      fmt::print(
          "slowest so far: {:.3g} s: tensor {} pipeline {} data {} microbatch {} chunks {}\n",
          alone, p.tensor, p.pipeline, p.data, plans[i].training.micro_batch,
          plans[i].training.chunks);
    }
    if (i % 40 == 0 && found[i].outcome == Evaluation::Outcome::Ended) {
      played.push_back(scenario);
      played.back().workload = plans[i];
      expected.push_back(found[i].step);
    }
  }
  const std::vector<Seconds> truth = play_steps(played, &cluster, {});
  double most = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    most = std::max(most, std::abs(expected[i] / truth[i] - 1));
  }
  fmt::print("{} of them by SimGrid: at most {:.2g} away\n", truth.size(), most);
  return most <= 1e-12 ? 0 : 1;
}

}  // namespace
}  // namespace danlu

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: evaluate SCENARIO TOPOLOGIES [THREADS]\n");
    return 2;
  }
  try {
    return danlu::run(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 1);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
