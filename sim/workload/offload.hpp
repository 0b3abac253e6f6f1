// What a rank keeps in the memory of its host instead of on its GPU, and what that moves over the
// GPU's own PCIe link, beside compute and beside what its NIC moves there.
//
//   optimizer     gradients down | Adam on the CPUs | 16-bit weights up     at the end of a step
//   activations   F  layer 0 | 1, 0 down | 2, 1 down | 3 ..   B  .. 3, 2 up | 2, 1 up | 1, 0 up | 0
//
// The optimizer's state as ZeRO-Offload has it (Ren et al. 2021, arXiv:2101.06840) and
// Megatron-LM's --optimizer-cpu-offload: gradients stay on the GPU until the step's end; or, as
// DeepSpeed has it with ZeRO-2 and -3, go down as each unit's are reduced, and are summed there.
// Activations as TransformerEngine does it for cpu_offloading_num_layers: of the first layers of
// each chunk, two of which are on the GPU at once, one that is computed and one on its way.
#pragma once

#include "sim/base/units.hpp"

namespace danlu {

struct OffloadSpec {
  bool optimizer = false;              // its state and its update
  bool gradients_in_backward = false;  // they go down as they are reduced; else at the step's end
  int pieces = 1;                      // of the update: one is updated while another travels
  /// Parameters a second that the CPUs of a node update, all of them together. 10 billion took 2.57
  /// s on the two Xeon 8168 of a DGX-2 (Ren et al. 2021, table 4).
  double update_rate = 3.9e9;
  int activation_layers = 0;  // of each chunk, the first
};

/// Layers whose activations are on the GPU at once while they travel.
inline constexpr int kLayersOnTheWay = 2;
/// Share of PCIe's bandwidth that copies from and to pinned memory reach: 55.4 of 63 GB/s on an
/// H200 (github.com/stas00/ml-engineering, network/README.md).
inline constexpr double kHostCopyShare = 0.879;

}  // namespace danlu
