#include "src/program.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"

namespace danlu {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kLayout = "\n\t";  // what only moves the cursor on

bool holds_presets(const fs::path& folder) {
  std::error_code none;
  return fs::is_directory(folder / "gpus", none);
}

/// A log line as a terminal can show it.
class PrintableLog : public spdlog::sinks::ansicolor_stderr_sink_mt {
 public:
  void log(const spdlog::details::log_msg& message) override {
    const std::string text =
        printable(std::string_view(message.payload.data(), message.payload.size()));
    spdlog::details::log_msg shown = message;
    shown.payload = text;
    spdlog::sinks::ansicolor_stderr_sink_mt::log(shown);
  }
};

/// The sources' own presets, for a program that stands where it was built, which may be outside its
/// source tree. A copy elsewhere does not reach back to them: they may have changed or gone since.
fs::path presets_of_sources(const fs::path& program) {
  std::error_code none;
  const bool as_built = fs::equivalent(program, DANLU_BUILT_PROGRAM, none);
  return as_built ? fs::path(DANLU_SOURCE_DIR) / "topologies" : fs::path();
}

}  // namespace

fs::path topologies_folder() {
  constexpr const char* kVariable = "DANLU_TOPOLOGIES";
  const char* const asked = std::getenv(kVariable);
  if (asked != nullptr && *asked != '\0') {
    if (!holds_presets(asked)) {
      throw InputError(
          Problem{{kVariable, 0, 0},
                  fmt::format("'{}' is no folder of presets: it has no folder 'gpus'", asked),
                  "the folder 'topologies' of danlu's sources",
                  ""});
    }
    return asked;
  }
  std::error_code none;
  const fs::path program = fs::read_symlink("/proc/self/exe", none);
  fs::path at = program.parent_path();
  for (bool last = false; !last; at = at.parent_path()) {
    for (const char* below : {"topologies", "share/danlu/topologies"}) {
      if (holds_presets(at / below)) {
        return at / below;
      }
    }
    last = at == at.parent_path();
  }
  if (fs::path sources = presets_of_sources(program); holds_presets(sources)) {
    return sources;
  }
  throw InputError(
      Problem{{"topologies", 0, 0},
              fmt::format("the folder of presets is not there: looked for 'topologies' and "
                          "'share/danlu/topologies' in {} and every folder above it",
                          program.parent_path().string()),
              fmt::format("say where it is: {}=/path/to/topologies danlu ...", kVariable),
              ""});
}

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool refused = no_colour != nullptr && *no_colour != '\0';
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return isatty(STDOUT_FILENO) == 1 && !refused && !dumb;
}

std::optional<int> terminal_columns(int descriptor) {
  winsize size{};
  const bool known = isatty(descriptor) == 1 && ioctl(descriptor, TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? std::optional<int>(size.ws_col) : std::nullopt;
}

bool wants_unicode() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {  // the first that is set counts
    const char* const locale = std::getenv(variable);
    if (locale != nullptr && *locale != '\0') {
      const std::string_view name = locale;
      const bool utf8 = name.ends_with("UTF-8") || name.ends_with("utf8");
      return utf8 && isatty(STDOUT_FILENO) == 1;
    }
  }
  return false;
}

void print_page(std::string_view page) {
  const bool written = std::fwrite(page.data(), 1, page.size(), stdout) == page.size();
  if (!written || std::fflush(stdout) != 0) {
    throw InputError(Problem{
        {"stdout", 0, 0}, fmt::format("cannot be written: {}", std::strerror(errno)), "", ""});
  }
}

void print(std::string_view text) {
  print_page(printable(text, kLayout));
}

void print_json(const nlohmann::ordered_json& json) {
  print(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void complain(std::string_view text) noexcept {
  try {
    const std::string shown = printable(text, kLayout);
    std::fwrite(shown.data(), 1, shown.size(), stderr);
    std::fflush(stderr);
  } catch (const std::bad_alloc&) {
    std::fputs("error: out of memory\n", stderr);
  }
}

void redraw(std::string_view line) noexcept {
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void set_up_logging(int verbosity) {
  auto logger = std::make_shared<spdlog::logger>("danlu", std::make_shared<PrintableLog>());
  logger->set_pattern("%^%l%$: %v");
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::warn, spdlog::level::info,
                                                   spdlog::level::debug, spdlog::level::trace};
  logger->set_level(kLevels[verbosity > 3 ? 3 : verbosity]);
  logger->set_error_handler([](const std::string&) {});  // stderr is gone
  spdlog::set_default_logger(std::move(logger));
}

void refuse(const std::string& option, std::string message, std::string hint) {
  throw InputError(Problem{{option, 0, 0}, std::move(message), std::move(hint), ""});
}

}  // namespace danlu
