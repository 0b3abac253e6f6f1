// From a failure back to training: what is lost, which nodes are gone, what a restart takes. A
// failure on the way starts the row again (trial.hpp).
#include <algorithm>
#include <cmath>

#include "sim/campaign/trial.hpp"

namespace danlu {
namespace {

using Effect = FaultCause::Effect;
using Recovery = RecoverySpec::Kind;

}  // namespace

/// Comes back from a failure, and from those that strike on the way.
void Trial::recover(Fault fault) {
  for (Hit hit = fault; hit && !over();) {
    fault = *hit;
    // A fault that is noticed late, or was announced, has been counted when it struck.
    if (!fault.noticed) {
      count(fault);
    }
    ++ledger_.trial.failures;
    ++ledger_.trial.stops[fault.cause.value()];
    note_instant(Kind::Failure, fault);
    break_nodes(fault);
    const bool of_replicas = spec_.recovery.kind == Recovery::Replica &&
                             cause_of(fault).effect != Effect::Corrupt &&
                             cause_of(fault).nodes > 0 && replicas_.active() > 0;
    hit = of_replicas ? go_on_without(fault) : bring_back(fault);
  }
}

/// The whole job: rollback, detection, waiting, restart.
Trial::Hit Trial::bring_back(const Fault& fault) {
  const std::optional<TierId> tier = roll_back(fault);
  if (!fault.noticed) {
    const Seconds unnoticed = detection_of(fault);
    if (const Hit hit = pass({.kind = Kind::Detection, .cause = fault.cause},
                             CampaignPart::Detection, unnoticed)) {
      return hit;
    }
  }
  const std::optional<CauseId> blamed = fault.cause ? fault.cause : replicas_.short_because();
  replicas_.supply();
  while (replicas_.possible() < replicas_.least() && !over()) {
    pass({.kind = Kind::Waiting, .cause = blamed}, CampaignPart::Waiting,
         replicas_.pool.next_mended() - now_);
    replicas_.supply();
  }
  const int before = replicas_.active();
  fresh_ += replicas_.start();
  if (replicas_.active() != before) {
    note_instant(Kind::Resize, fault);
  }
  for (const RestartStep& step : restart_of(fault, tier, fresh_)) {
    if (const Hit hit = pass({.kind = Kind::Restart, .cause = blamed, .part = step.part},
                             CampaignPart::Restart, step.duration)) {
      return hit;
    }
    if (step.part == kColdSparePart) {
      fresh_ = {.hot = fresh_.all()};  // they are up, whatever becomes of this restart
    }
  }
  fresh_ = {};
  faults_.job_started(now_);
  started_ = now_;
  return std::nullopt;
}

/// The other replicas redo the step at hand and go on.
Trial::Hit Trial::go_on_without(const Fault& fault) {
  drop_partial_step(fault.cause);
  if (!fault.noticed) {
    const Seconds unnoticed = detection_of(fault);
    if (const Hit hit = pass({.kind = Kind::Detection, .cause = fault.cause},
                             CampaignPart::Detection, unnoticed)) {
      return hit;
    }
  }
  settle();
  while (replicas_.active() < replicas_.least() && !over()) {
    const Seconds change = std::min(replicas_.pool.next_mended(), replicas_.next_join());
    pass({.kind = Kind::Waiting, .cause = fault.cause}, CampaignPart::Waiting, change - now_);
    settle();
  }
  return std::nullopt;
}

/// Nodes are back: one more restart, from a save just made, with more replicas.
void Trial::grow() {
  Seconds usable = now_;
  for (const TierId tier : spec_.tiers.ids()) {
    usable = std::max(usable, book_.usable_at(tier));
  }
  Hit hit = pass({.kind = Kind::Checkpoint}, CampaignPart::Checkpoint, usable - now_);
  if (!hit && !over()) {
    hit = bring_back({.at = now_, .number = grown_++, .noticed = true});
  }
  if (hit) {
    recover(*hit);
  }
}

/// Takes the nodes out of the job, for repair if the failure is permanent.
void Trial::break_nodes(const Fault& fault) {
  const FaultCause& cause = cause_of(fault);
  const NodeRange nodes = nodes_of(job_, cause, fault.component);
  const std::vector<int> broken =
      is_permanent(cause, fault, streams_.causes[fault.cause.value()], dice_)
          ? replicas_.in_job(nodes)
          : std::vector<int>{};
  for (std::size_t i = 0; i < broken.size(); ++i) {
    const std::uint64_t repairs = streams_.causes[fault.cause.value()].repair;
    const std::uint64_t stream = continued_stream(repairs, i + 1);
    const Seconds mended = now_ + dice_.draw(spec_.spares.repair, stream, fault.number);
    replicas_.pool.repair(mended);
    ledger_.beside({.kind = Kind::Repair,
                    .begin = now_,
                    .end = mended,
                    .cause = fault.cause,
                    .component = broken[i]});
  }
  const int before = replicas_.active();
  if (nodes.last > nodes.first) {
    replicas_.lose(nodes, broken, fault);
  }
  if (replicas_.active() != before) {
    note_instant(Kind::Resize, fault);
    std::erase_if(degraded_, [&](const Fault& window) { return !meets_job(window); });
  }
}

/// Back to the newest checkpoint that the failure has left; returns its tier.
std::optional<TierId> Trial::roll_back(const Fault& fault) {
  book_.drop_unfinished(now_);
  Seconds clean = kNever;
  if (fault.cause && cause_of(fault).effect != Effect::Planned) {
    const FaultCause& cause = cause_of(fault);
    clean = cause.effect == Effect::Corrupt ? fault.at : kNever;
    for (const TierId id : spec_.tiers.ids()) {
      const CheckpointTier& tier = spec_.tiers[id];
      const auto survives = [&] {
        return tier.survives_more > 0 && dice_.uniform(streams_.causes[*fault.cause].survives[id],
                                                       fault.number) < tier.survives_more;
      };
      if (cause.nodes > tier.survives_nodes && !survives()) {
        book_.lose(id);
      }
    }
  }
  book_.forget_after(clean);
  const Save save = book_.newest(now_);
  const IdVector<TierId, int>& made = book_.counts();
  const bool had_one = std::any_of(made.begin(), made.end(), [](int saves) { return saves > 0; });
  ledger_.trial.begun_anew += !save.tier && had_one ? 1 : 0;
  const Seconds lost = progress_ - save.work;
  progress_ = save.work;
  book_.plan_after(progress_);
  std::erase_if(corruptions_, [&](const Fault& c) { return c.at >= save.taken; });
  note_corruptions();
  if (lost.value > 0) {
    ledger_.redo(lost, fault.cause);
    note_instant(Kind::Rollback, fault, save.tier);
  }
  return save.tier;
}

void Trial::drop_partial_step(std::optional<CauseId> cause) {
  if (spec_.semantics.whole_steps) {
    constexpr double kOnStep = 1e-6;
    const Seconds done = job_.step * std::floor(progress_ / job_.step + kOnStep);
    if (done < progress_) {
      ledger_.redo(progress_ - done, cause);
      progress_ = done;
    }
  }
}

/// Broken replicas whose nodes are there start again.
void Trial::dispatch() {
  replicas_.dispatch(now_, [&](const Fault& fault, NodePool::Taken taken) {
    // They copy the state of a replica that goes on, as if from the fastest tier.
    const auto tier = spec_.tiers.empty() ? std::nullopt : std::optional(TierId{0});
    Seconds length;
    for (const RestartStep& step : restart_of(fault, tier, taken)) {
      length += step.duration;
    }
    return length;
  });
}

std::vector<RestartStep> Trial::restart_of(const Fault& fault, std::optional<TierId> tier,
                                           NodePool::Taken taken) const {
  RestartKind kind;
  kind.number = fault.number;
  kind.ranks = job_.gpus() / job_.replicas * replicas_.active();
  kind.replaced = taken.all() > 0;
  kind.cold_spare = taken.cold > 0;
  kind.tier = tier;
  const RestartStreams& streams =
      fault.cause ? streams_.causes[*fault.cause].restart : streams_.grow;
  return restart_steps(spec_, kind, streams, dice_);
}

/// How long the failure goes unnoticed.
Seconds Trial::detection_of(const Fault& fault) const {
  return detection_time(cause_of(fault), fault, streams_.causes[fault.cause.value()], dice_);
}

}  // namespace danlu
