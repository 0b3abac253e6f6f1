// What the reader accepts, and what it takes it to mean; every shipped file is among it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/load_cluster.hpp"
#include "sim/scenario/values.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCluster = "cluster: {topology: dgx-a100, gpus: 64}\n";
constexpr const char* kParallelism = "parallelism: {tensor: 8, pipeline: 4}\n";
constexpr const char* kTraining = "training: {global_batch: 64, sequence_length: 2048}\n";

Scenario read(const std::string& yaml, std::vector<std::string> overrides = {}) {
  return load_scenario_text(yaml, "good.yaml", shipped_presets(std::move(overrides)));
}

/// A scenario with the given model, or with other lines in place of a part.
std::string with_model(const std::string& model) {
  return "model: " + model + "\n" + kCluster + kParallelism + kTraining;
}
std::string with_training(const std::string& more) {
  return std::string("model: gpt3-175b\n") + kCluster + kParallelism +
         "training: {global_batch: 64, sequence_length: 2048, " + more + "}\n";
}

TEST(GoodInput, ShortForms) {
  const Scenario scenario = read(with_model("gpt3-175b"));
  EXPECT_EQ(scenario.name, "good");
  EXPECT_EQ(scenario.workload.model.layers, 96);
  EXPECT_EQ(scenario.workload.model.hidden, 12288);
  EXPECT_EQ(read(with_model("{preset: gpt3-175b}")).workload.model.layers, 96);

  EXPECT_EQ(read(with_training("schedule: gpipe")).workload.training.schedule, "gpipe");
  EXPECT_EQ(read(with_training("schedule: 1f1b")).workload.training.schedule, "1f1b");
  const TrainingSpec interleaved =
      read(with_training("schedule: {kind: 1f1b, chunks: 3}")).workload.training;
  EXPECT_EQ(interleaved.schedule, "1f1b");
  EXPECT_EQ(interleaved.chunks, 3);
}

TEST(GoodInput, DefaultsHoldWhereKeysAreLeftOut) {
  const Workload workload = read(with_model("gpt3-175b")).workload;
  EXPECT_EQ(workload.parallelism.data, 2);  // 64 / (8 x 4)
  EXPECT_EQ(workload.training.micro_batch, 1);
  EXPECT_EQ(workload.training.precision, Precision::Bf16);
  EXPECT_EQ(workload.training.attention, AttentionKind::Flash);
  EXPECT_EQ(workload.training.schedule, "1f1b");
  EXPECT_EQ(workload.training.gradient_bytes, 4);
  EXPECT_FALSE(workload.training.tokens.has_value());
  EXPECT_EQ(workload.parallelism.overlap_tensor, TensorOverlap::Backward);
  EXPECT_EQ(workload.collectives, CollectiveMode::Steady);
  EXPECT_EQ(workload.fold, FoldMode::Exact);
  EXPECT_EQ(read(with_training("recompute: selective")).workload.training.attention,
            AttentionKind::Unfused);
  EXPECT_EQ(read(with_training("tokens: 300e9")).workload.training.tokens, 300e9);
}

TEST(GoodInput, AModelWithoutAPreset) {
  const ModelSpec model =
      read(with_model("{layers: 48, hidden: 4096, heads: 32, vocab: 50304}")).workload.model;
  EXPECT_EQ(model.kv_heads, 32);
  EXPECT_EQ(model.head_dim, 128);
  EXPECT_EQ(model.ffn, 16384);
  EXPECT_EQ(model.positions, 0);
}

TEST(GoodInput, APresetWithOtherSizes) {
  const ModelSpec model =
      read(with_model("{preset: llama2-70b, layers: 16, vocab: 50304}")).workload.model;
  EXPECT_EQ(model.layers, 16);
  EXPECT_EQ(model.vocab, 50304);
  EXPECT_EQ(model.kv_heads, 8);
  EXPECT_EQ(model.ffn, 28672);
  EXPECT_TRUE(model.gated_mlp);
}

TEST(GoodInput, TheOrderOfKeysDoesNotMatter) {
  const Scenario one =
      read(std::string("model: gpt3-175b\n") + kCluster + kParallelism + kTraining);
  const Scenario two = read(
      "training:\n  sequence_length: 2048\n  global_batch: 64\n"
      "parallelism: {pipeline: 4, tensor: 8}\n"
      "cluster: {gpus: 64, topology: dgx-a100}\n"
      "model: gpt3-175b\n");
  EXPECT_EQ(one.cluster.gpus, two.cluster.gpus);
  EXPECT_EQ(one.workload.model.hidden, two.workload.model.hidden);
  EXPECT_EQ(one.workload.parallelism.data, two.workload.parallelism.data);
  EXPECT_EQ(one.workload.training.global_batch, two.workload.training.global_batch);
}

TEST(GoodInput, JsonQuotesAnchorsLineEndsAndByteOrderMarks) {
  EXPECT_EQ(read(R"({"model": "gpt3-175b", "cluster": {"topology": "dgx-a100", "gpus": 64},
                     "training": {"global_batch": 64, "sequence_length": 2048}})")
                .cluster.gpus,
            64);
  EXPECT_EQ(read("\xef\xbb\xbf" + with_model("gpt3-175b")).workload.model.layers, 96);
  EXPECT_EQ(read("--- # a comment\n" + with_model("gpt3-175b") + "...\n").workload.model.layers,
            96);
  EXPECT_EQ(
      read("name: &n caf\xc3\xa9\r\nmodel: gpt3-175b\r\n" + std::string(kCluster) + kTraining).name,
      "caf\xc3\xa9");
  EXPECT_EQ(read("model: {preset: gpt3-175b, heads: &n 64, layers: *n}\n" + std::string(kCluster) +
                 kTraining)
                .workload.model.layers,
            64);
}

TEST(GoodInput, OverridesReplaceWhatStandsAtTheirKey) {
  const std::string yaml = with_training("schedule: {kind: 1f1b, chunks: 3}");
  EXPECT_EQ(read(yaml, {"training.micro_batch=2"}).workload.training.micro_batch, 2);
  EXPECT_EQ(read(yaml, {"training.micro_batch=2", "training.micro_batch=4"})
                .workload.training.micro_batch,
            4);
  EXPECT_EQ(read(yaml, {"model=megatron-310b"}).workload.model.hidden, 16384);
  EXPECT_EQ(read(yaml, {"model.layers=48"}).workload.model.layers, 48);
  EXPECT_EQ(read(yaml, {"name=a = b"}).name, "a = b");
  EXPECT_EQ(read(yaml, {"training.schedule.kind=1f1b"}).workload.training.chunks, 3);
  EXPECT_EQ(read(yaml, {"training.schedule=gpipe"}).workload.training.chunks, 1);  // the whole tree

  const ParallelismSpec p =
      read(yaml, {"parallelism={tensor: 4, pipeline: 16}"}).workload.parallelism;
  EXPECT_EQ(p.tensor, 4);
  EXPECT_EQ(p.pipeline, 16);
  EXPECT_EQ(p.data, 1);
  EXPECT_FALSE(p.sequence);
  EXPECT_EQ(read(yaml, {"cluster.node.nics.bandwidth=100 Gbps"}).cluster.topology.nic_bandwidth,
            100_Gbps);
}

TEST(GoodInput, OverridesMendWhatIsMissing) {
  EXPECT_EQ(
      read(std::string("model: gpt3-175b\n") + kTraining, {"cluster={topology: dgx-h100, gpus: 8}"})
          .cluster.gpus,
      8);
}

TEST(GoodInput, AScenarioThatExtendsAnother) {
  const Folder folder;
  folder.write("bases/base.yaml",
               "name: base\n" + with_training("schedule: {kind: 1f1b, chunks: 3}"));
  const fs::path child =
      folder.write("child.yaml",
                   "extends: bases/base.yaml\ntraining: {micro_batch: 2, schedule: {chunks: 1}}\n");
  const Scenario scenario = load_scenario(child, shipped_presets());
  EXPECT_EQ(scenario.name, "child");  // not "base"
  EXPECT_EQ(scenario.workload.model.layers, 96);
  EXPECT_EQ(scenario.workload.training.global_batch, 64);
  EXPECT_EQ(scenario.workload.training.micro_batch, 2);
  EXPECT_EQ(scenario.workload.training.chunks, 1);

  const fs::path grandchild =
      folder.write("grandchild.yaml", "extends: child.yaml\ntraining: {micro_batch: 4}\n");
  EXPECT_EQ(load_scenario(grandchild, shipped_presets()).workload.training.micro_batch, 4);
  EXPECT_EQ(load_scenario(grandchild, shipped_presets({"training.micro_batch=8"}))
                .workload.training.micro_batch,
            8);
}

TEST(GoodInput, APresetReplacesTheModelOfTheBase) {
  const Folder folder;
  folder.write("base.yaml", with_model("{layers: 48, hidden: 4096, heads: 32, vocab: 50304}"));
  const fs::path child = folder.write("child.yaml", "extends: base.yaml\nmodel: gpt3-175b\n");
  EXPECT_EQ(load_scenario(child, shipped_presets()).workload.model.hidden, 12288);
  const fs::path wide = folder.write("wide.yaml", "extends: base.yaml\nmodel: {ffn: 32768}\n");
  EXPECT_EQ(load_scenario(wide, shipped_presets()).workload.model.hidden, 4096);
  EXPECT_EQ(load_scenario(wide, shipped_presets()).workload.model.ffn, 32768);
}

TEST(GoodInput, PathsStartAtTheFileThatHoldsThem) {
  const Folder folder;
  folder.write("base/net/mine.yaml",
               "name: mine\ngpu: ../gpus/mine.yaml\nnode:\n  gpus: 4\n"
               "  scale_up: {kind: switch, bandwidth: 300 GB/s}\n"
               "  nics: {count: 4, bandwidth: 200 Gbps}\n");
  folder.write("base/gpus/mine.yaml",
               "name: my GPU\npeak_dense: {bf16: 312 TFLOP/s}\n"
               "memory: {capacity: 80 GB, bandwidth: 2 TB/s, efficiency: 0.9}\n"
               "multiprocessors: 100\ngemm: {efficiency: 0.8}\n"
               "attention: {usual: flash2, flash2: {share: 0.6}}\n"
               "kernel_launch: 2 us\npower: 400 W\n");
  folder.write(
      "base/base.yaml",
      "cluster: {topology: net/mine.yaml, gpus: 64}\nmodel: gpt3-175b\n" + std::string(kTraining));
  const fs::path child = folder.write("child.yaml", "extends: base/base.yaml\n");
  const Scenario scenario = load_scenario(child, shipped_presets());
  EXPECT_EQ(scenario.cluster.topology.name, "mine");
  EXPECT_EQ(scenario.cluster.topology.gpus_per_node, 4);
  EXPECT_EQ(scenario.cluster.gpu.name, "my GPU");
}

TEST(GoodInput, ClusterKeysReplaceTheTopologys) {
  const ClusterSpec cluster =
      read("model: gpt3-175b\n" + std::string(kTraining) +
           "cluster:\n  topology: dgx-a100\n  gpus: 64\n  gpu: h100\n  price: 3 USD/h\n"
           "  node: {nics: {bandwidth: 400 Gbps}}\n  fabric: {kind: fat-tree}\n")
          .cluster;
  EXPECT_EQ(cluster.topology.nic_bandwidth, 400_Gbps);
  EXPECT_EQ(cluster.topology.fabric, FabricKind::FatTree);
  EXPECT_EQ(cluster.topology.gpus_per_node, 8);
  EXPECT_DOUBLE_EQ(cluster.gpu.dollars_per_hour, 3);
  EXPECT_TRUE(cluster.gpu.peak(Precision::Fp8).has_value());
}

TEST(GoodInput, Units) {
  struct Row {
    const char* text;
    Dimension dimension;
    double value;
  };
  const std::vector<Row> rows{
      {"1 B", Dimension::Size, 1},
      {"1 kB", Dimension::Size, 1e3},
      {"1 KiB", Dimension::Size, 1024},
      {"2 MB", Dimension::Size, 2e6},
      {"2 MiB", Dimension::Size, 2 * 1024.0 * 1024},
      {"80 GB", Dimension::Size, 80e9},
      {"80 GiB", Dimension::Size, 80 * 1073741824.0},
      {"1 TB", Dimension::Size, 1e12},
      {"1 TiB", Dimension::Size, 1099511627776.0},
      {"1 PB", Dimension::Size, 1e15},
      {"8 bps", Dimension::Bandwidth, 1},
      {"8 kbps", Dimension::Bandwidth, 1e3},
      {"8 Mbps", Dimension::Bandwidth, 1e6},
      {"400 Gbps", Dimension::Bandwidth, 50e9},
      {"400 Gb/s", Dimension::Bandwidth, 50e9},
      {"400 GB/s", Dimension::Bandwidth, 400e9},
      {"1.6 Tbps", Dimension::Bandwidth, 200e9},
      {"1.6 TB/s", Dimension::Bandwidth, 1.6e12},
      {"8 b/s", Dimension::Bandwidth, 1},
      {"8 kb/s", Dimension::Bandwidth, 1e3},
      {"8 Mb/s", Dimension::Bandwidth, 1e6},
      {"8 Tb/s", Dimension::Bandwidth, 1e12},
      {"1 B/s", Dimension::Bandwidth, 1},
      {"1 kB/s", Dimension::Bandwidth, 1e3},
      {"1 MB/s", Dimension::Bandwidth, 1e6},
      {"1 PB/s", Dimension::Bandwidth, 1e15},
      {"250 ns", Dimension::Duration, 250e-9},
      {"1.5 us", Dimension::Duration, 1.5e-6},
      {"3 ms", Dimension::Duration, 3e-3},
      {"2 s", Dimension::Duration, 2},
      {"2 min", Dimension::Duration, 120},
      {"2 h", Dimension::Duration, 7200},
      {"2 d", Dimension::Duration, 172800},
      {"1 FLOP/s", Dimension::ComputeRate, 1},
      {"1 GFLOP/s", Dimension::ComputeRate, 1e9},
      {"989.4 TFLOP/s", Dimension::ComputeRate, 989.4e12},
      {"2 PFLOP/s", Dimension::ComputeRate, 2e15},
      {"1 EFLOP/s", Dimension::ComputeRate, 1e18},
      {"700 W", Dimension::Power, 700},
      {"10.2 kW", Dimension::Power, 10200},
      {"1 MW", Dimension::Power, 1e6},
      {"1.50 USD/h", Dimension::Price, 1.5},
      {"1e2 GB/s", Dimension::Bandwidth, 100e9},
      {"+5 us", Dimension::Duration, 5e-6},
      {"400Gbps", Dimension::Bandwidth, 50e9},
      {"400   Gbps", Dimension::Bandwidth, 50e9},
  };
  std::set<std::string> used;
  for (const Row& row : rows) {
    const std::optional<ParsedQuantity> parsed = parse_quantity(row.text, row.dimension);
    ASSERT_TRUE(parsed.has_value()) << row.text;
    EXPECT_TRUE(near(parsed->value, row.value, 1e-15)) << row.text;
    const std::string text = row.text;
    used.insert(text.substr(text.rfind(' ') + 1));
  }
  for (const Dimension dimension : {Dimension::Size, Dimension::Bandwidth, Dimension::Duration,
                                    Dimension::ComputeRate, Dimension::Power, Dimension::Price}) {
    for (const std::string_view unit : unit_names(dimension)) {
      EXPECT_TRUE(used.contains(std::string(unit))) << unit << " is not tested above";
    }
  }
}

std::vector<fs::path> yaml_files(const std::string& folder, bool recursive) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(source_dir() + "/" + folder)) {
    const bool inside = recursive || entry.path().parent_path() == source_dir() + "/" + folder;
    if (entry.path().extension() == ".yaml" && inside) {
      files.push_back(entry.path());
    }
  }
  return files;
}

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

TEST(GoodInput, EveryShippedScenarioLoads) {
  const std::vector<fs::path> files = yaml_files("scenarios", true);
  EXPECT_FALSE(files.empty());
  for (const fs::path& file : files) {
    EXPECT_NO_THROW({
      const Scenario scenario = load_scenario(file, shipped_presets());
      EXPECT_FALSE(scenario.name.empty()) << file;
    }) << file;
  }
}

TEST(GoodInput, EveryShippedTopologyAndGpuLoads) {
  for (const std::string& name : preset_names(source_dir() + "/topologies")) {
    EXPECT_NO_THROW({ load_topology(name, shipped_presets()); }) << name;
  }
  for (const std::string& name : preset_names(source_dir() + "/topologies/gpus")) {
    EXPECT_NO_THROW({ load_gpu(name, shipped_presets()); }) << name;
  }
}

TEST(GoodInput, EveryShippedFileNamesItsSchema) {
  for (const char* folder : {"scenarios", "topologies"}) {
    for (const fs::path& file : yaml_files(folder, true)) {
      const std::string line = first_line(file);
      const std::string start = "# yaml-language-server: $schema=";
      ASSERT_TRUE(line.starts_with(start)) << file;
      const fs::path schema = file.parent_path() / line.substr(start.size());
      EXPECT_TRUE(fs::exists(schema)) << file << " names " << schema;
    }
  }
}

/// Every number of the file has a source, under its own key or under a section above it.
void check_sources(const fs::path& file, std::span<const KeyRow> keys) {
  std::vector<Problem> problems;
  const Values values = read_values(read_text_file(file), file.string(), keys, "", problems);
  ASSERT_TRUE(problems.empty()) << InputError(problems).what();
  ASSERT_TRUE(values.has("sources")) << file;
  const std::string& text = values.at("sources").text;
  const std::vector<std::string_view> sources = split(text, '\n');  // "path<tab>source"
  for (const std::string& path : values.paths()) {
    const KeyRow* row = find_key(keys, path);
    ASSERT_NE(row, nullptr) << path;
    const bool number = row->type == KeyType::Count || row->type == KeyType::Number ||
                        row->type == KeyType::Quantity || row->type == KeyType::Links ||
                        row->type == KeyType::Interval;
    if (number) {
      const bool found = std::any_of(sources.begin(), sources.end(), [&](std::string_view source) {
        const std::string of(source.substr(0, source.find('\t')));
        return !of.empty() && (path == of || path.starts_with(of + "."));
      });
      EXPECT_TRUE(found) << file << ": " << path << " has no source";
    }
  }
}

/// Whether a source can be looked up: it has an address, or names another entry or a publication.
bool can_be_looked_up(std::string_view source) {
  for (const char* sign : {"://", "github.com/", "arXiv:", "IEEE Access", "SIGCOMM 2024",
                           "reference architecture", "docs/explain/", "tests/validation/"}) {
    if (source.find(sign) != std::string_view::npos) {
      return true;
    }
  }
  return source.find("the same") != std::string_view::npos ||
         source.find("page of ") != std::string_view::npos;
}

/// A source can be looked up or says that it is an assumption, in the first word, where programs
/// look; and it belongs to a key that the file gives.
void check_assumptions(const fs::path& file, std::span<const KeyRow> keys) {
  std::vector<Problem> problems;
  const Values values = read_values(read_text_file(file), file.string(), keys, "", problems);
  ASSERT_TRUE(problems.empty()) << InputError(problems).what();
  for (const std::string_view line : split(values.at("sources").text, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) {
      continue;  // the end of the list
    }
    const std::string path(line.substr(0, tab));
    const std::string_view source = line.substr(tab + 1);
    EXPECT_TRUE(values.has(path) || values.has_below(path + "."))
        << file << ": a source for '" << path << "', which is not in the file";
    if (source.starts_with("assumed: ") ||
        (file.stem() == "lesson" && source == "chosen for teaching")) {
      continue;
    }
    EXPECT_TRUE(can_be_looked_up(source)) << file << ": " << path << ": " << source;
    for (const char* word : {"assum", "not sourced", "from memory", "carried over", "chosen"}) {
      EXPECT_EQ(source.find(word), std::string_view::npos)
          << file << ": " << path << " is an assumption, and must begin 'assumed: ': " << source;
    }
  }
}

TEST(GoodInput, WhatIsAssumedSaysSo) {
  for (const fs::path& file : yaml_files("topologies", false)) {
    check_assumptions(file, topology_keys());
  }
  for (const fs::path& file : yaml_files("topologies/gpus", false)) {
    check_assumptions(file, gpu_keys());
  }
  for (const fs::path& file : yaml_files("topologies/networks", false)) {
    check_assumptions(file, network_keys());
  }
}

TEST(GoodInput, EveryShippedNumberHasASource) {
  for (const fs::path& file : yaml_files("topologies", false)) {
    check_sources(file, topology_keys());
  }
  for (const fs::path& file : yaml_files("topologies/gpus", false)) {
    check_sources(file, gpu_keys());
  }
  for (const fs::path& file : yaml_files("topologies/networks", false)) {
    check_sources(file, network_keys());
  }
  for (const fs::path& file : yaml_files("topologies/faults", false)) {
    check_sources(file, faults_keys());
  }
}

TEST(GoodInput, ShippedPeaksAreDense) {
  for (const std::string& name : preset_names(source_dir() + "/topologies/gpus")) {
    if (name == "lesson") {
      continue;  // not a GPU that one can buy
    }
    SCOPED_TRACE(name);
    const GpuSpec gpu = load_gpu(name, shipped_presets());
    if (!gpu.name.starts_with("NVIDIA") && !gpu.name.starts_with("AMD")) {
      continue;  // other makers have no sparse peaks, nor these ratios
    }
    const auto bf16 = gpu.peak(Precision::Bf16);
    const auto tf32 = gpu.peak(Precision::Tf32);
    const auto fp8 = gpu.peak(Precision::Fp8);
    if (gpu.name.starts_with("NVIDIA")) {
      EXPECT_EQ(bf16.has_value(), tf32.has_value());  // both came with Ampere
    }
    if (bf16 && tf32) {
      EXPECT_EQ(bf16, gpu.peak(Precision::Fp16));
      EXPECT_TRUE(near(bf16->value, 2 * tf32->value, 1e-3));
    }
    if (fp8) {
      EXPECT_TRUE(bf16 && near(fp8->value, 2 * bf16->value, 1e-3));
    }
    const auto fp16 = gpu.peak(Precision::Fp16);
    const auto fp32 = gpu.peak(Precision::Fp32);
    EXPECT_TRUE(fp16 && fp32 && fp16->value >= 2 * fp32->value * (1 - 1e-3));
  }
}

}  // namespace
}  // namespace danlu::testing
