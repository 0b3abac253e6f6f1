// The passes of a step: what each stage group computes, pass after pass in the order of its
// schedule. A pass is one task where nobody can disturb it (StageGroup::fused), else one task per
// segment: compute of every lane, an exchange of each group of its sort.
#include <algorithm>

#include "sim/tasks/step_draft.hpp"

namespace danlu {
namespace {

/// Adds the passes of a stage group. One class, since fused and single segments share the programs
/// and times that were worked out for other groups.
class PassLowering {
 public:
  explicit PassLowering(StepDraft& draft) : draft_(draft) {
    for (const ActionRow& row : kNames<ActionKind>) {
      names_[row.value] = draft.graph().named(row.name);
    }
  }

  void add_stage_group(StageGroup& passing) {
    std::vector<Tasks> previous(passing.lanes());
    for (const auto& [action, program, cut] : draft_.stage(passing.stage).passes) {
      const std::vector<PlayedProgramId> programs = programs_of(passing, program);
      Pass pass{.action = action};
      for (const ProgramSlice& slice :
           cut ? layer_slices(programs[0]) : std::vector{whole(programs[0])}) {
        Slice added = slice.first == slice.last ? nothing(previous)
                      : passing.fused           ? add_run(passing, slice, action)
                                                : add_segments(passing, programs, slice, action);
        for (std::size_t lane = 0; lane < previous.size(); ++lane) {
          for (const TaskId before : previous[lane]) {
            draft_.let_go_on(before, added.entries[lane]);
          }
          if (pass.exits.empty()) {
            pass.entries.insert(pass.entries.end(), added.entries[lane].begin(),
                                added.entries[lane].end());
          }
        }
        previous = added.exits;
        if (cut) {
          pass.layer_exits.push_back(added.exits);
        }
        pass.exits = std::move(added.exits);
      }
      passing.passes.push_back(std::move(pass));
    }
    passing.ends = std::move(previous);
  }

 private:
  /// A segment as one class of ranks plays it.
  struct PlacedSegment {
    TaskId first{};
    Tasks last;
  };
  /// The tasks of a slice that wait for nothing of it, and those that come last, by lane.
  struct Slice {
    std::vector<Tasks> entries, exits;
  };

  TaskGraph& graph() { return draft_.graph(); }
  const PlayedProgram& program(PlayedProgramId id) const { return draft_.graph().programs[id]; }

  // ---- programs

  ProgramSlice whole(PlayedProgramId id) const {
    return {id, 0, program(id).program.segments.size()};
  }
  /// One slice per layer; what comes before the first layer and after the last goes with it. Ends
  /// of the model without layers are one.
  std::vector<ProgramSlice> layer_slices(PlayedProgramId id) const {
    std::vector<ProgramSlice> slices;
    std::size_t first = 0;
    if (program(id).program.layer_ends.empty()) {
      return {whole(id)};
    }
    for (const std::size_t end : program(id).program.layer_ends) {
      slices.push_back({id, first, end});
      first = end;
    }
    slices.back().last = whole(id).last;
    return slices;
  }

  /// The program of every class of ranks, or one for all where they are equally fast.
  std::vector<PlayedProgramId> programs_of(const StageGroup& passing, ProgramId program) {
    std::vector<PlayedProgramId> programs;
    for (const RankClassId ranks : passing.rank_classes) {
      programs.push_back(played_program(passing.groups, {program, draft_.ranks(ranks).speeds}));
    }
    const bool all_equal = std::all_of(programs.begin(), programs.end(),
                                       [&](PlayedProgramId one) { return one == programs[0]; });
    return all_equal ? std::vector{programs[0]} : programs;
  }

  /// Of StepProgram::programs, and how fast its ranks are.
  using ProgramKey = std::pair<ProgramId, std::vector<GpuSpeed>>;

  PlayedProgramId played_program(const std::vector<GroupClassId>& groups, const ProgramKey& key) {
    const auto known = played_.find({groups, key});
    if (known != played_.end()) {
      return known->second;
    }
    PlayedProgram played{.program = draft_.step().programs[key.first], .compute = compute_of(key)};
    for (std::size_t i = 0; i < played.program.segments.size(); ++i) {
      const Segment& segment = played.program.segments[i];
      played.names.push_back(graph().named(segment.name));
      std::optional<CommunicationId>& communication = played.communications.emplace_back();
      if (!segment.is_compute) {
        communication = draft_.communication(of_sort(groups, segment).front(), segment.demand);
      }
      played.durations.push_back(communication ? graph().communications[*communication].alone
                                               : played.compute[i].total());
    }
    const PlayedProgramId id = graph().programs.push_back(std::move(played));
    played_[{groups, key}] = id;
    return id;
  }

  /// By segment: as long as on the slowest of the GPUs. Here kernels get their times.
  const std::vector<ComputeTime>& compute_of(const ProgramKey& key) {
    const auto [known, is_new] = compute_.try_emplace(key);
    if (is_new) {
      const auto& [number, speeds] = key;
      const Program& program = draft_.step().programs[number];
      std::map<int, std::vector<ComputeTime>> by_kind;
      for (const GpuSpeed& speed : speeds) {
        by_kind[speed.kind] = compute_times(program, draft_.timer(speed.kind));
      }
      for (std::size_t i = 0; i < program.segments.size(); ++i) {
        known->second.push_back(slowest(speeds, [&](int kind) { return by_kind.at(kind)[i]; }));
      }
    }
    return known->second;
  }

  /// Which of the groups make that exchange.
  std::vector<GroupClassId> of_sort(const std::vector<GroupClassId>& groups,
                                    const Segment& exchange) const {
    std::vector<GroupClassId> found;
    for (const GroupClassId id : groups) {
      if (draft_.group(id).sort == GroupSort{exchange.axes, Span::All}) {
        found.push_back(id);
      }
    }
    return found;
  }

  // ---- tasks

  /// A pass without work, as the weights' gradients of an embedding alone: what comes next waits
  /// for what came before.
  static Slice nothing(const std::vector<Tasks>& before) {
    return {std::vector<Tasks>(before.size()), before};
  }

  /// The slice as one task.
  Slice add_run(const StageGroup& passing, const ProgramSlice& slice, const Action& action) {
    auto known = slice_durations_.find(slice);
    if (known == slice_durations_.end()) {
      const PlayedProgram& played = program(slice.program);
      const Seconds total =
          play_alone(played.program, slice.first, slice.last, played.durations).total;
      known = slice_durations_.emplace(slice, total).first;
    }
    const TaskId run = graph().add({.kind = TaskKind::Run,
                                    .duration = known->second,
                                    .name = names_[action.kind],
                                    .action = action,
                                    .slice = slice},
                                   passing.rank_classes);
    return {{{run}}, {{run}}};
  }

  /// The slice segment by segment: compute on every class of ranks, collectives of all together.
  Slice add_segments(const StageGroup& passing, const std::vector<PlayedProgramId>& programs,
                     const ProgramSlice& slice, const Action& action) {
    const std::size_t classes = passing.rank_classes.size();
    Slice added{std::vector<Tasks>(classes), std::vector<Tasks>(classes)};
    std::vector<std::vector<PlacedSegment>> made;  // by segment and class of ranks
    std::map<AxisSet, std::size_t> last_of_stream;
    for (std::size_t i = slice.first; i < slice.last; ++i) {
      const Segment& segment = program(slice.program).program.segments[i];
      std::vector<std::size_t> before;
      for (const std::size_t earlier : segment.after) {
        if (earlier >= slice.first) {
          before.push_back(earlier - slice.first);
        }
      }
      const auto [previous, is_first] = last_of_stream.try_emplace(segment.stream());
      if (!is_first) {
        before.push_back(previous->second);
      }
      previous->second = i - slice.first;
      made.push_back(segment.is_compute
                         ? add_compute_segment(passing, programs, i, action)
                         : add_collective_segment(passing, slice.program, i, action));
      for (std::size_t u = 0; u < classes; ++u) {
        for (const std::size_t earlier : before) {
          draft_.wait_for(made[earlier][u].last, made.back()[u].first);
        }
        if (before.empty()) {
          added.entries[u].push_back(made.back()[u].first);
        }
      }
    }
    for (std::size_t u = 0; u < classes; ++u) {
      for (const auto& [stream, last] : last_of_stream) {
        const Tasks& ends = made[last][u].last;
        added.exits[u].insert(added.exits[u].end(), ends.begin(), ends.end());
      }
    }
    return added;
  }

  std::vector<PlacedSegment> add_compute_segment(const StageGroup& passing,
                                                 const std::vector<PlayedProgramId>& programs,
                                                 std::size_t i, const Action& action) {
    std::vector<PlacedSegment> placed;
    for (std::size_t u = 0; u < passing.rank_classes.size(); ++u) {
      const PlayedProgramId id = programs.size() == 1 ? programs[0] : programs[u];
      const TaskId task = graph().add({.kind = TaskKind::Compute,
                                       .duration = program(id).durations[i],
                                       .name = program(id).names[i],
                                       .action = action,
                                       .compute = program(id).compute[i]},
                                      {passing.rank_classes[u]});
      placed.push_back({task, {task}});
    }
    return placed;
  }

  std::vector<PlacedSegment> add_collective_segment(const StageGroup& passing, PlayedProgramId id,
                                                    std::size_t i, const Action& action) {
    const Segment& segment = program(id).program.segments[i];
    std::vector<PlacedSegment> placed(passing.rank_classes.size());
    for (const GroupClassId group : of_sort(passing.groups, segment)) {
      const CommunicationId communication = draft_.communication(group, segment.demand);
      PlacedCommunication made =
          draft_.add_communication(communication, program(id).names[i], action);
      const std::vector<RankClassId>& classes = draft_.group(group).rank_classes;
      for (std::size_t u = 0; u < classes.size(); ++u) {
        placed[passing.lane_of(classes[u])] = {made.first, std::move(made.last[u])};
      }
    }
    return placed;
  }

  StepDraft& draft_;
  IdArray<ActionKind, NameId, kNames<ActionKind>.size()> names_{};
  std::map<ProgramKey, std::vector<ComputeTime>> compute_;
  std::map<std::pair<std::vector<GroupClassId>, ProgramKey>, PlayedProgramId>
      played_;  // by groups within passes
  std::map<ProgramSlice, Seconds> slice_durations_;
};

}  // namespace

void lower_passes(StepDraft& draft) {
  PassLowering lowering(draft);
  for (StageGroup& passing : draft.stage_groups()) {
    lowering.add_stage_group(passing);
  }
}

}  // namespace danlu
