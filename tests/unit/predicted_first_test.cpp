// The tables of docs/explain/predicted-first.md: what runs were predicted to take before anything
// was changed for them (tests/validation/predicted-first.csv), beside what they take now:
//
//   rows of training.csv      as topologies/validated.csv has them, which another test keeps fresh
//   rows of unexplained.csv   played here
//
// UPDATE_DOCS=1 danlu_tests --gtest_filter='PredictedFirst.*' writes them anew.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/base/text.hpp"
#include "sim/session/validate.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// One run: as it was predicted, and as it is now, in the groups that both go by.
struct Run {
  std::string document;
  ValidationPoint then;
  ValidationPoint now;
};
using Runs = std::vector<Run>;

fs::path in_source(const std::string& path) {
  return fs::path(testing::source_dir()) / path;
}

/// What rows take now, by id.
std::map<std::string, ValidationPoint> taken_now() {
  std::map<std::string, ValidationPoint> points;
  const CsvTable stored = read_csv(in_source("topologies/validated.csv"));
  for (const CsvRow& row : stored.rows()) {
    ValidationPoint point;
    point.device = stored.cell(row, "device");
    point.kind = stored.cell(row, "kind");
    point.published = parse_number(stored.cell(row, "published")).value();
    point.simulated = parse_number(stored.cell(row, "simulated")).value();
    points.emplace(stored.cell(row, "id"), std::move(point));
  }
  const Validation played = validate(read_table(in_source("tests/validation/unexplained.csv")),
                                     testing::shipped_presets(), {});
  for (const ValidationPoint& point : played.points) {
    points.emplace(point.id, point);
    points.at(point.id).repeats.clear();
  }
  return points;
}

/// The runs of each round, in the order of the file.
std::map<int, Runs> rounds() {
  const std::map<std::string, ValidationPoint> now = taken_now();
  const CsvTable table = read_csv(in_source("tests/validation/predicted-first.csv"));
  std::map<int, Runs> found;
  for (const CsvRow& row : table.rows()) {
    const std::string id(table.cell(row, "id"));
    if (!now.contains(id)) {
      ADD_FAILURE() << id << " is in no table";
      continue;
    }
    Run run{std::string(table.cell(row, "document")), now.at(id), now.at(id)};
    run.then.published = parse_number(table.cell(row, "published_s")).value();
    run.then.simulated = parse_number(table.cell(row, "predicted_s")).value();
    EXPECT_NEAR(run.then.error(), parse_number(table.cell(row, "error")).value(), 2e-4) << id;
    EXPECT_NEAR(run.now.published / run.then.published, 1, 1e-3) << id << ": published otherwise";
    found[static_cast<int>(parse_number(table.cell(row, "round")).value())].push_back(
        std::move(run));
  }
  return found;
}

std::string errors(const Runs& runs, ValidationPoint Run::*when) {
  std::vector<ValidationPoint> points;
  for (const Run& run : runs) {
    points.push_back(run.*when);
  }
  const ErrorStatistics all = error_statistics(points);
  return runs.size() == 1 ? fmt::format("{:+.1f} %", 100 * *all.mean)
                          : fmt::format("{:.1f} / {:.1f} / {:+.1f} %", 100 * *all.median_abs,
                                        100 * *all.p90_abs, 100 * *all.mean);
}

std::string line(const std::string& name, const Runs& runs) {
  const std::string now = errors(runs, &Run::now);
  const std::string then = errors(runs, &Run::then);
  return fmt::format("| {} | {} | {} | {} |\n", name, runs.size(), then,
                     now == then ? "the same" : now);
}

/// Runs by a name, in the order in which names come.
template <typename Name>
std::vector<std::pair<std::string, Runs>> grouped(const Runs& runs, const Name& name) {
  std::vector<std::pair<std::string, Runs>> groups;
  for (const Run& run : runs) {
    const std::string of = name(run);
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& group) { return group.first == of; });
    if (found == groups.end()) {
      found = groups.insert(groups.end(), {of, {}});
    }
    found->second.push_back(run);
  }
  return groups;
}

std::string table_of(const Runs& runs) {
  std::string text =
      "| | rows | predicted (median / 90th percentile / mean) | now |\n| --- | --- | --- | --- "
      "|\n" +
      line("all", runs);
  for (const auto& [document, some] : grouped(runs, [](const Run& run) { return run.document; })) {
    text += line(document, some);
  }
  for (const auto& [kind, some] :
       grouped(runs, [](const Run& run) { return "kind: " + run.now.kind; })) {
    text += line(kind, some);
  }
  for (const auto& [device, some] : grouped(runs, [](const Run& run) { return run.now.device; })) {
    text += line(device, some);
  }
  return text;
}

/// `page` with `table` behind the mark of `name`, up to the next empty line.
void put(std::string& page, const std::string& name, const std::string& table) {
  const std::string mark = fmt::format("<!-- predicted first: {} -->\n", name);
  const std::size_t at = page.find(mark);
  ASSERT_NE(at, std::string::npos) << mark;
  const std::size_t from = at + mark.size();
  const std::size_t to = page.find("\n\n", from);
  ASSERT_NE(to, std::string::npos) << mark;
  page.replace(from, to + 1 - from, table);
}

TEST(PredictedFirst, TablesOfTheDocumentAreThoseOfToday) {
  const fs::path path = in_source("docs/explain/predicted-first.md");
  const std::map<int, Runs> found = rounds();
  const std::string before = testing::read_source("docs/explain/predicted-first.md");
  std::string page = before;
  std::string all =
      "| | rows | predicted (median / 90th percentile / mean) | now |\n"
      "| --- | --- | --- | --- |\n";
  Runs every;
  for (const auto& [round, runs] : found) {
    put(page, fmt::format("round {}", round), table_of(runs));
    all += line(fmt::format("round {}", round), runs);
    every.insert(every.end(), runs.begin(), runs.end());
  }
  put(page, "all", all + line("all of them", every));
  if (std::getenv("UPDATE_DOCS") != nullptr) {
    std::ofstream(path, std::ios::binary) << page;
    return;
  }
  EXPECT_EQ(page, before) << "UPDATE_DOCS=1 in the environment of this test writes them anew";
}

}  // namespace
}  // namespace danlu
