// DeepSpeed: ds_config.json. Names and defaults are those of deepspeed/runtime/constants.py and
// deepspeed/runtime/zero/config.py (github.com/deepspeedai/DeepSpeed).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/import/flat_flags.hpp"
#include "sim/import/import.hpp"

namespace danlu {
namespace deepspeed {  // the folder is built as one
namespace {

using enum Reading;

const std::vector<FlagRow>& rows() {
  static const std::vector<FlagRow> all{
      {"train_batch_size", "training.global_batch", Fact, "two of these three give the third"},
      {"train_micro_batch_size_per_gpu", "training.micro_batch", Fact},
      {"gradient_accumulation_steps", "training.global_batch", Fact},
      {"zero_optimization.stage", "parallelism.zero", Count},
      {"zero_optimization.overlap_comm", "parallelism.overlap.data|parallelism.sharding.prefetch",
       Fact,
       "true by default with stage 3, where compute waits for each gather without it; danlu hides "
       "what ZeRO-2 sends in any case"},
      {"zero_optimization.mics_shard_size", "parallelism.sharding.ranks", Fact, "MiCS"},
      {"zero_optimization.zero_quantized_weights", "parallelism.sharding.gather_width", Fact,
       "8bit, with stage 3"},
      {"zero_optimization.offload_optimizer.device|zero_optimization.offload_param.device|"
       "zero_optimization.cpu_offload|zero_optimization.cpu_offload_param|"
       "zero_optimization.cpu_offload_params",
       "parallelism.offload.optimizer|parallelism.offload.gradients", Fact,
       "of the optimizer to the CPUs, with stages 2 and 3 of gradients as they come; nothing else "
       "is taken over"},
      {"zero_optimization.offload_optimizer.ratio", "parallelism.offload.optimizer", Fact,
       "the share that the CPUs update (ZeRO-Offload++): below 1 not taken over"},
      {"zero_optimization.zero_quantized_gradients|zero_optimization.zero_hpz_partition_size",
       "parallelism.zero", Fact, "ZeRO++: not taken over"},
      {"zero_optimization", "parallelism.zero", Fact, "true: stage 1 of old files"},
      {"bf16.enabled|bfloat16.enabled", "training.precision", Fact, "fp32 without it and fp16"},
      {"fp16.enabled|amp.enabled", "training.precision", Fact},
      {"bf16.bf16_master_weights_and_grads|bfloat16.bf16_master_weights_and_grads|"
       "fp16.fp16_master_weights_and_grads",
       "training.optimizer.master|training.gradients", Fact,
       "no fp32 master weights, gradients in 16 bits; DeepSpeed's 16-bit copy of each shard is "
       "told"},
      {"bf16.bf16_optimizer_states|bfloat16.bf16_optimizer_states",
       "training.optimizer.state_width", Fact, "16bit, with bf16_master_weights_and_grads"},
      {"bf16.immediate_grad_update|bfloat16.immediate_grad_update", "training.gradient_copy", Fact,
       "without it, of bf16 whose gradients are summed in fp32"},
      {"data_types.grad_accum_dtype",
       "training.gradients",
       Words,
       "",
       {{"fp32", "fp32"}, {"fp16", "16bit"}, {"bf16", "16bit"}}},
      {"communication_data_type", "parallelism.sharding.reduce_width", Fact, "with stages 2 and 3"},
      {"pipeline.stages", "parallelism.pipeline", Fact,
       "the training code's PipelineModule decides"},
      {"elasticity.enabled", "training.global_batch", Fact,
       "true: DeepSpeed chooses the batch, which is told"},
      {"tensor_parallel.autotp_size|tensor_parallel.tp_size", "parallelism.tensor", Count},
      {"sequence_parallel_size", "parallelism.ulysses", Count},
      {"optimizer.type", "training.optimizer.kind|training.optimizer.implementation", Fact,
       "Adam and AdamW, which are DeepSpeed's in one kernel; SGD; Muon; others are told"},
      {"optimizer.params.torch_adam", "training.optimizer.implementation", Fact,
       "PyTorch's Adam: foreach"},
      {"activation_checkpointing.partition_activations|activation_checkpointing.cpu_checkpointing",
       "", Told, "what a layer keeps lies whole on each GPU of its tensor ranks here"},
      {"compile.enabled|compile.deepcompile", "", Told,
       "layers are taken as they are without torch.compile: training.framework pytorch-compiled "
       "has it"},
      {"optimizer.params.*|scheduler.*|gradient_clipping|amp.*|prescale_gradients|"
       "fp16.auto_cast|fp16.loss_scale|fp16.initial_scale_power|fp16.loss_scale_window|"
       "fp16.hysteresis|fp16.consecutive_hysteresis|fp16.min_loss_scale|bf16.check_grad_overflow|"
       "bfloat16.check_grad_overflow|gradient_allreduce_op|"
       "gradient_predivide_factor|zero_allow_untested_optimizer|zero_force_ds_cpu_optimizer|"
       "optimizer.legacy_fusion|seed",
       "", Idle, "changes what is learnt, not how long a step takes"},
      {"zero_optimization.allgather_bucket_size|"
       "zero_optimization.reduce_bucket_size|zero_optimization.stage3_prefetch_bucket_size|"
       "zero_optimization.stage3_max_live_parameters|zero_optimization.stage3_max_reuse_distance|"
       "zero_optimization.stage3_param_persistence_threshold|"
       "zero_optimization.stage3_model_persistence_threshold|"
       "zero_optimization.stage3_gather_16bit_weights_on_model_save|"
       "zero_optimization.stage3_gather_fp16_weights_on_model_save|"
       "zero_optimization.stage3_use_all_reduce_for_fetch_params|"
       "zero_optimization.stage3_module_granularity_threshold|"
       "zero_optimization.stage3_allgather_sequential|zero_optimization.sub_group_size|"
       "zero_optimization.use_all_reduce_for_fetch_params|"
       "zero_optimization.module_granularity_threshold|zero_optimization.allgather_sequential|"
       "zero_optimization.allgather_partitions|zero_optimization.reduce_scatter|"
       "zero_optimization.contiguous_gradients|zero_optimization.round_robin_gradients|"
       "zero_optimization.load_from_fp32_weights|zero_optimization.elastic_checkpoint|"
       "zero_optimization.ignore_unused_parameters|zero_optimization.param_persistence_threshold|"
       "zero_optimization.model_persistence_threshold|zero_optimization.max_live_parameters|"
       "zero_optimization.max_reuse_distance|zero_optimization.prefetch_bucket_size|"
       "zero_optimization.gather_16bit_weights_on_model_save|"
       "zero_optimization.memory_efficient_linear|"
       "zero_optimization.offload_optimizer.nvme_path|"
       "zero_optimization.offload_optimizer.buffer_count|"
       "zero_optimization.offload_optimizer.pin_memory|"
       "zero_optimization.offload_optimizer.pipeline_read|"
       "zero_optimization.offload_optimizer.pipeline_write|"
       "zero_optimization.offload_optimizer.fast_init|"
       "zero_optimization.offload_optimizer.super_offload|"
       "zero_optimization.offload_optimizer.cpuadam_cores_perc|"
       "zero_optimization.offload_param.nvme_path|zero_optimization.offload_param.buffer_count|"
       "zero_optimization.offload_param.buffer_size|zero_optimization.offload_param.max_in_cpu|"
       "zero_optimization.offload_param.pin_memory|"
       "zero_optimization.mics_hierarchical_params_gather|"
       "zero_optimization.use_multi_rank_bucket_allreduce|"
       "zero_optimization.pipeline_loading_checkpoint|"
       "zero_optimization.log_trace_cache_warnings|zero_optimization.enable_sanity_checks|"
       "zero_optimization.override_module_apply|zero_optimization.legacy_stage1|"
       "zero_optimization.grad_hooks|zero_optimization.cpu_offload_use_pin_memory",
       "", Idle, "danlu gathers and reduces layer by layer, one unit ahead"},
      {"activation_checkpointing.*", "", Idle,
       "how activations are kept; whether layers are computed again is said by the training "
       "code: set training.recompute"},
      {"steps_per_print|wall_clock_breakdown|dump_state|flops_profiler.*|tensorboard.*|wandb.*|"
       "csv_monitor.*|comet.*|comms_logger.*|memory_breakdown|checkpoint.*|aio.*|autotuning.*|"
       "elasticity.*|nebula.*|logging.*|monitor_config.*|disable_allgather|"
       "dataloader_drop_last|data_types.*|compile.*|pipeline.*|tensor_parallel.*|"
       "sparse_gradients|timers.*",
       "", Idle, "logs, files and details"},
  };
  return all;
}

const std::vector<DefaultRow>& defaults() {
  static const std::vector<DefaultRow> all{
      {"parallelism.zero", "0", "DeepSpeed's default: no zero_optimization"},
      {"training.precision", "fp32", "DeepSpeed's default: neither bf16 nor fp16 is enabled"},
      {"training.recompute", "none", "assumed: the training code says whether it checkpoints"},
      {"training.attention", "flash", "assumed: the training code says which attention it has"},
      {"training.framework", "huggingface",
       "assumed: the training code is not in the file; megatron-deepspeed with Megatron's layers"},
  };
  return all;
}

bool is_auto(const GivenFlag* flag) {
  return flag == nullptr || flag->value == "auto";
}

std::optional<long> number_of(const Draft& draft, std::string_view name) {
  return is_auto(draft.given(name)) ? std::nullopt : draft.whole(name);
}

/// DeepSpeed refuses a batch that is not microbatch x accumulation x replicas
/// (DeepSpeedConfig._batch_assertion); accumulation that is not given is what makes it so.
void check_batch(const Draft& draft) {
  const std::optional<long> global = number_of(draft, "train_batch_size");
  const std::optional<long> micro = number_of(draft, "train_micro_batch_size_per_gpu");
  const std::optional<long> replicas = draft.replicas();
  if (!global || !micro || !replicas || draft.options().global_batch) {
    return;
  }
  const std::optional<long> steps = number_of(draft, "gradient_accumulation_steps");
  const auto together = static_cast<double>(*micro * *replicas);
  const long given = steps.value_or(together > 0 ? *global / (*micro * *replicas) : 0);
  const double all = together * static_cast<double>(given);
  if (static_cast<double>(*global) != all) {
    throw InputError(draft.given("train_batch_size")
                         ->problem(fmt::format("{} sequences are not {} of a microbatch x {} "
                                               "steps of accumulation x {} replicas = {:.0f}",
                                               *global, *micro, given, *replicas, all),
                                   "DeepSpeed refuses such a file; --gpus says how many replicas "
                                   "there are, --global-batch another batch"));
  }
}

/// Global batch = microbatch x accumulation x replicas: two of them and the replicas give all.
void finish_batch(Draft& draft) {
  check_batch(draft);
  const std::optional<long> global = draft.options().global_batch
                                         ? std::optional<long>(draft.options().global_batch)
                                         : number_of(draft, "train_batch_size");
  const std::optional<long> micro = number_of(draft, "train_micro_batch_size_per_gpu");
  const std::optional<long> steps = number_of(draft, "gradient_accumulation_steps");
  const std::optional<long> replicas = draft.replicas();
  if (micro) {
    draft.set("training.micro_batch", std::to_string(*micro),
              draft.given("train_micro_batch_size_per_gpu"));
  } else if (global && replicas) {
    const long of_replica = *global / std::max(1L, *replicas);
    draft.set("training.micro_batch", std::to_string(of_replica / std::max(1L, steps.value_or(1))),
              fmt::format("{} / {} replicas / gradient_accumulation_steps{}",
                          draft.options().global_batch ? "--global-batch" : "train_batch_size",
                          *replicas, steps ? "" : " (1 by default)"));
  } else {
    draft.fill_in("training.micro_batch", "train_micro_batch_size_per_gpu is not given");
  }
  if (draft.has("training.global_batch")) {
    return;  // an option says it
  }
  if (global) {
    draft.set("training.global_batch", std::to_string(*global), draft.given("train_batch_size"));
  } else if (micro && replicas) {
    const double all =
        static_cast<double>(*micro * *replicas) * static_cast<double>(steps.value_or(1));
    draft.set("training.global_batch", fmt::format("{:.0f}", all),
              fmt::format("train_micro_batch_size_per_gpu x gradient_accumulation_steps{} x {} "
                          "replicas",
                          steps ? "" : " (1 by default)", *replicas));
  } else {
    draft.fill_in("training.global_batch",
                  "train_batch_size is not given; --global-batch NUMBER says it");
  }
}

void finish_zero(Draft& draft) {
  if (const GivenFlag* old = draft.given("zero_optimization");
      old != nullptr && draft.on(old->name)) {
    draft.set("parallelism.zero", "1", old, "as old files say it");
  }
  const long zero = draft.count("parallelism.zero");
  const GivenFlag* overlap = draft.given("zero_optimization.overlap_comm");
  if (zero > 0 && !is_auto(overlap)) {
    draft.set("parallelism.overlap.data",
              draft.on("zero_optimization.overlap_comm") ? "true" : "false", overlap);
  }
  if (zero == 3 && !is_auto(overlap) && !draft.on("zero_optimization.overlap_comm")) {
    draft.set("parallelism.sharding.prefetch", "0", overlap, "compute waits for gathers");
  }
  if (const std::optional<long> ranks = number_of(draft, "zero_optimization.mics_shard_size");
      ranks && *ranks > 0 && zero > 0) {
    draft.set("parallelism.sharding.ranks", std::to_string(*ranks),
              draft.given("zero_optimization.mics_shard_size"));
  }
  if (zero == 3 && draft.on("zero_optimization.zero_quantized_weights")) {
    draft.set("parallelism.sharding.gather_width", "8bit",
              draft.given("zero_optimization.zero_quantized_weights"));
  }
  for (const char* name :
       {"zero_optimization.offload_optimizer.device", "zero_optimization.offload_param.device",
        "zero_optimization.cpu_offload", "zero_optimization.cpu_offload_param",
        "zero_optimization.cpu_offload_params"}) {
    const GivenFlag* flag = draft.given(name);
    if (flag == nullptr || flag->value == "none" || flag->value == "false") {
      continue;
    }
    const bool state =
        std::string_view(name).find("param") == std::string_view::npos && flag->value != "nvme";
    if (state && Draft::knows("parallelism.offload.optimizer")) {
      draft.set("parallelism.offload.optimizer", "true", flag);
      if (zero >= 2) {
        draft.set("parallelism.offload.gradients", "backward", flag,
                  "stages 2 and 3 copy gradients as each unit's are reduced");
      }
    } else {
      draft.not_used(*flag,
                     "offload to host memory is not taken over: the scenario keeps all on "
                     "the GPUs");
    }
  }
  draft.tell_offloaded_share("zero_optimization.offload_optimizer.ratio");
  for (const char* name : {"zero_optimization.zero_quantized_gradients",
                           "zero_optimization.zero_hpz_partition_size"}) {
    const GivenFlag* flag = draft.given(name);
    if (flag != nullptr && flag->value != "false" && flag->value != "1") {
      draft.not_used(*flag, "this part of ZeRO++ is not taken over");
    }
  }
}

/// Sums in fp32 of gradients in bf16 are BF16_Optimizer's, with ZeRO-1 and without ZeRO, which
/// keeps the 16 bits until a microbatch's backward pass is over
/// (DeepSpeedEngine._do_optimizer_sanity_check, BF16_Optimizer.backward).
void finish_copies(Draft& draft, bool bf16) {
  constexpr std::string_view kAtOnce = "bf16.immediate_grad_update|bfloat16.immediate_grad_update";
  if (bf16 && draft.at("training.gradients") == "fp32" && draft.count("parallelism.zero") <= 1 &&
      !draft.on(kAtOnce)) {
    draft.set("training.gradient_copy", "true", "of DeepSpeed's BF16_Optimizer");
  }
}

/// Masters, gradients and moments in 16 bits, which DeepSpeed has with ZeRO alone
/// (DeepSpeedConfig._do_error_check).
void finish_masters(Draft& draft) {
  constexpr std::string_view kMasters =
      "bf16.bf16_master_weights_and_grads|bfloat16.bf16_master_weights_and_grads|"
      "fp16.fp16_master_weights_and_grads";
  constexpr std::string_view kStates = "bf16.bf16_optimizer_states|bfloat16.bf16_optimizer_states";
  const GivenFlag* masters = draft.first_on(kMasters);
  const GivenFlag* states = draft.first_on(kStates);
  for (const GivenFlag* from : {masters, states}) {
    if (from != nullptr && (draft.count("parallelism.zero") == 0 || masters == nullptr)) {
      throw InputError(
          from->problem(fmt::format("'{}' needs {}", from->name,
                                    masters != nullptr ? "zero_optimization.stage 1, 2 or 3"
                                                       : "bf16_master_weights_and_grads"),
                        "DeepSpeed refuses such a file"));
    }
  }
  if (masters == nullptr) {
    return;
  }
  draft.set("training.optimizer.master", "false", masters);
  draft.set("training.gradients", "16bit", masters);
  if (states != nullptr) {
    draft.set("training.optimizer.state_width", "16bit", states);
  }
  draft.remark(
      fmt::format("{}: DeepSpeed keeps a 16-bit copy of each rank's shard of weights, "
                  "danlu none: 2 bytes of each of its parameters are missing",
                  masters->place()));
}

/// The first of several flags that has the value.
const GivenFlag* first_that_is(std::string_view value, std::string_view names, const Draft& draft) {
  for (const std::string_view name : split(names, '|')) {
    const GivenFlag* flag = draft.given(name);
    if (flag != nullptr && flag->value == value) {
      return flag;
    }
  }
  return nullptr;
}

void finish_precision(Draft& draft) {
  constexpr std::string_view kBf16 = "bf16.enabled|bfloat16.enabled";
  constexpr std::string_view kFp16 = "fp16.enabled|amp.enabled";
  const GivenFlag* bf16 = first_that_is("true", kBf16, draft);
  const GivenFlag* fp16 = first_that_is("true", kFp16, draft);
  if (bf16 != nullptr && fp16 != nullptr) {
    throw InputError(fp16->problem(fmt::format("both {} and {} are true", bf16->name, fp16->name),
                                   "DeepSpeed refuses such a file"));
  }
  finish_masters(draft);
  if (bf16 != nullptr || fp16 != nullptr) {
    draft.set("training.precision", bf16 != nullptr ? "bf16" : "fp16",
              bf16 != nullptr ? bf16 : fp16);
    const bool whole = bf16 != nullptr && draft.count("parallelism.zero") == 0;
    if (!draft.has("training.gradients")) {  // DeepSpeedEngine.get_data_types
      draft.set("training.gradients", whole ? "fp32" : "16bit",
                whole ? "DeepSpeed's default: of bf16 without ZeRO in fp32"
                      : "DeepSpeed's default: gradients in the precision of the model");
    }
    finish_copies(draft, bf16 != nullptr);
    if (whole && draft.at("training.gradients") == "fp32") {
      draft.remark(
          "bf16 without ZeRO: DeepSpeed's BF16_Optimizer shares the optimizer's state out over the "
          "replicas, as stage 1 does; danlu keeps all of it on each GPU, and needs more memory");
    }
  } else if (first_that_is("auto", kBf16, draft) != nullptr ||
             first_that_is("auto", kFp16, draft) != nullptr) {
    draft.fill_in("training.precision", "the file says auto: the training code decides");
  }
  const GivenFlag* width = draft.given("communication_data_type");
  if (width != nullptr && draft.count("parallelism.zero") >= 2) {
    draft.set("parallelism.sharding.reduce_width", width->value == "fp32" ? "fp32" : "16bit",
              width);
  }
}

void finish_stages(Draft& draft) {
  if (const std::optional<long> stages = number_of(draft, "pipeline.stages"); stages) {
    draft.set("parallelism.pipeline", std::to_string(*stages), draft.given("pipeline.stages"),
              "the training code's PipelineModule decides");
  } else {
    draft.set("parallelism.pipeline", "1", "assumed: the training code says whether it has stages");
  }
  if (draft.on("elasticity.enabled")) {
    draft.not_used(*draft.given("elasticity.enabled"),
                   "DeepSpeed chooses the batch by it, whatever train_batch_size says");
  }
}

void finish(Draft& draft) {
  draft.add_sequence_length();
  draft.add_cluster(std::nullopt, "");
  if (draft.options().model.empty()) {
    draft.fill_in("model.preset", "the file does not say the model; --model NAME or FILE does");
  }
  finish_stages(draft);
  finish_zero(draft);
  finish_precision(draft);
  finish_batch(draft);
  const GivenFlag* optimizer = draft.given("optimizer.type");
  if (optimizer == nullptr) {
    return;
  }
  constexpr auto kKinds = std::to_array<std::pair<std::string_view, std::string_view>>(
      {{"Adam", ""}, {"AdamW", ""}, {"auto", ""}, {"SGD", "sgd"}, {"Muon", "muon"}});
  const auto* const kind = std::find_if(
      kKinds.begin(), kKinds.end(), [&](const auto& one) { return one.first == optimizer->value; });
  if (kind == kKinds.end() || (!kind->second.empty() && !Draft::knows("training.optimizer.kind"))) {
    draft.not_used(*optimizer, "Adam is taken for the optimizer");
  } else if (!kind->second.empty()) {
    draft.set("training.optimizer.kind", std::string(kind->second), optimizer);
  } else if (optimizer->value != "auto") {
    const GivenFlag* torch = draft.given("optimizer.params.torch_adam");
    const bool apart = torch != nullptr && draft.on(torch->name);
    const bool on_cpus = draft.has("parallelism.offload.optimizer");  // configure_basic_optimizer
    draft.set("training.optimizer.implementation", apart ? "foreach" : "fused",
              apart ? torch : optimizer,
              apart     ? ""
              : on_cpus ? "DeepSpeed's DeepSpeedCPUAdam, one pass over each parameter"
                        : "DeepSpeed's FusedAdam");
  }
}

std::vector<GivenFlag> read_flags(const std::string& text, const std::string& name,
                                  std::vector<Definition>& /*environment*/,
                                  std::vector<std::string>& /*notes*/) {
  std::vector<GivenFlag> flags = flags_of(read_flat_yaml(text, name));
  for (GivenFlag& flag : flags) {
    const bool left_to_code = flag.value == "auto" && flag.name == "zero_optimization.stage";
    flag.known = !left_to_code;
  }
  return flags;
}

}  // namespace
}  // namespace deepspeed

const Importer kDeepSpeed{
    .name = "deepspeed",
    .title = "DeepSpeed",
    .file = "a JSON file for `--deepspeed_config`",
    .introduction =
        "Such a file says how training is sharded and in what precision; the model, its sequence "
        "length, the machine and the number of GPUs stand elsewhere: `--model`, "
        "`--sequence-length`, `--topology` and `--gpus` say them. `auto` leaves a value to the "
        "training code, as if it were not there.",
    .rows = deepspeed::rows(),
    .defaults = deepspeed::defaults(),
    .read = deepspeed::read_flags,
    .finish = deepspeed::finish};

}  // namespace danlu
