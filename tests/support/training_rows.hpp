// Rows of tables of training runs by their columns, and the scenarios that they become.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/validation/training_table.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {

inline Scenario scenario_of(const Conversion& conversion) {
  EXPECT_EQ(conversion.reason(), "");
  return conversion.scenario.value_or(Scenario{});
}

/// A row by columns: those of a Llama on H100, but for what is given.
inline Conversion convert_cells(const std::vector<std::pair<std::string, std::string>>& cells) {
  std::map<std::string, std::string> row{{"id", "r"},
                                         {"date", "2025-07"},
                                         {"gpu", "H100-80GB-SXM"},
                                         {"gpus", "8"},
                                         {"gpus_per_node", "8"},
                                         {"model", "Llama"},
                                         {"layers", "32"},
                                         {"hidden", "4096"},
                                         {"ffn_hidden", "14336"},
                                         {"gated_mlp", "1"},
                                         {"heads", "32"},
                                         {"vocab", "128256"},
                                         {"seq_len", "4096"},
                                         {"tp", "1"},
                                         {"pp", "1"},
                                         {"global_batch_seqs", "64"},
                                         {"micro_batch", "1"},
                                         {"recompute", "none"},
                                         {"dtype", "bf16"},
                                         {"zero_stage_or_sharding", "ZeRO-1"},
                                         {"step_time_s", "1"}};
  for (const auto& [column, cell] : cells) {
    row[column] = cell;
  }
  std::string header;
  std::string values;
  for (const auto& [column, cell] : row) {
    header += (header.empty() ? "" : ",") + column;
    values += (values.empty() ? "\"" : ",\"") + cell + "\"";
  }
  const CsvTable table = parse_csv(header + "\n" + values + "\n", "t.csv");
  return convert(table, table.rows()[0], shipped_presets());
}
inline Workload workload_of(const std::vector<std::pair<std::string, std::string>>& cells) {
  return scenario_of(convert_cells(cells)).workload;
}

using Cells = std::vector<std::pair<std::string, std::string>>;
inline Cells with(Cells cells, const Cells& more) {
  cells.insert(cells.end(), more.begin(), more.end());
  return cells;
}

}  // namespace danlu::testing
