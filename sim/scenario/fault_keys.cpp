// The rows of the faults section of a scenario, which a faults file has at its root.
#include "sim/campaign/faults_plan.hpp"
#include "sim/scenario/key_rows.hpp"
#include "sim/scenario/load_faults.hpp"

namespace danlu {
namespace {

using namespace rows;

constexpr double kLongestJob = 8.64e9;    // seconds: 100,000 days
constexpr double kLongestMtbf = 8.64e12;  // of one part among many

KeyRow time(std::string path, Into into, std::string fallback, std::string help) {
  return quantity(std::move(path), std::move(into), Dimension::Duration, 0, kLongestJob,
                  std::move(fallback), std::move(help));
}
KeyRow share(std::string path, Into into, std::string fallback, std::string help) {
  return number(std::move(path), std::move(into), 0, 1, std::move(fallback), std::move(help));
}

/// A duration that may be random; `path: 5 min` alone is a constant.
std::vector<KeyRow> random(const std::string& path, const std::string& fallback,
                           const std::string& help) {
  using Kind = Duration::Kind;
  return joined({
      time(path + ".mean", &Duration::mean, fallback, help),
      choice(path + ".distribution", &Duration::kind,
             words_of({Kind::Constant, Kind::Exponential, Kind::LogNormal, Kind::Weibull}), "",
             "How it varies about its mean; constant if left out"),
      number(path + ".shape", &Duration::shape, 0.05, 20, "",
             "Weibull: k; log-normal: the standard deviation of the logarithm"),
      KeyRow{.path = path + ".samples",
             .type = KeyType::Durations,
             .dimension = Dimension::Duration,
             .minimum = 0,
             .maximum = kLongestJob,
             .text = "Observed values instead, each as likely as the others"},
  });
}

std::vector<KeyRow> detection(const std::string& path, const std::string& fallback,
                              const std::string& help) {
  return joined({
      random(path, fallback, help),
      choice(path + ".by", &Detection::kind, "",
             "delay: after `mean`; heartbeat: when a node has not been heard of for `timeout`, one "
             "beat every `period`; watchdog: at the first look, one every `period`, that finds a "
             "collective hanging for `timeout`"),
      time(path + ".period", &Detection::period, "", "Of heartbeat and watchdog"),
      time(path + ".timeout", &Detection::timeout, "", "Of heartbeat and watchdog"),
  });
}

std::vector<KeyRow> cause_keys() {
  using Kind = Arrivals::Kind;
  return joined({
      number("observed.gpus", kByHand, 1, 1e7, "", "GPUs that `observed` counts belong to"),
      count("observed.gpus_per_node", kByHand, 1, 16384, "8", "GPUs of one of its nodes"),
      time("observed.time", kByHand, "", "The time in which they were counted"),
      choice("causes.*.component", kByHand, choices_of(words_of<Component>()), "node",
             "What fails: each of them has a clock of its own, so that a larger cluster fails more "
             "often; `job` fails as often whatever its size"),
      number("causes.*.count", &FaultCause::count, 0, kMost, "",
             "How many there are; as the cluster has if left out"),
      count("causes.*.nodes", &FaultCause::nodes, 0, 1e5, "",
            "Nodes that one failure takes out together; if left out 1, a rack 4, a leaf all that "
            "hang on it, a job 0"),
      number("causes.*.observed", kByHand, 0, 1e9, "",
             "Failures that were counted on the cluster and in the time of `observed`"),
      quantity("causes.*.mtbf", kByHand, Dimension::Duration, 1, kLongestMtbf, "",
               "Mean time between failures of one component"),
      number("causes.*.per_1000_node_days", kByHand, 0, 1e6, "",
             "Failures in 1,000 days of a node, whatever the component"),
      choice("causes.*.arrivals", &Arrivals::kind,
             words_of({Kind::Exponential, Kind::Weibull, Kind::Periodic}), "exponential",
             "How failures follow one another; periodic: every `mtbf`, the whole job together"),
      number("causes.*.shape", &Arrivals::shape, 0.05, 20, "1",
             "Weibull's k: below 1 young parts fail more often"),
      choice("causes.*.clock", &Arrivals::clock, "job",
             "Weibull: the whole job has one clock, fresh at every restart, or each component has "
             "its own, fresh when it failed"),
      choice("causes.*.effect", &FaultCause::effect, "stop",
             "The job stops; goes on with wrong numbers; goes on slowly; or is stopped after a "
             "save, for maintenance"),
      random("causes.*.duration", "",
             "How long corruption stays unnoticed, a slow part slow, a link down, maintenance"),
      number("causes.*.slowdown", kByHand, 1, 1000, "",
             "Degrade: steps take that many times as long. Without this and the next three the job "
             "stands still, as when a link is down"),
      number(
          "causes.*.slow_gpu", &SlowState::slow_gpu, 1, 1000, "",
          "Degrade: the step is simulated with the GPU that is named or drawn that many times as "
          "slow"),
      number(
          "causes.*.slow_nic", &SlowState::slow_nic, 0.001, 1, "",
          "Degrade: the step is simulated with that share left of the NIC that is named or drawn"),
      number("causes.*.slow_scale_up", &SlowState::slow_scale_up, 0.001, 1, "",
             "Degrade: the same for the scale-up links of a GPU"),
      time("causes.*.timeout", &FaultCause::limit, "",
           "Degrade: after that long the job dies after all (NCCL's time-out)"),
      share("causes.*.permanent", &FaultCause::permanent, "0",
            "Chance that the nodes need repair; otherwise they restart as they are"),
      detection("causes.*.detection", "", "From the failure until the job is stopped"),
      detection("detection", "0 s", "The same for causes that do not say"),
  });
}

std::vector<KeyRow> event_keys() {
  return joined({
      time("events.#.time", &FaultEvent::at, "required", "When, from the start of the run"),
      text("events.#.cause", kByHand, "required", "One of the causes"),
      count("events.#.component", &FaultEvent::component, 0, 1e9, "0",
            "Which of its components, from 0"),
      time("events.#.duration", &FaultEvent::window, "", "Instead of that of the cause"),
      text("trace", kByHand, "",
           "A CSV file of failures with columns time and cause, and if they are known component "
           "and duration; times have units"),
      flag("random", kByHand, "true",
           "Draw failures at random too; false: only those of events and trace"),
  });
}

/// A word, so many steps, or a time.
void set_interval(CheckpointTier& tier, const Value& value) {
  using Interval = CheckpointTier::Interval;
  const std::optional<Interval> word = value_named<Interval>(value.text);
  tier.interval = word ? *word : value.in_steps ? Interval::Steps : Interval::Time;
  (value.in_steps ? tier.steps : tier.time.value) = value.number;
}

KeyRow interval(std::string path, std::string fallback, std::string help) {
  using Interval = CheckpointTier::Interval;
  KeyRow row =
      quantity(std::move(path), Member<CheckpointTier>{.set = set_interval}, Dimension::Duration,
               0.001, kLongestJob, std::move(fallback), std::move(help));
  row.type = KeyType::Interval;
  row.choices = choices_of(words_of({Interval::Auto, Interval::AutoSimulated, Interval::Never}));
  return row;
}

std::vector<KeyRow> checkpoint_keys() {
  return joined({
      interval(
          "checkpoint.interval", "auto",
          "Training between two checkpoints; auto: the best by formula, auto-simulated: by trying"),
      choice("checkpoint.mode", kByHand, "sync|async", "sync",
             "Training stands still for the write, or only for `blocking`"),
      number(
          "checkpoint.bytes_per_parameter", kByHand, 0.1, 100, "",
          "Of all of the model's; weights and the optimizer's state in their widths if left out: "
          "2 + 12 with Adam in mixed precision; with LoRA the adapters' alone"),
      time("checkpoint.write", kByHand, "",
           "How long a write takes; bytes / what cluster.storage lets through if left out"),
      time("checkpoint.blocking", &CheckpointTier::blocking, "",
           "How long training stands still for it; the whole write, or with async the copy over "
           "PCIe to the hosts' memory, if left out"),
      count("checkpoint.keep", &CheckpointTier::keep, 0, kMost, "0",
            "Usable checkpoints that are kept, for corruption found late; 0: all"),
      count("checkpoint.in_flight", &CheckpointTier::in_flight, 1, 100, "1",
            "Async: writes at once; training waits to start one more"),
      number("checkpoint.slowdown", &CheckpointTier::slowdown, 1, 100, "",
             "Async: steps take that many times as long during a write; simulated with the NICs' "
             "rest if left out and the storage shares them, else 1"),
      random("checkpoint.load", "",
             "Reading it at a restart; bytes / what the storage gives if left out"),
      interval("checkpoint.memory.interval", "never",
               "The same for copies in the memory of other nodes"),
      time("checkpoint.memory.blocking", &CheckpointTier::blocking, "0 s",
           "Training stands still for a copy"),
      time("checkpoint.memory.persist", &CheckpointTier::persist, "0 s",
           "Until the copy can be used"),
      number("checkpoint.memory.slowdown", &CheckpointTier::slowdown, 1, 100, "1",
             "Steps meanwhile take that much longer"),
      random("checkpoint.memory.load", "0 s", "Restoring it at a restart"),
      count("checkpoint.memory.keep", &CheckpointTier::keep, 0, 1e6, "1",
            "Usable generations that are kept in memory; 0: all"),
      count("checkpoint.memory.copies", kByHand, 1, 100, "2",
            "Nodes that hold each part: one less may be lost at once"),
      share("checkpoint.memory.survives_more", &CheckpointTier::survives_more, "0",
            "Share of larger losses that it survives all the same"),
  });
}

std::vector<KeyRow> recovery_keys() {
  return joined({
      random("restart.diagnose", "0 s", "Finding out what failed"),
      random("restart.reschedule", "0 s", "Until the scheduler has started the job again"),
      random("restart.processes", "0 s", "Starting processes, reading the code and data"),
      random("restart.communicators", "0 s", "Setting up communication"),
      time("restart.per_rank", kByHand, "0 s", "The same for each rank of the job, added"),
      random("restart.warm_up", "0 s", "Until steps have their usual length"),
      random("restart.replace", "0 s", "Only when nodes were replaced"),
      count("spares.hot", &SparesSpec::hot, 0, 1e6, "0", "Nodes that stand by, ready"),
      count("spares.cold", &SparesSpec::cold, 0, 1e6, "0", "Nodes that must be started first"),
      count("spares.beside", kByHand, 1, 1e6, "",
            "Nodes of the job that has so many hot ones; others have the fewest that let them wait "
            "no more of the time. So many whatever the job if left out"),
      random("spares.cold_start", "0 s", "How long that takes"),
      random("spares.repair", "24 h", "Until a broken node is a spare again"),
      choice("recovery.kind", &RecoverySpec::kind, "restart",
             "When nodes are lost: the whole job restarts at full size; it restarts with fewer "
             "replicas if nodes are short; only the broken replica restarts"),
      count("recovery.min_replicas", &RecoverySpec::min_replicas, 1, kMost, "",
            "With fewer the job waits; half of them if left out"),
  });
}

std::vector<KeyRow> semantics_keys() {
  return {
      flag("semantics.fail_in_checkpoint", &CampaignSemantics::fail_in_checkpoint, "true",
           "Failures strike while the job writes"),
      flag("semantics.fail_in_detection", &CampaignSemantics::fail_in_detection, "false",
           "And between a failure and its detection"),
      flag("semantics.fail_in_restart", &CampaignSemantics::fail_in_restart, "true",
           "And during a restart, which then starts again"),
      flag("semantics.half_written_usable", &CampaignSemantics::half_written_usable, "false",
           "A checkpoint counts from the start of its write"),
      flag("semantics.last_checkpoint", &CampaignSemantics::last_checkpoint, "true",
           "The run ends with a checkpoint"),
      flag("semantics.whole_steps", &CampaignSemantics::whole_steps, "true",
           "Intervals are rounded to steps, and a step that was cut short is lost"),
  };
}

}  // namespace

std::vector<KeyRow> faults_section_keys() {
  const auto set_days = [](FaultsPlan& plan, const Value& value) {
    plan.horizon = Seconds{value.number * kDay};
  };
  return joined({
      text("preset", kByHand, "",
           "Faults of danlu list faults, or a path to such a file; `faults: NAME` says the same. "
           "Other keys override it"),
      number("days", Member<FaultsPlan>{.set = set_days}, 0.0001, 1e5, "",
             "Play that many days of wall time; the tokens of training.tokens if left out"),
      quantity("step", &FaultsPlan::step, Dimension::Duration, 1e-6, 1e6, "",
               "How long a healthy step was measured to take; as simulated if left out. Slowdowns "
               "stay the simulated ones"),
      count("trials", &FaultsSpec::trials, 1, 100000, "50", "Runs with other random numbers"),
      number("seed", &FaultsSpec::seed, 0, 1e15, "1", "Of the random numbers"),
      flag("what_if", &FaultsPlan::what_if, "true",
           "Also play what would help, on the same random numbers"),
      cause_keys(),
      event_keys(),
      checkpoint_keys(),
      recovery_keys(),
      semantics_keys(),
  });
}

}  // namespace danlu
