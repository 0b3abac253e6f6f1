#include "src/drawing.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>

#include "src/output_file.hpp"
#include "src/program.hpp"

namespace danlu {
namespace {

/// In colour and blocks on terminals that show them; as wide as the terminal, and never so narrow
/// that nothing can be seen.
GanttStyle style_of(std::span<const Gantt> gantts, const DrawingOptions& options) {
  GanttStyle style{.unicode = wants_unicode() && !options.ascii, .colour = wants_colour()};
  constexpr int kLeastColumns = 40;
  if (options.columns) {
    style.columns = *options.columns;
  } else if (const std::optional<int> width = terminal_columns()) {
    style.columns = std::max(kLeastColumns, *width - gantt_margin(gantts));
  }
  return style;
}

}  // namespace

void check_drawing(const DrawingOptions& options, const Writer& writer) {
  if (options.gantt && writer.name != "text") {
    refuse("--gantt", fmt::format("is a drawing in text, not in {}", writer.name),
           "--svg FILE writes it for documents, --trace FILE for programs");
  }
  if (!options.gantt && options.columns) {
    refuse("--columns", "has no effect without --gantt");
  }
  if (!options.gantt && options.ascii) {
    refuse("--ascii", "has no effect without --gantt");
  }
}

Gantt gantt_of(const Simulation& simulation) {
  return gantt_of(simulation.report.scenario, simulation.report.workload, simulation.plan,
                  simulation.timeline);
}

void print_gantts(std::span<const Gantt> gantts, const DrawingOptions& options) {
  print_page(write_gantt(gantts, style_of(gantts, options)));
}

void write_svg(std::span<const Gantt> gantts, const std::filesystem::path& file) {
  write_file(file, write_gantt_svg(gantts));
  spdlog::info("drawing written to {}", file.string());
}

}  // namespace danlu
