// Sends between stages: activations forward, gradients backward. A stage issues its sends to one
// peer on one stream, so they follow one another in the order in which its passes made them; hence
// a group has at most one flow at a time, which the guaranteed rates of fold.hpp need.
#include <map>
#include <optional>

#include "sim/tasks/step_draft.hpp"

namespace danlu {
namespace {

struct Names {
  NameId activation{}, gradient{};
};

void add_sends(StepDraft& draft, GroupClassId id, const Names& names) {
  const GroupClass& transfer = draft.group(id);
  const bool next = transfer.sort == kSendsOn;
  const RankClassId from = transfer.rank_classes[0];
  StageGroup& sender = draft.group_of(from);
  const StageGroup& receiver = draft.group_of(transfer.rank_classes[1]);
  const std::size_t lane = sender.lane_of(from);
  std::optional<TaskId> previous;
  std::map<double, CommunicationId> sorts;  // by arrays
  draft.begin_strand(sender.stage);
  for (const Send& send : draft.stage(sender.stage).sends) {
    if (send.next != next) {
      continue;
    }
    const Pass& pass = sender.passes[send.pass];
    const Action& action = send.beside ? *pass.beside : pass.action;
    const auto [sort, is_new] = sorts.try_emplace(send.arrays);
    if (is_new) {
      sort->second =
          draft.communication(id, {CollectiveOp::SendReceive, send.arrays * draft.step().sent});
    }
    draft.add_to_strand(send.pass);
    const auto [first, ends] = draft.add_communication(
        sort->second, action.is_forward() ? names.activation : names.gradient, action);
    const TaskId last = ends[0].front();  // a message is one part
    draft.wait_for(pass.exits[lane], first);
    if (previous) {
      draft.graph().add_edge(*previous, first);
    }
    draft.let_go_on(last, receiver.passes[send.taken].entries);
    if (!draft.workload().parallelism.overlap_pipeline) {
      if (send.pass < sender.passes.last_id()) {
        const PassId next_pass = make_id<PassId>(index(send.pass) + 1);
        draft.let_go_on(last, sender.passes[next_pass].entries);
      } else {
        sender.ends_of(from).push_back(last);
      }
    }
    previous = last;
  }
  draft.end_strand();
}

}  // namespace

void lower_sends(StepDraft& draft) {
  const Names names{draft.graph().named("send activation"), draft.graph().named("send gradient")};
  for (const GroupClassId id : draft.folded().groups.ids()) {
    if (draft.group(id).sort.is_transfer()) {
      add_sends(draft, id, names);
    }
  }
}

}  // namespace danlu
