// What the converter makes of words that leave something open.
#include "sim/validation/training_words.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/support.hpp"
#include "tests/support/training_rows.hpp"

namespace danlu {
namespace {

using testing::Cells;
using testing::convert_cells;
using testing::scenario_of;
using testing::with;
using testing::workload_of;

TEST(TrainingRow, NemoInMlperfHasThatBenchmarksSettings) {
  const Cells row{{"source", "mlcommons/training_results_v5.1@441d65f444"},
                  {"framework", "nemo"},
                  {"gpu", "GB200"},
                  {"gpus_per_node", "4"},
                  {"dtype", "fp8"},
                  {"tp", "2"},
                  {"model", "Llama-3.1 405B"}};
  const auto workload = [&](const Cells& more) { return workload_of(with(row, more)); };
  EXPECT_EQ(workload({}).host.graphs, CudaGraphs::Full);
  EXPECT_EQ(workload({{"cuda_graph", "none"}}).host.graphs, CudaGraphs::None);
  EXPECT_EQ(workload({{"gpu", "H200"}}).host.graphs, CudaGraphs::None);
  EXPECT_EQ(workload({{"source", "NVIDIA/NeMo"}}).host.graphs, CudaGraphs::None);
  EXPECT_EQ(workload({{"source", "mlcommons/training_results_v4.1"}}).host.graphs,
            CudaGraphs::None);
  EXPECT_NE(workload({}).training.fp8_recipe, Fp8Recipe::Tensorwise);
  EXPECT_EQ(workload({{"model", "Llama-3.1 8B"}}).training.fp8_recipe, Fp8Recipe::Tensorwise);
  const auto overlap = [&](const Cells& more) {
    return workload_of(with(row, more)).parallelism.overlap_tensor;
  };
  EXPECT_EQ(overlap({}), TensorOverlap::Full);
  EXPECT_EQ(overlap({{"dtype", "nvfp4"}}), TensorOverlap::Backward);
  EXPECT_EQ(overlap({{"notes", "TP_COMM_OVERLAP False"}}), TensorOverlap::None);
}

// Nothing is simulated that says too little of what decides its time.
TEST(TrainingRow, WhatIsLeftOpenByNobodysMeasureIsRefused) {
  const auto reason = [](const Cells& cells) { return convert_cells(cells).reason(); };
  EXPECT_EQ(reason({{"gpu", "B200 (power limited)"}}), "the GPUs' limit of power not stated");
  EXPECT_EQ(reason({{"gpu", "H100-80GB"}, {"notes", "power limited, to 500 W power"}}), "");
  EXPECT_EQ(reason({{"notes", "activations offloaded to host memory"}}),
            "activations go to the host, how many not stated");
  EXPECT_EQ(reason({{"notes", "activations offloaded"}, {"cpu_offload_layers", "2"}}), "");
  EXPECT_EQ(reason({{"notes", "activations offloaded"}, {"recompute", "full"}}), "");
  EXPECT_EQ(reason({{"framework", "fms-fsdp"}, {"recompute", "selective"}}),
            "recompute: selective, of what not stated");
  EXPECT_EQ(reason({{"framework", "megatron-core"}, {"recompute", "selective"}}), "");
  EXPECT_EQ(reason({{"framework", "pytorch"}, {"notes", "LoRA"}}),
            "LoRA: rank and targets not stated");
}

TEST(TrainingRow, RacksAndNodesAreJoinedAsTheyAre) {
  const auto node = [](const Cells& more) {
    const Cells row{
        {"gpu", "GB200"}, {"gpus", "144"}, {"gpus_per_node", "4"}, {"global_batch_seqs", "144"}};
    return scenario_of(convert_cells(with(row, more))).cluster.topology.gpus_per_node;
  };
  EXPECT_EQ(node({}), 72);
  EXPECT_EQ(node({{"interconnect_intra", "NVLink domain of 72"}}), 72);
  EXPECT_EQ(node({{"interconnect_intra", "NVL36"}}), 36);
  const auto ranks = [](const std::string& sharding) {
    return workload_of({{"gpus", "32"}, {"zero_stage_or_sharding", sharding}})
        .parallelism.sharding.ranks;
  };
  EXPECT_EQ(ranks("HSDP"), 8);
  EXPECT_EQ(ranks("FSDP, sharded inside the node"), 8);
  EXPECT_EQ(ranks("HSDP 16"), 16);
  const auto targets = [](const std::string& notes) {
    return workload_of({{"framework", "nemo automodel"}, {"notes", notes}})
        .training.lora.targets.size();
  };
  EXPECT_EQ(targets("LoRA on every *_proj, rank 16"), 7U);
  EXPECT_EQ(targets("LoRA r=16 on all linear layers"), 7U);
}

TEST(TrainingRow, DatesAreReadAsFarAsTheySayIt) {
  EXPECT_EQ(month_of("2023-07..11"), "2023-07");
  EXPECT_EQ(month_of("2024-03-18"), "2024-03");
  EXPECT_EQ(month_of("26.04 NeMo Container"), "2026-04");
  EXPECT_EQ(month_of("2023-24"), "2024");
  EXPECT_EQ(month_of("2022"), "2022");
  EXPECT_EQ(month_of("soon"), "");
}

TEST(TrainingRow, FrameworksAreFoundInTheirNames) {
  const auto framework = [](const std::string& name) {
    return workload_of({{"framework", name}}).training.framework;
  };
  EXPECT_EQ(framework("NeMo-AutoModel"), "pytorch");
  EXPECT_EQ(framework("NVIDIA NeMo"), "nemo");
  EXPECT_EQ(framework("Pai-Megatron-Patch"), "megatron-core");
  EXPECT_EQ(framework("thunder (PyTorch, compiled)"), "pytorch-compiled");
}

}  // namespace
}  // namespace danlu
