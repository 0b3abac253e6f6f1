// What is read from the notes of a row.
#include "sim/validation/training_notes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "sim/base/csv.hpp"
#include "sim/base/text.hpp"
#include "sim/validation/columns.hpp"
#include "tests/support/training_rows.hpp"

namespace danlu {
namespace {

using testing::workload_of;

/// Cut at "; ".
std::vector<std::string> examples_of(const NoteWording& wording) {
  std::vector<std::string> all;
  for (const std::string_view piece : split(wording.examples, ';')) {
    all.push_back(lower_case(piece.substr(piece.find_first_not_of(' '))));
  }
  return all;
}

TEST(Notes, EveryWordingIsReadAsItsFact) {
  for (const NoteWording& wording : note_wordings()) {
    for (const std::string& example : examples_of(wording)) {
      for (const std::string& text :
           {example, "a table of 2024; " + example + ", as its readme says", "(" + example + ")"}) {
        if (wording.note) {
          EXPECT_TRUE(text_says(text, *wording.note)) << text;
        } else {
          EXPECT_TRUE(text_number(text, *wording.number)) << text;
        }
      }
    }
  }
}

TEST(Notes, NumbersAreThoseThatStandThere) {
  EXPECT_EQ(text_number("h100 (custom 500 w 96 gb)", NoteNumber::PowerLimit), 500);
  EXPECT_EQ(text_number("boards of 700 w tdp", NoteNumber::PowerLimit), 700);
  EXPECT_EQ(text_number("power limit: 450w", NoteNumber::PowerLimit), 450);
  EXPECT_FALSE(text_number("limited to 500 steps", NoteNumber::PowerLimit));
  EXPECT_EQ(text_number("96 gb of hbm2e, 2.4 tb/s memory", NoteNumber::MemoryBandwidth), 2.4);
  EXPECT_EQ(text_number("moe-expert-capacity-factor 1.5", NoteNumber::Capacity), 1.5);
}

TEST(Notes, BoardsAreKnownByTheirMakersNames) {
  const auto gpu = [](const std::string& name, const std::string& notes) {
    return testing::scenario_of(testing::convert_cells({{"gpu", name}, {"notes", notes}}))
        .cluster.gpu;
  };
  for (const std::string name : {"NVIDIA H100 80GB HBM3", "H100-SXM5-80GB", "H100 80 GB"}) {
    EXPECT_EQ(gpu(name, "").power_watts, 700) << name;
  }
  EXPECT_EQ(gpu("H100-96GB-SXM", "").power_watts, 500);
  EXPECT_EQ(gpu("H100-96GB-SXM", "").memory_bandwidth.value, 2.4e12);
  EXPECT_EQ(gpu("H100 96GB", "600 W TDP").power_watts, 600);
  EXPECT_EQ(gpu("H100-80GB-SXM (500 W)", "").power_watts, 500);
}

TEST(Notes, WordsAroundAFactTakeItBack) {
  EXPECT_FALSE(text_says("no fp8 attention", Note::Fp8Attention));
  EXPECT_FALSE(text_says("tp_comm_overlap false", Note::TensorOverlap));
  EXPECT_FALSE(text_says("tp_comm_overlap=off, dp overlap", Note::TensorOverlap));
  EXPECT_FALSE(text_says("without the op fuser", Note::OpFuser));
  EXPECT_FALSE(text_says("non-reentrant checkpoints", Note::Reentrant));
  EXPECT_FALSE(text_says("untied embeddings", Note::TiedEmbeddings));
  EXPECT_FALSE(text_says("dropout 0.1", Note::NoDropout));
  EXPECT_TRUE(text_says("no op fuser at first; op fuser later", Note::OpFuser));
}

// Two people put published runs of five sources into words, apart from each other and from those
// who wrote the rules (tests/validation/worded.csv, ids w1- and w2-). Most of what both of them
// wrote down becomes one scenario.
TEST(Notes, TwoPeoplesWordsAreOneScenario) {
  const CsvTable table = read_csv(testing::source_dir() + "/tests/validation/worded.csv");
  check_cells(table, training_columns());
  std::map<std::string, std::set<std::string>> readers;
  int simulated = 0;
  for (const CsvRow& row : table.rows()) {
    const Conversion conversion = convert(table, row, testing::shipped_presets());
    simulated += conversion.scenario ? 1 : 0;
    if (conversion.scenario) {
      readers[conversion.yaml + std::to_string(conversion.published_step_s)].insert(
          conversion.id.substr(0, 2));
    }
  }
  EXPECT_GE(simulated, 140) << "of " << table.rows().size();
  EXPECT_GE(std::count_if(readers.begin(), readers.end(),
                          [](const auto& scenario) { return scenario.second.size() == 2; }),
            40);
}

TEST(Notes, ListsOfFusedParts) {
  const auto unfused = [](const std::string& notes) {
    std::string all;
    for (const UnfusedPart part :
         workload_of({{"framework", "huggingface"}, {"notes", notes}}).training.unfused) {
      all += std::string(name_of(part)) + " ";
    }
    return all;
  };
  EXPECT_EQ(unfused(""), "norm positions activation residual softmax ");
  EXPECT_EQ(unfused("fused norm and rotary (flash-attn)"), "activation residual softmax ");
  EXPECT_EQ(unfused("Fused AdamW, fused RMSNorm, SwiGLU"), "positions residual softmax ");
  EXPECT_EQ(unfused("no fused norm; fused AdamW (4 ms)"),
            "norm positions activation residual softmax ");
}

}  // namespace
}  // namespace danlu
