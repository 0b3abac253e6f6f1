// Tables of published measurements, each row simulated: training steps, collectives, matrix
// products.
#pragma once

#include <array>
#include <filesystem>

#include "sim/base/csv.hpp"
#include "sim/base/names.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"
#include "sim/session/pool.hpp"
#include "sim/validation/validation.hpp"

namespace danlu {

enum class TableKind { Training, Collectives, Products };
template <>
inline constexpr auto kNames<TableKind> =
    std::to_array<Named<TableKind>>({{TableKind::Training, "training"},
                                     {TableKind::Collectives, "nccl"},
                                     {TableKind::Products, "gemm"}});

/// A table of measurements, and of what.
struct MeasuredTable {
  TableKind kind = TableKind::Training;
  CsvTable csv;
};

/// Throws InputError for a table that cannot be read, is of no known kind, or lacks columns.
MeasuredTable read_table(const std::filesystem::path& file);

/// Adds a point with the seconds that were played, or why none were.
void add_point(ValidationPoint point, const Played& played, Validation& validation);

/// Throws InputError where a cell is not what its column may hold.
void check_table(const MeasuredTable& table);

/// Simulates the rows; those that cannot be say why. Throws InputError where a cell is not what its
/// column may hold.
Validation validate(const MeasuredTable& table, const LoadOptions& load,
                    const SessionOptions& options);

}  // namespace danlu
