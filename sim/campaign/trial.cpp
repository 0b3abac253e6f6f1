#include "sim/campaign/trial.hpp"

#include <algorithm>
#include <cmath>

namespace danlu {
namespace {

using Effect = FaultCause::Effect;

}  // namespace

Trial::Trial(const CampaignJob& job, const FaultsSpec& spec, int number, bool keep_events,
             double most_happenings)
    : job_(job),
      spec_(spec),
      dice_(spec.seed, number),
      streams_(streams_of(spec)),
      faults_(spec, streams_, dice_),
      total_(job.steps > 0 ? job.step * job.steps : kNever),
      most_happenings_(most_happenings),
      given_up_(job.horizon < kNever ? kNever : total_ * kMostTimes),
      book_(spec, job.step, total_),
      replicas_(job, spec),
      ledger_(job, spec.causes.size(), keep_events) {
  for (const CheckpointTier& tier : spec.tiers) {
    if (given_up_ == kNever) {
      break;
    }
    const Seconds interval = interval_of(tier, job.step, spec.semantics.whole_steps);
    given_up_ += std::max(tier.blocking, tier.persist) * ((total_ / interval + 1) * kMostTimes);
  }
}

CampaignTrial Trial::run() {
  while (!over()) {
    leap();
    switch (train()) {
      case Next::Save:
        save_due();
        break;
      case Next::Edge:
        settle();
        break;
      case Next::Corruption:
        corruption_noticed();
        break;
      case Next::Limit:
        limit_reached();
        break;
      case Next::Fault:
        strike(faults_.take());
        break;
      case Next::Horizon:
        break;
    }
    while (!planned_.empty() && !over()) {
      planned_stop();
    }
  }
  CampaignTrial& trial = ledger_.trial;
  book_.drop_unfinished(now_);
  trial.finished = finished_;
  trial.gave_up = !finished_ && gives_up();
  trial.cut_short = cut_short();
  trial.wall = now_;
  trial.steps = progress_ / job_.step;
  trial.unnoticed = static_cast<int>(corruptions_.size());
  trial.checkpoints = book_.counts();
  return std::move(trial);
}

// ---- Training, and what it meets.

/// Saves of one tier that nothing disturbs, all at once: without this most of a campaign is saves.
///
///   train | save | train | save | ...      count x (interval / rate + blocking)
void Trial::leap() {
  const CheckpointBook::Row row = book_.next_row(progress_);
  const Pace pace = this->pace();
  constexpr double kWorthIt = 2;
  if (row.count < kWorthIt || pace.rate() <= 0 || !spec_.semantics.fail_in_checkpoint) {
    return;
  }
  const TierId id = row.tier.value();
  const CheckpointTier& tier = spec_.tiers[id];
  const Seconds trains = row.interval / pace.rate();
  const Seconds cycle = trains + tier.blocking;
  const bool overlaps = tier.persist > trains || book_.usable_at(id) > now_ + trains;
  if (overlaps || (tier.slowdown > 1 && tier.persist.value > 0) || replicas_.could_grow()) {
    return;
  }
  Seconds until = std::min({faults_.next(), job_.horizon, given_up_, replicas_.next_join(),
                            replicas_.pool.next_mended(), book_.next_persisted(now_)});
  for (const Fault& window : degraded_) {
    until = std::min({until, window.end(), limit_of(window)});
  }
  for (const Fault& corruption : corruptions_) {
    until = std::min(until, corruption.end());
  }
  constexpr double kShort = 1e-6;  // what comes at the end of a save is left to be played
  const int count =
      static_cast<int>(std::min({row.count, std::floor((until - now_) / cycle - kShort), 1e9}));
  if (count < kWorthIt) {
    return;
  }
  if (ledger_.keeps_events()) {
    note_row(row, count, trains, pace);
  }
  ++ledger_.trial.leaps;
  ledger_.train(trains * count, pace, replicas_.use());
  ledger_.spend(CampaignPart::Checkpoint, tier.blocking * count, std::nullopt, replicas_.use());
  const Seconds taken = now_ + cycle;
  book_.add_row(id, {id, progress_ + row.interval, taken, taken + tier.persist}, count, cycle,
                row.interval);
  now_ += cycle * count;
  progress_ = row.interval * (std::round(progress_ / row.interval) + count);
  book_.plan_after(progress_);
}

/// The events of a row of saves that starts now.
void Trial::note_row(const CheckpointBook::Row& row, int count, Seconds trains, const Pace& pace) {
  const CheckpointTier& tier = spec_.tiers[row.tier.value()];
  const int replicas = replicas_.active();
  const Seconds cycle = trains + tier.blocking;
  for (int i = 0; i < count; ++i) {
    const Seconds begin = now_ + cycle * i;
    const Seconds taken = now_ + cycle * (i + 1);
    const Seconds saved = tier.blocking.value > 0 ? begin + trains : taken;
    const double step = (progress_ + row.interval * i) / job_.step;
    const double then = (progress_ + row.interval * (i + 1)) / job_.step;
    ledger_.follow({.kind = Kind::Train,
                    .begin = begin,
                    .end = saved,
                    .cause = pace.slow_cause,
                    .step = step,
                    .replicas = replicas});
    if (tier.blocking.value > 0) {
      ledger_.follow({.kind = Kind::Checkpoint,
                      .begin = saved,
                      .end = taken,
                      .tier = row.tier,
                      .step = then,
                      .replicas = replicas});
    }
    if (tier.persist.value > 0) {
      ledger_.beside({.kind = Kind::Persist,
                      .begin = taken,
                      .end = taken + tier.persist,
                      .tier = row.tier,
                      .step = then});
    }
  }
}

/// Trains until the first of the things that can happen, and says which. Of several at the same
/// time what ends comes before what strikes.
Trial::Next Trial::train() {
  const double rate = pace().rate();
  const Seconds target = std::min(book_.next_due(), total_);
  const Seconds reached = rate > 0 ? now_ + (target - progress_) / rate : kNever;
  Next what = Next::Save;
  Seconds at = reached;
  const auto consider = [&](Next other, Seconds when) {
    if (when < at) {
      what = other;
      at = when;
    }
  };
  consider(Next::Edge, std::min(book_.next_persisted(now_), replicas_.next_join()));
  if (replicas_.waiting()) {
    consider(Next::Edge, replicas_.pool.next_mended());
  }
  for (const Fault& window : degraded_) {
    consider(Next::Edge, window.end());
    if (window.end() > now_) {  // one that a save has outlasted hangs nothing any more
      consider(Next::Limit, limit_of(window));
    }
  }
  for (const Fault& corruption : corruptions_) {
    consider(Next::Corruption, corruption.end());
  }
  consider(Next::Fault, faults_.next());
  consider(Next::Horizon, job_.horizon);
  at = std::max(at, now_);
  const Kind kind = rate > 0 ? Kind::Train : Kind::Stalled;
  advance(at, {.kind = kind, .cause = pace().slow_cause}, CampaignPart::Useful);
  if (what == Next::Save) {
    progress_ = target;
  }
  return what;
}

void Trial::save_due() {
  const bool last = progress_ >= total_;
  const bool to_save = !last || spec_.semantics.last_checkpoint;
  for (const TierId tier : spec_.tiers.ids()) {
    const bool is_wanted = book_.is_due(tier, progress_) || (last && tier == spec_.tiers.last_id());
    if (to_save && is_wanted) {
      if (const Hit hit = last ? save_until_usable(tier) : save(tier)) {
        return recover(*hit);
      }
    }
  }
  finished_ = last && !(now_ >= job_.horizon && to_save && !spec_.tiers.empty());
  book_.plan_after(progress_);
  if (!over() && replicas_.could_grow()) {
    grow();
  }
}

void Trial::strike(const Fault& fault) {
  if (!meets_job(fault)) {
    return leave_out(fault);
  }
  switch (cause_of(fault).effect) {
    case Effect::Stop:
      return recover(fault);
    case Effect::Planned:
      planned_.push_back(fault);
      return;
    case Effect::Corrupt:
      corruptions_.push_back(fault);
      note_corruptions();
      count(fault);
      return;
    case Effect::Degrade:
      degraded_.push_back(fault);
      count(fault);
      ledger_.beside({.kind = Kind::Degraded,
                      .begin = fault.at,
                      .end = fault.end(),
                      .cause = fault.cause,
                      .component = fault.component});
      return;
  }
}

/// Saves, stands still for as long as was announced, and starts again.
void Trial::planned_stop() {
  Fault fault = planned_.front();
  fault.noticed = true;
  drop_partial_step(fault.cause);
  if (!spec_.tiers.empty()) {
    if (const Hit hit = save_until_usable(spec_.tiers.last_id())) {
      return recover(*hit);  // the stop waits until the job trains again
    }
    if (over()) {
      return;  // the save was cut short, and nothing failed
    }
  }
  planned_.pop_front();
  count(fault);
  pass({.kind = Kind::Maintenance, .cause = fault.cause}, CampaignPart::Maintenance, fault.window);
  if (const Hit hit = bring_back(fault)) {
    recover(*hit);
  }
}

void Trial::corruption_noticed() {
  const auto first =
      std::min_element(corruptions_.begin(), corruptions_.end(),
                       [](const Fault& a, const Fault& b) { return a.end() < b.end(); });
  Fault fault = *first;
  corruptions_.erase(first);  // the rollback will note it
  fault.noticed = true;
  recover(fault);
}

/// A degradation that lasts too long is given up and left behind by the restart.
void Trial::limit_reached() {
  const auto window = std::find_if(degraded_.begin(), degraded_.end(),
                                   [&](const Fault& fault) { return limit_of(fault) <= now_; });
  Fault fault = *window;
  degraded_.erase(window);
  fault.noticed = true;
  recover(fault);
}

void Trial::settle() {
  std::erase_if(degraded_, [&](const Fault& window) { return window.end() <= now_; });
  dispatch();
  const int before = replicas_.active();
  replicas_.join(now_);
  if (replicas_.active() != before) {
    note_instant(Kind::Resize, {});
  }
}

Trial::Hit Trial::save(TierId tier) {
  const CheckpointTier& spec = spec_.tiers[tier];
  const CampaignEvent saving{.kind = Kind::Checkpoint, .tier = tier};
  const Seconds wait = book_.free_at(tier, now_) - now_;
  if (const Hit hit = pass(saving, CampaignPart::Checkpoint, wait)) {
    return hit;
  }
  if (const Hit hit = pass(saving, CampaignPart::Checkpoint, spec.blocking)) {
    if (spec_.semantics.half_written_usable) {
      book_.drop_unfinished(hit->at);  // saves of a tier stay in the order of their ends
      book_.add(tier, {tier, progress_, hit->at, hit->at});
    }
    return hit;
  }
  if (!over()) {
    book_.add(tier, {tier, progress_, now_, now_ + spec.persist});
    if (spec.persist.value > 0) {
      ledger_.beside({.kind = Kind::Persist,
                      .begin = now_,
                      .end = now_ + spec.persist,
                      .tier = tier,
                      .step = progress_ / job_.step});
    }
  }
  return std::nullopt;
}

/// A save, and standing still until it can be used.
Trial::Hit Trial::save_until_usable(TierId tier) {
  if (const Hit hit = save(tier)) {
    return hit;
  }
  return pass({.kind = Kind::Checkpoint, .tier = tier}, CampaignPart::Checkpoint,
              book_.usable_at(tier) - now_);
}

/// Time passes in which the job does not train. A failure that may strike then ends it.
Trial::Hit Trial::pass(const CampaignEvent& what, CampaignPart part, Seconds length) {
  const Seconds until = std::min(now_ + std::max(length, Seconds{}), job_.horizon);
  const Sheltered sheltered = this->sheltered(what.kind);
  faults_.pause(until - now_, sheltered);
  while (faults_.next() < until && !cut_short()) {
    const Fault fault = faults_.take();
    ++ledger_.trial.happenings;
    const Effect effect = cause_of(fault).effect;
    const bool is_sheltered = sheltered[effect];
    if (effect == Effect::Stop && !is_sheltered && meets_job(fault)) {
      advance(std::max(now_, fault.at), what, part);
      faults_.pause(now_ - until, sheltered);
      return fault;
    }
    // A listed window reaches into what comes after; other listed faults find nothing to strike.
    if (effect == Effect::Degrade || (effect != Effect::Stop && !is_sheltered)) {
      strike(fault);
    } else {
      leave_out(fault);
    }
  }
  advance(until, what, part);
  return std::nullopt;
}

// ---- Bookkeeping.

/// Moves the clock; in pieces between which nobody's nodes change.
void Trial::advance(Seconds until, const CampaignEvent& what, CampaignPart part) {
  ++ledger_.trial.happenings;
  CampaignEvent event = what;
  event.begin = now_;
  event.end = until;
  event.step = progress_ / job_.step;
  event.replicas = replicas_.active();
  const Pace pace = this->pace();
  const bool trains = part == CampaignPart::Useful;
  if (trains) {
    progress_ += (until - now_) * pace.rate();
  }
  while (now_ < until) {
    const Seconds next = std::min(until, replicas_.pool.next_mended());
    const GpuUse gpus = replicas_.use();
    if (trains) {
      ledger_.train(next - now_, pace, gpus);
    } else {
      ledger_.spend(part, next - now_, what.cause, gpus);
    }
    now_ = next;
    replicas_.pool.settle(now_);
  }
  replicas_.pool.settle(now_);  // repairs that take no time
  if (event.end > event.begin) {
    ledger_.follow(event);
  }
}

void Trial::note_instant(Kind kind, const Fault& fault, std::optional<TierId> tier) {
  ledger_.beside({.kind = kind,
                  .begin = now_,
                  .end = now_,
                  .cause = fault.cause,
                  .component = fault.component,
                  .tier = tier,
                  .step = progress_ / job_.step,
                  .replicas = replicas_.active()});
}

bool Trial::meets_job(const Fault& fault) const {
  return replicas_.has(nodes_of(job_, cause_of(fault), fault.component));
}

/// What cannot strike meanwhile: wrong numbers need a job that has some. Stops are announced at any
/// time.
Sheltered Trial::sheltered(Kind kind) const {
  const CampaignSemantics& s = spec_.semantics;
  const bool stops = kind == Kind::Checkpoint  ? !s.fail_in_checkpoint
                     : kind == Kind::Detection ? !s.fail_in_detection
                     : kind == Kind::Restart   ? !s.fail_in_restart
                                               : true;
  Sheltered sheltered{};
  sheltered[Effect::Stop] = stops;
  sheltered[Effect::Corrupt] = stops || kind != Kind::Checkpoint;
  sheltered[Effect::Degrade] = stops;
  return sheltered;
}

/// Tells the checkpoints since when some of them are worthless.
void Trial::note_corruptions() {
  Seconds since = kNever;
  for (const Fault& corruption : corruptions_) {
    since = std::min(since, corruption.at);
  }
  book_.set_wrong_since(since);
}

void Trial::count(const Fault& fault) {
  ++ledger_.trial.faults[fault.cause.value()];
}

/// A fault that finds nothing to strike; of a listed one the reader is told.
void Trial::leave_out(const Fault& fault) {
  ledger_.trial.left_out += fault.listed ? 1 : 0;
}

Pace Trial::pace() const {
  Pace pace;
  const int active = replicas_.active();
  if (!replicas_.full()) {
    pace.shrink_cause = replicas_.short_because();
    pace.shrink = active == 0 ? 0
                  : job_.shrunk_step.empty()
                      ? static_cast<double>(active) / job_.replicas
                      : job_.step / job_.shrunk_step[static_cast<std::size_t>(active) - 1];
  }
  double slowest = 1;
  for (const Fault& window : degraded_) {
    const double slowdown = slowdown_of(cause_of(window), window);
    if (slowdown > slowest) {
      slowest = slowdown;
      pace.slow_cause = window.cause;
    }
  }
  pace.speed = 1 / (slowest * book_.slowdown(now_));
  return pace;
}

/// When the window has lasted too long for a job that has run since `started_`.
Seconds Trial::limit_of(const Fault& window) const {
  const Seconds limit = std::max(window.at, started_) + cause_of(window).limit;
  return limit < window.end() ? limit : kNever;
}

const FaultCause& Trial::cause_of(const Fault& fault) const {
  return spec_.causes[fault.cause.value()];
}

CampaignTrial run_trial(const CampaignJob& job, const FaultsSpec& faults, int trial,
                        bool keep_events, double most_happenings) {
  return Trial(job, faults, trial, keep_events, most_happenings).run();
}

double expected_happenings(const CampaignJob& job, const FaultsSpec& faults) {
  constexpr double kLook = 1e5;
  const FaultsSpec formula = with_formulas(job, faults);
  const CampaignTrial trial = run_trial(job, formula, 0, false, kLook);
  double clocks = 0;  // each component's is drawn before the run begins
  for (const FaultCause& cause : faults.causes) {
    const Arrivals& arrivals = cause.arrivals;
    const bool own = arrivals.clock == Arrivals::Clock::Component;
    clocks += own && arrivals.kind == Arrivals::Kind::Weibull ? cause.count : 0;
  }
  if (!trial.cut_short) {
    return trial.happenings + clocks;
  }
  // The rest goes on like that, to the end of the run or until it is given up.
  const Seconds work = job.steps > 0 ? job.step * job.steps : kNever;
  const double done = trial.steps * job.step.value / work.value;
  double times = job.horizon / trial.wall;
  times = std::min(times, std::max(1 / done, 1.0));
  times = std::min(times, job.horizon < kNever ? kUnlimited : work * kMostTimes / trial.wall);
  if (trial.failures > 0) {
    times = std::min(times, std::max(1.0, static_cast<double>(kMostFailures) / trial.failures));
  }
  return std::min(trial.happenings * times, 1e18) + clocks;
}

}  // namespace danlu
