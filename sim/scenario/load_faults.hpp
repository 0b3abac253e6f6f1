// Inside sim/scenario: from the `faults` section to a campaign's plan.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/campaign/faults_plan.hpp"
#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

inline constexpr const char* kCheckpointMode = "checkpoint.mode";

/// What fails, as in causes.*.component, and how reports call it.
enum class Component { Gpu, Nic, Node, Rack, Leaf, Job };
struct ComponentRow {
  Component value;
  std::string_view name;
  std::string_view shown;
  std::string_view several;
};
template <>
inline constexpr auto kNames<Component> =
    std::to_array<ComponentRow>({{Component::Gpu, "gpu", "GPU", "GPUs"},
                                 {Component::Nic, "nic", "NIC", "NICs"},
                                 {Component::Node, "node", "node", "nodes"},
                                 {Component::Rack, "rack", "rack", "racks"},
                                 {Component::Leaf, "leaf", "leaf", "leaves"},
                                 {Component::Job, "job", "job", "jobs"}});

/// How many of a component so many nodes of a cluster have, which nodes one of them takes out, and
/// where those lie (FaultCause::nodes, beside, apart). Of a rack `together` says how many, if it is
/// above 0.
struct ComponentLayout {
  double count = 1;
  int nodes = 1;
  int beside = 1;
  int apart = 1;
};
ComponentLayout layout_of(Component component, const ClusterSpec& cluster, int nodes,
                          int together = 0);

/// The keys that a cause's rate can stand at.
inline constexpr std::array<std::string_view, 3> kRateKeys{"mtbf", "observed",
                                                           "per_1000_node_days"};

/// What the section is about.
struct FaultsContext {
  const Workload& workload;
  const ClusterSpec& cluster;
  const std::filesystem::path& beside;  // relative paths of the command line start there
  const LoadOptions& options;
};

/// The section while it is read.
struct FaultsSection {
  const Values& own;     // what the scenario says
  const Values& values;  // the same over its preset
  const FaultsContext& context;
  int nodes = 1;
  std::vector<Problem>& problems;
  std::vector<std::string>& notes;

  bool has(std::string_view path) const { return values.has(path); }
};

/// Of all that says how long a checkpoint takes, what was written last counts; the rest leaves
/// `values`. `storage` is what the scenario itself says of cluster.storage.
void settle_checkpoints(const Values& storage, const Values& own, Values& values,
                        std::vector<Problem>& problems, std::vector<std::string>& notes);
/// `checkpoint`, after settle_checkpoints: the file, and the tiers it goes to.
void read_checkpoints(const FaultsSection& section, FaultsPlan& plan);

/// Settings that nothing uses, where that depends on more than one other key.
void find_idle_settings(const FaultsSection& section, const FaultsPlan& plan);

/// The values of a `faults` section over those of its preset; what `own` only repeats of it is
/// forgotten there. Of keys that say the same thing those that were written last count. Throws
/// InputError.
Values add_faults_preset(Values& own, const std::filesystem::path& beside,
                         const LoadOptions& options, std::vector<std::string>& notes);

/// The plan of a `faults` section, laid on the cluster. `own` is what the scenario itself says,
/// `values` the same over its preset. What is wrong goes to `problems`, what the user should know
/// all the same to `notes`.
FaultsPlan make_faults_plan(const Values& own, Values values, const FaultsContext& context,
                            std::vector<Problem>& problems, std::vector<std::string>& notes);

/// The causes of the section: how often each component fails, and what that does. `values` are
/// those of the section; states whose steps are to be played go to `states`.
IdVector<CauseId, FaultCause> read_causes(const Values& values, const ClusterSpec& cluster,
                                          std::vector<SlowState>& states,
                                          std::vector<Problem>& problems);

/// `events` and `trace`, in the order of time. `causes` are those of read_causes.
std::vector<FaultEvent> read_events(const Values& values,
                                    const IdVector<CauseId, FaultCause>& causes,
                                    const std::filesystem::path& beside,
                                    std::vector<Problem>& problems);

/// What is neither a stop nor drawn at random needs a duration only where an event has none.
void check_durations(const Values& values, const IdVector<CauseId, FaultCause>& causes,
                     const std::vector<FaultEvent>& events, std::vector<Problem>& problems);

/// A duration that may be random, at `path` of the section.
Duration read_random(const Values& values, const std::string& path, std::vector<Problem>& problems);

}  // namespace danlu
