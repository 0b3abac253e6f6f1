#include "sim/collective/transfers.hpp"

#include <algorithm>

#include "sim/collective/algorithms.hpp"

namespace danlu {
namespace {

/// Into how many pieces of NCCL's slot size a chunk is cut, where it passes every rank only once.
int pieces_of(CollectiveOp op, Algorithm algorithm, int parts, Bytes bytes) {
  constexpr double kSlot = 512.0 * 1024;
  constexpr double kMostPieces = 64;
  const bool flows_once = algorithm == Algorithm::Tree ||
                          (algorithm == Algorithm::Ring && op == CollectiveOp::Broadcast) ||
                          (algorithm == Algorithm::TwoLevel && op == CollectiveOp::AllToAll);
  return flows_once ? static_cast<int>(std::clamp(bytes.value / parts / kSlot, 1.0, kMostPieces))
                    : 1;
}

}  // namespace

TransferList pipelined(const TransferList& list, int pieces) {
  TransferList cut{list.parts * pieces, {}};
  for (const Transfer& transfer : list.transfers) {
    for (int piece = 0; piece < pieces; ++piece) {
      Transfer part = transfer;
      part.round += piece;
      for (int& chunk : part.chunks) {
        chunk = chunk * pieces + piece;
      }
      cut.transfers.push_back(std::move(part));
    }
  }
  return cut;
}

TransferList playable_transfers(CollectiveOp op, const Group& group, Algorithm algorithm,
                                Bytes bytes) {
  const TransferList list = row_of(algorithm).transfers(op, group);
  const int pieces = pieces_of(op, algorithm, list.parts, bytes);
  return pieces > 1 ? pipelined(list, pieces) : list;
}

double playable_messages(CollectiveOp op, const Group& group, Algorithm algorithm, Bytes bytes) {
  double messages = 0;
  for (const Phase& phase : row_of(algorithm).phases(op, group)) {
    messages += static_cast<double>(phase.streams.size()) * phase.messages *
                pieces_of(op, algorithm, phase.parts, bytes);
  }
  return messages * repeats(op, algorithm, group.size());
}

}  // namespace danlu
