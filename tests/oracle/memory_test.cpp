// Recomputation and memory over time against closed forms and other people's numbers.
#include "sim/workload/memory.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/program/program.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/validation/validation.hpp"
#include "sim/workload/model_blocks.hpp"
#include "sim/workload/model_presets.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

using Parts = std::vector<RecomputePart>;
constexpr RecomputePart kCore = RecomputePart::CoreAttention;
constexpr RecomputePart kNorms = RecomputePart::LayerNorm;
constexpr RecomputePart kWholeMlp = RecomputePart::Mlp;
constexpr RecomputePart kAct = RecomputePart::Activation;

ModelSpec preset(std::string_view name) {
  for (const ModelPreset& row : model_presets()) {
    if (row.name == name) {
      return to_model_spec(row);
    }
  }
  throw std::invalid_argument("no such preset");
}

Workload small(int layers) {
  Workload w = testing::small_gpt(layers);
  w.training.attention = AttentionKind::Unfused;
  return w;
}
void set_parts(Workload& w, Parts parts) {
  w.training.recompute = Recompute::Selective;
  w.training.recompute_parts = std::move(parts);
}

// s b h = 0.5 Mi elements, 16 heads of 512 x 512 scores; without dropout a layer keeps
//   32 s b h + 2 scores = norms' inputs 4, their outputs 4, q k v 6, attention's output 2,
//                         up's output 8, activation's output 8
// and each part takes away what its row in recompute.cpp says.
TEST(Recomputation, PartsKeepWhatTheirRowsSay) {
  const double sbh = 512 * 1024;
  const double scores = 16.0 * 512 * 512;
  struct Case {
    Parts parts;
    double kept;   // of s b h
    double again;  // likewise, at once
    bool keeps_scores;
  };
  for (const auto& [parts, kept, again, keeps_scores] :
       {Case{{kCore}, 32, 0, false}, Case{{kNorms}, 28, 2, true}, Case{{kAct}, 24, 8, true},
        Case{{kWholeMlp}, 16, 16, true}, Case{{kNorms, kAct}, 20, 8, true},
        Case{{kNorms, kWholeMlp}, 12, 18, true}, Case{{kCore, kNorms, kWholeMlp}, 12, 18, false}}) {
    Workload w = small(1);
    set_parts(w, parts);
    const Block layer = build_model(w).layer(0);
    SCOPED_TRACE(fmt::format("{} parts, kept {}", parts.size(), kept));
    EXPECT_EQ(kept_by(layer).value, kept * sbh + (keeps_scores ? 2 * scores : 0));
    EXPECT_EQ(made_again_by(layer).value, std::max(again * sbh, keeps_scores ? 0 : 2 * scores));
  }
  // With fused attention there are no scores, and the core's recomputation keeps no less.
  Workload fused = small(1);
  fused.training.attention = AttentionKind::Flash;
  set_parts(fused, {kCore});
  EXPECT_EQ(kept_by(build_model(fused).layer(0)).value, 32 * sbh);
}

/// Kernels and exchanges of a pass, those computed again marked.
std::multiset<std::string> work_of(const Program& program, bool only_again) {
  std::multiset<std::string> work;
  for (const Segment& segment : program.segments) {
    for (const Kernel& k : segment.kernels) {
      if (!only_again || segment.again) {
        work.insert(
            fmt::format("{} {} {} {} {}", static_cast<int>(k.kind), k.m, k.n, k.k, k.bytes.value));
      }
    }
    if (!segment.is_compute && !only_again) {
      work.insert(
          fmt::format("{} {}", static_cast<int>(segment.demand.op), segment.demand.bytes.value));
    }
  }
  return work;
}
Program pass_of(const Workload& w, ActionKind kind) {
  const ModelBlocks model = build_model(w);
  return make_program(w, model, {.layers = layers_of(w, model, {0, 0})}, kind);
}

// Backward with recomputation is backward without, and forward of the parts once more: of a layer
// of two norms, one attention, three steps of the MLP; with tensor ranks the MLP gathers its input
// and scatters its output again (or sums it).
TEST(Recomputation, RunsPartsOnceMore) {
  for (const bool sequence : {false, true}) {
    for (const Parts& parts : {Parts{kCore}, Parts{kNorms}, Parts{kAct}, Parts{kWholeMlp},
                               Parts{kNorms, kWholeMlp}, Parts{kCore, kNorms, kAct}}) {
      Workload w = small(3);
      w.parallelism.tensor = 4;
      w.parallelism.sequence = sequence;
      std::multiset<std::string> expected = work_of(pass_of(w, ActionKind::Backward), false);
      const auto forward = build_model(w).layer(0);
      const auto has = [&](RecomputePart part) {
        return std::find(parts.begin(), parts.end(), part) != parts.end();
      };
      const std::map<std::string, bool> again{{"norm", has(kNorms)},
                                              {"attention", has(kCore)},
                                              {"activation", has(kAct) || has(kWholeMlp)},
                                              {"MLP up", has(kWholeMlp)},
                                              {"MLP down", has(kWholeMlp)}};
      Block once = forward;
      std::erase_if(once.steps, [&](const Step& step) {
        const auto* op = std::get_if<Operator>(&step);
        return op == nullptr || !again.contains(op->name) || !again.at(op->name);
      });
      for (int layer = 0; layer < 3; ++layer) {
        for (const Operator* op : operators_of(once)) {
          for (const Kernel& k : op->forward) {
            expected.insert(fmt::format("{} {} {} {} {}", static_cast<int>(k.kind), k.m, k.n, k.k,
                                        k.bytes.value));
          }
        }
        if (has(kWholeMlp)) {
          const double bytes = 2.0 * 512 * 1024;
          for (const CollectiveOp op :
               sequence ? std::vector{CollectiveOp::AllGather, CollectiveOp::ReduceScatter}
                        : std::vector{CollectiveOp::AllReduce}) {
            expected.insert(fmt::format("{} {}", static_cast<int>(op), bytes));
          }
        }
      }
      set_parts(w, parts);
      EXPECT_EQ(work_of(pass_of(w, ActionKind::Backward), false), expected)
          << parts.size() << " parts, sequence " << sequence;
    }
  }
}

/// FLOPs of a pass' matrix products that are computed again, over those that are not.
double gemms_again(const Workload& w) {
  double again = 0;
  double once = 0;
  for (const Segment& segment : pass_of(w, ActionKind::Backward).segments) {
    for (const Kernel& k : segment.kernels) {
      const bool weighted = k.kind == KernelKind::Gemm && k.batch == 1;
      (segment.again ? again : once) += weighted ? k.flops.value : 0;
    }
  }
  return again / once;
}

// A GPT layer's products take 12 h^2 a token, the last of them 4 h^2: backward is 24, recomputation
// 12 or, stopping early, 8. So a step's 36 become 48 or 44: 4/3 and 11/9 (measured on PyTorch's
// checkpoints: 1.19 to 1.26). With dropout the last thing kept is the mask behind that product.
TEST(Recomputation, StopsBeforeTheLastProduct) {
  Workload w = small(2);
  w.training.recompute = Recompute::Full;
  EXPECT_TRUE(near(gemms_again(w), 12.0 / 24));
  w.training.recompute_early_stop = true;
  EXPECT_TRUE(near(gemms_again(w), 8.0 / 24));
  w.training.recompute_unit = 2;  // of two layers only the last product of the last
  EXPECT_TRUE(near(gemms_again(w), 20.0 / 48));
  w.training.dropout = true;
  EXPECT_TRUE(near(gemms_again(w), 12.0 / 24));
  w.training.dropout = false;
  set_parts(w, {kWholeMlp});
  EXPECT_TRUE(near(gemms_again(w), 4.0 / 24));
  w.training.recompute_early_stop = false;
  EXPECT_TRUE(near(gemms_again(w), 8.0 / 24));
}

// torchtitan's selection by operator, by hand: of q, k, v, output, gate, up, down the first,
// third, fifth and seventh are kept, and attention's output; k, output and up run again.
TEST(Recomputation, OfEverySecondProduct) {
  Workload w = testing::small_gpt(1);
  w.model.gated_mlp = true;
  w.model.biases = kNoBiases;
  w.training.recompute = Recompute::Alternate;
  const double t = 512, h = 1024, f = 4096;
  const ModelBlocks model = build_model(w);
  EXPECT_EQ(kept_by(model.layer(0)).value, 2 * t * (h + h + h + h + f + h));
  const Program backward = make_program(w, model, chunk_at(w, model, {}), ActionKind::Backward);
  Flops again;
  for (const Segment& segment : backward.segments) {
    for (const Kernel& kernel : segment.kernels) {
      again += segment.again ? kernel.flops : Flops{};
    }
  }
  EXPECT_EQ(again.value, 2 * t * (h * h + h * h + h * f));
  w.training.recompute = Recompute::None;
  EXPECT_GT(kept_by(build_model(w).layer(0)), kept_by(model.layer(0)));
}

// Of 12 layers a stage in units of n, ceil(12 / n) inputs of 2 s b h are kept, and a unit of n
// layers stands beside them while it is computed again; what is computed is the same.
TEST(Recomputation, UnitsKeepOneInput) {
  const double sbh = 512 * 1024;
  const double whole = 32 * sbh + 2 * 16.0 * 512 * 512;
  Workload w = small(12);
  w.model.vocab = 1024;  // logits are less than a layer, and gone when it is made again
  w.training.recompute = Recompute::Full;
  const auto work = work_of(pass_of(w, ActionKind::Backward), false);
  for (const int unit : {1, 2, 5, 12}) {
    w.training.recompute_unit = unit;
    const MemoryUse use = memory_use(w);
    EXPECT_EQ(use.moment.activations.value, (12 + unit - 1) / unit * 2 * sbh) << unit;
    EXPECT_EQ(use.moment.again.value, unit * whole - 2 * sbh) << unit;
    EXPECT_EQ(work_of(pass_of(w, ActionKind::Backward), false), work) << unit;
  }
}

// The first n layers of each chunk keep their input, the others everything: of all stages, or by
// stage. Stage s of p has p - s microbatches in flight.
TEST(Recomputation, OfSomeLayersOfEachStage) {
  const double sbh = 512 * 1024;
  const double whole = 32 * sbh + 2 * 16.0 * 512 * 512;
  Workload w = small(12);
  w.parallelism.pipeline = 3;
  w.training.global_batch = 6;
  w.training.recompute = Recompute::Full;
  for (const std::vector<int>& layers : {std::vector{0}, {3}, {4}, {9}, {1, 0, 4}}) {
    w.training.recompute_layers = layers;
    const std::vector<MemoryUse> stages = memory_by_stage(w);
    for (int stage = 0; stage < 3; ++stage) {
      const int asked = layers[layers.size() == 1 ? 0 : static_cast<std::size_t>(stage)];
      const double again = std::min(asked, 4);
      const double kept = again * 2 * sbh + (4 - again) * whole;
      EXPECT_EQ(stages[static_cast<std::size_t>(stage)].moment.activations.value,
                (3 - stage) * kept)
          << stage;
    }
  }
}

// For an even plan the peak over a stage's actions is the schedule's peak in closed form times what
// a chunk keeps; nothing is left at the end; the first action that holds so much is its moment.
TEST(MemoryOverTime, IsTheSchedulesPeakTimesAChunk) {
  for (const ScheduleRow& row : schedule_table()) {
    for (const int stages : {2, 4, 6}) {
      for (const int microbatches : {1, 4, 12}) {
        for (const int chunks : row.chunks ? std::vector{*row.chunks} : std::vector{1, 2, 3}) {
          Workload w = small(Placement(stages, chunks, row.deal).parts() * 2);
          w.parallelism.pipeline = stages;
          w.training.chunks = chunks;
          w.training.global_batch = microbatches;
          w.training.schedule = row.name;
          const ScheduleShape shape{w.placement(), microbatches};
          if (!row.obstacle(shape).empty()) {
            continue;
          }
          const ModelBlocks model = build_model(w);
          const Bytes chunk = 2 * kept_by(model.layer(0));
          for (int stage = 0; stage < stages; ++stage) {
            SCOPED_TRACE(fmt::format("{} {} x {} x {}, stage {}", row.name, stages, chunks,
                                     microbatches, stage));
            const std::vector<HeldDuring> moments = memory_over_time(w, model, stage);
            Bytes most;
            for (const HeldDuring& moment : moments) {
              most = std::max(most, moment.activations);
            }
            EXPECT_EQ(most.value, row.peak(shape, stage) * chunk.value);
            const HeldDuring& last = moments.back();
            EXPECT_EQ(last.activations, chunk);  // of the last action, which frees it
            EXPECT_EQ(last.forwards,
                      microbatches * (w.placement().has_copies() ? 1 : chunks));  // half each way
          }
        }
      }
    }
  }
}

/// A row of Megatron-LM's theoretical_memory_usage.py, run at commit d98e8a64dd: bytes of weights,
/// gradients and optimizer state of the first stage, and of its activations with sequence
/// parallelism and selective recomputation.
struct MegatronRow {
  std::string_view model;
  double sequence, micro_batch;
  int tensor, pipeline, data, microbatches, zero;
  double states, activations;
};

// It counts 18 bytes a parameter, or 6 + 12/dp with the distributed optimizer, and s b h (18 + 4
// f/h) / t a layer for two matrices in the MLP, of min(p, m) microbatches of l/p layers; the
// embedding's
// dropout mask and input, s b (h + 8) / t each, are its own.
TEST(Memory, IsThatOfMegatronsCalculator) {
  for (const MegatronRow& row :
       {MegatronRow{"gpt3-175b", 2048, 1, 8, 8, 1, 64, 1, 50322539520, 10292838400},
        MegatronRow{"gpt3-175b", 2048, 1, 8, 8, 16, 12, 1, 18870952320, 10292838400},
        MegatronRow{"gpt3-175b", 2048, 2, 8, 16, 2, 4, 1, 17237348352, 5159010304},
        MegatronRow{"llama2-7b", 4096, 2, 2, 2, 8, 8, 1, 12635028480, 0},
        MegatronRow{"llama-13b", 4096, 1, 2, 1, 16, 4, 1, 43929941760, 0},
        MegatronRow{"llama3-8b", 8192, 1, 2, 1, 8, 4, 1, 30114478080, 0},
        MegatronRow{"llama3-8b", 8192, 1, 1, 4, 16, 8, 1, 15324076800, 0},
        MegatronRow{"llama3-70b", 8192, 1, 8, 4, 2, 2, 1, 27249106944, 0},
        MegatronRow{"gpt3-175b", 2048, 1, 8, 8, 16, 12, 0, 50322539520, 10292838400}}) {
    Workload w{.model = preset(row.model)};
    w.model.positions = 0;
    w.model.biases = kNoBiases;
    w.model.vocab = row.model == "gpt3-175b" ? 50304 : w.model.vocab;  // as it pads 50257
    w.parallelism.tensor = row.tensor;
    w.parallelism.pipeline = row.pipeline;
    w.parallelism.data = row.data;
    w.parallelism.zero = row.zero;
    w.parallelism.sequence = true;
    w.training.sequence_length = static_cast<int>(row.sequence);
    w.training.micro_batch = static_cast<int>(row.micro_batch);
    w.training.global_batch = row.microbatches * row.data * w.training.micro_batch;
    w.training.attention = AttentionKind::Unfused;
    w.training.dropout = true;
    w.training.recompute = Recompute::Selective;
    const MemoryUse use = memory_by_stage(w).front();
    const double states = (use.parameters + use.gradients + use.optimizer).value;
    // It leaves out biases and positions, and splits norms.
    EXPECT_TRUE(near(states, row.states, 1e-4)) << row.model << " " << states / row.states;
    if (row.activations > 0) {
      const double flight = std::min(row.pipeline, row.microbatches);
      const double embedding =
          row.sequence * row.micro_batch * (w.model.hidden + 8.0) * flight / row.tensor;
      EXPECT_TRUE(near(use.moment.activations.value + embedding, row.activations, 1e-9))
          << row.model << " " << use.moment.activations.value;
    }
  }
}

/// A plan of MooreThreads/SimuMax docs/b200/b200_release_v1.2_summary.md: most that PyTorch had
/// allocated, GiB, under Megatron-core with TransformerEngine and its native fused cross entropy.
struct AllocatedRow {
  std::string_view model;
  int layers, kv_heads, tensor, pipeline, data;
  double gib;
};

// Placeholders are one for each shape of a layer's weights: of 12 layers of Llama 3 70B on one
// tensor rank 2 (10,240 h + h h + 2 f h + f h) bytes, 1.59 GiB, which SimuMax accounts for as well.
// Where the head's is made, 2 h V / t and 2 bytes a logit stand against 6 of the loss.
TEST(Memory, IsWhatMegatronHadAllocated) {
  for (const AllocatedRow& row : {AllocatedRow{"llama3-70b", 12, 8, 1, 2, 4, 66.55},
                                  AllocatedRow{"llama3-70b", 12, 8, 2, 1, 4, 60.68},
                                  AllocatedRow{"llama3-70b", 12, 8, 4, 1, 2, 39.07},
                                  AllocatedRow{"llama3-70b", 12, 8, 8, 1, 1, 28.29},
                                  AllocatedRow{"llama3-405b", 4, 16, 1, 2, 4, 87.08},
                                  AllocatedRow{"llama3-405b", 4, 16, 2, 1, 4, 81.59},
                                  AllocatedRow{"llama3-405b", 4, 16, 4, 1, 2, 52.89},
                                  AllocatedRow{"llama3-405b", 4, 16, 8, 1, 1, 38.57}}) {
    Workload w{.model = preset(row.model)};
    w.model.layers = row.layers;
    w.model.kv_heads = row.kv_heads;
    w.parallelism.tensor = row.tensor;
    w.parallelism.pipeline = row.pipeline;
    w.parallelism.data = row.data;
    w.parallelism.zero = row.data > 1 ? 1 : 0;
    w.parallelism.sequence = row.tensor > 1;
    w.training.sequence_length = 4096;
    w.training.global_batch = 4 * row.data;
    w.training.framework = "megatron-core";
    w.training.loss = Loss::FusedWide;
    w.training.placeholders = true;
    const MemoryUse use = memory_use(w);
    EXPECT_TRUE(near(use.peak().value, row.gib * 1024 * 1024 * 1024, 0.02))
        << row.model << " " << row.tensor << " " << use.peak().value / 1024 / 1024 / 1024;
    if (row.tensor == 1 && row.layers == 12) {
      const double h = 8192;
      const double f = 28672;
      EXPECT_EQ(use.framework.value, 2 * (10240 * h + h * h + 2 * f * h + f * h));
    }
  }
}

// Gradients in 16 bits beside fp32 sums are 2 bytes of every weight; beside 16-bit sums, and where
// ZeRO-2 sends them on at once, there are none.
TEST(Memory, HasASecondCopyOfGradients) {
  Workload w = small(4);
  w.parallelism.data = 2;
  w.training.global_batch = 2;
  EXPECT_EQ(memory_use(w).framework.value, 0);
  w.training.gradient_copy = true;
  EXPECT_EQ(memory_use(w).framework.value, 2 * rank_parameters(w, 0));
  w.training.gradient_bytes = 2;
  EXPECT_EQ(memory_use(w).framework.value, 0);
  w.training.gradient_bytes = 4;
  w.parallelism.zero = 2;
  EXPECT_EQ(memory_use(w).framework.value, 0);
}

// A framework's backward pass holds gradients of what one operator takes and makes: of unfused
// attention the scores twice, with q and with its output of s b h each, of 2 bytes.
TEST(MemoryOverTime, GradientsFlow) {
  Workload w = small(4);
  w.model.vocab = 1024;
  EXPECT_EQ(memory_over_time(w, build_model(w), 0).back().flowing.value, 0);
  w.training.framework = "megatron-core";
  const double sbh = 512 * 1024;
  const double scores = 16.0 * 512 * 512;
  const HeldDuring last = memory_over_time(w, build_model(w), 0).back();
  EXPECT_EQ(last.flowing.value, 2 * (2 * scores + 2 * sbh));
  EXPECT_EQ(last.logits.value, 0);  // of 6 x 512 x 1,024 bytes, less than that
}

// BLOOM's plan, tensor 8 x pipeline 12 x data 4 with tied embeddings: CUDA's context and six
// communicators are the 5.9 GB that its runs of one sequence a microbatch have beside tensors.
TEST(Memory, OutsideTheAllocator) {
  Workload w = small(12);
  w.model.heads = w.model.kv_heads = 16;
  EXPECT_EQ(memory_use(w).outside.value, 1573 * 1024.0 * 1024.0);
  w.parallelism.tensor = 8;
  w.parallelism.pipeline = 12;
  w.parallelism.data = 4;
  w.training.global_batch = 4;
  w.model.tied_embeddings = true;
  EXPECT_EQ(memory_use(w).outside.value, 1573 * 1024.0 * 1024.0 + 6 * 688e6);
}

// One publisher has one voice, the median of its runs.
TEST(Memory, AnAllocatorKeepsWhatLogsSay) {
  const CsvTable table = read_csv(testing::source_dir() + "/tests/validation/allocator.csv");
  const auto cell = [&](const CsvRow& row, const char* name) {
    return std::stod(std::string(table.cell(row, name)));
  };
  std::map<std::string, std::vector<double>> ratios;
  for (const CsvRow& row : table.rows()) {
    const double ratio = cell(row, "max_reserved") / cell(row, "max_allocated");
    EXPECT_GE(ratio, 1) << table.cell(row, "run");
    ratios[std::string(table.cell(row, "publisher"))].push_back(ratio);
  }
  std::vector<double> publishers;
  for (auto& [publisher, runs] : ratios) {
    publishers.push_back(lower_median(runs));
  }
  const MemoryUse use = memory_use(small(12));
  EXPECT_NEAR(use.reserved() / use.peak(), lower_median(publishers), 0.005);
  EXPECT_EQ(use.card().value, (use.reserved() + use.outside).value);
}

// FSDP with 16-bit gradients over four ranks: 2 bytes of a quarter where every microbatch reduces,
// 4 bytes of all where they wait for the step's end and travel in fp32.
TEST(Memory, GradientsThatWaitForTheStepLieInTheWidthTheyTravelIn) {
  Workload w = small(4);
  w.training.gradient_bytes = 2;
  w.parallelism.zero = 3;
  w.parallelism.data = 4;
  w.training.global_batch = 4;
  const double parameters = rank_parameters(w, 0);
  EXPECT_EQ(memory_use(w).gradients.value, 2 * parameters / 4);
  w.parallelism.sharding.reduce = Reduce::OncePerStep;
  w.parallelism.sharding.reduce_bytes = 2;
  EXPECT_EQ(memory_use(w).gradients.value, 2 * parameters);
  w.parallelism.sharding.reduce_bytes = 4;
  EXPECT_EQ(memory_use(w).gradients.value, 4 * parameters);
}

// Qi et al. 2023 (Zero Bubble Pipeline Parallelism, table 1, section 4.1): of a layer 34 s b h are
// kept for B (beside scores), and 32 s b h for W. Without dropout's masks 32 are kept.
TEST(MemoryOverTime, OfWIsInputsAndGradientsOfProducts) {
  Workload w = testing::small_gpt(4);
  w.parallelism.pipeline = 2;
  w.training.schedule = "zb-h1";
  w.training.global_batch = 4;
  const ModelBlocks model = build_model(w);
  const double sbh = 512 * 1024;
  EXPECT_EQ(model.layer(0).for_weights.value, 32 * sbh);
  // What I leaves is that of its two layers, until W takes it.
  const std::vector<HeldDuring> until = memory_over_time(w, model, 0);
  w.training.frees_before_weights = true;
  const std::vector<HeldDuring> early = memory_over_time(w, model, 0);
  w.training.dropout = true;
  const std::vector<HeldDuring> dropped = memory_over_time(w, build_model(w), 0);
  const Bytes masked = kept_by(build_model(w).layer(0));
  int waiting = 0;  // for W
  int in_flight = 0;
  for (std::size_t i = 0; i < early.size(); ++i) {
    const Action& action = early[i].action;
    in_flight += action.is_forward() ? 1 : 0;
    EXPECT_EQ(early[i].activations, until[i].activations);
    EXPECT_EQ(dropped[i].activations,
              2 * (in_flight - waiting) * masked + 2 * waiting * model.layer(0).for_weights);
    waiting += action.gives_gradient() && !action.frees() ? 1 : 0;
    if (action.frees()) {
      --in_flight;
      waiting -= action.gives_gradient() ? 0 : 1;
    }
  }
  EXPECT_EQ(in_flight, 0);
  // Recomputation keeps the layer's input; what I made again for W stays until W.
  w.training.recompute = Recompute::Full;
  EXPECT_EQ(build_model(w).layer(0).for_weights.value, 32 * sbh);
}

}  // namespace
}  // namespace danlu
