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
    case CollectiveOp::Dispatch:
      return 1;
  }
  return 1;
}

int repeats(CollectiveOp op, Algorithm algorithm, int ranks) {
  switch (algorithm) {
    case Algorithm::Ring:
      return collective_steps(op, ranks);
    case Algorithm::Torus:
      return op == CollectiveOp::AllReduce ? 2 : 1;
    default:
      return 1;
  }
}

int repeats(CollectiveOp op, const Pattern& pattern) {
  return repeats(op, pattern.algorithm, static_cast<int>(pattern.ranks.size()));
}

Bytes stream_bytes(CollectiveOp op, const Pattern& pattern, Bytes bytes) {
  const double chunk = std::ceil(bytes.value / pattern.parts);  // chunks are whole bytes
  return {chunk * pattern.count * repeats(op, pattern) * pattern.inflation};
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
    case CollectiveOp::Dispatch:
      return 1;
  }
  return 1;
}

}  // namespace danlu
