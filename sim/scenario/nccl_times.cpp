// Sources: hops and the base latency of a ring are NCCL's tuning constants
// (github.com/NVIDIA/nccl@5067397 src/graph/tuning.cc); launches are those fitted on nodes of the
// same generation (topologies/*.yaml, docs/explain/validation-collectives.md).
#include "sim/scenario/nccl_times.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "sim/cluster/topology_spec.hpp"

namespace danlu {
namespace {

struct Launch {
  double seconds;
  const char* from;
};

/// Of one collective, on nodes whose GPUs are joined; `sm` 0 is unknown.
Launch launch_of(int sm, bool joined) {
  constexpr Launch kBase{8.4e-6, "a ring's base latency in NCCL's tuning"};
  constexpr std::array<std::pair<int, Launch>, 3> kFitted{{
      {100, {1.5e-6, "as fitted on GB200"}},
      {90, {5e-6, "as fitted on H100"}},
      {60, {16.8e-6, "as fitted on A100"}},
  }};
  const auto* const found = std::find_if(kFitted.begin(), kFitted.end(),
                                         [&](const auto& row) { return sm >= row.first; });
  return !joined || found == kFitted.end() ? kBase : found->second;
}

}  // namespace

void assume_nccl_times(Values& values) {
  const auto add = [&](const char* path, double number, std::string text, std::string_view from) {
    if (values.has(path)) {
      return;
    }
    Value value = values.at("node.xml.gpus");  // of the file
    value.number = number;
    value.note = fmt::format("node.xml: {} is not in the file: {}, {}", path, text, from);
    value.text = std::move(text);
    values.set(path, std::move(value));
  };
  const auto add_time = [&](const char* path, double seconds, std::string_view from) {
    add(path, seconds, fmt::format("{:.4g} us", seconds * 1e6), from);
  };
  const bool joined =  // a file that does not say leaves it to the keys
      !values.has("node.scale_up.kind") ||
      values.at("node.scale_up.kind").text != name_of(ScaleUpKind::None);
  const int sm = values.has("node.xml.sm") ? static_cast<int>(values.at("node.xml.sm").number) : 0;
  joined ? add_time("node.scale_up.latency", 3.4e-6, "an NVLink hop in NCCL's tuning")
         : add_time("node.scale_up.latency", 5.7e-6, "a PCIe hop in NCCL's tuning");
  if (joined && !values.has("node.scale_up.bandwidth")) {
    add("node.scale_up.efficiency", 1, "1", "as if all of the bandwidth were reached");
  }
  if (values.has("node.nics.count")) {
    add_time("fabric.latency", 14e-6, "a network hop in NCCL's tuning");
  }
  const Launch launch = launch_of(sm, joined);
  add_time("collective.launch", launch.seconds, launch.from);
  add("collective.tuning", 0, "none",
      "so that several nodes make rings; nccl chooses trees and sums in switches too, as NCCL "
      "does");
}

}  // namespace danlu
