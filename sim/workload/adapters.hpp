// What of a model is trained, where that is not all of it: parts that are frozen, and low-rank
// adapters beside a frozen base.
#pragma once

#include <vector>

#include "sim/base/names.hpp"

namespace danlu {

/// Weights by what they belong to.
enum class FrozenPart { Embedding, Attention, Mlp, Norms, Head };
template <>
inline constexpr auto kNames<FrozenPart> =
    std::to_array<Named<FrozenPart>>({{FrozenPart::Embedding, "embedding"},
                                      {FrozenPart::Attention, "attention"},
                                      {FrozenPart::Mlp, "mlp"},
                                      {FrozenPart::Norms, "norms"},
                                      {FrozenPart::Head, "head"}});

/// Products that have adapters, by the weights of Hugging Face's Llama (q_proj, ...); qkv is one
/// adapter for all three, as fused weights have it.
enum class LoraTarget { Q, K, V, Qkv, O, Gate, Up, Down, AllLinear };
template <>
inline constexpr auto kNames<LoraTarget> =
    std::to_array<Named<LoraTarget>>({{LoraTarget::Q, "q"},
                                      {LoraTarget::K, "k"},
                                      {LoraTarget::V, "v"},
                                      {LoraTarget::Qkv, "qkv"},
                                      {LoraTarget::O, "o"},
                                      {LoraTarget::Gate, "gate"},
                                      {LoraTarget::Up, "up"},
                                      {LoraTarget::Down, "down"},
                                      {LoraTarget::AllLinear, "all-linear"}});

/// Low-rank adapters (Hu et al. 2021).
struct LoraSpec {
  int rank = 0;  // 0: none
  std::vector<LoraTarget> targets{};
  double dropout = 0;          // probability, of what adapters read
  bool wide = false;           // in 32 bits, and what they read cast
  bool fused = false;          // scale and sums are their products', none passes of their own
  bool four_bit_base = false;  // QLoRA

  bool is_there() const { return rank > 0; }
};

/// Bytes of a parameter in QLoRA's 4-bit NormalFloat: 64 values share a scale of 8 bits, 256 scales
/// one of 32 bits (Dettmers et al. 2023, double quantisation): 0.127 bits a parameter.
inline constexpr double kFourBitBytes = 0.5 + 1.0 / 64 + 4.0 / (64 * 256);

}  // namespace danlu
