// What ZeRO and FSDP send and hold. Bytes sent by one rank are read from what the links of the
// played step carried, and held to closed forms over all parameters P, with n ranks that share and
// r parts, m microbatches, gathers of 2 bytes and gradients of g:
//
//   ZeRO-1             (n-1)/n P (g + 2)               FSDP                 m (n-1)/n P (g + 4)
//   ... all summed     (n-1)/n P (2 g + 2)
//   ZeRO-2             (n-1)/n P (m g + 2)             SHARD_GRAD_OP        m (n-1)/n P (g + 2)
//   between parts      m 2 (r-1)/r P/n g               no_sync              (n-1)/n P (4 m + g)
//
// (Rajbhandari et al. 2020, section 7; the figures are of a derivation that other people's
// estimators were held to.)
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

/// A plain plan of a shipped scenario's model, on nodes of eight, by rings.
Scenario sharded(const std::string& model, int ranks, int microbatches,
                 std::vector<std::string> more) {
  std::vector<std::string> settings{
      "model=" + model, "cluster.gpus=" + std::to_string(ranks),
      "parallelism={data: " + std::to_string(ranks) + "}",
      "training={micro_batch: 1, sequence_length: 64, global_batch: " +
          std::to_string(ranks * microbatches) + "}",
      "communication.data.algorithm=ring"};
  settings.insert(settings.end(), more.begin(), more.end());
  return shipped("llama3-8b-h100.yaml", settings);
}

/// Bytes that one rank sends over its links of a kind. As many are received over as many links.
struct Sent {
  double scale_up = 0;
  double nic = 0;
};
Sent sent_by_one(const Scenario& s) {
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  const Report report = measure("", s.workload, cluster, plan, testing::play(plan.graph));
  Sent sent;
  for (const LinkReport& row : report.links) {
    const double each = row.bytes.value / 2 / s.cluster.gpus;
    sent.scale_up += row.kind == LinkKind::ScaleUp ? each : 0;
    sent.nic += row.kind == LinkKind::NicCable ? each : 0;
  }
  return sent;
}

struct Way {
  const char* what;
  std::vector<std::string> settings;
  double bytes;
};

TEST(ShardedBytes, AreThoseOfTheClosedFormsInOneNode) {
  const std::string fp32 = "training.gradients=fp32";
  const std::string root = "parallelism.sharding.keep_root=false";
  const std::vector<Way> ways{
      {"data parallel", {}, 47168909312},
      {"ZeRO-1", {"parallelism.zero=1"}, 35376681984},
      {"ZeRO-1, all summed",
       {"parallelism.zero=1", "parallelism.sharding.scatter=false"},
       58961136640},
      {"ZeRO-2", {"parallelism.zero=2"}, 35376681984},
      {"FSDP", {"parallelism.zero=3", root}, 47168909312},
      {"SHARD_GRAD_OP",
       {"parallelism.zero=3", "parallelism.sharding.reshard=backward"},
       35376681984},
      {"no_sync", {"parallelism.zero=3", root, "parallelism.sharding.reduce=step"}, 47168909312},
  };
  for (const Way& way : ways) {
    std::vector<std::string> settings = way.settings;
    settings.push_back(fp32);
    const Sent sent = sent_by_one(sharded("llama2-7b", 8, 1, settings));
    EXPECT_TRUE(near(sent.scale_up, way.bytes, 1e-8)) << way.what;
  }
}

TEST(ShardedBytes, FollowTheMicrobatches) {
  const std::string root = "parallelism.sharding.keep_root=false";
  const std::vector<Way> ways{
      {"data parallel", {}, 56211828736},
      {"ZeRO-1", {"parallelism.zero=1"}, 42158871552},
      {"ZeRO-2", {"parallelism.zero=2"}, 238900272128},
      {"FSDP", {"parallelism.zero=3", root}, 449694629888},
      {"SHARD_GRAD_OP",
       {"parallelism.zero=3", "parallelism.sharding.reshard=backward"},
       337270972416},
      {"no_sync", {"parallelism.zero=3", root, "parallelism.sharding.reduce=step"}, 252953229312},
  };
  for (const Way& way : ways) {
    const Sent sent = sent_by_one(sharded("llama3-8b", 8, 8, way.settings));
    EXPECT_TRUE(near(sent.scale_up, way.bytes, 1e-8)) << way.what;
  }
}

// Over several nodes a ring leaves a node once in eight hops.
TEST(ShardedBytes, AreTheSameOverNodes) {
  const std::string root = "parallelism.sharding.keep_root=false";
  const auto expect_sent = [](const std::string& model, int ranks, int microbatches,
                              const std::vector<Way>& ways) {
    for (const Way& way : ways) {
      const Sent sent = sent_by_one(sharded(model, ranks, microbatches, way.settings));
      EXPECT_TRUE(near(sent.scale_up + sent.nic, way.bytes, 1e-8)) << model << ", " << way.what;
      EXPECT_TRUE(near(sent.nic, way.bytes / 8, 1e-8)) << model << ", " << way.what;
    }
  };
  const auto ways = [&](double data, double zero1, double zero2, double fsdp, double kept,
                        double once, const std::string& gradients) {
    const std::string width = "training.gradients=" + gradients;
    return std::vector<Way>{
        {"data parallel", {width}, data},
        {"ZeRO-1", {width, "parallelism.zero=1"}, zero1},
        {"ZeRO-2", {width, "parallelism.zero=2"}, zero2},
        {"FSDP", {width, "parallelism.zero=3", root}, fsdp},
        {"SHARD_GRAD_OP",
         {width, "parallelism.zero=3", "parallelism.sharding.reshard=backward"},
         kept},
        {"no_sync", {width, "parallelism.zero=3", root, "parallelism.sharding.reduce=step"}, once}};
  };
  expect_sent("llama-13b", 16, 2,
              ways(48809491200, 48809491200, 73214236800, 146428473600, 97618982400, 122023728000,
                   "16bit"));
  expect_sent("llama3-70b", 256, 1,
              ways(562224848640, 421668636480, 421668636480, 562224848640, 421668636480,
                   562224848640, "fp32"));
}

// torchtitan: embedding and head are units of their own; the head stays after forward, the
// embedding is gathered once more (torchtitan/models/llama3/infra/parallelize.py, apply_fsdp).
// PyTorch's root holds both all through: of P parameters V h each are gathered once then, not
// twice.
TEST(ShardedBytes, OfEndsThatAreUnits) {
  const double parameters = 8030261248;
  const double table = 128256.0 * 4096;
  const double norm = 4096;
  const auto sent = [](std::vector<std::string> more) {
    more.insert(more.end(), {"parallelism.zero=3", "training.gradients=fp32"});
    return sent_by_one(sharded("llama3-8b", 8, 1, more)).scale_up;
  };
  const double both = 7.0 / 8 * (4 * parameters + 4 * parameters);
  EXPECT_TRUE(near(sent({}), both - 7.0 / 8 * 2 * (2 * table + norm), 1e-8));
  EXPECT_TRUE(near(sent({"parallelism.sharding.units=[embedding, layer, head]"}),
                   both - 7.0 / 8 * 2 * (table + norm), 1e-8));
  EXPECT_TRUE(near(sent({"parallelism.sharding.units=[embedding, layer, head]",
                         "parallelism.sharding.keep_root=false"}),
                   both, 1e-8));
}

// Gathered at once: root's two tables and the units in flight; of ends that are units the head, and
// two layers or the embedding with one. The most gradients are the head's, with its norm. Eager
// gathers would have all of it there before a layer.
TEST(ShardedMemory, OfEndsThatAreUnits) {
  const auto gathered = [](const std::vector<std::string>& more) {
    std::vector<std::string> settings{"parallelism.zero=3"};
    settings.insert(settings.end(), more.begin(), more.end());
    return memory_use(sharded("llama3-8b", 8, 1, settings).workload).gathered.value;
  };
  const double table = 128256.0 * 4096;
  const double layer = (8030261248 - 2 * table - 4096) / 32;
  const double gradients = 2 * layer;
  EXPECT_TRUE(near(gathered({}), 2 * (2 * table + 4096 + 2 * layer) + gradients));
  EXPECT_TRUE(near(gathered({"parallelism.sharding.units=[embedding, layer, head]"}),
                   2 * (table + 4096 + table + layer) + 2 * (table + 4096)));
}

// Llama 2 7B: attention 4 h^2, MLP 3 h f, two norms a layer; the root's are two tables and a norm.
struct Llama2 {
  static constexpr double kHidden = 4096;
  static constexpr double kAttention = 4 * kHidden * kHidden;
  static constexpr double kMlp = 3 * kHidden * 11008;
  static constexpr double kNorms = 2 * kHidden;
  static constexpr double kEnds = 2 * 32000 * kHidden + kHidden;
  static constexpr double kAll = 32 * (kAttention + kMlp + kNorms) + kEnds;
};
std::string units(const std::string& names) {
  return "parallelism.sharding.units=" + names;
}

// Whatever the units are, what is given up behind each travels m (n-1)/n P (2 + 2 + g), and what
// is in the root is gathered once: FSDP of the whole model alone is SHARD_GRAD_OP.
TEST(ShardedBytes, AreTheSameInUnitsOfAnything) {
  const auto sent = [](const std::string& names, std::vector<std::string> more) {
    more.insert(more.end(), {"parallelism.zero=3", "training.gradients=fp32", units(names),
                             "communication.data.protocol=Simple"});  // LL sends flags as well
    return sent_by_one(sharded("llama2-7b", 8, 1, more)).scale_up;
  };
  struct Row {
    const char* names;
    double in_root;
  };
  for (const Row& row : {Row{"layer", Llama2::kEnds}, Row{"[layer, attention, mlp]", Llama2::kEnds},
                         Row{"[attention, mlp]", Llama2::kEnds + 32 * Llama2::kNorms},
                         Row{"mlp", Llama2::kEnds + 32 * (Llama2::kNorms + Llama2::kAttention)},
                         Row{"[layer, mlp, embedding, head]", Llama2::kEnds - 32000 * 4096.0},
                         Row{"model", Llama2::kAll}}) {
    const double all = 7.0 / 8 * Llama2::kAll * (2 + 2 + 4);
    EXPECT_TRUE(near(sent(row.names, {}), all - 7.0 / 8 * 2 * row.in_root, 1e-8)) << row.names;
    EXPECT_TRUE(near(sent(row.names, {"parallelism.sharding.keep_root=false"}), all, 1e-8))
        << row.names;
  }
}

/// Of the first pass of a kind: gathers in their order, each as its bytes over those of a parameter
/// and what it waits for; and scatters.
struct Exchanged {
  std::vector<double> gathered, scattered;
  std::vector<std::string> gathered_after, scattered_after;
  std::map<std::string, std::vector<double>> needed;  // gathers, by what computes first behind them
};
Exchanged exchanged(const Workload& w, ActionKind kind) {
  const StepProgram step = make_step_program(w);
  Exchanged found;
  for (const StagePass& pass : step.stages[0].passes) {
    if (pass.action.kind != kind) {
      continue;
    }
    const Program& program = step.programs[pass.program];
    const auto before = [&](const Segment& segment) {
      return segment.after.empty() ? "" : program.segments[segment.after[0]].name;
    };
    for (const Segment& segment : program.segments) {
      if (segment.name == "gather weights") {
        found.gathered.push_back(segment.demand.bytes.value / 2);
        found.gathered_after.push_back(before(segment));
      } else if (segment.name == "scatter gradients") {
        found.scattered.push_back(segment.demand.bytes.value / w.parallelism.sharding.reduce_bytes);
        found.scattered_after.push_back(before(segment));
      }
      for (const std::size_t after :
           segment.is_compute ? segment.after : std::vector<std::size_t>{}) {
        if (program.segments[after].name == "gather weights") {
          found.needed[segment.name].push_back(program.segments[after].demand.bytes.value / 2);
        }
      }
    }
    return found;
  }
  return found;
}
template <typename Value>
std::vector<Value> first(const std::vector<Value>& all, std::size_t number) {
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(number)};
}

// A unit within another has its own weights, that one the rest; the outer one is entered first.
// With one unit ahead, each is gathered as the one before it is entered.
TEST(ShardedUnits, OfALayersHalvesAreGatheredAndScatteredApart) {
  const Workload w =
      sharded("llama2-7b", 8, 1, {"parallelism.zero=3", units("[layer, attention, mlp]")}).workload;
  const Exchanged forward = exchanged(w, ActionKind::Forward);
  ASSERT_EQ(forward.gathered.size(), 1U + 3 * 32);
  EXPECT_EQ(first(forward.gathered, 5),
            (std::vector{Llama2::kEnds, Llama2::kNorms, Llama2::kAttention, Llama2::kMlp,
                         Llama2::kNorms}));
  EXPECT_EQ(first(forward.gathered_after, 5),
            (std::vector<std::string>{"", "", "embedding", "norm", "residual and norm"}));
  EXPECT_EQ(forward.needed.at("QKV"), std::vector(32, Llama2::kAttention));
  EXPECT_EQ(forward.needed.at("MLP up"), std::vector(32, Llama2::kMlp));

  const Exchanged backward = exchanged(w, ActionKind::Backward);
  EXPECT_EQ(first(backward.gathered, 4),
            (std::vector{Llama2::kNorms, Llama2::kMlp, Llama2::kAttention, Llama2::kNorms}));
  EXPECT_EQ(first(backward.scattered, 3),
            (std::vector{Llama2::kMlp, Llama2::kAttention, Llama2::kNorms}));
  EXPECT_EQ(first(backward.scattered_after, 3),
            (std::vector<std::string>{"MLP up", "QKV", "norm"}));
  EXPECT_EQ(backward.scattered.back(), Llama2::kEnds);
}

// One gather of everything, before anything is computed, and one sum behind all of it.
TEST(ShardedUnits, OfTheWholeModelTravelOnce) {
  const Workload w = sharded("llama2-7b", 8, 1, {"parallelism.zero=3", units("model")}).workload;
  EXPECT_EQ(exchanged(w, ActionKind::Forward).gathered, std::vector{Llama2::kAll});
  const Exchanged backward = exchanged(w, ActionKind::Backward);
  EXPECT_TRUE(backward.gathered.empty());
  EXPECT_EQ(backward.scattered, std::vector{Llama2::kAll});
  EXPECT_EQ(backward.scattered_after, std::vector<std::string>{"embedding"});
}

// Full recomputation runs a whole layer again before its backward pass, with all its weights; of
// attention alone it needs none.
TEST(ShardedUnits, AreThereForWhatIsComputedAgain) {
  const auto needed = [](const std::string& recompute) {
    const Workload w = sharded("llama2-7b", 8, 1,
                               {"parallelism.zero=3", units("[layer, attention, mlp]"),
                                "training.recompute=" + recompute})
                           .workload;
    return exchanged(w, ActionKind::Backward).needed;
  };
  const std::vector whole{Llama2::kNorms, Llama2::kMlp, Llama2::kAttention};
  const auto full = needed("full");
  EXPECT_EQ(first(full.at("norm"), 3), whole);
  EXPECT_EQ(full.size(), 1U);
  const auto attention = needed("[core_attn]");
  EXPECT_EQ(attention.at("MLP down"), std::vector(32, Llama2::kMlp));
  EXPECT_EQ(attention.at("projection"), std::vector(32, Llama2::kAttention));
}

// Experts as a unit in their layer: all else of the layer travels by itself, over other ranks.
TEST(ShardedUnits, OfExpertsTravelOverTheirOwnRanks) {
  const auto run = [](const std::string& names) {
    return exchanged(shipped("mixtral-8x7b-h100.yaml",
                             {"parallelism={zero: 3, expert: 8}",
                              "training={global_batch: 64, sequence_length: 4096}", units(names)})
                         .workload,
                     ActionKind::Forward);
  };
  const Exchanged together = run("layer");
  const Exchanged apart = run("[layer, experts]");
  ASSERT_GT(together.gathered.size(), 4U);
  EXPECT_EQ(apart.gathered, together.gathered);  // an order by copies is that of units here
  EXPECT_TRUE(together.needed.count("experts up") == 0);
  EXPECT_EQ(apart.needed.at("experts up").size(), 32U);
}

// Forward, with one unit ahead, holds a layer's own, attention and MLP at once, that is the layer;
// with none ahead only the larger half. Gradients are of the layer's own and one half.
TEST(ShardedMemory, OfUnitsWithinALayer) {
  const auto gathered = [](const std::string& names, const std::string& prefetch) {
    return memory_use(sharded("llama2-7b", 8, 1,
                              {"parallelism.zero=3", units(names),
                               "parallelism.sharding.prefetch=" + prefetch})
                          .workload)
        .gathered.value;
  };
  const double layer = Llama2::kNorms + Llama2::kAttention + Llama2::kMlp;
  const double larger = Llama2::kNorms + Llama2::kMlp;
  EXPECT_EQ(gathered("[layer, attention, mlp]", "0"), 2 * (Llama2::kEnds + larger) + 2 * larger);
  EXPECT_EQ(gathered("[layer, attention, mlp]", "1"), 2 * (Llama2::kEnds + layer) + 2 * larger);
  EXPECT_EQ(gathered("[attention, mlp]", "0"),
            2 * (Llama2::kEnds + 32 * Llama2::kNorms + Llama2::kMlp) +
                2 * (Llama2::kEnds + 32 * Llama2::kNorms + Llama2::kMlp));
  EXPECT_EQ(gathered("model", "1"), 2 * Llama2::kAll + 2 * Llama2::kAll);
  // The head stays gathered, and its gradients are there while it is computed: those of Llama 3 are
  // more than a layer's, and the last of two stages has no embedding with as many.
  const Workload last = sharded("llama3-8b", 8, 2,
                                {"parallelism={data: 4, pipeline: 2}", "parallelism.zero=3",
                                 "parallelism.sharding.prefetch=0", units("[layer, head]")})
                            .workload;
  const double head = 128256.0 * 4096 + 4096;
  const double layer_of_8b = (8030261248 - 2 * 128256.0 * 4096 - 4096) / 32;
  EXPECT_EQ(memory_by_stage(last)[1].gathered.value, 2 * (head + layer_of_8b) + 2 * head);
}

// Within parts of a node's size over NVLink, between them over the NICs.
TEST(ShardedBytes, ArePartedBetweenShardsAndReplicas) {
  const std::vector<std::string> hsdp{"parallelism.zero=3", "parallelism.sharding.keep_root=false",
                                      "parallelism.sharding.ranks=8"};
  const Sent once = sent_by_one(sharded("llama2-7b", 32, 1, hsdp));
  EXPECT_TRUE(near(once.scale_up, 47168909312, 1e-8));
  EXPECT_TRUE(near(once.nic, 5053811712, 1e-8));
  std::vector<std::string> narrow = hsdp;
  narrow.emplace_back("training.gradients=16bit");
  const Sent twice = sent_by_one(sharded("llama3-8b", 64, 2, narrow));
  EXPECT_TRUE(near(twice.scale_up, 84317743104, 1e-8));
  EXPECT_TRUE(near(twice.nic, 7026478592, 1e-8));
}

// Parts of several nodes: what both groups send is on both kinds of link.
TEST(ShardedBytes, OfPartsOfSeveralNodesAddUp) {
  struct Row {
    const char* model;
    int shard, replicas;
    double within, between;
  };
  for (const Row& row : {Row{"llama3-70b", 64, 4, 555610438656, 6614409984},
                         Row{"llama-13b", 16, 2, 97618982400, 3253966080}}) {
    const Sent sent = sent_by_one(sharded(
        row.model, row.shard * row.replicas, 1,
        {"parallelism.zero=3", "training.gradients=fp32", "parallelism.sharding.keep_root=false",
         "parallelism.sharding.ranks=" + std::to_string(row.shard)}));
    EXPECT_TRUE(near(sent.scale_up + sent.nic, row.within + row.between, 1e-8)) << row.model;
    EXPECT_TRUE(near(sent.nic, row.within / 8 + row.between, 1e-8)) << row.model;
  }
}

// PyTorch's root unit stays from forward to backward: its weights are gathered once, not twice.
TEST(ShardedBytes, OfTheRootAreGatheredOnce) {
  const Scenario s = sharded("llama2-7b", 8, 1, {"parallelism.zero=3"});
  const double root = 2 * 32000.0 * 4096 + 4096;
  EXPECT_TRUE(near(sent_by_one(s).scale_up, 47168909312 - 7.0 / 8 * 2 * root, 1e-8));
}

// ZeRO's table (Rajbhandari et al. 2020, figure 1) with fp32 gradients, and FSDP's 16 bytes.
TEST(ShardedMemory, IsDividedByTheRanksThatShare) {
  const double p = 6738415616;
  const auto states = [](std::vector<std::string> settings) {
    const MemoryUse use = memory_use(sharded("llama2-7b", 8, 1, std::move(settings)).workload);
    return (use.parameters + use.gradients + use.optimizer).value;
  };
  EXPECT_TRUE(near(states({"parallelism.zero=0"}), 18 * p));
  EXPECT_TRUE(near(states({"parallelism.zero=1"}), (6 + 12.0 / 8) * p));
  EXPECT_TRUE(near(states({"parallelism.zero=2"}), (2 + 16.0 / 8) * p));
  EXPECT_TRUE(near(states({"parallelism.zero=3"}), 18 * p / 8));
  EXPECT_TRUE(near(states({"parallelism.zero=3", "parallelism.sharding.copy=false"}), 16 * p / 8));
  EXPECT_TRUE(near(states({"parallelism.zero=3", "parallelism.sharding.ranks=4"}), 18 * p / 4));
  EXPECT_TRUE(
      near(states({"parallelism.zero=3", "parallelism.sharding.reduce=step"}), 4 * p + 14 * p / 8));
}

// DeepSpeed's estimate_zero2 and estimate_zero3_model_states_mem_needs (38327e07f): 2 P + 18 P/N,
// and 18 P/N with four bytes of the largest layer, weights and gradients. They count fp16 training
// with fp32 copies of gradients, and no 16-bit copy of ZeRO-3's shards.
TEST(ShardedMemory, IsWhatDeepSpeedEstimates) {
  struct Row {
    const char* model;
    int ranks;
    double zero2, zero3, largest;
  };
  for (const Row& row : {Row{"llama2-7b", 8, 28638266368, 15970968576, 202383360},
                         Row{"llama3-8b", 8, 34128610304, 0, 0},
                         Row{"llama2-70b", 64, 157352978688, 22822299904, 855654400}}) {
    SCOPED_TRACE(row.model);
    const auto use = [&](std::vector<std::string> settings) {
      settings.insert(settings.end(), {"training.precision=fp16", "training.gradients=16bit"});
      return memory_use(sharded(row.model, row.ranks, 1, std::move(settings)).workload);
    };
    const MemoryUse two = use({"parallelism.zero=2"});
    EXPECT_TRUE(near((two.parameters + two.gradients + two.optimizer).value, row.zero2));
    if (row.zero3 > 0) {  // where the embedding is not the largest layer
      const MemoryUse three = use({"parallelism.zero=3", "parallelism.sharding.copy=false",
                                   "parallelism.sharding.prefetch=0"});
      EXPECT_TRUE(near((three.parameters + three.gradients + three.optimizer).value,
                       row.zero3 - 4 * row.largest));
      const ModelSpec& model =
          shipped("llama3-8b-h100.yaml", {std::string("model=") + row.model}).workload.model;
      const double root = 2 * model.vocab * model.hidden + model.hidden;
      EXPECT_TRUE(near(three.gathered.value, 4 * row.largest + 2 * root));
    }
  }
}

// Two layers in flight, the root unit, and the gradients of one layer (FSDP's unsharded peak).
TEST(ShardedMemory, HoldsUnitsInFlight) {
  struct Row {
    const char* model;
    int ranks;
    double bytes;
  };
  for (const Row& row : {Row{"llama2-7b", 8, 1738596352}, Row{"llama3-8b", 8, 3410026496},
                         Row{"llama3-70b", 64, 9336635392}, Row{"llama3-405b", 512, 27531640832},
                         Row{"qwen2.5-7b", 16, 3578343424}, Row{"qwen3-30b-a3b", 16, 4983387648}}) {
    const Scenario s = sharded(row.model, row.ranks, 1, {"parallelism.zero=3"});
    EXPECT_EQ(memory_use(s.workload).gathered.value, row.bytes) << row.model;
  }
}

// With one unit ahead a gather runs beside the unit before it, with none compute waits for it.
TEST(ShardedWeights, AreGatheredAheadOfTheirUnit) {
  const auto after_of_gathers = [](int prefetch) {
    Workload w = sharded("llama2-7b", 8, 1, {"parallelism.zero=3"}).workload;
    w.parallelism.sharding.prefetch = prefetch;
    const StepProgram step = make_step_program(w);
    const Program& forward = step.programs[step.stages[0].passes.begin()->program];
    std::vector<std::string> before;  // what each gather waits for
    for (const Segment& segment : forward.segments) {
      if (segment.name == "gather weights") {
        before.push_back(segment.after.empty() ? "" : forward.segments[segment.after[0]].name);
      }
    }
    return before;
  };
  const std::vector<std::string> ahead = after_of_gathers(1);
  ASSERT_EQ(ahead.size(), 33U);  // the root's and 32 layers'
  EXPECT_EQ(ahead[0] + ahead[1], "");
  EXPECT_EQ(ahead[2], "embedding");  // as the first layer begins, the second one's
  EXPECT_EQ(ahead[3], "residual");
  const std::vector<std::string> bare = after_of_gathers(0);
  EXPECT_EQ(bare[0], "");
  EXPECT_EQ(bare[1], "embedding");
  EXPECT_EQ(bare[2], "residual");
}

// Backward passes gather as far ahead as they are told, forward passes as before; memory is that of
// the pass that holds more.
TEST(ShardedWeights, AreGatheredFurtherAheadInBackward) {
  Workload w = sharded("llama2-7b", 8, 1, {"parallelism.zero=3"}).workload;
  const auto gathers_at_once = [&w](ActionKind kind) {  // when a pass begins
    const StepProgram step = make_step_program(w);
    for (const auto& pass : step.stages[0].passes) {
      if (pass.action.kind != kind) {
        continue;
      }
      const std::vector<Segment>& all = step.programs[pass.program].segments;
      return std::count_if(all.begin(), all.end(), [](const Segment& segment) {
        return segment.name == "gather weights" && segment.after.empty();
      });
    }
    return std::ptrdiff_t{0};
  };
  const auto held = [&w] { return memory_use(w).gathered.value; };
  EXPECT_EQ(gathers_at_once(ActionKind::Backward), 1);  // the root has stayed
  const double one_ahead = held();
  w.parallelism.sharding.backward_prefetch = 3;
  EXPECT_EQ(gathers_at_once(ActionKind::Forward), 2);
  EXPECT_EQ(gathers_at_once(ActionKind::Backward), 3);
  EXPECT_EQ(held(), one_ahead + 2 * 2 * (Llama2::kNorms + Llama2::kAttention + Llama2::kMlp));
  w.parallelism.sharding.backward_prefetch = 0;
  EXPECT_EQ(gathers_at_once(ActionKind::Backward), 0);
  EXPECT_EQ(held(), one_ahead);
}

// Gradients are summed over the ranks that hold the same weights and no others: not over tensor
// ranks or stages; experts over their copies alone.
TEST(ShardedGradients, AreSummedOverCopies) {
  const auto ranks_of = [](const ParallelismSpec& p, AxisSet copies) {
    std::vector<int> ranks;
    for (const GradientSum& sum : gradient_sums(p, copies)) {
      ranks.push_back(p.mesh().size(sum.axes));
      EXPECT_FALSE(sum.axes.contains(Axis::Tensor) || sum.axes.contains(Axis::Pipeline));
    }
    return ranks;
  };
  ParallelismSpec p{.tensor = 2, .pipeline = 3, .data = 8};
  p.context = 4;
  p.expert = 8;  // x 2 that share each, as tensor ranks do: 4 copies among 64 ranks
  EXPECT_EQ(ranks_of(p, kDataAxes), std::vector{32});
  EXPECT_EQ(ranks_of(p, kExpertDataAxes), std::vector{4});
  p.zero = 3;
  EXPECT_EQ(ranks_of(p, kDataAxes), std::vector{32});
  EXPECT_EQ(ranks_of(p, kExpertDataAxes), std::vector{4});
  p.sharding.ranks = 4;  // two parts, of experts too
  EXPECT_EQ(ranks_of(p, kDataAxes), (std::vector{16, 2}));
  EXPECT_EQ(ranks_of(p, kExpertDataAxes), (std::vector{2, 2}));
}

/// Bytes of the first kernels of segments, by their names; and how many "kernels" there are.
std::map<std::string, double> bytes_by_name(const StepProgram& step) {
  std::map<std::string, double> found;
  for (const StagePass& pass : step.stages[0].passes) {
    for (const Segment& segment : step.programs[pass.program].segments) {
      found[segment.name] += segment.is_compute ? segment.kernels.at(0).bytes.value : 0;
      found["kernels"] += static_cast<double>(segment.kernels.size());
    }
  }
  return found;
}

// Every weight is read and written in 16 bits where it arrived, those of layers (32 x 202,383,360
// of 6,738,415,616) in backward, too; each gradient is read in 16 bits and written in fp32.
TEST(ShardedWeights, AreCopiedWhereTheyArrive) {
  Workload w = sharded("llama2-7b", 8, 1, {"parallelism.zero=3"}).workload;
  w.training.unfused = {UnfusedPart::Gathers};
  auto made = bytes_by_name(make_step_program(w));
  EXPECT_EQ(made["copy weights"], 4 * (6738415616.0 + 32 * 202383360.0));
  EXPECT_EQ(made["copy gradients"], 6 * 6738415616.0);
}

// FSDP1 joins gradients in 16 bits, widens and divides them: 4, 6 and 8 bytes; weights are views.
TEST(ShardedWeights, HaveGradientsThatAreJoinedToAFlatArray) {
  Workload w = sharded("llama2-7b", 8, 1, {"parallelism.zero=3"}).workload;
  w.training.unfused = {UnfusedPart::Flat};
  auto made = bytes_by_name(make_step_program(w));
  EXPECT_FALSE(made.contains("copy weights"));
  EXPECT_EQ(made["copy gradients"], 18 * 6738415616.0);
  w.training.accumulates_apart = true;
  EXPECT_EQ(bytes_by_name(make_step_program(w))["kernels"], made["kernels"]);  // no pass more
}

// A unit's first kernels wait for its gather, and a unit's sums for its last ones.
TEST(ShardedWeights, AreThereWhenTheirUnitComputes) {
  const StepProgram step =
      make_step_program(sharded("llama2-7b", 8, 1, {"parallelism.zero=3"}).workload);
  for (const StagePass& pass : step.stages[0].passes) {
    const Program& program = step.programs[pass.program];
    std::vector<bool> waited_for(program.segments.size());
    for (const Segment& segment : program.segments) {
      for (const std::size_t before : segment.after) {
        waited_for[before] = waited_for[before] || segment.is_compute;
      }
    }
    int gathers = 0;
    for (std::size_t i = 0; i < program.segments.size(); ++i) {
      const Segment& segment = program.segments[i];
      if (segment.name == "gather weights") {
        EXPECT_TRUE(waited_for[i]) << "segment " << i;
        ++gathers;
      } else if (segment.name == "scatter gradients") {
        EXPECT_TRUE(program.segments[segment.after.at(0)].is_compute);
      }
    }
    EXPECT_EQ(gathers, pass.action.is_forward() ? 33 : 32);
  }
}

}  // namespace
}  // namespace danlu
