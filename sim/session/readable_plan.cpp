#include "sim/session/readable_plan.hpp"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

std::optional<LoadOptions> readable_plan(const std::filesystem::path& file,
                                         const WithDegrees& with_degrees) {
  constexpr int kMostStages = 64;
  std::string wrong;  // with the last degrees
  const auto tried = [&](int tensor, int pipeline) -> std::optional<LoadOptions> {
    LoadOptions options = with_degrees(tensor, pipeline);
    try {
      (void)load_scenario(file, options);
      return options;
    } catch (const InputError& error) {
      wrong = error.problems().front().message;
      return {};
    }
  };
  // Where unlike degrees are wrong in the same way, it is not the degrees.
  std::set<std::string> telling;
  for (const auto& [tensor, pipeline] : {std::pair(1, 1), {2, 2}, {4, 3}}) {
    if (std::optional<LoadOptions> options = tried(tensor, pipeline)) {
      return options;
    }
    telling.insert(wrong);
  }
  for (int pipeline = 1; pipeline <= kMostStages && telling.size() > 1; ++pipeline) {
    for (const int tensor : {1, 2, 4, 8}) {
      if (std::optional<LoadOptions> options = tried(tensor, pipeline)) {
        return options;
      }
    }
  }
  return {};
}

}  // namespace

ReadableOptions readable_options(const std::filesystem::path& file, const LoadOptions& as_they_are,
                                 const WithDegrees& with_degrees) {
  try {
    (void)load_scenario(file, as_they_are);
    return {as_they_are, ""};
  } catch (const InputError& error) {
    std::optional<LoadOptions> other = readable_plan(file, with_degrees);
    if (!other) {
      throw;
    }
    return {std::move(*other), fmt::format("cannot be read: {}", error.problems().front().message)};
  }
}

ReadableOptions readable_options(const std::filesystem::path& file, const LoadOptions& options) {
  return readable_options(file, options, [&](int tensor, int pipeline) {
    LoadOptions with = options;
    with.overrides.push_back(fmt::format("parallelism.tensor={}", tensor));
    with.overrides.push_back(fmt::format("parallelism.pipeline={}", pipeline));
    return with;
  });
}

}  // namespace danlu
