#include "sim/engine/engine.hpp"

#include <fmt/format.h>
#include <xbt/log.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <functional>
#include <map>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/tasks/taken.hpp"

namespace danlu {
namespace {

namespace sg4 = simgrid::s4u;

/// Why each setting: SimGrid's defaults model TCP over the Internet. CM02 without cross-traffic and
/// without a window cap is plain max-min sharing; tests hold alpha + B/beta to 1e-9.
void configure_simgrid() {
  sg4::Engine::set_config("network/model:CM02");
  sg4::Engine::set_config("network/crosstraffic:0");
  sg4::Engine::set_config("network/TCP-gamma:1e18");
  sg4::Engine::set_config("surf/precision:1e-12");  // else what ends within 1 ns ends together
}

/// A graph while SimGrid plays it. One class, since every callback changes the same counters, and
/// SimGrid holds it by reference until all of them have returned.
class Player {
 public:
  Player(const TaskGraph& graph, const EngineOptions& options)
      : graph_(graph),
        options_(options),
        after_(successors(graph)),
        dead_(graph.tasks.size()),
        taken_(graph) {
    (void)topological_order(graph);  // throws on a cycle
    waiting_for_.resize(graph.tasks.size());
    for (const auto& [before, after] : graph.edges) {
      ++waiting_for_[after];
    }
    flows_.resize(graph.tasks.size());
    timeline_.start.assign(graph.tasks.size(), Seconds{-1});
    timeline_.finish.assign(graph.tasks.size(), Seconds{-1});
    mark_dead();
  }

  Timeline play() {
    static bool had_engine = false;  // SimGrid itself forgets an engine that was destroyed
    check(!std::exchange(had_engine, true), "SimGrid allows one engine in a process");
    static char name[] = "danlu";
    char* arguments[] = {name, nullptr};
    int count = 1;
    xbt_log_control_set(options_.simgrid_log ? "root.thresh:verbose" : "root.thresh:critical");
    auto* const on_interrupt = std::signal(SIGINT, SIG_DFL);
    sg4::Engine engine(&count, arguments);
    std::signal(SIGINT, on_interrupt);  // SimGrid would show its actors and exit with 1
    configure_simgrid();
    build_platform();
    sg4::Activity::on_completion_cb([this](const sg4::Activity& activity) { arrived(activity); });
    for (const CapacityChange& change : graph_.changes) {
      simgrid::kernel::timer::Timer::set(change.time.value, [this, &change] {
        capacities_[change.link].now = change.capacity.value;
        links_[change.link]->set_bandwidth(change.capacity.value);
      });
    }
    for (const TaskId task : graph_.tasks.ids()) {
      if (waiting_for_[task] == 0) {
        ready_.push_back(task);
      }
    }
    start_ready();
    engine.run();
    check_all_finished();
    std::replace_if(
        timeline_.start.begin(), timeline_.start.end(),
        [](Seconds start) { return start < Seconds{}; }, Seconds{});  // of dead ranks
    return std::move(timeline_);
  }

 private:
  /// Of a link: now, and the most that it ever has.
  struct Capacity {
    double now = 0;
    double most = 0;
  };

  void mark_dead() {
    for (const TaskId task : graph_.tasks.ids()) {
      for (const RankClassId ranks : graph_.participants[task]) {
        dead_[task] =
            dead_[task] || std::count(options_.dead.begin(), options_.dead.end(), ranks) > 0;
      }
    }
  }

  void build_platform() {
    zone_ = sg4::create_empty_zone("danlu");
    for (const FoldedLinkId id : graph_.links.ids()) {
      const double capacity = graph_.links[id].capacity.value;
      check(capacity > 0 && std::isfinite(capacity), "a link's capacity is positive");
      links_.push_back(
          zone_->create_link(fmt::format("l{}", index(id)), capacity)->set_latency(0)->seal());
      capacities_.push_back({capacity, capacity});
    }
    for (const CapacityChange& change : graph_.changes) {
      check(change.time >= Seconds{}, "capacities change after the beginning");
      double& most = capacities_[change.link].most;
      most = std::max(most, change.capacity.value);
    }
    for (const Channel& channel : graph_.channels) {
      ends_.push_back(add_channel(channel));
    }
  }

  /// Two hosts and the bypass route between them; nothing for a channel that crosses no link.
  std::pair<sg4::Host*, sg4::Host*> add_channel(const Channel& channel) {
    if (channel.loads.empty()) {
      return {nullptr, nullptr};
    }
    sg4::Host* from = zone_->create_host(fmt::format("s{}", ends_.size()), 1.0);
    sg4::Host* to = zone_->create_host(fmt::format("d{}", ends_.size()), 1.0);
    std::vector<sg4::LinkInRoute> route;
    for (const ChannelLoad& load : channel.loads) {
      route.insert(route.end(), static_cast<std::size_t>(load.weight),
                   sg4::LinkInRoute(links_[load.link]));
    }
    zone_->add_bypass_route(from->get_netpoint(), to->get_netpoint(), nullptr, nullptr, route);
    return {from, to};
  }

  static Seconds now() { return {sg4::Engine::get_clock()}; }

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
    const bool flows = task.kind == TaskKind::Communication && task.bytes > Bytes{};
    const bool computes = task.kind == TaskKind::Compute || task.kind == TaskKind::Run;
    if (computes && taken_.any() && !task.on_host) {
      start_compute(id);
      return;
    }
    if (taken_.begin(id)) {
      change_pace_of(graph_.participants[id]);
    }
    const Seconds length = length_of(id);
    if (length > Seconds{}) {
      simgrid::kernel::timer::Timer::set(now().value + length.value, [this, id, flows] {
        if (flows) {
          start_flow(id);
        } else {
          finish(id);
          start_ready();
        }
      });
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
    int timer = 0;  // the newest one's number; older ones no longer count
    std::vector<TakenFrom> beside{};
    Seconds left{}, since{};
    double pace = 1;
  };

  void start_compute(TaskId id) {
    const Task& task = graph_.tasks[id];
    const GpuShare taken = taken_.from(graph_.participants[id]);
    Computing started{.left = task.duration * task.stretch, .since = now()};
    if (task.kind == TaskKind::Compute) {
      started.pace = pace(task.compute.bounds(), taken);
    } else if (!taken.nothing()) {
      started.beside.push_back({Seconds{}, taken});
    }
    if (length_of(id) <= Seconds{}) {
      finish(id);
      return;
    }
    for (const RankClassId ranks : graph_.participants[id]) {
      computing_of_[ranks].push_back(id);
    }
    set_timer(id, computing_[id] = std::move(started));
  }

  void set_timer(TaskId id, Computing& computing) {
    const int number = ++computing.timer;
    simgrid::kernel::timer::Timer::set(end_of(id, computing).value, [this, id, number] {
      const auto found = computing_.find(id);
      if (found != computing_.end() && found->second.timer == number) {
        computing_.erase(found);
        for (const RankClassId ranks : graph_.participants[id]) {
          std::erase(computing_of_[ranks], id);
        }
        finish(id);
        start_ready();
      }
    });
  }

  Seconds end_of(TaskId id, const Computing& computing) const {
    if (graph_.tasks[id].kind == TaskKind::Run) {
      return std::max(now(),
                      timeline_.start[id] + graph_.run_time(id, lead_of(id), computing.beside));
    }
    const Seconds undisturbed = computing.left / computing.pace;
    const Throttle* throttle = graph_.throttle_of(id);
    return now() + (throttle != nullptr ? throttle->time(now(), undisturbed) : undisturbed);
  }

  void change_pace_of(const std::vector<RankClassId>& classes) {
    for (const RankClassId ranks : classes) {
      for (const TaskId id : computing_of_[ranks]) {
        change_pace(id, computing_.at(id));
      }
    }
  }

  void change_pace(TaskId id, Computing& computing) {
    const Task& task = graph_.tasks[id];
    const GpuShare taken = taken_.from(graph_.participants[id]);
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
      const double changed = pace(task.compute.bounds(), taken);
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
    set_timer(id, computing);
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
    const auto& [from, to] = ends_[channel];
    check(from != nullptr, "a channel that carries bytes crosses a link");
    sg4::CommPtr flow = sg4::Comm::sendto_init();
    flows_[id] = flow;            // owned until its completion callback has returned
    flow->set_data(&flows_[id]);  // where it stands says whose it is
    flow->set_payload_size(static_cast<std::uint64_t>(std::ceil(task.bytes.value)));
    flow->set_source(from);
    // SimGrid never lets a flow go faster than its links did when it began, so they are at their
    // best for that moment.
    set_capacities(channel, &Capacity::most);
    flow->set_destination(to);  // this starts it
    set_capacities(channel, &Capacity::now);
  }

  void set_capacities(ChannelId channel, double Capacity::*which) {
    for (const ChannelLoad& load : graph_.channels[channel].loads) {
      const FoldedLinkId link = load.link;
      if (capacities_[link].now != capacities_[link].most) {
        links_[link]->set_bandwidth(capacities_[link].*which);
      }
    }
  }

  void arrived(const sg4::Activity& activity) {
    const auto& flow = static_cast<const sg4::Comm&>(activity);
    const TaskId task = flows_.id_of(*flow.get_data<sg4::CommPtr>());
    if (timeline_.finish[task] >= Seconds{}) {
      return;  // SimGrid signals some endings twice
    }
    release_.push_back(std::move(flows_[task]));
    finish(task);
    if (release_.size() > 1) {  // the newest is still in its callback
      release_.erase(release_.begin(), release_.end() - 1);
    }
    start_ready();
  }

  void finish(TaskId id) {
    timeline_.finish[id] = now();
    timeline_.end = std::max(timeline_.end, now());
    if (taken_.end(id)) {
      change_pace_of(graph_.participants[id]);
    }
    for (const TaskId next : after_.of(id)) {
      if (--waiting_for_[next] == 0) {
        ready_.push_back(next);
      }
    }
  }

  void check_all_finished() const {
    for (const TaskId task : graph_.tasks.ids()) {
      if (timeline_.finish[task] < Seconds{} && options_.dead.empty()) {
        throw InternalError(fmt::format("{} never ended: it still waits for {} others",
                                        graph_.describe(task), waiting_for_[task]));
      }
    }
  }

  const TaskGraph& graph_;
  const EngineOptions& options_;
  Adjacency after_;
  IdVector<TaskId, bool> dead_;
  TakenByClass taken_;
  std::map<TaskId, Computing> computing_;                    // where anything is ever taken
  std::map<RankClassId, std::vector<TaskId>> computing_of_;  // the same by class of ranks
  IdVector<TaskId, int> waiting_for_;
  std::vector<TaskId> ready_;
  IdVector<TaskId, sg4::CommPtr> flows_;  // while they run
  std::vector<sg4::CommPtr> release_;     // ended, dropped after their callback
  sg4::NetZone* zone_ = nullptr;
  IdVector<FoldedLinkId, sg4::Link*> links_;
  IdVector<FoldedLinkId, Capacity> capacities_;
  IdVector<ChannelId, std::pair<sg4::Host*, sg4::Host*>> ends_;
  Timeline timeline_;
};

}  // namespace

extern "C" void danlu_play(const TaskGraph& graph, const EngineOptions& options,
                           Timeline& timeline) {
  timeline = Player(graph, options).play();
}

}  // namespace danlu
