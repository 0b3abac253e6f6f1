#include "sim/report/link_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace danlu {
namespace {

/// Bytes that the streams of a class carry from one moment to another.
struct Transport {
  TaskId task{};
  Seconds begin, end;
  Bytes bytes;
};

class LinkReporter {
 public:
  LinkReporter(const Cluster& cluster, const StepPlan& plan, const Timeline& timeline,
               ActivityReader& reader, bool shares)
      : cluster_(cluster), plan_(plan), timeline_(timeline), reader_(reader), shares_(shares) {}

  std::vector<LinkReport> report() {
    add_up();
    std::map<LinkKind, std::pair<LinkReport, const LinkClass*>> by_kind;
    for (const LinkClass& links : plan_.fold.link_classes) {
      const Link& link = cluster_.topology.link(links.links.front());
      Bytes bytes;
      for (const LinkClass::Crossing& crossing : links.crossings) {
        bytes += total_[crossing.pattern] * crossing.weight;
      }
      auto& [row, busiest] = by_kind[link.kind];
      row.kind = link.kind;
      row.links += static_cast<int>(links.links.size());
      row.bytes += bytes * static_cast<double>(links.links.size());
      const double average = bytes / link.bandwidth / timeline_.end;
      if (busiest == nullptr || average > row.average) {
        busiest = &links;
        row.busiest = cluster_.topology.link_name(links.links.front());
        row.capacity = link.bandwidth;
        row.busiest_bytes = bytes;
        row.average = average;
      }
    }
    std::vector<LinkReport> rows;
    for (const auto& [kind, found] : by_kind) {
      for (const LinkClass::Crossing& crossing : found.second->crossings) {
        is_wanted_[crossing.pattern] = true;
      }
    }
    collect();
    for (auto& [kind, found] : by_kind) {
      found.first.peak = peak(*found.second, found.first.capacity);
      rows.push_back(std::move(found.first));
    }
    return rows;
  }

 private:
  const Communication& communication(CommunicationId id) const {
    return plan_.graph.communications[id];
  }

  /// Whether it is a lane of a joint run whose first lane stands for all.
  bool is_counted(TaskId id) const {
    const std::optional<JointRunId> joint = plan_.graph.tasks[id].joint;
    return joint && plan_.graph.joint_runs[*joint].lanes.front() != id;
  }

  /// What every class of patterns transports.
  void add_up() {
    total_.resize(plan_.fold.patterns.size());
    is_wanted_.resize(plan_.fold.patterns.size());
    for (const TaskId id : plan_.graph.tasks.ids()) {
      const Task& task = plan_.graph.tasks[id];
      const double times = timeline_.rounds.times(id);
      if (task.kind == TaskKind::Run && !is_counted(id)) {
        for (const auto& [pattern, bytes] : bytes_of(task.slice)) {
          total_[pattern] += times * bytes;
        }
      } else if (task.kind == TaskKind::Communication) {
        const CommunicationPart& part = communication(*task.communication).parts[task.part];
        if (part.pattern) {
          total_[*part.pattern] += times * part.stream;
        }
      }
    }
  }

  /// When those that are wanted do.
  void collect() {
    transports_.resize(plan_.fold.patterns.size());
    for (const TaskId id : plan_.graph.tasks.ids()) {
      const Task& task = plan_.graph.tasks[id];
      const Seconds end = timeline_.finish[id];
      if (task.kind == TaskKind::Run && !is_counted(id)) {
        const std::map<PatternClassId, Bytes>& moved = bytes_of(task.slice);
        const bool any = std::any_of(moved.begin(), moved.end(),
                                     [&](const auto& one) { return is_wanted_[one.first]; });
        if (task.joint && any) {
          add_joint(id);
        } else if (any) {
          for (const auto& [pattern, bytes] : moved) {
            add(pattern, {id, timeline_.start[id], end, bytes});
          }
        }
      } else if (task.kind == TaskKind::Communication) {
        const CommunicationPart& part = communication(*task.communication).parts[task.part];
        if (part.pattern) {
          add(*part.pattern,
              {id, std::min(end, timeline_.start[id] + part.latency), end, part.stream});
        }
      }
    }
  }

  /// The exchanges of lanes that are played together.
  void add_joint(TaskId run) {
    reader_.expand(run, [&](const Activity& activity) {
      if (!activity.communication) {
        return;
      }
      IdVector<PartId, Seconds> finish;
      for (const CommunicationPart& part : communication(*activity.communication).parts) {
        Seconds start = activity.interval.start;
        for (const PartId before : part.after) {
          start = std::max(start, finish[before]);
        }
        finish.push_back(start + part.alone);
        if (part.pattern) {
          add(*part.pattern, {run, start + part.latency, finish.back(), part.stream});
        }
      }
    });
  }

  void add(PatternClassId pattern, const Transport& transport) {
    if (is_wanted_[pattern]) {
      transports_[pattern].push_back(transport);
    }
  }

  /// Bytes that the collectives of a fused slice carry, by class of patterns.
  const std::map<PatternClassId, Bytes>& bytes_of(const ProgramSlice& slice) {
    const auto [known, is_new] = slices_.try_emplace(slice);
    if (is_new) {
      const PlayedProgram& played = plan_.graph.programs[slice.program];
      for (std::size_t i = slice.first; i < slice.last; ++i) {
        const std::optional<CommunicationId> id = played.communications[i];
        if (!id) {
          continue;
        }
        for (const CommunicationPart& part : communication(*id).parts) {
          if (part.pattern) {  // not of a launch alone
            known->second[*part.pattern] += part.stream;
          }
        }
      }
    }
    return known->second;
  }

  /// The largest sum of mean rates at one moment, over the link's capacity. Rates change while
  /// flows go, so that the sum of their means may be more than the link has: then it is full.
  double peak(const LinkClass& links, BytesPerSecond capacity) const {
    std::vector<std::pair<Seconds, double>> changes;  // of the rate
    const bool several = are_several_paces(links);
    for (const LinkClass::Crossing& crossing : links.crossings) {
      for (const Transport& moved : transports_[crossing.pattern]) {
        if (moved.end > moved.begin) {
          const double rate = (moved.bytes * crossing.weight / (moved.end - moved.begin)).value;
          if (several) {
            add_copies(moved, rate, changes);
          } else {
            changes.emplace_back(moved.begin, rate);
            changes.emplace_back(moved.end, -rate);
          }
        }
      }
    }
    std::sort(changes.begin(), changes.end());  // at one moment what ends comes before what begins
    double now = 0;
    double most = 0;
    for (const auto& [time, change] : changes) {
      now += change;
      most = std::max(most, now);
    }
    return shares_ ? std::min(1.0, most / capacity.value) : most / capacity.value;
  }

  /// Whether what crosses them comes together at other times in the step than in what was played.
  bool are_several_paces(const LinkClass& links) const {
    std::optional<PaceGroupId> group;
    for (const LinkClass::Crossing& crossing : links.crossings) {
      for (const Transport& moved : transports_[crossing.pattern]) {
        const auto* const strand = timeline_.rounds.strand_of(moved.task);
        if (strand != nullptr && group.value_or(strand->group) != strand->group) {
          return true;
        }
        group = strand != nullptr ? strand->group : group;
      }
    }
    return false;
  }

  /// The rate as it changes in the step. What ends when another begins may be off by rounding.
  void add_copies(const Transport& moved, double rate,
                  std::vector<std::pair<Seconds, double>>& changes) const {
    constexpr double kRounding = 1e-9;
    const CountedRounds::Copies copies = timeline_.rounds.copies(moved.task);
    for (int i = 0; i < copies.count; ++i) {
      const Seconds later = copies.later + copies.period * i;
      changes.emplace_back(moved.begin + later, rate);
      changes.emplace_back(moved.end + later - (moved.end - moved.begin) * kRounding, -rate);
    }
  }

  const Cluster& cluster_;
  const StepPlan& plan_;
  const Timeline& timeline_;
  ActivityReader& reader_;
  bool shares_;
  IdVector<PatternClassId, Bytes> total_;
  IdVector<PatternClassId, bool> is_wanted_;  // they cross the busiest link of a kind
  IdVector<PatternClassId, std::vector<Transport>> transports_;  // of these
  std::map<ProgramSlice, std::map<PatternClassId, Bytes>> slices_;
};

}  // namespace

std::vector<LinkReport> link_report(const Cluster& cluster, const StepPlan& plan,
                                    const Timeline& timeline, ActivityReader& reader, bool shares) {
  return LinkReporter(cluster, plan, timeline, reader, shares).report();
}

std::string overfull_note(const std::vector<LinkReport>& links) {
  constexpr double kMostOver = 1e-6;
  const auto fullest = std::max_element(
      links.begin(), links.end(), [](const auto& a, const auto& b) { return a.peak < b.peak; });
  return fullest == links.end() || fullest->peak <= 1 + kMostOver
             ? ""
             : fmt::format(
                   "collectives: formula gives every communication its links to itself; together "
                   "they ask for up to {:.0f} % of a link ({}), so the step takes longer in truth; "
                   "collectives: steady shares links",
                   fullest->peak * 100, name_of(fullest->kind));
}

}  // namespace danlu
