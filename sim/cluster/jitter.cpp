#include "sim/cluster/jitter.hpp"

#include <iterator>

namespace danlu {

bool Jitter::shakes(int gpu) const {
  const auto after = gpus.upper_bound(gpu);
  return spread > 0 && (gpus.empty() || (after != gpus.begin() && gpu <= std::prev(after)->second));
}

JitterFactors::JitterFactors(const Jitter& jitter, int draw, RankId rank)
    : streams_(jitter.seed, static_cast<std::uint32_t>(draw)),
      stream_(stream_name("jitter", "GPU", index(rank) + 1)),
      deviation_(std::sqrt(std::log1p(jitter.spread * jitter.spread))) {}

}  // namespace danlu
