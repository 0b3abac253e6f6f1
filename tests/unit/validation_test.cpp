// Tables of published measurements: the reader, what cells may hold, the statistics.
#include "sim/validation/validation.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "sim/base/csv.hpp"
#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"
#include "sim/validation/gemm_table.hpp"
#include "sim/validation/nccl_table.hpp"
#include "sim/validation/plot_svg.hpp"
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
        std::pair("complete", "banana"), std::pair("date", "soon"),
        std::pair("moe_dispatcher", "pigeon"), std::pair("moe_a2a_overlap", "maybe")}) {
    EXPECT_NE(fault_of(column, word, training_columns()), "") << column << " " << word;
  }
  EXPECT_EQ(unfused_attention("unfused/fused softmax"), true);
  EXPECT_EQ(unfused_attention("te/cudnn fused"), false);
  EXPECT_EQ(recompute_words("no")->kind, Recompute::None);
  EXPECT_EQ(recompute_words("full")->kind, Recompute::Full);
  EXPECT_EQ(recompute_words("selective(mla_up_proj) per v25.07 readme")->parts,
            std::vector{RecomputePart::LatentUp});
  EXPECT_EQ(recompute_words("selective(layernorm+whole moe)")->parts,
            (std::vector{RecomputePart::LayerNorm, RecomputePart::Experts}));
  EXPECT_EQ(recompute_words("selective (moe layernorm core_attn moe_act)")->parts.size(), 4U);
  EXPECT_EQ(recompute_words("minimal_flash")->parts,
            (std::vector{RecomputePart::LayerNorm, RecomputePart::Activation}));
  for (const char* text : {"selective(op)", "selective (per op)", "selective ac, by operator"}) {
    EXPECT_EQ(recompute_words(text)->kind, Recompute::Alternate) << text;
  }
  for (const char* text : {"selective(2)", "selective (every 2nd layer)", "selective(1/2)",
                           "selective, every other block"}) {
    EXPECT_EQ(recompute_words(text)->kind, Recompute::Full) << text;
    EXPECT_EQ(recompute_words(text)->share, 0.5) << text;
  }
  EXPECT_EQ(recompute_words("selective(21 of 80 layers)")->kind, Recompute::Full);
  EXPECT_EQ(recompute_words("selective(21 of 80 layers)")->share, 21.0 / 80);
  EXPECT_FALSE(recompute_words("selective(81 of 80 layers)")->is_simulated);
  EXPECT_FALSE(recompute_words("selective(0)")->is_simulated);
  EXPECT_FALSE(recompute_words("selective(rmsnorm, mla up-proj)")->is_simulated);
  EXPECT_FALSE(recompute_words("block of 4")->is_simulated);
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
  std::vector<ValidationPoint> products, attention, eight_bits, passes;
  for (const ValidationPoint& point : result.points) {
    (point.size == "product"               ? products
     : point.size == "pass"                ? passes
     : point.size == "attention cudnn_fp8" ? eight_bits
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
  expect(products, 1364, 0.05, 0.18);
  expect(attention, 378, 0.05, 0.155);  // 0.15 without DeepSeek's heads on B200, not modelled
  expect(eight_bits, 40, 0.07, 0.18);
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

// Three rows of one scenario, 10, 11 and 14 s: 1/11, 0 and 3/11 from their middle; a fourth row of
// another one has nothing to say.
TEST(Statistics, FloorIsTheSpreadOfEqualScenarios) {
  std::vector<ValidationPoint> points;
  for (const auto& [time, scenario] :
       {std::pair(10.0, "a"), std::pair(11.0, "a"), std::pair(14.0, "a"), std::pair(99.0, "b")}) {
    points.push_back({.published = time, .simulated = 1, .scenario = scenario});
  }
  const ErrorFloor floor = error_floor(points);
  EXPECT_EQ(floor.rows, 3);
  EXPECT_EQ(floor.scenarios, 1);
  EXPECT_TRUE(near(floor.median.value_or(0), 1.0 / 11));
  EXPECT_TRUE(near(floor.mean.value_or(0), 4.0 / 33));
  EXPECT_TRUE(near(floor.most.value_or(0), 3.0 / 11));
  EXPECT_FALSE(error_floor({}).median);
}

// A sweep of 50, 31, 18, 19, 30 and 33 s: the first four fall, their lower median is 19, so they
// are 31/50, 12/31, 1/18 and 0 from it. Another sweep rises, and a lone row is none.
TEST(Statistics, SweepFloorIsTheNearestCurveThatNeverFalls) {
  std::vector<ValidationPoint> points;
  double bytes = 1;
  for (const double time : {50.0, 31.0, 18.0, 19.0, 30.0, 33.0}) {
    points.push_back({.published = time, .simulated = 1, .sweep = "a", .bytes = bytes++});
  }
  points.push_back({.published = 7, .simulated = 1, .sweep = "b", .bytes = 1});
  points.push_back({.published = 9, .simulated = 1, .sweep = "b", .bytes = 2});
  points.push_back({.published = 1, .simulated = 1, .sweep = "c", .bytes = 1});
  points.push_back({.published = 1, .simulated = 1});
  const ErrorFloor floor = sweep_floor(points);
  EXPECT_EQ(floor.rows, 8);
  EXPECT_EQ(floor.scenarios, 2);
  EXPECT_TRUE(near(floor.median.value_or(1), 0));
  EXPECT_TRUE(near(floor.mean.value_or(0), (31.0 / 50 + 12.0 / 31 + 1.0 / 18) / 8));
  EXPECT_TRUE(near(floor.most.value_or(0), 31.0 / 50));
  EXPECT_EQ(sweep_floor({}).rows, 0);
}

// Of all curves that never fall, of levels that are times of the sweep, none is nearer to it.
TEST(Statistics, NoRisingCurveIsNearerToASweep) {
  constexpr std::size_t kSizes = 5;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937_64 random(seed);
    std::vector<double> times;
    std::map<double, std::vector<double>> by_size;
    for (std::size_t i = 0; i < kSizes; ++i) {
      times.push_back(std::exp2(std::uniform_real_distribution(0.0, 4.0)(random)));
      by_size[static_cast<double>(i)] = {times[i]};
    }
    double nearest = std::numeric_limits<double>::infinity();
    const auto try_levels = [&](const auto& self, std::size_t at, double lowest,
                                double sum) -> void {
      if (at == kSizes) {
        nearest = std::min(nearest, sum);
        return;
      }
      for (const double level : times) {
        if (level >= lowest) {
          self(self, at + 1, level, sum + std::abs(std::log(level / times[at])));
        }
      }
    };
    try_levels(try_levels, 0, 0, 0);
    double pooled = 0;
    for (const std::vector<double>& pool : rising_pools(by_size)) {
      for (const double time : pool) {
        pooled += std::abs(std::log(lower_median(pool) / time));
      }
    }
    EXPECT_NEAR(pooled, nearest, 1e-9);
  }
}

// 1 s published and 2 s simulated on axes of one decade: 560 x log10(2) above the foot at 610.
TEST(Plot, PutsRowsWhereTheyBelong) {
  const Validation validation{.table = "training",
                              .points = {{"<one>", "A", "x & y", 1, 2}, {"two", "A", "z", 10, 10}}};
  const std::string svg = plot_svg(validation);
  EXPECT_NE(svg.find("cx=\"90.0\" cy=\"441.4\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("cx=\"650.0\" cy=\"50.0\""), std::string::npos);
  EXPECT_NE(svg.find("<title>&lt;one&gt;: +100.0 %</title>"), std::string::npos);
  EXPECT_NE(svg.find("x &amp; y (1 rows, 100.0 %)"), std::string::npos);
  EXPECT_EQ(svg.find("other sources"), std::string::npos);
}

TEST(Statistics, ReasonsCountRowsAndRowsWithNoOther) {
  const std::vector<RowReasons> rows{{"1", {"a", "b"}}, {"2", {"b"}}};
  const std::vector<ReasonCount> counts = count_reasons(rows);
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].reason, "b");
  EXPECT_EQ(counts[0].rows, 2);
  EXPECT_EQ(counts[0].alone, 1);
}

}  // namespace
}  // namespace danlu
