// NeMo: YAML of its launcher and of examples/nlp/language_modeling/conf, and of Megatron-Bridge.
// Names and defaults are those of megatron_gpt_config.yaml (github.com/NVIDIA/NeMo, 2.4) and of the
// launcher's conf/training (github.com/NVIDIA/NeMo-Framework-Launcher).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "sim/base/text.hpp"
#include "sim/import/bridge_precision.hpp"
#include "sim/import/flat_flags.hpp"
#include "sim/import/halves.hpp"
#include "sim/import/import.hpp"
#include "sim/import/interpolation.hpp"
#include "sim/import/megatron_core.hpp"
#include "sim/import/pipeline_layout.hpp"

namespace danlu {
namespace nemo {  // the folder is built as one
namespace {

using enum Reading;

constexpr std::string_view kRecompute =
    "model.activations_checkpoint_granularity|model.recompute_granularity|"
    "model.encoder.activations_checkpoint_granularity";
constexpr std::string_view kRecomputeMethod =
    "model.activations_checkpoint_method|model.recompute_method|"
    "model.encoder.activations_checkpoint_method";
constexpr std::string_view kRecomputeLayers =
    "model.activations_checkpoint_num_layers|model.recompute_num_layers|"
    "model.encoder.activations_checkpoint_num_layers";

constexpr std::string_view kFramework = "nemo";

constexpr CoreNames kCore{.graph_kind = "model.cuda_graph_impl",
                          .graph_parts = "model.cuda_graph_scope|model.cuda_graph_modules",
                          .local_graphs = "model.enable_cuda_graph",
                          .engine_graphs = "model.external_cuda_graph",
                          .expert_groups = "model.moe_router_num_groups",
                          .groups_per_token = "model.moe_router_group_topk",
                          .gpus_of_node = "trainer.devices",
                          .fsdp = "ddp.use_megatron_fsdp|ddp.use_custom_fsdp",
                          .sharding_strategy = "ddp.data_parallel_sharding_strategy",
                          .optimizer_instances = "ddp.num_distributed_optimizer_instances",
                          .fused_loss = "model.cross_entropy_loss_fusion",
                          .loss_kernel = "model.cross_entropy_fusion_impl",
                          .wide_ends = "model.first_last_layers_bf16",
                          .wide_first = "model.num_layers_at_start_in_bf16",
                          .wide_last = "model.num_layers_at_end_in_bf16",
                          .fused_positions = "model.apply_rope_fusion",
                          .fused_activation = "model.bias_activation_fusion|model.bias_gelu_fusion",
                          .fused_softmax = "model.masked_softmax_fusion",
                          .fused_sums = "model.gradient_accumulation_fusion"};

constexpr std::string_view kRecipesNote =
    "a recipe of Megatron-Bridge by its name, which also says training.fp8_recipe, gradients, "
    "narrow_weights, wide_first_layers and wide_last_layers";

const std::vector<FlagRow>& rows() {
  static const std::vector<FlagRow> all{
      {"model.num_layers|model.encoder.num_layers", "model.layers", Count},
      {"model.decoder.num_layers", "model.kind|model.encoder_layers", Fact,
       "an encoder-decoder, whose encoder has model.encoder.num_layers"},
      {"model.hidden_size|model.encoder.hidden_size", "model.hidden", Count},
      {"model.num_attention_heads|model.encoder.num_attention_heads", "model.heads", Count},
      {"model.num_query_groups", "model.kv_heads", Count},
      {"model.kv_channels|model.encoder.kv_channels", "model.head_dim", Count},
      {"model.ffn_hidden_size|model.encoder.ffn_hidden_size", "model.ffn", Count},
      {"model.max_position_embeddings", "model.positions", Fact, "of a learned table"},
      {"model.position_embedding_type|model.encoder.position_embedding_type", "model.positions",
       Fact, "rope, alibi and relative have no table; learned_absolute without it"},
      {"model.encoder.relative_attention_num_buckets", "model.relative_positions", Fact,
       "with position_embedding_type relative"},
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
      {"model.bias|model.add_bias_linear|model.encoder.bias",
       "model.biases",
       Words,
       "",
       {{"true", "true"}, {"True", "true"}, {"false", "false"}, {"False", "false"}}},
      {"model.share_embeddings_and_output_weights|model.share_decoder_tokens_head_embeddings",
       "model.tied_embeddings",
       Words,
       "",
       {{"true", "true"}, {"True", "true"}, {"false", "false"}, {"False", "false"}}},
      {"model.tokenizer.type|model.tokenizer.library|model.make_vocab_size_divisible_by|"
       "model.vocab_size",
       "model.vocab", Fact,
       "padded to a multiple of 128 (or the given number) x tensor; of GPT2BPETokenizer 50257 "
       "words, others are to be filled in"},
      {"model.window_size", "model.window", Fact, "its first number and the position itself"},
      {"model.qk_layernorm", "model.qk_norm", On, "", {{"", "head"}}},
      {"model.num_moe_experts", "model.experts.count", Count},
      {"model.moe_router_topk", "model.experts.per_token", Count},
      {"model.moe_ffn_hidden_size", "model.experts.ffn", Count},
      {"model.moe_shared_expert_intermediate_size", "model.experts.shared_ffn", Count},
      {"model.moe_expert_capacity_factor", "training.experts.capacity", Number},
      {"model.moe_token_dispatcher_type",
       "parallelism.expert_exchange",
       Words,
       "",
       {{"alltoall", "all-to-all"}, {"flex", "deepep"}}},
      {"model.moe_enable_deepep", "parallelism.expert_exchange", On, "", {{"", "deepep"}}},
      {"model.moe_pad_expert_input_to_capacity", "training.experts.pad", On},
      {"model.overlap_moe_expert_parallel_comm|comm_overlap.overlap_moe_expert_parallel_comm",
       "parallelism.overlap.pair", On},
      {"model.mtp_num_layers", "model.prediction_layers", Count},
      {"model.tensor_model_parallel_size", "parallelism.tensor", Count},
      {"model.pipeline_model_parallel_size", "parallelism.pipeline", Count},
      {"model.context_parallel_size", "parallelism.context", Count},
      {"model.expert_model_parallel_size", "parallelism.expert", Count},
      {"model.expert_tensor_parallel_size", "parallelism.expert_tensor", Count},
      {"model.sequence_parallel", "parallelism.sequence", On},
      {"model.pipeline_model_parallel_split_rank", "parallelism.stage_layers", Fact,
       "the encoder's layers on so many stages, the decoder's on the others"},
      {"model.virtual_pipeline_model_parallel_size", "training.schedule.chunks", Count},
      {"model.account_for_embedding_in_pipeline_split|"
       "model.account_for_loss_in_pipeline_split",
       "parallelism.count_embedding_and_head", Fact, "both of them"},
      {"model.overlap_p2p_comm|comm_overlap.overlap_p2p_comm", "parallelism.overlap.pipeline", Fact,
       "overlap needs interleaving"},
      {"model.ub_tp_comm_overlap|comm_overlap.tp_comm_overlap",
       "parallelism.overlap.tensor",
       On,
       "",
       {{"", "full"}}},
      {"model.optim.name", "parallelism.zero", Fact,
       "distributed_fused_adam and mcore_distributed_optim: 1"},
      {"ddp.use_distributed_optimizer|optimizer.use_distributed_optimizer",
       "parallelism.zero",
       On,
       "",
       {{"", "1"}}},
      {"model.fsdp", "parallelism.zero", Fact, "3"},
      {"model.fsdp_sharding_strategy", "parallelism.zero", Fact, "full: 3, grad: 2"},
      {"model.optim.overlap_grad_sync|ddp.overlap_grad_reduce", "parallelism.overlap.data", On},
      {"model.optim.grad_sync_dtype",
       "training.gradients",
       Words,
       "",
       {{"bf16", "16bit"}, {"16", "16bit"}, {"fp32", "fp32"}, {"32", "fp32"}}},
      {"ddp.grad_reduce_in_fp32", "training.gradients", Fact,
       "fp32, or 16bit where it is false; what mixed_precision says of it wins, as in "
       "Megatron-Bridge"},
      {"ddp.use_megatron_fsdp|ddp.use_custom_fsdp|ddp.data_parallel_sharding_strategy",
       "parallelism.zero", Fact, "both: no_shard 0, optim 1, optim_grads 2, optim_grads_params 3"},
      {"ddp.num_distributed_optimizer_instances", "parallelism.sharding.ranks", Fact, "data / it"},
      {"optimizer.optimizer",
       "training.optimizer.kind",
       Words,
       "",
       {{"adam", ""}, {"sgd", "sgd"}, {"muon", "muon"}, {"dist_muon", "muon"}}},
      {"optimizer.exp_avg_dtype|optimizer.exp_avg_sq_dtype",
       "training.optimizer.state_width",
       Words,
       "",
       {{"torch.float32", "fp32"},
        {"fp32", "fp32"},
        {"torch.bfloat16", "16bit"},
        {"bf16", "16bit"},
        {"torch.float16", "16bit"},
        {"fp16", "16bit"},
        {"torch.uint8", "8bit"},
        {"fp8", "8bit"}}},
      {"optimizer.optimizer_cpu_offload", "parallelism.offload.optimizer", On},
      {"model.cpu_offloading_num_layers", "parallelism.offload.activation_layers", Count},
      {"model.pipeline_model_parallel_layout",
       "parallelism.stage_layers|training.schedule.chunks|parallelism.prediction_before_head", Fact,
       "layers of each part, in the model's order; of m on the part before that of L, the last"},
      {"model.micro_batch_size|train.micro_batch_size", "training.micro_batch", Count},
      {"model.global_batch_size|train.global_batch_size", "training.global_batch", Count},
      {"model.encoder_seq_length|model.data.seq_length|model.seq_length|dataset.sequence_length|"
       "dataset.seq_length",
       "training.sequence_length", Fact},
      {"model.data.seq_length_dec", "training.decoder_length", Fact, "of an encoder-decoder"},
      {"trainer.precision",
       "training.precision",
       Words,
       "",
       {{"bf16", "bf16"},
        {"bf16-mixed", "bf16"},
        {"16", "fp16"},
        {"16-mixed", "fp16"},
        {"32", "fp32"},
        {"32-true", "fp32"}}},
      {"mixed_precision", "training.precision", Fact, kRecipesNote},
      {"mixed_precision.bf16|mixed_precision.fp16|mixed_precision.fp8|mixed_precision.fp8_recipe|"
       "mixed_precision.fp4",
       "training.precision|training.fp8_recipe", Fact, "the same, written out"},
      {"mixed_precision.grad_reduce_in_fp32", "training.gradients", Fact, "true without it"},
      {"mixed_precision.fp8_param_gather|mixed_precision.fp8_param|"
       "mixed_precision.fp4_param_gather|mixed_precision.fp4_param|ddp.fp8_param_gather|"
       "model.fp8_params",
       "training.narrow_weights", Fact, "only"},
      {"model.fp8", "training.precision", Fact, "fp8"},
      {kRecompute, "training.recompute", Fact},
      {"model.recompute_modules", "training.recompute", Fact,
       "with selective; core_attn without it"},
      {kRecomputeMethod, "training.recompute_layers|training.recompute_unit", Fact,
       "block or uniform"},
      {kRecomputeLayers, "training.recompute_layers|training.recompute_unit", Fact},
      {"model.hidden_dropout|model.attention_dropout|model.ffn_dropout|"
       "model.encoder.hidden_dropout|model.encoder.attention_dropout",
       "training.dropout", Fact, "0.1 without them"},
      {"model.enable_cuda_graph|model.external_cuda_graph|model.cuda_graph_impl|"
       "model.cuda_graph_scope|model.cuda_graph_modules",
       "host.graphs", Fact,
       "the whole layer, attn with mlp or moe_router: layers; moe_router without attn: routers; "
       "full_iteration: full; other parts are told"},
      {"model.moe_router_num_groups|model.moe_router_group_topk", "training.experts.most_nodes",
       Fact,
       "nodes of so many groups of experts, with DeepEP, where groups coincide with nodes of "
       "trainer.devices GPUs"},
      {"model.cross_entropy_loss_fusion|model.cross_entropy_fusion_impl", "training.loss", Fact,
       "native: fused-fp32, as without the second; te: fused; false: in-place, unfused"},
      {"model.first_last_layers_bf16|model.num_layers_at_start_in_bf16|"
       "model.num_layers_at_end_in_bf16|mixed_precision.first_last_layers_bf16|"
       "mixed_precision.num_layers_at_start_in_bf16|mixed_precision.num_layers_at_end_in_bf16",
       "training.wide_first_layers|training.wide_last_layers", Fact,
       "below 16 bits; without the numbers 1 each of model, 0 of mixed_precision"},
      {"model.apply_rope_fusion|model.bias_activation_fusion|model.bias_gelu_fusion|"
       "model.masked_softmax_fusion",
       "training.unfused", Fact,
       "where they are false: positions, activation, softmax (of unfused attention)"},
      {"model.gradient_accumulation_fusion", "training.accumulation", Fact,
       "pass where it is false"},
      {"trainer.max_steps|train.train_iters", "training.tokens", Fact,
       "x sequences a step x their length"},
      {"trainer.num_nodes|trainer.devices", "cluster.gpus", Fact, "nodes x GPUs of a node"},
      {"defaults|hydra.*|run.*|exp_manager.*|name|restore_from_path|trainer.*|logger.*|checkpoint.*"
       "|"
       "rng.*|dist.*|profiling.*|train.*|validation.*|tokenizer.*|inference.*|cluster.*|"
       "model.nsys_profile.*|model.resume_from_checkpoint|model.gc_interval|model.seed|"
       "model.run_sanity*",
       "", Idle, "files, logs and how the job runs"},
      {"model.data.*|dataset.*|model.tokenizer.*|model.pre_process|model.post_process|"
       "model.get_attention_mask_from_fusion",
       "", Idle, "data and tokens"},
      {"model.optim.overlap_param_sync|model.optim.align_param_gather|ddp.overlap_param_gather*|"
       "ddp.align_param_gather",
       "", Idle, "weights of ZeRO-1 are gathered when the optimizer has ended, in one way"},
      {"model.rampup_batch_size", "", Idle, "a step of the full batch is simulated"},
      {"model.optim.*|optimizer.*|scheduler.*|ddp.*|"
       "model.init_method_std|model.use_scaled_init_method|model.native_amp_*|model.hysteresis|"
       "model.layernorm_epsilon|model.layernorm_zero_centered_gamma|"
       "model.do_layer_norm_weight_decay|model.apply_query_key_layer_scaling|"
       "model.normalize_attention_scores|model.rotary_*|model.seq_len_interpolation_factor|"
       "model.scale_positional_embedding|"
       "model.fp32_residual_connection|model.fp16_lm_cross_entropy|model.attention_softmax_in_fp32|"
       "model.use_cpu_initialization|model.deterministic_mode|model.seq_len_*|"
       "model.embedding_init_method_std|model.precision",
       "", Idle, "numerical details, and what is learnt; Adam is taken for the optimizer"},
      {"mixed_precision.*|model.fp8_*|model.reduce_amax|model.use_emha", "", Idle,
       "details of the 8-bit recipe"},
      {"model.decoder.*", "", Idle, "a decoder is taken to be made as its encoder is"},
      {"model.encoder.*", "", Idle, "details of layers that danlu does not tell apart"},
      {"model.share_token_embeddings", "", Idle, "encoder and decoder have one table of tokens"},
      {"model.moe_aux_loss_coeff|model.moe_router_*|model.moe_grouped_gemm|"
       "model.moe_z_loss_coeff|model.moe_permute_fusion|model.moe_flex_*|"
       "model.moe_deepep_num_sms|model.moe_hybridep_*",
       "", Idle, "experts are taken to be loaded evenly"},
      {"model.mcore_gpt|model.transformer_engine|model.megatron_amp_O2|model.grad_*|"
       "model.bias_*|"
       "model.persist_layer_norm|model.sync_batch_comm|"
       "model.batch_p2p_comm|model.onnx_safe|model.apex_*|model.use_flash_attention|model.sharp|"
       "model.ub_tp_*|comm_overlap.*|model.defer_embedding_wgrad_compute|"
       "model.wgrad_deferral_limit|model.nccl_communicator_config_path|model.fsdp_*|"
       "model.headscale|model.openai_gelu|model.transformer_block_type|model.attention_type|"
       "model.hidden_act|model.mcore_customization_config.*|model.name|"
       "model.num_micro_batches_with_partial_activation_checkpoints|"
       "model.activations_checkpoint_layers_per_pipeline|model.cuda_graph_*|"
       "model.use_te_rng_tracker|model.dist_ckpt_*|model.max_seqlen*|model.target|"
       "model.inductor|model.inductor_*|model.channels_last|model.enable_vboost|model.mcore_t5|"
       "model.apex_transformer_log_level",
       "", Idle, "fusions, streams and buffers that danlu does not tell apart"},
  };
  return all;
}

const std::vector<DefaultRow>& defaults() {
  static const std::vector<DefaultRow> all{
      {"model.gated_mlp", "false", "NeMo's default: activation gelu"},
      {"model.norm", "layernorm", "NeMo's default: normalization layernorm1p"},
      {"model.biases", "true", "NeMo's default: bias True"},
      {"model.tied_embeddings", "true", "NeMo's default: share_embeddings_and_output_weights True"},
      {"parallelism.overlap.data", "false", "NeMo's default: overlap_grad_sync False"},
      {"training.precision", "fp32", "NeMo's default: precision 32"},
      {"training.attention", "flash", "attention of Transformer Engine"},
      {"training.framework", kFramework,
       "whose file it is; megatron-bridge where it has a section train"},
  };
  return all;
}

void finish_model(Draft& draft) {
  const GivenFlag* type =
      draft.given("model.position_embedding_type|model.encoder.position_embedding_type");
  if (type != nullptr && type->value == "relative") {
    const GivenFlag* buckets = draft.given("model.encoder.relative_attention_num_buckets");
    draft.set("model.relative_positions", buckets != nullptr ? buckets->value : "32",
              buckets != nullptr ? buckets : type);
  }
  const std::optional<long> rows = draft.whole("model.max_position_embeddings");
  if (type != nullptr && type->value != "learned_absolute" && type->value != "learned_parameters") {
    draft.set("model.positions", "0", type);
  } else if (rows) {
    draft.set("model.positions", std::to_string(*rows),
              draft.given("model.max_position_embeddings"), "learned positions are NeMo's default");
  }
  if (const GivenFlag* window = draft.given("model.window_size")) {
    const long before = std::atol(window->value.c_str() + (window->value.starts_with('[') ? 1 : 0));
    if (before > 0) {
      draft.set("model.window", std::to_string(before + 1), window);
    }
  }
  std::optional<long> vocab = draft.whole("model.vocab_size");
  const GivenFlag* from = draft.given("model.vocab_size");
  const GivenFlag* tokenizer = draft.given("model.tokenizer.type");
  if (!vocab && tokenizer != nullptr && tokenizer->value == "GPT2BPETokenizer") {
    constexpr long kGpt2 = 50257;
    vocab = kGpt2;
    from = tokenizer;
  }
  if (!vocab) {
    draft.fill_in("model.vocab",
                  fmt::format("the vocabulary of tokenizer {} is in another file",
                              tokenizer != nullptr ? tokenizer->value : "of the file"));
    return;
  }
  const long whole = draft.whole("model.make_vocab_size_divisible_by").value_or(128) *
                     std::max(1L, draft.count("parallelism.tensor"));
  draft.set("model.vocab", std::to_string((*vocab + whole - 1) / whole * whole), from,
            fmt::format("{} words padded to a multiple of {}", *vocab, whole));
}

/// What a decoder has beside its encoder's sizes is told.
void finish_halves(Draft& draft) {
  for (const char* name : {"hidden_size", "num_attention_heads", "kv_channels", "ffn_hidden_size",
                           "activation", "normalization", "position_embedding_type"}) {
    const GivenFlag* encoder = draft.given(fmt::format("model.encoder.{}", name));
    const GivenFlag* decoder = draft.given(fmt::format("model.decoder.{}", name));
    if (encoder != nullptr && decoder != nullptr && encoder->value != decoder->value) {
      draft.not_used(*decoder, fmt::format("the encoder has {}, which is taken for both halves",
                                           encoder->value));
    }
  }
  join_halves(draft, {.encoder_layers = "model.encoder.num_layers",
                      .decoder_layers = "model.decoder.num_layers",
                      .decoder_length = "model.data.seq_length_dec",
                      .split = "model.pipeline_model_parallel_split_rank",
                      .more_stages = ""});
}

void finish_experts(Draft& draft) {
  if (draft.whole("model.num_moe_experts").value_or(0) < 1) {
    return;
  }
  if (draft.given("model.moe_router_topk") == nullptr) {
    draft.set("model.experts.per_token", "2", "Megatron's default of moe_router_topk");
  }
  if (draft.given("model.moe_ffn_hidden_size") == nullptr && draft.count("model.ffn") > 0) {
    draft.set("model.experts.ffn", std::to_string(draft.count("model.ffn")),
              "as wide as model.ffn_hidden_size");
  }
}

void finish_parallelism(Draft& draft) {
  const long stages = draft.count("parallelism.pipeline");
  if (const GivenFlag* layout = draft.given("model.pipeline_model_parallel_layout")) {
    take_pipeline_layout(draft, *layout, std::max(1L, stages));
  }
  if (stages > 1) {
    const bool interleaved = draft.count("training.schedule.chunks") > 1;
    const GivenFlag* overlap = draft.given("model.overlap_p2p_comm|comm_overlap.overlap_p2p_comm");
    const bool overlaps = interleaved && overlap != nullptr && draft.on(overlap->name);
    draft.set("parallelism.overlap.pipeline", overlaps ? "true" : "false",
              overlap != nullptr && interleaved ? overlap->place()
              : interleaved
                  ? "NeMo's default: overlap_p2p_comm False"
                  : "Megatron sends and receives beside compute only when it interleaves");
  } else {
    draft.forget("training.schedule.chunks");
  }
  if (draft.on("model.account_for_embedding_in_pipeline_split") &&
      draft.on("model.account_for_loss_in_pipeline_split")) {
    draft.set("parallelism.count_embedding_and_head", "true",
              draft.given("model.account_for_embedding_in_pipeline_split"));
  }
  const GivenFlag* optimizer = draft.given("model.optim.name");
  if (draft.on("model.fsdp")) {
    const GivenFlag* strategy = draft.given("model.fsdp_sharding_strategy");
    draft.set("parallelism.zero", strategy != nullptr && strategy->value == "grad" ? "2" : "3",
              draft.given("model.fsdp"), strategy != nullptr ? strategy->value : "");
  } else if (!take_fsdp(draft, kCore) && optimizer != nullptr &&
             (optimizer->value == "distributed_fused_adam" ||
              optimizer->value == "mcore_distributed_optim")) {
    draft.set("parallelism.zero", "1", optimizer);
  }
  take_optimizer_instances(draft, kCore);
}

void finish_recompute(Draft& draft) {
  const GivenFlag* kind = draft.given(kRecompute);
  if (kind == nullptr) {
    return;
  }
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
      "dataset.seq_length");
  if (length != nullptr) {
    draft.set("training.sequence_length", std::to_string(draft.whole(length->name).value_or(1)),
              length);
  }
  draft.add_sequence_length();
  const auto dropout = [&](std::string_view flag) { return draft.number(flag).value_or(0.1) > 0; };
  const bool drops = dropout("model.hidden_dropout|model.encoder.hidden_dropout") ||
                     dropout("model.attention_dropout|model.encoder.attention_dropout");
  draft.set("training.dropout", drops ? "true" : "false",
            "model.hidden_dropout, model.attention_dropout: 0.1 is NeMo's default");
  const double tokens = draft.number("trainer.max_steps|train.train_iters").value_or(0) *
                        static_cast<double>(draft.count("training.global_batch")) *
                        static_cast<double>(draft.count("training.sequence_length"));
  if (tokens > 0) {
    draft.set("training.tokens", fmt::format("{:.0f}", tokens),
              draft.given("trainer.max_steps|train.train_iters"));
  }
}

void finish(Draft& draft) {
  const std::optional<long> nodes = draft.whole("trainer.num_nodes");
  const std::optional<long> of_node = draft.whole("trainer.devices");
  draft.add_cluster(nodes && of_node ? std::optional(*nodes * *of_node) : std::nullopt,
                    "trainer.num_nodes x trainer.devices");
  if (draft.options().model.empty()) {
    finish_model(draft);
    finish_experts(draft);
  }
  finish_halves(draft);
  finish_parallelism(draft);
  finish_bridge_precision(draft);
  finish_recompute(draft);
  finish_run(draft);
  if (const GivenFlag* bridge = draft.mentioned("train.*")) {
    draft.set("training.framework", "megatron-bridge", bridge, "a section of Megatron-Bridge's");
  }
  take_core_settings(draft, kCore,
                     draft.has("training.framework") ? "megatron-bridge" : kFramework);
  if (!draft.has("training.global_batch")) {
    draft.fill_in("training.global_batch",
                  "no global_batch_size is given; --global-batch NUMBER says it");
  }
}

std::vector<GivenFlag> read_flags(const std::string& text, const std::string& name,
                                  std::vector<std::string>& /*notes*/) {
  std::vector<GivenFlag> flags = flags_of(read_flat_yaml(text, name));
  resolve_interpolations(flags);
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
        "worked out; what refers to other files counts as unknown. The machine is to be named with "
        "`--topology`.",
    .rows = nemo::rows(),
    .defaults = nemo::defaults(),
    .read = nemo::read_flags,
    .finish = nemo::finish};

}  // namespace danlu
