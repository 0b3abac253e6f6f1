// Inside sim/engine: flows while nobody else is on their links. Such a flow has all that its links
// carry, so that its end is known when it begins, and the network is not asked:
//
//   end = begin + bytes / rate,     rate = least of capacity / weight over its links
//
// When another flow begins on one of its links, it goes on in the network with what is left of it,
// and stays there:
//
//   one      |------ alone ------|-- shared --|
//   another                      |--- shared ------|
//
// Most sends between stages meet nobody, and a flow costs a network twenty times an alarm.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "sim/engine/open_runs.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// A Network (player.hpp) to those who start flows; what it does not carry itself it gives to the
/// one below. One class, since a flow that begins changes what becomes of others.
template <typename Network>
class LoneFlows {
 public:
  /// `all_shared`: none is alone.
  LoneFlows(const TaskGraph& graph, Network& network, bool all_shared)
      : graph_(graph), network_(network), links_(graph.links.size()) {
    for (const FoldedLinkId link : links_.ids()) {
      links_[link].shares = all_shared;
    }
    for (const CapacityChange& change : graph.changes) {
      links_[change.link].shares = true;
    }
  }

  Seconds now() const { return network_.now(); }
  void at(Seconds time, Alarm alarm) { network_.at(time, alarm); }

  void start_flow(Carried carried, double bytes) {
    bool alone = true;
    double rate = std::numeric_limits<double>::infinity();
    for (const auto& [id, weight] : loads_of(carried)) {
      if (links_[id].lone) {
        share(*links_[id].lone);
      }
      alone = alone && links_[id].flows == 0 && !links_[id].shares;
      rate = std::min(rate, graph_.links[id].capacity.value / weight);
    }
    if (alone) {
      go_alone(carried, bytes, rate);
    } else {
      share(carried, bytes);
    }
  }

  /// A lone flow has ended; none where it is shared by now.
  std::optional<Carried> ring(Alarm alarm) {
    if (lone_[alarm.of].number != alarm.number) {
      return std::nullopt;
    }
    leave_links(alarm.of);
    return forget(alarm.of);
  }
  /// A flow of the network has ended.
  void arrived(Carried carried) {
    for (const ChannelLoad& load : loads_of(carried)) {
      --links_[load.link].flows;
    }
  }

 private:
  struct Lone {
    Carried carried;
    double rate = 0;  // bytes/s
    Seconds end{};
    std::uint32_t number = 0;  // of its alarm, over all that ever had this slot
  };
  struct LinkUse {
    int flows = 0;                        // in the network
    std::optional<std::uint32_t> lone{};  // slot of the one that is alone
    bool shares = false;                  // also one that is alone
  };

  const std::vector<ChannelLoad>& loads_of(Carried carried) const {
    return graph_.channels[carried.channel].loads;
  }

  void go_alone(Carried carried, double bytes, double rate) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(lone_.size()));
      lone_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    Lone& lone = lone_[slot];
    lone.carried = carried;
    lone.rate = rate;
    lone.end = now() + Seconds{bytes / rate};
    for (const ChannelLoad& load : loads_of(carried)) {
      links_[load.link].lone = slot;
    }
    network_.at(lone.end, {Alarm::What::Lone, slot, lone.number});
  }

  /// Goes on with others, if there is anything left.
  void share(std::uint32_t slot) {
    constexpr double kNothing = 1e-4;  // bytes: less than what a network counts in
    leave_links(slot);
    const double left = ((lone_[slot].end - now()) * lone_[slot].rate).value;
    if (left > kNothing) {
      share(forget(slot), left);
    }
  }
  void share(Carried carried, double bytes) {
    for (const ChannelLoad& load : loads_of(carried)) {
      ++links_[load.link].flows;
    }
    network_.start_flow(carried, bytes);
  }

  void leave_links(std::uint32_t slot) {
    for (const ChannelLoad& load : loads_of(lone_[slot].carried)) {
      std::optional<std::uint32_t>& lone = links_[load.link].lone;
      lone = lone == slot ? std::nullopt : lone;
    }
  }

  Carried forget(std::uint32_t slot) {
    ++lone_[slot].number;
    free_.push_back(slot);
    return lone_[slot].carried;
  }

  const TaskGraph& graph_;
  Network& network_;
  std::vector<Lone> lone_;
  std::vector<std::uint32_t> free_;  // slots of it
  IdVector<FoldedLinkId, LinkUse> links_;
};

}  // namespace danlu
