// Independent work on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace danlu {

/// As many as this machine has; at least one.
inline int processors() {
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

/// Is told of work that is done, so much of how much; by one thread at a time.
using CountProgress = std::function<void(std::size_t done, std::size_t of)>;

/// Calls work(own, i) for every i below `count`, each once, on so many threads (0: as many as there
/// are processors), with `own` what make() returned to the thread; they have ended when it returns.
/// What is thrown first, in the order of threads, is thrown here.
template <typename Make, typename Work>
void for_each_on_threads(std::size_t count, int threads, const Make& make, const Work& work,
                         const CountProgress& progress = {}) {
  const auto most = static_cast<std::size_t>(threads > 0 ? threads : processors());
  std::vector<std::exception_ptr> thrown(std::clamp<std::size_t>(count, 1, most));
  std::atomic<std::size_t> next = 0;
  std::mutex guard;
  std::size_t done = 0;  // with `progress`
  const auto live = [&](std::size_t thread) {
    try {
      auto own = make();
      for (std::size_t i = next++; i < count; i = next++) {
        work(own, i);
        if (progress) {
          const std::lock_guard lock(guard);
          progress(++done, count);
        }
      }
    } catch (...) {
      thrown[thread] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t thread = 1; thread < thrown.size(); ++thread) {
      others.emplace_back(live, thread);
    }
    live(0);
  }
  for (const std::exception_ptr& error : thrown) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

}  // namespace danlu
