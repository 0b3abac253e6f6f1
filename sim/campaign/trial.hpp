// One run, from one thing that happens to the next:
//
//   train until something happens ---> a save is due    ---> save, perhaps grow
//        ^                        |--> a fault           ---> stop, degrade, corrupt, planned stop
//        |                        |--> corruption noticed, time-out of a degradation ---> stop
//        |                        `--> something beside the job changes the pace
//        |
//        `------ restart <--- wait for nodes <--- detection <--- rollback <--- stop
//                   |               a failure on the way starts the row again  ^
//                   `----------------------------------------------------------'
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "sim/campaign/campaign.hpp"
#include "sim/campaign/checkpoints.hpp"
#include "sim/campaign/faults.hpp"
#include "sim/campaign/ledger.hpp"
#include "sim/campaign/replicas.hpp"
#include "sim/campaign/restart.hpp"
#include "sim/campaign/streams.hpp"

namespace danlu {

class Trial {
 public:
  Trial(const CampaignJob& job, const FaultsSpec& spec, int number, bool keep_events,
        double most_happenings);
  CampaignTrial run();

 private:
  enum class Next { Save, Edge, Corruption, Limit, Fault, Horizon };
  using Kind = CampaignEvent::Kind;

  // Training, and what it meets.
  void leap();
  Next train();
  void save_due();
  void strike(const Fault& fault);
  void planned_stop();
  void corruption_noticed();
  void limit_reached();
  void settle();  // what happens beside the job

  // The way back; each returns the failure that cut it short.
  using Hit = std::optional<Fault>;
  Hit save(TierId tier);
  Hit save_until_usable(TierId tier);
  void recover(Fault fault);
  Hit bring_back(const Fault& fault);
  Hit go_on_without(const Fault& fault);
  Hit pass(const CampaignEvent& what, CampaignPart part, Seconds length);
  void grow();

  // Bookkeeping.
  void advance(Seconds until, const CampaignEvent& what, CampaignPart part);
  void note_row(const CheckpointBook::Row& row, int count, Seconds trains, const Pace& pace);
  void note_instant(Kind kind, const Fault& fault, std::optional<TierId> tier = std::nullopt);
  bool meets_job(const Fault& fault) const;
  Sheltered sheltered(Kind kind) const;
  void count(const Fault& fault);
  void leave_out(const Fault& fault);
  void note_corruptions();
  void break_nodes(const Fault& fault);
  std::optional<TierId> roll_back(const Fault& fault);
  void drop_partial_step(std::optional<CauseId> cause);
  void dispatch();
  std::vector<RestartStep> restart_of(const Fault& fault, std::optional<TierId> tier,
                                      NodePool::Taken taken) const;
  Seconds detection_of(const Fault& fault) const;
  Pace pace() const;
  Seconds limit_of(const Fault& window) const;
  const FaultCause& cause_of(const Fault& fault) const;
  bool gives_up() const { return ledger_.trial.failures > kMostFailures || now_ > given_up_; }
  bool cut_short() const { return ledger_.trial.happenings > most_happenings_; }
  bool over() const { return finished_ || now_ >= job_.horizon || gives_up() || cut_short(); }

  const CampaignJob& job_;
  const FaultsSpec& spec_;
  Dice dice_;
  CampaignStreams streams_;
  FaultSource faults_;
  Seconds total_;  // useful work to do
  double most_happenings_;
  Seconds given_up_;  // the time without faults, with its saves, x kMostTimes
  CheckpointBook book_;
  Replicas replicas_;
  Ledger ledger_;

  Seconds now_;
  Seconds progress_;  // useful work done
  Seconds started_;   // the job's last start
  bool finished_ = false;
  std::vector<Fault> degraded_;     // windows that are open
  std::vector<Fault> corruptions_;  // not noticed yet
  std::deque<Fault> planned_;       // announced, for when the job trains
  NodePool::Taken fresh_;           // nodes that no restart has taken in to its end
  std::uint32_t grown_ = 0;         // restarts to take replicas back in
};

}  // namespace danlu
