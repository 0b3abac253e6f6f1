// What an optimizer keeps of a parameter, and moves when it updates it. Values of its moments:
//
//              matrices of layers   other parameters   update
//   adam       2                    2                  reads the gradient, reads and writes moments
//   sgd        1, or 0 without momentum                the same
//   adafactor  1 a row and column   1                  reads the gradient twice: sums, then update
//   muon       1                    2 (Adam's)         5 rounds of 3 products on each matrix
//
// (Kingma and Ba 2014, AdamW alike; Shazeer and Stern 2018, without first moment, a table of tokens
// factored as well; Muon: Jordan et al. 2024, github.com/KellerJordan/Muon, and Liu et al. 2025,
// arXiv:2502.16982.) A moment has 4, 2 or 1 bytes; those of 1 byte have an fp32 scale for each 256
// values (Dettmers et al. 2021, 8-bit optimizers; bitsandbytes' blocks). Beside them, of weights in
// 16 bits, there are fp32 master weights, unless the optimizer updates the 16 bits themselves; and
// fp32 copies of gradients of fp16 that are summed in 16 bits (Megatron-LM). With Adam, bytes of a
// parameter on a rank, of which ZeRO-1 divides the state (Megatron-LM's table of its distributed
// optimizer, and the ZeRO paper):
//
//                              weight  gradient  state                            all   with ZeRO-1
//   fp32, tf32                    4       4        8  two moments                  16    8 + 8/d
//   16 bits, fp32 gradients       2       4       12  and the fp32 master copy     18    6 + 12/d
//   bf16, 16-bit gradients        2       2       12                               16    4 + 12/d
//   fp16, 16-bit gradients        2       2       16  and fp32 copies of gradients 20    4 + 16/d
//
// Muon makes the momentum M of a matrix (n x m, n <= m) orthogonal by Newton-Schulz rounds in bf16
//
//   A = M M'    B = b A + c A A    M = a M + B M          2 n^2 m + 2 n^3 + 2 n^2 m FLOPs each
//
// on the matrices as tensor ranks hold them (Megatron-LM's --muon-tp-mode blockwise). Where its
// state is split each rank orthogonalises its share of the matrices, as if they could be dealt out
// evenly, for which momentum is gathered in 16 bits (Liu et al. 2025, section 2.3, the most it can
// take).
//
// An operator at a time (PyTorch's foreach) moves 2.7 times what one kernel does: 105 bytes of a
// parameter against 39, measured with AdamW on one H200 (time x 4.8 TB/s, PyTorch 2.11).
#pragma once

#include <vector>

#include "sim/base/names.hpp"
#include "sim/base/units.hpp"
#include "sim/workload/kernels.hpp"

namespace danlu {

struct TrainingSpec;
struct Operator;

enum class OptimizerKind { Adam, Sgd, Adafactor, Muon };
template <>
inline constexpr auto kNames<OptimizerKind> =
    std::to_array<Named<OptimizerKind>>({{OptimizerKind::Adam, "adam"},
                                         {OptimizerKind::Sgd, "sgd"},
                                         {OptimizerKind::Adafactor, "adafactor"},
                                         {OptimizerKind::Muon, "muon"}});

struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::Adam;
  int state_bytes = 4;   // of a moment
  bool master = true;    // fp32 weights beside those in 16 bits
  bool momentum = true;  // of sgd
  bool foreach = false;  // an operator at a time over all parameters, instead of one kernel
};

/// Whether there are fp32 weights beside those that products use.
bool has_master(const TrainingSpec& training);
/// Bytes of a gradient as it is summed.
double gradient_bytes(const TrainingSpec& training);
/// Bytes of fp32 copies beside a parameter: master weights, and gradients.
double copied_bytes(const TrainingSpec& training);
/// Bytes of a moment, with its share of the scales.
double moment_bytes(const TrainingSpec& training);

/// An operator's weights that are trained on one rank, as the optimizer sees them.
struct Updated {
  double parameters = 0;
  double moments = 0;              // values
  double gathered = 0;             // values of matrices that Muon needs whole
  std::vector<Repeated> products;  // Muon's
};
/// `in_layer`: not at the model's ends, whose matrices are a row or column for each token.
Updated updated_by(const TrainingSpec& training, const Operator& op, bool in_layer, double hidden);

/// Bytes that the update moves, but for the operands of products. `writes` are those of a weight
/// that products use, beside the one that is updated.
Bytes moved_by(const TrainingSpec& training, const Updated& updated, double writes);

}  // namespace danlu
