// Transfer lists as such.
#pragma once

#include "sim/collective/collective.hpp"

namespace danlu {

/// The same with every chunk cut into `pieces` that follow one another a round apart; for
/// algorithms in which a chunk passes every rank only once each way: chains and trees.
TransferList pipelined(const TransferList& list, int pieces);

/// The transfers of an algorithm as they are played message by message: chains and trees cut their
/// chunks into pieces of NCCL's slot size, within reason.
TransferList playable_transfers(CollectiveOp op, const Group& group, Algorithm algorithm,
                                Bytes bytes);
/// How many they are, without listing them.
double playable_messages(CollectiveOp op, const Group& group, Algorithm algorithm, Bytes bytes);

}  // namespace danlu
