#include "sim/plan/folded_links.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "sim/plan/hash.hpp"
#include "sim/plan/refine.hpp"

namespace danlu {
namespace {

/// How often a class crosses a link.
struct ClassWeight {
  int pattern = 0;
  int weight = 0;
  auto operator<=>(const ClassWeight&) const = default;  // NOLINT(modernize-use-nullptr)
};
/// The left side of a link's inequality, by class, ascending.
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

/// One inequality for each class of links.
struct System {
  std::vector<Row> rows;
  std::vector<LinkId> representatives;
  std::vector<double> capacities;
  std::vector<bool> flaps;

  /// The rate of a link's only class if the link were its only limit.
  double own_limit(std::size_t at) const { return capacities[at] / rows[at].front().weight; }
};

System make_system(const Cluster& cluster, const StepPatterns& step,
                   const std::vector<int>& pattern_classes, const std::vector<int>& link_classes) {
  const auto classes = static_cast<std::size_t>(count_colours(link_classes));
  System system{std::vector<Row>(classes), {}, {}, {}};
  std::vector<int> first(classes, -1);
  for (std::size_t link = 0; link < link_classes.size(); ++link) {
    const auto at = static_cast<std::size_t>(link_classes[link]);
    if (first[at] < 0) {
      first[at] = static_cast<int>(link);
    }
  }
  for (std::size_t i = 0; i < step.size(); ++i) {
    for (const Load& load : step.loads.of(i)) {
      const auto at = static_cast<std::size_t>(link_classes[static_cast<std::size_t>(load.link)]);
      if (first[at] == load.link) {
        system.rows[at].push_back({pattern_classes[i], load.weight});
      }
    }
  }
  std::for_each(system.rows.begin(), system.rows.end(), add_up);
  for (const int link : first) {
    system.representatives.push_back(step.links[static_cast<std::size_t>(link)]);
    system.capacities.push_back(
        cluster.topology.link(system.representatives.back()).bandwidth.value);
    system.flaps.push_back(cluster.flaps.contains(system.representatives.back()));
  }
  return system;
}

/// By class of patterns: the least of its limits among links that only it crosses.
std::vector<double> tightest_own_limits(const System& system, std::size_t pattern_classes) {
  std::vector<double> tightest(pattern_classes, std::numeric_limits<double>::infinity());
  for (std::size_t at = 0; at < system.rows.size(); ++at) {
    if (system.rows[at].size() == 1) {
      double& least = tightest[static_cast<std::size_t>(system.rows[at].front().pattern)];
      least = std::min(least, system.own_limit(at));
    }
  }
  return tightest;
}

}  // namespace

FoldedLinks folded_links(const Cluster& cluster, const StepPatterns& step,
                         const std::vector<int>& pattern_classes,
                         const std::vector<int>& link_classes) {
  System system = make_system(cluster, step, pattern_classes, link_classes);
  const auto classes = static_cast<std::size_t>(count_colours(pattern_classes));
  const std::vector<double> tightest = tightest_own_limits(system, classes);
  FoldedLinks folded{{}, std::vector<std::vector<FoldedLoad>>(classes)};
  std::map<std::tuple<double, std::uint64_t, Row>, std::size_t> known;
  for (std::size_t at = 0; at < system.rows.size(); ++at) {
    Row& row = system.rows[at];
    if (row.size() == 1 && !system.flaps[at] &&
        system.own_limit(at) != tightest[static_cast<std::size_t>(row.front().pattern)]) {
      continue;
    }
    const double capacity = system.capacities[at] / divide_by_common(row);
    const std::uint64_t when =
        system.flaps[at] ? first_colour(cluster, system.representatives[at]) : 0;
    const auto [found, is_new] = known.try_emplace({capacity, when, row}, folded.links.size());
    if (!is_new) {
      continue;
    }
    for (const auto& [pattern, weight] : row) {
      folded.loads[static_cast<std::size_t>(pattern)].push_back(
          {static_cast<int>(folded.links.size()), weight});
    }
    folded.links.push_back({{capacity}, system.representatives[at]});
  }
  return folded;
}

// Hashes of single crossings add up, in whatever order they come.
std::vector<LinkClass> link_classes(const Cluster& cluster, const StepPatterns& step,
                                    const std::vector<int>& classes) {
  std::vector<std::uint64_t> hashes;
  for (const LinkId id : step.links) {
    const Link& link = cluster.topology.link(id);
    hashes.push_back(mix(mix(0, static_cast<int>(link.kind)), link.bandwidth.value));
  }
  std::vector<std::uint64_t> sums(step.links.size());
  for (std::size_t i = 0; i < step.size(); ++i) {
    for (const Load& load : step.loads.of(i)) {
      // Linear in the weight, so that two members of a class are one crossing of both weights.
      sums[static_cast<std::size_t>(load.link)] +=
          mix(1, classes[i]) * static_cast<std::uint64_t>(load.weight);
    }
  }
  for (std::size_t link = 0; link < hashes.size(); ++link) {
    hashes[link] = mix(hashes[link], sums[link]);
  }
  const std::vector<int> colours = colours_of(hashes);
  std::vector<LinkClass> found(static_cast<std::size_t>(count_colours(colours)));
  std::vector<int> first(found.size(), -1);
  for (std::size_t link = 0; link < colours.size(); ++link) {
    const auto colour = static_cast<std::size_t>(colours[link]);
    if (found[colour].members++ == 0) {
      found[colour].representative = step.links[link];
      first[colour] = static_cast<int>(link);
    }
  }
  for (std::size_t i = 0; i < step.size(); ++i) {
    for (const Load& load : step.loads.of(i)) {
      const auto colour = static_cast<std::size_t>(colours[static_cast<std::size_t>(load.link)]);
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
