// Settings of other programs that do not agree with each other, that count only beside others, and
// numbers that are none: what holds, what is told, and what is refused at its flag.
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
using Remarks = std::vector<std::string>;

/// What is refused, with the line where.
std::string refusal(const char* framework, const std::string& text,
                    const ImportOptions& options = testing::kEight) {
  const Problem first = testing::refused(framework, text, options);
  return std::to_string(first.position.line) + ": " + first.message;
}
std::string own_megatron(const std::string& flags) {
  return "pretrain_gpt.py --num-layers 6 --hidden-size 512 --num-attention-heads 8 --vocab-size "
         "1000 --seq-length 512 --bf16 --micro-batch-size 1 --global-batch-size 8 " +
         flags;
}
std::string own_nemo(const std::string& section, const std::string& keys) {
  return section +
         "\nmodel: {num_layers: 6, hidden_size: 512, num_attention_heads: 8, ffn_hidden_size: "
         "2048, vocab_size: 1000, encoder_seq_length: 512, global_batch_size: 8, "
         "micro_batch_size: 1, " +
         keys + "}\n";
}
const std::string kTrain = "train: {global_batch_size: 8}\n";

// ---- Of several switches one that is on counts, wherever it stands.
TEST(Import, OrderOfSwitchesDoesNotDecide) {
  for (const std::string& keys :
       {std::string("bf16: true, fp16: false"), std::string("fp16: false, bf16: true")}) {
    const std::string text = kTrain + "mixed_precision: {" + keys + "}\n";
    EXPECT_EQ(from("nemo", text).training.precision, Precision::Bf16) << keys;
  }
  const std::string narrow = kTrain + "mixed_precision:\n  bf16: true\n  fp8: hybrid\n";
  EXPECT_TRUE(from("nemo", narrow + "  fp8_param_gather: true\n  fp4_param_gather: false\n")
                  .training.narrow_weights);
  EXPECT_TRUE(from("nemo", narrow + "  fp8_param: true\nddp: {fp8_param_gather: false}\n")
                  .training.narrow_weights);
  // Mixed precision lies over ddp, so that it decides where both say something.
  EXPECT_FALSE(from("nemo", narrow + "  fp8_param_gather: false\nddp: {fp8_param_gather: true}\n")
                   .training.narrow_weights);
  EXPECT_TRUE(from("nemo", narrow + "ddp: {fp8_param_gather: true}\n").training.narrow_weights);
  const auto deepspeed = [](const std::string& more) {
    return from("deepspeed", R"({"train_batch_size": 8, )" + more + "}").training;
  };
  EXPECT_EQ(deepspeed(R"("fp16": {"enabled": true}, "amp": {"enabled": false})").precision,
            Precision::Fp16);
  EXPECT_EQ(deepspeed(R"("fp16": {"enabled": "auto"}, "amp": {"enabled": true})").precision,
            Precision::Fp16);
  EXPECT_FALSE(deepspeed(R"("zero_optimization": {"stage": 1},
                             "bf16": {"enabled": true, "bf16_master_weights_and_grads": true},
                             "fp16": {"enabled": false, "fp16_master_weights_and_grads": false})")
                   .optimizer.master);
  const std::string above = "comm_overlap: {tp_comm_overlap: true}\n";
  const std::string model = "model: {tensor_model_parallel_size: 2, tp_comm_overlap: false}\n";
  for (const std::string& text : {kTrain + above + model, kTrain + model + above}) {
    EXPECT_TRUE(says(imported("nemo", text, kEight), "switched off without sequence_parallel"))
        << text;
  }
}

// ---- Numbers that no plan has.
TEST(Import, NumbersOutOfRangeAreRefusedAtTheirFlag) {
  EXPECT_EQ(refusal("megatron", own_megatron("--make-vocab-size-divisible-by 0"), kOwnModel),
            "1: '--make-vocab-size-divisible-by' must be at least 1, found '0'");
  EXPECT_EQ(refusal("nemo", own_nemo("", "make_vocab_size_divisible_by: 0"), kOwnModel),
            "2: 'model.make_vocab_size_divisible_by' must be at least 1, found '0'");
  for (const std::string number : {"4294967296", "1e30", "-1e30"}) {
    EXPECT_EQ(
        refusal("megatron", own_megatron("--pipeline-model-parallel-size " + number), kOwnModel),
        "1: '--pipeline-model-parallel-size' must be a whole number of at most 1000000000, "
        "found '" +
            number + "'");
  }
  EXPECT_EQ(refusal("megatron",
                    own_megatron("--tensor-model-parallel-size 4294967296 "
                                 "--pipeline-model-parallel-size 4294967296"),
                    kOwnModel),
            "1: '--tensor-model-parallel-size' must be a whole number of at most 1000000000, found "
            "'4294967296'");
  EXPECT_EQ(refusal("megatron", own_megatron("--pipeline-model-parallel-size 2000"), kOwnModel),
            "1: '--pipeline-model-parallel-size' makes parallelism.pipeline 2000, of which danlu "
            "has at most 1024");
  EXPECT_EQ(refusal("megatron", own_megatron("--context-parallel-size 1000000"), kOwnModel),
            "1: '--context-parallel-size' makes parallelism.context 1000000, of which danlu has at "
            "most 65536");
  EXPECT_EQ(refusal("deepspeed", R"({"train_micro_batch_size_per_gpu": 1000000000,
                                     "gradient_accumulation_steps": 1000000000})"),
            "1: 'train_micro_batch_size_per_gpu' makes training.micro_batch 1000000000, of which "
            "danlu has at most 1000000");
  const std::string degrees =
      "[parallelism]\ndata_parallel_shard_degree = 1000000000\n"
      "data_parallel_replicate_degree = 1000000000\npipeline_parallel_degree = 1024\n"
      "context_parallel_degree = 65536\n";
  EXPECT_EQ(refusal("torchtitan", degrees, {.topology = "dgx-h100"}),
            "2: the product of all degrees is above danlu's largest cluster of 1048576 GPUs");
  EXPECT_EQ(refusal("torchtitan", "[parallelism]\npipeline_parallel_degree = 64\n"),
            "2: 64 parts are more than 32 layers, embedding and head");
}

// Megatron refuses instances that do not divide the replicas.
TEST(Import, OptimizersInstancesDivideTheReplicas) {
  const std::string flags = "--use-distributed-optimizer --num-distributed-optimizer-instances ";
  EXPECT_EQ(from("megatron", own_megatron(flags + "2"), kOwnModel).parallelism.sharding.ranks, 4);
  EXPECT_EQ(refusal("megatron", own_megatron(flags + "3"), kOwnModel),
            "1: '--num-distributed-optimizer-instances' must divide the 8 replicas, found '3'");
}

TEST(Import, DeepSpeedsMastersIn16BitsHaveNoCopies) {
  EXPECT_FALSE(from("deepspeed",
                    R"({"train_batch_size": 8, "data_types": {"grad_accum_dtype": "fp32"},
               "bf16": {"enabled": true, "bf16_master_weights_and_grads": true},
               "zero_optimization": {"stage": 1}})")
                   .training.gradient_copy);
}

// ---- Flags that count only beside others.
// core_transformer_config_from_args of Megatron-LM.
TEST(Import, FusionsOfAnotherActivationDoNotCount) {
  const auto unfused = [](const std::string& flags) {
    return from("megatron", own_megatron(flags), kOwnModel).training.unfused;
  };
  using enum UnfusedPart;
  const std::vector usual{Copies, UnfusedPart::Loss};
  const std::vector apart{Copies, UnfusedPart::Loss, Activation};
  EXPECT_EQ(unfused("--swiglu --no-bias-gelu-fusion"), usual);
  EXPECT_EQ(unfused("--swiglu --no-bias-swiglu-fusion"), apart);
  EXPECT_EQ(unfused("--no-bias-swiglu-fusion"), usual);
  EXPECT_EQ(unfused("--no-bias-gelu-fusion"), apart);
  EXPECT_TRUE(says(imported("megatron", own_megatron("--swiglu --no-bias-gelu-fusion"), kOwnModel),
                   "of another activation than that with --swiglu: --no-bias-gelu-fusion, line 1"));
}

TEST(Import, OnlyRotaryPositionsRunApart) {
  using enum UnfusedPart;
  const auto unfused = [](const std::string& type) {
    return from("nemo",
                own_nemo("",
                         "transformer_engine: true, max_position_embeddings: 512, "
                         "position_embedding_type: " +
                             type),
                kOwnModel)
        .training.unfused;
  };
  EXPECT_EQ(unfused("rope"), (std::vector{UnfusedPart::Loss, Positions}));
  for (const char* type : {"none", "alibi", "learned_absolute"}) {
    EXPECT_EQ(unfused(type), std::vector{UnfusedPart::Loss}) << type;
  }
  EXPECT_EQ(from("megatron", own_megatron("--no-rope-fusion --no-position-embedding"), kOwnModel)
                .training.unfused,
            (std::vector{Copies, UnfusedPart::Loss}));
}

TEST(Import, NemosPlaceholdersAreOfFusedSums) {
  const auto training = [](const std::string& keys) {
    return from("nemo",
                "model: {global_batch_size: 8, transformer_engine: true, "
                "gradient_accumulation_fusion: true, " +
                    keys + "}\n")
        .training;
  };
  EXPECT_TRUE(training("megatron_amp_O2: false").accumulates_apart);
  EXPECT_FALSE(training("megatron_amp_O2: false").placeholders);
  EXPECT_FALSE(training("megatron_amp_O2: true").accumulates_apart);
  EXPECT_TRUE(training("megatron_amp_O2: true").placeholders);
}

TEST(Import, FlashAttentionsVersionIsReadInDumps) {
  const auto attention = [](const std::string& backend) {
    return from("nemo", kTrain + "model: {flash_attention_version: 3, attention_backend: " +
                            backend + "}\n")
        .training.attention;
  };
  EXPECT_EQ(attention("flash"), AttentionKind::Flash3);
  EXPECT_EQ(attention("{_target_: AttnBackend, _args_: [1], _call_: true}"), AttentionKind::Flash3);
  EXPECT_EQ(attention("{_target_: AttnBackend, _args_: [2], _call_: true}"), AttentionKind::Flash);
}

// ---- What danlu cannot take over is told.
TEST(Import, MomentsOfTwoWidthsAreTold) {
  const auto of = [](const std::string& flags) {
    return imported("megatron", own_megatron(flags), kOwnModel);
  };
  const auto bytes = [](const std::string& flags) {
    return from("megatron", own_megatron(flags), kOwnModel).training.optimizer.state_bytes;
  };
  const std::string why = ", line 1: danlu has one width for both moments, and takes the wider one";
  EXPECT_EQ(of("--exp-avg-dtype bf16 --exp-avg-sq-dtype fp32").remarks,
            Remarks{"--exp-avg-dtype" + why});
  EXPECT_EQ(bytes("--exp-avg-dtype fp32 --exp-avg-sq-dtype bf16"), 4);
  EXPECT_EQ(of("--exp-avg-sq-dtype bf16").remarks, Remarks{"--exp-avg-sq-dtype" + why});
  EXPECT_EQ(bytes("--exp-avg-sq-dtype bf16"), 4);
  EXPECT_EQ(bytes("--exp-avg-dtype fp8 --exp-avg-sq-dtype fp16"), 2);
  EXPECT_EQ(bytes("--exp-avg-dtype bf16 --exp-avg-sq-dtype fp16"), 2);
  EXPECT_EQ(of("--exp-avg-dtype bf16 --exp-avg-sq-dtype fp16").remarks, Remarks{});
}

TEST(Import, ExchangesOfContextsThatAreNotKnownAreTold) {
  EXPECT_EQ(
      imported("megatron", own_megatron("--context-parallel-size 2 --cp-comm-type foo"), kOwnModel)
          .remarks,
      Remarks{"--cp-comm-type, line 1: danlu does not know its value 'foo'"});
  EXPECT_EQ(
      imported("megatron", own_megatron("--context-parallel-size 2 --cp-comm-type p2p"), kOwnModel)
          .remarks,
      Remarks{});
}

TEST(Import, ConvertersOfModelsThatAreNotKnownAreTold) {
  const Imported result =
      imported("torchtitan",
               "[model]\nname = \"deepseek_v3\"\nflavor = \"16B\"\nconverters = [\"float8\"]\n",
               {.topology = "dgx-h100", .gpus = 8});
  EXPECT_TRUE(says(result,
                   "model.converters, line 4: it makes linear layers fp8 and leaves experts in 16 "
                   "bits: if the model has some, set training.precision bf16"))
      << result.scenario;
  EXPECT_EQ(imported("torchtitan", "[model]\nconverters = [\"float8\"]\n", kEight).remarks,
            Remarks{});
}

TEST(Import, GradientsOfMixedPrecisionNameWhatSaysTheirWidth) {
  EXPECT_TRUE(
      says(imported("nemo", kTrain + "mixed_precision: {bf16: true, fp16: false}\n", kEight),
           "# Megatron-Bridge's default of mixed_precision.grad_reduce_in_fp32"));
}

// ---- What a launch script says beside its command.
TEST(Import, OfSlurmsResourcesGpusCount) {
  const auto gpus = [](const std::string& lines) {
    return imported_scenario("megatron",
                             "#!/bin/bash\n#SBATCH --nodes=4\n" + lines + "\nsrun python " +
                                 own_megatron("--global-batch-size 128"),
                             {.topology = "dgx-h100"})
        .cluster.gpus;
  };
  EXPECT_EQ(gpus("#SBATCH --gpus-per-node=8\n#SBATCH --gres=nvme:1600"), 32);
  EXPECT_EQ(gpus("#SBATCH --gres=craynetwork:1,gpu:4"), 16);
  EXPECT_EQ(gpus("#SBATCH --gres=gpu:8,nvme:1000"), 32);
  EXPECT_EQ(gpus("#SBATCH --gres=\"gpu:8\""), 32);
  EXPECT_EQ(gpus("#SBATCH --gres gpu:h100:8 --exclusive"), 32);
}

TEST(Import, TransformerEnginesVariablesAreThoseOfTheCommand) {
  const auto attention = [](const std::string& script) {
    return from("megatron", script + "pretrain_gpt.py --global-batch-size 8\n").training.attention;
  };
  const std::string off = "export NVTE_FLASH_ATTN=0; export NVTE_FUSED_ATTN=0";
  using enum AttentionKind;
  EXPECT_EQ(attention(off + "\n"), Unfused);
  EXPECT_EQ(attention("USE=1\nif [ $USE -eq 0 ]; then " + off + "; fi\n"), Flash);
  EXPECT_EQ(attention("USE=1\nif [ $USE -eq 1 ]; then " + off + "; fi\n"), Unfused);
  EXPECT_EQ(attention(off + "\nunset NVTE_FLASH_ATTN\n"), Flash);
  EXPECT_EQ(attention("A=0\nexport NVTE_FLASH_ATTN=\"0\" NVTE_FUSED_ATTN=$A\n"), Unfused);
  EXPECT_EQ(attention("NVTE_FLASH_ATTN=0 NVTE_FUSED_ATTN=0 python "), Unfused);
  EXPECT_EQ(attention("docker run -e NVTE_FLASH_ATTN=0 -e NVTE_FUSED_ATTN=0 image python "),
            Unfused);
  EXPECT_EQ(attention("( " + off + " )\n"), Flash);
  EXPECT_EQ(from("megatron",
                 "python pretrain_gpt.py --global-batch-size 8 --micro-batch-size 1\n" + off + "\n")
                .training.attention,
            Flash);
}

// A document whose end is quoted is text: nothing in it is put in, or opens.
TEST(Import, DocumentsWithAQuotedEndAreText) {
  for (const char* end : {"'EOF'", "\"EOF\"", "\\EOF"}) {
    const Workload w =
        imported_scenario("megatron", "read -r -d '' FLAGS <<" + std::string(end) + R"sh(
  --num-layers 6 --hidden-size 512 --num-attention-heads 8 --exit-signal $(x
  --seq-length 512 --micro-batch-size 1 --global-batch-size 8 --save it's
  --vocab-size 1000 --bf16 --log-dir `y --swiglu
EOF
python pretrain_gpt.py $FLAGS
)sh",
                          kOwnModel)
            .workload;
    EXPECT_EQ(w.training.sequence_length, 512) << end;
    EXPECT_TRUE(w.model.gated_mlp) << end;
  }
}

}  // namespace
}  // namespace danlu
