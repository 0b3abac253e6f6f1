// Spare nodes and repairs: a broken node is repaired and becomes a spare.
//
//   in the job --breaks--> repair --mended--> spare --taken--> in the job
#pragma once

#include <functional>
#include <queue>
#include <vector>

#include "sim/campaign/faults_spec.hpp"

namespace danlu {

class NodePool {
 public:
  explicit NodePool(const SparesSpec& spec) : hot_(spec.hot), cold_(spec.cold) {}

  /// Takes up to `wanted` spares, hot ones first.
  struct Taken {
    int hot = 0;
    int cold = 0;
    int all() const { return hot + cold; }
    Taken& operator+=(const Taken& more) {
      hot += more.hot;
      cold += more.cold;
      return *this;
    }
  };
  Taken take(int wanted);

  /// A node is in repair until `mended`.
  void repair(Seconds mended) { mended_.push(mended); }
  /// What is mended by `now` is a hot spare.
  void settle(Seconds now);
  Seconds next_mended() const { return mended_.empty() ? kNever : mended_.top(); }

  int spares() const { return hot_ + cold_; }
  int in_repair() const { return static_cast<int>(mended_.size()); }

 private:
  int hot_;
  int cold_;
  std::priority_queue<Seconds, std::vector<Seconds>, std::greater<>> mended_;
};

}  // namespace danlu
