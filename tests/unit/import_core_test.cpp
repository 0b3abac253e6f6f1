// What Megatron-core's settings become under the names of Megatron-LM, of NeMo and of
// Megatron-Bridge. What they mean stands in megatron/core/transformer/transformer_config.py.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/support/imports.hpp"

namespace danlu {
namespace {

using testing::imported;
using testing::imported_scenario;
using testing::kEight;
using testing::says;

std::string megatron(const std::string& flags) {
  return "pretrain_gpt.py --micro-batch-size 1 --global-batch-size 8 --bf16 " + flags;
}
std::string bridge(const std::string& more) {
  return "train: {global_batch_size: 8, micro_batch_size: 1}\n" + more + "\n";
}
Workload from_megatron(const std::string& flags, const ImportOptions& options = kEight) {
  return imported_scenario("megatron", megatron(flags), options).workload;
}
Workload from_bridge(const std::string& more) {
  return imported_scenario("nemo", bridge(more), kEight).workload;
}

// Of each kind and of each list of parts, under both names.
TEST(Import, CudaGraphsAreThoseOfTheirParts) {
  using enum CudaGraphs;
  for (const auto& [kind, parts, graphs] :
       std::vector<std::tuple<std::string, std::string, CudaGraphs>>{
           {"transformer_engine", "moe_router moe_preprocess", Routers},
           {"local", "moe_router", Routers},
           {"transformer_engine", "attn moe_router moe_preprocess", Layers},
           {"transformer_engine", "attn mlp", Layers},
           {"local", "full", Layers},
           {"local", "", Layers},
           {"local", "full_iteration", Full},
           {"none", "full_iteration", Full},
           {"full_iteration", "", Full},
           {"none", "attn mlp", None},
           {"transformer_engine", "attn", None},
           {"transformer_engine", "attn moe", None}}) {
    const std::string flags = "--cuda-graph-impl " + kind +
                              (parts.empty() ? "" : " --cuda-graph-scope " + parts) +
                              " --sequence-parallel";
    EXPECT_EQ(from_megatron(flags).host.graphs, graphs) << flags;
    std::string list = parts;
    for (std::size_t at = list.find(' '); at != std::string::npos; at = list.find(' ', at + 2)) {
      list.replace(at, 1, ", ");
    }
    const std::string keys = "model: {cuda_graph_impl: " + kind +
                             (parts.empty() ? "" : ", cuda_graph_modules: [" + list + "]") + "}";
    EXPECT_EQ(from_bridge(keys).host.graphs, graphs) << keys;
  }
  EXPECT_EQ(from_megatron("--enable-cuda-graph").host.graphs, Layers);
  EXPECT_EQ(from_megatron("--external-cuda-graph").host.graphs, Layers);
  EXPECT_EQ(from_megatron("--cuda-graph-scope attn mlp").host.graphs, None);
  const Imported attention =
      imported("megatron", megatron("--external-cuda-graph --cuda-graph-scope attn"), kEight);
  EXPECT_EQ(attention.remarks,
            std::vector<std::string>{
                "--cuda-graph-scope, line 1: danlu has graphs of whole layers, of routers and of "
                "whole passes, not of these parts alone"});
  const Imported routers =
      imported("megatron", megatron("--external-cuda-graph --cuda-graph-scope moe_router"), kEight);
  EXPECT_EQ(routers.remarks,
            std::vector<std::string>{"--cuda-graph-scope, line 1: danlu takes moe_preprocess into "
                                     "the graphs of moe_router"});
}

// Experts on 64 ranks, 8 nodes of 8: groups of one node, of two, and several of them on a node.
TEST(Import, GroupsOfExpertsLimitNodes) {
  const auto most = [](const std::string& flags, const std::string& exchange, int ranks = 64) {
    return from_megatron(
               "--nproc-per-node 8 --nnodes 16 --num-layers 4 --hidden-size 1024 "
               "--num-attention-heads 16 --vocab-size 32000 --num-experts 128 "
               "--moe-router-topk 8 --expert-model-parallel-size " +
                   std::to_string(ranks) + " --global-batch-size 128 " + exchange + " " + flags,
               {.topology = "dgx-h100", .sequence_length = 4096})
        .training.routing.most_nodes;
  };
  const std::string deepep = "--moe-token-dispatcher-type flex --moe-enable-deepep";
  EXPECT_EQ(most("--moe-router-num-groups 8 --moe-router-group-topk 4", deepep), 4);
  EXPECT_EQ(most("--moe-router-num-groups 4 --moe-router-group-topk 2", deepep), 4);
  EXPECT_EQ(most("--moe-router-num-groups 16 --moe-router-group-topk 4", deepep), 4);
  EXPECT_EQ(most("--moe-router-num-groups 16 --moe-router-group-topk 8", deepep), 0);
  EXPECT_EQ(most("--moe-router-num-groups 8 --moe-router-group-topk 4", deepep, 8), 0);
  EXPECT_EQ(most("--moe-router-num-groups 8 --moe-router-group-topk 4", ""), 0);
  EXPECT_EQ(most("", deepep), 0);
}

TEST(Import, FusionsOfTheLossAreTold) {
  EXPECT_EQ(from_megatron("").training.loss, Loss::InPlace);
  EXPECT_EQ(from_megatron("--cross-entropy-loss-fusion").training.loss, Loss::FusedWide);
  EXPECT_EQ(
      from_megatron("--cross-entropy-loss-fusion --cross-entropy-fusion-impl te").training.loss,
      Loss::Fused);
  EXPECT_EQ(from_bridge("model: {seq_length: 1}").training.loss, Loss::Fused);  // its recipes
  EXPECT_EQ(from_bridge("model: {cross_entropy_loss_fusion: true, cross_entropy_fusion_impl: "
                        "native}")
                .training.loss,
            Loss::FusedWide);
  const Workload apart = from_bridge("model: {cross_entropy_loss_fusion: false}");
  EXPECT_EQ(apart.training.loss, Loss::InPlace);
  EXPECT_EQ(apart.training.unfused, std::vector{UnfusedPart::Loss});
}

// What is not fused stands beside what the framework leaves so.
TEST(Import, FusionsThatAreSwitchedOffAreTold) {
  using enum UnfusedPart;
  EXPECT_EQ(from_megatron("").training.unfused, (std::vector{Copies, UnfusedPart::Loss}));
  EXPECT_EQ(from_megatron("--no-rope-fusion --no-bias-swiglu-fusion").training.unfused,
            (std::vector{Copies, UnfusedPart::Loss, Positions, Activation}));
  EXPECT_EQ(from_megatron("--no-masked-softmax-fusion").training.unfused,
            (std::vector{Copies, UnfusedPart::Loss}));  // fused attention has none
  EXPECT_EQ(
      from_megatron("--no-masked-softmax-fusion --attention-backend unfused").training.unfused,
      (std::vector{Copies, UnfusedPart::Loss, Softmax}));
  EXPECT_EQ(from_bridge("model: {apply_rope_fusion: false, masked_softmax_fusion: true}")
                .training.unfused,
            std::vector{Positions});
  EXPECT_FALSE(from_megatron("").training.accumulates_apart);
  EXPECT_TRUE(from_megatron("--no-gradient-accumulation-fusion").training.accumulates_apart);
  EXPECT_TRUE(
      from_bridge("model: {gradient_accumulation_fusion: false}").training.accumulates_apart);
  EXPECT_EQ(from_megatron("--transformer-impl local").training.attention, AttentionKind::Unfused);
  EXPECT_EQ(from_megatron("--transformer-impl local --use-flash-attn").training.attention,
            AttentionKind::Flash);
}

TEST(Import, FirstAndLastLayersStayWide) {
  const auto wide = [](const Workload& w) {
    return std::pair(w.training.wide_first_layers, w.training.wide_last_layers);
  };
  EXPECT_EQ(wide(from_megatron("--fp8-format hybrid --first-last-layers-bf16")), std::pair(1, 1));
  EXPECT_EQ(wide(from_megatron("--fp8-format hybrid --first-last-layers-bf16 "
                               "--num-layers-at-start-in-bf16 3 --num-layers-at-end-in-bf16 0")),
            std::pair(3, 0));
  EXPECT_EQ(wide(from_megatron("--fp8-format hybrid --num-layers-at-start-in-bf16 3")),
            std::pair(0, 0));
  EXPECT_EQ(wide(from_megatron("--first-last-layers-bf16")), std::pair(0, 0));
  EXPECT_EQ(wide(from_bridge("mixed_precision: {bf16: true, fp8: hybrid, first_last_layers_bf16: "
                             "true, num_layers_at_end_in_bf16: 2}")),
            std::pair(0, 2));
}

TEST(Import, TheHeadIsNarrowWithMxfp8Alone) {
  ImportOptions eight = kEight;
  eight.topology = "hgx-b200";
  const auto wide = [&](const char* framework, const std::string& text) {
    return imported_scenario(framework, text, eight).workload.training.wide_head;
  };
  const std::string mxfp8 = "--fp8-format e4m3 --fp8-recipe mxfp8 ";
  EXPECT_TRUE(wide("megatron", megatron(mxfp8)));
  EXPECT_FALSE(wide("megatron", megatron(mxfp8 + "--fp8-output-proj")));
  EXPECT_TRUE(wide("megatron", megatron("--fp8-format hybrid --fp8-output-proj")));
  EXPECT_FALSE(wide("nemo", bridge("mixed_precision: bf16_with_mxfp8_mixed\n"
                                   "model: {fp8_output_proj: true}")));
}

// Megatron-Bridge lays its mixed precision over the model and ddp (MixedPrecisionConfig.setup):
// what of it holds is what its recipes say (megatron/bridge/training/mixed_precision.py).
TEST(Import, MixedPrecisionOfMegatronBridgeIsItsRecipe) {
  const Workload current = from_bridge("mixed_precision: bf16_with_fp8_current_scaling_mixed");
  EXPECT_EQ(current.training.precision, Precision::Fp8);
  EXPECT_EQ(current.training.fp8_recipe, Fp8Recipe::Tensorwise);
  EXPECT_TRUE(current.training.narrow_weights);
  EXPECT_EQ(current.training.wide_first_layers, 1);
  EXPECT_EQ(current.training.wide_last_layers, 1);
  EXPECT_EQ(current.training.gradient_bytes, 4);
  const Workload blocks = from_bridge("mixed_precision: bf16-with-fp8-subchannel-scaling-mixed");
  EXPECT_EQ(blocks.training.fp8_recipe, Fp8Recipe::Blockwise);
  EXPECT_FALSE(blocks.training.narrow_weights);
  EXPECT_EQ(from_bridge("mixed_precision: fp16_mixed").training.gradient_bytes, 2);

  const Workload written = from_bridge(
      "mixed_precision: {bf16: true, fp8: hybrid, fp8_recipe: blockwise, fp8_param_gather: true, "
      "grad_reduce_in_fp32: false}");
  EXPECT_EQ(written.training.precision, Precision::Fp8);
  EXPECT_EQ(written.training.fp8_recipe, Fp8Recipe::Blockwise);
  EXPECT_TRUE(written.training.narrow_weights);
  EXPECT_EQ(written.training.gradient_bytes, 2);
}

TEST(Import, GradientsAreAsWideAsWhatIsLaidOverDdp) {
  const auto bytes = [](const std::string& text) {
    return from_bridge(text).training.gradient_bytes;
  };
  EXPECT_EQ(bytes("ddp: {grad_reduce_in_fp32: false}\nmodel: {fp8: true}"), 2);
  EXPECT_EQ(bytes("ddp: {grad_reduce_in_fp32: true}\nmodel: {fp8: true}"), 4);
  const std::string both = "ddp: {grad_reduce_in_fp32: false}\nmixed_precision: bf16_mixed";
  EXPECT_EQ(bytes(both), 4);
  EXPECT_EQ(imported("nemo", bridge(both), kEight).remarks,
            std::vector<std::string>{
                "ddp.grad_reduce_in_fp32, line 2: mixed_precision, which Megatron-Bridge lays over "
                "ddp, has grad_reduce_in_fp32 true; write it there"});
}

TEST(Import, PartsThatAreRecomputedAreRead) {
  using enum RecomputePart;
  const auto parts = [](const std::string& more) {
    return from_bridge("model: {recompute_granularity: selective" + more + "}")
        .training.recompute_parts;
  };
  EXPECT_EQ(parts(""), std::vector{CoreAttention});
  EXPECT_EQ(parts(", recompute_modules: [moe_act, layernorm]"),
            (std::vector{ExpertActivation, LayerNorm}));
  EXPECT_EQ(parts(", recompute_modules: [mlp, shared_experts]"), std::vector{Mlp});
  EXPECT_TRUE(says(imported("nemo",
                            bridge("model: {recompute_granularity: selective, recompute_modules: "
                                   "[shared_experts]}"),
                            kEight),
                   "danlu computes no 'shared_experts' again by itself"));
}

// Prediction on the part before the loss has a key; further before it danlu cannot play it.
TEST(Import, APartForPredictionAloneIsTaken) {
  const auto from_layout = [](const std::string& layout) {
    return imported("megatron",
                    "pretrain_gpt.py --num-layers 61 --hidden-size 1024 --num-attention-heads 16 "
                    "--seq-length 1024 --micro-batch-size 1 --vocab-size 1024 --bf16 "
                    "--global-batch-size 64 --pipeline-model-parallel-size 16 --mtp-num-layers 1 "
                    "--pipeline-model-parallel-layout '" +
                        layout + "'",
                    {.topology = "dgx-h100", .gpus = 16});
  };
  const auto workload_of = [&](const std::string& layout) {
    const Imported made = from_layout(layout);
    EXPECT_EQ(made.remarks, std::vector<std::string>{});
    EXPECT_TRUE(made.complete);
    return load_scenario_text(made.scenario, "imported.yaml", testing::shipped_presets()).workload;
  };
  const Workload apart = workload_of("Et*3|(tt|)*29,m|L");
  EXPECT_TRUE(apart.parallelism.prediction_before_head);
  EXPECT_TRUE(apart.predicts({14, 1}));
  EXPECT_EQ(apart.layers_at({14, 1}), 0);
  EXPECT_EQ(apart.layers_at({15, 1}), 0);
  EXPECT_FALSE(workload_of("Et*3|(tt|)*28t|t|mL").parallelism.prediction_before_head);
  EXPECT_EQ(from_layout("Et*3|(tt|)*28tt,m||L").remarks,
            std::vector<std::string>{"layers that predict more (m) lie on the last part in danlu, "
                                     "or on the one before it: leave no empty part behind them"});
}

// What its sections ddp and optimizer say, and danlu has a key for.
TEST(Import, MegatronBridgesSectionsAreTaken) {
  const Workload w = from_bridge(
      "ddp: {use_megatron_fsdp: true, data_parallel_sharding_strategy: optim_grads_params, "
      "num_distributed_optimizer_instances: 2}\n"
      "optimizer: {optimizer: adam, exp_avg_dtype: torch.bfloat16, exp_avg_sq_dtype: bf16}");
  EXPECT_EQ(w.parallelism.zero, 3);
  EXPECT_EQ(w.parallelism.sharding.ranks, 4);
  EXPECT_EQ(w.training.optimizer.state_bytes, 2);
  EXPECT_TRUE(from_bridge("optimizer: {optimizer_cpu_offload: true}").offload.optimizer);
}

// DeepSpeed's ZeRO-2 and -3 copy gradients down as they come; ZeRO-1 at the end of a step.
TEST(Import, DeepSpeedsGradientsGoDownAsTheyCome) {
  const auto with_stage = [](int stage) {
    return imported_scenario("deepspeed",
                             R"({"train_batch_size": 8, "bf16": {"enabled": true},
                                 "zero_optimization": {"stage": )" +
                                 std::to_string(stage) +
                                 R"(, "offload_optimizer": {"device": "cpu"}}})",
                             kEight)
        .workload.offload;
  };
  for (const int stage : {1, 2, 3}) {
    EXPECT_TRUE(with_stage(stage).optimizer) << stage;
    EXPECT_EQ(with_stage(stage).gradients_in_backward, stage > 1) << stage;
  }
}

// `auto` leaves the batch to the training code: --global-batch says it, and with it the microbatch.
TEST(Import, TheGlobalBatchIsAnOption) {
  ImportOptions options = kEight;
  options.global_batch = 64;
  const Imported result = imported(
      "deepspeed", R"({"train_batch_size": "auto", "gradient_accumulation_steps": 4})", options);
  EXPECT_TRUE(result.complete) << result.scenario;
  EXPECT_TRUE(says(result, "global_batch: 64                           # --global-batch of danlu"))
      << result.scenario;
  EXPECT_TRUE(says(result,
                   "micro_batch: 2                             # --global-batch / 8 "
                   "replicas / gradient_accumulation_steps"))
      << result.scenario;
  for (const char* framework : {"megatron", "nemo", "torchtitan"}) {
    const std::string text = framework == std::string("megatron") ? megatron("--train-iters 10")
                             : framework == std::string("nemo")
                                 ? bridge("trainer: {max_steps: 10}")
                                 : "[training]\nglobal_batch_size = 16\nlocal_batch_size = 1\n";
    EXPECT_EQ(imported_scenario(framework, text, options).workload.training.global_batch, 64)
        << framework;
  }
  EXPECT_TRUE(says(imported("deepspeed", R"({"train_batch_size": "auto"})", kEight),
                   "global_batch: FILL-IN                      # fill in: train_batch_size is not "
                   "given; --global-batch NUMBER says it"));
}

}  // namespace
}  // namespace danlu
