// What the sub-commands share: exit codes, options, where presets lie, and how output gets out.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace danlu {

inline constexpr std::string_view kVersion = DANLU_VERSION;  // "0.1.0"
/// "0.1.0+4f2a61c09d3e": the same, and from which sources of the library (build_id.cmake).
extern const std::string_view kBuild;

inline constexpr int kExitDone = 0;
inline constexpr int kExitCannotRun = 1;   // the plan cannot run, in the GPUs' memory or in ours
inline constexpr int kExitBadInput = 2;    // bad input or usage, or output that cannot be written
inline constexpr int kExitInternal = 3;    // a bug of ours
inline constexpr int kExitIncomplete = 6;  // points of a sweep failed, or are missing

/// Options that every command has.
struct CommonOptions {
  double max_tasks = 2e6;              // of a step, messages of a collective, slices of a trace
  double max_events = 1e8;             // of a campaign, all its runs together
  std::vector<std::string> overrides;  // --set
  bool json = false;
  std::string format;  // of kWriters, for reports; empty: text, or json with --json
  bool simgrid_log = false;
  int verbosity = 0;
  bool quiet = false;  // no word of what takes long, and how far it is
};

/// The folder of presets: DANLU_TOPOLOGIES where that is set, else beside or above the program's
/// own file, or installed under share/danlu. Throws InputError when there is none.
std::filesystem::path topologies_folder();

/// Whether stdout is a terminal that wants colour (NO_COLOR, TERM=dumb).
bool wants_colour();

/// How many columns the terminal has that a stream is (of stdout, unless another is named); nothing
/// where it is none.
std::optional<int> terminal_columns(int descriptor = 1);
/// Whether stdout is a terminal that shows more than ASCII: the locale's characters are UTF-8.
bool wants_unicode();

/// Writes to stdout what a terminal can show: control characters other than ends of lines and tabs
/// become visible. Throws InputError when stdout cannot be written (disk full, closed).
void print(std::string_view text);
/// The same as it stands, for a page whose escapes are the program's own.
void print_page(std::string_view page);
/// The same for a document of JSON; what is not UTF-8 is replaced.
void print_json(const nlohmann::ordered_json& json);
/// Writes to stderr what a terminal can show. Where that cannot be written nobody is there to be
/// told.
void complain(std::string_view text) noexcept;

/// The same as it stands, for a line that a terminal draws over and over.
void redraw(std::string_view line) noexcept;

/// Sends spdlog to stderr at the level of -v, -vv, -vvv; names in it are shown as complain() does.
void set_up_logging(int verbosity);

/// Throws InputError at an option of the command line, or at a file that it names.
[[noreturn]] void refuse(const std::string& option, std::string message, std::string hint = "");

}  // namespace danlu
