// NeMo: YAML of its launcher and of examples/nlp/language_modeling/conf, and of Megatron-Bridge.
// Names and defaults are those of megatron_gpt_config.yaml (github.com/NVIDIA/NeMo, 2.4) and of the
// launcher's conf/training (github.com/NVIDIA/NeMo-Framework-Launcher).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "sim/base/text.hpp"
#include "sim/import/bridge_classes.hpp"
#include "sim/import/bridge_precision.hpp"
#include "sim/import/flat_flags.hpp"
#include "sim/import/import.hpp"
#include "sim/import/interpolation.hpp"
#include "sim/import/megatron_core.hpp"
#include "sim/import/nemo2.hpp"

namespace danlu {
namespace nemo {  // the folder is built as one
namespace {

using enum Reading;

constexpr const char* kRecompute =
    "model.activations_checkpoint_granularity|model.recompute_granularity|"
    "model.encoder.activations_checkpoint_granularity";
constexpr const char* kRecomputeMethod =
    "model.activations_checkpoint_method|model.recompute_method|"
    "model.encoder.activations_checkpoint_method";
constexpr const char* kRecomputeLayers =
    "model.activations_checkpoint_num_layers|model.recompute_num_layers|"
    "model.encoder.activations_checkpoint_num_layers";

constexpr CoreFramework kNeMo1{.name = "NeMo",
                               .profile = "nemo",
                               .kv_rank = 512,
                               .overlaps_stages = false,
                               .fuses_positions = false,
                               .fuses_loss = false,
                               .fuses_sums = false,
                               .sums_need = "model.megatron_amp_O2"};
constexpr CoreFramework kBridge{.name = "Megatron-Bridge",
                                .profile = "megatron-bridge",
                                .pads_vocab = false,
                                .query_rank = 512,
                                .kv_rank = 512,
                                .overlaps_stages = false};

constexpr CoreFramework kNeMo2Core = [] {
  CoreFramework like_bridge = kBridge;
  like_bridge.name = "NeMo 2";
  like_bridge.profile = "nemo";
  return like_bridge;
}();

constexpr std::string_view kRecipesNote =
    "a recipe of Megatron-Bridge by its name, which also says training.fp8_recipe, gradients, "
    "narrow_weights, wide_first_layers and wide_last_layers";

std::vector<FlagRow> own_rows() {
  return {
      {"model._target_", "model.layers", Fact,
       "a class of Megatron-Bridge or NeMo 2: its fields count where the file does not write them; "
       "of one that danlu does not know they are to be filled in"},
      {"model.num_query_groups", "model.kv_heads", Count},
      {"model.activation|model.encoder.activation",
       "model.gated_mlp",
       Words,
       "",
       {{"gelu", "false"},
        {"squared-relu", "false"},
        {"openai-gelu", "false"},
        {"swiglu", "true"},
        {"fast-swiglu", "true"},
        {"geglu", "true"},
        {"fast-geglu", "true"},
        {"quick-gelu", "false"},
        {"approx-gelu", "false"},
        {"reglu", "true"},
        {"fast-reglu", "true"},
        {"relu", "false"}}},
      {"model.gated_linear_unit", "model.gated_mlp", On},
      {"model.normalization|model.encoder.normalization",
       "model.norm",
       Words,
       "",
       {{"layernorm", "layernorm"},
        {"layernorm1p", "layernorm"},
        {"LayerNorm", "layernorm"},
        {"rmsnorm", "rmsnorm"},
        {"RMSNorm", "rmsnorm"}}},
      {"model.bias|model.add_bias_linear|model.encoder.bias|model.add_qkv_bias|model.qkv_bias",
       "model.biases", Fact, "of all products, or of queries, keys and values alone"},
      {"model.share_embeddings_and_output_weights|model.share_decoder_tokens_head_embeddings",
       "model.tied_embeddings",
       Words,
       "",
       {{"true", "true"}, {"True", "true"}, {"false", "false"}, {"False", "false"}}},
      {"model.optim.name", "parallelism.zero|training.optimizer.kind", Fact,
       "distributed_fused_adam and mcore_distributed_optim: 1; others are told but for Adam, "
       "sgd, adafactor and muon"},
      {"ddp.use_distributed_optimizer|optimizer.use_distributed_optimizer",
       "parallelism.zero",
       On,
       "",
       {{"", "1"}}},
      {"model.fsdp", "parallelism.zero|parallelism.overlap.data", Fact,
       "3, whose reductions run beside backward passes"},
      {"trainer.strategy.fsdp", "parallelism.zero|parallelism.overlap.data", Fact,
       "pytorch: 3; megatron: by data_parallel_sharding_strategy of ddp"},
      {"trainer.strategy", "training.framework", Fact, "a section of NeMo 2's"},
      {"model.fsdp_sharding_strategy", "parallelism.zero", Fact,
       "full: 3, grad: 2; hybrid is told"},
      {"model.fsdp_grad_reduce_dtype", "parallelism.sharding.reduce_width", Fact,
       "with model.fsdp; fp32 without it"},
      {"model.optim.grad_sync_dtype",
       "training.gradients",
       Words,
       "",
       {{"bf16", "16bit"}, {"16", "16bit"}, {"fp32", "fp32"}, {"32", "fp32"}}},
      {"ddp.grad_reduce_in_fp32", "training.gradients", Fact,
       "fp32, or 16bit where it is false; what mixed_precision says of it wins, as in "
       "Megatron-Bridge"},
      {"model.micro_batch_size|train.micro_batch_size|data.micro_batch_size",
       "training.micro_batch", Count},
      {"model.global_batch_size|train.global_batch_size|data.global_batch_size",
       "training.global_batch", Count},
      {"model.encoder_seq_length|model.data.seq_length|model.seq_length|dataset.sequence_length|"
       "dataset.seq_length|data.seq_length",
       "training.sequence_length", Fact},
      {"model.data.seq_length_dec", "training.decoder_length", Fact, "of an encoder-decoder"},
      {"trainer.precision|trainer.plugins.precision|plugins.precision",
       "training.precision",
       Words,
       "",
       {{"bf16", "bf16"},
        {"bf16-mixed", "bf16"},
        {"bf16-true", "bf16"},
        {"16", "fp16"},
        {"16-mixed", "fp16"},
        {"16-true", "fp16"},
        {"32", "fp32"},
        {"32-true", "fp32"}}},
      {"mixed_precision", "training.precision", Fact, kRecipesNote},
      {"mixed_precision.bf16|mixed_precision.fp16|mixed_precision.fp8|mixed_precision.fp8_recipe|"
       "mixed_precision.fp4",
       "training.precision|training.fp8_recipe", Fact, "the same, written out"},
      {"mixed_precision.grad_reduce_in_fp32", "training.gradients", Fact, "true without it"},
      {"mixed_precision.fp8_param_gather|mixed_precision.fp8_param|"
       "mixed_precision.fp4_param_gather|mixed_precision.fp4_param|ddp.fp8_param_gather|"
       "model.fp8_params|model.fp8_param",
       "training.narrow_weights", Fact, "only"},
      {"model.fp8|model.fp8_recipe", "training.precision|training.fp8_recipe", Fact,
       "fp8, or mxfp8 by the recipe"},
      {"model.bf16|model.fp16", "training.precision", Fact,
       "of Megatron-Bridge, without mixed_precision"},
      {"model.cpu_offloading", "parallelism.offload.activation_layers", Fact,
       "false: none, whatever cpu_offloading_num_layers is"},
      {kRecompute, "training.recompute", Fact},
      {"model.recompute_modules", "training.recompute", Fact,
       "with selective; core_attn without it"},
      {kRecomputeMethod, "training.recompute_layers|training.recompute_unit", Fact,
       "block or uniform"},
      {kRecomputeLayers, "training.recompute_layers|training.recompute_unit", Fact},
      {"mixed_precision.first_last_layers_bf16|mixed_precision.num_layers_at_start_in_bf16|"
       "mixed_precision.num_layers_at_end_in_bf16",
       "training.wide_first_layers|training.wide_last_layers", Fact,
       "below 16 bits; without the numbers 0 each"},
      {"model.transformer_engine|model.use_flash_attention|model.mcore_gpt", "training.attention",
       Fact,
       "of NeMo: flash with transformer_engine, without mcore_gpt also with use_flash_attention; "
       "unfused without them"},
      {"model.megatron_amp_O2", "training.accumulation", Fact,
       "NeMo fuses sums of gradients with it alone"},
      {"model.num_micro_batches_with_partial_activation_checkpoints|"
       "model.num_microbatches_with_partial_activation_checkpoints|"
       "model.activations_checkpoint_layers_per_pipeline",
       "", Told, "every microbatch and stage computes as many layers again here"},
      {"model.peft.peft_scheme|peft|peft._target_", "training.lora.rank", Fact,
       "LoRA; other schemes are told"},
      {"model.peft.lora_tuning.adapter_dim|peft.dim", "training.lora.rank", Fact, "32 without it"},
      {"model.peft.lora_tuning.target_modules|peft.target_modules", "training.lora.targets", Fact,
       "qkv, o, gate and up, down by NeMo's names; NeMo's default is qkv, Megatron-Bridge's all"},
      {"model.peft.lora_tuning.adapter_dropout|peft.dropout", "training.lora.dropout", Fact,
       "none without it"},
      {"model.peft.*|peft.*", "", Idle, "details of adapters"},
      {"trainer.max_steps|train.train_iters", "training.tokens", Fact,
       "x sequences a step x their length"},
      {"trainer.num_nodes|trainer.devices", "cluster.gpus", Fact, "nodes x GPUs of a node"},
      {"trainer.accumulate_grad_batches", "training.global_batch", Fact,
       "1: NeMo itself accumulates until it has the global batch; more is told"},
      {"defaults|hydra.*|run.*|exp_manager.*|name|restore_from_path|trainer.*|logger.*|checkpoint.*"
       "|"
       "rng.*|dist.*|profiling.*|train.*|validation.*|tokenizer.*|inference.*|cluster.*|"
       "model.nsys_profile.*|model.restore_from_path|model.gradient_as_bucket_view|"
       "model.resume_from_checkpoint|model.gc_interval|model.seed|"
       "model.run_sanity*|model.params_dtype|model.autocast_dtype|"
       "model.pipeline_dtype|model.perform_initialization",
       "", Idle, "files, logs and how the job runs"},
      {"model.data.*|dataset.*|data.*|model.tokenizer.*|model.pre_process|model.post_process|"
       "model.get_attention_mask_from_fusion",
       "", Idle, "data and tokens"},
      {"model.optim.align_param_gather|ddp.overlap_param_gather_with_optimizer_step|"
       "ddp.align_param_gather",
       "", Idle, "how weights of ZeRO-1 are gathered beyond overlap_param_gather"},
      {"model.rampup_batch_size", "", Idle, "a step of the full batch is simulated"},
      {"model.optim.*|optimizer.*|scheduler.*|ddp.*|"
       "model.init_method_std|model.use_scaled_init_method|model.native_amp_*|model.hysteresis|"
       "model.layernorm_epsilon|model.layernorm_zero_centered_gamma|"
       "model.do_layer_norm_weight_decay|model.apply_query_key_layer_scaling|"
       "model.normalize_attention_scores|model.rotary_*|model.seq_len_interpolation_factor|"
       "model.scale_positional_embedding|"
       "model.fp32_residual_connection|model.fp16_lm_cross_entropy|model.attention_softmax_in_fp32|"
       "model.use_cpu_initialization|model.deterministic_mode|model.seq_len_*|"
       "model.embedding_init_method_std|model.precision|model.ffn_dropout|model.activation_func.*|"
       "model.init_method.*|model.output_layer_init_method.*|model.attention_backend.*",
       "", Idle, "numerical details, and what is learnt; Adam is taken for the optimizer"},
      {"mixed_precision.*|model.fp8_*|model.use_emha", "", Idle, "details of the 8-bit recipe"},
      {"model.decoder.hidden_size|model.decoder.num_attention_heads|"
       "model.decoder.ffn_hidden_size|model.decoder.kv_channels|"
       "model.decoder.position_embedding_type|model.decoder.relative_attention_num_buckets|"
       "model.decoder.attention_dropout|model.decoder.hidden_dropout|model.decoder.activation|"
       "model.decoder.normalization|model.decoder.bias|"
       "model.decoder.activations_checkpoint_granularity|"
       "model.decoder.activations_checkpoint_method|"
       "model.decoder.activations_checkpoint_num_layers|model.decoder.*",
       "", Idle, "a decoder is taken to be made as its encoder is"},
      {"model.encoder.*", "", Idle, "details of layers that danlu does not tell apart"},
      {"model.share_token_embeddings", "", Idle, "encoder and decoder have one table of tokens"},
      {"model.moe_aux_loss_coeff|model.moe_router_*|model.moe_grouped_gemm|"
       "model.moe_z_loss_coeff|model.moe_permute_fusion|model.moe_flex_*|"
       "model.moe_deepep_num_sms|model.moe_hybridep_*",
       "", Idle, "experts are taken to be loaded evenly"},
      {"model.grad_*|model.bias_*|"
       "model.persist_layer_norm|model.sync_batch_comm|"
       "model.batch_p2p_comm|model.onnx_safe|model.apex_*|"
       "model.ub_tp_*|comm_overlap.*|model.defer_embedding_wgrad_compute|"
       "model.wgrad_deferral_limit|model.nccl_communicator_config_path|model.fsdp_*|"
       "model.headscale|model.openai_gelu|model.transformer_block_type|model.attention_type|"
       "model.hidden_act|model.mcore_customization_config.*|model.name|"
       "model.cuda_graph_*|"
       "model.use_te_rng_tracker|model.dist_ckpt_*|model.max_seqlen*|model.target|"
       "model.inductor|model.inductor_*|model.channels_last|model.enable_vboost|model.mcore_t5|"
       "model.apex_transformer_log_level",
       "", Idle, "fusions, streams and buffers that danlu does not tell apart"},
  };
}

const std::vector<FlagRow>& rows() {
  static const std::vector<FlagRow> all = [] {
    std::vector<FlagRow> rows = core_rows(false);
    std::vector<FlagRow> own = own_rows();
    rows.insert(rows.end(), std::make_move_iterator(own.begin()),
                std::make_move_iterator(own.end()));
    return rows;
  }();
  return all;
}

const std::vector<DefaultRow>& defaults() {
  static const std::vector<DefaultRow> all{
      {"model.gated_mlp", "false", "the default: activation gelu"},
      {"model.norm", "layernorm", "the default: LayerNorm"},
      {"model.biases", "true", "the default: bias, or add_bias_linear, True"},
      {"model.tied_embeddings", "true", "the default: share_embeddings_and_output_weights True"},
      {"parallelism.overlap.data", "false",
       "the default: neither overlap_grad_sync nor overlap_grad_reduce"},
      {"training.precision", "fp32", "the default: precision 32"},
      {"training.attention", "flash",
       "attention of Transformer Engine; unfused in NeMo without transformer_engine"},
      {"training.framework", "nemo",
       "whose file it is; megatron-bridge where it has a section train"},
  };
  return all;
}

/// What a decoder has beside its encoder's sizes is told.
void tell_halves(Draft& draft) {
  for (const char* name : {"hidden_size", "num_attention_heads", "kv_channels", "ffn_hidden_size",
                           "activation", "normalization", "position_embedding_type"}) {
    const GivenFlag* encoder = draft.given(fmt::format("model.encoder.{}", name));
    const GivenFlag* decoder = draft.given(fmt::format("model.decoder.{}", name));
    if (encoder != nullptr && decoder != nullptr && encoder->value != decoder->value) {
      draft.not_used(*decoder, fmt::format("the encoder has {}, which is taken for both halves",
                                           encoder->value));
    }
  }
}

/// NeMo's layers are Transformer Engine's only where it is asked (get_specs of
/// megatron_gpt_model.py); its own of before Megatron-core have FlashAttention under a flag.
void finish_attention(Draft& draft) {
  constexpr std::string_view kEngine = "model.transformer_engine";
  constexpr std::string_view kFlash = "model.use_flash_attention";
  const GivenFlag* engine = draft.given(kEngine);
  if (draft.on(kEngine)) {
    draft.set("training.attention", "flash", engine);
  } else if (draft.on(kFlash) && !draft.on("model.mcore_gpt")) {
    draft.set("training.attention", "flash", draft.given(kFlash));
  } else {
    draft.set("training.attention", "unfused",
              engine != nullptr ? engine->place() : "NeMo's default: transformer_engine False");
    draft.set("training.placeholders", "false", "they are Transformer Engine's");
  }
}

void finish_fsdp(Draft& draft) {
  const GivenFlag* strategy = draft.given("model.fsdp_sharding_strategy");
  const GivenFlag* width = draft.given("model.fsdp_grad_reduce_dtype");
  draft.set("parallelism.zero", strategy != nullptr && strategy->value == "grad" ? "2" : "3",
            draft.given("model.fsdp"), strategy != nullptr ? strategy->value : "");
  if (strategy != nullptr && strategy->value == "hybrid") {
    draft.not_used(*strategy,
                   "which ranks share weights is for parallelism.sharding.ranks to say: all do");
  }
  draft.set("parallelism.overlap.data", "true", "PyTorch's FSDP reduces beside backward passes");
  const bool wide = width == nullptr || width->value.starts_with("32");
  draft.set("parallelism.sharding.reduce_width", wide ? "fp32" : "16bit",
            width != nullptr ? width->place() : "NeMo's default: fsdp_grad_reduce_dtype 32");
}

void finish_sharding(Draft& draft) {
  const GivenFlag* optimizer = draft.given("model.optim.name");
  const bool distributed = optimizer != nullptr && (optimizer->value == "distributed_fused_adam" ||
                                                    optimizer->value == "mcore_distributed_optim");
  const GivenFlag* fsdp2 = draft.given("trainer.strategy.fsdp");
  if (draft.on("model.fsdp")) {
    finish_fsdp(draft);
  } else if (fsdp2 != nullptr && fsdp2->value == "pytorch") {
    draft.set("parallelism.zero", "3", fsdp2);
    draft.set("parallelism.overlap.data", "true", "PyTorch's FSDP reduces beside backward passes");
  } else if (!take_fsdp(draft) && distributed) {
    draft.set("parallelism.zero", "1", optimizer);
  }
  take_optimizer_instances(draft);
  if (optimizer == nullptr || distributed || optimizer->value.find("adam") != std::string::npos) {
    return;
  }
  if (optimizer->value == "sgd" || optimizer->value == "adafactor" || optimizer->value == "muon") {
    draft.set("training.optimizer.kind", optimizer->value, optimizer);
  } else {
    draft.not_used(*optimizer, "Adam is taken for the optimizer");
  }
}

/// A section comm_overlap lies over ddp in Megatron-Bridge, and is on where it says nothing
/// (CommOverlapConfig.setup): with a distributed optimizer and more than one replica.
void finish_overlap(Draft& draft) {
  take_gathered_weights(draft);
  const GivenFlag* section = draft.mentioned("comm_overlap.*");
  const GivenFlag* says = draft.given("comm_overlap.overlap_grad_reduce");
  if (section == nullptr || draft.count("parallelism.zero") != 1 ||
      draft.replicas().value_or(2) < 2) {
    return;
  }
  const char* by_default = "Megatron-Bridge's default with a section comm_overlap";
  draft.set("parallelism.overlap.data", says == nullptr || draft.on(says->name) ? "true" : "false",
            says != nullptr ? says->place() : by_default);
  if (const GivenFlag* gathers = draft.given("comm_overlap.overlap_param_gather")) {
    if (!draft.on(gathers->name)) {
      draft.forget("parallelism.overlap.weights");
    }
  } else if (!can_gather_beside(draft)) {
    draft.remark(
        "Megatron-Bridge gathers updated weights beside the first passes (comm_overlap); with "
        "pipeline stages and experts on several ranks danlu does when the optimizer has ended");
  } else {
    draft.set("parallelism.overlap.weights", "true", by_default);
  }
}

/// LoRA by NeMo's names of the layers' products (megatron/bridge/peft/lora.py).
void finish_lora(Draft& draft, bool bridge) {
  const GivenFlag* scheme = draft.given("model.peft.peft_scheme|peft|peft._target_");
  if (scheme == nullptr) {
    return;
  }
  if (!scheme->value.ends_with("lora") && !scheme->value.ends_with(".LoRA")) {
    draft.not_used(*scheme, "danlu has adapters of LoRA alone: all weights are trained here");
    return;
  }
  const GivenFlag* rank = draft.given("model.peft.lora_tuning.adapter_dim|peft.dim");
  draft.set("training.lora.rank", rank != nullptr ? rank->value : "32",
            rank != nullptr ? rank : scheme, rank != nullptr ? "" : "32 is the default");
  const GivenFlag* targets =
      draft.given("model.peft.lora_tuning.target_modules|peft.target_modules");
  const bool gated = draft.at("model.gated_mlp") != "false";
  std::vector<std::string> parts;
  const auto add = [&](std::initializer_list<const char*> more) {
    parts.insert(parts.end(), more.begin(), more.end());
  };
  for (const std::string_view name :
       words_of(targets != nullptr ? std::string_view(targets->value)
                : bridge           ? "linear_qkv, linear_proj, linear_fc1, linear_fc2"
                                   : "attention_qkv")) {
    if (name == "attention" || name == "all") {
      add({"qkv", "o"});
    }
    if (name == "mlp" || name == "all") {
      gated ? add({"gate", "up", "down"}) : add({"up", "down"});
    } else if (name == "linear_qkv" || name == "attention_qkv") {
      add({"qkv"});
    } else if (name == "linear_proj" || name == "attention_dense") {
      add({"o"});
    } else if (name == "linear_fc1" || name == "mlp_fc1") {
      gated ? add({"gate", "up"}) : add({"up"});
    } else if (name == "linear_fc2" || name == "mlp_fc2") {
      add({"down"});
    } else if (name != "attention") {
      draft.not_used(*targets, fmt::format("danlu has no adapters of '{}'", shown(name)));
    }
  }
  draft.set("training.lora.targets", fmt::format("[{}]", fmt::join(parts, ", ")),
            targets != nullptr ? targets->place() : "the default of target_modules");
  constexpr const char* kDropout = "model.peft.lora_tuning.adapter_dropout|peft.dropout";
  if (draft.number(kDropout).value_or(0) > 0) {
    draft.set("training.lora.dropout", draft.given(kDropout)->value, draft.given(kDropout));
  }
}

/// What Megatron-core refuses under its own names (TransformerConfig.__post_init__); NeMo's old
/// ones have a method beside `selective`, too, and drop it.
void check_recompute(const Draft& draft, const GivenFlag& kind) {
  if (kind.name != "model.recompute_granularity") {
    return;
  }
  const GivenFlag* layers = draft.given("model.recompute_num_layers");
  const bool selective = kind.value == "selective";
  if (selective ? layers != nullptr : draft.mentioned("model.recompute_method") == nullptr) {
    throw InputError((selective ? *layers : kind)
                         .problem(selective ? "recompute_num_layers is of recompute_granularity "
                                              "full, found selective"
                                            : "'recompute_granularity: full' needs "
                                              "recompute_method uniform or block",
                                  "Megatron-core refuses such a model"));
  }
}

void finish_recompute(Draft& draft) {
  const GivenFlag* kind = draft.given(kRecompute);
  if (kind == nullptr) {
    return;
  }
  check_recompute(draft, *kind);
  if (kind->value == "selective") {
    take_recomputed_parts(draft, *kind, draft.given("model.recompute_modules"));
    return;
  }
  draft.set("training.recompute", "full", kind);
  const GivenFlag* method = draft.given(kRecomputeMethod);
  const GivenFlag* layers = draft.given(kRecomputeLayers);
  if (method != nullptr && layers != nullptr) {
    draft.set(method->value == "block" ? "training.recompute_layers" : "training.recompute_unit",
              std::to_string(draft.whole(layers->name).value_or(1)), layers, method->value);
  }
}

void finish_run(Draft& draft) {
  const GivenFlag* length = draft.given(
      "model.encoder_seq_length|model.data.seq_length|model.seq_length|dataset.sequence_length|"
      "dataset.seq_length|data.seq_length");
  if (length != nullptr) {
    draft.set("training.sequence_length", std::to_string(draft.whole(length->name).value_or(1)),
              length);
  }
  draft.add_sequence_length();
  if (const std::optional<long> times = draft.whole("trainer.accumulate_grad_batches");
      times && *times != 1) {
    draft.not_used(*draft.given("trainer.accumulate_grad_batches"),
                   "NeMo itself accumulates until it has global_batch_size, and wants 1 here");
  }
  constexpr std::string_view kSteps = "trainer.max_steps|train.train_iters";
  take_tokens(
      draft,
      draft.number(kSteps).value_or(0) * static_cast<double>(draft.count("training.global_batch")),
      draft.given(kSteps));
}

void finish(Draft& draft) {
  const GivenFlag* section = draft.mentioned("train.*");
  const bool is_nemo2 = draft.mentioned(kNemo2) != nullptr;
  const GivenFlag* target = draft.given("model._target_");
  CoreFramework framework = section != nullptr ? kBridge : is_nemo2 ? kNeMo2Core : kNeMo1;
  if ((section != nullptr || is_nemo2) && !draft.options().model.empty() &&
      (target == nullptr || !knows_class(target->value))) {
    framework.dropout = 0;  // that of GPT's class alone is another
  }
  framework.overlaps_stages = draft.mentioned("comm_overlap.*") != nullptr;
  const std::optional<long> nodes = draft.whole("trainer.num_nodes");
  const std::optional<long> of_node = draft.whole("trainer.devices");
  draft.add_cluster(nodes && of_node ? std::optional(*nodes * *of_node) : std::nullopt,
                    "trainer.num_nodes x trainer.devices");
  if (draft.options().model.empty()) {
    fill_in_class(draft, target);
  }
  if (draft.options().model.empty() && !draft.has("model.preset")) {
    tell_halves(draft);
    take_core_model(draft, framework);
  }
  take_core_plan(draft, framework);
  finish_sharding(draft);
  draft.tell_offloaded_share("optimizer.optimizer_offload_fraction");
  if (const GivenFlag* offload = draft.given("model.cpu_offloading");
      offload != nullptr && !draft.on(offload->name)) {
    draft.forget("parallelism.offload.activation_layers");
  }
  finish_bridge_precision(draft);
  finish_recompute(draft);
  finish_run(draft);
  if (section != nullptr) {
    draft.set("training.framework", "megatron-bridge", section, "a section of Megatron-Bridge's");
    finish_overlap(draft);
  } else if (!is_nemo2) {
    finish_attention(draft);
  }
  finish_lora(draft, section != nullptr);
  take_core_settings(draft, framework);
  if (!draft.has("training.global_batch")) {
    draft.fill_in("training.global_batch",
                  "no global_batch_size is given; --global-batch NUMBER says it");
  }
}

/// Lightning's devices are a number, a list of them, or all there are.
void count_devices(GivenFlag& flag) {
  if (flag.value.starts_with('[')) {
    flag.value = std::to_string(words_of(flag.value).size());
  } else if (flag.value == "auto" || flag.value == "-1") {
    flag.known = false;
  }
}

std::vector<GivenFlag> read_flags(const std::string& text, const std::string& name,
                                  std::vector<Definition>& environment,
                                  std::vector<std::string>& notes) {
  std::vector<GivenFlag> flags = flags_of(read_flat_yaml(text, name));
  resolve_interpolations(flags, environment);
  for (GivenFlag& flag : flags) {
    if (flag.name == "trainer.devices") {
      count_devices(flag);
    }
  }
  rename_nemo2(flags, rows(), notes);
  add_class_fields(flags);
  return flags;
}

}  // namespace
}  // namespace nemo

const Importer kNemo{
    .name = "nemo",
    .title = "NeMo",
    .file = "the YAML of a run of NeMo, its launcher or Megatron-Bridge",
    .introduction =
        "Values that refer to others (`${.hidden_size}`, `${multiply:4, ${.hidden_size}}`) are "
        "worked out; what refers to other files counts as unknown. Sections of NeMo 2 count as "
        "those below: `model.config` and `trainer.strategy` as `model`, `trainer.strategy.ddp` as "
        "`ddp`, `optim.config` as `optimizer`. The machine is to be named with `--topology`.",
    .rows = nemo::rows(),
    .defaults = nemo::defaults(),
    .read = nemo::read_flags,
    .finish = nemo::finish};

}  // namespace danlu
