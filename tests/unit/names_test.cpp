// Every table of names (base/names.hpp) is held to its enum, which the compiler can list: what it
// prints for a value that is no enumerator is a cast.
#include "sim/base/names.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <utility>

#include "sim/report/report.hpp"
#include "sim/report/sweep_report.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/load_faults.hpp"
#include "sim/scenario/unused_keys.hpp"
#include "sim/session/validate.hpp"
#include "sim/validation/training_table.hpp"
#include "sim/workload/model_presets.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

template <auto value>
constexpr bool is_enumerator() {
  const std::string_view function = __PRETTY_FUNCTION__;  // "... [with auto value = (Norm)7]"
  const std::size_t equals = function.rfind("value = ");
  return function[equals + std::string_view("value = ").size()] != '(';
}

constexpr int kMostValues = 64;

template <typename Enum, int... numbers>
std::set<Enum> enumerators(std::integer_sequence<int, numbers...> /*all*/) {
  std::set<Enum> found;
  ((is_enumerator<static_cast<Enum>(numbers)>() ? void(found.insert(static_cast<Enum>(numbers)))
                                                : void()),
   ...);
  return found;
}

template <typename Enum>
class EveryTable : public ::testing::Test {};

using Enums = ::testing::Types<
    ActionKind, Algorithm, Arrivals::Clock, Arrivals::Kind, AttentionKind, Axis,
    CampaignEvent::Kind, CampaignPart, CheckpointTier::Interval, CollectiveMode, CollectiveOp,
    Component, ComputePart, ContextExchange, CudaGraphs, Deal, Detection::Kind, Duration::Kind,
    FabricKind, FaultCause::Effect, FoldMode, Fp8Amax, Fp8Recipe, HostWait, KernelKind, LinkKind,
    LoraTarget, FrozenPart, Likeness, PeakLikeness, PeakOf, ModelKind, ModelPart, Norm, Biased,
    OptimizerKind, PassKind, UnfusedPart, Precision, Protocol, QkNorm, Recompute, RecomputePart,
    RecoverySpec::Kind, Reduce, Reshard, Routing, ScaleUpKind, Setting::Source, Span,
    SweepPoint::Status, TableKind, TensorInputs, TensorOverlap, TimePart, TokenExchange, VertexKind,
    CastMaker, KernelWidth, NarrowPart, NodeChoice, Loss, Outermost, UnitPart, GradientPass>;
constexpr std::size_t kTables = 65;
TYPED_TEST_SUITE(EveryTable, Enums);

TYPED_TEST(EveryTable, NamesEveryValueOnce) {
  std::set<TypeParam> values;
  std::set<std::string_view> names;
  for (const auto& row : kNames<TypeParam>) {
    EXPECT_TRUE(values.insert(row.value).second) << row.name << " is another name of a value";
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " names two values";
    EXPECT_FALSE(row.name.empty());
    EXPECT_EQ(name_of(row.value), row.name);
    EXPECT_EQ(value_named<TypeParam>(row.name), row.value);
  }
  EXPECT_EQ(values, enumerators<TypeParam>(std::make_integer_sequence<int, kMostValues>()));
  EXPECT_EQ(value_named<TypeParam>("no name of anything"), std::nullopt);
}

/// The list above is that of the sources.
TEST(Names, EveryTableIsTested) {
  const std::regex table(R"(inline constexpr auto kNames<[A-Z][\w:]*> =)");
  std::size_t tables = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(source_dir() + "/sim")) {
    if (entry.is_regular_file() && entry.path().filename() != "names.hpp") {
      std::ifstream stream(entry.path());
      const std::string text{std::istreambuf_iterator<char>(stream), {}};
      tables += static_cast<std::size_t>(
          std::distance(std::sregex_iterator(text.begin(), text.end(), table), {}));
    }
  }
  EXPECT_EQ(tables, kTables) << "add the new table to Enums above, and count it";
}

/// A choice is filled by its word, wherever it stands in the list.
TEST(Names, AChoiceIsReadByName) {
  for (const auto& row : kNames<Recompute>) {
    Values values;
    values.set("training.recompute", {.text = std::string(row.name), .number = 99});
    TrainingSpec training;
    Getter(values, scenario_keys()).fill(training, "training");
    EXPECT_EQ(training.recompute, row.value);
  }
}

/// What the rows write for a model is what they read.
TEST(Names, ModelsGoThroughTheirRows) {
  for (const ModelPreset& preset : model_presets()) {
    const ModelSpec model = to_model_spec(preset);
    Values written;
    written.set_below("model.", values_of(model, scenario_keys(), "model", "a test"));
    written.set_below("model.experts.",
                      values_of(model.experts, scenario_keys(), "model.experts", "a test"));
    for (const std::string& path : written.paths()) {
      Value value = written.at(path);
      const double number = value.number;
      EXPECT_FALSE(read_scalar(*find_key(scenario_keys(), path), value))
          << path << " " << value.text;
      EXPECT_EQ(value.number, number) << path;
    }
    ModelSpec read;
    Getter(written, scenario_keys()).fill(read, "model");
    Getter(written, scenario_keys()).fill(read.experts, "model.experts");
    EXPECT_EQ(total_parameters(read), total_parameters(model)) << preset.name;
    EXPECT_EQ(read.norm, model.norm);
    EXPECT_EQ(read.positions, model.positions);
  }
}

/// Rules about keys name keys and words that there are.
void check_uses(std::span<const KeyUse> uses, std::span<const KeyRow> keys) {
  for (const KeyUse& use : uses) {
    const bool of_many = use.key.starts_with('.');
    std::size_t decided_by = 0;
    for (const KeyRow& row : keys) {
      const bool decides =
          of_many ? row.path.ends_with(use.decided_by) : row.path == use.decided_by;
      decided_by += decides ? 1 : 0;
      if (decides && row.type == KeyType::Choice) {
        std::string words = use.used_with;
        words.erase(0, words.starts_with('!') ? 1 : 0);
        EXPECT_NE(("|" + row.choices + "|").find("|" + words.substr(0, words.find('|')) + "|"),
                  std::string::npos)
            << use.key << " needs " << use.decided_by << " " << words;
      }
    }
    EXPECT_GT(decided_by, 0U) << use.decided_by;
  }
}

TEST(Names, RulesOfUseNameKeysThatThereAre) {
  check_uses(faults_key_uses(), faults_keys());
  check_uses(cluster_key_uses(), topology_keys());
  check_uses(scenario_key_uses(), scenario_keys());
}

}  // namespace
}  // namespace danlu::testing
