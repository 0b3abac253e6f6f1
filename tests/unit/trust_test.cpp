// How far to trust a report: which published runs it is set beside, and whether the table of them
// is of this danlu.
#include "sim/session/trust.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "sim/base/csv.hpp"
#include "sim/base/error.hpp"
#include "sim/session/validate.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped_presets;
using testing::source_dir;

Report pipeline_run(std::string gpu, std::string framework) {
  Report report;
  report.gpu = std::move(gpu);
  report.cluster = "DGX A100";
  report.gpus_per_node = 8;
  report.workload.training.framework = std::move(framework);
  report.workload.parallelism.pipeline = 4;
  return report;
}

void add_runs(std::vector<ValidationPoint>& runs, int count, const std::string& kind,
              const std::string& profile, double error) {
  for (int i = 0; i < count; ++i) {
    runs.push_back({.device = "A100",
                    .published = 1,
                    .simulated = 1 + error,
                    .kind = kind,
                    .gpu = i % 2 == 0 ? "A100 40" : "A100 80",
                    .gpus = 8 << i,
                    .profile = profile});
  }
}

TEST(Trust, IsOfTheNearestRunsThatAreEnough) {
  std::vector<ValidationPoint> runs;
  add_runs(runs, kEnoughRuns, "pipeline", "megatron-core", -0.03);
  add_runs(runs, 2, "pipeline", "nemo", 0.2);
  add_runs(runs, 1, "tensor", "nemo", 0.5);

  Trust trust = trust_in(pipeline_run("A100 80", "megatron-core"), runs);
  EXPECT_EQ(trust.likeness, Likeness::SameKind);
  EXPECT_EQ(trust.runs, kEnoughRuns);
  EXPECT_EQ(trust.fewest_gpus, 8);
  EXPECT_EQ(trust.most_gpus, 8 << 4);
  EXPECT_TRUE(near(*trust.median_abs, 0.03, 1e-12));
  EXPECT_TRUE(near(*trust.mean, -0.03, 1e-12));
  EXPECT_EQ(trust_text(trust),
            "5 published runs like this one (A100, megatron-core, pipeline, 8 to 128 GPUs) are met "
            "within 3.0 % (median) and 3.0 % (90th percentile)");

  trust = trust_in(pipeline_run("A100 80", "nemo"), runs);  // two are too few
  EXPECT_EQ(trust.likeness, Likeness::OtherFrameworks);
  EXPECT_EQ(trust.runs, kEnoughRuns + 2);
  EXPECT_TRUE(near(*trust.mean, (2 * 0.2 - kEnoughRuns * 0.03) / 7, 1e-12));
  EXPECT_NE(trust_text(trust).find("nothing of this kind with nemo; the nearest 7 published runs "
                                   "(A100, pipeline, 8 to 128 GPUs)"),
            std::string::npos);
  EXPECT_NE(trust_text(trust_in(pipeline_run("A100 80", ""), runs)).find("no framework is named"),
            std::string::npos);

  Report tensor = pipeline_run("A100 40", "nemo");
  tensor.workload.parallelism.pipeline = 1;
  tensor.workload.parallelism.tensor = 8;
  trust = trust_in(tensor, runs);
  EXPECT_EQ(trust.likeness, Likeness::OtherKinds);
  EXPECT_EQ(trust.runs, kEnoughRuns + 3);
  EXPECT_NE(trust_text(trust).find("nothing of this kind (tensor); the nearest 8 published runs "
                                   "(A100, 8 to 128 GPUs)"),
            std::string::npos);
}

TEST(Trust, TellsTensorGroupsOverNodesApart) {
  Report report = pipeline_run("A100 40", "nemo");
  report.workload.parallelism.tensor = 8;
  EXPECT_EQ(kind_of_plan(report.workload, report.gpus_per_node), "pipeline");
  report.workload.parallelism.tensor = 16;
  EXPECT_EQ(kind_of_plan(report.workload, report.gpus_per_node), "tensor over nodes");
}

TEST(Trust, SaysWhereThereIsNone) {
  std::vector<ValidationPoint> runs;
  add_runs(runs, kEnoughRuns - 1, "pipeline", "nemo", 0.1);
  const Trust few = trust_in(pipeline_run("A100 80", "nemo"), runs);
  EXPECT_EQ(few.likeness, Likeness::Nothing);
  EXPECT_EQ(few.runs, 0);
  EXPECT_FALSE(few.median_abs);
  EXPECT_EQ(trust_text(few), "nothing of this kind, nor enough on any A100");
  EXPECT_EQ(trust_text(trust_in(pipeline_run("own GPU", "nemo"), runs)),
            "nothing of this kind, nor enough on any own GPU");
  EXPECT_EQ(trust_text(trust_in(pipeline_run("lesson GPU", ""), runs)),
            "nothing, this hardware is invented for lessons");
}

TEST(Trust, OwnFiguresOfTheGpuAreSaid) {
  std::vector<ValidationPoint> runs;
  add_runs(runs, kEnoughRuns, "pipeline", "nemo", 0.1);
  Report report = pipeline_run("A100 80", "nemo");
  report.settings = {{"cluster.gpu.preset", "a100-80", true}};
  EXPECT_FALSE(trust_in(report, runs).own_figures);
  report.settings.push_back({"cluster.gpu.gemm.in_step", "1", true});
  EXPECT_TRUE(trust_in(report, runs).own_figures);
  EXPECT_TRUE(trust_text(trust_in(report, runs))
                  .ends_with("by the GPU's figures and not by this scenario's own"));
}

TEST(Trust, ReadsWhatValidatePrints) {
  const testing::Folder folder;
  const auto file = folder.path() / "validated.csv";
  EXPECT_TRUE(read_validated_runs(file).empty());
  std::ofstream(file) << "id,device,kind,published,simulated,gpu,gpus,profile,repeats\n"
                         "a,A100,tensor,2,1,A100 80,16,nemo,\nb,A100,tensor,2,1,A100 80,16,,a\n";
  const std::vector<ValidationPoint> runs = read_validated_runs(file);
  ASSERT_EQ(runs.size(), 1U);  // b says what a says
  EXPECT_EQ(runs[0].gpus, 16);
  EXPECT_EQ(runs[0].error(), -0.5);
  std::ofstream(file) << "id,published,simulated,gpus\na,2,none,8\n";
  try {
    read_validated_runs(file);
    FAIL() << "'none' is no number";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("validated.csv:2:5: error: expected a number"),
              std::string::npos);
  }
}

/// The lines of the shipped table of published runs by id, and its header.
struct Lines {
  std::string header;
  std::map<std::string, std::string> by_id;
};
Lines published_lines() {
  Lines lines;
  std::ifstream file(std::filesystem::path(source_dir()) / "tests/validation/training.csv");
  std::getline(file, lines.header);
  for (std::string line; std::getline(file, line);) {
    lines.by_id[line.substr(0, line.find(','))] = line;
  }
  return lines;
}

// Some of the stored runs are played again, of each kind on each device a small and a large one.
TEST(Trust, StoredRunsAreThoseOfThisDanlu) {
  constexpr std::string_view kRewrite =
      "topologies/validated.csv is stale; rewrite it (some minutes): ./danlu validate "
      "tests/validation/training.csv --format csv > validated.csv; mv validated.csv topologies/";
  const std::vector<ValidationPoint> stored =
      read_validated_runs(std::filesystem::path(source_dir()) / "topologies/validated.csv");
  ASSERT_GT(stored.size(), 700U);
  const Lines lines = published_lines();
  constexpr int kMostGpus = 128;
  std::map<std::pair<std::string, std::string>, std::vector<const ValidationPoint*>> groups;
  for (const ValidationPoint& run : stored) {
    ASSERT_TRUE(lines.by_id.contains(run.id)) << run.id << "\n" << kRewrite;
    if (run.gpus <= kMostGpus) {
      groups[{run.device, run.kind}].push_back(&run);
    }
  }
  std::map<std::string, double> was;
  std::string text = lines.header + "\n";
  for (const auto& [key, runs] : groups) {
    const auto [least, most] = std::minmax_element(
        runs.begin(), runs.end(), [](const auto* a, const auto* b) { return a->gpus < b->gpus; });
    for (const ValidationPoint* run : {*least, *most}) {
      if (was.try_emplace(run->id, run->simulated).second) {
        text += lines.by_id.at(run->id) + "\n";
      }
    }
  }
  const MeasuredTable table{TableKind::Training, parse_csv(text, "training.csv")};
  ASSERT_GE(was.size(), 50U);
  const Validation now = validate(table, shipped_presets(), {});
  ASSERT_EQ(now.points.size(), was.size());
  for (const ValidationPoint& point : now.points) {
    EXPECT_TRUE(near(point.simulated, was.at(point.id), 1e-9)) << point.id << "\n" << kRewrite;
  }
}

}  // namespace
}  // namespace danlu
