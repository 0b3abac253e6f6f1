// The front of step and memory as SVG: where the line turns, and what stands in its words.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "sim/report/search_report.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

/// 10 s with 60 GiB, 20 s with 30 GiB; 30 s with 45 GiB is behind.
SearchReport two_plans() {
  SearchReport search;
  search.scenario = "a <small> one";
  search.front = {{"", "", Seconds{10}, 60_GiB}, {"tensor 4", "", Seconds{20}, 30_GiB}};
  search.behind_front = {{45_GiB, Seconds{30}}};
  return search;
}

// Across 30 to 60 GiB from 90 to 690, 20 a GiB; upwards 10 to 30 s from 444 to 84, 18 a second.
TEST(FrontPlot, ALineTurnsAtItsPlans) {
  const std::string svg = write_front_svg(two_plans());
  EXPECT_NE(svg.find("<path class=\"line\" d=\"M690.0,444.0H690.0V264.0H90.0\"/>"),
            std::string::npos)
      << svg;
}

TEST(FrontPlot, OthersThatWerePlayedAreDotsBehind) {
  const std::string svg = write_front_svg(two_plans());
  EXPECT_NE(
      svg.find("<circle class=\"other\" cx=\"390.0\" cy=\"84.0\" r=\"2.5\"><title>30.00 s, 45 "
               "GiB</title></circle>"),
      std::string::npos)
      << svg;
  EXPECT_NE(svg.find("red: the front (2)"), std::string::npos);
  EXPECT_NE(svg.find("grey: others that were played (1)"), std::string::npos);
}

// 10 to 100 s: ten times as long is all of the height, sqrt(10) times half of it.
TEST(FrontPlot, AStepManyTimesAsLongIsDrawnByAFactor) {
  SearchReport search = two_plans();
  search.front.push_back({"", "", Seconds{std::sqrt(1000.0)}, 20_GiB});
  search.front.push_back({"", "", Seconds{100}, 10_GiB});
  const std::string svg = write_front_svg(search);
  EXPECT_NE(svg.find("step (s, logarithmic)"), std::string::npos) << svg;
  EXPECT_NE(svg.find("cy=\"264.0\" r=\"4\"><title>31.62 s, 20 GiB"), std::string::npos) << svg;
}

TEST(FrontPlot, PlansAreNamedAndNamesEscaped) {
  const std::string svg = write_front_svg(two_plans());
  EXPECT_NE(svg.find("10.00 s, 60 GiB: the scenario as it stands"), std::string::npos) << svg;
  EXPECT_NE(svg.find("20.00 s, 30 GiB: tensor 4"), std::string::npos);
  EXPECT_EQ(svg.find("<small>"), std::string::npos);
}

}  // namespace
}  // namespace danlu::testing
