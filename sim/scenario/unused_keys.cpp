#include "sim/scenario/unused_keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>

#include "sim/base/text.hpp"
#include "sim/campaign/faults_spec.hpp"
#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/members.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {
namespace {

template <typename... Enums>
std::string one_of(Enums... values) {
  return choices_of(words_of({values...}));
}

/// The same rule for several keys.
void add(std::vector<KeyUse>& uses, std::initializer_list<std::string_view> keys,
         std::string_view decided_by, const std::string& used_with) {
  for (const std::string_view key : keys) {
    uses.push_back({key, decided_by, used_with});
  }
}

std::vector<KeyUse> faults_uses() {
  using Notice = Detection::Kind;
  const std::string lasting =
      one_of(FaultCause::Effect::Corrupt, FaultCause::Effect::Degrade, FaultCause::Effect::Planned);
  std::vector<KeyUse> uses;
  add(uses, {"causes.*.shape", "causes.*.clock"}, "causes.*.arrivals",
      one_of(Arrivals::Kind::Weibull));
  add(uses, {"causes.*.duration"}, "causes.*.effect", lasting);
  add(uses,
      {"causes.*.slowdown", "causes.*.slow_gpu", "causes.*.slow_nic", "causes.*.slow_scale_up",
       "causes.*.timeout"},
      "causes.*.effect", one_of(FaultCause::Effect::Degrade));
  add(uses, {"causes.*.detection"}, "causes.*.effect", one_of(FaultCause::Effect::Stop));
  add(uses, {"causes.*.permanent"}, "causes.*.effect",
      one_of(FaultCause::Effect::Stop, FaultCause::Effect::Corrupt, FaultCause::Effect::Degrade));
  add(uses, {"events.#.duration"}, "events.#.cause", lasting);
  add(uses, {".period", ".timeout"}, ".by", one_of(Notice::Heartbeat, Notice::Watchdog));
  add(uses, {".mean", ".distribution", ".shape", ".samples"}, ".by", one_of(Notice::Delay));
  add(uses, {".mean", ".distribution", ".shape"}, ".samples", "");
  add(uses, {".shape"}, ".distribution",
      one_of(Duration::Kind::LogNormal, Duration::Kind::Weibull));
  add(uses, {"checkpoint.in_flight", "checkpoint.slowdown"}, "checkpoint.mode", "async");
  add(uses,
      {"checkpoint.memory.blocking", "checkpoint.memory.persist", "checkpoint.memory.slowdown",
       "checkpoint.memory.load", "checkpoint.memory.keep", "checkpoint.memory.copies",
       "checkpoint.memory.survives_more"},
      "checkpoint.memory.interval", "!" + one_of(CheckpointTier::Interval::Never));
  add(uses, {"spares.cold_start"}, "spares.cold", "!0");
  add(uses, {"spares.beside"}, "spares.hot", "!0");
  add(uses, {"recovery.min_replicas"}, "recovery.kind",
      one_of(RecoverySpec::Kind::Elastic, RecoverySpec::Kind::Replica));
  return uses;
}

std::vector<KeyUse> cluster_uses() {
  std::vector<KeyUse> uses;
  add(uses, {"fabric.dims"}, "fabric.kind", one_of(FabricKind::Torus));
  add(uses, {"fabric.groups", "fabric.switches_per_group", "fabric.global_links_per_switch"},
      "fabric.kind", one_of(FabricKind::Dragonfly));
  add(uses,
      {"fabric.oversubscription", "fabric.nodes_per_pod", "fabric.pod_oversubscription",
       "fabric.switch_ports"},
      "fabric.kind", one_of(FabricKind::RailOptimised, FabricKind::FatTree, FabricKind::RailOnly));
  add(uses, {"fabric.uplink_bandwidth", "fabric.hop_latency"}, "fabric.kind",
      fmt::format("!{}", name_of(FabricKind::Switch)));
  add(uses, {"fabric.routing"}, "fabric.kind", fmt::format("!{}", name_of(FabricKind::Torus)));
  add(uses, {"fabric.pxn"}, "fabric.kind", one_of(FabricKind::RailOptimised, FabricKind::RailOnly));
  add(uses, {"fabric.pxn"}, "node.nics.count", "!1");
  add(uses, {"fabric.pod_oversubscription"}, "fabric.nodes_per_pod", "!");
  add(uses, {"fabric.ecmp_seed", "fabric.connections"}, "fabric.routing", one_of(Routing::Ecmp));
  add(uses, {"fabric.ll128", "fabric.line_latency", "fabric.small_latency"}, "collective.tuning",
      "nccl");
  add(uses, {"node.scale_up.dims"}, "node.scale_up.kind", one_of(ScaleUpKind::Torus));
  add(uses, {"node.scale_up.bandwidth"}, "node.scale_up.kind",
      fmt::format("!{}", name_of(ScaleUpKind::None)));
  return uses;
}

std::vector<KeyUse> scenario_uses() {
  std::vector<KeyUse> uses;
  add(uses,
      {"parallelism.sequence", "parallelism.tensor_inputs", "parallelism.logits",
       "parallelism.overlap.tensor", "parallelism.overlap.chunks", "parallelism.overlap.blocks"},
      "parallelism.tensor", "!1");
  add(uses, {"parallelism.overlap.chunks", "parallelism.overlap.blocks"},
      "parallelism.overlap.tensor", one_of(TensorOverlap::Full));
  add(uses, {"parallelism.scatter_gather"}, "parallelism.tensor", "!1");
  add(uses, {"training.schedule.placement"}, "training.schedule.kind", std::string(kGridSchedule));
  add(uses,
      {"parallelism.scatter_gather", "parallelism.overlap.pipeline",
       "parallelism.count_embedding_and_head", "parallelism.outermost"},
      "parallelism.pipeline", "!1");
  add(uses, {"parallelism.scatter_gather"}, "parallelism.sequence", "false");
  add(uses, {"parallelism.outermost"}, "parallelism.data", "!1");
  add(uses, {"parallelism.prediction_before_head"}, "model.prediction_layers", "!0");
  add(uses, {"parallelism.context_exchange", "parallelism.context_heads"}, "parallelism.context",
      "!1");
  for (const char* key : {"parallelism.overlap.data", "parallelism.overlap.weights",
                          "parallelism.zero", "communication.data"}) {
    uses.push_back({key, "parallelism.data", "!1", {"parallelism.context", "parallelism.ulysses"}});
  }
  add(uses, {"parallelism.sharding"}, "parallelism.zero", "!0");
  add(uses, {"parallelism.overlap.weights"}, "parallelism.zero", "1|2");
  uses.push_back(
      {"parallelism.overlap.weights", "parallelism.expert", "1", {"parallelism.pipeline"}});
  add(uses,
      {"parallelism.offload.gradients", "parallelism.offload.pieces",
       "parallelism.offload.update_rate"},
      "parallelism.offload.optimizer", "true");
  add(uses, {"parallelism.sharding.scatter"}, "parallelism.zero", "1");
  add(uses,
      {"parallelism.sharding.unit_layers", "parallelism.sharding.units",
       "parallelism.sharding.reduce", "parallelism.sharding.reduce_width"},
      "parallelism.zero", "2|3");
  add(uses,
      {"parallelism.sharding.prefetch", "parallelism.sharding.backward_prefetch",
       "parallelism.sharding.reshard", "parallelism.sharding.keep_root",
       "parallelism.sharding.gather_width", "parallelism.sharding.copy"},
      "parallelism.zero", "3");
  add(uses, {"parallelism.sharding.keep_root", "parallelism.sharding.backward_prefetch"},
      "parallelism.sharding.reshard", one_of(Reshard::AfterForward));
  add(uses,
      {"training.recompute_layers", "training.recompute_unit", "training.recompute_early_stop"},
      "training.recompute", fmt::format("!{}", name_of(Recompute::None)));
  add(uses, {"training.recompute_early_stop"}, "training.recompute",
      fmt::format("!{}", name_of(Recompute::Alternate)));
  add(uses, {"training.recompute_unit"}, "training.recompute", one_of(Recompute::Full));
  add(uses, {"communication.tensor"}, "parallelism.tensor", "!1");
  add(uses,
      {"model.experts.per_token", "model.experts.ffn", "model.experts.shared_ffn",
       "model.experts.shared_gate", "model.experts.router_bias", "model.experts.dense_layers",
       "model.experts.every", "parallelism.expert", "parallelism.expert_tensor",
       "parallelism.expert_exchange", "training.experts", "communication.expert"},
      "model.experts.count", "!0");
  add(uses, {"model.experts.shared_gate"}, "model.experts.shared_ffn", "!0");
  add(uses,
      {"parallelism.expert_exchange", "training.experts.dispatch_width", "communication.expert"},
      "parallelism.expert", "!1");
  add(uses, {"communication.expert"}, "parallelism.expert_exchange",
      one_of(TokenExchange::AllToAll));
  add(uses, {"training.experts.most_nodes"}, "parallelism.expert_exchange",
      one_of(TokenExchange::DeepEp));
  add(uses, {"training.experts.pad"}, "training.experts.capacity", "!0");
  add(uses, {"training.experts.seed", "training.experts.zipf_by_layer"}, "training.experts.zipf",
      "!0");
  add(uses, {"training.experts.node_choice"}, "training.experts.most_nodes", "!0");
  add(uses, {"parallelism.overlap.shared_experts"}, "model.experts.shared_ffn", "!0");
  add(uses, {"parallelism.overlap.shared_experts"}, "parallelism.expert", "!1");
  add(uses, {"parallelism.sum_whole"}, "parallelism.sequence", "true");
  add(uses, {"parallelism.offload.gradients"}, "parallelism.zero", "2|3");
  add(uses, {"training.schedule.free_before_weights"}, "training.schedule.kind",
      "zb-h1|zb-h2|zb-v|dualpipe|dualpipe-v|grid");
  add(uses, {"training.fp8_recipe", "training.fp8_amax", "training.fp8_transposes"},
      "training.precision", one_of(Precision::Fp8));
  add(uses, {"training.fp8_amax"}, "training.fp8_recipe", one_of(Fp8Recipe::Delayed));
  add(uses, {"training.fp8_transposes"}, "training.fp8_recipe",
      one_of(Fp8Recipe::Delayed, Fp8Recipe::Tensorwise));
  add(uses,
      {"training.narrow_weights", "training.wide_first_layers", "training.wide_last_layers",
       "training.wide_head", "training.fused_casts"},
      "training.precision", one_of(Precision::Fp8, Precision::Mxfp8, Precision::Fp4));
  add(uses, {"training.fused_casts"}, "training.fp8_recipe",
      one_of(Fp8Recipe::Delayed, Fp8Recipe::Tensorwise));
  add(uses, {"training.narrow_weights"}, "parallelism.zero", "0|1|2");
  add(uses, {"training.lora.width", "training.lora.dropout", "training.lora.fused"},
      "training.lora.rank", "!");
  add(uses, {"training.lora.fused"}, "parallelism.tensor", "1");
  add(uses, {"training.lora.fused"}, "training.lora.width", "16bit");
  add(uses, {"training.lora.width"}, "training.precision",
      one_of(Precision::Fp16, Precision::Bf16, Precision::Fp8, Precision::Mxfp8, Precision::Fp4));
  add(uses, {"training.gradient_copy"}, "training.gradients", "fp32");
  add(uses, {"training.gradient_copy"}, "parallelism.zero", "0|1");
  add(uses,
      {"host.graphs", "host.waits", "host.reads_counts", "host.launch_again", "host.operator",
       "host.expert", "host.cast", "host.node"},
      "host.launch", "!0 s");
  add(uses, {"training.optimizer.momentum"}, "training.optimizer.kind", one_of(OptimizerKind::Sgd));
  add(uses, {"training.optimizer.master"}, "training.precision",
      one_of(Precision::Fp16, Precision::Bf16, Precision::Fp8, Precision::Mxfp8, Precision::Fp4));
  return uses;
}

/// Two paths: of a key that has a value, and of what decides whether it is used.
struct Pair {
  std::string key;
  std::string decided_by;
};

/// The first parts of `path`, as many as `pattern` has, if they fit it.
std::optional<std::string> fitting(std::string_view pattern, std::string_view path) {
  std::vector<std::string_view> parts = split(path, '.');
  parts.resize(std::min(parts.size(), split(pattern, '.').size()));
  std::string begin = join(parts, ".");
  const std::optional<std::string_view> rest = rest_below(fmt::format("{}.", pattern), begin);
  return rest == "" ? std::optional(std::move(begin)) : std::nullopt;
}

/// `pattern` with the names that `path` has where both have a wild card.
std::string with_names_of(std::string_view pattern, std::string_view path) {
  std::vector<std::string_view> parts = split(pattern, '.');
  const std::vector<std::string_view> names = split(path, '.');
  for (std::size_t i = 0; i < std::min(parts.size(), names.size()); ++i) {
    parts[i] = parts[i] == "*" || parts[i] == "#" ? names[i] : parts[i];
  }
  return join(parts, ".");
}

/// The pair that `use` makes with `path`, if it is about it.
std::optional<Pair> pair_of(const KeyUse& use, const std::string& path,
                            std::span<const KeyRow> keys) {
  if (!use.key.starts_with('.')) {
    std::optional<std::string> key = fitting(use.key, path);
    return key ? std::optional(Pair{*key, with_names_of(use.decided_by, *key)}) : std::nullopt;
  }
  if (!path.ends_with(use.key)) {
    return std::nullopt;
  }
  const std::string_view section(path.data(), path.size() - use.key.size());
  Pair pair{path, fmt::format("{}{}", section, use.decided_by)};
  return find_key(keys, pair.decided_by) != nullptr ? std::optional(pair) : std::nullopt;
}

/// What stands at `path`, or what holds if nothing does: of a choice without a default the first.
std::string text_at(const Values& values, std::span<const KeyRow> keys, const std::string& path) {
  if (values.has(path)) {
    return values.at(path).text;
  }
  const KeyRow* row = find_key(keys, path);
  check(row != nullptr, "a rule about a key that the table lacks");
  return row->fallback.empty() ? std::string(split(row->choices, '|').front()) : row->fallback;
}

/// Where a key stands: itself, or the first value below it.
std::string first_value(const Values& own, const std::string& key) {
  if (own.has(key)) {
    return key;
  }
  const std::vector<std::string> names = own.names(key);
  return names.empty() ? key : first_value(own, fmt::format("{}.{}", key, names.front()));
}

/// An event's duration is used as its cause's effect says.
Pair through_cause(Pair pair, const Values& values) {
  if (pair.decided_by.starts_with("events.") && values.has(pair.decided_by)) {
    pair.decided_by = fmt::format("causes.{}.effect", values.at(pair.decided_by).text);
  }
  return pair;
}

class UnusedFinder {
 public:
  UnusedFinder(const Values& own, const Values& values, std::span<const KeyRow> keys,
               std::string_view prefix, const UnusedKeys& found)
      : own_(own), values_(values), keys_(keys), prefix_(prefix), found_(found) {}

  void find(std::span<const KeyUse> uses) {
    for (const KeyUse& use : uses) {
      for (const std::string& path : own_.paths()) {
        const std::optional<Pair> pair = pair_of(use, path, keys_);
        if (pair && !is_said(path)) {
          look_at(use, path, through_cause(*pair, values_));
        }
      }
    }
    for (const auto& [reason, names] : notes_) {
      found_.notes.push_back(fmt::format("{} {} no effect: {}", fmt::join(names, ", "),
                                         names.size() == 1 ? "has" : "have", reason));
    }
  }

 private:
  /// Whether the key says what holds without it.
  bool is_default(const std::string& path) const {
    const KeyRow* row = find_key(keys_, path);
    return row != nullptr && !row->fallback.empty() && own_.at(path).text == row->fallback;
  }
  /// Whether something was said about the key, or about a section around it.
  bool is_said(const std::string& path) const {
    return std::any_of(said_.begin(), said_.end(), [&](const std::string& key) {
      return path == key || path.starts_with(key + ".");
    });
  }

  void look_at(const KeyUse& use, const std::string& path, const Pair& pair) {
    const bool needs_none = use.used_with.empty();
    const std::string text = needs_none ? "" : text_at(values_, keys_, pair.decided_by);
    const bool used =
        needs_none ? !values_.has(pair.decided_by) : is_used_with(use.used_with, text);
    const bool used_by_other =
        std::any_of(use.or_by.begin(), use.or_by.end(), [&](std::string_view key) {
          return is_used_with(use.used_with, text_at(values_, keys_, std::string(key)));
        });
    if (used || used_by_other || is_default(path)) {
      return;
    }
    said_.push_back(pair.key);
    const std::string decided_by = fmt::format("{}{}", prefix_, pair.decided_by);
    const std::string reason = needs_none     ? fmt::format("'{}' stands in its place", decided_by)
                               : text.empty() ? fmt::format("'{}' is left out", decided_by)
                                              : fmt::format("'{}' is {}", decided_by, text);
    std::string name = fmt::format("'{}{}'", prefix_, pair.key);
    if (is_set_over(own_, pair.decided_by, path)) {
      notes_[reason].push_back(std::move(name));
      return;
    }
    const std::string_view wanted = use.used_with;
    std::string hint = needs_none ? "leave one of the two out"
                       : wanted.starts_with('!')
                           ? fmt::format("leave it out, or set {}", decided_by)
                           : fmt::format("leave it out, or set {}: {}", decided_by,
                                         join(split(wanted, '|'), " or "));
    found_.problems.push_back(own_.problem(first_value(own_, pair.key),
                                           fmt::format("{} has no effect: {}", name, reason),
                                           std::move(hint)));
  }

  const Values& own_;
  const Values& values_;
  std::span<const KeyRow> keys_;
  std::string_view prefix_;
  const UnusedKeys& found_;
  std::vector<std::string> said_;
  std::map<std::string, std::vector<std::string>> notes_;  // keys by the reason
};

}  // namespace

bool is_used_with(std::string_view wanted, std::string_view text) {
  if (wanted.starts_with('!')) {
    return text != wanted.substr(1);
  }
  const std::vector<std::string_view> fine = split(wanted, '|');
  return std::find(fine.begin(), fine.end(), text) != fine.end();
}

std::span<const KeyUse> faults_key_uses() {
  static const std::vector<KeyUse> uses = faults_uses();
  return uses;
}

std::span<const KeyUse> cluster_key_uses() {
  static const std::vector<KeyUse> uses = cluster_uses();
  return uses;
}

std::span<const KeyUse> scenario_key_uses() {
  static const std::vector<KeyUse> uses = scenario_uses();
  return uses;
}

bool is_set_over(const Values& own, std::string_view switch_path, std::string_view path) {
  constexpr std::string_view kPreset = "topology";  // says what the cluster section leaves out
  const std::string_view said_by = own.has(switch_path) ? switch_path : kPreset;
  if (!own.has(said_by) || !own.has(path)) {
    return false;
  }
  const Value& off = own.at(said_by);
  return off.position.line == 0 || off.layer > own.at(path).layer;
}

void say_unused(const Values& own, const std::string& path, std::string_view switch_path,
                std::string_view prefix, std::string_view reason, std::string hint,
                const UnusedKeys& found) {
  std::string message = fmt::format("'{}{}' has no effect: {}", prefix, path, reason);
  if (is_set_over(own, switch_path, path)) {
    found.notes.push_back(std::move(message));
  } else {
    found.problems.push_back(own.problem(path, std::move(message), std::move(hint)));
  }
}

void find_unused_keys(const Values& own, const Values& values, std::span<const KeyRow> keys,
                      std::span<const KeyUse> uses, std::string_view prefix,
                      const UnusedKeys& found) {
  UnusedFinder(own, values, keys, prefix, found).find(uses);
}

}  // namespace danlu
