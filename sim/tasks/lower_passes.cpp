// The passes of a step: what each stage group computes, pass after pass in the order of its
// schedule. A pass is one task where nobody can disturb it and its ranks are equally fast
// (StageGroup::fused), one for each lane where they are not (joint), else one per segment: compute
// of every lane, an exchange of each group of its sort.
#include <algorithm>

#include "sim/program/host.hpp"
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
    HostLine hosts = host_line(passing);
    if (hosts.launched != LaunchedBy::Ahead) {
      passing.joint = false;
      hosts.last.resize(passing.lanes());
    }
    std::vector<Tasks> previous(passing.lanes());
    std::map<ProgramId, std::vector<PlayedProgramId>> played;
    joint_slices_.clear();
    draft_.begin_strand(passing.stage);
    for (const StagePass& made : draft_.stage(passing.stage).passes) {
      const auto [known, is_new] = played.try_emplace(made.program);
      if (is_new) {
        known->second = programs_of(passing, made.program);
      }
      const std::vector<PlayedProgramId>& programs = known->second;
      Pass pass{.action = made.action, .beside = made.beside};
      draft_.add_to_strand(passing.passes.next_id());
      for (const ProgramSlice& slice :
           made.cut_at_layers ? layer_slices(programs[0]) : std::vector{whole(programs[0])}) {
        hosts.begins = true;
        Slice added = slice.first == slice.last ? nothing(previous)
                      : passing.fused           ? add_run(passing, slice, made, hosts)
                      : passing.joint ? add_joint_run(passing, programs, slice, made, hosts)
                                      : add_segments(passing, programs, slice, made, hosts);
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
        if (made.cut_at_layers) {
          pass.layer_exits.push_back(added.exits);
        }
        pass.exits = std::move(added.exits);
      }
      passing.passes.push_back(std::move(pass));
    }
    draft_.end_strand();
    for (std::size_t u = 0; u < passing.rank_classes.size(); ++u) {
      passing.ends.push_back(previous[passing.fused ? 0 : u]);
    }
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

  /// What the hosts of a stage group have launched so far.
  struct HostLine {
    LaunchedBy launched = LaunchedBy::Ahead;
    std::vector<std::optional<TaskId>> last{};  // by lane
    bool begins = false;                        // a slice
  };

  // ---- hosts

  /// A host that keeps up with all passes of its stage has launched each of them in time, but for
  /// the step's very first kernel, and is not played. One that waits for the GPU begins with every
  /// slice of a pass; so does one that waits within passes, and cannot be far ahead.
  HostLine host_line(const StageGroup& passing) {
    const HostSpec& host = draft_.workload().host;
    HostLine line{.last = std::vector<std::optional<TaskId>>(passing.lanes())};
    if (!host.is_there()) {
      return line;
    }
    const ParallelismSpec& split = draft_.workload().parallelism;
    const bool waits =
        host.waits == HostWait::AfterPass ||
        (host.waits == HostWait::AfterSend && split.pipeline > 1 && !split.overlap_pipeline);
    line.launched = waits ? LaunchedBy::Together : LaunchedBy::Ahead;
    for (const StagePass& made : draft_.stage(passing.stage).passes) {
      for (const PlayedProgramId id : programs_of(passing, made.program)) {
        if (program(id).costs.launches.waits_within()) {
          line.launched = LaunchedBy::Together;
        } else if (line.launched == LaunchedBy::Ahead && !host_keeps_up(id)) {
          line.launched = LaunchedBy::Task;
        }
      }
    }
    return line;
  }

  bool host_keeps_up(PlayedProgramId id) {
    const auto [known, is_new] = keeps_up_.try_emplace(id);
    if (is_new) {
      std::vector<Seconds> compute;
      for (const ComputeTimeId time : program(id).compute) {
        compute.push_back(graph().compute_times[time].total());
      }
      known->second = keeps_up(*program(id).program, program(id).costs.launches, compute);
    }
    return known->second;
  }

  /// Adds what the host of a lane launches next, before which it may wait for the GPU.
  TaskId add_launch(HostLine& hosts, std::size_t lane, Seconds duration, bool waits,
                    const StagePass& pass, std::vector<RankClassId> ranks, Tasks& entries) {
    const bool enters = hosts.begins && hosts.launched == LaunchedBy::Together;
    std::optional<TaskId>& last = hosts.last[lane];
    if (last && duration == Seconds{} && !enters && !waits) {
      return *last;  // of a graph, launched before
    }
    const TaskId launch = graph().add({.kind = TaskKind::Host,
                                       .duration = duration,
                                       .name = graph().named("launch"),
                                       .action = pass.action},
                                      std::move(ranks));
    if (last) {
      graph().add_edge(*last, launch);
    }
    if (enters) {
      entries.push_back(launch);
    }
    last = launch;
    return launch;
  }

  // ---- programs

  ProgramSlice whole(PlayedProgramId id) const {
    return {id, 0, program(id).program->segments.size()};
  }
  /// One slice per layer; what comes before the first layer and after the last goes with it. Ends
  /// of the model without layers are one.
  std::vector<ProgramSlice> layer_slices(PlayedProgramId id) const {
    std::vector<ProgramSlice> slices;
    std::size_t first = 0;
    if (program(id).program->layer_ends.empty()) {
      return {whole(id)};
    }
    for (const std::size_t end : program(id).program->layer_ends) {
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
    std::shared_ptr<const Program>& program = programs_[key.first];
    if (!program) {
      program = std::make_shared<const Program>(draft_.step().programs[key.first]);
    }
    PlayedProgram played{.program = program, .compute = compute_of(key)};
    played.costs.launches = launches_of(*program, draft_.workload().host);
    for (std::size_t i = 0; i < played.program->segments.size(); ++i) {
      const Segment& segment = played.program->segments[i];
      played.names.push_back(graph().named(segment.name));
      std::optional<CommunicationId>& communication = played.communications.emplace_back();
      if (!segment.is_compute) {
        communication = draft_.communication(of_sort(groups, segment).front(), segment.demand);
      }
      const ComputeTime& compute = graph().compute_times[played.compute[i]];
      played.costs.durations.push_back(communication ? graph().communications[*communication].alone
                                                     : compute.total());
      played.costs.bounds.push_back(compute.bounds());
      played.costs.taken.push_back(communication ? graph().communications[*communication].taken
                                                 : GpuShare{});
    }
    const PlayedProgramId id = graph().programs.push_back(std::move(played));
    played_[{groups, key}] = id;
    return id;
  }

  /// By segment: as long as on the slowest of the GPUs. Here kernels get their times. Segments that
  /// take the same share them.
  const std::vector<ComputeTimeId>& compute_of(const ProgramKey& key) {
    const auto [known, is_new] = compute_.try_emplace(key);
    if (is_new) {
      const auto& [number, speeds] = key;
      const Program& program = draft_.step().programs[number];
      std::map<int, std::vector<ComputeTime>> by_kind;
      for (const GpuSpeed& speed : speeds) {
        by_kind[speed.kind] = compute_times(program, draft_.timer(speed.kind));
      }
      for (std::size_t i = 0; i < program.segments.size(); ++i) {
        const ComputeTime time = slowest(speeds, [&](int kind) { return by_kind.at(kind)[i]; });
        const auto like = std::find_if(
            known->second.begin(), known->second.end(),
            [&](ComputeTimeId earlier) { return graph().compute_times[earlier] == time; });
        known->second.push_back(
            like != known->second.end() ? *like : graph().compute_times.push_back(time));
      }
    }
    return known->second;
  }

  /// Which of the groups make that exchange.
  std::vector<GroupClassId> of_sort(const std::vector<GroupClassId>& groups,
                                    const Segment& exchange) const {
    std::vector<GroupClassId> found;
    for (const GroupClassId id : groups) {
      if (draft_.group(id).sort == exchange.sort()) {
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
  Slice add_run(const StageGroup& passing, const ProgramSlice& slice, const StagePass& pass,
                HostLine& hosts) {
    Slice added{{{}}, {{}}};
    Task run = run_of(slice, pass);
    run.open = passing.open;
    add_lane(run, 0, passing.rank_classes, pass, hosts, added);
    return added;
  }

  Task run_of(const ProgramSlice& slice, const StagePass& pass) {
    const SliceDurations& durations = durations_of(slice);
    return {.kind = TaskKind::Run,
            .duration = durations.alone,
            .name = names_[pass.action.kind],
            .action = pass.action,
            .beside = pass.beside,
            .slice = slice,
            .with_host = durations.with_host};
  }

  /// Adds a run to a lane, behind its host.
  TaskId add_lane(Task run, std::size_t lane, const std::vector<RankClassId>& ranks,
                  const StagePass& pass, HostLine& hosts, Slice& added) {
    run.launched = hosts.launched;
    const std::optional<TaskId> before = hosts.last[lane];
    if (hosts.launched == LaunchedBy::Task) {
      run.host = add_launch(hosts, lane, durations_of(run.slice).launches, false, pass, ranks,
                            added.entries[lane]);
      graph().tasks[*run.host].is_of_run = true;
    }
    const TaskId task = graph().add(run, ranks);
    if (before) {
      graph().add_edge(*before, task);
    }
    added.entries[lane].push_back(task);
    added.exits[lane] = {task};
    return task;
  }

  /// A slice as the lanes of a stage group play it, in all passes alike: by lane, tasks but for
  /// their action.
  struct JointSlice {
    std::vector<Task> heads;  // what they compute before they meet; or empty
    std::vector<Task> runs;
    std::optional<LaneSlicesId> slices{};  // none: they never meet
  };

  /// What lanes compute before they first meet is a task of its own where all the rest begins
  /// together, which then takes the same time in every pass.
  const JointSlice& joint_slice(const StageGroup& passing,
                                const std::vector<PlayedProgramId>& programs,
                                const ProgramSlice& slice, const StagePass& pass) {
    const auto [known, is_new] = joint_slices_.try_emplace(slice);
    JointSlice& joint = known->second;
    if (!is_new) {
      return joint;
    }
    const Program& played = *program(slice.program).program;
    const std::size_t meeting = first_meeting(played, slice.first, slice.last);
    LaneSlices lanes{.begins_together = meeting < slice.last};
    for (std::size_t u = 0; u < passing.rank_classes.size(); ++u) {
      ProgramSlice own = slice;
      own.program = programs[programs.size() == 1 ? 0 : u];
      if (slice.first < meeting && meeting < slice.last) {
        joint.heads.push_back(run_of({own.program, own.first, meeting}, pass));
        own.first = meeting;
      }
      joint.runs.push_back(run_of(own, pass));
      lanes.slices.push_back(own);
    }
    if (std::any_of(played.segments.begin() + static_cast<std::ptrdiff_t>(slice.first),
                    played.segments.begin() + static_cast<std::ptrdiff_t>(slice.last),
                    [](const Segment& segment) { return !segment.is_compute; })) {
      const auto [id, is_first] = lane_slices_.try_emplace(lanes, graph().lane_slices.next_id());
      joint.slices = id->second;
      if (is_first) {
        graph().lane_slices.push_back(std::move(lanes));
      }
    }
    return joint;
  }

  /// The slice as a task for each lane, or two.
  Slice add_joint_run(const StageGroup& passing, const std::vector<PlayedProgramId>& programs,
                      const ProgramSlice& slice, const StagePass& pass, HostLine& hosts) {
    const std::size_t classes = passing.rank_classes.size();
    const JointSlice& joint = joint_slice(passing, programs, slice, pass);
    Slice added{std::vector<Tasks>(classes), std::vector<Tasks>(classes)};
    const auto add = [&](Task run, std::size_t lane, Slice& to) {
      run.name = names_[pass.action.kind];
      run.action = pass.action;
      run.beside = pass.beside;
      return add_lane(run, lane, {passing.rank_classes[lane]}, pass, hosts, to);
    };
    for (std::size_t u = 0; u < joint.heads.size(); ++u) {
      add(joint.heads[u], u, added);
    }
    std::optional<JointRunId> id;
    if (joint.slices) {
      id = graph().joint_runs.push_back({.slices = *joint.slices});
    }
    Slice last{std::vector<Tasks>(classes), std::vector<Tasks>(classes)};
    for (std::size_t u = 0; u < classes; ++u) {
      const TaskId task = add(joint.runs[u], u, last);
      graph().tasks[task].joint = id;
      if (id) {
        graph().joint_runs[*id].lanes.push_back(task);
      }
      draft_.wait_for(added.exits[u], task);
    }
    return {std::move(joint.heads.empty() ? last.entries : added.entries), std::move(last.exits)};
  }

  /// Of a slice: with a host that is never late, with one that begins when it does, and of that.
  struct SliceDurations {
    Seconds alone, with_host, launches;
  };
  const SliceDurations& durations_of(const ProgramSlice& slice) {
    const auto [known, is_new] = slice_durations_.try_emplace(slice);
    if (is_new) {
      const PlayedProgram& played = program(slice.program);
      const auto total = [&](std::optional<Seconds> lead) {
        return graph().run_times(slice, lead, {}).total;
      };
      known->second = {.alone = total({}), .with_host = total(Seconds{})};
      const Launches& launches = played.costs.launches;
      for (std::size_t i = slice.first; i < slice.last && !launches.empty(); ++i) {
        known->second.launches += launches.times[i];
      }
    }
    return known->second;
  }

  /// The slice segment by segment: compute on every class of ranks, collectives of all together.
  Slice add_segments(const StageGroup& passing, const std::vector<PlayedProgramId>& programs,
                     const ProgramSlice& slice, const StagePass& pass, HostLine& hosts) {
    const std::size_t classes = passing.rank_classes.size();
    Slice added{std::vector<Tasks>(classes), std::vector<Tasks>(classes)};
    std::vector<std::vector<PlacedSegment>> made;  // by segment and class of ranks
    std::map<GroupSort, std::size_t> last_of_stream;
    for (std::size_t i = slice.first; i < slice.last; ++i) {
      const Segment& segment = program(slice.program).program->segments[i];
      const Action& action = segment.beside ? *pass.beside : pass.action;
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
        if (hosts.launched != LaunchedBy::Ahead) {
          const Launches& launches = program(programs[programs.size() == 1 ? 0 : u]).costs.launches;
          const TaskId host = add_launch(hosts, u, launches.times[i], launches.wait[i], pass,
                                         {passing.rank_classes[u]}, added.entries[u]);
          graph().add_edge(host, made.back()[u].first);
          for (const std::size_t earlier : launches.wait[i] ? before : std::vector<std::size_t>{}) {
            draft_.wait_for(made[earlier][u].last, host);
          }
        }
      }
      hosts.begins = false;
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
                                       .duration = program(id).costs.durations[i],
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
    const Segment& segment = program(id).program->segments[i];
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
  std::map<ProgramKey, std::vector<ComputeTimeId>> compute_;
  std::map<ProgramId, std::shared_ptr<const Program>> programs_;
  std::map<std::pair<std::vector<GroupClassId>, ProgramKey>, PlayedProgramId>
      played_;  // by groups within passes
  std::map<ProgramSlice, SliceDurations> slice_durations_;
  std::map<LaneSlices, LaneSlicesId> lane_slices_;
  std::map<ProgramSlice, JointSlice> joint_slices_;  // of one stage group
  std::map<PlayedProgramId, bool> keeps_up_;
};

}  // namespace

void lower_passes(StepDraft& draft) {
  PassLowering lowering(draft);
  for (StageGroup& passing : draft.stage_groups()) {
    lowering.add_stage_group(passing);
  }
}

}  // namespace danlu
