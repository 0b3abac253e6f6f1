// The table of means in docs/explain/faults.md: played, compared, and written by UPDATE_DOCS=1.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "sim/campaign/campaign.hpp"
#include "sim/campaign/closed_forms.hpp"
#include "tests/support/campaigns.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::constant;
using testing::every;
using testing::random_cause;
using testing::restart_part;

struct Row {
  const char* what;
  double work, mtbf, interval, checkpoint, restart, detection;  // hours
  bool restart_can_fail;
};

/// "| what | closed form | simulated | z |", and a failure where z is above 4.
std::string line(const Row& row) {
  const CampaignJob job{.step = Seconds{row.interval * kHour / 8},
                        .steps = row.work / row.interval * 8};
  FaultsSpec spec;
  spec.causes = {random_cause(row.mtbf * kHour)};
  spec.causes[0].detection.delay = constant(row.detection * kHour);
  spec.tiers = {every(row.interval * kHour, row.checkpoint * kHour)};
  spec.restart = {restart_part(row.restart * kHour)};
  spec.semantics.fail_in_restart = row.restart_can_fail;
  spec.trials = 2000;
  spec.seed = 2;
  const CampaignStatistic wall = run_campaign(job, spec).wall;
  const double exact = mean_makespan({.work = Seconds{row.work},
                                      .interval = Seconds{row.interval},
                                      .checkpoint = Seconds{row.checkpoint},
                                      .restart = Seconds{row.restart},
                                      .detection = Seconds{row.detection},
                                      .mtbf = Seconds{row.mtbf},
                                      .restart_can_fail = row.restart_can_fail})
                           .value;
  const double z = (wall.mean / kHour - exact) / (wall.stderr_of_mean / kHour);
  EXPECT_LE(std::abs(z), 4) << row.what;
  return fmt::format("| {} | {:.3f} | {:.3f} +- {:.3f} | {:+.1f} |\n", row.what, exact,
                     wall.mean / kHour, wall.stderr_of_mean / kHour, z);
}

std::string table() {
  std::string text =
      "| run | closed form | simulated | z |\n"
      "| --- | --- | --- | --- |\n";
  for (const Row& row : {
           Row{"500 h, M 24 h, tau 2 h, C 5 min, R 10 min, A", 500, 24, 2, 1.0 / 12, 1.0 / 6, 0,
               true},
           Row{"the same, B", 500, 24, 2, 1.0 / 12, 1.0 / 6, 0, false},
           Row{"500 h, M 6 h, tau 1 h, C 5 min, R 10 min, A", 500, 6, 1, 1.0 / 12, 1.0 / 6, 0,
               true},
           Row{"the same, B", 500, 6, 1, 1.0 / 12, 1.0 / 6, 0, false},
           Row{"100 h, M 2 h, tau 30 min, C 3 min, R 15 min, D 6 min, A", 100, 2, 0.5, 0.05, 0.25,
               0.1, true},
           Row{"the same, B", 100, 2, 0.5, 0.05, 0.25, 0.1, false},
           Row{"Llama 3: 1,188 h, M 3.093 h, tau 10.8 min, C 20 s, R 5 min, B", 1188, 3.093, 0.18,
               20 / kHour, 1.0 / 12, 0, false},
       }) {
    text += line(row);
  }
  return text;
}

TEST(CampaignTable, IsThatOfTheDocuments) {
  const std::string path = testing::source_dir() + "/docs/explain/faults.md";
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream read;
  read << stream.rdbuf();
  const std::string page = read.str();
  const std::string begin = "<!-- table -->\n";
  const auto from = page.find(begin) + begin.size();
  const auto to = page.find("<!-- end of table -->");
  ASSERT_TRUE(to != std::string::npos && from < to + 1);
  const std::string expected = table();
  if (std::getenv("UPDATE_DOCS") != nullptr) {
    std::ofstream(path, std::ios::binary) << page.substr(0, from) << expected << page.substr(to);
    return;
  }
  EXPECT_EQ(page.substr(from, to - from), expected)
      << "UPDATE_DOCS=1 in the environment of this test writes the table anew";
}

}  // namespace
}  // namespace danlu
