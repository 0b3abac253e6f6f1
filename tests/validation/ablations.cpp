// Published ablations: what one change of a plan, or more GPUs, does to the step, as measured and
// as simulated.
//
//   ablations ABLATIONS.csv TRAINING.csv TOPOLOGIES PAGE.md
//
// A row goes from a run to another one. A run is the id of a row of TRAINING.csv, whose published
// time counts, or a scenario of the folder that is called as the table, with settings behind
// semicolons; then `published` is the step's time after over before. By its rule it is right when
//
//   effect   the step changes in the published direction, and ln(after / before) is within 30 % of
//            the published one; else its verdict is "direction" or "size"
//   ends     both steps are within 10 % of the published ones; else "size"
//
// `simulated` (after over before) and `verdict` are stored: known misses stand there as such. The
// program exits with 1 where either is not what it finds (the ratio by kStored); UPDATE_ABLATIONS
// in the environment stores what is found, and shows it in PAGE.md.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/session/training_rows.hpp"
#include "sim/validation/training_table.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

constexpr double kSize = 0.3;     // of an effect
constexpr double kEnds = 0.1;     // of a step's time
constexpr double kStored = 0.01;  // by which a ratio may move until it has to be stored again

struct Run {
  Scenario scenario;
  double published = 0;  // seconds; 0: a scenario has none
  double simulated = 0;
};

/// The runs that rows name, each once.
class Runs {
 public:
  Runs(const fs::path& training, LoadOptions load, fs::path folder)
      : training_(read_csv(training)), load_(std::move(load)), folder_(std::move(folder)) {}

  void add(const std::string& name) {
    if (!runs_.contains(name)) {
      runs_[name] = name.find(".yaml") == std::string::npos ? row(name) : scenario(name);
    }
  }
  void play() {
    std::vector<const Scenario*> scenarios;
    for (const auto& [name, run] : runs_) {
      scenarios.push_back(&run.scenario);
    }
    const std::vector<Played> played = play_rows(scenarios, {});
    std::size_t next = 0;
    for (auto& [name, run] : runs_) {
      run.simulated = end_of(played[next++]).value;
    }
  }
  const Run& operator[](const std::string& name) const { return runs_.at(name); }

 private:
  Run row(const std::string& id) const {
    for (const CsvRow& line : training_.rows()) {
      if (training_.cell(line, "id") == id) {
        Conversion run = convert(training_, line, load_);
        check(run.scenario.has_value(), "a run of the table can be simulated");
        return {std::move(*run.scenario), run.published_step_s, 0};
      }
    }
    throw InputError(Problem{{training_.file(), 0, 0}, "no row '" + id + "'", "", ""});
  }
  Run scenario(const std::string& text) const {
    LoadOptions load = load_;
    std::vector<std::string> parts;
    for (std::string_view part : split(text, ';')) {
      part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
      parts.emplace_back(part);
    }
    load.overrides.assign(parts.begin() + 1, parts.end());
    return {load_scenario(folder_ / parts.front(), load), 0, 0};
  }

  CsvTable training_;
  LoadOptions load_;
  fs::path folder_;
  std::map<std::string, Run> runs_;
};

struct Ablation {
  std::string what, rule, from, to, published_cell, source;
  double stored = 0;
  std::string stored_verdict;
  // found:
  double published = 0, simulated = 0;
  std::string verdict;
};

void judge(Ablation& a, const Run& from, const Run& to) {
  a.published = parse_number(a.published_cell).value_or(to.published / from.published);
  a.simulated = to.simulated / from.simulated;
  if (a.rule == "ends") {
    const double worst = std::max(std::abs(from.simulated / from.published - 1),
                                  std::abs(to.simulated / to.published - 1));
    a.verdict = worst <= kEnds ? "right" : "size";
    return;
  }
  const double share = std::log(a.simulated) / std::log(a.published);
  a.verdict = share <= 0 ? "direction" : std::abs(share - 1) <= kSize ? "right" : "size";
}

std::vector<Ablation> read_ablations(const fs::path& file) {
  const CsvTable table = read_csv(file);
  std::vector<Ablation> rows;
  for (const CsvRow& row : table.rows()) {
    const auto cell = [&](std::string_view column) { return std::string(table.cell(row, column)); };
    rows.push_back({cell("what"), cell("rule"), cell("from"), cell("to"), cell("published"),
                    cell("source"), parse_number(cell("simulated")).value_or(0), cell("verdict")});
    if (rows.back().rule != "ends" && rows.back().rule != "effect") {
      throw InputError(table.problem(row, "rule", "expected effect or ends"));
    }
  }
  return rows;
}

std::string csv_of(const std::vector<Ablation>& rows) {
  std::string text = "what,rule,from,to,published,source,simulated,verdict\n";
  for (const Ablation& a : rows) {
    text +=
        fmt::format("{},{},{},{},{},{},{:.4f},{}\n", csv_cell(a.what), a.rule, csv_cell(a.from),
                    csv_cell(a.to), a.published_cell, csv_cell(a.source), a.simulated, a.verdict);
  }
  return text;
}

std::string percent(double ratio) {
  return fmt::format("{:+.1f} %", 100 * (ratio - 1));
}

/// What the page shows.
std::string table_of(const std::vector<Ablation>& rows, const Runs& runs) {
  std::string text =
      fmt::format("{:<74} {:>9} {:>9}\n", "change of the step", "published", "danlu");
  std::string ends =
      fmt::format("\n{:<74} {:>9} {:>9}\n", "more GPUs: error of the step", "before", "after");
  std::map<std::string, int> counts;
  for (const Ablation& a : rows) {
    ++counts[a.verdict];
    const std::string miss = a.verdict == "right" ? "" : "  wrong " + a.verdict;
    if (a.rule == "effect") {
      text += fmt::format("{:<74} {:>9} {:>9}{}\n", a.what, percent(a.published),
                          percent(a.simulated), miss);
    } else {
      const Run& from = runs[a.from];
      const Run& to = runs[a.to];
      ends +=
          fmt::format("{:<74} {:>9} {:>9}{}\n", a.what, percent(from.simulated / from.published),
                      percent(to.simulated / to.published), miss);
    }
  }
  return fmt::format("{}{}\nof {} rows right {}, wrong in size {}, wrong in direction {}\n", text,
                     ends, rows.size(), counts["right"], counts["size"], counts["direction"]);
}

std::string read_text(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

/// The page with `table` in its only block of text.
std::string with_table(const std::string& page, const std::string& table) {
  constexpr std::string_view kOpens = "```text\n";
  const std::size_t opens = page.find(kOpens);
  const std::size_t closes = opens == std::string::npos ? opens : page.find("```\n", opens + 8);
  check(closes != std::string::npos, "the page has a block of text");
  return page.substr(0, opens + kOpens.size()) + table + page.substr(closes);
}

int run(const fs::path& file, const fs::path& training, const std::string& topologies,
        const fs::path& page) {
  std::vector<Ablation> rows = read_ablations(file);
  Runs runs(training, {topologies, {}}, fs::path(file).replace_extension(""));
  for (const Ablation& a : rows) {
    runs.add(a.from);
    runs.add(a.to);
  }
  runs.play();
  bool stale = false;
  for (Ablation& a : rows) {
    judge(a, runs[a.from], runs[a.to]);
    if (a.verdict != a.stored_verdict || std::abs(a.simulated - a.stored) > kStored) {
      stale = true;
      fmt::print("{}: stored {:.4f} ({}), now {:.4f} ({})\n", a.what, a.stored, a.stored_verdict,
                 a.simulated, a.verdict);
    }
  }
  const std::string table = table_of(rows, runs);
  fmt::print("{}", table);
  if (std::getenv("UPDATE_ABLATIONS") != nullptr) {
    std::ofstream(file, std::ios::binary) << csv_of(rows);
    const std::string shown = with_table(read_text(page), table);
    std::ofstream(page, std::ios::binary) << shown;
    return 0;
  }
  if (stale) {
    fmt::print("what moved is stored, and shown in {}, with UPDATE_ABLATIONS=1\n", page.string());
  }
  return stale ? 1 : 0;
}

}  // namespace
}  // namespace danlu

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: ablations ABLATIONS.csv TRAINING.csv TOPOLOGIES PAGE.md\n");
    return 2;
  }
  try {
    return danlu::run(argv[1], argv[2], argv[3], argv[4]);
  } catch (const danlu::InputError& error) {
    fmt::print(stderr, "{}", error.what());
    return 2;
  }
}
