// What ranks that share a sequence send, hold, compute and wait for. Bytes sent by one rank are
// read from what the links of the played step carried. With n ranks, T tokens on each and widths q
// and k of queries and keys, of 2 bytes, a layer takes
//
//                forward                    backward
//   ring         (n-1) 4 T k                twice that
//   all-gather   (n-1) 4 T k                twice that: gathered again, and scattered
//   gather-ring  (n-1) 4 T k                (n-1) 4 T k + n 8 T k: gathered again, and n rounds of
//                                           gradients in fp32 (PyTorch's _attention.py)
//   Ulysses      (n-1)/n 4 T (q + k)        the same
//
// (closed forms of Megatron-LM's implementations, Transformer Engine's context_parallel.py).
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/program/step_program.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

constexpr int kLayers = 2;

/// Two layers of a model on one node, all of it one group that shares a sequence.
Scenario sharing(const std::string& model, int sequence, int micro_batch,
                 const std::string& parallelism, int gpus) {
  return shipped("llama3-8b-h100.yaml",
                 {fmt::format("model={{preset: {}, layers: {}}}", model, kLayers),
                  fmt::format("cluster.gpus={}", gpus), fmt::format("cluster.node.gpus={}", gpus),
                  "cluster.collective.tuning=none", "parallelism=" + parallelism,
                  fmt::format("training={{micro_batch: {}, global_batch: {}, sequence_length: {}}}",
                              micro_batch, micro_batch, sequence),
                  "communication.data.algorithm=ring"});
}

/// Bytes that one rank sends for a layer, of which the whole step has gradients beside.
double sent_for_a_layer(const Scenario& s) {
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  const Report report = measure("", s.workload, cluster, plan, testing::play(plan.graph));
  const double ranks = s.cluster.gpus;
  double sent = 0;
  for (const LinkReport& row : report.links) {
    sent += row.kind == LinkKind::ScaleUp ? row.bytes.value / 2 / ranks : 0;
  }
  const double gradients = 2 * (ranks - 1) / ranks * 4 * rank_parameters(s.workload, 0);
  return (sent - gradients) / kLayers;
}

TEST(ContextBytes, AreThoseOfTheClosedForms) {
  struct Row {
    const char* model;
    int sequence, micro_batch, ranks;
    double passed;     // forward: of a ring or gathered
    double exchanged;  // forward: by Ulysses
  };
  for (const Row& row :
       {Row{"llama3-8b", 131072, 1, 8, 469762048, 293601280},
        Row{"llama3-405b", 131072, 1, 16, 503316480, 566231040},  // heads are copied for Ulysses
        Row{"llama2-7b", 32768, 2, 4, 805306368, 402653184}}) {
    const auto sent = [&](const std::string& parallelism) {
      return sent_for_a_layer(
          sharing(row.model, row.sequence, row.micro_batch, parallelism, row.ranks));
    };
    EXPECT_TRUE(near(sent(fmt::format("{{context: {}}}", row.ranks)), 3 * row.passed, 1e-8))
        << row.model;
    EXPECT_TRUE(near(sent(fmt::format("{{context: {}, context_exchange: all-gather}}", row.ranks)),
                     3 * row.passed, 1e-8))
        << row.model;
    EXPECT_TRUE(near(sent(fmt::format("{{context: {}, context_exchange: gather-ring}}", row.ranks)),
                     (2 + 2.0 * row.ranks / (row.ranks - 1)) * row.passed, 1e-8))
        << row.model;
    EXPECT_TRUE(near(sent(fmt::format("{{ulysses: {}}}", row.ranks)), 2 * row.exchanged, 1e-8))
        << row.model;
  }
}

// Keys and values of 8 heads that are repeated for 32 are 4 times as many bytes.
TEST(ContextBytes, OfRepeatedHeads) {
  for (const char* way : {"context: 8", "context: 8, context_exchange: all-gather"}) {
    EXPECT_TRUE(near(sent_for_a_layer(sharing("llama3-8b", 131072, 1,
                                              fmt::format("{{{}, context_heads: query}}", way), 8)),
                     4 * 3.0 * 469762048, 1e-8))
        << way;
  }
}

// Ulysses among 4 and a ring of 2 around it: each exchanges what is then there.
TEST(ContextBytes, OfBothTogether) {
  const double tokens = 131072.0 / 8;
  const double exchanged = 3.0 / 4 * 4 * tokens * (4096 + 1024);
  const double passed = 4 * (4 * tokens) * (1024.0 / 4);  // four times the tokens, two heads
  EXPECT_TRUE(near(sent_for_a_layer(sharing("llama3-8b", 131072, 1, "{ulysses: 4, context: 2}", 8)),
                   2 * exchanged + 3 * passed, 1e-8));
}

// Attention that is run again goes round the ring once more; what was gathered for it is there for
// backward, too; and what Ulysses exchanged was kept. Where all is run again but attention, as in
// torchtitan's selection, nothing is exchanged for it that backward would not exchange anyway.
TEST(ContextBytes, OfAttentionThatIsRunAgain) {
  const auto sent = [](const std::string& parallelism, Recompute how = Recompute::Selective) {
    Scenario s = sharing("llama3-8b", 131072, 1, parallelism, 8);
    s.workload.training.recompute = how;
    if (how == Recompute::Selective) {
      s.workload.training.recompute_parts = {RecomputePart::CoreAttention};
    }
    return sent_for_a_layer(s);
  };
  for (const char* way : {"{context: 8}", "{context: 8, context_exchange: all-gather}"}) {
    EXPECT_TRUE(near(sent(way, Recompute::Alternate), 3.0 * 469762048, 1e-8)) << way;
  }
  EXPECT_TRUE(near(sent("{context: 8}"), 4.0 * 469762048, 1e-8));
  EXPECT_TRUE(near(sent("{context: 8, context_exchange: all-gather}"), 3.0 * 469762048, 1e-8));
  EXPECT_TRUE(near(sent("{ulysses: 8}"), 2.0 * 293601280, 1e-8));
}

/// Of a plan on so many ranks as its degrees say.
Workload workload(const std::string& parallelism, std::vector<std::string> more = {}) {
  more.insert(more.begin(),
              {"model.layers=2", "parallelism=" + parallelism, "training.sequence_length=65536",
               "training.micro_batch=1", "cluster.gpus=8", "training.global_batch=8"});
  return shipped("llama3-8b-h100.yaml", more).workload;
}

/// FLOPs of all kernels of a layer, both ways, on one rank.
double flops(const Workload& w, bool of_model) {
  double sum = 0;
  const Chunk layer{.layers = {LayerKindId{}}};
  for (const ActionKind kind : {ActionKind::Forward, ActionKind::Backward}) {
    for (const Segment& segment : make_program(w, build_model(w), layer, kind).segments) {
      for (const Kernel& kernel : segment.kernels) {
        sum += of_model ? kernel.model_flops.value : kernel.flops.value;
      }
    }
  }
  return sum;
}

// What further ranks' keys give is merged in fp32: 10 bytes of a value (4 + 2 + 4) each time, less
// where the first sum is read and the last one written; so are gradients of queries, keys, values.
TEST(ContextParallel, MergesWhatEachRanksKeysGive) {
  const auto passed = [](const std::string& way, ActionKind kind) {
    const Workload w = workload("{context: 8, context_exchange: " + way + "}");
    const Chunk layer{.layers = {LayerKindId{}}};
    double bytes = 0;
    for (const Segment& segment : make_program(w, build_model(w), layer, kind).segments) {
      for (const Kernel& kernel : segment.kernels) {
        bytes += kernel.kind == KernelKind::Memory ? kernel.bytes.value : 0;
      }
    }
    return bytes;
  };
  const double tokens = 65536 / 8;
  const double out = tokens * 4096;
  const double keys = tokens * 2 * 1024;
  const auto more = [&](ActionKind kind) {
    return passed("gather-ring", kind) - passed("all-gather", kind);
  };
  EXPECT_EQ(more(ActionKind::Forward), 4 * keys + (7 * 10 - 2 - 2) * out);
  EXPECT_EQ(more(ActionKind::Backward),
            4 * keys + (8 * 10 - 4 - 2) * out + (8 * 10 - 4 + 6) * keys);
}

// Every way splits the work and the activations evenly: eight ranks do and hold what one does.
TEST(ContextParallel, SplitsWorkAndActivations) {
  for (const char* attention : {"training.attention=flash", "training.attention=unfused"}) {
    const Workload one = workload("{data: 8}", {attention});
    std::vector<std::string> ways{"{context: 8, context_exchange: all-gather}",
                                  "{ulysses: 2, context: 4, context_exchange: all-gather}",
                                  "{ulysses: 8}", "{tensor: 2, ulysses: 4}",
                                  "{tensor: 2, sequence: true, ulysses: 2, context: 2, "
                                  "context_exchange: all-gather}"};
    if (one.training.attention == AttentionKind::Flash) {
      ways.insert(ways.end(),
                  {"{context: 8}", "{ulysses: 2, context: 4}", "{tensor: 2, context: 4}"});
    }
    for (const std::string& way : ways) {
      const Workload w = workload(way, {attention});
      EXPECT_TRUE(near(8 * flops(w, true), flops(one, true))) << way;
      EXPECT_TRUE(near(8 * flops(w, false), flops(one, false))) << way;
      if (w.parallelism.tensor == 1 || w.parallelism.sequence) {
        EXPECT_TRUE(near(8 * kept_by(build_model(w).layer(0)).value,
                         kept_by(build_model(one).layer(0)).value))
            << way;
      }
    }
  }
}

// What a mask leaves of the s^2/2 pairs of a sequence: documents of l as many as sum n l^2 over
// s sum n l, a window of w (2 s w - w^2) / s^2; all ranks have equally much of it.
TEST(AttentionMask, LeavesItsShare) {
  const auto pairs = [](std::vector<std::string> settings, const char* way = "{data: 8}") {
    const Workload w = workload(way, std::move(settings));
    double sum = 0;
    const ModelBlocks model = build_model(w);
    for (const Operator* op : operators_of(model.layer(0))) {
      for (const Kernel& kernel : op->name == "attention" ? op->forward : Kernels{}) {
        sum += kernel.flops.value;
      }
    }
    return sum;
  };
  const double s = 65536;
  const double whole = pairs({});
  EXPECT_EQ(whole, 2 * s * s * 4096);
  EXPECT_EQ(pairs({"training.documents={65536: 7}"}), whole);
  EXPECT_EQ(pairs({"training.documents={32768: 1}"}), whole / 2);
  EXPECT_TRUE(near(pairs({"training.documents={1024: 3, 4096: 1}"}) / whole,
                   (3.0 * 1024 * 1024 + 4096.0 * 4096) / (3.0 * 1024 + 4096) / s));
  EXPECT_EQ(pairs({"training.attention_window=65536"}), whole);
  EXPECT_TRUE(near(pairs({"training.attention_window=4096"}) / whole,
                   (2 * s * 4096 - 4096.0 * 4096) / (s * s)));
  // Of both, documents longer than the window have w l - w^2/2.
  EXPECT_TRUE(near(
      pairs({"training.attention_window=1024", "training.documents={512: 4, 8192: 1}"}) / whole,
      (4 * 512.0 * 512 + 2 * 1024.0 * 8192 - 1024.0 * 1024) / (4 * 512 + 8192) / s));
  EXPECT_TRUE(near(8 * pairs({"training.attention_window=4096"}, "{ulysses: 8}"),
                   pairs({"training.attention_window=4096"})));
  EXPECT_TRUE(near(8 * 8 * pairs({"training.documents={1024: 1}"}, "{context: 8}"),
                   pairs({"training.documents={1024: 1}"})));  // in eight rounds
}

// Unfused attention computes all scores, whatever the mask leaves of them; of the model's work they
// are that share.
TEST(AttentionMask, IsComputedWholeByUnfusedAttention) {
  const auto work = [](bool of_model, const std::string& mask) {
    const Workload w = workload("{data: 8}", {"training.attention=unfused", mask});
    double sum = 0;
    const ModelBlocks model = build_model(w);
    for (const Operator* op : operators_of(model.layer(0))) {
      for (const Kernel& kernel : op->name == "attention" ? op->forward : Kernels{}) {
        sum += of_model ? kernel.model_flops.value : kernel.flops.value;
      }
    }
    return sum;
  };
  const double s = 65536;
  const std::string none = "training.dropout=false";
  for (const auto& [mask, share] :
       {std::pair("training.documents={32768: 1}", 0.5),
        std::pair("training.attention_window=4096", (2 * s * 4096 - 4096.0 * 4096) / (s * s))}) {
    EXPECT_EQ(work(false, mask), work(false, none)) << mask;
    EXPECT_TRUE(near(work(true, mask), share * work(true, none))) << mask;
  }
  EXPECT_EQ(work(true, none), 4 * s * s * 4096);
}

// With more ranks than key-value heads these are copied: sent and kept more often, no more work.
TEST(ContextParallel, CopiesHeadsForUlysses) {
  const auto with_heads = [](int kv_heads) {
    return workload("{ulysses: 8}", {fmt::format("model.kv_heads={}", kv_heads)});
  };
  const auto kept_attention = [](const Workload& w) {
    double kept = 0;
    const ModelBlocks model = build_model(w);
    for (const Operator* op : operators_of(model.layer(0))) {
      kept += op->name == "attention" ? op->kept.value : 0;
    }
    return kept;
  };
  EXPECT_EQ(kept_attention(with_heads(8)), kept_attention(with_heads(2)));
  EXPECT_EQ(kept_attention(with_heads(8)), 2.0 * 65536 / 8 * (4096 + 2 * 1024));
  EXPECT_EQ(kept_attention(with_heads(16)), 2.0 * 65536 / 8 * (4096 + 2 * 2048));
}

// Memory beside what is kept, a layer at a time: keys and values of all and their gradients where
// they are gathered; where they go round those at hand and on their way.
TEST(ContextParallel, HoldsOthersKeysAndValuesMeanwhile) {
  const auto buffers = [](const char* way) {
    return buffers_of(build_model(workload(way)).layer(0)).value;
  };
  const double whole = 2.0 * 2 * 65536 * 1024;
  EXPECT_EQ(buffers("{context: 8, context_exchange: all-gather}"), 2 * whole);
  EXPECT_EQ(buffers("{context: 8, context_exchange: gather-ring}"), whole + 4 * whole / 8);
  EXPECT_EQ(buffers("{context: 8}"), 4 * whole / 8);
  EXPECT_EQ(buffers("{ulysses: 4, context: 2}"), 4 * whole / 2 / 4);
  const Workload one = workload("{data: 8}");
  const Workload w = workload("{context: 8}");
  EXPECT_EQ(memory_use(w).moment.buffers.value, 4 * whole / 8);
  EXPECT_EQ(memory_use(one).moment.buffers.value, 0);
  EXPECT_EQ(8 * memory_use(w).moment.logits.value, memory_use(one).moment.logits.value);
}

/// What a layer takes alone if attention takes `attention` in all and each exchange `exchange`.
double layer_time(const Workload& w, ActionKind kind, double attention, double exchange) {
  const Program program = make_program(w, build_model(w), {.layers = {LayerKindId{}}}, kind);
  std::vector<Seconds> durations;
  for (const Segment& segment : program.segments) {
    const bool core = segment.is_compute && segment.name == "attention";
    durations.push_back({core                 ? attention / w.parallelism.context
                         : segment.is_compute ? 0
                                              : exchange});
  }
  return play_alone(program, 0, program.segments.size(), {.durations = durations}).total.value;
}

// A ring of 4 hides what it sends behind attention, and waits where that is shorter: forward three
// exchanges beside four rounds, backward four, the last of which brings gradients home. Gathered
// keys and values hide nothing: forward one exchange, backward two.
TEST(ContextParallel, RingRunsBesideAttention) {
  const Workload ring = workload("{data: 2, context: 4}");
  EXPECT_TRUE(near(layer_time(ring, ActionKind::Forward, 8, 1), 8));
  EXPECT_TRUE(near(layer_time(ring, ActionKind::Forward, 8, 3), 3 * 3 + 2));
  EXPECT_TRUE(near(layer_time(ring, ActionKind::Backward, 8, 1), 8));
  EXPECT_TRUE(near(layer_time(ring, ActionKind::Backward, 8, 3), 4 * 3));
  Workload gathering = ring;
  gathering.parallelism.context_exchange = ContextExchange::AllGather;
  const auto gathered = [&](ActionKind kind) {
    Workload w = gathering;
    return layer_time(w, kind, 8 * w.parallelism.context, 1);
  };
  EXPECT_TRUE(near(gathered(ActionKind::Forward), 8 + 1));
  EXPECT_TRUE(near(gathered(ActionKind::Backward), 8 + 2));
}

// Which ranks: Megatron-core's RankGenerator with order tp-cp-ep-dp-pp, tp 2, cp 2, pp 2, dp 2.
TEST(ContextParallel, RanksAreMegatrons) {
  ParallelismSpec p{.tensor = 2, .pipeline = 2, .data = 2};
  p.context = 2;
  const auto groups = [](const Mesh& mesh, AxisSet axes) {
    std::string text;
    for (int rank = 0; rank < mesh.world_size(); ++rank) {
      if (mesh.is_first(rank, axes)) {
        text += fmt::format("[{}]", fmt::join(mesh.group(rank, {axes, Span::All}), " "));
      }
    }
    return text;
  };
  const Mesh mesh = p.mesh();
  EXPECT_EQ(groups(mesh, Axis::Context), "[0 2][1 3][4 6][5 7][8 10][9 11][12 14][13 15]");
  EXPECT_EQ(groups(mesh, Axis::Replicate), "[0 4][1 5][2 6][3 7][8 12][9 13][10 14][11 15]");
  EXPECT_EQ(groups(mesh, {Axis::Context, Axis::Replicate}),
            "[0 2 4 6][1 3 5 7][8 10 12 14][9 11 13 15]");
  EXPECT_EQ(groups(mesh, {Axis::Tensor, Axis::Context}),
            "[0 1 2 3][4 5 6 7][8 9 10 11]"
            "[12 13 14 15]");
  EXPECT_EQ(groups(mesh, Axis::Pipeline), "[0 8][1 9][2 10][3 11][4 12][5 13][6 14][7 15]");
  // Megatron's hierarchical groups: Ulysses within, the ring between.
  p.ulysses = 2;
  EXPECT_EQ(p.mesh().group(0, {Axis::Ulysses, Span::All}), (std::vector{0, 2}));
  EXPECT_EQ(p.mesh().group(0, {Axis::Context, Span::All}), (std::vector{0, 4}));
}

// Gradients are summed over context ranks and replicas, which counts as data's time, also where
// there is one replica and the same ranks pass keys and values on.
TEST(ContextParallel, SumsGradientsAsData) {
  for (const char* way : {"{context: 8}", "{context: 8, zero: 1}", "{context: 4, data: 2}",
                          "{context: 8, zero: 3}"}) {
    const Scenario s = shipped("llama3-8b-h100.yaml",
                               {"model.layers=2", "cluster.gpus=8", "training.global_batch=8",
                                fmt::format("parallelism={}", way)});
    const Cluster cluster = build_cluster(s.cluster);
    const StepPlan plan = plan_step(s.workload, cluster);
    const Report report = measure("", s.workload, cluster, plan, testing::play(plan.graph));
    EXPECT_GT(report.step.breakdown[TimePart::ExposedData].value, 0) << way;
    for (const CommunicationReport& row : report.communication) {
      EXPECT_EQ(row.group, row.axis == Axis::Context ? "context group" : "data group") << way;
      EXPECT_EQ(row.op == CollectiveOp::SendReceive, row.axis == Axis::Context) << way;
    }
    EXPECT_TRUE(near(report.step.breakdown.total().value, report.step.time.value)) << way;
  }
}

}  // namespace
}  // namespace danlu
