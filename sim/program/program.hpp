// What the ranks of one tensor-parallel group do in one pass through one chunk: stretches of
// compute and exchanges, with who waits for whom. The group's ranks move in lock-step. Written from
// the blocks (block.hpp) by one walk forwards and one backwards, whatever is in them. No times: a
// GPU gives kernels theirs (compute_times).
//
//   forward of one layer, sequence parallel   compute  norm  QKV..proj  drop,norm  up..down  drop
//                                                tensor      gather   scatter     gather  scatter
//
// Compute is one stream, and the exchanges over each set of axes are another, as each group has a
// communicator of its own; copies to the host and from there are one each. Segments of one stream
// run in list order; a segment also waits for the segments in `after`.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "sim/schedule/action.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {

/// A collective, as often as the step makes it.
struct Demand {
  CollectiveOp op = CollectiveOp::AllReduce;
  Bytes bytes;                             // of the whole array
  std::optional<ExpertRouting> routing{};  // of a dispatch
  bool operator==(const Demand&) const = default;
};

/// A stretch of compute, or one exchange.
struct Segment {
  std::string name;
  bool is_compute = true;
  Kernels kernels{};               // compute only
  bool again = false;              // compute only: recomputation
  AxisSet axes{};                  // exchange only, as all below
  Span span = Span::All;           //
  Demand demand;                   //
  std::vector<std::size_t> after;  // earlier segments of the same program
  bool needs_counts = false;       // Way::needs_counts
  bool beside = false;             // of a pair: of its second action
  int layer = 0;                   // of a pair: visited by its action before this one
  bool routes = false;             // compute only: Operator::routes
  bool operator==(const Segment&) const = default;

  /// The groups that make an exchange.
  GroupSort sort() const { return {axes, span}; }
  /// The stream that it runs on: that of its groups; compute has one of its own.
  GroupSort stream() const { return is_compute ? GroupSort{AxisSet{}} : sort(); }
};

/// One pass. `layer_ends[i]` is the number of segments up to the end of the i-th layer visited; the
/// pass can be cut there, since nothing of a layer is pending at its end; a pair never.
struct Program {
  std::vector<Segment> segments;
  std::vector<std::size_t> layer_ends;
  bool operator==(const Program&) const = default;
};

/// What of the model a chunk holds: the kinds of its layers (of ModelBlocks::kinds), and which of
/// the model's ends. The first of a decoder that lies behind an encoder embeds tokens, too.
struct Chunk {
  std::vector<LayerKindId> layers;
  bool first = false;
  bool last = false;
  bool takes_gradient = true;  // of its output
  bool decodes = false;        // behind an encoder, whose output comes with its input, and goes on
  double arrays = 1;           // that arrive from the part before, each as large as a boundary
  double gradients = 1;        // the same of those that come back from the part behind
  auto operator<=>(const Chunk&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// What lies there of the model.
Chunk chunk_at(const Workload& workload, const ModelBlocks& model, PlacedChunk at);

/// What a pass exchanges of the units of its weights: gathers weights that are split, the model's
/// ends and the layers; reduces gradients.
struct UnitExchanges {
  bool gathers_root = false;
  bool gathers_layers = false;
  bool reduces = false;
  auto operator<=>(const UnitExchanges&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// What an action does with it: forward; or backward, with the recomputation that the blocks ask
/// for, the gradients of the inputs (I), those of the products' weights (W), or both (B). What is
/// gathered once more for a weight's gradient is gathered with that.
Program make_program(const Workload& workload, const ModelBlocks& model, const Chunk& chunk,
                     ActionKind kind, const UnitExchanges& made = {});

/// Two passes side by side, as one (pair.cpp).
Program paired(const Program& first, const Program& second);

/// What compute takes, by segment; nothing for exchanges.
std::vector<ComputeTime> compute_times(const Program& program, const KernelTimer& timer);

}  // namespace danlu
