#include "sim/scenario/idle_fabric.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/cluster/port_note.hpp"
#include "sim/scenario/load_degraded.hpp"

namespace danlu {

void note_idle_fabric(const Values& own, std::string_view prefix, const ClusterSpec& cluster,
                      std::vector<std::string>& notes) {
  const IdleLevel level = idle_level(cluster);
  std::vector<std::string> keys;
  for (const std::string_view key : level.keys) {
    if (own.has(fmt::format("fabric.{}", key))) {
      keys.push_back(fmt::format("'{}fabric.{}'", prefix, key));
    }
  }
  if (!keys.empty()) {
    notes.push_back(fmt::format("{} {} no effect: {}", fmt::join(keys, ", "),
                                keys.size() == 1 ? "has" : "have", level.reason));
  }
}

void note_idle_fabric(ClusterSpec& cluster, const LoadOptions& options) {
  Values said;
  std::vector<Problem> known;
  for (const std::string& text : options.overrides) {
    if (!is_of_damage(text)) {
      apply_override(text, topology_keys(), said, known);
    }
  }
  note_idle_fabric(said, "", cluster, cluster.topology.notes);
}

}  // namespace danlu
