// A schedule that the user writes: a line for each stage, of PyTorch's words
//
//   0F0 0F1 0I0 0W0 0I1 0W1        part, action, microbatch
//   1F0 1I0 1F1 1W0 1I1 1W1
//
// whose first number is that of a part of the model (a virtual stage), and (2F3;1B0) a pair side by
// side. It is checked whole, before anything is played.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/schedule/action.hpp"
#include "sim/schedule/placement.hpp"

namespace danlu {

struct GridProblem {
  std::size_t line = 0;
  std::size_t column = 0;  // characters before it in the line
  std::string message;
  std::string hint;
};

/// What stages do, in order, by stage; empty where there are problems.
struct ScheduleGrid {
  std::vector<std::vector<Action>> actions;
  std::vector<GridProblem> problems;
};

/// Checks that every stage does what lies on it for every microbatch, each once, in an order in
/// which no stage waits for ever.
ScheduleGrid read_grid(std::span<const std::string> lines, const Placement& placement,
                       int microbatches);

/// How many chunks a stage holds, by the largest number of a part; 1 where no word has one.
int chunks_of_grid(std::span<const std::string> lines, int stages);

}  // namespace danlu
