// Which positions of a sequence attend to which: to those before them and to themselves (without a
// causal mask to twice as many: those behind them, too), within a
// window, within their document. A pair of positions is a unit of attention's work; of a whole
// sequence of s there are s^2/2, in a document of l with a window of w
//
//   l^2/2  where l <= w      w l - w^2/2  else
//
// (the continuous forms, as that of the causal half has it).
#pragma once

#include "sim/workload/workload.hpp"

namespace danlu {

/// Pairs that the mask leaves in a sequence of `length` to a layer that sees no more than `window`
/// (0: has none), where the training's is no smaller. Documents fill sequences in the proportions
/// that they are given in.
double attended_pairs(const TrainingSpec& training, int window, double length);
/// Positions that the last one of the longest document attends to.
double most_attended(const TrainingSpec& training, int window, double length);

}  // namespace danlu
