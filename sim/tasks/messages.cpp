#include "sim/tasks/messages.hpp"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>

#include "sim/collective/pattern.hpp"
#include "sim/fold/hash.hpp"
#include "sim/fold/implied_links.hpp"

namespace danlu {
namespace {

/// What a class of ranks did in its latest round so far, and before that.
struct Doings {
  int round = -1;
  std::vector<MessageId> latest, before;

  void enter(int now) {
    if (round < now) {
      before = std::move(latest);
      latest.clear();
      round = now;
    }
  }
};

/// What a message and its place among others are made of.
std::uint64_t hash_of(const Transfer& transfer) {
  return mix(mix(1, transfer.round), transfer.chunks.size());
}

/// The ways as patterns: alike only if the same messages take them in the same rounds.
StepPatterns patterns_of(const Cluster& cluster, const Group& group, const TransferList& list,
                         const Ways& ways) {
  StepPatterns step{.by_message = true, .groups = {GroupKey{}}};
  IdVector<WayId, std::uint64_t> messages(ways.ends.size());
  for (const TransferId i : list.transfers.ids()) {
    messages[ways.of[i]] += hash_of(list.transfers[i]);
  }
  LoadedLinks loaded(cluster.topology.links().size());
  for (const WayId way : ways.ends.ids()) {
    const auto [from, to] = ways.ends[way];
    const Pattern pattern = transfer_pattern(cluster, group.rank(from), group.rank(to));
    const bool in_node = cluster.node_of(pattern.ranks[0]) == cluster.node_of(pattern.ranks[1]);
    std::uint64_t shape = mix(mix(messages[way], in_node ? 1 : 0), pattern.parts);
    shape = mix(mix(shape, pattern.local_latency.value), pattern.network_latency.value);
    step.keys.push_back({});
    step.shapes.push_back(shape);
    step.ranks.add(std::array{RankId{from}, RankId{to}});
    loaded.add(pattern, step);
  }
  return step;
}

}  // namespace

Ways ways_of(const TransferList& list) {
  Ways ways;
  std::unordered_map<std::uint64_t, WayId> known;
  for (const Transfer& transfer : list.transfers) {
    const std::uint64_t ends =
        static_cast<std::uint64_t>(transfer.from) << 32U | static_cast<std::uint32_t>(transfer.to);
    const auto [way, is_new] = known.try_emplace(ends, ways.ends.next_id());
    if (is_new) {
      ways.ends.push_back({transfer.from, transfer.to});
    }
    ways.of.push_back(way->second);
  }
  return ways;
}

IdVector<MessageId, PlayedMessage> played_messages(
    const TransferList& list, const Ways& ways, const IdVector<WayId, PatternClassId>& way_classes,
    const IdVector<RankId, RankClassId>& rank_classes) {
  std::vector<TransferId> order;
  for (const TransferId i : list.transfers.ids()) {
    order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](TransferId a, TransferId b) {
    return list.transfers[a].round < list.transfers[b].round;
  });
  IdVector<RankClassId, Doings> doings(count_colours(rank_classes));
  const auto doings_of = [&](int position) -> Doings& {
    return doings[rank_classes[RankId{position}]];
  };
  // The n-th message of a round on a way is made once for all ways of the class.
  std::unordered_map<std::uint64_t, int> sent;
  std::unordered_set<std::uint64_t> made;
  IdVector<MessageId, PlayedMessage> played;
  for (const TransferId i : order) {
    const Transfer& transfer = list.transfers[i];
    const WayId way = ways.of[i];
    const int nth = sent[mix(hash_of(transfer), way)]++;
    if (!made.insert(mix(mix(hash_of(transfer), way_classes[way]), nth)).second) {
      continue;
    }
    Doings& sender = doings_of(transfer.from);
    sender.enter(transfer.round);
    const MessageId message = played.push_back({i, sender.before});
    sender.latest.push_back(message);
    Doings& receiver = doings_of(transfer.to);
    receiver.enter(transfer.round);
    if (&receiver != &sender) {
      receiver.latest.push_back(message);
    }
  }
  return played;
}

MessageFold fold_messages(const Cluster& cluster, const Group& group, const TransferList& list,
                          FoldMode fold) {
  MessageFold folded{.ways = ways_of(list)};
  IdVector<RankId, RankClassId> ranks(group.ranks.size());
  if (fold == FoldMode::Off) {
    ranks = all_different<RankClassId>(ranks.ids());
  }
  const auto [step, classes] = without_implied_links(patterns_of(cluster, group, list, folded.ways),
                                                     cluster, ranks, /*equal_rates=*/true);
  folded.rank_classes = classes.ranks;
  folded.links = folded_links(cluster, step, classes.patterns, classes.links);
  for (const PatternClassId way_class : classes.patterns) {  // a way is a pattern
    const WayId way = folded.way_classes.push_back(way_class);
    if (way_class == folded.patterns.next_id()) {
      const auto [from, to] = folded.ways.ends[way];
      folded.patterns.push_back(transfer_pattern(cluster, group.rank(from), group.rank(to)));
    }
  }
  return folded;
}

int most_at_once(const TransferList& list, const MessageFold& fold) {
  std::unordered_map<int, int> played;
  for (const PlayedMessage& message :
       played_messages(list, fold.ways, fold.way_classes, fold.rank_classes)) {
    ++played[list.transfers[message.transfer].round];
  }
  int most = 0;
  for (const auto& [round, count] : played) {
    most = std::max(most, count);
  }
  return most;
}

}  // namespace danlu
