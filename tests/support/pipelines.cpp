#include "tests/support/pipelines.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "tests/support/play.hpp"

namespace danlu::testing {
namespace {

class PipelineGraph {
 public:
  explicit PipelineGraph(const Pipeline& pipeline) : pipeline_(pipeline) {
    for (int stage = 0; stage < pipeline.placement.stages(); ++stage) {
      add_stage(stage);
    }
    for (const auto& [key, pass] : passes_) {
      add_input(key, pass);
    }
  }

  PlayedPipeline played() const {
    const Timeline timeline = play(graph_);
    PlayedPipeline played{.total = timeline.end.value};
    for (const std::vector<TaskId>& stage : of_stage_) {
      double busy = 0;
      for (const TaskId task : stage) {
        busy += graph_.tasks[task].duration.value;
      }
      played.bubble.push_back(played.total - busy);
      const Seconds span = timeline.finish[stage.back()] - timeline.start[stage.front()];
      played.span = std::max(played.span, span.value);
    }
    return played;
  }

 private:
  using Key = std::tuple<bool, int, int>;  // forward or of inputs, part, microbatch

  void add_stage(int stage) {
    std::vector<TaskId>& tasks = of_stage_.emplace_back();
    bool beside_last = false;
    for (const Action& action : pipeline_.actions[static_cast<std::size_t>(stage)]) {
      const int part = pipeline_.placement.part({stage, action.chunk});
      const std::vector<PassCosts>& costs = pipeline_.costs;
      const PassCosts& cost = costs.size() == 1 ? costs[0] : costs[static_cast<std::size_t>(part)];
      const bool paired = pipeline_.pair && action.with_next;
      if (!beside_last) {
        const TaskId added =
            graph_.add({.kind = TaskKind::Compute,
                        .duration = {paired ? *pipeline_.pair : cost.of(action.kind)},
                        .name = graph_.named(name_of(action.kind)),
                        .action = action},
                       {RankClassId{stage}});
        if (!tasks.empty()) {
          graph_.add_edge(tasks.back(), added);
        }
        tasks.push_back(added);
      }
      beside_last = paired;
      const TaskId task = tasks.back();
      if (action.is_forward() || action.gives_gradient()) {
        passes_[{action.is_forward(), part, action.microbatch}] = {task, stage};
      }
    }
  }

  void add_input(const Key& key, const std::pair<TaskId, int>& pass) {
    const auto& [forward, part, microbatch] = key;
    const auto& [task, stage] = pass;
    const int last = pipeline_.placement.parts() - 1;
    if (!forward) {
      graph_.add_edge(passes_.at({true, part, microbatch}).first, task);
    }
    if (forward ? part == 0 : part == last) {
      return;
    }
    const auto& [from, sender] = passes_.at({forward, forward ? part - 1 : part + 1, microbatch});
    const Seconds latency = sender == stage ? Seconds{} : pipeline_.latency;
    graph_.add_edge(add_flow(graph_, std::nullopt, 0_B, latency, {from}), task);
  }

  const Pipeline& pipeline_;
  TaskGraph graph_;
  std::vector<std::vector<TaskId>> of_stage_;
  std::map<Key, std::pair<TaskId, int>> passes_;
};

}  // namespace

double PassCosts::of(ActionKind kind) const {
  return kind == ActionKind::Forward  ? forward
         : kind == ActionKind::Input  ? input
         : kind == ActionKind::Weight ? weight
                                      : input + weight;
}

PlayedPipeline play_pipeline(const Pipeline& pipeline) {
  return PipelineGraph(pipeline).played();
}

std::vector<std::vector<Action>> actions_of(const ScheduleRow& row, const ScheduleShape& shape) {
  std::vector<std::vector<Action>> actions;
  for (int stage = 0; stage < shape.placement.stages(); ++stage) {
    actions.push_back(row.actions(shape, stage));
  }
  return actions;
}

int peak_until_input(const std::vector<Action>& actions) {
  int held = 0;
  int peak = 0;
  for (const Action& action : actions) {
    held += action.is_forward() ? 1 : 0;
    peak = std::max(peak, held);
    held -= action.gives_gradient() ? 1 : 0;
  }
  return peak;
}

}  // namespace danlu::testing
