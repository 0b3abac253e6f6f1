// Drawings of a step: what the command line asks of them, and how they get out.
#pragma once

#include <filesystem>
#include <optional>
#include <span>

#include "sim/report/gantt.hpp"
#include "sim/report/writers.hpp"
#include "sim/session/simulate.hpp"

namespace danlu {

/// Who does what when in a step.
struct DrawingOptions {
  bool gantt = false;  // in the terminal, instead of the report
  bool ascii = false;
  std::optional<int> columns;                // of time; none: what the terminal has room for
  std::optional<std::filesystem::path> svg;  // beside the report

  bool asked() const { return gantt || svg; }
};

/// Throws InputError where options contradict each other or have no effect.
void check_drawing(const DrawingOptions& options, const Writer& writer);

Gantt gantt_of(const Simulation& simulation);
/// All on one scale.
void print_gantts(std::span<const Gantt> gantts, const DrawingOptions& options);
/// Throws InputError.
void write_svg(std::span<const Gantt> gantts, const std::filesystem::path& file);

}  // namespace danlu
