#include "sim/plan/plan_step.hpp"

#include <algorithm>

#include "sim/plan/step_draft.hpp"

namespace danlu {

StepPlan plan_step(const Workload& workload, const Cluster& cluster) {
  StepDraft draft(workload, cluster);
  add_passes(draft);
  add_transfers(draft);
  add_step_end(draft);
  return draft.take();
}

double tasks_by_message(const StepPlan& plan) {
  std::vector<double> messages;  // by description: of rings, the most that any algorithm has
  for (const CommunicationInfo& info : plan.graph.communications) {
    const Group& group =
        plan.fold.groups[static_cast<std::size_t>(info.group_class)].shapes[0].group;
    const double rings = std::max(1.0, static_cast<double>(group.rings.size()));
    messages.push_back(1 + rings * group.size() * collective_steps(info.op, group.size()));
  }
  double tasks = 0;
  for (const Task& task : plan.graph.tasks) {
    if (task.kind == TaskKind::Communication) {
      tasks += task.part == 0 ? messages[static_cast<std::size_t>(task.info)] : 0;
      continue;
    }
    ++tasks;
    for (int i = task.slice.first; i < task.slice.last; ++i) {
      const int info = plan.graph.programs[static_cast<std::size_t>(task.slice.program)]
                           .infos[static_cast<std::size_t>(i)];
      tasks += info < 0 ? 1 : messages[static_cast<std::size_t>(info)];
    }
  }
  return tasks;
}

}  // namespace danlu
