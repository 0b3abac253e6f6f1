// danlu list models|gpus|topologies|networks|schedules|collectives|frameworks|faults
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "sim/base/text.hpp"
#include "sim/base/units.hpp"
#include "sim/collective/algorithms.hpp"
#include "sim/scenario/flat_file.hpp"
#include "sim/scenario/frameworks.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/workload/model_blocks.hpp"
#include "sim/workload/model_presets.hpp"
#include "src/commands.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

/// A table for people and the same as JSON.
struct Listing {
  std::string text;
  Json entries = Json::array();
};

Listing list_models() {
  Listing listing;
  listing.text =
      fmt::format("{:<16} {:>11} {:>7} {:>7} {:>6} {:>9} {:>7} {:>8}  {}\n", "model", "parameters",
                  "layers", "hidden", "heads", "kv heads", "ffn", "vocab", "source");
  for (const ModelPreset& preset : model_presets()) {
    const ModelSpec model = to_model_spec(preset);
    const double parameters = total_parameters(model);
    listing.text += fmt::format("{:<16} {:>9.4g} B {:>7} {:>7} {:>6} {:>9} {:>7} {:>8}  {}\n",
                                preset.name, parameters / 1e9, model.layers, model.hidden,
                                model.heads, model.kv_heads, model.ffn, model.vocab, preset.source);
    listing.entries.push_back({{"name", preset.name},
                               {"parameters", parameters},
                               {"layers", model.layers},
                               {"hidden", model.hidden},
                               {"heads", model.heads},
                               {"kv_heads", model.kv_heads},
                               {"ffn", model.ffn},
                               {"vocab", model.vocab},
                               {"positions", model.positions},
                               {"gated_mlp", model.gated_mlp},
                               {"tied_embeddings", model.tied_embeddings},
                               {"source", preset.source}});
  }
  return listing;
}

std::string peak_text(const GpuSpec& gpu, Precision precision) {
  const auto peak = gpu.peak(precision);
  return peak ? fmt::format("{:.4g}", peak->value / 1e12) : "-";
}

Listing list_gpus(const LoadOptions& options) {
  Listing listing;
  listing.text = fmt::format("{:<11} {:<39} {:>7} {:>7} {:>7} {:>11} {:>10} {:>7}\n", "gpu", "name",
                             "fp16", "bf16", "fp8", "memory", "HBM", "power");
  listing.text += fmt::format("{:<11} {:<39} {:>23}\n", "", "", "dense TFLOP/s");
  for (const std::string& name : preset_names(options.topologies / "gpus")) {
    const GpuSpec gpu = load_gpu(name, options);
    listing.text += fmt::format("{:<11} {:<39} {:>7} {:>7} {:>7} {:>11} {:>10} {:>7}\n", name,
                                gpu.name, peak_text(gpu, Precision::Fp16),
                                peak_text(gpu, Precision::Bf16), peak_text(gpu, Precision::Fp8),
                                to_text(gpu.memory_capacity), to_text(gpu.memory_bandwidth),
                                format_quantity(gpu.power_watts, Dimension::Power));
    Json peaks = Json::object();
    for (const auto& [precision, name_of_it] : kNames<Precision>) {
      const std::optional<FlopsPerSecond> peak = gpu.peak(precision);
      peaks[std::string(name_of_it)] = peak ? Json(peak->value) : Json(nullptr);
    }
    listing.entries.push_back({{"name", name},
                               {"title", gpu.name},
                               {"peak_dense_flops_per_s", std::move(peaks)},
                               {"memory_bytes", gpu.memory_capacity.value},
                               {"memory_bytes_per_s", gpu.memory_bandwidth.value},
                               {"power_w", gpu.power_watts}});
  }
  return listing;
}

Listing list_topologies(const LoadOptions& options) {
  Listing listing;
  constexpr std::string_view kRow = "{:<15} {:<26} {:<38} {:>5} {:>22} {:>14}  {}\n";
  listing.text = fmt::format(kRow, "topology", "name", "GPU", "GPUs", "scale-up one/both ways",
                             "NICs", "fabric");
  for (const std::string& name : preset_names(options.topologies)) {
    const ClusterSpec spec = load_topology(name, options);
    const TopologySpec& t = spec.topology;
    const double scale_up = t.scale_up_bandwidth.value / 1e9;
    const std::string_view fabric = name_of(t.fabric);
    listing.text += fmt::format(
        kRow, name, t.name, spec.gpu.name, t.gpus_per_node,
        t.scale_up == ScaleUpKind::None
            ? "PCIe"
            : fmt::format("{:.4g} / {:.4g} GB/s", scale_up, 2 * scale_up),
        fmt::format(
            "{} x {:.4g} Gb/s", t.cards_per_node(),
            t.nic_bandwidth.value * 8 / 1e9 * t.nics_per_node / std::max(1, t.cards_per_node())),
        t.nodes_per_pod > 0 ? fmt::format("{}, 3 levels", fabric) : std::string(fabric));
    listing.entries.push_back({{"name", name},
                               {"title", t.name},
                               {"gpu", spec.gpu.name},
                               {"gpus_per_node", t.gpus_per_node},
                               {"scale_up_bytes_per_s", t.scale_up_bandwidth.value},
                               {"nics", t.nics_per_node},
                               {"nic_bytes_per_s", t.nic_bandwidth.value},
                               {"fabric", fabric}});
  }
  return listing;
}

/// What networks are called in topologies and scenarios (network.preset), and what of a NIC they
/// reach, as their files have it.
Listing list_networks(const LoadOptions& options) {
  Listing listing;
  constexpr std::string_view kRow = "{:<14} {:<20} {:>14} {:>9}\n";
  listing.text = fmt::format(fmt::runtime(kRow), "network", "name", "NIC efficiency", "latency");
  for (const std::string& name : preset_names(options.topologies / "networks")) {
    const std::filesystem::path file = options.topologies / "networks" / (name + ".yaml");
    const FlatFile read = read_flat_yaml(read_text_file(file), file.string());
    const auto at = [&](std::string_view path) {
      const FlatValue* value = read.find(path);
      return value != nullptr ? value->text : std::string();
    };
    const std::string efficiency = at("node.nics.efficiency");
    listing.text +=
        fmt::format(fmt::runtime(kRow), name, at("name"), efficiency, at("fabric.latency"));
    const std::optional<double> share = parse_number(efficiency);
    const std::optional<ParsedQuantity> latency =
        parse_quantity(at("fabric.latency"), Dimension::Duration);
    listing.entries.push_back({{"name", name},
                               {"title", at("name")},
                               {"nic_efficiency", share ? Json(*share) : Json(nullptr)},
                               {"latency_s", latency ? Json(latency->value) : Json(nullptr)}});
  }
  return listing;
}

Listing list_schedules() {
  Listing listing;
  for (const ScheduleRow& row : schedule_table()) {
    listing.text += fmt::format("{:<10}  {}\n", row.name, row.help);
    listing.entries.push_back({{"name", row.name}, {"help", row.help}});
  }
  return listing;
}

Listing list_collectives() {
  Listing listing;
  for (const AlgorithmRow& row : algorithms()) {
    listing.text += fmt::format("{:<19} {:<58} {}\n", row.name(), row.help, row.ops);
    listing.entries.push_back({{"name", row.name()}, {"help", row.help}, {"ops", row.ops}});
  }
  return listing;
}

/// What training.framework may be, and the keys that each brings along.
Listing list_frameworks() {
  Listing listing;
  for (const Framework& framework : framework_table()) {
    listing.text += fmt::format("{:<18}  {}\n", framework.name, framework.is);
    Json values = Json::object();
    for (const auto& [key, value, source] : framework.values) {
      listing.text += fmt::format("  {:<36}  {}\n", key, value);
      values[std::string(key)] = {{"value", value}, {"source", source}};
    }
    listing.entries.push_back(
        {{"name", framework.name}, {"is", framework.is}, {"values", std::move(values)}});
  }
  listing.text +=
      "without one          the host is never late, and kernels are fused where they can be\n";
  return listing;
}

Listing list_faults(const LoadOptions& options) {
  Listing listing;
  constexpr std::string_view kRow = "{:<13} {:<38} {:>7} {:>12} {:>20}\n";
  listing.text = fmt::format(fmt::runtime(kRow), "faults", "name", "causes", "seen on GPUs",
                             "per 1000 node-days");
  for (const std::string& name : preset_names(options.topologies / "faults")) {
    const FaultsFile file = load_faults_file(name, options);
    listing.text += fmt::format(fmt::runtime(kRow), name, file.title, file.causes,
                                file.gpus > 0 ? fmt::format("{:.0f}", file.gpus) : "",
                                fmt::format("{:.2f}", file.failures_per_day));
    listing.entries.push_back({{"name", name},
                               {"title", file.title},
                               {"causes", file.causes},
                               {"observed_gpus", file.gpus > 0 ? Json(file.gpus) : Json(nullptr)},
                               {"failures_per_1000_node_days", file.failures_per_day}});
  }
  return listing;
}

}  // namespace

int list_presets(const std::string& what, const CommonOptions& common) {
  const auto presets = [] { return LoadOptions{topologies_folder(), {}}; };
  const Listing listing = what == "models"       ? list_models()
                          : what == "gpus"       ? list_gpus(presets())
                          : what == "topologies" ? list_topologies(presets())
                          : what == "networks"   ? list_networks(presets())
                          : what == "schedules"  ? list_schedules()
                          : what == "frameworks" ? list_frameworks()
                          : what == "faults"     ? list_faults(presets())
                                                 : list_collectives();
  const Json json{{"schema", "danlu.list/1"}, {what, listing.entries}};
  common.json ? print_json(json) : print(listing.text);
  return kExitDone;
}

}  // namespace danlu
