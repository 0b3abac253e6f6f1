// Algorithms of log2(n) rounds, in which partners differ in one bit of their position:
//
//   halving-doubling     halves of what is left are exchanged and summed, then gathered again:
//                        all-reduce 2 log2(n) alpha + 2(n-1)/n S/B, half of it for the others
//   recursive doubling   everybody exchanges everything:   log2(n) (alpha + S/B)
//   binomial             whoever has it passes it on:      ceil(log2 n) (alpha + S/B)
//
// Rounds follow one another without pipelining, so each is a phase of its own.
#include <algorithm>

#include "sim/collective/algorithms.hpp"

namespace danlu {
namespace {

/// The chunks that partner `position ^ distance` shall go on with: those that it owns or agrees
/// with in this bit and all above.
std::vector<int> chunks_of(int position, int distance, int n) {
  std::vector<int> chunks;
  for (int chunk = 0; chunk < n; ++chunk) {
    if ((chunk & ~(distance - 1)) == (position & ~(distance - 1))) {
      chunks.push_back(chunk);
    }
  }
  return chunks;
}

/// Distances of the rounds of a reduce-scatter (n/2 .. 1) and of an all-gather (1 .. n/2).
std::vector<int> halving(int n) {
  std::vector<int> distances;
  for (int distance = n / 2; distance > 0; distance /= 2) {
    distances.push_back(distance);
  }
  return distances;
}
std::vector<int> doubling(int n) {
  std::vector<int> distances = halving(n);
  std::reverse(distances.begin(), distances.end());
  return distances;
}

Phase exchange(int n, int distance, int parts) {
  Phase phase{.parts = parts};
  for (int position = 0; position < n; ++position) {
    phase.streams.push_back({position, position ^ distance, 1, 0});
  }
  return phase;
}

}  // namespace

TransferList halving_doubling_transfers(CollectiveOp op, const Group& group) {
  const int n = group.size();
  TransferList list{n, {}};
  int round = 0;
  for (const int distance : op == CollectiveOp::AllGather ? std::vector<int>{} : halving(n)) {
    for (int from = 0; from < n; ++from) {
      const int to = from ^ distance;
      list.transfers.push_back({round, from, to, chunks_of(to, distance, n), true});
    }
    ++round;
  }
  for (const int distance : op == CollectiveOp::ReduceScatter ? std::vector<int>{} : doubling(n)) {
    for (int from = 0; from < n; ++from) {
      list.transfers.push_back({round, from, from ^ distance, chunks_of(from, distance, n), false});
    }
    ++round;
  }
  return list;
}

std::vector<Phase> halving_doubling_phases(CollectiveOp op, const Group& group) {
  const int n = group.size();
  std::vector<Phase> phases;
  for (const int distance : op == CollectiveOp::AllGather ? std::vector<int>{} : halving(n)) {
    phases.push_back(exchange(n, distance, n / distance));
  }
  for (const int distance : op == CollectiveOp::ReduceScatter ? std::vector<int>{} : doubling(n)) {
    phases.push_back(exchange(n, distance, n / distance));
  }
  return phases;
}

TransferList recursive_doubling_transfers(CollectiveOp /*op*/, const Group& group) {
  TransferList list;
  int round = 0;
  for (const int distance : doubling(group.size())) {
    for (int from = 0; from < group.size(); ++from) {
      list.transfers.push_back({round, from, from ^ distance, {0}, true});
    }
    ++round;
  }
  return list;
}

std::vector<Phase> recursive_doubling_phases(CollectiveOp /*op*/, const Group& group) {
  std::vector<Phase> phases;
  for (const int distance : doubling(group.size())) {
    phases.push_back(exchange(group.size(), distance, 1));
  }
  return phases;
}

TransferList binomial_transfers(CollectiveOp /*op*/, const Group& group) {
  TransferList list;
  int round = 0;
  for (int have = 1; have < group.size(); have *= 2, ++round) {
    for (int from = 0; from < have && from + have < group.size(); ++from) {
      list.transfers.push_back({round, from, from + have, {0}, false});
    }
  }
  return list;
}

std::vector<Phase> binomial_phases(CollectiveOp /*op*/, const Group& group) {
  std::vector<Phase> phases;
  for (int have = 1; have < group.size(); have *= 2) {
    Phase phase;
    for (int from = 0; from < have && from + have < group.size(); ++from) {
      phase.streams.push_back({from, from + have, 1, 0});
    }
    phases.push_back(std::move(phase));
  }
  return phases;
}

}  // namespace danlu
