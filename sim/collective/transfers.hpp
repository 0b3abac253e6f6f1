// Transfer lists as such.
#pragma once

#include "sim/collective/collective.hpp"

namespace danlu {

/// The same with every chunk cut into `pieces` that follow one another a round apart; for
/// algorithms in which a chunk passes every rank only once each way: chains and trees.
TransferList pipelined(const TransferList& list, int pieces);

}  // namespace danlu
