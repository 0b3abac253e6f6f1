// The account of one run: every second of the job and of every GPU gets one name.
#pragma once

#include <cstddef>
#include <optional>

#include "sim/campaign/campaign.hpp"

namespace danlu {

/// How fast the job trains, and why not faster.
struct Pace {
  double shrink = 1;                    // by missing replicas
  double speed = 1;                     // by degraded steps and background saves; 0: stands still
  std::optional<CauseId> slow_cause;    // whose degradation it is
  std::optional<CauseId> shrink_cause;  // whose failure took the replicas

  double rate() const { return shrink * speed; }  // useful seconds per second
};

/// How many GPUs do what; together they are those of the job and of all spares.
struct GpuUse {
  double working = 0;  // in the job
  double repair = 0;
  double idle = 0;
};

class Ledger {
 public:
  Ledger(const CampaignJob& job, std::size_t causes, bool keep_events);

  /// Training for `length` at `pace`.
  void train(Seconds length, const Pace& pace, const GpuUse& gpus);
  /// Anything else.
  void spend(CampaignPart part, Seconds length, std::optional<CauseId> cause, const GpuUse& gpus);
  /// Work that was useful until now is lost.
  void redo(Seconds work, std::optional<CauseId> cause);

  bool keeps_events() const { return keep_events_; }
  // Events, if they are kept. What follows one another continues the one before where it can.
  void follow(const CampaignEvent& event);
  void beside(const CampaignEvent& event);

  CampaignTrial trial;

 private:
  void spend_gpus(const GpuUse& gpus, CampaignPart working, Seconds length);
  void blame(std::optional<CauseId> cause, CampaignPart part, Seconds length);

  double job_gpus_;
  bool keep_events_;
  std::optional<std::size_t> last_followed_;  // of the events
};

}  // namespace danlu
