// A property's random steps: its seeds, and a case of each sort for each of them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "tests/support/random_steps.hpp"

namespace danlu::testing {

/// The seeds of a property's cases: `cases` of them from `first` on are shard 0, as many behind
/// them shard 1. DANLU_SEED=n and DANLU_CASES=n say others.
struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t cases = 1;

  /// Those of a shard, which it prints.
  Seeds of_shard(int shard) const;
};

/// Calls test(Case, seed) with a case of each sort for each seed of the shard, until one fails for
/// good.
template <typename Test>
void for_each_case(const Seeds& all, int shard, const Test& test) {
  const Seeds seeds = all.of_shard(shard);
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.cases; ++seed) {
    for (Case (*draw)(std::uint64_t) : {random_case, mixed_case, other_kind_case}) {
      const Case drawn = draw(seed);
      SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1: {}", seed, describe(drawn)));
      test(drawn, seed);
      if (::testing::Test::HasFatalFailure()) {
        return;
      }
    }
  }
}

/// A case with so many microbatches that rounds are left out (sim/tasks/rounds.hpp), on a machine
/// that does not change.
Case with_many_microbatches(Case drawn, std::uint64_t seed);

}  // namespace danlu::testing
