// What is worse than new, slow or dead: GPUs, NICs, links inside nodes, switches.
//
// A part with share s of its rate is a slower link. A dead one (share 0) carries nothing, and what
// went through it goes another way, as NCCL finds when it searches the topology at start-up:
//
//    GPU 3 -> NVLink -> GPU 2 -> NIC 2 -> leaf 2      NIC 3 is dead, or its leaf is down
//
// The stand-in of a dead NIC is the live one of its node that has taken in the fewest GPUs, the
// nearest of these (Nodes::lose_nics). Collectives run as many rings as NICs are left (group.hpp).
// A leaf with a share of its uplinks is a thinner bundle; with ECMP its last cables are dead and no
// longer chosen.
//
// Three faults come and go within a step: a GPU throttles (throttle.hpp), kernels jitter, a link
// flaps. Nothing is re-routed then, since NCCL's rings are fixed by the time it happens.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/cluster/jitter.hpp"
#include "sim/cluster/throttle.hpp"

namespace danlu {

struct Cluster;
struct ClusterSpec;
struct Link;

/// A link that goes and comes back: from `at` on, for `length`, it has a share of its bandwidth.
struct Flap {
  enum class Part { Nic, ScaleUp };
  Part part = Part::Nic;
  int number = 0;  // of the NIC, or of the GPU whose links inside the node it is
  Seconds at;
  Seconds length;
  double share = 0;

  std::string part_name() const;  // "NIC 5", "scale-up link of GPU 3"
  bool operator==(const Flap&) const = default;
};

/// GPUs, NICs and switches are numbered over the whole cluster; those not named are as the topology
/// says. A switch is a chip: a bundle of n is the numbers i x n to i x n + n - 1.
struct DegradedSpec {
  /// The direct link between two GPUs of a mesh or torus node.
  struct MeshShare {
    int first = 0;
    int second = 0;
    double share = 1;
    bool operator==(const MeshShare&) const = default;
  };
  std::map<int, double> gpus;      // by GPU: its kernels take that many times as long
  std::map<int, double> nics;      // by NIC: the share of its bandwidth that is left
  std::map<int, double> scale_up;  // by GPU: the share left of its links inside the node, above 0
  std::vector<MeshShare> links;
  std::map<int, double> leaves;  // by leaf switch: the share of its uplinks that is left; 0: down
  std::map<int, double> spines;  // the same of a spine's cables, down and up
  std::map<int, Throttle> throttle;  // by GPU
  Jitter jitter;
  std::vector<Flap> flaps;
  int draws = 1;  // steps to be played where chance decides: phases and jitter differ among them

  bool is_dead_link(int first, int second) const;
  bool operator==(const DegradedSpec&) const = default;
};

/// A NIC whose cable a link is, or a GPU whose link inside its node it is.
struct LinkPart {
  Flap::Part part = Flap::Part::Nic;
  int number = 0;
};
std::vector<LinkPart> parts_of(const Cluster& cluster, const Link& link);

/// Slows down links, takes dead ones out of all routes, and finds stand-ins for dead NICs.
void degrade(Cluster& cluster);

/// When the shares of bandwidth of a link change within a step, that of each flap counting while it
/// lasts, the least where several do.
struct ShareChange {
  Seconds time;
  double share = 1;
};
std::vector<ShareChange> share_changes(const std::vector<Flap>& flaps);

/// Which part of the damage leaves ranks without a way to each other, and how: `key` is the member
/// of DegradedSpec. Empty message: all reach all.
struct DamageProblem {
  std::string key;
  std::string message;
};
DamageProblem damage_problem(const ClusterSpec& spec);

/// A sentence for each dead part and what goes which other way.
std::vector<std::string> damage_notes(const Cluster& cluster);

}  // namespace danlu
