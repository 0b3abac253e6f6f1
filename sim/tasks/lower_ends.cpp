// The end of a step (StageProgram::ends) as tasks: exchanges of all groups of their sort, updates
// of every class of ranks, each behind what its stage says that it waits for.
#include <algorithm>
#include <map>
#include <utility>

#include "sim/tasks/step_draft.hpp"

namespace danlu {
namespace {

class EndLowering {
 public:
  explicit EndLowering(StepDraft& draft)
      : draft_(draft), done_(draft.folded().rank_classes.size()) {
    for (const StageProgram& stage : draft.step().stages) {
      Places& places = places_.emplace_back();
      for (const EndId id : stage.ends.ids()) {
        places[stage.ends[id].name].push_back(id);
      }
    }
    for (const RankClassId ranks : done_.ids()) {
      done_[ranks].resize(ends_of(ranks).size());
    }
  }

  void add() {
    for (const std::string& name : names()) {
      for (const GroupClassId id : draft_.folded().groups.ids()) {
        add_exchanges(id, name);
      }
      for (const RankClassId ranks : done_.ids()) {
        add_update(ranks, name);
      }
    }
    for (const auto& [ranks, before, task] : waits_) {
      draft_.wait_for(done_[ranks][before], task);
    }
  }

 private:
  using Places = std::map<std::string, std::vector<EndId>>;

  const IdVector<EndId, EndStep>& ends_of(RankClassId ranks) const {
    return draft_.stage(draft_.ranks(ranks).stage).ends;
  }
  /// Where the end steps of that name stand among those of the ranks' stage.
  const std::vector<EndId>& places(RankClassId ranks, const std::string& name) {
    return places_[static_cast<std::size_t>(draft_.ranks(ranks).stage)][name];
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

  void add_exchanges(GroupClassId id, const std::string& name) {
    const GroupClass& group = draft_.group(id);
    const std::vector<EndId>& first = places(group.rank_classes[0], name);
    for (std::size_t n = 0; n < first.size(); ++n) {
      const EndStep& end = ends_of(group.rank_classes[0])[first[n]];
      if (end.sort != group.sort) {
        continue;
      }
      PlacedCommunication made =
          draft_.add_communication(draft_.communication(id, {end.op, end.bytes}), name);
      for (std::size_t i = 0; i < group.rank_classes.size(); ++i) {
        const RankClassId ranks = group.rank_classes[i];
        const EndId at = places(ranks, name)[n];
        wait(ranks, ends_of(ranks)[at], made.first);
        done_[ranks][at] = std::move(made.last[i]);
        hold_back(ranks, ends_of(ranks)[at].ahead_of, done_[ranks][at]);
      }
    }
  }

  void add_update(RankClassId ranks, const std::string& name) {
    for (const EndId at : places(ranks, name)) {
      const EndStep& end = ends_of(ranks)[at];
      if (end.sort) {
        return;
      }
      const bool on_host = end.on_host > 0 || end.launched > Seconds{};
      const ComputeTime time =
          on_host ? host_time(end) : slowest(draft_.ranks(ranks).speeds, [&](int kind) {
            return draft_.timer(kind).optimizer_time(end.bytes, end.products);
          });
      const ComputeTimeId compute = draft_.graph().compute_times.push_back(time);
      const TaskId task = draft_.graph().add({.kind = TaskKind::Compute,
                                              .duration = time.total(),
                                              .name = draft_.graph().named(name),
                                              .compute = compute,
                                              .on_host = on_host},
                                             {ranks});
      wait(ranks, end, task);
      done_[ranks][at] = {task};
    }
  }

  /// Launches, or an update: all ranks of a node share its CPUs, and update at the same time.
  ComputeTime host_time(const EndStep& end) const {
    const ClusterSpec& cluster = draft_.cluster().spec;
    const int sharing = std::min(cluster.gpus, cluster.topology.gpus_per_node);
    ComputeTime time;
    time[ComputePart::Host] = end.launched;
    time[ComputePart::Optimizer] = {end.on_host * sharing / draft_.workload().offload.update_rate};
    return time;
  }

  void wait(RankClassId ranks, const EndStep& end, TaskId task) {
    StageGroup& passing = draft_.group_of(ranks);
    const std::size_t lane = passing.lane_of(ranks);
    if (end.ahead_of) {
      // begins with the step
    } else if (end.layer) {
      const Pass& pass = passing.passes[end.layer->pass];
      draft_.wait_for(pass.layer_exits.empty() ? pass.exits[lane]  // of a pair
                                               : pass.layer_exits[end.layer->layer][lane],
                      task);
    } else {
      draft_.wait_for(passing.ends_of(ranks), task);
    }
    for (const EndId before : end.after) {
      waits_.push_back({ranks, before, task});
    }
  }

  /// Lets a pass wait for what travels ahead of it.
  void hold_back(RankClassId ranks, std::optional<PassId> pass, const Tasks& done) {
    if (pass) {
      for (const TaskId entry : draft_.group_of(ranks).passes[*pass].entries) {
        draft_.wait_for(done, entry);
      }
    }
  }

  /// A task and the end step before it, which may be lowered after it: they go by name.
  struct Wait {
    RankClassId ranks;
    EndId before;
    TaskId task;
  };

  StepDraft& draft_;
  std::vector<Places> places_;                          // of end steps by name, by stage
  IdVector<RankClassId, IdVector<EndId, Tasks>> done_;  // by end step: what it ends with there
  std::vector<Wait> waits_;
};

}  // namespace

void lower_ends(StepDraft& draft) {
  EndLowering(draft).add();
}

}  // namespace danlu
