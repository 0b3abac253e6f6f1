// danlu search FILE
#include "sim/session/search.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/report/search_report.hpp"
#include "sim/report/writers.hpp"
#include "sim/session/readable_plan.hpp"
#include "sim/session/search_scale.hpp"
#include "sim/session/trust.hpp"
#include "src/commands.hpp"
#include "src/output_file.hpp"
#include "src/progress.hpp"
#include "src/session.hpp"

namespace danlu {
namespace {

/// The two axes of --map.
void read_map(const std::string& map, SearchRequest& request) {
  if (map.empty()) {
    return;
  }
  const std::vector<std::string_view> axes = split(map, ',');
  if (axes.size() != 2 || axes[0].empty() || axes[1].empty() || axes[0] == axes[1]) {
    refuse("--map", fmt::format("expected two keys, found '{}'", shown(map)),
           "for example --map tensor,pipeline");
  }
  request.down = axes[0];
  request.across = axes[1];
}

/// The notes that are not among those that were told.
std::vector<std::string> beside(const std::vector<std::string>& notes,
                                const std::vector<std::string>& told) {
  std::vector<std::string> others;
  std::copy_if(notes.begin(), notes.end(), std::back_inserter(others),
               [&](const std::string& note) {
                 return std::find(told.begin(), told.end(), note) == told.end();
               });
  return others;
}

}  // namespace

int run_search(const SearchCommand& command, const CommonOptions& common) {
  const Writer& writer = chosen_writer(common);
  SearchRequest request{
      .file = command.file, .top = static_cast<std::size_t>(command.top), .front = command.front};
  read_map(command.map, request);
  std::vector<Output> outputs;
  if (command.svg) {
    outputs.push_back({"--svg", *command.svg});
  }
  check_outputs(outputs);
  SessionOptions session = session_options(common);
  session.processes = command.jobs;
  Progress progress(common);
  if (const auto announce = session.announce) {
    session.announce = [&progress, announce](const Effort& effort) {
      progress.clear();
      announce(effort);
    };
  }
  request.progress = [&](const std::string& line) { progress.say(line); };
  ReadableOptions readable =
      readable_options(command.file, {topologies_folder(), common.overrides});
  const LoadOptions load = std::move(readable.options);
  request.own_obstacle = std::move(readable.obstacle);
  CommonOptions as_read = common;
  as_read.overrides = load.overrides;
  const std::vector<Scenario> scenarios = load_beside(outputs, {command.file}, as_read);
  const std::vector<std::string>& base = scenarios.front().notes;
  tell_notes(std::span(&base, 1), "scenarios", common);
  SearchReport report;
  Document document;
  if (command.gpus.empty()) {
    report = search(request, load, session);
    const PublishedRuns runs = read_published_runs(topologies_folder());
    std::vector<std::vector<std::string>> notes;
    for (RankedPlan& plan : report.best) {
      set_trust(plan.report, runs);
      notes.push_back(beside(plan.report.notes, base));
    }
    progress.clear();
    tell_notes(notes, "plans", common);
    document = document_of(report);
  } else {
    document = document_of(search_scale(request, command.gpus, load, session));
  }
  progress.clear();
  print_documents({document}, writer);
  if (command.svg) {
    write_file(*command.svg, command.front ? write_front_svg(report) : write_map_svg(report));
    spdlog::info("{} written to {}", command.front ? "front" : "map", command.svg->string());
  }
  return kExitDone;
}

}  // namespace danlu
