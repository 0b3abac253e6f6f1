// torchtitan: a training configuration in TOML, as it had until February 2026. Names and defaults
// are those of torchtitan/config/job_config.py (github.com/pytorch/torchtitan before commit
// 9810191); where a key had another section before (degrees under [training] until spring 2025,
// float8 switched on in its own until January 2025), that counts, too.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "sim/import/flat_flags.hpp"
#include "sim/import/import.hpp"
#include "sim/import/torchtitan_batch.hpp"
#include "sim/import/torchtitan_precision.hpp"
#include "sim/scenario/resolve.hpp"

namespace danlu {
namespace torchtitan {  // the folder is built as one
namespace {

using enum Reading;

const std::vector<FlagRow>& rows() {
  static const std::vector<FlagRow> all{
      {"model.name", "model.preset", Fact, "with the flavor"},
      {"model.flavor", "model.preset", Fact},
      {"training.seq_len", "training.sequence_length", Count},
      {"training.local_batch_size|training.batch_size",
       "training.micro_batch|training.global_batch", Fact,
       "a microbatch; with pipeline stages cut into microbatches"},
      {"training.global_batch_size", "training.global_batch", Fact,
       "-1: local batch size x replicas; with pipeline stages and several local batches a step "
       "takes longer than danlu says, which is told"},
      {"training.mixed_precision_param",
       "training.precision",
       Words,
       "",
       {{"bfloat16", "bf16"}, {"float32", "fp32"}}},
      {"training.dtype",
       "training.optimizer.master|training.optimizer.state_width|training.gradients", Fact,
       "bfloat16: weights, gradients and moments in 16 bits, without an fp32 copy"},
      {"training.mixed_precision_reduce",
       "parallelism.sharding.reduce_width",
       Words,
       "",
       {{"float32", "fp32"}, {"bfloat16", "16bit"}}},
      {"training.enable_cpu_offload", "parallelism.zero", Fact,
       "weights, gradients and the optimizer in host memory: not taken over"},
      {"training.steps", "training.tokens", Fact, "x sequences a step x their length"},
      {"parallelism.tensor_parallel_degree|training.tensor_parallel_degree", "parallelism.tensor",
       Count, "torchtitan always splits norms too (sequence parallelism)"},
      {"parallelism.disable_loss_parallel|training.disable_loss_parallel",
       "parallelism.logits",
       On,
       "",
       {{"", "whole"}}},
      {"parallelism.enable_async_tensor_parallel|experimental.enable_async_tensor_parallel",
       "parallelism.overlap.tensor",
       On,
       "",
       {{"", "full"}}},
      {"parallelism.pipeline_parallel_degree|experimental.pipeline_parallel_degree",
       "parallelism.pipeline", Count},
      {"parallelism.context_parallel_degree|experimental.context_parallel_degree",
       "parallelism.context", Count},
      {"parallelism.context_parallel_rotate_method|experimental.context_parallel_rotate_method",
       "parallelism.context_exchange",
       Words,
       "",
       {{"allgather", "gather-ring"}, {"alltoall", "ring"}}},
      {"parallelism.expert_parallel_degree", "parallelism.expert", Count},
      {"parallelism.expert_tensor_parallel_degree", "parallelism.expert_tensor", Fact,
       "with expert_parallel_degree; 1 without it"},
      {"parallelism.expert_parallel_comm_backend",
       "parallelism.expert_exchange",
       Words,
       "",
       {{"standard", "all-to-all"}, {"deepep", "deepep"}, {"hybridep", "deepep"}}},
      {"parallelism.data_parallel_replicate_degree|training.data_parallel_replicate_degree",
       "parallelism.sharding.ranks", Fact, "replicas / it"},
      {"parallelism.data_parallel_shard_degree|training.data_parallel_shard_degree|"
       "training.data_parallel_degree",
       "parallelism.zero|parallelism.sharding.ranks", Fact,
       "-1: all that is left; 1: no sharding; with it the degrees say how many GPUs"},
      {"parallelism.fsdp_reshard_after_forward", "parallelism.sharding.reshard", Fact,
       "default: after forward, but with pipeline stages never"},
      {"parallelism.pipeline_parallel_schedule|experimental.pipeline_parallel_schedule",
       "training.schedule.kind",
       Words,
       "",
       {{"1F1B", "1f1b"},
        {"Interleaved1F1B", "1f1b"},
        {"GPipe", "gpipe"},
        {"ZBVZeroBubble", "zb-v"},
        {"DualPipeV", "dualpipe-v"}}},
      {"parallelism.pipeline_parallel_microbatch_size", "training.micro_batch", Fact,
       "1 without it"},
      {"parallelism.pipeline_parallel_microbatches|experimental.pipeline_parallel_microbatches",
       "training.micro_batch", Fact,
       "until April 2025: a local batch / it, and without it / pipeline_parallel_degree"},
      {"parallelism.pipeline_parallel_layers_per_stage", "training.schedule.chunks", Fact},
      {"parallelism.pipeline_parallel_first_stage_less_layers|"
       "parallelism.pipeline_parallel_last_stage_less_layers",
       "parallelism.count_embedding_and_head|parallelism.stage_layers", Fact,
       "1 each, torchtitan's default"},
      {"activation_checkpoint.mode", "training.recompute", Fact},
      {"activation_checkpoint.selective_ac_option", "training.recompute_layers", Fact,
       "a number: each so many-th layer; op: norms and activations, the second products not"},
      {"activation_checkpoint.early_stop", "training.recompute_early_stop", Fact},
      {"model.converters", "training.precision", Fact,
       "of linear layers, with experts of these (grouped_mm), too: float8: fp8; mx: mxfp8; one of "
       "the two alone is told in a model with experts, and left out"},
      {"float8.enable_float8_linear", "training.precision", Fact, "fp8"},
      {"quantize.grouped_mm.float8.fqns|quantize.grouped_mm.mx.fqns", "training.precision", Fact,
       "without them such a converter changes no experts"},
      {"quantize.linear.float8.recipe_name|float8.recipe_name", "training.fp8_recipe", Fact,
       "tensorwise without it; rowwise counts as that"},
      {"quantize.linear.float8.enable_fsdp_float8_all_gather|float8.enable_fsdp_float8_all_gather",
       "parallelism.sharding.gather_width", Fact, "8bit, with float8"},
      {"optimizer.name", "training.optimizer.kind", Words, "", {{"Adam", ""}, {"AdamW", ""}}},
      {"optimizer.implementation|optimizer.fused", "training.optimizer.implementation", Fact,
       "fused; foreach and for-loop: foreach, as fused false of before 2025"},
      {"fault_tolerance.enable", "", Told, "danlu has no groups of replicas of TorchFT"},
      {"optimizer.early_step_in_backward", "", Told,
       "danlu keeps gradients until the step, and updates weights there"},
      {"job.*|profiling.*|metrics.*|checkpoint.*|comm.*|validation.*|memory_estimation.*|debug.*|"
       "fault_tolerance.*|experimental.custom*|"
       "quantize.linear.float8.precompute_float8_dynamic_scale_for_fsdp|"
       "quantize.linear.float8.filter_fqns|quantize.linear.float8.emulate|"
       "quantize.linear.mx.mxfp8_dim1_cast_kernel_choice|quantize.linear.mx.recipe_name|"
       "quantize.linear.mx.filter_fqns|quantize.grouped_mm.mx.recipe_name|"
       "float8.precompute_float8_dynamic_scale_for_fsdp|float8.force_recompute_fp8_weight_in_bwd|"
       "float8.filter_fqns|float8.emulate|float8.moe_fqns_prototype|"
       "float8.scaling_type_input|float8.scaling_type_weight|float8.scaling_type_grad_output|"
       "mx.use_fp8_dim1_cast_triton_kernel|mx.mxfp8_dim1_cast_kernel_choice|mx.recipe_name|"
       "mx.filter_fqns|mx.moe_fqns_prototype",
       "", Idle, "files, logs and details"},
      {"optimizer.lr|optimizer.beta1|optimizer.beta2|optimizer.eps|optimizer.weight_decay|"
       "lr_scheduler.warmup_steps|lr_scheduler.total_steps|lr_scheduler.decay_ratio|"
       "lr_scheduler.decay_type|lr_scheduler.min_lr_factor|lr_scheduler.lr_min|"
       "training.max_norm|training.gc_freq|training.gc_debug|training.deterministic|"
       "training.seed|training.warmup_steps",
       "", Idle, "changes what is learnt; gradients are clipped in any case"},
      {"compile.enable|compile.components|training.compile", "training.framework|training.loss",
       Fact,
       "pytorch-compiled with model among the components, pytorch without it; the loss with loss"},
      {"compile.backend", "", Idle, "how it is compiled"},
      {"training.dataset|training.dataset_path|training.dataloader.*|model.hf_assets_path|model."
       "tokenizer_path|"
       "model.print_after_conversion|model.norm_type",
       "", Idle, "data, tokens and where weights come from"},
      {"parallelism.context_parallel_load_balancer", "", Idle, "contexts are balanced in danlu"},
      {"parallelism.pipeline_parallel_expert_parallel_overlap|parallelism.enable_compiled_autograd|"
       "activation_checkpoint.per_op_sac_force_recompute_mm_shapes_by_fqns|"
       "activation_checkpoint.memory_budget|activation_checkpoint.visualize_memory_budget_pareto|"
       "activation_checkpoint.preserve_rng_state|activation_checkpoint.determinism_check|"
       "activation_checkpoint.debug",
       "", Idle,
       "details: of what is computed again, and passes of DualPipeV that run side by side anyway"},
  };
  return all;
}

const std::vector<DefaultRow>& defaults() {
  static const std::vector<DefaultRow> all{
      {"parallelism.zero", "3", "torchtitan's default: data_parallel_shard_degree -1, FSDP"},
      {"training.precision", "bf16", "torchtitan's default: mixed_precision_param bfloat16"},
      {"training.dropout", "false", "torchtitan's models have no dropout"},
      {"training.gradient_passes", "[norm, clip]",
       "clip_grad_norm_ of its train.py, which multiplies whatever max_norm is"},
      {"training.attention", "flash",
       "scaled_dot_product_attention; on Hopper its backends are FlashAttention-2's: write flash2"},
  };
  return all;
}

struct Flavor {
  std::string_view name, flavor, preset;
};
constexpr auto kFlavors = std::to_array<Flavor>({
    {"llama3", "8B", "llama3-8b"},
    {"llama3", "70B", "llama3-70b"},
    {"llama3", "405B", "llama3-405b"},
    {"llama4", "17bx16e", "llama4-scout"},
    {"llama4", "17bx128e", "llama4-maverick"},
    {"qwen3", "0.6B", "qwen3-0.6b"},
    {"qwen3", "1.7B", "qwen3-1.7b"},
    {"qwen3", "4B", "qwen3-4b"},
    {"qwen3", "8B", "qwen3-8b"},
    {"qwen3", "14B", "qwen3-14b"},
    {"qwen3", "32B", "qwen3-32b"},
    {"qwen3", "30B-A3B", "qwen3-30b-a3b"},
    {"qwen3", "235B-A22B", "qwen3-235b-a22b"},
    {"deepseek_v3", "671B", "deepseek-v3"},
    {"gpt_oss", "20b", "gpt-oss-20b"},
    {"gpt_oss", "120b", "gpt-oss-120b"},
});

/// Layers of the model, where its preset says so; 0 otherwise.
long finish_model(Draft& draft) {
  if (!draft.options().model.empty()) {
    return layers_of_preset(draft.options().model).value_or(0);
  }
  const GivenFlag* name = draft.given("model.name");
  const GivenFlag* flavor = draft.given("model.flavor");
  const std::string_view family = name != nullptr ? std::string_view(name->value) : "llama3";
  for (const Flavor& one : kFlavors) {
    const std::optional<int> layers = layers_of_preset(one.preset);
    if (flavor != nullptr && one.name == family && one.flavor == flavor->value && layers) {
      draft.set(
          "model.preset", std::string(one.preset), flavor,
          name != nullptr ? fmt::format("{}: {}", name->place(), family) : std::string(family));
      return *layers;
    }
  }
  draft.fill_in("model.preset",
                fmt::format("danlu has no {} {}; --model FILE takes its config.json", family,
                            flavor != nullptr ? flavor->value : "debugmodel"));
  return 0;
}

constexpr std::string_view kReplicate =
    "parallelism.data_parallel_replicate_degree|training.data_parallel_replicate_degree";
constexpr std::string_view kShard =
    "parallelism.data_parallel_shard_degree|training.data_parallel_shard_degree|"
    "training.data_parallel_degree";

/// All GPUs, where the file says every degree: replicate x shard x the others.
std::optional<long> finish_degrees(const Draft& draft) {
  const std::optional<long> shard = draft.whole(kShard);
  if (!shard || *shard < 1) {
    return std::nullopt;
  }
  const long largest = Draft::largest("cluster.gpus");
  long gpus = *shard * std::max(1L, draft.whole(kReplicate).value_or(1));
  for (const char* key : {"parallelism.tensor", "parallelism.pipeline", "parallelism.context"}) {
    gpus *= gpus > largest ? 1 : std::max(1L, draft.count(key));
  }
  if (gpus > largest) {
    throw InputError(draft.given(kShard)->problem(fmt::format(
        "the product of all degrees is above danlu's largest cluster of {} GPUs", largest)));
  }
  return gpus;
}

/// torchtitan refuses degrees whose product is not the number of GPUs
/// (ParallelDims._validate); a shard degree of -1 is what makes it so.
void check_degrees(const Draft& draft) {
  const std::optional<long> replicas = draft.replicas();
  const std::optional<long> shard = draft.whole(kShard);
  const long replicate = std::max(1L, draft.whole(kReplicate).value_or(1));
  const bool is_given = shard && *shard > 0;
  const GivenFlag* from = draft.given(is_given ? kShard : kReplicate);
  if (!replicas || from == nullptr ||
      (is_given ? replicate * *shard == *replicas : *replicas % replicate == 0)) {
    return;
  }
  throw InputError(from->problem(
      is_given ? fmt::format("{} replicated x {} sharded are not the {} replicas of {} GPUs",
                             replicate, *shard, *replicas, draft.count("cluster.gpus"))
               : fmt::format("{} do not divide the {} replicas of {} GPUs", replicate, *replicas,
                             draft.count("cluster.gpus")),
      is_given ? fmt::format("torchtitan refuses such a plan; it is one of --gpus {}",
                             *finish_degrees(draft))
               : "torchtitan refuses such a plan; --gpus says how many there are"));
}

void finish_sharding(Draft& draft, bool pipeline) {
  const std::optional<long> replicate = draft.whole(kReplicate);
  const std::optional<long> shard = draft.whole(kShard);
  const std::optional<long> replicas = draft.replicas();
  check_degrees(draft);
  if (shard && *shard == 1) {
    draft.set("parallelism.zero", "0", draft.given(kShard), "nothing is sharded");
    return;
  }
  if (shard && *shard > 1) {
    draft.set("parallelism.zero", "3", draft.given(kShard), "FSDP");
  }
  if (replicate && *replicate > 1 && replicas) {
    draft.set("parallelism.sharding.ranks", std::to_string(*replicas / *replicate),
              draft.given(kReplicate), "HSDP");
  }
  const GivenFlag* reshard = draft.given("parallelism.fsdp_reshard_after_forward");
  const std::string how = reshard != nullptr ? reshard->value : "default";
  const bool keeps = how == "never" || (how == "default" && pipeline);
  draft.set("parallelism.sharding.reshard",
            pipeline ? "step"
            : keeps  ? "backward"
                     : "forward",
            reshard != nullptr ? reshard->place()
                               : "torchtitan's default: after forward, but never with pipeline "
                                 "stages");
  if (pipeline) {
    draft.set("parallelism.sharding.reduce", "step",
              "PyTorch's pipeline stages reduce gradients after the last microbatch");
  }
  draft.set("parallelism.sharding.units", "[embedding, layer, head]",
            "torchtitan shards embedding and head as units of their own (apply_fsdp)");
  if (how == "always") {
    draft.set("parallelism.sharding.keep_root", "false", reshard, "the head's unit, too");
  }
  draft.set("parallelism.sharding.copy", "false", "PyTorch's FSDP casts before it gathers");
  if (!draft.has("parallelism.sharding.reduce_width")) {
    draft.set("parallelism.sharding.reduce_width", "fp32",
              "torchtitan's default: mixed_precision_reduce float32");
  }
}

/// Experts are shared by tensor ranks only where it is asked, once there are expert ranks.
void finish_experts(Draft& draft) {
  constexpr std::string_view kShared = "parallelism.expert_tensor_parallel_degree";
  if (draft.count("parallelism.expert") <= 1 || draft.count("parallelism.tensor") <= 1) {
    return;
  }
  const GivenFlag* given = draft.given(kShared);
  draft.set(
      "parallelism.expert_tensor", std::to_string(draft.whole(kShared).value_or(1)),
      given != nullptr ? given->place() : "torchtitan's default: expert_tensor_parallel_degree 1");
}

void finish_pipeline(Draft& draft, long layers) {
  const long stages = draft.count("parallelism.pipeline");
  const GivenFlag* schedule =
      draft.given("parallelism.pipeline_parallel_schedule|experimental.pipeline_parallel_schedule");
  const std::optional<long> of_stage =
      draft.whole("parallelism.pipeline_parallel_layers_per_stage");
  if (schedule != nullptr && schedule->value == "Interleaved1F1B") {
    constexpr long kDefault = 2;
    const bool known = of_stage && *of_stage > 0 && layers > 0;
    draft.set("training.schedule.chunks",
              std::to_string(
                  known ? std::max(1L, (layers + 2 + *of_stage * stages - 1) / (*of_stage * stages))
                        : kDefault),
              known ? "parallelism.pipeline_parallel_layers_per_stage"
                    : "torchtitan's default with Interleaved1F1B");
  }
  const auto less = [&](std::string_view flag) { return draft.whole(flag).value_or(1); };
  if (less("parallelism.pipeline_parallel_first_stage_less_layers") == 1 &&
      less("parallelism.pipeline_parallel_last_stage_less_layers") == 1) {
    const long parts = stages * std::max(1L, draft.count("training.schedule.chunks"));
    if (layers > 0 && parts > layers + 2) {
      throw InputError(draft
                           .given("parallelism.pipeline_parallel_degree|"
                                  "experimental.pipeline_parallel_degree")
                           ->problem(fmt::format("{} parts are more than {} layers, embedding and "
                                                 "head",
                                                 parts, layers),
                                     "torchtitan refuses such a plan"));
    }
    constexpr const char* kWhy =
        "torchtitan's default: the first and the last stage have a layer less";
    if (layers == 0 || (layers + 2) % parts == 0) {
      draft.set("parallelism.count_embedding_and_head", "true", kWhy);
      return;
    }
    std::vector<long> of_part(static_cast<std::size_t>(parts), (layers + 2) / parts);
    for (long i = 0; i < (layers + 2) % parts; ++i) {
      ++of_part[static_cast<std::size_t>(i)];
    }
    --of_part.front();
    --of_part.back();
    draft.set("parallelism.stage_layers", fmt::format("[{}]", fmt::join(of_part, ", ")), kWhy);
  }
}

void finish_recompute(Draft& draft, long layers) {
  const GivenFlag* mode = draft.given("activation_checkpoint.mode");
  const GivenFlag* option = draft.given("activation_checkpoint.selective_ac_option");
  const std::string kind = mode != nullptr ? mode->value : "selective";
  const std::string from = mode != nullptr ? mode->place() : "torchtitan's default: selective";
  if (kind == "none" || kind == "full") {
    draft.set("training.recompute", kind, from);
  } else if (kind != "selective") {
    draft.not_used(*mode, "danlu knows none, selective and full");
  } else if (option != nullptr && option->value == "op") {
    draft.set("training.recompute", "alternate", option);
  } else {
    const long each =
        std::max(1L, draft.whole("activation_checkpoint.selective_ac_option").value_or(2));
    draft.set("training.recompute", "full", from);
    if (layers > 0 && each > 1) {
      const long chunks = std::max(1L, draft.count("parallelism.pipeline")) *
                          std::max(1L, draft.count("training.schedule.chunks"));
      draft.set("training.recompute_layers", std::to_string(layers / chunks / each),
                fmt::format("one layer in {} of a chunk, as so many first ones", each));
    }
  }
  const bool by_operator = kind == "selective" && option != nullptr && option->value == "op";
  if (draft.on("activation_checkpoint.early_stop") && kind != "none" && !by_operator) {
    draft.set("training.recompute_early_stop", "true",
              draft.given("activation_checkpoint.early_stop"));
  }
}

void finish_optimizer(Draft& draft) {
  const GivenFlag* how = draft.given("optimizer.implementation|optimizer.fused");
  if (how == nullptr) {
    return;
  }
  const bool fused = how->name == "optimizer.fused" ? draft.on(how->name) : how->value == "fused";
  draft.set("training.optimizer.implementation", fused ? "fused" : "foreach", how);
}

/// What torch.compile has: the model, the loss, or both.
void finish_compiled(Draft& draft) {
  constexpr std::string_view kCompile = "compile.enable|training.compile";
  const GivenFlag* listed = draft.given("compile.components");
  const std::vector<std::string_view> parts =
      words_of(listed != nullptr ? std::string_view(listed->value) : "model, loss");
  const auto has = [&](std::string_view part) {
    return draft.on(kCompile) && std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  const bool model = has("model");
  const bool loss = has("loss") && !is_before_april_2025(draft);
  const GivenFlag* from = draft.on(kCompile) && listed != nullptr ? listed : draft.given(kCompile);
  if (from != nullptr) {
    draft.set("training.framework", model ? "pytorch-compiled" : "pytorch", from);
  } else {
    draft.set("training.framework", "pytorch", "torchtitan's default: compile.enable false");
  }
  if (loss != model) {
    draft.set("training.loss", model ? "eager" : "fused", listed != nullptr ? listed : from,
              !model ? "the loss alone is compiled"
              : listed == nullptr
                  ? "until April 2025 the loss was not compiled, but from October to December 2024"
                  : "the loss is not compiled");
  }
  constexpr std::string_view kAsync =
      "parallelism.enable_async_tensor_parallel|experimental.enable_async_tensor_parallel";
  if (draft.on(kAsync) && draft.count("parallelism.tensor") > 1 && !model) {
    const GivenFlag& async = *draft.given(kAsync);
    throw InputError(async.problem(
        fmt::format("'{}' needs compile.enable, with model among compile.components", async.name),
        "torchtitan refuses such a plan"));
  }
}

void finish(Draft& draft) {
  if (!draft.has("training.sequence_length")) {
    draft.set("training.sequence_length", "2048", "torchtitan's default: seq_len 2048");
  }
  draft.add_sequence_length();
  draft.add_cluster(finish_degrees(draft), "the product of all degrees");
  const long layers = finish_model(draft);
  const bool pipeline = draft.count("parallelism.pipeline") > 1;
  if (pipeline) {
    finish_pipeline(draft, layers);
  } else {
    draft.forget("training.schedule.kind");  // of the plan with stages
  }
  if (draft.count("parallelism.tensor") > 1) {
    draft.set("parallelism.sequence", "true", "torchtitan's tensor parallelism splits norms too");
    if (!draft.has("parallelism.overlap.tensor")) {
      draft.set("parallelism.overlap.tensor", "none",
                "without enable_async_tensor_parallel PyTorch waits for each collective");
    }
  }
  if (draft.count("parallelism.context") > 1 && !draft.has("parallelism.context_exchange")) {
    draft.set("parallelism.context_exchange", "gather-ring",
              "torchtitan's default: context_parallel_rotate_method allgather");
  }
  if (draft.count("parallelism.context") > 1) {
    draft.set(
        "parallelism.context_heads", "query",
        "torchtitan repeated keys and values before attention until January 2026 (repeat_kv)");
  }
  finish_experts(draft);
  finish_sharding(draft, pipeline);
  finish_recompute(draft, layers);
  finish_titan_precision(draft);
  finish_titan_batch(draft, pipeline);
  finish_optimizer(draft);
  finish_compiled(draft);
  if (draft.on("training.enable_cpu_offload")) {
    draft.not_used(*draft.given("training.enable_cpu_offload"),
                   "offload of weights to host memory is not taken over");
  }
  const double tokens = static_cast<double>(draft.whole("training.steps").value_or(0)) *
                        static_cast<double>(draft.count("training.global_batch")) *
                        static_cast<double>(draft.count("training.sequence_length"));
  if (tokens > 0) {
    draft.set("training.tokens", fmt::format("{:.0f}", tokens), draft.given("training.steps"));
  }
}

std::vector<GivenFlag> read_flags(const std::string& text, const std::string& name,
                                  std::vector<Definition>& /*environment*/,
                                  std::vector<std::string>& /*notes*/) {
  return flags_of(read_flat_toml(text, name));
}

}  // namespace
}  // namespace torchtitan

const Importer kTorchTitan{
    .name = "torchtitan",
    .title = "torchtitan",
    .file = "a TOML file of `train_configs/`",
    .introduction =
        "torchtitan's own defaults hold where the file is silent: FSDP over all replicas, bf16 "
        "with "
        "gradients reduced in fp32, layers computed again selectively. The file says neither the "
        "machine nor the number of GPUs: `--topology` and `--gpus` do. A flavor of a model that "
        "danlu does not have comes from its config.json: `--model FILE`.",
    .rows = torchtitan::rows(),
    .defaults = torchtitan::defaults(),
    .read = torchtitan::read_flags,
    .finish = torchtitan::finish};

}  // namespace danlu
