// Collectives one after another on a cluster that does nothing else, as a task graph: for
// `danlu collective`, and for tests that hold algorithms to their closed forms.
//
//   steady      latency, one flow for each phase. Nothing else runs, so of all the links that a
//               phase crosses only the tightest, by capacity / weight, can hold it up, and the flow
//               crosses one link that stands for it: a ring through 131,072 GPUs loads 2,000,000
//   stepwise    every transfer its own flow, one for all that are alike (messages.hpp); a rank
//               sends when everything that it received or sent in earlier rounds is done
#pragma once

#include <map>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/experts.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/tasks/messages.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

class CollectiveGraph {
 public:
  explicit CollectiveGraph(const Cluster& cluster) : cluster_(cluster) {}

  /// Adds a collective that begins when the last one ended; returns the task it ends with.
  TaskId add_steady(const Group& group, const PlannedCollective& planned, CollectiveOp op,
                    Bytes bytes);
  /// `list`, of which `folded` are the messages, has no switches that reduce.
  TaskId add_stepwise(const Group& group, CollectiveChoice choice, const TransferList& list,
                      const MessageFold& folded, CollectiveOp op, Bytes bytes);

  /// Its flows run at the same time.
  TaskId add_exchange(const ExpertExchange& exchange);

  const TaskGraph& graph() const { return graph_; }

 private:
  FoldedLinkId link(LinkId id);
  ChannelId channel(const Pattern& pattern);
  TaskId add_wait(Seconds duration, const std::vector<TaskId>& after);
  const Cluster& cluster_;
  TaskGraph graph_;
  std::map<LinkId, FoldedLinkId> links_;
  std::vector<TaskId> last_;
};

}  // namespace danlu
