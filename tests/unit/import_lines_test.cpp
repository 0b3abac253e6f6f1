// What files of arguments say line by line, and what contradicts itself in them.
#include <gtest/gtest.h>

#include <string>

#include "sim/base/error.hpp"
#include "tests/support/imports.hpp"

namespace danlu {
namespace {

using testing::imported;
using testing::imported_scenario;
using testing::says;

const ImportOptions kSixteen{.topology = "dgx-h100", .gpus = 16};

// A file of arguments alone is all of its lines, whatever the longest of them is.
TEST(Import, ArgumentsMayStandOnSeveralLines) {
  const Workload w = imported_scenario("megatron",
                                       "--tensor-model-parallel-size 2 --sequence-parallel\n"
                                       "--num-layers 8 --hidden-size 1024 --num-attention-heads 16 "
                                       "--seq-length 512 --vocab-size 1000 --micro-batch-size 1\n"
                                       "--swiglu --bf16\n",
                                       kSixteen)
                         .workload;
  EXPECT_EQ(w.parallelism.tensor, 2);
  EXPECT_TRUE(w.parallelism.sequence);
  EXPECT_EQ(w.model.layers, 8);
  EXPECT_TRUE(w.model.gated_mlp);
}

// In a script such a line is none of the command before it.
TEST(Import, LinesWithoutACommandAreTold) {
  const Imported result =
      imported("megatron",
               "python pretrain_gpt.py --num-layers 8 --hidden-size 1024 "
               "--num-attention-heads 16 --seq-length 512 --vocab-size 1000 --micro-batch-size 1\n"
               "  --swiglu --bf16\n",
               kSixteen);
  EXPECT_TRUE(says(result,
                   "line 2 begins with a flag and is of no command (a backslash may be "
                   "missing before it): what begins so is left out, 2 flags"))
      << result.scenario;
  EXPECT_TRUE(says(result, "Megatron's default: without --swiglu"));
}

// The flags of Megatron-LM 2.5 (2021).
TEST(Import, RecomputationOf2021IsRead) {
  const std::string flags =
      "pretrain_gpt.py --num-layers 8 --hidden-size 1024 --num-attention-heads 16 --seq-length 512 "
      "--vocab-size 1000 --micro-batch-size 1 --fp16 ";
  const auto workload = [&](const char* more) {
    return imported_scenario("megatron", flags + more, kSixteen).workload;
  };
  EXPECT_EQ(workload("--activations-checkpoint-method uniform").training.recompute,
            workload("--recompute-granularity full --recompute-method uniform").training.recompute);
  EXPECT_EQ(workload("--activations-checkpoint-method block --activations-checkpoint-num-layers 3")
                .training.recompute,
            workload("--recompute-granularity full --recompute-method block "
                     "--recompute-num-layers 3")
                .training.recompute);
}

// As its validate_args does.
TEST(Import, WhatMegatronRefusesIsRefused) {
  const auto refusal = [](const std::string& more) -> std::string {
    try {
      (void)imported_scenario(
          "megatron",
          "pretrain_gpt.py --num-layers 32 --hidden-size 1024 --num-attention-heads 16 "
          "--seq-length 512 --vocab-size 1000 --micro-batch-size 1 --global-batch-size 64 --bf16 " +
              more,
          kSixteen);
      return "";
    } catch (const InputError& error) {
      return error.problems().front().message;
    }
  };
  const std::string stages =
      "--pipeline-model-parallel-size 4 --num-layers-per-virtual-pipeline-stage ";
  EXPECT_EQ(refusal(stages + "3"), "32 layers on 4 stages are not chunks of 3 layers");
  EXPECT_EQ(refusal(stages + "4"), "");
  const std::string overlap = "--tensor-model-parallel-size 2 --tp-comm-overlap";
  EXPECT_EQ(refusal(overlap), "'--tp-comm-overlap' needs --sequence-parallel");
  EXPECT_EQ(refusal(overlap + " --sequence-parallel"), "");
  // A negative capacity is none, and no mistake.
  EXPECT_EQ(refusal("--num-experts 8 --moe-router-topk 2 --moe-expert-capacity-factor -1.0"), "");
}

TEST(Import, DeepSpeedsStagesAndElasticBatchesAreTold) {
  const Imported result =
      imported("deepspeed",
               R"({"train_batch_size": 512, "bf16": {"enabled": true}, "pipeline": {"stages": 4},
          "elasticity": {"enabled": true}})",
               {.topology = "dgx-h100", .gpus = 64, .model = "llama3-8b", .sequence_length = 4096});
  EXPECT_TRUE(says(result, "pipeline: 4")) << result.scenario;
  EXPECT_TRUE(says(result, "DeepSpeed chooses the batch by it")) << result.scenario;
}

// As DeepSpeed does.
TEST(Import, ABatchThatContradictsItselfIsRefused) {
  const auto refusal = [](const std::string& more) -> std::string {
    try {
      (void)imported(
          "deepspeed", "{\"train_micro_batch_size_per_gpu\": 4, " + more + "}",
          {.topology = "dgx-h100", .gpus = 64, .model = "llama3-8b", .sequence_length = 4096});
      return "";
    } catch (const InputError& error) {
      return error.problems().front().message;
    }
  };
  EXPECT_EQ(refusal("\"train_batch_size\": 512, \"gradient_accumulation_steps\": 4"),
            "512 sequences are not 4 of a microbatch x 4 steps of accumulation x 64 replicas = "
            "1024");
  EXPECT_EQ(refusal("\"train_batch_size\": 600"),
            "600 sequences are not 4 of a microbatch x 2 steps of accumulation x 64 replicas = "
            "512");
  EXPECT_EQ(refusal("\"train_batch_size\": 1024, \"gradient_accumulation_steps\": 4"), "");
  EXPECT_EQ(refusal("\"train_batch_size\": 512"), "");
}

}  // namespace
}  // namespace danlu
