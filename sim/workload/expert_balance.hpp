// How evenly tokens are spread over experts, and so over the ranks that hold them. Loads are given,
// or Zipf's, or equal; a capacity cuts them, and may fill them up:
//
//   load       3   1   1.5   0.5   ...   of each expert, over the mean
//   capacity   2   1   1.5   0.5         what is above 2 is dropped
//   padded     2   2   2     2           all compute as much
//
// Experts lie on ranks in order, equally many on each. All layers have one load, or each its own,
// as given, or by Zipf's law with an order of its own.
#pragma once

#include <vector>

#include "sim/workload/workload.hpp"

namespace danlu {

struct ExpertBalance {
  std::vector<double> wanted;    // by expert: copies of tokens that ask for it, over the mean
  std::vector<double> taken;     // by expert: what of it is not dropped
  std::vector<double> computed;  // by rank: of its experts in the mean, dropped and padded
  double mean = 1;               // of computed
  double fullest = 1;            // the fullest rank's over the mean rank's
  double dropped = 0;            // share of copies
  double padding = 0;            // share of what is computed
};

/// How many loads there are: 1, or one for each layer with experts.
int expert_loads(const Workload& workload);
/// One of them, of a model with experts, whose number is a multiple of the ranks that they lie on.
ExpertBalance expert_balance(const Workload& workload, int load = 0);
/// All of them; none without experts.
std::vector<ExpertBalance> expert_balances(const Workload& workload);

}  // namespace danlu
