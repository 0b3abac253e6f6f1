// What one GPU must hold: weights, gradients and what the optimizer keeps of them (optimizer.hpp),
// of which ZeRO-1 divides the last by the data-parallel ranks.
// ZeRO-2 divides the gradients as well, ZeRO-3 the weights; FSDP keeps no 16-bit copy of its shard,
// and so 16 bytes a parameter. What is gathered while it is used comes on top.
//
// Activations of one layer and one microbatch (Korthikanti et al. 2022, table 2, general
// widths):
//
//   s b [ 10 h / (t if sequence parallel)  +  (2(q+2k) + 2q + 4f) / t  +  5 a s / t ]
//          norms, inputs, dropouts             attention, MLP           unfused scores
//
// Selective recomputation and fused attention drop the last term, full recomputation keeps only the
// layer's input 2 s b h; without dropout its masks fall away. What each named part of recomputation
// keeps is derived from the layer's operators (recompute.cpp).
//
// What is offloaded (offload.hpp) is in the host's memory: the state with the master copy and a
// buffer for gradients; activations of the layers that are copied, but for two at once.
//
// Memory over time goes by the stage's actions: forward of a microbatch adds what it keeps, the
// action that is done with it takes that away. What backward makes again is there while it runs. An
// action frees its logits before a layer is made again: the larger of both counts. Where weights'
// gradients are made apart from their sums, so does the head's, with the gradient of the logits.
//
// What frameworks hold beside, where one is named (training.framework): gradients in 16 bits beside
// their sums (training.gradient_copy), empty ones (training.placeholders), and those of
// activations, of the widest operator of a layer: of what it takes and what it makes, which
// autograd has at once.
//
// MemoryUse::reserved() is what an allocator has taken from the card for that, ::outside what the
// card holds beside. Neither is in peak(): training.memory_reserve is for both, and for the
// workspaces of libraries, which are not counted, for want of a source that says how much.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/schedule/action.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {

/// What a rank holds during one of its actions, or two side by side, beside weights, gradients and
/// optimizer state.
struct HeldDuring {
  Action action;
  std::optional<Action> beside{};
  int forwards = 0;   // that it has begun by then
  Bytes activations;  // kept from forward to backward, all microbatches in flight
  Bytes logits;       // likewise; or their gradient, and that of the head's weight
  Bytes again;        // what backward has made again
  Bytes flowing;      // gradients of what one operator takes and makes, of a framework
  Bytes buffers;      // of a layer's exchanges: other ranks' keys and values
  Bytes on_host;      // activations that were copied there, of this rank; not in total()

  Bytes total() const { return activations + logits + again + flowing + buffers; }
  /// "0B1", "0F3;1B0"
  std::string during() const { return action.text() + (beside ? ";" + beside->text() : ""); }
};

/// Of a rank of a stage, at the moment at which it holds most.
struct MemoryUse {
  HeldDuring moment;
  Bytes parameters;
  Bytes gradients;
  Bytes optimizer;
  Bytes gathered;     // weights that are split, of the units in flight, and a unit's gradients
  Bytes framework{};  // gradients beside those, of the framework
  Bytes outside{};    // what a card holds that no framework allocates; not in peak()
  Bytes host{};       // what the rank keeps in the memory of its host, at most; not in peak()
  int stage = 0;

  Bytes peak() const {
    return parameters + gradients + optimizer + gathered + framework + moment.total();
  }
  /// peak(), and what PyTorch's allocator keeps of the card beside: freed blocks that nothing fits
  /// into.
  Bytes reserved() const;
  /// What nvidia-smi says, roughly.
  Bytes card() const { return reserved() + outside; }
};

/// A block that lies on a stage.
struct HeldBlock {
  const Block* block = nullptr;
  bool is_layer = false;  // else of the model's ends
};
/// Those of a chunk, a layer as often as it lies there, ...
std::vector<HeldBlock> blocks_of(const Workload& workload, const ModelBlocks& model,
                                 PlacedChunk at);
/// ... and of all chunks of `stage`.
std::vector<HeldBlock> blocks_of(const Workload& workload, const ModelBlocks& model, int stage);

/// Parameters that one rank of `stage` trains, by Weight::split; ...
std::map<AxisSet, double> trained_weights(const Workload& workload, const ModelBlocks& model,
                                          int stage);
/// ... and all that live there.
double rank_parameters(const Workload& workload, int stage);

/// Bytes of a parameter as it lies between passes, with copies that narrow products use: the value
/// and its transpose. ZeRO-3 makes these as it gathers.
double kept_bytes(const Workload& workload, const Weight& weight);
/// Bytes of a parameter that is gathered for a pass.
double gathered_bytes(const Workload& workload, const Weight& weight);
/// Bytes of a parameter that ZeRO-1 and -2 gather when it has been updated.
double updated_bytes(const Workload& workload, const Weight& weight);

/// What a rank of `stage` holds during each of its actions, in order; a pair is one.
std::vector<HeldDuring> memory_over_time(const Workload& workload, const ModelBlocks& model,
                                         int stage);

/// The most that a rank of each stage holds, ...
std::vector<MemoryUse> memory_by_stage(const Workload& workload);
/// ... and of all stages, the first that holds most.
MemoryUse memory_use(const Workload& workload);

/// Memory per rank for `parameters` in mixed precision with ZeRO `stage` 0 to 3 over `ranks`,
/// `gradient_bytes` per parameter (2 in the ZeRO paper, 4 in Megatron).
Bytes zero_memory(double parameters, double ranks, int stage, double gradient_bytes);

}  // namespace danlu
