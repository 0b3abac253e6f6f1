// What an importer must not pass over in silence: values that nobody knows, names with a slip of
// the finger, classes, and what a framework refuses.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "tests/support/imports.hpp"

namespace danlu {
namespace {

using testing::from;
using testing::imported;
using testing::imported_scenario;
using testing::kEight;
using testing::kOwnModel;
using testing::refused;
using testing::says;

const std::string kGpt =
    "torchrun --nnodes 2 --nproc-per-node 8 pretrain_gpt.py --num-layers 8 --hidden-size 1024 "
    "--num-attention-heads 16 --seq-length 512 --vocab-size 1000 --micro-batch-size 1 "
    "--global-batch-size 64 ";

bool tells(const Imported& result, const std::string& text) {
  return std::any_of(result.remarks.begin(), result.remarks.end(), [&](const std::string& remark) {
    return remark.find(text) != std::string::npos;
  });
}

// ---- Values that only the one who runs the script knows.
TEST(ImportSilence, UnknownExpertsAreToBeFilledIn) {
  const Imported script =
      imported("megatron", kGpt + "--bf16 --num-experts $NE --moe-router-topk 2", {});
  EXPECT_TRUE(says(script, "count: FILL-IN")) << script.scenario;
  EXPECT_TRUE(says(script, "per_token: 2")) << script.scenario;
  const Imported bridge = imported("nemo",
                                   "model: {num_layers: 4, num_moe_experts: '${oc.env:NE}', "
                                   "moe_router_topk: 2}\ntrain: {global_batch_size: 8}\n",
                                   {});
  EXPECT_TRUE(says(bridge, "count: FILL-IN")) << bridge.scenario;
}

TEST(ImportSilence, UnknownStagesLeaveChunksToBeFilledIn) {
  const Imported result = imported("megatron",
                                   kGpt +
                                       "--bf16 --pipeline-model-parallel-size $PP "
                                       "--num-layers-per-virtual-pipeline-stage 2",
                                   {});
  EXPECT_TRUE(says(result, "chunks: FILL-IN")) << result.scenario;
  EXPECT_TRUE(says(result, "pipeline: FILL-IN")) << result.scenario;
}

TEST(ImportSilence, AnUnknownLimitOfGradientsIsTold) {
  EXPECT_TRUE(tells(imported("megatron", kGpt + "--bf16 --clip-grad $CLIP", {}),
                    "only the one who runs the script knows $CLIP, so it counts as not given"));
}

TEST(ImportSilence, EitherFormatIsTheRecipesPrecision) {
  const auto precision = [](const char* flags) {
    return imported_scenario("megatron", kGpt + flags, {.topology = "hgx-b200"})
        .workload.training.precision;
  };
  EXPECT_EQ(precision("--bf16 --fp8-format $F --fp8-recipe mxfp8"), Precision::Mxfp8);
  EXPECT_EQ(precision("--bf16 --fp8-format $F"), Precision::Fp8);
}

// ---- Slips of the finger.
TEST(ImportSilence, ASlipInAFamilyOfNamesIsTold) {
  for (const auto& [framework, text, meant] :
       {std::tuple("megatron", kGpt + "--moe-router-top-k 6", "--moe-router-topk?"),
        std::tuple("megatron", kGpt + "--position-embeding-type rope",
                   "--position-embedding-type?"),
        std::tuple("megatron", kGpt + "--data-parallel-sharding-stratgy optim",
                   "--data-parallel-sharding-strategy?"),
        std::tuple("megatron", kGpt + "--fp8-fromat e4m3", "--fp8-format?"),
        std::tuple("megatron", kGpt + "--tp-comm-overlp", "--tp-comm-overlap?"),
        std::tuple("megatron", kGpt + "--cuda-graph-impll local", "--cuda-graph-impl?"),
        std::tuple("deepspeed", std::string(R"({"train_batch_size": 8, "bf16": {"enable": true}})"),
                   "bf16.enabled?"),
        std::tuple("torchtitan",
                   std::string("[training]\nseq_len = 8\n[activation_checkpoint]\nmod = 'full'"),
                   "activation_checkpoint.mode?"),
        std::tuple("torchtitan", std::string("[training]\nseq_length = 8\nsteps = 1"),
                   "training.seq_len?"),
        std::tuple("nemo",
                   std::string("trainer: {devices: 8, strategy: {tensor_model_paralel_size: 2}}"),
                   "tensor_model_parallel_size?"),
        std::tuple(
            "nemo",
            std::string("model: {num_layers: 2, moe_router_top_k: 2}\ntrain: {train_iters: 1}"),
            "model.moe_router_topk?")}) {
    const Imported result = imported(framework, text, {});
    EXPECT_TRUE(tells(result, std::string("not understood, did you mean ") + meant))
        << meant << result.scenario;
    EXPECT_EQ(result.unknown, 1U) << result.scenario;
  }
}

TEST(ImportSilence, NamesOfTheSameFamilyAreNoSlips) {
  const Imported result = imported("megatron",
                                   kGpt +
                                       "--bf16 --tp-comm-overlap-ag --tp-comm-overlap-rs "
                                       "--moe-router-topk-scaling-factor 2.5 --fp8-margin 1 "
                                       "--mtp-loss-scaling-factor 0.1",
                                   {});
  EXPECT_EQ(result.unknown, 0U) << result.scenario;
  EXPECT_FALSE(tells(imported("megatron", kGpt + "--bf16 --no-deps", {}), "did you mean"));
  EXPECT_TRUE(says(result, "by their beginnings alone: --moe-router-topk-scaling-factor"))
      << result.scenario;
}

TEST(ImportSilence, ADecoderAndTwoWidthsAreNoSlips) {
  const Imported result = imported("nemo",
                                   "model: {encoder: {num_layers: 2, hidden_size: 8}, decoder: "
                                   "{num_layers: 2, hidden_size: 8}, fp4_recipe: null}\n"
                                   "trainer: {devices: 8}\n",
                                   {});
  EXPECT_FALSE(tells(result, "did you mean")) << result.scenario;
}

TEST(ImportSilence, WhatIsToBeSeenToIsNotSaidTwice) {
  const Imported result =
      imported("megatron", kGpt + "--bf16 --moe-shared-expert-overlap --brand-new 1", {});
  EXPECT_TRUE(says(result, "# Not understood (1):\n#   --brand-new, line 1\n")) << result.scenario;
  EXPECT_EQ(result.unknown, 1U);
}

// ---- NeMo 2 and classes.
TEST(ImportSilence, Nemo2sStrategyIsThePlan) {
  const Workload w = from("nemo", R"(
trainer:
  num_nodes: 4
  devices: [0, 1, 2, 3, 4, 5, 6, 7]
  plugins: {precision: bf16-mixed}
  strategy:
    _target_: nemo.lightning.MegatronStrategy
    tensor_model_parallel_size: 2
    pipeline_model_parallel_size: 2
    virtual_pipeline_model_parallel_size: 4
    context_parallel_size: 2
    sequence_parallel: true
    ddp: {use_distributed_optimizer: true, overlap_grad_reduce: true}
data: {seq_length: 8192, global_batch_size: 128, micro_batch_size: 1}
)",
                          {.topology = "dgx-h100", .model = "llama3-8b"});
  EXPECT_EQ(w.parallelism.tensor, 2);
  EXPECT_EQ(w.parallelism.pipeline, 2);
  EXPECT_EQ(w.parallelism.context, 2);
  EXPECT_EQ(w.parallelism.data, 4);
  EXPECT_EQ(w.parallelism.zero, 1);
  EXPECT_TRUE(w.parallelism.sequence);
  EXPECT_TRUE(w.parallelism.overlap_data);
  EXPECT_EQ(w.training.chunks, 4);
  EXPECT_EQ(w.training.precision, Precision::Bf16);
  EXPECT_EQ(w.training.global_batch, 128);
  EXPECT_FALSE(w.training.dropout);
}

TEST(ImportSilence, TheStrategyGoesBeforeTheModel) {
  const Imported result = imported("nemo",
                                   "model: {config: {num_layers: 4}, tensor_model_parallel_size: 4}"
                                   "\ntrainer: {strategy: {tensor_model_parallel_size: 2}}\n",
                                   {});
  EXPECT_TRUE(says(result, "tensor: 2 ")) << result.scenario;
  EXPECT_TRUE(says(result, "layers: 4 ")) << result.scenario;
  EXPECT_TRUE(tells(result, "model.tensor_model_parallel_size, line 1 4 is left out"));
}

TEST(ImportSilence, TheStrategyGoesBeforeTheModelsConfigInEitherOrder) {
  const std::string strategy = "trainer: {strategy: {tensor_model_parallel_size: 2}}\n";
  const std::string model = "model: {config: {num_layers: 4, tensor_model_parallel_size: 4}}\n";
  for (const std::string& text : {strategy + model, model + strategy}) {
    const Imported result = imported("nemo", text, {});
    EXPECT_TRUE(says(result, "tensor: 2 ")) << result.scenario;
    EXPECT_TRUE(tells(result, "4 is left out: trainer.strategy.tensor_model_parallel_size"))
        << result.scenario;
  }
}

TEST(ImportSilence, AClassSaysWhatTheFileDoesNot) {
  const std::string run = "train: {global_batch_size: 128, micro_batch_size: 1}\n";
  const auto workload = [&](const std::string& model, std::optional<int> length = {}) {
    return from("nemo", "model: {" + model + "}\n" + run,
                {.topology = "dgx-h100", .gpus = 16, .sequence_length = length, .vocab = 128256});
  };
  const Workload w = workload("_target_: megatron.bridge.models.llama.Llama3ModelProvider8B");
  EXPECT_EQ(w.model.layers, 32);
  EXPECT_EQ(w.model.kv_heads, 8);
  EXPECT_EQ(w.model.norm, Norm::RmsNorm);
  EXPECT_TRUE(w.model.gated_mlp);
  EXPECT_EQ(w.model.biases, kNoBiases);
  EXPECT_FALSE(w.training.dropout);
  EXPECT_EQ(w.training.sequence_length, 8192);
  EXPECT_EQ(workload("_target_: Llama3ModelProvider8B, num_layers: 4").model.layers, 4);
  EXPECT_EQ(
      workload("config: {_target_: nemo.collections.llm.gpt.model.llama.Llama3Config8B}", 8192)
          .model.ffn,
      14336);
  EXPECT_EQ(workload("_target_: megatron.bridge.models.deepseek.DeepSeekV3ModelProvider")
                .model.experts.dense_layers,
            3);
}

TEST(ImportSilence, ClassesOfNemo2SayLessThanMegatronBridges) {
  const auto result = [](const char* name) {
    return imported(
        "nemo", fmt::format("model: {{config: {{_target_: {}}}}}\ntrainer: {{devices: 8}}\n", name),
        kOwnModel);
  };
  const Imported qwen = result("nemo.collections.llm.gpt.model.qwen2.Qwen25Config1P5B");
  EXPECT_TRUE(says(qwen, "layers: 28 ")) << qwen.scenario;
  EXPECT_TRUE(says(qwen, "tied_embeddings: false")) << qwen.scenario;
  EXPECT_TRUE(says(qwen, "sequence_length: FILL-IN")) << qwen.scenario;
  EXPECT_TRUE(says(qwen, "precision: fp32")) << qwen.scenario;
  EXPECT_TRUE(says(result("Qwen25Config3B"), "tied_embeddings: true"));
  EXPECT_TRUE(says(result("DeepSeekV3Config"), "vocab: FILL-IN"));
  EXPECT_TRUE(says(result("Qwen3Config30B_A3B"), "count: 128"));
}

TEST(ImportSilence, AClassWithoutSizesIsToBeFilledIn) {
  const auto result = [](const std::string& model) {
    return imported("nemo", "model: {" + model + "}\ntrain: {global_batch_size: 8}\n", kOwnModel);
  };
  for (const std::string name : {"GPTModelProvider", "Llama3ModelProvider", "GPTOSSProvider"}) {
    const Imported bare = result("_target_: megatron.bridge.models." + name);
    EXPECT_TRUE(says(bare, "preset: FILL-IN")) << bare.scenario;
    EXPECT_TRUE(tells(bare, name + " alone has no sizes")) << bare.scenario;
  }
  const Imported sized = result("_target_: Llama3ModelProvider, num_layers: 8, hidden_size: 64");
  EXPECT_TRUE(says(sized, "hidden: 64 ")) << sized.scenario;
  EXPECT_TRUE(says(sized, "heads: FILL-IN")) << sized.scenario;
  EXPECT_FALSE(says(sized, "norm: FILL-IN")) << sized.scenario;
}

TEST(ImportSilence, AnUnknownClassIsToBeFilledIn) {
  const std::string run = "train: {global_batch_size: 128, micro_batch_size: 1}\n";
  const Imported bare =
      imported("nemo", "model: {_target_: my.Provider, seq_length: 8}\n" + run, kOwnModel);
  EXPECT_TRUE(says(bare, "preset: FILL-IN")) << bare.scenario;
  const Imported sized = imported(
      "nemo", "model: {_target_: my.Provider, num_layers: 8, hidden_size: 64}\n" + run, kOwnModel);
  for (const char* line : {"gated_mlp: FILL-IN", "norm: FILL-IN", "biases: FILL-IN",
                           "dropout: FILL-IN", "kv_heads: FILL-IN"}) {
    EXPECT_TRUE(says(sized, line)) << line << sized.scenario;
  }
  EXPECT_TRUE(says(sized, "hidden: 64")) << sized.scenario;
}

TEST(ImportSilence, NemosOwnAccumulationIsTold) {
  EXPECT_TRUE(tells(imported("nemo",
                             "trainer: {num_nodes: 1, devices: 8, accumulate_grad_batches: 2}\n"
                             "model: {num_layers: 2, global_batch_size: 8}\n",
                             {}),
                    "trainer.accumulate_grad_batches, line 1: NeMo itself accumulates"));
}

// ---- PyTorch's FSDP.
TEST(ImportSilence, Fsdp2ReducesBesideBackwardPasses) {
  EXPECT_TRUE(imported_scenario("megatron", kGpt + "--bf16 --use-torch-fsdp2")
                  .workload.parallelism.overlap_data);
  EXPECT_TRUE(from("nemo",
                   "trainer: {num_nodes: 1, devices: 8, precision: bf16}\n"
                   "model: {fsdp: true, global_batch_size: 8, micro_batch_size: 1}\n")
                  .parallelism.overlap_data);
}

TEST(ImportSilence, AnAdamOnTheCpusIsNoFusedAdam) {
  const Imported result = imported("deepspeed",
                                   R"({"train_batch_size": 8, "bf16": {"enabled": true},
    "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}},
    "optimizer": {"type": "AdamW"}})",
                                   kEight);
  EXPECT_TRUE(says(result, "DeepSpeedCPUAdam")) << result.scenario;
}

// ---- What frameworks refuse.
TEST(ImportSilence, WhatMegatronRefusesIsRefused) {
  for (const auto& [flags, why] :
       {std::pair("--fp16 --bf16", "both --fp16 and --bf16 are given"),
        std::pair("--bf16 --recompute-granularity full", "needs --recompute-method"),
        std::pair("--bf16 --recompute-granularity selective --recompute-method uniform",
                  "is of --recompute-granularity full, found selective"),
        std::pair("--bf16 --use-torch-fsdp2 --use-distributed-optimizer",
                  "goes with no --use-distributed-optimizer"),
        std::pair("--bf16 --use-torch-fsdp2 --pipeline-model-parallel-size 2",
                  "goes with no pipeline stages")}) {
    const Problem problem = refused("megatron", kGpt + flags, {});
    EXPECT_NE(problem.message.find(why), std::string::npos) << flags << ": " << problem.message;
    EXPECT_EQ(problem.position.line, 1);
  }
  for (const auto& [model, why] :
       {std::pair("bf16: true, fp16: true", "both model.bf16 and model.fp16 are true"),
        std::pair("recompute_granularity: full", "needs recompute_method"),
        std::pair("recompute_granularity: selective, recompute_num_layers: 1",
                  "recompute_num_layers is of recompute_granularity full")}) {
    const Problem problem =
        refused("nemo", std::string("model: {num_layers: 2, ") + model + "}\ntrain: {a: 1}\n", {});
    EXPECT_NE(problem.message.find(why), std::string::npos) << model << ": " << problem.message;
  }
}

// ---- How many GPUs.
TEST(ImportSilence, TheJobSaysHowManyGpusThereAre) {
  const std::string gpt = kGpt.substr(kGpt.find("pretrain"));
  const auto gpus = [&](const std::string& before, const ImportOptions& options = {}) {
    const Imported result = imported("megatron", before + gpt + "--bf16", options);
    const std::size_t at = result.scenario.find("  gpus: ");
    return result.scenario.substr(at + 8, result.scenario.find(' ', at + 8) - at - 8);
  };
  EXPECT_EQ(gpus("torchrun --nnodes 4 --nproc-per-node gpu "), "FILL-IN");
  EXPECT_EQ(gpus("torchrun --nnodes 4 --nproc-per-node gpu ", {.gpus = 32}), "32");
  EXPECT_EQ(gpus("#SBATCH --gpus-per-node=4\ntorchrun --nnodes 4 --nproc-per-node gpu "), "16");
  EXPECT_EQ(gpus("torchrun --nnodes=1:4 --nproc-per-node 8 "), "FILL-IN");
  EXPECT_EQ(gpus("torchrun --nnodes=4:4 --nproc-per-node 8 "), "32");
  EXPECT_EQ(gpus("#SBATCH --gpus=32\nsrun python "), "32");
  EXPECT_EQ(gpus("#SBATCH -N 3\n#SBATCH --ntasks-per-node=8 --gpus-per-task=1\nsrun python "),
            "24");
  EXPECT_EQ(gpus("#SBATCH --ntasks=16\n#SBATCH --gpus-per-task=1\nsrun python "), "16");
  EXPECT_EQ(gpus("srun --label --nodes 2 --gpus-per-node 4 python "), "8");
  EXPECT_EQ(gpus("srun --nodes=2-2 --gpus-per-node=h100:4 python "), "8");
  EXPECT_EQ(gpus("#SBATCH --gpus-per-task=1\n#SBATCH --ntasks=0\nsrun python "), "FILL-IN");
  EXPECT_EQ(gpus("#SBATCH --nodes=2-4\ntorchrun --nnodes 4 --nproc-per-node 8 "), "32");
}

TEST(ImportSilence, AJobsRangeOfNodesIsToBeFilledIn) {
  const Imported result = imported(
      "megatron",
      "#SBATCH --nodes=2-4 --gpus-per-node=8\nsrun python " + kGpt.substr(kGpt.find("pretrain")),
      {});
  EXPECT_TRUE(says(result, "gpus: FILL-IN")) << result.scenario;
  EXPECT_TRUE(tells(result, "#SBATCH --nodes, line 1 is 2-4")) << result.scenario;
}

TEST(ImportSilence, AJobOfOtherNodesThanTorchrunsIsTold) {
  EXPECT_TRUE(tells(imported("megatron", "#SBATCH --nodes=16\n" + kGpt + "--bf16", {}),
                    "--nnodes, line 2 is 2, #SBATCH --nodes, line 1 16: the first is taken"));
  EXPECT_TRUE(tells(imported("megatron", "#SBATCH --gpus=32\n" + kGpt + "--bf16", {}),
                    "--nnodes, line 2 x --nproc-per-node, line 2 are 16, #SBATCH --gpus, line 1 "
                    "32: the first is taken"));
}

// ---- Shell: what is chosen by a variable, and what is done for each of several words.
TEST(ImportSilence, CasesAndLoopsAreFollowed) {
  const std::string script = R"sh(
SIZE=${SIZE:-16b}
case $SIZE in
  7b|8b) NL=32 ;;
  16*) NL=27; H=2048
    if [ 1 = 1 ]; then H=1024; fi ;;
  (*) NL=61 ;;
esac
case $NL in 27) A=16;; esac
for flag in --bf16 --swiglu; do
  for twice in a b; do MORE+=("$flag"); done
done
torchrun --nnodes 1 --nproc-per-node 8 pretrain_gpt.py --num-layers $NL --hidden-size ${H:-512} \
  --num-attention-heads ${A:-8} --seq-length 512 --vocab-size 1000 "${MORE[@]}"
)sh";
  const Workload w = imported_scenario("megatron", script).workload;
  EXPECT_EQ(w.model.layers, 27);
  EXPECT_EQ(w.model.hidden, 1024);
  EXPECT_EQ(w.model.heads, 16);
  EXPECT_TRUE(w.model.gated_mlp);
  EXPECT_EQ(w.training.precision, Precision::Bf16);
  const auto layers = [&](const std::string& size) {
    return imported_scenario("megatron", script,
                             {.topology = "dgx-h100", .variables = {"SIZE=" + size}})
        .workload.model.layers;
  };
  EXPECT_EQ(layers("8b"), 32);
  EXPECT_EQ(layers("70b"), 61);
}

TEST(ImportSilence, ACaseOfAnUnknownWordIsTold) {
  const Imported result = imported("megatron",
                                   "case $1 in a) NL=3;; *) NL=4;; esac\n"
                                   "for file in $(ls); do MB=2; done\n"
                                   "python pretrain_gpt.py --num-layers $NL --hidden-size 8 --bf16 "
                                   "--micro-batch-size $MB",
                                   {});
  EXPECT_TRUE(says(result, "layers: FILL-IN")) << result.scenario;
  EXPECT_TRUE(says(result, "micro_batch: FILL-IN")) << result.scenario;
}

TEST(ImportSilence, AVariableThatTheFileDoesNotHaveIsTold) {
  const std::string nemo = "model: {num_layers: '${oc.env:NL}', hidden_size: '${oc.env:H,64}'}\n";
  const Imported result = imported("nemo", nemo, {.variables = {"NL=6", "TYPO=1"}});
  EXPECT_TRUE(says(result, "layers: 6 ")) << result.scenario;
  EXPECT_TRUE(says(result, "hidden: 64 ")) << result.scenario;
  EXPECT_TRUE(tells(result, "--define TYPO=1: nothing that counts in the file asks for it"));
  EXPECT_FALSE(tells(result, "--define NL=6"));
}

TEST(ImportSilence, ADefinitionThatNothingAsksForIsTold) {
  for (const auto& [framework, text, variable] :
       {std::tuple("deepspeed", std::string(R"({"train_batch_size": 4})"), "train_batch_size=8"),
        std::tuple("nemo", std::string("model: {num_layers: 2, seq_length: 4}"), "seq_length=8"),
        std::tuple("megatron", kGpt + "--lr 0.9", "9=x"),
        std::tuple("megatron", "NL=4; f() { A=1; }; f\n" + kGpt + "--lr $NL", "NL=3")}) {
    EXPECT_TRUE(tells(imported(framework, text, {.variables = {variable}}),
                      std::string("--define ") + variable + ": nothing"))
        << framework << variable;
  }
  EXPECT_FALSE(tells(imported("megatron", kGpt + "--lr $9", {.variables = {"9=1"}}), "--define"));
}

TEST(ImportSilence, OfDefinitionsTheLastCounts) {
  const Imported result =
      imported("nemo", "model: {num_layers: '${oc.env:NL}'}\n", {.variables = {"NL=6", "NL=8"}});
  EXPECT_TRUE(says(result, "layers: 8 ")) << result.scenario;
  EXPECT_TRUE(tells(result, "--define NL=6 is left out: --define NL=8 comes later"));
}

TEST(ImportSilence, DefaultsOfTheEnvironmentMayHaveBlanksAndQuotes) {
  const Imported result = imported(
      "nemo", "model: {num_layers: '${oc.env:NL, 6}', hidden_size: \"${oc.env: H , '64'}\"}\n", {});
  EXPECT_TRUE(says(result, "layers: 6 ")) << result.scenario;
  EXPECT_TRUE(says(result, "hidden: 64 ")) << result.scenario;
}

// ---- Switches are true or false, as Python, YAML, TOML and JSON write it.
TEST(ImportSilence, ASwitchIsTrueOrFalse) {
  const auto wrong = [](const char* framework, const std::string& text) {
    const Problem problem = refused(framework, text);
    return fmt::format("{}:{} {} {}", problem.position.line, problem.position.column,
                       problem.message, problem.hint);
  };
  EXPECT_EQ(wrong("torchtitan", "[compile]\nenable = \"ture\"\n"),
            "2:10 'compile.enable' must be true or false, found 'ture' did you mean 'true'?");
  EXPECT_EQ(wrong("nemo",
                  "model: {num_layers: 4, num_moe_experts: 2,\n"
                  "  moe_shared_expert_overlap: perhaps}\n"),
            "2:30 'model.moe_shared_expert_overlap' must be true or false, found 'perhaps' ");
  EXPECT_EQ(refused("deepspeed",
                    "{\"train_batch_size\": 64,\n \"zero_optimization\": {\"stage\": 3, "
                    "\"overlap_comm\": \"treu\"}}\n")
                .hint,
            "did you mean 'true'?");
  EXPECT_EQ(refused("megatron", kGpt + "--bf16 --overlap-grad-reduce=fasle").message,
            "'--overlap-grad-reduce' must be true or false, found 'fasle'");
  for (const char* word : {"False", "no", "off", "0"}) {
    const Imported result = imported("nemo",
                                     fmt::format("model: {{num_layers: 4, gated_linear_unit: {}}}\n"
                                                 "train: {{global_batch_size: 8}}\n",
                                                 word),
                                     {});
    EXPECT_TRUE(says(result, "gated_mlp: false")) << result.scenario;
  }
}

// What decided something beside another flag is no flag without effect.
TEST(ImportSilence, FlagsThatDecideTogetherAreBothNamed) {
  const Imported script = imported("megatron",
                                   kGpt +
                                       "--bf16 --fp8-format hybrid --fp8-recipe mxfp8 "
                                       "--first-last-layers-bf16 --num-layers-at-start-in-bf16 1 "
                                       "--num-layers-at-end-in-bf16 1",
                                   {});
  EXPECT_TRUE(says(script, "# --fp8-recipe, line 1, with --fp8-format, line 1")) << script.scenario;
  EXPECT_EQ(script.idle, 1U) << script.scenario;  // --bf16, over which fp8 lies
  const Imported bridge =
      imported("nemo",
               "train: {global_batch_size: 8}\nmodel: {num_layers: 4}\nmixed_precision: {fp8: "
               "hybrid, fp8_recipe: mxfp8, first_last_layers_bf16: true, "
               "num_layers_at_start_in_bf16: 1}\n",
               {});
  EXPECT_EQ(bridge.idle, 0U) << bridge.scenario;
  const Imported titan =
      imported("torchtitan", "[model]\nname = \"llama3\"\nflavor = \"8B\"\n", {});
  EXPECT_EQ(titan.idle, 0U) << titan.scenario;
}

}  // namespace
}  // namespace danlu
