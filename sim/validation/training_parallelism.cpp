// The plan of a row: degrees, who holds which layers, what is sharded and what hides behind what.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <regex>

#include "sim/base/text.hpp"
#include "sim/validation/training_notes.hpp"
#include "sim/validation/training_parts.hpp"
#include "sim/validation/training_words.hpp"

namespace danlu {
namespace {

/// DeepSpeed beside or below another framework, by the row's `framework` or its sharding.
bool is_deepspeed(const TrainingRow& row) {
  return row.says("framework", "deepspeed") || row.says("zero_stage_or_sharding", "deepspeed");
}

SequenceWord sequence_of(const TrainingRow& row) {
  return sequence_word(row.words("sequence_parallel")).value_or(SequenceWord::No);
}

/// See the rule `scatter_gather` in the header.
bool scatters(const TrainingRow& row) {
  if (sequence_of(row) == SequenceWord::Yes) {
    return false;
  }
  const int year = year_of(row.cell("date"));
  const bool may_be_megatron = !row.has("framework") || row.says("framework", "megatron");
  return is_deepspeed(row) || (may_be_megatron && year >= 2020 && year <= 2022);
}

/// See the rule `overlap.pipeline` in the header.
bool overlaps_pipeline(const TrainingRow& row) {
  const std::string date = month_of(row.cell("date"));
  const int year = year_of(date);
  const bool was_option =
      row.says("framework", "megatron-lm") && date.starts_with("2023-") && date < "2023-10";
  return row.number("vpp") > 1 && (year == 0 || year >= 2023) && !was_option;
}

/// torchtitan's enable_async_tensor_parallel.
bool async_tensor(const TrainingRow& row) {
  return notes_say(row, Note::AsyncTensor) || text_says(row.words("framework"), Note::AsyncTensor);
}

/// Whether autograd's own exchanges split the model: PyTorch's DTensors, and unknown frameworks.
bool has_dtensors(const TrainingRow& row) {
  return framework_of(row).starts_with("pytorch");
}

/// See the rule `overlap.tensor` in the header.
TensorOverlap tensor_overlap(const TrainingRow& row) {
  const int year = year_of(row.cell("date"));
  if ((year != 0 && year < 2022) || is_deepspeed(row) || row.says("framework", "paddle") ||
      (has_dtensors(row) && !async_tensor(row)) || notes_say(row, Note::TensorOverlapOff)) {
    return TensorOverlap::None;
  }
  constexpr int kFirstRound = 31;
  const bool full = (row.says("framework", "megatron-bridge") && !row.says("dtype", "fp4") &&
                     !has_experts(row) && sequence_of(row) == SequenceWord::Yes) ||
                    (mlperf_round(row) >= kFirstRound && !row.says("dtype", "fp4")) ||
                    has_dtensors(row) || notes_say(row, Note::TensorOverlap);
  return full ? TensorOverlap::Full : TensorOverlap::Backward;
}

/// See the rule `tensor_inputs` in the header; `again` where the framework decides.
TensorInputs tensor_inputs(const TrainingRow& row) {
  const bool splits = row.count("tp", 1) > 1;
  if (splits && row.says("framework", "kempnerforge")) {
    return TensorInputs::Each;
  }
  const std::string date = month_of(row.cell("date"));
  const bool keeps = row.says("framework", "nanotron") && !date.empty() && date < "2024-08";
  return splits && keeps ? TensorInputs::Kept : TensorInputs::Again;
}

/// See the rule `overlap.data` in the header.
bool overlaps_data(const TrainingRow& row, const ShardingWords& sharding) {
  const std::string text = row.words("zero_stage_or_sharding");
  if (sharding.zero == 2 && row.says("framework", "deepspeed")) {
    return text.find("overlap") != std::string::npos;
  }
  if (sharding.zero >= 2) {
    return true;
  }
  if (text_says(text, Note::OverlapOff) || notes_say(row, Note::OverlapOff)) {
    return false;
  }
  const std::size_t overlap = text.find("overlap");
  if (overlap == std::string::npos) {
    const bool by_default =
        row.says("framework", "megatron-bridge") || row.says("framework", "internevo");
    return (by_default && sharding.zero == 1) || notes_say(row, Note::DataOverlap);
  }
  std::smatch found;
  const std::string before = text.substr(0, overlap);
  return !std::regex_search(before, found, std::regex("pp=([0-9]+)")) ||
         parse_number(found[1].str()).value_or(0) == row.number("pp");
}

/// See the rule `overlap.weights` in the header.
bool overlaps_weights(const TrainingRow& row, const ShardingWords& sharding) {
  const bool by_framework = row.says("framework", "megatron-bridge") ||
                            (row.says("framework", "nemo") && !row.says("framework", "automodel"));
  const bool can = ParallelismSpec::gathers_beside(row.count("pp", 1), row.count("ep", 1));
  return sharding.zero == 1 && can && overlaps_data(row, sharding) &&
         (by_framework || notes_say(row, Note::WeightsOverlap));
}

/// By what they cost, the head too: a part is full with the layer that takes it beyond its share.
/// danlu has the head in the last part, and a part that is left empty takes one layer, which those
/// before it pass on. Empty where there are too few.
std::vector<int> layers_by_cost(const TrainingRow& row, int parts) {
  const double hidden = row.number("hidden");
  const double layer = (4 * hidden + 3 * row.number("ffn_hidden")) * hidden;
  const int layers = row.count("layers", 1);
  const double share = (layer * layers + row.number("vocab") * hidden) / parts;
  std::vector<int> found(static_cast<std::size_t>(parts));
  std::size_t part = 0;
  for (int i = 1; i <= layers; ++i) {
    ++found[part];
    if (layer * i > share * static_cast<double>(part + 1)) {
      part = std::min(part + 1, found.size() - 1);
    }
  }
  for (auto at = found.end() - 1; at-- != found.begin();) {
    if (*at == 0) {
      const auto giver = std::find_if(std::make_reverse_iterator(at), found.rend(),
                                      [](int held) { return held > 1; });
      if (giver == found.rend()) {
        return {};
      }
      --*giver;
      ++*at;
    }
  }
  return found;
}

/// See the rule `layers` in the header. Empty: evenly, or more parts than there is to share, which
/// the reader tells.
std::vector<int> layers_of_parts(const TrainingRow& row, int parts) {
  const int layers = row.count("layers", 1);
  if (row.says("framework", "nanotron") && parts > 1 && parts == row.count("pp", 1)) {
    if (std::vector<int> by_cost = layers_by_cost(row, parts); !by_cost.empty()) {
      return by_cost;
    }
  }
  if (layers % parts == 0 || parts > layers + 2) {
    return {};
  }
  std::vector<int> found;
  const ModelPreset* preset = has_experts(row) ? named_model(row) : nullptr;
  const bool latent = preset != nullptr && preset->traits.latent.kv_rank > 0;
  if (latent && framework_of(row) == "nemo") {
    found.assign(static_cast<std::size_t>(parts), (layers + 3) / parts);
    found.front() -= 1;
    found.back() -= 2;
    return found;
  }
  if (latent) {
    const int whole = (layers + parts - 1) / parts;
    for (int left = layers; static_cast<int>(found.size()) < parts; left -= found.back()) {
      found.push_back(std::min(whole, left));
    }
    return found;
  }
  for (int part = 0; part < parts; ++part) {
    found.push_back((layers + 2) / parts + (part < (layers + 2) % parts ? 1 : 0));
  }
  --found.front();
  --found.back();
  return found;
}

/// torchtitan's, on top of FSDP's: its apply_fsdp and what importing its files takes over
/// (sim/import/torchtitan.cpp).
void add_titan_keys(const TrainingRow& row, std::vector<std::string>& keys) {
  keys.emplace_back("units: [embedding, layer, head]");
  if (row.count("pp", 1) > 1) {
    keys.emplace_back("reshard: step");
    keys.emplace_back("reduce: step");
  }
  const std::string dtype = row.words("dtype");
  const NumberFormat format = number_format(dtype).value_or(NumberFormat{});
  const bool usual = format.fp8 && dtype.find("mx") == std::string::npos &&
                     dtype.find("rowwise") == std::string::npos &&
                     !notes_say(row, Note::UsualGather);
  if (usual || notes_say(row, Note::NarrowGather)) {
    keys.emplace_back("gather_width: 8bit");
  }
}

std::string sharding_keys(const TrainingRow& row, const ShardingWords& said, int data) {
  std::vector<std::string> keys;
  const int node = said.within_node ? row.count("gpus_per_node", data) / row.count("tp", 1) : data;
  if (const int ranks = said.ranks.value_or(node); said.zero > 0 && ranks > 0 && ranks < data) {
    keys.push_back(fmt::format("ranks: {}", ranks));
  }
  if (said.zero == 3 && said.is_fsdp) {
    keys.emplace_back("copy: false");
  }
  const bool pure = notes_say(row, Note::PureFsdp);
  if (said.zero == 3 && (row.says("framework", "fms-fsdp") || pure)) {
    keys.emplace_back("reduce_width: 16bit");
  }
  if (said.zero == 3 && notes_say(row, Note::WideGather)) {
    keys.emplace_back("gather_width: fp32");
  }
  if (said.zero == 3 && row.says("framework", "automodel") && has_experts(row)) {
    keys.insert(keys.end(), {"reshard: step", "reduce: step", "reduce_width: fp32"});
  } else if (said.zero >= 2 && notes_say(row, Note::ReducedOnce)) {
    keys.emplace_back("reduce: step");
    if (notes_say(row, Note::ReducedOnceWide)) {
      keys.emplace_back("reduce_width: fp32");
    }
  }
  if (said.zero == 3 && said.is_fsdp && row.says("framework", "torchtitan")) {
    add_titan_keys(row, keys);
  } else if (said.zero == 3 && said.keeps_weights) {
    keys.emplace_back("reshard: backward");
  }
  return keys.empty() ? "" : fmt::format("  sharding: {{{}}}\n", fmt::join(keys, ", "));
}

/// Of experts. Without the column `etp` they are not split: see the rule in the header.
void add_experts(const TrainingRow& row, RowSection& section) {
  section.line(fmt::format("  expert: {}", row.count("ep", 1)));
  section.line(fmt::format("  expert_tensor: {}", row.count("etp", 1)));
  if (row.count("ep", 1) == 1) {
    return;
  }
  section.line(
      fmt::format("  expert_exchange: {}",
                  name_of(sends_by_node(row) ? TokenExchange::DeepEp : TokenExchange::AllToAll)));
  if (!row.has("moe_dispatcher")) {
    section.remarks.emplace_back("dispatcher of experts not stated: NCCL's all-to-all");
  }
}

/// Ranks of the data axis; none where the degrees contradict the GPUs.
std::optional<int> data_ranks(const TrainingRow& row, RowSection& section) {
  const int gpus = row.count("gpus", 1);
  const int context = row.count("cp", 1);
  const std::int64_t replica = std::int64_t{row.count("tp", 1)} * row.count("pp", 1) * context;
  const std::string degrees =
      fmt::format("tp ({}) x pp ({}){}", row.count("tp", 1), row.count("pp", 1),
                  context > 1 ? fmt::format(" x cp ({})", context) : "");
  if (gpus % replica != 0) {
    section.refuse(fmt::format("{} does not divide gpus ({})", degrees, gpus));
    return std::nullopt;
  }
  const auto data = static_cast<int>(gpus / replica);
  if (row.count("dp", data) != data) {
    section.refuse(fmt::format("{} x dp ({}) is not gpus ({})", degrees, row.cell("dp"), gpus));
    return std::nullopt;
  }
  return data;
}

ShardingWords sharding_of(const TrainingRow& row, int data, RowSection& section) {
  const std::string text = row.words("zero_stage_or_sharding");
  if (text.empty() || data * row.count("cp", 1) == 1) {
    return {};
  }
  const ShardingWords said = sharding_words(text).value_or(ShardingWords{.is_simulated = false});
  if (!said.is_simulated) {
    section.refuse(fmt::format("sharding: {}", shown(text)));
  }
  return said;
}

}  // namespace

bool sends_by_node(const TrainingRow& row) {
  const bool is_unused =  // see the rule `moe_dispatcher` in the header
      row.says("framework", "megatron-bridge") && row.words("model").starts_with("qwen3");
  return row.says("moe_dispatcher", "hybridep") ||
         (row.says("moe_dispatcher", "deepep") && !is_unused);
}

RowSection parallelism_section(const TrainingRow& row) {
  RowSection section;
  if (!row.has("gpus") || !row.has("tp") || !row.has("pp")) {
    return section;  // missing, told elsewhere
  }
  const std::optional<int> data = data_ranks(row, section);
  const ShardingWords sharding = sharding_of(row, data.value_or(2), section);
  if (!has_experts(row) && row.count("ep", 1) > 1) {
    section.refuse("expert parallelism of a model without experts");
  }
  if (!data || !section.reasons.empty()) {
    return section;
  }
  const int stages = row.count("pp", 1);
  const SequenceWord sequence = sequence_of(row);
  section.line("parallelism:");
  section.line(fmt::format("  tensor: {}", row.count("tp", 1)));
  section.line(fmt::format("  pipeline: {}", stages));
  const std::vector<int> layers = layers_of_parts(row, stages * row.count("vpp", 1));
  if (!layers.empty()) {
    section.line(fmt::format("  stage_layers: [{}]", fmt::join(layers, ", ")));
  }
  section.line(fmt::format("  data: {}", *data));
  const bool heads = sequence == SequenceWord::Ulysses || row.says("attention_kernel", "cp a2a");
  section.line(fmt::format("  {}: {}", heads ? "ulysses" : "context", row.count("cp", 1)));
  if (row.count("cp", 1) > 1 && row.says("framework", "torchtitan")) {
    section.line("  context_exchange: gather-ring");  // of context_parallel_rotate_method allgather
    section.line("  context_heads: query");           // repeat_kv of its models/llama/model.py
  }
  section.line(fmt::format("  sequence: {}", sequence == SequenceWord::Yes));
  if (const TensorInputs inputs = tensor_inputs(row); inputs != TensorInputs::Again) {
    section.line(fmt::format("  tensor_inputs: {}", name_of(inputs)));
  }
  if (row.says("framework", "kempnerforge") && sequence == SequenceWord::Yes) {
    section.line("  logits: whole");
  }
  section.line(fmt::format("  zero: {}", sharding.zero));
  const std::string keys = sharding_keys(row, sharding, *data);
  if (keys.find("gather_width: 8bit") != std::string::npos && !notes_say(row, Note::NarrowGather)) {
    section.remarks.emplace_back("gathers of fp8's weights not stated: 8 bits, torchtitan's way");
  }
  section.yaml += keys;
  if (has_experts(row)) {
    add_experts(row, section);
  }
  if (const int offloaded = row.count("cpu_offload_layers", 0); offloaded > 0) {
    section.line(fmt::format("  offload: {{activation_layers: {}}}", offloaded));
  } else if (!row.has("cpu_offload_layers") && notes_say(row, Note::ActivationsOffloaded)) {
    if (row.words("recompute").starts_with("full")) {
      section.remarks.emplace_back("inputs of layers that go to the host: not counted");
    } else {
      section.refuse("activations go to the host, how many not stated");
    }
  }
  section.line(fmt::format("  scatter_gather: {}", scatters(row)));
  section.line(
      fmt::format("  overlap: {{data: {}, tensor: {}, pipeline: {}{}{}}}",
                  overlaps_data(row, sharding), name_of(tensor_overlap(row)),
                  overlaps_pipeline(row), overlaps_weights(row, sharding) ? ", weights: true" : "",
                  parse_flag(row.cell("moe_a2a_overlap")).value_or(false) ? ", pair: true" : ""));
  return section;
}

}  // namespace danlu
