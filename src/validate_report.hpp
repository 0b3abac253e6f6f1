// What danlu validate prints, from what was simulated: tables of text, the same as Markdown, rows
// as CSV, everything as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "sim/validation/validation.hpp"
#include "src/validate.hpp"

namespace danlu {

/// What tables of errors may be by, and the figure of a point that says it.
struct Grouping {
  std::string_view name;
  std::string ValidationPoint::*group;
};
std::span<const Grouping> groupings();

std::string text_of(const Validation& validation, const ValidateOptions& options, bool colour);
std::string markdown_of(const Validation& validation, const ValidateOptions& options);
/// Every simulated row, whatever else is asked for.
std::string csv_of(const Validation& validation);
nlohmann::ordered_json json_of(const Validation& validation);

}  // namespace danlu
