// The points of a sweep as a database of SQLite, to be asked in SQL:
//
//   sweep     one row: the scenario, its file, which danlu
//   columns   a row for each column of points: point, setting, outcome or figure, and its unit
//   points    a row for each point: point, its settings, status, reason, its figures
//
// Columns are called as in CSV ("cluster.gpus", "step.mfu", which SQL has in quotes). Numbers are
// numbers, what is absent is NULL.
#pragma once

#include <string>

#include "sim/report/sweep_report.hpp"

namespace danlu {

/// The bytes of the file, which depend on the sweep, danlu's version and SQLite's alone. Throws
/// InputError at -o where SQLite refuses: two columns of one name, or too many.
std::string sweep_sqlite(const SweepReport& sweep);

}  // namespace danlu
