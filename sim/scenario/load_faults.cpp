#include "sim/scenario/load_faults.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "sim/base/text.hpp"
#include "sim/campaign/campaign.hpp"
#include "sim/campaign/closed_forms.hpp"
#include "sim/campaign/faults.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/load_cluster.hpp"
#include "sim/scenario/unused_keys.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// The keys that say what a cause slows down.
constexpr std::array<std::string_view, 4> kSlowness{"slowdown", "slow_gpu", "slow_nic",
                                                    "slow_scale_up"};

/// Of keys that say the same thing, those count that were written last; what a file, a preset or an
/// earlier --set says with the others gives way. Of two in one place the reader complains.
template <typename Keys>
void keep_latest(Values& values, const std::string& section, const Keys& keys) {
  int latest = 0;
  for (const std::string_view key : keys) {
    latest = std::max(latest, values.layer_of(section + std::string(key)));
  }
  for (const std::string_view key : keys) {
    const std::string path = section + std::string(key);
    if (values.layer_of(path) < latest) {
      values.erase_tree(path);
    }
  }
}

void keep_latest(Values& values) {
  for (const std::string& cause : values.names("causes")) {
    const std::string section = fmt::format("causes.{}.", cause);
    keep_latest(values, section, kRateKeys);
    keep_latest(values, section, kSlowness);
  }
  constexpr std::array<std::string_view, 2> kTimes{"mean", "samples"};
  constexpr std::string_view kMean = ".mean";
  for (const std::string& path : values.paths()) {
    if (path.ends_with(kMean)) {
      keep_latest(values, path.substr(0, path.size() - kMean.size() + 1), kTimes);
    }
  }
}

/// What a checkpoint of another mode blocks and slows down says nothing of one of this.
void drop_other_mode(const Values& own, Values& preset, std::vector<std::string>& notes) {
  const std::string mode = preset.has(kCheckpointMode) ? preset.at(kCheckpointMode).text : "sync";
  if (!own.has(kCheckpointMode) || own.at(kCheckpointMode).text == mode) {
    return;
  }
  for (const char* key : {"checkpoint.blocking", "checkpoint.slowdown", "checkpoint.in_flight"}) {
    if (preset.has(key)) {
      notes.push_back(fmt::format("'faults.{}' of {} gives way: 'faults.{}' is {}", key,
                                  own.at("preset").text, kCheckpointMode,
                                  own.at(kCheckpointMode).text));
      preset.erase_tree(key);
    }
  }
}

/// Whether a value says only what would stand without it: the default of the table. (What repeats
/// the preset is forgotten before.)
bool is_default(std::string_view path, const Value& value) {
  const KeyRow* row = find_key(faults_keys(), path);
  if (row == nullptr || row->fallback.empty()) {
    return false;
  }
  const Values nothing;
  return value.text == row->fallback ||
         (value.number != 0 && value.number == Getter(nothing, faults_keys()).number(path));
}

/// The sources of a faults file that are assumptions and that the scenario's own values leave
/// standing.
std::vector<std::string> assumptions_of(const Values& values, const Values& own) {
  std::vector<std::string> changed = own.paths();
  std::erase_if(changed, [&](const std::string& path) { return is_default(path, own.at(path)); });
  const auto is_changed = [&](const std::string& section) {
    return std::any_of(changed.begin(), changed.end(), [&](const std::string& path) {
      return path == section || path.starts_with(section + ".");
    });
  };
  constexpr std::string_view kMark = "assumption";
  std::vector<std::string> found;
  if (!values.has("sources")) {
    return found;
  }
  for (const std::string_view line : split(values.at("sources").text, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos || line.find(kMark, tab) == std::string_view::npos) {
      continue;
    }
    const std::string path(line.substr(0, tab));
    const bool stands = values.has(path) || values.has_below(path + ".");
    if (stands && !is_changed(path)) {
      found.push_back(fmt::format("{}: {}", path, line.substr(tab + 1)));
    }
  }
  return found;
}

/// The faults section. One class: a method for each part of it, and the relations between parts.
class PlanReader {
 public:
  /// `own` is the section, `values` the same over its preset.
  PlanReader(const Values& own, Values values, const FaultsContext& context,
             std::vector<Problem>& problems, std::vector<std::string>& notes)
      : own_(own),
        values_(std::move(values)),
        get_(values_, faults_keys()),
        context_(context),
        problems_(problems),
        notes_(notes) {
    const int per_node = context.cluster.topology.gpus_per_node;
    nodes_ = (context.cluster.gpus + per_node - 1) / per_node;
  }

  FaultsPlan read() {
    FaultsPlan plan;
    find_unused_keys(own_, values_, faults_keys(), faults_key_uses(), "faults.",
                     {problems_, notes_});
    get_.fill(plan);
    check_budget(plan);
    FaultsSpec& spec = plan.spec;
    get_.fill(spec);
    spec.causes = read_causes(values_, context_.cluster, plan.states, problems_);
    spec.events = read_events(values_, spec.causes, context_.beside, problems_);
    check_durations(values_, spec.causes, spec.events, problems_);
    check_events(plan);
    note_idle_causes(spec);
    const FaultsSection section{own_, values_, context_, nodes_, problems_, notes_};
    read_checkpoints(section, plan);
    read_restart(spec);
    read_recovery(spec);
    get_.fill(spec.semantics, "semantics");
    if (spec.causes.empty() && !own_.is_wrong("causes")) {
      add("causes", "nothing fails: there are no causes",
          "name a preset (danlu list faults) or causes: {NAME: {mtbf: 1000 h}}");
    }
    find_idle_settings(section, plan);
    check_values(spec);
    return plan;
  }

 private:
  bool has(std::string_view path) const { return values_.has(path); }
  Seconds seconds(std::string_view path) const { return {get_.number(path)}; }
  Duration random(const std::string& path) { return read_random(values_, path, problems_); }
  void add(std::string_view path, std::string message, std::string hint = "") {
    problems_.push_back(values_.problem(path, std::move(message), std::move(hint)));
  }

  /// What the campaign itself refuses, shown at its key.
  void check_values(const FaultsSpec& spec) {
    const CampaignJob job{.nodes = nodes_,
                          .gpus_per_node = context_.cluster.topology.gpus_per_node,
                          .replicas = context_.workload.parallelism.data,
                          .step = Seconds{1},
                          .steps = 1};
    std::set<std::string> said;
    for (const FaultsProblem& found : faults_problems(job, spec)) {
      const std::string path = key_of(found.field, spec);
      const std::string message = fmt::format("'faults.{}' {}", path, found.message);
      if (said.insert(message).second) {  // once, even if it is that of all causes
        add(path, message, preset_hint(path));
      }
    }
  }

  /// A preset is of a job of its own size: where what it says does not go with this one.
  std::string preset_hint(const std::string& path) const {
    if (!own_.has("preset") || own_.has(path) || !values_.has(path)) {
      return "";
    }
    return fmt::format("the preset {} says so, of another job: put 'faults.{}' beside it{}",
                       own_.at("preset").text, path,
                       path.ends_with(".nodes") ? fmt::format(", {} at most", nodes_) : "");
  }

  /// The key that a field of the request was read from.
  std::string key_of(std::string path, const FaultsSpec& spec) const {
    const std::size_t bracket = path.find('[');
    if (bracket != std::string::npos) {
      const std::size_t number = std::stoul(path.substr(bracket + 1));
      const std::string rest = path.substr(path.find(']') + 1);
      path = path.starts_with("causes[")
                 ? "causes." + spec.causes[make_id<CauseId>(number)].name + rest
             : path.starts_with("tiers[") ? checkpoint_section(number, spec) + rest
                                          : path;
    }
    constexpr std::array<std::array<std::string_view, 2>, 5> kOtherNames{{
        {".limit", ".timeout"},
        {".window", ".duration"},
        {".detection.delay", ".detection"},
        {".arrivals.mean", ".mtbf"},
        {".arrivals.shape", ".shape"},
    }};
    for (const auto& [field, key] : kOtherNames) {
      if (path.ends_with(field)) {
        path.replace(path.size() - field.size(), field.size(), key);
      }
    }
    const std::size_t detection = path.rfind(".detection");
    if (detection != std::string::npos &&
        !values_.has_below(path.substr(0, detection + 10) + ".")) {
      path.erase(0, detection + 1);  // that of all causes
    }
    return path;
  }

  /// Of the tiers the last is the storage.
  static std::string checkpoint_section(std::size_t tier, const FaultsSpec& spec) {
    return tier + 1 == spec.tiers.size() ? "checkpoint" : "checkpoint.memory";
  }

  void check_budget(const FaultsPlan& plan) {
    if (!plan.horizon && !context_.workload.training.tokens) {
      add("days", "how long the run is stands nowhere",
          "give faults.days, or training.tokens for the whole run");
    }
  }

  /// Events that come too late, and no failures at all.
  void check_events(const FaultsPlan& plan) {
    const std::vector<FaultEvent>& events = plan.spec.events;
    if (!get_.flag("random") && !values_.has_below("events.") && !has("trace")) {
      const std::string message = "nothing fails: 'faults.random' is false and there are no events";
      const bool later = own_.has("random") &&
                         (own_.at("random").position.line == 0 || own_.at("random").layer > 0);
      later ? notes_.push_back(message) : add("random", message, "give events or a trace");
    }
    if (!plan.horizon) {
      return;
    }
    const auto is_late = [&](Seconds at) { return at > *plan.horizon; };
    const double hours = plan.horizon->value / 3600;
    std::ptrdiff_t late = std::count_if(events.begin(), events.end(),
                                        [&](const FaultEvent& event) { return is_late(event.at); });
    for (std::size_t i = 0; values_.has(fmt::format("events.{}.time", i)); ++i) {
      const std::string path = fmt::format("events.{}.time", i);
      const Seconds at{values_.at(path).number};
      late -= is_late(at) ? 1 : 0;
      if (!is_late(at) || !own_.has(path)) {
        continue;
      }
      std::string message = fmt::format(
          "an event at {:.6g} h, after the end of the run at {:.6g} h", at.value / 3600, hours);
      is_set_over(own_, "days", path)
          ? notes_.push_back(std::move(message))
          : add(path, std::move(message), "give more days, or leave it out");
    }
    if (late > 0 && own_.has("trace")) {
      notes_.push_back(
          fmt::format("of 'faults.trace' {} after the end of the run at {:.6g} h",
                      late == 1 ? "1 event comes" : fmt::format("{} events come", late), hours));
    }
  }

  /// Causes of the scenario's own that neither chance nor an event ever brings.
  void note_idle_causes(const FaultsSpec& spec) {
    for (const CauseId id : spec.causes.ids()) {
      const std::string at = fmt::format("causes.{}", spec.causes[id].name);
      const bool has_rate =
          std::any_of(kRateKeys.begin(), kRateKeys.end(),
                      [&](std::string_view key) { return has(fmt::format("{}.{}", at, key)); });
      const bool has_event =
          std::any_of(spec.events.begin(), spec.events.end(),
                      [&](const FaultEvent& event) { return event.cause == id; });
      if (!has_rate && !has_event && own_.has_below(at + ".")) {
        notes_.push_back(fmt::format("'faults.{}' never strikes: it has no rate ({}) and no event",
                                     at, fmt::join(kRateKeys, ", ")));
      }
    }
  }

  void read_restart(FaultsSpec& spec) {
    const auto part = [&](const char* key, const char* name) {
      RestartPart one{.name = name, .duration = random(fmt::format("restart.{}", key))};
      const bool ranks = std::string_view(key) == "communicators";
      one.per_rank = ranks ? seconds("restart.per_rank") : Seconds{};
      one.only_replacement = std::string_view(key) == "replace";
      if (one.duration.mean.value > 0 || one.per_rank.value > 0) {
        spec.restart.push_back(std::move(one));
      }
    };
    part("diagnose", "diagnosis");
    part("replace", "replacement");
    part("reschedule", "rescheduling");
    part("processes", "processes");
    part("communicators", "communicators");
    part("warm_up", "warm-up");
  }

  void read_recovery(FaultsSpec& spec) {
    get_.fill(spec.spares, "spares");
    spec.spares.cold_start = random("spares.cold_start");
    spec.spares.repair = random("spares.repair");
    scale_spares(spec);
    spec.recovery.min_replicas = std::max(1, context_.workload.parallelism.data / 2);
    get_.fill(spec.recovery, "recovery");
  }

  /// Hot spares that are told of a job of so many nodes; what a scenario says alone, over a
  /// preset's pair, is a count by itself.
  void scale_spares(FaultsSpec& spec) {
    constexpr const char* kBeside = "spares.beside";
    if (!has(kBeside) || (own_.has("spares.hot") && !own_.has(kBeside))) {
      return;
    }
    double lost = 0;  // nodes that need repair, a second
    for (const FaultCause& cause : spec.causes) {
      lost += fault_rate(cause) * cause.permanent * cause.nodes;
    }
    const auto beside = static_cast<int>(get_.number(kBeside));
    const Seconds repair = spec.spares.repair.mean;
    if (!(lost > 0) || !(repair > Seconds{}) || spec.spares.hot == 0) {
      return;
    }
    const int told = spec.spares.hot;
    spec.spares.hot = as_many_spares(nodes_, told, beside, Seconds{nodes_ / lost}, repair);
    if (spec.spares.hot != told) {
      notes_.push_back(
          fmt::format("'faults.spares.hot' is {} here, for {} nodes: {} stand beside {}, and a job "
                      "is to wait for repairs as rarely",
                      spec.spares.hot, nodes_, told, beside));
    }
  }

  const Values& own_;
  Values values_;
  Getter get_;
  const FaultsContext& context_;
  std::vector<Problem>& problems_;
  std::vector<std::string>& notes_;
  int nodes_ = 1;
};

}  // namespace

Values add_faults_preset(Values& own, const fs::path& beside, const LoadOptions& options,
                         std::vector<std::string>& notes) {
  keep_latest(own);
  if (!own.has("preset")) {
    return own;
  }
  Values values = read_preset(find_file(own.at("preset").text, "faults", own.problem("preset", ""),
                                        beside, options.topologies / "faults"),
                              faults_keys());
  own.forget_repeats(values);
  drop_other_mode(own, values, notes);
  values.overlay(own);
  keep_latest(values);
  return values;
}

FaultsPlan make_faults_plan(const Values& own, Values values, const FaultsContext& context,
                            std::vector<Problem>& problems, std::vector<std::string>& notes) {
  std::vector<std::string> assumptions = assumptions_of(values, own);
  FaultsPlan plan = PlanReader(own, std::move(values), context, problems, notes).read();
  plan.assumptions = std::move(assumptions);
  return plan;
}

FaultsFile load_faults_file(const std::string& name, const LoadOptions& options) {
  const fs::path file =
      find_file(name, "faults", {{name, 0, 0}, "", "", ""}, "", options.topologies / "faults");
  const Values values = read_preset(file, faults_keys());
  constexpr int kNodes = 1000;
  constexpr int kGpus = 8;
  ClusterSpec cluster{.gpus = kNodes * kGpus};
  cluster.topology.gpus_per_node = kGpus;
  cluster.topology.nics_per_node = kGpus;
  std::vector<Problem> problems;
  std::vector<SlowState> states;
  const IdVector<CauseId, FaultCause> causes = read_causes(values, cluster, states, problems);
  check_durations(values, causes, {}, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  FaultsFile found{.title = values.at("name").text,
                   .gpus = Getter(values, faults_keys()).number("observed.gpus"),
                   .causes = static_cast<int>(causes.size())};
  for (const FaultCause& cause : causes) {
    const bool strikes =
        cause.arrivals.kind != Arrivals::Kind::None &&
        (cause.effect == FaultCause::Effect::Stop || cause.effect == FaultCause::Effect::Corrupt);
    found.failures_per_day += strikes ? 86400 * fault_rate(cause) : 0;
  }
  return found;
}

}  // namespace danlu
