// The training settings of a row: batches, formats, what is computed again, what is trained.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <regex>

#include "sim/base/text.hpp"
#include "sim/scenario/frameworks.hpp"
#include "sim/validation/training_notes.hpp"
#include "sim/validation/training_parts.hpp"
#include "sim/validation/training_words.hpp"

namespace danlu {
namespace {

constexpr std::array kFrameworkWords{FrameworkWord{"megatron-deepspeed", "megatron-deepspeed"},
                                     FrameworkWord{"megatron-bridge", "megatron-bridge"},
                                     FrameworkWord{"nemo automodel", "pytorch"},
                                     FrameworkWord{"nemo-automodel", "pytorch"},
                                     FrameworkWord{"automodel", "pytorch"},
                                     FrameworkWord{"nemo", "nemo"},
                                     FrameworkWord{"torchtitan", "pytorch"},
                                     FrameworkWord{"fms-fsdp", "pytorch-fsdp1"},
                                     FrameworkWord{"kempnerforge", "pytorch"},
                                     FrameworkWord{"transformers", "huggingface"},
                                     FrameworkWord{"hugging", "huggingface"},
                                     FrameworkWord{"trl", "huggingface"},
                                     FrameworkWord{"peft", "huggingface"},
                                     FrameworkWord{"axolotl", "huggingface"},
                                     FrameworkWord{"llama-factory", "huggingface"},
                                     FrameworkWord{"accelerate", "huggingface"},
                                     FrameworkWord{"megatron", "megatron-core"},
                                     FrameworkWord{"mcore", "megatron-core"},
                                     FrameworkWord{"xtuner", "megatron-core"},
                                     FrameworkWord{"llm-foundry", "llm-foundry"},
                                     FrameworkWord{"llm foundry", "llm-foundry"},
                                     FrameworkWord{"internevo", "internevo"},
                                     FrameworkWord{"paddle", "paddle"},
                                     FrameworkWord{"nanotron", "nanotron"},
                                     FrameworkWord{"pytorch-compile", "pytorch-compiled"},
                                     FrameworkWord{"pytorch", "pytorch"},
                                     FrameworkWord{"torchtune", "pytorch"},
                                     FrameworkWord{"deepspeed", "huggingface"},
                                     FrameworkWord{"maxtext", ""},
                                     FrameworkWord{"alpa", ""},
                                     FrameworkWord{"pax", ""},
                                     FrameworkWord{"t5x", ""},
                                     FrameworkWord{"levanter", ""},
                                     FrameworkWord{"jax", ""}};

/// The first of them that the name begins with, or else that a word of it begins with ("NVIDIA
/// NeMo", "Pai-Megatron-Patch"); what stands in brackets is not part of the name.
const FrameworkWord* find_word(const TrainingRow& row) {
  const std::string text = row.words("framework");
  const std::string name = text.substr(0, text.find(" ("));
  const auto find = [&](const auto& is_it) {
    return std::find_if(kFrameworkWords.begin(), kFrameworkWords.end(), is_it);
  };
  const auto* found =
      find([&](const FrameworkWord& known) { return name.starts_with(known.word); });
  if (found == kFrameworkWords.end()) {
    found = find([&](const FrameworkWord& known) {
      const std::size_t at = name.find(known.word);
      return at != std::string::npos && std::isalnum(static_cast<unsigned char>(name[at - 1])) == 0;
    });
  }
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

/// See the rule `wide_head` in the header.
bool has_narrow_head(const TrainingRow& row) {
  const std::string_view gpu = row.cell("gpu");
  const std::string date = month_of(row.cell("date"));
  const ModelPreset* preset = named_model(row);
  const bool is_one =
      preset != nullptr && (preset->name == "deepseek-v3" || preset->name == "gpt-oss-120b");
  return notes_say(row, Note::NarrowHead) || (row.says("framework", "megatron-bridge") && is_one &&
                                              ((gpu.starts_with("GB") && date >= "2026-06") ||
                                               (gpu.starts_with("B300") && date >= "2026-07")));
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
  const bool says_narrow = notes_say(row, Note::PureBf16) || notes_say(row, Note::NarrowGradients);
  const bool amp = text.find("amp") != std::string::npos;  // parameters and their gradients in fp32
  if (bridge || says_narrow || (is_unknown(row) && precision == Precision::Bf16 && !amp)) {
    section.line("  gradients: 16bit");
  }
  constexpr int kTensorwise = 51;  // the round whose Llama 3.1 8B is scaled by tensor
  const bool small = mlperf_round(row) >= kTensorwise && row.says("model", "8b");
  const bool by_tensor = bridge || small || row.says("framework", "torchtitan") ||
                         text.find("tensorwise") != std::string::npos;
  if (by_tensor && precision == Precision::Fp8) {
    section.line(fmt::format("  fp8_recipe: {}", name_of(Fp8Recipe::Tensorwise)));
  }
  if (precision == Precision::Fp8 && !by_tensor && row.says("framework", "nemo")) {
    const std::string date = month_of(row.cell("date"));
    const bool early = !date.empty() && date < "2024-06";
    constexpr int kTensorAmax = 50;
    const bool of_tensor =
        early || mlperf_round(row) >= kTensorAmax || notes_say(row, Note::TensorAmax);
    section.line(has_adapters(row) ? "  fp8_amax: own"
                 : of_tensor       ? "  fp8_amax: tensor"
                                   : "  fp8_amax: all");
  }
  if (precision == Precision::Mxfp8 && has_narrow_head(row)) {
    section.line("  wide_head: false");
  }
  if (text.find("rowwise") != std::string::npos) {
    section.remarks.emplace_back("fp8 scaled by rows: as by tensor");
  }
  const bool eight_bits = precision == Precision::Fp8 || precision == Precision::Mxfp8;
  if (eight_bits && !row.says("zero_stage_or_sharding", "fsdp") &&
      (bridge || small || text.find("fp8 params") != std::string::npos)) {
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
  const std::string_view framework = framework_of(row);
  const bool is_titan = row.says("framework", "torchtitan");
  if (text == "selective" && !is_titan && !framework.starts_with("megatron") &&
      framework != "nemo") {
    section.refuse("recompute: selective, of what not stated");
    return;
  }
  if (text == "selective" && is_titan) {
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
  if (notes_say(row, Note::NonReentrant)) {
    return false;
  }
  return notes_say(row, Note::Reentrant) ? std::optional(true) : std::nullopt;
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
  const std::string date = month_of(row.cell("date"));
  return (row.says("framework", "llm-foundry") && row.says("dtype", "amp")) ||
         row.says("framework", "fms-fsdp") || row.says("framework", "automodel") ||
         row.says("framework", "kempnerforge") ||
         (reentrant_checkpoints(row) == std::optional(false) && date >= "2023-10") ||
         (row.says("framework", "torchtitan") && !date.empty() && date < "2025-09");
}

/// See the rule `compile` in the header.
bool is_compiled(const TrainingRow& row) {
  for (const char* column : {"framework", "notes"}) {
    const std::string text = row.words(column);
    if (text_says(text, Note::NotCompiled)) {
      return false;
    }
    if (text_says(text, Note::Compiled)) {
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

bool has_no_fused_loss(const TrainingRow& row) {
  return notes_say(row, Note::NoFusedLoss);
}

/// The list of the framework's profile, changed as the row says; empty if it is that.
std::string unfused_of(const TrainingRow& row) {
  const std::string profile = unfused_by(framework_of(row));
  std::string list = profile;
  for (const UnfusedPart part : {UnfusedPart::Norm, UnfusedPart::Positions, UnfusedPart::Activation,
                                 UnfusedPart::Residual}) {
    list = notes_fuse(row, part) ? without(name_of(part), list) : list;
  }
  const std::string kernel = row.words("attention_kernel");
  if (row.says("framework", "automodel") &&
      (kernel.starts_with("te") || kernel == "transformer_engine" ||
       kernel.starts_with("transformerengine"))) {
    list = without("positions", list);
  }
  if (notes_say(row, Note::RotaryOperators)) {
    list = with("positions", list);
  }
  if (notes_say(row, Note::NormOperators) ||
      (notes_say(row, Note::NormFusedOn80) && row.says("gpu", "40gb"))) {
    list = with("norm", list);
  }
  if (has_no_fused_loss(row)) {
    list = with("loss", list);
  }
  return list == profile ? "" : list;
}

/// Whether torchtitan left its loss out of what torch.compile compiles; see the rule `loss`.
bool is_eager_loss(std::string_view date) {
  return !date.empty() && date < "2025-04" && !date.starts_with("2024-11");
}

/// See the rule `cuda_graph` in the header.
std::string_view graphs_of(const TrainingRow& row) {
  const std::string text = row.words("cuda_graph");
  constexpr int kFirstRound = 50;
  const std::string_view gpu = row.cell("gpu");
  const bool is_blackwell = gpu.starts_with("B2") || gpu.starts_with("B3") || gpu.starts_with("GB");
  if (text.starts_with("full") ||
      (text.empty() && is_blackwell && mlperf_round(row) >= kFirstRound)) {
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
  return notes_say(row, Note::Fp8Attention) && device != nullptr &&
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
  return notes_say(row, Note::OpFuser);
}

/// See the rule `LoRA` in the header.
void add_adapters(const TrainingRow& row, RowSection& section) {
  if (!has_adapters(row)) {
    return;
  }
  const bool drops = notes_say(row, Note::AdaptersDrop);
  const bool wide = notes_say(row, Note::AdaptersWide);
  const bool narrow = notes_say(row, Note::NarrowBase);
  const bool fused = says_op_fuser(row) && row.count("tp", 1) == 1;
  const std::string rest = std::string(drops ? ", dropout: 0.1" : "") +
                           (fused ? ", fused: true" : "") + (wide ? ", width: 32bit" : "") +
                           (narrow ? ", base_width: 4bit" : "");
  if (const auto noted = noted_adapters(row)) {
    section.line(
        fmt::format("  lora: {{rank: {}, targets: [{}]{}}}", noted->rank, noted->targets, rest));
    return;
  }
  const bool automodel = row.says("framework", "automodel");
  const bool bridge = row.says("framework", "megatron-bridge");
  if (!automodel && !bridge && !row.says("framework", "nemo")) {
    section.refuse("LoRA: rank and targets not stated");
    return;
  }
  section.line(fmt::format("  lora: {{rank: 16, targets: [{}]{}}}",
                           automodel ? kAllLinear
                           : bridge  ? "qkv"
                                     : "qkv, o",
                           rest));
  section.remarks.emplace_back("LoRA: rank and targets as the framework's recipe has them");
}

/// See the rules `moe_...` in the header.
void add_routing(const TrainingRow& row, RowSection& section) {
  if (!has_experts(row)) {
    return;
  }
  if (notes_say(row, Note::Unbalanced)) {
    section.refuse("experts not balanced, by how much not stated");
    return;
  }
  std::vector<std::string> keys;
  if (const auto capacity = note_number(row, NoteNumber::Capacity)) {
    keys.push_back(fmt::format("capacity: {}", *capacity));
    if (notes_say(row, Note::Padding)) {
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

bool has_adapters(const TrainingRow& row) {
  return row.says("model", "lora") || notes_say(row, Note::Adapters);
}

std::span<const FrameworkWord> framework_words() {
  return kFrameworkWords;
}

int mlperf_round(const TrainingRow& row) {
  static const std::regex results("training_results_v([0-9])\\.([0-9])");
  const std::string source = row.words("source");
  std::smatch found;
  const bool is_one = row.words("framework") == "nemo" && !has_adapters(row) &&
                      std::regex_search(source, found, results);
  return is_one ? std::stoi(found[1].str() + found[2].str()) : 0;
}

std::string_view framework_of(const TrainingRow& row) {
  const std::string text = row.words("framework");
  const std::string date = month_of(row.cell("date"));
  if (!date.empty() && (text.empty() || text.starts_with("megatron-lm"))) {
    return date < "2022" ? "megatron-2020" : date < "2024" ? "megatron-2022" : "megatron-core";
  }
  if (text.empty()) {
    return "megatron-core";
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
  if (mlperf_round(row) > 0) {
    section.remarks.emplace_back("NeMo in MLPerf: what a row leaves open as that benchmark has it");
  }
  add("attention", attention_of(row, device, options));
  const bool drops =
      is_unfused(row) && !gated && !framework_of(row).empty() && !notes_say(row, Note::NoDropout);
  section.line(fmt::format("  dropout: {}", drops));
  add("unfused", unfused_of(row));
  if (says_op_fuser(row)) {
    section.line("  fused_casts: [norm, activation]");
  }
  if (notes_say(row, Note::KeptNarrow)) {
    section.line("  kept_narrow: activation");
  }
  if (notes_say(row, Note::PureBf16)) {
    section.line("  optimizer: {master: false, state_width: 16bit}");
  }
  if (has_no_fused_loss(row)) {
    add("loss", name_of(Loss::InPlace));
  } else if (notes_say(row, Note::FusedLoss)) {
    const bool native = (framework_of(row) == "megatron-core" || framework_of(row) == "nemo") &&
                        !notes_say(row, Note::FusedLossOfTe);
    add("loss", name_of(native ? Loss::FusedWide : Loss::Fused));
  } else if (framework_of(row) == "pytorch-compiled" && row.says("framework", "torchtitan") &&
             is_eager_loss(month_of(row.cell("date")))) {
    add("loss", name_of(Loss::Eager));
  } else if (row.words("framework").starts_with("xtuner")) {
    add("loss", name_of(Loss::Fused));
  } else if (row.says("framework", "prime-rl")) {
    add("loss", name_of(Loss::Eager));
  } else if (row.says("framework", "kempnerforge") || notes_say(row, Note::NarrowLoss)) {
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
