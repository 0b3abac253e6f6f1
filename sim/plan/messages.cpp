#include "sim/plan/messages.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <unordered_map>

#include "sim/collective/pattern.hpp"
#include "sim/plan/hash.hpp"
#include "sim/plan/implied_links.hpp"
#include "sim/plan/refine.hpp"

namespace danlu {
namespace {

std::vector<int> count_up(std::size_t count) {
  std::vector<int> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

/// What a class of ranks did in its latest round so far, and before that.
struct Doings {
  int round = -1;
  std::vector<int> latest, before;

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
  std::vector<std::uint64_t> messages(ways.ends.size());
  for (std::size_t i = 0; i < list.transfers.size(); ++i) {
    messages[static_cast<std::size_t>(ways.of[i])] += hash_of(list.transfers[i]);
  }
  std::vector<int> numbers(cluster.topology.links().size(), -1);
  std::vector<Load> loads;
  for (std::size_t way = 0; way < ways.ends.size(); ++way) {
    const auto [from, to] = ways.ends[way];
    const Pattern pattern = transfer_pattern(cluster, group.ranks[static_cast<std::size_t>(from)],
                                             group.ranks[static_cast<std::size_t>(to)]);
    loads.clear();
    for (const LinkLoad& load : pattern.loads) {
      int& number = numbers[index(load.link)];
      if (number < 0) {
        number = static_cast<int>(step.links.size());
        step.links.push_back(load.link);
      }
      loads.push_back({number, load.weight});
    }
    const bool in_node = cluster.node_of(pattern.ranks[0]) == cluster.node_of(pattern.ranks[1]);
    std::uint64_t shape = mix(mix(messages[way], in_node ? 1 : 0), pattern.parts);
    shape = mix(mix(shape, pattern.local_latency.value), pattern.network_latency.value);
    step.keys.push_back({});
    step.shapes.push_back(shape);
    step.ranks.add(std::array{from, to});
    step.loads.add(loads);
  }
  return step;
}

}  // namespace

Ways ways_of(const TransferList& list) {
  Ways ways;
  std::unordered_map<std::uint64_t, int> known;
  for (const Transfer& transfer : list.transfers) {
    const std::uint64_t ends =
        static_cast<std::uint64_t>(transfer.from) << 32U | static_cast<std::uint32_t>(transfer.to);
    const auto [way, is_new] = known.try_emplace(ends, static_cast<int>(ways.ends.size()));
    if (is_new) {
      ways.ends.emplace_back(transfer.from, transfer.to);
    }
    ways.of.push_back(way->second);
  }
  return ways;
}

std::vector<PlayedMessage> played_messages(const TransferList& list, const Ways& ways,
                                           const std::vector<int>& way_classes,
                                           const std::vector<int>& rank_classes) {
  std::vector<int> order = count_up(list.transfers.size());
  const auto round_of = [&](int i) { return list.transfers[static_cast<std::size_t>(i)].round; };
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return round_of(a) < round_of(b); });
  std::vector<Doings> doings(static_cast<std::size_t>(count_colours(rank_classes)));
  const auto doings_of = [&](int position) -> Doings& {
    return doings[static_cast<std::size_t>(rank_classes[static_cast<std::size_t>(position)])];
  };
  // The n-th message of a round on a way is made once for all ways of the class.
  std::unordered_map<std::uint64_t, int> sent;
  std::unordered_map<std::uint64_t, int> made;
  std::vector<PlayedMessage> played;
  for (const int i : order) {
    const Transfer& transfer = list.transfers[static_cast<std::size_t>(i)];
    const int way = ways.of[static_cast<std::size_t>(i)];
    const int nth = sent[mix(hash_of(transfer), way)]++;
    const int way_class = way_classes[static_cast<std::size_t>(way)];
    const int number = static_cast<int>(played.size());
    if (!made.try_emplace(mix(mix(hash_of(transfer), way_class), nth), number).second) {
      continue;
    }
    Doings& sender = doings_of(transfer.from);
    sender.enter(transfer.round);
    played.push_back({i, sender.before});
    sender.latest.push_back(number);
    Doings& receiver = doings_of(transfer.to);
    receiver.enter(transfer.round);
    if (&receiver != &sender) {
      receiver.latest.push_back(number);
    }
  }
  return played;
}

MessageFold fold_messages(const Cluster& cluster, const Group& group, const TransferList& list,
                          FoldMode fold) {
  MessageFold folded{.ways = ways_of(list)};
  const StepPatterns all = patterns_of(cluster, group, list, folded.ways);
  const StepPatterns step = without_links(all, implied_links(all, cluster));
  const auto ranks = static_cast<std::size_t>(group.size());
  const Colours classes = fold == FoldMode::Off ? Colours{count_up(ranks), count_up(step.size()),
                                                          count_up(step.links.size())}
                                                : refine(step, cluster, std::vector<int>(ranks));
  folded.rank_classes = classes.ranks;
  folded.way_classes = classes.patterns;
  folded.links = folded_links(cluster, step, classes.patterns, classes.links);
  for (std::size_t way = 0; way < classes.patterns.size(); ++way) {
    if (static_cast<std::size_t>(classes.patterns[way]) == folded.patterns.size()) {
      const auto [from, to] = folded.ways.ends[way];
      folded.patterns.push_back(transfer_pattern(cluster,
                                                 group.ranks[static_cast<std::size_t>(from)],
                                                 group.ranks[static_cast<std::size_t>(to)]));
    }
  }
  return folded;
}

int most_at_once(const TransferList& list, const MessageFold& fold) {
  std::unordered_map<int, int> played;
  for (const PlayedMessage& message :
       played_messages(list, fold.ways, fold.way_classes, fold.rank_classes)) {
    ++played[list.transfers[static_cast<std::size_t>(message.transfer)].round];
  }
  int most = 0;
  for (const auto& [round, count] : played) {
    most = std::max(most, count);
  }
  return most;
}

}  // namespace danlu
