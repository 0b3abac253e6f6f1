// Normal numbers from words, held to the quantiles of the normal distribution and to its moments.
#include "sim/base/normal.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

// R: qnorm(c(0.5, 0.975, 0.999, 1e-9))
TEST(NormalQuantiles, AreThoseOfTheDistribution) {
  EXPECT_EQ(NormalQuantiles::quantile(0.5), 0);
  EXPECT_TRUE(near(NormalQuantiles::quantile(0.975), 1.959963984540054));
  EXPECT_TRUE(near(NormalQuantiles::quantile(0.999), 3.090232306167813));
  EXPECT_TRUE(near(NormalQuantiles::quantile(1e-9), -5.997807015007685));
}

// Every 4,099th word: within 1e-3 of the word's quantile, never falling, mean 0 and variance 1.
TEST(NormalQuantiles, OfWordsAreStraightBetweenThoseOfCells) {
  constexpr std::uint32_t kStep = 4099;
  constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max() - kStep;
  const NormalQuantiles& normals = NormalQuantiles::table();
  double last = -std::numeric_limits<double>::infinity();
  double sum = 0;
  double squares = 0;
  double count = 0;
  for (std::uint32_t word = kStep / 2; word < kLast; word += kStep) {
    const double normal = normals.of(word);
    ASSERT_NEAR(normal, NormalQuantiles::quantile((word + 0.5) * 0x1p-32), 1e-3) << word;
    ASSERT_GE(normal, last) << word;
    last = normal;
    sum += normal;
    squares += normal * normal;
    ++count;
  }
  EXPECT_NEAR(sum / count, 0, 1e-5);
  EXPECT_NEAR(squares / count, 1, 1e-5);
  EXPECT_EQ(normals.of(0), -normals.of(std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace
}  // namespace danlu
