// An encoder-decoder over stages, as Megatron-LM cuts it (pretrain_t5.py at 6a656761dc, "Pipeline
// parallelism for T5"; get_tensor_shapes in schedules.py; _EMBEDDING_GROUP in parallel_state.py).
// T5-11B, 24 layers of each half:
//
//   stage          0            1            2            3
//   holds          table, 12 E  12 E         table, 12 D  12 D, head
//   sends on          ---- 1 ---->  -- 1 ----->  -- 2 ---->        arrays of T h elements
//   sends back       <---- 1 ----  <--- 1 ----  <--- 2 ---
//
// and stages 0, 2 and 3 sum the gradients of the table.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "sim/program/step_program.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/layers.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "sim/workload/rank_shape.hpp"
#include "tests/support/play.hpp"
#include "tests/support/sends.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

constexpr double kTable = 32128.0 * 1024;

/// T5-11B on the first GPUs of a machine without tensor parallelism.
Scenario staged(int stages, const std::vector<std::string>& more = {}) {
  std::vector<std::string> overrides{fmt::format("cluster.gpus={}", stages), "parallelism={}",
                                     fmt::format("parallelism.pipeline={}", stages),
                                     "training={global_batch: 8, sequence_length: 512, "
                                     "gradients: fp32}"};
  overrides.insert(overrides.end(), more.begin(), more.end());
  return testing::shipped("t5-11b-a100.yaml", overrides);
}

TEST(EncoderDecoder, StagesOfTheDecoderSendTheEncodersOutputToo) {
  const Workload w = staged(4).workload;
  const StepProgram step = make_step_program(w);
  EXPECT_EQ(step.sent.value, 2.0 * 512 * 1024);
  const std::map<std::pair<int, bool>, std::vector<double>> expected{
      {{0, true}, std::vector(8, 1.0)},  {{1, true}, std::vector(8, 1.0)},
      {{2, true}, std::vector(8, 2.0)},  {{1, false}, std::vector(8, 1.0)},
      {{2, false}, std::vector(8, 1.0)}, {{3, false}, std::vector(8, 2.0)}};
  EXPECT_EQ(testing::arrays_sent(step), expected);
}

// What the links carry, where nothing but sends crosses them: 8 microbatches, 8 arrays each.
TEST(EncoderDecoder, LinksCarryWhatIsSent) {
  const Scenario s = staged(4, {"training.frozen=[embedding, head]"});
  EXPECT_TRUE(near(testing::bytes_through_nodes(s), 8.0 * 8 * 2 * 512 * 1024));
}

// The table is on two stages, and on the last one, if that is another, for the head.
TEST(EncoderDecoder, EveryStageThatNeedsTheTableHoldsIt) {
  for (const auto& [stages, tables] :
       {std::pair(1, std::vector{0}), std::pair(2, std::vector{0, 1}),
        std::pair(4, std::vector{0, 2, 3}), std::pair(8, std::vector{0, 4, 7})}) {
    const Workload w = staged(stages).workload;
    SCOPED_TRACE(stages);
    EXPECT_EQ(w.table_stages(), tables);
    double held = 0;
    for (int stage = 0; stage < stages; ++stage) {
      held += rank_parameters(w, stage);
    }
    EXPECT_EQ(held, 11307321344.0 + (static_cast<double>(tables.size()) - 1) * kTable);
  }
  // T5 1.1 has a head of its own: only the two embeddings are one.
  const Workload untied = staged(4, {"model.preset=t5-1.1-xxl"}).workload;
  EXPECT_EQ(untied.table_stages(), (std::vector{0, 2}));
}

TEST(EncoderDecoder, TheTablesGradientsAreSummedOverTheirStages) {
  const Workload w = staged(4).workload;
  for (const int rank : {0, 2, 3}) {
    EXPECT_EQ(w.mesh().group(rank, kEmbeddingGroups), (std::vector{0, 2, 3}));
  }
  const StepProgram step = make_step_program(w);
  for (int stage = 0; stage < 4; ++stage) {
    std::vector<double> summed;
    for (const EndStep& end : step.stage(stage).ends) {
      if (end.sort == kEmbeddingGroups) {
        EXPECT_EQ(end.op, CollectiveOp::AllReduce);
        summed.push_back(end.bytes.value);
      }
    }
    EXPECT_EQ(summed, stage == 1 ? std::vector<double>{} : std::vector{4 * kTable}) << stage;
  }
}

// Of each microbatch in flight a stage of the decoder keeps its layers' activations and one array
// more: with GPipe of all 8. On one stage it is kept once, computed again or not.
TEST(EncoderDecoder, TheEncodersOutputIsKeptOnceOnEachStageOfTheDecoder) {
  const auto kept = [](const Workload& w, int stage) {
    const ModelBlocks model = build_model(w);
    Bytes most;
    for (const HeldDuring& moment : memory_over_time(w, model, stage)) {
      most = std::max(most, moment.activations);
    }
    Bytes layers;
    for (const LayerKindId kind : layers_of(w, model, {stage, 0})) {
      layers += kept_by(model.kinds[kind]);
    }
    return std::pair(most.value, layers.value);
  };
  for (const std::string recompute : {"none", "full"}) {
    const std::string again = "training.recompute=" + recompute;
    const Workload w = staged(4, {"training.schedule={kind: gpipe}", again}).workload;
    const double array = 2.0 * 512 * 1024;
    for (int stage = 0; stage < 4; ++stage) {
      const auto [most, layers] = kept(w, stage);
      EXPECT_TRUE(near(most, 8 * (layers + (stage >= 2 ? array : 0)))) << stage << recompute;
    }
    const auto [most, layers] = kept(staged(1, {again, "training.global_batch=1"}).workload, 0);
    EXPECT_TRUE(near(most, layers + array)) << recompute;
  }
}

// One microbatch through an encoder's and two stages of a decoder, and back: each send takes its
// latency and its arrays at the bandwidth, so the sends' part of the step is that of 1 + 2 arrays
// each way.
TEST(EncoderDecoder, OneMicrobatchWaitsForAllThatIsSent) {
  const auto step = [](int gigabytes) {
    const Scenario s =
        staged(3, {"parallelism.stage_layers=[24, 12, 12]", "training.global_batch=1",
                   "training.frozen=[embedding, head]", "cluster.node.scale_up.efficiency=1",
                   fmt::format("cluster.node.scale_up.bandwidth={}GB/s", gigabytes)});
    const Cluster cluster = build_cluster(s.cluster);
    return testing::play(plan_step(s.workload, cluster).graph).end.value;
  };
  const double array = 2.0 * 512 * 1024;
  EXPECT_TRUE(near(step(1) - step(2), 6 * array / 2e9, 1e-6));
}

// The decoder's sequences may be shorter, as those that T5 is trained on (512 and 114 to 128). Of a
// sequence of e and one of d positions, model FLOPs are, forward, and three times that both ways,
// with a the width of all heads and f that of the MLP
//
//   encoder   24 layers of  8 e h a + 4 e^2 a + 4 e h f
//   decoder   24 layers of  8 d h a + 4 d^2 a + 4 d h f
//                           + 4 d h a + 4 e h a + 4 d e a            (cross)
//   head      2 d h V
TEST(EncoderDecoder, ShorterSequencesOfTheDecoderAreLessWork) {
  for (const double d : {512.0, 128.0, 114.0}) {
    const Workload w = staged(1, {fmt::format("training.decoder_length={}", d)}).workload;
    const double e = 512, h = 1024, a = 128 * 128, f = 65536, layers = 24;
    const double own = layers * (8 * h * a + 4 * h * f);
    const double forward = e * own + d * own + layers * 4 * a * (e * e + d * d) +
                           layers * (4 * d * h * a + 4 * e * h * a + 4 * d * e * a) +
                           2 * d * h * 32128;
    EXPECT_TRUE(near(step_flops(w, false).value, 8 * 3 * forward)) << d;
    // A causal mask is on the decoder's own attention alone.
    const double masked = layers * 4 * a * d * d / 2;
    EXPECT_TRUE(near(step_flops(w, true).value, 8 * 3 * (forward - masked))) << d;
  }
}

// Between stages of the encoder an array of 512 positions goes, between those of the decoder one of
// 128 and the encoder's output. The head sees 128 positions, cross-attention keeps 512 keys.
TEST(EncoderDecoder, ShorterSequencesOfTheDecoderAreSent) {
  const Scenario s =
      staged(4, {"training.decoder_length=128", "training.frozen=[embedding, head]"});
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  const Report report = measure("", s.workload, cluster, plan, testing::play(plan.graph));
  double carried = 0;
  for (const LinkReport& row : report.links) {
    carried += row.kind == LinkKind::ScaleUp ? row.bytes.value / 2 : 0;
  }
  EXPECT_TRUE(near(testing::bytes_through_nodes(s), 8.0 * 2 * (1 + 1 + 1.25) * 2 * 512 * 1024));

  const ModelBlocks model = build_model(staged(1, {"training.decoder_length=128"}).workload);
  const Block& decoder = model.kinds[model.kind_of_layer.back()];
  std::vector<double> kept;
  for (const Operator* op : operators_of(decoder)) {
    if (op->name == kAttention) {
      kept.push_back(op->kept.value);
    }
  }
  const double width = 128 * 128;
  EXPECT_EQ(kept, (std::vector{2 * 3 * 128 * width, 2 * (128 + 2 * 512) * width}));
}

// What is said is what holds without it.
TEST(EncoderDecoder, TheEncodersLengthSaidOfTheDecoderChangesNothing) {
  for (const int stages : {1, 4}) {
    const auto step = [&](const std::vector<std::string>& more) {
      return make_step_program(staged(stages, more).workload);
    };
    EXPECT_EQ(step({}), step({"training.decoder_length=512"})) << stages;
  }
}

TEST(EncoderDecoder, FoldedIsUnfolded) {
  for (const char* plan : {"{tensor: 2, pipeline: 4}", "{tensor: 1, pipeline: 2, zero: 1}",
                           "{tensor: 2, pipeline: 2, sequence: true}"}) {
    SCOPED_TRACE(plan);
    const std::vector<std::string> more{"cluster.gpus=16", std::string("parallelism=") + plan,
                                        "training.schedule={kind: gpipe}",
                                        "training.decoder_length=64"};
    std::vector<std::string> off = more;
    off.emplace_back("fold=off");
    const auto end = [&](const Scenario& s) {
      const Cluster cluster = build_cluster(s.cluster);
      return testing::play(plan_step(s.workload, cluster).graph).end.value;
    };
    EXPECT_TRUE(near(end(staged(4, more)), end(staged(4, off)), 1e-9));
  }
}

}  // namespace
}  // namespace danlu
