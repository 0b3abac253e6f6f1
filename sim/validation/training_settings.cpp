// The training settings of a row: batches, formats, what is computed again, what is trained.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

#include "sim/base/text.hpp"
#include "sim/scenario/frameworks.hpp"
#include "sim/validation/training_parts.hpp"
#include "sim/validation/training_words.hpp"

namespace danlu {
namespace {

/// What tables call a framework, and danlu's name of its ways.
struct FrameworkWord {
  std::string_view word, name;
};
constexpr std::array kFrameworkWords{FrameworkWord{"megatron-deepspeed", "megatron-deepspeed"},
                                     FrameworkWord{"megatron-bridge", "megatron-bridge"},
                                     FrameworkWord{"nemo automodel", "pytorch"},
                                     FrameworkWord{"nemo", "nemo"},
                                     FrameworkWord{"torchtitan", "pytorch"},
                                     FrameworkWord{"fms-fsdp", "pytorch-fsdp1"},
                                     FrameworkWord{"kempnerforge", "pytorch"},
                                     FrameworkWord{"transformers", "huggingface"},
                                     FrameworkWord{"hugging", "huggingface"},
                                     FrameworkWord{"megatron", "megatron-core"},
                                     FrameworkWord{"xtuner", "megatron-core"},
                                     FrameworkWord{"llm-foundry", "llm-foundry"},
                                     FrameworkWord{"internevo", "internevo"},
                                     FrameworkWord{"paddle", "paddle"},
                                     FrameworkWord{"nanotron", "nanotron"},
                                     FrameworkWord{"pytorch-compile", "pytorch-compiled"},
                                     FrameworkWord{"pytorch", "pytorch"},
                                     FrameworkWord{"deepspeed", "huggingface"},
                                     FrameworkWord{"maxtext", ""},
                                     FrameworkWord{"alpa", ""},
                                     FrameworkWord{"jax", ""}};

const FrameworkWord* find_word(const TrainingRow& row) {
  const std::string text = row.words("framework");
  const auto* const found =
      std::find_if(kFrameworkWords.begin(), kFrameworkWords.end(),
                   [&](const FrameworkWord& known) { return text.starts_with(known.word); });
  return found == kFrameworkWords.end() ? nullptr : found;
}

/// Whether it names a framework that no profile is of.
bool is_unknown(const TrainingRow& row) {
  return row.has("framework") && find_word(row) == nullptr;
}

bool has_bf16(const DeviceRow* device, const LoadOptions& options) {
  return device != nullptr &&
         load_gpu(std::string(device->gpu), options).peak(Precision::Bf16).has_value();
}

/// See the rule `dtype` in the header.
std::optional<Precision> precision_of(const NumberFormat& format, std::string_view text,
                                      bool knows_bf16) {
  if (format.fp4) {
    return Precision::Fp4;
  }
  if (format.fp8) {
    const bool blocks = text.find("mxfp8") != std::string_view::npos ||
                        text.find("fp8-mx") != std::string_view::npos;
    return blocks ? Precision::Mxfp8 : Precision::Fp8;
  }
  if (format.bf16 && (!format.fp16 || knows_bf16)) {
    return Precision::Bf16;
  }
  if (format.fp16) {
    return Precision::Fp16;
  }
  return format.tf32 ? std::optional(Precision::Tf32) : std::nullopt;
}

void add_precision(const TrainingRow& row, bool knows_bf16, RowSection& section) {
  const std::string text = row.words("dtype");
  if (text.empty()) {
    return;  // missing, told elsewhere
  }
  const std::optional<Precision> precision =
      precision_of(number_format(text).value_or(NumberFormat{}), text, knows_bf16);
  if (!precision) {
    section.refuse(fmt::format("precision: {}", shown(text)));
    return;
  }
  section.line(fmt::format("  precision: {}", name_of(*precision)));
  const bool bridge = row.says("framework", "megatron-bridge");
  const bool says_narrow = row.says("notes", "pure bf16") || row.says("notes", "gradients in bf16");
  const bool amp = text.find("amp") != std::string::npos;  // parameters and their gradients in fp32
  if (bridge || says_narrow || (is_unknown(row) && precision == Precision::Bf16 && !amp)) {
    section.line("  gradients: 16bit");
  }
  const bool by_tensor =
      bridge || row.says("framework", "torchtitan") || text.find("tensorwise") != std::string::npos;
  if (by_tensor && precision == Precision::Fp8) {
    section.line(fmt::format("  fp8_recipe: {}", name_of(Fp8Recipe::Tensorwise)));
  }
  if (precision == Precision::Fp8 && !by_tensor && row.says("framework", "nemo")) {
    const bool early = !row.cell("date").empty() && row.cell("date") < "2024-06";
    const bool of_tensor = early || row.says("notes", "tp_only_amax_red");
    section.line(row.says("model", "lora") ? "  fp8_amax: own"
                 : of_tensor               ? "  fp8_amax: tensor"
                                           : "  fp8_amax: all");
  }
  if (text.find("rowwise") != std::string::npos) {
    section.remarks.emplace_back("fp8 scaled by rows: as by tensor");
  }
  const bool eight_bits = precision == Precision::Fp8 || precision == Precision::Mxfp8;
  if (eight_bits && !row.says("zero_stage_or_sharding", "fsdp") &&
      (bridge || text.find("fp8 params") != std::string::npos)) {
    section.line("  narrow_weights: only");
  }
}

/// See the rule `recompute` in the header.
void add_recompute(const TrainingRow& row, RowSection& section) {
  const std::string text = row.words("recompute");
  if (text.empty()) {
    return;  // missing, told elsewhere
  }
  RecomputeWords said = recompute_words(text).value_or(RecomputeWords{.is_simulated = false});
  if (!said.is_simulated) {
    section.refuse(fmt::format("recompute: {}", shown(text)));
    return;
  }
  if (text == "selective" && row.says("framework", "torchtitan")) {
    said.kind = Recompute::Alternate;
    section.remarks.emplace_back(
        "recompute: by operator, as torchtitan's training configs have it");
  }
  if (said.share < 1) {
    const int chunks = row.count("pp", 1) * row.count("vpp", 1);
    section.line(fmt::format("  recompute_layers: {}",
                             std::lround(said.share * row.count("layers", 1) / chunks)));
  }
  const bool core = said.parts.empty() || said.parts == std::vector{RecomputePart::CoreAttention};
  if (said.kind != Recompute::Selective || (core && is_unfused(row))) {
    section.line(fmt::format("  recompute: {}", name_of(said.kind)));
  } else if (said.parts.empty()) {
    section.line(fmt::format("  recompute: {}", name_of(Recompute::None)));
  } else {
    std::vector<std::string_view> names;
    for (const RecomputePart part : said.parts) {
      names.push_back(name_of(part));
    }
    section.line(fmt::format("  recompute: [{}]", fmt::join(names, ", ")));
  }
}

/// Whether checkpoints are reentrant, where the notes say which.
std::optional<bool> reentrant_checkpoints(const TrainingRow& row) {
  const std::string notes = row.words("notes");
  std::smatch found;
  if (!std::regex_search(notes, found, std::regex("(non-)?reentrant checkpoints"))) {
    return std::nullopt;
  }
  return !found[1].matched;
}

/// See the rule `recompute` on stopping early in the header.
bool stops_early(const TrainingRow& row) {
  const RecomputeWords said = recompute_words(row.words("recompute")).value_or(RecomputeWords{});
  if (said.kind != Recompute::None && framework_of(row).empty()) {
    return true;
  }
  if (said.kind != Recompute::Full) {
    return false;
  }
  const std::string date(row.cell("date"));
  return (row.says("framework", "llm-foundry") && row.says("dtype", "amp")) ||
         row.says("framework", "fms-fsdp") || row.says("framework", "automodel") ||
         row.says("framework", "kempnerforge") ||
         (reentrant_checkpoints(row) == std::optional(false) && date >= "2023-10") ||
         (row.says("framework", "torchtitan") && !date.empty() && date < "2025-09");
}

/// See the rule `compile` in the header.
bool is_compiled(const TrainingRow& row) {
  static const std::regex not_so("(no|not|without|w/o) (torch[. ])?compil|uncompiled");
  for (const char* column : {"framework", "notes"}) {
    const std::string text = row.words(column);
    if (std::regex_search(text, not_so)) {
      return false;
    }
    if (text.find("compile") != std::string::npos) {
      return true;
    }
  }
  return row.says("framework", "fms-fsdp");
}

/// What a profile has for a key; empty for nothing.
std::string profile_value(std::string_view framework, std::string_view key) {
  const Framework* found = find_framework(framework);
  std::string value;
  for (const FrameworkValue& row :
       found != nullptr ? found->values : std::vector<FrameworkValue>{}) {
    value = row.key == key ? std::string(row.value) : value;
  }
  return value;
}
/// What it does in passes of its own: the list of its profile.
std::string unfused_by(std::string_view framework) {
  return profile_value(framework, "training.unfused");
}
std::string without(std::string_view part, std::string list) {
  const std::string word = fmt::format("\\b{}\\b", part);  // not of partial_positions
  return std::regex_replace(list, std::regex(fmt::format("{0}, |, {0}|{0}", word)), "");
}
std::string with(std::string_view part, const std::string& list) {
  const std::string others = without(part, list);
  return others.empty() || others == "[]" ? fmt::format("[{}]", part)
                                          : fmt::format("[{}, {}", part, others.substr(1));
}

/// Parts that notes call fused, whatever the framework does.
struct FusedPart {
  std::string_view note, part;
};
constexpr std::array kFusedParts{FusedPart{"fused norm and rotary", "norm"},
                                 FusedPart{"fused norm and rotary", "positions"},
                                 FusedPart{"no rotary", "positions"},
                                 FusedPart{"fused rotary", "positions"},
                                 FusedPart{"fused rmsnorm, swiglu, rotary", "positions"},
                                 FusedPart{"fused rmsnorm, swiglu, rotary", "activation"},
                                 FusedPart{"fused dropout, residual and layernorm", "residual"},
                                 FusedPart{"fused bias and gelu", "activation"}};

bool has_no_fused_loss(const TrainingRow& row) {
  return row.says("notes", "no fused loss");
}

/// The list of the framework's profile, changed as the row says; empty if it is that.
std::string unfused_of(const TrainingRow& row) {
  const std::string profile = unfused_by(framework_of(row));
  std::string list = profile;
  for (const FusedPart& fused : kFusedParts) {
    list = row.says("notes", fused.note) ? without(fused.part, list) : list;
  }
  if (row.says("framework", "automodel") && row.says("attention_kernel", "transformerengine")) {
    list = without("positions", list);
  }
  if (row.says("notes", "rotary positions of single operators")) {
    list = with("positions", list);
  }
  if (row.says("notes", "rmsnorm of single operators") ||
      (row.says("notes", "fused rms norm only on 80gb") && row.says("gpu", "40gb"))) {
    list = with("norm", list);
  }
  if (has_no_fused_loss(row)) {
    list = with("loss", list);
  }
  return list == profile ? "" : list;
}

/// See the rule `cuda_graph` in the header.
std::string_view graphs_of(const TrainingRow& row) {
  const std::string text = row.words("cuda_graph");
  if (text.starts_with("full")) {
    return name_of(CudaGraphs::Full);
  }
  if (text.starts_with("layers")) {
    return name_of(CudaGraphs::Layers);
  }
  if (!text.starts_with("transformer_engine")) {
    return "";
  }
  const bool whole =
      text.find(':') == std::string::npos || text.find("layers") != std::string::npos;
  if (whole || text.find("attn") != std::string::npos) {
    return name_of(CudaGraphs::Layers);
  }
  return text.find("moe_router") != std::string::npos ? name_of(CudaGraphs::Routers) : "";
}

/// See the rules `cuda_graph` and `host.launch_again` in the header.
void add_host(const TrainingRow& row, RowSection& section) {
  std::vector<std::string> keys;
  if (!graphs_of(row).empty()) {
    keys.push_back(fmt::format("graphs: {}", graphs_of(row)));
  }
  const std::string_view framework = framework_of(row);
  const bool hooks = !profile_value(framework, "host.launch_again").empty();
  if (const std::optional<bool> reentrant = reentrant_checkpoints(row);
      reentrant && *reentrant == hooks) {
    keys.push_back(fmt::format("launch_again: {}",
                               *reentrant ? profile_value(framework, "host.launch")
                                          : profile_value("pytorch", "host.launch_again")));
  }
  if (!keys.empty()) {
    section.line(fmt::format("host: {{{}}}", fmt::join(keys, ", ")));
  }
}

/// What PyTorch's scaled_dot_product_attention takes on this GPU: AOTriton on AMD's, else
/// FlashAttention-2, as on Hopper until 2025; nothing where that is not known.
std::optional<AttentionKind> sdpa_of(const TrainingRow& row, const DeviceRow* device,
                                     const LoadOptions& options) {
  constexpr int kLastYear = 2025;
  const std::string text = row.words("attention_kernel");
  const bool is_sdpa = text.find("scaled_dot_product") != std::string::npos ||
                       text.find("sdpa") != std::string::npos;
  if (!is_sdpa || device == nullptr) {
    return std::nullopt;
  }
  const GpuSpec gpu = load_gpu(std::string(device->gpu), options);
  if (gpu.name.starts_with("AMD ") && gpu.fused(AttentionKind::Triton) != nullptr) {
    return AttentionKind::Triton;
  }
  const int year = year_of(row.cell("date"));
  return year != 0 && year <= kLastYear && gpu.fused(AttentionKind::Flash2) != nullptr
             ? std::optional(AttentionKind::Flash2)
             : std::nullopt;
}

/// Whether attention is in fp8, and it is known how fast it is so on this GPU.
bool is_fp8_attention(const TrainingRow& row, const DeviceRow* device, const LoadOptions& options) {
  const std::string notes = row.words("notes");
  return notes.find("fp8 attention") != std::string::npos &&
         notes.find("no fp8 attention") == std::string::npos && device != nullptr &&
         load_gpu(std::string(device->gpu), options).fused(AttentionKind::CudnnFp8) != nullptr;
}

/// See the rule `attention_kernel` in the header; "" where the framework decides.
std::string_view attention_of(const TrainingRow& row, const DeviceRow* device,
                              const LoadOptions& options) {
  if (is_unfused(row)) {
    return name_of(AttentionKind::Unfused);
  }
  if (is_fp8_attention(row, device, options)) {
    return name_of(AttentionKind::CudnnFp8);
  }
  const std::string text = row.words("attention_kernel");
  const int year = year_of(row.cell("date"));
  if (text.find("flashattention-2") != std::string::npos) {
    return name_of(AttentionKind::Flash2);
  }
  if (const std::optional<AttentionKind> sdpa = sdpa_of(row, device, options)) {
    return name_of(*sdpa);
  }
  const bool is_early = year != 0 && year <= 2023;
  return text.starts_with("flashattention 1") || (is_early && text == "flashattention")
             ? name_of(AttentionKind::Flash1)
             : "";
}

bool says_op_fuser(const TrainingRow& row) {
  return row.says("notes", "op fuser");
}

/// See the rule `LoRA` in the header.
void add_adapters(const TrainingRow& row, RowSection& section) {
  if (!row.says("model", "lora")) {
    return;
  }
  const std::string notes = row.words("notes");
  const bool drops = notes.find("adapters with dropout") != std::string::npos;
  const bool wide = notes.find("adapters in fp32") != std::string::npos;
  const bool narrow = notes.find("4-bit base") != std::string::npos;
  const bool fused = says_op_fuser(row) && row.count("tp", 1) == 1;
  const std::string rest = std::string(drops ? ", dropout: 0.1" : "") +
                           (fused ? ", fused: true" : "") + (wide ? ", width: 32bit" : "") +
                           (narrow ? ", base_width: 4bit" : "");
  std::smatch stated;
  if (std::regex_search(notes, stated,
                        std::regex("rank ([0-9]+) on ([a-z]+(?:, (?:q|k|v|o|gate|up|down))*)"))) {
    section.line(fmt::format("  lora: {{rank: {}, targets: [{}]{}}}", stated[1].str(),
                             stated[2].str(), rest));
    return;
  }
  const bool bridge = row.says("framework", "megatron-bridge");
  if (!bridge && !row.says("framework", "nemo")) {
    section.refuse("LoRA: rank and targets not stated");
    return;
  }
  section.line(
      fmt::format("  lora: {{rank: 16, targets: [{}]{}}}", bridge ? "qkv" : "qkv, o", rest));
  section.remarks.emplace_back("LoRA: rank and targets as the framework's recipe has them");
}

/// See the rules `moe_...` in the header.
void add_routing(const TrainingRow& row, RowSection& section) {
  if (!has_experts(row)) {
    return;
  }
  const std::string notes = row.words("notes");
  if (notes.find("unbalanced") != std::string::npos) {
    section.refuse("experts not balanced, by how much not stated");
    return;
  }
  std::vector<std::string> keys;
  std::smatch found;
  if (std::regex_search(notes, found, std::regex("capacity factor ([0-9]+(\\.[0-9]+)?)"))) {
    keys.push_back(fmt::format("capacity: {}", found[1].str()));
    if (notes.find("padding") != std::string::npos) {
      keys.emplace_back("pad: true");
    }
  }
  if (year_of(row.cell("date")) >= 2025) {
    keys.emplace_back("weighted: activation");
  }
  constexpr int kMostNodes = 4;
  const ModelPreset* preset = named_model(row);
  const int node = std::max(1, gpus_of_node(row, 1));
  if (preset != nullptr && preset->name == "deepseek-v3" &&
      row.count("ep", 1) / node > kMostNodes && sends_by_node(row)) {
    keys.push_back(fmt::format("most_nodes: {}", kMostNodes));
  }
  if (!keys.empty()) {
    section.line(fmt::format("  experts: {{{}}}", fmt::join(keys, ", ")));
  }
}

}  // namespace

std::string_view framework_of(const TrainingRow& row) {
  const std::string text = row.words("framework");
  const int year = year_of(row.cell("date"));
  const bool is_early = year != 0 && year < 2022;
  if (text.empty() || (is_early && text.starts_with("megatron-lm"))) {
    return text.empty() && !is_early ? "megatron-core" : "megatron-2020";
  }
  const std::string date(row.cell("date"));
  if (text.starts_with("megatron-lm") && year != 0 && date <= "2023-12") {
    return "megatron-2022";
  }
  if (text.find("gpt-neox") != std::string::npos) {
    return "gpt-neox";
  }
  const FrameworkWord* found = find_word(row);
  std::string_view name = found != nullptr ? found->name : "pytorch";
  if (name == "pytorch" && row.says("framework", "fsdp1")) {
    name = "pytorch-fsdp1";
  }
  if (!is_compiled(row)) {
    return name;
  }
  return name == "pytorch"         ? "pytorch-compiled"
         : name == "pytorch-fsdp1" ? "pytorch-fsdp1-compiled"
                                   : name;
}

bool is_unfused(const TrainingRow& row) {
  const NumberFormat format = number_format(row.words("dtype")).value_or(NumberFormat{});
  const bool is_wide = !format.fp4 && !format.fp8 && !format.bf16 && !format.fp16;
  if (is_wide && (format.tf32 || format.other)) {
    return true;
  }
  const std::string text = row.words("attention_kernel");
  const int year = year_of(row.cell("date"));
  return text.empty() ? year != 0 && year < 2023 : unfused_attention(text).value_or(false);
}

RowSection training_section(const TrainingRow& row, const DeviceRow* device,
                            const LoadOptions& options) {
  RowSection section;
  const bool gated = parse_flag(row.cell("gated_mlp")).value_or(false);
  section.line("training:");
  section.line(fmt::format("  global_batch: {}", row.count("global_batch_seqs", 1)));
  section.line(fmt::format("  micro_batch: {}", row.count("micro_batch", 1)));
  section.line(fmt::format("  sequence_length: {}", row.count("seq_len", 1)));
  add_precision(row, has_bf16(device, options), section);
  add_recompute(row, section);
  const auto add = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) {
      section.line(fmt::format("  {}: {}", key, value));
    }
  };
  add("framework", framework_of(row));
  if (framework_of(row).empty()) {
    section.remarks.emplace_back("framework of XLA: kernels fused, its host never late");
  } else if (is_unknown(row)) {
    section.remarks.emplace_back("framework without a profile: as PyTorch's single operators");
  }
  add("attention", attention_of(row, device, options));
  const bool drops =
      is_unfused(row) && !gated && !framework_of(row).empty() && !row.says("notes", "no dropout");
  section.line(fmt::format("  dropout: {}", drops));
  add("unfused", unfused_of(row));
  if (says_op_fuser(row)) {
    section.line("  fused_casts: [norm, activation]");
  }
  if (row.says("notes", "fp8_activation")) {
    section.line("  kept_narrow: activation");
  }
  if (row.says("notes", "pure bf16")) {
    section.line("  optimizer: {master: false, state_width: 16bit}");
  }
  if (has_no_fused_loss(row)) {
    add("loss", name_of(Loss::InPlace));
  } else if (row.says("notes", "fused cross entropy")) {
    const bool native = (framework_of(row) == "megatron-core" || framework_of(row) == "nemo") &&
                        !row.says("notes", "fused cross entropy of te");
    add("loss", name_of(native ? Loss::FusedWide : Loss::Fused));
  } else if (framework_of(row) == "pytorch-compiled" && row.says("framework", "torchtitan") &&
             row.cell("date") < "2025-04" && !row.cell("date").starts_with("2024-11")) {
    add("loss", name_of(Loss::Eager));
  } else if (row.says("framework", "prime-rl")) {
    add("loss", name_of(Loss::Eager));
  } else if (row.says("framework", "kempnerforge") || row.says("notes", "loss in 16 bits")) {
    add("loss", name_of(Loss::EagerNarrow));
  }
  if (stops_early(row)) {
    section.line("  recompute_early_stop: true");
  }
  add_adapters(row, section);
  add_routing(row, section);
  section.line(fmt::format("  schedule: {{kind: 1f1b, chunks: {}}}", row.count("vpp", 1)));
  add_host(row, section);
  return section;
}

}  // namespace danlu
