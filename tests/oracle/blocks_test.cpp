// Blocks against the closed forms that they replaced: parameters, kept bytes and exchanges of a
// dense layer are sums over its list of steps. The seed is printed when a case fails;
// DANLU_SEED=n repeats it.
#include "tests/support/blocks.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "sim/program/step_program.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/closed_forms.hpp"
#include "tests/support/random_steps.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Dice;
using testing::from_environment;
using testing::layer_parameters;
using testing::near;
using testing::rank_layer_parameters;
using testing::small_gpt;

Workload random_dense(Dice& dice) {
  Workload w;
  w.parallelism.tensor = dice.pick({1, 2, 4, 8});
  w.parallelism.sequence = dice.coin();
  w.parallelism.pipeline = dice.pick({1, 2});
  ModelSpec& m = w.model;
  m.layers = 4;
  m.kv_heads = dice.pick({2, 8, 16});  // fewer than ranks, too
  m.heads = 16;
  m.head_dim = dice.pick({64, 128});
  m.hidden = dice.pick({1024, 4096});
  m.ffn = dice.pick({4096, 14336});
  m.vocab = dice.pick({32000, 50257});
  m.positions = dice.pick({0, 2048});
  m.gated_mlp = dice.coin();
  m.biases = dice.coin() ? kUsualBiases : kNoBiases;
  m.tied_embeddings = dice.coin();
  m.norm = dice.coin() ? Norm::LayerNorm : Norm::RmsNorm;
  m.parallel_residual = dice.coin();
  w.training.micro_batch = dice.pick({1, 3});
  w.training.sequence_length = 1024;
  w.training.dropout = dice.coin();
  w.training.attention = dice.coin() ? AttentionKind::Flash : AttentionKind::Unfused;
  if (w.training.attention == AttentionKind::Unfused && dice.coin()) {
    w.training.recompute = Recompute::Selective;
  }
  return w;
}

/// Korthikanti et al. 2022, table 2, in general widths (memory.hpp). Halves side by side begin with
/// one array, and end with one sum.
double kept_in_closed_form(const Workload& w) {
  const ModelSpec& m = w.model;
  const double t = w.parallelism.tensor;
  const double tokens = static_cast<double>(w.training.micro_batch) * w.training.sequence_length;
  const double masks = w.training.dropout ? 2 : 0;
  const double ends = m.parallel_residual ? (2 + masks / 2) : (4 + masks);
  const double outer = (4 + ends) * m.hidden / (w.parallelism.sequence ? t : 1);
  const double attention = 4 * (m.query_width() + t * m.rank_key_width(t));
  const double mlp = (m.gated_mlp ? 6.0 : 4.0) * m.ffn;
  const bool scores =
      w.training.attention == AttentionKind::Unfused && w.training.recompute == Recompute::None;
  const double square = (w.training.dropout ? 5.0 : 2.0) * m.heads * w.training.sequence_length;
  return tokens * (outer + (attention + mlp + (scores ? square : 0)) / t);
}

TEST(Blocks, AreTheClosedForms) {
  const std::uint64_t first = from_environment("DANLU_SEED", 1);
  for (std::uint64_t seed = first; seed < first + 300; ++seed) {
    SCOPED_TRACE(fmt::format("DANLU_SEED={}", seed));
    Dice dice(seed);
    Workload w = random_dense(dice);
    const ModelBlocks model = build_model(w);
    const Block& layer = model.layer(0);
    EXPECT_TRUE(near(weight_of(layer).whole, layer_parameters(w.model)));
    EXPECT_TRUE(near(weight_of(layer).held, rank_layer_parameters(w.model, w.parallelism.tensor)));
    EXPECT_TRUE(near(kept_by(layer).value, kept_in_closed_form(w)));
    double whole = weight_of(model.embedding).whole + weight_of(model.head).whole;
    for (int i = 0; i < w.model.layers; ++i) {
      whole += weight_of(model.layer(i)).whole;
    }
    EXPECT_TRUE(near(whole, total_parameters(w.model)));
    w.training.recompute = Recompute::Full;
    const double share = w.parallelism.sequence ? w.parallelism.tensor : 1;
    EXPECT_TRUE(
        near(kept_by(build_model(w).layer(0)).value, RankShape(w).boundary().value / share));
  }
}

/// How often a pass makes an operation over the tensor ranks.
std::map<CollectiveOp, int> exchanges(const Program& program, Bytes bytes) {
  std::map<CollectiveOp, int> found;
  for (const Segment& segment : program.segments) {
    if (!segment.is_compute) {
      EXPECT_EQ(segment.axes, AxisSet(Axis::Tensor));
      EXPECT_EQ(segment.demand.bytes, bytes);
      ++found[segment.demand.op];
    }
  }
  return found;
}

using Counts = std::map<CollectiveOp, int>;

/// Of a layer, forward and backward, each of 2 b s h.
std::pair<Counts, Counts> of_a_layer(const Workload& w) {
  const Bytes boundary{2.0 * 512 * 1024};
  const Chunk layer{.layers = {LayerKindId{}}};
  const ModelBlocks model = build_model(w);
  return {exchanges(make_program(w, model, layer, ActionKind::Forward), boundary),
          exchanges(make_program(w, model, layer, ActionKind::Backward), boundary)};
}

// Shoeybi et al. 2019: two all-reduces each way. Korthikanti et al. 2022: two all-gathers and two
// reduce-scatters each way, and backward gathers both inputs once more. Every one moves 2 b s h.
TEST(Blocks, ExchangeAroundTheHalvesOfALayer) {
  Workload w = small_gpt(1);
  w.parallelism.tensor = 4;
  const auto both = [&] { return of_a_layer(w); };
  EXPECT_EQ(both(),
            std::pair(Counts{{CollectiveOp::AllReduce, 2}}, Counts{{CollectiveOp::AllReduce, 2}}));
  w.parallelism.sequence = true;
  EXPECT_EQ(both(),
            std::pair(Counts{{CollectiveOp::AllGather, 2}, {CollectiveOp::ReduceScatter, 2}},
                      Counts{{CollectiveOp::AllGather, 4}, {CollectiveOp::ReduceScatter, 2}}));
  // Kept as it was gathered, or by queries, keys, values and the MLP's first product apart.
  w.parallelism.tensor_inputs = TensorInputs::Kept;
  EXPECT_EQ(both(),
            std::pair(Counts{{CollectiveOp::AllGather, 2}, {CollectiveOp::ReduceScatter, 2}},
                      Counts{{CollectiveOp::AllGather, 2}, {CollectiveOp::ReduceScatter, 2}}));
  w.parallelism.tensor_inputs = TensorInputs::Each;
  EXPECT_EQ(both(),
            std::pair(Counts{{CollectiveOp::AllGather, 4}, {CollectiveOp::ReduceScatter, 2}},
                      Counts{{CollectiveOp::AllGather, 2}, {CollectiveOp::ReduceScatter, 4}}));
  w.model.gated_mlp = true;
  EXPECT_EQ(both(),
            std::pair(Counts{{CollectiveOp::AllGather, 5}, {CollectiveOp::ReduceScatter, 2}},
                      Counts{{CollectiveOp::AllGather, 2}, {CollectiveOp::ReduceScatter, 5}}));
  w.parallelism.sequence = false;
  EXPECT_EQ(both(),
            std::pair(Counts{{CollectiveOp::AllReduce, 2}}, Counts{{CollectiveOp::AllReduce, 5}}));
  w.parallelism.tensor = 1;
  EXPECT_EQ(both(), std::pair(Counts{}, Counts{}));
}

// GPT-NeoX's megatron/model/transformer.py and megatron/mpu/layers.py: what both halves made is
// summed by one all-reduce, while each product split by columns sums its input's gradient. With
// sequence parallelism each gathers its input, twice where it does not keep it. GPT-J's code sums
// once each way, as there is one norm.
TEST(Blocks, ExchangeOnceBehindHalvesSideBySide) {
  Workload w = small_gpt(1);
  w.parallelism.tensor = 4;
  const auto sums = [&](int forward, int backward) {
    w.parallelism.sequence = false;
    EXPECT_EQ(of_a_layer(w), std::pair(Counts{{CollectiveOp::AllReduce, forward}},
                                       Counts{{CollectiveOp::AllReduce, backward}}));
  };
  const auto gathers = [&](int inputs, int again) {
    w.parallelism.sequence = true;
    EXPECT_EQ(of_a_layer(w),
              std::pair(Counts{{CollectiveOp::AllGather, inputs}, {CollectiveOp::ReduceScatter, 1}},
                        Counts{{CollectiveOp::AllGather, 1 + again},
                               {CollectiveOp::ReduceScatter, inputs}}));
  };
  w.model.parallel_residual = true;
  sums(1, 2);
  gathers(2, 2);
  w.parallelism.tensor_inputs = TensorInputs::Kept;
  gathers(2, 0);
  w.parallelism.tensor_inputs = TensorInputs::Again;
  w.model.norms = 1;
  sums(1, 1);
  gathers(1, 1);
  w.parallelism.tensor_inputs = TensorInputs::Halves;
  sums(1, 2);
  gathers(2, 2);
  w.parallelism.tensor_inputs = TensorInputs::Each;  // queries, keys, values, the MLP's first
  sums(1, 4);
  gathers(4, 0);
}

// All of a layer is made again but what is behind its last product; ranks of a sequence exchange
// keys and values as with halves one after the other.
TEST(Blocks, HalvesSideBySideAreMadeAgainWithTheirExchanges) {
  Workload w = small_gpt(1);
  w.parallelism.tensor = 4;
  w.model.parallel_residual = true;
  w.training.recompute = Recompute::Full;
  EXPECT_EQ(of_a_layer(w), std::pair(Counts{{CollectiveOp::AllReduce, 1}},
                                     Counts{{CollectiveOp::AllReduce, 1 + 2}}));
  w.training.recompute_early_stop = true;
  EXPECT_EQ(of_a_layer(w).second, (Counts{{CollectiveOp::AllReduce, 2}}));
  const auto along_sequences = [&] {
    Workload shared = w;
    shared.parallelism.tensor = 1;
    shared.parallelism.context = 2;
    int found = 0;
    const ModelBlocks model = build_model(shared);
    for (const Step& step : model.layer(0).steps) {
      const auto* exchange = std::get_if<Exchange>(&step);
      found += exchange != nullptr && exchange->axes == AxisSet(Axis::Context) ? 1 : 0;
    }
    return found;
  };
  const int beside = along_sequences();
  w.model.parallel_residual = false;
  EXPECT_EQ(beside, along_sequences());
  EXPECT_GT(beside, 0);
}

// 512 tokens of 1,024 values in 16 bits: of the inputs of QKV and of the MLP each of four ranks
// keeps a quarter, or all, or one for each of 3 + 2 products.
TEST(Blocks, KeepInputsAsTheyWereGathered) {
  Workload w = small_gpt(1);
  w.model.gated_mlp = true;
  w.parallelism.tensor = 4;
  w.parallelism.sequence = true;
  const auto kept = [&](TensorInputs inputs) {
    w.parallelism.tensor_inputs = inputs;
    return kept_by(build_model(w).layer(0)).value;
  };
  const double whole = 2.0 * 512 * 1024;
  const double again = kept(TensorInputs::Again);
  EXPECT_EQ(kept(TensorInputs::Kept), again + 2 * 0.75 * whole);
  EXPECT_EQ(kept(TensorInputs::Each), again + 5 * whole - 2 * 0.25 * whole);
  w.parallelism.sequence = false;
  EXPECT_EQ(kept(TensorInputs::Kept), kept(TensorInputs::Again));
}

// Four ranks gather 512 x 4,096 logits of 16 bits; each then has the loss of all of them, 54 bytes
// a logit, and sums nothing.
TEST(Blocks, LogitsOfAllRanksOnEach) {
  Workload w = small_gpt(1);
  w.model.vocab = 4096;
  w.parallelism.tensor = 4;
  w.training.loss = Loss::Eager;
  const auto head = [&] { return build_model(w).head; };
  const auto loss_bytes = [&] {
    const Block block = head();
    const Operator& loss = testing::operator_named(block, "loss");
    return (loss.forward[0].bytes + loss.input_gradient[0].bytes).value;
  };
  const double logits = 512 * 4096;
  EXPECT_EQ(loss_bytes(), 54 * logits / 4);
  w.parallelism.whole_logits = true;
  EXPECT_EQ(loss_bytes(), 54 * logits);
  std::vector<Exchange> exchanges;
  for (const Step& step : head().steps) {
    if (const auto* exchange = std::get_if<Exchange>(&step); exchange && exchange->forward) {
      exchanges.push_back(*exchange);
    }
  }
  ASSERT_EQ(exchanges.size(), 1U);
  EXPECT_EQ(exchanges[0].forward->op, CollectiveOp::AllGather);
  EXPECT_EQ(exchanges[0].bytes, Bytes{2 * logits});
  EXPECT_FALSE(exchanges[0].backward);
}

/// What passes do, whatever its order: kernels by their size, exchanges by their operation.
std::multiset<std::string> work_of(const Workload& w, const std::vector<ActionKind>& kinds) {
  std::multiset<std::string> work;
  for (const ActionKind kind : kinds) {
    const Chunk whole{.layers = {LayerKindId{}, LayerKindId{}}, .first = true, .last = true};
    for (const Segment& segment : make_program(w, build_model(w), whole, kind).segments) {
      for (const Kernel& k : segment.kernels) {
        work.insert(fmt::format("{} {} {} {} {} {}", static_cast<int>(k.kind), k.m, k.n, k.k,
                                k.flops.value, k.bytes.value));
      }
      if (!segment.is_compute) {
        work.insert(
            fmt::format("{} {}", static_cast<int>(segment.demand.op), segment.demand.bytes.value));
      }
    }
  }
  return work;
}

// B is I and W: every kernel and exchange of a backward pass is in one of them, once. W is the
// products' alone: of a layer the weights' gradients of QKV, projection and both halves of the MLP,
// of the head that of the logits; with sequence parallelism it gathers what columns need.
TEST(Blocks, BackwardIsTheGradientsOfInputsAndOfWeights) {
  const std::uint64_t first = from_environment("DANLU_SEED", 1);
  for (std::uint64_t seed = first; seed < first + 100; ++seed) {
    SCOPED_TRACE(fmt::format("DANLU_SEED={}", seed));
    Dice dice(seed);
    Workload w = random_dense(dice);
    w.parallelism.overlap_tensor =
        dice.pick({TensorOverlap::None, TensorOverlap::Backward, TensorOverlap::Full});
    if (dice.coin()) {
      w.training.recompute = Recompute::Full;
    }
    EXPECT_EQ(work_of(w, {ActionKind::Backward}),
              work_of(w, {ActionKind::Input, ActionKind::Weight}));
    const bool gathers = w.parallelism.sequence && w.parallelism.tensor > 1;
    EXPECT_EQ(work_of(w, {ActionKind::Weight}).size(), gathers ? 9U + 5U : 9U);
  }
}

// Weights that are split over an axis of the data are reduced by themselves, over the other axes:
// of two layers both, with overlap_data layer by layer.
TEST(Blocks, GradientsOfSplitWeightsAreReducedApart) {
  Workload w = small_gpt(2);
  w.parallelism.data = 2;
  ModelBlocks model = build_model(w);
  double split = 0;
  for (Step& step : model.kinds[LayerKindId{}].steps) {
    auto* op = std::get_if<Operator>(&step);
    if (op != nullptr && op->name == "MLP up") {
      op->weight.copies = kExpertDataAxes;
      split = op->weight.held;
    }
  }
  const std::vector<GradientBucket> once = gradient_buckets(w, model, 0);
  ASSERT_EQ(once.size(), 2U);
  EXPECT_EQ(once[0].copies, kDataAxes);
  EXPECT_EQ(once[1].copies, kExpertDataAxes);
  EXPECT_EQ(once[1].parameters, 2 * split);
  EXPECT_EQ(once[0].parameters + once[1].parameters, rank_parameters(w, 0));
  w.parallelism.overlap_data = true;
  const std::vector<GradientBucket> layers = gradient_buckets(w, model, 0);
  ASSERT_EQ(layers.size(), 4U);
  EXPECT_EQ(layers[3].parameters, split);
  EXPECT_EQ(layers[3].layer, 1U);
  // The embedding's gradients come last, with those of weights that are whole.
  EXPECT_GT(layers[2].parameters, layers[0].parameters - layers[3].parameters);
}

// There and back: parts 0 1 2 3 | 7 6 5 4 lie on stages 0 1 2 3. What turns stays on its stage.
TEST(Placement, OfAVGoesThereAndBack) {
  const Placement v(4, 2, Deal::V);
  for (int part = 0; part < 8; ++part) {
    EXPECT_EQ(v.part(v.holder(part)), part);
    EXPECT_EQ(v.holder(part).stage, part < 4 ? part : 7 - part);
  }
  EXPECT_EQ(v.last_stage(), 0);
  EXPECT_EQ(v.receiver({3, 0}, true), (PlacedChunk{3, 1}));
  EXPECT_EQ(v.receiver({3, 1}, true), (PlacedChunk{2, 1}));
  EXPECT_FALSE(v.goes_on({3, 1}, true));
  EXPECT_TRUE(v.goes_on({2, 1}, false));
  EXPECT_EQ(v.receiver({0, 1}, true), std::nullopt);
}

// A group along several axes counts the first axis fastest; its time is the outermost's.
TEST(Mesh, GroupsAlongSeveralAxes) {
  const Mesh mesh({2, 2, 2, 3, 1, 1, 1, 1, 1, 1});  // tensor, pipeline, data, context, expert, ...
  EXPECT_EQ(mesh.group(15, {{Axis::Context, Axis::Replicate}, Span::All}),
            (std::vector{13, 15, 17, 19, 21, 23}));
  EXPECT_EQ(mesh.group(15, {{Axis::Tensor}, Span::All}), (std::vector{14, 15}));
  EXPECT_EQ((GroupSort{{Axis::Context, Axis::Replicate}, Span::All}.axis()), Axis::Replicate);
  EXPECT_EQ(mesh.split({Axis::Expert, Axis::Context}), AxisSet(Axis::Context));
  EXPECT_EQ(mesh.size(kDataAxes), 6);
}

// Megatron-LM's order tp-cp-pp-dp on 8 ranks, tensor, pipeline and data 2 (its RankGenerator): a
// replica is four neighbours. Two experts take the place of two tensor ranks.
TEST(Mesh, PutsTheStagesOfAReplicaSideBySide) {
  ParallelismSpec p{.tensor = 2, .pipeline = 2, .data = 2};
  p.outermost = Outermost::Data;
  p.expert = 2;
  p.expert_tensor = 1;
  const Mesh mesh = p.mesh();
  EXPECT_EQ(mesh.world_size(), 8);
  EXPECT_EQ(mesh.group(5, kTensorGroups), (std::vector{4, 5}));
  EXPECT_EQ(mesh.group(5, {Axis::Pipeline, Span::All}), (std::vector{5, 7}));
  EXPECT_EQ(mesh.group(5, {Axis::Replicate, Span::All}), (std::vector{1, 5}));
  EXPECT_EQ(mesh.group(5, {Axis::Expert, Span::All}), (std::vector{4, 5}));
  EXPECT_EQ(mesh.group(5, {kExpertDataAxes, Span::All}), (std::vector{1, 5}));
  p.outermost = Outermost::Pipeline;
  EXPECT_EQ(p.mesh().group(5, {Axis::Pipeline, Span::All}), (std::vector{1, 5}));
  EXPECT_EQ(p.mesh().group(5, {Axis::Replicate, Span::All}), (std::vector{5, 7}));
}

// What a stage does at the end, and what each of that waits for.
TEST(StepProgram, EndsInOrder) {
  Workload w = small_gpt(4);
  w.parallelism = {.pipeline = 2, .data = 2};
  w.parallelism.zero = 1;
  w.parallelism.overlap_data = true;
  w.training.global_batch = 8;
  const StageProgram stage = make_step_program(w).stages[1];
  std::string text;
  for (const EndStep& end : stage.ends) {
    text += fmt::format(
        "{} {}; ", end.name,
        end.layer ? fmt::format("{}.{}", index(end.layer->pass), end.layer->layer) : "-");
  }
  // The last stage of 1F1B runs F0 B0 F1 B1 F2 B2 F3 B3: its last backward pass is pass 7.
  EXPECT_EQ(text,
            "reduce gradients 7.0; reduce gradients 7.1; sum embedding gradients -; optimizer -; "
            "gather parameters -; ");
  // Only gradients leave it. Stage 0 runs F0 F1 B0 F2 B1 ..: B1 is its pass 4.
  ASSERT_EQ(stage.sends.size(), 4U);
  EXPECT_EQ(stage.sends[1].pass, PassId{3});
  EXPECT_FALSE(stage.sends[1].next);
  EXPECT_EQ(stage.sends[1].taken, PassId{4});
}

}  // namespace
}  // namespace danlu
