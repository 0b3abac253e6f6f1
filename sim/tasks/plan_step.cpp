#include "sim/tasks/plan_step.hpp"

#include "sim/collective/transfers.hpp"
#include "sim/tasks/step_draft.hpp"

namespace danlu {

StepPlan plan_step(const Workload& workload, const Cluster& cluster, const SizeCheck& check,
                   Disturbed disturbed) {
  StepDraft draft(workload, cluster, disturbed);
  if (check) {
    const StepSize size = size_of(draft);
    check(size);
    draft.make_room(size);
  }
  lower_passes(draft);
  if (check && disturbed == Disturbed::Open) {  // lanes of late hosts do not join
    check({.opened = static_cast<double>(draft.graph().tasks.size())});
  }
  lower_sends(draft);
  lower_ends(draft);
  StepPlan plan = draft.take();
  number_draws(plan);
  draw_step(plan, cluster.spec.degraded, 0);
  return plan;
}

double tasks_by_message(const StepPlan& plan) {
  IdVector<CommunicationId, double> messages;
  for (const Communication& communication : plan.graph.communications) {
    const GroupClass& group = plan.fold.groups[communication.group_class];
    const Algorithm algorithm = reduces_in_switches(communication.choice.algorithm)
                                    ? Algorithm::Ring  // instead of sums on the way
                                    : communication.choice.algorithm;
    messages.push_back(group.sort.is_transfer() || group.sort.is_copy() || group.sort.is_brief()
                           ? 1
                           : 1 + playable_messages(communication.op, group.shapes[0].group,
                                                   algorithm, communication.bytes_per_rank));
  }
  double tasks = 0;
  for (const Task& task : plan.graph.tasks) {
    if (task.kind == TaskKind::Communication) {
      tasks += task.part == PartId{0} ? messages[task.communication.value()] : 0;
      continue;
    }
    ++tasks;
    for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
      const std::optional<CommunicationId> id =
          plan.graph.programs[task.slice.program].communications[i];
      tasks += id ? messages[*id] : 1;
    }
  }
  return tasks;
}

}  // namespace danlu
