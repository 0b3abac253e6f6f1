// The sections of a scenario that a row of training runs becomes. The rules stand at the head of
// training_table.hpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/training_row.hpp"
#include "sim/workload/model_presets.hpp"

namespace danlu {

/// A GPU as tables name it, and the presets that stand for it.
struct DeviceRow {
  std::string_view prefix;  // of the name
  std::string_view family;  // results are summed up by this
  std::string_view topology;
  std::string_view gpu;
  int domain = 0;  // GPUs that NVLink joins, whatever a row calls a node; 0: those of a node
};
std::span<const DeviceRow> known_devices();
/// The first row whose prefix the name starts with, or nullptr.
const DeviceRow* find_device(std::string_view name);

/// What a text says about the network between nodes.
struct NetworkText {
  std::optional<int> nics;          // of a node
  std::optional<double> nic_gbps;   // of one NIC
  std::optional<double> node_gbps;  // of all NICs of a node
  bool nic_per_gpu = false;
};
/// Reads "8x HDR 200Gb/s", "1600 Gb/s/node RoCE", "800 Gb/s per node (4x HDR200)", "400Gb/s IB".
NetworkText parse_network(std::string_view text);

/// The device of a row; nullptr for one that is not simulated, with the reason why.
const DeviceRow* device_of(const TrainingRow& row, std::vector<std::string>& reasons);
/// GPUs that a row calls a node, or those of a scale-up domain that the run uses.
int gpus_of_node(const TrainingRow& row, int fallback);

RowSection cluster_section(const TrainingRow& row, const DeviceRow& device,
                           const LoadOptions& options);

/// The published model that a row names: the preset whose name its `model` begins with, in any
/// spelling ("DeepSeek-V3 671B"); nullptr where there is none.
const ModelPreset* named_model(const TrainingRow& row);
bool has_experts(const TrainingRow& row);
/// Layers for multi-token prediction beside those of the row.
int prediction_layers(const TrainingRow& row);
RowSection model_section(const TrainingRow& row);

/// Whether experts get one copy of a token for each node and rank (DeepEP, HybridEP).
bool sends_by_node(const TrainingRow& row);
RowSection parallelism_section(const TrainingRow& row);

/// What tables call a framework, and danlu's name of its ways; "" for those of XLA.
struct FrameworkWord {
  std::string_view word, name;
};
std::span<const FrameworkWord> framework_words();

/// Whether adapters are trained: the model's name or the notes have LoRA.
bool has_adapters(const TrainingRow& row);
bool is_unfused(const TrainingRow& row);
/// The round of MLPerf Training by whose rules and with whose code the row trained a whole model,
/// by the results that it is of: 51 for v5.1; 0 for others, and where adapters are trained.
int mlperf_round(const TrainingRow& row);
/// See the rule `framework` in the header; "" for those of XLA.
std::string_view framework_of(const TrainingRow& row);
/// `device` may be nullptr, as with a reason of its own.
RowSection training_section(const TrainingRow& row, const DeviceRow* device,
                            const LoadOptions& options);

}  // namespace danlu
