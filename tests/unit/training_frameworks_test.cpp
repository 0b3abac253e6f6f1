// Rows of training runs by their framework: what PyTorch's frameworks and NeMo do by themselves.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/training_rows.hpp"

namespace danlu {
namespace {

using testing::Cells;
using testing::convert_cells;
using testing::with;
using testing::workload_of;

const Cells kTitan{{"framework", "torchtitan"},
                   {"gpus", "8"},
                   {"zero_stage_or_sharding", "FSDP"},
                   {"recompute", "selective(op)"},
                   {"dtype", "float8"}};

// What importing torchtitan's own file gives (sim/import/torchtitan.cpp) a row of it gets, too.
TEST(TrainingTitan, HasTorchtitansWays) {
  const Workload w = workload_of(kTitan);
  EXPECT_EQ(w.training.recompute, Recompute::Alternate);
  EXPECT_EQ(w.training.precision, Precision::Fp8);
  EXPECT_EQ(w.training.fp8_recipe, Fp8Recipe::Tensorwise);
  EXPECT_EQ(w.training.loss, Loss::Eager);
  EXPECT_EQ(w.parallelism.zero, 3);
  EXPECT_EQ(w.parallelism.sharding.units,
            (std::vector{UnitPart::Embedding, UnitPart::Layer, UnitPart::Head}));
  EXPECT_EQ(w.parallelism.sharding.gather_bytes, 1);  // of fp8, as its documents have it
  const auto gathers = [](const Cells& more) {
    return workload_of(with(kTitan, more)).parallelism.sharding.gather_bytes;
  };
  EXPECT_EQ(gathers({{"notes", "bf16 all-gather"}}), 2);
  EXPECT_EQ(gathers({{"dtype", "bf16"}}), 2);
  EXPECT_EQ(w.parallelism.overlap_tensor, TensorOverlap::None);

  const Workload fast =
      workload_of(with(kTitan, {{"notes", "torch.compile, float8 all-gather, async TP"}}));
  EXPECT_EQ(fast.training.loss, Loss::Fused);
  EXPECT_EQ(fast.parallelism.sharding.gather_bytes, 1);
  EXPECT_EQ(fast.parallelism.overlap_tensor, TensorOverlap::Full);
}

// GPT-NeoX is named beside what it is made of.
TEST(TrainingNeox, HasItsWays) {
  const Cells neox{{"framework", "megatron-deepspeed (GPT-NeoX)"},
                   {"date", "2022-11"},
                   {"gpus", "8"},
                   {"zero_stage_or_sharding", "DeepSpeed ZeRO-1"}};
  const Workload w = workload_of(neox);
  EXPECT_EQ(w.training.framework, "gpt-neox");
  EXPECT_EQ(w.parallelism.zero, 1);
  EXPECT_FALSE(w.parallelism.sharding.scatters);
  EXPECT_FALSE(w.training.gradient_copy);
  EXPECT_TRUE(w.training.splits(UnfusedPart::Packing));
  EXPECT_EQ(workload_of(with(neox, {{"framework", "GPT-NeoX"}})).training.framework, "gpt-neox");
  EXPECT_TRUE(
      workload_of(with(neox, {{"framework", "megatron-deepspeed"}})).parallelism.sharding.scatters);
}

// 32 layers on two stages: every second one of 16.
TEST(TrainingTitan, SomeLayersWhole) {
  const Workload w = workload_of(with(kTitan, {{"recompute", "selective(every 2nd layer)"},
                                               {"pp", "2"},
                                               {"tp", "2"},
                                               {"sequence_parallel", "yes"}}));
  EXPECT_EQ(w.training.recompute, Recompute::Full);
  EXPECT_EQ(w.training.recompute_layers, std::vector{8});
  EXPECT_EQ(w.parallelism.sharding.reduce, Reduce::OncePerStep);
}

// Nothing hides behind what DTensors exchange; gradients wait for the step's end where a row says
// so.
TEST(TrainingKempnerForge, HasItsWays) {
  const Workload w = workload_of({{"framework", "KempnerForge"},
                                  {"gpus", "8"},
                                  {"tp", "2"},
                                  {"dp", "4"},
                                  {"sequence_parallel", "yes"},
                                  {"zero_stage_or_sharding", "FSDP2 FULL_SHARD (ZeRO-3)"},
                                  {"recompute", "full"},
                                  {"notes", "gradients reduced once a step, in fp32"}});
  EXPECT_EQ(w.training.framework, "pytorch");
  EXPECT_TRUE(w.training.recompute_early_stop);
  EXPECT_EQ(w.parallelism.overlap_tensor, TensorOverlap::None);
  EXPECT_EQ(w.parallelism.sharding.reduce, Reduce::OncePerStep);
  EXPECT_EQ(w.parallelism.sharding.reduce_bytes, 4);
  EXPECT_EQ(w.parallelism.tensor_inputs, TensorInputs::Each);
  EXPECT_TRUE(w.parallelism.whole_logits);
}

TEST(TrainingFrameworks, AutomodelKeepsMixturesWhole) {
  const Cells dense{{"framework", "NeMo Automodel"},
                    {"gpus", "8"},
                    {"zero_stage_or_sharding", "FSDP2 FULL_SHARD (ZeRO-3)"}};
  EXPECT_EQ(workload_of(dense).parallelism.sharding.reduce, Reduce::EveryMicrobatch);
  const ShardingSpec kept = workload_of(with(dense, {{"model", "Mixtral 8x7B"},
                                                     {"layers", "32"},
                                                     {"hidden", "4096"},
                                                     {"heads", "32"},
                                                     {"kv_heads", "8"},
                                                     {"vocab", "32000"},
                                                     {"moe_experts", "8"},
                                                     {"moe_topk", "2"},
                                                     {"moe_ffn_hidden", "14336"}}))
                                .parallelism.sharding;
  EXPECT_EQ(kept.reshard, Reshard::AfterStep);
  EXPECT_EQ(kept.reduce, Reduce::OncePerStep);
  EXPECT_EQ(kept.reduce_bytes, 4);
}

// torchtitan's layers gather an input once and keep it, as nanotron's did until July 2024.
TEST(TrainingFrameworks, KeepGatheredInputs) {
  const auto inputs_of = [](const char* framework, const char* date) {
    const Cells cells{
        {"framework", framework},    {"date", date}, {"gpus", "8"}, {"tp", "8"}, {"dp", "1"},
        {"sequence_parallel", "yes"}};
    return workload_of(cells).parallelism.tensor_inputs;
  };
  EXPECT_EQ(inputs_of("torchtitan (compile)", "2025-01"), TensorInputs::Kept);
  EXPECT_EQ(inputs_of("nanotron", "2024-07"), TensorInputs::Kept);
  EXPECT_EQ(inputs_of("nanotron", "2024-08"), TensorInputs::Again);
  EXPECT_EQ(inputs_of("megatron-lm", "2025-01"), TensorInputs::Again);
}

TEST(TrainingFrameworks, OfPyTorch) {
  const auto loss_of = [](const char* framework, const char* notes) {
    return workload_of({{"framework", framework}, {"notes", notes}}).training.loss;
  };
  EXPECT_EQ(loss_of("torchtitan (compile)", ""), Loss::Fused);
  EXPECT_EQ(loss_of("torchtitan", "without torch.compile"), Loss::Eager);
  EXPECT_EQ(loss_of("fms-fsdp", ""), Loss::Fused);  // compiled unless said
  EXPECT_EQ(loss_of("fms-fsdp", "no compile"), Loss::Eager);
  EXPECT_EQ(loss_of("NeMo Automodel", ""), Loss::Eager);
}

// Whoever wrote a framework, autograd calls PyTorch's operators one by one, keeps gradients in the
// width of their parameters and waits for the exchanges of tensor ranks. XLA does none of that.
TEST(TrainingFrameworks, UnknownOnesArePyTorchs) {
  const Cells unknown{{"framework", "banana"}, {"gpus", "8"}, {"tp", "8"}, {"dp", "1"}};
  const Workload w = workload_of(unknown);
  EXPECT_EQ(w.training.loss, Loss::Eager);
  EXPECT_EQ(w.training.gradient_bytes, 2);
  EXPECT_EQ(w.parallelism.overlap_tensor, TensorOverlap::None);
  EXPECT_EQ(convert_cells(unknown).remarks.front(),
            "framework without a profile: as PyTorch's single operators");
  EXPECT_EQ(convert_cells({{"framework", "MaxText"}}).remarks.front(),
            "framework of XLA: kernels fused, its host never late");
}

// NVIDIA/Megatron-LM@4eeff55d of 12 October 2023 made overlapped sends the default.
TEST(TrainingFrameworks, MegatronsSendsOverlapFromOctober2023) {
  const auto overlaps = [](const char* framework, const char* date) {
    const Cells cells{{"framework", framework},
                      {"date", date},
                      {"gpus", "8"},
                      {"layers", "96"},
                      {"pp", "8"},
                      {"vpp", "2"},
                      {"dp", "1"}};
    return workload_of(cells).parallelism.overlap_pipeline;
  };
  EXPECT_FALSE(overlaps("megatron-lm", "2023-09"));
  EXPECT_TRUE(overlaps("megatron-lm", "2023-10"));
  EXPECT_TRUE(overlaps("megatron-lm", "2024"));
  EXPECT_TRUE(overlaps("nemo", "2023-06"));
}

// Until 2025 PyTorch took FlashAttention-2 on Hopper; Blackwell has no figures of that. On AMD's
// GPUs it takes AOTriton, of which the MI355X has no figures.
TEST(TrainingRow, PyTorchsOwnAttentionIsOfItsYear) {
  const auto attention = [](const char* text, const char* date, const char* gpu) {
    return workload_of({{"attention_kernel", text}, {"date", date}, {"gpu", gpu}})
        .training.attention;
  };
  const char* sdpa = "scaled_dot_product_attention (flash)";
  EXPECT_EQ(attention(sdpa, "2025-06", "H200-141GB-SXM"), AttentionKind::Flash2);
  EXPECT_EQ(attention("SDPA", "2024", "A100-80GB-SXM"), AttentionKind::Flash2);
  EXPECT_EQ(attention(sdpa, "2026-04", "H100-80GB-SXM"), AttentionKind::Flash);
  EXPECT_EQ(attention(sdpa, "2025-06", "B200"), AttentionKind::Flash);
  EXPECT_EQ(attention(sdpa, "2025-08", "MI300X"), AttentionKind::Triton);
  EXPECT_EQ(attention(sdpa, "2026-04", "MI325X"), AttentionKind::Triton);
  EXPECT_EQ(attention(sdpa, "2025-08", "MI355X"), AttentionKind::Flash2);
  EXPECT_EQ(attention("TransformerEngine (CK) fused", "2025-06", "MI300X"), AttentionKind::Flash);
  EXPECT_EQ(attention("TE/cuDNN fused", "2025-06", "H100-80GB-SXM"), AttentionKind::Flash);
  EXPECT_EQ(attention("FlashAttention 1.0.8", "2024", "A100-80GB-SXM"), AttentionKind::Flash1);
}

// With stages, too; not where gradients are not overlapped.
TEST(TrainingRow, UpdatedWeightsTravelBesidePassesUnderNeMo) {
  const auto beside = [](const char* framework, const char* sharding, const char* stages,
                         const char* notes) {
    return workload_of({{"framework", framework},
                        {"zero_stage_or_sharding", sharding},
                        {"pp", stages},
                        {"dp", stages[0] == '1' ? "8" : "4"},
                        {"notes", notes}})
        .parallelism.overlap_weights;
  };
  const char* overlapped = "distributed optimizer (ZeRO-1), overlapped";
  EXPECT_TRUE(beside("nemo", overlapped, "1", ""));
  EXPECT_TRUE(beside("nemo", overlapped, "2", ""));
  EXPECT_FALSE(beside("nemo", "distributed optimizer (ZeRO-1)", "1", ""));
  EXPECT_TRUE(beside("megatron-bridge", "distributed optimizer (ZeRO-1)", "1", ""));
  EXPECT_FALSE(beside("megatron-core", overlapped, "1", ""));
  EXPECT_TRUE(beside("megatron-core", overlapped, "1", "--overlap-param-gather"));
}

TEST(TrainingRow, AttentionIsInEightBitsWhereTheGpuIsKnownToHaveIt) {
  const auto attention = [](const char* gpu, const char* notes, const char* dtype = "fp8") {
    return workload_of({{"gpu", gpu}, {"notes", notes}, {"dtype", dtype}}).training.attention;
  };
  EXPECT_EQ(attention("H100-80GB-SXM", "fp8 attention (FP8_DPA)"), AttentionKind::CudnnFp8);
  EXPECT_EQ(attention("H800", "fp8 attention (FP8_DPA)"), AttentionKind::CudnnFp8);
  EXPECT_EQ(attention("A100-80GB-SXM", "fp8 attention (FP8_DPA)", "bf16"), AttentionKind::Flash);
  EXPECT_EQ(attention("H100-80GB-SXM", "no fp8 attention"), AttentionKind::Flash);
  EXPECT_EQ(attention("H100-80GB-SXM", ""), AttentionKind::Flash);
}

TEST(TrainingRow, FusedCrossEntropyOfNeMoIsMegatronsOwn) {
  const auto loss = [](const char* notes) {
    return workload_of({{"framework", "nemo"}, {"notes", notes}}).training.loss;
  };
  EXPECT_EQ(loss("fused cross entropy"), Loss::FusedWide);
  EXPECT_EQ(loss("fused cross entropy of TE"), Loss::Fused);
}

// Of whole layers; torchtitan switched it off in August 2025.
TEST(TrainingFrameworks, CheckpointsOfPyTorchStopEarly) {
  const auto early = [](const char* framework, const char* date, const char* recompute) {
    return workload_of({{"framework", framework}, {"date", date}, {"recompute", recompute}})
        .training.recompute_early_stop;
  };
  EXPECT_TRUE(early("fms-fsdp", "2024", "full"));
  EXPECT_TRUE(early("NeMo Automodel", "2026-04", "full"));
  EXPECT_TRUE(early("torchtitan", "2025-08", "selective(every 2nd layer)"));
  EXPECT_FALSE(early("torchtitan", "2025-09", "full"));
  EXPECT_FALSE(early("torchtitan", "2024", "selective(op)"));
  EXPECT_FALSE(early("fms-fsdp", "2024", "none"));
  EXPECT_FALSE(early("megatron-core", "2024", "full"));
}

// Those that save tensors by hooks stop early from PyTorch 2.1 on; the others launch what is
// computed again as fast as what is computed first.
TEST(TrainingFrameworks, CheckpointsMayBeReentrant) {
  const auto made = [](const char* date, const char* notes,
                       const char* framework = "huggingface (Trainer)") {
    return workload_of(
        {{"framework", framework}, {"date", date}, {"recompute", "full"}, {"notes", notes}});
  };
  const Workload hooks = made("2024-01", "non-reentrant checkpoints");
  EXPECT_TRUE(hooks.training.recompute_early_stop);
  EXPECT_GT(hooks.host.launch_again.value(), hooks.host.launch);
  const Workload plain = made("2024-01", "reentrant checkpoints");
  EXPECT_FALSE(plain.training.recompute_early_stop);
  EXPECT_FALSE(plain.host.launch_again);
  const Workload asked = made("2024-01", "reentrant checkpoints", "torchtitan");
  EXPECT_EQ(asked.host.launch_again.value(), asked.host.launch);
  EXPECT_GT(made("2024-01", "", "torchtitan").host.launch_again.value(), asked.host.launch);
  EXPECT_FALSE(made("2023-09", "non-reentrant checkpoints").training.recompute_early_stop);
  EXPECT_FALSE(made("2024-01", "").training.recompute_early_stop);
}

// JAX computes nothing again that no gradient needs, whatever is kept.
TEST(TrainingFrameworks, CheckpointsOfXlaStopEarly) {
  const auto early = [](const char* framework, const char* recompute) {
    return workload_of({{"framework", framework}, {"date", "2025"}, {"recompute", recompute}})
        .training.recompute_early_stop;
  };
  EXPECT_TRUE(early("maxtext", "full"));
  EXPECT_TRUE(early("jax (paxml)", "selective(core_attn,layernorm,mlp)"));
  EXPECT_FALSE(early("maxtext", "none"));
}

TEST(TrainingFrameworks, KernelsOfOthersFuseNormAndRotary) {
  const auto splits = [](const char* notes, UnfusedPart part) {
    return workload_of({{"framework", "huggingface"}, {"notes", notes}}).training.splits(part);
  };
  const char* fused = "fused norm and rotary";
  EXPECT_TRUE(splits("", UnfusedPart::Norm) && splits("", UnfusedPart::Positions));
  EXPECT_FALSE(splits(fused, UnfusedPart::Norm) || splits(fused, UnfusedPart::Positions));
  EXPECT_TRUE(splits(fused, UnfusedPart::Activation));
  EXPECT_TRUE(splits("fused rotary", UnfusedPart::Norm));
  EXPECT_FALSE(splits("fused rotary", UnfusedPart::Positions));
  const char* layer = "fused dropout, residual and LayerNorm, fused bias and GELU in products";
  EXPECT_FALSE(splits(layer, UnfusedPart::Residual) || splits(layer, UnfusedPart::Activation));
  EXPECT_TRUE(splits(layer, UnfusedPart::Positions));
  const Cells neox{{"framework", "gpt-neox"}, {"notes", "fused rotary"}};
  EXPECT_TRUE(workload_of(neox).training.splits(UnfusedPart::PartialPositions));
}

TEST(TrainingFrameworks, LossesAreWhatNotesSay) {
  const auto made = [](const char* notes, const char* framework = "nemo") {
    return workload_of({{"framework", framework}, {"notes", notes}}).training;
  };
  EXPECT_EQ(made("").loss, Loss::Fused);
  EXPECT_EQ(made("no fused loss (none is asked for)").loss, Loss::InPlace);
  EXPECT_TRUE(made("no fused loss").splits(UnfusedPart::Loss));
  EXPECT_EQ(made("loss in 16 bits", "NeMo Automodel").loss, Loss::EagerNarrow);
  EXPECT_EQ(made("", "prime-rl").loss, Loss::Eager);
}

// PURE of llm-foundry's FSDP reduces in 16 bits, weights that stay in fp32 are gathered so.
TEST(TrainingFrameworks, WidthsOfFsdpAreWhatNotesSay) {
  const auto sharding = [](const char* notes) {
    return workload_of({{"framework", "llm-foundry"},
                        {"zero_stage_or_sharding", "FSDP FULL_SHARD (ZeRO-3)"},
                        {"notes", notes}})
        .parallelism.sharding;
  };
  EXPECT_EQ(sharding("FSDP mixed precision PURE").reduce_bytes, 2);
  EXPECT_NE(sharding("FSDP mixed precision DEFAULT").reduce_bytes, 2);
  EXPECT_EQ(sharding("weights in fp32").gather_bytes, 4);
}

TEST(TrainingTitan, ScalingByRowsIsTakenForOneByTensors) {
  const Conversion row = convert_cells(with(kTitan, {{"dtype", "fp8 (rowwise)"}}));
  ASSERT_TRUE(row.scenario);
  EXPECT_EQ(row.scenario->workload.training.fp8_recipe, Fp8Recipe::Tensorwise);
  EXPECT_EQ(row.remarks, std::vector<std::string>{"fp8 scaled by rows: as by tensor"});
}

// Without a profile gradients have the width of their parameters anyhow.
TEST(TrainingFrameworks, PureBf16OfOneWithoutAProfile) {
  const Workload w = workload_of({{"framework", "litgpt"}, {"notes", "pure bf16"}});
  EXPECT_EQ(w.training.gradient_bytes, 2);
  EXPECT_FALSE(w.training.optimizer.master);
}

TEST(TrainingFrameworks, AutomodelOnTransformerEngineFusesRotaryPositions) {
  const auto positions = [](const char* attention) {
    return workload_of({{"framework", "NeMo Automodel"}, {"attention_kernel", attention}})
        .training.splits(UnfusedPart::Positions);
  };
  EXPECT_FALSE(positions("TransformerEngine/cuDNN fused"));
  EXPECT_TRUE(positions("scaled_dot_product_attention"));
}

}  // namespace
}  // namespace danlu
