#include "sim/session/evaluate.hpp"

#include <fmt/format.h>

#include <exception>

#include "sim/engine/max_min.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/report/given_up.hpp"
#include "sim/tasks/rounds.hpp"

namespace danlu {
namespace {

using Outcome = Evaluation::Outcome;

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
  const std::optional<FewerRounds> fewer = fewer_rounds(plan, cluster);
  const StepSize least = least_size(fewer ? fewer->workload : plan);
  check_size({.segments = least.segments, .opened = least.tasks});
  if (const auto problems = forced_choice_problems(plan, cluster); !problems.empty()) {
    return {.outcome = Outcome::Failed, .why = problems.front().message};
  }
  const auto given_up = [&] {
    return Evaluation{.outcome = Outcome::GivenUp,
                      .why = fmt::format("its step takes longer than {}", to_text(*bound))};
  };
  if (fewer) {
    StepPlan step = plan_step(fewer->workload, cluster, check_size, Disturbed::Open);
    const auto play = [&](const StepPlan& played) {
      return play_max_min(played.graph, {.until = bound});
    };
    std::optional<Timeline> timeline = play(step);
    if (!timeline) {
      return given_up();
    }
    if (count_rounds(step, *fewer, *timeline, play)) {
      return bound && timeline->end > *bound ? given_up() : Evaluation{.step = timeline->end};
    }
  }
  const StepPlan step = plan_step(plan, cluster, check_size, Disturbed::Open);
  const std::optional<Timeline> timeline = play_max_min(step.graph, {.until = bound});
  if (!timeline) {
    return given_up();
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
  for_each_on_threads(
      plans.size(), options_.threads, [] { return 0; },
      [&](int, std::size_t i) {
        found[i] = evaluate_any(plans[i], cluster_, options_.most_parts, bound);
      },
      options_.progress);
  return found;
}

}  // namespace danlu
