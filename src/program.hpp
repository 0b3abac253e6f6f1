// What the sub-commands share: exit codes, options, where presets lie, and how output gets out.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace danlu {

inline constexpr int kExitDone = 0;
inline constexpr int kExitCannotRun = 1;  // the plan cannot run, in the GPUs' memory or in ours
inline constexpr int kExitBadInput = 2;   // bad input or usage
inline constexpr int kExitInternal = 3;   // a bug of ours

/// A plan that cannot run here, though nothing is wrong with the input; ends as kExitCannotRun.
class CannotRun : public std::runtime_error {
 public:
  CannotRun(const std::string& why, std::string hint)
      : std::runtime_error(why), hint_(std::move(hint)) {}
  const std::string& hint() const { return hint_; }

 private:
  std::string hint_;
};

/// Options that every command has.
struct CommonOptions {
  double max_tasks = 2e6;              // that a step may have, and slices that a trace may have
  std::vector<std::string> overrides;  // --set
  bool json = false;
  bool simgrid_log = false;
  int verbosity = 0;
};

/// The folder of presets: beside or above the program's own file, or installed under share/danlu.
/// Throws std::runtime_error when there is none.
std::filesystem::path topologies_folder();

/// Whether stdout is a terminal that wants colour (NO_COLOR, TERM=dumb).
bool wants_colour();

/// Writes to stdout; throws std::runtime_error when that fails (disk full, closed).
void print(const std::string& text);

/// Writes `text` beside `file` and renames it, so that the file is whole or not there at all; links
/// to it stay, and so do devices and pipes, which are written to. Throws InputError.
void write_file(const std::filesystem::path& file, const std::string& text);

/// Sends spdlog to stderr at the level of -v, -vv, -vvv.
void set_up_logging(int verbosity);

}  // namespace danlu
