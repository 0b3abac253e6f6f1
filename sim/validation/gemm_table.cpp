#include "sim/validation/gemm_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/base/text.hpp"
#include "sim/validation/training_parts.hpp"
#include "sim/validation/training_words.hpp"
#include "sim/workload/kernels.hpp"
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
    ColumnRule{"m", Kind::Count, 1, 1e9},
    ColumnRule{"n", Kind::Count, 1, 1e9},
    ColumnRule{"k", Kind::Count, 1, 1e9},
    ColumnRule{"groups", Kind::Count, 0, 1e6},
    ColumnRule{"tflops", Kind::Number, 1e-6, 1e6},
};

/// The point of one row, or the reasons why there is none.
class Product {
 public:
  Product(const CsvTable& table, const CsvRow& row, const LoadOptions& options)
      : table_(table), row_(row), options_(options) {}

  void add_to(Validation& validation) {
    const double rate = number("tflops");
    const double m = number("m");
    const double n = number("n");
    const double k = number("k");
    const DeviceRow* device = find_device(cell("gpu"));
    const std::optional<Precision> precision = value_named<Precision>(lower_case(cell("dtype")));
    if (cell("op") != "gemm") {
      refuse(fmt::format("not a matrix product: {}", shown(cell("op"))));
    }
    if (number("groups") > 1) {
      refuse("groups of products");
    }
    if (device == nullptr) {
      refuse(fmt::format("GPU without a preset: {}", shown(cell("gpu"))));
    }
    if (!precision) {
      refuse(fmt::format("precision: {}", shown(cell("dtype"))));
    }
    if (rate * m * n * k == 0) {
      refuse("missing m, n, k or tflops");
    }
    if (reasons_.empty()) {
      const GpuSpec gpu = load_gpu(std::string(device->gpu), options_);
      if (gpu.peak(*precision)) {
        Kernel product = gemm(m, n, k, 1, element_bytes(*precision));
        if (is_narrow(*precision)) {
          product = narrowed(product, quantisation_of(*precision, Fp8Recipe::Delayed).bytes);
        }
        const Seconds simulated = KernelTimer(gpu, *precision).time({product}).total();
        validation.points.push_back({std::string(cell("id")), std::string(device->family),
                                     std::string(cell("source")), 2 * m * n * k / (rate * 1e12),
                                     simulated.value});
        return;
      }
      refuse(fmt::format("{} has no {}", gpu.name, name_of(*precision)));
    }
    validation.not_simulated.push_back({std::string(cell("id")), std::move(reasons_)});
  }

 private:
  std::string_view cell(std::string_view column) const { return table_.cell(row_, column); }
  double number(std::string_view column) const { return parse_number(cell(column)).value_or(0); }
  void refuse(std::string reason) { reasons_.push_back(std::move(reason)); }

  const CsvTable& table_;
  const CsvRow& row_;
  const LoadOptions& options_;
  std::vector<std::string> reasons_;
};

}  // namespace

std::span<const ColumnRule> product_columns() {
  return kGemmColumns;
}

std::span<const std::string_view> needed_product_columns() {
  return kNeeded;
}

Validation validate_products(const CsvTable& table, const LoadOptions& options) {
  Validation result{.table = "gemm", .rows = static_cast<int>(table.rows().size())};
  for (const CsvRow& row : table.rows()) {
    const bool complete =
        std::none_of(kNeeded.begin(), kNeeded.end(),
                     [&](std::string_view column) { return table.cell(row, column).empty(); });
    result.complete += complete ? 1 : 0;
    Product(table, row, options).add_to(result);
  }
  return result;
}

}  // namespace danlu
