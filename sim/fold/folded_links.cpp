#include "sim/fold/folded_links.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>

#include "sim/fold/hash.hpp"
#include "sim/fold/refine.hpp"

namespace danlu {
namespace {

using Row = std::vector<ClassWeight>;

/// Sorts by class and adds up repeated ones.
void add_up(Row& row) {
  std::sort(row.begin(), row.end());
  std::size_t kept = 0;
  for (const ClassWeight& entry : row) {
    if (kept > 0 && row[kept - 1].pattern == entry.pattern) {
      row[kept - 1].weight += entry.weight;
    } else {
      row[kept++] = entry;
    }
  }
  row.resize(kept);
}

int divide_by_common(Row& row) {
  int common = 0;
  for (const ClassWeight& entry : row) {
    common = std::gcd(common, entry.weight);
  }
  for (ClassWeight& entry : row) {
    entry.weight /= common;
  }
  return common;
}

/// The first link of each class.
IdVector<LinkClassId, LoadedLinkId> first_links(
    const IdVector<LoadedLinkId, LinkClassId>& link_classes) {
  IdVector<LinkClassId, LoadedLinkId> first;
  for (const LoadedLinkId link : link_classes.ids()) {
    if (link_classes[link] == first.next_id()) {  // classes are numbered in order of appearance
      first.push_back(link);
    }
  }
  return first;
}

using System = IdVector<LinkClassId, Inequality>;

/// Of each class of patterns the least of its limits among links that only it crosses.
IdVector<PatternClassId, double> tightest_own_limits(const System& system,
                                                     std::size_t pattern_classes) {
  IdVector<PatternClassId, double> tightest(pattern_classes,
                                            std::numeric_limits<double>::infinity());
  for (const Inequality& inequality : system) {
    if (inequality.row.size() == 1) {
      double& least = tightest[inequality.row.front().pattern];
      least = std::min(least, inequality.own_limit());
    }
  }
  return tightest;
}

}  // namespace

IdVector<LinkClassId, Inequality> inequalities(
    const Cluster& cluster, const StepPatterns& step,
    const IdVector<PatternId, PatternClassId>& pattern_classes,
    const IdVector<LoadedLinkId, LinkClassId>& link_classes) {
  const IdVector<LinkClassId, LoadedLinkId> first = first_links(link_classes);
  System system;
  for (const LoadedLinkId link : first) {
    const LinkId id = step.links[link];
    system.push_back(
        {{}, id, cluster.topology.link(id).bandwidth.value, cluster.flaps.contains(id)});
  }
  for (const PatternId i : step.patterns()) {
    for (const Load& load : step.loads.of(i)) {
      const LinkClassId at = link_classes[load.link];
      if (first[at] == load.link) {
        system[at].row.push_back({pattern_classes[i], load.weight});
      }
    }
  }
  for (Inequality& inequality : system) {
    add_up(inequality.row);
  }
  return system;
}

FoldedLinks folded_links(const Cluster& cluster, const StepPatterns& step,
                         const IdVector<PatternId, PatternClassId>& pattern_classes,
                         const IdVector<LoadedLinkId, LinkClassId>& link_classes) {
  System system = inequalities(cluster, step, pattern_classes, link_classes);
  const std::size_t classes = count_colours(pattern_classes);
  const IdVector<PatternClassId, double> tightest = tightest_own_limits(system, classes);
  FoldedLinks folded{{}, IdVector<PatternClassId, std::vector<FoldedLoad>>(classes)};
  std::set<std::tuple<double, std::uint64_t, Row>> known;
  for (Inequality& inequality : system) {
    Row& row = inequality.row;
    if (row.size() == 1 && !inequality.flaps &&
        inequality.own_limit() != tightest[row.front().pattern]) {
      continue;
    }
    const double capacity = inequality.capacity / divide_by_common(row);
    const std::uint64_t when =
        inequality.flaps ? first_colour(cluster, inequality.representative) : 0;
    if (!known.insert({capacity, when, row}).second) {
      continue;
    }
    const FoldedLinkId link = folded.links.push_back({{capacity}, inequality.representative});
    for (const auto& [pattern, weight] : row) {
      folded.loads[pattern].push_back({link, weight});
    }
  }
  return folded;
}

// Hashes of single crossings add up, in whatever order they come.
IdVector<LinkClassId, LinkClass> link_classes(const Cluster& cluster, const StepPatterns& step,
                                              const IdVector<PatternId, PatternClassId>& classes) {
  IdVector<LoadedLinkId, std::uint64_t> hashes;
  for (const LinkId id : step.links) {
    const Link& link = cluster.topology.link(id);
    hashes.push_back(mix(mix(0, link.kind), link.bandwidth.value));
  }
  IdVector<LoadedLinkId, std::uint64_t> sums(step.links.size());
  for (const PatternId i : step.patterns()) {
    for (const Load& load : step.loads.of(i)) {
      // Linear in the weight, so that two members of a class are one crossing of both weights.
      sums[load.link] += mix(1, classes[i]) * static_cast<std::uint64_t>(load.weight);
    }
  }
  for (const LoadedLinkId link : hashes.ids()) {
    hashes[link] = mix(hashes[link], sums[link]);
  }
  const IdVector<LoadedLinkId, LinkClassId> colours = colours_of<LinkClassId>(hashes);
  const IdVector<LinkClassId, LoadedLinkId> first = first_links(colours);
  IdVector<LinkClassId, LinkClass> found(first.size());
  for (const LoadedLinkId link : colours.ids()) {
    found[colours[link]].links.push_back(step.links[link]);
  }
  for (const PatternId i : step.patterns()) {
    for (const Load& load : step.loads.of(i)) {
      const LinkClassId colour = colours[load.link];
      if (first[colour] != load.link) {
        continue;
      }
      std::vector<LinkClass::Crossing>& crossings = found[colour].crossings;
      const auto known = std::find_if(
          crossings.begin(), crossings.end(),
          [&](const LinkClass::Crossing& crossing) { return crossing.pattern == classes[i]; });
      if (known == crossings.end()) {
        crossings.push_back({classes[i], load.weight});
      } else {
        known->weight += load.weight;
      }
    }
  }
  return found;
}

}  // namespace danlu
