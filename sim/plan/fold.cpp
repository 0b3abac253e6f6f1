#include "sim/plan/fold.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/base/error.hpp"
#include "sim/collective/group.hpp"
#include "sim/plan/folded_links.hpp"
#include "sim/plan/hash.hpp"
#include "sim/plan/implied_links.hpp"
#include "sim/plan/refine.hpp"

namespace danlu {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A class for every rank, group, pattern and link of a step.
struct Partition {
  Colours colours;
  std::vector<int> groups;
};

std::vector<int> all_different(std::size_t count) {
  std::vector<int> colours(count);
  std::iota(colours.begin(), colours.end(), 0);
  return colours;
}

/// Calls `visit(group, first, last)` with the range of patterns of every group.
template <typename Visit>
void for_groups(const StepPatterns& step, const Visit& visit) {
  for (std::size_t first = 0, last = 0; first < step.size(); first = last) {
    const int group = step.keys[first].group;
    while (last < step.size() && step.keys[last].group == group) {
      ++last;
    }
    visit(static_cast<std::size_t>(group), first, last);
  }
}

/// Groups are alike if they are of one kind and all their patterns are.
std::vector<int> groups_by_patterns(const StepPatterns& step, const std::vector<int>& patterns) {
  std::vector<std::uint64_t> hashes(step.groups.size());
  for_groups(step, [&](std::size_t group, std::size_t first, std::size_t last) {
    hashes[group] = mix(0, step.groups[group].sort.number());
    std::uint64_t sum = 0;
    for (std::size_t i = first; i < last; ++i) {
      sum += mix(1, patterns[i]);
    }
    hashes[group] = mix(hashes[group], sum);
  });
  return colours_of(hashes);
}

/// Classes of groups for given classes of ranks, without looking at links: the coarse fold.
std::vector<int> groups_by_ranks(const StepPatterns& step, const Mesh& mesh,
                                 const std::vector<int>& ranks) {
  std::vector<std::uint64_t> hashes;
  for (const GroupKey& group : step.groups) {
    std::uint64_t hash = mix(0, group.sort.number());
    std::uint64_t sum = 0;
    for (const int rank : ranks_of(group, mesh)) {
      const int colour = ranks[static_cast<std::size_t>(rank)];
      sum += mix(0, colour);
      hash = group.sort.is_transfer() ? mix(hash, colour) : hash;
    }
    hashes.push_back(mix(hash, sum));
  }
  return colours_of(hashes);
}

/// Patterns are alike if they are the same to alike groups.
std::vector<int> patterns_by_groups(const StepPatterns& step, const std::vector<int>& groups) {
  std::vector<std::uint64_t> hashes;
  for (const PatternKey& key : step.keys) {
    const std::uint64_t hash = mix(mix(0, groups[static_cast<std::size_t>(key.group)]), key.phase);
    hashes.push_back(mix(mix(hash, static_cast<int>(key.algorithm)), static_cast<int>(key.op)));
  }
  return colours_of(hashes);
}

/// What the patterns [first, last) of one group do to the links that they load.
class Heaviest {
 public:
  explicit Heaviest(const StepPatterns& step) : step_(step), weights_(step.links.size()) {}

  /// Calls `visit(link, weight)` once for each link, with the weight of the heaviest pattern there.
  template <typename Visit>
  void of(std::size_t first, std::size_t last, const Visit& visit) {
    for_loads(first, last, [&](std::size_t link, int weight) {
      weights_[link] = std::max(weights_[link], weight);
    });
    for_loads(first, last, [&](std::size_t link, int) {
      if (weights_[link] > 0) {
        visit(link, weights_[link]);
        weights_[link] = 0;
      }
    });
  }

 private:
  template <typename Visit>
  void for_loads(std::size_t first, std::size_t last, const Visit& visit) const {
    for (std::size_t i = first; i < last; ++i) {
      for (const Load& load : step_.loads.of(i)) {
        visit(static_cast<std::size_t>(load.link), load.weight);
      }
    }
  }

  const StepPatterns& step_;
  std::vector<int> weights_;  // by link; all 0 between calls
};

/// What all groups together do to each link.
struct Crowd {
  std::vector<int> weights;  // each group's heaviest pattern counted
  std::vector<int> groups;   // that ever load it
};

Crowd crowd_of(const StepPatterns& step) {
  Crowd crowd{std::vector<int>(step.links.size()), std::vector<int>(step.links.size())};
  Heaviest heaviest(step);
  for_groups(step, [&](std::size_t, std::size_t first, std::size_t last) {
    heaviest.of(first, last, [&](std::size_t link, int weight) {
      crowd.weights[link] += weight;
      ++crowd.groups[link];
    });
  });
  return crowd;
}

/// Makes a Fold of a partition.
class Folder {
 public:
  Folder(const Cluster& cluster, const Mesh& mesh, const StepPatterns& step,
         const Partition& classes, bool is_bound)
      : cluster_(cluster),
        mesh_(mesh),
        step_(step),
        classes_(classes),
        is_bound_(is_bound),
        crowd_(crowd_of(step)) {}

  Fold build() {
    add_units();
    add_groups();
    add_links();
    return std::move(fold_);
  }

 private:
  double capacity(std::size_t link) const {
    return cluster_.topology.link(step_.links[link]).bandwidth.value;
  }

  void add_units() {
    fold_.unit_of_rank = classes_.colours.ranks;
    for (std::size_t rank = 0; rank < fold_.unit_of_rank.size(); ++rank) {
      const auto unit = static_cast<std::size_t>(fold_.unit_of_rank[rank]);
      const int number = static_cast<int>(rank);
      if (unit == fold_.units.size()) {
        fold_.units.push_back({number, mesh_.coordinate(number, Axis::Pipeline), 0});
      }
      add_member(mesh_.gpu(number), fold_.units[unit]);
    }
  }

  void add_member(GpuId gpu, RankClass& unit) const {
    const DegradedSpec& degraded = cluster_.spec.degraded;
    const int number = static_cast<int>(index(gpu));
    GpuSpeed speed = cluster_.speed(gpu);
    if (const auto found = degraded.throttle.find(number); found != degraded.throttle.end()) {
      if (is_bound_) {
        speed.slowdown *= found->second.slowdown;
      } else {
        unit.throttle = found->second;
      }
    }
    unit.jitters = degraded.jitter.shakes(number);
    check(!is_bound_ || !unit.jitters, "fold: bound has no bound for jitter");
    ++unit.members;
    add_speed(speed, unit.speeds);
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

  void add_groups() {
    Heaviest heaviest(step_);
    std::vector<int> own(step_.links.size());
    fold_.groups.resize(static_cast<std::size_t>(count_colours(classes_.groups)));
    fold_.patterns.resize(static_cast<std::size_t>(count_colours(classes_.colours.patterns)));
    shapes_.resize(fold_.groups.size());
    for_groups(step_, [&](std::size_t group, std::size_t first, std::size_t last) {
      const int number = classes_.groups[group];
      GroupClass& found = fold_.groups[static_cast<std::size_t>(number)];
      if (found.shapes.empty()) {
        found.sort = step_.groups[group].sort;
        add_taking_part(group, found);
      }
      heaviest.of(first, last, [&](std::size_t link, int weight) { own[link] = weight; });
      GroupShape& shape = shape_of(group, first, last);
      for (std::size_t i = first; i < last; ++i) {
        fold_.patterns[static_cast<std::size_t>(classes_.colours.patterns[i])].group = number;
        add_rates(i, own, found, shape.patterns[i - first]);
      }
    });
  }

  void add_taking_part(std::size_t group, GroupClass& found) const {
    for (const int rank : ranks_of(step_.groups[group], mesh_)) {
      const int unit = fold_.unit_of_rank[static_cast<std::size_t>(rank)];
      const bool is_new =
          std::find(found.units.begin(), found.units.end(), unit) == found.units.end();
      if (found.sort.is_transfer() || is_new) {
        found.units.push_back(unit);
      }
    }
  }

  /// The shape of a group in its class.
  GroupShape& shape_of(std::size_t group, std::size_t first, std::size_t last) {
    std::uint64_t hash = 0;
    for (std::size_t i = first; i < last; ++i) {
      hash = mix(hash, step_.shapes[i]);
    }
    const auto number = static_cast<std::size_t>(classes_.groups[group]);
    std::vector<std::uint64_t>& known = shapes_[number];
    std::vector<GroupShape>& shapes = fold_.groups[number].shapes;
    const auto at = std::find(known.begin(), known.end(), hash);
    if (at != known.end()) {
      return shapes[static_cast<std::size_t>(at - known.begin())];
    }
    known.push_back(hash);
    shapes.push_back(make_shape(group, first, last));
    return shapes.back();
  }

  GroupShape make_shape(std::size_t group, std::size_t first, std::size_t last) const {
    const GroupKey& key = step_.groups[group];
    const std::vector<int> ranks = ranks_of(key, mesh_);
    GroupShape shape;
    if (key.sort.is_transfer()) {
      shape.group.ranks = ranks;
    } else {
      shape.group = make_group(cluster_, ranks);
      shape.plan = step_.plans[static_cast<std::size_t>(key.plan)];
    }
    for (std::size_t i = first; i < last; ++i) {
      shape.patterns.push_back({step_.keys[i],
                                make_pattern(step_, i, cluster_, mesh_),
                                classes_.colours.patterns[i],
                                {kInfinity},
                                {kInfinity}});
    }
    return shape;
  }

  /// `own`: of the links that its group loads, the group's heaviest weight.
  void add_rates(std::size_t pattern, const std::vector<int>& own, GroupClass& group,
                 CarriedPattern& carried) const {
    for (const Load& load : step_.loads.of(pattern)) {
      const auto link = static_cast<std::size_t>(load.link);
      carried.alone.value = std::min(carried.alone.value, capacity(link) / load.weight);
      const int with_others = crowd_.weights[link] - own[link] + load.weight;
      carried.guaranteed.value = std::min(carried.guaranteed.value, capacity(link) / with_others);
      group.is_alone = group.is_alone && crowd_.groups[link] == 1;
      group.flaps = group.flaps || cluster_.flaps.contains(step_.links[link]);
    }
  }

  void add_links() {
    FoldedLinks folded =
        folded_links(cluster_, step_, classes_.colours.patterns, classes_.colours.links);
    fold_.links = std::move(folded.links);
    std::vector<int> owner(fold_.links.size(), -1);
    for (std::size_t id = 0; id < fold_.patterns.size(); ++id) {
      PatternClass& pattern = fold_.patterns[id];
      pattern.loads = std::move(folded.loads[id]);
      pattern.rate = {kInfinity};
      for (const FoldedLoad& load : pattern.loads) {
        const auto link = static_cast<std::size_t>(load.link);
        pattern.rate.value =
            std::min(pattern.rate.value, fold_.links[link].capacity.value / load.weight);
        if (owner[link] >= 0 && owner[link] != pattern.group) {
          fold_.groups[static_cast<std::size_t>(owner[link])].is_private = false;
          fold_.groups[static_cast<std::size_t>(pattern.group)].is_private = false;
        }
        owner[link] = pattern.group;
      }
    }
  }

  const Cluster& cluster_;
  const Mesh& mesh_;
  const StepPatterns& step_;
  const Partition& classes_;
  bool is_bound_;
  Crowd crowd_;
  Fold fold_;
  std::vector<std::vector<std::uint64_t>> shapes_;  // by class of groups
};

/// What tells a GPU's kernels apart from those of others: its speed, when it throttles, and itself
/// where they jitter.
std::uint64_t hash_of_speed(const Cluster& cluster, GpuId gpu) {
  const DegradedSpec& degraded = cluster.spec.degraded;
  const int number = static_cast<int>(index(gpu));
  const GpuSpeed speed = cluster.speed(gpu);
  std::uint64_t hash = mix(mix(0, speed.kind), speed.slowdown);
  if (const auto found = degraded.throttle.find(number); found != degraded.throttle.end()) {
    const Throttle& throttle = found->second;
    for (const double value :
         {throttle.slowdown, throttle.period.value, throttle.share, throttle.phase}) {
      hash = mix(hash, value);
    }
  }
  return degraded.jitter.shakes(number) ? mix(hash, number) : hash;
}

/// Colours by stage, and by speed if asked.
std::vector<int> first_colours(const Cluster& cluster, const Mesh& mesh, bool by_speed) {
  std::vector<std::uint64_t> hashes;
  for (int rank = 0; rank < mesh.world_size(); ++rank) {
    const std::uint64_t stage = mix(0, mesh.coordinate(rank, Axis::Pipeline));
    hashes.push_back(by_speed ? mix(stage, hash_of_speed(cluster, mesh.gpu(rank))) : stage);
  }
  return colours_of(hashes);
}

/// The finest partition: everything for itself.
Partition no_classes(const StepPatterns& step, const Mesh& mesh) {
  return {{all_different(static_cast<std::size_t>(mesh.world_size())), all_different(step.size()),
           all_different(step.links.size())},
          all_different(step.groups.size())};
}

/// Whether the guaranteed rates of a coarse class are those that all its members have.
bool gets_what_is_guaranteed(const Fold& fold, const GroupClass& group) {
  constexpr double kRounding = 1e-12;
  if (!group.is_private || group.shapes.size() > 1) {
    return false;
  }
  const std::vector<CarriedPattern>& patterns = group.shapes.front().patterns;
  return std::all_of(patterns.begin(), patterns.end(), [&](const CarriedPattern& carried) {
    const PatternClass& all = fold.patterns[static_cast<std::size_t>(carried.pattern_class)];
    return carried.guaranteed.value >= all.rate.value * (1 - kRounding);
  });
}

}  // namespace

Fold fold(const Workload& workload, const Cluster& cluster) {
  const Mesh mesh = workload.parallelism.mesh();
  const StepPatterns all = step_patterns(workload, cluster, mesh);
  const StepPatterns step = without_links(all, implied_links(all, cluster));
  const auto make = [&](const Partition& classes) {
    const bool is_bound = workload.fold == FoldMode::Bound;
    Fold made = Folder(cluster, mesh, step, classes, is_bound).build();
    made.link_classes = link_classes(cluster, all, classes.colours.patterns);
    return made;
  };
  if (workload.fold == FoldMode::Off) {
    return make(no_classes(step, mesh));
  }
  Partition classes{refine(step, cluster, first_colours(cluster, mesh, /*by_speed=*/true)), {}};
  classes.groups = groups_by_patterns(step, classes.colours.patterns);
  if (workload.fold == FoldMode::Exact) {
    return make(classes);
  }
  // Links that are equal to the fine classes are equal to the coarse ones, which unite those.
  Partition coarse;
  coarse.colours.ranks = first_colours(cluster, mesh, /*by_speed=*/false);
  coarse.groups = groups_by_ranks(step, mesh, coarse.colours.ranks);
  coarse.colours.patterns = patterns_by_groups(step, coarse.groups);
  coarse.colours.links = classes.colours.links;
  Fold bound = make(coarse);
  const auto as_many = [](const std::vector<int>& a, const std::vector<int>& b) {
    return count_colours(a) == count_colours(b);
  };
  bound.exact = cluster.spec.degraded.throttle.empty() &&
                as_many(coarse.colours.ranks, classes.colours.ranks) &&
                as_many(coarse.colours.patterns, classes.colours.patterns) &&
                std::all_of(bound.groups.begin(), bound.groups.end(), [&](const GroupClass& group) {
                  return gets_what_is_guaranteed(bound, group);
                });
  return bound;
}

}  // namespace danlu
