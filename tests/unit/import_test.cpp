// Configurations of other programs, written for these tests: what they become, read by danlu.
#include "sim/import/import.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "sim/import/pipeline_layout.hpp"
#include "sim/import/shell.hpp"
#include "sim/scenario/keys.hpp"
#include "sim/scenario/values.hpp"
#include "tests/support/imports.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::imported;
using testing::imported_scenario;
using testing::read_source;
using testing::says;

// ---- Megatron-LM: arrays, sums, defaults of the environment, a branch that is taken.
constexpr const char* kLlamaScript = R"sh(#!/bin/bash
export CUDA_DEVICE_MAX_CONNECTIONS=1
NODES=${SLURM_NNODES:-4}   # of the job
PER_NODE=8
TP=4; PP=2
GBS=$((NODES * PER_NODE * 8))
PRECISION="fp8"
DATA=$1

RUN_ARGS=(
    --nproc_per_node $PER_NODE
    --nnodes ${NODES}
    --master_port 6000
)
SIZE_ARGS=(
    --num-layers 24
    --hidden-size 2048
    --ffn-hidden-size 5632
    --num-attention-heads 16
    --group-query-attention --num-query-groups 4
    --seq-length 4096
    --max-position-embeddings 4096
    --position-embedding-type rope
    --swiglu --normalization RMSNorm   # as in Llama
    --untie-embeddings-and-output-weights --disable-bias-linear
    --vocab-size 32001
)
PLAN_ARGS="
    --tensor-model-parallel-size $TP --pipeline-model-parallel-size $PP \
    --sequence-parallel --use-distributed-optimizer --overlap-grad-reduce
    --num-layers-per-virtual-pipeline-stage 3"
EXTRA=()
if [ "$PRECISION" == "fp8" ]; then
  EXTRA+=("--fp8-format hybrid")
else
  EXTRA+=(--num-layers 99)
fi
torchrun "${RUN_ARGS[@]}" pretrain_gpt.py ${SIZE_ARGS[@]} $PLAN_ARGS ${EXTRA[@]} \
    --micro-batch-size 2 --global-batch-size=$GBS --bf16 \
    --hidden-dropout 0 --attention-dropout 0.0 \
    --recompute-granularity full --recompute-method block --recompute-num-layers 1 \
    --train-iters 1000 --lr 3e-4 --data-path $DATA --brand-new-flag 7
)sh";

TEST(Import, MegatronScriptBecomesAScenario) {
  const Scenario s = imported_scenario("megatron", kLlamaScript);
  const Workload& w = s.workload;
  EXPECT_EQ(s.cluster.gpus, 32);
  EXPECT_EQ(w.model.layers, 24);
  EXPECT_EQ(w.model.kv_heads, 4);
  EXPECT_EQ(w.model.ffn, 5632);
  EXPECT_EQ(w.model.vocab, 32256);  // 63 x 128 x 4
  EXPECT_EQ(w.model.positions, 0);
  EXPECT_TRUE(w.model.gated_mlp);
  EXPECT_FALSE(w.model.tied_embeddings);
  EXPECT_EQ(w.model.norm, Norm::RmsNorm);
  EXPECT_EQ(w.parallelism.tensor, 4);
  EXPECT_EQ(w.parallelism.pipeline, 2);
  EXPECT_EQ(w.parallelism.data, 4);
  EXPECT_EQ(w.parallelism.zero, 1);
  EXPECT_TRUE(w.parallelism.sequence);
  EXPECT_TRUE(w.parallelism.overlap_data);
  EXPECT_TRUE(w.parallelism.overlap_pipeline);
  EXPECT_EQ(w.training.chunks, 4);
  EXPECT_EQ(w.training.global_batch, 256);
  EXPECT_EQ(w.training.micro_batch, 2);
  EXPECT_EQ(w.training.precision, Precision::Fp8);
  EXPECT_EQ(w.training.recompute, Recompute::Full);
  EXPECT_EQ(w.training.recompute_layers, std::vector<int>{1});
  EXPECT_FALSE(w.training.dropout);
  EXPECT_EQ(w.training.tokens, 1000.0 * 256 * 4096);
}

TEST(Import, EveryLineNamesItsFlagAndWhatIsNotUnderstoodIsListed) {
  const Imported result = imported("megatron", kLlamaScript, {.topology = "dgx-h100"});
  EXPECT_TRUE(says(result, "layers: 24                                 # --num-layers, line 16"))
      << result.scenario;
  EXPECT_TRUE(says(result, "Not understood (1):\n#   --brand-new-flag, line 42"))
      << result.scenario;
  EXPECT_TRUE(says(result, "--lr")) << result.scenario;
  EXPECT_EQ(result.unknown, 1U);
  EXPECT_GE(result.idle, 3U);
}

// ---- Megatron-LM: a GPT of old, its arguments in one text, its defaults.
TEST(Import, MegatronsDefaultsAreStated) {
  const char* script = R"sh(
GPT_ARGS="--num-layers 8 --hidden-size 1024 --num-attention-heads 16 --seq-length 512 \
  --max-position-embeddings 512 --micro-batch-size 4 --fp16"
python -m torch.distributed.launch --nproc_per_node 8 --nnodes 1 pretrain_gpt.py $GPT_ARGS \
  --vocab-file gpt2.json --merge-file $MERGES
)sh";
  const Workload w = imported_scenario("megatron", script).workload;
  EXPECT_EQ(w.model.vocab, 50304);
  EXPECT_EQ(w.model.positions, 512);
  EXPECT_EQ(w.training.global_batch, 32);  // 4 x 8 replicas
  EXPECT_TRUE(w.training.dropout);
  EXPECT_EQ(w.model.biases, kUsualBiases);
  EXPECT_EQ(w.training.precision, Precision::Fp16);
  const Imported result = imported("megatron", script, {.topology = "dgx-h100"});
  EXPECT_TRUE(says(result, "# Megatron's default: without --swiglu")) << result.scenario;
}

TEST(Import, WhatOnlyTheEnvironmentKnowsIsToBeFilledIn) {
  const Imported result = imported("megatron", R"sh(
if [ -f "$HOME/plan" ]; then TP=8; else TP=4; fi
torchrun --nnodes $NNODES --nproc-per-node 8 pretrain_gpt.py --num-layers 8 --hidden-size 1024 \
  --num-attention-heads 16 --seq-length 512 --tensor-model-parallel-size $TP --vocab-size 1000
)sh",
                                   {});
  EXPECT_FALSE(result.complete);
  for (const char* key : {"topology: FILL-IN", "gpus: FILL-IN", "tensor: FILL-IN"}) {
    EXPECT_TRUE(says(result, key)) << key << result.scenario;
  }
  EXPECT_GE(result.remarks.size(), 4U);
}

TEST(Import, AModelOfAnotherProgramIsTold) {
  const Imported result = imported(
      "megatron", "python pretrain_bert.py --num-layers 8 --hidden-size 1024 --bf16 --lr 1", {});
  EXPECT_TRUE(says(result, "#   the script starts pretrain_bert.py")) << result.scenario;
}

TEST(Import, WordsOfArraysKeepTheirLines) {
  const Imported result = imported(
      "megatron", "ARGS=(\n  --num-layers 8\n)\npretrain_gpt.py \"${ARGS[@]}\" --bf16", {});
  EXPECT_TRUE(says(result, "# --num-layers, line 2\n")) << result.scenario;
}

TEST(Import, OptionsFillGaps) {
  const Workload w =
      imported_scenario("megatron", "--num-layers 4\n--global-batch-size 8 --bf16 --hidden-size 9",
                        {.topology = "dgx-h100",
                         .gpus = 8,
                         .model = "llama3-8b",
                         .sequence_length = 1024,
                         .vocab = 99})
          .workload;
  EXPECT_EQ(w.model.vocab, 99);
  EXPECT_EQ(w.model.name, "llama3-8b");
  EXPECT_EQ(w.model.layers, 32);
  EXPECT_EQ(w.training.sequence_length, 1024);
}

TEST(Import, WrongValuesAreToldAtTheirPlace) {
  try {
    imported("megatron", "pretrain.py --bf16 \\\n   --num-layers many --hidden-size 4", {});
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(
        std::string(error.what()).find("plan.txt:2:4: error: '--num-layers' must be a number"),
        std::string::npos)
        << error.what();
  }
  try {
    imported("megatron", "A=1\nARGS=( --bf16\n", {});
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("plan.txt:2:1: error: the array that opens here"),
              std::string::npos)
        << error.what();
  }
  EXPECT_THROW(imported("torchtitan", "[training\nseq_len = 3", {}), InputError);
  EXPECT_THROW(imported("deepspeed", "{\"bf16\": {", {}), InputError);
  EXPECT_THROW(imported("nemo", "- 1\n- 2\n", {}), InputError);
  EXPECT_THROW(imported("megatron", "echo hello\n", {}), InputError);
}

// A file of another program is refused, whichever reader gets it: no key of it has an effect.
TEST(Import, AFileWithNothingOfItsFrameworkIsRefused) {
  const std::string scenario =
      "model: llama3-8b\ncluster: {topology: dgx-h100, gpus: 8}\nparallelism: {tensor: 2}\n";
  for (const auto& [framework, text] :
       {std::pair("deepspeed", scenario), std::pair("nemo", scenario),
        std::pair("torchtitan", std::string("[job]\nconfig_file = 1\n")),
        std::pair("megatron", std::string("train.py --lr 1 --brand-new 2\n"))}) {
    const Importer& importer = *framework_named(framework);
    try {
      imported(framework, text, {});
      FAIL() << framework;
    } catch (const InputError& error) {
      ASSERT_EQ(error.problems().size(), 1U);
      EXPECT_EQ(error.problems()[0].message,
                "found nothing of " + std::string(importer.title) + " in it");
      EXPECT_EQ(error.problems()[0].hint,
                "danlu import " + std::string(framework) + " reads " + std::string(importer.file));
    }
  }
}

TEST(Import, DeepNestingIsRefused) {
  std::string script = "run.py --a ";
  for (int i = 0; i < 100000; ++i) {
    script += "${A:-";
  }
  EXPECT_THROW(imported("megatron", script, {}), InputError);
  EXPECT_NO_THROW(
      imported("megatron", "run.py --bf16 --a $((" + std::string(100000, '-') + "1))", {}));
  EXPECT_NO_THROW(imported(
      "megatron",
      "run.py --bf16 --a $((" + std::string(5000, '(') + "1" + std::string(5000, ')') + "))", {}));
}

TEST(Import, ShellWordsAreExpandedAsAShellDoes) {
  const auto words = [](const std::string& text) {
    std::string joined;
    for (const ShellWord& word : read_shell(text, "x.sh").command) {
      joined += (word.known ? "" : "?") + word.text + "|";
    }
    return joined;
  };
  EXPECT_EQ(words("A='x y'\nrun.py --a $A --b \"$A\" --c${A}z"), "run.py|--a|x|y|--b|x y|--cx|yz|");
  EXPECT_EQ(words("N=3\nrun.py --n $((2 * (N + 1) % 5)) --m $((N / 0))"),
            "run.py|--n|3|--m|?$((N / 0))|");
  EXPECT_EQ(words("A=(--x 1)\nA+=(--y ${B:-${C:-\"2\"}})\nrun.py \"${A[@]}\" # --z"),
            "run.py|--x|1|--y|2|");
  EXPECT_EQ(words("run.py --a $(hostname -s) --b `x` --c ${A%%.*}"),
            "run.py|--a|?$(hostname -s)|--b|?`x`|--c|?${A%%.*}|");
  EXPECT_EQ(words("A=2\nif [[ $A -gt 1 && -n \"$A\" ]]; then B=yes; else B=no; fi\nrun.py --b $B"),
            "run.py|--b|yes|");
  EXPECT_EQ(words("for i in 1 2; do B=$i; done\nrun.py --b $B"), "run.py|--b|2|");
  EXPECT_EQ(words("cat <<EOF\npython no.py --x --y --z --w\nEOF\nrun.py --a 1"), "run.py|--a|1|");
}

// ---- torchtitan: a dense model under FSDP and tensor parallelism, and one with stages.
TEST(Import, TorchtitanFileBecomesAScenario) {
  const Scenario s = imported_scenario("torchtitan", R"toml(
[model]
name = "llama3"
flavor = "8B"
converters = ["float8"]

[training]
local_batch_size = 2     # of each replica
seq_len = 16_384
steps = 200

[parallelism]
data_parallel_replicate_degree = 4
data_parallel_shard_degree = -1
tensor_parallel_degree = 2
enable_async_tensor_parallel = false
fsdp_reshard_after_forward = "never"

[activation_checkpoint]
mode = "full"

[quantize.linear.float8]
enable_fsdp_float8_all_gather = true

[checkpoint]
interval = 100
)toml",
                                       {.topology = "dgx-h100", .gpus = 64});
  const Workload& w = s.workload;
  EXPECT_EQ(w.model.name, "llama3-8b");
  EXPECT_EQ(w.parallelism.data, 32);
  EXPECT_EQ(w.parallelism.zero, 3);
  EXPECT_EQ(w.parallelism.sharding.ranks, 8);
  EXPECT_EQ(w.parallelism.sharding.reshard, Reshard::AfterBackward);
  EXPECT_EQ(w.parallelism.sharding.gather_bytes, 1);
  EXPECT_EQ(w.parallelism.sharding.reduce_bytes, 4);
  EXPECT_FALSE(w.parallelism.sharding.keeps_copy);
  EXPECT_EQ(w.parallelism.sharding.units,
            (std::vector{UnitPart::Embedding, UnitPart::Layer, UnitPart::Head}));
  EXPECT_TRUE(w.parallelism.sequence);
  EXPECT_EQ(w.parallelism.overlap_tensor, TensorOverlap::None);
  EXPECT_EQ(w.training.global_batch, 64);
  EXPECT_EQ(w.training.sequence_length, 16384);
  EXPECT_EQ(w.training.precision, Precision::Fp8);
  EXPECT_EQ(w.training.recompute, Recompute::Full);
}

TEST(Import, TorchtitanWithStagesKeepsWeightsAndReducesOnce) {
  const Workload w = imported_scenario("torchtitan", R"toml(
model.flavor = "70B"
[training]
local_batch_size = 16
global_batch_size = 128
[parallelism]
pipeline_parallel_degree = 4
pipeline_parallel_schedule = "Interleaved1F1B"
pipeline_parallel_microbatch_size = 2
[activation_checkpoint]
mode = "selective"
selective_ac_option = "2"
)toml",
                                       {.topology = "dgx-h100", .gpus = 32})
                         .workload;
  EXPECT_EQ(w.training.chunks, 2);
  EXPECT_EQ(w.training.micro_batch, 2);
  EXPECT_EQ(w.training.global_batch, 128);
  EXPECT_EQ(w.training.sequence_length, 2048);
  EXPECT_EQ(w.parallelism.sharding.reshard, Reshard::AfterStep);
  EXPECT_EQ(w.parallelism.sharding.reduce, Reduce::OncePerStep);
  EXPECT_EQ(w.parallelism.stage_layers, (std::vector<int>{10, 11, 10, 10, 10, 10, 10, 9}));
  EXPECT_EQ(w.training.recompute_layers, std::vector<int>{5});  // of 80 / 8 each second
}

// ---- DeepSpeed: ZeRO-3 with `auto`, and ZeRO-2 whose batch gives the microbatch.
TEST(Import, DeepSpeedFileBecomesAScenario) {
  const ImportOptions options{
      .topology = "dgx-h100", .gpus = 16, .model = "llama3-8b", .sequence_length = 4096};
  const Workload three = imported_scenario("deepspeed", R"({
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": 2,
    "gradient_accumulation_steps": 4,
    "bf16": {"enabled": true},
    "zero_optimization": {"stage": 3, "overlap_comm": false, "mics_shard_size": 8,
                          "zero_quantized_weights": true, "reduce_bucket_size": 5e8},
    "steps_per_print": 10
  })",
                                           options)
                             .workload;
  EXPECT_EQ(three.training.global_batch, 2 * 4 * 16);
  EXPECT_EQ(three.parallelism.zero, 3);
  EXPECT_EQ(three.parallelism.sharding.ranks, 8);
  EXPECT_EQ(three.parallelism.sharding.gather_bytes, 1);
  EXPECT_EQ(three.training.gradient_bytes, 2);
  const std::string two = R"({
    "train_batch_size": 256, "gradient_accumulation_steps": 8,
    "fp16": {"enabled": true, "loss_scale": 0},
    "zero_optimization": {"stage": 2, "zero_quantized_gradients": true},
    "optimizer": {"type": "Lamb", "params": {"lr": 1e-3}}, "curriculum_learning": {"enabled": true}
  })";
  EXPECT_EQ(imported_scenario("deepspeed", two, options).workload.training.micro_batch, 2);
  const Imported result = imported("deepspeed", two, options);
  EXPECT_EQ(result.unknown, 1U) << result.scenario;  // the curriculum
  EXPECT_TRUE(says(result, "curriculum_learning.enabled, line 5")) << result.scenario;
  EXPECT_FALSE(imported("deepspeed", two, {}).complete);
}

// ---- NeMo: the launcher's form with references, and Megatron-Bridge's.
TEST(Import, NemoFileBecomesAScenario) {
  const Scenario s = imported_scenario("nemo", R"yaml(
run: {name: small, results_dir: "${base_results_dir}/${.name}"}
trainer: {num_nodes: 4, devices: 8, precision: bf16, max_steps: 500}
model:
  micro_batch_size: 1
  global_batch_size: ${multiply:${.micro_batch_size}, 64}
  tensor_model_parallel_size: 2
  pipeline_model_parallel_size: 4
  virtual_pipeline_model_parallel_size: 2
  encoder_seq_length: 2048
  max_position_embeddings: ${.encoder_seq_length}
  num_layers: 16
  hidden_size: 2048
  ffn_hidden_size: ${multiply:4, ${.hidden_size}}
  num_attention_heads: 16
  num_query_groups: null
  hidden_dropout: 0.0
  attention_dropout: 0.0
  sequence_parallel: True
  overlap_p2p_comm: True
  activations_checkpoint_granularity: full
  activations_checkpoint_method: uniform
  activations_checkpoint_num_layers: 2
  tokenizer: {library: megatron, type: GPT2BPETokenizer}
  optim: {name: distributed_fused_adam, lr: 1e-4, overlap_grad_sync: True}
  data: {seq_length: "${model.encoder_seq_length}"}
  something_new: 1
)yaml");
  const Workload& w = s.workload;
  EXPECT_EQ(s.cluster.gpus, 32);
  EXPECT_EQ(w.model.ffn, 8192);
  EXPECT_EQ(w.model.positions, 2048);
  EXPECT_EQ(w.model.vocab, 50432);  // 197 x 256
  EXPECT_EQ(w.training.global_batch, 64);
  EXPECT_EQ(w.training.chunks, 2);
  EXPECT_EQ(w.training.recompute_unit, 2);
  EXPECT_EQ(w.parallelism.zero, 1);
  EXPECT_TRUE(w.parallelism.overlap_data);
  EXPECT_TRUE(w.parallelism.overlap_pipeline);
}

TEST(Import, MegatronBridgeFileBecomesAScenario) {
  const Workload w = imported_scenario("nemo", R"yaml(
model:
  num_layers: 12
  hidden_size: 1024
  num_attention_heads: 16
  num_query_groups: 4
  ffn_hidden_size: 3584
  gated_linear_unit: true
  normalization: RMSNorm
  add_bias_linear: false
  share_embeddings_and_output_weights: false
  position_embedding_type: rope
  seq_length: 4096
  vocab_size: 32000
  tensor_model_parallel_size: 2
  sequence_parallel: true
train: {global_batch_size: 32, micro_batch_size: 2, train_iters: 10}
ddp: {use_distributed_optimizer: true, overlap_grad_reduce: true}
comm_overlap: {tp_comm_overlap: true}
mixed_precision: bf16_mixed
)yaml",
                                       {.topology = "dgx-h100", .gpus = 16})
                         .workload;
  EXPECT_EQ(w.model.kv_heads, 4);
  EXPECT_EQ(w.model.biases, kNoBiases);
  EXPECT_EQ(w.parallelism.zero, 1);
  EXPECT_EQ(w.parallelism.overlap_tensor, TensorOverlap::Full);
  EXPECT_EQ(w.training.precision, Precision::Bf16);
  EXPECT_EQ(w.training.sequence_length, 4096);
}

// ---- The pages are the tables.
TEST(Keys, PagesOfImportersAreUpToDate) {
  for (const Importer& framework : frameworks()) {
    const std::string page = "docs/import/" + std::string(framework.name) + ".md";
    if (std::getenv("UPDATE_DOCS") != nullptr) {
      std::filesystem::create_directories(testing::source_dir() + "/docs/import");
      std::ofstream(testing::source_dir() + "/" + page, std::ios::binary) << import_page(framework);
      continue;
    }
    EXPECT_EQ(read_source(page), import_page(framework))
        << "UPDATE_DOCS=1 in the environment of this test writes " << page << " anew";
  }
}

// What a word of a framework stands for can be said in a scenario.
TEST(Import, WordsAreValuesOfTheirKeys) {
  for (const Importer& framework : frameworks()) {
    for (const FlagRow& row : framework.rows) {
      for (const auto& [word, value] : row.words) {
        if (!value.empty() && row.reading != Reading::Fact) {
          std::vector<Problem> problems;
          read_values(std::string(value), "a.yaml", scenario_keys(), row.key, problems);
          EXPECT_TRUE(problems.empty()) << framework.name << ": " << row.flag << " " << word
                                        << " is " << row.key << " " << value;
        }
      }
    }
  }
}

// Megatron's words for experts.
TEST(Import, MegatronsExpertsAreTaken) {
  const ParallelismSpec p =
      imported_scenario(
          "megatron",
          "torchrun --nproc_per_node 8 --nnodes 4 pretrain_gpt.py --num-layers 8 "
          "--hidden-size 1024 --num-attention-heads 8 --seq-length 4096 --vocab-size 32000 "
          "--micro-batch-size 1 --global-batch-size 64 --bf16 --main-grads-dtype bf16 "
          "--num-experts 32 --expert-model-parallel-size 8 --moe-token-dispatcher-type flex "
          "--moe-enable-deepep --overlap-moe-expert-parallel-comm "
          "--moe-expert-capacity-factor 1.5 --moe-pad-expert-input-to-capacity")
          .workload.parallelism;
  EXPECT_EQ(p.expert, 8);
  EXPECT_EQ(p.expert_exchange, TokenExchange::DeepEp);
  EXPECT_TRUE(p.overlap_pairs);
  // A rank with all experts exchanges nothing that shared ones could run beside.
  const Imported alone = imported(
      "megatron",
      "pretrain_gpt.py --num-layers 8 --hidden-size 1024 --num-attention-heads 8 --bf16 "
      "--seq-length 4096 --vocab-size 32000 --micro-batch-size 1 --global-batch-size 64 "
      "--num-experts 8 --moe-shared-expert-intermediate-size 512 --moe-shared-expert-overlap",
      {.topology = "dgx-h100", .gpus = 8});
  EXPECT_TRUE(alone.complete) << alone.scenario;
  EXPECT_TRUE(says(alone, "there is nothing to run beside")) << alone.scenario;
}

// Megatron-core's parser, run at d98e8a64dd: the layouts of its documentation and DeepSeek-V3's
// recipe.
TEST(Import, MegatronsPipelineLayoutIsRead) {
  const auto layers = [](std::string_view text) {
    return read_pipeline_layout(text).value().layers;
  };
  EXPECT_EQ(layers("Et|t|t|tL"), (std::vector<int>{1, 1, 1, 1}));
  EXPECT_EQ(layers("Et*3|(tt|)*5,t|L"), (std::vector<int>{3, 2, 2, 2, 2, 2, 1, 0}));
  EXPECT_EQ(layers("Ett|(ttt|)*2,tmL"), (std::vector<int>{2, 3, 3, 1}));
  std::vector<int> deepseek(32, 2);
  deepseek.front() = 3;
  deepseek[30] = deepseek[31] = 0;
  EXPECT_EQ(layers("Ettt|(tt|)*29,m|L"), deepseek);
  EXPECT_EQ(read_pipeline_layout("Ettt|(tt|)*29,m|L")->predicts, 30U);
  EXPECT_EQ(read_pipeline_layout("Ett|(ttt|)*2,tmL")->predicts, 3U);
  EXPECT_EQ(read_pipeline_layout("Et|tL")->predicts, std::nullopt);
  for (const char* wrong : {"", "Et|x", "(tt|*2", "t*|L", "t*99999999999"}) {
    EXPECT_FALSE(read_pipeline_layout(wrong)) << wrong;
  }
}

// What danlu has a key for since, and a part of recomputation that it has not.
TEST(Import, MegatronsNewerFlagsAreTaken) {
  const std::string text =
      "torchrun --nnodes 4 --nproc-per-node 8 pretrain_gpt.py --num-layers 9 --hidden-size 1024 "
      "--num-attention-heads 16 --seq-length 1024 --micro-batch-size 1 --vocab-size 1024 "
      "--global-batch-size 64 --pipeline-model-parallel-size 4 "
      "--pipeline-model-parallel-layout 'Ett|(ttt|)*2,tL' "
      "--main-params-dtype fp32 --main-grads-dtype bf16 --exp-avg-dtype bf16 --exp-avg-sq-dtype "
      "bf16 "
      "--bf16 --use-precision-aware-optimizer --activation-func-fp8-input-store "
      "--recompute-granularity selective --recompute-modules layernorm shared_experts";
  const Workload w = imported_scenario("megatron", text).workload;
  EXPECT_EQ(w.parallelism.stage_layers, (std::vector<int>{2, 3, 3, 1}));
  EXPECT_EQ(w.training.kept_narrow, std::vector{NarrowPart::Activation});
  const std::string fuser = text + " --use-transformer-engine-op-fuser";
  EXPECT_EQ(
      imported_scenario("megatron", fuser + " --fp8-format hybrid").workload.training.fused_casts,
      (std::vector{CastMaker::Norm, CastMaker::Activation}));
  EXPECT_TRUE(says(
      imported("megatron", fuser, {.topology = "dgx-h100"}),
      "no layer is below 16 bits, or in blocks of 128 values, which have passes of their own; and "
      "no adapter's product is fused"));
  EXPECT_EQ(w.training.gradient_bytes, 2);
  EXPECT_EQ(w.training.optimizer.state_bytes, 2);
  EXPECT_TRUE(w.training.optimizer.master);
  EXPECT_EQ(w.training.recompute_parts, std::vector{RecomputePart::LayerNorm});
  EXPECT_TRUE(
      says(imported("megatron", text, {.topology = "dgx-h100"}), "no 'shared_experts' again"));
}

// Eight bits are held, or gathered where weights are split.
TEST(Import, MegatronsNarrowWeightsAreHeldOrGathered) {
  const auto workload = [](const std::string& more) {
    const std::string text =
        "pretrain_gpt.py --micro-batch-size 1 --global-batch-size 8 --bf16 "
        "--fp8-format hybrid --fp8-param-gather " +
        more;
    return imported_scenario(
               "megatron", text,
               {.topology = "dgx-h100", .gpus = 8, .model = "llama3-8b", .sequence_length = 4096})
        .workload;
  };
  EXPECT_TRUE(workload("--use-distributed-optimizer").training.narrow_weights);
  const Workload split = workload(
      "--use-megatron-fsdp --data-parallel-sharding-strategy "
      "optim_grads_params");
  EXPECT_EQ(split.parallelism.zero, 3);
  EXPECT_FALSE(split.training.narrow_weights);
  EXPECT_EQ(split.parallelism.sharding.gather_bytes, 1);
}

// A file's program is known, and with it what its host needs and what its kernels do apart.
TEST(Import, TheFrameworkIsThatOfTheFile) {
  const auto framework_of = [](const char* from, const std::string& text) {
    return imported_scenario(
               from, text,
               {.topology = "dgx-h100", .gpus = 8, .model = "llama3-8b", .sequence_length = 4096})
        .workload.training.framework;
  };
  EXPECT_EQ(framework_of("megatron", "pretrain_gpt.py --micro-batch-size 1 --global-batch-size 8"),
            "megatron-core");
  EXPECT_EQ(framework_of("deepspeed", R"({"train_batch_size": 8})"), "huggingface");
  EXPECT_EQ(framework_of("torchtitan", "[training]\nsteps = 1\n"), "pytorch");
  EXPECT_EQ(framework_of("torchtitan", "[compile]\nenable = true\n"), "pytorch-compiled");
  EXPECT_EQ(framework_of("torchtitan", "[training]\ncompile = true\n"), "pytorch-compiled");
  EXPECT_EQ(framework_of("nemo", "model: {global_batch_size: 8}\n"), "nemo");
  EXPECT_EQ(framework_of("nemo", "train: {global_batch_size: 8}\n"), "megatron-bridge");
}

TEST(Import, NoFlagStandsInTwoRows) {
  for (const Importer& framework : frameworks()) {
    std::map<std::string, int> rows;
    for (const FlagRow& row : framework.rows) {
      std::string flag;
      for (const char letter : std::string(row.flag) + "|") {
        if (letter == '|') {
          EXPECT_EQ(++rows[flag], 1) << framework.name << ": " << flag;
          flag.clear();
        } else {
          flag += letter;
        }
      }
    }
  }
}

}  // namespace
}  // namespace danlu
