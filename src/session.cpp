#include "src/session.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "sim/base/files_read.hpp"
#include "sim/report/counted_notes.hpp"

namespace danlu {
namespace {

void print_effort(const Effort& effort) {
  complain(fmt::format("note: {}\n", effort.text()));
  complain(effort.ways_out.empty() ? "" : fmt::format("hint: {}\n", effort.hint()));
}

void log_tasks(const StepPlan& plan, const Timeline& timeline) {
  if (!spdlog::should_log(spdlog::level::trace)) {
    return;
  }
  for (const TaskId i : plan.graph.tasks.ids()) {
    spdlog::trace("{:.9f} to {:.9f} s: {}", timeline.start[i].value, timeline.finish[i].value,
                  plan.graph.describe(i));
  }
}

}  // namespace

SessionOptions session_options(const CommonOptions& common) {
  SessionOptions options;
  options.tasks = {common.max_tasks, "--max-tasks plays more"};
  options.events = {common.max_events, "--max-events plays more"};
  options.simgrid_log = common.simgrid_log;
  if (!common.quiet) {
    options.announce = print_effort;
  }
  options.log = [](const std::string& line) { spdlog::info("{}", line); };
  options.played = log_tasks;
  options.count_rounds = !spdlog::should_log(spdlog::level::trace);
  return options;
}

Scenario load_file(const std::filesystem::path& file, const CommonOptions& common) {
  spdlog::info("reading {}", file.string());
  return load_scenario(file, {topologies_folder(), common.overrides});
}

std::vector<Scenario> load_files(std::span<const std::filesystem::path> files,
                                 const CommonOptions& common) {
  std::vector<Scenario> scenarios;
  for (const std::filesystem::path& file : files) {
    scenarios.push_back(load_file(file, common));
  }
  return scenarios;
}

std::vector<Scenario> load_beside(const std::vector<Output>& outputs,
                                  const std::vector<std::filesystem::path>& files,
                                  const CommonOptions& common) {
  const FilesRead read;
  std::vector<Scenario> scenarios = load_files(files, common);
  for (const std::filesystem::path& file : read.names()) {
    for (const Output& output : outputs) {
      if (is_same_file(output.file, file)) {
        refuse(output.option,
               fmt::format("'{}' is a file that this run reads", output.file.string()),
               output.hint(output.file.parent_path()));
      }
    }
  }
  check_endings(outputs);
  return scenarios;
}

void tell_notes(std::span<const std::vector<std::string>> runs, std::string_view what,
                const CommonOptions& common) {
  if (common.quiet) {
    return;
  }
  for (const std::string& line : counted_notes(runs, what)) {
    complain(fmt::format("note: {}\n", line));
  }
}

const Writer& chosen_writer(const CommonOptions& common) {
  const std::string_view format = !common.format.empty() ? std::string_view(common.format)
                                  : common.json          ? "json"
                                                         : "text";
  if (common.json && format != "json") {
    refuse("--format", fmt::format("'{}' contradicts --json, which is --format json", format),
           "leave one of the two out");
  }
  return *std::find_if(kWriters.begin(), kWriters.end(),
                       [&](const Writer& writer) { return writer.name == format; });
}

void print_documents(const std::vector<Document>& documents, const Writer& writer) {
  const std::string text = writer.write(documents, wants_colour());
  writer.for_people ? print_page(text) : print(text);
}

}  // namespace danlu
