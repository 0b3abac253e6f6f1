// Links that can never be what limits a flow. In a fabric without oversubscription an uplink has
// room for all the NICs below it: whatever rates the NICs allow, the uplink allows too. Its
// inequality follows from theirs, so without it the set of possible rates, and with it max-min
// sharing, is the same.
//
//   NIC 1 --\                     rates through NIC 1 <= c        the uplink's flows all come from
//   NIC 2 --- leaf --- uplink     rates through NIC 2 <= c   =>   these, so rates there <= 2 c
//
// In general, let every pattern i on link l name one other link g(i) of its own as its guard. Then
// with w the weights, load on l = sum_i w(i,l) rate(i) <= sum_g C(g) max w(i,l) / w(i,g) over the
// patterns that g guards. Where that is at most C(l), l is implied. This holds for any choice of
// guards; here they are taken among the links into l's start, or out of its end.
//
// Dropping such links before folding matters: uplinks tie every rank to all others below its leaf
// and so, from leaf to leaf, keep ranks apart that never notice each other.
#pragma once

#include "sim/fold/step_patterns.hpp"

namespace danlu {

/// Of every link whether the others imply it. A link counts as implied only by links that are
/// not, so all of them may be dropped together.
IdVector<LoadedLinkId, bool> implied_links(const StepPatterns& step, const Cluster& cluster);

}  // namespace danlu
