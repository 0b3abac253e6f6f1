// The relations between a workload's values; the reader shows each at the line of its key.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/workload/kernels.hpp"
#include "sim/workload/layer_split.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {
namespace {

constexpr int kMostMicrobatches = 100000;

/// "1, 2, 4, 8, ...": the divisors up to 64.
std::string small_divisors(int number) {
  std::string text;
  for (int divisor = 1; divisor <= std::min(number, 64); ++divisor) {
    if (number % divisor == 0) {
      text += fmt::format("{}{}", divisor == 1 ? "" : ", ", divisor);
    }
  }
  return number > 64 ? text + ", ..." : text;
}

/// One class: a list of independent relations over the same workload.
class Checker {
 public:
  Checker(const Workload& workload, int gpus, const GpuSpec& gpu)
      : w_(workload), gpus_(gpus), gpu_(gpu) {}

  std::vector<WorkloadProblem> run() {
    check_ranks();
    check_sharding();
    check_model();
    check_batch();
    check_options();
    check_precision();
    for (WorkloadProblem& found : width_problems(w_)) {
      found_.push_back(std::move(found));
    }
    return std::move(found_);
  }

 private:
  using Keys = std::vector<std::string>;

  void add(Keys keys, std::string message, std::string hint = "") {
    found_.push_back({std::move(keys), std::move(message), std::move(hint)});
  }
  void must_divide(Keys keys, std::string_view what, int divisor, std::string_view of_what,
                   int number) {
    if (number % divisor != 0) {
      add(std::move(keys),
          fmt::format("{} ({}) must divide {} ({})", what, divisor, of_what, number),
          fmt::format("divisors of {}: {}", number, small_divisors(number)));
    }
  }

  void check_ranks() {
    const ParallelismSpec& p = w_.parallelism;
    double ranks = 1;
    std::vector<std::string> keys{"parallelism"};
    std::vector<std::string> degrees;
    std::vector<std::string_view> others;
    for (const auto& [axis, degree] : kDegrees) {
      ranks *= p.*degree;
      if (p.*degree == 1 && !is_always_named(axis)) {
        continue;
      }
      keys.push_back(fmt::format("parallelism.{}", name_of(axis)));
      degrees.push_back(fmt::format("{} ({})", name_of(axis), p.*degree));
      if (axis != Axis::Replicate) {
        others.push_back(name_of(axis));
      }
    }
    if (ranks != gpus_) {
      keys.emplace_back("cluster.gpus");
      const double rest = ranks / p.data;
      add(std::move(keys),
          fmt::format("{} must equal gpus ({}), found {:.0f}", fmt::join(degrees, " x "), gpus_,
                      ranks),
          std::fmod(gpus_, rest) == 0
              ? fmt::format("set parallelism.data to {:.0f}, or leave it out: it then takes what "
                            "the others leave",
                            gpus_ / rest)
              : fmt::format("{} must divide gpus; divisors of {}: {}", fmt::join(others, " x "),
                            gpus_, small_divisors(gpus_)));
    }
  }

  void check_sharding() {
    const ParallelismSpec& p = w_.parallelism;
    if (p.zero > 0 && p.sharding.ranks) {
      must_divide({"parallelism.sharding.ranks", "parallelism.data"}, "sharding.ranks",
                  *p.sharding.ranks, "data", p.data);
    }
    const auto has = [&](UnitPart part) { return p.sharding.has_unit(part); };
    const std::string units = "parallelism.sharding.units";
    if (has(UnitPart::Experts) && w_.model.experts.count == 0) {
      add({units, "model.experts.count", "model"},
          "sharding.units names experts, which the model has not", "its MLPs are named mlp");
    }
    if (p.sharding.unit_layers > 1 && !has(UnitPart::Layer)) {
      add({"parallelism.sharding.unit_layers", units},
          fmt::format("sharding.unit_layers ({}) counts the layers of a unit, found none among "
                      "sharding.units",
                      p.sharding.unit_layers),
          "add layer to the units, or leave unit_layers out");
    }
  }

  void check_model() {
    const ParallelismSpec& p = w_.parallelism;
    const ModelSpec& m = w_.model;
    must_divide({"model", "model.kv_heads", "model.heads"}, "kv_heads", m.kv_heads, "heads",
                m.heads);
    const bool by_heads = p.ulysses > 1;
    const std::string sharing = by_heads ? "tensor x ulysses" : "tensor";
    const auto check_heads = [&](int ranks) {
      Keys keys{"parallelism.tensor", "model.kv_heads", "model.preset"};
      if (by_heads) {
        keys.insert(keys.begin(), "parallelism.ulysses");
      }
      if (m.heads % ranks != 0) {
        *(keys.end() - 2) = "model.heads";
        must_divide(keys, sharing, ranks, "the model's heads", m.heads);
      } else if (ranks <= m.kv_heads) {
        must_divide(keys, sharing, ranks, "the model's kv_heads", m.kv_heads);
      } else {  // more ranks than key-value heads: these are copied
        must_divide(keys, "the model's kv_heads", m.kv_heads, sharing, ranks);
      }
    };
    check_heads(p.tensor * p.ulysses);
    must_divide({"parallelism.tensor", "model.ffn", "model.hidden", "model.preset"}, "tensor",
                p.tensor, "the model's ffn", m.ffn);
    check_experts();
    check_attention();
    std::vector<WorkloadProblem> of_layers = layer_problems(w_);
    if (of_layers.empty()) {
      check_halves();
    }
    std::move(of_layers.begin(), of_layers.end(), std::back_inserter(found_));
  }

  void check_experts() {
    const ExpertsSpec& e = w_.model.experts;
    const ParallelismSpec& p = w_.parallelism;
    const RoutingSpec& routing = w_.training.routing;
    if (e.count == 0) {
      return;
    }
    if (e.per_token > e.count) {
      add({"model.experts.per_token", "model.experts.count"},
          fmt::format("a token must visit at most all {} experts (count), found per_token {}",
                      e.count, e.per_token));
    }
    if (w_.model.layers_with_experts() == 0) {
      add({"model.experts.dense_layers", "model.experts.every", "model.experts.count",
           "model.preset"},
          fmt::format("no layer has experts: dense_layers {} and every {} leave none of {}",
                      e.dense_layers, e.every, w_.model.layers),
          "fewer dense_layers, or no experts");
      return;
    }
    must_divide({"parallelism.expert", "model.experts.count", "model.preset"}, "expert", p.expert,
                "the model's experts", e.count);
    const int sharers = p.expert_tensor_ranks();
    must_divide({"parallelism.expert_tensor", "parallelism.tensor", "model.experts.ffn"},
                "expert_tensor", sharers, "the width of an expert", e.ffn);
    must_divide({"parallelism.tensor", "model.experts.shared_ffn"}, "tensor", p.tensor,
                "the width of shared experts", e.shared_ffn);
    const double holding = 1.0 * p.expert * sharers;
    if (std::fmod(p.stage_ranks(), holding) != 0) {
      add({"parallelism.expert", "parallelism.expert_tensor", "parallelism.tensor"},
          fmt::format("expert ({}) x expert_tensor ({}) must divide the ranks of a stage ({:.0f})",
                      p.expert, sharers, p.stage_ranks()),
          fmt::format("a stage has tensor x ulysses x context x data ranks{}",
                      p.expert_tensor || sharers == 1
                          ? ""
                          : "; expert_tensor is tensor if left out, and with 1 a rank has whole "
                            "experts"));
    }
    if (p.outermost == Outermost::Data && p.pipeline > 1 &&
        holding != 1.0 * p.tensor * p.ulysses * p.context) {
      add({"parallelism.outermost", "parallelism.expert", "parallelism.expert_tensor"},
          fmt::format("with outermost data, expert ({}) x expert_tensor ({}) must equal tensor x "
                      "ulysses x context ({:.0f})",
                      p.expert, sharers, 1.0 * p.tensor * p.ulysses * p.context),
          "the ranks that share a layer's experts would else be of other stages (Megatron-LM asks "
          "for it too)");
    }
    if (p.tensor > 1 && !p.sequence) {
      add({"parallelism.sequence", "parallelism.tensor", "model.experts.count"},
          fmt::format("experts with tensor ranks ({}) need sequence parallelism", p.tensor),
          "set parallelism.sequence to true: each tensor rank then routes tokens of its own "
          "(Megatron-LM asks for it too)");
    }
    const auto loads = static_cast<int>(routing.load.size());
    const int layers = w_.model.layers_with_experts();
    if (loads > 0 && loads != e.count && loads != e.count * layers) {
      add({"training.experts.load", "model.experts.count"},
          fmt::format("load must have a number for each of {} experts, found {}", e.count, loads),
          fmt::format("or {} of them, for each of {} layers with experts in turn", e.count * layers,
                      layers));
    } else {
      for (int first = 0; first < loads; first += e.count) {
        const auto begin = routing.load.begin() + first;
        const auto wanted =
            std::count_if(begin, begin + e.count, [](int load) { return load > 0; });
        if (wanted < e.per_token) {
          add({"training.experts.load", "model.experts.per_token"},
              fmt::format("a token visits {} experts, but load wants only {} of a layer",
                          e.per_token, wanted));
          break;
        }
      }
    }
    if (!routing.load.empty() && routing.zipf > 0) {
      add({"training.experts.zipf", "training.experts.load"},
          "experts have a load that is given or Zipf's, found both", "leave one of them out");
    }
    if (p.expert_exchange == TokenExchange::DeepEp && p.expert > 1 &&
        w_.collectives == CollectiveMode::Stepwise) {
      add({"collectives", "parallelism.expert_exchange"},
          "no messages are known of DeepEP, found collectives stepwise",
          "use collectives steady, or expert_exchange all-to-all");
    }
    if (w_.model.side_by_side()) {
      const bool one_norm = w_.model.norms == 1;
      add({one_norm ? "model.norms" : "model.parallel_residual", "model.experts.count"},
          fmt::format("experts stand behind attention, not beside it, found {}",
                      one_norm ? "norms 1" : "parallel_residual true"));
    }
  }

  /// An encoder and its decoder have stages of their own, with one part of the model each.
  void check_halves() {
    const int stages = w_.parallelism.pipeline;
    if (w_.model.kind != ModelKind::EncoderDecoder || stages == 1) {
      return;
    }
    if (w_.training.chunks > 1) {
      add({"training.schedule.chunks", "training.schedule.kind", "model.kind", "model.preset"},
          fmt::format("an encoder-decoder has one chunk on each stage, found chunks {}",
                      w_.training.chunks),
          "the encoder's output goes from stage to stage of the decoder, which comes after it; "
          "Megatron-LM refuses to interleave them, too");
    } else if (w_.decoder_stage() == 0) {
      std::vector<int> layers;
      for (int stage = 0; stage < stages; ++stage) {
        layers.push_back(w_.stage_layers(stage));
      }
      add({"parallelism.stage_layers", "parallelism.pipeline", "model.encoder_layers",
           "model.preset"},
          fmt::format("the encoder's layers ({} of {}) must end where a stage does, found stages "
                      "of {} layers",
                      w_.model.encoder_layers, w_.model.layers, fmt::join(layers, ", ")),
          "list the layers of every stage, the encoder's first: stage_layers");
    }
  }

  void check_attention() {
    const ModelSpec& m = w_.model;
    if (m.norms == 3) {
      add({"model.norms", "model.preset"}, "norms must be 1, 2 or 4 a layer, found 3");
    }
    if (m.norms == 4 && m.parallel_residual) {
      add({"model.parallel_residual", "model.norms", "model.preset"},
          "no model is known with halves side by side and norms behind them, found "
          "parallel_residual true and norms 4");
    }
    constexpr int kWidestFlash1 = 128;
    const double head = std::max(m.key_dim(), m.head_values());
    if (w_.training.attention == AttentionKind::Flash1 && head > kWidestFlash1) {
      add({"training.attention", "model.head_dim", "model.heads", "model.preset"},
          fmt::format("FlashAttention-1 has heads of at most {}, found {}", kWidestFlash1, head),
          "another attention: flash2, unfused");
    }
    if (m.global_every > 0 && m.window == 0) {
      add({"model.global_every", "model.window", "model.preset"},
          "global_every says which layers see past a window, found no window",
          "give window, or leave global_every out");
    }
    const bool is_pair = m.kind == ModelKind::EncoderDecoder;
    if (is_pair ? m.encoder_layers < 1 || m.encoder_layers >= m.layers : m.encoder_layers > 0) {
      add({"model.encoder_layers", "model.kind", "model.layers", "model.preset"},
          is_pair ? fmt::format("encoder_layers must be some of the model's layers ({}), found {}",
                                m.layers, m.encoder_layers)
                  : fmt::format("encoder_layers are of kind encoder-decoder, found {}",
                                name_of(m.kind)));
    }
    if (is_pair && (m.side_by_side() || m.is_latent())) {
      add({m.norms == 1          ? "model.norms"
           : m.parallel_residual ? "model.parallel_residual"
                                 : "model.latent.kv_rank",
           "model.kind", "model.preset"},
          "no encoder-decoder is known with halves side by side or latent attention");
    }
    if (m.prediction_layers > 0 && m.kind != ModelKind::Decoder) {
      add({"model.prediction_layers", "model.kind", "model.preset"},
          fmt::format("only a decoder predicts tokens after the next, found kind {}",
                      name_of(m.kind)));
    }
    if (!m.is_latent() && m.latent.query_rank + m.latent.rotary_dim > 0) {
      add({m.latent.query_rank > 0 ? "model.latent.query_rank" : "model.latent.rotary_dim",
           "model.latent.kv_rank", "model.preset"},
          "latent attention needs kv_rank, found 0");
    }
    if (m.is_latent() && m.kv_heads != m.heads) {
      add({"model.kv_heads", "model.latent.kv_rank", "model.preset"},
          fmt::format("latent attention makes keys and values for all heads ({}), found kv_heads "
                      "{}",
                      m.heads, m.kv_heads),
          "leave kv_heads out");
    }
    if (m.is_latent() && m.qk_norm != QkNorm::None) {
      add({"model.qk_norm", "model.latent.kv_rank", "model.preset"},
          "latent attention norms what queries and keys are made of, found qk_norm as well");
    }
  }

  void check_batch() {
    const TrainingSpec& t = w_.training;
    const ParallelismSpec& p = w_.parallelism;
    const double per_round = static_cast<double>(t.micro_batch) * p.data;
    if (std::fmod(t.global_batch, per_round) != 0) {
      const double below = std::floor(t.global_batch / per_round) * per_round;
      add({"training.global_batch", "training.micro_batch", "parallelism.data"},
          fmt::format("micro_batch ({}) x data ({}) must divide global_batch ({})", t.micro_batch,
                      p.data, t.global_batch),
          fmt::format("the nearest that it divides: {}{:.0f}",
                      below > 0 ? fmt::format("{:.0f} and ", below) : "", below + per_round));
      return;
    }
    if (w_.microbatches() > kMostMicrobatches) {
      add({"training.global_batch", "training.micro_batch", "parallelism.data"},
          fmt::format("a replica must run at most {} microbatches a step, found {}",
                      kMostMicrobatches, w_.microbatches()),
          "global_batch counts sequences, not tokens");
    }
    check_schedule();
  }

  void check_schedule() {
    const TrainingSpec& t = w_.training;
    if (w_.parallelism.overlap_pairs && (w_.schedule() == nullptr || !w_.schedule()->can_pair)) {
      add({"parallelism.overlap.pair", "training.schedule.kind"},
          fmt::format("overlap.pair needs schedule kind 1f1b, found {}", t.schedule),
          "a grid says itself what stands side by side, and so do dualpipe and dualpipe-v");
    }
    if (w_.schedule() == nullptr) {
      check_grid();
      return;
    }
    const ScheduleRow& schedule = *w_.schedule();
    const Keys chunks{"training.schedule.chunks", "training.schedule.kind"};
    if (schedule.chunks == 1 && t.chunks > 1) {
      std::vector<std::string_view> others;
      for (const ScheduleRow& row : schedule_table()) {
        if (!row.chunks) {
          others.push_back(row.name);
        }
      }
      add(chunks,
          fmt::format("chunks need schedule kind {}, found {}", fmt::join(others, " or "),
                      t.schedule),
          fmt::format("chunks interleave virtual stages, which {} does not", t.schedule));
      return;
    }
    if (schedule.chunks && t.chunks != *schedule.chunks) {
      add(chunks,
          fmt::format("schedule {} has {} chunks on each stage, found chunks {}", t.schedule,
                      *schedule.chunks, t.chunks),
          fmt::format("leave chunks out, or set it to {}", *schedule.chunks));
      return;
    }
    if (t.chunks > 1 && w_.parallelism.pipeline == 1) {
      add({"training.schedule.chunks", "training.schedule.kind", "parallelism.pipeline"},
          "chunks need pipeline stages, found pipeline 1",
          schedule.chunks ? "set another schedule kind or raise parallelism.pipeline"
                          : "set chunks to 1 or raise parallelism.pipeline");
      return;
    }
    const std::string obstacle = schedule.obstacle(w_.schedule_shape());
    if (!obstacle.empty()) {
      Keys keys{"training.schedule.kind", "parallelism.pipeline"};
      if (w_.parallelism.overlap_pairs) {
        keys.insert(keys.begin(), "parallelism.overlap.pair");
      }
      add(keys, fmt::format("schedule {} {}", t.schedule, obstacle));
    }
  }

  /// Its reader has checked it for the plan that it was written for, which others may not be.
  void check_grid() {
    const TrainingSpec& t = w_.training;
    const auto forwards = [](const std::vector<Action>& stage) {
      return std::count_if(stage.begin(), stage.end(),
                           [](const Action& action) { return action.is_forward(); });
    };
    const int passes = w_.microbatches() * t.chunks;
    if (static_cast<int>(t.grid.size()) != w_.parallelism.pipeline || t.grid.empty() ||
        forwards(t.grid.front()) != passes) {
      add({"training.schedule.grid", "parallelism.pipeline"},
          fmt::format("the grid is of {} stages and {} forward passes each, the plan of {} and {}",
                      t.grid.size(), t.grid.empty() ? 0 : forwards(t.grid.front()),
                      w_.parallelism.pipeline, passes));
    }
  }

  void check_options() {
    for (WorkloadProblem& found : sequence_problems(w_)) {
      found_.push_back(std::move(found));
    }
    check_recompute();
    check_offload();
    if (w_.collectives == CollectiveMode::Stepwise && w_.fold == FoldMode::Bound) {
      add({"fold", "collectives"},
          "fold bound knows no single messages, found collectives stepwise",
          "fold exact gives the same times as playing every rank");
    }
  }

  void check_recompute() {
    const TrainingSpec& t = w_.training;
    const std::vector<RecomputePart>& parts = t.recompute_parts;
    const auto has = [&](RecomputePart part) {
      return std::find(parts.begin(), parts.end(), part) != parts.end();
    };
    if (t.recompute == Recompute::None) {
      return;
    }
    if (t.recompute == Recompute::Selective && parts.empty() && is_fused(t.attention)) {
      add({"training.recompute", "training.attention"},
          "selective recomputation repeats unfused attention, found attention flash",
          "fused attention keeps no scores: use recompute none, or attention unfused; [core_attn] "
          "runs the fused kernel again");
    }
    if (t.recompute == Recompute::Alternate && !is_fused(t.attention)) {
      add({"training.recompute", "training.attention"},
          "recompute alternate keeps the output of fused attention, found attention unfused",
          "use attention flash, or recompute full");
    }
    if (t.recompute == Recompute::Alternate && w_.parallelism.ulysses > 1) {
      add({"training.recompute", "parallelism.ulysses"},
          "recompute alternate is torchtitan's, which has no Ulysses",
          "use context, or recompute full");
    }
    if (has(RecomputePart::Mlp) && has(RecomputePart::Activation)) {
      add({"training.recompute"}, "recompute names both mlp and act, which is a part of mlp",
          "leave act out");
    }
    if (has(RecomputePart::LatentUp) && !w_.model.is_latent()) {
      add({"training.recompute", "model"},
          "recompute names mla_up_proj, which only latent attention has (model.latent)");
    }
    if (has(RecomputePart::LatentUp) && w_.parallelism.ulysses > 1) {
      add({"training.recompute", "parallelism.ulysses"},
          "with ulysses what mla_up_proj made is exchanged before it is kept, so that nothing "
          "would "
          "be saved",
          "leave mla_up_proj out");
    }
    const std::vector<int>& layers = t.recompute_layers;
    const auto stages = static_cast<std::size_t>(w_.parallelism.pipeline);
    if (layers.size() > 1 && layers.size() != stages) {
      add({"training.recompute_layers", "parallelism.pipeline"},
          fmt::format("recompute_layers must be one number, or one for each of {} stages "
                      "(pipeline), found {}",
                      stages, layers.size()));
    }
    const int unit = t.recompute == Recompute::Full ? t.recompute_unit : 1;
    const ShardingSpec& sharding = w_.parallelism.sharding;
    const bool apart = sharding.units != std::vector{UnitPart::Model};
    if (w_.parallelism.zero >= 3 && apart && sharding.unit_layers % unit != 0) {
      add({"training.recompute_unit", "parallelism.sharding.unit_layers"},
          fmt::format("with ZeRO-3, recompute_unit ({}) must divide sharding.unit_layers ({})",
                      unit, sharding.unit_layers),
          "what is computed again together needs its weights together");
    }
  }

  void check_offload() {
    if (w_.offload.optimizer && w_.training.optimizer.kind != OptimizerKind::Adam) {
      add({"parallelism.offload.optimizer", "training.optimizer.kind"},
          fmt::format("CPUs are known to update by adam, found optimizer {}",
                      name_of(w_.training.optimizer.kind)));
    }
    const Keys keys{"parallelism.offload.activation_layers", "training.recompute"};
    if (w_.offload.activation_layers == 0) {
      return;
    }
    if (w_.training.recompute != Recompute::None) {
      add(keys, "offload.activation_layers keeps what recompute would compute again, found both",
          "Megatron-LM does not run them together either");
    }
    const std::vector<Action> actions = w_.actions(0);
    if (std::any_of(actions.begin(), actions.end(), [](const Action& action) {
          return action.kind == ActionKind::Input || action.kind == ActionKind::Weight;
        })) {
      add({"parallelism.offload.activation_layers", "training.schedule.kind"},
          "offload.activation_layers needs a schedule whose backward passes are whole (B)",
          "schedules that put off gradients of weights would need what they load twice");
    }
  }

  void check_precision() {
    if (element_bytes(w_.training.precision) == 4 && w_.training.gradient_bytes == 2) {
      add({"training.gradients", "training.precision"},
          "gradients 16bit need a 16-bit precision, found fp32 or tf32");
    }
    if (element_bytes(w_.training.precision) == 4 && w_.training.loss == Loss::EagerNarrow) {
      add({"training.loss", "training.precision"},
          "loss eager-16bit is of logits in 16 bits, found fp32 or tf32", "loss eager has fp32");
    }
    for (const auto& problem : {precision_problem, attention_problem}) {
      if (std::optional<WorkloadProblem> found = problem(w_, gpu_)) {
        found_.push_back(std::move(*found));
      }
    }
  }

  const Workload& w_;
  int gpus_;
  const GpuSpec& gpu_;
  std::vector<WorkloadProblem> found_;
};

}  // namespace

std::optional<WorkloadProblem> offload_problem(const OffloadSpec& offload,
                                               const TopologySpec& topology) {
  if ((!offload.optimizer && offload.activation_layers == 0) || topology.nics_per_node > 0 ||
      topology.scale_up == ScaleUpKind::None) {
    return std::nullopt;
  }
  return WorkloadProblem{{"parallelism.offload.optimizer", "parallelism.offload.activation_layers"},
                         "nodes without NICs have no PCIe links here, over which to offload",
                         "give the topology node.nics, or node.scale_up.kind none"};
}

std::optional<WorkloadProblem> precision_problem(const Workload& workload, const GpuSpec& gpu) {
  const Precision asked = workload.training.precision;
  const bool has_wide = !is_narrow(asked) || gpu.peak(Precision::Bf16);
  const bool has_full = !workload.training.lora.wide || gpu.peak(Precision::Fp32);
  if (gpu.peak(asked) && has_wide && has_full) {
    return std::nullopt;
  }
  if (!has_full) {
    return WorkloadProblem{
        {"training.lora.width", "cluster.gpu", "cluster.topology"},
        fmt::format("adapters of 32 bits multiply in fp32, of which {} has no peak", gpu.name),
        "use lora.width 16bit, or give the GPU peak_dense.fp32"};
  }
  std::string known;
  for (const auto& [precision, name] : kNames<Precision>) {
    if (gpu.peak(precision)) {
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
  }
  return WorkloadProblem{
      {"training.precision", "cluster.gpu", "cluster.topology"},
      fmt::format("{} has no {}", gpu.name, name_of(gpu.peak(asked) ? Precision::Bf16 : asked)),
      fmt::format("it has {}", known)};
}

std::optional<WorkloadProblem> attention_problem(const Workload& workload, const GpuSpec& gpu) {
  const AttentionKind asked = workload.training.attention;
  const Precision multiplies = precision_of(asked, workload.training.precision);
  if (multiplies != workload.training.precision && !gpu.peak(multiplies)) {
    return WorkloadProblem{{"training.attention", "cluster.gpu", "cluster.topology"},
                           fmt::format("attention {} multiplies in {}, which {} has not",
                                       name_of(asked), name_of(multiplies), gpu.name),
                           "leave attention out: it is then the usual one of the GPU"};
  }
  if (asked == AttentionKind::Unfused || gpu.fused(asked) != nullptr) {
    return std::nullopt;
  }
  std::string known;
  for (const auto& [kind, name] : kNames<AttentionKind>) {
    if (is_fused(kind) && kind != AttentionKind::Flash && gpu.fused(kind) != nullptr) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
    }
  }
  return WorkloadProblem{
      {"training.attention", "cluster.gpu", "cluster.topology"},
      fmt::format("nothing says how fast attention {} is on {}",
                  name_of(asked == AttentionKind::Flash ? gpu.usual_attention : asked), gpu.name),
      known.empty() ? std::string("use attention unfused") : fmt::format("it has {}", known)};
}

std::vector<WorkloadProblem> problems(const Workload& workload, int gpus, const GpuSpec& gpu) {
  return Checker(workload, gpus, gpu).run();
}

}  // namespace danlu
