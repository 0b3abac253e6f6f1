// Which messages of a collective are played, one for all that are alike, and which of them a
// message waits for:
//
//   launch -+- round 0: 0 -> 1 -+- round 1: 0 -> 1 -+- ...        a ring over classes 0, 1
//           |                \ /                 \ /
//           +- round 0: 1 -> 0 -+- round 1: 1 -> 0 -+- ...
//
// A rank sends when everything that it sent or received in earlier rounds is done.
#pragma once

#include <utility>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"
#include "sim/fold/folded_links.hpp"

namespace danlu {

/// The ways, from one position of a group to another, that messages take.
struct Ways {
  IdVector<TransferId, WayId> of;
  IdVector<WayId, std::pair<int, int>> ends;  // sender and receiver
};
Ways ways_of(const TransferList& list);

/// A message that stands for all of its class in its round.
struct PlayedMessage {
  TransferId transfer{};
  std::vector<MessageId> after;  // those that it waits for; empty: the launch
};
/// Rounds follow one another. `rank_classes` are those of the positions of the group.
IdVector<MessageId, PlayedMessage> played_messages(
    const TransferList& list, const Ways& ways, const IdVector<WayId, PatternClassId>& way_classes,
    const IdVector<RankId, RankClassId>& rank_classes);

/// The messages of one collective on a cluster that does nothing else, folded (fold.hpp).
struct MessageFold {
  Ways ways;
  IdVector<RankId, RankClassId> rank_classes;  // by position
  IdVector<WayId, PatternClassId> way_classes;
  IdVector<PatternClassId, Pattern> patterns;  // one of each class of ways
  FoldedLinks links;
};
/// `fold` is Exact, or Off: every message a class of its own.
MessageFold fold_messages(const Cluster& cluster, const Group& group, const TransferList& list,
                          FoldMode fold);
/// The most messages of a round that are played.
int most_at_once(const TransferList& list, const MessageFold& fold);

}  // namespace danlu
