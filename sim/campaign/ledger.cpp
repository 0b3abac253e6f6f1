#include "sim/campaign/ledger.hpp"

#include <numeric>

namespace danlu {

Seconds CampaignTime::total() const {
  return std::accumulate(parts.begin(), parts.end(), Seconds{});
}

Ledger::Ledger(const CampaignJob& job, std::size_t causes, bool keep_events)
    : job_gpus_(job.gpus()), keep_events_(keep_events) {
  trial.faults.resize(causes);
  trial.stops.resize(causes);
  trial.lost.resize(causes);
}

void Ledger::train(Seconds length, const Pace& pace, const GpuUse& gpus) {
  const CampaignPart slow = pace.speed > 0 ? CampaignPart::Slowed : CampaignPart::Stalled;
  const Seconds useful = length * pace.rate();
  const Seconds lost = length * (pace.shrink * (1 - pace.speed));
  trial.time[CampaignPart::Useful] += useful;
  const Seconds shrunk = length * (1 - pace.shrink);
  trial.time[CampaignPart::Shrunk] += shrunk;
  trial.time[slow] += lost;
  blame(pace.shrink_cause, CampaignPart::Shrunk, shrunk);
  blame(pace.slow_cause, slow, lost);
  // What the GPUs of the job take longer for a step than all would, or less: shrunk.
  const Seconds working = length * gpus.working;
  trial.gpu_time[CampaignPart::Useful] += useful * job_gpus_;
  trial.gpu_time[CampaignPart::Shrunk] += working * pace.speed - useful * job_gpus_;
  spend_gpus(gpus, slow, length);
  trial.gpu_time[slow] -= working * pace.speed;
}

void Ledger::spend(CampaignPart part, Seconds length, std::optional<CauseId> cause,
                   const GpuUse& gpus) {
  trial.time[part] += length;
  blame(cause, part, length);
  spend_gpus(gpus, part, length);
}

void Ledger::spend_gpus(const GpuUse& gpus, CampaignPart working, Seconds length) {
  trial.gpu_time[working] += length * gpus.working;
  trial.gpu_time[CampaignPart::Repair] += length * gpus.repair;
  trial.gpu_time[CampaignPart::Idle] += length * gpus.idle;
}

void Ledger::redo(Seconds work, std::optional<CauseId> cause) {
  trial.time[CampaignPart::Useful] -= work;
  trial.time[CampaignPart::Redone] += work;
  trial.gpu_time[CampaignPart::Useful] -= work * job_gpus_;
  trial.gpu_time[CampaignPart::Redone] += work * job_gpus_;
  blame(cause, CampaignPart::Redone, work);
}

void Ledger::blame(std::optional<CauseId> cause, CampaignPart part, Seconds length) {
  if (cause) {
    trial.lost[*cause][part] += length;
  }
}

void Ledger::follow(const CampaignEvent& event) {
  if (!keep_events_) {
    return;
  }
  auto& events = trial.events;
  if (last_followed_) {
    CampaignEvent& last = events[*last_followed_];
    if (last.kind == event.kind && last.cause == event.cause && last.tier == event.tier &&
        last.part == event.part && last.replicas == event.replicas && last.end == event.begin) {
      last.end = event.end;
      return;
    }
  }
  last_followed_ = events.size();
  events.push_back(event);
}

void Ledger::beside(const CampaignEvent& event) {
  if (keep_events_) {
    trial.events.push_back(event);
  }
}

}  // namespace danlu
