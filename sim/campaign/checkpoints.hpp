// Which checkpoints a run has, when the next one is due, and which one a restart begins from.
//
// Intervals lie on a grid of useful work counted from the start of the run, so that all tiers stay
// in step after a rollback. A save blocks training, then persists, and only then can be used:
//
//   train ----|blocking|---- train ----------
//             taken    |.... persist ....| usable
#pragma once

#include <optional>
#include <vector>

#include "sim/campaign/faults_spec.hpp"

namespace danlu {

struct Save {
  std::optional<TierId> tier{};  // none: the start of the run
  Seconds work;                  // useful work that it holds
  Seconds taken;                 // end of the blocking part: later faults are not in it
  Seconds usable;                // end of the persist part
};

class CheckpointBook {
 public:
  /// `total` is the useful work of the whole run: what is due near its end is due at its end.
  CheckpointBook(const FaultsSpec& spec, Seconds step, Seconds total);

  /// Useful work at which the next save begins; kNever without any.
  Seconds next_due() const { return next_due_; }
  bool is_due(TierId tier, Seconds work) const { return due_[tier] <= work; }
  /// Saves up to this much work are done or given up.
  void plan_after(Seconds work);
  /// A row of saves, each `interval` of work after the one before, that starts after the work done.
  struct Row {
    std::optional<TierId> tier{};
    Seconds interval;
    double count = 0;  // before another tier's save or the end of the run
  };
  /// The row that comes next; `count` is 0 where the work done is not a whole number of intervals.
  Row next_row(Seconds work) const;

  void add(TierId tier, const Save& save);
  /// Adds `count` saves, each later than the one before by `cycle` and by `interval` of work.
  void add_row(TierId tier, const Save& first, int count, Seconds cycle, Seconds interval);
  /// Saves that have become usable or are on their way.
  const IdVector<TierId, int>& counts() const { return counts_; }
  /// When the tier can start one more save.
  Seconds free_at(TierId tier, Seconds now) const;
  /// When the newest save of the tier can be used.
  Seconds usable_at(TierId tier) const;

  /// Numbers have been wrong since then, which has not been noticed; kNever: they are right.
  void set_wrong_since(Seconds time) { wrong_since_ = time; }

  /// What persists slows training by this factor, until then something changes.
  double slowdown(Seconds now) const;
  Seconds next_persisted(Seconds now) const;

  /// A failure: what still persists is lost, what is kept no longer is gone; then what the failure
  /// destroyed, and what it tainted.
  void drop_unfinished(Seconds now);
  void lose(TierId tier) { saves_[tier].clear(); }
  void forget_after(Seconds tainted);
  /// The newest of all tiers, the faster tier first.
  Save newest(Seconds now) const;

 private:
  void trim(TierId tier, Seconds now);

  const IdVector<TierId, CheckpointTier>& tiers_;
  Seconds total_;
  IdVector<TierId, Seconds> interval_;
  IdVector<TierId, Seconds> due_;
  Seconds next_due_ = kNever;
  IdVector<TierId, std::vector<Save>> saves_;  // in the order of time
  Seconds wrong_since_ = kNever;
  bool slows_ = false;
  IdVector<TierId, int> counts_;
};

}  // namespace danlu
