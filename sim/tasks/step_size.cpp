// How large a step will be, before its tasks are made: read off the program of the step.
#include <algorithm>
#include <set>
#include <tuple>

#include "sim/tasks/step_draft.hpp"

namespace danlu {
namespace {

struct Segments {
  double compute = 0, collectives = 0;

  double all() const { return compute + collectives; }
};

Segments segments_of(const Program& program) {
  Segments found;
  for (const Segment& segment : program.segments) {
    ++(segment.is_compute ? found.compute : found.collectives);
  }
  return found;
}

/// Of both passes of one layer.
Segments segments_of_layer(const Workload& w, const ModelBlocks& model) {
  const Chunk layer{.layers = {LayerKindId{}}};
  const Segments forward = segments_of(make_program(w, model, layer, ActionKind::Forward));
  const Segments backward = segments_of(make_program(w, model, layer, ActionKind::Backward));
  return {forward.compute + backward.compute, forward.collectives + backward.collectives};
}

/// Passes of all stages in one direction.
double passes_each_way(const Workload& w) {
  return static_cast<double>(w.microbatches()) * w.placement().parts();
}

/// Layers of the programs in each direction: chunks that hold as many, and as much of the model's
/// ends, have one.
double layers_of_programs(const Workload& w, int stage) {
  const Placement placement = w.placement();
  std::set<std::tuple<int, bool, bool>> kinds;
  double layers = 0;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const PlacedChunk at{stage, chunk};
    const int own = w.layers_at(at);
    if (kinds.emplace(own, placement.is_first(at), placement.is_last(at)).second) {
      layers += own;
    }
  }
  return layers;
}

/// Tasks of a pass that nothing disturbs.
double runs_of(const Program& program, bool cut_at_layers) {
  if (program.segments.empty()) {
    return 0;
  }
  return cut_at_layers ? std::max(1.0, static_cast<double>(program.layer_ends.size())) : 1;
}

/// Of a joint run: what it computes before the lanes meet may be a task of its own.
double tasks_of_lane(const Program& program) {
  const std::size_t last = program.segments.size();
  const std::size_t meeting = first_meeting(program, 0, last);
  return 0 < meeting && meeting < last ? 2 : 1;
}

bool jitters(const StepDraft& draft, const StageGroup& passing) {
  return std::any_of(passing.rank_classes.begin(), passing.rank_classes.end(),
                     [&](RankClassId id) { return draft.ranks(id).jitters; });
}

}  // namespace

StepSize least_size(const Workload& w) {
  const Segments layer = segments_of_layer(w, build_model(w));
  StepSize size{.tasks = 2 * passes_each_way(w)};
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    size.segments += layer.all() * layers_of_programs(w, stage);
  }
  return size;
}

StepSize size_of(StepDraft& draft) {
  const IdVector<ProgramId, Program>& programs = draft.step().programs;
  IdVector<ProgramId, Segments> parts;
  IdVector<ProgramId, double> lane_tasks;
  for (const Program& program : programs) {
    parts.push_back(segments_of(program));
    lane_tasks.push_back(tasks_of_lane(program));
  }
  StepSize size;
  for (const StageGroup& passing : draft.stage_groups()) {
    const auto classes = static_cast<double>(passing.rank_classes.size());
    std::set<std::vector<GpuSpeed>> speeds;
    for (const RankClassId id : passing.rank_classes) {
      speeds.insert(draft.ranks(id).speeds);
    }
    std::set<ProgramId> made;
    for (const StagePass& pass : draft.stage(passing.stage).passes) {
      const double runs = runs_of(programs[pass.program], pass.cut_at_layers);
      const double each =
          passing.joint ? runs * classes * lane_tasks[pass.program]
                        : parts[pass.program].compute * classes + parts[pass.program].collectives;
      size.tasks += passing.fused && !passing.open ? runs : each;
      size.opened += passing.fused ? runs : each;
      if ((passing.joint || passing.fused) && jitters(draft, passing)) {
        size.drawn += parts[pass.program].all() * classes;
      }
      if (made.insert(pass.program).second) {  // by the speed of its ranks
        size.segments += parts[pass.program].all() * static_cast<double>(speeds.size());
      }
    }
  }
  for (const GroupClass& group : draft.folded().groups) {
    const StageProgram& stage = draft.stage(draft.ranks(group.rank_classes[0]).stage);
    const bool next = group.sort == kSendsOn;
    const auto others = static_cast<double>(
        group.sort.is_transfer()
            ? std::count_if(stage.sends.begin(), stage.sends.end(),
                            [&](const Send& send) { return send.next == next; })
            : std::count_if(stage.ends.begin(), stage.ends.end(),
                            [&](const EndStep& end) { return end.sort == group.sort; }));
    size.tasks += others;
    size.opened += others;
  }
  return size;
}

StepSize size_with_jitter(const StepPlan& calm, const Workload& workload, const Jitter& jitter) {
  IdVector<RankClassId, StepSize> of_rank(calm.fold.rank_classes.size());
  for (const TaskId id : calm.graph.tasks.ids()) {
    const Task& task = calm.graph.tasks[id];
    for (const RankClassId ranks : calm.graph.participants.of(id)) {
      if (task.kind == TaskKind::Run) {
        const Program& program = *calm.graph.programs[task.slice.program].program;
        of_rank[ranks].tasks += workload.parallelism.tensor > 1 ? tasks_of_lane(program) : 1;
      }
      of_rank[ranks].tasks += task.kind == TaskKind::Compute ? 1 : 0;
      of_rank[ranks].drawn += static_cast<double>(task.slice.last - task.slice.first);
    }
  }
  const Mesh mesh = workload.mesh();
  const int tensor = workload.parallelism.tensor;
  StepSize size;
  for (int first = 0; first < mesh.world_size(); first += tensor) {  // tensor ranks are in a row
    StepSize group;
    bool jitters = false;
    for (int rank = first; rank < first + tensor; ++rank) {
      const StepSize& own = of_rank[calm.fold.class_of_rank[RankId{rank}]];
      group.tasks += own.tasks;
      group.drawn += own.drawn;
      jitters = jitters || jitter.shakes(static_cast<int>(index(mesh.gpu(rank))));
    }
    size.tasks += jitters ? group.tasks : 0;
    size.drawn += jitters ? group.drawn : 0;
  }
  return size;
}

}  // namespace danlu
