// The passes of a step: what each cell computes, pass after pass in the order of its schedule. A
// pass is one task where nobody can disturb it (Cell::fused), else one task per segment.
#include <algorithm>

#include "sim/plan/step_draft.hpp"

namespace danlu {
namespace {

class PassPlanner {
 public:
  explicit PassPlanner(StepDraft& draft)
      : draft_(draft),
        w_(draft.workload()),
        forward_(draft.graph().named("forward")),
        backward_(draft.graph().named("backward")) {}

  void add_cell(Cell& cell) {
    std::vector<Tasks> previous(cell.tracks());
    for (const Action& action : w_.actions(cell.stage)) {
      const std::vector<int> programs = programs_of(cell, action);
      const bool cut = !action.is_forward() && action.microbatch == w_.microbatches() - 1 &&
                       w_.parallelism.overlap_data;
      Pass pass{.action = action};
      for (const ProgramSlice& slice :
           cut ? layer_slices(programs[0]) : std::vector{whole(programs[0])}) {
        Slice added =
            cell.fused ? add_run(cell, slice, action) : add_segments(cell, programs, slice, action);
        for (std::size_t track = 0; track < previous.size(); ++track) {
          for (const TaskId before : previous[track]) {
            draft_.let_go_on(before, added.entries[track]);
          }
          if (pass.exits.empty()) {
            pass.entries.insert(pass.entries.end(), added.entries[track].begin(),
                                added.entries[track].end());
          }
        }
        previous = added.exits;
        if (cut) {
          pass.layer_exits.push_back(added.exits);
        }
        pass.exits = std::move(added.exits);
      }
      cell.passes.push_back(std::move(pass));
    }
    cell.ends = std::move(previous);
  }

 private:
  /// A segment as one unit plays it.
  struct PlacedSegment {
    TaskId first{};
    Tasks last;
  };
  /// The tasks of a slice that wait for nothing of it, and those that come last, by track.
  struct Slice {
    std::vector<Tasks> entries, exits;
  };

  TaskGraph& graph() { return draft_.graph(); }
  const PlayedProgram& program(int id) const {
    return draft_.graph().programs[static_cast<std::size_t>(id)];
  }

  // ---- programs

  ProgramSlice whole(int id) const {
    return {id, 0, static_cast<int>(program(id).program.segments.size())};
  }
  /// One slice per layer; what comes before the first layer and after the last goes with it.
  std::vector<ProgramSlice> layer_slices(int id) const {
    std::vector<ProgramSlice> slices;
    int first = 0;
    for (const int end : program(id).program.layer_ends) {
      slices.push_back({id, first, end});
      first = end;
    }
    slices.back().last = whole(id).last;
    return slices;
  }

  /// The program of every unit of the cell, or one for all where they are equally fast.
  std::vector<int> programs_of(const Cell& cell, const Action& action) {
    const Chunk chunk = chunk_at(w_, draft_.model(), {cell.stage, action.chunk});
    std::vector<int> programs;
    for (const int unit : cell.units) {
      const ProgramKey key{action.is_forward(), chunk, draft_.unit(unit).speeds};
      programs.push_back(played_program(cell.tensor_group, key));
    }
    const bool all_equal = std::all_of(programs.begin(), programs.end(),
                                       [&](int program) { return program == programs[0]; });
    return all_equal ? std::vector{programs[0]} : programs;
  }

  /// Direction, what it holds, and how fast its ranks are.
  using ProgramKey = std::tuple<bool, Chunk, std::vector<GpuSpeed>>;

  int played_program(int tensor_group, const ProgramKey& key) {
    const auto known = played_.find({tensor_group, key});
    if (known != played_.end()) {
      return known->second;
    }
    const TimedProgram& timed = timed_program(key);
    PlayedProgram played{.program = timed.program, .compute = timed.compute};
    for (std::size_t i = 0; i < played.program.segments.size(); ++i) {
      const Segment& segment = played.program.segments[i];
      played.names.push_back(graph().named(segment.name));
      const int info = segment.is_compute
                           ? -1
                           : draft_.communication(tensor_group, CommunicationKind::Tensor,
                                                  segment.op, "tensor group", segment.bytes);
      played.infos.push_back(info);
      played.durations.push_back(
          segment.is_compute ? played.compute[i].total()
                             : graph().communications[static_cast<std::size_t>(info)].alone);
    }
    graph().programs.push_back(std::move(played));
    const int id = static_cast<int>(graph().programs.size()) - 1;
    played_[{tensor_group, key}] = id;
    return id;
  }

  /// A program where it has met GPUs: each segment takes as long as on the slowest of them.
  struct TimedProgram {
    Program program;
    std::vector<ComputeTime> compute;
  };
  const TimedProgram& timed_program(const ProgramKey& key) {
    auto known = programs_.find(key);
    if (known == programs_.end()) {
      const auto& [forward, chunk, speeds] = key;
      TimedProgram made{forward ? forward_program(w_, draft_.model(), chunk)
                                : backward_program(w_, draft_.model(), chunk),
                        {}};
      std::map<int, std::vector<ComputeTime>> by_kind;
      for (const GpuSpeed& speed : speeds) {
        by_kind[speed.kind] = compute_times(made.program, draft_.timer(speed.kind));
      }
      for (std::size_t i = 0; i < made.program.segments.size(); ++i) {
        made.compute.push_back(slowest(speeds, [&](int kind) { return by_kind.at(kind)[i]; }));
      }
      known = programs_.emplace(key, std::move(made)).first;
    }
    return known->second;
  }

  // ---- tasks

  /// The slice as one task.
  Slice add_run(const Cell& cell, const ProgramSlice& slice, const Action& action) {
    const auto key = std::tuple(slice.program, slice.first, slice.last);
    auto known = slice_durations_.find(key);
    if (known == slice_durations_.end()) {
      const PlayedProgram& played = program(slice.program);
      const Seconds total =
          play_alone(played.program, slice.first, slice.last, played.durations).total;
      known = slice_durations_.emplace(key, total).first;
    }
    const TaskId run = graph().add({.kind = TaskKind::Run,
                                    .duration = known->second,
                                    .name = action.is_forward() ? forward_ : backward_,
                                    .microbatch = action.microbatch,
                                    .slice = slice},
                                   cell.units);
    return {{{run}}, {{run}}};
  }

  /// The slice segment by segment: compute on every unit, collectives of all units together.
  Slice add_segments(const Cell& cell, const std::vector<int>& programs, const ProgramSlice& slice,
                     const Action& action) {
    const std::size_t units = cell.units.size();
    Slice added{std::vector<Tasks>(units), std::vector<Tasks>(units)};
    std::vector<std::vector<PlacedSegment>> made;  // by segment and unit
    int last_of_stream[2] = {-1, -1};
    for (int i = slice.first; i < slice.last; ++i) {
      const Segment& segment = program(slice.program).program.segments[static_cast<std::size_t>(i)];
      std::vector<int> before;
      for (const int after : segment.after) {
        if (after >= slice.first) {
          before.push_back(after - slice.first);
        }
      }
      int& previous = last_of_stream[segment.is_compute ? 0 : 1];
      if (previous >= 0) {
        before.push_back(previous);
      }
      previous = i - slice.first;
      made.push_back(segment.is_compute ? add_compute_segment(cell, programs, i, action)
                                        : add_collective_segment(cell, slice.program, i, action));
      for (std::size_t u = 0; u < units; ++u) {
        for (const int earlier : before) {
          draft_.wait_for(made[static_cast<std::size_t>(earlier)][u].last, made.back()[u].first);
        }
        if (before.empty()) {
          added.entries[u].push_back(made.back()[u].first);
        }
      }
    }
    for (std::size_t u = 0; u < units; ++u) {
      for (const int last : last_of_stream) {
        if (last >= 0) {
          const Tasks& ends = made[static_cast<std::size_t>(last)][u].last;
          added.exits[u].insert(added.exits[u].end(), ends.begin(), ends.end());
        }
      }
    }
    return added;
  }

  std::vector<PlacedSegment> add_compute_segment(const Cell& cell, const std::vector<int>& programs,
                                                 int at, const Action& action) {
    std::vector<PlacedSegment> placed;
    for (std::size_t u = 0; u < cell.units.size(); ++u) {
      const int id = programs.size() == 1 ? programs[0] : programs[u];
      const auto i = static_cast<std::size_t>(at);
      const TaskId task = graph().add({.kind = TaskKind::Compute,
                                       .duration = program(id).durations[i],
                                       .name = program(id).names[i],
                                       .microbatch = action.microbatch,
                                       .compute = program(id).compute[i]},
                                      {cell.units[u]});
      placed.push_back({task, {task}});
    }
    return placed;
  }

  std::vector<PlacedSegment> add_collective_segment(const Cell& cell, int id, int at,
                                                    const Action& action) {
    const auto segment = static_cast<std::size_t>(at);
    PlacedCommunication made = draft_.add_communication(
        program(id).infos[segment], program(id).names[segment], action.microbatch);
    std::vector<PlacedSegment> placed;
    for (std::size_t u = 0; u < cell.units.size(); ++u) {
      placed.push_back({made.first, std::move(made.last[u])});
    }
    return placed;
  }

  StepDraft& draft_;
  const Workload& w_;
  NameId forward_, backward_;
  std::map<ProgramKey, TimedProgram> programs_;
  std::map<std::pair<int, ProgramKey>, int> played_;  // by tensor group
  std::map<std::tuple<int, int, int>, Seconds> slice_durations_;
};

}  // namespace

void add_passes(StepDraft& draft) {
  PassPlanner planner(draft);
  for (Cell& cell : draft.cells()) {
    planner.add_cell(cell);
  }
}

}  // namespace danlu
