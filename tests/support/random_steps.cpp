#include "tests/support/random_steps.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>

#include "sim/collective/algorithms.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

TopologySpec random_topology(Dice& dice) {
  constexpr std::array kSizes{1, 2, 3, 4, 4, 6, 8, 8};
  TopologySpec spec{.name = "random", .gpus_per_node = kSizes[dice.below(8)]};
  spec.scale_up = dice.coin() ? ScaleUpKind::Switch : dice.one_of(ScaleUpKind::None);
  for (int first = 0; first < spec.gpus_per_node; ++first) {  // only read for a mesh: all to all
    for (int second = first + 1; second < spec.gpus_per_node; ++second) {
      spec.mesh_links.push_back({first, second, dice.between(1, 2)});
    }
  }
  spec.scale_up_bandwidth = BytesPerSecond{dice.between(1, 6) * 5e10};
  spec.scale_up_efficiency = 0.8;
  spec.scale_up_latency = dice.coin() ? Seconds{} : 3_us;
  spec.pcie_bandwidth = BytesPerSecond{dice.between(1, 4) * 1e10};
  spec.nics_per_node = dice.between(1, spec.gpus_per_node);
  if (spec.scale_up == ScaleUpKind::Mesh && dice.coin()) {  // islands: pairs
    std::erase_if(spec.mesh_links,
                  [](const MeshLink& link) { return link.first / 2 != link.second / 2; });
  }
  if (dice.coin()) {  // two NICs a GPU
    spec.nic_cards = 2 * spec.nics_per_node;
    spec.ports_per_nic = 2;
  }
  spec.nic_bandwidth = BytesPerSecond{dice.between(1, 8) * 5e9};
  spec.fabric = dice.one_of(FabricKind::Switch);
  spec.nodes_per_leaf = dice.between(1, 4);
  spec.oversubscription = dice.between(1, 4);
  spec.fabric_latency = dice.coin() ? Seconds{} : 10_us;
  spec.hop_latency = dice.coin() ? Seconds{} : 1_us;
  spec.collective_launch = dice.coin() ? Seconds{} : 8_us;
  spec.nccl_tuning = dice.coin();
  spec.scale_up_reduction_efficiency = dice.coin() ? 0 : 0.7;
  spec.scale_up_reduction_cap_share = dice.coin() ? 0 : 0.9;
  spec.fabric_reduction_efficiency = dice.coin() ? 0 : 0.5;
  return spec;
}

ParallelismSpec random_parallelism(Dice& dice, int gpus) {
  ParallelismSpec p;
  do {  // not all GPUs in one long pipeline, which leaves nothing to fold
    p.pipeline = dice.divisor(gpus);
    p.tensor = dice.divisor(gpus / p.pipeline);
  } while (p.pipeline > 8 || (gpus > 8 && p.tensor == gpus));
  p.data = gpus / p.tensor / p.pipeline;
  p.sequence = dice.coin();
  p.zero = dice.between(0, 1);
  p.scatter_gather = dice.coin();
  p.overlap_tensor = dice.one_of(TensorOverlap::Full);
  p.tensor_chunks = dice.between(1, 4);
  p.overlap_data = dice.coin();
  p.overlap_weights = p.overlap_data;
  p.overlap_pipeline = dice.coin();
  return p;
}

Workload random_workload(Dice& dice, int gpus) {
  Workload w;
  ParallelismSpec& p = w.parallelism;
  p = random_parallelism(dice, gpus);
  TrainingSpec& t = w.training;
  t.chunks = p.pipeline > 1 && dice.coin() ? dice.between(1, 3) : 1;
  t.schedule = t.chunks == 1 && dice.between(0, 2) == 0 ? "gpipe" : "1f1b";
  const int microbatches = dice.between(1, 6);
  t.micro_batch = dice.between(1, 2);
  t.global_batch = t.micro_batch * p.data * microbatches;
  t.sequence_length = 64 * p.tensor;
  t.attention = dice.coin() ? AttentionKind::Flash : AttentionKind::Unfused;
  t.recompute = dice.one_of(Recompute::Full);
  if (t.recompute == Recompute::Selective) {
    t.attention = AttentionKind::Unfused;
  }
  const int layers = t.chunks * dice.between(1, 2);
  int all_layers = p.pipeline * layers;
  if (p.pipeline > 1 && dice.coin()) {  // the ends hold other numbers of layers
    p.first_stage_layers = t.chunks * dice.between(1, 3);
    p.last_stage_layers = t.chunks * dice.between(1, 3);
    all_layers = (p.pipeline - 2) * layers + *p.first_stage_layers + *p.last_stage_layers;
  } else if (dice.coin()) {  // or every stage
    all_layers = 0;
    for (int stage = 0; stage < p.pipeline; ++stage) {
      p.stage_layers.push_back(t.chunks * dice.between(1, 3));
      all_layers += p.stage_layers.back();
    }
  }
  w.model = {.name = "random",
             .layers = all_layers,
             .hidden = 256 * p.tensor,
             .heads = 4 * p.tensor,
             .kv_heads = dice.coin() ? 4 * p.tensor : p.tensor,
             .head_dim = 64,
             .ffn = 1024 * p.tensor,
             .vocab = 1000,
             .positions = dice.coin() ? t.sequence_length : 0,
             .gated_mlp = dice.coin(),
             .tied_embeddings = dice.coin()};
  constexpr std::array kModes{CollectiveMode::Steady, CollectiveMode::Steady,
                              CollectiveMode::Formula, CollectiveMode::Stepwise};
  w.collectives = kModes[dice.below(4)];
  return w;
}

/// Any algorithm but nvls-sharp, which came later: the steps of old seeds stay what they were. Or
/// none is asked for; where one cannot be had a step does without.
ForcedChoice random_forced(Dice& dice) {
  ForcedChoice forced;
  if (dice.coin()) {
    const Algorithm drawn = dice.one_of(Algorithm::NvlsSharp);
    forced.algorithm = drawn == Algorithm::NvlsSharp ? Algorithm::Direct : drawn;
  }
  return forced;
}

/// A few slow GPUs, NICs and scale-up links.
DegradedSpec random_slow(Dice& dice, const ClusterSpec& cluster) {
  DegradedSpec degraded;
  const int nodes = cluster.nodes();
  for (int i = dice.between(0, 2); i > 0; --i) {
    degraded.gpus[dice.between(0, cluster.gpus - 1)] = 1 + 0.25 * dice.between(0, 4);
  }
  for (int i = dice.between(0, 2); i > 0; --i) {
    degraded.nics[dice.between(0, nodes * cluster.topology.nics_per_node - 1)] =
        0.25 * dice.between(1, 4);
  }
  for (int i = dice.between(0, 2); i > 0; --i) {
    degraded.scale_up[dice.between(0, cluster.gpus - 1)] = 0.25 * dice.between(1, 4);
  }
  return degraded;
}

/// Some nodes with another GPU and other rates.
void mix_nodes(Dice& dice, ClusterSpec& cluster) {
  TopologySpec other = cluster.topology;
  other.name = "other";
  other.scale_up_bandwidth = other.scale_up_bandwidth * (0.5 * dice.between(1, 3));
  other.nic_bandwidth = other.nic_bandwidth * (0.5 * dice.between(1, 3));
  other.fabric_latency = other.fabric_latency * dice.between(1, 2);
  other.collective_launch = dice.coin() ? Seconds{} : 20_us;
  cluster.others.push_back({other, load_gpu("h100", shipped_presets())});
  const int first = dice.between(0, cluster.nodes() - 1);
  for (int node = first; node <= dice.between(first, cluster.nodes() - 1); ++node) {
    cluster.kind_of_node[node] = 1;
  }
}

/// Dead NICs, and leaves with a share of their uplinks; all GPUs still reach each other.
void break_parts(Dice& dice, ClusterSpec& cluster) {
  if (dice.coin()) {
    cluster.topology.routing = Routing::Ecmp;
  }
  const int leaves = build_cluster(cluster).topology.count(VertexKind::Leaf);
  const DegradedSpec before = cluster.degraded;
  for (int tries = 0; tries < 10; ++tries) {
    for (int i = dice.between(0, 2); i > 0; --i) {
      const int nics = cluster.nodes() * cluster.topology.nics_per_node;
      cluster.degraded.nics[dice.between(0, nics - 1)] = 0;
    }
    if (leaves > 0) {
      cluster.degraded.leaves[dice.between(0, leaves - 1)] = 0.25 * dice.between(0, 3);
    }
    if (damage_problem(cluster).message.empty()) {
      return;
    }
    cluster.degraded = before;
  }
}

/// GPUs that throttle, some of them alike.
void add_throttles(Dice& dice, ClusterSpec& cluster) {
  constexpr std::array kPeriods{1e-4, 1e-3, 1e-2, 1e-1};
  const Throttle pace{.slowdown = 1 + 0.25 * dice.between(0, 4),
                      .period = {kPeriods[dice.below(4)]},
                      .share = 0.25 * dice.between(0, 4),
                      .phase = 0.25 * dice.between(0, 4)};
  for (int i = dice.between(1, 3); i > 0; --i) {
    Throttle own = pace;
    own.phase = dice.coin() ? pace.phase : 0;
    cluster.degraded.throttle[dice.between(0, cluster.gpus - 1)] = own;
  }
}

/// Links that go and come back within the first milliseconds, as long as most steps here take.
void add_flaps(Dice& dice, ClusterSpec& cluster) {
  constexpr std::array kUnits{1e-5, 3e-5, 1e-4};
  const double unit = kUnits[dice.below(3)];
  const auto add = [&](Flap::Part part, int number) {
    Seconds at{unit * dice.between(0, 100)};
    for (int i = dice.between(1, 2); i > 0; --i) {
      const Seconds length{unit * dice.between(1, 100)};
      const double share = dice.coin() ? 0 : 0.25 * dice.between(1, 3);
      cluster.degraded.flaps.push_back({part, number, at, length, share});
      at += length + Seconds{unit * dice.between(0, 50)};
    }
  };
  const int nic = dice.between(0, cluster.nodes() * cluster.topology.nics_per_node - 1);
  const auto found = cluster.degraded.nics.find(nic);
  if (found == cluster.degraded.nics.end() || found->second > 0) {
    add(Flap::Part::Nic, nic);
  }
  if (dice.coin()) {
    add(Flap::Part::ScaleUp, dice.between(0, cluster.gpus - 1));
  }
}

/// Faults that come and go within the step.
void add_step_faults(Dice& dice, Case& drawn) {
  if (dice.between(0, 2) == 0) {
    add_throttles(dice, drawn.cluster);
  }
  if (dice.between(0, 2) == 0 && drawn.workload.collectives != CollectiveMode::Formula) {
    add_flaps(dice, drawn.cluster);
  }
  if (dice.between(0, 9) == 0) {
    Jitter& jitter = drawn.cluster.degraded.jitter;
    jitter.spread = 0.01 * dice.between(1, 20);
    if (dice.coin()) {
      const int first = dice.between(0, drawn.cluster.gpus - 1);
      jitter.gpus[first] = dice.between(first, drawn.cluster.gpus - 1);
    }
  }
}

/// Some of the replicas' ranks share sequences instead, in one way, in another, or in both.
void add_context(Dice& dice, Workload& w) {
  ParallelismSpec& p = w.parallelism;
  const int sharing = dice.divisor(p.data);
  p.ulysses = dice.divisor(sharing);
  p.context = sharing / p.ulysses;
  w.training.global_batch /= sharing;
  p.data /= sharing;
  p.context_exchange = w.training.attention == AttentionKind::Flash
                           ? dice.one_of(ContextExchange::AllGather)
                           : ContextExchange::AllGather;
  w.training.sequence_length *= 2 * sharing;
  w.model.positions *= 2 * sharing;
  w.model.heads *= p.ulysses;
  w.model.kv_heads = dice.coin() ? w.model.kv_heads * p.ulysses : p.tensor;  // or copied
}

/// Any ZeRO stage, over any part of the data-parallel ranks.
void add_sharding(Dice& dice, Workload& w) {
  w.parallelism.zero = dice.between(0, 3);
  ShardingSpec& sharding = w.parallelism.sharding;
  if (dice.coin()) {
    sharding.ranks = dice.divisor(w.parallelism.data);
  }
  sharding.unit_layers = dice.between(1, 3);
  sharding.prefetch = dice.between(0, 2);
  sharding.backward_prefetch = dice.between(0, 2);
  sharding.reshard = dice.one_of(Reshard::AfterStep);
  sharding.keeps_root = dice.coin();
  sharding.reduce = dice.one_of(Reduce::OncePerStep);
  sharding.gather_bytes = dice.pick({1, 2, 4});
  sharding.reduce_bytes = dice.pick({2, 4});
}

/// Experts in some layers, in one way or another, evenly loaded or not.
void add_experts(Dice& dice, Case& drawn) {
  Workload& w = drawn.workload;
  ParallelismSpec& p = w.parallelism;
  ExpertsSpec& experts = w.model.experts;
  p.expert_tensor = dice.coin() ? std::optional<int>() : std::optional(dice.divisor(p.tensor));
  const int ranks = static_cast<int>(p.stage_ranks()) / p.expert_tensor_ranks();
  p.expert = dice.divisor(ranks);
  p.sequence = true;
  experts.count = p.expert * dice.between(1, 3);
  experts.per_token = dice.between(1, std::min(4, experts.count));
  experts.ffn = 256 * p.tensor;
  experts.shared_ffn = dice.coin() ? 512 * p.tensor : 0;
  experts.shared_gate = dice.coin();
  experts.dense_layers = dice.between(0, 2);
  experts.every = dice.between(1, 2);
  RoutingSpec& routing = w.training.routing;
  routing.zipf = 0.25 * dice.between(0, 4);
  routing.capacity = dice.coin() ? 0 : 1 + 0.25 * dice.between(0, 4);
  routing.pads = routing.capacity > 0 && dice.coin();
  routing.dispatch_bytes = dice.pick({1, 2});
  if (w.collectives != CollectiveMode::Stepwise && dice.coin()) {
    p.expert_exchange = TokenExchange::DeepEp;
    Workload plain = w;
    plain.communication = {};
    if (!forced_choice_problems(plain, build_cluster(drawn.cluster)).empty()) {
      p.expert_exchange = TokenExchange::AllToAll;
    }
  }
}

/// The least microbatches from `least` on with which a schedule runs; 0 where it never does.
int enough_microbatches(const ScheduleRow& row, const Placement& placement, int least) {
  for (int m = least; m <= least + 4 * placement.stages(); ++m) {
    if (row.obstacle({placement, m}).empty()) {
      return m;
    }
  }
  return 0;
}

/// A schedule of the table, with as many layers and microbatches as it needs.
void add_schedule(Dice& dice, Workload& w) {
  const std::span<const ScheduleRow> table = schedule_table();
  const ScheduleRow& row = table[dice.below(table.size())];
  const int chunks = row.chunks.value_or(w.training.chunks);
  const int microbatches = enough_microbatches(
      row, Placement(w.parallelism.pipeline, chunks, row.deal), w.microbatches());
  if (w.parallelism.pipeline == 1 || row.name == w.training.schedule || microbatches == 0) {
    return;
  }
  w.training.schedule = row.name;
  w.training.chunks = chunks;
  w.model.layers *= chunks;
  for (int& layers : w.parallelism.stage_layers) {
    layers *= chunks;
  }
  for (std::optional<int>* layers :
       {&w.parallelism.first_stage_layers, &w.parallelism.last_stage_layers}) {
    if (*layers) {
      **layers *= chunks;
    }
  }
  w.training.global_batch = w.training.micro_batch * w.parallelism.data * microbatches;
}

/// Passes side by side where the schedule can.
void add_pairs(Dice& dice, Workload& w) {
  Workload paired = w;
  paired.parallelism.overlap_pairs = true;
  const ScheduleRow& row = *w.schedule();
  if (row.can_pair && row.obstacle(paired.schedule_shape()).empty() && dice.coin()) {
    w = paired;
  }
}

/// `changed` where such a step can run.
void take_if_possible(const Workload& changed, const ClusterSpec& cluster, Workload& w) {
  if (problems(changed, cluster.gpus, cluster.gpu).empty()) {
    w = changed;
  }
}

/// Parts of layers, or layers in units, that are computed again; in some layers, by stage.
void add_recomputation(Dice& dice, const ClusterSpec& cluster, Workload& w) {
  Workload changed = w;
  TrainingSpec& t = changed.training;
  t.recompute = dice.one_of(Recompute::Full);
  if (t.recompute == Recompute::Selective) {
    for (const auto& [part, name] : kNames<RecomputePart>) {
      if (dice.coin()) {
        t.recompute_parts.push_back(part);
      }
    }
  }
  t.recompute_unit = dice.between(1, 3);
  for (int stage = dice.coin() ? 0 : w.parallelism.pipeline; stage < w.parallelism.pipeline;
       ++stage) {
    t.recompute_layers.push_back(dice.between(0, 3));
  }
  t.recompute_early_stop = dice.coin();
  take_if_possible(changed, cluster, w);
}

void add_offload(Dice& dice, const ClusterSpec& cluster, Workload& w) {
  Workload changed = w;
  changed.offload.optimizer = dice.coin();
  changed.offload.pieces = dice.between(1, 3);
  take_if_possible(changed, cluster, w);
  changed.offload.activation_layers = dice.between(0, 3);
  take_if_possible(changed, cluster, w);
}

/// Hosts from never late to always late.
void add_host(Dice& dice, Case& drawn) {
  HostSpec& host = drawn.workload.host;
  host.launch = dice.pick({0_us, 3_us, 30_us, 300_us});
  host.exchange = dice.pick({0_us, 20_us, 200_us});
  host.unit = dice.pick({0_us, 600_us});
  host.graphs = dice.one_of(CudaGraphs::Full);
  host.waits = dice.one_of(HostWait::AfterPass);
  host.reads_counts = dice.coin();
}

/// Products below 16 bits, other optimizers, parts that are frozen, adapters.
void add_widths(Dice& dice, Case& drawn) {
  TrainingSpec& t = drawn.workload.training;
  OptimizerSpec& optimizer = t.optimizer;
  optimizer.kind = dice.one_of(OptimizerKind::Muon);
  optimizer.state_bytes = dice.pick({1, 2, 4});
  optimizer.master = dice.coin();
  optimizer.momentum = dice.coin();
  if (dice.coin()) {
    drawn.cluster.gpu = load_gpu("b200", shipped_presets());
    for (NodeKind& other : drawn.cluster.others) {
      other.gpu = load_gpu("gb200", shipped_presets());
    }
    t.precision = dice.pick({Precision::Fp8, Precision::Mxfp8, Precision::Fp4});
    t.fp8_recipe = dice.one_of(Fp8Recipe::Blockwise);
    t.narrow_weights = dice.coin();
    t.fp8_amax = t.narrow_weights ? Fp8Amax::All : Fp8Amax::Own;
    t.fused_casts = dice.coin() ? std::vector{CastMaker::Norm, CastMaker::Activation}
                                : std::vector<CastMaker>{};
    t.wide_first_layers = drawn.workload.model.layers > 2 ? dice.between(0, 1) : 0;
    t.wide_last_layers = drawn.workload.model.layers > 2 ? dice.between(0, 1) : 0;
  }
  switch (dice.between(0, 3)) {
    case 0:
      t.lora.rank = 8 * dice.between(1, 4);
      t.lora.targets = dice.coin() ? std::vector{LoraTarget::AllLinear}
                                   : std::vector{dice.one_of(LoraTarget::O), LoraTarget::Down};
      t.lora.four_bit_base = !is_narrow(t.precision) && dice.coin();
      t.lora.dropout = dice.coin() ? 0.1 : 0;
      t.lora.wide = dice.coin();
      t.lora.fused = dice.coin();
      break;
    case 1:
      t.frozen_layers = dice.between(1, drawn.workload.model.layers);
      t.frozen = dice.coin() ? std::vector{FrozenPart::Embedding, FrozenPart::Head}
                             : std::vector<FrozenPart>{};
      break;
    case 2:
      t.frozen = {dice.pick({FrozenPart::Attention, FrozenPart::Mlp, FrozenPart::Norms})};
      break;
    default:
      break;
  }
}

/// Ways that came later: each where a step with it can run.
void add_ways(Dice& dice, const ClusterSpec& cluster, Workload& w) {
  const auto maybe = [&](const auto& change) {
    Workload changed = w;
    change(changed);
    if (dice.coin()) {
      take_if_possible(changed, cluster, w);
    }
  };
  maybe([](Workload& x) { x.parallelism.overlap_shared = x.model.experts.shared_ffn > 0; });
  maybe([](Workload& x) { x.parallelism.sums_whole = true; });
  maybe([](Workload& x) {
    if (x.parallelism.zero >= 2) {
      x.parallelism.sharding.units = {UnitPart::Embedding, UnitPart::Layer, UnitPart::Head};
    }
  });
  maybe([](Workload& x) {
    x.offload.gradients_in_backward = x.offload.optimizer && x.parallelism.zero >= 2;
  });
  maybe([](Workload& x) { x.training.routing.zipf_by_layer = true; });
  maybe([](Workload& x) { x.training.routing.nodes = NodeChoice::Random; });
  maybe([](Workload& x) {
    x.training.kept_narrow = {NarrowPart::Activation, NarrowPart::Attention};
  });
  maybe([](Workload& x) { x.training.frees_before_weights = true; });
  maybe([](Workload& x) {
    x.training.recompute = Recompute::Alternate;
    x.training.recompute_parts.clear();
  });
  maybe([](Workload& x) { x.parallelism.outermost = Outermost::Data; });
}

/// Units of anything, and masks of any attention.
void add_units_and_masks(Dice& dice, const ClusterSpec& cluster, Workload& w) {
  const auto maybe = [&](const auto& change) {
    Workload changed = w;
    change(changed);
    if (dice.coin()) {
      take_if_possible(changed, cluster, w);
    }
  };
  std::vector<UnitPart> units;
  for (const auto& [part, name] : kNames<UnitPart>) {
    if (part != UnitPart::Model && dice.coin()) {
      units.push_back(part);
    }
  }
  maybe([&](Workload& x) {
    x.parallelism.sharding.units = units.empty() ? std::vector{UnitPart::Model} : units;
  });
  const int part = dice.between(2, 8);
  maybe([&](Workload& x) { x.training.attention_window = x.training.sequence_length / part; });
  maybe([&](Workload& x) {
    const int whole = x.training.sequence_length;
    x.training.documents = {{whole / part, 3.0}, {whole, 1.0}};
  });
}

}  // namespace

Case random_case(std::uint64_t seed) {
  Dice dice(seed);
  Case drawn;
  drawn.cluster.topology = random_topology(dice);
  drawn.cluster.gpu = load_gpu("a100-80", shipped_presets());
  drawn.cluster.gpus = drawn.cluster.topology.gpus_per_node * dice.between(1, 8);
  if (dice.between(0, 7) == 0) {  // the last node is not full
    drawn.cluster.gpus = dice.between(1, drawn.cluster.gpus);
  }
  drawn.workload = random_workload(dice, drawn.cluster.gpus);
  drawn.workload.communication = {random_forced(dice), random_forced(dice)};
  if (dice.coin()) {
    drawn.cluster.degraded = random_slow(dice, drawn.cluster);
  }
  if (dice.between(0, 3) == 0) {
    mix_nodes(dice, drawn.cluster);
  }
  if (dice.between(0, 2) == 0) {
    break_parts(dice, drawn.cluster);
  }
  add_step_faults(dice, drawn);
  return drawn;
}

Case mixed_case(std::uint64_t seed) {
  Case drawn = random_case(seed);
  Dice dice(seed + 1000000);
  add_context(dice, drawn.workload);
  add_sharding(dice, drawn.workload);
  Dice schedules(seed + 2000000);
  add_schedule(schedules, drawn.workload);
  add_pairs(schedules, drawn.workload);
  Dice kept(seed + 3000000);
  if (kept.coin()) {
    add_recomputation(kept, drawn.cluster, drawn.workload);
  }
  if (kept.coin()) {
    add_offload(kept, drawn.cluster, drawn.workload);
  }
  const auto if_possible = [&](std::uint64_t stream, const auto& change) {
    Dice own(seed + stream);
    Case changed = drawn;
    change(own, changed);
    if (problems(changed.workload, changed.cluster.gpus, changed.cluster.gpu).empty()) {
      drawn = changed;
    }
  };
  if_possible(4000000, [](Dice& own, Case& changed) {
    if (own.coin()) {
      add_experts(own, changed);
    }
  });
  if_possible(5000000, add_widths);
  if_possible(6000000, add_host);
  Dice ways(seed + 7000000);
  add_ways(ways, drawn.cluster, drawn.workload);
  Dice units(seed + 8000000);
  add_units_and_masks(units, drawn.cluster, drawn.workload);
  return drawn;
}

Case other_kind_case(std::uint64_t seed) {
  const Case drawn = mixed_case(seed);
  Dice dice(seed + 6000000);
  constexpr int kKinds = 3;
  const int first = dice.between(0, kKinds - 1);
  for (int i = 0; i < kKinds; ++i) {  // the first that can run
    Case changed = drawn;
    ModelSpec& m = changed.workload.model;
    const int stages = changed.workload.parallelism.pipeline;
    switch ((first + i) % kKinds) {
      case 0:
        m.kind = ModelKind::EncoderDecoder;
        m.encoder_layers = stages > 1
                               ? first_layer(changed.workload, {dice.between(1, stages - 1), 0})
                               : dice.between(1, std::max(1, m.layers - 1));
        m.relative_positions = dice.coin() ? 32 : 0;
        break;
      case 1:
        m.kind = ModelKind::Encoder;
        m.token_types = dice.coin() ? 2 : 0;
        m.pooler = dice.coin();
        m.final_norm = dice.coin();
        m.embedding_norm = dice.coin();
        break;
      default:
        m.prediction_layers = dice.between(1, 2);
    }
    if (problems(changed.workload, changed.cluster.gpus, changed.cluster.gpu).empty()) {
      return changed;
    }
  }
  return drawn;
}

}  // namespace danlu::testing
