#include "sim/validation/gemm_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "sim/base/text.hpp"
#include "sim/validation/training_parts.hpp"
#include "sim/validation/training_words.hpp"
#include "sim/workload/precision.hpp"

namespace danlu {
namespace {

constexpr std::array<std::string_view, 7> kNeeded{"gpu", "op", "dtype", "m", "n", "k", "tflops"};

using Kind = ColumnRule::Kind;
constexpr std::array kGemmColumns{
    ColumnRule{"id"},
    ColumnRule{"source"},
    ColumnRule{"gpu"},
    ColumnRule{"op"},
    ColumnRule{.name = "dtype",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return number_format(text).has_value(); },
               .words = "fp32, tf32, fp16, bf16, fp8; others are known and not simulated"},
    ColumnRule{"m", Kind::Count, 1, 1e12},
    ColumnRule{"n", Kind::Count, 1, 1e9},
    ColumnRule{"k", Kind::Count, 1, 1e9},
    ColumnRule{"groups", Kind::Count, 0, 1e6},
    ColumnRule{"batch", Kind::Count, 1, 1e6},
    ColumnRule{"seq_len", Kind::Count, 1, 1e9},
    ColumnRule{"heads", Kind::Count, 1, 1e5},
    ColumnRule{"head_dim", Kind::Count, 1, 1e5},
    ColumnRule{"causal", Kind::Flag},
    ColumnRule{"tflops", Kind::Number, 1e-6, 1e6},
    ColumnRule{"mem_bw_GBps", Kind::Number, 1e-6, 1e6},
};

/// GPUs that tables of kernels name beside those of training runs (find_device).
constexpr std::array kOtherDevices{
    DeviceRow{"A100 SXM", "A100", "", "a100-80"}, DeviceRow{"GH200", "GH200", "", "h200"},
    DeviceRow{"B300", "B300", "", "b300"},        DeviceRow{"GB300", "GB300", "", "gb300"},
    DeviceRow{"MI300X", "MI300X", "", "mi300x"},  DeviceRow{"Gaudi 3", "Gaudi 3", "", "gaudi3"}};

/// A pass over memory, by the word behind "memory_pass: " in a row. PyTorch's softmax reads long
/// rows three times: for their maximum, their sum and the result.
struct PassRow {
  std::string_view name;
  double counted;  // bytes of a value, in the row's rate
  double moved;
  PassKind kind = PassKind::Stream;
  int launches = 1;
};
constexpr std::array kPasses{PassRow{"copy", 4, 4},
                             PassRow{"add", 6, 6},
                             PassRow{"gelu", 4, 4},
                             PassRow{"silu times", 10, 10, PassKind::Stream, 2},
                             PassRow{"layer_norm", 4, 4, PassKind::Norm},
                             PassRow{"rms_norm", 4, 4, PassKind::Norm},
                             PassRow{"softmax", 4, 8},
                             PassRow{"fp32 accumulate", 10, 10},
                             PassRow{"dropout", 5, 5, PassKind::Stream, 2}};

constexpr Seconds kProductLaunch{20e-6};
constexpr Seconds kNormLaunch{13e-6};
constexpr Seconds kPassLaunch{7e-6};

const DeviceRow* find_any_device(std::string_view name) {
  const DeviceRow* device = find_device(name);
  const auto* const other =
      std::find_if(kOtherDevices.begin(), kOtherDevices.end(),
                   [&](const DeviceRow& row) { return name.starts_with(row.prefix); });
  return device != nullptr || other == kOtherDevices.end() ? device : &*other;
}

/// The implementation of attention that a row's words name, in 16 bits or in fp8.
std::optional<AttentionKind> attention_word(const std::string& text, bool narrow) {
  const auto has = [&](std::string_view word) { return text.find(word) != std::string::npos; };
  if (has("flashattention")) {
    return has("-1")   ? std::optional(AttentionKind::Flash1)
           : has("-3") ? std::optional(AttentionKind::Flash3)
                       : std::optional(AttentionKind::Flash2);
  }
  return has("cudnn")    ? std::optional(narrow ? AttentionKind::CudnnFp8 : AttentionKind::Cudnn)
         : has("triton") ? std::optional(AttentionKind::Triton)
                         : std::nullopt;
}

/// One row as kernels, or the reasons why it is none. A class: every kind of row refuses into the
/// same list.
class Measured {
 public:
  Measured(const CsvTable& table, const CsvRow& row, std::map<std::string, GpuSpec>& gpus,
           const LoadOptions& options)
      : table_(table), row_(row), gpus_(gpus), options_(options) {}

  void add_to(MeasuredKernels& found) {
    const DeviceRow* device = find_any_device(cell("gpu"));
    if (device == nullptr) {
      refuse(fmt::format("GPU without a preset: {}", shown(cell("gpu"))));
    }
    const std::optional<Precision> precision = value_named<Precision>(lower_case(cell("dtype")));
    if (!precision) {
      refuse(fmt::format("precision: {}", shown(cell("dtype"))));
    }
    if (device != nullptr && precision) {
      made_.gpu = gpu(std::string(device->gpu));
      made_.device = device->family;
      made_.precision = *precision;
      if (!made_.gpu.peak(*precision)) {
        refuse(fmt::format("{} has no {}", made_.gpu.name, name_of(*precision)));
      }
    }
    const bool warm = has("source_locator", "sustained") || has("notes", "sustained") ||
                      has("notes", "000 warm-up");
    made_.running = warm ? Running::Long : Running::Alone;
    made_.id = cell("id");
    made_.source = cell("source");
    const std::string_view op = cell("op");
    if (op == "attention") {
      read_attention();
    } else if (op.starts_with(kPassWord)) {
      read_pass(op.substr(kPassWord.size()));
    } else if (op == "gemm" || op == "batched_gemm" || op.starts_with("grouped_gemm")) {
      read_product();
    } else {
      refuse(fmt::format("not a product, attention or pass: {}", shown(op)));
    }
    if (reasons_.empty()) {
      found.kernels.push_back(std::move(made_));
    } else {
      found.not_simulated.push_back({std::string(cell("id")), std::move(reasons_)});
    }
  }

 private:
  static constexpr std::string_view kPassWord = "memory_pass: ";

  std::string_view cell(std::string_view column) const { return table_.cell(row_, column); }
  double number(std::string_view column) const { return parse_number(cell(column)).value_or(0); }
  bool has(std::string_view column, std::string_view word) const {
    return lower_case(cell(column)).find(word) != std::string::npos;
  }
  void refuse(std::string reason) { reasons_.push_back(std::move(reason)); }

  const GpuSpec& gpu(const std::string& name) {
    const auto found = gpus_.find(name);
    return found != gpus_.end() ? found->second
                                : gpus_.emplace(name, load_gpu(name, options_)).first->second;
  }

  /// A number behind "word=" in the notes.
  double noted(std::string_view word, double otherwise) const {
    const std::string_view notes = cell("notes");
    const std::string key = fmt::format("{}=", word);
    const std::size_t at = notes.find(key);
    if (at == std::string_view::npos) {
      return otherwise;
    }
    const std::string_view rest = notes.substr(at + key.size());
    return parse_number(rest.substr(0, rest.find_first_of(" ,;"))).value_or(otherwise);
  }

  void read_product() {
    const double m = number("m");
    const double n = number("n");
    const double k = number("k");
    const double batch = std::max({1.0, number("batch"), number("groups")});
    const double rate = number("tflops");
    if (rate * m * n * k == 0) {
      refuse("missing m, n, k or tflops");
      return;
    }
    const Bytes sums{2 * noted("sums", 0) * m * n * batch};
    Kernel product = gemm(m, n, k, batch, element_bytes(made_.precision), sums);
    product.accumulates = sums > Bytes{};
    if (has("impl", "general_grouped_gemm")) {
      product.apart = product.accumulates ? sums : Bytes{product.operand * k * n * batch};
    }
    if (is_narrow(made_.precision)) {
      product = narrowed(product, quantisation_of(made_.precision, Fp8Recipe::Delayed).bytes);
    } else if (cell("op") == "batched_gemm") {
      product.aligned = whole_rows(n * product.operand) && whole_rows(k * product.operand);
    }
    const bool by_host = has("impl", "pytorch") || has("impl", "torch.");
    made_.what = "product";
    made_.kernels = {product};
    made_.host = by_host ? kProductLaunch : Seconds{};
    made_.published = product.flops / FlopsPerSecond{rate * 1e12};
  }

  void read_attention() {
    const std::optional<AttentionKind> kind =
        attention_word(lower_case(cell("impl")), made_.precision == Precision::Fp8);
    const std::optional<bool> causal = parse_flag(cell("causal"));
    const std::string pass = lower_case(cell("pass"));
    const bool both = pass == "fwd+bwd";
    const bool backward = pass == "bwd" || pass == "backward";
    const double s = number("seq_len");
    const double keys = noted("kv_seq", s);
    const double d = number("head_dim");
    const double v = noted("head_dim_vo", d);
    const double heads = number("batch") * number("heads");
    const double rate = number("tflops");
    if (!kind) {
      refuse(fmt::format("attention by {}", shown(cell("impl"))));
    }
    if (is_narrow(made_.precision) && kind != AttentionKind::CudnnFp8) {
      refuse("attention below 16 bits, but for cuDNN's in fp8");
    }
    if (s * d * heads * rate == 0 || !causal || pass.empty()) {
      refuse("missing batch, seq_len, heads, head_dim, causal, pass or tflops");
    }
    if (noted("window", 0) > 0) {
      refuse("attention within a window");
    }
    if (has("notes", "det_bwd=true")) {
      refuse("deterministic backward");
    }
    if (kind && reasons_.empty() && made_.gpu.fused(*kind) == nullptr) {
      refuse(fmt::format("attention {} on {}", name_of(*kind), made_.gpu.name));
    }
    if (!reasons_.empty()) {
      return;
    }
    const AttentionShape shape{.kind = *kind,
                               .heads = heads,
                               .queries = s,
                               .keys = *causal ? keys / 2 : keys,
                               .most = keys,
                               .key_dim = d,
                               .value_dim = v};
    const Bytes moved{element_bytes(made_.precision) * heads * (s + keys) * (d + v)};
    const Kernel forward = attention_kernel(shape, false, moved);
    if (!backward) {
      made_.kernels.push_back(forward);
    }
    if (both || backward) {
      made_.kernels.push_back(attention_kernel(shape, true, 2 * moved));
    }
    constexpr double kBackward = 2.5;  // of forward's FLOPs, as all rows count
    made_.what = fmt::format("attention {}", name_of(*kind));
    made_.published = ((backward ? 0 : 1) + (both || backward ? kBackward : 0)) * forward.flops /
                      FlopsPerSecond{rate * 1e12};
  }

  void read_pass(std::string_view name) {
    const auto* const pass = std::find_if(kPasses.begin(), kPasses.end(),
                                          [&](const PassRow& row) { return row.name == name; });
    const double bandwidth = number("mem_bw_GBps");
    const double values = number("m");
    if (pass == kPasses.end()) {
      refuse(fmt::format("pass over memory: {}", shown(name)));
      return;
    }
    if (bandwidth * values == 0) {
      refuse("missing m or mem_bw_GBps");
      return;
    }
    made_.what = "pass";
    made_.kernels = {memory_pass(values * pass->moved, pass->kind)};
    made_.host = pass->kind == PassKind::Norm ? kNormLaunch : pass->launches * kPassLaunch;
    made_.published = Bytes{values * pass->counted} / BytesPerSecond{bandwidth * 1e9};
  }

  const CsvTable& table_;
  const CsvRow& row_;
  std::map<std::string, GpuSpec>& gpus_;
  const LoadOptions& options_;
  MeasuredKernel made_;
  std::vector<std::string> reasons_;
};

bool states_everything(const CsvTable& table, const CsvRow& row) {
  const auto there = [&](std::initializer_list<std::string_view> columns) {
    return std::none_of(columns.begin(), columns.end(),
                        [&](std::string_view column) { return table.cell(row, column).empty(); });
  };
  return there({"gpu", "op", "dtype"}) &&
         (there({"m", "n", "k", "tflops"}) || there({"m", "mem_bw_GBps"}) ||
          there({"batch", "seq_len", "heads", "head_dim", "causal", "pass", "tflops"}));
}

}  // namespace

std::span<const ColumnRule> product_columns() {
  return kGemmColumns;
}

std::span<const std::string_view> needed_product_columns() {
  return kNeeded;
}

Seconds MeasuredKernel::simulated() const {
  return std::max(host, KernelTimer(gpu, precision, running).time(kernels).total());
}

MeasuredKernels measured_kernels(const CsvTable& table, const LoadOptions& options) {
  MeasuredKernels found;
  std::map<std::string, GpuSpec> gpus;
  for (const CsvRow& row : table.rows()) {
    Measured(table, row, gpus, options).add_to(found);
  }
  return found;
}

Validation validate_products(const CsvTable& table, const LoadOptions& options) {
  Validation result{.table = "gemm", .rows = static_cast<int>(table.rows().size())};
  result.complete = static_cast<int>(
      std::count_if(table.rows().begin(), table.rows().end(),
                    [&](const CsvRow& row) { return states_everything(table, row); }));
  MeasuredKernels found = measured_kernels(table, options);
  for (const MeasuredKernel& kernel : found.kernels) {
    result.points.push_back({.id = kernel.id,
                             .device = kernel.device,
                             .source = kernel.source,
                             .published = kernel.published.value,
                             .simulated = kernel.simulated().value,
                             .size = kernel.what});
  }
  result.not_simulated = std::move(found.not_simulated);
  return result;
}

}  // namespace danlu
