#include "sim/engine/max_min.hpp"

#include <algorithm>
#include <cstdint>

#include "sim/engine/player.hpp"

namespace danlu {
namespace {

/// Links, the flows on them, and what happens next. One class, since a flow that begins or ends
/// changes the rates of others, and these when they end.
class MaxMinNetwork {
 public:
  MaxMinNetwork(const TaskGraph& graph, std::optional<Seconds> until)
      : graph_(graph), until_(until) {
    for (const ChannelLink& link : graph.links) {
      check(link.capacity.value > 0 && std::isfinite(link.capacity.value),
            "a link's capacity is positive");
      links_.push_back({.capacity = link.capacity.value});
    }
  }

  Seconds now() const { return now_; }

  void at(Seconds time, Alarm alarm) {
    push({std::max(time, now_), ++events_so_far_, alarm, kNoFlow});
  }

  void set_capacity(FoldedLinkId link, double capacity) {
    links_[link].capacity = capacity;
    changed_.push_back(link);
  }

  void start_flow(Carried carried, double bytes) {
    if (free_flows_.empty()) {
      free_flows_.push_back(static_cast<std::uint32_t>(flows_.size()));
      flows_.emplace_back();
    }
    const std::uint32_t slot = free_flows_.back();
    free_flows_.pop_back();
    Flow& flow = flows_[slot];
    flow.carried = carried;
    flow.loads = &graph_.channels[carried.channel].loads;
    flow.left = bytes;
    flow.rate = 0;
    flow.since = now_;
    for (const ChannelLoad& load : *flow.loads) {
      links_[load.link].flows.push_back(slot);
      changed_.push_back(load.link);
    }
  }

  bool run(Player<MaxMinNetwork>& player) {
    for (;;) {
      if (!changed_.empty() && (events_.empty() || events_.front().time > now_)) {
        share();
      }
      if (events_.empty()) {
        return true;
      }
      const Event event = events_.front();
      if (until_ && event.time > *until_) {
        return player.has_ended();
      }
      if (player.cannot_end()) {
        return false;
      }
      std::pop_heap(events_.begin(), events_.end());
      events_.pop_back();
      if (event.flow == kNoFlow) {
        now_ = event.time;
        player.ring(event.alarm);
      } else if (event.alarm.number == flows_[event.flow].version) {
        now_ = event.time;
        player.arrived(end_flow(event.flow));
      }
    }
  }

 private:
  struct Flow {
    Carried carried;
    const std::vector<ChannelLoad>* loads = nullptr;
    double left = 0;  // bytes, when its rate changed last
    double rate = 0;
    Seconds since{};            // when that was
    std::uint32_t version = 0;  // that of its newest event
    bool is_filled = false;
    std::uint64_t round = 0;  // in which it was met last
  };
  struct Link {
    double capacity = 0;
    std::vector<std::uint32_t> flows{};
    double left = 0;
    int weights = 0;  // of flows that still grow
    std::uint64_t round = 0;
  };
  static constexpr std::uint32_t kNoFlow = ~std::uint32_t{0};
  /// The player's alarm, or the end of a flow with its version as the alarm's number.
  struct Event {
    Seconds time;
    std::uint64_t number = 0;  // what comes first at the same time
    Alarm alarm;
    std::uint32_t flow = kNoFlow;

    bool operator<(const Event& other) const {  // the heap takes the greatest first
      return time != other.time ? other.time < time : other.number < number;
    }
  };

  void push(const Event& event) {
    events_.push_back(event);
    std::push_heap(events_.begin(), events_.end());
  }

  Carried end_flow(std::uint32_t slot) {
    Flow& flow = flows_[slot];
    ++flow.version;
    for (const ChannelLoad& load : *flow.loads) {
      std::vector<std::uint32_t>& on = links_[load.link].flows;
      *std::find(on.begin(), on.end(), slot) = on.back();
      on.pop_back();
      if (!on.empty()) {
        changed_.push_back(load.link);
      }
    }
    free_flows_.push_back(slot);
    return flow.carried;
  }

  void meet(FoldedLinkId id) {
    Link& link = links_[id];
    if (link.round != round_) {
      link.round = round_;
      link.left = link.capacity;
      link.weights = 0;
      touched_.push_back(id);
    }
  }

  /// Links that feel the changes, and what their flows weigh.
  void find_touched() {
    ++round_;
    touched_.clear();
    for (const FoldedLinkId link : changed_) {
      meet(link);
    }
    changed_.clear();
    for (std::size_t i = 0; i < touched_.size(); ++i) {
      for (const std::uint32_t slot : links_[touched_[i]].flows) {
        Flow& flow = flows_[slot];
        if (flow.round != round_) {
          flow.round = round_;
          flow.is_filled = false;
          for (const ChannelLoad& load : *flow.loads) {
            meet(load.link);
            links_[load.link].weights += load.weight;
          }
        }
      }
    }
  }

  void share() {
    find_touched();
    for (;;) {
      std::erase_if(touched_, [&](FoldedLinkId id) { return links_[id].weights == 0; });
      if (touched_.empty()) {
        return;
      }
      const FoldedLinkId full = *std::min_element(
          touched_.begin(), touched_.end(),
          [&](FoldedLinkId a, FoldedLinkId b) { return rate_of(a) < rate_of(b); });
      const double rate = rate_of(full);
      for (const std::uint32_t slot : links_[full].flows) {
        fill(slot, rate);
      }
    }
  }

  double rate_of(FoldedLinkId id) const {
    return std::max(0.0, links_[id].left) / links_[id].weights;
  }

  void fill(std::uint32_t slot, double rate) {
    Flow& flow = flows_[slot];
    if (flow.is_filled) {
      return;
    }
    flow.is_filled = true;
    for (const ChannelLoad& load : *flow.loads) {
      links_[load.link].left -= rate * load.weight;
      links_[load.link].weights -= load.weight;
    }
    if (rate == flow.rate) {
      return;
    }
    flow.left = std::max(0.0, flow.left - flow.rate * (now_ - flow.since).value);
    flow.since = now_;
    flow.rate = rate;
    push({now_ + Seconds{flow.left / rate}, ++events_so_far_, {.number = ++flow.version}, slot});
  }

  const TaskGraph& graph_;
  std::optional<Seconds> until_;
  Seconds now_;
  std::vector<Event> events_;  // a heap
  std::uint64_t events_so_far_ = 0;
  std::vector<Flow> flows_;
  std::vector<std::uint32_t> free_flows_;  // slots of it
  IdVector<FoldedLinkId, Link> links_;
  std::vector<FoldedLinkId> changed_;  // since rates were last shared
  std::vector<FoldedLinkId> touched_;
  std::uint64_t round_ = 0;
};

}  // namespace

std::optional<Timeline> play_max_min(const TaskGraph& graph, const MaxMinOptions& options) {
  MaxMinNetwork network(graph, options.until);
  Player player(graph, network, options.dead, options.all_shared);
  if (options.until) {
    player.want_by(*options.until);
  }
  return player.play();
}

}  // namespace danlu
