#include "sim/import/pipeline_layout.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "sim/base/text.hpp"

namespace danlu {
namespace {

constexpr std::size_t kLongest = 100000;

/// With all that repeats written out; nothing where it is not well formed.
std::optional<std::string> written_out(std::string_view text) {
  std::string whole;
  while (!text.empty()) {
    std::string_view piece = text.substr(0, 1);
    std::size_t taken = 1;
    if (piece == "(") {
      taken = text.find(')') == std::string_view::npos ? 0 : text.find(')') + 1;
      if (taken < 2) {
        return std::nullopt;
      }
      piece = text.substr(1, taken - 2);
    }
    text.remove_prefix(taken);
    long times = 1;
    if (text.starts_with('*')) {
      const std::size_t end = std::min(text.find_first_not_of("0123456789", 1), text.size());
      if (std::from_chars(text.data() + 1, text.data() + end, times).ec != std::errc{}) {
        return std::nullopt;
      }
      text.remove_prefix(end);
    }
    if (times > static_cast<long>(kLongest) ||
        whole.size() + piece.size() * static_cast<std::size_t>(times) > kLongest) {
      return std::nullopt;
    }
    for (; times > 0; --times) {
      whole += piece;
    }
  }
  return whole;
}

}  // namespace

std::optional<PipelineLayout> read_pipeline_layout(std::string_view text) {
  std::string bare(text);
  std::erase_if(bare, [](char letter) { return letter == ',' || letter == ' '; });
  const std::optional<std::string> whole = written_out(bare);
  if (!whole || whole->find_first_not_of("EtmL|") != std::string::npos || whole->empty()) {
    return std::nullopt;
  }
  PipelineLayout layout;
  const std::vector<std::string_view> parts = split(*whole, '|');
  for (const std::string_view part : parts) {
    layout.layers.push_back(static_cast<int>(std::count(part.begin(), part.end(), 't')));
    if (part.find('m') != std::string_view::npos) {
      layout.predicts = layout.layers.size() - 1;
    }
  }
  return layout;
}

void take_pipeline_layout(Draft& draft, const GivenFlag& given, long stages) {
  const std::optional<PipelineLayout> layout = read_pipeline_layout(given.value);
  const auto parts = static_cast<long>(layout ? layout->layers.size() : 0);
  if (parts < stages || parts % stages != 0) {
    draft.not_used(given, "it is no layout of so many stages");
    return;
  }
  draft.set("parallelism.stage_layers", fmt::format("[{}]", fmt::join(layout->layers, ", ")),
            &given);
  if (parts > stages) {
    draft.set("training.schedule.chunks", std::to_string(parts / stages), &given);
  }
  const std::size_t behind = layout->layers.size() - 1 - layout->predicts.value_or(0);
  if (!layout->predicts || behind == 0) {
    return;
  }
  if (behind == 1) {
    draft.set("parallelism.prediction_before_head", "true", &given);
  } else {
    draft.remark(
        "layers that predict more (m) lie on the last part in danlu, or on the one before it: "
        "leave no empty part behind them");
  }
}

}  // namespace danlu
