// Mixtures of experts: parameters, FLOPs, what is kept, which ranks hold which experts, bytes sent,
// and what an uneven load costs. Figures of other models and programs are named where they stand.
#include "sim/collective/experts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/program/step_program.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/expert_balance.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "tests/support/mixtures.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

using testing::batch;
using testing::kLlamaLike;
using testing::mixtral;
using testing::report_of;
using testing::with;

double active_parameters(const ModelSpec& model) {
  double active = 0;
  for (const PartParameters& part : parameters_by_part(model)) {
    active += part.active;
  }
  return active;
}

// Published counts of checkpoints: Mixtral 8x7B, DeepSeek-MoE-16B (github.com/mlc-ai/mlc-llm
// model_preset.py), Llama 4 Maverick's text model with experts in every second layer.
TEST(Experts, ParametersAreThoseOfCheckpoints) {
  struct Row {
    std::string model;
    double total, active;
  };
  const std::vector<Row> rows{
      {mixtral(), 46702792704, 12879925248},
      {fmt::format("model={{layers: 28, hidden: 2048, heads: 16, ffn: 10944, vocab: 102400, {}, "
                   "experts: {{count: 64, per_token: 6, ffn: 1408, shared_ffn: 2816, "
                   "dense_layers: 1}}}}",
                   kLlamaLike),
       16375728128, 2828650496},
      {fmt::format("model={{layers: 48, hidden: 5120, heads: 40, kv_heads: 8, ffn: 16384, vocab: "
                   "202048, {}, experts: {{count: 128, per_token: 1, ffn: 8192, shared_ffn: 8192, "
                   "every: 2}}}}",
                   kLlamaLike),
       400711848960, 17184691200}};
  for (const Row& row : rows) {
    const ModelSpec model = with(row.model, 8, "{data: 8}").workload.model;
    EXPECT_EQ(total_parameters(model), row.total) << row.model;
    EXPECT_EQ(active_parameters(model), row.active) << row.model;
  }
}

// Megatron-core's num_floating_point_operations counts half of the attention square and no router.
TEST(Experts, FlopsAreMegatronsAndTheRouters) {
  const Workload w = with(mixtral(), 8, "{data: 8}", {batch(8, 4096)}).workload;
  const double router = 6.0 * 4096 * 8 * 32;
  EXPECT_TRUE(near(step_flops(w, true).value / w.tokens_per_step(), 79706456064 + router, 1e-12));
}

// Tokens above a capacity are dropped: half of them at 0.5 of an even load, whose three products of
// 4,096 x 14,336 (2 FLOPs a value, thrice for gradients, two experts a token) are gone. What is
// padded is no FLOP of the model.
TEST(Experts, DroppedTokensAreNoFlopsOfTheModel) {
  const auto flops = [](const std::string& experts) {
    const Workload w =
        with(mixtral(), 8, "{data: 8}", {batch(8, 4096, ", experts: {" + experts + "}")}).workload;
    return step_flops(w, true).value / w.tokens_per_step();
  };
  const double of_experts = 32 * 2 * 3 * 6.0 * 4096 * 14336;
  const double all = flops("capacity: 0");
  EXPECT_TRUE(near(flops("capacity: 0.5"), all - 0.5 * of_experts, 1e-12));
  EXPECT_TRUE(near(flops("capacity: 0.5, pad: true"), all - 0.5 * of_experts, 1e-12));
  EXPECT_TRUE(near(flops("capacity: 2, pad: true"), all, 1e-12));
}

TEST(Experts, MfuWithDroppedTokensIsThatOfTheFlopsCounted) {
  const Report report =
      report_of(with(mixtral(4), 8, "{data: 8, expert: 8}",
                     {batch(8, 4096, ", experts: {capacity: 0.5, load: [8,1,1,1,1,1,1,1]}")}));
  EXPECT_TRUE(near(report.step.mfu, report.step.mfu_full, 1e-9));
  EXPECT_LT(report.step.mfu_causal, report.step.mfu);
}

/// FLOPs a token by num_floating_point_operations at d98e8a64dd, run; and with a layer that
/// predicts one more token.
struct FlopsOfMixture {
  const char* preset;
  int sequence;
  double megatron, predicting;
};
// It counts no router and no gate of shared experts, but the two norms of latent attention and the
// three of a layer that predicts, as if they were products.
TEST(Experts, FlopsOfPresetsAreMegatrons) {
  for (const FlopsOfMixture& row : {FlopsOfMixture{"mixtral-8x7b", 4096, 79706456064, 0},
                                    {"mixtral-8x22b", 4096, 242167578624, 0},
                                    {"deepseek-v2-lite", 4096, 16386180096, 18255568896},
                                    {"deepseek-v3", 4096, 249812054016, 259992950784},
                                    {"kimi-k2", 4096, 204477394944, 215377090560},
                                    {"qwen3-30b-a3b", 4096, 23006281728, 0},
                                    {"olmoe-1b-7b", 4096, 7865892864, 0},
                                    {"llama4-scout", 8192, 108883476480, 0},
                                    {"qwen2-57b-a14b", 4096, 84653506560, 0}}) {
    for (const auto& [predicts, flops] : {std::pair(0, row.megatron), {1, row.predicting}}) {
      if (flops > 0) {
        const Workload w =
            with(fmt::format("model={{preset: {}, prediction_layers: {}}}", row.preset, predicts),
                 1, "{}", {batch(1, row.sequence)})
                .workload;
        const ModelSpec& m = w.model;
        const int layers = m.layers + predicts;
        const double routed = layers - m.experts.dense_layers;
        const double gates = m.experts.count + (m.experts.shared_gate ? 1 : 0);
        const double norms =
            3.0 * predicts * m.hidden +
            (m.is_latent() ? layers * (m.latent.query_rank + m.latent.kv_rank) : 0);
        EXPECT_TRUE(near(step_flops(w, true).value / row.sequence,
                         flops + 6 * (routed * gates * m.hidden - norms), 1e-12))
            << row.preset << " " << predicts << " "
            << step_flops(w, true).value / row.sequence - flops;
      }
    }
  }
}

// What a layer keeps of a microbatch of 4,096 tokens beside attention, in bf16: inputs of the norm
// and of the router, its logits in fp32, tokens at their experts, both outputs inside them and
// theirs, and of shared experts. SimuMax keeps 1 to 3 % more than the list that the sums are of.
TEST(Experts, KeepWhatBackwardNeeds) {
  const auto kept = [](const std::string& model) {
    const Workload w = with(model, 8, "{data: 8}", {batch(8, 4096)}).workload;
    const ModelBlocks blocks = build_model(w);
    Bytes sum;
    bool of_experts = false;
    const std::vector<const Operator*> all = operators_of(blocks.layer(0));
    for (std::size_t i = 0; i < all.size(); ++i) {
      of_experts = of_experts || (i + 1 < all.size() && all[i + 1]->name == "router");
      sum += of_experts ? all[i]->kept : Bytes{};
    }
    return sum.value;
  };
  EXPECT_EQ(kept(mixtral()), 906100736);
  EXPECT_EQ(kept(fmt::format("model={{layers: 1, hidden: 7168, heads: 128, head_dim: 128, ffn: "
                             "18432, vocab: 129280, {}, experts: {{count: 256, per_token: 8, ffn: "
                             "2048, shared_ffn: 2048}}}}",
                             kLlamaLike)),
            1514143744);
}

// Weighted behind the activation, copies of tokens are not kept for their sum.
TEST(Experts, KeepNoOutputThatIsWeightedBefore) {
  Workload w = with(mixtral(1), 8, "{data: 8}", {batch(8, 4096)}).workload;
  const double sum = kept_by(build_model(w).layer(0)).value;
  w.training.routing.weighs_inside = true;
  EXPECT_EQ(sum - kept_by(build_model(w).layer(0)).value, 67108864);
}

// Megatron-core's RankGenerator, order tp-cp-ep-dp-pp: the first two groups and how many there are.
TEST(Experts, RanksAreMegatrons) {
  struct Row {
    ParallelismSpec p;
    int expert, sharers;
    std::string of_expert, of_copies;
  };
  ParallelismSpec context{.data = 8};
  context.context = 2;
  ParallelismSpec both{.tensor = 2, .pipeline = 2, .data = 2};
  both.context = 2;
  const std::vector<Row> rows{
      {{.pipeline = 2, .data = 8}, 4, 1, "4: 0 1 2 3, 4 5 6 7", "8: 0 4, 1 5"},
      {{.tensor = 2, .data = 8}, 8, 1, "2: 0 1 2 3 4 5 6 7, 8 9 10 11 12 13 14 15", "8: 0 8, 1 9"},
      {context, 8, 1, "2: 0 1 2 3 4 5 6 7, 8 9 10 11 12 13 14 15", "8: 0 8, 1 9"},
      {both, 4, 1, "4: 0 1 2 3, 4 5 6 7", "8: 0 4, 1 5"},
      {{.tensor = 4, .data = 8},
       8,
       1,
       "4: 0 1 2 3 4 5 6 7, 8 9 10 11 12 13 14 15",
       "8: 0 8 16 24, 1 9 17 25"},
      {{.tensor = 2, .pipeline = 2, .data = 4}, 2, 2, "8: 0 2, 1 3", "8: 0 4, 1 5"}};
  for (const Row& row : rows) {
    ParallelismSpec p = row.p;
    p.expert = row.expert;
    p.expert_tensor = row.sharers;
    const auto groups = [mesh = p.mesh()](AxisSet axes) {
      std::vector<std::string> found;
      for (int rank = 0; rank < mesh.world_size(); ++rank) {
        if (mesh.is_first(rank, axes)) {
          found.push_back(fmt::format("{}", fmt::join(mesh.group(rank, {axes, Span::All}), " ")));
        }
      }
      return fmt::format("{}: {}, {}", found.size(), found[0], found[1]);
    };
    EXPECT_EQ(groups(Axis::Expert), row.of_expert);
    EXPECT_EQ(groups(kExpertDataAxes), row.of_copies);
  }
}

/// Bytes that one rank sends with all ways of tokens in one forward pass of one layer, and to other
/// nodes, read from the links of the step that has them alone.
struct Sent {
  double all = 0;
  double between_nodes = 0;
};
Sent sent_for_tokens(const Scenario& s) {
  const Cluster cluster = build_cluster(s.cluster);
  const auto carried = [&](Workload w) {
    const StepPlan plan = plan_step(w, cluster);
    const Report report = measure("", w, cluster, plan, testing::play(plan.graph));
    Sent sent;
    for (const LinkReport& row : report.links) {
      const double each = row.bytes.value / 2 / s.cluster.gpus;
      sent.all += row.kind == LinkKind::ScaleUp || row.kind == LinkKind::NicCable ? each : 0;
      sent.between_nodes += row.kind == LinkKind::NicCable ? each : 0;
    }
    return sent;
  };
  // A step of twice as many microbatches sends as much again, but for gradients.
  Workload longer = s.workload;
  longer.training.global_batch *= 2;
  const Sent once = carried(s.workload);
  const Sent twice = carried(longer);
  return {twice.all - once.all, twice.between_nodes - once.between_nodes};
}

// Every token of a rank to every of its k experts elsewhere: T k h 2 (e-1)/e there, back, and twice
// in backward; between nodes a copy for each of them, or with DeepEP's way one for every other node
// that has some.
TEST(ExpertBytes, AreThoseOfTheClosedForms) {
  struct Row {
    const char* name;
    int hidden, experts, per_token, ranks;
    double copies, once;  // of dispatch, between nodes
  };
  const auto scenario = [](const Row& row, const std::string& exchange) {
    return with(fmt::format("model={{layers: 1, hidden: {}, heads: 32, ffn: 1024, vocab: 1024, "
                            "{}, experts: {{count: {}, per_token: {}}}}}",
                            row.hidden, kLlamaLike, row.experts, row.per_token),
                row.ranks, fmt::format("{{expert: {}, expert_exchange: {}}}", row.ranks, exchange),
                {batch(row.ranks, 4096)});
  };
  const Row one_node{"Mixtral 8x7B", 4096, 8, 2, 8, 0, 0};
  EXPECT_TRUE(near(sent_for_tokens(scenario(one_node, "all-to-all")).all, 234881024, 1e-8));
  // 8 bits on their way to the experts, forward and backward.
  const Row kimi{"Kimi-K2", 7168, 384, 8, 64, 205520896, 135644195.3};
  for (const auto& [exchange, bytes] :
       {std::pair("all-to-all", kimi.copies), {"deepep", kimi.once}}) {
    Scenario s = scenario(kimi, exchange);
    s.workload.training.routing.dispatch_bytes = 1;
    EXPECT_TRUE(near(sent_for_tokens(s).between_nodes, 2 * bytes + 2 * 2 * bytes, 1e-6))
        << exchange;
  }
  for (const Row& row : {Row{"DeepSeek-V3", 7168, 256, 8, 64, 411041792, 272040405.782},
                         Row{"DeepSeek-V2", 5120, 160, 6, 16, 125829120, 41348327.559},
                         Row{"Qwen3-235B", 4096, 128, 8, 32, 201326592, 91327050.218}}) {
    EXPECT_TRUE(
        near(sent_for_tokens(scenario(row, "all-to-all")).between_nodes, 4 * row.copies, 1e-8))
        << row.name;
    EXPECT_TRUE(near(sent_for_tokens(scenario(row, "deepep")).between_nodes, 4 * row.once, 1e-6))
        << row.name;
  }
}

// DeepSeek-V3's router (its model.py, Gate): the four of eight nodes whose two best scores are
// largest together, then the eight best experts there; scores drawn at random. Nodes drawn without
// their scores are fewer, 4 (1 - C(96, 8) / C(128, 8)) = 3.629.
TEST(ExpertBytes, OfLimitedNodesAreThoseOfDeepSeeksRouter) {
  constexpr int kNodes = 8;
  constexpr int kPerToken = 8;
  constexpr int kMost = 4;
  constexpr int kTokens = 20000;
  for (const int experts : {256, 384}) {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> score(0, 1);
    double sum = 0;
    for (int token = 0; token < kTokens; ++token) {
      std::vector<std::vector<double>> nodes(kNodes);
      for (std::vector<double>& node : nodes) {
        for (int i = 0; i < experts / kNodes; ++i) {
          node.push_back(score(random));
        }
        std::sort(node.begin(), node.end(), std::greater<>());
      }
      std::sort(nodes.begin(), nodes.end(),
                [](const auto& a, const auto& b) { return a[0] + a[1] > b[0] + b[1]; });
      std::vector<std::pair<double, int>> open;
      for (int node = 0; node < kMost; ++node) {
        for (const double one : nodes[static_cast<std::size_t>(node)]) {
          open.emplace_back(one, node);
        }
      }
      std::sort(open.begin(), open.end(), std::greater<>());
      std::set<int> visited;
      for (int i = 0; i < kPerToken; ++i) {
        visited.insert(open[static_cast<std::size_t>(i)].second);
      }
      sum += static_cast<double>(visited.size());
    }
    const double nodes = token_spread({experts, kPerToken, kMost}, kNodes, 8).nodes;
    EXPECT_NEAR(nodes, sum / kTokens, 0.01 * nodes) << experts;
    EXPECT_GT(nodes, 3.629);
    EXPECT_LE(nodes, kMost);
  }
}

// Four of eight nodes drawn blindly, then eight of the 128 experts there: a node has none of them
// with C(96, 8) / C(128, 8), so that 3.629 nodes have some; of ranks each likewise, 32 (1 - C(124,
// 8) / C(128, 8)). The two rules are different models, and both are other people's.
TEST(ExpertBytes, OfNodesDrawnAtRandom) {
  const ExpertRouting routing{256, 8, 4, NodeChoice::Random};
  double no_node = 1;
  double no_rank = 1;
  for (int i = 0; i < 8; ++i) {
    no_node *= (96.0 - i) / (128 - i);
    no_rank *= (124.0 - i) / (128 - i);
  }
  const TokenSpread spread = token_spread(routing, 8, 8);
  EXPECT_TRUE(near(spread.nodes, 4 * (1 - no_node), 1e-12));
  EXPECT_NEAR(spread.nodes, 3.629, 5e-4);
  EXPECT_TRUE(near(spread.ranks, 32 * (1 - no_rank), 1e-12));
  EXPECT_NEAR(token_spread({256, 8, 4}, 8, 8).nodes, 3.983, 5e-4);
  const Workload w = with("model={preset: deepseek-v3, layers: 4}", 64,
                          "{expert: 64, expert_tensor: 1, expert_exchange: deepep}",
                          {batch(64, 4096, ", experts: {most_nodes: 4, node_choice: random}")})
                         .workload;
  EXPECT_EQ(w.training.routing.nodes, NodeChoice::Random);
}

// Megatron's distributed optimizer: gradients of experts are scattered, and their weights gathered,
// among their copies, all else among all ranks.
TEST(ExpertBytes, OfGradientsAndWeights) {
  struct Row {
    const char* preset;
    int data, expert, gradient_bits;
    double dense, of_experts;
  };
  for (const Row& row : {Row{"mixtral-8x7b", 64, 8, 32, 9483288192, 29595009024},
                         {"qwen3-30b-a3b", 32, 16, 32, 8957605248, 5435817984},
                         {"qwen3-235b-a22b", 256, 32, 16, 31863998280, 24838668288}}) {
    const Scenario s =
        with(fmt::format("model={}", row.preset), row.data,
             fmt::format("{{expert: {}, zero: 1}}", row.expert),
             {batch(row.data, 4096,
                    fmt::format(", gradients: {}", row.gradient_bits == 16 ? "16bit" : "fp32"))});
    const StepProgram step = make_step_program(s.workload);
    const Mesh mesh = s.workload.parallelism.mesh();
    double dense = 0;
    double of_experts = 0;
    for (const EndStep& end : step.stages[0].ends) {
      if (end.sort) {
        const double ranks = mesh.size(end.sort->axes);
        const double sent = (ranks - 1) / ranks * end.bytes.value;
        (end.sort->axes == AxisSet(Axis::ExpertShard) ? of_experts : dense) += sent;
      }
    }
    EXPECT_EQ(dense, row.dense) << row.preset;
    EXPECT_EQ(of_experts, row.of_experts) << row.preset;
  }
}

// Megatron-core's theoretical_memory_usage at d98e8a64dd, run: 6 + 12/copies bytes a parameter,
// with copies of experts over their own ranks. It splits norms over tensor ranks.
TEST(Experts, StatesAreThoseOfMegatronsCalculator) {
  struct Row {
    const char* preset;
    int tensor, pipeline, data, expert;
    double states;
  };
  for (const Row& row : {Row{"mixtral-8x7b", 1, 4, 16, 8, 20063312640},
                         {"mixtral-8x7b", 2, 1, 32, 8, 47400740352},
                         {"deepseek-v2-lite", 1, 1, 8, 8, 42225662208},
                         {"qwen3-30b-a3b", 1, 1, 16, 16, 43017205248},
                         {"olmoe-1b-7b", 1, 1, 8, 8, 18070354944}}) {
    const Workload w =
        with(fmt::format("model={}", row.preset), row.tensor * row.pipeline * row.data,
             fmt::format("{{tensor: {}, pipeline: {}, data: {}, sequence: {}, expert: {}, "
                         "expert_tensor: 1, zero: 1}}",
                         row.tensor, row.pipeline, row.data, row.tensor > 1, row.expert),
             {batch(16 * row.data, 4096)})
            .workload;
    const MemoryUse use = memory_by_stage(w).front();
    const double states = (use.parameters + use.gradients + use.optimizer).value;
    EXPECT_TRUE(near(states, row.states, 1e-4)) << row.preset << " " << states / row.states;
  }
}

// Loads by hand: experts 0 and 1 on rank 0, 2 and 3 on rank 1.
TEST(ExpertBalance, OfAGivenLoad) {
  Workload w = with(mixtral(), 8, "{expert: 2}").workload;
  w.model.experts.count = 4;
  w.training.routing.load = {3, 1, 2, 2};  // means 4/8 and 4/8: even over ranks
  EXPECT_EQ(expert_balance(w).fullest, 1);
  w.training.routing.load = {4, 2, 1, 1};
  const ExpertBalance uneven = expert_balance(w);
  EXPECT_EQ(uneven.wanted, (std::vector<double>{2, 1, 0.5, 0.5}));
  EXPECT_EQ(uneven.fullest, 1.5);
  EXPECT_EQ(uneven.dropped, 0);
  w.training.routing.capacity = 1.5;  // one of eight copies is dropped
  const ExpertBalance cut = expert_balance(w);
  EXPECT_EQ(cut.dropped, 0.125);
  EXPECT_EQ(cut.mean, 0.875);
  EXPECT_TRUE(near(cut.fullest, 1.25 / 0.875, 1e-12));
  w.training.routing.pads = true;
  const ExpertBalance padded = expert_balance(w);
  EXPECT_EQ(padded.mean, 1.5);
  EXPECT_EQ(padded.fullest, 1);
  EXPECT_TRUE(near(padded.padding, 1 - 0.875 / 1.5, 1e-12));
}

// A token visits two different experts of eight: none gets more than four times the mean, which is
// every token once.
TEST(ExpertBalance, NoneGetsATokenTwice) {
  Workload w = with(mixtral(), 8, "{expert: 8}").workload;
  const auto wanted = [&](std::vector<int> load) {
    w.training.routing.load = std::move(load);
    return expert_balance(w).wanted;
  };
  EXPECT_EQ(wanted({1, 1, 0, 0, 0, 0, 0, 0}), (std::vector<double>{4, 4, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(wanted({9, 1, 1, 0, 0, 0, 0, 0}), (std::vector<double>{4, 2, 2, 0, 0, 0, 0, 0}));
  w.training.routing.load = {};
  w.training.routing.zipf = 3;  // 8 of 1.195 by weight
  EXPECT_TRUE(near(expert_balance(w).fullest, 4, 1e-12));
  w.model.experts.per_token = 8;  // which visits all of them
  w.training.routing.zipf = 10;
  for (const double load : expert_balance(w).wanted) {
    EXPECT_TRUE(near(load, 1, 1e-9));
  }
}

TEST(ExpertBalance, OfZipfsLaw) {
  Workload w = with(mixtral(), 8, "{expert: 8}").workload;
  w.training.routing.zipf = 1;
  double harmonic = 0;
  for (int i = 1; i <= 8; ++i) {
    harmonic += 1.0 / i;
  }
  EXPECT_TRUE(near(expert_balance(w).fullest, 8 / harmonic, 1e-12));
  w.parallelism.expert = 2;
  const double first = expert_balance(w).fullest;
  bool differs = false;
  for (int seed = 2; seed < 8; ++seed) {
    w.training.routing.seed = seed;
    differs = differs || expert_balance(w).fullest != first;
  }
  EXPECT_TRUE(differs);
}

// The rank with most tokens decides: a step with an uneven load takes as long as one in which all
// ranks have as many tokens at their experts, and what it takes longer than an even one is waiting
// and sending.
TEST(ExpertBalance, TheFullestRankRules) {
  const auto report = [](const std::string& routing) {
    const Scenario s =
        with(mixtral(2), 8, "{expert: 8}", {batch(8, 4096, routing), "collectives=formula"});
    const Cluster cluster = build_cluster(s.cluster);
    const StepPlan plan = plan_step(s.workload, cluster);
    return measure("", s.workload, cluster, plan, testing::play(plan.graph));
  };
  const Report even = report("");
  const Report uneven = report(", experts: {load: [3, 1, 1, 1, 1, 1, 0, 0]}");
  const Report all_as_full = report(", experts: {capacity: 3, pad: true}");
  EXPECT_GT(uneven.step.time.value, 1.5 * even.step.time.value);
  EXPECT_TRUE(near(uneven.step.breakdown[TimePart::Useful].value,
                   even.step.breakdown[TimePart::Useful].value, 1e-9));
  EXPECT_EQ(even.step.breakdown[TimePart::StragglerWait].value, 0);
  EXPECT_GT(uneven.step.breakdown[TimePart::StragglerWait].value, 0.3 * even.step.time.value);
  // Padding moves tokens on the sender's side too, before and after the exchange.
  EXPECT_LT(uneven.step.time.value, all_as_full.step.time.value);
  EXPECT_TRUE(near(uneven.step.time.value, all_as_full.step.time.value, 0.05));
}

// A layer's experts on 64 ranks of eight nodes: 4,096 tokens a rank, eight copies each. Bytes: four
// times those of the table above; in the node 7 of 64 copies, or a token to every rank that has
// some of its eight experts, 7 of 8 times from another one.
TEST(ExpertReport, TokensAndBytesOfAnEvenLoad) {
  const auto report = [](const std::string& exchange) {
    return report_of(
        with(fmt::format("model={{layers: 2, hidden: 7168, heads: 32, ffn: 1024, vocab: 1024, {}, "
                         "experts: {{count: 256, per_token: 8, dense_layers: 1}}}}",
                         kLlamaLike),
             64, fmt::format("{{expert: 64, expert_exchange: {}}}", exchange), {batch(64, 4096)}));
  };
  const double token = 7168 * 2;
  const Report direct = report("all-to-all");
  const ExpertReport& x = direct.experts.value();
  EXPECT_EQ(x.layers, 1);
  EXPECT_EQ(x.per_rank, 4);
  EXPECT_EQ(x.group_nodes, 8);
  EXPECT_EQ(x.tokens, 8192);  // 64 x 4,096 x 8 / 256
  EXPECT_EQ(x.fullest, 8192);
  EXPECT_EQ(x.load_factor, 1);
  EXPECT_FALSE(x.dropped);
  EXPECT_TRUE(near(x.between_nodes.value, 4 * 411041792.0, 1e-12));
  EXPECT_TRUE(near(x.in_node.value, 4 * 4096 * 8 * token * 7 / 64, 1e-12));
  double nobody = 1;  // of a rank's four experts is a token's
  for (int i = 0; i < 8; ++i) {
    nobody *= (252.0 - i) / (256 - i);
  }
  const Report once = report("deepep");
  EXPECT_TRUE(near(once.experts->between_nodes.value, 4 * 272040405.782, 1e-9));
  EXPECT_TRUE(
      near(once.experts->in_node.value, 4 * 4096 * token * 64 * (1 - nobody) * 7 / 8, 1e-9));
}

// Eight experts on eight ranks, wanted 3, 1, 1, 1, 1, 1, 0, 0 times the mean and cut at 1.5.
TEST(ExpertReport, TokensOfAnUnevenLoad) {
  const Report report = report_of(
      with(mixtral(1), 8, "{expert: 8}",
           {batch(8, 4096, ", experts: {load: [3, 1, 1, 1, 1, 1, 0, 0], capacity: 1.5}")}));
  const ExpertReport& x = report.experts.value();
  EXPECT_EQ(x.tokens, 8192);
  EXPECT_EQ(x.fullest, 12288);
  EXPECT_EQ(x.emptiest, 0);
  EXPECT_TRUE(near(x.load_factor, 1.5 / (6.5 / 8), 1e-12));
  EXPECT_TRUE(near(x.dropped.value(), 1.5 / 8, 1e-12));
  EXPECT_EQ(x.between_nodes.value, 0);
  // The only GPUs that wait are those that have fewer tokens.
  EXPECT_TRUE(near(report.step.fullest_wait.value,
                   report.step.breakdown[TimePart::StragglerWait].value, 1e-9));
}

// DeepEP's two flows begin when the tokens are there. On a node alone what is sent takes as long as
// its closed form, which is all of what is exposed, and nothing of it runs beside compute.
TEST(ExpertExchange, BeginsBehindWhatItSends) {
  for (const char* collectives : {"steady", "formula"}) {
    const Report report = report_of(
        with(fmt::format("model={{layers: 3, hidden: 4096, heads: 32, ffn: 2048, vocab: 1024, {}, "
                         "experts: {{count: 64, per_token: 4}}}}",
                         kLlamaLike),
             16, "{expert: 16, expert_exchange: deepep}",
             {batch(48, 2048), fmt::format("collectives={}", collectives)}));
    EXPECT_GT(report.step.by_kind[Axis::Expert].time.value, 0) << collectives;
    EXPECT_EQ(report.step.by_kind[Axis::Expert].overlapped.value, 0) << collectives;
  }
}

}  // namespace
}  // namespace danlu
