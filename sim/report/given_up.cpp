#include "sim/report/given_up.hpp"

#include <algorithm>

namespace danlu {
namespace {

/// A flap of one of the links that a task's flow crosses while it goes.
std::optional<Flap> flap_during(const Cluster& cluster, const StepPlan& plan, int channel,
                                Seconds begin, Seconds end) {
  for (const ChannelLoad& load : plan.graph.channels[static_cast<std::size_t>(channel)].loads) {
    const FoldedLink& link = plan.fold.links[static_cast<std::size_t>(load.link)];
    for (const Flap& flap : cluster.flaps_of(link.representative)) {
      if (flap.at < end && begin < flap.at + flap.length) {
        return flap;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<GivenUp> first_given_up(const Cluster& cluster, const StepPlan& plan,
                                      const Timeline& timeline, Seconds timeout) {
  std::optional<GivenUp> first;
  for (std::size_t i = 0; !plan.graph.changes.empty() && i < plan.graph.tasks.size(); ++i) {
    const Task& task = plan.graph.tasks[i];
    if (task.kind != TaskKind::Communication || task.bytes == Bytes{}) {
      continue;
    }
    const Seconds began = timeline.start[i] + task.duration;
    const Seconds end = timeline.finish[i];
    if (end - began <= timeout || (first && first->at <= began + timeout)) {
      continue;
    }
    if (const auto flap = flap_during(cluster, plan, task.channel, began, end)) {
      const auto info = static_cast<std::size_t>(task.info);
      first = GivenUp{std::string(task.name),
                      std::string(plan.graph.communications[info].group),
                      task.microbatch,
                      flap->part_name(),
                      began,
                      began + timeout};
    }
  }
  return first;
}

}  // namespace danlu
