#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>

#include "sim/report/activity.hpp"
#include "sim/report/counted_time.hpp"
#include "sim/report/critical_path.hpp"
#include "sim/report/intervals.hpp"
#include "sim/report/report.hpp"
#include "sim/report/slice_measure.hpp"
#include "sim/report/utilisation.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

constexpr double kRounding = 1e-12;  // of a step: less is what adding and subtracting leaves

/// What one class of ranks did, sorted out for measuring.
struct RankActivity {
  struct Work {
    Interval whole;
    const SliceMeasure* slice = nullptr;  // that it is a copy of; none: compute
    double times = 1;                     // that the step has it
  };
  std::vector<Work> work;
  ComputeTime compute_time;
  struct Part {
    CommunicationId sort{};
    double firsts = 1;  // that the step has; 0: of a later part of a communication
    Interval interval;
  };
  std::vector<Part> communication;
  std::vector<Interval> waits;     // for a peer
  std::vector<Interval> within;    // of these those within runs
  std::vector<Interval> launches;  // that came after all else that was waited for
  std::vector<std::unique_ptr<const SliceMeasure>> own;  // slices like no other
};

/// Sums over ranks taking part, for the means.
struct CommunicationSum {
  double ranks = 0;
  double count = 0;
  Seconds time, exposed;
  Seconds slowest{-1};
  std::optional<PatternClassId> pattern;
  CollectiveChoice choice;
  GpuShare taken;
};

/// "A", or "A (32) and B (32)".
std::string gpu_names(const ClusterSpec& cluster) {
  if (cluster.others.empty()) {
    return cluster.gpu.name;
  }
  std::vector<std::string> names;
  for (const auto& [topology, gpu, gpus] : cluster.gpus_by_kind()) {
    names.push_back(fmt::format("{} ({})", gpu.name, gpus));
  }
  return fmt::format("{}", fmt::join(names, " and "));
}

/// Sums of one timeline. One class, since each task is looked at once and adds to most of them.
class Measurer {
 public:
  Measurer(const Workload& workload, const Cluster& cluster, const StepPlan& plan,
           const Timeline& timeline)
      : w_(workload),
        cluster_(cluster),
        plan_(plan),
        timeline_(timeline),
        reader_(plan.graph, timeline),
        slice_measurer_(plan.graph) {
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
        *time = *time > kRounding * timeline_.end ? *time : Seconds{};
      }
    }
    std::stable_sort(reports.begin(), reports.end(),
                     [](const auto& a, const auto& b) { return a.compute > b.compute; });
    return reports.size() > 1 || uneven ? reports : std::vector<SpeedReport>{};
  }

  /// Nobody says how many thread blocks collectives have where NCCL does not choose them.
  std::optional<double> kept_from_compute(const GpuShare& taken) const {
    const TopologySpec& topology = cluster_.spec.topology;
    const bool is_known = topology.nccl_tuning || topology.collective_blocks >= 0;
    return is_known || taken.multiprocessors > 0
               ? std::optional(taken.multiprocessors * cluster_.spec.gpu.multiprocessors)
               : std::nullopt;
  }

  std::vector<CommunicationReport> communications() const {
    std::vector<CommunicationReport> reports;
    for (const auto& [key, sum] : sums_) {
      const auto& [axis, op, group, size, bytes] = key;
      reports.push_back({.axis = axis,
                         .op = op,
                         .group = std::string(group),
                         .group_size = size,
                         .choice = sum.choice,
                         .bytes_per_rank = {bytes},
                         .count = sum.count / sum.ranks,
                         .time = sum.time / sum.ranks,
                         .exposed = sum.exposed / sum.ranks,
                         .bottleneck = bottleneck_link(cluster_, plan_, sum.pattern.value()),
                         .multiprocessors = kept_from_compute(sum.taken)});
    }
    return reports;
  }

  /// Of a pipeline.
  std::vector<StageReport> stages() const {
    std::vector<StageReport> reports;
    for (const auto& [stage, sum] : by_stage_) {
      reports.push_back(sum);
      reports.back().compute = sum.compute / sum.gpus;
      reports.back().waits = sum.waits / sum.gpus;
    }
    return reports.size() > 1 ? reports : std::vector<StageReport>{};
  }

  ActivityReader& reader() { return reader_; }

 private:
  using CommunicationKey = std::tuple<Axis, CollectiveOp, std::string_view, int, double>;

  void measure_step() {
    step_.time = timeline_.end;
    add_all_ranks();
    step_.tokens_per_second = w_.tokens_per_step() / step_.time.value;
    add_utilisation(w_, cluster_.spec, done_, step_);
    step_.bubble_fraction = step_.breakdown[TimePart::Bubble] / step_.time;
  }

  using TasksOfRanks = Lists<RankClassId, TaskId>;

  /// Class by class, so that what is known of one, much where runs jitter, need not be kept.
  void add_all_ranks() {
    const std::size_t classes = plan_.fold.rank_classes.size();
    const Adjacency before = predecessors(plan_.graph);
    ranks_.resize(classes);
    IdVector<RankClassId, Seconds> ready(classes);
    for (const TaskId task : plan_.graph.tasks.ids()) {
      if (is_among_peers(task)) {
        add_waits(task, before, ready);
      }
    }
    const auto tasks = TasksOfRanks::sorted(classes, [&](const auto& put) {
      for (const TaskId task : plan_.graph.tasks.ids()) {
        for (const RankClassId id : plan_.graph.participants.of(task)) {
          put(id, task);
        }
      }
    });
    for (const RankClassId id : ranks_.ids()) {
      for (const TaskId task : tasks.of(id)) {
        add_launch(task, id, before);
        add_task(task, ranks_[id]);
      }
      add_ranks(id, step_);
      ranks_[id] = {};
    }
  }

  /// What a task waits for its host beyond all else.
  void add_launch(TaskId task, RankClassId id, const Adjacency& before) {
    if (w_.host.is_there() && plan_.graph.tasks[task].kind != TaskKind::Host) {
      Seconds launched;
      Seconds ready;
      for (const TaskId earlier : before.of(task)) {
        const std::span<const RankClassId> own = plan_.graph.participants.of(earlier);
        if (std::find(own.begin(), own.end(), id) != own.end()) {
          const bool is_host = plan_.graph.tasks[earlier].kind == TaskKind::Host;
          Seconds& last = is_host ? launched : ready;
          last = std::max(last, timeline_.finish[earlier]);
        }
      }
      if (launched > ready) {
        ranks_[id].launches.push_back({ready, launched});
      }
    }
  }

  /// Whether the task is of ranks of one stage, so that who waits there waits for a peer; a lane
  /// of a joint run does where that begins with an exchange.
  bool is_among_peers(TaskId id) const {
    const Task& task = plan_.graph.tasks[id];
    if (task.joint) {
      const auto& [program, first, last] = task.slice;
      return !plan_.graph.programs[program].program->segments[first].is_compute;
    }
    if (plan_.graph.participants.of(id).size() < 2) {
      return false;
    }
    if (task.kind != TaskKind::Communication) {
      return true;
    }
    const GroupClassId group = plan_.graph.communications[*task.communication].group_class;
    return plan_.fold.groups[group].sort.span == Span::All;
  }

  /// From when their own predecessors had ended, ranks wait for the others. `ready` is scratch.
  void add_waits(TaskId task, const Adjacency& before, IdVector<RankClassId, Seconds>& ready) {
    for (const RankClassId id : plan_.graph.participants.of(task)) {
      ready[id] = {};
    }
    for (const TaskId earlier : before.of(task)) {
      for (const RankClassId id : plan_.graph.participants.of(earlier)) {
        ready[id] = std::max(ready[id], timeline_.finish[earlier]);
      }
    }
    for (const RankClassId id : plan_.graph.participants.of(task)) {
      ranks_[id].waits.push_back({ready[id], timeline_.start[task]});
    }
  }

  void add_task(TaskId id, RankActivity& ranks) {
    const Task& task = plan_.graph.tasks[id];
    const double times = timeline_.rounds.times(id);
    const Interval whole{timeline_.start[id], timeline_.finish[id]};
    switch (task.kind) {
      case TaskKind::Compute:
        ranks.work.push_back({.whole = whole, .times = times});
        ranks.compute_time.add(reader_.compute_of(id), times);
        ranks.compute_time[ComputePart::Contention] += times * reader_.contention_of(id);
        break;
      case TaskKind::Communication:
        ranks.communication.push_back(
            {*task.communication, task.part == PartId{0} ? times : 0, whole});
        break;
      case TaskKind::Run:
        add_run(id, reader_.origin_of(id), times, ranks);
        break;
      case TaskKind::Host:
        break;
    }
  }

  void add_run(TaskId id, Seconds origin, double times, RankActivity& ranks) {
    const SliceMeasure& slice = measure_of_run(id, ranks);
    ranks.work.push_back({{origin, timeline_.finish[id]}, &slice, times});
    ranks.waits.push_back({timeline_.start[id], origin});
    for (const Interval& wait : slice.waits) {
      ranks.within.push_back({origin + wait.start, origin + wait.finish});
    }
    ranks.compute_time.add(slice.compute_time, times);
  }

  const SliceMeasure& measure_of_run(TaskId run, RankActivity& ranks) {
    const std::optional<PlayedSliceId> slice = reader_.slice_of(run);
    if (!slice) {
      ranks.own.push_back(measure_drawn(run));
      return *ranks.own.back();
    }
    while (index(*slice) >= slices_.size()) {
      slices_.push_back(nullptr);
    }
    if (slices_[*slice] == nullptr) {
      slices_[*slice] = std::make_unique<const SliceMeasure>(
          slice_measurer_.measure(run, *reader_.times_of(run)));
    }
    return *slices_[*slice];
  }

  /// With those that are played with it, which are kept until their ranks come.
  std::unique_ptr<const SliceMeasure> measure_drawn(TaskId run) {
    if (drawn_.find(run) == drawn_.end()) {
      reader_.visit_drawn(run, [&](TaskId lane, const SegmentTimes& times) {
        drawn_[lane] = std::make_unique<const SliceMeasure>(slice_measurer_.measure(lane, times));
      });
    }
    return std::move(drawn_.extract(run).mapped());
  }

  /// The ranks' time line has two levels: slices that were measured before, and between and beside
  /// them single tasks, of which there are few.
  void add_ranks(RankClassId id, StepReport& step) {
    RankActivity& ranks = ranks_[id];
    const CountedTime counted(timeline_.rounds, id);
    const double members = plan_.fold.rank_classes[id].members;
    const double share = members / cluster_.spec.gpus;
    add_compute(ranks.compute_time, share, step);

    std::sort(ranks.work.begin(), ranks.work.end(),
              [](const auto& a, const auto& b) { return a.whole.start < b.whole.start; });
    const auto coverage_of = [&](auto shape_of, bool with_solid) {
      std::vector<Coverage::Stretch> stretches;
      for (const auto& [whole, slice, times] : ranks.work) {
        if (slice != nullptr || with_solid) {
          stretches.push_back({whole, slice == nullptr ? nullptr : shape_of(*slice)});
        }
      }
      return Coverage(std::move(stretches));
    };
    const Coverage compute = coverage_of([](const SliceMeasure& s) { return &s.compute; }, true);
    const Coverage exchanging =
        coverage_of([](const SliceMeasure& s) { return &s.exchanging; }, false);
    const Coverage hidden = coverage_of([](const SliceMeasure& s) { return &s.hidden; }, false);

    IdArray<Axis, std::vector<Interval>, kAxes> active;
    for (const auto& [sort, firsts, interval] : ranks.communication) {
      active[plan_.graph.communications[sort].axis].push_back(interval);
    }
    IdArray<Axis, Intervals, kAxes> kinds;
    std::vector<Interval> all;
    for (const Axis axis : kinds.ids()) {
      Intervals& kind = kinds[axis];
      kind = unite(std::move(active[axis]));
      all.insert(all.end(), kind.begin(), kind.end());
      add_overlap(counted.of(kind), counted.of(compute, kind), share, step.by_kind[axis]);
    }
    const Intervals merged = unite(std::move(all));
    add_overlap(counted.of(exchanging) + counted.of(merged) - counted.of(exchanging, merged),
                counted.of(hidden) + counted.of(compute, merged) - counted.of(hidden, merged),
                share, step.all_communication);

    Intervals idle = add_exposed(ranks, kinds, share, coverage_of, counted, step);
    for (const auto& [whole, slice, times] : ranks.work) {
      step.breakdown[TimePart::Host] +=
          times * share * (slice != nullptr ? slice->waits_for_host.total() : Seconds{});
    }
    const Intervals launches = unite(std::move(ranks.launches));
    step.breakdown[TimePart::Host] += share * counted.of(intersect(idle, launches));
    idle = subtract(idle, launches);
    const Waiting waiting = waiting_in(idle, unite(std::move(ranks.waits)), counted);
    step.breakdown[TimePart::StragglerWait] += share * waiting.for_peers;
    step.breakdown[TimePart::Bubble] += share * waiting.for_stages;
    add_speed(plan_.fold.rank_classes[id], ranks.compute_time.total(), waiting);
    add_stage(plan_.fold.rank_classes[id], ranks.compute_time, waiting);
    add_communications(ranks, compute, counted, members);
  }

  /// Exposed exchanges, kind by kind; returns when the ranks neither work nor exchange.
  template <typename CoverageOf>
  Intervals add_exposed(RankActivity& ranks, const IdArray<Axis, Intervals, kAxes>& kinds,
                        double share, const CoverageOf& coverage_of, const CountedTime& counted,
                        StepReport& step) const {
    Intervals idle = subtract({{counted.begin(), timeline_.played()}}, outline(ranks));
    if (!ranks.within.empty()) {
      idle.insert(idle.end(), ranks.within.begin(), ranks.within.end());
      idle = unite(std::move(idle));
      ranks.waits.insert(ranks.waits.end(), ranks.within.begin(), ranks.within.end());
    }
    Intervals named;  // by exchanges beside the slices, up to this kind
    for (const auto& [axis, part] : kExposedParts) {
      const Intervals& there = kinds[axis];
      if (!there.empty()) {
        const Intervals beside = subtract(there, named);
        named.insert(named.end(), beside.begin(), beside.end());
        named = unite(std::move(named));
        take_names(beside, axis, share, ranks, coverage_of, counted, step.breakdown);
      }
      for (const auto& [whole, slice, times] : ranks.work) {
        if (slice != nullptr) {
          add_overlap(slice->exchanging_along[axis], slice->hidden_along[axis], times * share,
                      step.by_kind[axis]);
          step.breakdown[part] += times * share * slice->exposed_along[axis];
        }
      }
      if (!there.empty()) {
        step.breakdown[part] += share * counted.of(intersect(idle, there));
        idle = subtract(idle, there);
      }
    }
    return idle;
  }

  /// An exchange beside slices gives its name to instants in which they wait for their host or for
  /// exchanges that come after it in kExposedParts; of exchanges in slices those after sends are
  /// known.
  template <typename CoverageOf>
  static void take_names(const Intervals& beside, Axis axis, double share,
                         const RankActivity& ranks, const CoverageOf& coverage_of,
                         const CountedTime& counted, TimePartition& breakdown) {
    const auto own = std::find_if(kExposedParts.begin(), kExposedParts.end(),
                                  [&](const auto& exposed) { return exposed.first == axis; });
    const auto take = [&](TimePart part, const auto& set_of) {
      if (std::any_of(ranks.work.begin(), ranks.work.end(), [&](const auto& work) {
            return work.slice != nullptr && set_of(*work.slice)->total() > Seconds{};
          })) {
        const Seconds taken = share * counted.of(coverage_of(set_of, false), beside);
        breakdown[own->second] += taken;
        breakdown[part] -= taken;
      }
    };
    take(TimePart::Host, [](const SliceMeasure& s) { return &s.waits_for_host; });
    for (auto later = std::next(own); later != kExposedParts.end(); ++later) {
      take(later->second, [&](const SliceMeasure& s) { return &s.after_sends[later->first]; });
    }
  }

  static Intervals outline(const RankActivity& ranks) {
    std::vector<Interval> work;
    for (const auto& [whole, slice, times] : ranks.work) {
      work.push_back(whole);
    }
    return unite(std::move(work));
  }

  void add_compute(const ComputeTime& time, double share, StepReport& step) {
    done_.model_flops += share * time.model_flops;
    done_.hardware_flops += share * time.hardware_flops;
    done_.memory += share * time.memory;
    KernelInefficiency& lost = step.kernel_inefficiency;
    lost.gemm += share * time[ComputePart::GemmInefficiency];
    lost.attention += share * time[ComputePart::AttentionInefficiency];
    lost.memory += share * time[ComputePart::MemoryBound];
    step.breakdown[TimePart::Useful] += share * time[ComputePart::Useful];
    step.breakdown[TimePart::KernelInefficiency] +=
        share * (time[ComputePart::GemmInefficiency] + time[ComputePart::AttentionInefficiency] +
                 time[ComputePart::MemoryBound]);
    step.breakdown[TimePart::Recomputation] += share * time[ComputePart::Recomputation];
    step.breakdown[TimePart::Contention] += share * time[ComputePart::Contention];
    step.breakdown[TimePart::Optimizer] += share * time[ComputePart::Optimizer];
    step.breakdown[TimePart::Host] += share * time[ComputePart::Host];
    step.breakdown[TimePart::StragglerWait] += share * time[ComputePart::Wait];
    step.fullest_wait += share * time[ComputePart::Wait];
  }

  static void add_overlap(Seconds time, Seconds overlapped, double share, KindOverlap& overlap) {
    overlap.time += share * time;
    overlap.overlapped += share * overlapped;
    overlap.exposed += share * std::max(Seconds{}, time - overlapped);  // not below for rounding
  }

  /// Neither computing nor communicating: waiting for a peer that is late, or for another stage.
  struct Waiting {
    Seconds for_peers, for_stages;
  };
  Waiting waiting_in(const Intervals& idle, const Intervals& waits,
                     const CountedTime& counted) const {
    const Seconds all = counted.of(idle);
    const Seconds for_peers =
        w_.parallelism.pipeline > 1 ? counted.of(intersect(idle, waits)) : all;
    return {for_peers, all - for_peers};
  }

  /// A coarse class holds GPUs of several speeds: then nobody can say who waits.
  void add_speed(const RankClass& ranks, Seconds compute, const Waiting& waiting) {
    if (w_.fold != FoldMode::Bound) {
      SpeedReport& sum = by_speed_[{ranks.speeds.front(), ranks.throttle, ranks.jitters}];
      sum.gpus += ranks.members;
      sum.compute += compute * ranks.members;
      sum.straggler_wait += waiting.for_peers * ranks.members;
      sum.bubble += waiting.for_stages * ranks.members;
    }
  }

  void add_stage(const RankClass& ranks, const ComputeTime& compute, const Waiting& waiting) {
    StageReport& sum = by_stage_[ranks.stage];
    sum.stage = ranks.stage;
    sum.gpus += ranks.members;
    sum.compute += (compute.total() - compute[ComputePart::Optimizer]) * ranks.members;
    sum.waits += (waiting.for_peers + waiting.for_stages) * ranks.members;
  }

  void add_communications(const RankActivity& ranks, const Coverage& compute,
                          const CountedTime& counted, double members) {
    std::map<CommunicationId, std::vector<Interval>> parts;
    std::map<CommunicationId, SortSum> sums;
    for (const auto& [sort, firsts, interval] : ranks.communication) {
      sums[sort].count += firsts;
      parts[sort].push_back(interval);
    }
    for (auto& [sort, intervals] : parts) {
      const Intervals merged = unite(std::move(intervals));  // messages go beside each other
      sums[sort].time = counted.of(merged);
      sums[sort].exposed = std::max(Seconds{}, sums[sort].time - counted.of(compute, merged));
    }
    for (const auto& [whole, slice, times] : ranks.work) {
      for (std::size_t i = 0; slice != nullptr && i < slice->by_sort.size(); ++i) {
        const auto& [sort, sum] = slice->by_sort[i];
        sums[sort].add(sum, times);
      }
    }
    std::set<CommunicationKey> seen;
    for (const auto& [sort, sum] : sums) {
      if (sum.count > 0) {
        add_communication(plan_.graph.communications[sort], sum, members, seen);
      }
    }
  }

  void add_communication(const Communication& sort, const SortSum& found, double members,
                         std::set<CommunicationKey>& seen) {
    const CommunicationKey key{sort.axis, sort.op, sort.group, sort.group_size,
                               sort.bytes_per_rank.value};
    CommunicationSum& sum = sums_[key];
    if (sort.alone > sum.slowest) {  // name the slowest member's bottleneck
      sum.slowest = sort.alone;
      sum.pattern = sort.slowest_pattern();
      sum.choice = sort.choice;
      sum.taken = sort.taken;
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
  SliceMeasurer slice_measurer_;
  IdVector<RankClassId, RankActivity> ranks_;
  StepReport step_;
  IdVector<PlayedSliceId, std::unique_ptr<const SliceMeasure>> slices_;
  std::unordered_map<TaskId, std::unique_ptr<const SliceMeasure>> drawn_;  // of runs that jitter
  std::map<CommunicationKey, CommunicationSum> sums_;
  using SpeedKey = std::tuple<GpuSpeed, std::optional<Throttle>, bool>;
  std::map<SpeedKey, SpeedReport> by_speed_;  // sums
  std::map<int, StageReport> by_stage_;       // sums
  WorkDone done_;
};

std::size_t count_flows(const TaskGraph& graph) {
  std::size_t flows = 0;
  for (const Task& task : graph.tasks) {
    flows += task.kind == TaskKind::Communication && task.bytes > Bytes{} ? 1 : 0;
  }
  return flows;
}

}  // namespace

Report measure(const std::string& name, const Workload& workload, const Cluster& cluster,
               const StepPlan& plan, const Timeline& timeline) {
  Measurer measurer(workload, cluster, plan, timeline);
  Report report{.scenario = name,
                .notes = damage_notes(cluster),
                .model = workload.model.name,
                .cluster = cluster.spec.topology.name,
                .gpu = gpu_names(cluster.spec),
                .parameters = total_parameters(workload.model),
                .parameters_by_part = parameters_by_part(workload.model),
                .is_mixed = !cluster.spec.others.empty(),
                .peak = mean_peak(cluster.spec, workload.training.precision),
                .memory_peak = mean_memory_peak(cluster.spec),
                .multiprocessors = cluster.spec.gpu.multiprocessors,
                .gpus = cluster.spec.gpus,
                .gpus_per_node = cluster.spec.topology.gpus_per_node,
                .workload = workload,
                .step = measurer.step(),
                .communication = measurer.communications(),
                .memory = measure_memory(workload, cluster.spec)};
  report.experts = measure_experts(workload, cluster, report.communication);
  report.run = measure_run(report, cluster.spec);
  report.critical_path = critical_path(cluster, plan, timeline, measurer.reader());
  const bool shares = workload.collectives != CollectiveMode::Formula;
  report.links = link_report(cluster, plan, timeline, measurer.reader(), shares);
  if (const std::string note = shares ? "" : overfull_note(report.links); !note.empty()) {
    report.notes.push_back(note);
  }
  report.stages = measurer.stages();
  report.speeds = measurer.speeds();
  report.simulation = {.tasks_played = plan.graph.tasks.size(),
                       .flows_played = count_flows(plan.graph),
                       .rounds_counted = static_cast<std::size_t>(timeline.rounds.more),
                       .round_microbatches = timeline.rounds.microbatches,
                       .classes = plan.fold.rank_classes.size(),
                       .fold = workload.fold,
                       .exact = plan.fold.exact};
  return report;
}

}  // namespace danlu
