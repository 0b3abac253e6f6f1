#include "tests/fuzz/fuzz_targets.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"
#include "sim/validation/gemm_table.hpp"
#include "sim/validation/nccl_table.hpp"
#include "sim/validation/training_table.hpp"

namespace danlu::testing {
namespace {

namespace fs = std::filesystem;

LoadOptions presets() {
  return {DANLU_SOURCE_DIR "/topologies", {}};
}

/// A file of this process with these bytes; gone at its end.
std::string file_with(const std::string& bytes, const std::string& name) {
  struct Folder {
    Folder() : path((fs::temp_directory_path() / "danlu-fuzz-XXXXXX").string()) {
      if (mkdtemp(path.data()) == nullptr) {
        std::abort();
      }
    }
    ~Folder() {
      std::error_code none;
      fs::remove_all(path, none);
    }
    std::string path;
  };
  static const Folder folder;
  const std::string file = folder.path + "/" + name;
  std::ofstream(file, std::ios::binary) << bytes;
  return file;
}

const std::string kSmallScenario =
    "model: gpt2-xl\n"
    "cluster: {topology: dgx-h100, gpus: 16}\n"
    "training: {global_batch: 16, sequence_length: 1024}\n";

void read_scenario(const std::string& bytes) {
  load_scenario_text(bytes, "fuzz.yaml", presets());
}
void read_topology(const std::string& bytes) {
  load_topology_text(bytes, "fuzz.yaml", presets());
}
void read_gpu(const std::string& bytes) {
  load_gpu(file_with(bytes, "gpu.yaml"), presets());
}
void read_faults(const std::string& bytes) {
  const std::string file = file_with(bytes, "faults.yaml");
  load_scenario_text(kSmallScenario + "faults: {preset: " + file + ", days: 1}\n", "fuzz.yaml",
                     presets());
}
void read_nccl_xml(const std::string& bytes) {
  const std::string file = file_with(bytes, "node.xml");
  load_topology_text("name: t\ngpu: h100\nnode: {xml: " + file + "}\nfabric: {kind: switch}\n",
                     "fuzz.yaml", presets());
}
void read_trace_csv(const std::string& bytes) {
  const std::string file = file_with(bytes, "trace.csv");
  load_scenario_text(kSmallScenario + "faults:\n  days: 1\n  random: false\n  trace: " + file +
                         "\n  causes:\n    gpu: {component: gpu}\n    host: {component: node}\n",
                     "fuzz.yaml", presets());
}
/// Every line is one --set.
void read_overrides(const std::string& bytes) {
  LoadOptions options = presets();
  for (const std::string_view line : split(bytes, '\n')) {
    options.overrides.emplace_back(line);
  }
  load_scenario_text(kSmallScenario, "fuzz.yaml", options);
}

void read_training_csv(const std::string& bytes) {
  const CsvTable table = parse_csv(bytes, "fuzz.csv");
  check_cells(table, training_columns());
  for (const CsvRow& row : table.rows()) {
    is_complete(table, row);
    convert(table, row, presets());
  }
}
void read_nccl_csv(const std::string& bytes) {
  const CsvTable table = parse_csv(bytes, "fuzz.csv");
  check_cells(table, collective_columns());
  for (const CsvRow& row : table.rows()) {
    convert_collective(table, row, presets());
  }
}
void read_gemm_csv(const std::string& bytes) {
  const CsvTable table = parse_csv(bytes, "fuzz.csv");
  check_cells(table, product_columns());
  validate_products(table, presets());
}

constexpr std::array kTargets{
    FuzzTarget{"scenario", "scenarios", ".yaml", read_scenario},
    FuzzTarget{"topology", "topologies", ".yaml", read_topology},
    FuzzTarget{"gpu", "topologies/gpus", ".yaml", read_gpu},
    FuzzTarget{"faults", "topologies/faults", ".yaml", read_faults},
    FuzzTarget{"nccl_xml", "tests/fuzz/corpus/nccl_xml", ".xml", read_nccl_xml},
    FuzzTarget{"training_csv", "tests/fuzz/corpus/training_csv", ".csv", read_training_csv},
    FuzzTarget{"nccl_csv", "tests/fuzz/corpus/nccl_csv", ".csv", read_nccl_csv},
    FuzzTarget{"gemm_csv", "tests/fuzz/corpus/gemm_csv", ".csv", read_gemm_csv},
    FuzzTarget{"trace_csv", "tests/fuzz/corpus/trace_csv", ".csv", read_trace_csv},
    FuzzTarget{"overrides", "tests/fuzz/corpus/overrides", ".txt", read_overrides},
};

}  // namespace

std::span<const FuzzTarget> fuzz_targets() {
  return kTargets;
}

void fuzz_one(const FuzzTarget& target, const std::string& bytes) {
  try {
    target.read(bytes);
  } catch (const InputError&) {
  }
}

}  // namespace danlu::testing
