// Links that can never be what limits a flow. In a fabric without oversubscription an uplink has
// room for all the NICs below it: whatever rates the NICs allow, the uplink allows too. Its
// inequality follows from theirs, so without it the set of possible rates, and with it max-min
// sharing, is the same.
//
//   NIC 1 --\                     rates through NIC 1 <= c        the uplink's flows all come from
//   NIC 2 --- leaf --- uplink     rates through NIC 2 <= c   =>   these, so rates there <= 2 c
//
// In general, give some links g, the guards, shares s(g) so that for every pattern i on link l,
// with w the weights, sum_g s(g) w(i,g) >= w(i,l). Then the load on l, sum_i w(i,l) rate(i), is at
// most sum_g s(g) C(g). Where that is at most C(l), l is implied. This holds for any choice of
// guards and shares; here guards are taken among the links into l's start, or out of its end, that
// are narrower or of another kind, each with the least share that covers what is open of its
// patterns, of at most 1 (all that passes l has come over these links) or of any size.
//
// Where patterns of a class (refine.hpp) have equal rates at any time, it is enough to look at one
// link of each class, and at what classes of patterns do there and on the classes of guards.
//
// Dropping such links matters: uplinks tie every rank to all others below its leaf and so, from
// leaf to leaf, keep ranks apart that never notice each other. Without them classes are fewer.
#pragma once

#include "sim/fold/refine.hpp"
#include "sim/fold/step_patterns.hpp"

namespace danlu {

/// Of every link whether the others imply it, `classes` being those of the step. A link counts as
/// implied only by links that are not, so all of them may be dropped together.
IdVector<LoadedLinkId, bool> implied_links(const StepPatterns& step, const Cluster& cluster,
                                           const Colours& classes);

/// A step without the links that the others imply, and its classes.
struct LeanStep {
  StepPatterns patterns;
  Colours classes;
};

/// `ranks` are the ranks' first colours. `equal_rates`: of patterns of a class, at any time; else
/// each pattern may have any rate that its links allow.
LeanStep without_implied_links(const StepPatterns& step, const Cluster& cluster,
                               const IdVector<RankId, RankClassId>& ranks, bool equal_rates);

}  // namespace danlu
