// What a restart consists of, part after part:
//
//   cold spare | reschedule | communicator set-up | ... | load
#pragma once

#include <optional>
#include <vector>

#include "sim/campaign/faults_spec.hpp"
#include "sim/campaign/random.hpp"
#include "sim/campaign/streams.hpp"

namespace danlu {

/// Parts that are not rows of FaultsSpec::restart.
inline constexpr RestartPartId kLoadPart{-2};
inline constexpr RestartPartId kColdSparePart{-3};

struct RestartStep {
  RestartPartId part{};  // of FaultsSpec::restart, or one of the above
  Seconds duration;
};

/// Why and how the job restarts.
struct RestartKind {
  std::uint32_t number = 0;  // in the random streams
  int ranks = 1;
  bool replaced = false;       // nodes came new into the job
  bool cold_spare = false;     // one of them had to be started
  std::optional<TierId> tier;  // that it loads from; none: nothing to load
};

std::vector<RestartStep> restart_steps(const FaultsSpec& spec, const RestartKind& kind,
                                       const RestartStreams& streams, const Dice& dice);

}  // namespace danlu
