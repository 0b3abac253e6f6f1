#include "sim/campaign/restart.hpp"

namespace danlu {

std::vector<RestartStep> restart_steps(const FaultsSpec& spec, const RestartKind& kind,
                                       const Dice& dice) {
  std::vector<RestartStep> steps;
  const auto add = [&](RestartPartId part, const Duration& duration, std::string_view name,
                       Seconds more) {
    const Seconds drawn = dice.draw(duration, stream_name(kind.owner, name), kind.number);
    steps.push_back({part, drawn + more});
  };
  if (kind.cold_spare) {
    add(kColdSparePart, spec.spares.cold_start, "cold spare", {});
  }
  for (const RestartPartId id : spec.restart.ids()) {
    const RestartPart& part = spec.restart[id];
    if (kind.replaced || !part.only_replacement) {
      add(id, part.duration, "restart: " + part.name, part.per_rank * kind.ranks);
    }
  }
  if (kind.tier) {
    const CheckpointTier& tier = spec.tiers[*kind.tier];
    add(kLoadPart, tier.load, "load: " + tier.name, {});
  }
  return steps;
}

}  // namespace danlu
