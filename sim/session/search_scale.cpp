#include "sim/session/search_scale.hpp"

#include <fmt/format.h>

#include <chrono>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/report/page.hpp"
#include "sim/scenario/variants.hpp"

namespace danlu {
namespace {

/// The file with other GPUs, of which replicas take what the other degrees leave.
LoadOptions with_gpus(const Variants& own, LoadOptions load, int gpus) {
  load.overrides.push_back(fmt::format("cluster.gpus={}", gpus));
  const ParallelismSpec& plan = own.scenario().workload.parallelism;
  const int others = own.scenario().cluster.gpus / plan.data;
  if (!own.follows("parallelism.data") && gpus % others == 0) {
    load.overrides.push_back(fmt::format("parallelism.data={}", gpus / others));
  }
  return load;
}

ScaledPlan scaled(const SearchRequest& request, const LoadOptions& load, int gpus,
                  const SessionOptions& options) {
  ScaledPlan size{gpus};
  try {
    size.best = best_plan(request, load, options);
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
  ScaleReport report{own.scenario().name, request.file.string(), {}, {}};
  for (const int number : gpus) {
    SearchRequest one = request;
    one.top = 1;
    if (request.progress) {
      one.progress = [&](const std::string& line) {
        request.progress(fmt::format("{} GPUs: {}", thousands(number), line));
      };
    }
    report.sizes.push_back(scaled(one, with_gpus(own, load, number), number, options));
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  report.wall = {wall.count()};
  return report;
}

}  // namespace danlu
