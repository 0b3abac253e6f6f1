// The random streams of a campaign by what is drawn from them. Their names are hashed once for a
// run and not at every draw: a run of weeks draws tens of thousands of numbers from a few hundred
// streams.
#pragma once

#include <cstdint>

#include "sim/campaign/faults_spec.hpp"

namespace danlu {

/// Of the parts of a restart.
struct RestartStreams {
  std::uint64_t cold_spare = 0;
  IdVector<RestartPartId, std::uint64_t> parts;
  IdVector<TierId, std::uint64_t> loads;
};

/// Of a cause: when its faults come, and what each brings.
struct CauseStreams {
  std::uint64_t arrival = 0;
  std::uint64_t component = 0;  // continued_stream: of each with a clock of its own
  std::uint64_t place = 0;
  std::uint64_t window = 0;
  std::uint64_t detection = 0;
  std::uint64_t permanent = 0;
  std::uint64_t repair = 0;                  // continued_stream: of each node
  IdVector<TierId, std::uint64_t> survives;  // whether a tier's checkpoints do
  RestartStreams restart;
};

struct CampaignStreams {
  IdVector<CauseId, CauseStreams> causes;
  RestartStreams grow;  // of a restart that takes replicas back in
};

CampaignStreams streams_of(const FaultsSpec& spec);

}  // namespace danlu
