#include "sim/collective/transfers.hpp"

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

}  // namespace danlu
