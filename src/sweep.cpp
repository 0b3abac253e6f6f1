// danlu sweep FILE --over KEY=VALUES
#include "sim/session/sweep.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/report/sweep_report.hpp"
#include "sim/report/writers.hpp"
#include "src/commands.hpp"
#include "src/output_file.hpp"
#include "src/session.hpp"

namespace danlu {
namespace {

/// "  123 of 798 points" over and over on one line of a terminal.
void show_points(std::size_t done, std::size_t all) {
  redraw(done == all ? "\r\x1b[K" : fmt::format("\r{} of {} points", done, all));
}

/// The names of --show, or what a sweep is mostly for.
std::vector<std::string> names_of(const std::string& show) {
  const std::string names =
      show.empty() ? "step.time_s,step.tokens_per_s_per_gpu,step.mfu,memory.peak_bytes" : show;
  std::vector<std::string> found;
  for (const std::string_view name : split(names, ',')) {
    if (name.empty() || std::find(found.begin(), found.end(), name) != found.end()) {
      refuse("--show",
             name.empty() ? fmt::format("'{}' has an empty name", shown(names))
                          : fmt::format("'{}' stands there twice", shown(name)),
             "for example --show step.time_s,step.mfu");
    }
    found.emplace_back(name);
  }
  return found;
}

/// How the file of -o is written, by its ending.
auto table_of(const std::filesystem::path& file) -> std::string (*)(const SweepReport&) {
  const std::string ending = kind_of(file);
  if (ending != ".csv" && ending != ".jsonl") {
    refuse("-o", fmt::format("expected a file .csv or .jsonl, found '{}'", shown(file.string())),
           "for example -o points.csv");
  }
  return ending == ".csv" ? sweep_csv : sweep_jsonl;
}

}  // namespace

int run_sweep(const SweepCommand& command, const CommonOptions& common) {
  const Writer& writer = chosen_writer(common);
  const SweepRequest request{
      .file = command.file, .over = command.over, .names = names_of(command.show)};
  std::vector<Output> outputs;
  auto table = sweep_csv;
  if (command.out) {
    table = table_of(*command.out);
    outputs.push_back({"-o", *command.out});
  }
  check_outputs(outputs);
  load_beside(outputs, {command.file}, common);
  SessionOptions session = session_options(common);
  session.processes = command.jobs;
  if (isatty(STDERR_FILENO) != 0) {
    session.progress = show_points;
  }
  const SweepReport report = sweep(request, {topologies_folder(), common.overrides}, session);
  const std::string text = writer.write(std::vector{document_of(report)}, wants_colour());
  writer.for_people ? print_page(text) : print(text);
  if (command.out) {
    write_file(*command.out, table(report));
    spdlog::info("points written to {}", command.out->string());
  }
  const bool complete = std::none_of(
      report.points.begin(), report.points.end(),
      [](const SweepPoint& point) { return point.status == SweepPoint::Status::Failed; });
  return complete ? kExitDone : kExitIncomplete;
}

}  // namespace danlu
