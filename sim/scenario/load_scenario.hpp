// YAML in, validated values out. After load_scenario no value is unchecked: every key is known,
// every value in range, every relation between values holds.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/campaign/faults_plan.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/scenario/search_spec.hpp"
#include "sim/scenario/sweep_spec.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// One value as it is understood, and where it comes from.
struct Setting {
  enum class Source { File, CommandLine, Preset, Default, Derived };

  std::string key;   // "training.micro_batch"
  std::string text;  // as a scenario file would have it
  Source source = Source::File;
  std::string where;  // file:line, the preset, the option, or what it follows from
};
template <>
inline constexpr auto kNames<Setting::Source> =
    std::to_array<Named<Setting::Source>>({{Setting::Source::File, "file"},
                                           {Setting::Source::CommandLine, "--set"},
                                           {Setting::Source::Preset, "preset"},
                                           {Setting::Source::Default, "default"},
                                           {Setting::Source::Derived, "derived"}});

/// A figure that the result rests on and that no source gives.
struct Assumed {
  std::string key;     // "cluster.gpu.kernel_launch"
  std::string text;    // as written
  std::string reason;  // what stands in for a source
};

/// Everything the user asked for.
struct Scenario {
  std::string name;
  ClusterSpec cluster;
  Workload workload;
  std::optional<FaultsPlan> faults;  // a campaign, if there is a `faults` section
  SearchSpec search;                 // what `danlu search` tries instead of its defaults
  SweepSpec sweep;                   // what `danlu sweep` varies
  std::vector<std::string> notes;    // what the reader chose where the file is silent; sentences
  /// Where keys of `communication` stand, by path: a problem without words. Whether they can be
  /// used only shows once the cluster is built.
  std::map<std::string, Problem> places;
  std::vector<Setting> settings;  // all that it rests on, in the order of the table of keys
  std::vector<Assumed> assumed;   // what of it no source gives, most important first
};

/// Where presets lie, and what the command line overrides.
struct LoadOptions {
  std::filesystem::path topologies;    // the folder with *.yaml and gpus/*.yaml
  std::vector<std::string> overrides;  // "key.path=value", each replacing what stands at that key
};

/// A faults file as `danlu list` shows it.
struct FaultsFile {
  std::string title;
  double gpus = 0;              // that its counts belong to; 0: it has none
  double failures_per_day = 0;  // per 1,000 nodes of 8 GPUs, all causes
  int causes = 0;
};

/// Throws InputError with every problem found.
Scenario load_scenario(const std::filesystem::path& file, const LoadOptions& options);
/// The same for text; `file` names it in messages and resolves relative paths.
Scenario load_scenario_text(const std::string& yaml, const std::filesystem::path& file,
                            const LoadOptions& options);

/// A topology by preset name or path, with its GPU. Overrides of `degraded` are left to
/// degrade_cluster().
/// Throws InputError.
ClusterSpec load_topology(const std::string& name, const LoadOptions& options);
/// Puts the overrides of `degraded` on a topology of which so many GPUs are in use that it can be
/// built. Throws InputError.
void degrade_cluster(ClusterSpec& cluster, const LoadOptions& options);
/// The same for text; `file` names it in messages and resolves relative paths.
ClusterSpec load_topology_text(const std::string& yaml, const std::filesystem::path& file,
                               const LoadOptions& options);
/// A GPU by preset name or path. Throws InputError.
GpuSpec load_gpu(const std::string& name, const LoadOptions& options);

/// A faults file by preset name or path, laid on a cluster. Throws InputError.
FaultsFile load_faults_file(const std::string& name, const LoadOptions& options);

/// The names of the *.yaml files in a folder, sorted, without the ending.
std::vector<std::string> preset_names(const std::filesystem::path& folder);

}  // namespace danlu
