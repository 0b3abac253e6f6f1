// Transfers between stages: activations forward, gradients backward. A stage issues its sends to
// one peer on one stream, so they follow one another in the order in which its passes made them;
// hence a group has at most one flow at a time, which the guaranteed rates of fold.hpp need.
#include <optional>

#include "sim/plan/step_draft.hpp"

namespace danlu {
namespace {

void add_transfers_of(StepDraft& draft, int id, Bytes bytes) {
  const GroupClass& transfer = draft.group(id);
  const bool forward = transfer.sort == kSendsOfActivations;
  const int from = transfer.units[0];
  const int to = transfer.units[1];
  Cell& sender = draft.cell_of(from);
  const std::size_t track = sender.track_of(from);
  const int info = draft.communication(id, CommunicationKind::Pipeline, CollectiveOp::SendReceive,
                                       "stage to stage", bytes);
  const NameId name = draft.graph().named(forward ? "send activation" : "send gradient");
  const Placement placement = draft.workload().placement();
  std::optional<TaskId> previous;
  for (std::size_t i = 0; i < sender.passes.size(); ++i) {
    const Action action = sender.passes[i].action;
    const std::optional<PlacedChunk> receiver =
        placement.receiver({sender.stage, action.chunk}, forward);
    if (!(forward ? action.is_forward() : action.gives_gradient()) || !receiver) {
      continue;
    }
    const auto [first, ends] = draft.add_communication(info, name, action.microbatch);
    const TaskId last = ends[0].front();  // a message is one part
    draft.wait_for(sender.passes[i].exits[track], first);
    if (previous) {
      draft.graph().add_edge(*previous, first);
    }
    draft.let_go_on(last,
                    draft.pass_of(to, {action.kind, receiver->chunk, action.microbatch}).entries);
    if (!draft.workload().parallelism.overlap_pipeline) {
      if (i + 1 < sender.passes.size()) {
        draft.let_go_on(last, sender.passes[i + 1].entries);
      } else {
        sender.ends[track].push_back(last);
      }
    }
    previous = last;
  }
}

}  // namespace

void add_transfers(StepDraft& draft) {
  const ParallelismSpec& p = draft.workload().parallelism;
  const bool sliced = p.sequence || p.scatter_gather;
  const Bytes bytes = RankShape(draft.workload()).boundary() / (sliced ? p.tensor : 1);
  for (std::size_t id = 0; id < draft.folded().groups.size(); ++id) {
    if (draft.folded().groups[id].sort.is_transfer()) {
      add_transfers_of(draft, static_cast<int>(id), bytes);
    }
  }
}

}  // namespace danlu
