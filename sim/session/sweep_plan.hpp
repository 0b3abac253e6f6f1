// A sweep whose points are resolved: each is a whole scenario, as `danlu show` has it, so that any
// process on any machine can play it, in any order, twice, and comes to the same.
//
//   point 17 = sections 0, 4, 2, 3     model: ...  cluster: ...  parallelism: ...  training: ...
//
// Points differ in few sections, so that a section stands once, whoever has it. A point's key is a
// hash of what its result follows from: the settings, the figures and limits asked for, danlu's
// version.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/session/sweep.hpp"

namespace danlu {

struct SweepPlan {
  struct Point {
    std::vector<std::size_t> sections;  // of its scenario, in order; none: it is invalid
    std::string key;                    // "" where it is invalid
    std::string result;                 // what is known of it without playing it, or ""
  };

  std::string version;    // of the danlu that made the plan
  double most_tasks = 0;  // see SessionOptions
  double most_events = 0;
  SweepReport report;  // without its points
  std::vector<std::string> sections;
  std::vector<Point> points;
};

/// Resolves the points, and plays them up to the first that runs, to hold the names against it.
/// Throws as sweep() does.
SweepPlan plan_sweep(const SweepRequest& request, std::string version, const LoadOptions& load,
                     const SessionOptions& options);

/// Plays points of a plan, by its figures and limits. Throws InputError where what a point rests on
/// is not here or has changed, and what play_points() throws.
void play_planned(const SweepPlan& plan, const std::vector<std::size_t>& numbers,
                  const std::filesystem::path& topologies, const SessionOptions& options,
                  const PointHooks& hooks);

}  // namespace danlu
