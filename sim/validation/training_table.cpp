#include "sim/validation/training_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <regex>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/validation/training_words.hpp"

namespace danlu {
namespace {

constexpr std::array kDevices{
    DeviceRow{"A100-80GB", "A100", "dgx-a100", "a100-80"},
    DeviceRow{"A100-40GB", "A100", "dgx-a100-40", "a100-40"},
    DeviceRow{"A800", "A800", "hgx-a800", "a800"},
    DeviceRow{"H100-80GB", "H100", "dgx-h100", "h100"},
    DeviceRow{"H100 SXM", "H100", "dgx-h100", "h100"},
    DeviceRow{"H200", "H200", "hgx-h200", "h200"},
    DeviceRow{"H800", "H800", "hgx-h800", "h800"},
    DeviceRow{"B200", "B200", "hgx-b200", "b200"},
    DeviceRow{"GB200", "GB200", "gb200-nvl72", "gb200"},
    DeviceRow{"V100-32GB-SXM2", "V100", "dgx1-v100", "v100-32"},
    DeviceRow{"V100-32GB", "V100", "dgx2-v100", "v100-32"},
    DeviceRow{"V100-16GB", "V100", "dgx1-v100", "v100-16"},
};

/// The columns without which nothing can be simulated, in the order of the messages.
constexpr std::array<std::string_view, 15> kNeededColumns{
    "gpu",         "gpus",      "layers",  "hidden", "ffn_hidden", "gated_mlp",
    "heads",       "vocab",     "seq_len", "tp",     "pp",         "global_batch_seqs",
    "micro_batch", "recompute", "dtype"};

bool has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

/// The name of a GPU without remarks: "H100-80GB-SXM (GCP A3)" is "H100-80GB-SXM".
std::string_view bare_name(std::string_view name) {
  name = name.substr(0, name.find(" ("));
  return name;
}

/// Gigabits per second of an InfiniBand generation.
double generation_gbps(const std::string& name) {
  return name == "EDR" ? 100 : name == "HDR" ? 200 : name == "NDR" ? 400 : 800;
}

/// How a run shards its state.
struct Sharding {
  ShardingWords words;
  bool overlaps = false;
};

/// One row as a scenario, or why not: a rule for each column (see the header), in the order of the
/// scenario, and all that is in the way told at once.
class TrainingConverter {
 public:
  TrainingConverter(const CsvTable& table, const CsvRow& row, const LoadOptions& options)
      : table_(table), row_(row), options_(options) {}

  Conversion convert() {
    result_.id = std::string(cell("id"));
    if (result_.id.empty()) {
      result_.id = fmt::format("line {}", row_.line);
    }
    result_.source = std::string(cell("source"));
    constexpr double kGiga = 1e9;
    result_.published_step_s = published();
    result_.published_peak = number("peak_mem_gb") * kGiga;
    check_kind();
    check_needed();
    read_settings();
    if (result_.reasons.empty()) {
      add_cluster();
      add_model();
      add_parallelism();
      add_training();
    }
    if (result_.reasons.empty()) {
      accept();
    }
    return std::move(result_);
  }

 private:
  std::string_view cell(std::string_view column) const { return table_.cell(row_, column); }
  void refuse(std::string reason) { result_.reasons.push_back(std::move(reason)); }
  void line(std::string text) { yaml_ += std::move(text) + "\n"; }

  /// A number of the row, 0 where the cell is empty.
  double number(std::string_view column) const { return parse_number(cell(column)).value_or(0); }
  SequenceWord sequence() const {
    return sequence_word(lower_case(cell("sequence_parallel"))).value_or(SequenceWord::No);
  }
  bool sequence_parallel() const { return sequence() == SequenceWord::Yes; }
  /// A count of the row; `fallback` where the cell is empty.
  int count(std::string_view column, int fallback) const {
    return cell(column).empty() ? fallback : static_cast<int>(number(column));
  }

  double published() {
    for (const char* column : {"step_time_s", "derived_step_time_s"}) {
      if (number(column) > 0) {
        return number(column);
      }
    }
    const double rate = number("tokens_per_s_per_gpu") * number("gpus");
    const double tokens = number("global_batch_seqs") * number("seq_len");
    if (rate > 0 && tokens > 0) {
      return tokens / rate;
    }
    refuse("missing rate");
    return 0;
  }

  /// What danlu has no model for yet, however well the row describes it.
  void check_kind() {
    const std::string model = lower_case(cell("model"));
    if (number("moe_experts") > 1 || number("ep") > 1) {
      refuse("mixture of experts");
    }
    if (model.starts_with("bert") || model.starts_with("t5")) {
      refuse("encoder model");
    }
    if (has(model, "lora")) {
      refuse("LoRA: frozen weights");
    }
    if (has(model, "mamba") || has(model, "nemotron-h")) {
      refuse("state-space layers");
    }
    check_device();
  }

  void check_device() {
    const std::string_view gpu = bare_name(cell("gpu"));
    if (gpu.empty()) {
      return;  // missing, told elsewhere
    }
    if (has(gpu, "/")) {
      refuse(fmt::format("GPU not certain: {}", shown(gpu)));
      return;
    }
    // The remark decides between two boards of the same GPU, so the whole name is looked up.
    device_ = has(gpu, "PCIe") ? nullptr : find_device(cell("gpu"));
    if (device_ == nullptr) {
      refuse(fmt::format("GPU without a preset: {}", shown(gpu)));
      return;
    }
    result_.device = device_->family;
  }

  void check_needed() {
    for (const std::string_view column : kNeededColumns) {
      if (cell(column).empty()) {
        refuse(fmt::format("missing {}", column));
      }
    }
    if (cell("zero_stage_or_sharding").empty() && number("dp") != 1) {
      refuse("missing zero_stage_or_sharding");
    }
  }

  /// Settings that a text describes; a row is told about all that are in its way.
  void read_settings() {
    unfused_ = is_unfused();
    if (!cell("dtype").empty()) {
      precision_ = read_precision();
    }
    if (!cell("recompute").empty()) {
      recompute_ = read_recompute();
    }
    const double replica =
        std::max(1.0, number("tp")) * std::max(1.0, number("pp")) * std::max(1.0, number("cp"));
    const double data = number("dp") > 0 ? number("dp") : std::round(number("gpus") / replica);
    if (!cell("zero_stage_or_sharding").empty() && data * std::max(1.0, number("cp")) != 1) {
      sharding_ = read_sharding();
    }
  }

  // ---- cluster ------------------------------------------------------------------------------

  void add_cluster() {
    const TopologySpec preset = load_topology(std::string(device_->topology), options_).topology;
    const int tray = count("gpus_per_node", preset.gpus_per_node);
    const int node = std::max(tray, nvlink_domain());
    line("cluster:");
    line(fmt::format("  topology: {}", device_->topology));
    line(fmt::format("  gpu: {}", device_->gpu));
    line(fmt::format("  gpus: {}", count("gpus", 1)));
    std::string node_keys;
    if (node != preset.gpus_per_node) {
      node_keys += fmt::format("    gpus: {}\n", node);
      if (preset.scale_up == ScaleUpKind::Mesh) {
        node_keys += mesh_of(node, preset);
      }
    }
    node_keys += network(preset, node, tray);
    if (!node_keys.empty()) {
      line("  node:");
      yaml_ += node_keys;
    }
  }

  /// GPUs in an "NVL72", 0 where the row names no such domain.
  int nvlink_domain() const {
    const std::string text(cell("interconnect_intra"));
    std::smatch found;
    return std::regex_search(text, found, std::regex("NVL([0-9]{1,4})")) ? std::stoi(found[1]) : 0;
  }

  /// Every pair joined by an equal share of the links that a GPU of the preset has.
  std::string mesh_of(int gpus, const TopologySpec& preset) {
    int links = 0;
    for (const MeshLink& link : preset.mesh_links) {
      links += link.first == 0 || link.second == 0 ? link.count : 0;
    }
    if (gpus < 2 || gpus > links + 1) {
      refuse(fmt::format("no mesh known for {} GPUs a node", gpus));
      return "";
    }
    std::string list;
    for (int a = 0; a < gpus; ++a) {
      for (int b = a + 1; b < gpus; ++b) {
        list += fmt::format("{}[{}, {}, {}]", list.empty() ? "" : ", ", a, b, links / (gpus - 1));
      }
    }
    return fmt::format("    scale_up: {{links: [{}]}}\n", list);
  }

  /// `tray` is what the row calls a node; its NICs are counted there.
  static std::string network_keys(int nics, double gbps) {
    return fmt::format("    nics: {{count: {}, bandwidth: {} Gbps}}\n", nics, gbps);
  }
  std::string network(const TopologySpec& preset, int node, int tray) const {
    const NetworkText text = parse_network(cell("interconnect_inter"));
    int nics = std::max(1, preset.nics_per_node * node / preset.gpus_per_node);
    if (text.nics) {
      nics = std::max(1, *text.nics * node / tray);
    } else if (text.nic_per_gpu) {
      nics = node;
    }
    double gbps = preset.nic_bandwidth / 1_Gbps;
    if (text.node_gbps) {
      gbps = *text.node_gbps * node / tray / nics;
    } else if (text.nic_gbps) {
      gbps = *text.nic_gbps;
    }
    const bool same = nics == preset.nics_per_node && gbps == preset.nic_bandwidth / 1_Gbps;
    return same ? "" : network_keys(nics, gbps);
  }

  // ---- model and parallelism ----------------------------------------------------------------

  void add_model() {
    const bool gated = parse_flag(cell("gated_mlp")).value_or(false);
    const int heads = count("heads", 1);
    line("model:");
    for (const auto& [key, column] :
         {std::pair("layers", "layers"), std::pair("hidden", "hidden"),
          std::pair("ffn", "ffn_hidden"), std::pair("vocab", "vocab")}) {
      line(fmt::format("  {}: {}", key, count(column, 1)));
    }
    line(fmt::format("  heads: {}", heads));
    line(fmt::format("  kv_heads: {}", count("kv_heads", heads)));
    line(fmt::format("  gated_mlp: {}", gated));
    line(fmt::format("  tied_embeddings: {}", !gated));
    line(fmt::format("  biases: {}", !gated));
    line(fmt::format("  norm: {}", name_of(gated ? Norm::RmsNorm : Norm::LayerNorm)));
    line(fmt::format("  positions: {}", gated ? 0 : count("seq_len", 1)));
  }

  void add_parallelism() {
    const int gpus = count("gpus", 1);
    const int tensor = count("tp", 1);
    const int stages = count("pp", 1);
    const int context = count("cp", 1);
    const std::int64_t replica = std::int64_t{tensor} * stages * context;
    const std::string degrees = fmt::format("tp ({}) x pp ({}){}", tensor, stages,
                                            context > 1 ? fmt::format(" x cp ({})", context) : "");
    if (gpus % replica != 0) {
      refuse(fmt::format("{} does not divide gpus ({})", degrees, gpus));
      return;
    }
    const auto data = static_cast<int>(gpus / replica);
    if (count("dp", data) != data) {
      refuse(fmt::format("{} x dp ({}) is not gpus ({})", degrees, cell("dp"), gpus));
      return;
    }
    line("parallelism:");
    line(fmt::format("  tensor: {}", tensor));
    line(fmt::format("  pipeline: {}", stages));
    yaml_ += layers_of_parts(stages * count("vpp", 1));
    line(fmt::format("  data: {}", data));
    line(fmt::format("  {}: {}", sequence() == SequenceWord::Ulysses ? "ulysses" : "context",
                     context));
    line(fmt::format("  sequence: {}", sequence_parallel()));
    line(fmt::format("  zero: {}", sharding_.words.zero));
    yaml_ += sharding_keys(data);
    line(fmt::format("  scatter_gather: {}", scatters()));
    line(fmt::format("  overlap: {{data: {}, tensor: {}, pipeline: {}}}", sharding_.overlaps,
                     name_of(overlaps_tensor() ? TensorOverlap::Backward : TensorOverlap::None),
                     overlaps_pipeline()));
  }

  /// See the rule `layers` in the header.
  std::string layers_of_parts(int parts) const {
    const int layers = count("layers", 1);
    if (layers % parts == 0 || parts > layers + 2) {
      return "";  // evenly, or more parts than there is to share, which the reader tells
    }
    std::vector<int> found;
    for (int part = 0; part < parts; ++part) {
      found.push_back((layers + 2) / parts + (part < (layers + 2) % parts ? 1 : 0));
    }
    --found.front();
    --found.back();
    return fmt::format("  stage_layers: [{}]\n", fmt::join(found, ", "));
  }

  /// See the rule `scatter_gather` in the header.
  bool scatters() const {
    const int year = year_of(cell("date"));
    const bool megatron = !has(lower_case(cell("zero_stage_or_sharding")), "deepspeed");
    return year == 2021 && megatron && !sequence_parallel();
  }

  /// See the rule `overlap.pipeline` in the header.
  bool overlaps_pipeline() const {
    const int year = year_of(cell("date"));
    return number("vpp") > 1 && (year == 0 || year >= 2023);
  }

  /// See the rule `overlap.tensor` in the header.
  bool overlaps_tensor() const {
    const int year = year_of(cell("date"));
    return !(year != 0 && year < 2022) &&
           !has(lower_case(cell("zero_stage_or_sharding")), "deepspeed");
  }

  Sharding read_sharding() {
    const std::string text = lower_case(cell("zero_stage_or_sharding"));
    Sharding sharding{sharding_words(text).value_or(ShardingWords{.is_simulated = false})};
    if (!sharding.words.is_simulated) {
      refuse(fmt::format("sharding: {}", shown(text)));
    }
    std::smatch found;
    const std::size_t overlap = text.find("overlap");
    sharding.overlaps = overlap != std::string::npos && !has(text, "no overlap");
    const std::string before = text.substr(0, std::min(overlap, text.size()));
    if (std::regex_search(before, found, std::regex("pp=([0-9]+)"))) {
      sharding.overlaps &= parse_number(found[1].str()).value_or(0) == number("pp");
    }
    sharding.overlaps |= sharding.words.zero >= 2;
    return sharding;
  }

  std::string sharding_keys(int data) const {
    const ShardingWords& said = sharding_.words;
    std::vector<std::string> keys;
    if (said.zero > 0 && said.ranks && *said.ranks < data) {
      keys.push_back(fmt::format("ranks: {}", *said.ranks));
    }
    if (said.zero == 3 && said.is_fsdp) {
      keys.emplace_back("copy: false");
    }
    if (said.zero == 3 && said.keeps_weights) {
      keys.emplace_back("reshard: backward");
    }
    return keys.empty() ? "" : fmt::format("  sharding: {{{}}}\n", fmt::join(keys, ", "));
  }

  // ---- training -----------------------------------------------------------------------------

  void add_training() {
    line("training:");
    line(fmt::format("  global_batch: {}", count("global_batch_seqs", 1)));
    line(fmt::format("  micro_batch: {}", count("micro_batch", 1)));
    line(fmt::format("  sequence_length: {}", count("seq_len", 1)));
    line(fmt::format("  precision: {}", precision_));
    line(fmt::format("  recompute: {}", recompute_));
    line(fmt::format("  attention: {}",
                     name_of(unfused_ ? AttentionKind::Unfused : AttentionKind::Flash)));
    line(fmt::format("  dropout: {}", unfused_));
    line(fmt::format("  loss: {}", loss()));
    line(fmt::format("  schedule: {{kind: 1f1b, chunks: {}}}", count("vpp", 1)));
  }

  /// See the rule `loss` in the header.
  std::string_view loss() const {
    const std::string framework = lower_case(cell("framework"));
    return has(framework, "compile")                               ? "fused"
           : has(framework, "eager") || has(framework, "nanotron") ? "eager"
                                                                   : "in-place";
  }

  std::string_view read_precision() {
    const std::string text = lower_case(cell("dtype"));
    const NumberFormat format = number_format(text).value_or(NumberFormat{});
    if (format.fp4) {
      return name_of(Precision::Fp4);
    }
    if (format.fp8) {
      return name_of(text.find("mxfp8") == std::string::npos ? Precision::Fp8 : Precision::Mxfp8);
    }
    if (format.bf16 && (!format.fp16 || has_bf16())) {
      return name_of(Precision::Bf16);
    }
    if (format.fp16) {
      return name_of(Precision::Fp16);
    }
    if (format.tf32) {
      return name_of(Precision::Tf32);
    }
    refuse(fmt::format("precision: {}", shown(text)));
    return "";
  }

  bool has_bf16() const {
    return device_ != nullptr &&
           load_gpu(std::string(device_->gpu), options_).peak(Precision::Bf16).has_value();
  }

  bool is_unfused() const {
    const std::string text = lower_case(cell("attention_kernel"));
    const int year = year_of(cell("date"));
    return text.empty() ? year != 0 && year < 2023 : unfused_attention(text).value_or(false);
  }

  std::string_view read_recompute() {
    const std::string text = lower_case(cell("recompute"));
    switch (recompute_word(text).value_or(RecomputeWord::Other)) {
      case RecomputeWord::None:
        return name_of(Recompute::None);
      case RecomputeWord::Full:
        return name_of(Recompute::Full);
      case RecomputeWord::Core:
        return name_of(unfused_ ? Recompute::Selective : Recompute::None);
      case RecomputeWord::Other:
        refuse(fmt::format("recompute: {}", shown(text)));
    }
    return "";
  }

  // ---- the scenario -------------------------------------------------------------------------

  /// Lets the scenario's reader judge.
  void accept() {
    try {
      result_.scenario = load_scenario_text(yaml_, result_.id, options_);
    } catch (const InputError& error) {
      refuse(error.problems().front().message);
    }
  }

  const CsvTable& table_;
  const CsvRow& row_;
  const LoadOptions& options_;
  const DeviceRow* device_ = nullptr;
  Sharding sharding_;
  bool unfused_ = false;
  std::string_view precision_, recompute_;
  std::string yaml_;
  Conversion result_;
};

}  // namespace

const DeviceRow* find_device(std::string_view name) {
  const auto* const found =
      std::find_if(kDevices.begin(), kDevices.end(),
                   [&](const DeviceRow& row) { return name.starts_with(row.prefix); });
  return found == kDevices.end() ? nullptr : &*found;
}

NetworkText parse_network(std::string_view text) {
  const std::string whole(text);
  const std::string main = std::regex_replace(whole, std::regex(R"(\([^)]*\))"), "");
  static const std::string rate = R"(([0-9]+(?:\.[0-9]+)?)\s*G(b|B)/s)";
  static const std::regex times_rate(R"(([0-9]{1,4})\s*x\s*(?:[A-Za-z][\w-]*\s+)?)" + rate);
  static const std::regex times_generation(R"(([0-9]{1,4})\s*x\s*(EDR|HDR|NDR|XDR))");
  static const std::regex only_rate(rate);
  static const std::regex generation(R"(\b(EDR|HDR|NDR|XDR))");
  const auto gbps = [](const std::string& number, const std::string& unit) {
    return parse_number(number).value_or(0) * (unit == "B" ? 8 : 1);
  };

  NetworkText result;
  std::smatch found;
  if (std::regex_search(main, found, times_rate)) {
    result.nics = std::stoi(found[1]);
    result.nic_gbps = gbps(found[2], found[3]);
  } else if (std::regex_search(main, found, only_rate)) {
    const std::string after = found.suffix();
    if (has(after, "node") || has(after, "VM")) {
      result.node_gbps = gbps(found[1], found[2]);
    } else {
      result.nic_gbps = gbps(found[1], found[2]);
      result.nic_per_gpu = has(after, "per GPU");
    }
    if (std::regex_search(whole, found, times_generation)) {
      result.nics = std::stoi(found[1]);
    }
  } else if (std::regex_search(main, found, times_generation)) {
    result.nics = std::stoi(found[1]);
    result.nic_gbps = generation_gbps(found[2]);
  } else if (std::regex_search(main, found, generation)) {
    result.nic_gbps = generation_gbps(found[1]);
  }
  if (result.nics == 0) {
    result.nics.reset();
  }
  return result;
}

std::string Conversion::reason() const {
  return fmt::format("{}", fmt::join(reasons, "; "));
}

Conversion convert(const CsvTable& table, const CsvRow& row, const LoadOptions& options) {
  return TrainingConverter(table, row, options).convert();
}

std::span<const std::string_view> needed_training_columns() {
  return kNeededColumns;
}

bool is_complete(const CsvTable& table, const CsvRow& row) {
  if (table.has_column("complete")) {
    return parse_flag(table.cell(row, "complete")).value_or(false);
  }
  return std::none_of(kNeededColumns.begin(), kNeededColumns.end(),
                      [&](std::string_view column) { return table.cell(row, column).empty(); });
}

}  // namespace danlu
