// A report as a document: every writer has every figure of it, and each keeps the rules of its
// format. The tests go over the table of writers.
#include "sim/report/document.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "sim/base/csv.hpp"
#include "sim/base/text.hpp"
#include "sim/engine/engine.hpp"
#include "sim/report/writers.hpp"
#include "tests/support/support.hpp"

namespace danlu {

void PrintTo(const Writer& writer, std::ostream* out) {
  *out << writer.name;
}

namespace {

using testing::shipped;

/// What is in names that come from files: marks of every format, and a formula.
constexpr std::string_view kHostile = "=1+1 | `x` *y* <b>,\"q\" \\ [z](w) # -";

/// A run with faults, tokens, a saving, notes, several kinds of GPU.
Report full_report() {
  const Scenario scenario =
      shipped("faults/opt-175b.yaml", {"faults.trials=3", "degraded.gpus.5=1.4",
                                       "degraded.throttle.3={slowdown: 1.4, share: 0.3, "
                                       "period: 10 s}"});
  const Cluster cluster = build_cluster(scenario.cluster);
  const StepPlan plan = plan_step(scenario.workload, cluster);
  Report report = measure("a run", scenario.workload, cluster, plan, simulate(plan.graph));
  report.run = measure_run(report, scenario.cluster);
  report.notes = {"one note", std::string(kHostile)};
  report.overrides = {"model.layers=4"};
  report.assumptions = {{"cluster.gpu.kernel_launch", "2 us", "assumed"}};
  report.memory_hints = {"smaller"};
  report.saving = Saving{"parallelism.overlap.tensor=full", report.step.time * 0.9};
  report.draws = DrawsReport{{{10}, {12}}};
  report.model = std::string(kHostile);
  const CampaignJob job{.nodes = scenario.cluster.nodes(),
                        .gpus_per_node = scenario.cluster.topology.gpus_per_node,
                        .replicas = scenario.workload.parallelism.data,
                        .step = report.step.time,
                        .steps = 1e5,
                        .horizon = Seconds{10 * 86400.0}};
  report.faults = measure_faults(study(job, *scenario.faults, 1), report.step.mfu, 2);
  return report;
}

/// One GPU, nothing that is optional.
Report small_report() {
  const Scenario scenario = shipped("learn/01-one-gpu.yaml");
  const Cluster cluster = build_cluster(scenario.cluster);
  const StepPlan plan = plan_step(scenario.workload, cluster);
  return measure(scenario.name, scenario.workload, cluster, plan, simulate(plan.graph));
}

/// Without what formats put around marks and words.
std::string bare(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c != '\\' && c != '"') {
      result += c;
    }
  }
  return result;
}

/// How a program may write a figure.
std::string for_machines(const Figure& figure) {
  return std::visit(
      [](const auto& value) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
          return "";
        } else {
          const std::string text = nlohmann::json(value).dump();
          return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
        }
      },
      figure.value);
}

/// Whether a writer is to have the cell: the page has what is not off it, the others have all but
/// what is for the page only, JSON what has a key.
bool is_in(const Writer& writer, const Section& section, const Row& row, std::size_t cell) {
  const Column plain;
  const Column& column = section.columns.empty() ? plain : section.columns[cell + 1];
  if (writer.name == "text") {
    return row.shown != Shown::OffPage && column.shown != Shown::OffPage;
  }
  if (writer.name != "json") {
    return row.shown != Shown::PageOnly && column.shown != Shown::PageOnly;
  }
  switch (section.shape) {
    case Shape::Figures:
      return !row.key.empty() && cell == 0;
    case Shape::Groups:
      return !row.key.empty() && !column.key.empty();
    case Shape::Table:
      return !column.key.empty();
    case Shape::Lists:
      return !row.key.empty();
    case Shape::List:
      break;
  }
  return true;
}

class Writers : public ::testing::TestWithParam<Writer> {};

/// Looks for every figure that the writer is to have; how many there are.
int find_figures(const Writer& writer, const Document& document) {
  const std::string text = bare(writer.write(std::array{document}, false));
  int figures = 0;
  for (const Section& section : document.sections) {
    for (const Row& row : section.rows) {
      for (std::size_t i = 0; i < row.cells.size(); ++i) {
        const Figure& cell = row.cells[i];
        if (is_in(writer, section, row, i)) {
          ++figures;
          EXPECT_TRUE(text.find(bare(cell.text)) != std::string::npos ||
                      text.find(bare(for_machines(cell))) != std::string::npos)
              << section.heading << ", " << name_of(row) << ": " << cell.text;
        }
      }
    }
  }
  return figures;
}

TEST_P(Writers, HaveEveryFigureOfARun) {
  EXPECT_GT(find_figures(GetParam(), document_of(full_report())),
            GetParam().name == "text" ? 120 : 300);
}

TEST_P(Writers, HaveEveryFigureOfAComparison) {
  const Report base = full_report();
  Report other = base;
  other.scenario = "another";
  other.settings = {{"training.micro_batch", "2", true}};
  other.step.time = base.step.time * 2;
  other.step.breakdown[TimePart::Bubble] += base.step.time;
  EXPECT_GT(find_figures(GetParam(), comparison_of(std::array{base, other})),
            GetParam().name == "json" ? 20 : 50);
}

TEST_P(Writers, AreInTheReferencePages) {
  const auto page = [](const char* name) {
    std::ifstream file(testing::source_dir() + "/" + name);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  const auto [name, help, write, for_people] = GetParam();
  EXPECT_NE(page("docs/reference/cli.md").find(fmt::format("`{}` ({})", name, help)),
            std::string::npos);
  EXPECT_NE(page("docs/reference/report.md").find(fmt::format("\n| `{}` |", name)),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, Writers, ::testing::ValuesIn(kWriters),
                         [](const auto& row) { return std::string(row.param.name); });

// The parts of the time add up to the difference, in the keys of the page and of JSON.
TEST(Documents, DifferencesAddUp) {
  const Report base = small_report();
  Report other = base;
  other.step.time = base.step.time * 2;
  other.step.breakdown[TimePart::Bubble] += base.step.time;
  const nlohmann::ordered_json json = json_of(comparison_of(std::array{base, other, base}));
  ASSERT_EQ(json["differences"].size(), 2U);
  double sum = 0;
  for (const auto& [part, seconds] : json["differences"][0]["parts_s"].items()) {
    sum += seconds.get<double>();
  }
  EXPECT_TRUE(testing::near(sum, base.step.time.value));
  EXPECT_EQ(json["differences"][0]["step_s"].get<double>(), base.step.time.value);
  EXPECT_EQ(json["differences"][1]["step_s"].get<double>(), 0);
  EXPECT_TRUE(json["differences"][1]["faults"].is_null());
  EXPECT_EQ(json["runs"].size(), 3U);
  EXPECT_EQ(json["runs"][0], json_of(document_of(base)));
  EXPECT_TRUE(json["settings"].is_object() && json["settings"].empty());
}

// What is absent is null, an object of absent figures as a whole; a list of nothing is empty.
TEST(Documents, AbsentFiguresAreNull) {
  const nlohmann::ordered_json json = json_of(document_of(small_report()));
  EXPECT_TRUE(json["verdict"]["saving"].is_null());
  EXPECT_TRUE(json["draws"].is_null());
  EXPECT_TRUE(json["faults"].is_null());
  EXPECT_TRUE(json["speeds"].is_array() && json["speeds"].empty());
  EXPECT_TRUE(json["step"]["communication_s"]["tensor"].is_null());
  EXPECT_TRUE(json["step"]["breakdown_s"]["exposed_tensor"].is_null());
  EXPECT_EQ(json.begin().key(), "schema");
}

/// Where the cells of a line of Markdown end.
long bars_of(const std::string& line) {
  long bars = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else {
      bars += line[i] == '|' ? 1 : 0;
    }
  }
  return bars;
}

// A table: a blank line, heads, a rule, lines of as many cells; names cannot break it.
TEST(Markdown, TablesAreWellFormed) {
  Report report = full_report();
  report.scenario = std::string(kHostile) + "\nsecond line";
  std::istringstream text(write_markdown(std::array{document_of(report)}, false));
  std::string line;
  std::string before;
  long cells = 0;
  int tables = 0;
  for (bool is_first = true; std::getline(text, line); is_first = false) {
    if (line.starts_with("|")) {
      if (cells == 0) {
        EXPECT_TRUE(before.empty()) << line;
        cells = bars_of(line);
        std::getline(text, line);
        EXPECT_EQ(line.find_first_not_of("| :-"), std::string::npos) << line;
        ++tables;
      }
      EXPECT_EQ(bars_of(line), cells) << line;
      EXPECT_TRUE(line.ends_with(" |")) << line;
    } else {
      cells = 0;
      const bool is_known = line.empty() || line.starts_with("#") || line.starts_with("- ") ||
                            std::isalnum(static_cast<unsigned char>(line[0])) != 0;
      EXPECT_TRUE(is_known) << line;
    }
    EXPECT_EQ(line.find("<b>"), std::string::npos) << line;
    EXPECT_TRUE(!is_first || line.starts_with("# ")) << line;
    before = line;
  }
  EXPECT_GT(tables, 20);
}

// Every line has the cells of the header, every key is there once, and leads to the same figure in
// JSON: numbers with all their digits.
TEST(Csv, KeysLeadToTheFiguresOfJson) {
  const Document document = document_of(full_report());
  const nlohmann::ordered_json json = json_of(document);
  const CsvTable table = parse_csv(write_csv(std::array{document}, false), "report.csv");
  std::set<std::string> keys;
  for (const CsvRow& row : table.rows()) {
    std::string key(table.cell(row, "key"));
    if (key.empty()) {
      continue;
    }
    EXPECT_TRUE(keys.insert(key).second) << key;
    std::replace(key.begin(), key.end(), '.', '/');
    const nlohmann::ordered_json::json_pointer at("/" + key);
    const std::string value(table.cell(row, "value"));
    if (!json.contains(at) || json[at].is_null()) {
      EXPECT_EQ(value, "") << key;
    } else if (json[at].is_number()) {
      EXPECT_EQ(std::stod(value), json[at].get<double>()) << key;
    } else if (json[at].is_boolean()) {
      EXPECT_EQ(value, json[at].get<bool>() ? "true" : "false") << key;
    } else {
      const auto words = json[at].get<std::string>();
      EXPECT_EQ(value, (words.starts_with("=") ? "'" : "") + words) << key;
    }
  }
  EXPECT_GT(keys.size(), 300U);
}

// Two runs are one table; what would be a formula is words.
TEST(Csv, IsOneTableWithoutFormulas) {
  Report report = small_report();
  std::vector<Document> documents{document_of(report)};
  report.scenario = "=HYPERLINK(\"x\")";
  report.model = "@SUM(1)";
  documents.push_back(document_of(report));
  const CsvTable table = parse_csv(write_csv(documents, false), "report.csv");
  std::set<std::string> scenarios;
  for (const CsvRow& row : table.rows()) {
    scenarios.emplace(table.cell(row, "scenario"));
    for (const char* column : {"scenario", "row", "figure", "unit", "note"}) {
      const std::string_view cell = table.cell(row, column);
      EXPECT_EQ(std::string_view("=+@").find(cell.substr(0, 1)) != std::string_view::npos,
                cell.empty())
          << cell;
    }
  }
  EXPECT_EQ(scenarios, (std::set<std::string>{"Lesson 1, one GPU", "'=HYPERLINK(\"x\")"}));
}

}  // namespace
}  // namespace danlu
