// Runs functions in child processes, several at a time: SimGrid allows one simulation per process,
// and what goes wrong in a child leaves the others alone.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace danlu {

/// What a child made: the bytes its function returned, or why it returned none.
struct ChildResult {
  bool succeeded = false;
  std::string output;  // else the exception's text, or "killed by signal 9"
};

/// Calls `work(0)` to `work(count - 1)`, each in a child, at most `jobs` at once; results in order.
/// Call it from a process with one thread. Throws std::system_error when no child can be made.
std::vector<ChildResult> run_in_children(std::size_t count, int jobs,
                                         const std::function<std::string(std::size_t)>& work);

}  // namespace danlu
