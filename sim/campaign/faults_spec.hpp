// What the user asks of a campaign: what fails and how often, how that is noticed, what is saved,
// what a restart takes, which nodes stand by. Plain values; whoever fills them checks them with
// faults_problems (campaign.hpp).
//
//   train --- save -- train -- X ....... detection | waiting | restart | train (again) ...
//             blocking         failure   of the    for a     parts,      from the newest save
//                                        cause     spare     load        that the cause spared
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

namespace danlu {

/// A duration that may be random. `mean` is the mean of all kinds but Empirical.
struct Duration {
  enum class Kind { Constant, Exponential, LogNormal, Weibull, Empirical };
  Kind kind = Kind::Constant;
  Seconds mean;
  double shape = 1;              // Weibull's k; log-normal: the standard deviation of the logarithm
  std::vector<Seconds> samples;  // Empirical: each as likely as the others
};
template <>
inline constexpr auto kNames<Duration::Kind> =
    std::to_array<Named<Duration::Kind>>({{Duration::Kind::Constant, "constant"},
                                          {Duration::Kind::Exponential, "exponential"},
                                          {Duration::Kind::LogNormal, "log-normal"},
                                          {Duration::Kind::Weibull, "weibull"},
                                          {Duration::Kind::Empirical, "empirical"}});

/// How long a failure goes unnoticed.
struct Detection {
  /// Heartbeat: a beat every `period` (counted from the start of the run), and a node is given up
  /// when none has come for `timeout`. A health check every p is period = timeout = p.
  /// Watchdog: the collective that hangs is given up at the first check, one every `period`, that
  /// comes `timeout` after the failure.
  enum class Kind { Delay, Heartbeat, Watchdog };
  Kind kind = Kind::Delay;
  Duration delay;   // Delay
  Seconds period;   // Heartbeat, Watchdog (0: looks all the time)
  Seconds timeout;  // Heartbeat, Watchdog
};
template <>
inline constexpr auto kNames<Detection::Kind> =
    std::to_array<Named<Detection::Kind>>({{Detection::Kind::Delay, "delay"},
                                           {Detection::Kind::Heartbeat, "heartbeat"},
                                           {Detection::Kind::Watchdog, "watchdog"}});

/// When the faults of one cause come.
struct Arrivals {
  /// None: only those that FaultsSpec::events lists. Periodic: every `mean`, the first after one.
  enum class Kind { None, Exponential, Weibull, Periodic };
  /// Weibull's clock. Job: one clock, fresh whenever the job starts again. Component: each
  /// component has its own, all fresh at the start, and fresh again for what failed.
  enum class Clock { Job, Component };
  Kind kind = Kind::None;
  Seconds mean;      // between faults of ONE component (Clock::Job: and Periodic: of the job)
  double shape = 1;  // Weibull's k
  Clock clock = Clock::Job;
};
template <>
inline constexpr auto kNames<Arrivals::Kind> =
    std::to_array<Named<Arrivals::Kind>>({{Arrivals::Kind::None, "none"},
                                          {Arrivals::Kind::Exponential, "exponential"},
                                          {Arrivals::Kind::Weibull, "weibull"},
                                          {Arrivals::Kind::Periodic, "periodic"}});
template <>
inline constexpr auto kNames<Arrivals::Clock> = std::to_array<Named<Arrivals::Clock>>(
    {{Arrivals::Clock::Job, "job"}, {Arrivals::Clock::Component, "component"}});

/// One cause of trouble, its components and what it does to the job.
struct FaultCause {
  /// Stop: the job dies; noticed after `detection`.
  /// Corrupt: the job goes on with wrong numbers for `window`; what was saved since is worthless.
  /// Degrade: steps take `slowdown` times as long for `window` (infinite: the job stands still, as
  ///   when a link flaps); a window longer than `limit` (the collective time-out) becomes a Stop
  ///   at its limit, already noticed.
  /// Planned: announced, so that the job saves first; lasts `window`, then restarts.
  enum class Effect { Stop, Corrupt, Degrade, Planned };
  std::string name;       // "GPU HBM3 memory"; also names its random streams
  std::string component;  // "GPU", "NIC", "host", "leaf", "software": for reports
  double count = 1;       // components of the kind in the whole job
  Arrivals arrivals;
  Effect effect = Effect::Stop;
  Duration window;
  double slowdown = std::numeric_limits<double>::infinity();
  /// Where it matters which part (GPU or NIC) is slow: the same by part, `slowdown` the mean.
  /// Of n components the i-th has the parts from i/n to (i+1)/n of all.
  std::vector<double> slowdown_of;
  Seconds limit = kNever;
  /// Nodes that one failure takes out of the job at once: 0 for the job as a whole (software, the
  /// network), 1 for a GPU or host, more for a leaf or rack. Nodes that are not in the job cannot
  /// fail.
  int nodes = 0;
  /// Where they start: `beside` components at node 0 (the GPUs of a node, the leaves below which
  /// the same nodes hang), as many at node `apart`, and so on; with 0 component i of n starts at
  /// node floor(i x nodes of the job / n).
  int beside = 0;
  int apart = 1;
  double permanent = 0;  // chance that the nodes need repair; else they restart as they are
  Detection detection;
};
template <>
inline constexpr auto kNames<FaultCause::Effect> =
    std::to_array<Named<FaultCause::Effect>>({{FaultCause::Effect::Stop, "stop"},
                                              {FaultCause::Effect::Corrupt, "corrupt"},
                                              {FaultCause::Effect::Degrade, "degrade"},
                                              {FaultCause::Effect::Planned, "planned"}});

/// One fault at a given time (events mode, traces).
struct FaultEvent {
  Seconds at;
  CauseId cause{};
  int component = 0;        // 0 to count - 1
  Seconds window = kNever;  // kNever: as the cause says
};

/// Where checkpoints go, and how often.
struct CheckpointTier {
  /// Steps and Time: after so many steps or so much useful training. Auto: the exact optimum for
  /// the failures that fall back to this tier (closed_forms.hpp), or the best by simulation.
  enum class Interval { Never, Steps, Time, Auto, AutoSimulated };
  std::string name;  // "storage", "peer memory"
  Interval interval = Interval::Never;
  double steps = 0;     // Interval::Steps
  Seconds time;         // Interval::Time; also what `auto` came to, in the result
  Seconds blocking;     // training stands still
  Seconds persist;      // from then until the checkpoint can be used; 0: synchronous
  int keep = 0;         // usable checkpoints that are kept, the newest; 0: all
  int in_flight = 1;    // saves that may persist at once; training waits to start one more
  double slowdown = 1;  // of steps while a save persists
  Duration load;        // part of a restart from this tier
  /// Failures that take out at most so many nodes leave the tier's checkpoints whole (copies in
  /// peers' memory less one; storage: all). Of larger ones it survives this share.
  int survives_nodes = std::numeric_limits<int>::max();
  double survives_more = 0;
};
template <>
inline constexpr auto kNames<CheckpointTier::Interval> =
    std::to_array<Named<CheckpointTier::Interval>>({{CheckpointTier::Interval::Auto, "auto"},
                                                    {CheckpointTier::Interval::AutoSimulated,
                                                     "auto-simulated"},
                                                    {CheckpointTier::Interval::Never, "never"},
                                                    {CheckpointTier::Interval::Steps, "steps"},
                                                    {CheckpointTier::Interval::Time, "time"}});

/// One named part of a restart; they follow one another.
struct RestartPart {
  std::string name;  // "reschedule", "communicator set-up", "warm-up"
  Duration duration;
  Seconds per_rank;               // added for every rank of the job
  bool only_replacement = false;  // only when nodes were replaced
};

/// Nodes that stand by, and how broken ones come back. Repairs run at the same time.
struct SparesSpec {
  int hot = 0;
  int cold = 0;
  Duration cold_start;  // part of a restart that takes a cold spare
  Duration repair;      // after it a node is a spare again
};

/// What happens to the job when nodes are lost.
struct RecoverySpec {
  /// Restart: the whole job, at full size, waiting for nodes if need be.
  /// Elastic: the whole job, with fewer replicas when nodes are short (what is left of broken
  ///   ones forms whole ones); grows after the next checkpoint when nodes are back, with another
  ///   restart.
  /// Replica: when nodes are lost, the other replicas redo at most the step at hand and go on; the
  ///   broken one joins again after its restart. Below `min_replicas` the job waits; with none left
  ///   it rolls back.
  enum class Kind { Restart, Elastic, Replica };
  Kind kind = Kind::Restart;
  int min_replicas = 1;
};
template <>
inline constexpr auto kNames<RecoverySpec::Kind> =
    std::to_array<Named<RecoverySpec::Kind>>({{RecoverySpec::Kind::Restart, "restart"},
                                              {RecoverySpec::Kind::Elastic, "elastic"},
                                              {RecoverySpec::Kind::Replica, "replica"}});

/// What is otherwise a matter of taste; each choice is a different closed form.
struct CampaignSemantics {
  bool fail_in_checkpoint = true;
  bool fail_in_detection = false;
  bool fail_in_restart = true;  // model A; false: model B
  bool half_written_usable = false;
  bool last_checkpoint = true;  // one more save after the last step
  bool whole_steps = true;      // intervals are rounded to steps; a stalled step is redone
};

/// The `faults:` section.
struct FaultsSpec {
  IdVector<CauseId, FaultCause> causes;
  std::vector<FaultEvent> events;
  IdVector<TierId, CheckpointTier> tiers;  // from fast to durable
  IdVector<RestartPartId, RestartPart> restart;
  SparesSpec spares;
  RecoverySpec recovery;
  CampaignSemantics semantics;
  int trials = 1;
  std::uint64_t seed = 1;
};

}  // namespace danlu
