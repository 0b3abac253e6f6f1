#include "sim/collective/transfers.hpp"

#include <algorithm>

#include "sim/collective/algorithms.hpp"

namespace danlu {

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
  constexpr double kSlot = 512.0 * 1024;
  constexpr double kMostPieces = 64;
  const TransferList list = row_of(algorithm).transfers(op, group);
  const bool flows_once = algorithm == Algorithm::Tree ||
                          (algorithm == Algorithm::Ring && op == CollectiveOp::Broadcast);
  const double pieces = std::clamp(bytes.value / list.parts / kSlot, 1.0, kMostPieces);
  return flows_once ? pipelined(list, static_cast<int>(pieces)) : list;
}

}  // namespace danlu
