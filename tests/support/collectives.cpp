#include "tests/support/collectives.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/transfers.hpp"
#include "sim/tasks/collective_graph.hpp"
#include "tests/support/play.hpp"

namespace danlu::testing {

Group whole_group(const Cluster& cluster) {
  std::vector<int> ranks(index(cluster.spec.gpus));
  std::iota(ranks.begin(), ranks.end(), 0);
  return make_group(cluster, ranks);
}

Chosen choose(const Cluster& cluster, const Group& group, CollectiveOp op, Bytes bytes) {
  const std::vector<Candidate> choices = candidates(cluster, group, op, {});
  const PlannedCollective planned = fastest(cluster, group, op, bytes, choices);
  return {planned.choice, planned.alone};
}

double steady_time(const Cluster& cluster, Algorithm algorithm, CollectiveOp op, Bytes bytes) {
  const Group group = whole_group(cluster);
  CollectiveGraph sequence(cluster);
  const std::vector<Candidate> choices =
      candidates(cluster, group, op, {algorithm, Protocol::Simple});
  const PlannedCollective planned = fastest(cluster, group, op, bytes, choices);
  sequence.add_steady(group, planned, op, bytes);
  const double played = play(sequence.graph()).end.value;
  // The formula and the flow; SimGrid's messages are whole bytes.
  EXPECT_NEAR(played, planned.alone.value, 1e-9 * played + 1e-10);
  return played;
}

double stepwise_time(const Cluster& cluster, Algorithm algorithm, CollectiveOp op, Bytes bytes,
                     int pieces, FoldMode fold) {
  const Group group = whole_group(cluster);
  CollectiveGraph sequence(cluster);
  const TransferList list = pipelined(row_of(algorithm).transfers(op, group), pieces);
  sequence.add_stepwise(group, {algorithm, Protocol::Simple}, list,
                        fold_messages(cluster, group, list, fold), op, bytes);
  return play(sequence.graph()).end.value;
}

}  // namespace danlu::testing
