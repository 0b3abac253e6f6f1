#include "sim/plan/fold.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "sim/plan/hash.hpp"
#include "sim/plan/implied_links.hpp"
#include "sim/plan/refine.hpp"
#include "sim/plan/step_patterns.hpp"

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

std::vector<int> all_different(std::size_t count) {
  std::vector<int> colours(count);
  std::iota(colours.begin(), colours.end(), 0);
  return colours;
}

/// Classes of patterns for given classes of ranks, without looking at links: the coarse fold.
std::vector<int> coarse_patterns(const StepPatterns& step, const std::vector<int>& ranks) {
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < step.size(); ++i) {
    std::uint64_t hash = mix(0, static_cast<int>(step.keys[i].kind));
    if (is_transfer(step.keys[i].kind)) {
      for (const int rank : step.ranks.of(i)) {
        hash = mix(hash, ranks[static_cast<std::size_t>(rank)]);
      }
    } else {
      std::uint64_t sum = 0;
      for (const int rank : step.ranks.of(i)) {
        sum += mix(0, ranks[static_cast<std::size_t>(rank)]);
      }
      hash = mix(hash, sum);
    }
    hashes.push_back(hash);
  }
  return colours_of(hashes);
}

/// Makes a Fold of a partition.
class Folder {
 public:
  Folder(const Cluster& cluster, const RankLayout& layout, const StepPatterns& step,
         const Colours& classes)
      : cluster_(cluster), layout_(layout), step_(step), classes_(classes) {}

  Fold build() {
    add_units();
    add_patterns();
    add_links();
    set_rates();
    return std::move(fold_);
  }

 private:
  double capacity(std::size_t link) const {
    return cluster_.topology.link(step_.links[link]).bandwidth.value;
  }
  PatternClass& class_of(std::size_t pattern) {
    return fold_.patterns[static_cast<std::size_t>(classes_.patterns[pattern])];
  }

  void add_units() {
    fold_.unit_of_rank = classes_.ranks;
    for (std::size_t rank = 0; rank < classes_.ranks.size(); ++rank) {
      const auto unit = static_cast<std::size_t>(classes_.ranks[rank]);
      const int number = static_cast<int>(rank);
      if (unit == fold_.units.size()) {
        fold_.units.push_back({number, layout_.coordinates(number).stage, 0, {}});
      }
      RankClass& found = fold_.units[unit];
      ++found.members;
      add_speed(cluster_.speed(layout_.gpu(number)), found.speeds);
    }
  }

  /// Of one kind of GPU only the slowest counts.
  static void add_speed(GpuSpeed speed, std::vector<GpuSpeed>& speeds) {
    const auto at = std::lower_bound(speeds.begin(), speeds.end(), GpuSpeed{speed.kind, 0});
    if (at == speeds.end() || at->kind != speed.kind) {
      speeds.insert(at, speed);
    } else {
      at->slowdown = std::max(at->slowdown, speed.slowdown);
    }
  }

  void add_patterns() {
    fold_.patterns.resize(static_cast<std::size_t>(count_colours(classes_.patterns)));
    shapes_.resize(fold_.patterns.size());
    count_crossings();
    for (std::size_t i = 0; i < step_.size(); ++i) {
      PatternClass& found = class_of(i);
      if (found.shapes.empty()) {
        found.kind = step_.keys[i].kind;
        add_taking_part(i, found);
      }
      add_shape(i, found);
    }
  }

  void add_taking_part(std::size_t pattern, PatternClass& found) const {
    for (const int rank : step_.ranks.of(pattern)) {
      const int unit = classes_.ranks[static_cast<std::size_t>(rank)];
      const bool is_new =
          std::find(found.units.begin(), found.units.end(), unit) == found.units.end();
      if (is_transfer(found.kind) || is_new) {
        found.units.push_back(unit);
      }
    }
  }

  /// Of every link: the weights of all patterns together, and how many patterns.
  void count_crossings() {
    weights_.resize(step_.links.size());
    patterns_on_.resize(step_.links.size());
    for (const Load& load : step_.loads.all()) {
      weights_[static_cast<std::size_t>(load.link)] += load.weight;
      ++patterns_on_[static_cast<std::size_t>(load.link)];
    }
  }

  void add_shape(std::size_t pattern, PatternClass& found) {
    double alone = std::numeric_limits<double>::infinity();
    double guaranteed = alone;
    for (const Load& load : step_.loads.of(pattern)) {
      const auto link = static_cast<std::size_t>(load.link);
      alone = std::min(alone, capacity(link) / load.weight);
      guaranteed = std::min(guaranteed, capacity(link) / weights_[link]);
      found.is_alone = found.is_alone && patterns_on_[link] == 1;
    }
    std::vector<std::uint64_t>& known =
        shapes_[static_cast<std::size_t>(classes_.patterns[pattern])];
    const auto at = static_cast<std::size_t>(
        std::find(known.begin(), known.end(), step_.shapes[pattern]) - known.begin());
    if (at == known.size()) {
      known.push_back(step_.shapes[pattern]);
      found.shapes.push_back(
          {make_pattern(step_.keys[pattern], cluster_, layout_), {alone}, {guaranteed}});
    }
    PatternShape& shape = found.shapes[at];
    shape.alone = std::min(shape.alone, BytesPerSecond{alone});
    shape.guaranteed = std::min(shape.guaranteed, BytesPerSecond{guaranteed});
  }

  /// Adds up W(F, l) on one link of each class and merges links that give the same inequality.
  void add_links() {
    const auto colours = static_cast<std::size_t>(count_colours(classes_.links));
    representatives_.assign(colours, -1);
    members_.assign(colours, 0);
    for (std::size_t link = 0; link < classes_.links.size(); ++link) {
      const auto colour = static_cast<std::size_t>(classes_.links[link]);
      representatives_[colour] =
          members_[colour]++ == 0 ? static_cast<int>(link) : representatives_[colour];
    }
    rows_.resize(colours);
    for (std::size_t i = 0; i < step_.size(); ++i) {
      for (const Load& load : step_.loads.of(i)) {
        const auto colour =
            static_cast<std::size_t>(classes_.links[static_cast<std::size_t>(load.link)]);
        if (representatives_[colour] == load.link) {
          rows_[colour].push_back({classes_.patterns[i], load.weight});
        }
      }
    }
    std::for_each(rows_.begin(), rows_.end(), add_up);
    find_tightest_own_links();
    std::map<std::pair<double, Row>, std::size_t> known;
    for (std::size_t colour = 0; colour < colours; ++colour) {
      if (!matters(colour)) {
        continue;
      }
      Row& row = rows_[colour];
      const double divided = row_capacity(colour) / divide_by_common(row);
      const auto [at, is_new] = known.try_emplace({divided, row}, fold_.links.size());
      if (is_new) {
        add_link(colour, divided);
      } else {
        fold_.links[at->second].members += members_[colour];
      }
    }
  }

  double row_capacity(std::size_t colour) const {
    return capacity(static_cast<std::size_t>(representatives_[colour]));
  }

  /// Sorts by class and adds up repeated ones.
  static void add_up(Row& row) {
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

  /// The rate of a link's only class if the link were its only limit.
  double own_limit(std::size_t colour) const {
    return row_capacity(colour) / rows_[colour].front().weight;
  }
  /// Of the links that only one class crosses, its tightest are the only ones that can matter.
  void find_tightest_own_links() {
    tightest_.assign(fold_.patterns.size(), std::numeric_limits<double>::infinity());
    for (std::size_t colour = 0; colour < rows_.size(); ++colour) {
      if (rows_[colour].size() == 1) {
        double& least = tightest_[static_cast<std::size_t>(rows_[colour].front().pattern)];
        least = std::min(least, own_limit(colour));
      }
    }
  }
  bool matters(std::size_t colour) const {
    const Row& row = rows_[colour];
    return row.size() > 1 ||
           own_limit(colour) == tightest_[static_cast<std::size_t>(row.front().pattern)];
  }

  static int divide_by_common(Row& row) {
    int common = 0;
    for (const ClassWeight& entry : row) {
      common = std::gcd(common, entry.weight);
    }
    for (ClassWeight& entry : row) {
      entry.weight /= common;
    }
    return common;
  }

  void add_link(std::size_t colour, double capacity) {
    for (const auto& [pattern, weight] : rows_[colour]) {
      PatternClass& owner = fold_.patterns[static_cast<std::size_t>(pattern)];
      owner.loads.push_back({static_cast<int>(fold_.links.size()), weight});
      owner.is_private = owner.is_private && rows_[colour].size() == 1;
    }
    const auto representative = static_cast<std::size_t>(representatives_[colour]);
    fold_.links.push_back({{capacity}, step_.links[representative], members_[colour]});
  }

  void set_rates() {
    for (PatternClass& pattern : fold_.patterns) {
      double rate = std::numeric_limits<double>::infinity();
      for (const FoldedLoad& load : pattern.loads) {
        const FoldedLink& link = fold_.links[static_cast<std::size_t>(load.link)];
        rate = std::min(rate, link.capacity.value / load.weight);
      }
      pattern.rate = {rate};
    }
  }

  const Cluster& cluster_;
  const RankLayout& layout_;
  const StepPatterns& step_;
  const Colours& classes_;
  Fold fold_;
  std::vector<std::vector<std::uint64_t>> shapes_;  // by class of patterns
  std::vector<int> weights_, patterns_on_;          // by link
  std::vector<int> representatives_, members_;      // by class of links
  std::vector<Row> rows_;                           // by class of links
  std::vector<double> tightest_;                    // by class of patterns
};

/// All links by what crosses them. Hashes of single crossings add up, in whatever order they come.
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

/// Colours by stage, and by speed if asked.
std::vector<int> first_colours(const Cluster& cluster, const RankLayout& layout, bool by_speed) {
  std::vector<std::uint64_t> hashes;
  for (int rank = 0; rank < layout.world_size(); ++rank) {
    const GpuSpeed speed = by_speed ? cluster.speed(layout.gpu(rank)) : GpuSpeed{};
    hashes.push_back(mix(mix(mix(0, layout.coordinates(rank).stage), speed.kind), speed.slowdown));
  }
  return colours_of(hashes);
}

}  // namespace

Fold fold(const Workload& workload, const Cluster& cluster, const RankLayout& layout) {
  const StepPatterns all = step_patterns(workload, cluster, layout);
  const StepPatterns step = without_links(all, implied_links(all, cluster));
  const auto make = [&](const Colours& classes) {
    Fold made = Folder(cluster, layout, step, classes).build();
    made.link_classes = link_classes(cluster, all, classes.patterns);
    return made;
  };
  if (workload.fold == FoldMode::Off) {
    const auto ranks = static_cast<std::size_t>(layout.world_size());
    return make(
        {all_different(ranks), all_different(step.size()), all_different(step.links.size())});
  }
  const Colours classes = refine(step, cluster, first_colours(cluster, layout, /*by_speed=*/true));
  if (workload.fold == FoldMode::Exact) {
    return make(classes);
  }
  // Links that are equal to the fine classes are equal to the coarse ones, which unite those.
  const Colours coarse{first_colours(cluster, layout, /*by_speed=*/false),
                       coarse_patterns(step, first_colours(cluster, layout, false)), classes.links};
  Fold bound = make(coarse);
  bound.exact = count_colours(coarse.ranks) == count_colours(classes.ranks) &&
                count_colours(coarse.patterns) == count_colours(classes.patterns) &&
                std::all_of(bound.patterns.begin(), bound.patterns.end(),
                            [](const PatternClass& pattern) { return pattern.is_private; });
  return bound;
}

}  // namespace danlu
