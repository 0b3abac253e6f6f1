// Inside sim/scenario: what a limit on a board's power leaves of its speed.
//
//   rate that runs for long  |            _.--- 1        sustained share x (power / preset's)^0.7,
//                            |       _.-'                what users set with nvidia-smi -pl
//                            |    .'
//                            |  .'
//                            +--+-------+--- power / preset's
//                              0.5      1
//
// A preset's `sustained` shares were measured with boards at their own power. A lower limit lowers
// the clock of what computes, and with it the voltage, so that less is lost than in watts; HBM
// keeps its clock. The exponent is fitted (docs/explain/power.md) to
//   products of H100 and H800 with 350 W against those with 700 W, 8192 and 10240 wide in 16 bits:
//     0.53 to 0.75, median 0.63 (github.com/zzc0721/torch-performance-test-data, issues 79, 95
//     and 112)
//   training steps on H100 limited to 500 W: 0.65 to 0.8 (github.com/pytorch/torchtitan
//     benchmarks/llama3_h100_202412_torchtitan.md)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/values.hpp"

namespace danlu {

/// The origin of what another power changed.
inline constexpr std::string_view kByPower = "derived: goes with gpu.power";

/// Where `cluster` has another `gpu.power` than `board`, the file of its GPU, makes the shares that
/// products keep for long those of that power. Attention without such a share becomes slower as
/// wide products do. What somebody wrote (`said`) stays. Returns what is to be said of it.
std::vector<std::string> keep_to_power(Values& cluster, const Values& board, const Values& said);

}  // namespace danlu
