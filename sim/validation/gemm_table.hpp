// Published rates of matrix products against the time that KernelTimer gives the same shape. Rows
// with groups (of experts), attention and memory benchmarks are not simulated; neither is a GPU
// without a preset.
#pragma once

#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/csv.hpp"
#include "sim/validation/validation.hpp"

namespace danlu {

/// Every row of a table with the columns gpu, op, dtype, m, n, k and tflops.
Validation validate_products(const CsvTable& table, const LoadOptions& options);

}  // namespace danlu
