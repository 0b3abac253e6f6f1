#include "src/program.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "sim/base/error.hpp"

namespace danlu {

namespace fs = std::filesystem;

fs::path topologies_folder() {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  for (fs::path at = program.parent_path();; at = at.parent_path()) {
    for (const char* below : {"topologies", "share/danlu/topologies"}) {
      if (fs::is_directory(at / below / "gpus")) {
        return at / below;
      }
    }
    if (at == at.root_path() && fs::is_directory(fs::path(DANLU_SOURCE_DIR) / "topologies")) {
      return fs::path(DANLU_SOURCE_DIR) / "topologies";  // built outside its source tree
    }
    if (at == at.root_path()) {
      throw std::runtime_error(fmt::format(
          "the presets (a folder 'topologies') are not beside or above {}", program.string()));
    }
  }
}

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool refused = no_colour != nullptr && *no_colour != '\0';
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return isatty(STDOUT_FILENO) == 1 && !refused && !dumb;
}

void print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    throw std::runtime_error(fmt::format("cannot write the result: {}", std::strerror(errno)));
  }
}

void write_file(const fs::path& file, const std::string& text) {
  fs::path temporary = file;
  temporary += fmt::format(".{}.tmp", getpid());
  std::FILE* stream = std::fopen(temporary.c_str(), "wb");
  const auto fail = [&](int error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw InputError(Problem{
        {file.string(), 0, 0}, fmt::format("cannot be written: {}", std::strerror(error)), "", ""});
  };
  if (stream == nullptr) {
    fail(errno);
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  const int write_error = errno;
  if (std::fclose(stream) != 0 || !written) {
    fail(written ? errno : write_error);
  }
  std::error_code error;
  fs::rename(temporary, file, error);
  if (error) {
    fail(error.value());
  }
}

void set_up_logging(int verbosity) {
  auto logger = spdlog::stderr_color_mt("danlu");
  logger->set_pattern("%^%l%$: %v");
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::warn, spdlog::level::info,
                                                   spdlog::level::debug, spdlog::level::trace};
  logger->set_level(kLevels[verbosity > 3 ? 3 : verbosity]);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace danlu
