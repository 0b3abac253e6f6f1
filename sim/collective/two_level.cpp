// First inside the nodes, then between them: g ranks on each of m nodes.
//
//   all-reduce    reduce-scatter in the node, all-reduce of each shard along its rail, all-gather
//                 2 [(g-1) a1 + (g-1)/g S/B1] + 2(m-1) a2 + 2(m-1)/m (S/g)/B2
//   all-to-all    to the rank of the same rail on the right node, which hands it on inside (NCCL
//                 with PXN, DeepEP):
//                 ceil((m-1)/8) a2 + ceil((g-1)/8) a1 + max((m-1)/m S/B2, (g-1)/g S/B1)
//
// The phases of an all-reduce follow one another. An all-to-all hands on chunk by chunk, so that
// its two levels run at the same time; as in the direct one eight messages of a rank are under way.
#include <numeric>

#include "sim/collective/algorithms.hpp"
#include "sim/collective/experts.hpp"
#include "sim/collective/rails.hpp"

namespace danlu {
namespace {

void add_local_rings(const Rails& r, int& round, bool reduces, TransferList& list) {
  for (int s = 0; s < r.rails - 1; ++s, ++round) {
    for (int node = 0; node < r.nodes; ++node) {
      for (int i = 0; i < r.rails; ++i) {
        const int moved = i - s - (reduces ? 1 : 0) + 2 * r.rails;
        list.transfers.push_back(
            {round, r.at(node, i), r.at(node, i + 1), r.shard(moved % r.rails), reduces});
      }
    }
  }
}

void add_rail_rings(const Rails& r, int& round, bool reduces, TransferList& list) {
  for (int s = 0; s < r.nodes - 1; ++s, ++round) {
    for (int rail = 0; rail < r.rails; ++rail) {
      for (int i = 0; i < r.nodes; ++i) {
        const int moved = i - s - (reduces ? 1 : 0) + 2 * r.nodes;
        list.transfers.push_back(
            {round, r.at(i, rail), r.at(i + 1, rail), {r.at(moved, rail)}, reduces});
      }
    }
  }
}

/// Rounds in which a rank sends to `others`.
int batches(int others) {
  return (others + kMessagesAtOnce - 1) / kMessagesAtOnce;
}

void add_all_to_all(const Rails& r, TransferList& list) {
  const int n = r.group.size();
  for (int shift = 1; shift < r.nodes; ++shift) {
    for (int node = 0; node < r.nodes; ++node) {
      for (int rail = 0; rail < r.rails; ++rail) {
        Transfer transfer{
            (shift - 1) / kMessagesAtOnce, r.at(node, rail), r.at(node + shift, rail), {}, false};
        for (int to = 0; to < r.rails; ++to) {
          transfer.chunks.push_back(transfer.from * n + r.at(node + shift, to));
        }
        list.transfers.push_back(std::move(transfer));
      }
    }
  }
  for (int shift = 1; shift < r.rails; ++shift) {
    for (int node = 0; node < r.nodes; ++node) {
      for (int rail = 0; rail < r.rails; ++rail) {
        Transfer transfer{batches(r.nodes - 1) + (shift - 1) / kMessagesAtOnce,
                          r.at(node, rail),
                          r.at(node, rail + shift),
                          {},
                          false};
        for (int from = 0; from < r.nodes; ++from) {
          transfer.chunks.push_back(r.at(from, rail) * n + transfer.to);
        }
        list.transfers.push_back(std::move(transfer));
      }
    }
  }
}

Phase local_phase(const Rails& r) {
  Phase phase{.parts = r.rails,
              .count = r.rails - 1,
              .messages = r.rails - 1.0,
              .mean_steps = r.rails - 1.0};
  for (int node = 0; node < r.nodes; ++node) {
    for (int i = 0; i < r.rails && r.rails > 1; ++i) {
      phase.streams.push_back({r.at(node, i), r.at(node, i + 1), 1, 0});
    }
  }
  return phase;
}

Phase rail_phase(const Rails& r, int passes) {
  const int steps = passes * (r.nodes - 1);
  Phase phase{.parts = r.nodes * r.rails,
              .count = steps,
              .messages = static_cast<double>(steps),
              .mean_steps = static_cast<double>(steps)};
  for (int rail = 0; rail < r.rails; ++rail) {
    for (int i = 0; i < r.nodes && r.nodes > 1; ++i) {
      phase.streams.push_back({r.at(i, rail), r.at(i + 1, rail), 1, 0});
    }
  }
  return phase;
}

/// Both levels together: g chunks of S/n along a rail to every node, m to every rank of the node.
Phase all_to_all_phase(const Rails& r) {
  const int common = std::gcd(r.nodes, r.rails);
  Phase phase{.parts = r.group.size(), .count = common};
  for (int node = 0; node < r.nodes; ++node) {
    for (int rail = 0; rail < r.rails; ++rail) {
      for (int shift = 1; shift < r.nodes; ++shift) {
        phase.streams.push_back({r.at(node, rail), r.at(node + shift, rail), r.rails / common, 0});
      }
      for (int shift = 1; shift < r.rails; ++shift) {
        phase.streams.push_back({r.at(node, rail), r.at(node, rail + shift), r.nodes / common, 0});
      }
    }
  }
  // What the first rank sends, in the mean, for every batch.
  for (int node = 1; node < r.nodes; ++node) {
    phase.critical.push_back({r.at(0, 0), r.at(node, 0), batches(r.nodes - 1) / (r.nodes - 1.0)});
  }
  for (int rail = 1; rail < r.rails; ++rail) {
    phase.critical.push_back({r.at(0, 0), r.at(0, rail), batches(r.rails - 1) / (r.rails - 1.0)});
  }
  return phase;
}

}  // namespace

TransferList two_level_transfers(CollectiveOp op, const Group& group) {
  const Rails r(group);
  TransferList list{group.size(), {}};
  if (op == CollectiveOp::AllToAll) {
    add_all_to_all(r, list);
    return list;
  }
  int round = 0;
  if (op != CollectiveOp::AllGather) {
    add_local_rings(r, round, true, list);
    add_rail_rings(r, round, true, list);
  }
  if (op != CollectiveOp::ReduceScatter) {
    add_rail_rings(r, round, false, list);
    add_local_rings(r, round, false, list);
  }
  return list;
}

std::vector<Phase> two_level_phases(CollectiveOp op, const Group& group) {
  const Rails r(group);
  switch (op) {
    case CollectiveOp::Dispatch:
      return dispatch_phases(group);
    case CollectiveOp::AllToAll:
      return {all_to_all_phase(r)};
    case CollectiveOp::ReduceScatter:
      return {local_phase(r), rail_phase(r, 1)};
    case CollectiveOp::AllGather:
      return {rail_phase(r, 1), local_phase(r)};
    default:
      return {local_phase(r), rail_phase(r, 2), local_phase(r)};
  }
}

}  // namespace danlu
