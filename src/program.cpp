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

namespace {

/// Writes to what is there, or to a new file; the error number, or 0.
int fill_file(const fs::path& file, const std::string& text) {
  std::FILE* stream = std::fopen(file.c_str(), "wb");
  if (stream == nullptr) {
    return errno;
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  const int error = errno;
  return std::fclose(stream) != 0 && written ? errno : written ? 0 : error;
}

/// The same through a file beside it; the old file stays whole until the new one is.
int replace_file(const fs::path& file, const fs::file_status& old, const std::string& text) {
  fs::path temporary = file;
  temporary += fmt::format(".{}.tmp", getpid());
  int error = fill_file(temporary, text);
  std::error_code failed;
  if (error == 0 && fs::exists(old)) {
    fs::permissions(temporary, old.permissions(), failed);
  }
  if (error == 0) {
    fs::rename(temporary, file, failed);
    error = failed.value();
  }
  if (error != 0) {
    fs::remove(temporary, failed);
  }
  return error;
}

/// The file that links lead to, whether it is there or not.
fs::path behind_links(fs::path file) {
  constexpr int kMostLinks = 40;  // as Linux has it
  std::error_code none;
  for (int links = 0; links < kMostLinks && fs::is_symlink(file, none); ++links) {
    file = file.parent_path() / fs::read_symlink(file, none);
  }
  return file;
}

}  // namespace

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
  const auto fail = [&](int error) {
    throw InputError(Problem{
        {file.string(), 0, 0}, fmt::format("cannot be written: {}", std::strerror(error)), "", ""});
  };
  std::error_code none;
  const fs::file_status status = fs::status(file, none);
  if (fs::equivalent(file, "/dev/stdout", none)) {
    print(text);  // the report follows there
  } else if (fs::exists(status) && !fs::is_regular_file(status)) {
    if (const int error = fill_file(file, text)) {
      fail(error);
    }
  } else if (const int error = replace_file(behind_links(file), status, text)) {
    fail(error);
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
