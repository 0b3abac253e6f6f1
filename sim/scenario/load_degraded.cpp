#include "sim/scenario/load_degraded.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "sim/base/text.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/load_scenario.hpp"

namespace danlu {
namespace {

/// What is worse for good.
class DamageReader {
 public:
  DamageReader(const Values& values, ClusterSpec& cluster, std::vector<Problem>& problems)
      : values_(values), cluster_(cluster), problems_(problems) {}

  void read() {
    ClusterSpec& cluster = cluster_;
    DegradedSpec& damage = cluster.degraded;
    damage.gpus = numbers("degraded.gpus", "GPU", cluster.gpus);
    damage.nics = nic_shares();
    damage.scale_up = numbers("degraded.scale_up", "GPU", cluster.gpus);
    for (const auto& [gpu, share] : damage.scale_up) {
      if (share == 0) {
        add(fmt::format("degraded.scale_up.{}", gpu),
            fmt::format("without its scale-up links GPU {} cannot take part in the step", gpu),
            "leave its node out (cluster.gpus) or let a spare stand in; one link of a mesh is "
            "degraded.links");
      }
    }
    check_shares();
    damage.leaves = values_.numbers("degraded.leaves");  // check_damage() looks for them
    damage.spines = values_.numbers("degraded.spines");
    if (values_.has("degraded.links")) {
      for (const auto& [first, second, share] : values_.at("degraded.links").links) {
        damage.links.push_back({static_cast<int>(first), static_cast<int>(second), share});
        check_link(damage.links.back());
      }
    }
  }
  /// The parts of the fabric that are named exist, and all GPUs still reach each other.
  void check() {
    const ClusterSpec& cluster = cluster_;
    const DegradedSpec& damage = cluster.degraded;
    if (!damage.leaves.empty() || !damage.spines.empty()) {
      ClusterSpec whole = cluster;
      whole.degraded = {};
      const Topology topology = build_cluster(whole).topology;
      check_switches("degraded.leaves", "leaf switch", topology.count(VertexKind::Leaf));
      check_switches("degraded.spines", "spine switch", topology.count(VertexKind::Spine));
      if (!problems_.empty()) {
        return;
      }
    }
    DamageProblem found = damage_problem(cluster);
    if (!found.message.empty()) {
      add("degraded." + found.key, std::move(found.message),
          "a part that nothing can stand in for ends the job: leave its nodes out, or let spares "
          "stand in");
    }
  }

 private:
  void add(std::string_view path, std::string message, std::string hint = "") {
    problems_.push_back(values_.problem(path, std::move(message), std::move(hint)));
  }

  /// By NIC of the cluster; of a GPU's several cards the mean.
  std::map<int, double> nic_shares() {
    const TopologySpec& t = cluster_.topology;
    const int cards = t.cards_per_node();
    const std::map<int, double> told = numbers("degraded.nics", "NIC", cluster_.nodes() * cards);
    if (cards == t.nics_per_node) {
      return told;
    }
    const double share_of_card = static_cast<double>(t.nics_per_node) / cards;
    std::map<int, double> shares;
    for (const auto& [card, share] : told) {
      const int nic = card / cards * t.nics_per_node + card % cards * t.nics_per_node / cards;
      double& left = shares.try_emplace(nic, 1).first->second;
      left = std::max(0.0, left - (1 - share) * share_of_card);
      constexpr double kRounding = 1e-9;
      left = left < kRounding ? 0 : left;
    }
    return shares;
  }
  /// A share is 0, dead, or so much that a step still ends.
  void check_shares() {
    constexpr double kLeast = 0.001;
    for (const char* section :
         {"degraded.nics", "degraded.scale_up", "degraded.leaves", "degraded.spines"}) {
      for (const auto& [number, share] : values_.numbers(section)) {
        if (share > 0 && share < kLeast) {
          add(fmt::format("{}.{}", section, number),
              fmt::format("a share of '{}' must be 0 or lie between {} and 1", section, kLeast),
              "0 is dead: another part stands in");
        }
      }
    }
  }
  void check_link(const DegradedSpec::MeshShare& link) {
    const ClusterSpec& cluster = cluster_;
    const TopologySpec& t = cluster.topology;
    const int last = std::max(link.first, link.second);
    const int base = link.first / t.gpus_per_node * t.gpus_per_node;
    const auto is_it = [&](const MeshLink& direct) {
      return std::minmax({base + direct.first, base + direct.second}) ==
             std::minmax({link.first, link.second});
    };
    const bool has_links = t.scale_up == ScaleUpKind::Mesh || t.scale_up == ScaleUpKind::Torus;
    if (last >= cluster.gpus) {
      add("degraded.links",
          fmt::format("there is no GPU {}: the cluster has 0 to {}", last, cluster.gpus - 1));
    } else if (!has_links || std::none_of(t.mesh_links.begin(), t.mesh_links.end(), is_it)) {
      add("degraded.links",
          fmt::format("GPUs {} and {} have no direct link", link.first, link.second),
          has_links ? "links of the node: danlu topology NAME --route GPU GPU"
                    : "only mesh and torus nodes have such links; see degraded.scale_up");
    }
  }

  void check_switches(std::string_view path, std::string_view what, int count) {
    for (const auto& [number, share] : values_.numbers(path)) {
      if (count == 0) {
        add(path, fmt::format("the fabric has no {}es", what));
        return;
      }
      if (number >= count) {
        add(fmt::format("{}.{}", path, number),
            fmt::format("there is no {} {}: the cluster has 0 to {}", what, number, count - 1));
      }
    }
  }
  /// The entries of a row of numbers, each naming one of `count` things.
  std::map<int, double> numbers(std::string_view path, std::string_view what, int count) {
    std::map<int, double> found = values_.numbers(path);
    for (const auto& [number, value] : found) {
      if (number >= count) {
        add(fmt::format("{}.{}", path, number),
            fmt::format("there is no {} {}: the cluster has {} to {}", what, number, 0, count - 1));
      }
    }
    return found;
  }

  const Values& values_;
  ClusterSpec& cluster_;
  std::vector<Problem>& problems_;
};

/// What comes and goes within a step. One class: a method for each kind of fault, which share how
/// parts are named and where problems go.
class StepFaultsReader {
 public:
  StepFaultsReader(const Values& values, const Workload& workload, ClusterSpec& cluster,
                   std::vector<Problem>& problems)
      : values_(values),
        get_(values, scenario_keys()),
        workload_(workload),
        cluster_(cluster),
        problems_(problems) {}

  void read() {
    for (const std::string& range : values_.names("degraded.throttle")) {
      read_throttle(range);
    }
    read_jitter();
    for (const std::string& number : values_.names("degraded.flaps")) {
      read_flap("degraded.flaps." + number);
    }
    check_overlaps();
    check_modes();
    check_draws();
  }

 private:
  DegradedSpec& damage() { return cluster_.degraded; }
  void add(std::string_view path, std::string message, std::string hint = "") {
    problems_.push_back(values_.problem(path, std::move(message), std::move(hint)));
  }
  /// Whether all of a section's keys are there.
  template <std::size_t count>
  bool has_all(const std::string& section, const std::array<const char*, count>& keys,
               const std::string& hint) {
    bool all = true;
    for (const char* key : keys) {
      const std::string path = fmt::format("{}.{}", section, key);
      if (values_.misses(path)) {
        add(section, fmt::format("missing key '{}'", path), hint);
      }
      all = all && values_.has(path);
    }
    return all;
  }
  /// Whether the cluster has a part of this number.
  bool exists(std::string_view path, std::string_view what, int number, int count) {
    if (number >= count) {
      add(path, fmt::format("there is no {} {}: the cluster has 0 to {}", what, number, count - 1));
    }
    return number < count;
  }

  void read_throttle(const std::string& name) {
    const std::string path = "degraded.throttle." + name;
    const std::optional<NumberRange> range = parse_range(name);
    if (!range) {
      add(path,
          fmt::format("a key of 'degraded.throttle' must be a whole number or a range, found '{}'",
                      shown(name)),
          "GPUs count from 0: 3, or 4-7 for 4, 5, 6 and 7");
      return;
    }
    const bool complete = has_all(path, std::array{"slowdown", "period", "share"},
                                  "for example {slowdown: 1.4, period: 10 s, share: 0.3}");
    if (!exists(path, "GPU", range->last, cluster_.gpus) || !complete) {
      return;
    }
    Throttle throttle;
    get_.fill(throttle, path);
    for (int gpu = range->first; gpu <= range->last; ++gpu) {
      if (!damage().throttle.try_emplace(gpu, throttle).second) {
        add(path, fmt::format("GPU {} stands in two ranges", gpu));
        return;
      }
    }
  }

  void read_jitter() {
    if (!values_.has_below("degraded.jitter.") ||
        !has_all("degraded.jitter", std::array{"spread"}, "for example spread: 0.05")) {
      return;
    }
    Jitter& jitter = damage().jitter;
    get_.fill(jitter, "degraded.jitter");
    const std::string gpus =
        values_.has("degraded.jitter.gpus") ? values_.at("degraded.jitter.gpus").text : "all";
    if (gpus == "all") {
      return;
    }
    for (std::string_view part : split(gpus, ',')) {
      part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
      part.remove_suffix(part.size() - std::min(part.find_last_not_of(' ') + 1, part.size()));
      const std::optional<NumberRange> range = parse_range(part);
      if (!range) {
        add("degraded.jitter.gpus",
            fmt::format("'degraded.jitter.gpus' must be all, or GPUs and ranges of them, found "
                        "'{}'",
                        shown(gpus)),
            "for example 0-7, 12");
        return;
      }
      for (const auto& [first, last] : jitter.gpus) {
        if (first <= range->last && range->first <= last) {
          add("degraded.jitter.gpus",
              fmt::format("GPU {} stands in two ranges", std::max(first, range->first)));
          return;
        }
      }
      jitter.gpus[range->first] = range->last;
      if (!exists("degraded.jitter.gpus", "GPU", range->last, cluster_.gpus)) {
        return;
      }
    }
  }

  void read_flap(const std::string& path) {
    const bool nic = values_.has(path + ".nic");
    const bool scale_up = values_.has(path + ".scale_up");
    if (nic == scale_up) {
      if (nic || (values_.misses(path + ".nic") && values_.misses(path + ".scale_up"))) {
        add(path,
            nic ? "a flap is of one link, found both nic and scale_up"
                : "a flap needs the link that it is of",
            "nic: the number of a NIC, or scale_up: that of a GPU");
      }
      return;
    }
    const std::string part = path + (nic ? ".nic" : ".scale_up");
    const bool complete =
        has_all(path, std::array{"at", "for"}, "for example {nic: 5, at: 1.2 s, for: 0.5 s}");
    const int number = get_.count(part);
    const int count = nic ? cluster_.nodes() * cluster_.topology.nics_per_node : cluster_.gpus;
    if (!exists(part, nic ? "NIC" : "GPU", number, count) || !complete) {
      return;
    }
    const auto dead = damage().nics.find(number);
    if (nic && dead != damage().nics.end() && dead->second == 0) {
      add(part, fmt::format("NIC {} is dead, so it cannot flap", number),
          "take it out of degraded.nics, or leave the flap out");
      return;
    }
    check_share(path + ".share");
    Flap& flap = damage().flaps.emplace_back();
    get_.fill(flap, path);
    flap.part = nic ? Flap::Part::Nic : Flap::Part::ScaleUp;
    flap.number = number;
    paths_.push_back(path);
  }
  void check_share(const std::string& path) {
    constexpr double kLeast = 0.001;  // as of parts that stay slow: a step ends
    if (values_.has(path) && values_.at(path).number > 0 && values_.at(path).number < kLeast) {
      add(path, fmt::format("a share of a flap must be 0 or lie between {} and 1", kLeast),
          "0 is down");
    }
  }

  void check_overlaps() {
    const std::vector<Flap>& flaps = damage().flaps;
    for (std::size_t second = 0; second < flaps.size(); ++second) {
      for (std::size_t first = 0; first < second; ++first) {
        const Flap& a = flaps[first];
        const Flap& b = flaps[second];
        if (a.part == b.part && a.number == b.number && a.at < b.at + b.length &&
            b.at < a.at + a.length) {
          add(paths_[second],
              fmt::format("two flaps of one link overlap: {} is already away from {} to {}",
                          a.part_name(), to_text(a.at), to_text(a.at + a.length)),
              "make one of them, or let the second begin when the first is over");
          return;
        }
      }
    }
  }

  /// Where durations are taken as known, nothing can come and go.
  void check_modes() {
    const auto add_relation = [&](std::vector<std::string> keys, std::string message,
                                  std::string hint) {
      problems_.push_back(values_.relation_problem(keys, std::move(message), std::move(hint)));
    };
    if (!damage().flaps.empty() && workload_.collectives == CollectiveMode::Formula) {
      add_relation({"collectives", "degraded.flaps"},
                   "collectives: formula takes the time of a communication as known, so links "
                   "cannot flap",
                   "collectives: steady plays flaps");
    }
    if (workload_.fold == FoldMode::Bound && !damage().flaps.empty()) {
      add_relation({"fold", "degraded.flaps"},
                   "fold: bound takes the time of a communication as known, so links cannot flap",
                   "fold: exact plays flaps");
    }
    if (workload_.fold == FoldMode::Bound && damage().jitter.spread > 0) {
      add_relation({"fold", "degraded.jitter"},
                   "fold: bound has no bound for kernels that jitter, since chance has none",
                   "fold: exact plays jitter");
    }
  }

  void check_draws() {
    get_.fill(damage(), "degraded");
    if (damage().draws > 1 && damage().throttle.empty() && damage().jitter.spread == 0 &&
        !values_.has_below("degraded.throttle.")) {
      add("degraded.draws", "'degraded.draws' has no effect: nothing in the step is up to chance",
          "throttle and jitter are; leave draws out, or give one of them");
    }
  }

  const Values& values_;
  Getter get_;
  const Workload& workload_;
  ClusterSpec& cluster_;
  std::vector<Problem>& problems_;
  std::vector<std::string> paths_;  // by flap
};

}  // namespace

void read_damage(const Values& values, ClusterSpec& cluster, std::vector<Problem>& problems) {
  DamageReader(values, cluster, problems).read();
}

void check_damage(const Values& values, ClusterSpec& cluster, std::vector<Problem>& problems) {
  DamageReader(values, cluster, problems).check();
}

void degrade_cluster(ClusterSpec& cluster, const LoadOptions& options) {
  std::vector<Problem> problems;
  Values values;
  for (const std::string& override_text : options.overrides) {
    if (is_of_damage(override_text)) {
      apply_override(override_text, scenario_keys(), values, problems);
    }
  }
  for (const std::string& part : values.names("degraded")) {
    constexpr std::array<std::string_view, 5> kLasting{"nics", "scale_up", "links", "leaves",
                                                       "spines"};
    if (std::find(kLasting.begin(), kLasting.end(), part) == kLasting.end()) {
      problems.push_back(
          values.problem("degraded." + part,
                         fmt::format("'degraded.{}' has no effect here: no step is played", part),
                         fmt::format("parts of the network are degraded.{}; a scenario has "
                                     "the rest",
                                     fmt::join(kLasting, ", degraded."))));
    }
  }
  if (problems.empty()) {
    read_damage(values, cluster, problems);
  }
  if (problems.empty()) {
    check_damage(values, cluster, problems);
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
}

bool is_of_damage(std::string_view override_text) {
  return override_text.starts_with("degraded.") || override_text.starts_with("degraded=");
}

void read_step_faults(const Values& values, const Workload& workload, ClusterSpec& cluster,
                      std::vector<Problem>& problems) {
  StepFaultsReader(values, workload, cluster, problems).read();
}

}  // namespace danlu
