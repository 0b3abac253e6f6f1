#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "sim/report/activity.hpp"
#include "sim/report/critical_path.hpp"
#include "sim/report/intervals.hpp"
#include "sim/report/report.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

/// What all communications of one description (TaskGraph::communications) took.
struct InfoSum {
  double count = 0;
  Seconds time, exposed;

  void add(const InfoSum& other) {
    count += other.count;
    time += other.time;
    exposed += other.exposed;
  }
};

/// A fused slice, measured once for all passes that are copies of it. At every instant it computes
/// or communicates among its tensor group.
struct SliceMeasure {
  ComputeTime compute_time;
  Coverage compute, tensor, hidden;              // hidden: both at once
  std::vector<std::pair<int, InfoSum>> by_info;  // of TaskGraph::communications
};

/// What one unit did, sorted out for measuring.
struct UnitActivity {
  std::vector<std::pair<Interval, const SliceMeasure*>> work;  // compute, or a copy of a slice
  ComputeTime compute_time;
  struct Part {
    int info = 0;  // of TaskGraph::communications
    bool is_first = true;
    Interval interval;
  };
  std::vector<Part> communication;
  std::vector<Interval> waits;  // for a peer
};

/// Sums over ranks taking part, for the means.
struct CommunicationSum {
  double ranks = 0;
  double count = 0;
  Seconds time, exposed;
  Seconds slowest{-1};
  int pattern = -1;
  CollectiveChoice choice;
};

FlopsPerSecond mean_peak(const ClusterSpec& cluster, Precision precision) {
  FlopsPerSecond sum;
  const std::vector<int> counts = cluster.gpus_by_kind();
  for (int kind = 0; kind < cluster.kinds(); ++kind) {
    sum += *cluster.gpu_of(kind).peak(precision) *
           (static_cast<double>(counts[static_cast<std::size_t>(kind)]) / cluster.gpus);
  }
  return sum;
}

/// "A", or "A (32) and B (32)".
std::string gpu_names(const ClusterSpec& cluster) {
  if (cluster.others.empty()) {
    return cluster.gpu.name;
  }
  const std::vector<int> counts = cluster.gpus_by_kind();
  std::vector<std::string> names;
  for (int kind = 0; kind < cluster.kinds(); ++kind) {
    names.push_back(
        fmt::format("{} ({})", cluster.gpu_of(kind).name, counts[static_cast<std::size_t>(kind)]));
  }
  return fmt::format("{}", fmt::join(names, " and "));
}

class Measurer {
 public:
  Measurer(const Workload& workload, const Cluster& cluster, const StepPlan& plan,
           const Timeline& timeline)
      : w_(workload),
        cluster_(cluster),
        plan_(plan),
        timeline_(timeline),
        reader_(plan.graph, timeline) {
    measure_step();
  }

  const StepReport& step() const { return step_; }

  /// What compute longest first: those that the others wait for.
  std::vector<SpeedReport> speeds() const {
    std::vector<SpeedReport> reports;
    bool uneven = false;
    for (const auto& [key, sum] : by_speed_) {
      const auto& [speed, throttle, jitters] = key;
      reports.push_back(sum);
      SpeedReport& mean = reports.back();
      mean.gpu = cluster_.spec.gpu_of(speed.kind).name;
      mean.slowdown = speed.slowdown;
      mean.throttle = throttle;
      if (jitters) {
        mean.jitter = cluster_.spec.degraded.jitter.spread;
      }
      uneven = uneven || throttle || jitters;
      for (Seconds* time : {&mean.compute, &mean.straggler_wait, &mean.bubble}) {
        *time = *time / mean.gpus;
      }
    }
    std::stable_sort(reports.begin(), reports.end(),
                     [](const auto& a, const auto& b) { return a.compute > b.compute; });
    return reports.size() > 1 || uneven ? reports : std::vector<SpeedReport>{};
  }

  std::vector<CommunicationReport> communications() const {
    std::vector<CommunicationReport> reports;
    for (const auto& [key, sum] : sums_) {
      const auto& [axis, op, group, size, bytes] = key;
      reports.push_back({.axis = static_cast<Axis>(axis),
                         .op = static_cast<CollectiveOp>(op),
                         .group = std::string(group),
                         .group_size = size,
                         .choice = sum.choice,
                         .bytes_per_rank = {bytes},
                         .count = sum.count / sum.ranks,
                         .time = sum.time / sum.ranks,
                         .exposed = sum.exposed / sum.ranks,
                         .bottleneck = bottleneck_link(cluster_, plan_, sum.pattern)});
    }
    return reports;
  }

  ActivityReader& reader() { return reader_; }

 private:
  using CommunicationKey = std::tuple<int, int, std::string_view, int, double>;

  void measure_step() {
    collect();
    step_.time = timeline_.end;
    for (std::size_t u = 0; u < units_.size(); ++u) {
      add_unit(u, step_);
    }
    const double peak = mean_peak(cluster_.spec, w_.training.precision).value;
    step_.tokens_per_second = w_.tokens_per_step() / step_.time.value;
    step_.model_flops_per_gpu_second = model_flops_ / step_.time.value;
    step_.hardware_flops_per_gpu_second = hardware_flops_ / step_.time.value;
    step_.mfu = step_.model_flops_per_gpu_second / peak;
    step_.hfu = step_.hardware_flops_per_gpu_second / peak;
    const double gpu_seconds = step_.time.value * cluster_.spec.gpus;
    const auto counted = [&](bool causal) {
      return step_flops(w_, causal).value / gpu_seconds / peak;
    };
    step_.mfu_full = counted(false);
    step_.mfu_causal = counted(true);
    step_.bubble_fraction = step_.breakdown[TimePart::Bubble] / step_.time;
  }

  void collect() {
    units_.resize(plan_.fold.units.size());
    const Adjacency before = predecessors(plan_.graph);
    std::vector<Seconds> ready(units_.size());
    for (std::size_t i = 0; i < plan_.graph.tasks.size(); ++i) {
      const std::vector<int>& participants = plan_.graph.participants[i];
      if (participants.size() > 1 && is_among_peers(plan_.graph.tasks[i])) {
        add_waits(make_id<TaskId>(i), before, ready);
      }
      for (const int unit : participants) {
        add_task(make_id<TaskId>(i), units_[static_cast<std::size_t>(unit)]);
      }
    }
  }

  /// Whether the task's ranks are of one stage, so that one who waits there waits for a peer.
  bool is_among_peers(const Task& task) const {
    if (task.kind != TaskKind::Communication) {
      return true;
    }
    const int group = plan_.graph.communications[static_cast<std::size_t>(task.info)].group_class;
    return plan_.fold.groups[static_cast<std::size_t>(group)].sort.span == Span::All;
  }

  /// From when its own predecessors had ended, a unit waits for the others. `ready` is scratch.
  void add_waits(TaskId task, const Adjacency& before, std::vector<Seconds>& ready) {
    for (const int unit : plan_.graph.participants[index(task)]) {
      ready[static_cast<std::size_t>(unit)] = {};
    }
    for (const TaskId earlier : before.of(task)) {
      for (const int unit : plan_.graph.participants[index(earlier)]) {
        Seconds& own = ready[static_cast<std::size_t>(unit)];
        own = std::max(own, timeline_.finish[index(earlier)]);
      }
    }
    for (const int unit : plan_.graph.participants[index(task)]) {
      const auto u = static_cast<std::size_t>(unit);
      units_[u].waits.push_back({ready[u], timeline_.start[index(task)]});
    }
  }

  void add_task(TaskId id, UnitActivity& unit) {
    const Task& task = plan_.graph.tasks[index(id)];
    const Interval whole{timeline_.start[index(id)], timeline_.finish[index(id)]};
    switch (task.kind) {
      case TaskKind::Compute:
        unit.work.emplace_back(whole, nullptr);
        unit.compute_time += reader_.compute_of(id);
        break;
      case TaskKind::Communication:
        unit.communication.push_back({task.info, task.part == 0, whole});
        break;
      case TaskKind::Run:
        unit.work.emplace_back(whole, &measure_of_slice(task.slice));
        unit.compute_time += unit.work.back().second->compute_time;
        break;
    }
  }

  const SliceMeasure& measure_of_slice(const ProgramSlice& slice) {
    const auto key = std::tuple(slice.program, slice.first, slice.last);
    const auto known = slices_.find(key);
    return known != slices_.end() ? known->second
                                  : slices_.emplace(key, measure_slice(slice)).first->second;
  }

  SliceMeasure measure_slice(const ProgramSlice& slice) {
    const PlayedProgram& played = plan_.graph.programs[static_cast<std::size_t>(slice.program)];
    const SegmentTimes& times = reader_.times_of(slice);
    ComputeTime compute_time;
    std::vector<Interval> computing;
    std::vector<Interval> communicating;
    std::map<int, std::vector<Interval>> by_info;
    for (int i = slice.first; i < slice.last; ++i) {
      const auto at = static_cast<std::size_t>(i - slice.first);
      const Interval whole{times.start[at], times.finish[at]};
      const Segment& segment = played.program.segments[static_cast<std::size_t>(i)];
      (segment.is_compute ? computing : communicating).push_back(whole);
      if (segment.is_compute) {
        compute_time += played.compute[static_cast<std::size_t>(i)];
      } else {
        by_info[played.infos[static_cast<std::size_t>(i)]].push_back(whole);
      }
    }
    const Intervals compute = unite(std::move(computing));
    const Intervals tensor = unite(std::move(communicating));
    SliceMeasure measured{compute_time,
                          Coverage(compute),
                          Coverage(tensor),
                          Coverage(intersect(compute, tensor)),
                          {}};
    for (const auto& [info, intervals] : by_info) {
      InfoSum sum;
      for (const Interval& interval : intervals) {
        sum.add(one(interval, measured.compute));
      }
      measured.by_info.emplace_back(info, sum);
    }
    return measured;
  }

  /// One communication of a unit that computes as given.
  static InfoSum one(Interval interval, const Coverage& compute) {
    const Seconds time = interval.finish - interval.start;
    return {1, time, time - compute.within(interval)};
  }

  /// The unit's time line has two levels: slices that were measured before, and between and beside
  /// them single tasks, of which there are few.
  void add_unit(std::size_t u, StepReport& step) {
    UnitActivity& unit = units_[u];
    const double members = plan_.fold.units[u].members;
    const double share = members / cluster_.spec.gpus;
    add_compute(unit.compute_time, share, step);

    std::sort(unit.work.begin(), unit.work.end(),
              [](const auto& a, const auto& b) { return a.first.start < b.first.start; });
    const auto coverage_of = [&](auto shape_of, bool with_solid) {
      std::vector<Coverage::Stretch> stretches;
      for (const auto& [whole, slice] : unit.work) {
        if (slice != nullptr || with_solid) {
          stretches.push_back({whole, slice == nullptr ? nullptr : shape_of(*slice)});
        }
      }
      return Coverage(std::move(stretches));
    };
    const Coverage compute = coverage_of([](const SliceMeasure& s) { return &s.compute; }, true);
    const Coverage tensor = coverage_of([](const SliceMeasure& s) { return &s.tensor; }, false);
    const Coverage hidden = coverage_of([](const SliceMeasure& s) { return &s.hidden; }, false);

    std::array<std::vector<Interval>, kAxes> active;
    for (const auto& [info, is_first, interval] : unit.communication) {
      const auto axis = plan_.graph.communications[static_cast<std::size_t>(info)].axis;
      active[static_cast<std::size_t>(axis)].push_back(interval);
    }
    std::array<Intervals, kAxes> kinds;
    std::vector<Interval> all;
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      kinds[k] = unite(std::move(active[k]));
      all.insert(all.end(), kinds[k].begin(), kinds[k].end());
      add_overlap(measure_of(kinds[k]), compute.within(kinds[k]), share, step.by_kind[k]);
    }
    KindOverlap& of_tensor = step.by_kind[static_cast<std::size_t>(Axis::Tensor)];
    add_overlap(tensor.total(), hidden.total(), share, of_tensor);
    const Intervals merged = unite(std::move(all));
    add_overlap(tensor.total() + measure_of(merged) - tensor.within(merged),
                hidden.total() + compute.within(merged) - hidden.within(merged), share,
                step.all_communication);

    step.breakdown[TimePart::ExposedTensor] += share * (tensor.total() - hidden.total());
    Intervals idle = subtract({{Seconds{}, timeline_.end}}, outline(unit));
    for (const auto& [kind, part] : kExposedParts) {
      const Intervals& there = kinds[static_cast<std::size_t>(kind)];
      step.breakdown[part] += share * measure_of(intersect(idle, there));
      idle = subtract(idle, there);
    }
    const Waiting waiting = waiting_in(idle, unite(std::move(unit.waits)));
    step.breakdown[TimePart::StragglerWait] += share * waiting.for_peers;
    step.breakdown[TimePart::Bubble] += share * waiting.for_stages;
    add_speed(plan_.fold.units[u], unit.compute_time.total(), waiting);
    add_communications(unit, compute, members);
  }

  static Intervals outline(const UnitActivity& unit) {
    std::vector<Interval> work;
    for (const auto& [whole, slice] : unit.work) {
      work.push_back(whole);
    }
    return unite(std::move(work));
  }

  void add_compute(const ComputeTime& time, double share, StepReport& step) {
    model_flops_ += share * time.model_flops.value;
    hardware_flops_ += share * time.hardware_flops.value;
    KernelInefficiency& lost = step.kernel_inefficiency;
    lost.gemm += share * time[ComputePart::GemmInefficiency];
    lost.attention += share * time[ComputePart::AttentionInefficiency];
    lost.memory += share * time[ComputePart::MemoryBound];
    step.breakdown[TimePart::Useful] += share * time[ComputePart::Useful];
    step.breakdown[TimePart::KernelInefficiency] +=
        share * (time[ComputePart::GemmInefficiency] + time[ComputePart::AttentionInefficiency] +
                 time[ComputePart::MemoryBound]);
    step.breakdown[TimePart::Recomputation] += share * time[ComputePart::Recomputation];
    step.breakdown[TimePart::Optimizer] += share * time[ComputePart::Optimizer];
    step.breakdown[TimePart::Host] += share * time[ComputePart::Host];
  }

  static void add_overlap(Seconds time, Seconds overlapped, double share, KindOverlap& overlap) {
    overlap.time += share * time;
    overlap.overlapped += share * overlapped;
    overlap.exposed += share * (time - overlapped);
  }

  /// Neither computing nor communicating: waiting for a peer that is late, or for another stage.
  struct Waiting {
    Seconds for_peers, for_stages;
  };
  Waiting waiting_in(const Intervals& idle, const Intervals& waits) const {
    const Seconds all = measure_of(idle);
    const Seconds for_peers =
        w_.parallelism.pipeline > 1 ? measure_of(intersect(idle, waits)) : all;
    return {for_peers, all - for_peers};
  }

  /// A coarse class holds GPUs of several speeds: then nobody can say who waits.
  void add_speed(const RankClass& unit, Seconds compute, const Waiting& waiting) {
    if (w_.fold != FoldMode::Bound) {
      SpeedReport& sum = by_speed_[{unit.speeds.front(), unit.throttle, unit.jitters}];
      sum.gpus += unit.members;
      sum.compute += compute * unit.members;
      sum.straggler_wait += waiting.for_peers * unit.members;
      sum.bubble += waiting.for_stages * unit.members;
    }
  }

  void add_communications(const UnitActivity& unit, const Coverage& compute, double members) {
    by_info_.assign(plan_.graph.communications.size(), {});
    std::vector<std::vector<Interval>> parts(by_info_.size());
    for (const auto& [info, is_first, interval] : unit.communication) {
      by_info_[static_cast<std::size_t>(info)].count += is_first ? 1 : 0;
      parts[static_cast<std::size_t>(info)].push_back(interval);
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Intervals merged = unite(std::move(parts[i]));  // messages go beside each other
      by_info_[i].time = measure_of(merged);
      by_info_[i].exposed = by_info_[i].time - compute.within(merged);
    }
    for (const auto& [whole, slice] : unit.work) {
      for (std::size_t i = 0; slice != nullptr && i < slice->by_info.size(); ++i) {
        const auto& [info, sum] = slice->by_info[i];
        by_info_[static_cast<std::size_t>(info)].add(sum);
      }
    }
    std::set<CommunicationKey> seen;
    for (std::size_t i = 0; i < by_info_.size(); ++i) {
      if (by_info_[i].count > 0) {
        add_communication(plan_.graph.communications[i], by_info_[i], members, seen);
      }
    }
  }

  void add_communication(const CommunicationInfo& info, const InfoSum& found, double members,
                         std::set<CommunicationKey>& seen) {
    const CommunicationKey key{static_cast<int>(info.axis), static_cast<int>(info.op), info.group,
                               info.group_size, info.bytes_per_rank.value};
    CommunicationSum& sum = sums_[key];
    if (info.alone > sum.slowest) {  // name the slowest member's bottleneck
      sum.slowest = info.alone;
      sum.pattern = info.slowest_pattern();
      sum.choice = info.choice;
    }
    if (seen.insert(key).second) {
      sum.ranks += members;
    }
    sum.count += members * found.count;
    sum.time += members * found.time;
    sum.exposed += members * found.exposed;
  }

  const Workload& w_;
  const Cluster& cluster_;
  const StepPlan& plan_;
  const Timeline& timeline_;
  ActivityReader reader_;
  std::vector<UnitActivity> units_;
  StepReport step_;
  std::map<std::tuple<int, int, int>, SliceMeasure> slices_;
  std::vector<InfoSum> by_info_;  // of one unit
  std::map<CommunicationKey, CommunicationSum> sums_;
  using SpeedKey = std::tuple<GpuSpeed, std::optional<Throttle>, bool>;
  std::map<SpeedKey, SpeedReport> by_speed_;  // sums
  double model_flops_ = 0;
  double hardware_flops_ = 0;
};

/// With closed forms a link may carry more than it can.
void note_overfull(Report& report) {
  const auto fullest =
      std::max_element(report.links.begin(), report.links.end(),
                       [](const auto& a, const auto& b) { return a.peak < b.peak; });
  constexpr double kRounding = 1e-6;
  if (fullest != report.links.end() && fullest->peak > 1 + kRounding) {
    report.notes.push_back(fmt::format(
        "collectives: formula gives every communication its links to itself; together "
        "they ask for up to {:.0f} % of a link ({}), so the step takes longer in truth; "
        "collectives: steady shares links",
        fullest->peak * 100, name_of(fullest->kind)));
  }
}

std::optional<double> ratio(Seconds part, Seconds whole) {
  return whole > Seconds{} ? std::optional(part / whole) : std::nullopt;
}

std::size_t count_flows(const TaskGraph& graph) {
  return static_cast<std::size_t>(
      std::count_if(graph.tasks.begin(), graph.tasks.end(), [](const Task& task) {
        return task.kind == TaskKind::Communication && task.bytes > Bytes{};
      }));
}

}  // namespace

Seconds TimePartition::total() const {
  Seconds sum;
  for (const Seconds part : parts) {
    sum += part;
  }
  return sum;
}

bool StepReport::has(TimePart part) const {
  return std::none_of(kExposedParts.begin(), kExposedParts.end(), [&](const auto& exposed) {
    return exposed.second == part &&
           by_kind[static_cast<std::size_t>(exposed.first)].time == Seconds{};
  });
}

std::optional<double> KindOverlap::overlap_ratio() const {
  return ratio(overlapped, time);
}
std::optional<double> CommunicationReport::overlap_ratio() const {
  return ratio(time - exposed, time);
}

Report measure(const std::string& name, const Workload& workload, const Cluster& cluster,
               const StepPlan& plan, const Timeline& timeline) {
  Measurer measurer(workload, cluster, plan, timeline);
  Report report{.scenario = name,
                .notes = damage_notes(cluster),
                .model = workload.model.name,
                .cluster = cluster.spec.topology.name,
                .gpu = gpu_names(cluster.spec),
                .parameters = total_parameters(workload.model),
                .is_mixed = !cluster.spec.others.empty(),
                .peak = mean_peak(cluster.spec, workload.training.precision),
                .gpus = cluster.spec.gpus,
                .workload = workload,
                .step = measurer.step(),
                .communication = measurer.communications(),
                .memory = measure_memory(workload, cluster.spec)};
  report.run = measure_run(report, cluster.spec);
  report.critical_path = critical_path(cluster, plan, timeline, measurer.reader());
  const bool shares = workload.collectives != CollectiveMode::Formula;
  report.links = link_report(cluster, plan, timeline, shares);
  if (!shares) {
    note_overfull(report);
  }
  report.speeds = measurer.speeds();
  report.simulation = {.tasks_played = plan.graph.tasks.size(),
                       .flows_played = count_flows(plan.graph),
                       .classes = plan.fold.units.size(),
                       .fold = workload.fold,
                       .exact = plan.fold.exact};
  return report;
}

}  // namespace danlu
