#include "src/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/report/page.hpp"

namespace danlu {
namespace {

constexpr std::chrono::seconds kBetween{10};  // lines of a file

}  // namespace

Progress::Progress(const CommonOptions& common)
    : quiet_(common.quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      next_(begin_ + kBetween) {}

void Progress::say(std::string_view line) {
  if (quiet_) {
    return;
  }
  const std::lock_guard lock(guard_);
  if (terminal_) {
    constexpr int kNarrowest = 20;
    const int width = std::max(kNarrowest, terminal_columns(STDERR_FILENO).value_or(100) - 1);
    redraw(fmt::format("\r\x1b[K{}", printable(line.substr(0, static_cast<std::size_t>(width)))));
    drawn_ = true;
    return;
  }
  const Clock::time_point now = Clock::now();
  if (now < next_) {
    return;
  }
  next_ = now + kBetween;
  const std::chrono::duration<double> passed = now - begin_;
  complain(fmt::format("after {:.0f} s: {}\n", passed.count(), line));
}

void Progress::clear() {
  const std::lock_guard lock(guard_);
  if (drawn_) {
    redraw("\r\x1b[K");
    drawn_ = false;
  }
}

std::function<void(std::size_t, std::size_t)> counting(Progress& progress, std::string_view what) {
  return [&progress, what = std::string(what)](std::size_t done, std::size_t all) {
    progress.say(fmt::format("{} of {} {}", thousands(static_cast<double>(done)),
                             thousands(static_cast<double>(all)), what));
  };
}

}  // namespace danlu
