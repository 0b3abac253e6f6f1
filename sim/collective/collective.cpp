#include "sim/collective/collective.hpp"

#include <cmath>

namespace danlu {
namespace {

/// Steps of which the pattern describes one; every other algorithm's describes the whole.
int repeats(CollectiveOp op, const Pattern& pattern) {
  return pattern.algorithm == Algorithm::Ring
             ? collective_steps(op, static_cast<int>(pattern.ranks.size()))
             : 1;
}

}  // namespace

int collective_steps(CollectiveOp op, int ranks) {
  switch (op) {
    case CollectiveOp::AllReduce:
      return 2 * (ranks - 1);
    case CollectiveOp::ReduceScatter:
    case CollectiveOp::AllGather:
      return ranks - 1;
    case CollectiveOp::Broadcast:
    case CollectiveOp::AllToAll:
    case CollectiveOp::SendReceive:
      return 1;
  }
  return 1;
}

Bytes stream_bytes(CollectiveOp op, const Pattern& pattern, Bytes bytes) {
  const double chunk = std::ceil(bytes.value / pattern.parts);  // chunks are whole bytes
  return {chunk * pattern.count * repeats(op, pattern) * pattern.inflation};
}

Seconds collective_latency(CollectiveOp op, const Pattern& pattern) {
  return (pattern.local_latency + pattern.network_latency) * repeats(op, pattern);
}

double bus_factor(CollectiveOp op, int ranks) {
  switch (op) {
    case CollectiveOp::AllReduce:
      return 2.0 * (ranks - 1) / ranks;
    case CollectiveOp::ReduceScatter:
    case CollectiveOp::AllGather:
    case CollectiveOp::AllToAll:
      return (ranks - 1.0) / ranks;
    case CollectiveOp::Broadcast:
    case CollectiveOp::SendReceive:
      return 1;
  }
  return 1;
}

}  // namespace danlu
