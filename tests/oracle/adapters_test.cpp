// Adapters and frozen weights: parameters by other people's counts, work, memory and exchanges by
// hand.
#include "sim/workload/adapters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "sim/program/step_program.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/workload/layers.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::operator_named;
using Targets = std::vector<LoraTarget>;

/// A Llama of these widths.
ModelSpec llama(int layers, int hidden, int heads, int kv_heads, int ffn, int vocab) {
  return {.layers = layers,
          .hidden = hidden,
          .heads = heads,
          .kv_heads = kv_heads,
          .head_dim = hidden / heads,
          .ffn = ffn,
          .vocab = vocab,
          .gated_mlp = true,
          .tied_embeddings = false,
          .biases = kNoBiases,
          .norm = Norm::RmsNorm};
}
const ModelSpec kLlama2 = llama(32, 4096, 32, 32, 11008, 32000);

Workload with_lora(const ModelSpec& model, int rank, Targets targets) {
  Workload w{.model = model};
  w.training.lora = {.rank = rank, .targets = std::move(targets)};
  return w;
}

// Counts of peft for published models: 4,194,304 of Llama-2-7B at rank 8 on q and v is what its
// print_trainable_parameters says, 41,943,040 of Llama-3-8B stands in public training logs. All
// seven weights of a layer are all-linear.
TEST(Lora, TrainsWhatPeftTrains) {
  const Targets qv{LoraTarget::Q, LoraTarget::V};
  const Targets all{LoraTarget::Q,    LoraTarget::K,  LoraTarget::V,   LoraTarget::O,
                    LoraTarget::Gate, LoraTarget::Up, LoraTarget::Down};
  struct Row {
    ModelSpec model;
    int rank;
    Targets targets;
    double trained;
  };
  for (const auto& [model, rank, targets, trained] :
       {Row{kLlama2, 8, qv, 4194304}, Row{kLlama2, 64, all, 159907840},
        Row{llama(32, 4096, 32, 8, 14336, 128256), 16, all, 41943040},
        Row{llama(32, 4096, 32, 8, 14336, 32000), 16, all, 41943040},
        Row{llama(28, 3584, 28, 4, 18944, 152064), 16, all, 40370176},
        Row{llama(80, 8192, 64, 8, 28672, 32000), 16, {LoraTarget::Qkv, LoraTarget::O}, 44564480},
        Row{llama(40, 5120, 40, 40, 13824, 32000), 8, qv, 6553600},
        Row{llama(64, 5120, 40, 8, 27648, 152064), 32, all, 268435456}}) {
    EXPECT_EQ(trained_parameters(with_lora(model, rank, targets)), trained);
    if (targets == all) {
      EXPECT_EQ(trained_parameters(with_lora(model, rank, {LoraTarget::AllLinear})), trained);
    }
    for (const int tensor : {2, 4}) {  // shards of one half, whole copies of the other
      Workload w = with_lora(model, rank, targets);
      EXPECT_EQ(total_parameters(w.model), total_parameters(model));
      w.parallelism.tensor = tensor;
      EXPECT_EQ(trained_parameters(w), trained);
    }
  }
  EXPECT_EQ(total_parameters(kLlama2) + 4194304, 6742609920);
}

// Each of eight experts of Mixtral 8x7B has adapters of its own, r (in + out) for each of its three
// matrices, split over ranks as they are.
TEST(Lora, OfRoutedExperts) {
  ModelSpec mixtral = llama(32, 4096, 32, 8, 14336, 32000);
  mixtral.experts = {.count = 8, .per_token = 2, .ffn = 14336};
  const double attention = 16 * (2 * (4096 + 4096) + 2 * (4096 + 1024));
  const double experts = 8 * 3 * 16 * (4096 + 14336);
  for (const int sharers : {1, 2}) {
    Workload w = with_lora(mixtral, 16, {LoraTarget::AllLinear});
    w.parallelism.data = 8;
    w.parallelism.expert = 4;
    w.parallelism.expert_tensor = sharers;
    EXPECT_EQ(trained_parameters(w), 32 * (attention + experts)) << sharers;
    // Of an expert's up A whole and B split, of down the other way round.
    double held = 0;
    for (const Weight* weight : weights_of(build_model(w).layer(0))) {
      held += weight->trained && weight->copies == kExpertDataAxes ? weight->held : 0;
    }
    EXPECT_EQ(held, 2 * 16 * 3 * (4096 + 14336.0 / sharers)) << sharers;
  }
  // Forward, backward and gradients of 2 T k r (in + out) each; but in the first layer nothing
  // goes on below A, whose input is of products that are not trained.
  Workload w = with_lora(mixtral, 16, {LoraTarget::Down});
  w.training.sequence_length = 512;
  const double once = step_flops(w, false).value;
  w.training.lora.rank = 32;
  EXPECT_TRUE(near(step_flops(w, false).value - once,
                   2.0 * 512 * 2 * 16 * (32 * 3 * (4096 + 14336) - 14336), 1e-9));
}

// 6.74 B parameters stay, 4.19 M have fp32 gradients and 12 bytes of state; QLoRA keeps the layers'
// weights in 4 bits and 0.127 for their scales (Dettmers et al. 2023, section 3).
TEST(Lora, TheBaseHasNeitherGradientsNorState) {
  Workload w = with_lora(kLlama2, 8, {LoraTarget::Q, LoraTarget::V});
  MemoryUse use = memory_use(w);
  EXPECT_EQ(use.parameters.value, 2 * 6742609920.0);
  EXPECT_EQ(use.gradients.value, 4 * 4194304.0);
  EXPECT_EQ(use.optimizer.value, 12 * 4194304.0);
  w.training.lora.four_bit_base = true;
  use = memory_use(w);
  const double layers = 32 * (4 * 4096.0 * 4096 + 3 * 4096.0 * 11008);
  EXPECT_NEAR(8 * kFourBitBytes, 4.127, 5e-4);
  EXPECT_TRUE(near(use.parameters.value, 2 * (6742609920 - layers) + kFourBitBytes * layers));
}

// Forward 2 FLOPs a parameter and token, backward 2 for inputs' gradients alone; adapters 6. Of the
// first layer no input's gradient is computed below its adapters: neither through QKV nor through
// A.
TEST(Lora, WorkOfAStepByHand) {
  Workload w = testing::small_gpt(2);
  w.model.biases = kNoBiases;
  w.model.tied_embeddings = false;
  const double t = 512, h = 1024, r = 8;
  const double base = 2 * t * (2 * 12 * h * h + 32000 * h);
  const double attention = step_flops(w, false).value - 3 * base;
  w.training.lora = {.rank = 8, .targets = {LoraTarget::Q, LoraTarget::V}};
  const double adapters = 2 * 3 * 2 * t * 2 * (h * r + r * h);
  const double first = 2 * t * 3 * h * h + 2 * 2 * t * h * r;
  EXPECT_TRUE(near(step_flops(w, false).value, 2 * base + attention + adapters - first, 1e-12));
}

// A frozen product keeps no input, one with an adapter x in 16 bits and x A: of a layer in bf16
// (32 s b h) the inputs of up and down fall away, 2 + 8; attention keeps its output, and QKV its
// input and two of r. In the first layer the norm before QKV keeps nothing either.
TEST(Lora, KeepsInputsOfAdapters) {
  Workload w = testing::small_gpt(2);
  w.training.lora = {.rank = 8, .targets = {LoraTarget::Q, LoraTarget::V}};
  const ModelBlocks model = build_model(w);
  const double sbh = 512 * 1024;
  EXPECT_EQ(kept_by(model.layer(1)).value, 22 * sbh + 2 * 2 * 512 * 8);
  EXPECT_EQ(kept_by(model.layer(0)).value, 20 * sbh + 2 * 2 * 512 * 8);
  EXPECT_FALSE(model.layer(0).gives_gradient);
  EXPECT_TRUE(model.layer(0).takes_gradient);
}

// Dropout reads x and writes it, in 16 bits, and a mask of a byte a value, in both passes, and
// keeps both; each of two adapters has its own.
TEST(Lora, DropoutPassesOverTheInput) {
  Workload w = testing::small_gpt(2);
  w.training.lora = {.rank = 8, .targets = {LoraTarget::Q, LoraTarget::V}};
  const Operator without = operator_named(build_model(w).layer(1), kQkv);
  w.training.lora.dropout = 0.1;
  const Operator with = operator_named(build_model(w).layer(1), kQkv);
  const double values = 2 * 512 * 1024;
  const auto more = [](const Kernels& few, const Kernels& many) {
    const auto bytes = [](const Kernels& kernels) {
      double sum = 0;
      for (const Kernel& kernel : kernels) {
        sum += kernel.bytes.value;
      }
      return sum;
    };
    return bytes(many) - bytes(few);
  };
  EXPECT_EQ(more(without.forward, with.forward), 5 * values);
  EXPECT_EQ(more(without.input_gradient, with.input_gradient), 5 * values);
  EXPECT_EQ(more(without.weight_gradient, with.weight_gradient), 0);
  // Two masks, and two inputs that were dropped instead of one that both share.
  EXPECT_EQ((with.kept - without.kept).value, values + 2 * 512 * 1024 * (2 - 1));
}

// In 32 bits beside a base in 16: x and dy are cast, and what comes of them is cast back, 6 bytes
// a value each; the two products move 2 bytes more of what they read and write; scale and sum
// forward 18 bytes instead of 10, the scale backward 8 instead of 4. The cast x is kept, and x A
// is as wide.
TEST(Lora, InThirtyTwoBitsValuesAreCast) {
  Workload w = testing::small_gpt(2);
  w.training.lora = {.rank = 8, .targets = {LoraTarget::O}};
  const Operator narrow = operator_named(build_model(w).layer(1), kProjection);
  w.training.lora.wide = true;
  const Operator wide = operator_named(build_model(w).layer(1), kProjection);
  const auto bytes = [](const Kernels& kernels) {
    double sum = 0;
    for (const Kernel& kernel : kernels) {
      sum += kernel.bytes.value;
    }
    return sum;
  };
  const double t = 512, h = 1024, r = 8;
  const double products = 2 * (2 * t * h + 2 * h * r + 2 * t * r);
  EXPECT_EQ(bytes(wide.forward) - bytes(narrow.forward), products + (6 + 6 + 8) * t * h);
  EXPECT_EQ(bytes(wide.input_gradient) - bytes(narrow.input_gradient),
            products + (6 + 6 + 4) * t * h);
  EXPECT_EQ((wide.kept - narrow.kept).value, 4 * t * h + 2 * t * r);
  // Attention keeps its output for itself; nobody else does the normed input of q and v.
  w.training.lora.targets = {LoraTarget::Q, LoraTarget::V};
  EXPECT_EQ(operator_named(build_model(w).layer(1), kQkv).kept.value, 2 * (4 * t * h + 4 * t * r));
  w.training.lora.wide = false;
  EXPECT_EQ(operator_named(build_model(w).layer(1), kQkv).kept.value, 2 * t * h + 2 * 2 * t * r);
}

// Fused, B adds s x A B to y itself, which it reads, and A' to dx: 10 and 4 bytes of a value of y
// and 6 of x in passes become 2 and 2 in products. Not over tensor ranks.
TEST(Lora, FusedScaleAndSumsAreTheProducts) {
  Workload w = testing::small_gpt(2);
  w.training.lora = {.rank = 8, .targets = {LoraTarget::O}};
  const auto bytes = [&](Kernels Operator::*direction) {
    double sum = 0;
    for (const Kernel& kernel : operator_named(build_model(w).layer(1), kProjection).*direction) {
      sum += kernel.bytes.value;
    }
    return sum;
  };
  const double forward = bytes(&Operator::forward);
  const double backward = bytes(&Operator::input_gradient);
  const double t = 512, h = 1024;
  w.training.lora.fused = true;
  EXPECT_EQ(forward - bytes(&Operator::forward), (10 - 2) * t * h);
  EXPECT_EQ(backward - bytes(&Operator::input_gradient), (4 + 6 - 2) * t * h);
  w.parallelism.tensor = 2;
  const double over_ranks = bytes(&Operator::forward);
  w.training.lora.fused = false;
  EXPECT_EQ(bytes(&Operator::forward), over_ranks);
}

// And its products are of fp32, 67 TFLOP/s of an H100 instead of 989: a high rank takes as long.
TEST(Lora, InThirtyTwoBitsItMultipliesInFp32) {
  const GpuSpec gpu = load_gpu("h100", testing::shipped_presets());
  const KernelTimer timer(gpu, Precision::Bf16);
  Workload w{.model = kLlama2};
  w.training.sequence_length = 4096;
  w.training.lora = {.rank = 1024, .targets = {LoraTarget::O}};
  const auto products = [&] {
    Kernels adapter;
    for (const Kernel& kernel : operator_named(build_model(w).layer(1), kProjection).forward) {
      if (kernel.kind == KernelKind::Gemm && std::max(kernel.n, kernel.k) == 4096 &&
          std::min(kernel.n, kernel.k) == 1024) {
        adapter.push_back(kernel);
      }
    }
    EXPECT_EQ(adapter.size(), 2);
    return timer.time(adapter).total();
  };
  const Seconds narrow = products();
  w.training.lora.wide = true;
  const Seconds least = Flops{2 * 2.0 * 4096 * 4096 * 1024} / *gpu.peak(Precision::Fp32);
  EXPECT_GT(products(), least);
  EXPECT_LT(products(), 1.7 * least);
  EXPECT_LT(narrow, 0.2 * least);
}

// QLoRA makes the weights of a product wide in each of its passes: 0.516 bytes read and 2 written
// of each of h x 3h.
TEST(Lora, FourBitsAreMadeWide) {
  Workload w = testing::small_gpt(2);
  w.model.biases = kNoBiases;
  w.training.lora = {.rank = 8, .targets = {LoraTarget::O}, .four_bit_base = true};
  const Operator qkv = operator_named(build_model(w).layer(1), kQkv);
  for (const Kernels* kernels : {&qkv.forward, &qkv.input_gradient}) {
    ASSERT_EQ(kernels->size(), 2U);
    EXPECT_EQ(kernels->front().bytes.value, 3 * 1024 * 1024 * (kFourBitBytes + 2));
  }
}

Workload four_stages() {
  Workload w = testing::small_gpt(8);
  w.model.tied_embeddings = false;
  w.parallelism.pipeline = 4;
  w.parallelism.data = 2;
  w.training.global_batch = 16;
  return w;
}

// Of 8 layers on 4 stages the first 4, and the embedding, are frozen: stages 0 and 1 compute no
// backward pass and keep nothing, stage 2 sends no gradient, and nobody sums gradients there.
TEST(Frozen, StagesWithoutAnythingToTrainOnlyRunForward) {
  Workload w = four_stages();
  w.training.frozen = {FrozenPart::Embedding};
  w.training.frozen_layers = 4;
  const StepProgram step = make_step_program(w);
  for (int number = 0; number < 4; ++number) {
    const StageProgram& stage = step.stage(number);
    const bool trains = number >= 2;
    const auto backwards = std::count_if(stage.sends.begin(), stage.sends.end(),
                                         [](const Send& send) { return !send.next; });
    EXPECT_EQ(backwards, number == 3 ? 8 : 0) << number;
    EXPECT_EQ(stage.ends.empty(), !trains) << number;
    for (const StagePass& pass : stage.passes) {
      const bool works = !step.programs[pass.program].segments.empty();
      EXPECT_EQ(works, trains || pass.action.is_forward()) << number;
    }
    const MemoryUse use = memory_by_stage(w)[static_cast<std::size_t>(number)];
    EXPECT_EQ(use.gradients > Bytes{}, trains);
    EXPECT_EQ(use.moment.activations > Bytes{}, trains);
  }
}

// With the embedding trained its gradient must come down through all frozen layers.
TEST(Frozen, GradientsPassFrozenLayers) {
  Workload w = four_stages();
  w.training.frozen_layers = 8;
  const StepProgram step = make_step_program(w);
  for (int number = 1; number < 4; ++number) {
    const auto& sends = step.stage(number).sends;
    EXPECT_EQ(std::count_if(sends.begin(), sends.end(), [](const Send& s) { return !s.next; }), 8);
  }
  const ModelBlocks model = build_model(w);
  for (const Operator* op : operators_of(model.layer(3))) {
    EXPECT_TRUE(op->weight_gradient.empty());
    EXPECT_FALSE(op->input_gradient.empty());
  }
  EXPECT_EQ(trained_parameters(w), 32000 * 1024 * 2 + 2 * 1024);
}

// ZeRO-3 gathers frozen weights as well, but not for backward passes that do nothing; it reduces
// what is trained alone.
TEST(Frozen, ShardsAreGatheredWhereTheyAreUsed) {
  Workload w = testing::small_gpt(4);
  w.model.tied_embeddings = false;
  w.parallelism.data = 2;
  w.parallelism.zero = 3;
  w.training.global_batch = 2;
  w.training.frozen = {FrozenPart::Embedding};
  w.training.frozen_layers = 2;
  const StepProgram step = make_step_program(w);
  const auto count = [&](bool forward, CollectiveOp op) {
    std::ptrdiff_t found = 0;
    for (const StagePass& pass : step.stage(0).passes) {
      const auto& segments = step.programs[pass.program].segments;
      found +=
          pass.action.is_forward() == forward
              ? std::count_if(segments.begin(), segments.end(),
                              [&](const Segment& s) { return !s.is_compute && s.demand.op == op; })
              : 0;
    }
    return found;
  };
  EXPECT_EQ(count(true, CollectiveOp::AllGather), 1 + 4);
  EXPECT_EQ(count(false, CollectiveOp::AllGather), 2);
  EXPECT_EQ(count(false, CollectiveOp::ReduceScatter), 2 + 1);
}

}  // namespace
}  // namespace danlu
