#include "src/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/gzip.hpp"
#include "src/program.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// While it lives, signals that end the program wait: a temporary file is removed first.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
      sigaddset(&ending, signal);
    }
    sigprocmask(SIG_BLOCK, &ending, &before_);
  }
  ~SignalsHeld() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

  static bool one_waits() {
    sigset_t waiting;
    sigpending(&waiting);
    return sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1 ||
           sigismember(&waiting, SIGHUP) == 1 || sigismember(&waiting, SIGQUIT) == 1;
  }

 private:
  sigset_t before_{};
};

[[noreturn]] void fail(int error) {
  throw std::system_error(error, std::generic_category());
}

/// A file that is open for writing.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {
    if (number < 0) {
      fail(errno);
    }
  }
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  /// Writes all of `text`, looking for signals now and then.
  void write(std::string_view text) const {
    constexpr std::size_t kPiece = std::size_t{1} << 20;
    while (!text.empty()) {
      if (SignalsHeld::one_waits()) {
        fail(ECANCELED);
      }
      const ssize_t written = ::write(number_, text.data(), std::min(text.size(), kPiece));
      if (written < 0 && errno != EINTR) {
        fail(errno);
      }
      text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
  }
  void close() {
    if (::close(std::exchange(number_, -1)) != 0) {
      fail(errno);
    }
  }

 private:
  int number_;
};

/// While it lives, that the reader of a pipe goes away is an error like any other.
class BrokenPipesHeld {
 public:
  BrokenPipesHeld() : before_(std::signal(SIGPIPE, SIG_IGN)) {}
  ~BrokenPipesHeld() { std::signal(SIGPIPE, before_); }
  BrokenPipesHeld(const BrokenPipesHeld&) = delete;
  BrokenPipesHeld& operator=(const BrokenPipesHeld&) = delete;

 private:
  void (*before_)(int);
};

/// A device or a pipe.
void fill_special(const fs::path& file, const TextWriter& write) {
  const BrokenPipesHeld held;
  Descriptor descriptor(open(file.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  write([&](std::string_view text) { descriptor.write(text); });
  descriptor.close();
}

mode_t mode_of_new_files() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

/// Makes an empty file beside `file`, under a name that nobody can guess and that is never too
/// long. The descriptor, or -1 with errno.
int make_beside(const fs::path& file, std::string& name) {
  name = (file.parent_path() / ".danlu-XXXXXX").string();
  return mkostemp(name.data(), O_CLOEXEC);
}

/// Removes a file unless it was given away.
class Temporary {
 public:
  explicit Temporary(std::string name) : name_(std::move(name)) {}
  ~Temporary() {
    if (!name_.empty()) {
      unlink(name_.c_str());
    }
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void rename(const fs::path& file) {
    if (std::rename(name_.c_str(), file.c_str()) != 0) {
      fail(errno);
    }
    name_.clear();
  }

 private:
  std::string name_;
};

/// Through a file beside it; the old file stays whole until the new one is.
void replace_file(const fs::path& file, const TextWriter& write) {
  const SignalsHeld held;
  struct stat old {};
  const mode_t mode = stat(file.c_str(), &old) == 0 ? old.st_mode & 07777 : mode_of_new_files();
  std::string name;
  Descriptor descriptor(make_beside(file, name));
  Temporary temporary(name);
  write([&](std::string_view text) { descriptor.write(text); });
  if (fchmod(descriptor.number(), mode) != 0) {
    fail(errno);
  }
  descriptor.close();
  temporary.rename(file);
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

/// The ending of a file's name, in small letters.
std::string ending_of(const fs::path& file) {
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

/// What an option writes, where its name alone says that.
struct Written {
  std::string_view option, ending, hint;
};
constexpr std::array kWritten{
    Written{"--svg", ".svg", "it is a drawing as SVG; .svg.gz compresses it"},
    Written{"--plot", ".svg", "it is a drawing as SVG; .svg.gz compresses it"},
    Written{"--trace", ".json", "it is a trace for Perfetto; .json.gz compresses it"}};

bool is_special(const fs::path& file) {
  std::error_code none;
  const fs::file_status status = fs::status(file, none);
  return fs::exists(status) && !fs::is_regular_file(status);
}

/// What can be said of an output file before hours of simulation.
void check_output(const Output& output) {
  const auto& [option, file] = output;
  std::error_code none;
  const fs::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (file.empty()) {
    refuse(option, "expected the name of a file, found nothing");
  }
  if (fs::is_directory(file, none)) {
    refuse(option, fmt::format("'{}' is a directory, not a file", file.string()),
           output.hint(file));
  }
  if (!fs::is_directory(folder, none)) {
    refuse(option, fmt::format("'{}' cannot be written: there is no folder '{}'", file.string(),
                               folder.string()));
  }
  if (const std::string why = why_unwritable(file); !why.empty()) {
    refuse(option, fmt::format("'{}' cannot be written: {}", file.string(), why));
  }
}

}  // namespace

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code none;
  if (is_special(a) || is_special(b)) {
    return false;
  }
  return fs::equivalent(a, b, none) ||
         fs::weakly_canonical(behind_links(a), none) == fs::weakly_canonical(behind_links(b), none);
}

std::string why_unwritable(const fs::path& file) {
  if (is_special(file)) {
    return access(file.c_str(), W_OK) == 0 ? "" : std::strerror(errno);
  }
  const SignalsHeld held;
  const fs::path real = behind_links(file);
  struct stat old {};
  if (lstat(real.c_str(), &old) != 0 && errno != ENOENT) {
    return std::strerror(errno);  // too long a name, say
  }
  std::string name;
  const int descriptor = make_beside(real, name);
  if (descriptor < 0) {
    return std::strerror(errno);
  }
  close(descriptor);
  unlink(name.c_str());
  return "";
}

void write_file(const fs::path& file, const TextWriter& write) {
  const TextWriter compressed = [&](const TextSink& out) {
    Gzip gzip(out);
    write([&](std::string_view text) { gzip.write(text); });
    gzip.finish();
  };
  const TextWriter& written = is_gzip(file) ? compressed : write;
  std::error_code none;
  try {
    if (fs::equivalent(file, "/dev/stdout", none)) {
      written(print_page);  // the report follows there
    } else if (is_special(file)) {
      fill_special(file, written);
    } else {
      replace_file(behind_links(file), written);
    }
  } catch (const std::system_error& error) {
    throw InputError(Problem{{file.string(), 0, 0},
                             fmt::format("cannot be written: {}", error.code().message()),
                             "",
                             ""});
  }
}

void write_file(const fs::path& file, std::string_view text) {
  write_file(file, [&](const TextSink& out) { out(text); });
}

bool is_gzip(const fs::path& file) {
  return ending_of(file) == ".gz";
}

std::string kind_of(const fs::path& file) {
  return ending_of(is_gzip(file) ? file.stem() : file);
}

std::string Output::hint(const fs::path& folder) const {
  const std::string_view name = option == "--svg" || option == "--plot" ? "out.svg"
                                : option == "-o"                        ? "points.csv"
                                                                        : "out.json";
  return fmt::format("for example {}", (folder / name).string());
}

void check_outputs(std::span<const Output> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    check_output(outputs[i]);
    for (std::size_t before = 0; before < i; ++before) {
      if (is_same_file(outputs[before].file, outputs[i].file)) {
        refuse(outputs[i].option,
               fmt::format("'{}' is the file of {} too", outputs[i].file.string(),
                           outputs[before].option),
               "each needs a file of its own");
      }
    }
  }
}

void check_endings(std::span<const Output> outputs) {
  for (const auto& [option, file] : outputs) {
    const auto* written = std::find_if(kWritten.begin(), kWritten.end(),
                                       [&](const Written& of) { return of.option == option; });
    const std::string name = fs::absolute(file).lexically_normal().string();
    if (written == kWritten.end() || kind_of(file) == written->ending || is_special(file) ||
        name.starts_with("/dev/") || name.starts_with("/proc/")) {
      continue;
    }
    refuse(option, fmt::format("'{}' does not end in {}", file.string(), written->ending),
           std::string(written->hint));
  }
}

}  // namespace danlu
