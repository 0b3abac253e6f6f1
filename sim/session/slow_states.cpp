#include "sim/session/slow_states.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "sim/session/campaign_time.hpp"
#include "sim/session/plays.hpp"
#include "sim/session/slow_parts.hpp"

namespace danlu {
namespace {

/// The steps of the slow states, each played once, however many parts and causes it tells of.
class SlowSteps {
 public:
  SlowSteps(const Scenario& scenario, const Cluster& cluster, const Fold& fold)
      : scenario_(scenario), cluster_(cluster), mesh_(scenario.workload.mesh()), fold_(fold) {}

  void add(const SlowState& state) {
    std::vector<Tells>& plays = plays_.emplace_back();
    if (!state.cause) {
      TopologySpec topology = scenario_.cluster.topology;
      topology.nic_bandwidth = topology.nic_bandwidth * state.all_nics;
      plays.push_back({{}, scenarios_.size()});
      scenarios_.push_back(scenario_);
      scenarios_.back().cluster.topology = std::move(topology);
      return;
    }
    for (AlikeParts& alike : alike_parts(state, cluster_, mesh_, fold_)) {
      Scenario slowed = scenario_;
      slowed.cluster.degraded = with_slow_part(state, cluster_, alike.played);
      const auto same =
          std::find_if(scenarios_.begin(), scenarios_.end(),
                       [&](const Scenario& known) { return known.cluster == slowed.cluster; });
      plays.push_back({std::move(alike), static_cast<std::size_t>(same - scenarios_.begin())});
      if (same == scenarios_.end()) {
        scenarios_.push_back(std::move(slowed));
      }
    }
  }

  /// A play, and the parts of a state that it tells of.
  struct Tells {
    AlikeParts alike;
    std::size_t number = 0;
  };
  const std::vector<Scenario>& scenarios() const { return scenarios_; }
  const std::vector<Tells>& plays_of(std::size_t state) const { return plays_[state]; }

 private:
  const Scenario& scenario_;
  const Cluster& cluster_;
  Mesh mesh_;
  const Fold& fold_;
  std::vector<Scenario> scenarios_;
  std::vector<std::vector<Tells>> plays_;  // by state
};

/// What a cause costs, by the part that is slow.
void set_slowdowns(const SlowState& state, const std::vector<SlowSteps::Tells>& plays,
                   const std::vector<double>& slowdowns, FaultsPlan& plan,
                   const SessionOptions& options) {
  FaultCause& cause = plan.spec.causes[*state.cause];
  const char* const kind = state.of_nics ? "NIC" : "GPU";
  double sum = 0;
  std::size_t count = 0;
  for (const auto& [alike, number] : plays) {
    count += alike.parts.size();
  }
  std::vector<double> by_part(count);
  for (const auto& [alike, number] : plays) {
    const double slowdown = slowdowns[number];
    const std::string played = fmt::format("{} {}", kind, alike.played);
    const auto parts = static_cast<int>(alike.parts.size());
    plan.slow_parts.push_back({*state.cause, played, parts, alike.sorts, slowdown});
    options.say(fmt::format("{}: with {}, or one of {} like it, steps take {:.4f} times as long",
                            cause.name, played, parts, slowdown));
    sum += slowdown * parts;
    for (const int part : alike.parts) {
      by_part.at(static_cast<std::size_t>(part)) = slowdown;
    }
  }
  cause.slowdown =
      plays.size() > 1 ? sum / static_cast<double>(count) : plan.slow_parts.back().slowdown;
  if (plays.size() > 1) {
    cause.slowdown_of = std::move(by_part);
  }
}

}  // namespace

void play_states(const Scenario& scenario, const Cluster& cluster, const Fold& fold,
                 const Report& healthy, FaultsPlan& plan, const SessionOptions& options) {
  const Seconds step = to_nanoseconds(healthy.step.time);
  SlowSteps slow(scenario, cluster, fold);
  for (const SlowState& state : plan.states) {
    slow.add(state);
  }
  allow_plays(fmt::format("{}: the slow states of the campaign", scenario.name),
              slow.scenarios().size(), healthy.simulation.tasks_played,
              {"a slowdown of the causes instead of slow_gpu and the like plays none"}, options);
  std::vector<double> slowdowns;
  for (const Seconds& slowed : play_steps(slow.scenarios(), &cluster, options)) {
    slowdowns.push_back(std::max(1.0, slowed / step));
  }
  for (std::size_t i = 0; i < plan.states.size(); ++i) {
    const SlowState& state = plan.states[i];
    const std::vector<SlowSteps::Tells>& plays = slow.plays_of(i);
    if (state.cause) {
      set_slowdowns(state, plays, slowdowns, plan, options);
      continue;
    }
    plan.file.slowdown = slowdowns[plays.front().number];
    options.say(fmt::format("during a checkpoint's write steps take {:.4f} times as long",
                            plan.file.slowdown));
    if (state.tier) {
      plan.spec.tiers[*state.tier].slowdown = plan.file.slowdown;
    }
  }
}

}  // namespace danlu
