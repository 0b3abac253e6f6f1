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

/// What the section is about.
struct FaultsContext {
  const Workload& workload;
  const ClusterSpec& cluster;
  const std::filesystem::path& beside;  // relative paths of the command line start there
  const LoadOptions& options;
};

/// The values of a `faults` section over those of its preset; what `own` only repeats of it is
/// forgotten there. Throws InputError.
Values add_faults_preset(Values& own, const std::filesystem::path& beside,
                         const LoadOptions& options);

/// The plan of a `faults` section, laid on the cluster. `own` is what the scenario itself says,
/// `values` the same over its preset. What is wrong goes to `problems`, what the user should know
/// all the same to `notes`.
FaultsPlan make_faults_plan(const Values& own, Values values, const FaultsContext& context,
                            std::vector<Problem>& problems, std::vector<std::string>& notes);

/// The causes of the section: how often each component fails, and what that does. `values` are
/// those of the section; states whose steps are to be played go to `states`.
std::vector<FaultCause> read_causes(const Values& values, const ClusterSpec& cluster,
                                    std::vector<SlowState>& states, std::vector<Problem>& problems);

/// `events` and `trace`, in the order of time. `causes` are those of read_causes.
std::vector<FaultEvent> read_events(const Values& values, const std::vector<FaultCause>& causes,
                                    const std::filesystem::path& beside,
                                    std::vector<Problem>& problems);

/// A duration that may be random, at `path` of the section.
Duration read_random(const Values& values, const std::string& path, std::vector<Problem>& problems);

}  // namespace danlu
