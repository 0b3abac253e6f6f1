#include "sim/schedule/rounds.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace danlu {
namespace {

/// An action, whatever its microbatch.
struct Part {
  ActionKind kind{};
  int chunk = 0;
  bool first = false;
  bool last = false;
  bool operator==(const Part&) const = default;
};

using Pass = std::vector<Part>;

std::vector<Pass> passes_of(std::span<const Action> row) {
  std::map<int, int> kept;  // microbatches that are still to be freed, by chunk
  for (const Action& action : row) {
    kept[action.chunk] += action.frees() ? 1 : 0;
  }
  std::map<int, bool> begun;
  std::vector<Pass> passes;
  bool beside = false;
  for (const Action& action : row) {
    Part part{.kind = action.kind, .chunk = action.chunk};
    if (action.is_forward()) {
      part.first = !begun[action.chunk];
      begun[action.chunk] = true;
    }
    part.last = action.frees() && --kept[action.chunk] == 0;
    if (!beside) {
      passes.emplace_back();
    }
    passes.back().push_back(part);
    beside = action.with_next;
  }
  return passes;
}

}  // namespace

std::optional<RowRound> round_between(std::span<const Action> row, std::span<const Action> longer) {
  const std::vector<Pass> shorter = passes_of(row);
  const std::vector<Pass> more = passes_of(longer);
  if (more.size() <= shorter.size()) {
    return std::nullopt;
  }
  const std::size_t length = more.size() - shorter.size();
  const auto before = static_cast<std::size_t>(
      std::mismatch(shorter.begin(), shorter.end(), more.begin()).first - shorter.begin());
  const auto behind = static_cast<std::size_t>(
      std::mismatch(shorter.rbegin(), shorter.rend(), more.rbegin()).first - shorter.rbegin());
  // All up to the end of the round is as it was, and so is all from its beginning on.
  if (before < length || shorter.size() - behind > before - length) {
    return std::nullopt;
  }
  return RowRound{.first = shorter.size() - behind, .last = before - length, .length = length};
}

}  // namespace danlu
