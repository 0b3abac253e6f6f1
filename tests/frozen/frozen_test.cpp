// What danlu puts out, held to stored values: reports of all shipped scenarios and of random ones,
// random steps on random machines, pages as they are printed, and validation tables. They say
// nothing about what is right (the oracles do); they say that something changed.
//
//   UPDATE_FROZEN=1 ctest --test-dir build/release -R Frozen
//
// stores what is found now. Do so when a change is meant to change results: in the commit that
// changes them, after reading the difference of the stored files, and saying in the message which
// figures moved and why. Never to get a rebuilding through that should change nothing. A stored
// number that agrees but for rounding (kRounding) stays as it is stored.
//
// It asks little of the library, so that it outlives what it guards: most of it runs the program.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "sim/engine/engine.hpp"
#include "sim/report/report.hpp"
#include "sim/report/writers.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/frozen/difference.hpp"
#include "tests/frozen/figures.hpp"
#include "tests/support/play.hpp"
#include "tests/support/random_scenarios.hpp"
#include "tests/support/random_steps.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

namespace fs = std::filesystem;

bool is_update() {
  return std::getenv("UPDATE_FROZEN") != nullptr;
}

fs::path frozen(const fs::path& name) {
  return fs::path(source_dir()) / "tests/frozen" / name;
}

std::string read_file(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

void write_file(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

struct Output {
  int status = 0;  // 127: it did not start; -1: killed
  std::string out, errors;
};

/// Runs the program in the repository's root, as a user would who has its shipped presets.
Output run_danlu(const std::string& arguments) {
  const Folder folder;
  const fs::path errors = folder.path() / "errors";
  const std::string command = fmt::format(
      "cd '{0}' && DANLU_TOPOLOGIES='{0}/topologies' '{1}' {2} "
      "2>'{3}' </dev/null",
      source_dir(), DANLU_PROGRAM, arguments, errors.string());
  FILE* pipe = popen(command.c_str(), "r");
  Output output;
  char part[65536];
  for (std::size_t count = 0; (count = fread(part, 1, sizeof part, pipe)) > 0;) {
    output.out.append(part, count);
  }
  const int status = pclose(pipe);
  output.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  output.errors = read_file(errors);
  return output;
}

/// The report of `danlu run`; null where there is none, which a plan that does not fit in memory
/// has.
Json report_of(const Output& output) {
  return output.status <= 1 && !output.out.empty() ? without_machine(Json::parse(output.out))
                                                   : Json(nullptr);
}

constexpr const char* kHowToUpdate =
    "\n(tests/frozen/frozen_test.cpp says when UPDATE_FROZEN=1 may store what was found)";

void append(std::vector<Difference>& all, const std::vector<Difference>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

/// Where `found` differs from what `file` holds; an update stores it there.
std::vector<Difference> compare(const std::string& name, const fs::path& file, const Json& found) {
  const std::string text = read_file(file);
  const Json stored = text.empty() ? Json(nullptr) : Json::parse(text);
  if (is_update()) {
    write_file(file, keep_rounding(stored, found).dump(2) + "\n");
    return {};
  }
  return differences(name, stored, found);
}

void expect_none(std::vector<Difference> found, const std::string& about_first = "") {
  sort_by_size(found);
  EXPECT_TRUE(found.empty()) << message(found) << about_first << kHowToUpdate;
}

/// The `mine`-th of `shards` parts of a list, which CTest checks side by side.
template <typename T>
std::vector<T> part_of(const std::vector<T>& all, int mine, int shards) {
  std::vector<T> part;
  for (std::size_t i = static_cast<std::size_t>(mine); i < all.size();
       i += static_cast<std::size_t>(shards)) {
    part.push_back(all[i]);
  }
  return part;
}

// ---- Shipped scenarios ------------------------------------------------------------------------

/// All of them, by path below scenarios/, sorted.
std::vector<fs::path> shipped_scenarios() {
  const fs::path folder = fs::path(source_dir()) / "scenarios";
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") {
      files.push_back(entry.path().lexically_relative(folder));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

fs::path stored_scenario(fs::path file) {
  return frozen("scenarios") / file.replace_extension(".json");
}

constexpr int kScenarioShards = 6;
class FrozenScenarios : public ::testing::TestWithParam<int> {};

/// The whole report, with the advice that a user gets.
TEST_P(FrozenScenarios, ReportAsStored) {
  std::vector<Difference> found;
  for (const fs::path& file : part_of(shipped_scenarios(), GetParam(), kScenarioShards)) {
    const Output output = run_danlu(fmt::format("run 'scenarios/{}' --json", file.string()));
    const Json report = report_of(output);
    ASSERT_FALSE(report.is_null()) << file << " has no report:\n" << output.errors;
    append(found, compare(file.string(), stored_scenario(file), report));
  }
  expect_none(std::move(found));
}

INSTANTIATE_TEST_SUITE_P(Parts, FrozenScenarios, ::testing::Range(0, kScenarioShards));

TEST(FrozenFiles, BelongToScenarios) {
  std::vector<fs::path> known;
  for (const fs::path& file : shipped_scenarios()) {
    known.push_back(stored_scenario(file));
  }
  fs::create_directories(frozen("scenarios"));  // not there before the first update
  for (const auto& entry : fs::recursive_directory_iterator(frozen("scenarios"))) {
    const bool orphan = entry.is_regular_file() &&
                        std::find(known.begin(), known.end(), entry.path()) == known.end();
    if (orphan && is_update()) {
      fs::remove(entry.path());
    } else {
      EXPECT_FALSE(orphan) << entry.path() << " is of no shipped scenario" << kHowToUpdate;
    }
  }
}

// ---- Pages ------------------------------------------------------------------------------------

/// A page without how long this computer took, at the end of its last line.
std::string without_duration(std::string page) {
  const std::size_t last = page.rfind("\nSimulated ");
  const std::size_t at = last == std::string::npos ? last : page.find(" in ", last);
  return at == std::string::npos ? page : page.substr(0, at) + "\n";
}

class FrozenPages : public ::testing::TestWithParam<const char*> {};

/// Byte for byte.
TEST_P(FrozenPages, PrintedAsStored) {
  const std::string page =
      without_duration(run_danlu(fmt::format("run scenarios/{}.yaml", GetParam())).out);
  const fs::path file = frozen("pages") / (fs::path(GetParam()).filename().string() + ".txt");
  if (is_update()) {
    write_file(file, page);
  }
  EXPECT_EQ(read_file(file), page) << kHowToUpdate;
}

INSTANTIATE_TEST_SUITE_P(Scenarios, FrozenPages,
                         ::testing::Values("gpt3-175b-64-a100-selective", "mixed-a100-h100",
                                           "llama3-405b-16384-h100", "broken/throttled-gpu",
                                           "faults/llama3-405b-54-days", "a800-vs-h100/h800-best"));

// ---- Published measurements -------------------------------------------------------------------

class FrozenTables : public ::testing::TestWithParam<const char*> {};

/// All summary figures, and what was simulated for each row.
TEST_P(FrozenTables, ValidatedAsStored) {
  const std::string name = GetParam();
  const Output output = run_danlu(fmt::format("validate tests/validation/{}.csv --json", name));
  ASSERT_EQ(output.status, 0) << output.errors;
  const Json found = without_published(Json::parse(output.out));
  ASSERT_EQ(found.at("points").size(), found.at("simulated").get<std::size_t>());
  expect_none(compare(name, frozen("tables") / (name + ".json"), found));
}

INSTANTIATE_TEST_SUITE_P(Tables, FrozenTables,
                         ::testing::Values("korthikanti-2022", "megatron-2021", "nccl"));

// ---- Random ones: a line for each seed --------------------------------------------------------

/// The stored lines of a file, each an object with its "seed".
std::vector<Json> read_lines(const fs::path& file) {
  std::vector<Json> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(Json::parse(line));
  }
  return lines;
}

/// What a seed stands for, in words, and its figures; null where it cannot run, and why.
struct Drawn {
  std::string description;
  Json figures = nullptr;
  std::string problem;
};

/// Holds the seeds of a file to their lines, or stores lines for the first seeds from `first` on
/// that run.
template <typename Draw>
void hold_seeds(const fs::path& file, std::uint64_t first, const Draw& draw) {
  constexpr std::size_t kSeeds = 50;
  const std::vector<Json> stored = read_lines(file);
  const auto line_of = [](std::uint64_t seed, const Json& figures) {
    Json line{{"seed", seed}};
    line.update(figures);
    return line;
  };
  if (is_update()) {
    std::string lines;
    std::size_t count = 0;
    for (std::uint64_t seed = first; count < kSeeds; ++seed) {
      if (const Json figures = draw(seed).figures; !figures.is_null()) {
        const auto before = std::find_if(stored.begin(), stored.end(),
                                         [&](const Json& line) { return line.at("seed") == seed; });
        Json line = line_of(seed, figures);
        lines += (before == stored.end() ? line : keep_rounding(*before, line)).dump() + "\n";
        ++count;
      }
    }
    write_file(file, lines);
    return;
  }
  EXPECT_EQ(stored.size(), kSeeds) << file << kHowToUpdate;
  std::vector<Difference> found;
  std::string largest;  // what the seed of the largest difference stands for
  double size = 0;
  for (const Json& line : stored) {
    const auto seed = line.at("seed").get<std::uint64_t>();
    const Drawn drawn = draw(seed);
    const std::string name = fmt::format("seed {}", seed);
    for (Difference& more :
         drawn.figures.is_null()
             ? std::vector{Difference{name, "report", "found none: " + drawn.problem}}
             : differences(name, line, line_of(seed, drawn.figures))) {
      largest = more.size > size ? drawn.description : largest;
      size = std::max(size, more.size);
      found.push_back(std::move(more));
    }
  }
  expect_none(std::move(found), "The first of these seeds is\n" + largest);
}

/// Without advice, which would play each of them several times.
Drawn draw_scenario(std::uint64_t seed) {
  Dice dice(seed);
  Drawn drawn{random_scenario(dice)};
  const Folder folder;
  const fs::path file = folder.write("random.yaml", drawn.description);
  const Output output = run_danlu(fmt::format("run '{}' --json --no-advice", file.string()));
  const bool is_our_bug = output.status < 0 || output.status > 2;
  EXPECT_FALSE(is_our_bug) << "seed " << seed << ":\n" << drawn.description << output.errors;
  if (const Json report = report_of(output); !report.is_null()) {
    drawn.figures = key_figures(report);
  }
  drawn.problem = output.errors;
  return drawn;
}

/// One in four with the coarse fold, where that has a bound.
Drawn draw_step_of(std::uint64_t seed) {
  Case drawn = random_case(seed);
  const DegradedSpec& degraded = drawn.cluster.degraded;
  if (seed % 4 == 0 && drawn.workload.collectives != CollectiveMode::Stepwise &&
      degraded.flaps.empty() && degraded.jitter.spread == 0) {
    drawn.workload.fold = FoldMode::Bound;
  }
  Drawn result{describe(drawn) + "\n"};
  try {
    const std::string report = run_in_child([&] {
      const Cluster cluster = build_cluster(drawn.cluster);
      const StepPlan plan = plan_step(drawn.workload, cluster);
      return json_report(measure("random", drawn.workload, cluster, plan, simulate(plan.graph)));
    });
    result.figures = key_figures(Json::parse(report));
  } catch (const std::runtime_error& error) {
    ADD_FAILURE() << "seed " << seed << ": " << result.description << error.what();
    result.problem = error.what();
  }
  return result;
}

constexpr int kScenarioSeedShards = 6;
class FrozenRandomScenarios : public ::testing::TestWithParam<int> {};

TEST_P(FrozenRandomScenarios, FiguresAsStored) {
  const auto shard = static_cast<std::uint64_t>(GetParam());
  hold_seeds(frozen(fmt::format("random_scenarios/{}.jsonl", shard)), 1 + 1000 * shard,
             draw_scenario);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FrozenRandomScenarios, ::testing::Range(0, kScenarioSeedShards));

constexpr int kStepSeedShards = 4;
class FrozenRandomSteps : public ::testing::TestWithParam<int> {};

TEST_P(FrozenRandomSteps, FiguresAsStored) {
  const auto shard = static_cast<std::uint64_t>(GetParam());
  hold_seeds(frozen(fmt::format("random_steps/{}.jsonl", shard)), 1001 + 1000 * shard,
             draw_step_of);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FrozenRandomSteps, ::testing::Range(0, kStepSeedShards));

// ---- The comparison itself --------------------------------------------------------------------

TEST(FrozenDifference, IsOfMoreThanRounding) {
  const Json stored = Json::parse(R"({"a": {"b": [1.0, 2.0]}, "text": "x", "none": null})");
  Json found = stored;
  found["a"]["b"][1] = 2 * (1 + 9e-13);
  EXPECT_EQ(message(differences("file", stored, found)), "");
  EXPECT_EQ(keep_rounding(stored, found), stored);

  found["a"]["b"][1] = 2.5;
  found["text"] = "y";
  found["none"] = 0;  // null is no number
  found["more"] = true;
  EXPECT_EQ(message(differences("file", stored, found)),
            "file: a.b[1]: stored 2.0, found 2.5 (relative difference 0.2)\n"
            "file: text: stored \"x\", found \"y\"\n"
            "file: none: stored null, found 0\n"
            "file: more: stored nothing, found true\n");
  EXPECT_EQ(message(differences("file", found, stored)).substr(0, 15), "file: a.b[1]: s");
  EXPECT_EQ(keep_rounding(stored, found), found);
}

TEST(FrozenDifference, ComesLargestFirst) {
  std::vector<Difference> found =
      differences("file", Json{{"a", 1}, {"b", 1}, {"c", "x"}}, Json{{"a", 2}, {"b", 3}, {"c", 1}});
  sort_by_size(found);
  EXPECT_EQ(found[0].path + found[1].path + found[2].path, "cba");
}

TEST(FrozenDifference, ListsTenAndCountsTheRest) {
  const Json stored{{"rows", std::vector<int>(12, 1)}, {"sum", 12}};
  const Json found{{"rows", std::vector<int>(12, 2)}, {"sum", 24}};
  const std::string text = message(differences("file", stored, found));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
  EXPECT_TRUE(text.ends_with("and 3 more: 2 x rows[] 1 x sum\n")) << text;
}

}  // namespace
}  // namespace danlu::testing
