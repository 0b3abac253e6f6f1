#include "tests/support/support.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "sim/base/error.hpp"
#include "sim/cluster/grid.hpp"

namespace danlu::testing {

bool is_near(double actual, double expected, double tolerance) {
  return std::abs(actual - expected) <= tolerance * std::abs(expected);
}

::testing::AssertionResult near(double actual, double expected, double tolerance) {
  if (is_near(actual, expected, tolerance)) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << actual << " is not within " << tolerance << " of " << expected << " (relative error "
         << actual / expected - 1 << ")";
}

std::string source_dir() {
  return DANLU_SOURCE_DIR;
}

std::string read_source(const std::string& path) {
  std::ifstream stream(source_dir() + "/" + path, std::ios::binary);
  check(stream.good(), "no file " + path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

LoadOptions shipped_presets(std::vector<std::string> overrides) {
  return {source_dir() + "/topologies", std::move(overrides)};
}

Scenario shipped(const std::string& file, std::vector<std::string> overrides) {
  return load_scenario(source_dir() + "/scenarios/" + file, shipped_presets(std::move(overrides)));
}

Folder::Folder() {
  std::string name = ::testing::TempDir() + "danlu-XXXXXX";
  check(::mkdtemp(name.data()) != nullptr, "mkdtemp() failed");
  path_ = name;
}

std::filesystem::path Folder::write(const std::string& name, const std::string& text) const {
  std::filesystem::create_directories((path_ / name).parent_path());
  std::ofstream(path_ / name, std::ios::binary) << text;
  return path_ / name;
}

Cluster plain_cluster(int nodes, int gpus, BytesPerSecond nvlink, BytesPerSecond nic,
                      Seconds latency) {
  ClusterSpec spec;
  spec.topology = {.name = "plain",
                   .gpus_per_node = gpus,
                   .scale_up_bandwidth = nvlink,
                   .scale_up_latency = latency,
                   .pcie_bandwidth = nic * 1000,
                   .nics_per_node = gpus,
                   .nic_bandwidth = nic,
                   .fabric = FabricKind::Switch,
                   .fabric_latency = latency};
  spec.gpu.name = "plain";
  spec.gpus = nodes * gpus;
  return build_cluster(spec);
}

Cluster mesh_cluster(int nodes, int gpus, int count, BytesPerSecond link, BytesPerSecond nic,
                     Seconds latency) {
  ClusterSpec spec = plain_cluster(nodes, gpus, link, nic, latency).spec;
  spec.topology.name = fmt::format("mesh of {}, {} times", gpus, nodes);
  spec.topology.scale_up = ScaleUpKind::Mesh;
  for (int first = 0; first < gpus; ++first) {
    for (int second = first + 1; second < gpus; ++second) {
      spec.topology.mesh_links.push_back({first, second, count});
    }
  }
  return build_cluster(spec);
}

Cluster torus_cluster(int slices, const std::vector<int>& dims, int wrap, BytesPerSecond link,
                      BytesPerSecond nic, Seconds latency) {
  const Grid grid(dims, wrap);
  ClusterSpec spec = plain_cluster(slices, grid.size(), link, nic, latency).spec;
  spec.topology.name =
      fmt::format("torus {}, closed from {}, {} times", fmt::join(dims, "x"), wrap, slices);
  spec.topology.scale_up = ScaleUpKind::Torus;
  spec.topology.scale_up_dims = dims;
  spec.topology.scale_up_wrap = wrap;
  for (const auto& [first, second] : grid.cables()) {
    spec.topology.mesh_links.push_back({first, second, 1});
  }
  return build_cluster(spec);
}

Cluster torus_fabric_cluster(const std::vector<int>& dims, int gpus, BytesPerSecond nvlink,
                             BytesPerSecond cable, Seconds latency) {
  ClusterSpec spec =
      plain_cluster(Grid(dims).size(), gpus, nvlink, BytesPerSecond{1e13}, latency).spec;
  spec.topology.name = fmt::format("{} GPUs at switches {}", gpus, fmt::join(dims, "x"));
  spec.topology.fabric = FabricKind::Torus;
  spec.topology.dims = dims;
  spec.topology.uplink_bandwidth = cable;
  return build_cluster(spec);
}

TaskGraph one_link(BytesPerSecond capacity) {
  TaskGraph graph;
  graph.links = {{capacity}};
  graph.channels = {{{{FoldedLinkId{0}, 1}}}};
  return graph;
}

}  // namespace danlu::testing
