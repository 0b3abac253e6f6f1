// Published training runs become scenarios, by rules that look at columns and never at who
// published the row, but for the code that MLPerf's results were run with. What notes may say is in
// training_notes.cpp. What a row leaves open is filled in by these rules:
//
//   gpu                 the device table of training_cluster.cpp, by the start of the name; PCIe
//                       cards and names that leave open which GPU it was are not simulated. An H100
//                       of 96 GB is Meta's board, of 500 W and HBM2e
//   date                year and month; of two years ("2023-24") the last
//   interconnect_intra  "NVL72" is a scale-up domain of 72 GPUs; otherwise gpus_per_node is. A run
//                       on several domains uses equal parts of them, as large as can be: 64 GPUs
//                       of each for 256 (the segments of Megatron-Bridge's utils/executors.py). A
//                       mesh board of fewer GPUs than the preset's joins each pair by an equal
//                       share of a GPU's links; a slice of TPUs has the axes of "torus 8x16"
//                       Four A100, H100 or H200 of a node are joined pair by pair (boards.hpp), but
//                       where the text says NVSwitch
//   interconnect_inter  parse_network(); where it says nothing, the preset's NICs, in proportion to
//                       the GPUs of the node. A rate of NICs that are not counted is a remark. What
//                       a network reaches is of the kind that the text names (network_named); RoCE
//                       as measured in steps (roce-loaded)
//   gated_mlp           1: LLaMA family (RMSNorm, rotary, no biases, an output head of its own)
//                       0: GPT family (LayerNorm, learned positions, biases, tied embeddings)
//   model               of a dense model that is known by name and has these widths: head_dim,
//                       where that is not hidden / heads ("heads of n" in the notes says it, too),
//                       norms of queries and keys, and whether embeddings are tied ("tied
//                       embeddings", "untied"; "no biases"). A mixture of experts is taken
//                       whole from the preset that the name begins with, but for layers and vocab;
//                       one that no preset knows, or that contradicts its preset, is not simulated
//   parallel_residual   where the notes have "parallel attention and MLP"
//   dense_layers        of a mixture: "n dense layer" in the notes, else the preset's
//   prediction_layers   "n prediction layer" in the notes; else 1 for the whole DeepSeek-V3 under
//                       Megatron-Bridge, whose recipe trains it (mtp_num_layers in its
//                       recipes/deepseek/deepseek_v3.py)
//   framework           training.framework: Megatron-LM's of 2021 and before, megatron-2020, of
//                       2022 and 2023 megatron-2022, later megatron-core; DeepSpeed by itself:
//                       huggingface; xtuner: megatron-core; torchtitan, KempnerForge and NeMo
//                       Automodel: pytorch; fms-fsdp: pytorch-fsdp1; GPT-NeoX, also in brackets:
//                       gpt-neox; others by their names;
//                       none of those of XLA, which is a remark. One that no profile is of is
//                       taken for PyTorch's single operators, which is a remark, too; a row that
//                       names none for Megatron's
//   compile             pytorch-compiled, pytorch-fsdp1-compiled where `framework` or the notes say
//                       so, and under fms-fsdp, whose use_torch_compile is on (its
//                       fms_fsdp/config/training.py)
//   cuda_graph          "full...": whole passes; "layers...": layers; "transformer_engine...": too,
//                       unless its scopes (Megatron's --cuda-graph-scope) lack attn: then routers
//                       with moe_router, else none, an MLP alone being too little; where it says
//                       nothing, whole passes of NeMo in MLPerf 5.0 and 5.1 on Blackwell, adapters
//                       aside (FULL_CUDA_GRAPH of the config_common_cg.sh of its results)
//   attention_kernel    "unfused", "naive" or "no Flash...": unfused; "FlashAttention-2": flash2;
//                       "FlashAttention 1" and "FlashAttention" until 2023: flash1; SDPA
//                       (scaled_dot_product_attention) until 2025: flash2 where the GPU has it,
//                       for PyTorch preferred cuDNN on Hopper only later
//                       (check_prefer_cudnn_attention of its sdp_utils.cpp; models/attention.py of
//                       torchtitan), and on AMD's GPUs triton, AOTriton, where it is known; other
//                       fused ones: the framework's, or the usual one of the GPU; nothing: fused
//                       from 2023 on, else unfused. In tf32 and fp32 unfused
//                       whatever is said: fused kernels are of 16 bits
//                       "fp8 attention" in the notes: cudnn_fp8, where the GPU has it
//   dropout             with unfused attention (Megatron's default of 0.1 in those years), but for
//                       the LLaMA family, frameworks of XLA (DROPOUT_PROB of paxml's
//                       model_params.py is 0), which have none, and "no dropout" in the notes
//   recompute           "selective" is the attention core; where that is fused, nothing is left to
//                       recompute. "selective(a,b)" are parts by Megatron-LM's names, the core
//                       even where it is fused (core_attn); MaxText's minimal_flash computes norms
//                       and activations again. Other selections: not simulated
//   recompute           of whole layers stops early where checkpoints do by PyTorch's default from
//                       2.1 on: under llm-foundry where dtype says amp (the tables of newer
//                       software), fms-fsdp (NO_REENTRANT of its policies/ac_handler.py),
//                       KempnerForge (likewise, of its distributed/parallel.py), NeMo Automodel
//                       (apply_ac of its components/moe/parallelizer.py), and torchtitan before
//                       September 2025, when it was switched off there (its #1580), and where the
//                       notes have "non-reentrant checkpoints" from October 2023 on (PyTorch 2.1);
//                       of XLA always,
//                       for JAX removes what no gradient needs (dce_jaxpr in _remat_partial_eval of
//                       its _src/ad_checkpoint.py)
//   dtype               fp8 in any spelling: fp8, from blocks where it says mx; bf16; fp16 and
//                       plain amp: fp16; nothing else. Where the text offers both 16-bit formats,
//                       bf16 if the GPU has it. Under Megatron-Bridge plain fp8 is scaled by
//                       tensor (bf16_with_fp8_current_scaling_mixed), and under torchtitan and
//                       where it says tensorwise, and of the 8B of MLPerf 5.1, whose weights have
//                       8 bits alone, too
//   wide_head           false with mxfp8 where the notes have fp8_output_proj, and for DeepSeek-V3
//                       and GPT-OSS 120B under Megatron-Bridge from 26.06 on (its
//                       scripts/performance/configs at v0.5.0): on GB200 and GB300, on B300 later
//   fp8_amax            of NeMo with delayed scaling: tensor until May 2024
//                       (NVTE_DP_AMAX_REDUCE_INTERVAL=0 of NeMo-Framework-Launcher's
//                       launcher_scripts/conf/config.yaml, which TransformerEngine 1.6 no longer
//                       has) and where the notes have tp_only_amax_red (MLPerf's pre-training; its
//                       scripts/performance/llm/pretrain_gpt3_175b.py) and in MLPerf 5.0 and 5.1;
//                       own with LoRA (MLPerf's FP8_REDUCE_AMAX is False unless set; with one chunk
//                       it makes no odds); else all. Of others the framework's
//   gradients           16 bit with fp16, fp32 otherwise (Megatron's defaults); 16 bit under
//                       Megatron-Bridge (grad_reduce_in_fp32 of its scripts/performance/configs)
//                       and in bf16 under frameworks without a profile, for autograd's .grad has
//                       the width of its parameter
//   weights             in 8 bits alone where dtype says "fp8 params", and with fp8 and mxfp8 under
//                       Megatron-Bridge (fp8_param_gather of its training/mixed_precision.py); not
//                       with FSDP
//   sharding            none, ZeRO-0, DP: none; ZeRO-1 or distributed optimizer: 1; ZeRO-2: 2;
//                       ZeRO-3 and FSDP: 3, FSDP without a 16-bit copy, SHARD_GRAD_OP with weights
//                       kept until backward; "within n", "group n": over n ranks. With dp = 1
//                       nothing is sharded whatever is said. FSDP under torchtitan: embedding
//                       and head are units of their own; with stages weights are kept and
//                       gradients reduced once a step; 8-bit gathers where the notes say "float8
//                       all-gather", and with fp8 unless it is scaled by rows or they say "bf16
//                       all-gather" (docs/float8.md has enable_fsdp_float8_all_gather). Under
//                       fms-fsdp gradients are reduced in 16 bits (its
//                       policies/mixed_precision.py). "gradients reduced once a step" in the notes
//                       (no_sync), "..., in fp32": so. Under NeMo Automodel weights of mixtures are
//                       kept and gradients reduced, in fp32, once a step (its
//                       components/moe/fsdp_mixin.py, enable_fsdp_optimizations of its recipes)
//   cpu_offload_layers  first layers of each chunk whose activations go to the host
//   layers              evenly over pp x vpp parts. Where these do not divide them, embedding and
//                       head count as layers and all are shared as evenly as can be, the first
//                       parts with one more
//                       (BigScience's type:transformer|embedding; Megatron-LM's
//                       account_for_embedding_in_pipeline_split; nanotron's blocks); of mixtures
//                       with latent attention as many as can be in all parts but the last ones,
//                       which hold the rest (Megatron-Bridge's layouts of DeepSeek-V3 and Kimi-K2),
//                       under NeMo (layers + 3) / parts, one fewer first and two last (its
//                       scripts/performance/llm/pretrain_deepseek_v3.py of 25.04);
//                       under nanotron by cost, the head's too (get_block_compute_costs of its
//                       models/llama.py, build_model of its models/base.py)
//   cp                  by Ulysses where sequence_parallel says so, or the attention "CP a2a",
//                       else a ring (Megatron-LM's default, p2p); dp counts replicas of whole
//                       sequences
//   etp                 ranks that share an expert; 1 where there is no such column (the recipes of
//                       Megatron-Bridge and NeMo; Megatron-LM alone would take tp)
//   moe_dispatcher      deepep and hybridep: one copy for each node and rank; else, or empty, one
//                       for each expert by NCCL's all-to-all, and so with deepep in Qwen3's recipes
//                       of Megatron-Bridge: the configs name it as the backend of a dispatcher that
//                       they do not take (moe_token_dispatcher_type of qwen3_llm_pretrain.py).
//                       DeepSeek-V3's tokens go to at most 4 nodes (arXiv:2412.19437)
//   moe_a2a_overlap     yes: overlap.pair
//   experts             "capacity factor x", "with padding" in the notes; weighted behind the
//                       activation from 2025 on (Megatron-core 0.12). "unbalanced" in the notes:
//                       not simulated, for nobody says by how much
//   LoRA                in the model's name: "rank n on q, v", "adapters with dropout", "adapters
//                       in fp32" and "4-bit base" in the notes; else rank 16 on qkv under
//                       Megatron-Bridge (its configs/llama/llama3_llm_finetune.py), on qkv and the
//                       output under NeMo (MLPerf's rules); otherwise not simulated
//   fused_casts         [norm, activation], and lora.fused without tensor ranks, where the notes
//                       have "op fuser" (TransformerEngine's: USE_TE_OPS of MLPerf 5.1); else the
//                       framework's. kept_narrow: activation where they have FP8_ACTIVATION
//   host.launch_again   as host.launch with "reentrant checkpoints" in the notes: these save no
//                       tensor by a hook (torch/utils/checkpoint.py), which is what makes layers
//                       that are computed again slow to launch; PyTorch's with "non-reentrant
//                       checkpoints" under a framework whose are reentrant
//   gpu.power           "GPUs limited to n W" in the notes; "HBM2e of x TB/s": the memory's rate
//   overlap.data        where the sharding text says overlap, and for ZeRO-1 under Megatron-Bridge
//                       (its CommOverlapConfig) and InternEvo (overlap_sync_grad); where the notes
//                       have --overlap-grad-reduce; not where either says "no overlap". A "PP=n"
//                       before it limits that to runs with n stages. With ZeRO-2, -3 and FSDP
//                       always, but for ZeRO-2 under DeepSpeed unless its text says so
//                       (overlap_comm of deepspeed/runtime/zero/config.py is of stage 3)
//   overlap.weights     without stages or without experts on several ranks, for ZeRO-1 with
//                       overlap.data under NeMo, but for its
//                       Automodel (overlap_param_gather of its
//                       lightning/pytorch/callbacks/megatron_comm_overlap.py, overlap_param_sync
//                       before) and Megatron-Bridge (its CommOverlapConfig), and where the notes
//                       have --overlap-param-gather
//   overlap.tensor      none for runs of 2021 and earlier (the option that overlaps the sum of
//                       gradients with the weight gradient came to Megatron-LM in September 2021,
//                       commit 16c90445e7) and under DeepSpeed, which switches it off
//                       (Megatron-DeepSpeed issue 447), under Paddle (2.5's ColumnParallelLinear,
//                       distributed/fleet/layers/mpu/mp_layers.py), and where the notes have
//                       "overlap switches off" or "TP_COMM_OVERLAP False" (MLPerf); none where
//                       PyTorch's own DTensors split the model (all whose framework is PyTorch's,
//                       see `framework`) but with "async TP" in the notes, then full; full for
//                       dense models under Megatron-Bridge (tp_comm_overlap of its
//                       recipes/llama/h100/llama3.py), but with nvfp4; full where the notes have
//                       "TP_COMM_OVERLAP True" (ub_tp_comm_overlap of NeMo) and of NeMo in MLPerf
//                       from 3.1 on, but in fp4;
//                       else backward
//   tensor_inputs       each, and whole logits, under KempnerForge (each ColwiseParallel of its
//                       distributed/tensor_parallel.py has Shard(1) inputs, the head's Replicate
//                       outputs); kept under nanotron until July 2024 (tp_recompute_allgather,
//                       huggingface/nanotron@1e02a9ce); else the framework's
//   overlap.pipeline    with virtual stages (vpp > 1) from 2023 on, under Megatron-LM from October
//                       2023, when that became its default (NVIDIA/Megatron-LM@4eeff55d); before,
//                       and in plain 1F1B, Megatron's stages wait until they have sent
//   context_exchange    gather-ring under torchtitan (PyTorch's context_parallel; allgather is the
//                       default of its context_parallel_rotate_method), whose models
//                       repeat keys and values for each query head first (context_heads query);
//                       else the framework's
//   scatter_gather      without sequence parallelism: Megatron's runs of 2020 to 2022, where it is
//                       the default (Narayanan et al. 2021, section 4.1;
//                       --no-scatter-gather-tensors-in-pipeline), and DeepSpeed's, whose pipeline
//                       sends a PartitionedTensor (deepspeed/runtime/pipe/engine.py). A row that
//                       names no framework is taken for Megatron's
//   loss                where the notes say "fused cross entropy": fused-fp32 under Megatron-core
//                       and NeMo (their --cross-entropy-fusion-impl is native) unless they say "of
//                       TE", else fused; eager under torchtitan with torch.compile until April
//                       2025 (pytorch/torchtitan@bbb1b616e), but in November 2024, when it was
//                       compiled with the model (2024-10-22 to 12-18); eager-16bit under
//                       KempnerForge (its training/loss.py) and with "loss in 16 bits"; eager under
//                       prime-rl (its sft/train.py); fused under xtuner (Pai-Megatron-Patch);
//                       otherwise the framework's
//   gradients           16 bits with "gradients in bf16" or "pure bf16" in the notes, under
//                       Megatron-Bridge, and under unknown frameworks in bf16 but for amp
//   pure bf16           in the notes: gradients and the optimizer's state in 16 bits, no master
//                       weights; "no rotary": no pass for positions; "untied" and "no positions":
//                       an output head of its own, no table
//   positions           fused under NeMo Automodel with TransformerEngine (rope_fusion of its
//                       llm_benchmark recipes), and with "fused rotary" in the notes
//   fused rms norm ...  "... only on 80GB rows" in the notes: rows on less have it eager;
//                       "RMSNorm of single operators": so
//   fused norm and ...  "fused norm and rotary" in the notes: neither is in passes of its own; nor
//                       what "fused RMSNorm, SwiGLU, rotary", "fused dropout, residual and
//                       LayerNorm" and "fused bias and GELU" name. "no fused loss": in-place, and
//                       its operators apart
//   FSDP's precision    of FSDP1 "mixed precision PURE" in the notes: gradients are reduced in 16
//                       bits (get_mixed_precision of mosaicml/composer); "weights in fp32": they
//                       are gathered so
//   notes               "includes evaluation": the rate is not that of steps; not simulated
//   everything else     the scenario's defaults
//
// A peak of memory is set beside that of tensors; what is reserved (peak_mem_of) beside that with
// what an allocator keeps, and the whole card's beside that with CUDA's context and NCCL's buffers
// (sim/workload/memory.hpp).
//
// The published time is step_time_s, else derived_step_time_s, else tokens of a step over tokens
// per second.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/base/names.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"

namespace danlu {

/// What a published peak of memory is of.
enum class PeakOf { Allocated, Reserved, Card };
template <>
inline constexpr auto kNames<PeakOf> = std::to_array<Named<PeakOf>>(
    {{PeakOf::Allocated, "allocated"}, {PeakOf::Reserved, "reserved"}, {PeakOf::Card, "card"}});

/// One row as a scenario, or why not.
struct Conversion {
  std::string id;
  std::string source;
  std::string device;
  std::string date;
  std::string framework;
  std::string yaml;  // of the scenario; empty where there is none
  std::optional<Scenario> scenario;
  std::vector<std::string> reasons;  // all of them; empty with a scenario
  std::vector<std::string> remarks;  // what had to be taken for granted
  double published_step_s = 0;       // 0 if the row has none
  double published_peak = 0;         // bytes of the fullest GPU, of peak_mem_gb; likewise
  PeakOf peak_of = PeakOf::Allocated;

  std::string reason() const;  // joined
};
/// Of a table that check_cells() found nothing wrong in.
Conversion convert(const CsvTable& table, const CsvRow& row, const LoadOptions& options);

/// What its columns may hold.
std::span<const ColumnRule> training_columns();

/// The columns without which no row can be simulated.
std::span<const std::string_view> needed_training_columns();

/// Whether the row states everything: its column `complete`, or else no missing column.
bool is_complete(const CsvTable& table, const CsvRow& row);

}  // namespace danlu
