// Inside sim/engine: who starts what when in a step, whatever shares the bandwidth. A Network tells
// the time, rings alarms, and carries flows:
//
//   Seconds now() const;
//   void at(Seconds time, Alarm);              // the player's ring(Alarm) then
//   void start_flow(Carried, double bytes);    // its arrived(Carried) at the end
//   void set_capacity(FoldedLinkId, double);   // from now on
//   bool run(Player&);                         // until nothing is left; false: stopped
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/engine/joint_runs.hpp"
#include "sim/engine/least_rest.hpp"
#include "sim/engine/lone_flows.hpp"
#include "sim/engine/open_runs.hpp"
#include "sim/tasks/taken.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// A graph while it is played. One class, since whatever happens changes the same counters.
template <typename Network>
class Player {
 public:
  /// The tasks of classes that are `dead` never start. `all_shared`: no flow is alone.
  Player(const TaskGraph& graph, Network& network, const std::vector<RankClassId>& dead = {},
         bool all_shared = false)
      : graph_(graph),
        network_(network),
        flows_(graph, network, all_shared),
        any_dead_(!dead.empty()),
        after_(successors(graph)),
        dead_(graph.tasks.size()),
        taken_(graph),
        computing_of_(taken_.classes()),
        open_(graph, flows_, taken_),
        joint_(graph, network, taken_),
        waiting_for_(graph.tasks.size()) {
    for (const auto& [before, after] : graph.edges) {
      ++waiting_for_[after];
    }
    for (const LateBegin& late : graph.late) {
      ++waiting_for_[late.task];
    }
    timeline_.start.assign(graph.tasks.size(), Seconds{-1});
    timeline_.finish.assign(graph.tasks.size(), Seconds{-1});
    mark_dead(dead);
  }

  /// The step is wanted up to then: afterwards cannot_end() says when it will not have ended.
  void want_by(Seconds time) {
    constexpr double kRounding = 1e-9;
    wanted_ = (1 + kRounding) * time;
    rests_ = least_rests(graph_);
    late_ = std::any_of(rests_.begin(), rests_.end(), [&](Seconds rest) { return rest > wanted_; });
  }
  bool cannot_end() const { return late_; }

  /// Whether every task has ended; alarms of what no longer counts may be left.
  bool has_ended() const { return ended_ == graph_.tasks.size(); }

  /// None where the network stopped before the end. Throws InternalError where a task never ends.
  std::optional<Timeline> play() {
    for (std::size_t i = 0; i < graph_.changes.size(); ++i) {
      const Seconds time = graph_.changes[i].time;
      check(time >= Seconds{}, "capacities change after the beginning");
      network_.at(time, {Alarm::What::Capacity, static_cast<std::uint32_t>(i)});
    }
    for (const auto& [task, time] : graph_.late) {
      network_.at(time, {Alarm::What::Begin, static_cast<std::uint32_t>(index(task))});
    }
    for (const TaskId task : graph_.tasks.ids()) {
      if (waiting_for_[task] == 0) {
        ready_.push_back(task);
      }
    }
    start_ready();
    if (!network_.run(*this)) {
      return std::nullopt;
    }
    check_all_finished();
    std::replace_if(
        timeline_.start.begin(), timeline_.start.end(),
        [](Seconds start) { return start < Seconds{}; }, Seconds{});  // of dead ranks
    return std::move(timeline_);
  }

  void ring(Alarm alarm) {
    switch (alarm.what) {
      case Alarm::What::Begin:
        need_one_less(make_id<TaskId>(alarm.of));
        start_ready();
        break;
      case Alarm::What::Finish:
        finish(make_id<TaskId>(alarm.of));
        start_ready();
        break;
      case Alarm::What::StartFlow:
        start_flow(make_id<TaskId>(alarm.of));
        break;
      case Alarm::What::Compute:
        if (computing_[alarm.of].number == alarm.number) {
          end_compute(alarm.of);
        }
        break;
      case Alarm::What::Capacity: {
        const CapacityChange& change = graph_.changes[alarm.of];
        network_.set_capacity(change.link, change.capacity.value);
        break;
      }
      case Alarm::What::Run:
      case Alarm::What::Latency:
      case Alarm::What::Launch:
        open_.ring(alarm);
        finish_runs();
        break;
      case Alarm::What::Joint:
        joint_.ring(alarm);
        finish_runs();
        break;
      case Alarm::What::Lone:
        if (const std::optional<Carried> carried = flows_.ring(alarm)) {
          end_flow(*carried);
        }
        break;
    }
  }

  /// Of the network.
  void arrived(Carried carried) {
    flows_.arrived(carried);
    end_flow(carried);
  }

 private:
  void end_flow(Carried carried) {
    open_.arrived(carried);
    if (carried.segment == Carried::kTask) {
      finish(make_id<TaskId>(carried.of));
      start_ready();
    } else {
      finish_runs();
    }
  }

  void mark_dead(const std::vector<RankClassId>& dead) {
    if (!any_dead_) {
      return;
    }
    for (const TaskId task : graph_.tasks.ids()) {
      for (const RankClassId ranks : graph_.participants.of(task)) {
        dead_[task] = dead_[task] || std::count(dead.begin(), dead.end(), ranks) > 0;
      }
    }
  }

  Seconds now() const { return network_.now(); }

  /// Starts everything that became ready at this instant; a task of no length finishes at once and
  /// may make more ready, hence the queue instead of recursion.
  void start_ready() {
    while (!ready_.empty()) {
      const TaskId task = ready_.back();
      ready_.pop_back();
      if (!dead_[task]) {
        start(task);
      }
    }
  }

  void start(TaskId id) {
    const Task& task = graph_.tasks[id];
    timeline_.start[id] = now();
    if (task.open) {
      open_.start(id,
                  task.launched == LaunchedBy::Ahead ? std::nullopt : std::optional(lead_of(id)));
      finish_ended();
      return;
    }
    if (task.joint) {
      joint_.start(id);
      return;
    }
    const bool flows = task.kind == TaskKind::Communication && task.bytes > Bytes{};
    const bool computes = task.kind == TaskKind::Compute || task.kind == TaskKind::Run;
    if (computes && taken_.any() && !task.on_host) {
      start_compute(id);
      return;
    }
    if (taken_.begin(id)) {
      change_pace_of(graph_.participants.of(id));
    }
    const Seconds length = length_of(id);
    if (length > Seconds{}) {
      network_.at(now() + length, {flows ? Alarm::What::StartFlow : Alarm::What::Finish,
                                   static_cast<std::uint32_t>(index(id))});
    } else if (flows) {
      start_flow(id);
    } else {
      finish(id);
    }
  }

  Seconds length_of(TaskId id) const {
    const Task& task = graph_.tasks[id];
    switch (task.kind) {
      case TaskKind::Compute:
        return graph_.compute_time(id, now());
      case TaskKind::Run:
        return graph_.run_time(id, lead_of(id));
      default:
        return task.duration;
    }
  }

  // ---- compute beside communications that slow it

  /// A task of compute while it runs. Of a run it is known what was taken so far, of single compute
  /// how much is left to do.
  struct Computing {
    TaskId task{};
    std::uint32_t number = 0;  // of the newest alarm, over all that ever had this slot
    std::vector<TakenFrom> beside{};
    Seconds left{}, since{};
    double pace = 1;
  };

  void start_compute(TaskId id) {
    if (length_of(id) <= Seconds{}) {
      finish(id);
      return;
    }
    const Task& task = graph_.tasks[id];
    const GpuShare taken = taken_.from(graph_.participants.of(id));
    const std::uint32_t slot = free_slot();
    Computing& started = computing_[slot];
    started.task = id;
    started.beside.clear();
    started.left = task.duration * graph_.stretch_of(id);
    started.since = now();
    started.pace = task.kind == TaskKind::Compute
                       ? pace(graph_.compute_times[task.compute].bounds(), taken)
                       : 1;
    if (task.kind == TaskKind::Run && !taken.nothing()) {
      started.beside.push_back({Seconds{}, taken});
    }
    for (const RankClassId ranks : graph_.participants.of(id)) {
      computing_of_[ranks].push_back(slot);
    }
    set_alarm(slot);
  }

  std::uint32_t free_slot() {
    if (free_.empty()) {
      computing_.emplace_back();
      return static_cast<std::uint32_t>(computing_.size() - 1);
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }

  void set_alarm(std::uint32_t slot) {
    Computing& computing = computing_[slot];
    network_.at(end_of(computing), {Alarm::What::Compute, slot, ++computing.number});
  }

  void end_compute(std::uint32_t slot) {
    ++computing_[slot].number;
    const TaskId id = computing_[slot].task;
    for (const RankClassId ranks : graph_.participants.of(id)) {
      std::erase(computing_of_[ranks], slot);
    }
    free_.push_back(slot);
    finish(id);
    start_ready();
  }

  Seconds end_of(const Computing& computing) const {
    const TaskId id = computing.task;
    if (graph_.tasks[id].kind == TaskKind::Run) {
      return std::max(now(),
                      timeline_.start[id] + graph_.run_time(id, lead_of(id), computing.beside));
    }
    const Seconds undisturbed = computing.left / computing.pace;
    const Throttle* throttle = graph_.throttle_of(id);
    return now() + (throttle != nullptr ? throttle->time(now(), undisturbed) : undisturbed);
  }

  void change_pace_of(std::span<const RankClassId> classes) {
    for (const RankClassId ranks : classes) {
      for (const std::uint32_t slot : computing_of_[ranks]) {
        change_pace(slot);
      }
    }
    open_.change_taken(classes);
    joint_.change_taken(classes);
  }

  void change_pace(std::uint32_t slot) {
    Computing& computing = computing_[slot];
    const TaskId id = computing.task;
    const Task& task = graph_.tasks[id];
    const GpuShare taken = taken_.from(graph_.participants.of(id));
    if (task.kind == TaskKind::Run) {
      const Seconds at = now() - timeline_.start[id];
      std::vector<TakenFrom>& beside = computing.beside;
      if (taken == (beside.empty() ? GpuShare{} : beside.back().taken)) {
        return;
      }
      if (beside.empty() || beside.back().at < at) {
        beside.push_back({at, taken});
      }
      beside.back().taken = taken;
    } else {
      const double changed = pace(graph_.compute_times[task.compute].bounds(), taken);
      if (changed == computing.pace) {
        return;
      }
      const Throttle* throttle = graph_.throttle_of(id);
      const Seconds length = now() - computing.since;
      const Seconds done = throttle != nullptr ? throttle->done(computing.since, length) : length;
      computing.left = std::max(Seconds{}, computing.left - done * computing.pace);
      computing.since = now();
      computing.pace = changed;
    }
    set_alarm(slot);
  }

  /// How long before a run its host began, at the latest with it.
  Seconds lead_of(TaskId run) const {
    const std::optional<TaskId> host = graph_.tasks[run].host;
    const Seconds began = host ? timeline_.start[*host] : Seconds{-1};
    return began < Seconds{} ? Seconds{} : timeline_.start[run] - began;
  }

  void start_flow(TaskId id) {
    const Task& task = graph_.tasks[id];
    const ChannelId channel = task.channel.value();
    check(!graph_.channels[channel].loads.empty(), "a channel that carries bytes crosses a link");
    open_.carry({.of = static_cast<std::uint32_t>(index(id)), .channel = channel},
                std::ceil(task.bytes.value));
  }

  void finish_ended() {
    while (const std::optional<TaskId> run = open_.ended().take()) {
      finish(*run);
    }
    while (const std::optional<TaskId> run = joint_.ended().take()) {
      finish(*run);
    }
  }
  void finish_runs() {
    finish_ended();
    start_ready();
  }

  void finish(TaskId id) {
    timeline_.finish[id] = now();
    ++ended_;
    timeline_.end = std::max(timeline_.end, now());
    if (taken_.end(id)) {
      change_pace_of(graph_.participants.of(id));
    }
    for (const TaskId next : after_.of(id)) {
      late_ = late_ || (!rests_.empty() && now() + rests_[next] > wanted_);
      need_one_less(next);
    }
  }

  void need_one_less(TaskId task) {
    if (--waiting_for_[task] == 0) {
      ready_.push_back(task);
    }
  }

  void check_all_finished() const {
    if (has_ended()) {
      return;
    }
    (void)topological_order(graph_);  // throws on a cycle
    if (any_dead_) {
      return;
    }
    const auto left = std::find_if(timeline_.finish.begin(), timeline_.finish.end(),
                                   [](Seconds finish) { return finish < Seconds{}; });
    const TaskId task = timeline_.finish.id_at(left);
    throw InternalError(fmt::format("{} never ended: it still waits for {} others",
                                    graph_.describe(task), waiting_for_[task]));
  }

  const TaskGraph& graph_;
  Network& network_;
  LoneFlows<Network> flows_;
  bool any_dead_ = false;
  Adjacency after_;
  IdVector<TaskId, bool> dead_;
  TakenByClass taken_;
  std::vector<Computing> computing_;  // where anything is ever taken, as the two below
  std::vector<std::uint32_t> free_;   // slots of it
  IdVector<RankClassId, std::vector<std::uint32_t>> computing_of_;  // slots, by class of ranks
  OpenRuns<LoneFlows<Network>> open_;
  JointRuns<Network> joint_;
  IdVector<TaskId, int> waiting_for_;
  std::vector<TaskId> ready_;
  Timeline timeline_;
  std::size_t ended_ = 0;            // tasks
  IdVector<TaskId, Seconds> rests_;  // empty: the step is wanted however long it takes
  Seconds wanted_;
  bool late_ = false;
};

}  // namespace danlu
