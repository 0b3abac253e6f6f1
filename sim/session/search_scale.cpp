#include "sim/session/search_scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/report/page.hpp"
#include "sim/scenario/variants.hpp"
#include "sim/session/readable_plan.hpp"

namespace danlu {
namespace {

/// The file with other GPUs, of which replicas take what the other degrees leave; and with so many
/// tensor ranks and stages.
LoadOptions with_gpus(const Variants& own, LoadOptions load, int gpus, int tensor, int pipeline) {
  const ParallelismSpec& plan = own.scenario().workload.parallelism;
  const int others = own.scenario().cluster.gpus / plan.data;
  load.overrides.push_back(fmt::format("cluster.gpus={}", gpus));
  const auto put = [&](std::string_view key, int value, int before) {
    if (value != before) {
      load.overrides.push_back(fmt::format("{}={}", key, value));
    }
  };
  put("parallelism.tensor", tensor, plan.tensor);
  put("parallelism.pipeline", pipeline, plan.pipeline);
  const int now = others / plan.tensor / plan.pipeline * tensor * pipeline;
  if (!own.follows("parallelism.data") && now > 0 && gpus % now == 0) {
    load.overrides.push_back(fmt::format("parallelism.data={}", gpus / now));
  }
  return load;
}

/// From the scenario's own tensor ranks and stages, or from others where it cannot be read so.
ScaledPlan scaled(const Variants& own, const SearchRequest& request, const LoadOptions& load,
                  int gpus, const SessionOptions& options) {
  const ParallelismSpec& plan = own.scenario().workload.parallelism;
  const auto with_degrees = [&](int tensor, int pipeline) {
    return with_gpus(own, load, gpus, tensor, pipeline);
  };
  ScaledPlan size{gpus};
  try {
    const ReadableOptions readable =
        readable_options(request.file, with_degrees(plan.tensor, plan.pipeline), with_degrees);
    size.best = best_plan(request, readable.options, options);
  } catch (const InputError& error) {
    size.obstacle =
        fmt::format("the scenario's own plan cannot be read: {}", error.problems().front().message);
  } catch (const CannotRun& error) {
    size.obstacle = error.what();
  }
  return size;
}

}  // namespace

ScaleReport search_scale(const SearchRequest& request, const std::vector<int>& gpus,
                         const LoadOptions& load, const SessionOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const Variants own(request.file, load);
  ScaleReport report{.scenario = own.scenario().name,
                     .file = request.file.string(),
                     .own_obstacle = request.own_obstacle};
  for (const int number : gpus) {
    SearchRequest one = request;
    one.top = 1;
    if (request.progress) {
      one.progress = [&](const std::string& line) {
        request.progress(fmt::format("{} GPUs: {}", thousands(number), line));
      };
    }
    report.sizes.push_back(scaled(own, one, load, number, options));
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  report.wall = {wall.count()};
  return report;
}

}  // namespace danlu
