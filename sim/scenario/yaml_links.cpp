#include "sim/scenario/yaml_links.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/units.hpp"
#include "sim/cluster/limits.hpp"

namespace danlu {

std::optional<std::array<double, 3>> read_link(const YAML::Node& entry, const KeyRow& row) {
  const bool counts = row.type == KeyType::Links;
  if (!entry.IsSequence() || entry.size() != 3) {
    return std::nullopt;
  }
  std::array<double, 3> link{};
  for (std::size_t i = 0; i < link.size(); ++i) {
    const std::optional<double> number =
        entry[i].IsScalar() ? parse_number(entry[i].Scalar()) : std::nullopt;
    const bool whole = i < 2 || counts;
    if (!number || (whole && *number != std::floor(*number))) {
      return std::nullopt;
    }
    link[i] = *number;
  }
  const double gpus = counts ? kLargestNode : kLargestCluster;
  const double least = counts ? 1 : row.minimum;
  const double most = counts ? kLargestNode - 1 : row.maximum;
  const bool good = link[0] != link[1] && std::min(link[0], link[1]) >= 0 &&
                    std::max(link[0], link[1]) < gpus && link[2] >= least && link[2] <= most;
  return good ? std::optional(link) : std::nullopt;
}

}  // namespace danlu
