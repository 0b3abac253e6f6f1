// The end of a step (StageProgram::ends) as tasks: exchanges of all groups of their sort, updates
// of every class of ranks, each behind what its stage says that it waits for.
#include <algorithm>
#include <map>
#include <utility>

#include "sim/plan/step_draft.hpp"

namespace danlu {
namespace {

class EndLowering {
 public:
  explicit EndLowering(StepDraft& draft) : draft_(draft), done_(draft.folded().units.size()) {
    for (const StageProgram& stage : draft.step().stages) {
      Places& places = places_.emplace_back();
      for (std::size_t i = 0; i < stage.ends.size(); ++i) {
        places[stage.ends[i].name].push_back(i);
      }
    }
    for (std::size_t u = 0; u < done_.size(); ++u) {
      done_[u].resize(ends_of(static_cast<int>(u)).size());
    }
  }

  void add() {
    for (const std::string& name : names()) {
      for (std::size_t id = 0; id < draft_.folded().groups.size(); ++id) {
        add_exchanges(static_cast<int>(id), name);
      }
      for (std::size_t u = 0; u < done_.size(); ++u) {
        add_update(static_cast<int>(u), name);
      }
    }
  }

 private:
  using Places = std::map<std::string, std::vector<std::size_t>>;

  const std::vector<EndStep>& ends_of(int unit) const {
    return draft_.stage(draft_.unit(unit).stage).ends;
  }
  /// Where the end steps of that name stand among those of the unit's stage.
  const std::vector<std::size_t>& places(int unit, const std::string& name) {
    return places_[static_cast<std::size_t>(draft_.unit(unit).stage)][name];
  }
  /// Of all stages, in order: a stage that lacks one has the others in the same order.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const StageProgram& stage : draft_.step().stages) {
      auto at = found.begin();
      for (const EndStep& end : stage.ends) {
        const auto known = std::find(found.begin(), found.end(), end.name);
        at = known == found.end() ? found.insert(at, end.name) + 1 : std::max(at, known + 1);
      }
    }
    return found;
  }

  void add_exchanges(int id, const std::string& name) {
    const GroupClass& group = draft_.group(id);
    const std::vector<std::size_t>& first = places(group.units[0], name);
    for (std::size_t n = 0; n < first.size(); ++n) {
      const EndStep& end = ends_of(group.units[0])[first[n]];
      if (end.sort != group.sort) {
        continue;
      }
      PlacedCommunication made =
          draft_.add_communication(draft_.communication(id, {end.op, end.bytes}), name);
      for (std::size_t u = 0; u < group.units.size(); ++u) {
        const int unit = group.units[u];
        const std::size_t at = places(unit, name)[n];
        wait(unit, ends_of(unit)[at], made.first);
        done_[static_cast<std::size_t>(unit)][at] = std::move(made.last[u]);
      }
    }
  }

  void add_update(int unit, const std::string& name) {
    for (const std::size_t at : places(unit, name)) {
      const EndStep& end = ends_of(unit)[at];
      if (end.sort) {
        return;
      }
      const ComputeTime time = slowest(draft_.unit(unit).speeds, [&](int kind) {
        return draft_.timer(kind).optimizer_time(end.bytes);
      });
      const TaskId task = draft_.graph().add({.kind = TaskKind::Compute,
                                              .duration = time.total(),
                                              .name = draft_.graph().named(name),
                                              .compute = time},
                                             {unit});
      wait(unit, end, task);
      done_[static_cast<std::size_t>(unit)][at] = {task};
    }
  }

  void wait(int unit, const EndStep& end, TaskId task) {
    const StageGroup& passing = draft_.group_of(unit);
    const std::size_t lane = passing.lane_of(unit);
    if (end.layer) {
      const Pass& pass = passing.passes[static_cast<std::size_t>(end.layer->pass)];
      draft_.wait_for(pass.layer_exits[static_cast<std::size_t>(end.layer->layer)][lane], task);
    } else {
      draft_.wait_for(passing.ends[lane], task);
    }
    for (const int before : end.after) {
      draft_.wait_for(done_[static_cast<std::size_t>(unit)][static_cast<std::size_t>(before)],
                      task);
    }
  }

  StepDraft& draft_;
  std::vector<Places> places_;            // of end steps by name, by stage
  std::vector<std::vector<Tasks>> done_;  // by unit and end step: what it ends with there
};

}  // namespace

void lower_ends(StepDraft& draft) {
  EndLowering(draft).add();
}

}  // namespace danlu
