// Layers of each chunk against Megatron-LM's get_num_layers_to_build (d98e8a64dd, run), and BLOOM's
// plan (BigScience's README: --pp-partition-method 'type:transformer|embedding').
#include "sim/workload/layer_split.hpp"

#include <gtest/gtest.h>

namespace danlu {
namespace {

Workload plan(int layers, int pipeline, int chunks = 1) {
  Workload w;
  w.model.layers = layers;
  w.parallelism.pipeline = pipeline;
  w.training.chunks = chunks;
  w.training.global_batch = pipeline;
  return w;
}
Workload counted(Workload w) {
  w.parallelism.count_embedding_and_head = true;
  return w;
}

/// By stage and chunk.
using Split = std::vector<std::vector<int>>;

Split split_of(const Workload& w) {
  EXPECT_TRUE(layer_problems(w).empty());
  Split split;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    std::vector<int>& chunks = split.emplace_back();
    for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
      chunks.push_back(w.layers_at({stage, chunk}));
    }
  }
  return split;
}

// Llama 3 405B's own plan: 126 layers and two more over 128 chunks.
TEST(LayerSplit, EmbeddingAndHeadCountAsLayers) {
  Split llama(16, std::vector<int>(8, 1));
  llama.front().front() = 0;
  llama.back().back() = 0;
  EXPECT_EQ(split_of(counted(plan(126, 16, 8))), llama);
  EXPECT_EQ(split_of(counted(plan(30, 4))), (Split{{7}, {8}, {8}, {7}}));
  Split qwen(8, std::vector<int>(4, 3));
  qwen.front().front() = 2;
  qwen.back().back() = 2;
  EXPECT_EQ(split_of(counted(plan(94, 8, 4))), qwen);
  Split bloom(12, {6});
  bloom.front() = {5};
  bloom.back() = {5};
  EXPECT_EQ(split_of(counted(plan(70, 12))), bloom);
}

// In a V the first and the last chunk lie on one stage.
TEST(LayerSplit, AVHoldsBothEndsOnItsFirstStage) {
  Workload w = counted(plan(30, 4, 2));
  w.training.schedule = "zb-v";
  EXPECT_EQ(split_of(w), (Split{{3, 3}, {4, 4}, {4, 4}, {4, 4}}));
  EXPECT_EQ(w.stage_layers(0), 6);
}

TEST(LayerSplit, EndsWithLayersOfTheirOwn) {
  Workload w = plan(61, 16);
  w.parallelism.first_stage_layers = 3;
  w.parallelism.last_stage_layers = 2;
  Split expected(16, {4});
  expected.front() = {3};
  expected.back() = {2};
  EXPECT_EQ(split_of(w), expected);
  EXPECT_EQ(split_of(plan(96, 8, 3)), Split(8, std::vector<int>(3, 4)));
}

// Megatron's layout 'Et*3|(tt|)*5,t|L' on 4 stages with 2 chunks.
TEST(LayerSplit, AListOfAllChunksIsInTheModelsOrder) {
  Workload w = plan(14, 4, 2);
  w.parallelism.stage_layers = {3, 2, 2, 2, 2, 2, 1, 0};
  EXPECT_EQ(split_of(w), (Split{{3, 2}, {2, 2}, {2, 1}, {2, 0}}));
  w.training.schedule = "zb-v";
  EXPECT_EQ(split_of(w), (Split{{3, 0}, {2, 1}, {2, 2}, {2, 2}}));
}

// Megatron refuses these; a chunk in the middle without layers would have nothing to do.
TEST(LayerSplit, WhatDoesNotDivideIsRefused) {
  EXPECT_EQ(layer_problems(plan(126, 16)).size(), 1U);
  EXPECT_EQ(layer_problems(counted(plan(60, 4))).size(), 1U);
  Workload w = plan(48, 12, 2);
  w.parallelism.first_stage_layers = 2;
  w.parallelism.last_stage_layers = 2;
  EXPECT_EQ(layer_problems(w).size(), 1U);
  Workload listed = plan(6, 2, 2);
  listed.parallelism.stage_layers = {3, 0, 1, 2};
  EXPECT_EQ(layer_problems(listed).size(), 1U);
}

}  // namespace
}  // namespace danlu
