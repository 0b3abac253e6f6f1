#include "sim/session/slow_parts.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace danlu {
namespace {

/// The GPUs behind a part: itself, or those that a NIC serves.
std::vector<int> gpus_of(const SlowState& state, const Cluster& cluster, int part) {
  if (!state.of_nics) {
    return {part};
  }
  const TopologySpec& t = cluster.spec.topology;
  std::vector<int> gpus;
  const int first = part / t.nics_per_node * t.gpus_per_node;
  for (int gpu = first; gpu < std::min(first + t.gpus_per_node, cluster.spec.gpus); ++gpu) {
    if (cluster.inside.nic_of(gpu) == part % t.nics_per_node) {
      gpus.push_back(gpu);
    }
  }
  return gpus;
}

/// The NIC of a part: itself, or that of a GPU; of a cluster that has any.
int nic_of(const SlowState& state, const Cluster& cluster, int part) {
  return state.of_nics ? part
                       : cluster.node_of(part) * cluster.spec.topology.nics_per_node +
                             cluster.inside.nic_of(part);
}

/// What tells parts apart.
using Sort = std::vector<int>;

/// The sorts of parts by the classes of a fold, and by stages and kinds of node.
class PartSorter {
 public:
  PartSorter(const SlowState& state, const Cluster& cluster, const Mesh& mesh, const Fold& fold)
      : state_(state), cluster_(cluster), mesh_(mesh), fold_(fold) {
    for (const LinkClassId id : fold.link_classes.ids()) {
      for (const LinkId link : fold.link_classes[id].links) {
        for (const LinkPart& part : parts_of(cluster, cluster.topology.link(link))) {
          links_[{part.part, part.number}].push_back(static_cast<int>(id));
        }
      }
    }
  }

  Sort fine(int part) const {
    Sort sort;
    for (const int gpu : gpus_of(state_, cluster_, part)) {
      sort.push_back(static_cast<int>(fold_.class_of_rank[RankId{gpu}]));
      if (state_.slow_scale_up != 1) {
        add_links(Flap::Part::ScaleUp, gpu, sort);
      }
    }
    if (state_.slow_nic != 1 && cluster_.spec.topology.nics_per_node > 0) {
      add_links(Flap::Part::Nic, nic_of(state_, cluster_, part), sort);
    }
    return sort;
  }

  Sort coarse(int part) const {
    Sort sort;
    for (const int gpu : gpus_of(state_, cluster_, part)) {
      sort.push_back(mesh_.coordinate(gpu, Axis::Pipeline));
      sort.push_back(cluster_.spec.kind_of(cluster_.node_of(gpu)));
    }
    return sort;
  }

 private:
  void add_links(Flap::Part part, int number, Sort& sort) const {
    constexpr int kEnd = -1;
    if (const auto found = links_.find({part, number}); found != links_.end()) {
      Sort classes = found->second;
      std::sort(classes.begin(), classes.end());
      sort.insert(sort.end(), classes.begin(), classes.end());
    }
    sort.push_back(kEnd);
  }

  const SlowState& state_;
  const Cluster& cluster_;
  const Mesh& mesh_;
  const Fold& fold_;
  std::map<std::pair<Flap::Part, int>, Sort> links_;  // classes of each part's
};

}  // namespace

std::vector<AlikeParts> alike_parts(const SlowState& state, const Cluster& cluster,
                                    const Mesh& mesh, const Fold& fold) {
  const PartSorter sorter(state, cluster, mesh, fold);
  const int count =
      state.of_nics ? cluster.nodes() * cluster.spec.topology.nics_per_node : cluster.spec.gpus;
  std::map<Sort, std::vector<int>> fine;
  for (int part = 0; part < count; ++part) {
    fine[sorter.fine(part)].push_back(part);
  }
  std::map<Sort, AlikeParts> found;
  std::map<Sort, std::size_t> most;  // parts of the largest sort, which is played
  for (const auto& [sort, parts] : fine) {
    const Sort key = fine.size() > kMostSorts ? sorter.coarse(parts.front()) : sort;
    AlikeParts& alike = found.try_emplace(key, AlikeParts{.sorts = 0}).first->second;
    alike.parts.insert(alike.parts.end(), parts.begin(), parts.end());
    ++alike.sorts;
    std::size_t& largest = most[key];
    if (parts.size() > largest || (parts.size() == largest && parts.front() < alike.played)) {
      largest = parts.size();
      alike.played = parts.front();
    }
  }
  std::vector<AlikeParts> all;
  for (auto& [sort, alike] : found) {
    all.push_back(std::move(alike));
  }
  std::sort(all.begin(), all.end(),
            [](const AlikeParts& a, const AlikeParts& b) { return a.played < b.played; });
  return all;
}

DegradedSpec with_slow_part(const SlowState& state, const Cluster& cluster, int part) {
  DegradedSpec degraded = cluster.spec.degraded;
  const auto worsen = [](std::map<int, double>& of, int number, double share) {
    if (share != 1) {
      const auto [at, added] = of.emplace(number, share);
      at->second = added ? share : at->second * share;
    }
  };
  const std::vector<int> gpus = gpus_of(state, cluster, part);
  if (!gpus.empty()) {  // of several behind a NIC the first
    worsen(degraded.gpus, gpus.front(), state.slow_gpu);
    worsen(degraded.scale_up, gpus.front(), state.slow_scale_up);
  }
  if (cluster.spec.topology.nics_per_node > 0) {
    worsen(degraded.nics, nic_of(state, cluster, part), state.slow_nic);
  }
  return degraded;
}

}  // namespace danlu
