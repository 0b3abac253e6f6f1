#include "sim/tasks/collective_graph.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/error.hpp"
#include "sim/collective/pattern.hpp"

namespace danlu {

FoldedLinkId CollectiveGraph::link(LinkId id) {
  const auto [known, is_new] = links_.try_emplace(id, graph_.links.next_id());
  if (is_new) {
    graph_.links.push_back({cluster_.topology.link(id).bandwidth});
  }
  return known->second;
}

ChannelId CollectiveGraph::channel(const Pattern& pattern) {
  Channel channel;
  for (const LinkLoad& load : pattern.loads) {
    channel.loads.push_back({link(load.link), load.weight});
  }
  return graph_.channels.push_back(std::move(channel));
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
    const FoldedLinkId link = graph_.links.push_back({alone_rate(cluster_, planned.phases[i])});
    const ChannelId channel = graph_.channels.push_back({{{link}}});
    const TaskId task =
        graph_.add({.kind = TaskKind::Communication,
                    .duration = phase_latency(cluster_.topology_among(group.ranks), group,
                                              planned.choice, op, bytes, planned.phases, i),
                    .bytes = phase_bytes(cluster_.topology_among(group.ranks), planned.choice, op,
                                         group, planned.phases[i], bytes),
                    .channel = channel,
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

TaskId CollectiveGraph::add_stepwise(const Group& group, CollectiveChoice choice,
                                     const TransferList& list, const MessageFold& folded,
                                     CollectiveOp op, Bytes bytes) {
  const TopologySpec& topology = cluster_.topology_among(group.ranks);
  const double chunk = std::ceil(bytes.value / list.parts);
  const TaskId begin = add_wait(fixed_latency(topology, group, choice, op, bytes), last_);
  IdVector<FoldedLinkId, FoldedLinkId> links;  // as they are called in the graph
  for (const FoldedLink& link : folded.links.links) {
    links.push_back(graph_.links.push_back({link.capacity}));
  }
  IdVector<PatternClassId, ChannelId> channels;
  for (const std::vector<FoldedLoad>& loads : folded.links.loads) {
    Channel channel;
    for (const FoldedLoad& load : loads) {
      channel.loads.push_back({links[load.link], load.weight});
    }
    channels.push_back(graph_.channels.push_back(std::move(channel)));
  }
  IdVector<MessageId, TaskId> tasks;
  for (const PlayedMessage& message :
       played_messages(list, folded.ways, folded.way_classes, folded.rank_classes)) {
    const PatternClassId way = folded.way_classes[folded.ways.of[message.transfer]];
    const Pattern& pattern = folded.patterns[way];
    const bool in_node = cluster_.node_of(pattern.ranks[0]) == cluster_.node_of(pattern.ranks[1]);
    const Bytes size{chunk * static_cast<double>(list.transfers[message.transfer].chunks.size())};
    const TaskId task =
        graph_.add({.kind = TaskKind::Communication,
                    .duration = step_latency(topology, choice, bytes, in_node,
                                             pattern.local_latency + pattern.network_latency),
                    .bytes = whole(size * overhead(topology, choice, op, group) / pattern.parts),
                    .channel = channels[way],
                    .name = graph_.named("transfer")},
                   {});
    if (message.after.empty()) {
      graph_.add_edge(begin, task);
    }
    for (const MessageId before : message.after) {
      graph_.add_edge(tasks[before], task);
    }
    tasks.push_back(task);
  }
  last_.assign(tasks.begin(), tasks.end());
  last_.push_back(begin);
  last_ = {add_wait({}, last_)};
  return last_.front();
}

}  // namespace danlu
