// Inside sim/workload: what models of a family share, for the tables of presets.
#pragma once

#include <array>
#include <span>

#include "sim/workload/model_presets.hpp"

namespace danlu {

inline constexpr Family kGpt{
    .tied_embeddings = true, .biases = kUsualBiases, .norm = Norm::LayerNorm};
inline constexpr Family kUntiedGpt{.biases = kUsualBiases, .norm = Norm::LayerNorm};
inline constexpr Family kGptJ{.biases = {Biased::Mlp, Biased::Head}, .norm = Norm::LayerNorm};
inline constexpr Family kPhi2{.biases = kUsualBiases | Biases{Biased::Head},
                              .norm = Norm::LayerNorm};
inline constexpr Family kMpt{.tied_embeddings = true, .norm = Norm::Unbiased};
inline constexpr Family kFalcon{.norm = Norm::LayerNorm};
inline constexpr Family kTiedFalcon{.tied_embeddings = true, .norm = Norm::LayerNorm};
inline constexpr Family kPalm{.gated_mlp = true, .tied_embeddings = true, .norm = Norm::Unbiased};
inline constexpr Family kGlm130b{
    .gated_mlp = true, .tied_embeddings = true, .biases = kUsualBiases, .norm = Norm::LayerNorm};
inline constexpr Family kLlama{.gated_mlp = true};
inline constexpr Family kTiedLlama{.gated_mlp = true, .tied_embeddings = true};
inline constexpr Family kOlmo{.gated_mlp = true, .norm = Norm::Unweighted};
inline constexpr Family kQwen2{.gated_mlp = true, .biases = {Biased::Qkv}};
inline constexpr Family kTiedQwen2{
    .gated_mlp = true, .tied_embeddings = true, .biases = {Biased::Qkv}};
inline constexpr Family kT5{.tied_embeddings = true};
inline constexpr Family kCommandR{
    .gated_mlp = true, .tied_embeddings = true, .norm = Norm::Unbiased};

/// The table of what is no dense decoder.
std::span<const ModelPreset> mixture_presets();
std::span<const ModelPreset> other_presets();

}  // namespace danlu
