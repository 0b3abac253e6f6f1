// Parameters of published models against what their pages and other people's code count, and model
// FLOPs against Megatron-core's and torchtitan's functions. models/parameters.csv says each model
// in the keys of a scenario, so that what is counted went through the reader.
#include <gtest/gtest.h>

#include <string>

#include "sim/base/csv.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "sim/workload/model_presets.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/closed_forms.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::source_dir;

/// One GPU that trains `model` (keys, or the name of a preset), one sequence of `sequence` a step.
Workload workload_of(const std::string& model, int sequence, const std::string& training = "") {
  const std::string text = "model: " + model +
                           "\nparallelism: {}\n"
                           "training: {global_batch: 1, sequence_length: " +
                           std::to_string(sequence) + training +
                           "}\n"
                           "cluster: {topology: dgx-h100, gpus: 1}\n";
  return load_scenario_text(text, "own.yaml", testing::shipped_presets()).workload;
}

TEST(Parameters, AreThoseOfThePublishedModels) {
  const CsvTable table = read_csv(source_dir() + "/tests/oracle/models/parameters.csv");
  ASSERT_GT(table.rows().size(), 50U);
  for (const CsvRow& row : table.rows()) {
    const std::string name(table.cell(row, "model"));
    SCOPED_TRACE(name);
    const double total = std::stod(std::string(table.cell(row, "total")));
    const ModelSpec model = workload_of(std::string(table.cell(row, "keys")), 16).model;
    EXPECT_EQ(total_parameters(model), total);
    double active = 0;
    for (const PartParameters& part : parameters_by_part(model)) {
      active += part.active;
    }
    EXPECT_EQ(active, std::stod(std::string(table.cell(row, "active"))));
    if (const std::string preset(table.cell(row, "preset")); !preset.empty()) {
      EXPECT_EQ(total_parameters(workload_of(preset, 16).model), total) << preset;
    }
  }
}

/// The sum of a table by parts is the whole, and each part is its closed form.
TEST(Parameters, ByPartAddUp) {
  const ModelSpec model = workload_of("llama3-8b", 16).model;
  const auto parts = parameters_by_part(model);
  EXPECT_EQ(parts[ModelPart::Attention].all, 32 * 41943040.0);
  EXPECT_EQ(parts[ModelPart::Mlp].all, 32 * 176160768.0);
  EXPECT_EQ(parts[ModelPart::Norms].all, 65 * 4096.0);
  EXPECT_EQ(parts[ModelPart::Embeddings].all, 128256 * 4096.0);
  EXPECT_EQ(parts[ModelPart::Head].all, 128256 * 4096.0);
  for (const ModelPreset& preset : model_presets()) {
    double sum = 0;
    for (const PartParameters& part : parameters_by_part(to_model_spec(preset))) {
      sum += part.all;
    }
    EXPECT_EQ(sum, total_parameters(to_model_spec(preset))) << preset.name;
  }
}

/// FLOPs a token, forward and backward, of a step of one sequence.
struct FlopsRow {
  const char* model;
  int sequence;
  double megatron;    // num_floating_point_operations at d98e8a64dd, run
  double torchtitan;  // get_nparams_and_flops at b5bcd76c6, its arithmetic run
};
constexpr FlopsRow kFlops[] = {
    {"llama2-7b", 4096, 42863689728, 46086512640},
    {"llama2-70b", 4096, 428385239040, 444499279872},
    {"llama3-8b", 8192, 51470401536, 57914449920},
    {"llama3-70b", 8192, 449222541312, 481442709504},
    {"llama3-405b", 8192, 2523955986432, 2625449459712},
    // Neither function knows of the window.
    {"{preset: mistral-7b, window: 0}", 8192, 49104814080, 55548862464},
    {"qwen2.5-7b", 4096, 44887965696, 47356216320},
    {"{preset: gpt3-175b, vocab: 50257}", 2048, 1061877915648, 1076616585216},
    {"bloom-176b", 2048, 1069736263680, 1082146136064},
};

// Megatron-core counts products and the causal half of attention, as danlu does. torchtitan counts
// the whole square, and 6 for every parameter but those of the input's table of tokens: norms,
// biases and tables of positions too, which multiply nothing.
TEST(ModelFlops, AreThoseOfMegatronCoreAndTorchtitan) {
  for (const FlopsRow& row : kFlops) {
    SCOPED_TRACE(row.model);
    const Workload w = workload_of(row.model, row.sequence);
    EXPECT_TRUE(near(step_flops(w, true).value / row.sequence, row.megatron, 1e-12));
    const ModelSpec& m = w.model;
    const double table = static_cast<double>(m.vocab) * m.hidden;
    const double products = m.layers * testing::layer_matrix_parameters(m) + table;
    const double counted = total_parameters(m) - (m.tied_embeddings ? 0 : table);
    EXPECT_TRUE(near(step_flops(w, false).value / row.sequence + 6 * (counted - products),
                     row.torchtitan, 1e-12));
  }
}

// A window of w leaves w s - w^2/2 of the s^2/2 pairs to a layer; each sixth sees all of them.
TEST(ModelFlops, OfWindowsAreWhatTheyLeave) {
  const std::string keys = "layers: 12, hidden: 1024, heads: 8, vocab: 32000, positions: 0";
  const double s = 8192;
  const auto flops = [&](const std::string& more) {
    return step_flops(workload_of("{" + keys + more + "}", 8192), true).value;
  };
  const double pair = 3 * 2 * 2 * 1024.0;  // FLOPs of a pair in a layer
  EXPECT_TRUE(near(flops("") - flops(", window: 1024"),
                   12 * pair * (s * s / 2 - (1024 * s - 1024 * 1024 / 2.0)), 1e-9));
  EXPECT_TRUE(near(flops("") - flops(", window: 1024, global_every: 6"),
                   10 * pair * (s * s / 2 - (1024 * s - 1024 * 1024 / 2.0)), 1e-9));
  EXPECT_EQ(flops(", window: 8192"), flops(""));
  const Workload w = workload_of("{" + keys + ", window: 1024, global_every: 6}", 8192);
  EXPECT_EQ(build_model(w).kinds.size(), 2U);
}

struct LatentRow {
  const char* model;
  double attention, norms;                              // parameters of a layer
  double input, latents, narrow, query, value, output;  // bytes kept, of one sequence of 4,096
};
constexpr LatentRow kLatent[] = {
    // DeepSeek-V3, DeepSeek-V2-Lite, Kimi-K2
    {"{layers: 1, hidden: 7168, heads: 128, head_dim: 128, value_dim: 128, ffn: 18432, vocab: 1, "
     "latent: {query_rank: 1536, kv_rank: 512, rotary_dim: 64}, gated_mlp: true, biases: false, "
     "norm: rmsnorm}",
     187105280, 2048, 58720256, 12582912 + 4194304, 12582912 + 4194304, 201326592, 134217728,
     134217728},
    {"{layers: 1, hidden: 2048, heads: 16, head_dim: 128, value_dim: 128, ffn: 10944, vocab: 1, "
     "latent: {kv_rank: 512, rotary_dim: 64}, gated_mlp: true, biases: false, norm: rmsnorm}",
     13762560, 512, 16777216, 4194304, 4194304, 25165824, 16777216, 16777216},
    {"{layers: 1, hidden: 7168, heads: 64, head_dim: 128, value_dim: 128, ffn: 18432, vocab: 1, "
     "latent: {query_rank: 1536, kv_rank: 512, rotary_dim: 64}, gated_mlp: true, biases: false, "
     "norm: rmsnorm}",
     101122048, 2048, 58720256, 12582912 + 4194304, 12582912 + 4194304, 100663296, 67108864,
     67108864},
};

// Parameters as the models have them; kept bytes as a list of what is saved in 16 bits with fused
// attention, whose log-sum-exp (4 bytes a token and head) danlu does not count. Keys are as wide as
// queries.
TEST(LatentAttention, HasAndKeepsWhatTheModelsDo) {
  for (const LatentRow& row : kLatent) {
    SCOPED_TRACE(row.model);
    const Workload w = workload_of(row.model, 4096);
    const auto parts = parameters_by_part(w.model);
    EXPECT_EQ(parts[ModelPart::Attention].all, row.attention);
    EXPECT_EQ(parts[ModelPart::Norms].all, row.norms + 3.0 * w.model.hidden);
    const Block layer = build_model(w).layer(0);
    const auto kept = [&](const char* name) {
      return testing::operator_named(layer, name).kept.value;
    };
    EXPECT_EQ(kept("norm"), row.input);
    EXPECT_EQ(kept("latent down"), row.input);
    EXPECT_EQ(kept("latent norms"), row.latents);
    EXPECT_EQ(kept("latent up"), row.narrow);
    EXPECT_EQ(kept("attention"), 2 * row.query + row.value);
    EXPECT_EQ(kept("projection"), row.output);
    const Workload again = workload_of(row.model, 4096, ", recompute: [mla_up_proj]");
    EXPECT_EQ(kept_by(layer).value - kept_by(build_model(again).layer(0)).value,
              2 * row.query + row.value);
  }
}

// Tensor ranks share heads, and hold the whole of what makes the narrow array; what they exchange
// before the second product is as wide as that is.
TEST(LatentAttention, IsSharedByHeads) {
  const std::string model =
      "{layers: 1, hidden: 7168, heads: 128, head_dim: 128, value_dim: 128, ffn: 18432, vocab: "
      "1024, latent: {query_rank: 1536, kv_rank: 512, rotary_dim: 64}, biases: false}";
  Workload w = workload_of(model, 4096);
  const Block whole = build_model(w).layer(0);
  w.parallelism.tensor = 8;
  w.parallelism.sequence = true;
  const ModelBlocks split = build_model(w);
  const auto held = [](const Block& block, const char* name) {
    return testing::operator_named(block, name).weight.held;
  };
  EXPECT_EQ(held(split.layer(0), "latent down"), held(whole, "latent down"));
  EXPECT_EQ(held(split.layer(0), "latent up"), held(whole, "latent up") / 8);
  EXPECT_EQ(held(split.layer(0), "projection"), held(whole, "projection") / 8);
  double flops = 0;
  double flops_of_rank = 0;
  for (const auto& [block, sum] : {std::pair(&whole, &flops), {&split.layer(0), &flops_of_rank}}) {
    for (const Operator* op : operators_of(*block)) {
      for (const Kernel& kernel : op->forward) {
        *sum += kernel.model_flops.value;
      }
    }
  }
  EXPECT_TRUE(near(8 * flops_of_rank, flops));
  std::vector<double> exchanged;
  for (const Step& step : split.layer(0).steps) {
    if (const auto* exchange = std::get_if<Exchange>(&step)) {
      exchanged.push_back(exchange->bytes.value);
    }
  }
  const double boundary = 2.0 * 4096 * 7168;
  const double narrow = 2.0 * 4096 * (1536 + 512 + 64);
  EXPECT_EQ(exchanged, std::vector({narrow, boundary, boundary, boundary}));
}

// A layer that predicts more has two norms, a product of 2h in and h out, a layer, and its own norm
// before the logits, for which it uses the head's table.
TEST(Prediction, IsALayerMore) {
  const std::string keys =
      "layers: 4, hidden: 1024, heads: 8, ffn: 4096, vocab: 32000, gated_mlp: true, biases: false, "
      "norm: rmsnorm, tied_embeddings: false";
  const Workload w = workload_of("{" + keys + "}", 2048);
  const Workload more = workload_of("{" + keys + ", prediction_layers: 1}", 2048);
  const double h = 1024;
  const double layer = 4 * h * h + 3 * h * 4096;
  EXPECT_EQ(total_parameters(more.model) - total_parameters(w.model),
            layer + 2 * h + 2 * h * h + 3 * h);
  const double attention = 3 * 2 * 2 * h * 2048 * 2048 / 2;
  EXPECT_TRUE(near(step_flops(more, true).value - step_flops(w, true).value,
                   6.0 * 2048 * (layer + 2 * h * h + 32000 * h) + attention));
  Workload staged = more;
  staged.parallelism.pipeline = 2;
  Workload plain = w;
  plain.parallelism.pipeline = 2;
  EXPECT_EQ(rank_parameters(staged, 0), rank_parameters(plain, 0));
  EXPECT_EQ(rank_parameters(staged, 1) - rank_parameters(plain, 1),
            layer + 2 * h + 2 * h * h + 3 * h + 32000 * h);  // and a copy of the table of tokens
}

// An encoder sees all of s^2 pairs, whichever way they are counted; cross attention, too.
TEST(ModelFlops, OfEncodersAreOfAllPairs) {
  const std::string keys =
      "{layers: 2, hidden: 1024, heads: 8, ffn: 4096, vocab: 32000, biases: false";
  const double h = 1024;
  const double s = 2048;
  const double pairs = 3 * 2 * 2 * h * s * s;
  const double products = 6 * s * (2 * 12 * h * h + 32000 * h);
  const Workload encoder = workload_of(keys + ", kind: encoder}", 2048);
  EXPECT_TRUE(near(step_flops(encoder, true).value, products + 2 * pairs));
  EXPECT_TRUE(near(step_flops(encoder, false).value, products + 2 * pairs));
  const Workload both = workload_of(keys + ", kind: encoder-decoder, encoder_layers: 1}", 2048);
  EXPECT_TRUE(near(step_flops(both, true).value, products + 6 * s * 4 * h * h + 2.5 * pairs));
}

// Side by side: one norm, one exchange before and one behind both, the input kept once.
TEST(Layers, SideBySideExchangeOnce) {
  Workload w = workload_of("{layers: 1, hidden: 4096, heads: 16, vocab: 1024, norms: 1}", 4096);
  w.parallelism.tensor = 8;
  const Block layer = build_model(w).layer(0);
  std::size_t exchanges = 0;
  for (const Step& step : layer.steps) {
    exchanges += std::holds_alternative<Exchange>(step) ? 1 : 0;
  }
  EXPECT_EQ(exchanges, 2U);
  EXPECT_EQ(testing::operator_named(layer, "MLP up").kept.value, 0);
}

}  // namespace
}  // namespace danlu
