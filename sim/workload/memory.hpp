// What one GPU must hold. Per parameter: 2 bytes of weight, 2 or 4 of gradient, 12 of optimizer
// state (fp32 master copy and two Adam moments), the last divided by the data-parallel ranks with
// ZeRO-1. Activations of one layer and one microbatch (Korthikanti et al. 2022, table 2, general
// widths):
//
//   s b [ 10 h / (t if sequence parallel)  +  (2(q+2k) + 2q + 4f) / t  +  5 a s / t ]
//          norms, inputs, dropouts             attention, MLP           unfused scores
//
// Selective recomputation and fused attention drop the last term, full recomputation keeps only the
// layer's input 2 s b h; without dropout its masks fall away.
#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

struct MemoryUse {
  Bytes parameters;
  Bytes gradients;
  Bytes optimizer;
  Bytes activations;  // kept from forward to backward, all microbatches in flight
  Bytes other;        // working set: a layer being recomputed, logits
  int stage = 0;      // the stage that needs most

  Bytes peak() const { return parameters + gradients + optimizer + activations + other; }
};

/// Activations that one layer keeps per microbatch on one rank.
Bytes layer_activation_bytes(const Workload& workload);

/// Parameters that live on one rank of `stage`.
double rank_parameters(const Workload& workload, int stage);

/// Memory of the rank that needs most.
MemoryUse memory_use(const Workload& workload);

/// Memory per rank for `parameters` in mixed precision with ZeRO `stage` 0 to 3 over `ranks`,
/// `gradient_bytes` per parameter (2 in the ZeRO paper, 4 in Megatron).
Bytes zero_memory(double parameters, double ranks, int stage, double gradient_bytes);

}  // namespace danlu
