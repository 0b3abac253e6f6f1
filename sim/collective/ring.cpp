// n ranks pass chunks of S/n around a ring: n-1 steps make a reduce-scatter or an all-gather,
// 2(n-1) an all-reduce; R rings share the array:
//
//   reduce-scatter, all-gather   (n-1) alpha + (n-1)/n S/B
//   all-reduce                  2(n-1) alpha + 2(n-1)/n S/B
//   broadcast (a chain)          (n-1) alpha + S/B
#include "sim/collective/algorithms.hpp"

namespace danlu {
namespace {

/// The position `steps` back from the i-th of a ring.
int behind(const std::vector<int>& order, int i, int steps) {
  const int n = static_cast<int>(order.size());
  return order[static_cast<std::size_t>(((i - steps) % n + n) % n)];
}

/// The chain that a broadcast from position 0 runs along: the ring, opened before position 0.
std::vector<int> chain_of(const std::vector<int>& order) {
  std::size_t root = 0;
  while (order[root] != 0) {
    ++root;
  }
  std::vector<int> chain;
  for (std::size_t i = 0; i < order.size(); ++i) {
    chain.push_back(order[(root + i) % order.size()]);
  }
  return chain;
}

}  // namespace

TransferList ring_transfers(CollectiveOp op, const Group& group) {
  const int n = group.size();
  const int rings = static_cast<int>(group.rings.size());
  TransferList list{op == CollectiveOp::Broadcast ? rings : n * rings, {}};
  for (int ring = 0; ring < rings; ++ring) {
    const std::vector<int>& order = group.rings[static_cast<std::size_t>(ring)];
    if (op == CollectiveOp::Broadcast) {
      const std::vector<int> chain = chain_of(order);
      for (auto to = chain.begin() + 1; to != chain.end(); ++to) {
        const int round = static_cast<int>(to - chain.begin()) - 1;
        list.transfers.push_back({round, *(to - 1), *to, {ring}, false});
      }
      continue;
    }
    int round = 0;
    // Who stands i-th passes on the chunk that the one s + 1 behind owns: after n-1 steps each has
    // received its own, with everybody's share in it.
    for (int s = 0; op != CollectiveOp::AllGather && s < n - 1; ++s, ++round) {
      for (int i = 0; i < n; ++i) {
        const int chunk = behind(order, i, s + 1) * rings + ring;
        list.transfers.push_back({round, behind(order, i, 0), behind(order, i, -1), {chunk}, true});
      }
    }
    // And gathers: its own first, then what it received last.
    for (int s = 0; op != CollectiveOp::ReduceScatter && s < n - 1; ++s, ++round) {
      for (int i = 0; i < n; ++i) {
        const int chunk = behind(order, i, s) * rings + ring;
        list.transfers.push_back(
            {round, behind(order, i, 0), behind(order, i, -1), {chunk}, false});
      }
    }
  }
  return list;
}

std::vector<Phase> ring_phases(CollectiveOp op, const Group& group) {
  const int rings = static_cast<int>(group.rings.size());
  Phase phase{.parts = group.size() * rings, .mean_steps = 1};
  if (op == CollectiveOp::Broadcast) {
    phase.parts = rings;
    phase.mean_steps = group.size() - 1;
  }
  for (int ring = 0; const std::vector<int>& order : group.rings) {
    const std::vector<int> chain =
        op == CollectiveOp::Broadcast ? chain_of(order) : std::vector<int>{};
    const std::vector<int>& path = chain.empty() ? order : chain;
    for (std::size_t i = 0; i + (chain.empty() ? 0 : 1) < path.size(); ++i) {
      phase.streams.push_back({path[i], path[(i + 1) % path.size()], 1, ring});
    }
    ++ring;
  }
  return {phase};
}

}  // namespace danlu
