#include "sim/campaign/faults.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

/// The number of a listed fault: by what it is and not by its place, so that its random numbers
/// stay the same when others are taken out of the list. Drawn faults have numbers below.
std::uint32_t listed_number(const FaultEvent& event) {
  constexpr std::uint32_t kListed = 0x80000000U;
  const std::string place = std::to_string(event.component);
  return kListed | static_cast<std::uint32_t>(
                       stream_name("listed", place, std::bit_cast<std::uint64_t>(event.at.value)));
}

}  // namespace

FaultSource::FaultSource(const FaultsSpec& spec, const CampaignStreams& streams, const Dice& dice)
    : spec_(spec), streams_(streams), dice_(dice), clocks_(spec.causes.size()) {
  for (const FaultEvent& event : spec_.events) {
    events_.push_back(&event);
  }
  std::stable_sort(events_.begin(), events_.end(),
                   [](const FaultEvent* a, const FaultEvent* b) { return a->at < b->at; });
  for (const CauseId id : clocks_.ids()) {
    const FaultCause& cause = spec.causes[id];
    const Arrivals& arrivals = cause.arrivals;
    Clock& clock = clocks_[id];
    if (arrivals.kind == Arrivals::Kind::Weibull && arrivals.clock == Arrivals::Clock::Component) {
      for (int c = 0; c < static_cast<int>(cause.count); ++c) {
        clock.components.push(renewed(id, c, 0, {}));
      }
      clock.next = clock.components.top().at;
    } else {
      clock.next = gap(id, 0);
    }
    together(id).causes.push_back(id);
  }
  for (Together& clocks : random_) {
    find_first(clocks);
  }
  find_first(calendar_);
  find_next();
}

/// From one fault of the cause to the next.
Seconds FaultSource::gap(CauseId cause, std::uint32_t number) const {
  const FaultCause& of = spec_.causes[cause];
  const auto u = [&] { return dice_.uniform(streams_.causes[cause].arrival, number); };
  switch (of.arrivals.kind) {
    case Arrivals::Kind::None:
      break;
    case Arrivals::Kind::Periodic:
      return of.arrivals.mean;
    case Arrivals::Kind::Exponential:
      return of.arrivals.mean / of.count * -std::log(u());
    case Arrivals::Kind::Weibull:
      return weibull_quantile(of.arrivals.mean, of.arrivals.shape, u());
  }
  return kNever;
}

/// The next fault of one component whose clock was fresh at `from`.
FaultSource::Arrival FaultSource::renewed(CauseId cause, int component, std::uint32_t renewals,
                                          Seconds from) const {
  const FaultCause& of = spec_.causes[cause];
  const std::uint64_t stream =
      continued_stream(streams_.causes[cause].component, static_cast<std::uint64_t>(component) + 1);
  const double survival = dice_.uniform(stream, renewals);
  return {from + weibull_quantile(of.arrivals.mean, of.arrivals.shape, survival), component,
          renewals};
}

void FaultSource::advance(CauseId cause) {
  Clock& clock = clocks_[cause];
  ++clock.number;
  if (clock.components.empty()) {
    clock.next += gap(cause, clock.number);
  } else {
    const Arrival last = clock.components.top();
    clock.components.pop();
    clock.components.push(renewed(cause, last.component, last.renewals + 1, last.at));
    clock.next = clock.components.top().at;
  }
  find_first(together(cause));
}

Fault FaultSource::make(CauseId cause, std::uint32_t number, Seconds at) const {
  const FaultCause& of = spec_.causes[cause];
  const CauseStreams& streams = streams_.causes[cause];
  const double place = dice_.uniform(streams.place, number) * of.count;
  return {at,
          cause,
          static_cast<int>(place),
          place - std::floor(place),
          number,
          dice_.draw(of.window, streams.window, number)};
}

Fault FaultSource::take() {
  check(next_at_ < kNever, "there is no next fault");
  Fault fault;
  if (!next_cause_) {
    const FaultEvent& event = *events_[events_taken_++];
    fault = make(event.cause, listed_number(event), event.at);
    fault.component = event.component;
    fault.listed = true;
    fault.window = event.window < kNever ? event.window : fault.window;
  } else {
    const Clock& clock = clocks_[*next_cause_];
    fault = make(*next_cause_, clock.number, next_at_);
    if (!clock.components.empty()) {
      fault.component = clock.components.top().component;
    }
    advance(*next_cause_);
  }
  find_next();
  return fault;
}

void FaultSource::pause(Seconds length, const Sheltered& sheltered) {
  for (const FaultCause::Effect effect : random_.ids()) {
    if (sheltered[effect]) {
      random_[effect].paused += length;
    }
  }
  find_next();
}

void FaultSource::job_started(Seconds now) {
  for (const CauseId i : clocks_.ids()) {
    const Arrivals& arrivals = spec_.causes[i].arrivals;
    if (arrivals.kind == Arrivals::Kind::Weibull && arrivals.clock == Arrivals::Clock::Job) {
      ++clocks_[i].number;
      Together& clocks = together(i);
      clocks_[i].next = now - clocks.paused + gap(i, clocks_[i].number);
      find_first(clocks);
    }
  }
  find_next();
}

FaultSource::Together& FaultSource::together(CauseId cause) {
  const FaultCause& of = spec_.causes[cause];
  const bool on_calendar =
      of.arrivals.kind == Arrivals::Kind::Periodic || of.effect == FaultCause::Effect::Planned;
  return on_calendar ? calendar_ : random_[of.effect];
}

void FaultSource::find_first(Together& clocks) const {
  clocks.next = kNever;
  clocks.first.reset();
  for (const CauseId i : clocks.causes) {
    if (clocks_[i].next < clocks.next) {
      clocks.next = clocks_[i].next;
      clocks.first = i;
    }
  }
}

/// Of several at the same time a listed one comes first, then that of the first cause.
void FaultSource::find_next() {
  next_at_ = kNever;
  next_cause_.reset();
  if (events_taken_ < events_.size()) {
    next_at_ = events_[events_taken_]->at;
  }
  const auto consider = [&](const Together& clocks) {
    const Seconds at = clocks.next + clocks.paused;
    if (at < next_at_ || (at == next_at_ && next_cause_ && clocks.first < next_cause_)) {
      next_at_ = at;
      next_cause_ = clocks.first;
    }
  };
  for (const Together& clocks : random_) {
    consider(clocks);
  }
  consider(calendar_);
}

Seconds detection_time(const FaultCause& cause, const Fault& fault, const CauseStreams& streams,
                       const Dice& dice) {
  const Detection& how = cause.detection;
  const double at = fault.at.value;
  const double period = how.period.value;
  switch (how.kind) {
    case Detection::Kind::Delay:
      break;
    case Detection::Kind::Heartbeat: {
      const Seconds last_beat{std::floor(at / period) * period};
      return std::max(Seconds{}, last_beat + how.timeout - fault.at);
    }
    case Detection::Kind::Watchdog: {
      const double given_up = at + how.timeout.value;
      return Seconds{period > 0 ? std::ceil(given_up / period) * period - at : how.timeout.value};
    }
  }
  return dice.draw(how.delay, streams.detection, fault.number);
}

bool is_permanent(const FaultCause& cause, const Fault& fault, const CauseStreams& streams,
                  const Dice& dice) {
  return cause.permanent >= 1 ||
         (cause.permanent > 0 && dice.uniform(streams.permanent, fault.number) < cause.permanent);
}

double slowdown_of(const FaultCause& cause, const Fault& fault) {
  if (cause.slowdown_of.empty()) {
    return cause.slowdown;
  }
  const auto parts = static_cast<double>(cause.slowdown_of.size());
  const double part = (fault.component + fault.within) * (parts / cause.count);
  return cause.slowdown_of[static_cast<std::size_t>(std::min(part, parts - 1))];
}

double fault_rate(const FaultCause& cause) {
  const Arrivals& arrivals = cause.arrivals;
  switch (arrivals.kind) {
    case Arrivals::Kind::None:
      return 0;
    case Arrivals::Kind::Exponential:
      return cause.count / arrivals.mean.value;
    case Arrivals::Kind::Periodic:
      return 1 / arrivals.mean.value;
    case Arrivals::Kind::Weibull:
      break;
  }
  return (arrivals.clock == Arrivals::Clock::Component ? cause.count : 1) / arrivals.mean.value;
}

}  // namespace danlu
