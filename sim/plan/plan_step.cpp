#include "sim/plan/plan_step.hpp"

#include "sim/collective/transfers.hpp"
#include "sim/plan/step_draft.hpp"

namespace danlu {

StepPlan plan_step(const Workload& workload, const Cluster& cluster, const SizeCheck& check) {
  StepDraft draft(workload, cluster);
  if (check) {
    check(size_of(draft));
  }
  add_passes(draft);
  add_transfers(draft);
  add_step_end(draft);
  StepPlan plan = draft.take();
  draw_step(plan, cluster.spec.degraded, 0);
  return plan;
}

double tasks_by_message(const StepPlan& plan) {
  std::vector<double> messages;  // by description
  for (const CommunicationInfo& info : plan.graph.communications) {
    const GroupClass& group = plan.fold.groups[static_cast<std::size_t>(info.group_class)];
    const Algorithm algorithm = reduces_in_switches(info.choice.algorithm)
                                    ? Algorithm::Ring  // instead of sums on the way
                                    : info.choice.algorithm;
    messages.push_back(group.sort.is_transfer()
                           ? 1
                           : 1 + playable_messages(info.op, group.shapes[0].group, algorithm,
                                                   info.bytes_per_rank));
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
