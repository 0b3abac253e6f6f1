// When faults come, and what each of them brings. Every fault has a number within its cause, and
// whatever is random about it is drawn by that number.
//
// A random clock runs only while its fault could strike: not while the job waits for a node, nor,
// under the semantics that shelter a restart, while it restarts; what corrupts numbers needs a job
// that computes. Listed, periodic and planned ones come at their time on the calendar:
//
//   calendar   train ---- | detection | restart | train -------- X
//   clock      0 -------> |  (stands still)     | -------------> X
#pragma once

#include <optional>
#include <queue>
#include <vector>

#include "sim/campaign/faults_spec.hpp"
#include "sim/campaign/random.hpp"
#include "sim/campaign/streams.hpp"

namespace danlu {

struct Fault {
  Seconds at = kNever;             // on the calendar
  std::optional<CauseId> cause{};  // none of a restart that only grows the job
  int component = 0;
  double within = 0;  // where in its component, from 0 to 1
  std::uint32_t number = 0;
  Seconds window;        // how long it lasts
  bool noticed = false;  // needs no detection
  bool listed = false;   // not drawn
  Seconds end() const { return at + window; }
};

/// Which effects cannot strike.
using Sheltered = IdArray<FaultCause::Effect, bool, kNames<FaultCause::Effect>.size()>;

/// The faults of one trial in the order of time.
class FaultSource {
 public:
  /// `spec` and `streams` outlive it.
  FaultSource(const FaultsSpec& spec, const CampaignStreams& streams, const Dice& dice);

  /// When the next fault comes; kNever if none does.
  Seconds next() const { return next_at_; }
  Fault take();
  /// Random clocks of what cannot strike stand still for so long; negative takes it back.
  void pause(Seconds length, const Sheltered& sheltered);
  /// The job trains again: clocks that belong to the job start afresh.
  void job_started(Seconds now);

 private:
  struct Arrival {
    Seconds at;  // on the clock of its cause
    int component = -1;
    std::uint32_t renewals = 0;
    bool operator>(const Arrival& other) const { return at > other.at; }
  };
  struct Clock {
    Seconds next = kNever;  // on the clock
    std::uint32_t number = 0;
    // Clock::Component: the next fault of each, the earliest on top.
    std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> components;
  };
  /// Clocks that stand still together, and the first fault of theirs.
  struct Together {
    std::vector<CauseId> causes;
    Seconds paused;
    Seconds next = kNever;  // on the clocks
    std::optional<CauseId> first;
  };

  Seconds gap(CauseId cause, std::uint32_t number) const;
  Arrival renewed(CauseId cause, int component, std::uint32_t renewals, Seconds from) const;
  void advance(CauseId cause);
  Fault make(CauseId cause, std::uint32_t number, Seconds at) const;
  Together& together(CauseId cause);
  void find_first(Together& clocks) const;
  void find_next();

  const FaultsSpec& spec_;
  const CampaignStreams& streams_;
  Dice dice_;
  IdVector<CauseId, Clock> clocks_;
  IdArray<FaultCause::Effect, Together, kNames<FaultCause::Effect>.size()> random_;
  Together calendar_;                      // these never pause
  std::vector<const FaultEvent*> events_;  // by time
  std::size_t events_taken_ = 0;
  Seconds next_at_ = kNever;
  std::optional<CauseId> next_cause_;  // none: a listed one
};

/// How long the failure goes unnoticed.
Seconds detection_time(const FaultCause& cause, const Fault& fault, const CauseStreams& streams,
                       const Dice& dice);

/// Whether the nodes it takes out need repair.
bool is_permanent(const FaultCause& cause, const Fault& fault, const CauseStreams& streams,
                  const Dice& dice);

/// How many times as long steps take while it lasts.
double slowdown_of(const FaultCause& cause, const Fault& fault);

/// Failures per second of a cause, on a healthy job; 0 for those that are only listed.
double fault_rate(const FaultCause& cause);

}  // namespace danlu
