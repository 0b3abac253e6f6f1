#include "sim/scenario/huggingface_layers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace danlu {
namespace {

bool picks(const EachSoMany& rule, const std::vector<bool>& picked) {
  for (int layer = 0; layer < static_cast<int>(picked.size()); ++layer) {
    const bool has_turn = layer >= rule.behind && (layer + 1) % rule.every == 0;
    if (has_turn != picked[static_cast<std::size_t>(layer)]) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<EachSoMany> each_so_many(const std::vector<bool>& picked) {
  const auto first = std::find(picked.begin(), picked.end(), true);
  const auto second = std::find(std::next(first), picked.end(), true);
  const int at = static_cast<int>(first - picked.begin());
  // Of a single one every number that divides its own comes round again no later than its own.
  const int every = second == picked.end() ? at + 1 : static_cast<int>(second - first);
  for (const int behind : {0, at}) {
    if (picks({behind, every}, picked)) {
      return EachSoMany{behind, every};
    }
  }
  return std::nullopt;
}

std::string layers_text(const std::vector<bool>& picked) {
  std::vector<std::string> runs;
  const auto count = static_cast<int>(picked.size());
  for (int layer = 0; layer < count; ++layer) {
    if (!picked[static_cast<std::size_t>(layer)]) {
      continue;
    }
    int last = layer;
    while (last + 1 < count && picked[static_cast<std::size_t>(last) + 1]) {
      ++last;
    }
    runs.push_back(last == layer ? fmt::format("{}", layer) : fmt::format("{} to {}", layer, last));
    layer = last;
  }
  constexpr std::size_t kMostRuns = 8;
  if (runs.size() > kMostRuns) {
    runs.resize(kMostRuns);
    runs.emplace_back("...");
  }
  return fmt::format("{} of {} layers{}", std::count(picked.begin(), picked.end(), true), count,
                     runs.empty() ? "" : fmt::format(" ({})", fmt::join(runs, ", ")));
}

}  // namespace danlu
