#include "tests/support/random_scenarios.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace danlu::testing {
namespace {

/// The degrees of a plan, which its other values must suit.
struct Degrees {
  int gpus = 8;
  int tensor = 1;
  int pipeline = 1;
  int chunks = 1;
  int microbatches = 1;

  int data() const { return gpus / tensor / pipeline; }
};

Degrees random_degrees(Dice& dice) {
  Degrees d;
  d.gpus = dice.pick({8, 16, 32, 64});
  d.tensor = dice.pick({1, 2, 4, 8});
  d.pipeline = dice.pick({1, 1, 2, 4, 8});
  while (d.gpus < d.tensor * d.pipeline) {
    d.pipeline /= 2;
  }
  d.chunks = d.pipeline > 1 && dice.coin() ? dice.between(2, 3) : 1;
  d.microbatches = d.pipeline * dice.between(1, d.pipeline > 2 ? 2 : 4);
  return d;
}

std::string random_model(Dice& dice, const Degrees& d) {
  const int layers = d.pipeline * d.chunks * dice.between(1, 3);
  if (dice.coin()) {
    return fmt::format("model: {{preset: {}, layers: {}}}\n",
                       dice.pick({"llama3-8b", "gpt2-xl", "llama2-70b", "gpt3-175b"}), layers);
  }
  std::string model = fmt::format("model:\n  layers: {}\n  hidden: {}\n  heads: 16\n  vocab: {}\n",
                                  layers, dice.pick({1024, 2048}), dice.pick({32000, 51200}));
  for (const char* key : {"kv_heads: 8", "ffn: 2816", "gated_mlp: true", "norm: rmsnorm",
                          "biases: false", "tied_embeddings: false", "positions: 2048"}) {
    model += dice.coin() ? fmt::format("  {}\n", key) : "";
  }
  return model;
}

/// Named one by one, so that a seed stays the same scenario when presets are added.
std::string random_topology(Dice& dice) {
  return dice.pick<const char*>(
      {"alibaba-hpn",    "ascend-910b",   "aws-p4d",        "aws-p5",          "aws-p5en",
       "aws-p6-b200",    "dgx-a100-40",   "deepseek-h800",  "dgx-a100",        "dgx-h100",
       "dgx1-p100",      "dgx1-v100",     "dgx2-v100",      "gaudi3",          "gb200-nvl72",
       "gb300-nvl72",    "gcp-a3-mega",   "h100-dragonfly", "h100-fat-tree-3", "h100-fat-tree",
       "h100-rail-only", "h100-superpod", "h100-switch",    "h100-torus-2d",   "h100-torus-3d",
       "hgx-a800",       "hgx-b200-xdr",  "hgx-b200",       "hgx-b300",        "hgx-h20",
       "hgx-h200",       "hgx-h800",      "lesson",         "meta-24k",        "mi300x",
       "p100-quad",      "pcie-a10",      "pcie-l20",       "pcie-l40s",       "pcie-rtx-4090",
       "pcie-rtx-a6000", "tpu-v4",        "tpu-v5p",        "tpu-v6e"});
}

std::string random_gpu(Dice& dice) {
  return dice.pick<const char*>(
      {"h100", "a800", "h20", "b200", "gb200", "mi300x", "tpu-v5p", "v100-32", "l40s",
       "{preset: h100, gemm: {efficiency: 0.7}}", "{memory: {bandwidth: 2x, capacity: 3x}}",
       "{peak_dense: {bf16: 1.5x}, kernel_launch: 3 us}", "{multiprocessors: 100}"});
}

bool is_one_of(std::string_view topology, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view begin) { return topology.starts_with(begin); });
}

/// What the topology's fabric has a use for, of some settings: others are refused.
std::string usable_fabric(std::string_view topology, std::string_view settings) {
  const bool is_tree = !is_one_of(topology, {"h100-torus", "h100-switch", "h100-dragonfly"});
  const bool has_rails =
      is_tree && !is_one_of(topology, {"aws", "gcp", "dgx1", "dgx2", "h100-fat-tree", "meta",
                                       "p100", "pcie", "tpu"});
  if (!is_tree && settings == "{oversubscription: 2, latency: 2x}") {
    return "{latency: 2x}";
  }
  const bool has_none = (settings == "{routing: ecmp}" && topology.starts_with("h100-torus")) ||
                        (settings == "{pxn: false}" && !has_rails);
  return has_none ? "" : std::string(settings);
}

std::string random_cluster(Dice& dice, const Degrees& d) {
  const bool mixed = d.gpus > 8 && dice.between(0, 7) == 0;
  const std::string topology = mixed ? "dgx-h100" : random_topology(dice);
  std::string cluster = fmt::format("cluster:\n  topology: {}\n  gpus: {}\n", topology, d.gpus);
  if (mixed) {
    return cluster + fmt::format("  mixed: {{1: {}}}\n", dice.pick({"dgx-a100", "hgx-h800"}));
  }
  cluster += dice.coin() ? fmt::format("  gpu: {}\n", random_gpu(dice)) : "";
  if (dice.coin()) {
    cluster += fmt::format("  node: {}\n",
                           dice.pick({"{nics: {bandwidth: 2x}}", "{pcie: {bandwidth: 0.5x}}",
                                      "{nics: {efficiency: 0.9}, power: 9 kW}",
                                      "{scale_up: {efficiency: 0.7, latency: 2x}}"}));
  }
  if (dice.coin()) {
    const char* settings = dice.pick({"{oversubscription: 2, latency: 2x}", "{routing: ecmp}",
                                      "{nodes_per_leaf: 2}", "{pxn: false}"});
    const std::string fabric = usable_fabric(topology, settings);
    cluster += fabric.empty() ? "" : fmt::format("  fabric: {}\n", fabric);
  }
  cluster += dice.between(0, 3) == 0 ? "  collective: {tuning: none, launch: 5 us}\n" : "";
  cluster += dice.coin() ? "  price: 2.5 USD/h\n" : "";
  return cluster;
}

std::string random_parallelism(Dice& dice, const Degrees& d) {
  std::string text =
      fmt::format("parallelism:\n  tensor: {}\n  pipeline: {}\n", d.tensor, d.pipeline);
  const bool sequence = dice.coin();
  text += sequence ? "  sequence: true\n" : "";
  text += dice.coin() ? "  zero: 1\n" : "";
  const bool refused = sequence && d.tensor > 1 && d.pipeline > 1;  // it would have no effect
  text += dice.coin() && !refused ? "  scatter_gather: true\n" : "";
  std::string overlap;
  if (dice.coin()) {
    overlap = dice.pick({"tensor: none", "tensor: full", "tensor: full, chunks: 2x"});
  }
  for (const char* key : {"pipeline: false", "data: true"}) {
    overlap += dice.coin() ? fmt::format("{}{}", overlap.empty() ? "" : ", ", key) : "";
  }
  return text + (overlap.empty() ? "" : fmt::format("  overlap: {{{}}}\n", overlap));
}

std::string random_training(Dice& dice, const Degrees& d) {
  const char* micro_batch = dice.pick({"1", "2", "2x"});
  const int sequences = std::string_view(micro_batch) == "1" ? 1 : 2;
  const char* recompute = dice.pick({"none", "selective", "full"});
  std::string text = fmt::format(
      "training:\n  global_batch: {}\n  micro_batch: {}\n  sequence_length: {}\n  precision: "
      "{}\n  recompute: {}\n",
      d.data() * sequences * d.microbatches, micro_batch, dice.pick({1024, 2048}),
      dice.pick({"bf16", "bf16", "fp16", "fp8"}), recompute);
  if (d.pipeline > 1 && (d.chunks > 1 || dice.coin())) {
    text += fmt::format("  schedule: {{kind: {}, chunks: {}}}\n",
                        d.chunks > 1 || dice.coin() ? "1f1b" : "gpipe", d.chunks);
  }
  const bool flash = std::string_view(recompute) != "selective" && dice.coin();
  text += flash ? "  attention: flash\n" : "  attention: unfused\n";
  text += dice.coin() ? "  dropout: true\n" : "";
  text += dice.coin() ? "  gradients: 16bit\n" : "";
  text += dice.coin() ? "  model_flops: causal\n" : "";
  text += dice.coin() ? "  tokens: 1e9\n" : "";
  return text;
}

std::string random_degraded(Dice& dice) {
  std::string text;
  for (const char* part :
       {"gpus: {1: 1.5, 6: 1.25}", "nics: {0: 0.5}", "scale_up: {2: 0.5}", "leaves: {0: 0.5}",
        "throttle: {3: {slowdown: 1.5, period: 10 ms, share: 0.5, phase: 0.25}}",
        "jitter: {spread: 0.05, gpus: 0-3}", "flaps: [{nic: 0, at: 5 ms, for: 2 ms}]"}) {
    text += dice.between(0, 3) == 0 ? fmt::format("  {}\n", part) : "";
  }
  const bool by_chance = text.find("throttle") != std::string::npos ||  //
                         text.find("jitter") != std::string::npos;
  text += by_chance && dice.coin() ? "  draws: 3\n" : "";
  return text.empty() ? "" : "degraded:\n" + text;
}

std::string random_communication(Dice& dice) {
  std::string text;
  for (const char* group : {"tensor", "data"}) {
    if (dice.between(0, 3) == 0) {
      text += fmt::format(
          "  {}: {}\n", group,
          dice.pick({"{algorithm: ring}", "{algorithm: tree}", "{algorithm: halving-doubling}",
                     "{protocol: Simple}", "{algorithm: ring, protocol: LL128}"}));
    }
  }
  text += dice.between(0, 3) == 0 ? "  timeout: 2x\n" : "";
  return text.empty() ? "" : "communication:\n" + text;
}

/// A preset of causes, or own ones, with settings of which some repeat what stands without them.
std::string random_faults(Dice& dice) {
  std::string text = fmt::format("faults:\n  days: {}\n  trials: 2\n", dice.pick({5, 30}));
  if (dice.coin()) {
    text += fmt::format("  preset: {}\n", dice.pick({"bloom-176b", "llama3-405b", "megascale",
                                                     "opt-175b", "rsc-1", "rsc-2"}));
  } else {
    text +=
        "  causes: {GPU: {component: gpu, mtbf: 2000 h}, link: {component: nic, mtbf: 1000 h}, "
        "slow: {component: nic, mtbf: 900 h, effect: degrade, slow_nic: 0.5, duration: 2 h}}\n";
  }
  for (const char* key :
       {"spares: {hot: 2}", "detection: 1 min", "restart: {diagnose: 30 s}", "random: true",
        "checkpoint: {interval: 1 h}", "semantics: {whole_steps: true}", "what_if: false",
        "recovery: {kind: elastic}"}) {
    text += dice.coin() ? fmt::format("  {}\n", key) : "";
  }
  return text;
}

}  // namespace

std::vector<std::string> random_overrides(Dice& dice) {
  std::vector<std::string> overrides;
  using Values = std::vector<const char*>;
  for (const auto& [key, values] :
       {std::pair<const char*, Values>{"training.schedule.kind",
                                       {"zb-h1", "zb-h2", "zb-v", "dualpipe", "dualpipe-v"}},
        {"parallelism.overlap.pair", {"true"}},
        {"parallelism.zero", {"2", "3"}},
        {"parallelism.sharding.prefetch", {"0", "2"}},
        {"parallelism.sharding.backward_prefetch", {"0", "3"}},
        {"parallelism.sharding.reduce", {"step"}},
        {"training.recompute", {"[core_attn]", "[layernorm, act]", "[mlp]", "full", "alternate"}},
        {"training.recompute_layers", {"1"}},
        {"training.recompute_early_stop", {"true"}},
        {"parallelism.offload.optimizer", {"true"}},
        {"parallelism.sum_whole", {"true"}},
        {"parallelism.sharding.units", {"[embedding, layer, head]"}},
        {"parallelism.offload.gradients", {"backward"}},
        {"training.kept_narrow", {"activation", "[activation, attention]"}},
        {"training.schedule.free_before_weights", {"true"}},
        {"parallelism.offload.pieces", {"4"}},
        {"parallelism.offload.activation_layers", {"1"}}}) {
    if (dice.between(0, 3) == 0) {
      overrides.push_back(fmt::format("{}={}", key, values[dice.below(values.size())]));
    }
  }
  return overrides;
}

std::string random_scenario(Dice& dice) {
  const Degrees degrees = random_degrees(dice);
  std::string text = dice.coin() ? "name: 'random: \"one\"'\n" : "";
  text += random_model(dice, degrees) + random_cluster(dice, degrees) +
          random_parallelism(dice, degrees) + random_training(dice, degrees);
  text += dice.coin() ? random_degraded(dice) : "";
  text += random_communication(dice);
  text += dice.between(0, 4) == 0 ? random_faults(dice) : "";
  const char* most = degrees.gpus <= 16 ? "stepwise" : "steady";  // messages grow with the square
  text += fmt::format("collectives: {}\n", dice.pick({"steady", "steady", "formula", most}));
  text += fmt::format("fold: {}\n", dice.pick({"exact", "exact", "bound", "off"}));
  return text;
}

}  // namespace danlu::testing
