// What an NCCL file implies, held against what else the user wrote.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/text.hpp"
#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/nccl_topology.hpp"

namespace danlu {
namespace {

class Fitter {
 public:
  Fitter(Values& values, std::vector<std::string>& notes, std::vector<Problem>& problems)
      : values_(values), notes_(notes), problems_(problems) {}

  void fit() {
    drop_other_kind();
    fit_gpus();
  }

 private:
  /// Whether the value is the file's, and no key of the user's stands in its place.
  bool is_of_file(std::string_view path) const {
    const SourcePosition& file = values_.at("node.xml.gpus").position;
    return values_.has(path) && values_.at(path).position.file == file.file &&
           values_.at(path).position.line > 0;
  }

  /// Rates per GPU are not rates per link.
  void drop_other_kind() {
    if (!values_.has("node.xml.kind") || is_of_file("node.scale_up.kind") ||
        values_.at("node.scale_up.kind").text == values_.at("node.xml.kind").text) {
      return;
    }
    for (const char* path : {"node.scale_up.bandwidth", "node.scale_up.efficiency",
                             "node.scale_up.switches", "node.scale_up.reduction_efficiency",
                             "node.scale_up.reduction_cap", "node.scale_up.links"}) {
      if (is_of_file(path)) {
        values_.erase_tree(path);
      }
    }
  }

  void scale(const std::string& path, double times) {
    Value value = values_.at(path);
    value.number *= times;
    value.text = fmt::format("{}", value.number);
    values_.set(path, std::move(value));
  }

  /// The file may show a part of a node, as a tray of a rack, or more than what is used.
  void fit_gpus() {
    const double from = values_.at("node.xml.gpus").number;
    const double to = values_.at("node.gpus").number;
    if (from == to) {
      return;
    }
    const double times = to / from;
    std::string said = fmt::format("'node.gpus' is {}, node.xml has {} GPUs", to, from);
    if (is_of_file("node.nics.count")) {
      const double nics = values_.at("node.nics.count").number * times;
      const bool whole = nics == std::floor(nics) && nics >= 1;
      said += whole ? fmt::format(": NICs are taken to be as many a GPU, {}", nics)
                    : fmt::format(": its {} NICs are taken as they are",
                                  values_.at("node.nics.count").text);
      scale("node.nics.count", whole ? times : 1);
    }
    if (is_of_file("node.pcie.switches")) {
      for (const char* path : {"node.pcie.gpus", "node.pcie.nics"}) {
        values_.erase_tree(path);
      }
      const double switches = values_.at("node.pcie.switches").number * times;
      constexpr double kMost = 64;
      const bool whole = switches == std::floor(switches) && switches >= 1 && switches <= kMost;
      said += "; GPUs are spread evenly over PCIe switches";
      scale("node.pcie.switches", whole ? times : 1);
    }
    drop_slots(to);
    if (is_of_file("node.scale_up.links") && !fit_links(to)) {
      return;
    }
    notes_.push_back(std::move(said));
  }

  void drop_slots(double gpus) {
    for (const auto& [gpu, share] : values_.numbers("node.pcie.slots")) {
      const std::string path = fmt::format("node.pcie.slots.{}", gpu);
      if (gpu >= gpus && is_of_file(path)) {
        values_.erase_tree(path);
      }
    }
  }

  /// The links among the first GPUs; how more GPUs would be linked is not known.
  bool fit_links(double gpus) {
    if (gpus > values_.at("node.xml.gpus").number) {
      problems_.push_back(
          values_.problem("node.gpus",
                          fmt::format("the file says how its {} GPUs are linked, not how {} are",
                                      values_.at("node.xml.gpus").number, gpus),
                          "leave out node.gpus, or give node.scale_up.links"));
      return false;
    }
    Value links = values_.at("node.scale_up.links");
    std::erase_if(links.links,
                  [&](const auto& link) { return std::max(link[0], link[1]) >= gpus; });
    if (links.links.empty()) {
      Value kind = values_.at("node.scale_up.kind");
      kind.text = name_of(ScaleUpKind::None);
      values_.set("node.scale_up.kind", std::move(kind));
      values_.erase_tree("node.scale_up.efficiency");
    }
    values_.set("node.scale_up.links", std::move(links));
    return true;
  }

  Values& values_;
  std::vector<std::string>& notes_;
  std::vector<Problem>& problems_;
};

}  // namespace

void fit_nccl_node(Values& values, std::vector<std::string>& notes,
                   std::vector<Problem>& problems) {
  if (values.has("node.xml.gpus")) {
    Fitter(values, notes, problems).fit();
  }
}

namespace {

enum class GpuMaker { NotSaid, Nvidia, Amd, Other };

/// Only GPUs of NVIDIA have a compute capability; of the others the name tells the maker.
GpuMaker gpu_maker(const GpuSpec& gpu) {
  const auto begins = [&](std::string_view word) { return gpu.name.starts_with(word); };
  if (gpu.compute_capability > 0 || begins("NVIDIA ")) {
    return GpuMaker::Nvidia;
  }
  if (begins("AMD ")) {
    return GpuMaker::Amd;
  }
  return begins("Google ") || begins("Intel ") || begins("Ascend ") ? GpuMaker::Other
                                                                    : GpuMaker::NotSaid;
}

}  // namespace

std::optional<Complaint> nccl_gpu_complaint(const Values& values, const GpuSpec& gpu,
                                            std::string_view fitting) {
  constexpr double kTenths = 10;
  const double own = std::round(gpu.compute_capability * kTenths);
  const GpuMaker maker = gpu_maker(gpu);
  const std::string own_capability =
      own > 0 ? fmt::format("of compute capability {:.1f}", gpu.compute_capability)
              : "without a compute capability";
  if (values.has("node.xml.gcn") && maker != GpuMaker::Amd && maker != GpuMaker::NotSaid) {
    return Complaint{fmt::format("'gpu' is {} {}, the GPUs of '{}' are AMD's (gcn)", gpu.name,
                                 own_capability, values.at("node.xml.gcn").position.file),
                     "name a gpu of AMD, such as mi300x (danlu list gpus)"};
  }
  const bool may_be_nvidia = maker == GpuMaker::Nvidia || maker == GpuMaker::NotSaid;
  if (!values.has("node.xml.sm") || (may_be_nvidia && own == 0) ||
      values.at("node.xml.sm").number == own) {
    return std::nullopt;
  }
  const double sm = values.at("node.xml.sm").number;
  return Complaint{
      fmt::format("'gpu' is {} {}, the GPUs of '{}' have sm {}", gpu.name, own_capability,
                  values.at("node.xml.sm").position.file, sm),
      fitting.empty() ? fmt::format("name a GPU file with compute_capability: {:.1f}", sm / kTenths)
                      : fmt::format("such GPUs are {}", fitting)};
}

}  // namespace danlu
