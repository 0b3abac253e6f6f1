// The reference pages and schemas in docs/reference are what the tables of keys say. To write them
// anew: UPDATE_DOCS=1 danlu_tests --gtest_filter=Keys.*
#include "sim/scenario/keys.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "sim/scenario/frameworks.hpp"
#include "sim/scenario/huggingface.hpp"
#include "sim/scenario/load_cluster.hpp"
#include "sim/validation/training_page.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

struct Reference {
  const char* name;
  std::span<const KeyRow> keys;
  const char* title;
  const char* introduction;
};

const std::vector<Reference>& references() {
  static const std::vector<Reference> all{
      {"scenario", scenario_keys(), "Scenario files",
       "A scenario says what is trained, on which cluster, and how the work is split. Each key is "
       "one line of YAML; a key written `training.micro_batch` here is `micro_batch` below "
       "`training` in the file. A key that the tables lack is an error. Counts, numbers and "
       "quantities may be factors of what a preset, an extended file or the default says: `2x`. "
       "`danlu show FILE` prints every key with its value and where it comes from."},
      {"topology", topology_keys(), "Topology files",
       "A topology describes one node and the network between nodes. Bandwidths are nominal, per "
       "direction; efficiencies say what share of them is reached. The files in `topologies/` are "
       "the presets, and a scenario can name one or give the path of another file. Their figures "
       "come with a source each; where none was found it begins `assumed:`."},
      {"gpu", gpu_keys(), "GPU files",
       "A GPU file holds what one GPU can do. Peaks are dense, without 2:4 sparsity, and "
       "efficiencies say what share of them large kernels reach. The files in `topologies/gpus/` "
       "are the presets. Their figures come with a source each; where none was found it begins "
       "`assumed:` and says which GPU's figure was taken, or that it is from memory."},
      {"network", network_keys(), "Network files",
       "A network file is one measured curve of a network between nodes: what messages reach of a "
       "NIC, what a step takes by protocol, and what fills its pipeline. The files in "
       "`topologies/networks/` are the presets; `cluster: {network: NAME}` puts one in the place "
       "of the topology's own, whole."},
      {"faults", faults_keys(), "Faults files",
       "A faults file says what fails and how often, how that is noticed, what is saved and what a "
       "restart takes. The files in `topologies/faults/` are the presets; a scenario names one "
       "with `faults: NAME` and overrides any of these keys below `faults`. In a key, `*` stands "
       "for a name of your choice, and `#` for each entry of a list. Where a key ends in `.mean` "
       "the value may stand without it, in place of all that a preset says there: "
       "`repair: 24 h`."},
  };
  return all;
}

/// Compares docs/reference/`file` with `text`, or writes it.
void check_reference(const std::string& file, const std::string& text) {
  const std::filesystem::path path = source_dir() + "/docs/reference/" + file;
  if (std::getenv("UPDATE_DOCS") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream found;
  found << stream.rdbuf();
  EXPECT_EQ(found.str(), text) << "docs/reference/" << file << " does not fit the table of keys; "
                               << "UPDATE_DOCS=1 in the environment of this test writes it anew";
}

TEST(Keys, PagesAreUpToDate) {
  for (const Reference& one : references()) {
    check_reference(std::string(one.name) + ".md",
                    reference_page(one.keys, one.title, one.introduction));
  }
}

TEST(Keys, PageOfHuggingFaceIsUpToDate) {
  check_reference("huggingface.md", huggingface_page());
}

TEST(Keys, PageOfFrameworksIsUpToDate) {
  check_reference("frameworks.md", frameworks_page());
}

TEST(Keys, PageOfTrainingTablesIsUpToDate) {
  check_reference("training-table.md", training_table_page());
}

// A profile has all three.
TEST(Keys, NoneTakesAFrameworksListAway) {
  const auto training = [](std::vector<std::string> overrides) {
    overrides.insert(overrides.begin(),
                     {"training.precision=fp8", "training.framework=megatron-core"});
    return shipped("llama3-8b-h100.yaml", std::move(overrides)).workload.training;
  };
  EXPECT_FALSE(training({}).fused_casts.empty());
  EXPECT_FALSE(training({}).unfused.empty());
  EXPECT_FALSE(training({}).gradient_passes.empty());
  const TrainingSpec none = training(
      {"training.fused_casts=none", "training.unfused=none", "training.gradient_passes=none"});
  EXPECT_TRUE(none.fused_casts.empty());
  EXPECT_TRUE(none.unfused.empty());
  EXPECT_TRUE(none.gradient_passes.empty());
}

TEST(Keys, SchemasAreUpToDate) {
  for (const Reference& one : references()) {
    check_reference(std::string(one.name) + ".schema.json", json_schema(one.keys, one.title));
  }
}

/// The key paths that a schema lists, below `prefix`.
void list_keys(const nlohmann::json& schema, const std::string& prefix,
               std::set<std::string>& keys) {
  const nlohmann::json& object = schema.contains("oneOf") ? schema["oneOf"][1] : schema;
  if (object.contains("additionalProperties") && object["additionalProperties"].is_object() &&
      object["additionalProperties"].contains("properties")) {
    list_keys(object["additionalProperties"], prefix + ".*", keys);
    return;
  }
  if (object.contains("items") && object["items"].is_object() &&
      object["items"].contains("properties")) {
    list_keys(object["items"], prefix + ".#", keys);
    return;
  }
  if (!object.contains("properties")) {
    keys.insert(prefix);
    return;
  }
  EXPECT_EQ(object["additionalProperties"], false) << prefix;
  for (const auto& [name, inner] : object["properties"].items()) {
    list_keys(inner, prefix.empty() ? name : prefix + "." + name, keys);
  }
}

TEST(Keys, SchemasListEveryRowAndNothingElse) {
  for (const Reference& one : references()) {
    std::set<std::string> listed;
    list_keys(nlohmann::json::parse(json_schema(one.keys, one.title)), "", listed);
    std::set<std::string> rows;
    for (const KeyRow& row : one.keys) {
      EXPECT_TRUE(rows.insert(row.path).second) << row.path << " has two rows";
    }
    EXPECT_EQ(listed, rows) << one.name;
  }
}

TEST(Keys, DefaultsAreValuesOfTheirKey) {
  for (const Reference& one : references()) {
    for (const KeyRow& row : one.keys) {
      SCOPED_TRACE(row.path);
      EXPECT_FALSE(row.text.empty());
      EXPECT_FALSE(row.text.ends_with('.'));
      if (row.fallback.empty() || row.fallback == "required") {
        continue;
      }
      if (row.type == KeyType::Count || row.type == KeyType::Number) {
        const double value = parse_number(row.fallback).value();
        EXPECT_TRUE(value >= row.minimum && value <= row.maximum);
      } else if (row.type == KeyType::Quantity) {
        const double value = parse_quantity(row.fallback, row.dimension).value().value;
        EXPECT_TRUE(value >= row.minimum && value <= row.maximum);
      } else if (row.type == KeyType::Choice || row.type == KeyType::Words ||
                 row.type == KeyType::Interval) {
        EXPECT_NE(("|" + row.choices + "|").find("|" + row.fallback + "|"), std::string::npos);
      } else {
        EXPECT_EQ(row.type, KeyType::Flag);
        EXPECT_TRUE(row.fallback == "true" || row.fallback == "false");
      }
    }
  }
}

}  // namespace
}  // namespace danlu::testing
