// Small builders for tests: clusters of a few GPUs, shipped scenarios, folders, near().
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu::testing {

/// Passes if |actual - expected| <= tolerance * |expected|.
bool is_near(double actual, double expected, double tolerance = 1e-9);
/// The same, and says by how much it is not.
::testing::AssertionResult near(double actual, double expected, double tolerance = 1e-9);

/// The repository's root, for shipped files.
std::string source_dir();
/// What is in a file of the sources.
std::string read_source(const std::string& path);

/// Where the shipped presets are, with optional overrides.
LoadOptions shipped_presets(std::vector<std::string> overrides = {});

/// A shipped scenario, by path below scenarios/, with overrides.
Scenario shipped(const std::string& file, std::vector<std::string> overrides = {});

/// A new folder that is gone after the test.
class Folder {
 public:
  Folder();
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  /// Writes a file, and the folders above it; returns its path.
  std::filesystem::path write(const std::string& name, const std::string& text) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// `nodes` x `gpus` GPUs: NVLink of the given bandwidth per GPU and direction with `latency` a
/// step, one NIC per GPU on one switch, with the given bandwidth and latency. Efficiencies are 1,
/// nothing else costs.
Cluster plain_cluster(int nodes, int gpus, BytesPerSecond nvlink, BytesPerSecond nic,
                      Seconds latency);

/// The same with direct links of `link` inside the nodes: between all GPUs, `count` for each pair.
Cluster mesh_cluster(int nodes, int gpus, int count, BytesPerSecond link, BytesPerSecond nic,
                     Seconds latency);
/// Slices of chips in a torus with links of `link`; axes of `wrap` or more are closed.
Cluster torus_cluster(int slices, const std::vector<int>& dims, int wrap, BytesPerSecond link,
                      BytesPerSecond nic, Seconds latency);
/// `gpus` GPUs at every switch of a torus of switches, cables of `cable` between them.
Cluster torus_fabric_cluster(const std::vector<int>& dims, int gpus, BytesPerSecond nvlink,
                             BytesPerSecond cable, Seconds latency);

/// A graph of one link and one channel on it, for engine tests.
TaskGraph one_link(BytesPerSecond capacity);

}  // namespace danlu::testing
