// The random numbers of campaigns: known answers, independence of streams, distributions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/campaign/random.hpp"
#include "tests/support/campaigns.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

// Random123's known answers for philox4x32, 10 rounds:
// https://github.com/DEShawResearch/random123/blob/main/tests/kat_vectors
TEST(CampaignRandom, PhiloxKnownAnswers) {
  using Four = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// FNV-1a; names are ended by zeros, so that "ab", "c" is not "a", "bc".
TEST(CampaignRandom, StreamNames) {
  EXPECT_EQ(stream_name("", ""), [] {
    std::uint64_t hash = 0xcbf29ce484222325U;
    hash = (hash ^ 0U) * 0x100000001b3U;
    return (hash ^ 0U) * 0x100000001b3U;
  }());
  EXPECT_NE(stream_name("ab", "c"), stream_name("a", "bc"));
  EXPECT_NE(stream_name("a", "b", 1), stream_name("a", "b", 2));
  EXPECT_NE(stream_name("a", "b", 1), stream_name("a", "b", 256));
  for (const std::uint64_t which : {0, 1, 256, 70000}) {
    EXPECT_EQ(continued_stream(stream_name("a", "b"), which), stream_name("a", "b", which));
  }
}

/// The largest distance between the distribution of 20,000 draws and `cdf`, times sqrt(n);
/// above 1.95 once in 1,000 (Kolmogorov and Smirnov).
template <typename Cdf>
double distance(const Duration& duration, std::uint64_t seed, const Cdf& cdf) {
  constexpr int kDraws = 20000;
  const Dice dice(seed, 7);
  std::vector<double> values;
  for (std::uint32_t n = 0; n < kDraws; ++n) {
    values.push_back(dice.draw(duration, stream_name("cause", "what"), n).value);
  }
  std::sort(values.begin(), values.end());
  double most = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double at = cdf(values[static_cast<std::size_t>(i)]);
    most = std::max({most, std::abs(at - static_cast<double>(i) / kDraws),
                     std::abs(at - static_cast<double>(i + 1) / kDraws)});
  }
  return most * std::sqrt(static_cast<double>(kDraws));
}

TEST(CampaignRandom, Distributions) {
  Duration duration{.kind = Duration::Kind::Exponential, .mean = 3_s};
  EXPECT_LT(distance(duration, 1, [](double x) { return -std::expm1(-x / 3); }), 1.95);
  duration.kind = Duration::Kind::Weibull;  // k = 1/2: the mean is 2 eta
  duration.shape = 0.5;
  EXPECT_LT(distance(duration, 2, [](double x) { return -std::expm1(-std::sqrt(x / 1.5)); }), 1.95);
  // Recoveries with a median of 3 min 42 s and a mean of 38 min 54 s: sigma^2 = 2 ln(mean/median).
  const double sigma = std::sqrt(2 * std::log(2334.0 / 222));
  duration = {.kind = Duration::Kind::LogNormal, .mean = 2334_s, .shape = sigma};
  const auto normal = [&](double x) { return std::erfc(-std::log(x / 222) / sigma / M_SQRT2) / 2; };
  EXPECT_LT(distance(duration, 3, normal), 1.95);
  EXPECT_TRUE(near(chance_beyond(duration, 222_s), 0.5));
  EXPECT_TRUE(near(chance_beyond(duration, 3600_s), 1 - normal(3600)));
}

TEST(CampaignRandom, EmpiricalAndConstant) {
  const Duration samples{.kind = Duration::Kind::Empirical, .samples = {1_s, 2_s, 5_s, 5_s}};
  const Dice dice(5, 0);
  std::array<int, 6> seen{};
  for (std::uint32_t n = 0; n < 4000; ++n) {
    ++seen[static_cast<std::size_t>(dice.draw(samples, 1, n).value)];
  }
  for (const auto& [value, expected] : {std::pair{1, 1000}, {2, 1000}, {5, 2000}}) {
    EXPECT_NEAR(seen[static_cast<std::size_t>(value)], expected, 4 * std::sqrt(expected));
  }
  EXPECT_TRUE(near(chance_beyond(samples, 2_s), 0.5));
  EXPECT_EQ(dice.draw(testing::constant(8), 1, 0), 8_s);
  EXPECT_EQ(chance_beyond(testing::constant(8), 8_s), 0);
}

}  // namespace
}  // namespace danlu
