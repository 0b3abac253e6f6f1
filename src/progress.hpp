// How far long work is, on stderr, for whoever looks on. A terminal has one line that is drawn over
// and over. A file or a pipe gets a whole line every ten seconds, and none of what is done sooner:
//
//   after 20 s: 64 plans played, 12 may still win; best 6.821 s: tensor 2, pipeline 1
//
// A line comes when something was done, never from a thread of its own: the program makes processes
// meanwhile, which only a program of one thread does safely.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "src/program.hpp"

namespace danlu {

/// One class, since what is printed depends on what was, and when. Its line goes with it.
class Progress {
 public:
  /// Nothing is said where `common` is quiet.
  explicit Progress(const CommonOptions& common);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  /// What is being done now. Several threads may say so.
  void say(std::string_view line);
  /// Takes the terminal's line away, before anything else is printed.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool quiet_ = false;
  bool terminal_ = false;
  Clock::time_point begin_;
  Clock::time_point next_;  // when a file gets a line
  bool drawn_ = false;      // a terminal has one
  std::mutex guard_;        // of the last two, and of stderr
};

/// "123 of 798 points" of work that is counted; `progress` outlives it.
std::function<void(std::size_t, std::size_t)> counting(Progress& progress, std::string_view what);

}  // namespace danlu
