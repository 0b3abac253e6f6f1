// Published training runs, each simulated in a process of its own through the converter that
// `danlu validate` uses: weak scaling by Narayanan et al. 2021 (arXiv:2104.04473, table 1) and
// GPT-3 on 64 GPUs by Korthikanti et al. 2022 (arXiv:2205.05198, table 5). And collectives as
// nccl-tests and others measured them, by the closed form, which other tests hold equal to flows.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "sim/base/csv.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/plays.hpp"
#include "sim/validation/nccl_table.hpp"
#include "sim/validation/training_table.hpp"
#include "sim/validation/validation.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped_presets;
using testing::source_dir;

struct Times {
  double published = 0;
  double simulated = 0;
};

/// The rows of a table, by id.
std::map<std::string, Times> step_times(const std::string& file) {
  const CsvTable table = read_csv(source_dir() + "/tests/validation/" + file);
  std::vector<Conversion> rows;
  std::vector<Scenario> scenarios;
  for (const CsvRow& row : table.rows()) {
    rows.push_back(convert(table, row, shipped_presets()));
    EXPECT_EQ(rows.back().reason(), "") << rows.back().id;
    scenarios.push_back(rows.back().scenario.value_or(Scenario{}));
  }
  const std::vector<Seconds> steps = play_steps(scenarios, nullptr, {});
  std::map<std::string, Times> times;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    times[rows[i].id] = {rows[i].published_step_s, steps[i].value};
  }
  return times;
}

// A run does the same FLOPs in both, so achieved FLOP/s compare as the times inverted.
TEST(Published, MegatronWeakScalingWithin15Percent) {
  const std::map<std::string, Times> times = step_times("megatron-2021.csv");
  EXPECT_EQ(times.size(), 10U);
  for (const auto& [id, time] : times) {
    EXPECT_TRUE(near(1 / time.simulated, 1 / time.published, 0.15)) << id;
  }
}

TEST(Published, Gpt3On64GpusWithin12Percent) {
  const std::map<std::string, Times> times = step_times("korthikanti-2022.csv");
  for (const char* id : {"korth-175B-full", "korth-175B-selective"}) {
    ASSERT_TRUE(times.count(id) == 1) << id;
    EXPECT_TRUE(near(times.at(id).simulated, times.at(id).published, 0.12)) << id;
  }
}

// XLA's table has neighbouring sizes below 16 MiB that differ by a factor of two, up and down: no
// model meets those.
TEST(Published, CollectivesWithin7PercentInTheMedianAnd20InNineOfTen) {
  const CsvTable table = read_csv(source_dir() + "/tests/validation/nccl.csv");
  std::vector<ValidationPoint> points;
  std::vector<ValidationPoint> others;
  for (const CsvRow& row : table.rows()) {
    const CollectiveConversion conversion = convert_collective(table, row, shipped_presets());
    if (conversion.collective) {
      points.push_back({.id = conversion.id,
                        .device = conversion.device,
                        .published = conversion.collective->published.value,
                        .simulated = alone_time(*conversion.collective).value});
      if (conversion.source.find("openxla/xla") == std::string::npos) {
        others.push_back(points.back());
      }
    }
  }
  EXPECT_GE(points.size(), 650U);
  EXPECT_GE(others.size(), 400U);
  EXPECT_LE(error_statistics(points).median_abs.value_or(1), 0.07);
  EXPECT_LE(std::abs(error_statistics(points).mean.value_or(1)), 0.05);
  EXPECT_LE(error_statistics(others).median_abs.value_or(1), 0.06);
  EXPECT_LE(error_statistics(others).p90_abs.value_or(1), 0.20);
  EXPECT_LE(std::abs(error_statistics(others).mean.value_or(1)), 0.03);
}

}  // namespace
}  // namespace danlu
