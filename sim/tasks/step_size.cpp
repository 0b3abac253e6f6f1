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
  for (const Program& program : programs) {
    parts.push_back(segments_of(program));
  }
  StepSize size;
  for (const StageGroup& passing : draft.stage_groups()) {
    const auto classes = static_cast<double>(passing.rank_classes.size());
    std::set<ProgramId> made;
    for (const StagePass& pass : draft.stage(passing.stage).passes) {
      const double runs = runs_of(programs[pass.program], pass.cut_at_layers);
      const double each =
          passing.joint ? runs * classes
                        : parts[pass.program].compute * classes + parts[pass.program].collectives;
      size.tasks += passing.fused && !passing.open ? runs : each;
      size.opened += passing.fused ? runs : each;
      if (made.insert(pass.program).second) {  // by the speed of its ranks
        size.segments += parts[pass.program].all() * (passing.fused && !passing.open ? 1 : classes);
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

}  // namespace danlu
