// What was drawn, in a line.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "sim/report/plan_text.hpp"
#include "tests/support/random_steps.hpp"

namespace danlu::testing {
namespace {

std::string_view name_of(const ForcedChoice& forced) {
  return forced.algorithm ? danlu::name_of(*forced.algorithm) : "auto";
}

}  // namespace

std::string describe(const Case& drawn) {
  const TopologySpec& c = drawn.cluster.topology;
  const Workload& w = drawn.workload;
  const ParallelismSpec& p = w.parallelism;
  std::vector<std::string_view> units;
  for (const UnitPart part : p.sharding.units) {
    units.push_back(danlu::name_of(part));
  }
  return fmt::format(
      "{} GPUs, {} a node, {} NICs, scale-up {}, fabric {}, {} nodes a leaf, oversubscription {}, "
      "tensor {} pipeline {} data {}, sequence {} zero {} scatter {} overlap {}/{} pieces {}, "
      "schedule {} chunks {}, {} microbatches, {} layers, recompute {}, tied {}, collectives {}, "
      "algorithms {}/{}, slow GPUs {}, NICs {}, scale-up {}, leaves {}, routing {}, other nodes "
      "{}, "
      "{} throttle, {} flaps, jitter {}; sharding over {} in units of {}, prefetch {}/{}, units "
      "{}, "
      "window {}, {} lengths of documents, reshard {}, "
      "reduce {}; context {} by {}, ulysses {}, pairs {}; {} parts in units of {} "
      "computed again, offloaded: optimizer {} in {}, {} layers; {} experts of which {}, over "
      "{} x {} ranks by {}, zipf {}, capacity {}; outermost {}; {}",
      drawn.cluster.gpus, c.gpus_per_node, c.nics_per_node, static_cast<int>(c.scale_up),
      static_cast<int>(c.fabric), c.nodes_per_leaf, c.oversubscription, p.tensor, p.pipeline,
      p.data, p.sequence, p.zero, p.scatter_gather, static_cast<int>(p.overlap_tensor),
      p.overlap_data, p.tensor_chunks, w.training.schedule, w.training.chunks, w.microbatches(),
      w.model.layers, static_cast<int>(w.training.recompute), w.model.tied_embeddings,
      static_cast<int>(w.collectives), name_of(w.communication.tensor),
      name_of(w.communication.data), fmt::join(drawn.cluster.degraded.gpus, " "),
      fmt::join(drawn.cluster.degraded.nics, " "), fmt::join(drawn.cluster.degraded.scale_up, " "),
      fmt::join(drawn.cluster.degraded.leaves, " "), static_cast<int>(c.routing),
      fmt::join(drawn.cluster.kind_of_node, " "), drawn.cluster.degraded.throttle.size(),
      drawn.cluster.degraded.flaps.size(), drawn.cluster.degraded.jitter.spread,
      p.sharding.ranks.value_or(p.data), p.sharding.unit_layers, p.sharding.units_ahead(true),
      p.sharding.units_ahead(false), fmt::join(units, " "), w.training.attention_window,
      w.training.documents.size(), name_of(p.sharding.reshard), name_of(p.sharding.reduce),
      p.context, name_of(p.context_exchange), p.ulysses, p.overlap_pairs,
      w.training.recompute_parts.size(), w.training.recompute_unit, w.offload.optimizer,
      w.offload.pieces, w.offload.activation_layers, w.model.experts.count,
      w.model.experts.per_token, p.expert, p.expert_tensor_ranks(), name_of(p.expert_exchange),
      w.training.routing.zipf, w.training.routing.capacity, name_of(p.outermost),
      precision_line(w));
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace danlu::testing
