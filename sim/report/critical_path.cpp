#include "sim/report/critical_path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/program/slice_waits.hpp"

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
    int copy = timeline_.rounds.more;  // of the round that repeats, 0 being the first
    while (true) {
      if (plan_.graph.tasks[at].kind == TaskKind::Run) {
        at = add_run(at);
      } else {
        add(at);
      }
      const auto candidates = before.of(at);
      if (candidates.empty()) {
        break;
      }
      at = last_of(candidates);
      go_to_copy(at, copy);
    }
    add_communications();
    std::stable_sort(path_.communications.begin(), path_.communications.end(),
                     [](const auto& a, const auto& b) { return a.time > b.time; });
    return std::move(path_);
  }

 private:
  Seconds finish(TaskId task) const { return timeline_.finish[task]; }

  /// Whether it is later but for rounding. What is not takes the place of nothing: the path goes by
  /// what was planned first, the same way folded and unfolded and on every machine.
  bool is_later(Seconds time, Seconds than) const {
    constexpr double kRounding = 1e-12;  // of the step
    return time > than + timeline_.end * kRounding;
  }

  /// What finishes last; of those that do at one time the first.
  TaskId last_of(std::span<const TaskId> tasks) const {
    const TaskId last = *std::max_element(
        tasks.begin(), tasks.end(), [&](TaskId a, TaskId b) { return finish(a) < finish(b); });
    TaskId first = last;
    for (const TaskId task : tasks) {
      first = is_later(finish(last), finish(task)) ? first : std::min(first, task);
    }
    return first;
  }

  /// The same task of the step, as one of the round that repeats: what was played before a copy of
  /// the round stands for the copy before.
  void go_to_copy(TaskId& task, int& copy) const {
    const CountedRounds& rounds = timeline_.rounds;
    const CountedRounds::Strand* const strand = rounds.more > 0 ? rounds.strand_of(task) : nullptr;
    if (strand == nullptr) {
      return;
    }
    const std::size_t tasks = index(strand->last) - index(strand->first);
    for (; task < strand->first && copy > 0; --copy) {
      task = make_id<TaskId>(index(task) + tasks);
    }
    for (; task >= strand->last && copy < rounds.more; ++copy) {
      task = make_id<TaskId>(index(task) - tasks);
    }
  }

  TaskId last_of_all() const {
    const auto last = std::max_element(timeline_.finish.begin(), timeline_.finish.end());
    return timeline_.finish.id_at(std::find_if(
        timeline_.finish.begin(), last, [&](Seconds finish) { return !is_later(*last, finish); }));
  }

  void add(TaskId task) {
    if (plan_.graph.tasks[task].kind == TaskKind::Host) {
      path_.compute[ComputePart::Host] += finish(task) - timeline_.start[task];
      return;
    }
    reader_.expand(task, [&](const Activity& activity) {
      if (activity.compute != nullptr) {
        path_.compute += slowed(*activity.compute, activity.stretch);
        path_.compute[ComputePart::Contention] += activity.contention;
      } else {
        add_communication(activity.communication.value(),
                          activity.interval.finish - activity.interval.start, activity.is_first);
      }
    });
  }

  /// Of a run, back from its end over what each segment waited for: another one, or its launch; of
  /// lanes that are played together, to the one whose coming was waited for.
  TaskId add_run(TaskId run) {
    const std::optional<JointRunId> joint = plan_.graph.tasks[run].joint;
    const std::vector<TaskId> alone{run};
    const std::vector<TaskId>& lanes = joint ? plan_.graph.joint_runs[*joint].lanes : alone;
    std::vector<std::shared_ptr<const SegmentTimes>> times;
    std::vector<Seconds> origins;
    for (const TaskId lane : lanes) {
      times.push_back(reader_.times_of(lane));
      origins.push_back(reader_.origin_of(lane));
    }
    const ProgramSlice& slice = plan_.graph.tasks[run].slice;
    const std::vector<Segment>& segments = plan_.graph.programs[slice.program].program->segments;
    waits_.find(*plan_.graph.programs[slice.program].program, slice.first, slice.last);
    struct Place {
      std::size_t lane = 0, at = 0;  // segment of the slice
    };
    const auto finish_of = [&](Place place) {
      return origins[place.lane] + times[place.lane]->finish[place.at];
    };
    const auto lane =
        static_cast<std::size_t>(std::find(lanes.begin(), lanes.end(), run) - lanes.begin());
    std::optional<Place> last = Place{lane, 0};
    for (std::size_t i = 1; i < slice.last - slice.first; ++i) {
      last = is_later(finish_of({lane, i}), finish_of(*last)) ? Place{lane, i} : *last;
    }
    Place at = *last;
    for (; last; at = last.value_or(at)) {
      const Segment& segment = segments[slice.first + at.at];
      add_segment(plan_.graph.tasks[lanes[at.lane]].slice, at.at, *times[at.lane]);
      last.reset();
      Place first = at;  // lane that came last
      for (std::size_t other = 0; other < lanes.size(); ++other) {
        if (segment.is_compute && other != at.lane) {
          continue;
        }
        first.lane = is_later(timeline_.start[lanes[other]], timeline_.start[lanes[first.lane]])
                         ? other
                         : first.lane;
        for (const std::uint32_t before : waits_.of(at.at)) {
          const Place candidate{other, before};
          last = !last || is_later(finish_of(candidate), finish_of(*last)) ? candidate : *last;
        }
      }
      const Seconds ready = last ? finish_of(*last) : timeline_.start[lanes[first.lane]];
      const SegmentTimes& own = *times[at.lane];
      if (!own.launched.empty() && origins[at.lane] + own.start[at.at] > ready) {
        const Launched back =
            add_launches(slice, own, at.at, timeline_.start[run] - origins[at.lane]);
        if (!back.waited_for) {
          return back.from_its_beginning ? plan_.graph.tasks[run].host.value_or(run) : run;
        }
        last = Place{at.lane, *back.waited_for};
      }
      at = first;
    }
    return lanes[at.lane];
  }

  void add_segment(const ProgramSlice& slice, std::size_t at, const SegmentTimes& times) {
    const PlayedProgram& played = plan_.graph.programs[slice.program];
    if (const auto& communication = played.communications[slice.first + at]) {
      add_communication(*communication, times.finish[at] - times.start[at], true);
    } else {
      path_.compute += compute_in_run(plan_.graph, slice, at, times);
      path_.compute[ComputePart::Contention] += times.longer[at];
    }
  }

  /// Where the way back along a host comes to: the segment that it waited for, the run's start, or
  /// its own.
  struct Launched {
    std::optional<std::size_t> waited_for{};
    bool from_its_beginning = false;
  };
  Launched add_launches(const ProgramSlice& slice, const SegmentTimes& times, std::size_t from,
                        Seconds start) {
    const Launches& launches = plan_.graph.programs[slice.program].costs.launches;
    for (std::size_t i = from;; --i) {
      path_.compute[ComputePart::Host] += launches.times[slice.first + i];
      if (launches.wait[slice.first + i]) {
        std::optional<std::size_t> last;
        for (const std::uint32_t before : waits_.of(i)) {
          last = !last || times.finish[before] > times.finish[*last] ? before : *last;
        }
        const Seconds ready = last ? times.finish[*last] : start;
        if (i == 0 || ready > times.launched[i - 1]) {
          return {last};
        }
      }
      if (i == 0) {
        return {{}, true};
      }
    }
  }

  void add_communication(CommunicationId id, Seconds time, bool is_first) {
    OnPath& sum = communications_[id];
    sum.time += time;
    sum.count += is_first ? 1 : 0;
  }

  /// Those of one name and link together.
  void add_communications() {
    std::map<std::pair<std::string, std::string>, CriticalCommunication> sums;
    for (const auto& [id, on_path] : communications_) {
      const Communication& communication = plan_.graph.communications[id];
      const std::string& link = link_kind(communication.slowest_pattern());
      const std::string name = communication_name(communication.op, communication.group);
      CriticalCommunication& sum = sums[{name, link}];
      sum.name = name;
      sum.axis = communication.axis;
      sum.link = link;
      sum.time += on_path.time;
      sum.count += on_path.count;
      path_.communication += on_path.time;
    }
    for (auto& [key, sum] : sums) {
      path_.communications.push_back(std::move(sum));
    }
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
  SliceWaits waits_;  // of the run that is being walked
  struct OnPath {
    Seconds time;
    double count = 0;
  };
  std::map<CommunicationId, OnPath> communications_;
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
