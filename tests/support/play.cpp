#include "tests/support/play.hpp"

#include <stdexcept>

#include "sim/session/pool.hpp"

namespace danlu::testing {

std::string run_in_child(const std::function<std::string()>& work) {
  const Played played =
      play_in_processes(1, {}, [&](std::size_t) { return Played{.why = work()}; }).front();
  if (!played.ended()) {
    throw std::runtime_error(played.why);
  }
  return played.why;
}

std::string to_bytes(const Timeline& timeline) {
  std::vector<Seconds> all(timeline.start.begin(), timeline.start.end());
  all.insert(all.end(), timeline.finish.begin(), timeline.finish.end());
  all.push_back(timeline.end);
  return {reinterpret_cast<const char*>(all.data()), all.size() * sizeof(Seconds)};
}

Timeline play(const TaskGraph& graph, const EngineOptions& options) {
  const Played played = play_in_processes(1, {}, [&](std::size_t) {
                          return Played{.timeline = simulate(graph, options)};
                        }).front();
  if (!played.ended()) {
    throw std::runtime_error(played.why);
  }
  return played.timeline;
}

TaskId add_flow(TaskGraph& graph, std::optional<ChannelId> channel, Bytes bytes, Seconds latency,
                const std::vector<TaskId>& after) {
  const TaskId flow = graph.add({.kind = TaskKind::Communication,
                                 .duration = latency,
                                 .bytes = bytes,
                                 .channel = channel,
                                 .name = graph.named("flow")},
                                {});
  for (const TaskId before : after) {
    graph.add_edge(before, flow);
  }
  return flow;
}

TaskGraph one_collective(const Cluster& cluster, const Pattern& pattern, CollectiveOp op,
                         Bytes bytes) {
  TaskGraph graph;
  for (const Link& link : cluster.topology.links()) {
    graph.links.push_back({link.bandwidth});
  }
  Channel channel;
  for (const LinkLoad& load : pattern.loads) {
    channel.loads.push_back({make_id<FoldedLinkId>(index(load.link)), load.weight});
  }
  add_flow(graph, graph.channels.push_back(std::move(channel)), stream_bytes(op, pattern, bytes),
           (pattern.local_latency + pattern.network_latency) * repeats(op, pattern));
  return graph;
}

}  // namespace danlu::testing
