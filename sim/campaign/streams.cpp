#include "sim/campaign/streams.hpp"

#include <string>
#include <string_view>

#include "sim/base/philox.hpp"

namespace danlu {
namespace {

RestartStreams restart_streams(const FaultsSpec& spec, std::string_view owner) {
  RestartStreams streams{.cold_spare = stream_name(owner, "cold spare")};
  for (const RestartPart& part : spec.restart) {
    streams.parts.push_back(stream_name(owner, "restart: " + part.name));
  }
  for (const CheckpointTier& tier : spec.tiers) {
    streams.loads.push_back(stream_name(owner, "load: " + tier.name));
  }
  return streams;
}

CauseStreams cause_streams(const FaultsSpec& spec, std::string_view owner) {
  CauseStreams streams{.arrival = stream_name(owner, "arrival"),
                       .component = stream_name(owner, "component"),
                       .place = stream_name(owner, "place"),
                       .window = stream_name(owner, "window"),
                       .detection = stream_name(owner, "detection"),
                       .permanent = stream_name(owner, "permanent"),
                       .repair = stream_name(owner, "repair"),
                       .restart = restart_streams(spec, owner)};
  for (const CheckpointTier& tier : spec.tiers) {
    streams.survives.push_back(stream_name(owner, "survives: " + tier.name));
  }
  return streams;
}

}  // namespace

CampaignStreams streams_of(const FaultsSpec& spec) {
  CampaignStreams streams{.grow = restart_streams(spec, "grow")};
  for (const FaultCause& cause : spec.causes) {
    streams.causes.push_back(cause_streams(spec, cause.name));
  }
  return streams;
}

}  // namespace danlu
