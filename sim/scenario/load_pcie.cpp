#include "sim/scenario/load_pcie.hpp"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "sim/base/text.hpp"

namespace danlu {
namespace {

/// "5+3" as its numbers, whose sum is `total`.
std::vector<int> read_parts(const Values& values, const std::string& path, int total,
                            std::string_view of_what, std::vector<Problem>& problems) {
  std::vector<int> parts;
  if (!values.has(path)) {
    return parts;
  }
  double sum = 0;
  const std::string text = values.at(path).text;
  for (const std::string_view part : split(text, '+')) {
    const double number = parse_number(part).value_or(-1);
    const bool fits = number >= 0 && number <= total && number == std::floor(number);
    sum += fits ? number : total + 1;
    parts.push_back(fits ? static_cast<int>(number) : 0);
  }
  if (sum != total) {
    problems.push_back(values.problem(
        path, fmt::format("expected {} {} as a sum, found '{}'", total, of_what, shown(text)),
        "5+3 is five below the first PCIe switch and three below the second"));
    parts.clear();
  }
  return parts;
}

}  // namespace

void check_nics(const Values& values, TopologySpec& spec, std::vector<Problem>& problems) {
  for (const auto& [given, missing, example] :
       {std::tuple("node.nics.count", "node.nics.bandwidth",
                   "nominal bandwidth of one NIC, each direction, as in node: {nics: {bandwidth: "
                   "400 Gbps}}"),
        std::tuple("node.nics.bandwidth", "node.nics.count",
                   "NICs of a node, as in node: {nics: {count: 8}}")}) {
    if (values.has(given) && values.misses(missing)) {
      problems.push_back(values.problem(given, fmt::format("missing key '{}'", missing), example));
    }
  }
  if (spec.nics_per_node > spec.gpus_per_node) {
    const double each = static_cast<double>(spec.nics_per_node) / spec.gpus_per_node;
    spec.nic_cards = spec.nics_per_node;
    spec.nics_per_node = spec.gpus_per_node;
    spec.nic_bandwidth = spec.nic_bandwidth * each;
    spec.nic_slot = spec.nic_slot * each;
    spec.ports_per_nic *= static_cast<int>(std::ceil(each));
    if (each != std::floor(each)) {
      spec.notes.push_back(fmt::format("{} NICs for {} GPUs: each GPU is taken to have {:.4g}",
                                       spec.nic_cards, spec.gpus_per_node, each));
    }
  }
}

void read_pcie(const Values& values, TopologySpec& spec, std::vector<Problem>& problems) {
  spec.pcie_slots = values.numbers("node.pcie.slots");
  for (const auto& [gpu, share] : spec.pcie_slots) {
    if (gpu >= spec.gpus_per_node) {
      problems.push_back(values.problem(
          fmt::format("node.pcie.slots.{}", gpu),
          fmt::format("there is no GPU {}: the node has 0 to {}", gpu, spec.gpus_per_node - 1)));
    }
  }
  spec.pcie_gpus = read_parts(values, "node.pcie.gpus", spec.gpus_per_node, "GPUs", problems);
  spec.pcie_nics = read_parts(values, "node.pcie.nics", spec.cards_per_node(), "NICs", problems);
  if (spec.nic_cards > 0) {
    spec.pcie_nics = spec.pcie_gpus;  // each GPU has its own
  }
  for (const auto& [path, parts] : {std::pair("node.pcie.gpus", &spec.pcie_gpus),
                                    std::pair("node.pcie.nics", &spec.pcie_nics)}) {
    if (!parts->empty() && values.has(path) && !values.has("node.pcie.switches")) {
      spec.pcie_switches = static_cast<int>(parts->size());
    }
    if (!parts->empty() && parts->size() != static_cast<std::size_t>(spec.pcie_switches)) {
      problems.push_back(
          values.problem(path,
                         fmt::format("{} PCIe switches have GPUs or NICs here, the node has {}",
                                     parts->size(), spec.pcie_switches),
                         "one number for each of node.pcie.switches"));
      parts->clear();
    }
  }
}

}  // namespace danlu
