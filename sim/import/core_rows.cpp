// The one table of what settings of Megatron-core mean. Its fields
// (megatron/core/transformer/transformer_config.py, megatron/core/model_parallel_config.py) are
// flags of Megatron-LM and keys of NeMo and Megatron-Bridge: each row has all of its names.
#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/import/megatron_core.hpp"

namespace danlu {
namespace core_rows_of {  // the folder is built as one
namespace {

using enum Reading;

std::vector<FlagRow> model_rows() {
  return {
      {"--num-layers|--encoder-num-layers|model.num_layers|model.encoder.num_layers",
       "model.layers", Count},
      {"--decoder-num-layers|model.decoder.num_layers", "model.kind|model.encoder_layers", Fact,
       "an encoder-decoder (T5), whose encoder has the layers above"},
      {"--hidden-size|model.hidden_size|model.encoder.hidden_size", "model.hidden", Count},
      {"--num-attention-heads|model.num_attention_heads|model.encoder.num_attention_heads",
       "model.heads", Count},
      {"--ffn-hidden-size|model.ffn_hidden_size|model.encoder.ffn_hidden_size", "model.ffn", Count},
      {"--kv-channels|model.kv_channels|model.encoder.kv_channels", "model.head_dim", Count},
      {"--window-size|model.window_size", "model.window", Fact,
       "its first number and the position itself"},
      {"--window-attn-skip-freq|model.window_attn_skip_freq", "model.global_every", Fact,
       "a number, or a list with a 0 for each layer that sees all positions"},
      {"--softmax-type|model.softmax_type",
       "model.sinks",
       Words,
       "",
       {{"vanilla", ""}, {"learnable", "true"}, {"off-by-one", ""}}},
      {"--qk-layernorm|model.qk_layernorm",
       "model.qk_norm",
       On,
       "latent attention has its norms in any case",
       {{"", "head"}}},
      {"--max-position-embeddings|model.max_position_embeddings", "model.positions", Fact,
       "of a learned table"},
      {"--position-embedding-type|--use-rotary-position-embeddings|--no-position-embedding|"
       "model.position_embedding_type|model.encoder.position_embedding_type",
       "model.positions", Fact,
       "rope, yarn, alibi, relative and none have no table; learned_absolute without it"},
      {"--relative-attention-num-buckets|model.encoder.relative_attention_num_buckets",
       "model.relative_positions", Fact, "of relative positions; 32 without it"},
      {"--vocab-size|--padded-vocab-size|--make-vocab-size-divisible-by|--tokenizer-type|"
       "model.vocab_size|model.make_vocab_size_divisible_by|model.tokenizer.type|"
       "model.tokenizer.library|model.should_pad_vocab",
       "model.vocab", Fact,
       "padded to a multiple of 128 (or the given number) x tensor, in Megatron-Bridge with "
       "should_pad_vocab alone; of GPT2BPETokenizer 50257 words"},
      {"--num-experts|model.num_moe_experts", "model.experts.count", Count},
      {"--moe-router-topk|model.moe_router_topk", "model.experts.per_token", Count},
      {"--moe-ffn-hidden-size|model.moe_ffn_hidden_size", "model.experts.ffn", Count},
      {"--moe-shared-expert-intermediate-size|model.moe_shared_expert_intermediate_size",
       "model.experts.shared_ffn", Count},
      {"--moe-shared-expert-gate|model.moe_shared_expert_gate", "model.experts.shared_gate", On},
      {"--moe-layer-freq|model.moe_layer_freq", "model.experts.dense_layers|model.experts.every",
       Fact, "a number, or a list as [0, 1, 1] or ([0]*dense+[1]*others)"},
      {"--multi-latent-attention|model.multi_latent_attention", "model.latent.kv_rank", Fact,
       "with the ranks and widths below"},
      {"--q-lora-rank|model.q_lora_rank", "model.latent.query_rank", Fact,
       "without it 0, in Megatron-Bridge 512"},
      {"--kv-lora-rank|model.kv_lora_rank", "model.latent.kv_rank", Fact,
       "without it 32, in NeMo and Megatron-Bridge 512"},
      {"--qk-head-dim|model.qk_head_dim", "model.head_dim", Fact,
       "of latent attention; 128 without it"},
      {"--qk-pos-emb-head-dim|model.qk_pos_emb_head_dim", "model.latent.rotary_dim", Fact,
       "64 without it"},
      {"--v-head-dim|model.v_head_dim", "model.value_dim", Fact, "128 without it"},
      {"--mtp-num-layers|model.mtp_num_layers", "model.prediction_layers", Count},
  };
}

std::vector<FlagRow> plan_rows() {
  return {
      {"--tensor-model-parallel-size|--model-parallel-size|model.tensor_model_parallel_size",
       "parallelism.tensor", Count},
      {"--sequence-parallel|model.sequence_parallel", "parallelism.sequence|parallelism.sum_whole",
       Fact, "with it gradients of norms are summed over tensor ranks at the end of a step"},
      {"--pipeline-model-parallel-size|model.pipeline_model_parallel_size", "parallelism.pipeline",
       Count},
      {"--pipeline-model-parallel-split-rank|model.pipeline_model_parallel_split_rank",
       "parallelism.stage_layers", Fact,
       "the encoder's layers on so many stages, the decoder's on the others"},
      {"--decoder-first-pipeline-num-layers|model.num_layers_in_first_pipeline_stage",
       "parallelism.first_stage_layers", Count},
      {"--decoder-last-pipeline-num-layers|model.num_layers_in_last_pipeline_stage",
       "parallelism.last_stage_layers", Count},
      {"--pipeline-model-parallel-layout|model.pipeline_model_parallel_layout",
       "parallelism.stage_layers|training.schedule.chunks|parallelism.prediction_before_head", Fact,
       "layers of each part, in the model's order; of m on the part before that of L, the last"},
      {"--account-for-embedding-in-pipeline-split|--account-for-loss-in-pipeline-split|"
       "model.account_for_embedding_in_pipeline_split|model.account_for_loss_in_pipeline_split",
       "parallelism.count_embedding_and_head", Fact, "both of them"},
      {"--num-virtual-stages-per-pipeline-rank|model.virtual_pipeline_model_parallel_size",
       "training.schedule.chunks", Count},
      {"--no-overlap-p2p-communication|model.overlap_p2p_comm|comm_overlap.overlap_p2p_comm",
       "parallelism.overlap.pipeline", Fact,
       "overlap needs interleaving; with it the default of Megatron-LM, and of Megatron-Bridge "
       "with a section comm_overlap"},
      {"--context-parallel-size|model.context_parallel_size",
       "parallelism.context|parallelism.ulysses", Fact,
       "ulysses with cp_comm_type a2a; both with a2a+p2p"},
      {"--cp-comm-type|model.cp_comm_type", "parallelism.context_exchange", Fact,
       "p2p: ring; all_gather; one for all layers; others are told"},
      {"--hierarchical-context-parallel-sizes|model.hierarchical_context_parallel_sizes",
       "parallelism.ulysses|parallelism.context", Fact,
       "of a2a+p2p: the first is ulysses, the second context"},
      {"--expert-model-parallel-size|model.expert_model_parallel_size", "parallelism.expert",
       Count},
      {"--expert-tensor-parallel-size|model.expert_tensor_parallel_size",
       "parallelism.expert_tensor", Count},
      {"--moe-token-dispatcher-type|model.moe_token_dispatcher_type", "parallelism.expert_exchange",
       Fact, "alltoall: all-to-all; flex: deepep; allgather, Megatron-core's default, is told"},
      {"--moe-enable-deepep|model.moe_enable_deepep",
       "parallelism.expert_exchange",
       On,
       "",
       {{"", "deepep"}}},
      {"--moe-shared-expert-overlap|model.moe_shared_expert_overlap",
       "parallelism.overlap.shared_experts", On},
      {"--overlap-moe-expert-parallel-comm|model.overlap_moe_expert_parallel_comm|"
       "comm_overlap.overlap_moe_expert_parallel_comm",
       "parallelism.overlap.pair", On},
      {"--use-tp-pp-dp-mapping|model.use_tp_pp_dp_mapping|dist.use_tp_pp_dp_mapping",
       "parallelism.outermost",
       On,
       "",
       {{"", "data"}}},
      {"--tp-comm-overlap|model.tp_comm_overlap|model.ub_tp_comm_overlap|"
       "comm_overlap.tp_comm_overlap",
       "parallelism.overlap.tensor",
       On,
       "with sequence parallelism",
       {{"", "full"}}},
      {"--use-megatron-fsdp|--use-custom-fsdp|ddp.use_megatron_fsdp|ddp.use_custom_fsdp|"
       "dist.use_megatron_fsdp",
       "parallelism.zero", Fact, "by data_parallel_sharding_strategy"},
      {"--data-parallel-sharding-strategy|ddp.data_parallel_sharding_strategy", "parallelism.zero",
       Fact, "no_shard 0, optim 1, optim_grads 2, optim_grads_params 3"},
      {"--num-distributed-optimizer-instances|ddp.num_distributed_optimizer_instances",
       "parallelism.sharding.ranks", Fact, "data / it"},
      {"--overlap-grad-reduce|ddp.overlap_grad_reduce|comm_overlap.overlap_grad_reduce|"
       "model.optim.overlap_grad_sync",
       "parallelism.overlap.data", On},
      {kGatheredWeights, "parallelism.overlap.weights", Fact, "with ZeRO-1"},
      {"--optimizer-cpu-offload|optimizer.optimizer_cpu_offload", "parallelism.offload.optimizer",
       On},
      {"--optimizer-offload-fraction|optimizer.optimizer_offload_fraction",
       "parallelism.offload.optimizer", Fact, "of the offloaded optimizer: below 1 not taken over"},
      {"--cpu-offloading-num-layers|model.cpu_offloading_num_layers",
       "parallelism.offload.activation_layers", Count},
  };
}

std::vector<FlagRow> training_rows() {
  return {
      {"--moe-expert-capacity-factor|model.moe_expert_capacity_factor", "training.experts.capacity",
       Number},
      {"--moe-pad-expert-input-to-capacity|model.moe_pad_expert_input_to_capacity",
       "training.experts.pad", On},
      {"--moe-dispatch-fwd-dtype|model.moe_dispatch_fwd_dtype",
       "training.experts.dispatch_width",
       Words,
       "",
       {{"bf16", ""}, {"mxfp8", "8bit"}}},
      {"--moe-router-num-groups|--moe-router-group-topk|model.moe_router_num_groups|"
       "model.moe_router_group_topk",
       "training.experts.most_nodes", Fact,
       "nodes of so many groups of experts, with DeepEP, where groups coincide with nodes of "
       "so many GPUs as the file gives one"},
      {"--activation-func-fp8-input-store|model.activation_func_fp8_input_store",
       "training.kept_narrow",
       On,
       "",
       {{"", "activation"}}},
      {"--tp-only-amax-red|model.tp_only_amax_red", "training.fp8_amax", Fact,
       "tensor, with fp8 by delayed scaling"},
      {"model.reduce_amax", "training.fp8_amax", Fact, "false: own, with fp8 by delayed scaling"},
      {"--use-transformer-engine-op-fuser|model.use_transformer_engine_op_fuser",
       "training.fused_casts|training.lora.fused", Fact,
       "[norm, activation] below 16 bits; adapters without tensor ranks"},
      {"--optimizer|optimizer.optimizer",
       "training.optimizer.kind",
       Words,
       "",
       {{"adam", ""}, {"sgd", "sgd"}, {"muon", "muon"}, {"dist_muon", "muon"}}},
      {"--exp-avg-dtype|--exp-avg-sq-dtype|optimizer.exp_avg_dtype|optimizer.exp_avg_sq_dtype",
       "training.optimizer.state_width",
       Words,
       "of both moments: the wider where they differ, which is told",
       {{"fp32", "fp32"},
        {"bf16", "16bit"},
        {"fp16", "16bit"},
        {"fp8", "8bit"},
        {"torch.float32", "fp32"},
        {"torch.bfloat16", "16bit"},
        {"torch.float16", "16bit"},
        {"torch.uint8", "8bit"}}},
      {"--main-grads-dtype|--megatron-fsdp-main-grads-dtype|optimizer.main_grads_dtype",
       "training.gradients",
       Words,
       "",
       {{"fp32", "fp32"},
        {"bf16", "16bit"},
        {"fp16", "16bit"},
        {"torch.float32", "fp32"},
        {"torch.bfloat16", "16bit"},
        {"torch.float16", "16bit"}}},
      {"--main-params-dtype|--megatron-fsdp-main-params-dtype|optimizer.main_params_dtype",
       "training.optimizer.master",
       Words,
       "master weights are in fp32, or there are none",
       {{"fp32", ""}, {"torch.float32", ""}, {"auto", ""}}},
      {"--clip-grad|optimizer.clip_grad|trainer.gradient_clip_val", "training.gradient_passes",
       Minor, "0: no norm and no clip"},
      {"--no-check-for-nan-in-loss-and-grad|ddp.check_for_nan_in_grad", "training.gradient_passes",
       Fact, "check, with it or without"},
      {"--ddp-average-in-collective|ddp.average_in_collective", "training.gradient_passes", Fact,
       "average, where collectives do not"},
      {"--moe-layer-recompute|model.moe_layer_recompute", "training.recompute", Fact,
       "moe, beside the parts that are named"},
      {"--attention-backend|model.attention_backend|model.attention_backend._args_",
       "training.attention",
       Words,
       "",
       {{"flash", "flash"},
        {"fused", "flash"},
        {"auto", "flash"},
        {"unfused", "unfused"},
        {"local", "unfused"},
        {"[1]", "flash"},
        {"[2]", "flash"},
        {"[3]", "unfused"},
        {"[4]", "unfused"},
        {"[5]", "flash"}}},
      {"--flash-attention-version|model.flash_attention_version", "training.attention", Fact,
       "of attention_backend flash: 2 flash2, 3 flash3"},
      {"--transformer-impl|model.transformer_impl", "training.attention", Fact,
       "local: unfused, unless another flag says flash"},
      {"--enable-cuda-graph|--external-cuda-graph|--cuda-graph-impl|--cuda-graph-scope|"
       "--cuda-graph-modules|model.enable_cuda_graph|model.external_cuda_graph|"
       "model.cuda_graph_impl|model.cuda_graph_scope|model.cuda_graph_modules",
       "host.graphs", Fact,
       "the whole layer, attn with mlp or moe_router: layers; moe_router without attn: routers; "
       "full_iteration: full; other parts are told"},
      {"--cross-entropy-loss-fusion|--cross-entropy-fusion-impl|model.cross_entropy_loss_fusion|"
       "model.cross_entropy_fusion_impl",
       "training.loss", Fact, "native: fused-fp32, as without the second; te: fused"},
      {"--fp8-output-proj|model.fp8_output_proj", "training.wide_head", Fact, "false, with mxfp8"},
      {"--first-last-layers-bf16|--num-layers-at-start-in-bf16|--num-layers-at-end-in-bf16|"
       "model.first_last_layers_bf16|model.num_layers_at_start_in_bf16|"
       "model.num_layers_at_end_in_bf16",
       "training.wide_first_layers|training.wide_last_layers", Fact,
       "below 16 bits; 1 each without the numbers"},
      {"--no-rope-fusion|--no-bias-gelu-fusion|--no-bias-swiglu-fusion|--no-bias-dropout-fusion|"
       "--no-masked-softmax-fusion|model.apply_rope_fusion|model.bias_activation_fusion|"
       "model.bias_gelu_fusion|model.bias_dropout_fusion|model.bias_dropout_add_fusion|"
       "model.masked_softmax_fusion",
       "training.unfused", Fact,
       "where they are off: positions, activation, residual, softmax (of unfused attention) "
       "beside the framework's"},
      {"--no-gradient-accumulation-fusion|model.gradient_accumulation_fusion",
       "training.accumulation", Fact, "pass where it is off"},
      {"--attention-dropout|--hidden-dropout|model.attention_dropout|model.hidden_dropout|"
       "model.encoder.attention_dropout|model.encoder.hidden_dropout",
       "training.dropout", Fact, "0.1 each without them"},
      {"--fp8-dot-product-attention|--fp8-multi-head-attention|model.fp8_dot_product_attention|"
       "model.fp8_multi_head_attention",
       "", Told, "danlu keeps attention in 16 bits unless training.attention is cudnn_fp8"},
      {"--use-sharp|model.sharp|dist.use_sharp", "", Told,
       "how gradients are summed is for communication.data.algorithm to say: sharp has switches "
       "do it"},
  };
}

}  // namespace
}  // namespace core_rows_of

std::vector<FlagRow> core_rows(bool flags) {
  std::vector<FlagRow> rows;
  for (const auto& part :
       {core_rows_of::model_rows(), core_rows_of::plan_rows(), core_rows_of::training_rows()}) {
    for (FlagRow row : part) {
      std::string names;
      for (const std::string_view name : split(row.flag, '|')) {
        if (is_flag(name) == flags) {
          names.append(names.empty() ? "" : "|").append(name);
        }
      }
      if (!names.empty()) {
        if (flags) {  // which have no values of Python
          std::erase_if(row.words, [](const auto& word) {
            return word.first.starts_with("torch.") || word.first.starts_with('[');
          });
        }
        row.flag = names;
        rows.push_back(std::move(row));
      }
    }
  }
  return rows;
}

}  // namespace danlu
