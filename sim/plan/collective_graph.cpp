#include "sim/plan/collective_graph.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/error.hpp"
#include "sim/collective/pattern.hpp"

namespace danlu {

int CollectiveGraph::link(LinkId id) {
  const auto [known, is_new] = links_.try_emplace(id, static_cast<int>(graph_.links.size()));
  if (is_new) {
    graph_.links.push_back({cluster_.topology.link(id).bandwidth});
  }
  return known->second;
}

int CollectiveGraph::channel(const Pattern& pattern) {
  Channel channel;
  for (const LinkLoad& load : pattern.loads) {
    channel.loads.push_back({link(load.link), load.weight});
  }
  graph_.channels.push_back(std::move(channel));
  return static_cast<int>(graph_.channels.size()) - 1;
}

TaskId CollectiveGraph::add_wait(Seconds duration, const std::vector<TaskId>& after) {
  const TaskId task = graph_.add(
      {.kind = TaskKind::Compute, .duration = duration, .name = graph_.named("launch")}, {});
  for (const TaskId before : after) {
    graph_.add_edge(before, task);
  }
  return task;
}

TaskId CollectiveGraph::add_steady(const Group& group, const PlannedCollective& planned,
                                   CollectiveOp op, Bytes bytes) {
  for (std::size_t i = 0; i < planned.phases.size(); ++i) {
    graph_.channels.push_back({{{static_cast<int>(graph_.links.size())}}});
    graph_.links.push_back({alone_rate(cluster_, planned.phases[i])});
    const TaskId task =
        graph_.add({.kind = TaskKind::Communication,
                    .duration = phase_latency(cluster_.topology_among(group.ranks), group,
                                              planned.choice, op, bytes, planned.phases, i),
                    .bytes = phase_bytes(cluster_.topology_among(group.ranks), planned.choice, op,
                                         group, planned.phases[i], bytes),
                    .channel = static_cast<int>(graph_.channels.size()) - 1,
                    .name = graph_.named("phase")},
                   {});
    for (const TaskId before : last_) {
      graph_.add_edge(before, task);
    }
    last_ = {task};
  }
  return last_.front();
}

TaskId CollectiveGraph::add_exchange(const ExpertExchange& exchange) {
  const TaskId begin = add_wait(exchange.latency, last_);
  std::vector<TaskId> flows{begin};
  for (const ExpertExchange::Flow& flow : exchange.flows) {
    flows.push_back(graph_.add({.kind = TaskKind::Communication,
                                .bytes = flow.stream,
                                .channel = channel(flow.pattern),
                                .name = graph_.named("experts")},
                               {}));
    graph_.add_edge(begin, flows.back());
  }
  last_ = {add_wait({}, flows)};
  return last_.front();
}

TaskId CollectiveGraph::add_transfer(const Group& group, CollectiveChoice choice, CollectiveOp op,
                                     Bytes bytes, const Transfer& transfer, Bytes size) {
  check(transfer.from < group.size() && transfer.to < group.size(),
        "switches that reduce cannot be played message by message");
  const int from = group.ranks[static_cast<std::size_t>(transfer.from)];
  const int to = group.ranks[static_cast<std::size_t>(transfer.to)];
  const auto [known, is_new] = ways_.try_emplace(std::pair(transfer.from, transfer.to));
  Way& way = known->second;
  if (is_new) {
    const Pattern pattern = transfer_pattern(cluster_, from, to);
    Channel channel;
    for (const LinkLoad& load : pattern.loads) {
      channel.loads.push_back({link(load.link), load.weight});
    }
    way = {static_cast<int>(graph_.channels.size()), pattern.parts,
           pattern.local_latency + pattern.network_latency};
    graph_.channels.push_back(std::move(channel));
  }
  const bool in_node = cluster_.node_of(from) == cluster_.node_of(to);
  return graph_.add(
      {.kind = TaskKind::Communication,
       .duration =
           step_latency(cluster_.topology_among(group.ranks), choice, bytes, in_node, way.latency),
       .bytes = whole(size * overhead(cluster_.topology_among(group.ranks), choice, op, group) /
                      way.parts),
       .channel = way.channel,
       .name = graph_.named("transfer")},
      {});
}

TaskId CollectiveGraph::add_stepwise(const Group& group, CollectiveChoice choice,
                                     const TransferList& list, CollectiveOp op, Bytes bytes) {
  const double chunk = std::ceil(bytes.value / list.parts);
  std::vector<Transfer> transfers = list.transfers;
  std::stable_sort(transfers.begin(), transfers.end(),
                   [](const Transfer& a, const Transfer& b) { return a.round < b.round; });
  const TaskId begin = add_wait(
      fixed_latency(cluster_.topology_among(group.ranks), group, choice, op, bytes), last_);
  // By position: what it did in its latest round so far, and in the one before the current round.
  struct Doings {
    int round = -1;
    std::vector<TaskId> latest, before;
  };
  std::vector<Doings> doings(group.ranks.size(), {-1, {begin}, {begin}});
  const auto enter = [&](int position, int round) -> Doings& {
    Doings& at = doings[static_cast<std::size_t>(position)];
    if (at.round < round) {
      at.before = at.latest;
      at.latest.clear();
      at.round = round;
    }
    return at;
  };
  std::vector<TaskId> all{begin};
  for (const Transfer& transfer : transfers) {
    const Bytes size{chunk * static_cast<double>(transfer.chunks.size())};
    const TaskId task = add_transfer(group, choice, op, bytes, transfer, size);
    Doings& sender = enter(transfer.from, transfer.round);
    for (const TaskId before : sender.before) {
      graph_.add_edge(before, task);
    }
    sender.latest.push_back(task);
    enter(transfer.to, transfer.round).latest.push_back(task);
    all.push_back(task);
  }
  last_ = {add_wait({}, all)};
  return last_.front();
}

}  // namespace danlu
