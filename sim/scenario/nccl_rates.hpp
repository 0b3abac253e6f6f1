// How fast links between GPUs are, which topology files do not say: it follows from the generation.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace danlu {

/// GB/s of one link and direction: nominal, and what the library counts.
struct LinkRate {
  double nominal = 0;
  double counted = 0;
};

/// From which compute capability on (github.com/NVIDIA/nccl@5067397 src/graph/topo.h).
inline LinkRate nvlink_rate(int sm) {
  constexpr int kAmpereCards = 86;
  if (sm == kAmpereCards) {
    return {14.0625, 12};
  }
  constexpr std::array<std::pair<int, LinkRate>, 5> kRates{
      {{100, {50, 40.1}}, {90, {25, 20.6}}, {80, {25, 20}}, {70, {25, 20}}, {60, {20, 18}}}};
  const auto* const found =
      std::find_if(kRates.begin(), kRates.end(), [&](const auto& row) { return sm >= row.first; });
  return found == kRates.end() ? LinkRate{} : found->second;
}

/// Counted: github.com/ROCm/rccl src/graph/topo.h, by architecture. Nominal: AMD's data sheets.
inline LinkRate xgmi_rate(const std::string& gcn) {
  return gcn.starts_with("95")                              ? LinkRate{76.8, 48}
         : gcn.starts_with("94")                            ? LinkRate{64, 48}
         : gcn.starts_with("90a") || gcn.starts_with("910") ? LinkRate{50, 36}
                                                            : LinkRate{46, 24};
}

/// Sums in the switches from Hopper on (NVLS), fitted on DGX H100 and on B200
/// (docs/explain/validation-collectives.md).
struct SwitchSums {
  double efficiency;
  double cap;   // GB/s of bus bandwidth
  double fill;  // bytes
  const char* measured_on;
};
inline SwitchSums switch_sums(int sm) {
  constexpr int kBlackwell = 100;
  return sm >= kBlackwell ? SwitchSums{0.61, 845, 108e6, "B200"}
                          : SwitchSums{0.68, 482, 11.6e6, "DGX H100"};
}

}  // namespace danlu
