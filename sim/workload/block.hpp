// A layer, said once: a list of steps. A step is an operator (its kernels, its weight, what it
// keeps for backward) or an exchange between ranks. Everything else is read off the list: backward
// is the list reversed, each exchange by its conjugate; parameters, kept bytes, FLOPs and what the
// groups of ranks ask for are sums over it.
//
//   forward    norm  [gather]  QKV  attention  projection  [scatter]  residual  norm  ...
//   backward   norm  [scatter] QKV  attention  projection  [gather]   residual  norm  ...   <--
//
// An exchange over an axis of one rank is in the list all the same and comes to nothing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sim/collective/experts.hpp"
#include "sim/workload/kernels.hpp"
#include "sim/workload/mesh.hpp"

namespace danlu {

using Kernels = std::vector<Kernel>;

/// Parameters: what the whole model counts, and what one rank holds.
struct Weight {
  double whole = 0;
  double held = 0;
  // Of those held: what every tensor rank has whole, and has seen only its own tokens (sequence
  // parallelism), so that gradients are to be summed over them.
  double partial = 0;
  double active = 1;           // share of the whole that one token passes through
  AxisSet copies = kDataAxes;  // along which ranks hold the same: all of one mesh's
  bool trained = true;         // else it has no gradient and no optimizer state
  bool narrow = false;         // products use it below 16 bits
  bool four_bit = false;       // kept in 4 bits (QLoRA), which every product makes wide first
};

/// Where a weight stands in a table of the model's parameters. Prediction is what joins a layer for
/// multi-token prediction to the others.
enum class ModelPart {
  Attention,
  Mlp,
  Experts,
  SharedExperts,
  Router,
  Norms,
  Embeddings,
  Head,
  Prediction
};
template <>
inline constexpr auto kNames<ModelPart> =
    std::to_array<Named<ModelPart>>({{ModelPart::Attention, "attention"},
                                     {ModelPart::Mlp, "mlp"},
                                     {ModelPart::Experts, "experts"},
                                     {ModelPart::SharedExperts, "shared_experts"},
                                     {ModelPart::Router, "router"},
                                     {ModelPart::Norms, "norms"},
                                     {ModelPart::Embeddings, "embeddings"},
                                     {ModelPart::Head, "head"},
                                     {ModelPart::Prediction, "prediction"}});

/// How a product's weight is split over the tensor ranks, and so what stands around it: the input
/// of a product split by columns is there whole, the output of one split by rows is a sum.
enum class Split { None, Columns, Rows };

/// What one rank computes.
struct Operator {
  std::string name;
  Kernels forward;
  Kernels input_gradient;
  std::optional<Kernels> forward_again{};  // what of forward is computed again, where not all is
  Kernels weight_gradient{};               // of a product; others have it with the input's
  Weight weight{};
  Weight adapter{};     // of LoRA, beside the weight
  Bytes kept{};         // from forward to backward, of one microbatch: its input, or a mask
  Bytes kept_inside{};  // more of that: what running forward again would give
  Split split = Split::None;
  bool exchanges =
      true;  // by itself; false: what it would is another product's too, and done there
  std::optional<Bytes> across{};  // whole, what its split exchanges; none: a layer's boundary
  ModelPart part = ModelPart::Mlp;
  bool beside = false;  // runs beside the exchange before it, and all that is marked so behind
  bool needs_output = false;  // backward needs what it made, which who takes it keeps for both
  bool routes = false;        // chooses experts, or does what can be done before tokens travel
  bool is_frozen_product = false;

  /// With a weight; exchanges stand beside it.
  bool is_product() const { return is_frozen_product || !weight_gradient.empty(); }
};

/// One direction of an exchange.
struct Way {
  std::string name;
  CollectiveOp op = CollectiveOp::AllReduce;
  double share = 1;           // of the array's bytes, where it travels narrower
  bool needs_counts = false;  // the host must know how many tokens come, which the GPU counts
};

/// A collective over axes of the mesh; backward makes the conjugate: what was gathered is
/// scattered, what was summed is there already.
struct Exchange {
  AxisSet axes{Axis::Tensor};
  Bytes bytes;  // of the whole array
  std::optional<Way> forward;
  std::optional<Way> backward;
  bool again = false;      // forward's once more in backward, for what is behind it
  bool kept_once = false;  // forward's is not made again where what is around it is computed again
  // More than 1: it is passed on in that many rounds but one, beside as many rounds of the operator
  // behind it; backward passes it on once more, and as many bytes of gradients a round later.
  int rounds = 1;
  bool beside = false;                     // as an operator is
  std::optional<ExpertRouting> routing{};  // of tokens: CollectiveOp::Dispatch, by that
  Bytes buffers{};  // memory that it needs beside what is kept, while the layer is computed
};

using Step = std::variant<Operator, Exchange>;

/// Steps whose forward is run once more within backward, before it comes to the step `before` - 1.
struct Again {
  std::size_t first = 0;
  std::size_t end = 0;
  std::size_t before = 0;
  Bytes bytes;  // what that makes, which then was not kept
  bool operator==(const Again&) const = default;
};

struct Block {
  std::vector<Step> steps;
  Bytes input;                 // what the whole block begins with, on one rank
  Bytes kept{};                // beside what its operators keep
  std::vector<Again> again{};  // last steps first
  bool with_next = false;      // the whole of it is run once more before backward of the next layer
  bool takes_gradient = true;  // of its output: something in it or before it is trained
  bool gives_gradient = true;  // of its input: something before it is
  Bytes for_weights{};         // of one microbatch, what W needs that I leaves behind
};

/// The operators of a block, in order.
std::vector<const Operator*> operators_of(const Block& block);

/// Its weights, those of adapters too; ...
std::vector<const Weight*> weights_of(const Block& block);
/// ... of steps [first, end).
std::vector<const Weight*> weights_within(const Block& block, std::size_t first, std::size_t end);
/// Parameters of them all; ...
Weight weight_of(const Block& block);
/// ... and of those that are trained.
Weight trained_weight_of(const Block& block);
/// Parameters that one rank holds and trains, by the axes along which others hold the same.
std::map<AxisSet, double> trained_by_copies(const Block& block);
/// Of all its exchanges.
Bytes buffers_of(const Block& block);
/// What is kept of one microbatch from forward to backward.
Bytes kept_by(const Block& block);
/// What of a microbatch the gradients of weights need: inputs of their products and gradients of
/// their outputs, of `element` bytes where products are not narrow, else of `narrow`.
Bytes needed_by_weights(const Block& block, double element, double narrow);
/// The most that backward has made again of it at once, beside that.
Bytes made_again_by(const Block& block);

}  // namespace danlu
