// Ways of training mixtures of experts: loads by layer, shared experts beside the exchanges, sums
// over tensor ranks.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/program/step_program.hpp"
#include "sim/workload/expert_balance.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "tests/support/mixtures.hpp"

namespace danlu {
namespace {

using testing::batch;
using testing::kLlamaLike;
using testing::mixtral;
using testing::near;
using testing::report_of;
using testing::with;

// Two layers of four experts on two ranks: 4 + 2 of 8 in the first, all alike in the second.
TEST(ExpertBalance, OfEachLayer) {
  Workload w = with(mixtral(2), 8, "{expert: 2}").workload;
  w.model.experts.count = 4;
  w.training.routing.load = {4, 2, 1, 1, 1, 1, 1, 1};
  EXPECT_EQ(expert_loads(w), 2);
  EXPECT_EQ(expert_balance(w, 0).fullest, 1.5);
  EXPECT_EQ(expert_balance(w, 1).fullest, 1);
  const ModelBlocks model = build_model(w);
  EXPECT_NE(model.kind_of_layer[0], model.kind_of_layer[1]);
  EXPECT_GT(kept_by(model.layer(0)), kept_by(model.layer(1)));
  w.training.routing = {.zipf = 1, .seed = 3, .zipf_by_layer = true};
  const ExpertBalance first = expert_balance(w, 0);
  w.training.routing.zipf_by_layer = false;
  EXPECT_EQ(expert_loads(w), 1);
  EXPECT_EQ(expert_balance(w).wanted,
            first.wanted);  // layers beside it changed nothing for the first
}

// The step waits in each layer for that layer's fullest rank: it takes what layers of one load each
// take, half and half.
TEST(ExpertBalance, EachLayersFullestRankRules) {
  const auto report = [](const std::string& load) {
    return report_of(
        with(mixtral(2), 8, "{expert: 8}",
             {batch(8, 4096, ", experts: {load: [" + load + "]}"), "collectives=formula"}));
  };
  const std::string even = "1, 1, 1, 1, 1, 1, 1, 1";
  const std::string uneven = "3, 1, 1, 1, 1, 1, 0, 0";
  const Report both = report(even + ", " + uneven);
  EXPECT_TRUE(near(both.step.time.value,
                   (report(even).step.time + report(uneven).step.time).value / 2, 1e-9));
  EXPECT_EQ(both.experts->fullest_layer, 1);
  EXPECT_EQ(both.experts->load_factor, 3);
  EXPECT_FALSE(report(uneven).experts->fullest_layer);
}

// A layer whose shared experts run beside the exchanges: dispatch hides up and activation, combine
// hides down, both ways, so that the step is shorter by what is computed there, if that is shorter.
TEST(SharedExperts, HideBehindDispatchAndCombine) {
  const auto scenario = [](bool beside, int tensor) {
    return with(fmt::format("model={{layers: 2, hidden: 4096, heads: 32, ffn: 14336, vocab: 32000, "
                            "{}, experts: {{count: 8, per_token: 2, ffn: 1024, shared_ffn: 256}}}}",
                            kLlamaLike),
                8,
                fmt::format("{{tensor: {}, sequence: {}, expert: 8, expert_tensor: 1, overlap: "
                            "{{shared_experts: {}}}}}",
                            tensor, tensor > 1, beside),
                {batch(8, 4096), "collectives=formula"});
  };
  const Report before = report_of(scenario(false, 1));
  const Report beside = report_of(scenario(true, 1));
  const KernelTimer timer(scenario(true, 1).cluster.gpu, Precision::Bf16);
  const ModelBlocks model = build_model(scenario(true, 1).workload);
  Seconds hidden;
  for (const Operator* op : operators_of(model.layer(0))) {
    for (const Kernels* kernels : {&op->forward, &op->input_gradient, &op->weight_gradient}) {
      hidden += op->part == ModelPart::SharedExperts ? timer.time(*kernels).total() : Seconds{};
    }
  }
  EXPECT_GT(hidden, Seconds{});
  EXPECT_TRUE(near((before.step.time - beside.step.time).value, 2 * hidden.value, 1e-6));
  EXPECT_TRUE(near(before.step.breakdown[TimePart::Useful].value,
                   beside.step.breakdown[TimePart::Useful].value, 1e-12));
  EXPECT_TRUE(near(beside.step.by_kind[Axis::Expert].time.value,
                   before.step.by_kind[Axis::Expert].time.value, 1e-9));
  // Among tensor ranks its own gathers and sums stay beside, too.
  EXPECT_LT(report_of(scenario(true, 2)).step.time, report_of(scenario(false, 2)).step.time);
}

// Megatron's finalize_model_grads, by hand: in a layer two norms of h and a router of E h, at the
// end one norm, each in fp32.
TEST(Experts, GradientsOfWholeWeightsAreSummedOverTensorRanks) {
  const auto ends = [](const std::string& sums) {
    return make_step_program(
               with(mixtral(2), 8,
                    fmt::format("{{tensor: 2, sequence: true, expert: 4, expert_tensor: 1{}}}",
                                sums),
                    {batch(8, 4096, ", gradients: fp32")})
                   .workload)
        .stages[0]
        .ends;
  };
  const auto& with_sum = ends(", sum_whole: true");
  const auto found = std::find_if(with_sum.begin(), with_sum.end(), [](const EndStep& end) {
    return end.name == "sum over tensor ranks";
  });
  ASSERT_NE(found, with_sum.end());
  EXPECT_EQ(found->bytes.value, 4.0 * (2 * (2 * 4096 + 8 * 4096) + 4096));
  EXPECT_EQ(found->sort->axes, AxisSet(Axis::Tensor));
  EXPECT_EQ(ends("").size() + 1, with_sum.size());
}

}  // namespace
}  // namespace danlu
