// The layers of a model as blocks, of which one rank's sizes are known. What stands between ranks
// is put in afterwards, by a pass for each kind of parallelism (model_blocks.cpp).
#pragma once

#include "sim/workload/block.hpp"
#include "sim/workload/rank_shape.hpp"

namespace danlu {

// Names that passes over a layer know its operators by.
inline constexpr const char* kNorm = "norm";
inline constexpr const char* kQkv = "QKV";
inline constexpr const char* kCrossQueries = "cross queries";  // to the encoder's output
inline constexpr const char* kAttention = "attention";         // the core: scores, softmax, values
inline constexpr const char* kRotary = "rotary";               // where it stands by itself
inline constexpr const char* kProjection = "projection";
inline constexpr const char* kLatentDown = "latent down";
inline constexpr const char* kLatentNorms = "latent norms";
inline constexpr const char* kLatentUp = "latent up";
inline constexpr const char* kMlpUp = "MLP up";
inline constexpr const char* kActivation = "activation";
inline constexpr const char* kMlpDown = "MLP down";
inline constexpr const char* kResidual = "residual";
inline constexpr const char* kLoss = "loss";
inline constexpr const char* kRouter = "router";
inline constexpr const char* kExpertUp = "experts up";
inline constexpr const char* kExpertActivation = "experts' activation";
inline constexpr const char* kExpertDown = "experts down";
inline constexpr const char* kExpertSum = "sum of experts";

inline constexpr double kMaskBytes = 1;  // of an element of a dropout mask

/// A product of the rank's tokens with a weight of in x out; without the weight's parameters.
Operator linear(const RankShape& shape, std::string name, double in, double out);
/// The same of other `tokens`.
Operator linear(const RankShape& shape, double tokens, std::string name, double in, double out);
/// Counts only a share of what a product does as the model's.
void count_only(double share, Operator& product);
/// A norm, which every tensor rank holds whole.
Operator norm(const RankShape& shape, std::string name, Bytes kept);

/// Parameters of a product and its biases, split over the tensor ranks.
Weight split_weight(const RankShape& shape, Biased product, double whole_matrix, double held_matrix,
                    double whole_biases, double held_biases);
/// The sum of what a half of a layer made and what it began with.
Operator residual(const RankShape& shape);
/// That, behind a norm of what the half made where there are four a layer.
void add_end_of_half(const RankShape& shape, Block& block);
/// What an attention half has between its norm and its end; what latent attention begins it with.
void add_attention_products(const RankShape& shape, const LayerSort& sort, Block& block);
void add_latent_qkv(const RankShape& shape, Block& block);
/// The products of an MLP that is `width` wide over all tensor ranks; `what` goes before their
/// names.
void add_mlp_products(const RankShape& shape, double width, const std::string& what, Block& block);

// The halves of a layer, from norm to residual.
void add_attention(const RankShape& shape, const LayerSort& sort, Block& block);
void add_mlp(const RankShape& shape, Block& block);
void add_experts(const RankShape& shape, const LayerSort& sort, Block& block);

/// A layer, of such halves, or of both side by side.
Block layer(const RankShape& shape, const LayerSort& sort);
/// The tables of tokens and positions, where so many halves of the model, of so many tokens in all,
/// begin.
Block embedding(const RankShape& shape, int halves, double tokens);
/// Norm, logits and loss. A table of its own is held beside one that another stage shares with it.
Block head(const RankShape& shape);
/// What both the model and a layer that predicts more end with: a norm, where there is one, ...
void add_final_norm(const RankShape& shape, Block& block);
/// ... logits and loss; `table` is that of the logits.
void add_loss(const RankShape& shape, const Weight& table, Block& block);
/// What such a layer begins with.
void begin_prediction(const RankShape& shape, const LayerSort& sort, Block& block);

}  // namespace danlu
