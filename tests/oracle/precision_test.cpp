// Products below 16 bits against arithmetic by hand: what computes in which precision, what casts
// move, what is kept, sent and held.
#include "sim/workload/precision.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/program/step_program.hpp"
#include "sim/workload/layers.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::operator_named;

constexpr double kT = 512, kH = 1024;  // tokens, hidden; the MLP is 4 kH wide

Workload narrow(Precision precision, Fp8Recipe recipe = Fp8Recipe::Delayed, int layers = 1) {
  Workload w = testing::small_gpt(layers);
  w.training.precision = precision;
  w.training.fp8_recipe = recipe;
  return w;
}
Block layer_of(const Workload& w) {
  return build_model(w).layer(0);
}
double bytes_of(const Kernels& kernels, KernelKind kind) {
  double bytes = 0;
  for (const Kernel& kernel : kernels) {
    bytes += kernel.kind == kind ? kernel.bytes.value : 0;
  }
  return bytes;
}

// Of QKV, T = 512 tokens of 1,024 in and 3,072 out: forward the input is read in 16 bits, r times,
// and written narrow twice, as it is and transposed; backward the gradient.
TEST(Precision, RecipesCastAsTheirRowsSay) {
  struct Row {
    Precision precision;
    Fp8Recipe recipe;
    double reads, bytes;
  };
  for (const auto& [precision, recipe, reads, bytes] :
       {Row{Precision::Fp8, Fp8Recipe::Delayed, 1, 1},
        Row{Precision::Fp8, Fp8Recipe::Tensorwise, 2, 1},
        Row{Precision::Fp8, Fp8Recipe::Blockwise, 1, 1 + 4.0 / 128},
        Row{Precision::Mxfp8, Fp8Recipe::Delayed, 1, 1 + 1.0 / 32},
        Row{Precision::Fp4, Fp8Recipe::Delayed, 2, 0.5 + 1.0 / 16}}) {
    const Operator qkv = operator_named(layer_of(narrow(precision, recipe)), kQkv);
    const double value = 2 * reads + 2 * bytes;
    EXPECT_EQ(bytes_of(qkv.forward, KernelKind::Memory), kT * kH * value);
    EXPECT_EQ(bytes_of(qkv.input_gradient, KernelKind::Memory), kT * 3 * kH * value);
    EXPECT_EQ(bytes_of(qkv.weight_gradient, KernelKind::Memory), 0);
    // Products read narrow operands and write 16 bits; the weight's gradient is added in fp32.
    const double in = kT * kH, out = kT * 3 * kH, weight = 3 * kH * kH;
    EXPECT_EQ(bytes_of(qkv.forward, KernelKind::Gemm), bytes * (in + weight) + 2 * out);
    EXPECT_EQ(bytes_of(qkv.input_gradient, KernelKind::Gemm), bytes * (out + weight) + 2 * in);
    EXPECT_EQ(bytes_of(qkv.weight_gradient, KernelKind::Gemm),
              bytes * (in + out) + 2 * weight + 8 * weight);
  }
}

/// Bytes of all passes over memory that a layer makes in a direction.
double passes_of(const Block& layer, Kernels Operator::*direction) {
  double bytes = 0;
  for (const Operator* op : operators_of(layer)) {
    bytes += bytes_of(op->*direction, KernelKind::Memory);
  }
  return bytes;
}

// Each of two norms writes T x 1,024 values, the activation T x 4,096, and backward the gradient of
// as many. Quantised where they are made, n bytes are written instead of 2, and the pass that reads
// 2 and writes n falls away: 4 bytes a value less. Where there is a transpose of the same scale its
// pass stays, which reads 1 and writes 1: 3 less. Where the largest value must be known first only
// the search for it falls away, 2 bytes; blockwise nothing.
TEST(Precision, WhoMakesAnArrayMayQuantiseIt) {
  struct Row {
    Precision precision;
    Fp8Recipe recipe;
    double saved;  // bytes a value
    bool launches_less;
  };
  for (const auto& [precision, recipe, saved, launches_less] :
       {Row{Precision::Fp8, Fp8Recipe::Delayed, 3, false},
        Row{Precision::Fp8, Fp8Recipe::Tensorwise, 2, false},
        Row{Precision::Fp8, Fp8Recipe::Blockwise, 0, false},
        Row{Precision::Mxfp8, Fp8Recipe::Delayed, 4, true},
        Row{Precision::Fp4, Fp8Recipe::Delayed, 2, false}}) {
    Workload w = narrow(precision, recipe);
    const Block apart = layer_of(w);
    w.training.fused_casts = {CastMaker::Norm};
    const Block norms = layer_of(w);
    w.training.fused_casts = {CastMaker::Norm, CastMaker::Activation};
    const Block both = layer_of(w);
    EXPECT_NEAR(passes_of(apart, &Operator::forward) - passes_of(norms, &Operator::forward),
                2 * saved * kT * kH, 1e-3);
    EXPECT_NEAR(passes_of(norms, &Operator::forward) - passes_of(both, &Operator::forward),
                saved * kT * 4 * kH, 1e-3);
    EXPECT_EQ(passes_of(apart, &Operator::input_gradient),
              passes_of(norms, &Operator::input_gradient));
    EXPECT_NEAR(
        passes_of(norms, &Operator::input_gradient) - passes_of(both, &Operator::input_gradient),
        saved * kT * 4 * kH, 1e-3);
    EXPECT_EQ(operator_named(both, kQkv).forward.size() + (launches_less ? 1 : 0),
              operator_named(apart, kQkv).forward.size());
    EXPECT_EQ(operator_named(both, kMlpDown).kept, operator_named(apart, kMlpDown).kept);
  }
}

// Of latent attention the norms of the narrow array quantise it where all of its product's input is
// theirs; the norm before that array never does, the one before the MLP always, 4 bytes a value.
TEST(Precision, LatentNormsQuantiseWhatTheyMake) {
  constexpr int kRank = 64;
  for (const int queries : {0, 128}) {
    Workload w = narrow(Precision::Mxfp8);
    w.model.latent = {.query_rank = queries, .kv_rank = kRank, .rotary_dim = 32};
    const Block apart = layer_of(w);
    w.training.fused_casts = {CastMaker::Norm};
    const double latent = queries > 0 ? queries + kRank : 0;
    EXPECT_NEAR(passes_of(apart, &Operator::forward) - passes_of(layer_of(w), &Operator::forward),
                4 * kT * (kH + latent), 1e-3)
        << queries;
  }
}

// Norms before attention and MLP beside each other quantise for neither.
TEST(Precision, ANormForTwoQuantisesForNeither) {
  Workload w = narrow(Precision::Mxfp8);
  w.model.norms = 1;
  const double apart = passes_of(layer_of(w), &Operator::forward);
  w.training.fused_casts = {CastMaker::Norm};
  EXPECT_EQ(passes_of(layer_of(w), &Operator::forward), apart);
}

// An adapter of QKV reads the normed input in 16 bits, so the norm before it quantises nothing, but
// where scale and sums are fused too; the norm before the MLP does in any case.
TEST(Precision, WhatAnAdapterReadsIsQuantisedApart) {
  Workload w = narrow(Precision::Fp8);
  w.training.lora = {.rank = 8, .targets = {LoraTarget::Qkv}};
  const double apart = passes_of(layer_of(w), &Operator::forward);
  w.training.fused_casts = {CastMaker::Norm};
  EXPECT_NEAR(apart - passes_of(layer_of(w), &Operator::forward), 4 * kT * kH, 1e-3);
  w.training.lora.fused = true;  // and 5 passes of 2 bytes over what QKV gives fall away
  EXPECT_NEAR(apart - passes_of(layer_of(w), &Operator::forward),
              4 * 2 * kT * kH + 10 * kT * 3 * kH, 1e-3);
}

// Forward of QKV in fp8 on 108 multiprocessors of 400 TFLOP/s, 1 TB/s of which half is reached, 2
// us a launch. The cast moves 512 x 1024 x 4 bytes: 4.19 us. The product, of tiles that cost
// nothing but their FLOPs, does 2 x 512 x 1024 x 3072 of them at 400e12, 8.05 us, less than 512 x
// 1024 + 1024 x 3072 + 2 x 512 x 3072 bytes take at 0.5e12, 13.6 us.
TEST(Precision, TimeOfAProductByHand) {
  GpuSpec gpu = load_gpu("h100", testing::shipped_presets());
  gpu.peak_dense[Precision::Bf16] = FlopsPerSecond{100e12};
  gpu.peak_dense[Precision::Fp8] = FlopsPerSecond{400e12};
  gpu.gemm_efficiency = gpu.gemm_sustained = gpu.gemm_in_step = {};
  gpu.gemm_edge = 0;
  gpu.gemm_prologue = {};
  gpu.gemm_start = {};
  gpu.memory_bandwidth = {1e12};
  gpu.memory_efficiency = 0.5;
  gpu.multiprocessors = 108;
  gpu.kernel_launch = {2e-6};
  const Operator qkv = operator_named(layer_of(narrow(Precision::Fp8)), kQkv);
  const double cast = 512.0 * 1024 * 4 / 0.5e12;
  const double bytes = 512.0 * 1024 + 1024.0 * 3072 + 2 * 512.0 * 3072;
  const KernelTimer timer(gpu, Precision::Fp8);
  EXPECT_TRUE(near(timer.time(qkv.forward).total().value, 4e-6 + cast + bytes / 0.5e12));
  gpu.memory_bandwidth = {1e13};
  const double flops = 2.0 * 512 * 1024 * 3072;
  EXPECT_TRUE(near(KernelTimer(gpu, Precision::Fp8).time(qkv.forward).total().value,
                   4e-6 + cast / 10 + flops / 400e12));
}

// Only products of layers with their weights are narrow; logits and attention, fused or not, are
// not.
TEST(Precision, ProductsOfLayersAloneAreNarrow) {
  for (const AttentionKind attention : {AttentionKind::Flash, AttentionKind::Unfused}) {
    Workload w = narrow(Precision::Fp8, Fp8Recipe::Tensorwise, 3);
    w.training.attention = attention;
    w.training.wide_first_layers = 1;
    const ModelBlocks model = build_model(w);
    for (int number = 0; number < 3; ++number) {
      for (const Operator* op : operators_of(model.layer(number))) {
        for (const Kernels* kernels : {&op->forward, &op->input_gradient, &op->weight_gradient}) {
          for (const Kernel& kernel : *kernels) {
            const bool product = kernel.kind == KernelKind::Gemm && op->is_product();
            EXPECT_EQ(kernel.width == KernelWidth::Narrow, product && number > 0) << op->name;
          }
        }
      }
    }
    for (const Operator* op : operators_of(model.head)) {
      for (const Kernel& kernel : op->forward) {
        EXPECT_EQ(kernel.width, KernelWidth::Usual);
      }
    }
  }
}

/// Whether all products of the operators of that name are below 16 bits, and there are some.
bool is_narrow_product(const Block& block, std::string_view name) {
  int products = 0;
  int narrow = 0;
  for (const Operator* op : operators_of(block)) {
    for (const Kernels* kernels : {&op->forward, &op->input_gradient, &op->weight_gradient}) {
      for (const Kernel& kernel : *kernels) {
        const bool is_one = op->name == name && kernel.kind == KernelKind::Gemm;
        products += is_one ? 1 : 0;
        narrow += is_one && kernel.width == KernelWidth::Narrow ? 1 : 0;
      }
    }
  }
  EXPECT_TRUE(narrow == 0 || narrow == products) << name;
  return products > 0 && narrow == products;
}

// Megatron-core's fp8_output_proj: the head's three products, their operands cast as a layer's are.
TEST(Precision, TheHeadMayBeNarrow) {
  Workload w = narrow(Precision::Mxfp8);
  const double vocab = w.model.vocab;
  const double byte = 1 + 1.0 / 32;
  EXPECT_FALSE(is_narrow_product(build_model(w).head, "logits"));
  w.training.wide_head = false;
  const Block head = build_model(w).head;
  EXPECT_TRUE(is_narrow_product(head, "logits"));
  const Operator logits = operator_named(head, "logits");
  EXPECT_EQ(bytes_of(logits.forward, KernelKind::Memory), kT * kH * (2 + 2 * byte));
  EXPECT_EQ(bytes_of(logits.input_gradient, KernelKind::Memory), kT * vocab * (2 + 2 * byte));
  EXPECT_TRUE(logits.weight.narrow);
  w.training.precision = Precision::Bf16;
  EXPECT_FALSE(is_narrow_product(build_model(w).head, "logits"));
}

// A layer that predicts more is below 16 bits as the others are, but for its logits, which are the
// head's, and whatever the last layers are; not in fp4, of which Megatron-core's have no context.
TEST(Precision, LayersThatPredictMoreAreAsTheOthers) {
  Workload w = narrow(Precision::Mxfp8, Fp8Recipe::Delayed, 2);
  w.model.prediction_layers = 1;
  w.training.wide_last_layers = 1;
  const auto predicting = [&] { return build_model(w).layer(2); };
  EXPECT_TRUE(is_narrow_product(predicting(), kQkv));
  EXPECT_FALSE(is_narrow_product(predicting(), "logits"));
  EXPECT_FALSE(is_narrow_product(build_model(w).layer(1), kQkv));
  w.training.wide_head = false;
  EXPECT_TRUE(is_narrow_product(predicting(), "logits"));
  w.training.precision = Precision::Fp4;
  EXPECT_FALSE(is_narrow_product(predicting(), kQkv));
}

// The rows of each of the two experts that a rank holds are quantised, and multiplied, by
// themselves; gradients for the weights begin with what is narrow already.
TEST(Precision, RowsOfExpertsAreQuantisedOneByOne) {
  Workload w = narrow(Precision::Fp8);
  w.model.experts = {.count = 4, .per_token = 2, .ffn = 512};
  w.parallelism.data = 2;
  w.parallelism.expert = 2;
  for (const std::string name : {kExpertUp, kExpertDown}) {
    const Operator product = operator_named(layer_of(w), name);
    for (const Kernels* kernels : {&product.forward, &product.input_gradient}) {
      ASSERT_EQ(kernels->size(), 2U);
      EXPECT_EQ((*kernels)[0].kind, KernelKind::Memory);
      EXPECT_EQ((*kernels)[0].products, 2);
      EXPECT_EQ((*kernels)[1].products, 2);
    }
  }
  EXPECT_EQ(operator_named(layer_of(w), kQkv).forward[0].products, 1);
}

// In s b h elements a layer keeps in 16 bits 34 without dropout's masks, 32: the norms' inputs 4
// and outputs 4, q k v 6, attention's output 2, up's output 8, activation's output 8 bytes. In fp8
// the inputs of the four products have one byte each, and attention's output stays beside that.
TEST(Precision, InputsOfProductsAreKeptNarrow) {
  const double sbh = kT * kH;
  EXPECT_EQ(kept_by(layer_of(narrow(Precision::Bf16))).value, 32 * sbh);
  EXPECT_EQ(kept_by(layer_of(narrow(Precision::Fp8))).value, (4 + 2 + 6 + 3 + 8 + 4) * sbh);
  Workload unfused = narrow(Precision::Fp8);
  unfused.training.attention = AttentionKind::Unfused;
  const double scores = 16.0 * 512 * 512;
  EXPECT_EQ(kept_by(layer_of(unfused)).value, (4 + 2 + 6 + 1 + 8 + 4) * sbh + 2 * scores);
}

// DeepSeek-V3 (section 3.3.3): what SwiGLU begins with in 8 bits and scales, 2 f T; attention's
// output once, in 12 bits, for attention and for the product behind it. Megatron-LM's
// --activation-func-fp8-input-store keeps the first with any precision, without scales.
TEST(Precision, ActivationsMayBeKeptNarrow) {
  const auto kept = [](Precision precision, std::vector<NarrowPart> parts) {
    Workload w = testing::small_gpt(1);
    w.model.gated_mlp = true;
    w.training.precision = precision;
    w.training.fp8_recipe = Fp8Recipe::Blockwise;
    w.training.kept_narrow = std::move(parts);
    return kept_by(build_model(w).layer(0)).value;
  };
  const double tf = 512 * 4096;
  const double th = 512 * 1024;
  const double scaled = 1 + 4.0 / 128;
  for (const auto& [precision, narrow, both] :
       {std::tuple(Precision::Bf16, 1.0, 2.0), {Precision::Fp8, scaled, scaled + 2}}) {
    const double all = kept(precision, {});
    EXPECT_EQ(all - kept(precision, {NarrowPart::Activation}), 2 * tf * (2 - narrow));
    EXPECT_EQ(all - kept(precision, {NarrowPart::Attention}), th * (both - 1.5));
  }
  // Casts: of SwiGLU's input n written forward, n instead of 2 read backward.
  Workload w = testing::small_gpt(1);
  w.model.gated_mlp = true;
  const Operator wide = testing::operator_named(build_model(w).layer(0), kActivation);
  w.training.kept_narrow = {NarrowPart::Activation};
  const Operator narrow = testing::operator_named(build_model(w).layer(0), kActivation);
  EXPECT_TRUE(near((narrow.forward[0].bytes - wide.forward[0].bytes).value, 2 * tf));
  EXPECT_TRUE(near((wide.input_gradient[0].bytes - narrow.input_gradient[0].bytes).value, 2 * tf));
}

// Attention in fp8: q, k and v of T tokens are made narrow before it (2 + 1 bytes a value), its
// output wide behind it, and both the other way backward; what it keeps are q, k, v and its output,
// a byte each, where 16 bits keep q, k and v of 2 and its output of 2 beside the narrow one.
TEST(Precision, AttentionInEightBitsCastsItsEnds) {
  Workload w = narrow(Precision::Fp8);
  const Block wide = layer_of(w);
  w.training.attention = AttentionKind::CudnnFp8;
  const Block eight = layer_of(w);
  const double value = kT * kH;
  const Operator core = operator_named(eight, kAttention);
  const double turns = bytes_of(operator_named(wide, kAttention).forward, KernelKind::Memory);
  EXPECT_EQ(bytes_of(core.forward, KernelKind::Memory) - turns, (3 + 1) * value * (2 + 1));
  EXPECT_EQ(bytes_of(core.input_gradient, KernelKind::Memory) - turns, (3 + 1) * value * (2 + 1));
  EXPECT_EQ(bytes_of(core.forward, KernelKind::AttentionForward), (3 + 1) * value);
  EXPECT_EQ(bytes_of(core.input_gradient, KernelKind::AttentionBackward), 2 * (3 + 1) * value);
  EXPECT_EQ(core.kept.value, (3 + 1) * value);
  EXPECT_EQ((kept_by(wide) - kept_by(eight)).value, (3 * 2 + 2 - 3 - 1) * value);
}

// Delayed scaling: behind each pass of a chunk, forward and backward, the largest values of 4
// products a layer are shared: 3 and 2 of them, 4 bytes each; by the ranks that the key names, and
// compute waits. Nothing with another recipe or precision, nor where a pass makes weights'
// gradients alone.
TEST(Precision, LargestValuesAreSharedBehindEachPass) {
  const auto shared = [](Fp8Amax amax, ActionKind kind, const auto& change) {
    Workload w = narrow(Precision::Fp8, Fp8Recipe::Delayed, 3);
    w.parallelism.tensor = 2;
    w.parallelism.context = 2;
    w.parallelism.data = 4;
    w.training.fp8_amax = amax;
    change(w);
    const ModelBlocks model = build_model(w);
    const Program program = make_program(w, model, {.layers = layers_of(w, model, {0, 0})}, kind);
    std::pair<int, double> made{0, 0};  // ranks, bytes
    for (const Segment& segment : program.segments) {
      if (segment.name == "share amaxes") {
        EXPECT_EQ(made.first, 0) << "twice";
        EXPECT_EQ(&segment, &program.segments.back());
        EXPECT_EQ(segment.demand.op, CollectiveOp::AllReduce);
        EXPECT_EQ(segment.after, std::vector{program.segments.size() - 2});
        made = {w.parallelism.mesh().size(segment.axes), segment.demand.bytes.value};
      }
    }
    return made;
  };
  const auto as_it_is = [](Workload&) {};
  EXPECT_EQ(shared(Fp8Amax::All, ActionKind::Forward, as_it_is), std::pair(16, 3 * 4 * 3 * 4.0));
  EXPECT_EQ(shared(Fp8Amax::All, ActionKind::Backward, as_it_is), std::pair(16, 3 * 4 * 2 * 4.0));
  EXPECT_EQ(shared(Fp8Amax::Tensor, ActionKind::Input, as_it_is), std::pair(4, 96.0));
  const std::pair none{0, 0.0};
  EXPECT_EQ(shared(Fp8Amax::All, ActionKind::Weight, as_it_is), none);
  EXPECT_EQ(shared(Fp8Amax::Own, ActionKind::Forward, as_it_is), none);
  for (const Fp8Recipe recipe : {Fp8Recipe::Tensorwise, Fp8Recipe::Blockwise}) {
    const auto other = [&](Workload& w) { w.training.fp8_recipe = recipe; };
    EXPECT_EQ(shared(Fp8Amax::All, ActionKind::Forward, other), none);
  }
  EXPECT_EQ(shared(Fp8Amax::All, ActionKind::Forward,
                   [](Workload& w) { w.training.precision = Precision::Bf16; }),
            none);
  EXPECT_EQ(shared(Fp8Amax::Tensor, ActionKind::Forward,
                   [](Workload& w) { w.parallelism.tensor = w.parallelism.context = 1; }),
            none);
}

// With sequence parallelism over t = 4 ranks inputs of QKV and MLP up are quantised as T/4 tokens,
// gathered in fp8, gathered again and transposed in backward; gradients of the outputs of
// projection and MLP down likewise. What is scattered stays in 16 bits.
TEST(Precision, GathersOfTensorRanksAreNarrow) {
  Workload w = narrow(Precision::Fp8);
  w.parallelism.tensor = 4;
  w.parallelism.sequence = true;
  const ModelBlocks model = build_model(w);
  const Operator qkv = operator_named(model.layer(0), kQkv);
  EXPECT_EQ(bytes_of(qkv.forward, KernelKind::Memory), kT / 4 * kH * (2 + 1));
  EXPECT_EQ(bytes_of(qkv.input_gradient, KernelKind::Memory), kT * 3 * kH / 4 * (2 + 2));
  EXPECT_EQ(bytes_of(qkv.weight_gradient, KernelKind::Memory), kT * kH * 2);
  const Operator down = operator_named(model.layer(0), kMlpDown);
  EXPECT_EQ(bytes_of(down.forward, KernelKind::Memory), kT * kH * (2 + 1));
  EXPECT_EQ(bytes_of(down.input_gradient, KernelKind::Memory), kT / 4 * kH * (2 + 1));
  EXPECT_EQ(bytes_of(down.weight_gradient, KernelKind::Memory), 2 * (kT * kH + kT * kH));
  const auto exchanged = [&](ActionKind kind, CollectiveOp op) {
    double bytes = 0;
    for (const Segment& segment :
         make_program(w, model, {.layers = layers_of(w, model, {0, 0})}, kind).segments) {
      bytes += !segment.is_compute && segment.demand.op == op ? segment.demand.bytes.value : 0;
    }
    return bytes;
  };
  EXPECT_EQ(exchanged(ActionKind::Forward, CollectiveOp::AllGather), 2 * kT * kH);
  EXPECT_EQ(exchanged(ActionKind::Forward, CollectiveOp::ReduceScatter), 2 * 2 * kT * kH);
  EXPECT_EQ(exchanged(ActionKind::Backward, CollectiveOp::AllGather), 4 * kT * kH);
  EXPECT_EQ(exchanged(ActionKind::Backward, CollectiveOp::ReduceScatter), 2 * 2 * kT * kH);
}

// Of 12 h^2 weights of a layer narrow copies lie beside the 16 bits, as they are and transposed;
// they are cast once a step, read in 16 bits. Narrow weights only are written by the optimizer,
// gathered so by ZeRO-1, and transposed.
TEST(Precision, WeightsAreCastOnceAStep) {
  const auto parameters = [](const Workload& w) { return memory_use(w).parameters.value; };
  const double products = 2 * 12 * kH * kH;
  const double plain = parameters(narrow(Precision::Bf16, {}, 2));
  Workload w = narrow(Precision::Fp8, Fp8Recipe::Delayed, 2);
  w.model.biases = kNoBiases;
  const double no_biases = plain - 2 * 2 * (3 + 1 + 4 + 1) * kH;
  EXPECT_EQ(parameters(w), no_biases + 2 * products);
  const auto last_of = [](const Workload& workload, std::string_view name) {
    const StepProgram step = make_step_program(workload);
    double bytes = 0;
    for (const EndStep& end : step.stages[0].ends) {
      bytes += end.name == name ? end.bytes.value : 0;
    }
    return bytes;
  };
  EXPECT_EQ(last_of(w, "cast weights"), products * (2 + 1 + 1));
  w.parallelism.data = 2;
  w.training.global_batch = 2;
  w.parallelism.zero = 1;
  const double held = rank_parameters(w, 0);
  EXPECT_EQ(last_of(w, "gather parameters"), 2 * held);
  w.training.narrow_weights = true;
  EXPECT_EQ(last_of(w, "gather parameters"), 2 * held - products);
  EXPECT_EQ(last_of(w, "cast weights"), products * 2);
  EXPECT_EQ(parameters(w), no_biases);
  // FSDP casts what it gathers: forward 2 + 1 bytes, backward 2 + 1 for the transpose; in 8 bits it
  // arrives narrow and is transposed.
  w.parallelism.zero = 3;
  w.training.narrow_weights = false;
  EXPECT_EQ(last_of(w, "cast weights"), 0);
  const auto casts = [&] {
    const Operator up = operator_named(layer_of(w), kMlpUp);
    return std::pair(bytes_of(up.forward, KernelKind::Memory) - kT * kH * 4,
                     bytes_of(up.input_gradient, KernelKind::Memory) - kT * 4 * kH * 4);
  };
  EXPECT_EQ(casts(), std::pair(4 * kH * kH * 3, 4 * kH * kH * 3));
  w.parallelism.sharding.gather_bytes = 1;
  EXPECT_EQ(casts(), std::pair(0.0, 4 * kH * kH * 2));
}

// A GPU that multiplies fp8 in every layout: what has one scale is written once, of QKV's input and
// its output's gradient 2 r + 1 bytes a value, with and without sequence parallelism; of 12 h^2
// weights there is one copy, and none is made of those that the optimizer wrote narrow. What has
// scales for blocks is written both ways all the same.
TEST(Precision, OneLayoutIsEnoughForEveryWay) {
  const auto one = [](Precision precision, Fp8Recipe recipe) {
    Workload w = narrow(precision, recipe, 2);
    w.model.biases = kNoBiases;
    w.training.fp8_transposes = false;
    return w;
  };
  const auto qkv_of = [](const Workload& w) { return operator_named(layer_of(w), kQkv); };
  for (const auto& [recipe, reads] :
       {std::pair(Fp8Recipe::Delayed, 1), {Fp8Recipe::Tensorwise, 2}}) {
    const double value = 2 * reads + 1;
    Workload w = one(Precision::Fp8, recipe);
    EXPECT_EQ(bytes_of(qkv_of(w).forward, KernelKind::Memory), kT * kH * value);
    EXPECT_EQ(bytes_of(qkv_of(w).input_gradient, KernelKind::Memory), kT * 3 * kH * value);
    w.parallelism.tensor = 4;
    w.parallelism.sequence = true;
    const Operator down = operator_named(layer_of(w), kMlpDown);
    EXPECT_EQ(bytes_of(qkv_of(w).forward, KernelKind::Memory), kT / 4 * kH * value);
    EXPECT_EQ(bytes_of(down.input_gradient, KernelKind::Memory), kT / 4 * kH * value);
    EXPECT_EQ(bytes_of(qkv_of(w).weight_gradient, KernelKind::Memory), 0);
    EXPECT_EQ(bytes_of(down.weight_gradient, KernelKind::Memory), 0);
  }
  const auto cast = [](const Workload& w) {
    double bytes = 0;
    for (const EndStep& end : make_step_program(w).stages[0].ends) {
      bytes += end.name == "cast weights" ? end.bytes.value : 0;
    }
    return bytes;
  };
  const double products = 2 * 12 * kH * kH;
  Workload w = one(Precision::Fp8, Fp8Recipe::Delayed);
  Workload both = w;
  both.training.fp8_transposes = true;
  EXPECT_EQ(cast(w), products * (2 + 1));
  EXPECT_EQ((memory_use(both).parameters - memory_use(w).parameters).value, products);
  w.training.narrow_weights = true;
  EXPECT_EQ(cast(w), 0);
  w.parallelism.data = w.training.global_batch = 2;
  w.parallelism.zero = 3;
  w.training.narrow_weights = false;
  w.parallelism.sharding.gather_bytes = 1;
  EXPECT_EQ(bytes_of(operator_named(layer_of(w), kMlpUp).input_gradient, KernelKind::Memory),
            kT * 4 * kH * (2 + 1));
  for (const auto& [precision, recipe] : {std::pair(Precision::Fp8, Fp8Recipe::Blockwise),
                                          {Precision::Mxfp8, Fp8Recipe::Delayed},
                                          {Precision::Fp4, Fp8Recipe::Delayed}}) {
    Workload blocks = one(precision, recipe);
    const Operator without = qkv_of(blocks);
    blocks.training.fp8_transposes = true;
    EXPECT_EQ(without.forward, qkv_of(blocks).forward);
  }
}

// A figure that nobody measured is borrowed: mxfp8 and fp4 of fp8, that of 16 bits.
TEST(Precision, FiguresAreBorrowed) {
  const GpuSpec gpu = load_gpu("b200", testing::shipped_presets());
  PerPrecision<double> figures{};
  EXPECT_EQ(gpu.in(figures, Precision::Fp4), 1);
  figures[Precision::Bf16] = 0.5;
  EXPECT_EQ(gpu.in(figures, Precision::Fp4), 0.5);
  figures[Precision::Fp8] = 0.25;
  EXPECT_EQ(gpu.in(figures, Precision::Fp4), 0.25);
  EXPECT_EQ(gpu.in(figures, Precision::Tf32), 0.5);
  figures[Precision::Fp4] = 0.125;
  EXPECT_EQ(gpu.in(figures, Precision::Fp4), 0.125);
  EXPECT_EQ(gpu.in(figures, Precision::Mxfp8), 0.25);
}

}  // namespace
}  // namespace danlu
