#include "sim/scenario/frameworks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace danlu {
namespace {

constexpr std::string_view kVtrain =
    "fitted: layers of small models on one node of A100 (github.com/VIA-Research/vTrain "
    "data/ground_truth_single.csv) take 3.1 to 3.6 ms forward, again and backward, whatever their "
    "size, split and batch";
constexpr std::string_view kMegatronCode =
    "github.com/NVIDIA/Megatron-LM v2.x megatron/model/transformer.py: permute and contiguous, "
    "split and concatenation of QKV, gradients of biases";
constexpr std::string_view kOwnSteps =
    "fitted: steps of small models on one H100 (PyTorch 2.11, eager) whose GPU is idle most of the "
    "time; by operator 7 to 20 us were measured, a linear with its backward takes 370 us";
constexpr std::string_view kOperator =
    "measured: 7 us from one elementwise operator to the next, 13 us a norm (one H100, PyTorch "
    "2.11)";
constexpr std::string_view kCheckpoint =
    "fitted, as host.launch: non-reentrant checkpoints make a layer's host time 2.2 times as long "
    "(measured, one H200, PyTorch 2.11), of which its kernels alone are 1.35, those up to what "
    "stops early";
constexpr std::string_view kHooks =
    "measured: a layer under FSDP2 takes the host 1.8 ms more forward and backward, for two "
    "gathers and a reduction (one H200, PyTorch 2.11)";
constexpr std::string_view kPytorchLoss =
    "measured: 54 to 55 bytes a logit, forward and backward (one H200, PyTorch 2.11)";
constexpr std::string_view kExperts =
    "measured: general_grouped_gemm of TransformerEngine takes 0.267 ms for 8 products of 128 x "
    "2048 x 2048 on a Blackwell GPU, whose one kernel for all takes 0.07 ms "
    "(github.com/NVIDIA/TransformerEngine/pull/3134); multi_stream_cublas_gemm of its "
    "common/gemm/cublaslt_gemm.cu asks cuBLAS for an algorithm at every product";
constexpr std::string_view kNodes =
    "fitted: 64 B200 with Qwen3-235B-A22B in MXFP8 take 20.1 s with pairs and 16.9 s without "
    "(github.com/NVIDIA-NeMo/Megatron-Bridge/pull/1760, \"due to CPU overhead\"); nodes are those "
    "of megatron/core/models/common/model_chunk_schedule_plan.py, each with a stream, events and a "
    "call of autograd of its own";
constexpr std::string_view kQuantisedNorm =
    "TransformerEngine's pytorch/module/layernorm_linear.py: with_quantized_norm; in mxfp8 where "
    "cuDNN's kernel is asked for (NVTE_NORM_FWD_USE_CUDNN), as NeMo's and Megatron-Bridge's "
    "launchers do and is assumed of Megatron-LM";
constexpr std::string_view kAmaxes =
    "reduce_and_update_fp8_tensors of TransformerEngine's pytorch/quantization.py (since v1.6, May "
    "2024; before by NVTE_DP_AMAX_REDUCE_INTERVAL), behind what one fp8_autocast holds: all layers "
    "of a chunk with delayed scaling (megatron/core/transformer/transformer_block.py); over all "
    "ranks of a stage unless tp_only_amax_red (get_amax_reduction_group of "
    "megatron/core/parallel_state.py)";
constexpr std::string_view kCasts =
    "assumed: three launches of 5 us; multi_tensor_quantize_impl of TransformerEngine's "
    "pytorch/csrc/extensions/cast.cpp quantises tensor by tensor";
constexpr std::string_view kBatchedSends =
    "github.com/NVIDIA/Megatron-LM megatron/p2p_communication.py: torch.cuda.synchronize() after "
    "batch_isend_irecv, to be safe from a race (batch_p2p_sync of Megatron-core); not where sends "
    "overlap";
constexpr std::string_view kPartitionedSends =
    "github.com/microsoft/DeepSpeed deepspeed/runtime/utils.py PartitionedTensor: to_meta copies "
    "to the GPU, from_meta reads from it, at each send and receipt; Megatron's mpu/data.py "
    "broadcast_data reads sizes";
constexpr std::string_view kPlaceholders =
    "get_dummy_wgrad of TransformerEngine's pytorch/module/base.py: one for each shape and type, "
    "kept for good";
constexpr std::string_view kUserBuffers =
    "TransformerEngine's userbuffers: the mean over the ten exchanges of a layer in "
    "ub_tp_comm_overlap_cfg of github.com/NVIDIA/dgxc-benchmarking "
    "nemo_megatron/gpt3_175b_hydra.yaml (H100): 0 of rings, which copy engines carry, 2 to 8 of "
    "those beside backward products, 20 and 24 of sums behind forward ones";
constexpr std::string_view kOldGradients =
    "github.com/NVIDIA/Megatron-LM v2.x megatron/model/distributed.py: buffer.zero_() and data /= "
    "world size; megatron/optimizer: unscaled with a check for inf, and clip_grad_norm_fp32, which "
    "multiplies only above the limit (not counted)";
constexpr std::string_view kGradients =
    "github.com/NVIDIA/Megatron-LM megatron/core/distributed/param_and_grad_buffer.py: reset, "
    "check_grads (since December 2023, unless --no-check-for-nan-in-loss-and-grad), "
    "gradient_scaling_factor (unless --ddp-average-in-collective); "
    "megatron/core/optimizer/clip_grads.py: multiplies always since TransformerEngine has "
    "multi_tensor_scale_tensor, before only above the limit (counted)";
constexpr std::string_view kBridgeGradients =
    "as megatron-core, but its recipes check nothing (check_for_nan_in_grad of "
    "scripts/performance/utils/overrides.py) and average in the collective";
constexpr std::string_view kTorchClip =
    "max_grad_norm of its Trainer is 1; torch.nn.utils.clip_grad_norm_ multiplies always, and "
    "gradients are set to None";
constexpr std::string_view kFoundryClip =
    "gradient_clipping of scripts/train/yamls/pretrain/*.yaml; it multiplies always, and gradients "
    "are set to None";
constexpr std::string_view kNeoxSums =
    "github.com/EleutherAI/DeeperSpeed@eb7f5cff deepspeed/runtime/pipe/engine.py: "
    "_exec_reduce_grads calls buffered_allreduce_fallback, whatever reduce_scatter says, and "
    "github.com/EleutherAI/gpt-neox@71df4d50 (v1.0) is a pipeline with one stage, too "
    "(is_pipe_parallel of megatron/neox_arguments/arguments.py)";
constexpr std::string_view kNeoxGradients =
    "github.com/EleutherAI/DeeperSpeed@eb7f5cff: allreduce_bucket and allreduce_and_copy of "
    "deepspeed/runtime/engine.py, _has_inf_or_nan (x.float().sum()) and get_grad_norm "
    "(grad.float().norm()) of deepspeed/runtime/utils.py, unscale_and_clip_grads of "
    "deepspeed/runtime/zero/stage1.py; that the host reads both back for every tensor is not "
    "counted";
constexpr std::string_view kNeoxInputs =
    "megatron/mpu/layers.py: ColumnParallelLinear has a copy_to_model_parallel_region of its own, "
    "with gpt_j_tied, too";
constexpr std::string_view kNeoxLayers =
    "github.com/EleutherAI/gpt-neox@71df4d50 (v1.0) megatron/model/transformer.py: slices and "
    "torch.cat around apply_rotary_pos_emb (whose operators are taken for single ones, though "
    "TorchScript joins some), transpose, reshape and torch.concat of flash_attention, x + bias and "
    "residual + out by themselves (bias_dropout_fusion is off, bias_gelu_fusion on), and "
    "permute(...).contiguous(); megatron/mpu/cross_entropy.py";
constexpr std::string_view kFlat =
    "weights of a unit are views of one array (FlatParameter), so that nothing that is gathered is "
    "copied, but autograd joins the gradients of torch.split, and torch/distributed/fsdp/"
    "_runtime_utils.py (2.1) makes them as wide as they travel and divides them before they are "
    "scattered (_post_backward_hook, _div_if_needed)";
constexpr std::string_view kFoundryLayers =
    "flat as pytorch-fsdp1; github.com/mosaicml/llm-foundry "
    "llmfoundry/models/layers/{blocks,ffn}.py: "
    "x + dropout(b), nn.GELU and nn.Linear with biases (no_bias is false), whose gradients PyTorch "
    "sums by a kernel of its own; norms (low_precision_layernorm) are one kernel";
constexpr std::string_view kFlatHooks =
    "measured: a layer under FSDP1 takes the host 2.5 ms more forward and backward, for two "
    "gathers and a reduction (one H200, PyTorch 2.11)";
constexpr std::string_view kKeptInputs =
    "torch.distributed.tensor.parallel: autograd keeps the gathered input of a product";
constexpr std::string_view kWaits =
    "a redistributed DTensor is waited for at its first use (torchtitan's async TP: full)";
constexpr std::string_view kAccumulation =
    "assumed: as autograd does it, by an operator for each gradient";

/// A framework as it stands here: its own values, over those of one above it, if it is `as` that.
struct FrameworkRow {
  std::string_view name, is;
  std::string_view as{};                    // "as pytorch", the source of what it takes from there
  std::vector<std::string_view> without{};  // keys of that which it has not
  std::vector<FrameworkValue> values;
};

const std::vector<FrameworkRow>& framework_rows() {
  static const std::vector<FrameworkRow> rows{
      {.name = "megatron-2020",
       .is = "Megatron-LM until gradient accumulation fusion (end of 2021)",
       .values = {{"host.launch", "57 us", kVtrain},
                  {"host.waits", "send", kBatchedSends},
                  {"host.exchange", "57 us", "as a launch"},
                  {"training.accumulation", "pass",
                   "gradient_accumulation_fusion came at the end of 2021"},
                  {"training.gradient_passes", "[zero, average, unscale, norm]", kOldGradients},
                  {"training.unfused", "[copies, biases, loss]", kMegatronCode}}},
      {.name = "megatron-core",
       .is = "Megatron-LM and Megatron-core from January 2024 on",
       .values = {{"host.launch", "57 us", "as megatron-2020"},
                  {"host.waits", "send", kBatchedSends},
                  {"host.exchange", "57 us", "as megatron-2020"},
                  {"host.expert", "33 us", kExperts},
                  {"host.cast", "15 us", kCasts},
                  {"host.node", "200 us", kNodes},
                  {"host.reads_counts", "true",
                   "megatron/core/transformer/moe/token_dispatcher.py: token counts are copied to "
                   "the host"},
                  {"parallelism.overlap.blocks", "6", kUserBuffers},
                  {"training.placeholders", "true", kPlaceholders},
                  {"training.fp8_amax", "all", kAmaxes},
                  {"training.fused_casts", "norm", kQuantisedNorm},
                  {"training.gradient_passes", "[zero, check, average, unscale, norm, clip]",
                   kGradients},
                  {"training.unfused", "[copies, loss]", kMegatronCode}}},
      {.name = "megatron-2022",
       .is = "Megatron-LM of 2022 and 2023, before rotary positions and SwiGLU were fused (of GPTs "
             "without them the same as megatron-core)",
       .as = "as megatron-core",
       .values =
           {{"training.unfused", "[copies, loss, positions, gated]",
             "github.com/NVIDIA/Megatron-LM@8503f75401 fuses both in its core (written in November "
             "2023, merged in January 2024; its older models, the default until May 2024, stay as "
             "they are); before it (@1618c7e571) apply_rotary_pos_emb and F.silu(x[0]) * x[1] are "
             "single operators"}}},
      {.name = "megatron-bridge",
       .is = "Megatron-Bridge: Megatron-core on TransformerEngine",
       .as = "as megatron-core",
       .without = {"training.unfused"},
       .values = {{"training.gradient_passes", "[zero, norm, clip]", kBridgeGradients},
                  {"training.loss", "fused", "cross_entropy_fusion_impl te of its recipes"}}},
      {.name = "nemo",
       .is = "NeMo on Megatron-core, without CUDA graphs unless host.graphs says so",
       .as = "as megatron-bridge",
       .values = {{"training.gradient_passes", "[zero, norm, clip]",
                   "assumed: as megatron-bridge"}}},
      {.name = "megatron-deepspeed",
       .is = "Megatron-LM's layers under DeepSpeed (BLOOM, MT-NLG)",
       .values =
           {{"host.launch", "57 us", kVtrain},
            {"host.waits", "send", kPartitionedSends},
            {"host.exchange", "57 us", "as a launch"},
            {"training.accumulation", "pass", kAccumulation},
            {"training.gradient_copy", "true",
             "deepspeed/runtime/pipe/engine.py: update_hp_grads(clear_lp_grads=False) of "
             "BF16_Optimizer after each microbatch"},
            {"training.gradient_passes", "[average, norm, clip]",
             "github.com/microsoft/DeepSpeed deepspeed/runtime/zero/stage_1_and_2.py: averaged by "
             "a product, norm, unscale_and_clip_grads in one; gradients are set to None"},
            {"training.unfused", "[copies, biases, loss]", kMegatronCode},
            {"parallelism.overlap.tensor", "none",
             "DeepSpeed switches it off (github.com/microsoft/Megatron-DeepSpeed/issues/447)"}}},
      {.name = "gpt-neox",
       .is = "GPT-NeoX 1.0 (GPT-NeoX-20B, Pythia), whose rotary positions turn a quarter of a head",
       .as = "as megatron-deepspeed",
       .without = {"training.gradient_copy"},
       .values = {{"parallelism.sharding.scatter", "false", kNeoxSums},
                  {"parallelism.tensor_inputs", "halves", kNeoxInputs},
                  {"training.gradient_passes",
                   "[buckets, average, check_copied, norm_copied, clip]", kNeoxGradients},
                  {"training.unfused",
                   "[copies, biases, loss, residual, added_biases, partial_positions, packing]",
                   kNeoxLayers}}},
      {.name = "pytorch",
       .is = "PyTorch's single operators (eager), with DDP or FSDP",
       .values = {{"host.launch", "50 us", kOwnSteps},
                  {"host.operator", "10 us", kOperator},
                  {"host.launch_again", "180 us", kCheckpoint},
                  {"host.exchange", "40 us", "as a launch"},
                  {"host.unit", "600 us", kHooks},
                  {"training.loss", "eager", kPytorchLoss},
                  {"training.unfused", "[positions, activation, residual, gathers]",
                   "measured on one H200 (PyTorch 2.11): rotary positions 76 / 159 bytes of a "
                   "value, and others; its norms are kernels of their own; gathers: chunk and cat "
                   "of torch/distributed/_functional_collectives.py, split_with_sizes_copy and "
                   "chunk_cat of torch/distributed/fsdp/_fully_shard/_fsdp_collectives.py"},
                  {"parallelism.tensor_inputs", "kept", kKeptInputs},
                  {"parallelism.overlap.tensor", "none", kWaits},
                  {"training.accumulation", "pass", "autograd's AccumulateGrad adds to .grad"}}},
      {.name = "pytorch-compiled",
       .is = "PyTorch with torch.compile",
       .as = "as pytorch",
       .without = {"host.launch_again"},
       .values = {{"host.launch", "10 us",
                   "assumed: a compiled layer's code launches without autograd"},
                  {"training.loss", "fused", "measured: 11 to 15 bytes a logit (one H200)"},
                  {"training.unfused", "[gathers]",
                   "as pytorch: what a collective makes is an input of compiled code, and a "
                   "product's operand has to lie in order"}}},
      {.name = "pytorch-fsdp1",
       .is = "PyTorch's single operators (eager) with FullyShardedDataParallel, the first FSDP",
       .as = "as pytorch",
       .without = {"parallelism.tensor_inputs", "parallelism.overlap.tensor"},
       .values = {{"host.unit", "830 us", kFlatHooks},
                  {"training.unfused", "[positions, activation, residual, flat]", kFlat}}},
      {.name = "pytorch-fsdp1-compiled",
       .is = "The same with torch.compile",
       .as = "as pytorch-compiled",
       .without = {"parallelism.tensor_inputs", "parallelism.overlap.tensor"},
       .values = {{"host.unit", "830 us", kFlatHooks}, {"training.unfused", "[flat]", kFlat}}},
      {.name = "nanotron",
       .is = "nanotron (Hugging Face)",
       .values =
           {{"host.launch", "50 us", "as pytorch"},
            {"host.operator", "10 us", "as pytorch"},
            {"host.launch_again", "180 us", "as pytorch"},
            {"host.waits", "send",
             "src/nanotron/parallel/pipeline_parallel/p2p.py: shapes are read from the GPU before "
             "each receipt"},
            {"host.exchange", "180 us",
             "assumed: four launches, since exchanges stand between products in three parts "
             "(src/nanotron/parallel/tensor_parallel/functional.py, ...AsyncCommunication)"},
            {"parallelism.sharding.scatter", "false",
             "src/nanotron/trainer.py sync_gradients_across_dp(reduce_scatter=False): an "
             "all-reduce "
             "of the contiguous buffer, since ZeRO-1 with sums in fp32 has no DDP (make_ddp)"},
            {"host.piece", "10 us",
             "assumed: a slice and a copy of 5 us each (src/nanotron/distributed.py "
             "all_gather_coalesced)"},
            {"training.loss", "eager-sharded",
             "src/nanotron/parallel/tensor_parallel/functional.py: 16 bits, their cast and a "
             "difference that is worked on in place"},
            {"training.gradient_passes", "[zero, norm_all, clip_all]",
             "src/nanotron/optim/gradient_accumulator.py: zero_(); "
             "src/nanotron/optim/clip_grads.py: all sums in fp32, multiplied always"},
            {"training.gradient_copy", "true",
             "src/nanotron/trainer.py: DistributedDataParallel without gradient_as_bucket_view, "
             "whose buckets hold 16 bits for good; with one replica FP32GradientAccumulator has "
             "them until backward is over, which is counted as if at the peak"},
            {"training.unfused", "[positions, activation, residual]",
             "src/nanotron/models/llama.py: apply_rotary_pos_emb where rope_interleaved is off, "
             "GLUActivation; norms are Triton's"},
            {"training.accumulation", "pass", "src/nanotron/optim/gradient_accumulator.py"}}},
      {.name = "llm-foundry",
       .is = "MosaicML's llm-foundry with FSDP",
       .as = "as pytorch",
       .without = {"parallelism.tensor_inputs", "parallelism.overlap.tensor"},
       .values = {{"training.attention", "triton",
                   "github.com/mosaicml/llm-foundry@5e85bd62d scripts/train/benchmarking/"
                   "submit_benchmarks.py: attn_impl is triton unless asked, and sweep.sh does not; "
                   "sweep.py asks for flash (flash-attn 2.4.2) on 128 H100 and more, but for "
                   "13b and 30b, which nothing here tells apart"},
                  {"training.unfused", "[flat, biases, activation, residual]", kFoundryLayers},
                  {"training.fp8_amax", "all",
                   "TransformerEngine's default: te.fp8_autocast without a group of "
                   "mosaicml/composer composer/core/precision.py"},
                  {"training.gradient_passes", "[norm, clip]", kFoundryClip},
                  {"training.optimizer.implementation", "foreach",
                   "from memory: its DecoupledAdamW takes an operator at a time"}}},
      {.name = "huggingface",
       .is = "Hugging Face's models as they are; their checkpoints are reentrant unless told "
             "(gradient_checkpointing_enable of transformers/modeling_utils.py), which save no "
             "tensor by a hook: what is computed again is launched as it was",
       .as = "as pytorch",
       .without = {"host.launch_again", "parallelism.tensor_inputs", "parallelism.overlap.tensor"},
       .values = {{"training.unfused", "[norm, positions, activation, residual, softmax]",
                   "transformers/models/*/modeling_*.py: single operators"},
                  {"training.gradient_passes", "[norm, clip]", kTorchClip},
                  {"training.optimizer.implementation", "foreach",
                   "PyTorch's AdamW unless asked"}}},
      {.name = "internevo",
       .is = "InternEvo (InternLM)",
       .values = {{"host.launch", "57 us", "as megatron-2020"},
                  {"host.exchange", "57 us", "as megatron-2020"},
                  {"host.piece", "11 us",
                   "fitted: 7B models on 256 to 1,024 ranks; solver/optimizer/hybrid_zero_optim.py "
                   "broadcast_params: weights are dealt out whole, and those that have some "
                   "broadcast them one after the other, each through all ranks"},
                  {"training.gradients", "16bit",
                   "from memory: gradients travel as they are, in bf16"},
                  {"training.gradient_passes", "[norm, clip]",
                   "solver/optimizer/hybrid_zero_optim.py: compute_norm, _unscale_and_clip_grads; "
                   "gradients are set to None"},
                  {"training.unfused", "[positions]",
                   "assumed: eager rotary positions; Apex's norm"},
                  {"training.accumulation", "pass", "as pytorch"}}},
      {.name = "paddle",
       .is = "PaddleNLP",
       .values =
           {{"host.launch", "57 us", "assumed: as megatron-2020"},
            {"host.exchange", "57 us", "as a launch"},
            {"training.gradient_passes", "[norm, clip]",
             "max_grad_norm 1 of FlagPerf's training/benchmarks/gpt3_6.7B/paddle/config/_base.py; "
             "assumed: multiplied always"},
            {"training.unfused", "[positions, activation, residual]", "assumed"},
            {"training.accumulation", "pass", "assumed"}}},
  };
  return rows;
}

/// Those of the framework that it is as, unless it says otherwise, then its own.
std::vector<FrameworkValue> values_of(const FrameworkRow& row, std::span<const Framework> made) {
  std::vector<FrameworkValue> values;
  if (!row.as.empty()) {
    const std::string_view base = row.as.substr(row.as.find(' ') + 1);
    const auto found = std::find_if(made.begin(), made.end(), [&](const Framework& framework) {
      return framework.name == base;
    });
    for (const FrameworkValue& value : found->values) {
      if (std::find(row.without.begin(), row.without.end(), value.key) == row.without.end() &&
          std::none_of(row.values.begin(), row.values.end(),
                       [&](const FrameworkValue& own) { return own.key == value.key; })) {
        values.push_back({value.key, value.value, row.as});
      }
    }
  }
  values.insert(values.end(), row.values.begin(), row.values.end());
  return values;
}

std::vector<Framework> make_frameworks() {
  std::vector<Framework> made;
  for (const FrameworkRow& row : framework_rows()) {
    made.push_back({row.name, row.is, values_of(row, made)});
  }
  return made;
}

}  // namespace

std::span<const Framework> framework_table() {
  static const std::vector<Framework> table = make_frameworks();
  return table;
}

const Framework* find_framework(std::string_view name) {
  const std::span<const Framework> table = framework_table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const Framework& row) { return row.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::string frameworks_page() {
  std::string page =
      "# Frameworks\n\n"
      "`training.framework: NAME` lays what a framework does by itself under the scenario's own "
      "keys, which win. Without it kernels are fused where they can be and the CPU is never late: "
      "what the hardware could do, which no framework reaches with small kernels. Each value has "
      "its "
      "source; fitted ones are fitted to steps, and say to which.\n\n"
      "For a framework on PyTorch that is not here `pytorch` is nearer than none: 39 runs of one "
      "that nobody had looked into were 14 % too fast in the mean without, and are 3 % too slow "
      "with it ([predicted first](../explain/predicted-first.md"
      "#126-runs-of-ten-sources-predicted-first)).\n";
  for (const Framework& framework : framework_table()) {
    page += fmt::format("\n## {}\n\n{}.\n\n| Key | Value | From |\n| --- | --- | --- |\n",
                        framework.name, framework.is);
    for (const auto& [key, value, source] : framework.values) {
      page += fmt::format("| `{}` | `{}` | {} |\n", key, value, source);
    }
  }
  return page;
}

}  // namespace danlu
