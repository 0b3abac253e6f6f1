// Published rates of matrix products against the time that KernelTimer gives the same shape. Rows
// with groups (of experts), attention and memory benchmarks are not simulated; neither is a GPU
// without a preset.
#pragma once

#include <span>
#include <string_view>

#include "sim/base/csv.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"
#include "sim/validation/validation.hpp"

namespace danlu {

/// What its columns may hold.
std::span<const ColumnRule> product_columns();

/// The columns without which no row can be simulated.
std::span<const std::string_view> needed_product_columns();

/// Every row of a table with those columns that check_cells() found nothing wrong in.
Validation validate_products(const CsvTable& table, const LoadOptions& options);

}  // namespace danlu
