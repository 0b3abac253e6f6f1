#include <cstdio>

#include "sim/engine/engine.hpp"
#include "sim/plan/plan_step.hpp"
#include "sim/scenario/load_scenario.hpp"

int main(int argc, char** argv) {
  danlu::LoadOptions options{"topologies", {}};
  for (int i = 2; i < argc; ++i) options.overrides.push_back(argv[i]);
  try {
    auto scenario = danlu::load_scenario(argv[1], options);
    auto cluster = danlu::build_cluster(scenario.cluster);
    auto plan = danlu::plan_step(scenario.workload, cluster);
    std::printf("units %zu patterns %zu links %zu tasks %zu\n", plan.fold.units.size(), plan.fold.patterns.size(), plan.fold.links.size(), plan.graph.tasks.size());
    auto timeline = danlu::simulate(plan.graph);
    std::printf("step %.6f\n", timeline.end.value);
  } catch (const std::exception& e) { std::fprintf(stderr, "%s\n", e.what()); return 2; }
}
