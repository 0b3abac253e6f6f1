#include "sim/fold/fold.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/collective/group.hpp"
#include "sim/fold/folded_links.hpp"
#include "sim/fold/hash.hpp"
#include "sim/fold/implied_links.hpp"
#include "sim/fold/refine.hpp"

namespace danlu {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A class for every rank, group, pattern and link of a step.
struct Partition {
  Colours colours;
  IdVector<GroupId, GroupClassId> groups;
};

/// Calls `visit(group, patterns)` with the range of patterns of every group.
template <typename Visit>
void for_groups(const StepPatterns& step, const Visit& visit) {
  for (auto first = step.keys.begin(), last = first; first != step.keys.end(); first = last) {
    last = std::find_if(first, step.keys.end(),
                        [&](const PatternKey& key) { return key.group != first->group; });
    visit(first->group, IdRange(step.keys.id_at(first), step.keys.id_at(last)));
  }
}

/// Groups are alike if they are of one kind and all their patterns are.
IdVector<GroupId, GroupClassId> groups_by_patterns(
    const StepPatterns& step, const IdVector<PatternId, PatternClassId>& classes) {
  IdVector<GroupId, std::uint64_t> hashes(step.groups.size());
  for_groups(step, [&](GroupId group, IdRange<PatternId> patterns) {
    hashes[group] = mix(0, step.groups[group].sort.number());
    std::uint64_t sum = 0;
    for (const PatternId pattern : patterns) {
      sum += mix(1, classes[pattern]);
    }
    hashes[group] = mix(hashes[group], sum);
  });
  return colours_of<GroupClassId>(hashes);
}

/// Classes of groups for given classes of ranks, without looking at links: the coarse fold.
IdVector<GroupId, GroupClassId> groups_by_ranks(const StepPatterns& step, const Mesh& mesh,
                                                const IdVector<RankId, RankClassId>& classes) {
  IdVector<GroupId, std::uint64_t> hashes;
  for (const GroupKey& group : step.groups) {
    std::uint64_t hash = mix(0, group.sort.number());
    std::uint64_t sum = 0;
    for (const int rank : ranks_of(group, mesh)) {
      const RankClassId rank_class = classes[RankId{rank}];
      sum += mix(0, rank_class);
      hash = group.sort.is_transfer() ? mix(hash, rank_class) : hash;
    }
    hashes.push_back(mix(hash, sum));
  }
  return colours_of<GroupClassId>(hashes);
}

/// Patterns are alike if they are the same to alike groups.
IdVector<PatternId, PatternClassId> patterns_by_groups(
    const StepPatterns& step, const IdVector<GroupId, GroupClassId>& groups) {
  IdVector<PatternId, std::uint64_t> hashes;
  for (const PatternKey& key : step.keys) {
    const std::uint64_t hash = mix(mix(0, groups[key.group]), key.phase);
    hashes.push_back(mix(mix(hash, key.algorithm), key.op));
  }
  return colours_of<PatternClassId>(hashes);
}

/// What the patterns of one group do to the links that they load.
class Heaviest {
 public:
  explicit Heaviest(const StepPatterns& step) : step_(step), weights_(step.links.size()) {}

  /// Calls `visit(link, weight)` once for each link, with the weight of the heaviest pattern there.
  template <typename Visit>
  void of(IdRange<PatternId> patterns, const Visit& visit) {
    for (const PatternId pattern : patterns) {
      for (const Load& load : step_.loads.of(pattern)) {
        weights_[load.link] = std::max(weights_[load.link], load.weight);
      }
    }
    for (const PatternId pattern : patterns) {
      for (const Load& load : step_.loads.of(pattern)) {
        if (weights_[load.link] > 0) {
          visit(load.link, weights_[load.link]);
          weights_[load.link] = 0;
        }
      }
    }
  }

 private:
  const StepPatterns& step_;
  IdVector<LoadedLinkId, int> weights_;  // all 0 between calls
};

/// What all groups together do to a link.
struct Crowd {
  int weight = 0;  // each group's heaviest pattern counted
  int groups = 0;  // that ever load it
};
using Crowds = IdVector<LoadedLinkId, Crowd>;

Crowds crowds_of(const StepPatterns& step) {
  Crowds crowds(step.links.size());
  Heaviest heaviest(step);
  for_groups(step, [&](GroupId, IdRange<PatternId> patterns) {
    heaviest.of(patterns, [&](LoadedLinkId link, int weight) {
      crowds[link].weight += weight;
      ++crowds[link].groups;
    });
  });
  return crowds;
}

/// Makes a Fold of a partition. One class, since rank classes, groups, links and rates are filled
/// from the same crowds, one after the other.
class Folder {
 public:
  /// `step` is `all` without links that can be left out.
  Folder(const Cluster& cluster, const Mesh& mesh, const StepPatterns& all,
         const StepPatterns& step, const Partition& classes, bool is_bound)
      : cluster_(cluster),
        mesh_(mesh),
        all_(all),
        step_(step),
        classes_(classes),
        is_bound_(is_bound),
        crowds_(crowds_of(step)) {}

  Fold build() {
    add_rank_classes();
    add_groups();
    add_links();
    return std::move(fold_);
  }

 private:
  double capacity(LoadedLinkId link) const {
    return cluster_.topology.link(step_.links[link]).bandwidth.value;
  }

  void add_rank_classes() {
    fold_.class_of_rank = classes_.colours.ranks;
    for (const RankId rank : fold_.class_of_rank.ids()) {
      const RankClassId id = fold_.class_of_rank[rank];
      const int number = static_cast<int>(rank);
      if (id == fold_.rank_classes.next_id()) {
        fold_.rank_classes.push_back({rank, mesh_.coordinate(number, Axis::Pipeline), 0});
      }
      add_member(mesh_.gpu(number), fold_.rank_classes[id]);
    }
  }

  void add_member(GpuId gpu, RankClass& ranks) const {
    const DegradedSpec& degraded = cluster_.spec.degraded;
    const int number = static_cast<int>(index(gpu));
    GpuSpeed speed = cluster_.speed(gpu);
    if (const auto found = degraded.throttle.find(number); found != degraded.throttle.end()) {
      if (is_bound_) {
        speed.slowdown *= found->second.slowdown;
      } else {
        ranks.throttle = found->second;
      }
    }
    ranks.jitters = degraded.jitter.shakes(number);
    check(!is_bound_ || !ranks.jitters, "fold: bound has no bound for jitter");
    ++ranks.members;
    add_speed(speed, ranks.speeds);
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
    IdVector<LoadedLinkId, int> own(step_.links.size());
    fold_.groups.resize(count_colours(classes_.groups));
    fold_.patterns.resize(count_colours(classes_.colours.patterns));
    shapes_.resize(fold_.groups.size());
    for_groups(step_, [&](GroupId group, IdRange<PatternId> patterns) {
      const GroupClassId id = classes_.groups[group];
      GroupClass& found = fold_.groups[id];
      if (found.shapes.empty()) {
        found.sort = step_.groups[group].sort;
        add_taking_part(group, found);
      }
      heaviest.of(patterns, [&](LoadedLinkId link, int weight) { own[link] = weight; });
      auto carried = shape_of(group, patterns).patterns.begin();
      for (const PatternId pattern : patterns) {
        fold_.patterns[classes_.colours.patterns[pattern]].group = id;
        add_rates(pattern, own, found, *carried++);
      }
    });
  }

  void add_taking_part(GroupId group, GroupClass& found) const {
    std::vector<RankClassId>& known = found.rank_classes;
    for (const int rank : ranks_of(step_.groups[group], mesh_)) {
      const RankClassId id = fold_.class_of_rank[RankId{rank}];
      const bool is_new = std::find(known.begin(), known.end(), id) == known.end();
      if (found.sort.is_transfer() || is_new) {
        known.push_back(id);
      }
    }
  }

  /// The shape of a group in its class.
  GroupShape& shape_of(GroupId group, IdRange<PatternId> patterns) {
    std::uint64_t hash = 0;
    for (const PatternId pattern : patterns) {
      hash = mix(hash, step_.shapes[pattern]);
    }
    const GroupClassId id = classes_.groups[group];
    std::vector<std::uint64_t>& known = shapes_[id];
    std::vector<GroupShape>& shapes = fold_.groups[id].shapes;
    const auto at = std::find(known.begin(), known.end(), hash);
    if (at != known.end()) {
      return *(shapes.begin() + (at - known.begin()));
    }
    known.push_back(hash);
    shapes.push_back(make_shape(group, patterns));
    return shapes.back();
  }

  GroupShape make_shape(GroupId group, IdRange<PatternId> patterns) const {
    const GroupKey& key = step_.groups[group];
    const std::vector<int> ranks = ranks_of(key, mesh_);
    GroupShape shape;
    if (!key.plan) {
      shape.group.ranks = ranks;
    } else {
      shape.group = make_group(cluster_, ranks);
      shape.plan = step_.plans[*key.plan];
    }
    for (const PatternId pattern : patterns) {
      shape.patterns.push_back({step_.keys[pattern],
                                make_pattern(step_, pattern, cluster_, mesh_),
                                classes_.colours.patterns[pattern],
                                {kInfinity},
                                {kInfinity}});
    }
    return shape;
  }

  /// `own`: of the links that its group loads, the group's heaviest weight.
  void add_rates(PatternId pattern, const IdVector<LoadedLinkId, int>& own, GroupClass& group,
                 CarriedPattern& carried) const {
    for (const Load& load : all_.loads.of(pattern)) {
      const Link& link = cluster_.topology.link(all_.links[load.link]);
      carried.alone.value = std::min(carried.alone.value, link.bandwidth.value / load.weight);
    }
    for (const Load& load : step_.loads.of(pattern)) {
      const LoadedLinkId link = load.link;
      const int with_others = crowds_[link].weight - own[link] + load.weight;
      carried.guaranteed.value = std::min(carried.guaranteed.value, capacity(link) / with_others);
      group.is_alone = group.is_alone && crowds_[link].groups == 1;
      group.flaps = group.flaps || cluster_.flaps.contains(step_.links[link]);
    }
  }

  void add_links() {
    FoldedLinks folded =
        folded_links(cluster_, step_, classes_.colours.patterns, classes_.colours.links);
    fold_.links = std::move(folded.links);
    IdVector<FoldedLinkId, std::optional<GroupClassId>> owner(fold_.links.size());
    for (const PatternClassId id : fold_.patterns.ids()) {
      PatternClass& pattern = fold_.patterns[id];
      pattern.loads = std::move(folded.loads[id]);
      pattern.rate = {kInfinity};
      for (const FoldedLoad& load : pattern.loads) {
        pattern.rate.value =
            std::min(pattern.rate.value, fold_.links[load.link].capacity.value / load.weight);
        const std::optional<GroupClassId> other = std::exchange(owner[load.link], pattern.group);
        if (other && *other != pattern.group) {
          fold_.groups[*other].is_private = false;
          fold_.groups[pattern.group].is_private = false;
        }
      }
    }
  }

  const Cluster& cluster_;
  const Mesh& mesh_;
  const StepPatterns &all_, &step_;
  const Partition& classes_;
  bool is_bound_;
  Crowds crowds_;
  Fold fold_;
  IdVector<GroupClassId, std::vector<std::uint64_t>> shapes_;
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

/// Colours by stage and speed.
IdVector<RankId, RankClassId> first_colours(const Cluster& cluster, const Mesh& mesh) {
  IdVector<RankId, std::uint64_t> hashes;
  for (int rank = 0; rank < mesh.world_size(); ++rank) {
    const std::uint64_t stage = mix(0, mesh.coordinate(rank, Axis::Pipeline));
    hashes.push_back(mix(stage, hash_of_speed(cluster, mesh.gpu(rank))));
  }
  return colours_of<RankClassId>(hashes);
}

IdVector<RankId, RankClassId> by_stage(const Mesh& mesh) {
  IdVector<RankId, std::uint64_t> stages;
  for (int rank = 0; rank < mesh.world_size(); ++rank) {
    stages.push_back(static_cast<std::uint64_t>(mesh.coordinate(rank, Axis::Pipeline)));
  }
  return colours_of<RankClassId>(stages);
}

/// Whether the guaranteed rates of a coarse class are those that all its members have.
bool gets_what_is_guaranteed(const Fold& fold, const GroupClass& group) {
  constexpr double kRounding = 1e-12;
  if (!group.is_private || group.shapes.size() > 1) {
    return false;
  }
  const std::vector<CarriedPattern>& patterns = group.shapes.front().patterns;
  return std::all_of(patterns.begin(), patterns.end(), [&](const CarriedPattern& carried) {
    const PatternClass& all = fold.patterns[carried.pattern_class];
    return carried.guaranteed.value >= all.rate.value * (1 - kRounding);
  });
}

}  // namespace

Fold fold(const Workload& workload, const StepProgram& program, const Cluster& cluster) {
  const Mesh mesh = workload.mesh();
  const StepPatterns all = step_patterns(workload, program, cluster, mesh);
  const bool is_off = workload.fold == FoldMode::Off;
  const bool is_bound = workload.fold == FoldMode::Bound;
  const auto [step, colours] = without_implied_links(
      all, cluster,
      is_off ? all_different<RankClassId>(IdRange(RankId{0}, RankId{mesh.world_size()}))
             : first_colours(cluster, mesh),
      /*equal_rates=*/workload.collectives != CollectiveMode::Formula && !is_bound);
  const auto make = [&](const Partition& classes) {
    Fold made = Folder(cluster, mesh, all, step, classes, is_bound).build();
    made.link_classes = link_classes(cluster, all, classes.colours.patterns);
    return made;
  };
  const Partition classes{colours, groups_by_patterns(step, colours.patterns)};
  if (!is_bound) {
    return make(classes);
  }
  // Links that are equal to the fine classes are equal to the coarse ones, which unite those.
  Partition coarse;
  coarse.colours.ranks = by_stage(mesh);
  coarse.groups = groups_by_ranks(step, mesh, coarse.colours.ranks);
  coarse.colours.patterns = patterns_by_groups(step, coarse.groups);
  coarse.colours.links = classes.colours.links;
  Fold bound = make(coarse);
  const auto as_many = [](const auto& a, const auto& b) {
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
