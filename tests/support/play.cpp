#include "tests/support/play.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "sim/base/error.hpp"

namespace danlu::testing {
namespace {

void write_all(int file, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = write(file, text.data() + at, text.size() - at);
    if (count < 0) {
      _exit(2);
    }
    at += static_cast<std::size_t>(count);
  }
}

std::string read_all(int file) {
  std::string text;
  char part[65536];
  for (ssize_t count = 0; (count = read(file, part, sizeof part)) > 0;) {
    text.append(part, static_cast<std::size_t>(count));
  }
  return text;
}

/// The child's whole life: the result, or the message of what was thrown, and no clean-up of what
/// belongs to the parent.
[[noreturn]] void live_as_child(const std::function<std::string()>& work, int file) {
  try {
    write_all(file, work());
    _exit(0);
  } catch (const std::exception& error) {
    write_all(file, error.what());
  }
  _exit(1);
}

}  // namespace

std::string run_in_child(const std::function<std::string()>& work) {
  int ends[2];
  check(pipe(ends) == 0, "pipe() failed");
  (void)std::fflush(nullptr);  // or the child would write the parent's text again
  const pid_t child = fork();
  check(child >= 0, "fork() failed");
  if (child == 0) {
    close(ends[0]);
    live_as_child(work, ends[1]);
  }
  close(ends[1]);
  std::string text = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) {
    throw std::runtime_error("the child was killed by a signal");
  }
  if (WEXITSTATUS(status) != 0) {
    throw std::runtime_error(text);
  }
  return text;
}

std::string to_bytes(const Timeline& timeline) {
  std::vector<Seconds> all(timeline.start.begin(), timeline.start.end());
  all.insert(all.end(), timeline.finish.begin(), timeline.finish.end());
  all.push_back(timeline.end);
  return {reinterpret_cast<const char*>(all.data()), all.size() * sizeof(Seconds)};
}

Timeline from_bytes(const std::string& bytes) {
  std::vector<Seconds> all(bytes.size() / sizeof(Seconds));
  std::memcpy(all.data(), bytes.data(), bytes.size());
  const auto tasks = static_cast<std::ptrdiff_t>(all.size() / 2);
  using Times = std::vector<Seconds>;
  return {IdVector<TaskId, Seconds>(Times(all.begin(), all.begin() + tasks)),
          IdVector<TaskId, Seconds>(Times(all.begin() + tasks, all.end() - 1)), all.back()};
}

Timeline play(const TaskGraph& graph, const EngineOptions& options) {
  return from_bytes(run_in_child([&] { return to_bytes(simulate(graph, options)); }));
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
