#include "src/child_process.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <new>
#include <string_view>
#include <system_error>

namespace danlu {
namespace {

struct Child {
  pid_t process = -1;
  int pipe = -1;  // to read from
  std::size_t job = 0;
  std::string text;
};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void write_all(int pipe, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(pipe, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return;  // the parent is gone
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
}

/// The child's life: its first byte out says whether the rest is the result or a complaint.
[[noreturn]] void live(int pipe, std::size_t job,
                       const std::function<std::string(std::size_t)>& work) {
  std::string text;
  try {
    text = work(job);
    text.insert(text.begin(), '+');
  } catch (const std::exception& error) {
    text = fmt::format("-{}", error.what());
  } catch (...) {
    text = "-unknown exception";
  }
  write_all(pipe, text);
  _exit(0);  // without the parent's buffers and destructors
}

Child start(std::size_t job, const std::function<std::string(std::size_t)>& work) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    fail("cannot make a pipe");
  }
  const pid_t parent = getpid();
  const pid_t process = fork();
  if (process < 0) {
    close(ends[0]);
    close(ends[1]);
    fail("cannot make a process");
  }
  if (process == 0) {
    close(ends[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would take the result
    if (getppid() != parent) {
      _exit(0);
    }
    live(ends[1], job, work);
  }
  close(ends[1]);
  return {process, ends[0], job, {}};
}

/// Takes what has arrived; false at the end.
bool read_some(Child& child) {
  std::array<char, 65536> buffer{};
  const ssize_t got = read(child.pipe, buffer.data(), buffer.size());
  if (got > 0) {
    child.text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return got > 0 || (got < 0 && errno == EINTR);
}

ChildResult finish(const Child& child) {
  close(child.pipe);
  int status = 0;
  while (waitpid(child.process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {  // the kernel, short of memory
    return {false, std::bad_alloc().what()};
  }
  if (WIFSIGNALED(status)) {
    return {false, fmt::format("killed by signal {}", WTERMSIG(status))};
  }
  if (WEXITSTATUS(status) != 0 || child.text.empty()) {
    return {false, fmt::format("ended with status {}", WEXITSTATUS(status))};
  }
  return {child.text.front() == '+', child.text.substr(1)};
}

}  // namespace

std::vector<ChildResult> run_in_children(std::size_t count, int jobs,
                                         const std::function<std::string(std::size_t)>& work) {
  std::vector<ChildResult> results(count);
  std::vector<Child> children;
  std::size_t next = 0;
  while (next < count || !children.empty()) {
    while (next < count && children.size() < static_cast<std::size_t>(std::max(jobs, 1))) {
      children.push_back(start(next++, work));
    }
    std::vector<pollfd> waiting;
    for (const Child& child : children) {
      waiting.push_back({child.pipe, POLLIN, 0});
    }
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) {
      fail("cannot wait for processes");
    }
    std::vector<Child> alive;
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (waiting[i].revents == 0 || read_some(children[i])) {
        alive.push_back(std::move(children[i]));
      } else {
        results[children[i].job] = finish(children[i]);
      }
    }
    children = std::move(alive);
  }
  return results;
}

}  // namespace danlu
