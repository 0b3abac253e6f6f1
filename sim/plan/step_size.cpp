// How large a step will be, before it is made: counted as it is planned, pass by pass of each cell.
#include <algorithm>

#include "sim/plan/step_draft.hpp"

namespace danlu {
namespace {

/// Segments of both passes of one layer.
struct LayerSegments {
  double compute = 0, collectives = 0;

  double all() const { return compute + collectives; }
};

LayerSegments segments_of_layer(const Workload& w, const ModelBlocks& model) {
  LayerSegments found;
  const Chunk layer{.layers = {0}};
  for (const Program& program :
       {forward_program(w, model, layer), backward_program(w, model, layer)}) {
    for (const Segment& segment : program.segments) {
      ++(segment.is_compute ? found.compute : found.collectives);
    }
  }
  return found;
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
  const LayerSegments layer = segments_of_layer(w, build_model(w));
  StepSize size{.tasks = 2 * passes_each_way(w) * w.parallelism.pipeline};
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    size.segments += layer.all() * w.layers_per_chunk(stage) * kinds_of_chunks(w, stage);
  }
  return size;
}

StepSize size_of(StepDraft& draft) {
  const Workload& w = draft.workload();
  const LayerSegments layer = segments_of_layer(w, draft.model());
  const bool overlap = w.parallelism.overlap_data;
  StepSize size;
  for (const Cell& cell : draft.cells()) {
    const double layers = w.layers_per_chunk(cell.stage);
    const auto units = static_cast<double>(cell.units.size());
    const double programs =
        kinds_of_chunks(w, cell.stage) *
        static_cast<double>(cell.fused ? 1 : cell.units.size());  // by the speed of its ranks
    size.segments += layer.all() * layers * programs;
    size.tasks += cell.fused
                      ? 2 * passes_each_way(w) + (overlap ? layers * w.training.chunks : 0)
                      : passes_each_way(w) * layers * (layer.compute * units + layer.collectives);
  }
  for (const GroupClass& group : draft.folded().groups) {
    const int stage = draft.unit(group.units[0]).stage;
    size.tasks += group.sort.is_transfer() ? passes_each_way(w)
                  : group.sort == kReplicaGroups && overlap
                      ? static_cast<double>(w.stage_layers(stage))
                      : 1;
  }
  return size;
}

}  // namespace danlu
