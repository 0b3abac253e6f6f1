// Inside sim/engine: runs that others may disturb (Task::open). Such a run goes on alone, one event
// long, while nobody else has flows on its links and nobody else takes from its GPUs. When somebody
// does it is opened: what it has done so far is known, and its segments go on one by one, with
// flows of their own; until the disturbance is over and nothing of it is under way, when what is
// left goes on alone again. 100,000 segments are so a few thousand events, at the same times. When
// its host launches segments is known up to the next one for which it waits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sim/engine/open_host.hpp"
#include "sim/engine/open_slice.hpp"
#include "sim/tasks/taken.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// What a player wants to be told at a time.
struct Alarm {
  enum class What : std::uint8_t {
    Begin,
    Finish,
    StartFlow,
    Compute,
    Capacity,
    Run,
    Latency,
    Launch,
    Joint,
    Lone
  };

  What what = What::Finish;
  std::uint32_t of = 0;      // the task; slot of what computes, of a run, of a lone flow; index
                             // of a change; a joint run
  std::uint32_t number = 0;  // of computing: an older one's no longer counts (so of a joint run);
                             // a segment
};

/// Whose a flow is: a task's, or a segment's of a run that is open.
struct Carried {
  static constexpr std::uint32_t kTask = ~std::uint32_t{0};

  std::uint32_t of = 0;  // the task, or the slot of the run
  std::uint32_t segment = kTask;
  ChannelId channel{};
};

/// Runs that have ended and of which the player does not yet know.
class EndedRuns {
 public:
  void add(TaskId run) { runs_.push_back(run); }
  /// Each once; none: that was all.
  std::optional<TaskId> take() {
    if (runs_.empty()) {
      return std::nullopt;
    }
    const TaskId run = runs_.back();
    runs_.pop_back();
    return run;
  }

 private:
  std::vector<TaskId> runs_;
};

/// The open runs of a graph, and how many flows are on their links. One class, since a flow that
/// begins opens runs, whose flows are on the links of others.
template <typename Network>
class OpenRuns {
 public:
  OpenRuns(const TaskGraph& graph, Network& network, const TakenByClass& taken)
      : graph_(graph), network_(network), taken_(taken), runs_of_(taken.classes()) {
    if (has_open_runs(graph)) {
      links_.resize(graph.links.size());
    }
  }

  /// Its host began so long before; none: that is never late.
  void start(TaskId id, std::optional<Seconds> lead) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(runs_.size()));
      runs_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    OpenRun& run = runs_[slot];
    run.task = id;
    run.slice = run.whole = &slice_of(graph_.tasks[id].slice);
    run.host = OpenHost(lead ? std::optional(now() - *lead) : std::nullopt);
    run.stays_open = false;
    run.others = taken_.any() ? taken_.from(graph_.participants.of(id)) : GpuShare{};
    bool quiet = is_quiet(run);
    for (const FoldedLinkId link : run.slice->links) {
      open_runs_on(link);
      quiet = quiet && links_[link].runs.empty();
      links_[link].runs.push_back(slot);
    }
    if (taken_.any()) {
      for (const RankClassId ranks : graph_.participants.of(id)) {
        runs_of_[ranks].push_back(slot);
      }
    }
    if (!quiet || !goes_on_alone(slot)) {
      goes_on_open(slot);
    }
  }

  /// Starts a flow, which may disturb runs.
  void carry(Carried carried, double bytes) {
    if (!links_.empty()) {
      for (const ChannelLoad& load : graph_.channels[carried.channel].loads) {
        ++links_[load.link].flows;
        open_runs_on(load.link);
      }
    }
    network_.start_flow(carried, bytes);
  }
  /// Any flow has ended.
  void arrived(Carried carried) {
    if (!links_.empty()) {
      for (const ChannelLoad& load : graph_.channels[carried.channel].loads) {
        --links_[load.link].flows;
      }
    }
    if (carried.segment != Carried::kTask) {
      end_part(carried.of, carried.segment);
    }
  }
  /// Of an alarm that is for runs.
  void ring(Alarm alarm) {
    if (alarm.what == Alarm::What::Latency) {
      start_part_flow(alarm.of, alarm.number);
    } else if (alarm.what == Alarm::What::Launch) {
      launch(alarm.of, alarm.number);
    } else if (runs_[alarm.of].number == alarm.number) {
      end_alone_or_compute(alarm.of);
    }
  }
  /// What others take from these ranks has changed.
  void change_taken(std::span<const RankClassId> classes) {
    for (const RankClassId ranks : classes) {
      for (const std::uint32_t slot : runs_of_[ranks]) {
        take_from_run(slot);
      }
    }
  }
  EndedRuns& ended() { return ended_; }

 private:
  /// A slice that goes on alone, so long after its host began.
  struct Late {
    Seconds lead;
    SegmentTimes times;
    bool meets_itself = false;
  };
  /// A run while it goes: alone, or segment by segment.
  struct OpenRun {
    TaskId task{};
    const OpenSlice* whole = nullptr;
    const OpenSlice* slice = nullptr;  // what is left of it when it last went on alone
    std::uint32_t number = 0;  // of the newest alarm of its end or of what computes, over all runs
    OpenHost host{};
    bool alone = false;
    bool stays_open = false;             // its own exchanges would meet
    Seconds began{};                     // alone
    std::shared_ptr<const Late> late{};  // then, where the host is
    GpuShare others{};                   // what others take from its ranks
    // Open:
    std::vector<int> waits_for{};       // by segment, as the next one
    std::vector<std::uint32_t> part{};  // of an exchange, that goes on
    std::size_t done = 0, first_not_begun = 0;
    int under_way = 0;
    std::optional<std::uint32_t> computing{};
    Seconds left{}, since{};
    double pace = 1;
    std::vector<std::uint32_t> exchanging{};
  };
  struct LinkUse {
    int flows = 0;
    std::vector<std::uint32_t> runs{};  // slots of those that go, alone or open
  };

  Seconds now() const { return network_.now(); }

  const OpenSlice& slice_of(const ProgramSlice& slice) {
    const auto known = slices_.find(slice);
    return known != slices_.end() ? known->second
                                  : slices_.emplace(slice, open_slice(graph_, slice)).first->second;
  }

  /// Whether nobody else has anything to do with it.
  bool is_quiet(const OpenRun& run) const {
    return run.others.nothing() &&
           std::all_of(run.slice->links.begin(), run.slice->links.end(),
                       [&](FoldedLinkId link) { return links_[link].flows == 0; });
  }

  /// False where it cannot.
  bool goes_on_alone(std::uint32_t slot) {
    OpenRun& run = runs_[slot];
    const std::optional<Seconds> lead = run.host.lead(now());
    run.late = lead && *lead < run.slice->least_lead ? late_of(*run.slice, *lead) : nullptr;
    run.stays_open |= run.late ? run.late->meets_itself : run.slice->meets_alone;
    if (run.stays_open) {
      return false;
    }
    run.alone = true;
    run.began = now();
    network_.at(now() + times_of(run).total, {Alarm::What::Run, slot, ++run.number});
    return true;
  }
  /// Most hosts that are late begin with their slice or as long before as the last one.
  std::shared_ptr<const Late> late_of(const OpenSlice& slice, Seconds lead) {
    std::shared_ptr<const Late>& last = last_late_[&slice];
    if (!last || last->lead != lead) {
      Late late{lead, graph_.run_times(slice.slice, lead, {})};
      late.meets_itself = slice.meets_itself(late.times);
      last = std::make_shared<const Late>(std::move(late));
    }
    return last;
  }
  /// Of what is left of it, alone.
  static const SegmentTimes& times_of(const OpenRun& run) {
    return run.late ? run.late->times : run.slice->alone;
  }

  void open_runs_on(FoldedLinkId link) {
    for (const std::uint32_t slot : links_[link].runs) {
      if (runs_[slot].alone) {
        open_run(slot);
      }
    }
  }

  void begin_open(OpenRun& run) {
    const std::vector<OpenSlice::Segment>& segments = run.slice->segments;
    run.alone = false;
    ++run.number;
    run.waits_for.clear();
    for (const OpenSlice::Segment& segment : segments) {
      run.waits_for.push_back(segment.waits_for);
    }
    run.part.assign(segments.size(), 0);
    run.done = run.first_not_begun = 0;
    run.under_way = 0;
    run.computing.reset();
    run.exchanging.clear();
  }

  /// From the beginning of its slice.
  void goes_on_open(std::uint32_t slot) {
    begin_open(runs_[slot]);
    const std::vector<OpenSlice::Segment>& segments = runs_[slot].slice->segments;
    std::vector<std::uint32_t> first;
    for (std::uint32_t i = 0; i < segments.size(); ++i) {
      if (segments[i].waits_for == 0) {
        first.push_back(i);
      }
    }
    start_segments(slot, first);
  }

  /// What is done is done, and what is under way goes on from where it is.
  void open_run(std::uint32_t slot) {
    OpenRun& run = runs_[slot];
    const OpenSlice& slice = *run.slice;
    const SegmentTimes& times = times_of(run);
    const Seconds at = now() - run.began;
    if (at >= times.total) {
      return;  // it ends at this instant
    }
    begin_open(run);
    const std::size_t count = slice.segments.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (times.finish[i] <= at) {
        ++run.done;
        run.first_not_begun = i + 1;
        run.waits_for[i] = -1;
        for (const std::uint32_t next : slice.segments[i].next) {
          --run.waits_for[next];
        }
      }
    }
    run.host.catch_up(slice, run.waits_for, run.began, times);
    // Exchanges first, since compute goes on beside them.
    for (const bool compute : {false, true}) {
      for (std::uint32_t i = 0; i < count; ++i) {
        if (run.waits_for[i] != 0 || slice.segments[i].is_compute != compute) {
          continue;
        }
        if (run.host.launched(i) <= now()) {
          resume_segment(slot, i, at);
        } else {
          await_launch(slot, i);
        }
      }
    }
  }

  void resume_segment(std::uint32_t slot, std::uint32_t i, Seconds at) {
    OpenRun& run = runs_[slot];
    const OpenSlice::Segment& segment = run.slice->segments[i];
    begin_segment(run, i);
    if (segment.is_compute) {
      compute(slot, i, run.slice->left_of(i, at, times_of(run)));
      return;
    }
    if (!segment.taken.nothing()) {
      run.exchanging.push_back(i);
    }
    Seconds into = at - times_of(run).start[i];
    for (std::uint32_t n = 0; n < segment.parts.size(); ++n) {
      const OpenSlice::Part& part = segment.parts[n];
      run.part[i] = n;
      if (into < part.latency) {
        network_.at(now() + (part.latency - into), {Alarm::What::Latency, slot, i});
        return;
      }
      into -= part.latency;
      const double carried = into.value * part.rate;
      if (part.bytes > 0 && carried < part.bytes) {
        carry({slot, i, part.channel}, part.bytes - carried);
        return;
      }
      into -= part.bytes > 0 ? Seconds{part.bytes / part.rate} : Seconds{};
    }
    network_.at(now(), {Alarm::What::Latency, slot, i});  // it ends just now
    run.part[i] = static_cast<std::uint32_t>(segment.parts.size());
  }

  void compute(std::uint32_t slot, std::uint32_t i, Seconds left) {
    OpenRun& run = runs_[slot];
    run.computing = i;
    run.left = left;
    run.since = now();
    run.pace = pace_of(run);
    set_run_alarm(slot);
  }

  static void begin_segment(OpenRun& run, std::uint32_t i) {
    run.waits_for[i] = -1;
    ++run.under_way;
    run.first_not_begun = std::max<std::size_t>(run.first_not_begun, i + 1);
  }

  /// Those that wait for nothing any more; all have begun before any can end.
  void start_segments(std::uint32_t slot, const std::vector<std::uint32_t>& some) {
    OpenRun& run = runs_[slot];
    std::vector<std::uint32_t> free;
    const auto start_or_await = [&](std::uint32_t i) {
      if (run.waits_for[i] != 0) {
        return;
      }
      if (run.host.launched(i) <= now()) {
        begin_segment(run, i);
        free.push_back(i);
      } else {
        await_launch(slot, i);
      }
    };
    const auto known = static_cast<std::uint32_t>(run.host.known());
    run.host.launch(*run.slice, run.waits_for, now());
    std::for_each(some.begin(), some.end(), start_or_await);
    for (std::uint32_t i = known; i < run.host.known(); ++i) {
      start_or_await(i);
    }
    for (const std::uint32_t i : free) {
      start_segment(slot, i);
    }
  }

  /// A host that waits will be known to launch it later.
  void await_launch(std::uint32_t slot, std::uint32_t i) {
    const Seconds launched = runs_[slot].host.launched(i);
    if (launched < kNever) {
      network_.at(launched, {Alarm::What::Launch, slot, i});
    }
  }
  /// The run may have gone on alone since, or be another one: then nothing is due.
  void launch(std::uint32_t slot, std::uint32_t i) {
    const OpenRun& run = runs_[slot];
    if (!run.alone && i < run.waits_for.size() && run.host.launched(i) <= now()) {
      start_segments(slot, {i});
    }
  }

  void start_segment(std::uint32_t slot, std::uint32_t i) {
    OpenRun& run = runs_[slot];
    const OpenSlice::Segment& segment = run.slice->segments[i];
    if (segment.is_compute) {
      compute(slot, i, segment.duration);
      return;
    }
    if (!segment.taken.nothing()) {
      run.exchanging.push_back(i);
      change_pace_of_run(slot);
    }
    start_part(slot, i);
  }

  void start_part(std::uint32_t slot, std::uint32_t i) {
    const OpenSlice::Segment& segment = runs_[slot].slice->segments[i];
    const std::uint32_t part = runs_[slot].part[i];
    if (part == segment.parts.size()) {
      end_segment(slot, i);
    } else if (segment.parts[part].latency > Seconds{}) {
      network_.at(now() + segment.parts[part].latency, {Alarm::What::Latency, slot, i});
    } else {
      start_part_flow(slot, i);
    }
  }

  void start_part_flow(std::uint32_t slot, std::uint32_t i) {
    const OpenSlice::Segment& segment = runs_[slot].slice->segments[i];
    const std::uint32_t part = runs_[slot].part[i];
    if (part < segment.parts.size() && segment.parts[part].bytes > 0) {
      carry({slot, i, segment.parts[part].channel}, segment.parts[part].bytes);
    } else {
      end_part(slot, i);
    }
  }

  void end_part(std::uint32_t slot, std::uint32_t i) {
    OpenRun& run = runs_[slot];
    run.part[i] = std::min<std::uint32_t>(
        run.part[i] + 1, static_cast<std::uint32_t>(run.slice->segments[i].parts.size()));
    start_part(slot, i);
  }

  void end_alone_or_compute(std::uint32_t slot) {
    OpenRun& run = runs_[slot];
    if (run.alone) {
      end_run(slot);
    } else {
      end_segment(slot, *std::exchange(run.computing, {}));
    }
  }

  void end_segment(std::uint32_t slot, std::uint32_t i) {
    OpenRun& run = runs_[slot];
    const OpenSlice& slice = *run.slice;
    ++run.done;
    --run.under_way;
    if (std::erase(run.exchanging, i) > 0) {
      change_pace_of_run(slot);
    }
    if (run.done == slice.segments.size()) {
      end_run(slot);
      return;
    }
    for (const std::uint32_t next : slice.segments[i].next) {
      --run.waits_for[next];
    }
    if (run.under_way == 0 && run.done == run.first_not_begun && !run.stays_open && is_quiet(run) &&
        is_by_itself(run)) {
      const ProgramSlice& whole = slice.slice;
      run.host.leave_behind(run.done);
      run.slice = &slice_of({whole.program, whole.first + run.done, whole.last});
      if (!goes_on_alone(slot)) {
        goes_on_open(slot);
      }
      return;
    }
    start_segments(slot, slice.segments[i].next);
  }

  bool is_by_itself(const OpenRun& run) const {
    return std::all_of(run.whole->links.begin(), run.whole->links.end(),
                       [&](FoldedLinkId link) { return links_[link].runs.size() == 1; });
  }

  void end_run(std::uint32_t slot) {
    OpenRun& run = runs_[slot];
    ++run.number;
    run.alone = false;
    run.waits_for.clear();
    for (const FoldedLinkId link : run.whole->links) {
      std::erase(links_[link].runs, slot);
    }
    if (taken_.any()) {
      for (const RankClassId ranks : graph_.participants.of(run.task)) {
        std::erase(runs_of_[ranks], slot);
      }
    }
    free_.push_back(slot);
    ended_.add(run.task);
  }

  double pace_of(const OpenRun& run) const {
    GpuShare taken = run.others;
    for (const std::uint32_t i : run.exchanging) {
      taken = taken + run.slice->segments[i].taken;
    }
    return danlu::pace(run.slice->segments[*run.computing].bounds, taken);
  }

  void set_run_alarm(std::uint32_t slot) {
    OpenRun& run = runs_[slot];
    network_.at(now() + run.left / run.pace, {Alarm::What::Run, slot, ++run.number});
  }

  void change_pace_of_run(std::uint32_t slot) {
    OpenRun& run = runs_[slot];
    if (!run.computing) {
      return;
    }
    const double changed = pace_of(run);
    if (changed != run.pace) {
      run.left = std::max(Seconds{}, run.left - (now() - run.since) * run.pace);
      run.since = now();
      run.pace = changed;
      set_run_alarm(slot);
    }
  }

  void take_from_run(std::uint32_t slot) {
    OpenRun& run = runs_[slot];
    const GpuShare others = taken_.from(graph_.participants.of(run.task));
    if (others == run.others) {
      return;
    }
    if (run.alone) {
      open_run(slot);
    }
    run.others = others;
    change_pace_of_run(slot);
  }

  const TaskGraph& graph_;
  Network& network_;
  const TakenByClass& taken_;
  std::map<ProgramSlice, OpenSlice> slices_;
  std::map<const OpenSlice*, std::shared_ptr<const Late>> last_late_;
  std::vector<OpenRun> runs_;
  std::vector<std::uint32_t> free_;                            // slots of it
  IdVector<RankClassId, std::vector<std::uint32_t>> runs_of_;  // slots, by class of ranks
  IdVector<FoldedLinkId, LinkUse> links_;  // empty where no run may be disturbed
  EndedRuns ended_;
};

}  // namespace danlu
