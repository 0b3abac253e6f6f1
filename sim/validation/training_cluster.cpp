// The cluster of a row: which GPUs, how many are joined to a node, and what network lies between.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>

#include "sim/base/text.hpp"
#include "sim/scenario/equal_parts.hpp"
#include "sim/validation/boards.hpp"
#include "sim/validation/networks.hpp"
#include "sim/validation/training_notes.hpp"
#include "sim/validation/training_parts.hpp"

namespace danlu {
namespace {

constexpr int kRack = 72;
constexpr std::array kDevices{
    DeviceRow{"A100-80GB", "A100", "dgx-a100", "a100-80"},
    DeviceRow{"A100-40GB", "A100", "dgx-a100-40", "a100-40"},
    DeviceRow{"A100 PCIe", "A100", "pcie-a100", "a100-pcie"},
    DeviceRow{"A800", "A800", "hgx-a800", "a800"},
    DeviceRow{"H100-80GB", "H100", "dgx-h100", "h100"},
    DeviceRow{"H100-96GB", "H100", "dgx-h100", "h100"},
    DeviceRow{"H100-95GB", "H100", "dgx-h100", "h100"},
    DeviceRow{"H100 SXM", "H100", "dgx-h100", "h100"},
    DeviceRow{"H100 PCIe", "H100", "pcie-h100", "h100-pcie"},
    DeviceRow{"H200", "H200", "hgx-h200", "h200"},
    DeviceRow{"H800", "H800", "hgx-h800", "h800"},
    DeviceRow{"B200", "B200", "hgx-b200", "b200"},
    DeviceRow{"B300", "B300", "hgx-b300", "b300"},
    DeviceRow{"GB200", "GB200", "gb200-nvl72", "gb200", kRack},
    DeviceRow{"GB300", "GB300", "gb300-nvl72", "gb300", kRack},
    DeviceRow{"V100-32GB-SXM2", "V100", "dgx1-v100", "v100-32"},
    DeviceRow{"V100-32GB", "V100", "dgx2-v100", "v100-32"},
    DeviceRow{"V100-16GB", "V100", "dgx1-v100", "v100-16"},
    DeviceRow{"L40S", "L40S", "pcie-l40s", "l40s"},
    DeviceRow{"MI300X", "MI300X", "mi300x", "mi300x"},
    DeviceRow{"MI325X", "MI325X", "mi325x", "mi325x"},
    DeviceRow{"MI350X", "MI350X", "mi350x", "mi350x"},
    DeviceRow{"MI355X", "MI355X", "mi355x", "mi355x"},
    DeviceRow{"MI250X", "MI250X", "mi250x", "mi250x"},
    DeviceRow{"Gaudi 2", "Gaudi 2", "gaudi2", "gaudi2"},
    DeviceRow{"Gaudi 3", "Gaudi 3", "gaudi3", "gaudi3"},
    DeviceRow{"TPU v5e", "TPU v5e", "tpu-v5e", "tpu-v5e"},
    DeviceRow{"TPU v5p", "TPU v5p", "tpu-v5p", "tpu-v5p"},
    DeviceRow{"TPU v6e", "TPU v6e", "tpu-v6e", "tpu-v6e"},
};

bool has_word(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

/// The name of a GPU without remarks: "H100-80GB-SXM (GCP A3)" is "H100-80GB-SXM".
std::string_view bare_name(std::string_view name) {
  return name.substr(0, name.find(" ("));
}

/// Gigabits per second of an InfiniBand generation.
double generation_gbps(const std::string& name) {
  return name == "EDR" ? 100 : name == "HDR" ? 200 : name == "NDR" ? 400 : 800;
}

/// Every pair joined by an equal share of the links that a GPU of the preset has.
void add_mesh(int gpus, const TopologySpec& preset, RowSection& section) {
  int links = 0;
  for (const MeshLink& link : preset.mesh_links) {
    links += link.first == 0 || link.second == 0 ? link.count : 0;
  }
  if (gpus < 2 || gpus > links + 1) {
    section.refuse(fmt::format("no mesh known for {} GPUs a node", gpus));
    return;
  }
  std::string list;
  for (int a = 0; a < gpus; ++a) {
    for (int b = a + 1; b < gpus; ++b) {
      list += fmt::format("{}[{}, {}, {}]", list.empty() ? "" : ", ", a, b, links / (gpus - 1));
    }
  }
  section.line(fmt::format("    scale_up: {{links: [{}]}}", list));
}

/// The slice of a torus, whose axes the row states: "torus 8x16".
void add_torus(const TrainingRow& row, RowSection& section) {
  const std::string text(row.cell("interconnect_intra"));
  std::smatch found;
  if (!std::regex_search(text, found, std::regex("torus ([0-9]{1,4}(?:x[0-9]{1,4})*)"))) {
    section.refuse("axes of a torus not stated");
    return;
  }
  section.line(fmt::format("    scale_up: {{dims: {}}}", found[1].str()));
}

/// `tray` is what the row calls a node; its NICs are counted there.
void add_network(const TrainingRow& row, const TopologySpec& preset, int node, int tray,
                 RowSection& section) {
  const NetworkText text = parse_network(row.cell("interconnect_inter"));
  int nics = std::max(1, preset.nics_per_node * node / preset.gpus_per_node);
  const bool goes_out = row.count("gpus", 1) > node;
  if (text.nics) {
    nics = std::max(1, *text.nics * node / tray);
  } else if (text.nic_per_gpu) {
    nics = node;
  } else if (text.nic_gbps && goes_out) {
    section.remarks.emplace_back("NICs of a node not counted: as many as its preset has");
  }
  double gbps = preset.nic_bandwidth / 1_Gbps;
  if (text.node_gbps) {
    gbps = *text.node_gbps * node / tray / nics;
  } else if (text.nic_gbps) {
    gbps = *text.nic_gbps;
  } else if (goes_out) {
    section.remarks.emplace_back("network between nodes not stated: its preset's");
  }
  if (nics != preset.nics_per_node || gbps != preset.nic_bandwidth / 1_Gbps) {
    section.line(fmt::format("    nics: {{count: {}, bandwidth: {} Gbps}}", nics, gbps));
  }
}

/// As the tables of this file spell it: without the maker, and the memory right behind the GPU
/// ("NVIDIA A100-SXM4-80GB" is "A100-80GB").
std::string spelled(std::string_view name) {
  static const std::regex maker("^(NVIDIA|AMD Instinct|AMD|Google|Intel) ");
  static const std::regex memory("^([A-Z]+[0-9]+)[- ](?:SXM[0-9]?[- ])?([0-9]+) ?GB");
  const std::string bare = std::regex_replace(std::string(name), maker, "");
  return std::regex_replace(bare, memory, "$1-$2GB");
}

/// Meta's own board, on which torchtitan's runs were: 96 GB of HBM2e, of which PyTorch reports
/// 95.04 GiB, and 500 W.
bool is_board_of_96(const DeviceRow& device) {
  return device.prefix == "H100-96GB" || device.prefix == "H100-95GB";
}

/// The preset, and what the row's name of the GPU or its notes say of its boards: "GPUs limited to
/// 500 W", "HBM2e of 2.4 TB/s".
std::string gpu_of(const TrainingRow& row, const DeviceRow& device) {
  constexpr double kWatts = 500;
  constexpr double kRate = 2.4;  // TB/s: torchao/testing/training/roofline_utils.py
  const std::string text = row.words("gpu") + "; " + row.words("notes");
  const bool said_96 = is_board_of_96(device);
  const auto watts = text_number(text, NoteNumber::PowerLimit);
  const auto rate = text_number(text, NoteNumber::MemoryBandwidth);
  std::string figures;
  if (watts || said_96) {
    figures += fmt::format(", power: {} W", watts.value_or(kWatts));
  }
  if (rate || said_96) {
    figures += fmt::format(", memory: {{bandwidth: {} TB/s{}}}", rate.value_or(kRate),
                           said_96 ? ", capacity: 95.04 GiB" : "");
  }
  return figures.empty() ? std::string(device.gpu)
                         : fmt::format("{{preset: {}{}}}", device.gpu, figures);
}

}  // namespace

std::span<const DeviceRow> known_devices() {
  return kDevices;
}

const DeviceRow* find_device(std::string_view name) {
  const std::string spelling = spelled(name);
  const auto* const found =
      std::find_if(kDevices.begin(), kDevices.end(),
                   [&](const DeviceRow& row) { return spelling.starts_with(row.prefix); });
  return found == kDevices.end() ? nullptr : &*found;
}

const DeviceRow* device_of(const TrainingRow& row, std::vector<std::string>& reasons) {
  const std::string_view gpu = bare_name(row.cell("gpu"));
  if (gpu.empty()) {
    return nullptr;  // missing, told elsewhere
  }
  if (has_word(gpu, "/")) {
    reasons.push_back(fmt::format("GPU not certain: {}", shown(gpu)));
    return nullptr;
  }
  // The remark decides between two boards of the same GPU, so the whole name is looked up.
  const DeviceRow* device = has_word(gpu, "PCIe") ? nullptr : find_device(row.cell("gpu"));
  if (device == nullptr) {
    reasons.push_back(fmt::format("GPU without a preset: {}", shown(gpu)));
  }
  const std::string text = row.words("gpu") + "; " + row.words("notes");
  if (text_says(text, Note::PowerLimited) && !text_number(text, NoteNumber::PowerLimit)) {
    reasons.emplace_back("the GPUs' limit of power not stated");
  }
  return device;
}

int gpus_of_node(const TrainingRow& row, int fallback) {
  const int tray = row.count("gpus_per_node", fallback);
  static const std::regex named(
      "nvl ?-?([0-9]{1,4})|nvlink domain of ([0-9]{1,4})|"
      "([0-9]{1,4})[ -]gpu (?:nvlink )?domain");
  const DeviceRow* device = find_device(row.cell("gpu"));
  int domain = device != nullptr ? device->domain : 0;
  const std::string text = row.words("interconnect_intra");
  std::smatch found;
  if (std::regex_search(text, found, named)) {
    domain = std::stoi(found[1].matched ? found[1] : found[2].matched ? found[2] : found[3]);
  }
  return domain == 0 ? tray : equal_part(row.count("gpus", 1), std::max(tray, domain), tray);
}

RowSection cluster_section(const TrainingRow& row, const DeviceRow& device,
                           const LoadOptions& options) {
  const TopologySpec preset = load_topology(std::string(device.topology), options).topology;
  const int node = gpus_of_node(row, preset.gpus_per_node);
  RowSection keys;
  if (node != preset.gpus_per_node) {
    keys.line(fmt::format("    gpus: {}", node));
    if (preset.scale_up == ScaleUpKind::Mesh) {
      add_mesh(node, preset, keys);
    } else if (preset.scale_up == ScaleUpKind::Torus) {
      add_torus(row, keys);
    } else if (is_board_of_four(row.cell("gpu"), node, row.cell("interconnect_intra"))) {
      keys.line(fmt::format("    scale_up: {{kind: full-mesh, bandwidth: {} GB/s}}",
                            pair_bandwidth(preset) / 1_GBps));
    }
  }
  add_network(row, preset, node, row.count("gpus_per_node", preset.gpus_per_node), keys);

  RowSection section{.reasons = std::move(keys.reasons), .remarks = std::move(keys.remarks)};
  section.line("cluster:");
  section.line(fmt::format("  topology: {}", device.topology));
  section.line(fmt::format("  gpu: {}", gpu_of(row, device)));
  section.line(fmt::format("  gpus: {}", row.count("gpus", 1)));
  const std::string_view network = network_named(row.cell("interconnect_inter"));
  if (!network.empty()) {
    section.line(fmt::format("  network: {}", network == "roce" ? "roce-loaded" : network));
  }
  if (!keys.yaml.empty()) {
    section.line("  node:");
    section.yaml += keys.yaml;
  }
  return section;
}

NetworkText parse_network(std::string_view text) {
  const std::string whole(text);
  const std::string main = std::regex_replace(whole, std::regex(R"(\([^)]*\))"), "");
  static const std::string rate = R"(([0-9]+(?:\.[0-9]+)?)\s*G(b|B)(?:it)?(?:/s|ps))";
  static const std::regex times_rate(R"(([0-9]{1,4})\s*x\s*(?:[A-Za-z][\w-]*\s+)?)" + rate);
  static const std::regex times_generation(R"(([0-9]{1,4})\s*x\s*(EDR|HDR|NDR|XDR))");
  static const std::regex only_rate(rate);
  static const std::regex generation(R"(\b(EDR|HDR|NDR|XDR))");
  const auto gbps = [](const std::string& number, const std::string& unit) {
    return parse_number(number).value_or(0) * (unit == "B" ? 8 : 1);
  };

  NetworkText result;
  std::smatch found;
  if (std::regex_search(main, found, times_rate)) {
    result.nics = std::stoi(found[1]);
    result.nic_gbps = gbps(found[2], found[3]);
  } else if (std::regex_search(main, found, only_rate)) {
    const std::string after = found.suffix();
    if (has_word(after, "node") || has_word(after, "VM") || has_word(whole, "(per node")) {
      result.node_gbps = gbps(found[1], found[2]);
    } else {
      result.nic_gbps = gbps(found[1], found[2]);
      result.nic_per_gpu = has_word(after, "per GPU");
    }
    if (std::regex_search(whole, found, times_generation)) {
      result.nics = std::stoi(found[1]);
    }
  } else if (std::regex_search(main, found, times_generation)) {
    result.nics = std::stoi(found[1]);
    result.nic_gbps = generation_gbps(found[2]);
  } else if (std::regex_search(main, found, generation)) {
    result.nic_gbps = generation_gbps(found[1]);
  }
  if (result.nics == 0) {
    result.nics.reset();
  }
  return result;
}

}  // namespace danlu
