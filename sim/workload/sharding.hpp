// What of a model's state is split over the ranks that would hold it alike, and over which of them:
// ZeRO (Rajbhandari et al. 2020), FSDP (Zhao et al. 2023), HSDP and MiCS over a part of them.
//
//   zero   split                  exchanged
//   0      nothing                gradients summed, once a step
//   1      optimizer state        gradients scattered and weights gathered, once a step
//   2      and gradients          gradients scattered in backward, weights gathered once
//   3      and weights (FSDP)     gradients scattered in backward, weights gathered for passes
//
// With `ranks` below the data-parallel ranks every shard is there several times: gradients are
// scattered within each part and then summed between parts.
//
//   data rank     0   1   2   3 | 4   5   6   7           data 8, ranks 4
//   shard         0   1   2   3 | 0   1   2   3
#pragma once

#include <optional>
#include <vector>

#include "sim/base/names.hpp"
#include "sim/collective/collective.hpp"
#include "sim/workload/mesh.hpp"

namespace danlu {

struct ParallelismSpec;

/// When weights that were gathered are given up again.
enum class Reshard { AfterForward, AfterBackward, AfterStep };
template <>
inline constexpr auto kNames<Reshard> =
    std::to_array<Named<Reshard>>({{Reshard::AfterForward, "forward"},
                                   {Reshard::AfterBackward, "backward"},
                                   {Reshard::AfterStep, "step"}});

/// How often gradients are reduced.
enum class Reduce { EveryMicrobatch, OncePerStep };
template <>
inline constexpr auto kNames<Reduce> = std::to_array<Named<Reduce>>(
    {{Reduce::EveryMicrobatch, "microbatch"}, {Reduce::OncePerStep, "step"}});

/// What is a unit: weights that travel together. Attention and MLP are parts of a layer, experts of
/// its MLP. Model: nothing else is one.
enum class UnitPart { Model, Embedding, Layer, Attention, Mlp, Experts, Head };
template <>
inline constexpr auto kNames<UnitPart> =
    std::to_array<Named<UnitPart>>({{UnitPart::Model, "model"},
                                    {UnitPart::Embedding, "embedding"},
                                    {UnitPart::Layer, "layer"},
                                    {UnitPart::Attention, "attention"},
                                    {UnitPart::Mlp, "mlp"},
                                    {UnitPart::Experts, "experts"},
                                    {UnitPart::Head, "head"}});

/// How ZeRO is carried out; all but `ranks` with ZeRO-2 and -3 alone.
struct ShardingSpec {
  std::optional<int> ranks;                 // data-parallel ranks that share; none: all
  int unit_layers = 1;                      // layers whose weights and gradients travel together
  int prefetch = 1;                         // units gathered ahead of the one that computes
  std::optional<int> backward_prefetch;     // likewise in backward passes; none: as in forward
  Reshard reshard = Reshard::AfterForward;  // ZeRO-3
  std::vector<UnitPart> units{UnitPart::Layer};  // each by itself (shard_units.hpp)
  bool keeps_root = true;  // of it what a stage holds of the model's ends stays longer
  Reduce reduce = Reduce::EveryMicrobatch;
  bool scatters = true;    // ZeRO-1: gradients, once a step; else each rank sums them all
  int gather_bytes = 2;    // of a weight on its way
  int reduce_bytes = 4;    // of a gradient on its way
  bool keeps_copy = true;  // of its shard of the weights in 16 bits, beside the fp32 master weights

  bool has_unit(UnitPart part) const;
  int units_ahead(bool forward) const {
    return forward ? prefetch : backward_prefetch.value_or(prefetch);
  }
};

/// Over which axes the optimizer's state is split, of weights of which there are copies along
/// `copies` (Weight::copies).
AxisSet shard_axes(const ParallelismSpec& parallelism, AxisSet copies);

/// Into how many shards what a rank holds of such weights is cut.
struct Shards {
  int weights = 1;
  int gradients = 1;
  int optimizer = 1;
};
Shards shards_of(const ParallelismSpec& parallelism, AxisSet copies);

/// Whether 16-bit weights are only there while they are gathered; between, the fp32 master weights
/// are what a rank has of them.
bool casts_on_gather(const ParallelismSpec& parallelism);

/// A collective that sums the gradients of such weights, of `share` of their bytes.
struct GradientSum {
  AxisSet axes;
  CollectiveOp op = CollectiveOp::AllReduce;
  double share = 1;
};
/// One after the other: scattered over those that split them, and summed over the others.
std::vector<GradientSum> gradient_sums(const ParallelismSpec& parallelism, AxisSet copies);

}  // namespace danlu
