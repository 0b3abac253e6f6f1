#include "sim/campaign/restart.hpp"

namespace danlu {

std::vector<RestartStep> restart_steps(const FaultsSpec& spec, const RestartKind& kind,
                                       const RestartStreams& streams, const Dice& dice) {
  std::vector<RestartStep> steps;
  const auto add = [&](RestartPartId part, const Duration& duration, std::uint64_t stream,
                       Seconds more) {
    steps.push_back({part, dice.draw(duration, stream, kind.number) + more});
  };
  if (kind.cold_spare) {
    add(kColdSparePart, spec.spares.cold_start, streams.cold_spare, {});
  }
  for (const RestartPartId id : spec.restart.ids()) {
    const RestartPart& part = spec.restart[id];
    if (kind.replaced || !part.only_replacement) {
      add(id, part.duration, streams.parts[id], part.per_rank * kind.ranks);
    }
  }
  if (kind.tier) {
    add(kLoadPart, spec.tiers[*kind.tier].load, streams.loads[*kind.tier], {});
  }
  return steps;
}

}  // namespace danlu
