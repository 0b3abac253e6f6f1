// What of training is narrower than 16 bits, said once. With precision fp8, mxfp8 or fp4 the
// products of layers with their weights are (low_precision.cpp); all else stays in bf16:
// attention's core, norms, activations, the router of experts, embedding, logits and loss, thin
// products of adapters, as in TransformerEngine and Megatron-LM. Sums of gradients and what the
// optimizer keeps have widths of their own (optimizer.hpp).
//
// The operands of a narrow product are quantised from 16 bits by a pass over memory. Since a
// product wants both along the dimension that it sums over, backward needs them transposed, too:
//
//   recipe      scales                           reads  writes           of a value in all
//   delayed     an array's, from steps before    once   it, transposed*  1
//   tensorwise  an array's, from its own values  twice  it, transposed*  1
//   blockwise   fp32 of 128 values, weights of   once   it and, of own   1 + 4/128
//               128 x 128                               scales, its
//                                                       transpose
//   mxfp8       8 bits of 32 values              once   the same         1 + 1/32
//   fp4         8 bits of 16 values, an array's  twice  the same         1/2 + 1/16
//               from its own values
//
// (transformer_engine/common/recipe/__init__.py: DelayedScaling, Float8CurrentScaling,
// Float8BlockScaling, MXFP8BlockScaling, NVFP4BlockScaling; pytorch/module/linear.py.)
//
// * for Hopper, which multiplies fp8 in one layout only. Blackwell does in all, and there is no
// transpose of what has one scale (nvte_is_non_tn_fp8_gemm_supported of TransformerEngine's
// common/transformer_engine.cpp, with_transpose of its pytorch/csrc/quantizer.cpp): then
// `transposes` is false. Scales of blocks are of one direction, so those are always written twice.
#pragma once

#include "sim/base/names.hpp"
#include "sim/base/units.hpp"
#include "sim/cluster/gpu_spec.hpp"

namespace danlu {

struct TrainingSpec;
class AxisSet;

/// Where the scales of fp8 come from, by Megatron-LM's names (--fp8-recipe).
enum class Fp8Recipe { Delayed, Tensorwise, Blockwise };
template <>
inline constexpr auto kNames<Fp8Recipe> =
    std::to_array<Named<Fp8Recipe>>({{Fp8Recipe::Delayed, "delayed"},
                                     {Fp8Recipe::Tensorwise, "tensorwise"},
                                     {Fp8Recipe::Blockwise, "blockwise"}});

/// With delayed scaling: of which ranks an array's largest value is. They share theirs by an
/// all-reduce behind each pass through a chunk, which compute waits for: none; ranks of a tensor
/// group and of a sequence (Megatron-LM's --tp-only-amax-red); all ranks of the stage
/// (reduce_and_update_fp8_tensors of TransformerEngine's pytorch/quantization.py,
/// get_amax_reduction_group of Megatron-LM's megatron/core/parallel_state.py).
enum class Fp8Amax { Own, Tensor, All };
template <>
inline constexpr auto kNames<Fp8Amax> = std::to_array<Named<Fp8Amax>>({{Fp8Amax::Own, "own"},
                                                                       {Fp8Amax::Tensor, "tensor"},
                                                                       {Fp8Amax::All, "all"}});

/// Largest values, in fp32, of a layer that is passed forward or backward: of input, weight and
/// output of four products (QKV, projection, up, down), or of the two gradients that they take and
/// make. Experts and further products are not counted: what counts is that something is sent.
Bytes amaxes_of_layer(bool forward);
/// The ranks that share them; along no axis without delayed scaling.
AxisSet amax_axes(const TrainingSpec& training);

/// What of an array's quantising its maker can do in its own pass: all of it; the search for the
/// largest value; nothing.
enum class InMaker { All, Largest, Nothing };

/// How operands of narrow products are made.
struct Quantisation {
  double bytes = 1;        // of a value, with its share of the scales
  int reads = 1;           // of the array in 16 bits, once more where its largest value is sought
  bool both_ways = false;  // a transpose has scales of its own, so it is made from 16 bits, too
  bool transposes = true;  // there is one, where backward needs it
  /// Of TransformerEngine's norms and activations (pytorch/csrc/extensions/normalization.cpp and
  /// activation.cpp).
  InMaker in_maker = InMaker::All;

  /// Of weights, which are needed both ways.
  int copies() const { return transposes ? 2 : 1; }
};

/// Of a precision that is_narrow; the recipe is fp8's.
Quantisation quantisation_of(Precision precision, Fp8Recipe recipe);
Quantisation quantisation_of(const TrainingSpec& training);

}  // namespace danlu
