// Settings of a faults section that nothing uses, where that takes more than one other key to see:
// KeyUse (unused_keys.hpp) is for the rest.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/load_faults.hpp"
#include "sim/scenario/unused_keys.hpp"

namespace danlu {
namespace {

using Effect = FaultCause::Effect;

/// Settings that nothing reads in this scenario. One class: a list of independent small rules over
/// the same section.
class IdleFinder {
 public:
  IdleFinder(const FaultsSection& section, const FaultsPlan& plan)
      : section_(section), plan_(plan) {}

  void find() {
    for (const CauseId id : plan_.spec.causes.ids()) {
      const FaultCause& cause = plan_.spec.causes[id];
      look_at_nodes(cause);
      look_at_timeout(id, cause);
      look_at_count(cause);
    }
    look_at_rates();
    look_at_clocks();
    look_at_counted();
    look_at_detection();
    look_at_kept();
    look_at_repairs();
    look_at_replicas();
  }

 private:
  static std::string path_of(const FaultCause& cause, std::string_view key) {
    return fmt::format("causes.{}.{}", cause.name, key);
  }
  /// Whether the scenario says something there, and more than nothing.
  bool sets(const std::string& path) const {
    const bool varies = path.ends_with(".distribution") && section_.own.has(path) &&
                        section_.own.at(path).text != name_of(Duration::Kind::Constant);
    return varies || (section_.own.has(path) && section_.own.at(path).number != 0);
  }
  void say(const std::string& path, const std::string& decided_by, std::string_view reason,
           std::string hint) {
    say_unused(section_.own, path, decided_by, "faults.", reason, std::move(hint),
               {section_.problems, section_.notes});
  }
  void note(std::string text) { section_.notes.push_back(std::move(text)); }

  /// Nodes leave the job only with a stop that is no planned one.
  void look_at_nodes(const FaultCause& cause) {
    const std::string nodes = path_of(cause, "nodes");
    const std::string permanent = path_of(cause, "permanent");
    const std::string timeout = path_of(cause, "timeout");
    const bool never_stops = cause.effect == Effect::Degrade && cause.limit == kNever;
    if (cause.effect == Effect::Planned && sets(nodes)) {
      say(nodes, path_of(cause, "effect"), "a planned stop is one of the whole job",
          "leave it out");
    }
    if (never_stops) {
      const std::string reason = fmt::format(
          "without 'faults.{}' a slow part never stops the job, so no node leaves it", timeout);
      const bool whole = plan_.spec.recovery.kind == RecoverySpec::Kind::Restart;
      for (const std::string& path : {permanent, nodes}) {
        if (sets(path) && (path == permanent || whole)) {
          say(path, timeout, reason, "leave it out, or give timeout");
        }
      }
      return;
    }
    if (cause.effect != Effect::Planned && cause.nodes == 0 && sets(permanent)) {
      say(permanent, nodes, fmt::format("'faults.{}' is 0: a failure takes out no node", nodes),
          "leave it out, or set nodes: 1");
    }
  }

  void look_at_timeout(CauseId id, const FaultCause& cause) {
    Seconds longest = cause.window.mean;
    for (const FaultEvent& event : plan_.spec.events) {
      if (event.cause == id && event.window < kNever) {
        longest = std::max(longest, event.window);
      }
    }
    const std::string timeout = path_of(cause, "timeout");
    if (section_.own.has(timeout) && cause.window.kind == Duration::Kind::Constant &&
        longest <= cause.limit) {
      note(fmt::format("'faults.{}' has no effect: a window of {} is never longer", timeout,
                       to_text(longest)));
    }
  }

  /// There cannot be more of a part than the cluster has.
  void look_at_count(const FaultCause& cause) {
    const std::string path = path_of(cause, "count");
    if (!section_.own.has(path) || cause.component == name_of(Component::Job)) {
      return;
    }
    const auto component =
        *std::find_if(kNames<Component>.begin(), kNames<Component>.end(),
                      [&](const ComponentRow& row) { return row.shown == cause.component; });
    const double there =
        layout_of(component.value, section_.context.cluster, section_.nodes, cause.nodes).count;
    if (cause.count > there) {
      section_.problems.push_back(section_.own.problem(
          path,
          fmt::format("'faults.{}' is {:.0f}: the cluster has {:.0f} {}", path, cause.count, there,
                      there == 1 ? component.shown : component.several),
          "parts of another kind are component: job, with nodes: 1 if a failure takes out a node"));
    }
  }

  /// Rates stand beside `random: false` for another day, and are no mistake.
  void look_at_rates() {
    std::vector<std::string> causes;
    for (const FaultCause& cause : plan_.spec.causes) {
      if (std::any_of(kRateKeys.begin(), kRateKeys.end(), [&](std::string_view key) {
            return section_.own.has(path_of(cause, key));
          })) {
        causes.push_back(fmt::format("'{}'", cause.name));
      }
    }
    if (!Getter(section_.values, faults_keys()).flag("random") && !causes.empty()) {
      note(fmt::format("the rates of {} have no effect: 'faults.random' is false",
                       fmt::join(causes, ", ")));
    }
  }

  /// A clock for each component is a draw for each, in every run.
  void look_at_clocks() {
    constexpr double kMostDraws = 2e7;
    double draws = 0;
    const FaultCause* most = nullptr;
    for (const FaultCause& cause : plan_.spec.causes) {
      if (cause.arrivals.kind == Arrivals::Kind::Weibull &&
          cause.arrivals.clock == Arrivals::Clock::Component) {
        draws += cause.count * plan_.spec.trials;
        most = most == nullptr || cause.count > most->count ? &cause : most;
      }
    }
    if (draws > kMostDraws) {
      section_.problems.push_back(section_.values.problem(
          path_of(*most, "clock"),
          fmt::format("clocks of {:.3g} components in {} runs: danlu plays {:.0e} of them in all",
                      most->count, plan_.spec.trials, kMostDraws),
          "fewer faults.trials, or clock: job"));
    }
  }

  void look_at_counted() {
    const auto is_counted = [&](const FaultCause& cause) {
      return section_.has(path_of(cause, "observed"));
    };
    const IdVector<CauseId, FaultCause>& causes = plan_.spec.causes;
    if (!section_.own.has_below("observed.") ||
        std::any_of(causes.begin(), causes.end(), is_counted)) {
      return;
    }
    for (const char* key : {"observed.gpus", "observed.time", "observed.gpus_per_node"}) {
      if (section_.own.has(key)) {
        std::string decided_by = key;
        for (const FaultCause& cause : causes) {  // a rate that was put in the place of a count
          for (const char* rate : {"mtbf", "per_1000_node_days"}) {
            const std::string path = path_of(cause, rate);
            decided_by =
                section_.own.layer_of(path) > section_.own.layer_of(key) ? path : decided_by;
          }
        }
        return say(key, decided_by, "no cause has a count ('observed') that it could belong to",
                   "leave it out, or give a cause its count: observed: 5");
      }
    }
  }

  /// The preset may know better for one of its causes.
  void look_at_detection() {
    std::vector<std::string> others;
    for (const FaultCause& cause : plan_.spec.causes) {
      const std::string section = path_of(cause, "detection.");
      if (section_.values.has_below(section) && !section_.own.has_below(section)) {
        others.push_back(fmt::format("'{}'", cause.name));
      }
    }
    if (section_.own.has_below("detection.") && !others.empty()) {
      note(fmt::format("'faults.detection' does not hold for {}, for which {} has its own",
                       fmt::join(others, ", "), section_.own.at("preset").text));
    }
  }

  void look_at_kept() {
    const IdVector<CauseId, FaultCause>& causes = plan_.spec.causes;
    const bool corrupts = std::any_of(causes.begin(), causes.end(), [](const FaultCause& cause) {
      return cause.effect == Effect::Corrupt;
    });
    for (const char* key : {"checkpoint.keep", "checkpoint.memory.keep"}) {
      if (section_.own.has(key) && !corrupts) {
        note(
            fmt::format("'faults.{}' has no effect: no cause corrupts numbers, so that the newest "
                        "checkpoint is always good",
                        key));
      }
    }
  }

  void look_at_repairs() {
    const IdVector<CauseId, FaultCause>& causes = plan_.spec.causes;
    const bool breaks = std::any_of(causes.begin(), causes.end(), [](const FaultCause& cause) {
      return cause.permanent > 0 && cause.nodes > 0;
    });
    std::vector<std::string> keys;
    for (const std::string& path : section_.own.paths()) {
      if ((path.starts_with("spares.") || path.starts_with("restart.replace.")) && sets(path)) {
        keys.push_back(fmt::format("'faults.{}'", path));
      }
    }
    if (!breaks && !keys.empty()) {
      note(
          fmt::format("{} {} nothing but spares that stand by: no failure breaks a node for good "
                      "('permanent')",
                      fmt::join(keys, ", "), keys.size() == 1 ? "brings" : "bring"));
    }
  }

  void look_at_replicas() {
    if (section_.own.has("recovery.kind") &&
        section_.own.at("recovery.kind").text != name_of(RecoverySpec::Kind::Restart) &&
        section_.context.workload.parallelism.data == 1) {
      note(
          "'faults.recovery.kind' has no effect: with one replica the whole job restarts, whatever "
          "it is");
    }
  }

  const FaultsSection& section_;
  const FaultsPlan& plan_;
};

}  // namespace

void find_idle_settings(const FaultsSection& section, const FaultsPlan& plan) {
  IdleFinder(section, plan).find();
}

}  // namespace danlu
