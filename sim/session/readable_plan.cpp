#include "sim/session/readable_plan.hpp"

#include <fmt/format.h>

#include <set>
#include <string>

#include "sim/base/error.hpp"

namespace danlu {

std::optional<LoadOptions> readable_plan(const std::filesystem::path& file,
                                         const WithDegrees& with_degrees) {
  constexpr int kMostStages = 64;
  constexpr std::size_t kTelling = 3;  // tries: if all say the same, the degrees are not wrong
  std::set<std::string> wrong;
  std::size_t tried = 0;
  for (int pipeline = 1; pipeline <= kMostStages; ++pipeline) {
    for (const int tensor : {1, 2, 4, 8}) {
      LoadOptions options = with_degrees(tensor, pipeline);
      try {
        (void)load_scenario(file, options);
        return options;
      } catch (const InputError& error) {
        wrong.insert(error.problems().front().message);
        if (++tried == kTelling && wrong.size() == 1) {
          return {};
        }
      }
    }
  }
  return {};
}

ReadableOptions readable_options(const std::filesystem::path& file, const LoadOptions& options) {
  try {
    (void)load_scenario(file, options);
    return {options, ""};
  } catch (const InputError& error) {
    const auto other = readable_plan(file, [&](int tensor, int pipeline) {
      LoadOptions with = options;
      with.overrides.push_back(fmt::format("parallelism.tensor={}", tensor));
      with.overrides.push_back(fmt::format("parallelism.pipeline={}", pipeline));
      return with;
    });
    if (!other) {
      throw;
    }
    return {*other, fmt::format("cannot be read: {}", error.problems().front().message)};
  }
}

}  // namespace danlu
