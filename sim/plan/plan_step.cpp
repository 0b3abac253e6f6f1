#include "sim/plan/plan_step.hpp"

#include "sim/plan/step_draft.hpp"

namespace danlu {

StepPlan plan_step(const Workload& workload, const Cluster& cluster) {
  StepDraft draft(workload, cluster);
  add_passes(draft);
  add_transfers(draft);
  add_step_end(draft);
  return draft.take();
}

}  // namespace danlu
