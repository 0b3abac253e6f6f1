// The kernels of one transformer layer on one tensor-parallel rank, grouped by where
// tensor-parallel communication falls between them. Shapes for T = b s tokens, tensor degree t:
//
//   forward   norm | QKV [T, (q+2kv)/t, h] | attention core, a/t heads | projection [T, h, q/t] |
//             dropout and residual, norm | MLP up [T, f/t, h] | activation | MLP down [T, h, f/t] |
//             dropout and residual
//   backward  each product twice: for its input [T, in, out] and for its weight [in, out, T]
//
// With sequence parallelism norms, dropouts and residuals see T/t tokens.
#pragma once

#include <vector>

#include "sim/workload/kernels.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// A product split by columns (QKV, MLP up) or by rows (projection, MLP down), and what stays local
/// beside it.
struct ParallelLinear {
  Kernel forward;
  Kernel backward_input;
  Kernel backward_weight;
};

/// The kernels of one layer, in order of the drawing.
struct LayerKernels {
  std::vector<Kernel> norm_forward, norm_backward;          // before each half; twice per layer
  std::vector<Kernel> residual_forward, residual_backward;  // after each half; twice per layer
  ParallelLinear qkv, projection, mlp_up, mlp_down;
  std::vector<Kernel> attention_forward, attention_backward;
  std::vector<Kernel> activation_forward, activation_backward;
};
LayerKernels layer_kernels(const Workload& workload);

/// The first stage's embedding and the last stage's head (norm, logits, loss).
struct EndKernels {
  std::vector<Kernel> embedding_forward, embedding_backward;
  std::vector<Kernel> final_norm_forward, final_norm_backward;
  ParallelLinear logits;
  std::vector<Kernel> loss_forward, loss_backward;
};
EndKernels end_kernels(const Workload& workload);

/// Bytes of the activations of one microbatch at a layer boundary, whole (not split): 2 b s h in 16
/// bits.
Bytes boundary_bytes(const Workload& workload);

/// The product with its rows (tokens) cut into `pieces`, one of them.
Kernel piece_of(const Workload& workload, const Kernel& kernel, int pieces);

}  // namespace danlu
