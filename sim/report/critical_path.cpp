#include "sim/report/critical_path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace danlu {
namespace {

class PathWalker {
 public:
  PathWalker(const Cluster& cluster, const StepPlan& plan, const Timeline& timeline,
             ActivityReader& reader)
      : cluster_(cluster), plan_(plan), timeline_(timeline), reader_(reader) {}

  CriticalPath walk() {
    const Adjacency before = predecessors(plan_.graph);
    TaskId at = last_of_all();
    while (true) {
      add(at);
      const auto candidates = before.of(at);
      if (candidates.empty()) {
        break;
      }
      at = *std::max_element(candidates.begin(), candidates.end(), [&](TaskId a, TaskId b) {
        return finish(a) != finish(b) ? finish(a) < finish(b) : a > b;
      });
    }
    for (auto& [key, communication] : communications_) {
      path_.communications.push_back(std::move(communication));
    }
    std::stable_sort(path_.communications.begin(), path_.communications.end(),
                     [](const auto& a, const auto& b) { return a.time > b.time; });
    return std::move(path_);
  }

 private:
  Seconds finish(TaskId task) const { return timeline_.finish[task]; }

  TaskId last_of_all() const {
    const auto last = std::max_element(timeline_.finish.begin(), timeline_.finish.end());
    return timeline_.finish.id_at(last);
  }

  /// Compute counts whole; of communication, what no compute of the same task covers.
  void add(TaskId task) {
    std::vector<Interval> compute;
    std::vector<Activity> communications;
    reader_.expand(task, [&](const Activity& activity) {
      if (activity.compute != nullptr) {
        path_.compute += *activity.compute;
        path_.compute[ComputePart::Contention] += activity.contention;
        compute.push_back(activity.interval);
      } else {
        communications.push_back(activity);
      }
    });
    const Intervals computing = unite(std::move(compute));
    const Coverage covered(computing);
    for (const Activity& activity : communications) {
      const Seconds alone =
          activity.interval.finish - activity.interval.start - covered.within(activity.interval);
      if (alone > Seconds{}) {
        add_communication(activity, alone);
      }
    }
    add_host(task, computing, communications);
  }

  /// What a task launches, or waits for its host inside.
  void add_host(TaskId task, const Intervals& computing,
                const std::vector<Activity>& communications) {
    const Task& made = plan_.graph.tasks[task];
    if (made.kind == TaskKind::Host || made.launched != LaunchedBy::Ahead) {
      std::vector<Interval> busy = computing;
      for (const Activity& activity : communications) {
        busy.push_back(activity.interval);
      }
      const Interval whole{timeline_.start[task], timeline_.finish[task]};
      path_.compute[ComputePart::Host] +=
          whole.finish - whole.start - measure_of(unite(std::move(busy)));
    }
  }

  void add_communication(const Activity& activity, Seconds time) {
    const Communication& communication = plan_.graph.communications[activity.communication.value()];
    const std::string link = link_kind(communication.slowest_pattern());
    const std::string name = communication_name(communication.op, communication.group);
    CriticalCommunication& sum = communications_[{name, link}];
    sum.name = name;
    sum.axis = communication.axis;
    sum.link = link;
    sum.time += time;
    sum.count += activity.is_first ? 1 : 0;
    path_.communication += time;
  }

  const std::string& link_kind(PatternClassId pattern) {
    auto known = links_.find(pattern);
    if (known == links_.end()) {
      known = links_.emplace(pattern, bottleneck_link(cluster_, plan_, pattern)).first;
    }
    return known->second;
  }

  const Cluster& cluster_;
  const StepPlan& plan_;
  const Timeline& timeline_;
  ActivityReader& reader_;
  CriticalPath path_;
  std::map<std::pair<std::string, std::string>, CriticalCommunication> communications_;
  std::map<PatternClassId, std::string> links_;
};

}  // namespace

CriticalPath critical_path(const Cluster& cluster, const StepPlan& plan, const Timeline& timeline,
                           ActivityReader& reader) {
  return PathWalker(cluster, plan, timeline, reader).walk();
}

std::string bottleneck_link(const Cluster& cluster, const StepPlan& plan, PatternClassId id) {
  const PatternClass& pattern = plan.fold.patterns[id];
  for (const GroupShape& shape : plan.fold.groups[pattern.group].shapes) {
    for (const CarriedPattern& carried : shape.patterns) {
      if (carried.pattern_class == id && carried.pattern.limit.of != Limit::Of::Link) {
        return describe(cluster, carried.pattern.limit);
      }
    }
  }
  const FoldedLink* tightest = nullptr;
  double least = 0;
  for (const FoldedLoad& load : pattern.loads) {
    const FoldedLink& link = plan.fold.links[load.link];
    const double rate = link.capacity.value / load.weight;
    if (tightest == nullptr || rate < least) {
      tightest = &link;
      least = rate;
    }
  }
  if (tightest == nullptr) {
    return "";
  }
  const Link& link = cluster.topology.link(tightest->representative);
  return fmt::format("{} {}", name_of(link.kind), to_text(link.bandwidth));
}

}  // namespace danlu
