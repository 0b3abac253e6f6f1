// Inside sim/engine: a slice of a program as a player needs it that plays it alone and opens it
// when it is disturbed (player.hpp).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/tasks/task_graph.hpp"

namespace danlu {

struct OpenSlice {
  /// Of an exchange: a latency, and then a flow.
  struct Part {
    ChannelId channel{};
    Seconds latency;
    double bytes = 0;  // 0: no flow
    double rate = 0;   // of the flow, with its links to itself
  };
  struct Segment {
    bool is_compute = true;
    Seconds duration;  // with nothing beside it
    Bounds bounds;     // of compute
    GpuShare taken;    // by an exchange
    std::vector<Part> parts;
    std::vector<std::uint32_t> next;  // that wait for it
    int waits_for = 0;
  };

  ProgramSlice slice;
  std::vector<Segment> segments;
  SegmentTimes alone;
  std::vector<FoldedLinkId> links;  // that its exchanges load, each once

  /// How much of a segment of compute is left, `at` so long after the slice began with its links to
  /// itself, in time with nothing beside it.
  Seconds left_of(std::size_t segment, Seconds at) const;
};

OpenSlice open_slice(const TaskGraph& graph, const ProgramSlice& slice);

/// Whether any run of the graph may be opened.
bool has_open_runs(const TaskGraph& graph);

}  // namespace danlu
