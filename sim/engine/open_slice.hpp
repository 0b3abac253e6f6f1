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
    std::vector<FoldedLinkId> links;  // that these load, sorted
    std::vector<std::uint32_t> next;  // that wait for it
    int waits_for = 0;
  };

  /// How the host launches a segment, where it may be late.
  struct Launch {
    Seconds time;
    bool waits = false;  // before, until the segment may start
  };

  ProgramSlice slice;
  std::vector<Segment> segments;
  std::vector<Launch> launches;     // by segment; empty: the host is never late
  SegmentTimes alone;               // with a host that began long before
  Seconds least_lead{};             // with which that makes no difference
  std::vector<FoldedLinkId> links;  // that its exchanges load, each once
  bool may_meet = false;            // two sorts of its exchanges load a link,
  bool meets_alone = false;         // and at the same time, alone

  /// How much of a segment of compute is left, `at` so long after the slice began with its links to
  /// itself and such times, in time with nothing beside it.
  Seconds left_of(std::size_t segment, Seconds at, const SegmentTimes& times) const;
  /// Whether two of its exchanges load a link at the same time, if they go on at such times: then
  /// they do not.
  bool meets_itself(const SegmentTimes& times) const;
};

OpenSlice open_slice(const TaskGraph& graph, const ProgramSlice& slice);

/// Whether any run of the graph may be opened.
bool has_open_runs(const TaskGraph& graph);

}  // namespace danlu
