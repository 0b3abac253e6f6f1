// What is trained and how it is split: the model, the training settings, the parallelism. Plain
// data filled by the scenario reader, and the checks that relate one value to another.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/names.hpp"
#include "sim/base/units.hpp"
#include "sim/cluster/gpu_spec.hpp"
#include "sim/cluster/topology_spec.hpp"
#include "sim/collective/collective.hpp"
#include "sim/collective/experts.hpp"
#include "sim/schedule/placement.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/workload/adapters.hpp"
#include "sim/workload/gradient_passes.hpp"
#include "sim/workload/host.hpp"
#include "sim/workload/mesh.hpp"
#include "sim/workload/model.hpp"
#include "sim/workload/offload.hpp"
#include "sim/workload/optimizer.hpp"
#include "sim/workload/precision.hpp"
#include "sim/workload/sharding.hpp"

namespace danlu {

enum class Recompute { None, Selective, Full, Alternate };
template <>
inline constexpr auto kNames<Recompute> =
    std::to_array<Named<Recompute>>({{Recompute::None, "none"},
                                     {Recompute::Selective, "selective"},
                                     {Recompute::Full, "full"},
                                     {Recompute::Alternate, "alternate"}});

/// What of a layer selective recomputation may name, by Megatron-LM's names.
enum class RecomputePart {
  CoreAttention,
  LatentUp,
  LayerNorm,
  Mlp,
  Activation,
  ExpertActivation,
  Experts
};
template <>
inline constexpr auto kNames<RecomputePart> =
    std::to_array<Named<RecomputePart>>({{RecomputePart::CoreAttention, "core_attn"},
                                         {RecomputePart::LatentUp, "mla_up_proj"},
                                         {RecomputePart::LayerNorm, "layernorm"},
                                         {RecomputePart::Mlp, "mlp"},
                                         {RecomputePart::Activation, "act"},
                                         {RecomputePart::ExpertActivation, "moe_act"},
                                         {RecomputePart::Experts, "moe"}});

/// What a framework may do in passes of its own (unfused.cpp).
enum class UnfusedPart {
  Norm,
  Positions,
  Activation,
  Gated,  // activations that are gated alone
  Residual,
  Softmax,
  Loss,
  Copies,
  Biases,
  AddedBiases,
  PartialPositions,
  Packing,
  Gathers,
  Flat
};
template <>
inline constexpr auto kNames<UnfusedPart> =
    std::to_array<Named<UnfusedPart>>({{UnfusedPart::Norm, "norm"},
                                       {UnfusedPart::Positions, "positions"},
                                       {UnfusedPart::Activation, "activation"},
                                       {UnfusedPart::Gated, "gated"},
                                       {UnfusedPart::Residual, "residual"},
                                       {UnfusedPart::Softmax, "softmax"},
                                       {UnfusedPart::Loss, "loss"},
                                       {UnfusedPart::Copies, "copies"},
                                       {UnfusedPart::Biases, "biases"},
                                       {UnfusedPart::AddedBiases, "added_biases"},
                                       {UnfusedPart::PartialPositions, "partial_positions"},
                                       {UnfusedPart::Packing, "packing"},
                                       {UnfusedPart::Gathers, "gathers"},
                                       {UnfusedPart::Flat, "flat"}});

/// What may be kept narrower from forward to backward than it is computed in (low_precision.cpp).
enum class NarrowPart { Activation, Attention };
template <>
inline constexpr auto kNames<NarrowPart> = std::to_array<Named<NarrowPart>>(
    {{NarrowPart::Activation, "activation"}, {NarrowPart::Attention, "attention"}});

/// Who quantises what it hands to a narrow product, as part of its own pass (low_precision.cpp).
enum class CastMaker { Norm, Activation };
template <>
inline constexpr auto kNames<CastMaker> = std::to_array<Named<CastMaker>>(
    {{CastMaker::Norm, "norm"}, {CastMaker::Activation, "activation"}});

enum class TensorOverlap { None, Backward, Full };
template <>
inline constexpr auto kNames<TensorOverlap> =
    std::to_array<Named<TensorOverlap>>({{TensorOverlap::None, "none"},
                                         {TensorOverlap::Backward, "backward"},
                                         {TensorOverlap::Full, "full"}});

/// What products that are split by columns do with their input, of which tensor ranks have a part
/// each: it is gathered for all products of it at once, and once more for their weights' gradients
/// (Megatron-LM); the same, and attention and MLP side by side do so each; or kept as it was
/// gathered; or each product gathers and keeps it for itself.
enum class TensorInputs { Again, Halves, Kept, Each };
template <>
inline constexpr auto kNames<TensorInputs> =
    std::to_array<Named<TensorInputs>>({{TensorInputs::Again, "again"},
                                        {TensorInputs::Halves, "halves"},
                                        {TensorInputs::Kept, "kept"},
                                        {TensorInputs::Each, "each"}});
constexpr bool gathers_again(TensorInputs inputs) {
  return inputs == TensorInputs::Again || inputs == TensorInputs::Halves;
}

/// How the ranks that share a sequence come by each other's keys and values.
enum class ContextExchange { Ring, AllGather, GatherRing };
template <>
inline constexpr auto kNames<ContextExchange> =
    std::to_array<Named<ContextExchange>>({{ContextExchange::Ring, "ring"},
                                           {ContextExchange::AllGather, "all-gather"},
                                           {ContextExchange::GatherRing, "gather-ring"}});

/// How tokens come to their experts: a copy for every expert straight to its rank (NCCL), or one
/// for every node and rank that has some of them, along rails and handed on there (DeepEP).
enum class TokenExchange { AllToAll, DeepEp };
template <>
inline constexpr auto kNames<TokenExchange> = std::to_array<Named<TokenExchange>>(
    {{TokenExchange::AllToAll, "all-to-all"}, {TokenExchange::DeepEp, "deepep"}});

enum class CollectiveMode { Formula, Steady, Stepwise };
template <>
inline constexpr auto kNames<CollectiveMode> =
    std::to_array<Named<CollectiveMode>>({{CollectiveMode::Formula, "formula"},
                                          {CollectiveMode::Steady, "steady"},
                                          {CollectiveMode::Stepwise, "stepwise"}});

enum class FoldMode { Exact, Bound, Off };
template <>
inline constexpr auto kNames<FoldMode> = std::to_array<Named<FoldMode>>({{FoldMode::Exact, "exact"},
                                                                         {FoldMode::Bound, "bound"},
                                                                         {FoldMode::Off, "off"}});

/// Degrees of parallelism and what travels beside compute.
struct ParallelismSpec {
  int tensor = 1;
  int pipeline = 1;
  int data = 1;
  int context = 1;  // ranks that share the positions of a sequence
  int ulysses = 1;  // more of them, which exchange positions for heads around attention
  int expert = 1;   // ranks of a stage among which the experts of a layer are spread
  std::optional<int> expert_tensor;  // ranks that share each expert; none: as many as tensor
  TokenExchange expert_exchange = TokenExchange::AllToAll;
  ContextExchange context_exchange = ContextExchange::Ring;
  bool context_repeats = false;           // keys and values travel once for each query head
  std::optional<int> first_stage_layers;  // where the ends hold another number than the rest
  std::optional<int> last_stage_layers;
  std::vector<int> stage_layers{};  // of every stage, or of every part; empty: even, but for ends
  bool count_embedding_and_head = false;      // as a layer each, when layers are shared evenly
  bool prediction_before_head = false;        // those layers on the last part but one
  Outermost outermost = Outermost::Pipeline;  // in the numbering of ranks
  bool sequence = false;  // sequence parallelism: norms and dropouts are split over tensor ranks
  TensorInputs tensor_inputs = TensorInputs::Again;
  bool whole_logits = false;  // gathered over tensor ranks, each of which has the whole loss
  int zero = 0;               // what data-parallel ranks split (sharding.hpp)
  ShardingSpec sharding;
  bool sums_whole = false;  // gradients of what tensor ranks hold whole are summed over them
  bool scatter_gather =
      false;  // pipeline transfers carry 1/tensor each and are gathered on arrival
  TensorOverlap overlap_tensor = TensorOverlap::Backward;
  int tensor_chunks = 4;             // pieces a product is cut into with TensorOverlap::Full
  std::optional<int> tensor_blocks;  // thread blocks of an exchange beside them; else NCCL's
  bool overlap_data = false;         // gradients are reduced during the last backward pass
  bool overlap_weights = false;      // updated ones are gathered during the first forward passes
  bool overlap_pipeline = true;      // a stage computes on while it sends; else it waits
  bool overlap_shared = false;       // shared experts run beside dispatch and combine
  bool overlap_pairs = false;        // forward and backward passes run side by side

  int expert_tensor_ranks() const { return expert_tensor.value_or(tensor); }
  /// Weights whose optimizer's state alone is split travel when they are first used, not before:
  /// layer by layer within the first passes, ...
  bool gathers_updated() const { return splits_state_alone() && overlap_weights && pipeline == 1; }
  /// ... or with stages, all of which begin with the step, chunk by chunk ahead of these.
  bool gathers_ahead() const {
    return splits_state_alone() && overlap_weights && pipeline > 1 && can_gather_beside();
  }
  /// Whether they can travel beside passes at all: not of mixtures with stages, where two queues
  /// would run beside all lanes of experts' ranks, which then have to be played by segments, six
  /// times as many tasks.
  bool can_gather_beside() const { return gathers_beside(pipeline, expert); }
  static constexpr bool gathers_beside(int stages, int expert_ranks) {
    return stages <= 1 || expert_ranks <= 1;
  }
  bool overlaps_updated() const { return gathers_updated() || gathers_ahead(); }
  bool splits_state_alone() const { return zero == 1 || zero == 2; }
  /// Ranks of a stage.
  double stage_ranks() const { return 1.0 * tensor * ulysses * context * data; }
  Mesh mesh() const;
};

/// How many ranks there are along an axis, which is the key `parallelism.` and the axis' name.
struct Degree {
  Axis axis{};
  int ParallelismSpec::*ranks = nullptr;
};
/// Those that a plan says. Their product is the number of GPUs; data is what the others leave.
inline constexpr std::array kDegrees{Degree{Axis::Tensor, &ParallelismSpec::tensor},
                                     Degree{Axis::Pipeline, &ParallelismSpec::pipeline},
                                     Degree{Axis::Replicate, &ParallelismSpec::data},
                                     Degree{Axis::Ulysses, &ParallelismSpec::ulysses},
                                     Degree{Axis::Context, &ParallelismSpec::context}};
/// Whether a degree is named where it is 1.
constexpr bool is_always_named(Axis axis) {
  return axis == Axis::Tensor || axis == Axis::Pipeline || axis == Axis::Replicate;
}

inline Mesh ParallelismSpec::mesh() const {
  IdArray<Axis, int, kAxes> sizes;
  std::fill(sizes.begin(), sizes.end(), 1);
  for (const Degree& degree : kDegrees) {
    sizes[degree.axis] = this->*degree.ranks;
  }
  sizes[Axis::Shard] = zero > 0 ? sharding.ranks.value_or(data) : 1;
  sizes[Axis::Replicate] = data / sizes[Axis::Shard];
  // Copies of an expert are split into as many parts as replicas are, where they can be.
  const int holding = expert * expert_tensor_ranks();
  const int copies = std::max(1, tensor * ulysses * context * data / holding);
  sizes[Axis::Expert] = expert;
  sizes[Axis::ExpertTensor] = expert_tensor_ranks();
  sizes[Axis::ExpertReplicate] = std::gcd(copies, sizes[Axis::Replicate]);
  sizes[Axis::ExpertShard] = copies / sizes[Axis::ExpertReplicate];
  return Mesh(sizes, outermost);
}

/// How tokens choose their experts, and what of them travels.
struct RoutingSpec {
  int dispatch_bytes = 2;      // of an element on its way to the experts
  double capacity = 0;         // tokens that an expert takes at most, over the mean; 0: all
  bool pads = false;           // to the capacity, so that all experts compute as much
  std::vector<int> load{};     // of each expert, relative, or of each of each layer; empty: zipf's
  double zipf = 0;             // the i-th most wanted expert is wanted i^-zipf times as often
  int seed = 1;                // of which expert that is
  bool zipf_by_layer = false;  // in each layer others
  bool weighs_inside = false;  // tokens are weighted behind the activation, not in the sum
  int most_nodes = 0;          // that hold the experts of a token; 0: any number
  NodeChoice nodes = NodeChoice::Best;  // which these are
};

/// The schedule that the user writes as a grid.
inline constexpr std::string_view kGridSchedule = "grid";

/// How the loss is made of logits.
enum class Loss { InPlace, Eager, EagerNarrow, Sharded, Fused, FusedWide };
template <>
inline constexpr auto kNames<Loss> = std::to_array<Named<Loss>>({{Loss::InPlace, "in-place"},
                                                                 {Loss::Eager, "eager"},
                                                                 {Loss::EagerNarrow, "eager-16bit"},
                                                                 {Loss::Sharded, "eager-sharded"},
                                                                 {Loss::Fused, "fused"},
                                                                 {Loss::FusedWide, "fused-fp32"}});
/// Bytes of a logit that it holds.
constexpr int held_bytes(Loss loss) {
  switch (loss) {
    case Loss::Eager:
      return 12;
    case Loss::Sharded:
      return 10;
    case Loss::Fused:
      return 2;
    default:
      return 6;
  }
}

struct TrainingSpec {
  std::string framework;    // whose ways hold where nothing else is said; empty: none's
  int global_batch = 1;     // sequences per step
  int micro_batch = 1;      // sequences per microbatch
  int sequence_length = 1;  // tokens
  int decoder_length = 0;   // of an encoder-decoder: its decoder's; 0: as long as the encoder's
  Precision precision = Precision::Bf16;
  Recompute recompute = Recompute::None;
  std::vector<RecomputePart> recompute_parts{};  // of Selective; none named: unfused attention
  std::vector<int> recompute_layers{};  // of each chunk, its first: of all stages, or of each; all
  int recompute_unit = 1;               // layers of which Full keeps one input
  bool recompute_early_stop = false;    // what nothing in backward needs is not computed again
  AttentionKind attention = AttentionKind::Flash;
  std::vector<UnfusedPart> unfused{};
  bool accumulates_apart = false;  // gradients are added to their sums by passes of their own
  int attention_window = 0;        // positions that one attends to, with itself; 0: all before it
  std::map<int, double> documents{};  // in a sequence: lengths, and how many of each; empty: one
  bool dropout = false;
  bool causal_flops = false;  // count half of the attention square as model FLOPs
  Fp8Recipe fp8_recipe = Fp8Recipe::Delayed;
  Fp8Amax fp8_amax = Fp8Amax::Own;
  bool fp8_transposes = true;  // operands are written transposed, too, where backward needs them so
  std::vector<NarrowPart> kept_narrow{};  // activations that are kept below 16 bits
  std::vector<CastMaker> fused_casts{};   // whose output comes out quantised
  bool narrow_weights = false;            // there are none in 16 bits that products use narrow
  int wide_first_layers = 0;  // whose products stay in 16 bits, and likewise the last ones
  int wide_last_layers = 0;
  bool wide_head = true;  // so does what makes logits
  OptimizerSpec optimizer;
  LoraSpec lora;
  std::vector<FrozenPart> frozen{};
  int frozen_layers = 0;   // the first ones, whole
  int gradient_bytes = 4;  // per parameter: fp32 gradients as Megatron keeps them
  std::vector<GradientPass> gradient_passes{};  // once a step, beside the optimizer's kernel
  bool gradient_copy = false;                   // in 16 bits, of all weights, beside sums in fp32
  bool placeholders = false;      // an empty 16-bit gradient for each shape of a layer's weights
  Loss loss = Loss::InPlace;      // as Megatron has it
  std::string schedule = "1f1b";  // a row of schedule_table(), or kGridSchedule
  std::vector<std::vector<Action>> grid{};  // by stage: what kGridSchedule does
  Deal grid_deal = Deal::InTurn;            // of its chunks
  int chunks = 1;                           // virtual stages per stage
  bool frees_before_weights = false;        // what I alone needs is given up before W
  std::optional<double> tokens;             // of the whole run
  RoutingSpec routing;                      // of tokens to experts
  Bytes memory_reserve;                     // of a GPU, for what is no tensor of the plan

  int decoder_tokens() const { return decoder_length > 0 ? decoder_length : sequence_length; }
  bool keeps_narrow(NarrowPart part) const {
    return std::find(kept_narrow.begin(), kept_narrow.end(), part) != kept_narrow.end();
  }
  /// Whether that runs in passes of its own.
  /// Of loss and fused casts, what somebody asked for where the framework does otherwise, in words.
  std::string own_ways{};
  bool splits(UnfusedPart part) const {
    return std::find(unfused.begin(), unfused.end(), part) != unfused.end();
  }
  /// Whether some weights are not trained.
  bool trains_less() const { return lora.is_there() || !frozen.empty() || frozen_layers > 0; }
};

/// Algorithms and protocols asked for instead of what would be chosen, wherever they can carry out
/// what a step needs.
struct CommunicationSpec {
  ForcedChoice tensor;
  ForcedChoice data;     // and of embedding groups
  ForcedChoice expert;   // of tokens to experts
  Seconds timeout{600};  // for which one may hang on a link that is down until it is given up
};

/// Everything about the step but the machine.
struct Workload {
  ModelSpec model;
  ParallelismSpec parallelism;
  TrainingSpec training;
  CommunicationSpec communication;
  OffloadSpec offload;
  HostSpec host;
  CollectiveMode collectives = CollectiveMode::Steady;
  FoldMode fold = FoldMode::Exact;

  /// Microbatches that every replica runs in one step.
  int microbatches() const {
    return training.global_batch / (training.micro_batch * parallelism.data);
  }
  /// Layers that lie there (layer_split.cpp).
  int layers_at(PlacedChunk at) const;
  /// Layers of all chunks of `stage`.
  int stage_layers(int stage) const;
  /// Of an encoder-decoder over several stages, the first that holds the decoder's layers; 0: none.
  int decoder_stage() const;
  /// Whether what lies there comes behind an encoder, on stages of its own.
  bool decodes(PlacedChunk at) const {
    const int first = decoder_stage();
    return first > 0 && at.stage >= first;
  }
  /// Arrays as long as the encoder's that go from stage to stage of the decoder: its own, and the
  /// encoder's output.
  double decoder_arrays() const {
    return 1 + static_cast<double>(training.decoder_tokens()) / training.sequence_length;
  }
  /// Whether the layers that predict more lie there: with the head, or on the part before it.
  bool predicts(PlacedChunk at) const {
    const int behind = parallelism.prediction_before_head ? 1 : 0;
    return model.prediction_layers > 0 && placement().part(at) == placement().parts() - 1 - behind;
  }
  /// Arrays that go from there to the part that follows, and whose gradients come back: of a
  /// decoder the encoder's output, too, on which all its stages draw; and what each layer that
  /// predicts more made, where its logits are behind.
  double arrays_behind(PlacedChunk at) const {
    return decodes(at)                                          ? decoder_arrays()
           : parallelism.prediction_before_head && predicts(at) ? 1 + model.prediction_layers
                                                                : 1;
  }
  /// Whether tokens are embedded there: at the model's beginning, and at its decoder's.
  bool embeds(PlacedChunk at) const {
    return placement().is_first(at) || (at.stage > 0 && at.stage == decoder_stage());
  }
  /// The stages that hold the table of tokens; of two copies of the model those of the first. One
  /// that holds it for the embedding and for the head holds it once.
  std::vector<int> table_stages() const;
  /// Whether the layers that predict more hold a copy of it, because their stage has none besides.
  bool prediction_copies_table() const;
  /// Its embedding groups are those stages.
  Mesh mesh() const {
    Mesh made = parallelism.mesh();
    if (std::vector<int> stages = table_stages(); stages.size() > 1) {
      made.join(std::move(stages));
    }
    return made;
  }
  /// The schedule; none where it is the user's grid.
  const ScheduleRow* schedule() const {
    return training.schedule == kGridSchedule ? nullptr : &schedule_named(training.schedule);
  }
  Placement placement() const {
    const ScheduleRow* row = schedule();
    return {parallelism.pipeline, training.chunks, row != nullptr ? row->deal : training.grid_deal};
  }
  ScheduleShape schedule_shape() const {
    return {placement(), microbatches(), parallelism.overlap_pairs};
  }
  /// What `stage` does, in order.
  std::vector<Action> actions(int stage) const {
    const ScheduleRow* row = schedule();
    return row != nullptr ? row->actions(schedule_shape(), stage)
                          : training.grid[static_cast<std::size_t>(stage)];
  }
  /// Those of the encoder, of an encoder-decoder.
  double tokens_per_step() const {
    return static_cast<double>(training.global_batch) * training.sequence_length;
  }
};

/// A broken relation between values: to be shown at the first of these keys or sections of the
/// scenario, or at another that the user set apart from the file.
struct WorkloadProblem {
  std::vector<std::string> keys;
  std::string message;
  std::string hint;
};

/// What keeps a node from copying to its host and back.
std::optional<WorkloadProblem> offload_problem(const OffloadSpec& offload,
                                               const TopologySpec& topology);
/// Of the length of a sequence, of who shares it, and of masks.
std::vector<WorkloadProblem> sequence_problems(const Workload& workload);
/// Of widths of products below 16 bits, and of what is trained.
std::vector<WorkloadProblem> width_problems(const Workload& workload);
/// What keeps a GPU from running in the workload's precision.
std::optional<WorkloadProblem> precision_problem(const Workload& workload, const GpuSpec& gpu);
/// ... or from the attention asked for.
std::optional<WorkloadProblem> attention_problem(const Workload& workload, const GpuSpec& gpu);

/// All relations that `workload` breaks on `gpus` GPUs of kind `gpu`; empty if it can run.
std::vector<WorkloadProblem> problems(const Workload& workload, int gpus, const GpuSpec& gpu);

}  // namespace danlu
