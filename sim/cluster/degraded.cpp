#include "sim/cluster/degraded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "sim/cluster/cluster.hpp"

namespace danlu {
namespace {

double share_of(const std::map<int, double>& shares, int number) {
  const auto found = shares.find(number);
  return found == shares.end() ? 1 : found->second;
}

bool inside_node(VertexKind kind) {
  return kind == VertexKind::Gpu || kind == VertexKind::ScaleUpSwitch ||
         kind == VertexKind::PcieSwitch;
}

}  // namespace

std::vector<LinkPart> parts_of(const Cluster& cluster, const Link& link) {
  const TopologySpec& t = cluster.spec.topology;
  const Vertex& from = cluster.topology.vertex(link.from);
  const Vertex& to = cluster.topology.vertex(link.to);
  std::vector<LinkPart> parts;
  for (const Vertex* end : {&from, &to}) {
    if (end->kind == VertexKind::Nic && link.kind == LinkKind::NicCable) {
      parts.push_back({Flap::Part::Nic, end->node * t.nics_per_node + end->number});
    } else if (end->kind == VertexKind::Gpu && inside_node(from.kind) && inside_node(to.kind)) {
      parts.push_back({Flap::Part::ScaleUp, end->node * t.gpus_per_node + end->number});
    }
  }
  return parts;
}

namespace {

/// Which links each flap concerns.
void find_flaps(Cluster& cluster) {
  const std::vector<Flap>& flaps = cluster.spec.degraded.flaps;
  for (std::size_t i = 0; !flaps.empty() && i < cluster.topology.links().size(); ++i) {
    const std::vector<LinkPart> parts = parts_of(cluster, cluster.topology.links()[i]);
    for (std::size_t f = 0; f < flaps.size(); ++f) {
      if (std::any_of(parts.begin(), parts.end(), [&](const LinkPart& part) {
            return part.part == flaps[f].part && part.number == flaps[f].number;
          })) {
        cluster.flaps[make_id<LinkId>(i)].push_back(static_cast<int>(f));
      }
    }
  }
}

/// What is worn of a cluster, part by part. One class, since each check looks at the parts before
/// it: a NIC stands in only for one that is dead, a leaf only where its spines are up.
class Wear {
 public:
  explicit Wear(Cluster& cluster)
      : cluster_(cluster), damage_(cluster.spec.degraded), t_(cluster.spec.topology) {}

  void apply() {
    wear_nics_and_scale_up();
    if (auto* clos = std::get_if<Clos>(&cluster_.fabric)) {
      wear_leaves(*clos);
      wear_spines();
      mark_dead(*clos);
    }
    lose_nics();
  }

 private:
  Topology& topology() { return cluster_.topology; }
  const Link& link(LinkId id) const { return cluster_.topology.link(id); }
  const Vertex& vertex(VertexId id) const { return cluster_.topology.vertex(id); }
  bool is_bundled() const { return t_.routing == Routing::Adaptive; }

  void scale(LinkId id, double share) {
    for (const LinkId way : {id, twin(id)}) {
      topology().set_bandwidth(way, link(way).bandwidth * share);
    }
  }

  /// A link between two slow GPUs keeps the smaller share.
  void wear_nics_and_scale_up() {
    for (std::size_t i = 0; i < topology().links().size(); i += 2) {
      const Link& l = topology().links()[i];
      double share = 1;
      for (const LinkPart& part : parts_of(cluster_, l)) {
        const bool nic = part.part == Flap::Part::Nic;
        share = std::min(share, share_of(nic ? damage_.nics : damage_.scale_up, part.number));
      }
      const Vertex& from = vertex(l.from);
      const Vertex& to = vertex(l.to);
      if (from.kind == VertexKind::Gpu && to.kind == VertexKind::Gpu) {
        const auto number = [&](const Vertex& gpu) {
          return gpu.node * t_.gpus_per_node + gpu.number;
        };
        share = std::min(share, mesh_share(number(from), number(to)));
      }
      if (share != 1) {
        scale(make_id<LinkId>(i), share);
      }
    }
  }
  double mesh_share(int first, int second) const {
    for (const DegradedSpec::MeshShare& slow : damage_.links) {
      if (std::minmax(slow.first, slow.second) == std::minmax(first, second)) {
        return slow.share;
      }
    }
    return 1;
  }

  /// Chips that the vertices of a kind stand for, one like the other.
  int chips_of(VertexKind kind) const {
    for (const Vertex& v : cluster_.topology.vertices()) {
      if (v.kind == kind) {
        return v.count;
      }
    }
    return 1;
  }

  /// A bundle of n leaves loses an n-th of its uplinks' rate times what one of them lost, and with
  /// a leaf that is down an n-th of its NICs' ports. ECMP: the last cables are dead.
  void wear_leaves(const Clos& clos) {
    const int chips = chips_of(VertexKind::Leaf);
    std::map<int, double> cables;  // by vertex: share left
    std::map<int, double> ports;
    for (const auto& [leaf, share] : damage_.leaves) {
      cables.try_emplace(leaf / chips, 1).first->second -= (1 - share) / chips;
      ports.try_emplace(leaf / chips, 1).first->second -= share == 0 ? 1.0 / chips : 0;
    }
    for (const auto& [leaf, share] : cables) {
      for (int i = 0; !clos.leaf_up.empty() && i < clos.leaf_cables; ++i) {
        const LinkId id = make_id<LinkId>(index(clos.leaf_up[index(leaf)]) + 2 * index(i));
        const bool lives = i < std::lround(share * clos.leaf_cables);
        scale(id, is_bundled() ? whole(share) : lives ? 1 : 0);
      }
    }
    for (std::size_t i = 0; i < clos.nic_up.size(); ++i) {
      const auto found = ports.find(vertex(link(clos.nic_up[i]).to).number);
      if (found != ports.end() && found->second < 1) {
        scale(clos.nic_up[i], whole(found->second));
      }
    }
  }

  /// The cables of a spine down to leaves and up to cores, likewise.
  void wear_spines() {
    const int chips = chips_of(VertexKind::Spine);
    std::map<int, double> shares;  // by vertex
    for (const auto& [spine, share] : damage_.spines) {
      shares.try_emplace(spine / chips, 1).first->second -= (1 - share) / chips;
    }
    std::map<int, std::vector<LinkId>> cables;
    for (std::size_t i = 0; !shares.empty() && i < topology().links().size(); i += 2) {
      const Link& l = topology().links()[i];
      const bool down = l.kind == LinkKind::Uplink;
      const Vertex& spine = vertex(down ? l.to : l.from);
      const int number = std::max(0, spine.number);  // -1: the only one
      if (spine.kind == VertexKind::Spine && shares.contains(number)) {
        if (is_bundled()) {
          scale(make_id<LinkId>(i), whole(shares[number]));
        } else if (down) {
          cables[number].push_back(make_id<LinkId>(i));
        }
      }
    }
    for (const auto& [spine, ids] : cables) {
      const auto left = std::lround(shares[spine] * static_cast<double>(ids.size()));
      for (std::size_t i = index(left); i < ids.size(); ++i) {
        scale(ids[i], 0);
      }
    }
  }
  /// 1/3 + 1/3 + 1/3 lost is all.
  static double whole(double share) {
    constexpr double kRounding = 1e-9;
    return share < kRounding ? 0 : share;
  }

  bool is_dead(LinkId id) const { return link(id).bandwidth == BytesPerSecond{}; }

  void mark_dead(Clos& clos) const {
    std::vector<bool> ports(clos.nic_up.size());
    for (std::size_t i = 0; i < ports.size(); ++i) {
      ports[i] = is_dead(clos.nic_up[i]);
    }
    std::vector<bool> cables;
    for (const LinkId first : clos.leaf_up) {
      for (int i = 0; i < clos.leaf_cables; ++i) {
        cables.push_back(is_dead(make_id<LinkId>(index(first) + 2 * index(i))));
      }
    }
    if (std::find(ports.begin(), ports.end(), true) != ports.end()) {
      clos.dead_port = std::move(ports);
    }
    if (std::find(cables.begin(), cables.end(), true) != cables.end()) {
      clos.dead_cable = std::move(cables);
    }
  }

  /// A NIC is dead when all its ports are.
  void lose_nics() {
    std::map<int, bool> dead;
    for (const Link& l : topology().links()) {
      if (l.kind == LinkKind::NicCable && vertex(l.from).kind == VertexKind::Nic) {
        const int number = vertex(l.from).node * t_.nics_per_node + vertex(l.from).number;
        bool& all = dead.try_emplace(number, true).first->second;
        all = all && l.bandwidth == BytesPerSecond{};
      }
    }
    std::set<int> lost;
    for (const auto& [nic, is_lost] : dead) {
      if (is_lost) {
        lost.insert(nic);
      }
    }
    cluster_.inside.lose_nics(std::move(lost));
  }

  Cluster& cluster_;
  const DegradedSpec& damage_;
  const TopologySpec& t_;
};

std::string nic_name(const Cluster& cluster, int nic) {
  const int per_node = cluster.spec.topology.nics_per_node;
  return fmt::format("NIC {} of node {}", nic % per_node, nic / per_node);
}

/// The GPUs of a node, as many as it has.
std::vector<int> gpus_of(const Cluster& cluster, int node) {
  std::vector<int> gpus;
  const int per_node = cluster.spec.topology.gpus_per_node;
  for (int gpu = node * per_node; gpu < std::min(cluster.spec.gpus, (node + 1) * per_node); ++gpu) {
    gpus.push_back(gpu);
  }
  return gpus;
}

std::set<int> nodes_with_dead_nics(const Cluster& cluster) {
  std::set<int> nodes;
  for (const int nic : cluster.inside.dead_nics()) {
    nodes.insert(nic / cluster.spec.topology.nics_per_node);
  }
  return nodes;
}

std::string problem_with_links(const Cluster& cluster) {
  const TopologySpec& t = cluster.spec.topology;
  for (const DegradedSpec::MeshShare& slow : cluster.spec.degraded.links) {
    const int node = cluster.node_of(slow.first);
    for (const int gpu : gpus_of(cluster, node)) {
      if (!cluster.inside.connects(gpu, node * t.gpus_per_node)) {
        return fmt::format("the dead links leave GPU {} no way to GPU {}", gpu,
                           node * t.gpus_per_node);
      }
    }
  }
  return "";
}

std::string problem_with_nics(const Cluster& cluster) {
  for (const int node : nodes_with_dead_nics(cluster)) {
    const std::vector<int> gpus = gpus_of(cluster, node);
    const bool stays_inside =
        cluster.nodes() == 1 && std::all_of(gpus.begin(), gpus.end(), [&](int gpu) {
          return cluster.inside.connects(gpus.front(), gpu);
        });
    const auto is_cut_off = [&](int gpu) { return !cluster.inside.exit_of(gpu); };
    if (!stays_inside && std::all_of(gpus.begin(), gpus.end(), is_cut_off)) {
      return fmt::format("node {} has no live NIC, and the job spans {} nodes", node,
                         cluster.nodes());
    }
    for (const int gpu : gpus) {
      if (!stays_inside && is_cut_off(gpu)) {
        return fmt::format("GPU {} of node {} reaches no NIC that lives", gpu - gpus.front(), node);
      }
    }
  }
  return "";
}

/// Two nodes with dead NICs need a rail that lives in both.
std::string problem_with_rails(const Cluster& cluster) {
  const TopologySpec& t = cluster.spec.topology;
  const std::set<int> nodes = nodes_with_dead_nics(cluster);
  for (auto a = nodes.begin(); t.fabric == FabricKind::RailOnly && a != nodes.end(); ++a) {
    for (auto b = std::next(a); b != nodes.end(); ++b) {
      bool joined = false;
      for (int rail = 0; rail < t.nics_per_node; ++rail) {
        joined = joined || (cluster.inside.is_live(*a, rail) && cluster.inside.is_live(*b, rail));
      }
      if (!joined) {
        return fmt::format("nodes {} and {} have no live rail in common", *a, *b);
      }
    }
  }
  return "";
}

/// Every leaf must reach those of its plane: a NIC of each stands for all.
std::string problem_with_switches(const Cluster& cluster) {
  const auto* clos = std::get_if<Clos>(&cluster.fabric);
  if (clos == nullptr || (clos->dead_port.empty() && clos->dead_cable.empty())) {
    return "";
  }
  std::vector<NicAt> samples;
  for (int node = 0; node < cluster.nodes(); node += clos->nodes_per_group) {
    for (int rail = 0; rail < clos->rails; ++rail) {
      int live = node;
      while (live < cluster.nodes() - 1 && live < node + clos->nodes_per_group - 1 &&
             !cluster.inside.is_live(live, rail)) {
        ++live;
      }
      if (cluster.inside.is_live(live, rail)) {
        samples.push_back({live, rail});
      }
    }
  }
  const auto is_hurt = [&](NicAt at) {
    for (int port = 0; port < clos->ports; ++port) {
      const LinkId up = clos->nic_up[index((at.node * clos->nics + at.nic) * clos->ports + port)];
      const int leaf = cluster.topology.vertex(cluster.topology.link(up).to).number;
      for (int i = 0; !clos->leaf_up.empty() && i < clos->leaf_cables; ++i) {
        if (!clos->is_live_port(at, port) || !clos->is_live_cable(leaf, i)) {
          return true;
        }
      }
    }
    return false;
  };
  for (const NicAt& from : samples) {
    for (const NicAt& to : samples) {
      const bool apart = clos->rail_planes && from.nic != to.nic;
      const bool same = from.node == to.node && from.nic == to.nic;
      if (!apart && !same && is_hurt(from) && !has_way(*clos, from, to)) {
        return fmt::format("no way is left from NIC {} of node {} to NIC {} of node {}", from.nic,
                           from.node, to.nic, to.node);
      }
    }
  }
  return "";
}

}  // namespace

bool DegradedSpec::is_dead_link(int first, int second) const {
  return std::any_of(links.begin(), links.end(), [&](const MeshShare& slow) {
    return slow.share == 0 && std::minmax(slow.first, slow.second) == std::minmax(first, second);
  });
}

std::string Flap::part_name() const {
  return part == Part::Nic ? fmt::format("NIC {}", number)
                           : fmt::format("scale-up link of GPU {}", number);
}

std::vector<ShareChange> share_changes(const std::vector<Flap>& flaps) {
  std::set<Seconds> times;
  for (const Flap& flap : flaps) {
    times.insert(flap.at);
    times.insert(flap.at + flap.length);
  }
  std::vector<ShareChange> changes;
  for (const Seconds time : times) {
    double share = 1;
    for (const Flap& flap : flaps) {
      const bool lasts = flap.at <= time && time < flap.at + flap.length;
      share = lasts ? std::min(share, flap.share) : share;
    }
    changes.push_back({time, share});
  }
  return changes;
}

void degrade(Cluster& cluster) {
  const DegradedSpec& damage = cluster.spec.degraded;
  find_flaps(cluster);
  if (!damage.nics.empty() || !damage.scale_up.empty() || !damage.links.empty() ||
      !damage.leaves.empty() || !damage.spines.empty()) {
    Wear(cluster).apply();
  }
}

DamageProblem damage_problem(const ClusterSpec& spec) {
  const DegradedSpec& damage = spec.degraded;
  const auto is_dead = [](const auto& part) { return part.second == 0; };
  const bool nothing_dead = damage.leaves.empty() && damage.spines.empty() &&
                            damage.links.empty() &&
                            std::none_of(damage.nics.begin(), damage.nics.end(), is_dead);
  if (nothing_dead) {
    return {};
  }
  const Cluster cluster = build_cluster(spec);
  const std::string switches = damage.leaves.empty() ? "spines" : "leaves";
  const std::string nics = damage.nics.empty() ? switches : "nics";
  if (std::string found = problem_with_links(cluster); !found.empty()) {
    return {"links", std::move(found)};
  }
  if (std::string found = problem_with_nics(cluster); !found.empty()) {
    return {nics, std::move(found)};
  }
  if (std::string found = problem_with_rails(cluster); !found.empty()) {
    return {nics, std::move(found)};
  }
  return {switches, problem_with_switches(cluster)};
}

std::vector<std::string> damage_notes(const Cluster& cluster) {
  constexpr std::size_t kMost = 4;  // of a sort; where there are more, the rest is counted
  std::vector<std::string> notes;
  const std::set<int>& dead = cluster.inside.dead_nics();
  for (const int nic : dead) {
    if (notes.size() == kMost) {
      notes.push_back(fmt::format("{} more NICs are dead or cut off", dead.size() - kMost));
      break;
    }
    const int node = nic / cluster.spec.topology.nics_per_node;
    std::string sends;
    for (const int gpu : gpus_of(cluster, node)) {
      const std::optional<int> exit = cluster.inside.exit_of(gpu);
      if (cluster.inside.nic_of(gpu) == nic % cluster.spec.topology.nics_per_node && exit) {
        sends += fmt::format("{}GPU {} sends through NIC {}", sends.empty() ? ": " : ", ",
                             gpu % cluster.spec.topology.gpus_per_node, *exit);
      }
    }
    const bool named = share_of(cluster.spec.degraded.nics, nic) == 0;
    notes.push_back(fmt::format("{} is {}{}", nic_name(cluster, nic),
                                named ? "dead" : "cut off, its leaf is down", sends));
  }
  std::size_t flaps = 0;
  for (const Flap& flap : cluster.spec.degraded.flaps) {
    if (++flaps <= kMost) {
      notes.push_back(fmt::format(
          "{} {} from {} to {}: what needs it then {}, nothing is re-routed", flap.part_name(),
          flap.share == 0 ? "is down" : fmt::format("has {:.4g} of its rate", flap.share),
          to_text(flap.at), to_text(flap.at + flap.length),
          flap.share == 0 ? "waits" : "takes longer"));
    }
  }
  if (flaps > kMost) {
    notes.push_back(fmt::format("{} more flaps of links", flaps - kMost));
  }
  std::size_t links = 0;
  for (const DegradedSpec::MeshShare& slow : cluster.spec.degraded.links) {
    if (slow.share == 0 && ++links <= kMost) {
      notes.push_back(fmt::format("the link of GPUs {} and {} is dead: others carry its traffic",
                                  slow.first, slow.second));
    }
  }
  return notes;
}

}  // namespace danlu
