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

#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"
#include "sim/plan/folded_links.hpp"

namespace danlu {

/// The ways, from one position of a group to another, that messages take.
struct Ways {
  std::vector<int> of;                    // by transfer: its way
  std::vector<std::pair<int, int>> ends;  // by way: sender and receiver
};
Ways ways_of(const TransferList& list);

/// A message that stands for all of its class in its round.
struct PlayedMessage {
  int transfer = 0;        // of the list
  std::vector<int> after;  // the messages that it waits for; empty: the launch
};
/// `way_classes` by way, `rank_classes` by position; rounds follow one another.
std::vector<PlayedMessage> played_messages(const TransferList& list, const Ways& ways,
                                           const std::vector<int>& way_classes,
                                           const std::vector<int>& rank_classes);

/// The messages of one collective on a cluster that does nothing else, folded (fold.hpp).
struct MessageFold {
  Ways ways;
  std::vector<int> rank_classes;  // by position
  std::vector<int> way_classes;   // by way
  std::vector<Pattern> patterns;  // by class of ways: one of them
  FoldedLinks links;
};
/// `fold` is Exact, or Off: every message a class of its own.
MessageFold fold_messages(const Cluster& cluster, const Group& group, const TransferList& list,
                          FoldMode fold);
/// The most messages of a round that are played.
int most_at_once(const TransferList& list, const MessageFold& fold);

}  // namespace danlu
