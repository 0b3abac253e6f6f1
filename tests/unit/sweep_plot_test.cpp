// Sweeps as drawings: where points stand, which are not there, and what the axes are.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/base/plot_scale.hpp"
#include "sim/base/svg.hpp"
#include "sim/report/sweep_report.hpp"
#include "sim/session/plot_axes.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using Status = SweepPoint::Status;

SweepPoint point(std::vector<std::string> values, Status status, Figure figure) {
  return {
      .values = std::move(values), .status = status, .reason = "", .figures = {std::move(figure)}};
}
Figure seconds(double time) {
  return Figure::time(Seconds{time});
}

/// Two networks on 1, 2 and 4 nodes.
SweepReport two_lines() {
  return {.scenario = "a <b>",
          .file = "",
          .axes = {{"network", {"slow & old", "fast"}}, {"nodes", {"4", "1", "2"}}},
          .names = {"step.time_s"},
          .places = {},
          .points = {point({"slow & old", "4"}, Status::Ran, seconds(2)),
                     point({"slow & old", "1"}, Status::NoFit, seconds(8)),
                     point({"slow & old", "2"}, Status::Ran, seconds(4)),
                     point({"fast", "4"}, Status::Ran, seconds(1)),
                     point({"fast", "1"}, Status::Ran, seconds(6)),
                     point({"fast", "2"}, Status::Invalid, Figure::absent())}};
}

void expect_has(const std::string& svg, const std::string& words) {
  EXPECT_NE(svg.find(words), std::string::npos) << words << "\nis not in\n" << svg;
}

// 1, 2, 4 are logarithmic, 20 pixels from the ends of 90 to 650: 110, 370, 630. Times from 0 to 8 s
// go from 430 up to 70, 45 pixels a second.
TEST(SweepPlot, PutsPointsWhereTheyBelong) {
  const std::string svg =
      write_sweep_svg(two_lines(), {.across = "nodes", .figure = "step.time_s", .by = "network"});
  expect_has(svg, "d=\"M110.0,70.0L370.0,250.0L630.0,340.0\"");
  expect_has(svg, "nodes (logarithmic)</text>");
  expect_has(svg, ">step.time_s (s)</text>");
  expect_has(svg, "y=\"434.0\" class=\"e\">0</text>");
  expect_has(svg, "y=\"74.0\" class=\"e\">8</text>");
}

// The second of three is not there: two beginnings of a line, none to be joined.
TEST(SweepPlot, WhatIsNotThereBreaksItsLineAndIsTold) {
  const std::string svg =
      write_sweep_svg(two_lines(), {.across = "nodes", .figure = "step.time_s", .by = "network"});
  expect_has(svg, "d=\"M110.0,160.0M630.0,385.0\"");
  expect_has(svg, "hollow: does not fit in memory (1)</text>");
  expect_has(svg, "not drawn: 1 invalid</text>");
  expect_has(svg, "cx=\"110.0\" cy=\"70.0\" r=\"4\" class=\"page\"");
  expect_has(svg, "<title>slow &amp; old, 1: 8.000 s, does not fit</title>");
  EXPECT_EQ(svg.find("missing"), std::string::npos);
}

TEST(SweepPlot, SaysWhatItIs) {
  const std::string svg =
      write_sweep_svg(two_lines(), {.across = "nodes", .figure = "step.time_s", .by = "network"});
  expect_has(svg, "<title>Sweep of a &lt;b&gt;: step.time_s</title>\n<desc>nodes across, ");
  expect_has(svg, "prefers-color-scheme:dark");
}

// Words stand in the middle of equal parts of 560 pixels: 230 and 510. Shares are marked in
// percent: from 40 to 50, since both are in the upper half; 41 and 49 % at 394 and 106.
TEST(SweepPlot, WordsHaveAPlaceEach) {
  const SweepReport sweep{.scenario = "s",
                          .file = "",
                          .axes = {{"topology", {"b", "a"}}, {"training.micro_batch", {"1"}}},
                          .names = {"step.mfu"},
                          .places = {},
                          .points = {point({"b", "1"}, Status::Ran, Figure::share(0.41)),
                                     point({"a", "1"}, Status::Ran, Figure::share(0.49))}};
  const std::string svg =
      write_sweep_svg(sweep, {.across = "topology", .figure = "step.mfu", .by = ""});
  expect_has(svg, "d=\"M230.0,394.0L510.0,106.0\"");
  expect_has(svg, ">step.mfu (%)</text>");
  expect_has(svg, ">training.micro_batch is 1</text>");
}

// 1 to 100 s is more than ten times: two decades on 360 pixels, 10 s in the middle.
TEST(SweepPlot, WhatDiffersTenTimesIsLogarithmic) {
  const SweepReport sweep{
      .scenario = "s",
      .file = "",
      .axes = {{"k", {"10", "20", "30"}}},
      .names = {"step.time_s"},
      .places = {},
      .points = {point({"10"}, Status::Ran, seconds(1)), point({"20"}, Status::Ran, seconds(10)),
                 point({"30"}, Status::Ran, seconds(100))}};
  const std::string svg =
      write_sweep_svg(sweep, {.across = "k", .figure = "step.time_s", .by = ""});
  expect_has(svg, "d=\"M110.0,430.0L370.0,250.0L630.0,70.0\"");
  expect_has(svg, ">step.time_s (s, logarithmic)</text>");
}

// One figure, twice, the second time a rounding off: no axis is between them, but one from 0 on.
TEST(SweepPlot, EqualFiguresAreDrawnFromZero) {
  const SweepReport sweep{.scenario = "s",
                          .file = "",
                          .axes = {{"k", {"10", "20"}}},
                          .names = {"step.time_s"},
                          .places = {},
                          .points = {point({"10"}, Status::Ran, seconds(5)),
                                     point({"20"}, Status::Ran, seconds(5 * (1 + 1e-15)))}};
  const std::string svg =
      write_sweep_svg(sweep, {.across = "k", .figure = "step.time_s", .by = ""});
  expect_has(svg, "class=\"e\">0</text>");
}

TEST(SweepPlot, WithoutAnyFigureSaysSo) {
  const SweepReport sweep{.scenario = "s",
                          .file = "",
                          .axes = {{"k", {"10"}}},
                          .names = {"step.time_s"},
                          .places = {},
                          .points = {point({"10"}, Status::Failed, Figure::absent())}};
  const std::string svg =
      write_sweep_svg(sweep, {.across = "k", .figure = "step.time_s", .by = ""});
  expect_has(svg, ">no point has this figure</text>");
  expect_has(svg, ">not drawn: 1 failed</text>");
}

TEST(PlotAxes, WhatIsLeftOutFollowsFromWhatVaries) {
  const std::vector<SweepAxis> axes{{"a", {"1", "2"}}, {"b", {"1"}}, {"c", {"x", "y"}}};
  const SweepPlot plot = read_plot_axes("", axes, {"step.time_s", "step.mfu"});
  EXPECT_EQ(plot.across, "c");
  EXPECT_EQ(plot.by, "a");
  EXPECT_EQ(plot.figure, "step.time_s");
  const SweepPlot other = read_plot_axes("y=step.mfu,by=c", axes, {"step.time_s"});
  EXPECT_EQ(other.across, "a");
  EXPECT_EQ(other.by, "c");
  EXPECT_EQ(other.figure, "step.mfu");
  EXPECT_EQ(read_plot_axes("x=b,by=a", {axes[0], axes[1]}, {"m"}).across, "b");
  EXPECT_EQ(read_plot_axes("", {axes[1]}, {"m"}).across, "b");
}

// GPUs and batch in two rows, each with two machines: points 0 and 1 are one machine's.
TEST(PlotAxes, KeysThatChangeTogetherAreOneAxis) {
  const std::vector<SweepAxis> axes{
      {"machine", {"a", "b"}}, {"gpus", {"16", "64"}}, {"batch", {"32", "128"}, true}};
  const SweepPlot plot = read_plot_axes("", axes, {"step.time_s"});
  EXPECT_EQ(plot.across, "gpus");
  EXPECT_EQ(plot.by, "machine");
  EXPECT_EQ(read_plot_axes("x=batch", axes, {"m"}).by, "machine");
  const SweepReport sweep{.scenario = "s",
                          .file = "",
                          .axes = axes,
                          .names = {"step.time_s"},
                          .places = {},
                          .points = {point({"a", "16", "32"}, Status::Ran, seconds(8)),
                                     point({"a", "64", "128"}, Status::Ran, seconds(4)),
                                     point({"b", "16", "32"}, Status::Ran, seconds(2)),
                                     point({"b", "64", "128"}, Status::Ran, seconds(1))}};
  const std::string svg = write_sweep_svg(sweep, plot);
  expect_has(svg, "<title>a, 64, 128: 4.000 s</title>");
  expect_has(svg, "<title>b, 64, 128: 1.000 s</title>");
  EXPECT_EQ(svg.find("batch is"), std::string::npos);
}

std::string refused_axes(std::string_view text, const std::vector<SweepAxis>& axes) {
  try {
    (void)read_plot_axes(text, axes, {"step.time_s"});
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(PlotAxes, KeysThatDoNotTellPointsApartAreRefused) {
  const std::vector<SweepAxis> axes{{"tensor", {"2", "4"}}, {"gpus", {"16", "16"}, true}};
  EXPECT_EQ(read_plot_axes("", axes, {"m"}).across, "tensor");
  EXPECT_EQ(refused_axes("x=gpus", axes),
            "--axes: error: x=gpus has one value in several rows that differ in what changes "
            "together with it\nhint: a key that has another value in each row\n");
  EXPECT_EQ(refused_axes("x=tensor,by=gpus", axes),
            "--axes: error: x=tensor and by=gpus change together\nhint: leave by out\n");
}

TEST(PlotScale, MarksRoundNumbersAroundAllValues) {
  EXPECT_EQ(linear_ticks(0, 8, 6), (std::vector<double>{0, 2, 4, 6, 8}));
  EXPECT_EQ(linear_ticks(41, 49, 6), (std::vector<double>{40, 42, 44, 46, 48, 50}));
  EXPECT_EQ(linear_ticks(42 - 1e-12, 50 + 1e-12, 5), (std::vector<double>{42, 44, 46, 48, 50}));
  EXPECT_EQ(linear_ticks(0, 0, 1), (std::vector<double>{0, 1}));
  EXPECT_EQ(logarithmic_ticks(3, 40), (std::vector<double>{2, 5, 10, 20, 50}));
  EXPECT_EQ(logarithmic_ticks(1, 10), (std::vector<double>{1, 2, 5, 10}));
  EXPECT_EQ(logarithmic_ticks(5, 2e4), (std::vector<double>{1, 10, 100, 1000, 1e4, 1e5}));
}

TEST(PlotScale, IsLogarithmicWhereThatIsMoreEven) {
  EXPECT_TRUE(go_by_a_factor({64, 128, 256}));
  EXPECT_TRUE(go_by_a_factor({64, 128, 1024}));
  EXPECT_FALSE(go_by_a_factor({2, 4, 6}));
  EXPECT_FALSE(go_by_a_factor({0, 1, 2}));
  EXPECT_FALSE(go_by_a_factor({1, 100}));
  const PlotScale scale{1, 100, 10, 30, true};
  EXPECT_TRUE(near(scale.at(10), 20));
}

TEST(Svg, EscapesWordsAndHasATitleAndADescription) {
  const std::string svg = svg_text({.width = 10,
                                    .height = 20,
                                    .title = "a<b",
                                    .description = "c&d",
                                    .style = ".o{}",
                                    .dark = ".p{}",
                                    .defs = {},
                                    .body = svg_words(1, 2, "m", "e>f")});
  expect_has(svg, "<title>a&lt;b</title>\n<desc>c&amp;d</desc>\n");
  expect_has(svg, "<text x=\"1.0\" y=\"2.0\" class=\"m\">e&gt;f</text>\n</svg>\n");
}

}  // namespace
}  // namespace danlu
