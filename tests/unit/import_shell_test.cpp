// Launch scripts as bash runs them: each expectation is what `echo` prints in its place in bash 5.
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "sim/import/import.hpp"
#include "sim/import/shell.hpp"
#include "tests/support/imports.hpp"
#include "tests/support/repeated.hpp"

namespace danlu {
namespace {

using testing::imported;
using testing::imported_scenario;
using testing::repeated;
using testing::says;

/// What `run.py --a $X` starts at the end of a script.
std::string value_after(const std::string& script) {
  const ShellScript read = read_shell(script + "\nrun.py --a $X --b 1 --c 2 --d 3", "x.sh");
  std::string joined;
  for (const ShellWord& word : read.command) {
    if (word.text == "--b") {
      return joined;
    }
    joined +=
        word.text == "run.py" || word.text == "--a" ? "" : (word.known ? "" : "?") + word.text;
  }
  return joined;
}

TEST(Shell, ListsRunWhatTheirConditionsSay) {
  EXPECT_EQ(value_after("X=1; A=0; [ \"$A\" = 1 ] && X=2"), "1");
  EXPECT_EQ(value_after("X=1; A=1; [ \"$A\" = 1 ] && X=2"), "2");
  EXPECT_EQ(value_after("X=1; A=0; [[ $A == 1 && -n $A ]] && X=2"), "1");
  EXPECT_EQ(value_after("X=1; A=0; test $A = 1 && X=2"), "1");
  EXPECT_EQ(value_after("X=1; A=0; (( A > 0 )) && X=2"), "1");
  EXPECT_EQ(value_after("X=1; A=3; (( A > 0 && A != 2 )) && X=2"), "2");
  EXPECT_EQ(value_after("A=0; [ $A = 1 ] && X=1 || X=2"), "2");
  EXPECT_EQ(value_after("A=1; [ $A = 1 ] && X=1 || X=2"), "1");
  EXPECT_EQ(value_after("X=1; A=1; ! [ $A = 1 ] && X=2"), "1");
  EXPECT_EQ(value_after("X=1; false || X=2"), "2");
  EXPECT_EQ(value_after("X=1; A=0\n[ $A = 1 ] &&\n  X=2"), "1");  // goes on behind the line's end
  EXPECT_EQ(value_after("X=1; A=0; [ $A = 1 ] && { X=2; X=3; }"), "1");
  EXPECT_EQ(value_after("X=1; A=1; [ $A = 1 ] && { X=2; X=3; }"), "3");
  EXPECT_EQ(value_after("X=1; mkdir -p logs && X=2"), "2");
  EXPECT_EQ(value_after("X=1; [ \"$HOST\" = a ] && X=2"), "?$X");  // the environment decides
  EXPECT_EQ(value_after("X=1; grep -q a b && X=2"), "?$X");
}

TEST(Shell, SumsAreCarriedOut) {
  EXPECT_EQ(value_after("X=24; (( X += 4 ))"), "28");
  EXPECT_EQ(value_after("X=24; (( X++ )); let X*=2"), "50");
  EXPECT_EQ(value_after("N=3; (( X = 2 * (N + 1) ))"), "8");
  EXPECT_EQ(value_after("X=24; (( X += ${SLURM_NNODES} ))"), "?$X");
  EXPECT_EQ(value_after("X=1; for ((i=0;i<3;i++)); do X=2; done"), "?$X");
}

TEST(Shell, FunctionsRunWhereTheyAreCalled) {
  EXPECT_EQ(value_after("X=1; f() { X=2; }"), "1");
  EXPECT_EQ(value_after("X=1; f() { X=2; }; f"), "2");
  EXPECT_EQ(value_after("X=1; function f { local X=2; Y=3; }; f; X=$X$Y"), "13");
  EXPECT_EQ(value_after("f() { X=$2; }; f a b"), "b");
  EXPECT_EQ(value_after("f() { [ $# = 2 ] && return; X=9; }; X=1; f a b"), "1");
  EXPECT_EQ(value_after("f() { f; X=2; }; X=1; f"), "2");  // however deep
}

TEST(Shell, ExpansionsAssignDefaults) {
  EXPECT_EQ(value_after(": \"${X:=2}\""), "2");
  EXPECT_EQ(value_after("X=1; : ${X:=2} ${Y=3}; X=$X$Y"), "13");
  EXPECT_EQ(value_after("Y=4; : ${X:=${Y}5}"), "45");
  EXPECT_EQ(value_after("X=; : ${X=2}"), "");
  EXPECT_EQ(value_after("[ \"$HOST\" = a ] && : ${X:=2}"), "?$X");
}

TEST(Shell, SubshellsUnsetAndExitEndWhatTheyEnd) {
  EXPECT_EQ(value_after("X=1; (X=2; export X)"), "1");
  EXPECT_EQ(value_after("X=1; (exit 0; X=2); X=3"), "3");
  EXPECT_EQ(value_after("X=1; unset X; X=${X:-2}"), "2");
  EXPECT_EQ(value_after("X=1; for X in 1 2; do echo; done"), "2");
  EXPECT_EQ(value_after("X=1; for X in $(ls); do echo; done"), "?$X");
  EXPECT_EQ(value_after("X=1; for Y in 1 2; do X=$Y; break; done"), "?$X");
  EXPECT_EQ(value_after("X=1; read -r X"), "?$X");
}

TEST(Shell, WordsOfArraysAndAlternatives) {
  EXPECT_EQ(value_after("A=1; X=${A:+yes}"), "yes");
  EXPECT_EQ(value_after("A=; X=n${A:+yes}"), "n");
  EXPECT_EQ(value_after("A=(a b c); X=\"${A[@]:1:1}\""), "b");
  EXPECT_EQ(value_after("A=(a b); Y=\"${A[@]} c\"; X=\"${Y}\""), "abc");  // words joined
  EXPECT_EQ(value_after("A=(a b c); X=${A[2]}"), "c");
  EXPECT_EQ(value_after("X=${NOBODY:+yes}"), "?${NOBODY:+yes}");
}

TEST(Shell, WhatIsLeftOutIsSaid) {
  const auto notes = [](const std::string& script) {
    std::string all;
    for (const std::string& note : read_shell(script, "x.sh").notes) {
      all += note + "\n";
    }
    return all;
  };
  EXPECT_EQ(notes("a.py --a 1 --b 2 --c 3 --d 4\nb.py --a 1 --b 2 --c 3 --d 4 --e 5"),
            "the script starts more than one program: that of line 2 is taken, of the most flags; "
            "left out: of line 1\n");
  EXPECT_EQ(notes("f() {\n A=--x; }\na.py --a 1 --b 2 --c 3 --d 4"),
            "nothing is seen to call these functions, so the flags in them are left out: f (line "
            "1)\n");
  EXPECT_EQ(notes("a.py --a 1 --b 2 --c 3 --d 4 2>&1 | tee log"), "");
}

TEST(Shell, PatternsInQuotesStandForThemselves) {
  EXPECT_EQ(value_after("A=7b; case $A in \"*\") X=1;; '?b') X=2;; 7\\*) X=3;; *) X=4;; esac"),
            "4");
  EXPECT_EQ(value_after("A='7*'; case $A in \"7*\") X=1;; *) X=4;; esac"), "1");
  EXPECT_EQ(value_after("A=7b; P='7*'; case $A in \"$P\") X=1;; $P) X=2;; *) X=4;; esac"), "2");
  EXPECT_EQ(value_after("A=7b; case $A in \"7\"*) X=1;; *) X=4;; esac"), "1");
}

TEST(Shell, LoopsThatAreTooLongAreNotDone) {
  const std::string words = repeated(" w", 1000);
  const std::string body = repeated("X=2\n", 60);
  EXPECT_EQ(value_after("X=1; for Y in" + words + "; do\n" + body + "done"), "2");
  EXPECT_EQ(value_after("X=1; for Y in" + repeated(words, 2) + "; do\n" + body + "done"), "?$X");
  EXPECT_EQ(value_after("X=1\n" + repeated("for Y in w; do\n", 2000) + "X=2\n" +
                        repeated("done\n", 2000)),
            "?$X");
}

TEST(Shell, StatementsBeyondTheMostAreTold) {
  const ShellScript read =
      read_shell("f() {\n" + repeated("X=2\n", 300) + "}\nfor Y in" + repeated(" w", 1000) +
                     "; do f; done\na.py --a 1 --b 2 --c 3 --d 4",
                 "x.sh");
  ASSERT_FALSE(read.notes.empty());
  EXPECT_EQ(read.notes[0],
            "with its loops and functions the script has more than 200000 statements: what comes "
            "after them is left out");
}

constexpr const char* kSmall =
    "torchrun --nnodes 2 --nproc-per-node 8 pretrain_gpt.py --num-layers 24 --hidden-size 2048 "
    "--num-attention-heads 16 --seq-length 2048 --max-position-embeddings 2048 "
    "--micro-batch-size 1 --global-batch-size 64 --vocab-size 51200 ";

TEST(Import, WordsThatMayHoldFlagsAreToBeFilledIn) {
  const Imported result = imported(
      "megatron", std::string(kSmall) + "--bf16 $EXTRA_ARGS \"$@\" --swiglu ${MORE[@]} --lr $LR",
      {.topology = "dgx-h100"});
  EXPECT_TRUE(says(result,
                   "the flags in them are left out: $EXTRA_ARGS (line 1), $@ (line 1), "
                   "${MORE[@]} (line 1)"))
      << result.scenario;
  EXPECT_TRUE(says(result, "gated_mlp: true")) << result.scenario;
  EXPECT_TRUE(says(result, "precision: bf16")) << result.scenario;
}

// --hierarchical-context-parallel-sizes 2 4: all-to-alls of 2 within rings of 4.
TEST(Import, TwoLevelsOfContextParallelismAreBoth) {
  const std::string flags = std::string(kSmall) + "--context-parallel-size 8 --bf16 ";
  const Workload w = imported_scenario("megatron", flags +
                                                       "--cp-comm-type a2a+p2p "
                                                       "--hierarchical-context-parallel-sizes "
                                                       "2 4")
                         .workload;
  EXPECT_EQ(w.parallelism.ulysses, 2);
  EXPECT_EQ(w.parallelism.context, 4);
  EXPECT_THROW(imported("megatron",
                        flags + "--cp-comm-type a2a+p2p --hierarchical-context-parallel-sizes 2 2",
                        {.topology = "dgx-h100"}),
               InputError);
  EXPECT_FALSE(
      imported("megatron", flags + "--cp-comm-type a2a+p2p", {.topology = "dgx-h100"}).complete);
}

TEST(Import, EveryFlagIsALineOrListed) {
  const Imported result = imported(
      "megatron", std::string(kSmall) + "--bf16 --data-parallel-sharding-strategy optim_grads",
      {.topology = "dgx-h100"});
  EXPECT_TRUE(says(result, "--data-parallel-sharding-strategy, line 1")) << result.scenario;
}

// ---- torchtitan. 256 GPUs are 8 replicas of 4 stages x tensor 8: with local batches of 4 a step
// of 512 sequences is 16 runs of the schedule with 4 microbatches: 16 (4 + 3) / (64 + 3) = 1.67.
constexpr const char* kStages = R"toml([model]
name = "llama3"
flavor = "8B"
[training]
local_batch_size = 4
global_batch_size = 512
seq_len = 8192
[parallelism]
tensor_parallel_degree = 8
pipeline_parallel_degree = 4
pipeline_parallel_schedule = "1F1B"
)toml";

TEST(Import, AccumulationOverAPipelineIsTold) {
  const Imported many = imported("torchtitan", kStages, {.topology = "dgx-h100", .gpus = 256});
  EXPECT_TRUE(says(many,
                   "torchtitan plays its schedule 16 times in a step, with 4 microbatches each, "
                   "danlu once with all 64: by the closed form of its bubble a step takes 1.67 "
                   "times as long"))
      << many.scenario;
  const Imported once =
      imported("torchtitan", kStages, {.topology = "dgx-h100", .gpus = 256, .global_batch = 32});
  EXPECT_FALSE(says(once, "accumulation")) << once.scenario;
  // 512 sequences are not local batches of 4 on 3 replicas.
  EXPECT_THROW(imported("torchtitan", kStages, {.topology = "dgx-h100", .gpus = 96}), InputError);
}

// In mid-2024 there was one degree of data parallelism, FSDP's: 4 x 2 stages are 8 GPUs.
TEST(Import, OldestFilesOfTorchtitanHaveOneDegreeOfData) {
  const std::string file =
      "[model]\nname = \"llama3\"\nflavor = \"8B\"\n[training]\nbatch_size = 8\n"
      "data_parallel_degree = 4\ntensor_parallel_degree = 1\n"
      "[experimental]\npipeline_parallel_degree = 2\n";
  const ImportOptions options{.topology = "dgx-h100"};
  EXPECT_EQ(imported_scenario("torchtitan", file, options).cluster.gpus, 8);
  const std::string compiled = file + "[compile]\nenable = ";
  EXPECT_EQ(imported_scenario("torchtitan", compiled + "true\n", options).workload.training.loss,
            Loss::Eager);
  EXPECT_THROW(imported("torchtitan", compiled + "\"banana\"\n", options), InputError);
}

// Until April 2025 a file named the number of microbatches, by default that of the stages, and had
// its degrees under [experimental].
TEST(Import, OldFilesOfTorchtitanNumberTheirMicrobatches) {
  const std::string file =
      "[model]\nname = \"llama3\"\nflavor = \"8B\"\n[training]\nbatch_size = 32\n"
      "[experimental]\npipeline_parallel_degree = 4\npipeline_parallel_schedule = \"1F1B\"\n";
  const ImportOptions options{.topology = "dgx-h100", .gpus = 8};
  const Imported by_default = imported("torchtitan", file, options);
  EXPECT_TRUE(says(by_default, "as many microbatches as stages")) << by_default.scenario;
  EXPECT_EQ(imported_scenario("torchtitan", file, options).workload.training.micro_batch, 8);
  const std::string sixteen = file + "pipeline_parallel_microbatches = 16\n";
  EXPECT_EQ(imported_scenario("torchtitan", sixteen, options).workload.training.micro_batch, 2);
  EXPECT_THROW(imported("torchtitan", file + "pipeline_parallel_microbatches = 5\n", options),
               InputError);
  // With the key of later files: its sequences.
  const std::string both = sixteen + "[parallelism]\npipeline_parallel_microbatch_size = 1\n";
  EXPECT_EQ(imported_scenario("torchtitan", both, options).workload.training.micro_batch, 1);
}

TEST(Import, DegreesOfTorchtitanMakeUpTheGpus) {
  const std::string file =
      "[model]\nname = \"llama3\"\nflavor = \"8B\"\n[parallelism]\ntensor_parallel_degree = 2\n";
  const std::string degrees =
      "data_parallel_shard_degree = 4\ndata_parallel_replicate_degree = 2\n";
  const Scenario scenario = imported_scenario("torchtitan", file + degrees);
  EXPECT_EQ(scenario.cluster.gpus, 16);  // 2 x 4 x 2
  EXPECT_EQ(scenario.workload.parallelism.zero, 3);
  EXPECT_EQ(scenario.workload.parallelism.sharding.ranks, 4);
  const auto refused = [&](const std::string& more, int gpus) -> std::string {
    try {
      imported("torchtitan", file + more, {.topology = "dgx-h100", .gpus = gpus});
    } catch (const InputError& error) {
      return error.problems()[0].message + "; " + error.problems()[0].hint;
    }
    return "";
  };
  EXPECT_EQ(refused(degrees, 16), "");
  EXPECT_EQ(refused(degrees, 64),
            "2 replicated x 4 sharded are not the 32 replicas of 64 GPUs; torchtitan refuses such "
            "a plan; it is one of --gpus 16");
  EXPECT_EQ(refused("data_parallel_replicate_degree = 3\n", 64),
            "3 do not divide the 32 replicas of 64 GPUs; torchtitan refuses such a plan; --gpus "
            "says how many there are");
}

/// Until spring 2025 degrees stood under [training], float8 had a switch of its own until January.
TEST(Import, TorchTitanReadsKeysWhereTheyStoodBefore) {
  const auto is_as = [](const std::string& before, const std::string& now) {
    const auto of = [](const std::string& more) {
      return imported("torchtitan", "[model]\nname = \"llama3\"\nflavor = \"8B\"\n" + more,
                      {.topology = "dgx-h100", .gpus = 64})
          .scenario;
    };
    const auto values = [](std::string text) {  // without where they come from
      return std::regex_replace(text, std::regex(" *#[^\n]*"), "");
    };
    EXPECT_EQ(values(of(before)), values(of(now)));
    return of(now);
  };
  const std::string degrees =
      "tensor_parallel_degree = 8\ndata_parallel_shard_degree = 1\n"
      "data_parallel_replicate_degree = 8\n";
  const std::string plan = is_as("[training]\n" + degrees, "[parallelism]\n" + degrees);
  EXPECT_NE(plan.find("tensor: 8"), std::string::npos) << plan;
  const std::string narrow =
      is_as("[float8]\nenable_float8_linear = true\n", "converters = \"float8\"\n");
  EXPECT_NE(narrow.find("precision: fp8"), std::string::npos) << narrow;
}

TEST(Import, NarrowGathersNeedTheirConverter) {
  const Imported result = imported("torchtitan",
                                   "[model]\nname = \"llama3\"\nflavor = \"8B\"\n[float8]\n"
                                   "enable_fsdp_float8_all_gather = true\n",
                                   {.topology = "dgx-h100", .gpus = 8});
  EXPECT_TRUE(says(result,
                   "nothing is converted to float8: "
                   "float8.enable_fsdp_float8_all_gather, line 5"))
      << result.scenario;
}

TEST(Import, DeepSpeedsShareOfTheOptimizerIsTold) {
  const auto told = [](const std::string& ratio) {
    return says(
        imported(
            "deepspeed",
            R"({"train_batch_size": 256, "bf16": {"enabled": true},
                             "zero_optimization": {"stage": 3, "offload_optimizer":
                               {"device": "cpu", "ratio": )" +
                ratio + "}}}",
            {.topology = "dgx-h100", .gpus = 8, .model = "llama3-8b", .sequence_length = 8192}),
        "the CPUs update that share, the GPUs the rest");
  };
  EXPECT_TRUE(told("0.3"));
  EXPECT_FALSE(told("1.0"));
}

// ---- DeepSpeed: DeepSpeedEngine.get_data_types.
TEST(Import, DeepSpeedAccumulatesBf16WithoutZeroInFp32) {
  const auto gradients = [](const std::string& more) {
    return imported(
        "deepspeed", "{\"train_batch_size\": 256, " + more + "}",
        {.topology = "dgx-h100", .gpus = 8, .model = "llama3-8b", .sequence_length = 8192});
  };
  const Imported plain = gradients(R"("bf16": {"enabled": true})");
  EXPECT_TRUE(says(plain, "gradients: fp32")) << plain.scenario;
  EXPECT_TRUE(says(plain, "BF16_Optimizer")) << plain.scenario;
  EXPECT_TRUE(says(gradients(R"("fp16": {"enabled": true})"), "gradients: 16bit"));
  EXPECT_TRUE(says(gradients(R"("bf16": {"enabled": true}, "zero_optimization": {"stage": 1})"),
                   "gradients: 16bit"));
  EXPECT_THROW(gradients(R"("bf16": {"enabled": true}, "fp16": {"enabled": true})"), InputError);
}

}  // namespace
}  // namespace danlu
