#include "sim/schedule/grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace danlu {
namespace {

constexpr std::string_view kBlanks = " \t";

/// A word of a line: an action whose `chunk` is still the number of a part.
struct Word {
  Action action;
  std::size_t column = 0;
};

struct Words {
  std::vector<Word> read;
  std::vector<GridProblem> problems;
};

Words words_of(std::string_view line, std::size_t number) {
  Words words;
  const auto complain = [&](std::size_t column, std::string_view text) {
    words.problems.push_back(
        {number, column,
         fmt::format("expected an action such as 0F1, found '{}'", text.substr(0, 40)),
         "part, one of F (forward), B (backward), I (its input's gradient), W (its weights'), then "
         "microbatch; (1F2;0B0) is a pair"});
  };
  const auto add = [&](std::string_view text, std::size_t column, bool with_next) {
    std::optional<Action> action = parse_action(text);
    if (!action) {
      complain(column, text);
      return;
    }
    action->with_next = with_next;
    words.read.push_back({*action, column});
  };
  for (std::size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;
       at = line.find_first_not_of(kBlanks, at)) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    const std::string_view text = line.substr(at, end - at);
    const std::size_t middle = text.find(';');
    if (text.front() == '(' && text.back() == ')' && middle != std::string_view::npos) {
      add(text.substr(1, middle - 1), at + 1, true);
      add(text.substr(middle + 1, text.size() - middle - 2), at + middle + 1, false);
    } else {
      add(text, at, false);
    }
    at = end;
  }
  return words;
}

/// Checks a grid. One class: a rule for each thing that can be wrong, over words with their places.
class GridReader {
 public:
  GridReader(std::span<const std::string> lines, const Placement& placement, int microbatches)
      : lines_(lines), placement_(placement), microbatches_(microbatches) {}

  ScheduleGrid read() {
    read_words();
    if (problems_.empty()) {
      for (std::size_t line = 0; line < words_.size(); ++line) {
        check_line(line);
      }
    }
    if (problems_.empty()) {
      check_deadlock();
    }
    ScheduleGrid grid{{}, std::move(problems_)};
    for (std::size_t line = 0; line < words_.size() && grid.problems.empty(); ++line) {
      std::vector<Action>& actions = grid.actions.emplace_back();
      for (const Word& word : words_[line]) {
        Action action = word.action;
        action.chunk = placement_.holder(action.chunk).chunk;
        actions.push_back(action);
      }
    }
    return grid;
  }

 private:
  void add(std::size_t line, std::size_t column, std::string message, std::string hint = "") {
    problems_.push_back({line, column, std::move(message), std::move(hint)});
  }
  int stages() const { return placement_.stages(); }

  void read_words() {
    for (std::size_t line = 0; line < lines_.size(); ++line) {
      Words words = words_of(lines_[line], line);
      problems_.insert(problems_.end(), words.problems.begin(), words.problems.end());
      words_.push_back(std::move(words.read));
    }
    if (static_cast<int>(lines_.size()) != stages()) {
      add(std::min(lines_.size() - 1, static_cast<std::size_t>(stages())), 0,
          fmt::format("the grid must have a line for each of {} stages (pipeline), found {} lines",
                      stages(), lines_.size()));
    }
  }

  /// What a line says is of its stage, complete, and in order.
  void check_line(std::size_t line) {
    const int stage = static_cast<int>(line);
    std::map<std::pair<int, int>, std::string> done;  // letters by part and microbatch
    const std::size_t before = problems_.size();
    std::optional<Action> previous;
    for (const Word& word : words_[line]) {
      const Action& action = word.action;
      if (problems_.size() > before) {
        return;  // the rest of the line may only follow from it
      }
      if (action.chunk >= placement_.parts()) {
        add(line, word.column,
            fmt::format("there are {} parts (pipeline x chunks), found part {}", placement_.parts(),
                        action.chunk),
            "parts count from 0");
      } else if (const int holder = placement_.holder(action.chunk).stage; holder != stage) {
        add(line, word.column,
            fmt::format("part {} lies on stage {}, found {} on stage {}", action.chunk, holder,
                        action.text(), stage),
            "training.schedule.placement deals parts in-turn or as a v; lines are stages");
      } else if (action.microbatch >= microbatches_) {
        add(line, word.column,
            fmt::format("a step has {} microbatches (global_batch / micro_batch / data), found {}",
                        microbatches_, action.text()),
            "microbatches count from 0");
      } else {
        std::string& letters = done[{action.chunk, action.microbatch}];
        check_order(line, word, letters);
        letters += row_named(action.kind).letter;
        check_pair(line, word, previous);
      }
      previous = word.action;
    }
    if (problems_.size() == before) {
      check_complete(line, done);
    }
  }

  void check_order(std::size_t line, const Word& word, const std::string& before) {
    const Action& action = word.action;
    const auto has = [&](ActionKind kind) {
      return before.find(row_named(kind).letter) != std::string::npos;
    };
    const auto named = [&](ActionKind kind) {
      Action other = action;
      other.kind = kind;
      return other.text();
    };
    using enum ActionKind;
    if (has(action.kind)) {
      add(line, word.column, fmt::format("{} stands here a second time", action.text()));
    } else if (action.kind != Forward && !has(Forward)) {
      add(line, word.column,
          fmt::format("{} must come after {}, which does not stand before it", action.text(),
                      named(Forward)));
    } else if (action.kind == Weight && !has(Input) && !has(Backward)) {
      add(line, word.column,
          fmt::format("{} must come after {}, which does not stand before it", action.text(),
                      named(Input)));
    } else if ((action.kind == Backward && has(Input)) ||
               (action.kind != Forward && has(Backward))) {
      add(line, word.column,
          fmt::format("{} repeats what {} has made", action.text(),
                      named(has(Backward) ? Backward : Input)),
          "B is I and W together: write either B, or I and W");
    }
  }

  /// What runs side by side must not need one another.
  void check_pair(std::size_t line, const Word& word, const std::optional<Action>& previous) {
    if (previous && previous->with_next && previous->chunk == word.action.chunk &&
        previous->microbatch == word.action.microbatch) {
      add(line, word.column,
          fmt::format("{} cannot run beside {}, whose result it needs", word.action.text(),
                      previous->text()));
    }
  }

  void check_complete(std::size_t line, const std::map<std::pair<int, int>, std::string>& done) {
    std::vector<std::string> missing;
    for (int part = 0; part < placement_.parts(); ++part) {
      for (int m = 0; m < microbatches_ && placement_.holder(part).stage == static_cast<int>(line);
           ++m) {
        const auto found = done.find({part, m});
        const std::string letters = found == done.end() ? "" : found->second;
        const auto lacks = [&](char letter) { return letters.find(letter) == std::string::npos; };
        if (lacks('F')) {
          missing.push_back(fmt::format("{}F{}", part, m));
        } else if (lacks('B') && lacks('I')) {
          missing.push_back(fmt::format("{}B{}", part, m));
        } else if (lacks('B') && lacks('W')) {
          missing.push_back(fmt::format("{}W{}", part, m));
        }
      }
    }
    if (!missing.empty()) {
      add(line, 0,
          fmt::format("stage {} lacks {}{}", line, missing.front(),
                      missing.size() > 1 ? fmt::format(" and {} more", missing.size() - 1) : ""),
          "every stage does each of its parts for every microbatch: F, and B or I and W");
    }
  }

  /// What is made by F, or by B and I: of that part for that microbatch.
  using Made = std::tuple<bool, int, int>;

  /// What an action of another stage must have made before.
  std::optional<Made> need_of(const Action& action) const {
    const bool forward = action.is_forward();
    const int other = action.chunk + (forward ? -1 : 1);
    if (action.kind == ActionKind::Weight || other < 0 || other >= placement_.parts()) {
      return std::nullopt;
    }
    return Made{forward, other, action.microbatch};
  }

  /// Lets the stages go on as far as they can; those that are left wait for one another.
  void check_deadlock() {
    std::set<Made> made;
    std::vector<std::size_t> at(words_.size());
    const auto is_pair = [&](std::size_t line) { return words_[line][at[line]].action.with_next; };
    const auto lacks = [&](const Action& action) -> std::optional<Made> {
      const std::optional<Made> need = need_of(action);
      return need && !made.contains(*need) ? need : std::nullopt;
    };
    const auto waits_for = [&](std::size_t line) -> std::optional<Made> {
      const std::optional<Made> need = lacks(words_[line][at[line]].action);
      return need || !is_pair(line) ? need : lacks(words_[line][at[line] + 1].action);
    };
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t line = 0; line < words_.size(); ++line) {
        while (at[line] < words_[line].size() && !waits_for(line)) {
          for (const std::size_t end = at[line] + (is_pair(line) ? 2 : 1); at[line] < end;) {
            const Action& action = words_[line][at[line]++].action;
            if (action.is_forward() || action.gives_gradient()) {
              made.emplace(action.is_forward(), action.chunk, action.microbatch);
            }
          }
          moved = true;
        }
      }
    }
    for (std::size_t line = 0; line < words_.size(); ++line) {
      if (at[line] < words_[line].size()) {
        std::vector<bool> seen(words_.size());
        while (!seen[line]) {  // on to a stage of the circle
          seen[line] = true;
          line = stage_of(*waits_for(line));
        }
        add_circle(line, at, waits_for);
        return;
      }
    }
  }
  std::size_t stage_of(const Made& need) const {
    return static_cast<std::size_t>(placement_.holder(std::get<1>(need)).stage);
  }

  template <typename WaitsFor>
  void add_circle(std::size_t first, const std::vector<std::size_t>& at,
                  const WaitsFor& waits_for) {
    std::string circle;
    std::size_t line = first;
    do {
      const Made need = *waits_for(line);
      const auto& [forward, part, microbatch] = need;
      const Action& action = words_[line][at[line]].action;
      circle += fmt::format("{}stage {} waits at {} for {}{}{}", circle.empty() ? "" : ", ", line,
                            action.with_next ? fmt::format("({};{})", action.text(),
                                                           words_[line][at[line] + 1].action.text())
                                             : action.text(),
                            part, forward ? 'F' : 'B', microbatch);
      line = stage_of(need);
    } while (line != first);
    add(first, words_[first][at[first]].column, fmt::format("deadlock: {}", circle),
        "what a stage waits for must not stand behind what waits for that stage");
  }

  std::span<const std::string> lines_;
  const Placement& placement_;
  int microbatches_;
  std::vector<std::vector<Word>> words_;  // by line
  std::vector<GridProblem> problems_;
};

}  // namespace

ScheduleGrid read_grid(std::span<const std::string> lines, const Placement& placement,
                       int microbatches) {
  return GridReader(lines, placement, microbatches).read();
}

int chunks_of_grid(std::span<const std::string> lines, int stages) {
  int last = 0;
  for (std::size_t line = 0; line < lines.size(); ++line) {
    for (const Word& word : words_of(lines[line], line).read) {
      last = std::max(last, word.action.chunk);
    }
  }
  return last / stages + 1;
}

}  // namespace danlu
