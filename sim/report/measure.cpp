#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "sim/report/activity.hpp"
#include "sim/report/critical_path.hpp"
#include "sim/report/intervals.hpp"
#include "sim/report/report.hpp"

namespace danlu {
namespace {

/// What one unit did, sorted out for measuring.
struct UnitActivity {
  std::vector<Interval> compute;
  ComputeTime compute_time;
  std::array<std::vector<Interval>, kCommunicationKinds> communication;
  std::vector<Seconds> peer_starts;              // of collectives among peers
  std::map<int, std::vector<Interval>> by_info;  // of TaskGraph::communications
};

/// Sums over ranks taking part, for the means.
struct CommunicationSum {
  double ranks = 0;
  double count = 0;
  Seconds time, exposed;
  Seconds slowest{-1};
  int pattern = -1;
};

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

  std::vector<CommunicationReport> communications() const {
    std::vector<CommunicationReport> reports;
    for (const auto& [key, sum] : sums_) {
      const auto& [kind, op, group, size, bytes] = key;
      reports.push_back({.kind = static_cast<CommunicationKind>(kind),
                         .op = static_cast<CollectiveOp>(op),
                         .group = std::string(group),
                         .group_size = size,
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
  void measure_step() {
    collect();
    step_.time = timeline_.end;
    for (std::size_t u = 0; u < units_.size(); ++u) {
      add_unit(u, step_);
    }
    const double peak = cluster_.spec.gpu.peak(w_.training.precision)->value;
    step_.tokens_per_second = w_.tokens_per_step() / step_.time.value;
    step_.model_flops_per_gpu_second = model_flops_ / step_.time.value;
    step_.hardware_flops_per_gpu_second = hardware_flops_ / step_.time.value;
    step_.mfu = step_.model_flops_per_gpu_second / peak;
    step_.hfu = step_.hardware_flops_per_gpu_second / peak;
    step_.bubble_fraction = step_.breakdown[TimePart::Bubble] / step_.time;
  }

  void collect() {
    units_.resize(plan_.fold.units.size());
    for (std::size_t i = 0; i < plan_.graph.tasks.size(); ++i) {
      const std::vector<int>& participants = plan_.graph.participants[i];
      reader_.expand(make_id<TaskId>(i), [&](const Activity& activity) {
        for (const int unit : participants) {
          add_activity(activity, units_[static_cast<std::size_t>(unit)]);
        }
      });
    }
  }

  void add_activity(const Activity& activity, UnitActivity& unit) const {
    if (activity.compute != nullptr) {
      unit.compute.push_back(activity.interval);
      unit.compute_time += *activity.compute;
      return;
    }
    const CommunicationInfo& info =
        plan_.graph.communications[static_cast<std::size_t>(activity.info)];
    unit.communication[static_cast<std::size_t>(info.kind)].push_back(activity.interval);
    unit.by_info[activity.info].push_back(activity.interval);
    const PatternKind pattern = plan_.fold.patterns[static_cast<std::size_t>(info.pattern)].kind;
    if (pattern == PatternKind::Tensor || pattern == PatternKind::Data) {
      unit.peer_starts.push_back(activity.interval.start);
    }
  }

  void add_unit(std::size_t u, StepReport& step) {
    UnitActivity& unit = units_[u];
    const double members = plan_.fold.units[u].members;
    const double share = members / cluster_.spec.gpus;
    const Intervals compute = unite(std::move(unit.compute));
    add_compute(unit.compute_time, share, step);

    Intervals idle = subtract({{Seconds{}, timeline_.end}}, compute);
    std::array<Intervals, kCommunicationKinds> kinds;
    std::vector<Interval> all;
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      kinds[k] = unite(std::move(unit.communication[k]));
      all.insert(all.end(), kinds[k].begin(), kinds[k].end());
      add_overlap(kinds[k], compute, share, step.by_kind[k]);
    }
    add_overlap(unite(std::move(all)), compute, share, step.all_communication);
    for (const auto& [kind, part] : kExposedParts) {
      const Intervals& active = kinds[static_cast<std::size_t>(kind)];
      step.breakdown[part] += share * measure_of(intersect(idle, active));
      idle = subtract(idle, active);
    }
    add_waiting(idle, unit, share, step.breakdown);
    add_communications(unit, compute, members);
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

  static void add_overlap(const Intervals& active, const Intervals& compute, double share,
                          KindOverlap& overlap) {
    const Seconds time = measure_of(active);
    const Seconds overlapped = measure_of(intersect(active, compute));
    overlap.time += share * time;
    overlap.overlapped += share * overlapped;
    overlap.exposed += share * (time - overlapped);
  }

  /// Neither computing nor communicating: until a collective among peers starts it is a peer that
  /// is late; otherwise another stage.
  void add_waiting(const Intervals& idle, UnitActivity& unit, double share,
                   TimePartition& breakdown) const {
    std::sort(unit.peer_starts.begin(), unit.peer_starts.end());
    for (const Interval& wait : idle) {
      const bool for_peer =
          std::binary_search(unit.peer_starts.begin(), unit.peer_starts.end(), wait.finish);
      const bool bubble = w_.parallelism.pipeline > 1 && !for_peer;
      breakdown[bubble ? TimePart::Bubble : TimePart::StragglerWait] +=
          share * (wait.finish - wait.start);
    }
  }

  void add_communications(const UnitActivity& unit, const Intervals& compute, double members) {
    const Coverage computing(compute);
    std::map<CommunicationKey, bool> seen;
    for (const auto& [info_id, intervals] : unit.by_info) {
      const CommunicationInfo& info = plan_.graph.communications[static_cast<std::size_t>(info_id)];
      const CommunicationKey key{static_cast<int>(info.kind), static_cast<int>(info.op), info.group,
                                 info.group_size, info.bytes_per_rank.value};
      CommunicationSum& sum = sums_[key];
      if (info.alone > sum.slowest) {  // name the slowest member's bottleneck
        sum.slowest = info.alone;
        sum.pattern = info.pattern;
      }
      if (!seen[key]) {
        seen[key] = true;
        sum.ranks += members;
      }
      const int steps =
          w_.collectives == CollectiveMode::Steady ? 1 : collective_steps(info.op, info.group_size);
      sum.count += members * static_cast<double>(intervals.size()) / steps;
      for (const Interval& interval : intervals) {
        const Seconds time = interval.finish - interval.start;
        sum.time += members * time;
        sum.exposed += members * (time - computing.within(interval));
      }
    }
  }

  using CommunicationKey = std::tuple<int, int, std::string_view, int, double>;

  const Workload& w_;
  const Cluster& cluster_;
  const StepPlan& plan_;
  const Timeline& timeline_;
  ActivityReader reader_;
  std::vector<UnitActivity> units_;
  StepReport step_;
  std::map<CommunicationKey, CommunicationSum> sums_;
  double model_flops_ = 0;
  double hardware_flops_ = 0;
};

std::optional<RunReport> measure_run(const Report& report, const Cluster& cluster) {
  const std::optional<double> tokens = report.workload.training.tokens;
  if (!tokens) {
    return std::nullopt;
  }
  constexpr double kSecondsPerYear = 365.25 * 86400;
  RunReport run{.tokens = *tokens, .steps = *tokens / report.workload.tokens_per_step()};
  const double seconds = run.steps * report.step.time.value;
  run.days = seconds / 86400;
  run.gpu_hours = seconds / 3600 * report.gpus;
  run.gpu_years = run.gpu_hours * 3600 / kSecondsPerYear;
  const double token_parameters = *tokens * report.parameters;
  run.gpu_years_6tp =
      6 * token_parameters / report.step.model_flops_per_gpu_second / kSecondsPerYear;
  if (report.workload.training.recompute == Recompute::Full) {
    run.gpu_years_8tp =
        8 * token_parameters / report.step.hardware_flops_per_gpu_second / kSecondsPerYear;
  }
  if (cluster.spec.topology.node_power_watts > 0) {
    const double share = static_cast<double>(report.gpus) / cluster.spec.topology.gpus_per_node;
    run.energy_mwh = cluster.spec.topology.node_power_watts * share * seconds / 3600 / 1e6;
  }
  if (cluster.spec.gpu.dollars_per_hour > 0) {
    run.cost_usd = run.gpu_hours * cluster.spec.gpu.dollars_per_hour;
  }
  return run;
}

std::optional<double> ratio(Seconds part, Seconds whole) {
  return whole > Seconds{} ? std::optional(part / whole) : std::nullopt;
}

}  // namespace

Seconds TimePartition::total() const {
  Seconds sum;
  for (const Seconds part : parts) {
    sum += part;
  }
  return sum;
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
                .model = workload.model.name,
                .cluster = cluster.spec.topology.name,
                .gpu = cluster.spec.gpu.name,
                .parameters = total_parameters(workload.model),
                .peak = *cluster.spec.gpu.peak(workload.training.precision),
                .gpus = cluster.spec.gpus,
                .workload = workload,
                .step = measurer.step(),
                .communication = measurer.communications(),
                .memory = measure_memory(workload, cluster.spec)};
  report.run = measure_run(report, cluster);
  report.critical_path =
      critical_path(cluster, plan, timeline, measurer.reader(), workload.collectives);
  report.simulation = {.tasks_played = plan.graph.tasks.size(),
                       .classes = plan.fold.units.size(),
                       .fold = workload.fold,
                       .exact = plan.fold.exact};
  return report;
}

}  // namespace danlu
