// Settings that change the model, the plan or its kernels under each framework's name, and defaults
// of frameworks that differ from danlu's.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/imports.hpp"

namespace danlu {
namespace {

using testing::from;
using testing::imported;
using testing::imported_scenario;
using testing::kEight;
using testing::kOwnModel;
using testing::says;

std::string refusal(const char* framework, const std::string& text) {
  return testing::refused(framework, text).message;
}

// ---- A model and a plan of their own, as Megatron-LM's flags and as Megatron-Bridge's keys.
Workload own_megatron(const std::string& flags) {
  return from("megatron",
              "pretrain_gpt.py --num-layers 6 --hidden-size 512 --num-attention-heads 8 "
              "--vocab-size 1000 --seq-length 512 --position-embedding-type rope --bf16 "
              "--micro-batch-size 1 --global-batch-size 8 " +
                  flags,
              kOwnModel);
}
Workload own_bridge(const std::string& keys) {
  return from("nemo",
              "train: {global_batch_size: 8, micro_batch_size: 1}\nmixed_precision: bf16_mixed\n"
              "model: {num_layers: 6, hidden_size: 512, num_attention_heads: 8, vocab_size: 1000, "
              "seq_length: 512, position_embedding_type: rope, " +
                  keys + "}\n",
              kOwnModel);
}

TEST(Import, LatentAttentionHasTheSameKeys) {
  for (const Workload& w :
       {own_megatron("--multi-latent-attention --q-lora-rank 96 --kv-lora-rank 64 --qk-head-dim 48 "
                     "--qk-pos-emb-head-dim 16 --v-head-dim 32"),
        own_bridge("multi_latent_attention: true, q_lora_rank: 96, kv_lora_rank: 64, "
                   "qk_head_dim: 48, qk_pos_emb_head_dim: 16, v_head_dim: 32, kv_channels: 7")}) {
    EXPECT_EQ(w.model.latent.query_rank, 96);
    EXPECT_EQ(w.model.latent.kv_rank, 64);
    EXPECT_EQ(w.model.head_dim, 48);
    EXPECT_EQ(w.model.latent.rotary_dim, 16);
    EXPECT_EQ(w.model.value_dim, 32);
  }
  // Megatron-LM's arguments have other defaults than Megatron-core's MLATransformerConfig.
  EXPECT_EQ(own_megatron("--multi-latent-attention").model.latent.kv_rank, 32);
  EXPECT_EQ(own_megatron("--multi-latent-attention").model.latent.query_rank, 0);
  EXPECT_EQ(own_bridge("multi_latent_attention: true").model.latent.kv_rank, 512);
  EXPECT_EQ(own_bridge("multi_latent_attention: true").model.latent.query_rank, 512);
  EXPECT_EQ(own_bridge("multi_latent_attention: true, q_lora_rank: null").model.latent.query_rank,
            0);
}

TEST(Import, LayersWithExpertsAreANumberOrAList) {
  const std::string flags = "--num-experts 8 --moe-layer-freq ";
  const std::string keys = "num_moe_experts: 8, moe_layer_freq: ";
  const auto layers = [](const Workload& w) {
    return std::pair(w.model.experts.dense_layers, w.model.experts.every);
  };
  EXPECT_EQ(layers(own_megatron(flags + "'([0]*2+[1]*4)'")), std::pair(2, 1));
  EXPECT_EQ(layers(own_bridge(keys + "[0, 0, 1, 1, 1, 1]")), std::pair(2, 1));
  EXPECT_EQ(layers(own_bridge(keys + "'([0]*2+[1]*4)'")), std::pair(2, 1));
  EXPECT_EQ(layers(own_bridge(keys + "[0, 1, 0, 1, 0, 1]")), std::pair(0, 2));
  EXPECT_EQ(layers(own_bridge(keys + "2")), std::pair(0, 2));
  EXPECT_EQ(own_bridge("num_moe_experts: null, moe_router_topk: 2").model.experts.count, 0);
}

TEST(Import, WindowsAreOfSomeLayersOrOfAll) {
  const auto windows = [](const Workload& w) {
    return std::pair(w.model.window, w.model.global_every);
  };
  EXPECT_EQ(windows(own_megatron("--window-size 127,0 --window-attn-skip-freq 3")),
            std::pair(128, 3));
  EXPECT_EQ(windows(own_bridge("window_size: [127, 0], window_attn_skip_freq: [1, 1, 0, 1, 1, 0]")),
            std::pair(128, 3));
  EXPECT_EQ(windows(own_bridge("window_size: [127, 0], window_attn_skip_freq: [0, 0, 0, 0, 0, 0]")),
            std::pair(0, 0));
}

TEST(Import, ContextsAndStagesHaveTheSameKeys) {
  for (const Workload& w : {own_megatron("--context-parallel-size 2 --cp-comm-type a2a"),
                            own_bridge("context_parallel_size: 2, cp_comm_type: a2a")}) {
    EXPECT_EQ(w.parallelism.ulysses, 2);
    EXPECT_EQ(w.parallelism.context, 1);
  }
  const Workload stages =
      own_bridge("pipeline_model_parallel_size: 2, num_layers_in_first_pipeline_stage: 2");
  EXPECT_EQ(stages.layers_at({0, 0}), 2);
  EXPECT_EQ(own_bridge("num_layers_in_first_pipeline_stage: 2").parallelism.pipeline, 1);
  EXPECT_TRUE(says(imported("nemo",
                            "train: {global_batch_size: 8}\nmodel: {tensor_model_parallel_size: 2, "
                            "tp_comm_overlap: true}\n",
                            kEight),
                   "switched off without sequence_parallel: model.tp_comm_overlap, line 2"));
}

// finalize_model_grads of Megatron-core.
TEST(Import, WithSequenceParallelismGradientsOfNormsAreSummed) {
  for (const Workload& w : {own_megatron("--tensor-model-parallel-size 2 --sequence-parallel"),
                            own_bridge("tensor_model_parallel_size: 2, sequence_parallel: true")}) {
    EXPECT_TRUE(w.parallelism.sequence);
    EXPECT_TRUE(w.parallelism.sums_whole);
  }
  EXPECT_FALSE(own_megatron("--tensor-model-parallel-size 2").parallelism.sums_whole);
}

TEST(Import, MegatronBridgePadsItsVocabularyWhereItIsAsked) {
  EXPECT_EQ(own_megatron("").model.vocab, 1024);
  EXPECT_EQ(own_bridge("add_bias_linear: false").model.vocab, 1000);
  EXPECT_EQ(own_bridge("should_pad_vocab: true").model.vocab, 1024);
}

// Megatron-core dispatches by allgather unless it is told otherwise, which danlu does not have.
TEST(Import, DispatchByAllgatherIsTold) {
  const auto text = [](const std::string& more) {
    return "pretrain_gpt.py --num-layers 6 --hidden-size 512 --num-attention-heads 8 --vocab-size "
           "1000 --seq-length 512 --micro-batch-size 1 --global-batch-size 8 --num-experts 8 " +
           more;
  };
  const std::string eight = "--expert-model-parallel-size 8 ";
  const std::string told =
      ": allgather brings all tokens to all ranks, 4 times what an all-to-all sends at most; danlu "
      "has no such exchange and takes all-to-all";
  using Remarks = std::vector<std::string>;
  EXPECT_EQ(imported("megatron", text(eight), kOwnModel).remarks,
            Remarks{"Megatron's default of moe_token_dispatcher_type" + told});
  EXPECT_EQ(imported("megatron", text(eight + "--moe-token-dispatcher-type allgather"), kOwnModel)
                .remarks,
            Remarks{"--moe-token-dispatcher-type, line 1" + told});
  EXPECT_EQ(imported("megatron", text(""), kOwnModel).remarks, Remarks{});
  EXPECT_EQ(
      imported("megatron", text(eight + "--moe-token-dispatcher-type alltoall"), kOwnModel).remarks,
      Remarks{});
  EXPECT_EQ(
      imported("megatron", text(eight + "--moe-token-dispatcher-type ring"), kOwnModel).remarks,
      Remarks{"--moe-token-dispatcher-type, line 1: danlu does not know its value 'ring'"});
}

// ---- Kernels.
TEST(Import, AttentionIsThatOfTheFile) {
  const auto bridge = [](const std::string& keys) {
    return from("nemo", "train: {global_batch_size: 8}\nmodel: {" + keys + "}\n")
        .training.attention;
  };
  const auto nemo = [](const std::string& keys) {
    return from("nemo", "trainer: {precision: bf16}\nmodel: {global_batch_size: 8, " + keys + "}\n")
        .training.attention;
  };
  using enum AttentionKind;
  EXPECT_EQ(bridge("seq_length: 4096"), Flash);
  EXPECT_EQ(bridge("attention_backend: unfused"), Unfused);
  EXPECT_EQ(bridge("attention_backend: {_target_: AttnBackend, _args_: [3], _call_: true}"),
            Unfused);
  EXPECT_EQ(bridge("transformer_impl: local"), Unfused);
  EXPECT_EQ(bridge("attention_backend: flash, flash_attention_version: 2"), Flash2);
  // NeMo's own megatron_gpt_config.yaml has neither: layers of Megatron-core without fused kernels.
  EXPECT_EQ(nemo("transformer_engine: false, use_flash_attention: false"), Unfused);
  EXPECT_EQ(nemo("mcore_gpt: true"), Unfused);
  EXPECT_EQ(nemo("mcore_gpt: true, use_flash_attention: true"), Unfused);
  EXPECT_EQ(nemo("mcore_gpt: false, use_flash_attention: true"), Flash);
  EXPECT_EQ(nemo("transformer_engine: true"), Flash);
}

TEST(Import, NemosDefaultsAreLessFusedThanMegatronBridges) {
  using enum UnfusedPart;
  const TrainingSpec nemo =
      from("nemo", "model: {global_batch_size: 8, transformer_engine: true}\n").training;
  EXPECT_EQ(nemo.loss, danlu::Loss::InPlace);
  EXPECT_EQ(nemo.unfused, (std::vector{UnfusedPart::Loss, Positions}));
  EXPECT_TRUE(nemo.accumulates_apart);
  EXPECT_FALSE(nemo.placeholders);
  const TrainingSpec bridge = from("nemo", "train: {global_batch_size: 8}\n").training;
  EXPECT_EQ(bridge.loss, danlu::Loss::Fused);
  EXPECT_TRUE(bridge.unfused.empty());
  EXPECT_FALSE(bridge.accumulates_apart);
  EXPECT_TRUE(bridge.placeholders);
  const std::string fuses = "gradient_accumulation_fusion: true";
  EXPECT_TRUE(
      from("nemo", "model: {global_batch_size: 8, " + fuses + "}\n").training.accumulates_apart);
  EXPECT_FALSE(from("nemo", "model: {global_batch_size: 8, megatron_amp_O2: true, " + fuses + "}\n")
                   .training.accumulates_apart);
}

TEST(Import, ResidualsMayBeUnfused) {
  const std::string flags = "pretrain_gpt.py --global-batch-size 8 --no-bias-dropout-fusion";
  EXPECT_EQ(from("megatron", flags).training.unfused,
            (std::vector{UnfusedPart::Copies, UnfusedPart::Loss, UnfusedPart::Residual}));
  EXPECT_EQ(from("nemo", "train: {global_batch_size: 8}\nmodel: {bias_dropout_fusion: false}\n")
                .training.unfused,
            std::vector{UnfusedPart::Residual});
}

TEST(Import, PassesOverGradientsAreThoseOfTheFile) {
  using enum GradientPass;
  const auto megatron = [](const std::string& flags) {
    return from("megatron", "pretrain_gpt.py --global-batch-size 8 " + flags)
        .training.gradient_passes;
  };
  const auto bridge = [](const std::string& sections) {
    return from("nemo", "train: {global_batch_size: 8}\n" + sections).training.gradient_passes;
  };
  EXPECT_EQ(megatron(""), (std::vector{Zero, Check, Average, Unscale, Norm, Clip}));
  EXPECT_EQ(megatron("--no-check-for-nan-in-loss-and-grad --ddp-average-in-collective"),
            (std::vector{Zero, Unscale, Norm, Clip}));
  EXPECT_EQ(megatron("--clip-grad 0.0"), (std::vector{Zero, Check, Average, Unscale}));
  EXPECT_EQ(bridge(""), (std::vector{Zero, Norm, Clip}));
  EXPECT_EQ(bridge("optimizer: {clip_grad: 0.0}\n"), std::vector{Zero});
  EXPECT_EQ(bridge("ddp: {check_for_nan_in_grad: true, average_in_collective: false}\n"),
            (std::vector{Zero, Check, Average, Norm, Clip}));
}

// A script of 2021 has attention of that year: Narayanan et al.'s 39B.
TEST(Import, ScriptsAreAsOldAsTheirFlags) {
  const std::string text =
      "pretrain_gpt.py --global-batch-size 8 --tensor-model-parallel-size 2 "
      "--pipeline-model-parallel-size 2 --fp16 ";
  const Workload old = from("megatron", text + "--activations-checkpoint-method uniform");
  EXPECT_EQ(old.training.framework, "megatron-2020");
  EXPECT_EQ(old.training.attention, AttentionKind::Unfused);
  EXPECT_TRUE(old.parallelism.scatter_gather);
  EXPECT_FALSE(from("megatron", text + "--checkpoint-activations --global-batch-size 16 "
                                       "--num-virtual-stages-per-pipeline-rank 2")
                   .parallelism.overlap_pipeline);
  EXPECT_FALSE(from("megatron", text + "--checkpoint-activations "
                                       "--no-scatter-gather-tensors-in-pipeline")
                   .parallelism.scatter_gather);
  EXPECT_EQ(from("megatron", text + "--checkpoint-activations --checkpoint-num-layers 2")
                .training.recompute_unit,
            2);
  const Workload later = from("megatron", text + "--DDP-impl local");
  EXPECT_EQ(later.training.framework, "megatron-core");
  EXPECT_EQ(later.training.attention, AttentionKind::Unfused);
  EXPECT_EQ(from("megatron", text + "--DDP-impl local --use-flash-attn").training.attention,
            AttentionKind::Flash);
}

// What decides little leaves no gap where only the one who runs the script knows it.
TEST(Import, MinorSettingsLeaveNoGap) {
  const Workload w = from("megatron",
                          "pretrain_gpt.py --global-batch-size 8 --clip-grad $CLIP "
                          "--DDP-impl $DDP");
  EXPECT_EQ(w.training.gradient_passes.size(), 6U);
  EXPECT_EQ(w.training.attention, AttentionKind::Unfused);
}

TEST(Import, WhatHasNoKeyIsTold) {
  const Imported fp8 = imported("megatron",
                                "pretrain_gpt.py --global-batch-size 8 --fp8-format hybrid "
                                "--fp8-dot-product-attention",
                                kEight);
  EXPECT_EQ(fp8.remarks,
            std::vector<std::string>{
                "--fp8-dot-product-attention, line 1: danlu keeps attention in 16 bits unless "
                "training.attention is cudnn_fp8"});
  EXPECT_EQ(imported("torchtitan", "[optimizer]\nearly_step_in_backward = true\n", kEight).remarks,
            std::vector<std::string>{"optimizer.early_step_in_backward, line 2: danlu keeps "
                                     "gradients until the step, and updates weights there"});
  EXPECT_TRUE(imported("torchtitan", "[optimizer]\nearly_step_in_backward = false\n", kEight)
                  .remarks.empty());
}

TEST(Import, MegatronBridgesOverlapIsOnWithItsSection) {
  const std::string sharded =
      "train: {global_batch_size: 8}\noptimizer: {use_distributed_optimizer: true}\n";
  EXPECT_FALSE(from("nemo", sharded).parallelism.overlap_data);
  EXPECT_TRUE(
      from("nemo", sharded + "comm_overlap: {tp_comm_overlap: false}\n").parallelism.overlap_data);
  EXPECT_FALSE(from("nemo", sharded + "comm_overlap: {overlap_grad_reduce: false}\n")
                   .parallelism.overlap_data);
}

// Beside the first passes where weights are gathered after the update.
TEST(Import, UpdatedWeightsAreGatheredBesidePasses) {
  const std::string call = "pretrain_gpt.py --global-batch-size 8 --overlap-param-gather";
  const std::string sharded = call + " --use-distributed-optimizer --overlap-grad-reduce";
  EXPECT_TRUE(from("megatron", sharded).parallelism.overlap_weights);
  EXPECT_FALSE(from("megatron", call).parallelism.overlap_weights);
  const std::string stages = sharded + " --pipeline-model-parallel-size 2";
  EXPECT_TRUE(from("megatron", stages).parallelism.overlap_weights);

  const std::string bridge =
      "train: {global_batch_size: 8}\noptimizer: {use_distributed_optimizer: true}\n";
  EXPECT_FALSE(from("nemo", bridge).parallelism.overlap_weights);
  EXPECT_TRUE(from("nemo", bridge + "comm_overlap: {tp_comm_overlap: false}\n")
                  .parallelism.overlap_weights);
  EXPECT_TRUE(
      from("nemo", bridge + "ddp: {overlap_param_gather: true}\n").parallelism.overlap_weights);
  EXPECT_FALSE(from("nemo", bridge + "ddp: {overlap_param_gather: true}\n"
                                     "comm_overlap: {overlap_param_gather: false}\n")
                   .parallelism.overlap_weights);
}

// ---- What a launch script says beside its command.
TEST(Import, SlurmSaysHowManyGpusThereAre) {
  const std::string flags =
      " pretrain_gpt.py --num-layers 6 --hidden-size 512 --num-attention-heads 8 --seq-length 512 "
      "--micro-batch-size 1 --global-batch-size 128 --vocab-size 1000 --bf16";
  const auto gpus = [](const std::string& text) {
    return imported_scenario("megatron", text, {.topology = "dgx-h100"}).cluster.gpus;
  };
  const std::string lines = "#!/bin/bash\n#SBATCH --nodes=16 --gpus-per-node=8\n";
  EXPECT_EQ(gpus(lines + "srun python" + flags), 128);
  EXPECT_EQ(gpus("#SBATCH -N 4\n#SBATCH --gres=gpu:h100:8\nsrun python" + flags), 32);
  EXPECT_EQ(gpus(lines + "torchrun --nnodes $SLURM_NNODES --nproc-per-node 4" + flags), 64);
  EXPECT_EQ(refusal("megatron", lines + "srun train.py --lr 1\n"),
            "found nothing of Megatron-LM in it");
}

TEST(Import, ADocumentThatIsReadIsAValue) {
  const Workload w = imported_scenario("megatron", R"sh(HIDDEN=512
read -r -d '' OPTIONS <<EOF || true
    --num-layers 6 --hidden-size ${HIDDEN} --num-attention-heads 8
    --seq-length 512 --micro-batch-size 1 --global-batch-size 8 --vocab-size 1000 --bf16
EOF
run_cmd="python -u pretrain_gpt.py ${OPTIONS}"
srun sh -c "${run_cmd}"
)sh",
                                       kOwnModel)
                         .workload;
  EXPECT_EQ(w.model.hidden, 512);
  EXPECT_EQ(w.model.layers, 6);
}

TEST(Import, TransformerEnginesVariablesSwitchKernelsOff) {
  const auto attention = [](const std::string& variables) {
    return from("megatron", variables + "pretrain_gpt.py --global-batch-size 8\n")
        .training.attention;
  };
  EXPECT_EQ(attention("export NVTE_FLASH_ATTN=0 NVTE_FUSED_ATTN=0\n"), AttentionKind::Unfused);
  EXPECT_EQ(attention("export NVTE_FLASH_ATTN=0\n"), AttentionKind::Flash);
  EXPECT_EQ(attention("export NVTE_FLASH_ATTN=0 NVTE_FUSED_ATTN=1\n"), AttentionKind::Flash);
}

TEST(Import, NemosAdaptersAreTaken) {
  const auto lora = [](const std::string& text) { return from("nemo", text).training.lora; };
  const LoraSpec of_nemo = lora(
      "model: {global_batch_size: 8, peft: {peft_scheme: lora, lora_tuning: {adapter_dim: 16, "
      "target_modules: [attention_qkv, mlp]}}}\n");
  EXPECT_EQ(of_nemo.rank, 16);
  const LoraSpec of_bridge = lora(
      "train: {global_batch_size: 8}\npeft: {_target_: megatron.bridge.peft.lora.LoRA, dim: 8}\n");
  EXPECT_EQ(of_bridge.rank, 8);
  EXPECT_EQ(of_bridge.dropout, 0);
  EXPECT_EQ(lora("train: {global_batch_size: 8}\npeft: {_target_: megatron.bridge.peft.lora.LoRA, "
                 "dropout: 0.1}\n")
                .dropout,
            0.1);
  const std::string fuser =
      "train: {global_batch_size: 8}\npeft: {_target_: megatron.bridge.peft.lora.LoRA, dim: 8}\n"
      "model: {use_transformer_engine_op_fuser: true, tensor_model_parallel_size: ";
  EXPECT_TRUE(lora(fuser + "1}\n").fused);
  EXPECT_FALSE(lora(fuser + "2}\n").fused);
  EXPECT_EQ(lora("model: {global_batch_size: 8, peft: {peft_scheme: null}}\n").rank, 0);
  EXPECT_TRUE(
      says(imported("nemo", "model: {global_batch_size: 8, peft: {peft_scheme: ia3}}\n", kEight),
           "danlu has adapters of LoRA alone: all weights are trained here"));
}

// ---- torchtitan.
TEST(Import, TorchtitanInSixteenBitsKeepsNoMasters) {
  const TrainingSpec narrow = from("torchtitan", "[training]\ndtype = \"bfloat16\"\n").training;
  EXPECT_FALSE(narrow.optimizer.master);
  EXPECT_EQ(narrow.optimizer.state_bytes, 2);
  EXPECT_EQ(narrow.gradient_bytes, 2);
  const TrainingSpec wide = from("torchtitan", "[training]\ndtype = \"float32\"\n").training;
  EXPECT_TRUE(wide.optimizer.master);
  EXPECT_EQ(wide.gradient_passes, (std::vector{GradientPass::Norm, GradientPass::Clip}));
}

TEST(Import, TorchtitanCompilesItsComponents) {
  const auto compiled = [](const std::string& components) {
    const TrainingSpec t = from("torchtitan", "[compile]\nenable = true\n" + components).training;
    return std::pair(t.framework, t.loss);
  };
  EXPECT_EQ(compiled(""), std::pair(std::string("pytorch-compiled"), Loss::Fused));
  EXPECT_EQ(compiled("components = [\"loss\"]\n"), std::pair(std::string("pytorch"), Loss::Fused));
  EXPECT_EQ(compiled("components = [\"model\"]\n"),
            std::pair(std::string("pytorch-compiled"), Loss::Eager));
  const std::string async =
      "[parallelism]\ntensor_parallel_degree = 2\n"
      "enable_async_tensor_parallel = true\n";
  const std::string refused =
      "'parallelism.enable_async_tensor_parallel' needs compile.enable, with model among "
      "compile.components";
  EXPECT_EQ(refusal("torchtitan", async), refused);
  EXPECT_EQ(refusal("torchtitan", async + "[compile]\nenable = true\ncomponents = [\"loss\"]\n"),
            refused);
  EXPECT_EQ(refusal("torchtitan", async + "[compile]\nenable = true\n"), "");
}

TEST(Import, TorchtitansDefaultsAreWritten) {
  const auto context = [](const std::string& more) {
    return from("torchtitan", "[parallelism]\ncontext_parallel_degree = 2\n" + more)
        .parallelism.context_exchange;
  };
  EXPECT_EQ(context(""), ContextExchange::GatherRing);
  EXPECT_EQ(context("context_parallel_rotate_method = \"alltoall\"\n"), ContextExchange::Ring);
  ImportOptions experts = kEight;
  experts.model = "qwen3-30b-a3b";
  EXPECT_EQ(from("torchtitan",
                 "[parallelism]\ntensor_parallel_degree = 2\nexpert_parallel_degree = 4\n", experts)
                .parallelism.expert_tensor,
            1);
  const auto update = [](const std::string& how) {
    return from("torchtitan", "[optimizer]\n" + how).training.optimizer.foreach;
  };
  EXPECT_TRUE(update("implementation = \"foreach\"\n"));
  EXPECT_TRUE(update("fused = false\n"));
  EXPECT_FALSE(update("implementation = \"fused\"\n"));
}

TEST(Import, TorchtitansConvertersAreOfLinearLayersOrOfExperts) {
  ImportOptions experts = kEight;
  experts.model = "qwen3-30b-a3b";
  const auto text = [](const std::string& converters) {
    return "[model]\nconverters = [" + converters +
           "]\n[quantize.grouped_mm.float8]\n"
           "fqns = [\"experts\"]\n";
  };
  const std::string linear = "\"quantize.linear.float8\"";
  const std::string grouped = "\"quantize.grouped_mm.float8\"";
  const auto precision = [&](const std::string& converters, const ImportOptions& options) {
    return from("torchtitan", text(converters), options).training.precision;
  };
  EXPECT_EQ(precision(linear, kEight), Precision::Fp8);
  EXPECT_EQ(precision(linear, experts), Precision::Bf16);
  EXPECT_EQ(precision(grouped, experts), Precision::Bf16);
  EXPECT_EQ(precision(linear + ", " + grouped, experts), Precision::Fp8);
  using Remarks = std::vector<std::string>;
  EXPECT_EQ(imported("torchtitan", text(linear), experts).remarks,
            Remarks{"model.converters, line 2: it makes linear layers fp8 and leaves experts in 16 "
                    "bits: danlu has one precision for all, and takes 16 bits"});
  EXPECT_EQ(imported("torchtitan", text("\"foo.bar\""), kEight).remarks,
            Remarks{"model.converters, line 2: danlu does not know the converter foo.bar"});
}

// ---- DeepSpeed.
TEST(Import, DeepSpeedsMastersMayBeIn16Bits) {
  const auto text = [](const std::string& bf16, int stage) {
    return R"({"train_batch_size": 8, "bf16": {"enabled": true, )" + bf16 +
           R"(}, "zero_optimization": {"stage": )" + std::to_string(stage) + "}}";
  };
  const std::string masters = "\"bf16_master_weights_and_grads\": true";
  const std::string states = "\"bf16_optimizer_states\": true";
  const TrainingSpec narrow = from("deepspeed", text(masters + ", " + states, 2)).training;
  EXPECT_FALSE(narrow.optimizer.master);
  EXPECT_EQ(narrow.optimizer.state_bytes, 2);
  EXPECT_EQ(narrow.gradient_bytes, 2);
  EXPECT_EQ(from("deepspeed", text(masters, 2)).training.optimizer.state_bytes, 4);
  EXPECT_EQ(refusal("deepspeed", text(states, 2)),
            "'bf16.bf16_optimizer_states' needs bf16_master_weights_and_grads");
  EXPECT_EQ(refusal("deepspeed", text(masters, 0)),
            "'bf16.bf16_master_weights_and_grads' needs zero_optimization.stage 1, 2 or 3");
}

TEST(Import, DeepSpeedsGradientsInFp32HaveACopyIn16Bits) {
  const auto copies = [](const std::string& more) {
    return from("deepspeed", R"({"train_batch_size": 8, "bf16": {"enabled": true}, )" + more + "}")
        .training.gradient_copy;
  };
  const std::string wide = R"("data_types": {"grad_accum_dtype": "fp32"}, )";
  EXPECT_TRUE(copies(wide + R"("zero_optimization": {"stage": 1})"));
  EXPECT_FALSE(copies(wide + R"("zero_optimization": {"stage": 2})"));
  EXPECT_FALSE(copies(R"("zero_optimization": {"stage": 1})"));
}

TEST(Import, DeepSpeedsGathersAreWaitedForWithoutOverlap) {
  const auto ahead = [](const std::string& overlap) {
    return from("deepspeed",
                R"({"train_batch_size": 8, "zero_optimization": {"stage": 3)" + overlap + "}}")
        .parallelism.sharding.prefetch;
  };
  EXPECT_EQ(ahead(""), 1);
  EXPECT_EQ(ahead(R"(, "overlap_comm": true)"), 1);
  EXPECT_EQ(ahead(R"(, "overlap_comm": false)"), 0);
}

TEST(Import, DeepSpeedsAdamIsOneKernel) {
  const auto update = [](const std::string& optimizer) {
    return from("deepspeed", R"({"train_batch_size": 8, "optimizer": )" + optimizer + "}")
        .training.optimizer.foreach;
  };
  EXPECT_FALSE(update(R"({"type": "AdamW", "params": {"lr": 1}})"));
  EXPECT_TRUE(update(R"({"type": "AdamW", "params": {"torch_adam": true}})"));
}

}  // namespace
}  // namespace danlu
