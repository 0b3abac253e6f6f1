// How far to trust a report: which published runs it is set beside, and whether the table of them
// is of this danlu.
#include "sim/session/trust.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "sim/base/csv.hpp"
#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
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

void add_runs(PublishedRuns& runs, int count, const std::string& kind, const std::string& profile,
              double error) {
  for (int i = 0; i < count; ++i) {
    runs.steps.push_back({.id = fmt::format("{}-{}-{}", kind, profile, i),
                          .device = "A100",
                          .published = 1,
                          .simulated = 1 + error,
                          .kind = kind,
                          .gpu = i % 2 == 0 ? "A100 40" : "A100 80",
                          .gpus = 8 << i,
                          .profile = profile});
  }
}

TEST(Trust, IsOfTheNearestRunsThatAreEnough) {
  PublishedRuns runs;
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
  EXPECT_EQ(
      trust_text(trust),
      "5 published runs like this one (A100, megatron-core, pipeline, 8 to 128 GPUs) are met "
      "within 3.0 % (median) and 3.0 % (90th percentile), their publishers' runs being in the "
      "fits");

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

// What a reader takes the line for is what his own run, of a publisher that no fit knows, is off.
TEST(Trust, IsThatOfRunsThatTheFitsDidNotKnow) {
  PublishedRuns runs;
  add_runs(runs, 5, "pipeline", "nemo", 0.01);
  for (const ValidationPoint& run : runs.steps) {
    runs.left_out[run.id] = 1.1;
  }
  Trust trust = trust_in(pipeline_run("A100 80", "nemo"), runs);
  EXPECT_EQ(trust.in_sample, 0);
  EXPECT_TRUE(near(*trust.median_abs, 0.1, 1e-12));
  EXPECT_TRUE(near(*trust.mean, 0.1, 1e-12));
  EXPECT_EQ(trust_text(trust),
            "5 published runs like this one (A100, nemo, pipeline, 8 to 128 GPUs) are met within "
            "10.0 % (median) and 10.0 % (90th percentile), each predicted without its publisher's "
            "runs");
  runs.left_out.erase(runs.steps[0].id);  // one too large to be played for a fit
  trust = trust_in(pipeline_run("A100 80", "nemo"), runs);
  EXPECT_EQ(trust.in_sample, 1);
  EXPECT_TRUE(near(*trust.mean, (4 * 0.1 + 0.01) / 5, 1e-12));
  EXPECT_TRUE(trust_text(trust).ends_with("without its publisher's runs (but 1 of them)"));
}

void add_peaks(PublishedRuns& runs, int count, const std::string& kind, const std::string& profile,
               double published) {
  for (int i = 0; i < count; ++i) {
    runs.peaks.push_back(
        {.published = published, .simulated = 1, .unit = "B", .kind = kind, .profile = profile});
  }
}

// Of eleven peaks, sorted, the nine-tenths quantile is the tenth: 1.25 times what is simulated.
TEST(Trust, OfMemoryIsOfPublishedPeaks) {
  PublishedRuns runs;
  Workload plan;
  plan.parallelism.pipeline = 4;
  plan.training.framework = "nanotron";
  EXPECT_EQ(memory_trust_text(memory_trust_in(plan, 8, runs), Bytes{1}, Bytes{2}),
            "no published peak");

  add_peaks(runs, 9, "pipeline", "nanotron", 1.0);
  add_peaks(runs, 2, "pipeline", "nanotron", 1.25);
  add_peaks(runs, 6, "tensor", "nanotron", 2.0);
  add_peaks(runs, 4, "experts", "nemo", 0.5);
  const MemoryTrust same = memory_trust_in(plan, 8, runs);
  EXPECT_EQ(same.likeness, PeakLikeness::SameKind);
  EXPECT_EQ(same.peaks, 11);
  EXPECT_TRUE(near(*same.p90_times, 1.25, 1e-12));
  EXPECT_TRUE(near(*same.median_abs, 0, 1e-12));
  EXPECT_TRUE(near(*same.p90_abs, 0.2, 1e-12));  // 1 / 1.25 - 1
  EXPECT_TRUE(near(*same.mean, -0.2 * 2 / 11, 1e-12));
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  const Bytes card{80 * kGiB};
  const std::string met =
      "11 published peaks like this one (nanotron, pipeline) are met within 0 % (median) and "
      "20.0 % (90th percentile), nine of ten are at most 1.25 times what is simulated";
  EXPECT_EQ(memory_trust_text(same, Bytes{64 * kGiB}, card), met);  // 64 * 1.25 = 80
  EXPECT_FALSE(fits_within_error_only(same, Bytes{64 * kGiB}, card));
  EXPECT_EQ(memory_trust_text(same, Bytes{72 * kGiB}, card),
            met + "; that would be 90 GiB here, of 80 GiB: it fits within this error only");
  EXPECT_TRUE(fits_within_error_only(same, Bytes{72 * kGiB}, card));
  EXPECT_FALSE(fits_within_error_only(same, Bytes{81 * kGiB}, card));  // does not fit anyway

  plan.parallelism.zero = 3;  // over one replica: nothing is shared out
  EXPECT_EQ(memory_trust_in(plan, 8, runs).likeness, PeakLikeness::SameKind);
  plan.parallelism.data = 2;
  const MemoryTrust framework = memory_trust_in(plan, 8, runs);
  EXPECT_EQ(framework.likeness, PeakLikeness::SameFramework);
  EXPECT_EQ(framework.peaks, 17);
  EXPECT_NE(memory_trust_text(framework, Bytes{1}, card)
                .find("nothing of this kind (FSDP and ZeRO-2, -3); the 17 published peaks of "
                      "nanotron are met within"),
            std::string::npos);

  plan.training.framework = "nemo";  // four are too few
  EXPECT_NE(memory_trust_text(memory_trust_in(plan, 8, runs), Bytes{1}, card)
                .find("too few with nemo; all 21 published peaks are met within"),
            std::string::npos);
  plan.training.framework = "";
  EXPECT_NE(memory_trust_text(memory_trust_in(plan, 8, runs), Bytes{1}, card)
                .find("no framework is named; all 21 published peaks"),
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
  PublishedRuns runs;
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
  PublishedRuns runs;
  add_runs(runs, kEnoughRuns, "pipeline", "nemo", 0.1);
  Report report = pipeline_run("A100 80", "nemo");
  report.settings = {{"cluster.gpu.preset", "a100-80", true}};
  EXPECT_FALSE(trust_in(report, runs).own_figures);
  report.settings.push_back({"cluster.gpu.gemm.in_step", "1", true});
  EXPECT_TRUE(trust_in(report, runs).own_figures);
  EXPECT_TRUE(trust_text(trust_in(report, runs))
                  .ends_with("by the GPU's figures and not by this scenario's own"));
}

TEST(Trust, ReadsWhatValidateAndTheFitPrint) {
  const testing::Folder folder;
  const auto steps = folder.path() / "validated.csv";
  const auto left_out = folder.path() / "validated-left-out.csv";
  EXPECT_TRUE(read_published_runs(folder.path()).steps.empty());
  constexpr std::string_view kColumns =
      "id,device,kind,published,simulated,gpu,gpus,profile,repeats,published_peak,simulated_peak\n";
  std::ofstream(steps) << kColumns
                       << "a,A100,tensor,2,1,A100 80,16,nemo,,6e10,3e10\n"
                          "b,A100,tensor,2,1,A100 80,16,,a,6e10,3e10\n"
                          "c,A100,tensor,4,1,A100 80,16,,,,\n";
  std::ofstream(left_out) << "id,publisher,shipped,left_out\na,\"one, two\",1,1.5\n";
  const PublishedRuns runs = read_published_runs(folder.path());
  ASSERT_EQ(runs.steps.size(), 2U);  // b says what a says
  EXPECT_EQ(runs.steps[0].gpus, 16);
  EXPECT_EQ(runs.steps[0].error(), -0.5);
  EXPECT_EQ(runs.left_out, (std::map<std::string, double>{{"a", 1.5}}));
  ASSERT_EQ(runs.peaks.size(), 1U);
  EXPECT_EQ(runs.peaks[0].published, 6e10);
  EXPECT_EQ(runs.peaks[0].profile, "nemo");

  const auto message = [&] {
    try {
      read_published_runs(folder.path());
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  std::ofstream(left_out) << "id,publisher,shipped,left_out\na,one,1,none\n";
  EXPECT_NE(message().find("validated-left-out.csv:2:9: error: expected a number above zero in "
                           "'left_out'"),
            std::string::npos)
      << message();
  std::ofstream(steps) << "id,published,simulated,gpus\na,2,none,8\n";
  EXPECT_NE(message().find("validated.csv:2:5: error: expected a number"), std::string::npos);
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
      read_published_runs(std::filesystem::path(source_dir()) / "topologies").steps;
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

// And what is not stored of the table cannot be simulated.
TEST(Trust, EveryRunThatCanBeSimulatedIsStored) {
  const CsvTable stored =
      read_csv(std::filesystem::path(source_dir()) / "topologies/validated.csv");
  Lines lines = published_lines();
  for (const CsvRow& row : stored.rows()) {
    lines.by_id.erase(std::string(stored.cell(row, "id")));
  }
  std::string text = lines.header + "\n";
  for (const auto& [id, line] : lines.by_id) {
    text += line + "\n";
  }
  const MeasuredTable table{TableKind::Training, parse_csv(text, "training.csv")};
  const Validation rest = validate(table, shipped_presets(), {});
  EXPECT_TRUE(rest.points.empty()) << rest.points.front().id << " and others";
  EXPECT_LT(lines.by_id.size(), 20U);
}

// Every run is predicted without its publisher too, and that by a danlu like this one: what it
// says of the runs as shipped may have moved since by 2 %, of one in ten by more.
TEST(Trust, RunsLeftOutAreThoseOfThisDanlu) {
  constexpr std::string_view kRewrite =
      "topologies/validated-left-out.csv is stale; rewrite it (some minutes): "
      "build/release/bin/fit_training tests/validation/training.csv topologies --left-out "
      "topologies/validated-left-out.csv";
  const std::filesystem::path folder = std::filesystem::path(source_dir()) / "topologies";
  const PublishedRuns runs = read_published_runs(folder);
  const CsvTable table = read_csv(folder / "validated-left-out.csv");
  std::map<std::string, double> shipped;
  for (const CsvRow& row : table.rows()) {
    shipped[std::string(table.cell(row, "id"))] = *parse_number(table.cell(row, "shipped"));
  }
  std::vector<double> moved;
  for (const ValidationPoint& run : runs.steps) {
    ASSERT_TRUE(runs.left_out.contains(run.id)) << run.id << "\n" << kRewrite;
    moved.push_back(std::abs(run.simulated / shipped.at(run.id) - 1));
  }
  EXPECT_LT(quantile(moved, 0.9), 0.02) << kRewrite;
  EXPECT_GT(runs.peaks.size(), 200U);
}

}  // namespace
}  // namespace danlu
