// Everybody sends to everybody, without detours.
//
//   all-to-all                   rank i sends the j-th of n parts to rank j. Eight messages of a
//                                rank are under way at a time (as in NCCL's point-to-point
//                                batches): ceil((n-1)/8) alpha + (n-1)/n S/B
//   reduce-scatter, all-gather   every peer's own part at once:  alpha + (n-1)/n S/B
//   all-reduce                   one after the other
//   broadcast                    the root sends n-1 times
//   send                         every rank sends the array to the next
//
// On a full mesh of n ranks each with n-1 links this uses all links.
#include <cmath>

#include "sim/collective/algorithms.hpp"

namespace danlu {
namespace {

Phase all_pairs(int n) {
  Phase phase{.parts = n};
  for (int from = 0; from < n; ++from) {
    for (int shift = 1; shift < n; ++shift) {
      phase.streams.push_back({from, (from + shift) % n, 1, 0});
    }
  }
  return phase;
}

}  // namespace

TransferList direct_transfers(CollectiveOp op, const Group& group) {
  const int n = group.size();
  const bool whole = op == CollectiveOp::Broadcast || op == CollectiveOp::SendReceive;
  TransferList list{whole ? 1 : n, {}};
  for (int from = 0; op == CollectiveOp::SendReceive && from < n; ++from) {
    list.transfers.push_back({0, from, (from + 1) % n, {0}, false});
  }
  if (op == CollectiveOp::SendReceive) {
    return list;
  }
  for (int shift = 1; shift < n; ++shift) {
    for (int from = 0; from < n; ++from) {
      const int to = (from + shift) % n;
      switch (op) {
        case CollectiveOp::AllToAll:
          list.transfers.push_back(
              {(shift - 1) / kMessagesAtOnce, from, to, {from * n + to}, false});
          break;
        case CollectiveOp::Broadcast:
          if (from == 0) {
            list.transfers.push_back({0, 0, to, {0}, false});
          }
          break;
        default:
          if (op != CollectiveOp::AllGather) {
            list.transfers.push_back({0, from, to, {to}, true});
          }
          if (op != CollectiveOp::ReduceScatter) {
            list.transfers.push_back(
                {op == CollectiveOp::AllReduce ? 1 : 0, from, to, {from}, false});
          }
      }
    }
  }
  return list;
}

std::vector<Phase> direct_phases(CollectiveOp op, const Group& group) {
  const int n = group.size();
  Phase phase;
  switch (op) {
    case CollectiveOp::AllToAll:
      phase = all_pairs(n);
      phase.mean_steps = std::ceil((n - 1.0) / kMessagesAtOnce);
      return {phase};
    case CollectiveOp::AllReduce:
      phase = all_pairs(n);
      return {phase, phase};
    case CollectiveOp::Broadcast:
      for (int to = 1; to < n; ++to) {
        phase.streams.push_back({0, to, 1, 0});
      }
      return {phase};
    case CollectiveOp::SendReceive:
      for (int from = 0; from < n; ++from) {
        phase.streams.push_back({from, (from + 1) % n, 1, 0});
      }
      return {phase};
    default:
      return {all_pairs(n)};
  }
}

}  // namespace danlu
