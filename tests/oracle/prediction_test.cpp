// Layers for multi-token prediction on the part before the head, as Megatron-core plays its layouts
// that end in m|L (mtp_standalone: shapes of what is sent are told, not known). Four stages of
// 6 layers, two of which predict more, n = 2:
//
//   stage          0           1        2                       3
//   holds          table, 3    3        table, 2 that predict   head
//   sends on          -- 1 -->  -- 1 -->           -- 3 -->           arrays of T h elements
//   sends back       <-- 1 --  <-- 1 --           <-- 3 --
//
// The logits of all three are the head's, and stages 0 and 2 sum the gradients of the table.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "sim/program/step_program.hpp"
#include "sim/report/report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "tests/support/play.hpp"
#include "tests/support/sends.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

constexpr double kHidden = 1024;
constexpr double kTable = 32000 * kHidden;
constexpr double kLayer = 4 * kHidden * kHidden + 3 * kHidden * 4096 + 2 * kHidden;
constexpr double kPredicts = kLayer + 2 * kHidden * kHidden + 3 * kHidden;  // join, three norms

Scenario staged(const std::string& plan, const std::vector<std::string>& more = {}) {
  const std::string text =
      "model: {layers: 6, hidden: 1024, heads: 8, ffn: 4096, vocab: 32000, gated_mlp: true, "
      "biases: false, norm: rmsnorm, tied_embeddings: false, prediction_layers: 2}\n"
      "cluster: {topology: dgx-a100, gpus: 4}\n"
      "parallelism: {" +
      plan +
      "}\n"
      "training: {global_batch: 8, sequence_length: 512}\n";
  return load_scenario_text(text, "own.yaml", testing::shipped_presets(more));
}

const std::string kApart = "pipeline: 4, stage_layers: [3, 3, 0, 0], prediction_before_head: true";

TEST(PredictionBeforeHead, ItsPartHoldsTheLayersAndTheTable) {
  const Workload w = staged(kApart).workload;
  EXPECT_EQ(rank_parameters(w, 1), 3 * kLayer);
  EXPECT_EQ(rank_parameters(w, 2), 2 * kPredicts + kTable);
  EXPECT_EQ(rank_parameters(w, 3), kHidden + kTable);  // final norm, head
  EXPECT_EQ(w.table_stages(), (std::vector{0, 2}));
  // A tied head has a copy of the first stage's, too.
  const Workload tied = staged(kApart, {"model.tied_embeddings=true"}).workload;
  EXPECT_EQ(tied.table_stages(), (std::vector{0, 2, 3}));
  EXPECT_EQ(rank_parameters(tied, 2), 2 * kPredicts + kTable);
  EXPECT_EQ(rank_parameters(tied, 3), kHidden + kTable);
  // With two chunks on two stages it is on the first stage, whose table it takes.
  const Workload chunks =
      staged("pipeline: 2, data: 2, stage_layers: [3, 3, 0, 0], prediction_before_head: true",
             {"training.schedule={chunks: 2}"})
          .workload;
  EXPECT_EQ(chunks.table_stages(), (std::vector{0}));
  EXPECT_EQ(rank_parameters(chunks, 0), kTable + 3 * kLayer + 2 * kPredicts);
  EXPECT_EQ(rank_parameters(chunks, 1), 3 * kLayer + kHidden + kTable);
}

TEST(PredictionBeforeHead, TheHeadMakesAllLogits) {
  const auto logits = [](const Block& block) {
    int found = 0;
    for (const Operator* op : operators_of(block)) {
      found += op->name == "logits" ? 1 : 0;
    }
    return found;
  };
  const Workload w = staged(kApart).workload;
  const Workload together = staged("pipeline: 4, stage_layers: [2, 2, 2, 0]").workload;
  EXPECT_EQ(logits(build_model(w).head), 3);
  EXPECT_EQ(logits(build_model(w).layer(7)), 0);
  EXPECT_EQ(logits(build_model(together).head), 1);
  EXPECT_EQ(logits(build_model(together).layer(7)), 1);
  EXPECT_EQ(step_flops(w, true), step_flops(together, true));
  const auto most_logits = [](const Workload& of, int stage) {
    Bytes most;
    for (const HeldDuring& moment : memory_over_time(of, build_model(of), stage)) {
      most = std::max(most, moment.logits);
    }
    return most;
  };
  const Workload none =
      staged("pipeline: 4, stage_layers: [2, 2, 2, 0]", {"model.prediction_layers=0"}).workload;
  EXPECT_EQ(most_logits(w, 2), Bytes{});
  EXPECT_EQ(most_logits(w, 3), 3 * most_logits(none, 3));
}

TEST(PredictionBeforeHead, SendsAnArrayMoreForEach) {
  const StepProgram step = make_step_program(staged(kApart).workload);
  EXPECT_EQ(step.sent.value, 2.0 * 512 * kHidden);
  const std::map<std::pair<int, bool>, std::vector<double>> expected{
      {{0, true}, std::vector(8, 1.0)},  {{1, true}, std::vector(8, 1.0)},
      {{2, true}, std::vector(8, 3.0)},  {{1, false}, std::vector(8, 1.0)},
      {{2, false}, std::vector(8, 1.0)}, {{3, false}, std::vector(8, 3.0)}};
  EXPECT_EQ(testing::arrays_sent(step), expected);
}

// Sends of 8 microbatches, 1 + 1 + 3 arrays each way, and nothing else crosses links: no gradients
// of tables are summed.
TEST(PredictionBeforeHead, LinksCarryWhatIsSent) {
  const Scenario s = staged(kApart, {"training.frozen=[embedding, head]"});
  EXPECT_TRUE(near(testing::bytes_through_nodes(s), 8.0 * 10 * 2 * 512 * kHidden));
}

TEST(PredictionBeforeHead, FoldedIsUnfolded) {
  for (const char* plan : {"tensor: 2, pipeline: 4, stage_layers: [3, 3, 0, 0]",
                           "tensor: 2, sequence: true, pipeline: 4, stage_layers: [3, 2, 1, 0]",
                           "pipeline: 4, zero: 1, stage_layers: [0, 6, 0, 0]"}) {
    SCOPED_TRACE(plan);
    const std::string apart = std::string(plan) + ", prediction_before_head: true";
    const auto end = [&](const std::string& fold) {
      const Scenario s = staged(apart, {"cluster.gpus=16", "fold=" + fold});
      const Cluster cluster = build_cluster(s.cluster);
      return testing::play(plan_step(s.workload, cluster).graph).end.value;
    };
    EXPECT_TRUE(near(end("exact"), end("off"), 1e-9));
  }
}

}  // namespace
}  // namespace danlu
