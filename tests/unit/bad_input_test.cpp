// Broken input and the whole text of its error. The cases are in bad_input/*.txt:
//
//   === a name for the case
//   ... lines of scenario.yaml ...
//   --- file NAME          more files beside it, as often as needed; a folder presets/ stands in
//                          for the shipped topologies
//   --- set KEY=VALUE      a --set of the command line
//   --- load WHAT          load WHAT instead: "gpu NAME", "topology NAME" or "scenario NAME"
//   --- error
//   ... the text of the InputError ...
//
// UPDATE_EXPECTED=1 in the environment rewrites the errors; read the difference before it is kept.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/base/error.hpp"
#include "tests/support/repeated.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

namespace fs = std::filesystem;

std::string without(std::string text, const std::string& what) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what)) {
    text.erase(at, what.size());
  }
  return text;
}

/// What `load` complains of, without the names of folders.
template <typename Load>
std::string error_of(const Load& load, const fs::path& folder = "") {
  try {
    load();
  } catch (const InputError& error) {
    std::string text = without(error.what(), source_dir() + "/");
    return folder.empty() ? text : without(std::move(text), folder.string() + "/");
  }
  return "accepted\n";
}

std::string error_of_text(const std::string& yaml) {
  return error_of([&] { load_scenario_text(yaml, "bad.yaml", shipped_presets()); });
}

struct Case {
  std::string head;  // from === to --- error, as it stands in the file
  std::string expected;
};

std::vector<Case> read_cases(const fs::path& file) {
  std::vector<Case> cases;
  std::ifstream stream(file);
  bool in_error = false;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("=== ")) {
      cases.push_back({});
      in_error = false;
    }
    if (!cases.empty()) {
      (in_error ? cases.back().expected : cases.back().head) += line + "\n";
    }
    in_error = in_error || line == "--- error";
  }
  return cases;
}

std::string run_case(const Case& one) {
  const Folder folder;
  std::vector<std::string> overrides;
  std::string file = "scenario.yaml";
  std::string text;
  std::string what = "scenario";
  std::string name = "scenario.yaml";
  std::istringstream lines(one.head);
  std::string line;
  std::getline(lines, line);  // the name of the case
  while (std::getline(lines, line)) {
    if (!line.starts_with("--- ")) {
      text += line + "\n";
      continue;
    }
    if (!file.empty()) {
      folder.write(file, text);
    }
    text.clear();
    file.clear();
    if (line.starts_with("--- file ")) {
      file = line.substr(9);
    } else if (line.starts_with("--- set ")) {
      overrides.push_back(line.substr(8));
    } else if (line.starts_with("--- load ")) {
      const std::size_t blank = line.find(' ', 9);
      what = line.substr(9, blank - 9);
      name = line.substr(blank + 1);
    }
  }
  const std::string path = name.ends_with(".yaml") ? (folder.path() / name).string() : name;
  LoadOptions options = shipped_presets(overrides);
  if (fs::exists(folder.path() / "presets")) {
    options.topologies = folder.path() / "presets";
  }
  return error_of(
      [&] {
        if (what == "gpu") {
          load_gpu(path, options);
        } else if (what == "topology") {
          load_topology(path, options);
        } else {
          load_scenario(path, options);
        }
      },
      folder.path());
}

void check_cases(const std::string& name) {
  const fs::path file = source_dir() + "/tests/unit/bad_input/" + name;
  std::vector<Case> cases = read_cases(file);
  ASSERT_FALSE(cases.empty()) << file;
  std::string updated;
  for (const Case& one : cases) {
    const std::string found = run_case(one);
    updated += one.head + found;
    if (std::getenv("UPDATE_EXPECTED") == nullptr) {
      EXPECT_EQ(found, one.expected) << one.head;
    }
  }
  if (std::getenv("UPDATE_EXPECTED") != nullptr) {
    std::ofstream(file, std::ios::binary) << updated;
  }
}

TEST(BadInput, Grid) {
  check_cases("grid.txt");
}
TEST(BadInput, Keys) {
  check_cases("keys.txt");
}
TEST(BadInput, Search) {
  check_cases("search.txt");
}
TEST(BadInput, Types) {
  check_cases("types.txt");
}
TEST(BadInput, Units) {
  check_cases("units.txt");
}
TEST(BadInput, Ranges) {
  check_cases("ranges.txt");
}
TEST(BadInput, Relations) {
  check_cases("relations.txt");
}
TEST(BadInput, Models) {
  check_cases("models.txt");
}
TEST(BadInput, Widths) {
  check_cases("widths.txt");
}
TEST(BadInput, Names) {
  check_cases("names.txt");
}
TEST(BadInput, Sweeps) {
  check_cases("sweep.txt");
}
TEST(BadInput, Syntax) {
  check_cases("syntax.txt");
}
TEST(BadInput, Extends) {
  check_cases("extends.txt");
}
TEST(BadInput, Overrides) {
  check_cases("overrides.txt");
}
TEST(BadInput, Clusters) {
  check_cases("clusters.txt");
}
TEST(BadInput, BrokenAndMixed) {
  check_cases("broken.txt");
}
TEST(BadInput, StepFaults) {
  check_cases("step_faults.txt");
}
TEST(BadInput, Fabrics) {
  check_cases("fabrics.txt");
}
TEST(BadInput, NcclTopologies) {
  check_cases("nccl.txt");
}

TEST(BadInput, Faults) {
  check_cases("faults.txt");
}

TEST(BadInput, FilesThatCannotBeRead) {
  const Folder folder;
  const auto load = [&](const std::string& name) {
    return error_of([&] { load_scenario(folder.path() / name, shipped_presets()); }, folder.path());
  };
  fs::create_directory(folder.path() / "folder.yaml");
  EXPECT_EQ(load("folder.yaml"), "folder.yaml: error: is a directory, not a file\n");
  EXPECT_EQ(load("none.yaml"), "none.yaml: error: cannot be opened: No such file or directory\n");
  folder.write("zero.yaml", std::string("model: gpt1\0\n", 13));
  EXPECT_EQ(load("zero.yaml"), "zero.yaml: error: is not a text file: it holds zero bytes\n");
  folder.write("large.yaml", std::string(10 << 20, '#'));
  EXPECT_EQ(load("large.yaml"),
            "large.yaml: error: is larger than 1 MiB\n"
            "hint: no input of danlu is that long\n");
  if (::geteuid() != 0) {
    fs::permissions(folder.write("secret.yaml", "model: gpt1\n"), fs::perms::none);
    EXPECT_EQ(load("secret.yaml"), "secret.yaml: error: cannot be opened: Permission denied\n");
  }
}

TEST(BadInput, EmptyFiles) {
  for (const std::string text : {"", "\n", "# only a comment\n", "---\n", "---\n...\n", "~\n"}) {
    EXPECT_EQ(error_of_text(text), "bad.yaml: error: the file holds no keys\n") << text;
  }
}

TEST(BadInput, BytesThatAreNotText) {
  EXPECT_EQ(error_of_text(std::string("model: gp\0t\n", 12)),
            "bad.yaml:1:10: error: a control character (0x00) in the text\n"
            "    1 | model: gp\\u0000t\n"
            "      |          ^\n");
  EXPECT_EQ(error_of_text("model: \x1b[31mred\n"),
            "bad.yaml:1:8: error: a control character (0x1b) in the text\n"
            "    1 | model: \\u001b[31mred\n"
            "      |        ^\n");
  EXPECT_EQ(error_of_text("model: gpt1\n\x04rest: 1\n"),
            "bad.yaml:2:1: error: a control character (0x04) in the text\n"
            "    2 | \\u0004rest: 1\n"
            "      | ^\n");
  EXPECT_EQ(error_of_text("# \xc3\xa9t\xc3\xa9 \xff\n"),
            "bad.yaml:1:7: error: not a text in UTF-8: found the byte 0xff\n"
            "    1 | # \xc3\xa9t\xc3\xa9 \\xff\n"
            "      |       ^\n");
  EXPECT_EQ(error_of_text("\xff\xfem\n"),
            "bad.yaml:1:1: error: not a text in UTF-8: found the byte 0xff\n"
            "    1 | \\xff\\xfem\n"
            "      | ^\n");
  EXPECT_EQ(error_of_text("model: a\xc2\x9b"
                          "31m\n"),
            "bad.yaml:1:9: error: a control character (0xc2) in the text\n"
            "    1 | model: a\\u009b31m\n"
            "      |         ^\n");
}

TEST(BadInput, TabsAndCarriageReturns) {
  EXPECT_EQ(error_of_text("training:\n\tmicro_batch: 1\n"),
            "bad.yaml:2:1: error: a tab in the indentation\n"
            "    2 |  micro_batch: 1\n"
            "      | ^\n"
            "hint: YAML is indented with blanks\n");
  EXPECT_EQ(error_of_text("modell:\tgpt1\r\n"),
            "bad.yaml:1:1: error: unknown key 'modell'\n"
            "    1 | modell: gpt1\n"
            "      | ^\n"
            "hint: did you mean 'model'?\n"
            "bad.yaml: error: missing key 'cluster.topology'\n"
            "hint: a topology of danlu list topologies, or a path to a topology file\n"
            "bad.yaml: error: missing key 'cluster.gpus'\n"
            "hint: GPUs in use\n"
            "bad.yaml: error: missing key 'training.global_batch'\n"
            "hint: sequences per step, all replicas\n"
            "bad.yaml: error: missing key 'training.sequence_length'\n"
            "hint: tokens per sequence\n");
}

TEST(BadInput, DeepNesting) {
  for (const std::string opening : {"[", "{", "{a: ", "- ", "? ", "[{a: "}) {
    const std::string text = error_of_text("model: \n  " + repeated(opening, 100000));
    EXPECT_TRUE(text.starts_with("bad.yaml:2:")) << text;
    EXPECT_NE(text.find("nested too deeply"), std::string::npos) << text;
    EXPECT_LT(text.size(), 400U) << text;
  }
  std::string stairs;
  for (int level = 0; level < 1000; ++level) {
    stairs += std::string(static_cast<std::size_t>(level), ' ') + "a:\n";
  }
  EXPECT_NE(error_of_text(stairs).find("nested too deeply"), std::string::npos);
}

TEST(BadInput, AliasBomb) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name <= 'z'; ++name) {
    const auto before = static_cast<char>(name - 1);
    bomb += fmt::format("{0}: &{0} [*{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}]\n", name,
                        before);
  }
  const std::string text = error_of_text(bomb);
  EXPECT_TRUE(text.starts_with("bad.yaml:1:1: error: unknown key 'a'\n")) << text;
  EXPECT_TRUE(text.ends_with("bad.yaml: error: too many problems, the rest is not shown\n"));
}

TEST(BadInput, LongLinesShowThePartAroundTheColumn) {
  const std::string text =
      error_of_text("{name: " + std::string(300, 'x') + ", modul: gpt1, fold: exact}\n");
  EXPECT_TRUE(
      text.starts_with("bad.yaml:1:310: error: unknown key 'modul'\n"
                       "    1 | ..." +
                       std::string(48, 'x') +
                       ", modul: gpt1, fold: exact}\n"
                       "      | " +
                       std::string(53, ' ') + "^\n"))
      << text;
}

TEST(BadInput, LongKeysAndValuesMakeShortMessages) {
  const std::string word(200000, 'k');
  for (const std::string& yaml :
       {word + ": 1\n", "model: " + word + "\n", "model: {layers: " + word + "}\n",
        "name: " + word + "\n", "fold: " + word + "\n", "extends: " + word + "\n",
        "cluster: {topology: " + word + ".yaml}\n", "cluster: {" + word + ": 1}\n"}) {
    EXPECT_LT(error_of_text(yaml).size(), 2000U) << yaml.substr(0, 40);
  }
}

TEST(BadInput, ManyProblemsAreCutShort) {
  std::string yaml;
  for (int i = 0; i < 100000; ++i) {
    yaml += fmt::format("k{}: 1\n", i);
  }
  const std::string text = error_of_text(yaml);
  EXPECT_LT(text.size(), 5000U);
  EXPECT_TRUE(text.ends_with("bad.yaml: error: too many problems, the rest is not shown\n"));
}

TEST(BadInput, TooLongAChainOfExtends) {
  const Folder folder;
  for (int i = 0; i < 30; ++i) {
    folder.write(fmt::format("{}.yaml", i), fmt::format("extends: {}.yaml\n", i + 1));
  }
  folder.write("30.yaml", "name: last\n");
  EXPECT_EQ(
      error_of([&] { load_scenario(folder.path() / "0.yaml", shipped_presets()); }, folder.path()),
      "16.yaml:1:10: error: more than 16 scenarios extend each other\n"
      "    1 | extends: 17.yaml\n"
      "      |          ^\n"
      "hint: a path from the folder of this file to another scenario\n");
}

}  // namespace
}  // namespace danlu::testing
