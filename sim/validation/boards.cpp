#include "sim/validation/boards.hpp"

#include <algorithm>
#include <array>

namespace danlu {
namespace {

constexpr int kOnBoard = 4;

}  // namespace

bool is_board_of_four(std::string_view gpu, int gpus_per_node, std::string_view joined) {
  constexpr std::array kGpus{"A100", "H100", "H200"};
  return gpus_per_node == kOnBoard && joined.find("NVSwitch") == std::string_view::npos &&
         joined.find("PCIe") == std::string_view::npos &&
         std::any_of(kGpus.begin(), kGpus.end(),
                     [&](std::string_view name) { return gpu.starts_with(name); });
}

BytesPerSecond pair_bandwidth(const TopologySpec& eight) {
  return eight.scale_up_bandwidth / (kOnBoard - 1);
}

void join_pairs(TopologySpec& node) {
  node.nics_per_node = std::max(1, node.nics_per_node * kOnBoard / node.gpus_per_node);
  node.gpus_per_node = kOnBoard;
  node.scale_up = ScaleUpKind::Mesh;
  node.scale_up_bandwidth = pair_bandwidth(node);
  for (int first = 0; first < kOnBoard; ++first) {
    for (int second = first + 1; second < kOnBoard; ++second) {
      node.mesh_links.push_back({first, second, 1});
    }
  }
}

}  // namespace danlu
