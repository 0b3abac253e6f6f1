// The rules that make a row of a table of training runs a scenario.
#include "sim/validation/training_table.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/validation/training_parts.hpp"
#include "tests/support/support.hpp"
#include "tests/support/training_rows.hpp"

namespace danlu {
namespace {

using testing::Cells;
using testing::convert_cells;
using testing::near;
using testing::scenario_of;
using testing::shipped_presets;
using testing::with;
using testing::workload_of;

TEST(Network, ReadsWhatTablesSay) {
  NetworkText text = parse_network("4x Omni-Path 100Gb/s per node (reached 44-57Gb/s)");
  EXPECT_EQ(text.nics, 4);
  EXPECT_EQ(text.nic_gbps, 100);
  text = parse_network("1600 Gb/s/node RoCE");
  EXPECT_FALSE(text.nics);
  EXPECT_EQ(text.node_gbps, 1600);
  text = parse_network("800 Gb/s per node (4x HDR200), as its config says");
  EXPECT_EQ(text.nics, 4);
  EXPECT_EQ(text.node_gbps, 800);
  text = parse_network("8x400Gb/s NDR ConnectX-7 per node");
  EXPECT_EQ(text.nics, 8);
  EXPECT_EQ(text.nic_gbps, 400);
  text = parse_network("RoCE2, 500GB/s NIC per node");
  EXPECT_EQ(text.node_gbps, 4000);
  text = parse_network("400Gb/s RoCE per GPU, 3-layer Clos");
  EXPECT_TRUE(text.nic_per_gpu);
  EXPECT_EQ(text.nic_gbps, 400);
  text = parse_network("400Gbps (per node, as the heading says)");
  EXPECT_EQ(text.node_gbps, 400);
  text = parse_network("HDR IB (Selene)");
  EXPECT_FALSE(text.nics);
  EXPECT_EQ(text.nic_gbps, 200);
  text = parse_network("");
  EXPECT_FALSE(text.nics || text.nic_gbps || text.node_gbps);
}

constexpr const char* kHeader =
    "id,source,date,gpu,gpus,gpus_per_node,interconnect_intra,interconnect_inter,model,layers,"
    "hidden,"
    "ffn_hidden,gated_mlp,heads,kv_heads,vocab,seq_len,moe_experts,global_batch_seqs,micro_batch,"
    "tp,"
    "pp,vpp,cp,dp,sequence_parallel,zero_stage_or_sharding,recompute,attention_kernel,dtype,"
    "step_time_s,tokens_per_s_per_gpu\n";

Conversion convert_row(const std::string& row) {
  const CsvTable table = parse_csv(kHeader + row + "\n", "t.csv");
  return convert(table, table.rows()[0], shipped_presets());
}

TEST(TrainingRow, GptOnA100) {
  const Conversion row = convert_row(
      "a,paper,2021,A100-80GB-SXM,64,8,NVLink3,4x Omni-Path 100Gb/s per "
      "node,GPT-3,96,12288,49152,0,"
      "96,96,51200,2048,,64,1,8,8,3,,1,yes,none (DP=1),selective,unfused (no FlashAttention),fp16,"
      "13.75,");
  EXPECT_EQ(row.device, "A100");
  EXPECT_EQ(row.published_step_s, 13.75);
  const Scenario scenario = scenario_of(row);
  const TopologySpec& node = scenario.cluster.topology;
  EXPECT_EQ(node.nics_per_node, 4);
  EXPECT_TRUE(near(node.nic_bandwidth / 100_Gbps, 1));
  const Workload& w = scenario.workload;
  EXPECT_EQ(w.training.attention, AttentionKind::Unfused);
  EXPECT_EQ(w.training.recompute, Recompute::Selective);
  EXPECT_EQ(w.training.precision, Precision::Fp16);
  EXPECT_EQ(w.training.gradient_bytes, 2);
  EXPECT_TRUE(w.training.dropout && w.parallelism.sequence && w.model.tied_embeddings);
  EXPECT_EQ(w.training.chunks, 3);
  EXPECT_EQ(w.parallelism.overlap_tensor, TensorOverlap::None);  // too early
  EXPECT_EQ(w.model.positions, 2048);
}

// 64 x 4096 tokens a step, 8 GPUs at 4,096 tokens/s each: 8 s.
TEST(TrainingRow, LlamaFromTokensPerSecond) {
  const Conversion row = convert_row(
      "b,page,26.04 Container,H100-80GB-SXM (GCP A3),8,8,,,Llama-3 8B,32,4096,14336,1,32,8,128256,"
      "4096,,64,1,2,1,,,,no,\"distributed optimizer (ZeRO-1), "
      "overlapped\",selective,,FP8-CS,,4096");
  EXPECT_TRUE(near(row.published_step_s, 8));
  const Workload w = scenario_of(row).workload;
  EXPECT_EQ(w.training.precision, Precision::Fp8);
  EXPECT_EQ(w.training.attention, AttentionKind::Flash);
  EXPECT_EQ(w.training.recompute, Recompute::None);  // fused attention leaves nothing to repeat
  EXPECT_EQ(w.parallelism.data, 4);
  EXPECT_EQ(w.parallelism.zero, 1);
  EXPECT_TRUE(w.parallelism.overlap_data);
  EXPECT_EQ(w.parallelism.overlap_tensor, TensorOverlap::Backward);
  EXPECT_FALSE(w.model.tied_embeddings || w.model.biases != kNoBiases || w.training.dropout);
  EXPECT_EQ(w.model.kv_heads, 8);
}

TEST(TrainingRow, BoardsOfFourV100JoinPairsByTwoLinks) {
  const Scenario scenario =
      scenario_of(convert_row("c,log,2021,V100-32GB-SXM2,8,4,NVLink2,,GPT,24,2048,8192,0,16,16,"
                              "50304,1024,,64,4,4,2,1,,1,no,"
                              "none,full,unfused,fp16,2,"));
  const TopologySpec& node = scenario.cluster.topology;
  EXPECT_EQ(node.gpus_per_node, 4);
  EXPECT_EQ(node.nics_per_node, 2);
  ASSERT_EQ(node.mesh_links.size(), 6U);
  for (const MeshLink& link : node.mesh_links) {
    EXPECT_EQ(link.count, 2);
  }
}

// A slice of TPUs has the axes that the row states, and the NICs of its hosts.
TEST(TrainingRow, SlicesOfATorusHaveTheirAxes) {
  const auto row = [](const char* joined) {
    return convert_row(std::string("c,log,2025,TPU v6e,32,32,") + joined +
                       ",,Llama,32,4096,14336,1,32,8,128256,4096,,64,2,1,1,1,,32,no,"
                       "FSDP,full,splash flash,bf16,2,");
  };
  const TopologySpec node = scenario_of(row("torus 4x8")).cluster.topology;
  EXPECT_EQ(node.gpus_per_node, 32);
  EXPECT_EQ(node.scale_up_dims, (std::vector{4, 8}));
  EXPECT_EQ(node.nics_per_node, 8);
  EXPECT_EQ(row("ICI").reason(), "axes of a torus not stated");
}

// 18 links of 25 GB/s to three others, 6 to each; boards of eight have NVSwitches.
TEST(TrainingRow, BoardsOfFourHopperJoinPairsWithoutASwitch) {
  const auto board = [](const char* joined) {
    return scenario_of(convert_row(std::string("c,log,2025,H100-80GB-SXM,8,4,") + joined +
                                   ",,Llama,32,4096,14336,1,32,8,128256,4096,,64,4,4,1,1,,2,yes,"
                                   "none,full,flash,bf16,2,"))
        .cluster.topology;
  };
  const TopologySpec node = board("NVLink");
  EXPECT_EQ(node.scale_up, ScaleUpKind::Mesh);
  ASSERT_EQ(node.mesh_links.size(), 6U);
  EXPECT_EQ(node.scale_up_bandwidth, 150_GBps);
  EXPECT_EQ(board("NVLink4/NVSwitch").scale_up, ScaleUpKind::Switch);
}

TEST(TrainingRow, RackOfGb200IsOneDomain) {
  const Scenario scenario =
      scenario_of(convert_row("d,page,2025,GB200,144,4,NVL72 NVLink5,4x400Gb/s CX-7 per 4-GPU "
                              "tray,Llama,32,4096,14336,1,32,8,"
                              "128256,4096,,144,1,4,1,,,36,yes,ZeRO-1,none,,bf16,2,"));
  EXPECT_EQ(scenario.cluster.topology.gpus_per_node, 72);
  EXPECT_EQ(scenario.cluster.topology.nics_per_node, 72);
}

// Ranks that share a sequence are no replicas; a ring unless the row says Ulysses, and ZeRO is over
// them, too.
TEST(TrainingRow, SharesSequences) {
  const auto parallelism = [](const std::string& cp, const std::string& dp,
                              const std::string& sequence) {
    return scenario_of(
               convert_row(
                   "c,x,2024,H100-80GB-SXM,16,8,,,L,32,4096,14336,1,32,8,128256,32768,,64,1,2,"
                   "1,," +
                   cp + "," + dp + "," + sequence + ",ZeRO-1,none,,bf16,2,"))
        .workload.parallelism;
  };
  const ParallelismSpec ring = parallelism("8", "1", "yes");
  EXPECT_EQ(ring.context, 8);
  EXPECT_EQ(ring.data, 1);
  EXPECT_EQ(ring.zero, 1);
  EXPECT_EQ(ring.context_exchange, ContextExchange::Ring);
  const ParallelismSpec heads = parallelism("4", "2", "Ulysses SP=4");
  EXPECT_EQ(heads.ulysses, 4);
  EXPECT_EQ(heads.context, 1);
  EXPECT_EQ(heads.data, 2);
}

TEST(TrainingRow, TellsEverythingThatIsInTheWay) {
  EXPECT_EQ(
      convert_row("e,x,2024,A800/H800-80GB (either),8,8,,,Qwen3,32,4096,,1,32,8,128256,4096,8,64,"
                  "1,2,1,,2,2,no,gemini,none,,bf16,2,")
          .reason(),
      "GPU not certain: A800/H800-80GB; missing ffn_hidden; mixture of experts whose widths are "
      "not known: Qwen3; sharding: gemini");
  // A relation that the scenario's reader refuses.
  EXPECT_EQ(
      convert_row("f,x,2024,H100-80GB-SXM,8,8,,,L,32,4096,14336,1,32,8,128256,4096,,63,2,1,1,,,8,"
                  "no,none,none,,bf16,2,")
          .reason(),
      "micro_batch (2) x data (8) must divide global_batch (63)");
  // Degrees that contradict each other.
  EXPECT_EQ(
      convert_row("g,x,2024,H100-80GB-SXM,8,8,,,L,32,4096,14336,1,32,8,128256,4096,,64,1,2,1,,,2,"
                  "no,none,none,,bf16,2,")
          .reason(),
      "tp (2) x pp (1) x dp (2) is not gpus (8)");
  EXPECT_EQ(
      convert_row("g,x,2024,H100-80GB-SXM,8,8,,,L,32,4096,14336,1,32,8,128256,4096,,64,1,2,1,,2,4,"
                  "no,none,none,,bf16,2,")
          .reason(),
      "tp (2) x pp (1) x cp (2) x dp (4) is not gpus (8)");
  EXPECT_EQ(
      convert_row("h,x,2024,H100-80GB-SXM,8,8,,,L,32,4096,14336,1,32,8,128256,4096,,64,1,1,1,,,8,"
                  "no,ZeRO-1 within 4 (hybrid zero),none,,NVFP4,,")
          .reason(),
      "missing rate");
}

TEST(TrainingRow, SharesLayersWithTheEndsCounted) {
  const auto layers = [](int model, int stages) {
    return scenario_of(convert_row(fmt::format("f,x,2024,H100-80GB-SXM,{},8,,,L,{},4096,14336,1,32,"
                                               "8,128256,4096,,64,1,1,{},,,1,no,none,none,,bf16,2,",
                                               stages, model, stages)))
        .workload.parallelism.stage_layers;
  };
  EXPECT_EQ(layers(32, 8), std::vector<int>{});
  EXPECT_EQ(layers(70, 12), (std::vector{5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5}));  // BLOOM
  EXPECT_EQ(layers(31, 8), (std::vector{4, 4, 4, 4, 4, 4, 4, 3}));
}

TEST(TrainingRow, SplitsWhatTheShardingSays) {
  const auto split = [](const std::string& words) {
    return scenario_of(
               convert_row("f,x,2024,H100-80GB-SXM,64,8,,,L,32,4096,14336,1,32,8,128256,4096,,"
                           "64,1,1,1,,,64,no," +
                           words + ",none,,bf16,2,"))
        .workload.parallelism;
  };
  EXPECT_EQ(split("ZeRO-1 within 8 (hybrid zero)").zero, 1);
  EXPECT_EQ(split("ZeRO-1 within 8 (hybrid zero)").sharding.ranks, 8);
  EXPECT_EQ(split("ZeRO-1 within 64").sharding.ranks, std::nullopt);
  const ParallelismSpec kept = split("FSDP SHARD_GRAD_OP (ZeRO-2)");
  EXPECT_EQ(kept.zero, 3);
  EXPECT_EQ(kept.sharding.reshard, Reshard::AfterBackward);
  EXPECT_FALSE(kept.sharding.keeps_copy);
  EXPECT_TRUE(kept.overlap_data);
  EXPECT_TRUE(split("DeepSpeed ZeRO-3").sharding.keeps_copy);
}

const Cells kQwen{{"model", "Qwen3-235B-A22B"},
                  {"layers", "94"},
                  {"hidden", "4096"},
                  {"heads", "64"},
                  {"kv_heads", "4"},
                  {"vocab", "151936"},
                  {"moe_experts", "128"},
                  {"moe_topk", "8"},
                  {"moe_ffn_hidden", "1536"},
                  {"gpus", "256"},
                  {"global_batch_seqs", "2048"},
                  {"ep", "8"}};
const Cells kDeepSeek{
    {"model", "DeepSeek-V3 671B"}, {"layers", "61"},    {"hidden", "7168"},     {"heads", "128"},
    {"kv_heads", "128"},           {"vocab", "129280"}, {"moe_experts", "256"}, {"moe_topk", "8"},
    {"moe_ffn_hidden", "2048"}};

// Embedding and head count as layers: 96 of them on 32 x 3 parts, the ends of which hold none.
TEST(TrainingMixture, TakesItsWidthsFromThePreset) {
  const Workload w = workload_of(with(kQwen, {{"tp", "2"},
                                              {"pp", "32"},
                                              {"vpp", "3"},
                                              {"dp", "4"},
                                              {"sequence_parallel", "yes"},
                                              {"recompute", "selective(moe_act,layernorm)"}}));
  EXPECT_EQ(w.model.head_dim, 128);
  EXPECT_EQ(w.model.qk_norm, QkNorm::Head);
  EXPECT_EQ(w.model.experts.count, 128);
  EXPECT_EQ(w.model.experts.ffn, 1536);
  EXPECT_EQ(w.parallelism.expert, 8);
  EXPECT_EQ(w.parallelism.expert_tensor_ranks(), 1);
  EXPECT_EQ(w.parallelism.expert_exchange, TokenExchange::AllToAll);
  ASSERT_EQ(w.parallelism.stage_layers.size(), 96U);
  EXPECT_EQ(w.parallelism.stage_layers.front() + w.parallelism.stage_layers.back(), 0);
  EXPECT_EQ(w.parallelism.stage_layers[1], 1);
  EXPECT_EQ(w.training.recompute_parts,
            (std::vector{RecomputePart::ExpertActivation, RecomputePart::LayerNorm}));
}

// 61 layers and the one for multi-token prediction, 4 in each of 16 parts and the rest in the last.
TEST(TrainingMixture, DeepSeekOnARackOfSixtyFour) {
  const Conversion row = convert_cells(with(kDeepSeek, {{"gpu", "GB200"},
                                                        {"gpus", "256"},
                                                        {"gpus_per_node", "4"},
                                                        {"interconnect_intra", "NVL72 NVLink5"},
                                                        {"framework", "megatron-bridge"},
                                                        {"pp", "4"},
                                                        {"vpp", "4"},
                                                        {"ep", "64"},
                                                        {"global_batch_seqs", "4096"},
                                                        {"moe_dispatcher", "hybridep"},
                                                        {"moe_a2a_overlap", "yes"},
                                                        {"recompute", "selective (mla_up_proj)"},
                                                        {"dtype", "FP8-MX"}}));
  const Scenario scenario = scenario_of(row);
  const Workload& w = scenario.workload;
  EXPECT_EQ(scenario.cluster.topology.gpus_per_node, 64);
  EXPECT_EQ(w.model.prediction_layers, 1);
  EXPECT_EQ(w.model.experts.dense_layers, 3);
  EXPECT_EQ(w.parallelism.stage_layers,
            (std::vector{4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 1}));
  EXPECT_EQ(w.parallelism.expert_exchange, TokenExchange::DeepEp);
  EXPECT_TRUE(w.parallelism.overlap_pairs);
  EXPECT_TRUE(w.parallelism.overlap_data);
  EXPECT_EQ(w.training.precision, Precision::Mxfp8);
  EXPECT_EQ(w.training.gradient_bytes, 2);
  EXPECT_EQ(w.training.recompute_parts, std::vector{RecomputePart::LatentUp});
  EXPECT_EQ(w.training.routing.most_nodes, 0);  // all on one node
  EXPECT_TRUE(w.training.routing.weighs_inside);
}

TEST(TrainingMixture, DeepSeekSendsToFourNodes) {
  const Cells cells = with(kDeepSeek, {{"gpus", "1024"},
                                       {"tp", "2"},
                                       {"pp", "16"},
                                       {"ep", "64"},
                                       {"sequence_parallel", "yes"},
                                       {"global_batch_seqs", "8192"}});
  const Workload rails = workload_of(with(cells, {{"moe_dispatcher", "deepep"}}));
  EXPECT_EQ(rails.training.routing.most_nodes, 4);
  EXPECT_EQ(rails.model.prediction_layers, 0);  // nobody says so
  EXPECT_EQ(rails.parallelism.stage_layers.back(), 1);
  const Conversion unsaid = convert_cells(cells);
  EXPECT_EQ(scenario_of(unsaid).workload.training.routing.most_nodes, 0);
  EXPECT_EQ(unsaid.remarks,
            (std::vector<std::string>{"network between nodes not stated: its preset's",
                                      "dispatcher of experts not stated: NCCL's all-to-all"}));
}

TEST(TrainingMixture, CutShortWithCapacity) {
  const Workload w = workload_of(
      with(kDeepSeek,
           {{"model", "DeepSeek-V3 truncated to 4 layers"},
            {"layers", "4"},
            {"ep", "8"},
            {"framework", "megatron-core"},
            {"zero_stage_or_sharding", "distributed optimizer (ZeRO-1), no grad/param overlap"},
            {"notes",
             "capacity factor 1 with padding (balanced routing), 1 dense layer, shared "
             "expert 2048; fused cross entropy"}}));
  EXPECT_EQ(w.model.layers, 4);
  EXPECT_EQ(w.model.experts.dense_layers, 1);
  EXPECT_EQ(w.model.experts.shared_ffn, 2048);
  EXPECT_EQ(w.training.routing.capacity, 1);
  EXPECT_TRUE(w.training.routing.pads);
  EXPECT_FALSE(w.parallelism.overlap_data);
  EXPECT_EQ(w.training.loss, Loss::FusedWide);
  EXPECT_EQ(workload_of(with(kDeepSeek, {{"framework", "megatron-core"},
                                         {"ep", "8"},
                                         {"notes", "fused cross entropy of TE"}}))
                .training.loss,
            Loss::Fused);
}

TEST(TrainingMixture, CutShortWithPredictionLayer) {
  const Cells cut = with(kDeepSeek, {{"layers", "31"}, {"ep", "8"}});
  EXPECT_EQ(workload_of(cut).model.prediction_layers, 0);
  EXPECT_EQ(workload_of(with(cut, {{"notes", "3 dense layers, 1 prediction layer"}}))
                .model.prediction_layers,
            1);
}

TEST(TrainingMixture, UnknownOnesAreRefusedByName) {
  EXPECT_EQ(convert_cells(with(kQwen, {{"model", "Grok-1 314B"}})).reason(),
            "mixture of experts whose widths are not known: Grok-1 314B");
  EXPECT_EQ(convert_cells(with(kQwen, {{"moe_topk", "2"}})).reason(),
            "moe_topk (2) is not that of qwen3-235b-a22b (8)");
  EXPECT_EQ(convert_cells(with(kQwen, {{"notes", "capacity=1, unbalanced router"}})).reason(),
            "experts not balanced, by how much not stated");
  EXPECT_EQ(convert_cells({{"ep", "8"}}).reason(), "expert parallelism of a model without experts");
}

TEST(TrainingRow, HeadsOfKnownModelsAreAsWideAsTheirs) {
  const Cells qwen{{"model", "Qwen3 32B"},
                   {"layers", "64"},
                   {"hidden", "5120"},
                   {"heads", "64"},
                   {"kv_heads", "8"}};
  EXPECT_EQ(workload_of(qwen).model.head_dim, 128);  // not 5120 / 64 = 80
  EXPECT_EQ(workload_of(with(qwen, {{"model", "Llama"}})).model.head_dim, 80);
  const Cells noted{{"model", "Llama"}, {"notes", "heads of 128 (base.yml)"}};
  EXPECT_EQ(workload_of(with(qwen, noted)).model.head_dim, 128);
  EXPECT_NE(workload_of(qwen).model.qk_norm, QkNorm::None);
}

TEST(TrainingRow, EmbeddingsAndBiasesAreWhatNotesSay) {
  const auto model = [](const char* gated, const char* notes) {
    return workload_of({{"gated_mlp", gated}, {"notes", notes}}).model;
  };
  EXPECT_TRUE(model("0", "").tied_embeddings);
  EXPECT_NE(model("0", "").biases, Biases());
  EXPECT_FALSE(model("0", "untied embeddings").tied_embeddings);
  EXPECT_EQ(model("0", "no biases").biases, Biases());
  EXPECT_FALSE(model("1", "").tied_embeddings);
  EXPECT_TRUE(model("1", "tied embeddings").tied_embeddings);
}

TEST(TrainingRow, AdaptersAreThoseOfTheRecipe) {
  const Workload w = workload_of({{"model", "Llama-3 70B LoRA"}, {"framework", "megatron-bridge"}});
  EXPECT_EQ(w.training.lora.rank, 16);
  EXPECT_EQ(w.training.lora.targets, std::vector{LoraTarget::Qkv});
  EXPECT_EQ(w.training.lora.dropout, 0);
  EXPECT_EQ(convert_cells({{"model", "Llama-3 70B LoRA"}}).reason(),
            "LoRA: rank and targets not stated");
  const LoraSpec stated = workload_of({{"model", "Llama-3 70B LoRA"},
                                       {"notes", "Rank 8 on q, v; adapters with dropout"}})
                              .training.lora;
  EXPECT_EQ(stated.rank, 8);
  EXPECT_EQ(stated.targets, (std::vector{LoraTarget::Q, LoraTarget::V}));
  EXPECT_EQ(stated.dropout, 0.1);
  EXPECT_FALSE(stated.wide || stated.four_bit_base);
  const LoraSpec wide = workload_of({{"model", "Llama-3 70B LoRA"},
                                     {"notes", "rank 8 on q; adapters in fp32; 4-bit base"}})
                            .training.lora;
  EXPECT_TRUE(wide.wide && wide.four_bit_base);
}

// Megatron scattered by itself until it had sequence parallelism; DeepSpeed does to this day.
TEST(TrainingRow, ScattersAsItsFrameworkDoes) {
  const auto scatters = [](const std::string& date, const std::string& framework,
                           const std::string& sequence) {
    return workload_of({{"date", date},
                        {"framework", framework},
                        {"sequence_parallel", sequence},
                        {"tp", "4"},
                        {"pp", "2"}})
        .parallelism.scatter_gather;
  };
  EXPECT_TRUE(scatters("2020-11", "megatron-lm", "no"));
  EXPECT_TRUE(scatters("2022", "", "no"));
  EXPECT_FALSE(scatters("2022", "megatron-lm", "yes"));
  EXPECT_FALSE(scatters("2023", "megatron-lm", "no"));
  EXPECT_FALSE(scatters("2022", "alpa", "no"));
  EXPECT_TRUE(scatters("2024", "megatron-deepspeed", "no"));
}

// A layer of 4 x 3072^2 + 3 x 8192 x 3072, a head of 131072 x 3072, which is 3.56 layers: 7.89 on
// each of four stages. Of sixteen the last but one would be empty.
TEST(TrainingRow, NanotronSharesLayersByCost) {
  const auto layers = [](int stages) {
    return workload_of({{"framework", "nanotron"},
                        {"layers", "28"},
                        {"hidden", "3072"},
                        {"ffn_hidden", "8192"},
                        {"gated_mlp", "1"},
                        {"heads", "32"},
                        {"kv_heads", "32"},
                        {"vocab", "131072"},
                        {"gpus", std::to_string(stages)},
                        {"dp", "1"},
                        {"tp", "1"},
                        {"pp", std::to_string(stages)}})
        .parallelism.stage_layers;
  };
  EXPECT_EQ(layers(2), (std::vector{16, 12}));
  EXPECT_EQ(layers(4), (std::vector{8, 8, 8, 4}));
  EXPECT_EQ(layers(8), (std::vector{4, 4, 4, 4, 4, 4, 4, 0}));
  EXPECT_EQ(layers(16), (std::vector{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 0}));
}

TEST(TrainingRow, OverlapsAsIsSaidOrUsual) {
  const auto overlaps = [](const std::string& sharding, const std::string& framework,
                           const std::string& notes) {
    return workload_of(
               {{"zero_stage_or_sharding", sharding}, {"framework", framework}, {"notes", notes}})
        .parallelism.overlap_data;
  };
  EXPECT_FALSE(overlaps("ZeRO-1", "megatron-core", ""));
  EXPECT_TRUE(overlaps("ZeRO-1", "megatron-bridge", ""));
  EXPECT_TRUE(overlaps("ZeRO-1 within 8", "internevo", ""));
  EXPECT_FALSE(overlaps("none", "internevo", ""));
  EXPECT_TRUE(overlaps("distributed optimizer (ZeRO-1), overlapped", "", ""));
  EXPECT_FALSE(overlaps("distributed optimizer (ZeRO-1), no grad/param overlap", "", ""));
  EXPECT_TRUE(overlaps("ZeRO-1", "xtuner", "--overlap-grad-reduce unless said"));
  EXPECT_FALSE(overlaps("ZeRO-1", "xtuner", "no overlap; --overlap-grad-reduce unless said"));
  EXPECT_TRUE(overlaps("none (overlap in PP=1 runs)", "", ""));
  EXPECT_FALSE(overlaps("ZeRO-1", "megatron-lm", "no --overlap-grad-reduce"));
  EXPECT_FALSE(overlaps("ZeRO-2", "deepspeed", ""));  // overlap_comm is of stage 3
  EXPECT_TRUE(overlaps("ZeRO-2, overlapped", "deepspeed", ""));
}

TEST(TrainingRow, TensorExchangesOverlapAsTheFrameworkDoes) {
  const auto overlap = [](const std::string& framework, const std::string& dtype,
                          const std::string& notes) {
    return workload_of({{"framework", framework},
                        {"dtype", dtype},
                        {"notes", notes},
                        {"sequence_parallel", "yes"},
                        {"tp", "4"}})
        .parallelism.overlap_tensor;
  };
  EXPECT_EQ(overlap("megatron-core", "bf16", ""), TensorOverlap::Backward);
  EXPECT_EQ(overlap("megatron-core", "bf16", "overlap switches off"), TensorOverlap::None);
  EXPECT_EQ(overlap("nemo", "fp8", "TP_COMM_OVERLAP False"), TensorOverlap::None);
  EXPECT_EQ(overlap("nemo", "fp8", "TP_COMM_OVERLAP True"), TensorOverlap::Full);
  EXPECT_EQ(overlap("nemo", "fp8", "TP_COMM_OVERLAP, SHARP settings"), TensorOverlap::Full);
  EXPECT_EQ(overlap("nemo", "fp8", ""), TensorOverlap::Backward);
  EXPECT_EQ(overlap("megatron-deepspeed", "bf16", ""), TensorOverlap::None);
  EXPECT_EQ(overlap("paddlenlp", "fp16", ""), TensorOverlap::None);
  EXPECT_EQ(overlap("megatron-bridge", "bf16", ""), TensorOverlap::Full);
}

// Fused kernels are of 16 bits; the LLaMA family has no dropout.
TEST(TrainingRow, UnfusedAttentionInTf32) {
  const Workload w = workload_of({{"dtype", "fp32/tf32"},
                                  {"attention_kernel", "FlashAttention-2"},
                                  {"recompute", "selective"}});
  EXPECT_EQ(w.training.precision, Precision::Tf32);
  EXPECT_EQ(w.training.attention, AttentionKind::Unfused);
  EXPECT_EQ(w.training.recompute, Recompute::Selective);
  EXPECT_FALSE(w.training.dropout);
  EXPECT_TRUE(workload_of({{"gated_mlp", "0"}, {"attention_kernel", "unfused"}}).training.dropout);
}

TEST(TrainingRow, NamedPartsAreRecomputedEvenWhereFused) {
  EXPECT_EQ(workload_of({{"recompute", "selective(core_attn)"}}).training.recompute_parts,
            std::vector{RecomputePart::CoreAttention});
  EXPECT_EQ(workload_of({{"recompute", "selective"}}).training.recompute, Recompute::None);
}

TEST(TrainingRow, GraphsAreOfTheScopesThatItNames) {
  const auto graphs = [](const std::string& cell) {
    return workload_of({{"framework", "megatron-bridge"}, {"cuda_graph", cell}}).host.graphs;
  };
  EXPECT_EQ(graphs("none"), CudaGraphs::None);
  EXPECT_EQ(graphs("full_iteration"), CudaGraphs::Full);
  EXPECT_EQ(graphs("transformer_engine: mlp"), CudaGraphs::None);
  EXPECT_EQ(graphs("transformer_engine: layers"), CudaGraphs::Layers);
  EXPECT_EQ(graphs("transformer_engine: attn+moe_router+moe_preprocess"), CudaGraphs::Layers);
  EXPECT_EQ(graphs("transformer_engine: moe_router+moe_preprocess"), CudaGraphs::Routers);
}

TEST(TrainingRow, OffloadsLayers) {
  EXPECT_EQ(workload_of({{"cpu_offload_layers", "20"}}).offload.activation_layers, 20);
}

TEST(TrainingRow, RatesWithEvaluationAreNoSteps) {
  EXPECT_EQ(convert_cells({{"notes", "throughput includes evaluation"}}).reason(),
            "rate includes evaluation");
}

TEST(TrainingRow, UncountedNicsAreARemark) {
  const Conversion row = convert_cells({{"gpus", "16"}, {"interconnect_inter", "200Gb/s IB"}});
  EXPECT_EQ(row.remarks,
            std::vector<std::string>{"NICs of a node not counted: as many as its preset has"});
  EXPECT_TRUE(near(scenario_of(row).cluster.topology.nic_bandwidth / 200_Gbps, 1));
  EXPECT_TRUE(convert_cells({{"interconnect_inter", "200Gb/s IB"}}).remarks.empty());  // one node
}

}  // namespace
}  // namespace danlu
