// Tables of published measurements: the reader, the rules that make a row a scenario, the
// statistics.
#include "sim/validation/validation.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/base/csv.hpp"
#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"
#include "sim/validation/gemm_table.hpp"
#include "sim/validation/nccl_table.hpp"
#include "sim/validation/training_table.hpp"
#include "sim/validation/training_words.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped_presets;

std::string first_problem(const std::string& text) {
  try {
    parse_csv(text, "t.csv");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Csv, ReadsQuotesCommasAndLineBreaks) {
  const CsvTable table =
      parse_csv("\xef\xbb\xbfid,note\r\n1,\"a, \"\"b\"\"\nc\"\r\n\r\n2,\" d \"\n3,", "t.csv");
  ASSERT_EQ(table.rows().size(), 3U);
  EXPECT_EQ(table.cell(table.rows()[0], "note"), "a, \"b\"\nc");
  EXPECT_EQ(table.rows()[1].line, 5);  // after a cell of two lines and an empty line
  EXPECT_EQ(table.cell(table.rows()[1], "note"), "d");
  EXPECT_EQ(table.cell(table.rows()[2], "note"), "");
  EXPECT_EQ(table.cell(table.rows()[2], "absent"), "");
}

TEST(Csv, NamesTheLineAtFault) {
  EXPECT_NE(first_problem("a,b\n1,2\n\"3,4\n").find("t.csv:3:1: error: a quote opens"),
            std::string::npos);
  EXPECT_NE(first_problem("a,b\n1\n").find("t.csv:2:1: error: expected 2 cells"),
            std::string::npos);
  EXPECT_NE(first_problem("a,b\n1,\"2\"x\n").find("t.csv:2:6: error: something follows"),
            std::string::npos);
  EXPECT_NE(first_problem("a,b\n1,2\"x\"\n").find("t.csv:2:3: error: a quote inside"),
            std::string::npos);
  EXPECT_NE(first_problem("a,a\n").find("two columns are called 'a'"), std::string::npos);
  EXPECT_NE(first_problem("").find("the table is empty"), std::string::npos);
}

// "é" is one character of two bytes; the quoted cell ends on the third line of the file.
TEST(Csv, CellsKnowTheirLineAndColumn) {
  const CsvTable table = parse_csv("a,b,c\n\"é\",\"x\ny\",z\n", "t.csv");
  const CsvRow& row = table.rows()[0];
  EXPECT_STREQ(InputError(table.problem(row, "b", "wrong")).what(), "t.csv:2:5: error: wrong\n");
  EXPECT_STREQ(InputError(table.problem(row, "c", "wrong")).what(), "t.csv:3:4: error: wrong\n");
}

TEST(Csv, SpreadsheetsTakeCellsForText) {
  EXPECT_EQ(csv_cell("gpu"), "gpu");
  EXPECT_EQ(csv_cell("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_cell("a;=b"), "\"a;=b\"");
  EXPECT_EQ(csv_cell("say \"x\""), "\"say \"\"x\"\"\"");
  for (const std::string formula : {"=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx", "\rx"}) {
    EXPECT_EQ(csv_cell(formula), "\"'" + formula + "\"");
  }
}

/// What is wrong with one cell of a table.
std::string fault_of(std::string_view column, const std::string& cell,
                     std::span<const ColumnRule> rules) {
  const std::string header = "note," + std::string(column);
  try {
    check_cells(parse_csv(header + "\n1," + cell + "\n", "t.csv"), rules);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Columns, FlagsHaveSixWords) {
  for (const char* word : {"yes", "true", "1", "no", "false", "0", "Yes", "TRUE", ""}) {
    EXPECT_EQ(fault_of("gated_mlp", word, training_columns()), "") << word;
  }
  for (const std::string word : {"banana", "y", "2", "1.0", "on", "-"}) {
    EXPECT_EQ(fault_of("gated_mlp", word, training_columns()),
              "t.csv:2:3: error: 'gated_mlp' must be yes, true, 1 or no, false, 0, found '" + word +
                  "'\n");
  }
  EXPECT_TRUE(parse_flag("True").value_or(false));
  EXPECT_FALSE(parse_flag("No").value_or(true));
}

TEST(Columns, NumbersHaveRanges) {
  const std::string hint = "hint: leave the cell empty where the number is not known\n";
  EXPECT_EQ(
      fault_of("busbw_GBps", "1e308", collective_columns()),
      "t.csv:2:3: error: 'busbw_GBps' must be a number from 0 to 1000000, found '1e308'\n" + hint);
  EXPECT_EQ(
      fault_of("gpus", "1.9", training_columns()),
      "t.csv:2:3: error: 'gpus' must be a whole number from 1 to 1000000, found '1.9'\n" + hint);
  for (const std::span<const ColumnRule> rules :
       {training_columns(), collective_columns(), product_columns()}) {
    for (const ColumnRule& rule : rules) {
      const bool number =
          rule.kind == ColumnRule::Kind::Count || rule.kind == ColumnRule::Kind::Number;
      for (const char* cell : {"-1", "nan", "inf", "1e300", "1e999", "n/a", "12x"}) {
        EXPECT_TRUE(!number || !fault_of(rule.name, cell, rules).empty()) << rule.name << cell;
      }
    }
  }
}

TEST(Columns, WordsAreUnderstoodOrRefused) {
  for (const auto& [column, word] :
       {std::pair("attention_kernel", "banana"), std::pair("recompute", "yes"),
        std::pair("recompute", "ful"), std::pair("dtype", "b16"),
        std::pair("zero_stage_or_sharding", "4"), std::pair("sequence_parallel", "maybe"),
        std::pair("complete", "banana"), std::pair("date", "soon")}) {
    EXPECT_NE(fault_of(column, word, training_columns()), "") << column << " " << word;
  }
  EXPECT_EQ(unfused_attention("unfused/fused softmax"), true);
  EXPECT_EQ(unfused_attention("te/cudnn fused"), false);
  EXPECT_EQ(recompute_word("no"), RecomputeWord::None);
  EXPECT_EQ(recompute_word("selective(mla_up_proj)"), RecomputeWord::Other);
  EXPECT_EQ(sharding_words("1")->zero, 1);
  EXPECT_EQ(sharding_words("distributed optimizer (zero-1)")->zero, 1);
  EXPECT_EQ(sharding_words("none (plain dp)")->zero, 0);
  EXPECT_EQ(sharding_words("zero-1 within 8 (hybrid zero)")->ranks, 8);
  EXPECT_EQ(sharding_words("megatron fsdp group 64")->ranks, 64);
  EXPECT_EQ(sharding_words("megatron fsdp group 64")->zero, 3);
  EXPECT_EQ(sharding_words("zero-2")->zero, 2);
  EXPECT_FALSE(sharding_words("deepspeed zero-3")->is_fsdp);
  EXPECT_FALSE(sharding_words("fsdp full_shard (zero-3)")->keeps_weights);
  EXPECT_TRUE(sharding_words("fsdp shard_grad_op (zero-2)")->keeps_weights);
  EXPECT_FALSE(sharding_words("zero-3 offload")->is_simulated);
  EXPECT_FALSE(sharding_words("4").has_value());
  EXPECT_EQ(sequence_word("true"), SequenceWord::Yes);
  EXPECT_TRUE(number_format("bfloat16")->bf16);
  EXPECT_FALSE(number_format("bfloat16")->fp16);
}

TEST(Columns, ManyFaultsAreCutShort) {
  std::string table = "gpus\n";
  for (int i = 0; i < 25; ++i) {
    table += "x\n";
  }
  try {
    check_cells(parse_csv(table, "t.csv"), training_columns());
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_EQ(error.problems().size(), 21U);
    EXPECT_EQ(error.problems().back().message, "5 more cells are not understood");
  }
}

TEST(Text, NothingOfItReachesTheTerminalUnescaped) {
  EXPECT_EQ(printable("\x1b[31mred\x1b]0;x\a"), "\\u001b[31mred\\u001b]0;x\\u0007");
  EXPECT_EQ(printable("a\tb\r\n"), "a\\tb\\r\\n");
  EXPECT_EQ(printable("a\n\tb", "\n\t"), "a\n\tb");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\u009b31m");  // the C1 control CSI
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "x\xe2\x81\xa6"),
            "\\u202ex\\u2066");  // turn the direction
  EXPECT_EQ(printable("bad\xff\xc3"), "bad\\xff\\xc3");
  EXPECT_EQ(printable("丹炉 é"), "丹炉 é");
  EXPECT_EQ(shown("\x1b[31mred", 3), "\\u001b[3...");
}

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

Scenario scenario_of(const Conversion& conversion) {
  EXPECT_EQ(conversion.reason(), "");
  return conversion.scenario.value_or(Scenario{});
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
      "mixture of experts; GPU not certain: A800/H800-80GB; "
      "missing ffn_hidden; sharding: gemini");
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

// 8192^3 at 250 TFLOP/s; attention of 4 x 16 heads of 128 with half of the square, 2.5 times as
// many FLOPs backward; a copy of 1e9 values, 4 bytes each; and what cannot be simulated.
TEST(GemmRow, ProductsAttentionAndPasses) {
  const CsvTable table = parse_csv(
      "id,source,gpu,op,dtype,m,n,k,groups,tflops,batch,seq_len,heads,head_dim,causal,pass,impl,"
      "mem_bw_GBps,notes\n"
      "1,x,A100-80GB,gemm,bf16,8192,8192,8192,,250,,,,,,,,,\n"
      "2,x,A100-80GB,attention,bf16,,,,,150,4,2048,16,128,yes,fwd+bwd,FlashAttention-2,,\n"
      "3,x,H100-80GB,memory_pass: copy,bf16,1000000000,,,,,,,,,,,,2900,\n"
      "4,x,H100-80GB,gemm,bf16,512,512,512,,13,,,,,,,cuBLAS through PyTorch,,\n"
      "5,x,A100-80GB,attention,bf16,,,,,150,4,2048,16,128,yes,fwd,FlashAttention-3,,\n"
      "6,x,H100-80GB,memory_pass: sort,bf16,1000,,,,,,,,,,,,2900,\n",
      "t.csv");
  const Validation result = validate_products(table, shipped_presets());
  ASSERT_EQ(result.points.size(), 4U);
  EXPECT_EQ(result.complete, 6);
  EXPECT_TRUE(near(result.points[0].published, 2 * 8192.0 * 8192 * 8192 / 250e12));
  EXPECT_TRUE(
      near(result.points[1].published, 3.5 * 4 * 4 * 16 * 2048.0 * 2048 / 2 * 128 / 150e12));
  EXPECT_TRUE(near(result.points[2].published, 4e9 / 2900e9));
  EXPECT_TRUE(near(result.points[2].simulated, 2e-6 + 4e9 / (0.87 * 3350e9)));
  EXPECT_TRUE(near(result.points[3].simulated, 20e-6));  // the host's
  for (const ValidationPoint& point : result.points) {
    EXPECT_LT(std::abs(point.error()), 0.2) << point.id;
  }
  EXPECT_EQ(result.not_simulated.size(), 2U);
}

// What docs/explain/kernels.md says of the shipped table.
TEST(GemmTable, MeetsItsErrors) {
  const std::string file =
      (shipped_presets().topologies.parent_path() / "tests/validation/gemm.csv").string();
  const Validation result = validate_products(read_csv(file), shipped_presets());
  std::vector<ValidationPoint> products, attention, passes;
  for (const ValidationPoint& point : result.points) {
    (point.size == "product" ? products
     : point.size == "pass"  ? passes
                             : attention)
        .push_back(point);
  }
  const auto expect = [](const std::vector<ValidationPoint>& points, std::size_t rows,
                         double median, double p90) {
    const ErrorStatistics of = error_statistics(points);
    EXPECT_EQ(points.size(), rows);
    EXPECT_LE(of.median_abs.value_or(1), median);
    EXPECT_LE(of.p90_abs.value_or(1), p90);
  };
  expect(products, 902, 0.05, 0.18);
  expect(attention, 252, 0.05, 0.15);
  expect(passes, 54, 0.08, 0.25);
}

// 1 2 3 4: median 2.5; the 90th percentile lies at place 2.7, between 3 and 4.
TEST(Statistics, QuantilesInterpolate) {
  EXPECT_TRUE(near(quantile({4, 1, 3, 2}, 0.5), 2.5));
  EXPECT_TRUE(near(quantile({4, 1, 3, 2}, 0.9), 3.7));
  EXPECT_TRUE(near(quantile({7}, 0.9), 7));
}

TEST(Statistics, ErrorsByGroup) {
  const std::vector<ValidationPoint> points{{"1", "A", "x", 10, 11},   // +10 %
                                            {"2", "A", "y", 10, 7},    // -30 %
                                            {"3", "B", "y", 10, 12}};  // +20 %
  const ErrorStatistics all = error_statistics(points);
  EXPECT_EQ(all.rows, 3);
  EXPECT_TRUE(near(all.median_abs.value_or(0), 0.2));
  EXPECT_NEAR(all.mean.value_or(1), 0, 1e-12);
  const auto by_device = error_statistics_by(points, &ValidationPoint::device);
  EXPECT_TRUE(near(by_device.at("A").mean.value_or(0), -0.1));
  EXPECT_TRUE(error_statistics_by(points, &ValidationPoint::size).empty());  // none has one
  EXPECT_FALSE(error_statistics({}).median_abs);
}

TEST(Statistics, ReasonsCountRowsAndRowsWithNoOther) {
  const std::vector<NotSimulated> rows{{"1", {"a", "b"}}, {"2", {"b"}}};
  const std::vector<ReasonCount> counts = count_reasons(rows);
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].reason, "b");
  EXPECT_EQ(counts[0].rows, 2);
  EXPECT_EQ(counts[0].alone, 1);
}

}  // namespace
}  // namespace danlu
