// The job's nodes and replicas: which are broken, wait for a node, are on the way back.
//
//   Restart   all nodes or nothing: the job waits until none is missing
//   Elastic   whatever nodes are there form whole replicas
//   Replica   a broken group of replicas joins again by itself, or with a restart of all:
//             missing nodes --(spares, repaired nodes)--> restart --> joined
//
// Replicas may share nodes, small ones and those that straddle two or whose stages lie apart:
//
//   nodes     |  0  |  1  |  2  |       nodes           |  0  |  1  |  2  |  3  |
//   replicas  |   0    |   1    |       stages          |     0     |     1     |
//             both need node 1          their replicas  | 0 1 | 2 3 | 0 1 | 2 3 |
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "sim/campaign/campaign.hpp"
#include "sim/campaign/faults.hpp"
#include "sim/campaign/ledger.hpp"
#include "sim/campaign/nodes.hpp"

namespace danlu {

/// Nodes of the job, from the first to before the last.
struct NodeRange {
  int first = 0;
  int last = 0;
};

/// The nodes that a failure takes out.
NodeRange nodes_of(const CampaignJob& job, const FaultCause& cause, int component);
/// The replicas that have a rank on one of the nodes.
std::vector<ReplicaId> replicas_on(const CampaignJob& job, NodeRange nodes);

class Replicas {
 public:
  Replicas(const CampaignJob& job, const FaultsSpec& spec);

  NodePool pool;

  /// Replicas in the job.
  int active() const { return active_; }
  bool full() const { return active_ == job_.replicas; }
  /// Whose failure keeps the job from being full, the oldest; none where it is.
  std::optional<CauseId> short_because() const;
  /// Whether some replica of the job has one of the nodes.
  bool has(NodeRange nodes) const;
  /// Those of the nodes that are in the job.
  std::vector<int> in_job(NodeRange nodes) const;
  GpuUse use() const;

  /// The failure takes the nodes out of the job; those that are `broken` must be replaced.
  void lose(NodeRange nodes, const std::vector<int>& broken, const Fault& why);
  /// Hands spares to those that have waited longest.
  void supply();

  // A start of the whole job; it takes in all replicas whose nodes are there.
  /// How many replicas there could be; below `least` the job cannot start.
  int possible() const;
  int least() const;
  /// Starts with these; the nodes that came new into the job since the last start.
  NodePool::Taken start();
  /// Elastic: whether the spares are enough for one more replica.
  bool could_grow() const;

  // Replica by replica.
  /// Groups whose nodes are there restart by themselves, and join after it.
  using RestartTime = std::function<Seconds(const Fault& why, NodePool::Taken taken)>;
  void dispatch(Seconds now, const RestartTime& restart_time);
  Seconds next_join() const;
  void join(Seconds now);
  /// Whether one waits for nodes.
  bool waiting() const;

 private:
  /// Replicas that left together, by Replica recovery.
  struct Group {
    Fault why;
    std::vector<ReplicaId> replicas;
    std::vector<int> broken;  // nodes that nothing has replaced yet
    NodePool::Taken taken;
    Seconds joins = kNever;
  };

  bool one_by_one() const { return spec_.recovery.kind == RecoverySpec::Kind::Replica; }
  bool is_on(ReplicaId replica, int node) const;
  /// Whether all nodes of the group are there, those too that it shares with another group.
  bool has_its_nodes(const Group& group) const;
  int replicas_with(int missing) const;
  template <typename Joins>
  NodePool::Taken take_in(const Joins& joins);

  const CampaignJob& job_;
  const FaultsSpec& spec_;
  int active_;
  // Restart, Elastic: the job as a whole.
  int missing_ = 0;
  NodePool::Taken taken_;                 // since the last start
  std::optional<CauseId> short_because_;  // what began the shortage
  // Replica.
  IdVector<ReplicaId, bool> in_job_;
  std::vector<Group> groups_;  // not in the job, those that left first in front
};

}  // namespace danlu
