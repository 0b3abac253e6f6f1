// How full the links are, by kind: what all links of a kind carry in a step, and how busy the
// busiest of them is, on average and at its peak.
#pragma once

#include <string>
#include <vector>

#include "sim/report/activity.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {

/// All links of one kind that carry anything.
struct LinkReport {
  LinkKind kind = LinkKind::ScaleUp;
  double links = 0;         // directed, that carry anything
  Bytes bytes;              // over all of them, in a step
  std::string busiest;      // the one that is busy longest
  BytesPerSecond capacity;  // of the busiest, as achieved
  Bytes busiest_bytes;
  double average = 0;  // share of the busiest link's capacity used, over the step
  double peak = 0;     // the same at the worst moment; flows and fused passes at their mean rates
                       // (above 1, both, only where communications do not share links)
};

/// Kinds in the order of a message's way out: scale-up, PCIe, NIC, ... `shares`: whether the step
/// was played so that no link carried more than it can (all but CollectiveMode::Formula).
std::vector<LinkReport> link_report(const Cluster& cluster, const StepPlan& plan,
                                    const Timeline& timeline, ActivityReader& reader, bool shares);

/// With closed forms a link may carry more than it can: what is to be said of that, or "".
std::string overfull_note(const std::vector<LinkReport>& links);

}  // namespace danlu
