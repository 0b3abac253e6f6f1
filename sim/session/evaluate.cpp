#include "sim/session/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/engine/max_min.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/report/given_up.hpp"
#include "sim/session/pool.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {
namespace {

using Outcome = Evaluation::Outcome;

/// Calls work(i) for every i below `count`, each once, on so many threads; they have ended when it
/// returns. What is thrown first, in the order of i, is thrown here.
template <typename Work>
void for_each_on_threads(std::size_t count, int threads, const Work& work) {
  const auto most = static_cast<std::size_t>(threads > 0 ? threads : processors());
  std::atomic<std::size_t> next = 0;
  std::vector<std::exception_ptr> thrown(count);
  const auto live = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        thrown[i] = std::current_exception();
      }
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(most, count); ++i) {
    others.emplace_back(live);
  }
  live();
  others.clear();
  for (const std::exception_ptr& error : thrown) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

/// Too large to be planned.
struct TooLarge {
  double parts = 0;
};

Evaluation evaluate_plan(const Workload& plan, const Cluster& cluster, double most_parts,
                         std::optional<Seconds> bound) {
  const auto check_size = [&](const StepSize& size) {
    if (size.opened + size.segments > most_parts) {
      throw TooLarge{size.opened + size.segments};
    }
  };
  const StepSize least = least_size(plan);
  check_size({.segments = least.segments, .opened = least.tasks});
  if (const auto problems = forced_choice_problems(plan, cluster); !problems.empty()) {
    return {.outcome = Outcome::Failed, .why = problems.front().message};
  }
  const StepPlan step = plan_step(plan, cluster, check_size, Disturbed::Open);
  const std::optional<Timeline> timeline = play_max_min(step.graph, {.until = bound});
  if (!timeline) {
    return {.outcome = Outcome::GivenUp,
            .why = fmt::format("its step takes longer than {}", to_text(*bound))};
  }
  if (const auto found = first_given_up(cluster, step, *timeline, plan.communication.timeout)) {
    return {.outcome = Outcome::Hung,
            .why = fmt::format("'{}' ({}) is given up at {}", found->communication, found->group,
                               to_text(found->at))};
  }
  return {.step = timeline->end};
}

Evaluation evaluate_any(const Workload& plan, const Cluster& cluster, double most_parts,
                        std::optional<Seconds> bound) {
  try {
    return evaluate_plan(plan, cluster, most_parts, bound);
  } catch (const TooLarge& size) {
    return {.outcome = Outcome::TooLarge,
            .why = fmt::format("its step has about {:.2g} tasks and parts of tasks, of at most "
                               "{:.2g}",
                               size.parts, most_parts)};
  } catch (const std::exception& error) {
    return {.outcome = Outcome::Failed, .why = error.what()};
  }
}

}  // namespace

Evaluator::Evaluator(const Cluster& cluster, const EvaluateOptions& options)
    : cluster_(cluster), options_(options) {}

std::vector<Evaluation> Evaluator::evaluate(std::span<const Workload> plans,
                                            std::optional<Seconds> bound) {
  std::vector<Evaluation> found(plans.size());
  for_each_on_threads(plans.size(), options_.threads, [&](std::size_t i) {
    found[i] = evaluate_any(plans[i], cluster_, options_.most_parts, bound);
  });
  return found;
}

std::vector<MemoryReport> evaluate_memory(std::span<const Workload> plans,
                                          const ClusterSpec& cluster, int threads) {
  std::vector<MemoryReport> found(plans.size());
  for_each_on_threads(plans.size(), threads,
                      [&](std::size_t i) { found[i] = measure_memory(plans[i], cluster); });
  return found;
}

}  // namespace danlu
