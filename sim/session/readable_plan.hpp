// A search varies the plan, so that it can begin with another one where the scenario's own cannot
// be read: without a section parallelism 320 GPUs are 320 replicas, which may not divide a batch.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "sim/scenario/load_scenario.hpp"

namespace danlu {

/// The options with so many tensor ranks and stages.
using WithDegrees = std::function<LoadOptions(int tensor, int pipeline)>;

struct ReadableOptions {
  LoadOptions options;
  std::string obstacle;  // why the scenario's own plan cannot be read; empty: these are its own
};

/// The options as they are, or with the first of up to 8 tensor ranks and 64 stages with which the
/// file can be read. Throws what load_scenario() throws of the file as it is: where none is found,
/// or what is wrong has nothing to do with degrees.
ReadableOptions readable_options(const std::filesystem::path& file, const LoadOptions& as_they_are,
                                 const WithDegrees& with_degrees);
/// With degrees that lie over these options.
ReadableOptions readable_options(const std::filesystem::path& file, const LoadOptions& options);

}  // namespace danlu
