// Parameters and FLOPs of dense decoder-only transformers in closed form, to which the blocks are
// held. With hidden size h, l layers, sequence s, batch B (sequences), vocabulary V, a GPT with
// full attention and a 4h MLP has
//
//   parameters        P = 12 l h^2 (1 + 13/(12h) + (V+s)/(12 l h))         Narayanan et al. 2021
//   model FLOPs/step    = 72 B s l h^2 (1 + s/(6h) + V/(12 l h))    Korthikanti et al. 2022 (7)
//
// and the functions here give the same for grouped-query attention and gated MLPs. FLOPs count the
// full attention square, as those papers do, unless `causal` asks for the half that a mask leaves.
#pragma once

#include "sim/workload/model.hpp"

namespace danlu::testing {

/// Weights of the matrix products of one layer: what forward multiplies by.
double layer_matrix_parameters(const ModelSpec& model);
/// All parameters of one layer, with biases and norms.
double layer_parameters(const ModelSpec& model);
/// What one of `tensor` ranks holds of a layer: its share of what is split, and a whole copy of
/// what is not: norms, the biases of products split by rows (projection, MLP down), and one
/// key-value head where there are fewer heads than ranks.
double rank_layer_parameters(const ModelSpec& model, int tensor);
/// The embedding table (and the position table); the output head shares it when tied.
double embedding_parameters(const ModelSpec& model);
/// The output head's own parameters, 0 when tied.
double head_parameters(const ModelSpec& model);
/// All parameters. The paper's formula leaves out the final norm, which is counted here.
double all_parameters(const ModelSpec& model);

/// FLOPs of the two attention products (scores and values) of one layer and one sequence, forward.
Flops attention_core_flops(const ModelSpec& model, double sequence, bool causal);

/// Model FLOPs of forward and backward for `sequences` sequences, without any recomputation.
Flops model_flops(const ModelSpec& model, double sequences, double sequence, bool causal);

}  // namespace danlu::testing
