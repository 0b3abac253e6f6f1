#include "src/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "sim/base/text.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

/// "text (a page), json (...)": the writers of a report.
std::string formats_help() {
  std::string help;
  for (const Writer& writer : kWriters) {
    help += fmt::format("{}{} ({})", help.empty() ? "" : ", ", writer.name, writer.help);
  }
  return help;
}

/// The name of a writer, for CLI11.
std::string check_format(const std::string& name) {
  const auto* const found = std::find_if(kWriters.begin(), kWriters.end(),
                                         [&](const Writer& w) { return w.name == name; });
  return found == kWriters.end() ? fmt::format("{} not in {}", shown(name), formats_help()) : "";
}

}  // namespace

void add_verbosity(CLI::App& command, CommonOptions& common) {
  CLI::Option* log =
      command.add_flag("-v", common.verbosity, "Log to stderr; -vv and -vvv say more");
  command
      .add_flag("-q,--quiet", common.quiet,
                "No word on stderr of what takes long and how far it is; errors and warnings stay")
      ->excludes(log);
}
void add_common(CLI::App& command, CommonOptions& common) {
  command.add_flag("--json", common.json, "Result as JSON");
  add_verbosity(command, common);
}
void add_limit(CLI::App& command, CommonOptions& common) {
  command
      .add_option(
          "--max-tasks", common.max_tasks,
          "Refuse what has more tasks than this; a million take some 3 to 5 s and 0.4 to 0.7 GB")
      ->type_name("NUMBER")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 1e12));
}
void add_limit_of_events(CLI::App& command, CommonOptions& common) {
  command
      .add_option("--max-events", common.max_events,
                  "Refuse a campaign of more events than this, in all its runs")
      ->type_name("NUMBER")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 1e18));
}
void add_overrides(CLI::App& command, CommonOptions& common) {
  command
      .add_option("--set", common.overrides,
                  "Override a value of every file (repeatable): --set parallelism.tensor=4")
      ->type_name("KEY.PATH=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

void add_format(CLI::App& command, CommonOptions& common) {
  command.add_option("--format", common.format, formats_help())
      ->type_name("FORMAT")
      ->check(check_format);
}

void add_playing(CLI::App& command, CommonOptions& common) {
  add_format(command, common);
  add_limit(command, common);
  add_common(command, common);
  add_overrides(command, common);
}

}  // namespace danlu
