#include "tests/support/many_cases.hpp"

namespace danlu::testing {

Seeds Seeds::of_shard(int shard) const {
  const std::uint64_t most = from_environment("DANLU_CASES", cases);
  const std::uint64_t own = first + static_cast<std::uint64_t>(shard) * most;
  const Seeds seeds{.first = from_environment("DANLU_SEED", own), .cases = most};
  fmt::print("seeds {} to {}\n", seeds.first, seeds.first + seeds.cases - 1);
  return seeds;
}

Case with_many_microbatches(Case drawn, std::uint64_t seed) {
  Dice dice(seed);
  DegradedSpec& degraded = drawn.cluster.degraded;
  degraded.throttle.clear();
  degraded.flaps.clear();
  degraded.jitter = {};
  degraded.draws = 1;
  Workload& w = drawn.workload;
  const int pipeline = w.parallelism.pipeline;
  const int most = 600 / w.placement().parts() + 8 * pipeline;
  int microbatches = dice.between(most / 2, most);
  microbatches -= microbatches % (2 * pipeline);
  w.training.global_batch = microbatches * w.training.micro_batch * w.parallelism.data;
  return drawn;
}

}  // namespace danlu::testing
