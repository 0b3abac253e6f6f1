// A training run over weeks: step times by state, failures, checkpoints, restarts -> ETTR.
//
// The campaign never plays a step. It gets step times that the caller has simulated, jumps from one
// thing that happens to the next, and gives every second one name:
//
//   step |--useful--|ckpt|--useful--|ckpt|--redone--X detection | waiting | restart |--useful--|
//   wall 0 ------------------------------------------------------------------------------------>
//
// A second that an earlier failure made worthless is moved from `useful` to `redone` at that
// failure. All parts of a trial add up to its wall time, and all parts of its GPU time to the wall
// time x all GPUs of the job and of its spares.
#pragma once

#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/campaign/faults_spec.hpp"

namespace danlu {

/// The job as the caller has planned and simulated it.
struct CampaignJob {
  int nodes = 1;
  int gpus_per_node = 1;
  int unused_gpus = 0;  // of the last node: not the job's, and nobody charges it for them
  int replicas = 1;
  std::vector<std::vector<ReplicaId>> replicas_on;  // by node; empty: one after the other
  Seconds step;                                     // healthy, all replicas
  std::vector<Seconds> shrunk_step;  // [r-1]: the same batch with r replicas; empty: d/r x step
  double steps = 0;                  // the whole run ...
  Seconds horizon = kNever;          // ... or what is done by then, whichever comes first

  int gpus() const { return nodes * gpus_per_node - unused_gpus; }
};

/// What a second of the run was for.
enum class CampaignPart {
  Useful,      // steps that counted, at healthy step time
  Slowed,      // what degraded steps and background saves took longer
  Shrunk,      // what steps with fewer replicas took longer (GPU time: see Idle and Repair)
  Checkpoint,  // training stood still for a save
  Redone,      // healthy time of steps that were lost
  Detection,
  Waiting,  // for spares or repair
  Restart,
  Stalled,  // standing still until a link came back, or the time-out gave up
  Maintenance,
  Idle,    // GPU time only: spares, and nodes of replicas that are not in the job
  Repair,  // GPU time only: nodes that are being repaired
};
template <>
inline constexpr auto kNames<CampaignPart> =
    std::to_array<Named<CampaignPart>>({{CampaignPart::Useful, "useful"},
                                        {CampaignPart::Slowed, "slowed"},
                                        {CampaignPart::Shrunk, "shrunk"},
                                        {CampaignPart::Checkpoint, "checkpoint"},
                                        {CampaignPart::Redone, "redone"},
                                        {CampaignPart::Detection, "detection"},
                                        {CampaignPart::Waiting, "waiting"},
                                        {CampaignPart::Restart, "restart"},
                                        {CampaignPart::Stalled, "stalled"},
                                        {CampaignPart::Maintenance, "maintenance"},
                                        {CampaignPart::Idle, "idle"},
                                        {CampaignPart::Repair, "repair"}});
inline constexpr std::size_t kCampaignParts = kNames<CampaignPart>.size();

/// Seconds by part.
struct CampaignTime {
  IdArray<CampaignPart, Seconds, kCampaignParts> parts{};

  Seconds& operator[](CampaignPart part) { return parts[part]; }
  Seconds operator[](CampaignPart part) const { return parts[part]; }
  Seconds total() const;
};

/// A stretch of the run, or an instant (begin == end).
struct CampaignEvent {
  /// Train, Checkpoint, Detection, Waiting, Restart, Stalled and Maintenance follow one another
  /// without gaps. Persist, Degraded, Repair run beside them. Failure, Rollback, Resize are
  /// instants.
  enum class Kind {
    Train,
    Checkpoint,
    Detection,
    Waiting,
    Restart,
    Stalled,
    Maintenance,
    Persist,
    Degraded,
    Repair,
    Failure,
    Rollback,
    Resize,
  };
  Kind kind = Kind::Train;
  Seconds begin;
  Seconds end;
  std::optional<CauseId> cause{};
  int component = -1;                   // of the cause; Repair: the node
  std::optional<TierId> tier{};         // Checkpoint, Persist, Rollback
  std::optional<RestartPartId> part{};  // Restart
  double step = 0;   // of the job at `begin`; Rollback: the step that it falls back to
  int replicas = 0;  // in the job
};
template <>
inline constexpr auto kNames<CampaignEvent::Kind> =
    std::to_array<Named<CampaignEvent::Kind>>({{CampaignEvent::Kind::Train, "train"},
                                               {CampaignEvent::Kind::Checkpoint, "checkpoint"},
                                               {CampaignEvent::Kind::Detection, "detection"},
                                               {CampaignEvent::Kind::Waiting, "waiting"},
                                               {CampaignEvent::Kind::Restart, "restart"},
                                               {CampaignEvent::Kind::Stalled, "stalled"},
                                               {CampaignEvent::Kind::Maintenance, "maintenance"},
                                               {CampaignEvent::Kind::Persist, "persist"},
                                               {CampaignEvent::Kind::Degraded, "degraded"},
                                               {CampaignEvent::Kind::Repair, "repair"},
                                               {CampaignEvent::Kind::Failure, "failure"},
                                               {CampaignEvent::Kind::Rollback, "rollback"},
                                               {CampaignEvent::Kind::Resize, "resize"}});

/// Where a run is given up.
inline constexpr int kMostFailures = 1'000'000;
inline constexpr double kMostTimes = 20;

inline constexpr double kUnlimited = std::numeric_limits<double>::infinity();

/// One run.
struct CampaignTrial {
  bool finished = false;  // all steps done; false: stopped by the horizon
  bool gave_up = false;   // no end in sight: kMostFailures, or kMostTimes the time without faults
  Seconds wall;
  CampaignTime time;      // adds up to `wall`
  CampaignTime gpu_time;  // GPU-seconds; adds up to wall x GPUs of the job and of all spares
  double steps = 0;       // useful ones
  IdVector<TierId, int> checkpoints;  // saves that could have been used
  int failures = 0;                   // faults that stopped the job, or a replica
  IdVector<CauseId, int> faults;      // those that struck
  IdVector<CauseId, int> stops;       // those that stopped the job, or a replica
  int unnoticed = 0;                  // corruptions that nobody has noticed by the end
  int left_out = 0;    // listed faults that found the job down, or their nodes out of it
  int begun_anew = 0;  // rollbacks to the start, since no checkpoint was left of those made
  IdVector<CauseId, CampaignTime> lost;  // what its faults cost (not checkpoints)
  std::vector<CampaignEvent> events;     // only if asked for
  int leaps = 0;                         // rows of saves that were taken at once
  double happenings = 0;   // stretches of time and faults that were played, one after another
  bool cut_short = false;  // after as many of them as the caller wanted

  double ettr() const { return time[CampaignPart::Useful] / wall; }
};

/// What many trials say about one number.
struct CampaignStatistic {
  double mean = 0;
  double stderr_of_mean = 0;  // 0 for a single trial
  double stddev = 0;
  double min = 0, p5 = 0, p25 = 0, p50 = 0, p75 = 0, p95 = 0, max = 0;
};

/// All trials of one scenario; sums in the order of trials, whatever the number of threads.
struct Campaign {
  int trials = 0;
  int finished = 0;
  int gave_up = 0;
  CampaignStatistic wall;  // seconds
  /// Quantiles are of the trials' own; the mean is useful time over all time, of all trials
  /// together, and its error that of a ratio (deviations of useful - mean x wall).
  CampaignStatistic ettr;
  CampaignStatistic failures;            // all that stopped the job
  CampaignTime time;                     // mean
  CampaignTime gpu_time;                 // mean
  double steps = 0;                      // mean
  IdVector<TierId, double> checkpoints;  // mean
  IdVector<CauseId, CampaignStatistic> faults_by_cause;
  IdVector<CauseId, double> stops_by_cause;       // mean
  double unnoticed = 0;                           // mean
  double begun_anew = 0;                          // mean
  double left_out = 0;                            // mean
  IdVector<CauseId, CampaignTime> lost_by_cause;  // mean
  IdVector<TierId, CheckpointTier> tiers;         // with the intervals that were used
  std::vector<Seconds> useful_by_trial;           // with wall_by_trial, to compare trial by trial
  std::vector<Seconds> wall_by_trial;
};

/// What is wrong with the request: path of the key in FaultsSpec ("tiers[0].blocking") and why.
struct FaultsProblem {
  std::string field;
  std::string message;
};
std::vector<FaultsProblem> faults_problems(const CampaignJob& job, const FaultsSpec& faults);

/// The request with every `auto` interval replaced by Interval::Time, or Never where nothing falls
/// back to the tier.
FaultsSpec with_intervals(const CampaignJob& job, FaultsSpec faults, int threads = 0);
/// The same by formula alone, which plays nothing.
FaultsSpec with_formulas(const CampaignJob& job, FaultsSpec faults);

/// The interval of a tier in useful work, in whole steps where the semantics want them; kNever for
/// none. Not for `auto`.
Seconds interval_of(const CheckpointTier& tier, Seconds step, bool whole_steps);

/// Trial number `trial`, from 0; depends on nothing but its arguments.
CampaignTrial run_trial(const CampaignJob& job, const FaultsSpec& faults, int trial,
                        bool keep_events = false, double most_happenings = kUnlimited);

/// About how many happenings one run has; looks at the first of them in the first run.
double expected_happenings(const CampaignJob& job, const FaultsSpec& faults);

/// All trials, or the first kFirstTrials, twice as many, ... until `enough` says so of them;
/// `threads` 0 uses every core. The result does not depend on it.
inline constexpr int kFirstTrials = 200;
using EnoughTrials = std::function<bool(const Campaign&)>;
Campaign run_campaign(const CampaignJob& job, const FaultsSpec& faults, int threads = 0,
                      const EnoughTrials& enough = {});

/// The campaign with another interval of one tier.
struct IntervalPoint {
  Seconds interval;  // that was used: whole steps where the semantics want them
  Campaign campaign;
};
/// Points for the intervals of a tier, all else equal and on the same random numbers.
std::vector<IntervalPoint> interval_curve(const CampaignJob& job, const FaultsSpec& faults,
                                          TierId tier, const std::vector<Seconds>& intervals,
                                          int threads = 0);
/// Points from a quarter to four times `centre`, each the square root of two from the next, and
/// further as long as the best is at an end; equal ones once, from short to long.
std::vector<IntervalPoint> curve_around(const CampaignJob& job, const FaultsSpec& faults,
                                        TierId tier, Seconds centre, int threads = 0);
/// The point of the best ETTR, the first of several.
const IntervalPoint& best_of(const std::vector<IntervalPoint>& curve);

}  // namespace danlu
