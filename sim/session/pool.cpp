#include "sim/session/pool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/threads.hpp"
#include "sim/engine/engine.hpp"

namespace danlu {
namespace {

// ---- A Played as bytes: its outcome, the length of `why` and `why`, the number of tasks, their
// starts and finishes, the end.

template <typename T>
void append(std::string& bytes, const T* values, std::size_t count) {
  bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

std::string pack(const Played& played) {
  const std::size_t length = played.why.size();
  const std::size_t tasks = played.timeline.start.size();
  std::string bytes;
  append(bytes, &played.outcome, 1);
  append(bytes, &length, 1);
  append(bytes, played.why.data(), length);
  append(bytes, &tasks, 1);
  append(bytes, played.timeline.start.data(), tasks);
  append(bytes, played.timeline.finish.data(), tasks);
  append(bytes, &played.timeline.end, 1);
  return bytes;
}

/// Takes values from the front of `bytes`; false where there are not so many.
template <typename T>
bool take(std::string_view& bytes, T* values, std::size_t count) {
  if (count > bytes.size() / sizeof(T)) {
    return false;
  }
  std::memcpy(values, bytes.data(), count * sizeof(T));
  bytes.remove_prefix(count * sizeof(T));
  return true;
}

/// None where the bytes end too early.
std::optional<Played> unpack(std::string_view bytes) {
  Played played;
  std::size_t length = 0;
  if (!take(bytes, &played.outcome, 1) || !take(bytes, &length, 1) || length > bytes.size()) {
    return std::nullopt;
  }
  played.why = bytes.substr(0, length);
  bytes.remove_prefix(length);
  std::size_t tasks = 0;
  if (!take(bytes, &tasks, 1) || tasks > bytes.size() / sizeof(Seconds)) {
    return std::nullopt;
  }
  Timeline& timeline = played.timeline;
  timeline.start.resize(tasks);
  timeline.finish.resize(tasks);
  const bool whole = take(bytes, timeline.start.data(), tasks) &&
                     take(bytes, timeline.finish.data(), tasks) && take(bytes, &timeline.end, 1);
  return whole ? std::optional(std::move(played)) : std::nullopt;
}

// ---- A process.

struct Process {
  pid_t id = -1;
  int pipe = -1;  // to read from
  std::size_t number = 0;
  std::string bytes;
};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

Played out_of_memory() {
  return {.outcome = Played::Outcome::OutOfMemory, .why = std::bad_alloc().what()};
}
Played failed(std::string why) {
  return {.outcome = Played::Outcome::Failed, .why = std::move(why)};
}

Played result_of(std::size_t number, const std::function<Played(std::size_t)>& play) {
  try {
    return play(number);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& error) {
    return failed(error.what());
  } catch (...) {
    return failed("unknown exception");
  }
}

void write_all(int pipe, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(pipe, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return;  // the parent is gone
    }
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
}

/// The whole life of a process.
[[noreturn]] void live(int pipe, std::size_t number, const std::optional<double>& patience,
                       const std::function<Played(std::size_t)>& play) {
  if (patience) {
    std::signal(SIGALRM, SIG_DFL);
    constexpr double kTick = 1e-6;  // of the timer, which nought would stop
    const double whole = std::floor(*patience);
    itimerval timer{};
    timer.it_value.tv_sec = static_cast<time_t>(whole);
    timer.it_value.tv_usec = static_cast<suseconds_t>((*patience - whole) / kTick);
    timer.it_value.tv_usec = std::max<suseconds_t>(timer.it_value.tv_usec, whole > 0 ? 0 : 1);
    (void)setitimer(ITIMER_REAL, &timer, nullptr);
  }
  try {
    write_all(pipe, pack(result_of(number, play)));
  } catch (const std::bad_alloc&) {
    write_all(pipe, pack(out_of_memory()));
  }
  _exit(0);  // without the parent's buffers and destructors
}

Process start(std::size_t number, const PoolOptions& options,
              const std::function<Played(std::size_t)>& play) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    fail("cannot make a pipe");
  }
  const pid_t parent = getpid();
  (void)std::fflush(nullptr);  // SimGrid flushes too: the process would write our text once more
  const pid_t id = fork();
  if (id < 0) {
    close(ends[0]);
    close(ends[1]);
    fail("cannot make a process");
  }
  if (id == 0) {
    close(ends[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would take the result
    if (getppid() != parent) {
      _exit(0);
    }
    live(ends[1], number, options.patience, play);
  }
  close(ends[1]);
  return {id, ends[0], number, {}};
}

/// Takes what has arrived; false at the end.
bool read_some(Process& process) {
  std::array<char, 65536> buffer{};
  const ssize_t got = read(process.pipe, buffer.data(), buffer.size());
  if (got > 0) {
    process.bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return got > 0 || (got < 0 && errno == EINTR);
}

/// Waits until something arrives; takes those out of `running` that have sent all.
std::vector<Process> take_finished(std::vector<Process>& running) {
  std::vector<pollfd> waiting;
  for (const Process& process : running) {
    waiting.push_back({process.pipe, POLLIN, 0});
  }
  if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) {
    fail("cannot wait for processes");
  }
  std::vector<Process> finished;
  std::vector<Process> left;
  for (std::size_t i = 0; i < running.size(); ++i) {
    const bool more = waiting[i].revents == 0 || read_some(running[i]);
    (more ? left : finished).push_back(std::move(running[i]));
  }
  running = std::move(left);
  return finished;
}

Played finish(const Process& process, const std::optional<double>& patience) {
  close(process.pipe);
  int status = 0;
  while (waitpid(process.id, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {  // the kernel, short of memory
    return out_of_memory();
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM && patience) {
    return {.outcome = Played::Outcome::TooLong,
            .why = fmt::format("took longer than {} s", *patience)};
  }
  if (WIFSIGNALED(status)) {
    return failed(fmt::format("killed by signal {}", WTERMSIG(status)));
  }
  return unpack(process.bytes)
      .value_or(failed(fmt::format("ended with status {}", WEXITSTATUS(status))));
}

}  // namespace

Seconds end_of(const Played& played) {
  switch (played.outcome) {
    case Played::Outcome::Hung:
      throw CannotRun(played.why,
                      "the job ends there; the faults section says what that costs in a campaign");
    case Played::Outcome::OutOfMemory:
      throw std::bad_alloc();
    case Played::Outcome::Failed:
    case Played::Outcome::TooLong:
      throw InternalError(played.why);
    case Played::Outcome::Ended:
      break;
  }
  return played.timeline.end;
}

std::vector<Played> play_in_processes(std::size_t count, const PoolOptions& options,
                                      const std::function<Played(std::size_t)>& play) {
  load_engine();
  const auto most =
      static_cast<std::size_t>(options.processes > 0 ? options.processes : processors());
  std::vector<Played> results(count);
  std::vector<Process> running;
  std::size_t ended = 0;
  try {
    for (std::size_t next = 0; next < results.size() || !running.empty();) {
      while (next < results.size() && running.size() < most) {
        if (options.go_on && !options.go_on()) {
          results.resize(next);
          break;
        }
        if (options.before) {
          options.before(next);
        }
        running.push_back(start(next++, options, play));
      }
      if (running.empty()) {
        break;  // nothing to wait for
      }
      for (const Process& process : take_finished(running)) {
        results[process.number] = finish(process, options.patience);
        ++ended;
        if (options.take) {
          options.take(process.number, results[process.number]);
        }
        if (options.after) {
          options.after(ended);
        }
      }
    }
  } catch (...) {  // no process outlives the call
    for (const Process& process : running) {
      kill(process.id, SIGKILL);
      finish(process, std::nullopt);
    }
    throw;
  }
  return results;
}

}  // namespace danlu
