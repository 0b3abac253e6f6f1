// What theory says about checkpoints and restarts; for `auto` intervals, and to stand beside the
// simulated figures. Failures come at the constant rate 1 / mtbf.
//
//   tau  useful work between checkpoints      C  blocking time of a checkpoint
//   M    mean time between failures (mtbf)    R  restart      D  detection, sheltered
//
// Sources: J. Young, CACM 17 (1974) 530; J. Daly, FGCS 22 (2006) 303,
// doi:10.1016/j.future.2004.11.016; A. Kokolis et al., arXiv:2410.21680 (ETTR estimate). The rest
// is derived in docs/explain/faults.md.
#pragma once

#include "sim/base/units.hpp"

namespace danlu {

/// sqrt(2 C M): first order, for C << tau << M.
Seconds young_interval(Seconds checkpoint, Seconds mtbf);
/// sqrt(2CM) [1 + 1/3 sqrt(C/2M) + 1/9 C/2M] - C; M where C >= 2M.
Seconds daly_interval(Seconds checkpoint, Seconds mtbf);
/// The exact optimum M (1 + W0(-exp(-C/M - 1))): what minimises makespan, whatever R and D.
Seconds optimal_interval(Seconds checkpoint, Seconds mtbf);

/// A job of `work` in segments that each end with a checkpoint.
struct RestartModel {
  Seconds work;
  Seconds interval;
  Seconds checkpoint;
  Seconds restart;
  Seconds detection;
  Seconds mtbf;
  bool restart_can_fail = true;  // model A; false: model B
  bool last_checkpoint = true;
};
/// Mean wall time. Per segment (1/l + D) e^(lR) (e^(l(tau+C)) - 1) for model A,
/// (1/l + D + R) (e^(l(tau+C)) - 1) for model B, with l = 1/M.
Seconds mean_makespan(const RestartModel& model);
/// Mean number of failures (of model A: with D = 0).
double mean_failures(const RestartModel& model);
/// Standard deviation of the wall time of model B.
Seconds makespan_deviation(const RestartModel& model);
/// Useful share of a long run with synchronous checkpoints.
double efficiency(const RestartModel& model);

/// Useful share of a long run when a checkpoint can be used `persist` after its blocking part; any
/// number in flight: efficiency x e^(-l L).
double async_efficiency(const RestartModel& model, Seconds persist);

/// (1 - (R + tau/2)/M) / (1 + C/tau): the first-order estimate of Meta's clusters.
double meta_ettr(const RestartModel& model);

/// Erlang's loss formula: the share of time in which all `servers` are busy.
double erlang_b(int servers, double load);
/// Share of time that a job stands still for lack of nodes: B(S+1, N rate MTTR).
double stalled_share(int nodes, int spares, Seconds node_mtbf, Seconds repair);
/// The fewest spares that let a job of `nodes` stand still no more of the time than `spares` do one
/// of `beside` nodes: small jobs need more for each node, since failures come in clusters.
int as_many_spares(int nodes, int spares, int beside, Seconds node_mtbf, Seconds repair);
/// Mean share of replicas that run when each loses a node and gets it back by itself.
double elastic_throughput(int nodes_per_replica, Seconds node_mtbf, Seconds repair);

/// Mean time for one segment of `work` when failures are Weibull with a fresh clock after each and
/// a restart cannot fail: (integral of S over the segment + R (1 - S(w))) / S(w).
Seconds weibull_segment(Seconds work, double shape, Seconds mean, Seconds restart);

/// Two tiers, first order: the share `fast` of the failures falls back to the first.
struct TwoTiers {
  Seconds interval1, checkpoint1, restart1;
  Seconds interval2, checkpoint2, restart2;
  Seconds mtbf;
  double fast = 0;
};
double two_tier_waste(const TwoTiers& tiers);

/// Chance that no group of `group` peers that keep one another's copies is lost whole when `group`
/// of `nodes` machines fail at once: 1 - (N/m) / (N choose m).
double peer_copies_survive(int nodes, int group);

}  // namespace danlu
