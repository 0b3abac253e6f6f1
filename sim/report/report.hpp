// Everything that a run tells, as plain numbers in SI units. measure() makes it from the plan and
// its timeline; document.hpp says how each figure is called and reads.
//
// The time of every rank is cut into parts with one name each. At any instant a rank is
//
//   computing                     useful, kernel inefficiency, recomputation, contention (with
//                                 collectives beside it), optimizer, host
//   not computing, communicating  exposed, by the kind of communication
//   neither                       bubble (waiting for another stage) or straggler_wait (for a peer)
//
// so the parts add up to the step. They are means over all ranks. MFU is the first part over the
// whole.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/campaign/study.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/report/link_report.hpp"
#include "sim/report/sensitivity.hpp"
#include "sim/report/trust.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/tasks/task_graph.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

enum class TimePart {
  Useful,
  KernelInefficiency,
  Recomputation,
  Contention,
  ExposedTensor,
  ExposedPipeline,
  ExposedData,
  ExposedExpert,
  ExposedContext,
  ExposedOffload,
  Bubble,
  StragglerWait,
  Optimizer,
  Host,
};
template <>
inline constexpr auto kNames<TimePart> =
    std::to_array<Named<TimePart>>({{TimePart::Useful, "useful"},
                                    {TimePart::KernelInefficiency, "kernel_inefficiency"},
                                    {TimePart::Recomputation, "recomputation"},
                                    {TimePart::Contention, "contention"},
                                    {TimePart::ExposedTensor, "exposed_tensor"},
                                    {TimePart::ExposedPipeline, "exposed_pipeline"},
                                    {TimePart::ExposedData, "exposed_data"},
                                    {TimePart::ExposedExpert, "exposed_expert"},
                                    {TimePart::ExposedContext, "exposed_context"},
                                    {TimePart::ExposedOffload, "exposed_offload"},
                                    {TimePart::Bubble, "bubble"},
                                    {TimePart::StragglerWait, "straggler_wait"},
                                    {TimePart::Optimizer, "optimizer"},
                                    {TimePart::Host, "host"}});
inline constexpr std::size_t kTimeParts = kNames<TimePart>.size();

/// Whose exposed communication goes to which part: where two kinds run at once, the first here gets
/// the instant.
inline constexpr std::array kExposedParts{
    std::pair{Axis::Tensor, TimePart::ExposedTensor},
    std::pair{Axis::Context, TimePart::ExposedContext},
    std::pair{Axis::Expert, TimePart::ExposedExpert},
    std::pair{Axis::Pipeline, TimePart::ExposedPipeline},
    std::pair{Axis::Replicate, TimePart::ExposedData},
    std::pair{Axis::Offload, TimePart::ExposedOffload},
};

/// Whether time counts as communication along this axis; that between shards counts as data's.
inline bool has_time(Axis axis) {
  return std::any_of(kExposedParts.begin(), kExposedParts.end(),
                     [&](const auto& exposed) { return exposed.first == axis; });
}

/// Seconds by part.
struct TimePartition {
  IdArray<TimePart, Seconds, kTimeParts> parts{};

  Seconds& operator[](TimePart part) { return parts[part]; }
  Seconds operator[](TimePart part) const { return parts[part]; }
  Seconds total() const;
};

/// Kernel inefficiency by kind of kernel; the three add up to TimePart::KernelInefficiency.
struct KernelInefficiency {
  Seconds gemm;
  Seconds attention;  // may be negative: a causal kernel skips half of the counted square
  Seconds memory;
};

/// All communications of one kind, by Holistic Trace Analysis' definitions: intervals of a rank are
/// merged, overlap is the time in which the rank also computes; means over ranks.
struct KindOverlap {
  Seconds time;
  Seconds overlapped;
  Seconds exposed;                              // time - overlapped
  std::optional<double> overlap_ratio() const;  // none without communication
};

struct StepReport {
  Seconds time;
  double tokens_per_second = 0;
  double model_flops_per_gpu_second = 0;     // FLOP/s
  double hardware_flops_per_gpu_second = 0;  // really executed, recomputed ones included
  double mfu = 0;                            // of the dense peak, counted as the scenario says
  double mfu_full = 0;                       // the whole attention square counted
  double mfu_causal = 0;                     // the half of it that a causal mask leaves
  double hfu = 0;
  /// Of the model by either count of the attention square, and really executed, in a step, a mean
  /// GPU's share: what the three utilisations above rest on.
  Flops flops_full, flops_causal, flops_executed;
  BytesPerSecond memory_bandwidth;  // that a GPU uses of its HBM: see mbu
  double mbu = 0;                   // of the HBM's peak
  double bubble_fraction = 0;       // bubble over step
  Seconds fullest_wait;             // for the rank with most tokens at its experts
  KindOverlap all_communication;    // of all kinds, merged
  IdArray<Axis, KindOverlap, kAxes> by_kind{};
  TimePartition breakdown;
  KernelInefficiency kernel_inefficiency;

  /// False for the exposed part of a kind of communication that the step lacks.
  bool has(TimePart part) const;
};

/// "all-reduce, tensor group": what a sort of communication is called wherever it is shown.
std::string communication_name(CollectiveOp op, std::string_view group);

/// One sort of communication (kind, operation, group, size), as its mean rank sees it.
struct CommunicationReport {
  Axis axis = Axis::Tensor;
  CollectiveOp op = CollectiveOp::AllReduce;
  std::string group;
  int group_size = 1;
  CollectiveChoice choice;
  Bytes bytes_per_rank;
  double count = 0;  // per rank taking part
  Seconds time;      // per rank taking part
  Seconds exposed;
  std::string bottleneck;                 // the link that limits it when it is alone
  std::optional<double> multiprocessors;  // that it keeps from compute beside it, if that is known
  std::string name() const { return communication_name(op, group); }
  std::optional<double> overlap_ratio() const;
};

struct MemoryReport {
  std::string gpu;                // of that stage: where its GPUs differ, the one with least memory
  Bytes capacity;                 // of that GPU
  MemoryUse use;                  // of the stage whose GPUs have least left
  std::vector<MemoryUse> stages;  // of every stage
  Bytes reserve;                  // training.memory_reserve: what the plan should leave free
  Bytes host{};                   // what is offloaded, in the memory of the fullest node
  std::optional<Bytes> host_capacity{};
  bool fits_host() const { return !host_capacity || host <= *host_capacity; }
  bool fits() const { return use.peak() <= capacity && fits_host(); }
  /// It fits, and leaves less than the reserve.
  bool tight() const { return fits() && use.peak() + reserve > capacity; }
  std::string_view verdict() const { return !fits() ? "does not fit" : tight() ? "tight" : "fits"; }
};

/// A change with which a plan fits that does not.
struct Remedy {
  std::string change;  // as options
  MemoryReport memory;
  std::optional<Seconds> step;  // with it; none: it could not be played
};
struct Remedies {
  std::vector<Remedy> played;  // the fastest first
  std::size_t found = 0;       // that fit, these and more
};

/// The whole run, when the scenario says how many tokens it is.
struct RunReport {
  double tokens = 0;
  double steps = 0;  // whole ones
  double days = 0;
  double gpu_hours = 0;
  double gpu_years = 0;
  double gpu_years_6tp = 0;             // 6TP/X, X model FLOP/s per GPU, P met by a token
  std::optional<double> gpu_years_8tp;  // 8TP/X, X the hardware FLOP/s; full recomputation only
  std::optional<double> energy_mwh;     // none when the topology has no node power
  double gpu_energy_mwh = 0;            // of the GPUs' boards alone
  std::optional<double> cost_usd;       // none without a price
  std::string unpriced;                 // of several kinds of GPUs, those that have none
};

/// A campaign, and what it comes to in the terms of the step.
struct FaultsReport {
  CampaignStudy study;
  double goodput = 0;              // MFU of all GPU time, spares included
  Seconds fault_free;              // the same useful work without faults and checkpoints
  double gpu_hours = 0;            // spares included
  std::optional<double> cost_usd;  // none without a price
  std::optional<double> fault_free_cost_usd;
};

/// A sort of communication on the critical path, and the link that limits it.
struct CriticalCommunication {
  std::string name;  // communication_name()
  Axis axis = Axis::Tensor;
  std::string link;
  Seconds time;
  double count = 0;
};
/// The chain of tasks that decides the step's length: its compute by purpose, its communication by
/// name. The two add up to the step.
struct CriticalPath {
  ComputeTime compute;
  Seconds communication;
  std::vector<CriticalCommunication> communications;  // longest first
};

/// GPUs that are alike in kind, slowdown, throttling and jitter: what they compute, and how long
/// they wait for others.
struct SpeedReport {
  std::string gpu;
  double slowdown = 1;
  std::optional<Throttle> throttle;
  std::optional<double> jitter;  // its spread
  int gpus = 0;
  Seconds compute, straggler_wait, bubble;  // means over them
};

/// The ranks of a stage of the pipeline; means over them.
struct StageReport {
  int stage = 0;
  int gpus = 0;
  Seconds compute;  // in passes: all but the optimizer
  Seconds waits;    // bubble and straggler wait
};
/// How unequal the stages are: the slowest rules the step, since all others wait for it.
struct StageBalance {
  int slowest = 0;
  Seconds compute, mean;  // of the slowest; of all stages

  Seconds cost() const { return compute - mean; }
};

/// Several steps where chance decides (DegradedSpec::draws).
struct DrawsReport {
  std::vector<Seconds> steps;  // by draw

  Seconds mean() const;
  Seconds standard_error() const;  // of the mean
};

/// What a mixture of experts does in a step.
struct ExpertReport {
  int layers = 0;                    // that have experts
  double per_rank = 0;               // experts of a layer on a rank
  std::vector<int> group;            // ranks of the first group that all experts of a layer lie on
  int group_nodes = 1;               // that it lies on
  double tokens = 0;                 // of a microbatch that an expert is asked for, in the mean
  double fullest = 0;                // that the expert with most computes, dropped ones left out
  double emptiest = 0;               // and the one with fewest
  std::optional<int> fullest_layer;  // that these are of, where each has loads of its own
  double load_factor = 1;            // the fullest rank's tokens over the mean rank's
  std::optional<double> dropped;     // share of tokens' copies; none where experts take all
  std::optional<double> padding;     // share of what is computed that is no token; none without
  Bytes in_node, between_nodes;  // that a rank sends in a step, there and back; the fullest one's

  bool is_even() const { return fullest == emptiest; }
};

struct SimulationReport {
  Seconds wall;
  Bytes peak_memory;
  std::size_t tasks_played = 0;
  std::size_t flows_played = 0;    // of the tasks, those that load links
  std::size_t rounds_counted = 0;  // that repeat one that was played
  int round_microbatches = 0;      // of each
  std::size_t classes = 0;
  FoldMode fold = FoldMode::Exact;
  bool exact = true;
};

/// A key of the scenario, as it was understood.
struct ReportSetting {
  std::string key;  // "training.micro_batch"
  std::string text;
  bool from_user = false;  // and not from a preset or the table of defaults
};

/// A figure that the result rests on and that nothing published gives.
struct ReportAssumption {
  std::string key;     // "cluster.gpu.kernel_launch"
  std::string text;    // "2 us"
  std::string reason;  // "H100 value assumed", "default"
};

struct Report {
  std::string scenario;
  std::vector<std::string> overrides;         // "key.path=value" of the command line; the caller's
  std::vector<std::string> notes;             // Scenario::notes; the caller's
  std::vector<ReportSetting> settings;        // the caller's
  std::vector<ReportAssumption> assumptions;  // the caller's
  Remedies remedies;                          // the caller's: how it would fit ...
  std::vector<std::string> memory_hints;      // ... in sentences
  std::optional<Saving> saving;               // the caller's: none where nothing helps, or untried
  std::string untried;                        // the caller's: why no saving was looked for
  std::optional<Trust> trust;                 // the caller's: trust_in
  std::optional<MemoryTrust> memory_trust;    // and memory_trust_in
  std::optional<Sensitivity> sensitivity;     // the caller's, where asked for: sensitivity_of
  std::string model;
  std::string cluster;
  std::string gpu;
  double parameters = 0;
  IdArray<ModelPart, PartParameters, kNames<ModelPart>.size()> parameters_by_part{};
  bool is_mixed = false;       // GPUs of several kinds
  FlopsPerSecond peak;         // the mean over them
  BytesPerSecond memory_peak;  // of their HBM, the same
  int multiprocessors = 0;     // of a GPU of the first kind
  int gpus = 0;
  int gpus_per_node = 1;
  Workload workload;
  StepReport step;
  std::vector<CommunicationReport> communication;
  MemoryReport memory;
  std::optional<ExpertReport> experts;  // of a model that has some
  std::optional<RunReport> run;
  std::optional<FaultsReport> faults;  // the caller's: measure_faults
  std::optional<DrawsReport> draws;    // the caller's; everything else is of the first
  CriticalPath critical_path;
  std::vector<LinkReport> links;
  std::vector<StageReport> stages;  // empty where there is one
  std::vector<SpeedReport> speeds;  // fastest kind of kernels last; empty where all GPUs are alike
  SimulationReport simulation;
};

/// Makes the report of a played step; `simulation.wall` and `.peak_memory` are the caller's to fill
/// in.
Report measure(const std::string& name, const Workload& workload, const Cluster& cluster,
               const StepPlan& plan, const Timeline& timeline);

/// What `study` comes to: `mfu` is that of the healthy step, `price` of a GPU-hour, 0 for none.
FaultsReport measure_faults(CampaignStudy study, double mfu, double price);

/// The whole run at the step's mean over draws; none without training.tokens.
std::optional<RunReport> measure_run(const Report& report, const ClusterSpec& cluster);

/// Of a GPU, the mean over those of several kinds; none where a kind has no price.
std::optional<double> dollars_per_gpu_hour(const ClusterSpec& cluster);

/// Of two stages or more.
StageBalance balance_of(const std::vector<StageReport>& stages);

/// Of a step whose communications are these; none of a model without experts.
std::optional<ExpertReport> measure_experts(const Workload& workload, const Cluster& cluster,
                                            const std::vector<CommunicationReport>& communication);

/// Memory alone, before anything is played.
MemoryReport measure_memory(const Workload& workload, const ClusterSpec& cluster);

}  // namespace danlu
