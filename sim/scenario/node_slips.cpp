#include "sim/scenario/node_slips.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/base/text.hpp"
#include "sim/base/units.hpp"
#include "sim/scenario/keys.hpp"

namespace danlu {
namespace {

/// Data sheets give NVLink as the sum of both directions; danlu's key is one of them.
void note_both_ways(const NodeValues& values, std::vector<std::string>& notes) {
  constexpr const char* kKey = "node.scale_up.bandwidth";
  constexpr std::array kDataSheets{300e9, 400e9, 600e9, 900e9, 1800e9};
  if (!values.own.has(kKey) || !values.topology.has(kKey) || values.own.at(kKey).factor != 0) {
    return;
  }
  const double given = values.own.at(kKey).number;
  const double one_way = values.topology.at(kKey).number;
  const bool is_sum = std::find(kDataSheets.begin(), kDataSheets.end(), given) != kDataSheets.end();
  if (is_sum && given > one_way) {
    notes.push_back(
        fmt::format("'cluster.{}' is one direction ({} in this topology); if {} is a data sheet's "
                    "sum of both, give {}",
                    kKey, to_text(BytesPerSecond{one_way}), to_text(BytesPerSecond{given}),
                    to_text(BytesPerSecond{given / 2})));
  }
}

/// GB/s for Gbps: no NIC is faster than the PCIe that leads to it.
void note_bits(const NodeValues& values, std::vector<std::string>& notes) {
  constexpr const char* kNic = "node.nics.bandwidth";
  constexpr const char* kPcie = "node.pcie.bandwidth";
  const bool one_node = values.all.has("gpus") && values.all.has("node.gpus") &&
                        values.all.at("gpus").number <= values.all.at("node.gpus").number;
  if (!values.all.has(kNic) || one_node) {
    return;
  }
  const BytesPerSecond nic{values.all.at(kNic).number};
  const BytesPerSecond pcie{values.all.has(kPcie)
                                ? values.all.at(kPcie).number
                                : fallback_of(*find_key(topology_keys(), kPcie))->number};
  if (nic > pcie) {
    notes.push_back(fmt::format(
        "'cluster.{}' is {}, more than the {} by which PCIe leads to a NIC ('cluster.{}'{}): bits "
        "instead of bytes would be {}",
        kNic, to_text(nic), to_text(pcie), kPcie, values.all.has(kPcie) ? "" : ", its default",
        to_text(nic / 8)));
  }
}

/// The power of one GPU, or of the GPUs, for that of a node.
void note_light_node(const NodeValues& values, std::vector<std::string>& notes) {
  constexpr const char* kNode = "node.power";
  constexpr const char* kGpu = "gpu.power";
  if (!values.all.has(kNode) || !values.all.has(kGpu) || !values.all.has("node.gpus")) {
    return;
  }
  const double gpus = values.all.at("node.gpus").number;
  const double least = gpus * values.all.at(kGpu).number;
  if (values.all.at(kNode).number < least) {
    notes.push_back(
        fmt::format("'cluster.{}' is that of the whole node; {} is less than its {:.0f} GPUs of {} "
                    "take, {}",
                    kNode, format_quantity(values.all.at(kNode).number, Dimension::Power), gpus,
                    format_quantity(values.all.at(kGpu).number, Dimension::Power),
                    format_quantity(least, Dimension::Power)));
  }
}

}  // namespace

void note_slips(const NodeValues& values, std::vector<std::string>& notes) {
  note_both_ways(values, notes);
  note_bits(values, notes);
  note_light_node(values, notes);
}

}  // namespace danlu
