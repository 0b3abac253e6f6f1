// The network that a text names, as a preset of topologies/networks.
#pragma once

#include <string_view>

namespace danlu {

/// "Omni-Path 4x100 Gb/s per node" is "omni-path", "HDR InfiniBand" "infiniband"; "" where no
/// network that has a preset is named.
std::string_view network_named(std::string_view text);

}  // namespace danlu
