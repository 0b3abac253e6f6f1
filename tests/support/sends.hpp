// What stages send to one another, as a step's program says it and as the links of a played step
// carry it.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "sim/program/step_program.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {

/// Arrays of each send, by stage and whether it goes to the next one.
inline std::map<std::pair<int, bool>, std::vector<double>> arrays_sent(const StepProgram& step) {
  std::map<std::pair<int, bool>, std::vector<double>> arrays;
  for (int stage = 0; stage < static_cast<int>(step.stages.size()); ++stage) {
    for (const Send& send : step.stage(stage).sends) {
      arrays[{stage, send.next}].push_back(send.arrays);
    }
  }
  return arrays;
}

/// Bytes that cross the switches of nodes: each link into one has a link out of it.
inline double bytes_through_nodes(const Scenario& s) {
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  const Report report = measure("", s.workload, cluster, plan, play(plan.graph));
  double carried = 0;
  for (const LinkReport& row : report.links) {
    carried += row.kind == LinkKind::ScaleUp ? row.bytes.value / 2 : 0;
  }
  return carried;
}

}  // namespace danlu::testing
