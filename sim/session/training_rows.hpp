// Rows of published training runs as scenarios, and their steps played.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"
#include "sim/session/pool.hpp"
#include "sim/validation/validation.hpp"

namespace danlu {

/// How long a step of each takes, in order, as validate_training() plays them. `why` of one that
/// ended says what is to be said of how it was played.
std::vector<Played> play_rows(std::span<const Scenario* const> rows, const SessionOptions& options);

/// Plays the step of every row that can be converted (sim/validation/training_table.hpp). A row of
/// the source, date, time and scenario of another one repeats it. A step of more tasks than
/// options.tasks allows is played with each communication by its closed form, which is a remark of
/// the row.
Validation validate_training(const CsvTable& table, const LoadOptions& load,
                             const SessionOptions& options);

/// The row with this id as a scenario file that plays as validate_training() plays it, with what it
/// published and its remarks as comments. Throws InputError where there is no such row, or it is no
/// scenario.
std::string scenario_of_row(const CsvTable& table, std::string_view id, const LoadOptions& load,
                            const SessionOptions& options);

}  // namespace danlu
