// Published rates of kernels against the times that KernelTimer gives them: matrix products,
// batched and grouped ones, too; fused attention, by implementation; passes over memory. A GPU
// without a preset is not simulated.
//
// How a row was measured follows from its words. A product that ran "sustained", or after a
// thousand warm-ups or more, meets the power limit. Where PyTorch launched it, it takes no less
// than a host needs for that (measured beside the rows own-h100-*): 20 us for a product, 7 us for
// each kernel of a pass, 13 us for a norm.
#pragma once

#include <span>
#include <string_view>

#include "sim/base/csv.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"
#include "sim/validation/validation.hpp"
#include "sim/workload/kernels.hpp"

namespace danlu {

/// What its columns may hold.
std::span<const ColumnRule> product_columns();

/// The columns without which no row can be simulated.
std::span<const std::string_view> needed_product_columns();

/// A row as kernels on a GPU.
struct MeasuredKernel {
  std::string id, source, device;
  std::string what;  // "product", "attention flash2", "pass"
  GpuSpec gpu;
  Precision precision = Precision::Bf16;
  Running running = Running::Alone;
  std::vector<Kernel> kernels;
  Seconds host;  // which it takes at least
  Seconds published;

  Seconds simulated() const;
};
/// Every row of a table that can be simulated, and why the others cannot.
struct MeasuredKernels {
  std::vector<MeasuredKernel> kernels;
  std::vector<RowReasons> not_simulated;
};
MeasuredKernels measured_kernels(const CsvTable& table, const LoadOptions& options);

/// Every row of a table with those columns that check_cells() found nothing wrong in.
Validation validate_products(const CsvTable& table, const LoadOptions& options);

}  // namespace danlu
