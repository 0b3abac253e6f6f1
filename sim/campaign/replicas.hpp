// The job's nodes and replicas: which are broken, wait for a node, are on the way back.
//
//   Restart   all nodes or nothing: the job waits until none is missing
//   Elastic   whatever nodes are there form whole replicas
//   Replica   a broken group of replicas joins again by itself:
//             missing nodes --(spares, repaired nodes)--> restart --> joined
#pragma once

#include <functional>
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

class Replicas {
 public:
  Replicas(const CampaignJob& job, const FaultsSpec& spec);

  NodePool pool;

  /// Replicas in the job.
  int active() const { return active_; }
  bool full() const { return active_ == job_.replicas; }
  /// The nodes that a failure takes out.
  NodeRange nodes_of(const FaultCause& cause, int component) const;
  /// Whether some replica of the job has one of the nodes.
  bool has(NodeRange nodes) const;
  NodeUse use() const;

  // The job as a whole.
  void lose(int nodes) { missing_ += nodes; }
  /// Nodes of the job that are not missing.
  int present() const { return job_.nodes - missing_; }
  /// Fills up with spares.
  NodePool::Taken fill();
  /// How many replicas the nodes are enough for; below `least` the job cannot start.
  int possible() const;
  int least() const;
  void start() { active_ = possible(); }
  /// Whether the spares are enough for one more replica.
  bool could_grow() const;

  // Replica by replica.
  /// The replicas on these nodes leave the job; `missing` of the nodes must be replaced.
  void leave(NodeRange nodes, int missing, const Fault& why);
  /// Hands spares to those that have waited longest; complete ones restart.
  using RestartTime = std::function<Seconds(const Fault& why, NodePool::Taken taken)>;
  void dispatch(Seconds now, const RestartTime& restart_time);
  Seconds next_join() const;
  void join(Seconds now);
  bool waiting() const;

 private:
  struct Group {
    Fault why;
    std::vector<int> replicas;
    int missing = 0;
    NodePool::Taken taken;
    Seconds joins = kNever;
  };

  NodeRange replicas_on(NodeRange nodes) const;
  int replicas_with(int missing) const;

  const CampaignJob& job_;
  const FaultsSpec& spec_;
  int active_;
  int missing_ = 0;            // of the job as a whole
  std::vector<bool> in_job_;   // Replica: by replica
  std::vector<Group> groups_;  // Replica: not in the job, those that left first in front
};

}  // namespace danlu
