#include "sim/collective/collective.hpp"

#include <cmath>

namespace danlu {

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

int steps_like(CollectiveOp op, const Pattern& pattern) {
  return pattern.algorithm == Algorithm::Ring
             ? collective_steps(op, static_cast<int>(pattern.ranks.size()))
             : 1;
}

Bytes stream_bytes(CollectiveOp op, const Pattern& pattern, Bytes bytes) {
  const double chunk = std::ceil(bytes.value / pattern.parts);  // chunks are whole bytes
  return {chunk * pattern.count * steps_like(op, pattern) * pattern.inflation};
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
