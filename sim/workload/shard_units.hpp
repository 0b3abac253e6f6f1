// The units of FSDP and ZeRO-2 in one pass: weights that are gathered together, and whose gradients
// are reduced together, as fully_shard and wrap policies make them of modules. A unit holds what of
// its module no unit inside it holds; what none holds is the root's, which is there all through a
// pass (Zhao et al. 2023, section 4.2.1).
//
//   units: [layer, attention, mlp]        a layer's steps, with the units that hold their weights
//
//   layer      norm |                      | norm |              |      two norms
//   attention       | QKV .. projection    |      |              |
//   mlp             |                      |      | up .. down   |
//
// A pass is cut into stretches where another innermost unit begins. A unit is entered, once its
// weights are there, before its first stretch, and left behind its last one. What backward computes
// again needs the weights of all that is in it: such units are entered before they are due.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "sim/workload/model_blocks.hpp"

namespace danlu {

/// Weights that travel together.
struct ShardUnit {
  std::map<AxisSet, double> gathered;  // bytes, by the weights' copies
  std::map<AxisSet, double> trained;   // parameters, likewise
  std::size_t first = 0;               // of the stretches of the pass
  std::size_t last = 0;
  int depth = 0;  // units that it lies in
  bool takes_gradient = false;
  bool stays = false;  // from forward to backward where the root does: the model's head

  /// Adds what steps [first, end) of a block hold.
  void add(const Workload& workload, const Block& block, std::size_t first, std::size_t end);
};

/// Steps [first, end) of a block.
struct Stretch {
  const Block* block = nullptr;
  std::size_t first = 0;
  std::size_t end = 0;
  std::size_t entered = 0;  // how many units are when it begins
  bool is_layer = false;    // else one of the model's ends
  bool begins_block = false;
  bool ends_block = false;
  std::vector<const Block*> again{};  // layers before it that backward computes again first
};

/// What a chunk holds, in the order in which a pass visits it: units as they are entered.
struct UnitsOfPass {
  std::vector<Stretch> stretches;
  std::vector<ShardUnit> units;
  ShardUnit root;
  bool root_has_layers = false;  // or parts of them; else the model's ends alone
};

/// What lies in a chunk: layers, and which of the model's ends.
struct HeldByChunk {
  const std::vector<LayerKindId>& layers;
  bool first = false;
  bool last = false;
  bool decodes = false;  // what is first there is the decoder's
};

enum class PassOrder { Forward, Backward, Weights };  // the last: backward, nothing computed again
UnitsOfPass units_of_pass(const Workload& workload, const ModelBlocks& model,
                          const HeldByChunk& chunk, PassOrder order);

}  // namespace danlu
