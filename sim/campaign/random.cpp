#include "sim/campaign/random.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace danlu {

double Dice::uniform(std::uint64_t stream, std::uint32_t n) const {
  return streams_.uniforms(stream, n)[0];
}

Seconds Dice::draw(const Duration& duration, std::uint64_t stream, std::uint32_t n) const {
  switch (duration.kind) {
    case Duration::Kind::Constant:
      break;
    case Duration::Kind::Exponential:
      return duration.mean * -std::log(uniform(stream, n));
    case Duration::Kind::Weibull:
      return weibull_quantile(duration.mean, duration.shape, uniform(stream, n));
    case Duration::Kind::LogNormal: {
      const double normal = streams_.normals(stream, n)[0];
      const double sigma = duration.shape;
      return duration.mean * std::exp(sigma * normal - sigma * sigma / 2);
    }
    case Duration::Kind::Empirical: {
      const auto count = static_cast<double>(duration.samples.size());
      return duration.samples[static_cast<std::size_t>(uniform(stream, n) * count)];
    }
  }
  return duration.mean;
}

Seconds weibull_quantile(Seconds mean, double shape, double survival) {
  return mean / std::tgamma(1 + 1 / shape) * std::pow(-std::log(survival), 1 / shape);
}

double chance_beyond(const Duration& duration, Seconds limit) {
  switch (duration.kind) {
    case Duration::Kind::Constant:
      break;
    case Duration::Kind::Exponential:
      return std::exp(-(limit / duration.mean));
    case Duration::Kind::Weibull: {
      const double scaled = limit / duration.mean * std::tgamma(1 + 1 / duration.shape);
      return std::exp(-std::pow(scaled, duration.shape));
    }
    case Duration::Kind::LogNormal: {
      const double sigma = duration.shape;
      const double z = (std::log(limit / duration.mean) + sigma * sigma / 2) / sigma;
      return std::erfc(z / std::numbers::sqrt2) / 2;
    }
    case Duration::Kind::Empirical: {
      const auto& samples = duration.samples;
      const auto longer =
          std::count_if(samples.begin(), samples.end(), [&](Seconds s) { return s > limit; });
      return static_cast<double>(longer) / static_cast<double>(samples.size());
    }
  }
  return duration.mean > limit ? 1 : 0;
}

}  // namespace danlu
