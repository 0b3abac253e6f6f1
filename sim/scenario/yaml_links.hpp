// One entry of a list of links: two GPUs and a number.
#pragma once

#include <yaml-cpp/yaml.h>

#include <array>
#include <optional>

#include "sim/scenario/keys.hpp"

namespace danlu {

/// Two different GPUs and how many links join them (of a node; row type Links) or which share of
/// their link is left (of the cluster; row type Shares). Empty if `entry` is something else.
std::optional<std::array<double, 3>> read_link(const YAML::Node& entry, const KeyRow& row);

}  // namespace danlu
