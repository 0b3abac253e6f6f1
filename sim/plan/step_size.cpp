// How large a step will be, before its tasks are made: read off the program of the step.
#include <algorithm>
#include <set>

#include "sim/plan/step_draft.hpp"

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
  const Chunk layer{.layers = {0}};
  const Segments forward = segments_of(forward_program(w, model, layer));
  const Segments backward = segments_of(backward_program(w, model, layer));
  return {forward.compute + backward.compute, forward.collectives + backward.collectives};
}

/// Passes of a stage in one direction.
double passes_each_way(const Workload& w) {
  return static_cast<double>(w.microbatches()) * w.training.chunks;
}

/// Programs in each direction: of chunks with the model's beginning, its end, or neither.
double kinds_of_chunks(const Workload& w, int stage) {
  const Placement placement = w.placement();
  const bool ends = stage == placement.first_stage() || stage == placement.last_stage();
  return ends && w.training.chunks > 1 ? 2 : 1;
}

}  // namespace

StepSize least_size(const Workload& w) {
  const Segments layer = segments_of_layer(w, build_model(w));
  StepSize size{.tasks = 2 * passes_each_way(w) * w.parallelism.pipeline};
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    size.segments += layer.all() * w.layers_per_chunk(stage) * kinds_of_chunks(w, stage);
  }
  return size;
}

StepSize size_of(StepDraft& draft) {
  const std::vector<Program>& programs = draft.step().programs;
  std::vector<Segments> parts;
  for (const Program& program : programs) {
    parts.push_back(segments_of(program));
  }
  StepSize size;
  for (const Cell& cell : draft.cells()) {
    const auto classes = static_cast<double>(cell.rank_classes.size());
    std::set<int> made;
    for (const StagePass& pass : draft.stage(cell.stage).passes) {
      const auto number = static_cast<std::size_t>(pass.program);
      if (cell.fused) {
        size.tasks +=
            pass.cut_at_layers ? static_cast<double>(programs[number].layer_ends.size()) : 1;
      } else {
        size.tasks += parts[number].compute * classes + parts[number].collectives;
      }
      if (made.insert(pass.program).second) {  // by the speed of its ranks
        size.segments += parts[number].all() * (cell.fused ? 1 : classes);
      }
    }
  }
  for (const GroupClass& group : draft.folded().groups) {
    const StageProgram& stage = draft.stage(draft.ranks(group.rank_classes[0]).stage);
    size.tasks +=
        static_cast<double>(group.sort == kSendsOfActivations ? stage.activations.size()
                            : group.sort == kSendsOfGradients
                                ? stage.gradients.size()
                                : static_cast<std::size_t>(std::count_if(
                                      stage.ends.begin(), stage.ends.end(),
                                      [&](const EndStep& end) { return end.sort == group.sort; })));
  }
  return size;
}

}  // namespace danlu
