// SimGrid as the network of a Player.
#include "sim/engine/engine.hpp"

#include <fmt/format.h>
#include <xbt/log.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <deque>
#include <functional>
#include <optional>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/engine/player.hpp"

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

/// SimGrid holds it by reference until all callbacks have returned.
class SimGridNetwork {
 public:
  SimGridNetwork(const TaskGraph& graph, bool log) : graph_(graph) {
    static bool had_engine = false;  // SimGrid itself forgets an engine that was destroyed
    check(!std::exchange(had_engine, true), "SimGrid allows one engine in a process");
    static char name[] = "danlu";
    char* arguments[] = {name, nullptr};
    int count = 1;
    xbt_log_control_set(log ? "root.thresh:verbose" : "root.thresh:critical");
    auto* const on_interrupt = std::signal(SIGINT, SIG_DFL);
    engine_.emplace(&count, arguments);
    std::signal(SIGINT, on_interrupt);  // SimGrid would show its actors and exit with 1
    configure_simgrid();
    build_platform();
  }

  static Seconds now() { return {sg4::Engine::get_clock()}; }

  void at(Seconds time, Alarm alarm) {
    simgrid::kernel::timer::Timer::set(time.value, [this, alarm] { player_->ring(alarm); });
  }

  void set_capacity(FoldedLinkId link, double capacity) {
    capacities_[link].now = capacity * kUnits;
    links_[link]->set_bandwidth(capacity * kUnits);
  }

  void start_flow(Carried carried, double bytes) {
    const ChannelId channel = carried.channel;
    const auto& [from, to] = ends_[channel];
    Flow& own = flows_.emplace_back(Flow{sg4::Comm::sendto_init(), carried});
    own.flow->set_data(&own);
    own.flow->set_payload_size(static_cast<std::uint64_t>(std::llround(bytes * kUnits)));
    own.flow->set_source(from);
    // SimGrid never lets a flow go faster than its links did when it began, so they are at their
    // best for that moment.
    set_capacities(channel, &Capacity::most);
    own.flow->set_destination(to);  // this starts it
    set_capacities(channel, &Capacity::now);
  }

  bool run(Player<SimGridNetwork>& player) {
    sg4::Activity::on_completion_cb([this](const sg4::Activity& activity) { end_flow(activity); });
    player_ = &player;
    engine_->run();
    return true;
  }

 private:
  /// Owned until its completion callback has returned; SimGrid knows where it stands.
  struct Flow {
    sg4::CommPtr flow;
    Carried carried;
  };
  /// Of a link: now, and the most that it ever has.
  struct Capacity {
    double now = 0;
    double most = 0;
  };

  /// That a byte is to SimGrid, which counts whole ones: what went on alone may have half a byte
  /// left.
  static constexpr double kUnits = 65536;

  void build_platform() {
    zone_ = sg4::create_empty_zone("danlu");
    for (const FoldedLinkId id : graph_.links.ids()) {
      const double capacity = graph_.links[id].capacity.value * kUnits;
      check(capacity > 0 && std::isfinite(capacity), "a link's capacity is positive");
      links_.push_back(
          zone_->create_link(fmt::format("l{}", index(id)), capacity)->set_latency(0)->seal());
      capacities_.push_back({capacity, capacity});
    }
    for (const CapacityChange& change : graph_.changes) {
      double& most = capacities_[change.link].most;
      most = std::max(most, change.capacity.value * kUnits);
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

  void set_capacities(ChannelId channel, double Capacity::*which) {
    for (const ChannelLoad& load : graph_.channels[channel].loads) {
      const FoldedLinkId link = load.link;
      if (capacities_[link].now != capacities_[link].most) {
        links_[link]->set_bandwidth(capacities_[link].*which);
      }
    }
  }

  void end_flow(const sg4::Activity& activity) {
    Flow& own = *static_cast<const sg4::Comm&>(activity).get_data<Flow>();
    if (own.flow == nullptr) {
      return;  // SimGrid signals some endings twice
    }
    release_.push_back(std::move(own.flow));
    if (release_.size() > 1) {  // the newest is still in its callback
      release_.erase(release_.begin(), release_.end() - 1);
    }
    player_->arrived(own.carried);
  }

  const TaskGraph& graph_;
  Player<SimGridNetwork>* player_ = nullptr;  // that runs it
  std::optional<sg4::Engine> engine_;
  std::deque<Flow> flows_;             // all that ever began
  std::vector<sg4::CommPtr> release_;  // ended, dropped after their callback
  sg4::NetZone* zone_ = nullptr;
  IdVector<FoldedLinkId, sg4::Link*> links_;
  IdVector<FoldedLinkId, Capacity> capacities_;
  IdVector<ChannelId, std::pair<sg4::Host*, sg4::Host*>> ends_;
};

}  // namespace

extern "C" void danlu_play(const TaskGraph& graph, const EngineOptions& options,
                           Timeline& timeline) {
  SimGridNetwork network(graph, options.simgrid_log);
  timeline = Player(graph, network, options.dead).play().value();
}

}  // namespace danlu
