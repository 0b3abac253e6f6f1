// Published training runs become scenarios, by rules that look at columns and never at who
// published the row. What a row leaves open is filled in by these rules:
//
//   gpu                 the device table below, by the start of the name; PCIe cards and names that
//                       leave open which GPU it was are not simulated
//   interconnect_intra  "NVL72" is a scale-up domain of 72 GPUs; otherwise gpus_per_node is. A mesh
//                       board of fewer GPUs than the preset's joins each pair by an equal share of
//                       a GPU's links
//   interconnect_inter  parse_network() below; where it says nothing, the preset's NICs, in
//                       proportion to the GPUs of the node
//   gated_mlp           1: LLaMA family (RMSNorm, rotary, no biases, an output head of its own)
//                       0: GPT family (LayerNorm, learned positions, biases, tied embeddings)
//   attention_kernel    "unfused", "naive" or "no Flash...": unfused; Flash, cuDNN,
//                       TransformerEngine: flash; nothing: flash from 2023 on, else unfused
//   dropout             with unfused attention (Megatron's default of 0.1 in those years)
//   recompute           "selective" and "selective(core_attn)" are the attention core; where that
//                       is fused, nothing is left to recompute. Other selections: not simulated
//   dtype               fp8 in any spelling: fp8; bf16; fp16 and plain amp: fp16; nothing else.
//                       Where the text offers both 16-bit formats, bf16 if the GPU has it
//   gradients           16 bit with fp16, fp32 otherwise (Megatron's defaults)
//   sharding            none, ZeRO-0, DP: none; ZeRO-1 or distributed optimizer: 1; ZeRO-2: 2;
//                       ZeRO-3 and FSDP: 3, FSDP without a 16-bit copy, SHARD_GRAD_OP with weights
//                       kept until backward; "within n", "group n": over n ranks. With dp = 1
//                       nothing is sharded whatever is said
//   layers              evenly over pp x vpp parts. Where these do not divide them, embedding and
//                       head count as layers and all are shared as evenly as can be, the first
//                       parts with one more
//                       (BigScience's type:transformer|embedding; Megatron-LM's
//                       account_for_embedding_in_pipeline_split; nanotron's blocks)
//   cp                  by Ulysses where sequence_parallel says so, else a ring (Megatron-LM's
//                       default, p2p); dp counts replicas of whole sequences
//   overlap.data        where the sharding text says overlap and not "no overlap"; a "PP=n" before
//                       it limits that to runs with n stages; with ZeRO-2, -3 and FSDP always
//   overlap.tensor      none for runs of 2021 and earlier (the option that overlaps the sum of
//                       gradients with the weight gradient came to Megatron-LM in September 2021,
//                       commit 16c90445e7) and under DeepSpeed, which switches it off
//                       (Megatron-DeepSpeed issue 447); else backward
//   overlap.pipeline    with virtual stages (vpp > 1) from 2023 on; before, and in plain 1F1B,
//                       Megatron's stages wait until they have sent
//   scatter_gather      Megatron runs of 2021 without sequence parallelism (Narayanan et al. 2021,
//                       section 4.1)
//   loss                fused where framework says compile; eager where it says eager, and of
//                       nanotron, whose kernels are; else in place (Megatron-LM's)
//   everything else     the scenario's defaults
//
// The published time is step_time_s, else derived_step_time_s, else tokens of a step over tokens
// per second.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"

namespace danlu {

/// A GPU as tables name it, and the presets that stand for it.
struct DeviceRow {
  std::string_view prefix;  // of the name
  std::string_view family;  // results are summed up by this
  std::string_view topology;
  std::string_view gpu;
};
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

/// One row as a scenario, or why not.
struct Conversion {
  std::string id;
  std::string source;
  std::string device;
  std::optional<Scenario> scenario;
  std::vector<std::string> reasons;  // all of them; empty with a scenario
  double published_step_s = 0;       // 0 if the row has none
  double published_peak = 0;         // bytes of the fullest GPU, of peak_mem_gb; likewise

  std::string reason() const;  // joined
};
/// Of a table that check_cells() found nothing wrong in.
Conversion convert(const CsvTable& table, const CsvRow& row, const LoadOptions& options);

/// What its columns may hold.
std::span<const ColumnRule> training_columns();

/// The columns without which no row can be simulated.
std::span<const std::string_view> needed_training_columns();

/// Whether the row states everything: its column `complete`, or else no missing column.
bool is_complete(const CsvTable& table, const CsvRow& row);

}  // namespace danlu
