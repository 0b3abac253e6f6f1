#include "sim/campaign/closed_forms.hpp"

#include <algorithm>
#include <cmath>

namespace danlu {
namespace {

/// The lower incomplete gamma function by its series x^a e^-x sum x^n / (a (a+1) .. (a+n)).
double lower_gamma(double a, double x) {
  double term = 1 / a;
  double sum = term;
  for (int n = 1; term > sum * 1e-17; ++n) {
    term *= x / (a + n);
    sum += term;
  }
  return std::pow(x, a) * std::exp(-x) * sum;
}

/// e^(l w) - 1 for one segment.
double growth(const RestartModel& model) {
  return std::expm1((model.interval + model.checkpoint) / model.mtbf);
}

/// The same over all segments; the last may end without a checkpoint.
double total_growth(const RestartModel& model) {
  const double segments = model.work / model.interval;
  const double less =
      model.last_checkpoint ? 0 : growth(model) - std::expm1(model.interval / model.mtbf);
  return segments * growth(model) - less;
}

/// Time that a failed attempt costs, per unit of growth.
Seconds cost(const RestartModel& model) {
  return model.restart_can_fail
             ? (model.mtbf + model.detection) * std::exp(model.restart / model.mtbf)
             : model.mtbf + model.detection + model.restart;
}

}  // namespace

Seconds young_interval(Seconds checkpoint, Seconds mtbf) {
  return mtbf * std::sqrt(2 * (checkpoint / mtbf));
}

Seconds daly_interval(Seconds checkpoint, Seconds mtbf) {
  const double ratio = checkpoint / mtbf / 2;
  if (ratio >= 1) {
    return mtbf;
  }
  return young_interval(checkpoint, mtbf) * (1 + std::sqrt(ratio) / 3 + ratio / 9) - checkpoint;
}

// u = tau/M solves -ln(1 - u) - u = C/M, which is u = 1 + W0(-exp(-C/M - 1)) without the
// cancellation near the branch point. The left side is convex, so Newton's method from the right
// goes down to the root.
Seconds optimal_interval(Seconds checkpoint, Seconds mtbf) {
  const double c = checkpoint / mtbf;
  if (c <= 0) {
    return {};
  }
  constexpr double kHopeless = 30;  // u is 1 to rounding
  if (c > kHopeless) {
    return mtbf;
  }
  double u = std::min(std::sqrt(2 * c), -std::expm1(-c - 1));
  for (int i = 0; i < 50; ++i) {
    const double step = (-std::log1p(-u) - u - c) * (1 - u) / u;
    u -= step;
    if (std::abs(step) < 1e-15 * u) {
      break;
    }
  }
  return mtbf * u;
}

Seconds mean_makespan(const RestartModel& model) {
  return cost(model) * total_growth(model);
}

double mean_failures(const RestartModel& model) {
  const double again = model.restart_can_fail ? std::exp(model.restart / model.mtbf) : 1;
  return again * total_growth(model);
}

Seconds makespan_deviation(const RestartModel& model) {
  const double mtbf = model.mtbf.value;
  const double w = (model.interval + model.checkpoint).value;
  const double p = std::exp(-w / mtbf);
  const double q = 1 - p;
  const double down = (model.restart + model.detection).value;
  const double until = mtbf - w * p / q;  // a failure, given that one comes in the segment
  const double squared = 2 * mtbf * mtbf - (w * w + 2 * w * mtbf) * p / q;
  const double variance =
      q / p * (squared - until * until) + q / (p * p) * (until + down) * (until + down);
  return Seconds{std::sqrt(model.work / model.interval * variance)};
}

double efficiency(const RestartModel& model) {
  return model.interval / (cost(model) * growth(model));
}

double async_efficiency(const RestartModel& model, Seconds persist) {
  return efficiency(model) * std::exp(-(persist / model.mtbf));
}

double meta_ettr(const RestartModel& model) {
  return (1 - (model.restart + model.interval / 2) / model.mtbf) /
         (1 + model.checkpoint / model.interval);
}

namespace {

/// Erlang's recursion: from one server less.
double erlang_b_of(int servers, double load, double of_one_less) {
  return load * of_one_less / (servers + load * of_one_less);
}

}  // namespace

double erlang_b(int servers, double load) {
  double blocked = 1;
  for (int k = 1; k <= servers; ++k) {
    blocked = erlang_b_of(k, load, blocked);
  }
  return blocked;
}

double stalled_share(int nodes, int spares, Seconds node_mtbf, Seconds repair) {
  return erlang_b(spares + 1, nodes * (repair / node_mtbf));
}

int as_many_spares(int nodes, int spares, int beside, Seconds node_mtbf, Seconds repair) {
  constexpr double kRounding = 1e-12;
  constexpr int kMost = 1'000'000;
  if (nodes == beside) {
    return spares;
  }
  const double share = stalled_share(beside, spares, node_mtbf, repair) * (1 + kRounding);
  const double load = nodes * (repair / node_mtbf);
  double stalled = 1;
  for (int fewest = 0; fewest < kMost; ++fewest) {
    stalled = erlang_b_of(fewest + 1, load, stalled);
    if (stalled <= share) {
      return fewest;
    }
  }
  return kMost;
}

double elastic_throughput(int nodes_per_replica, Seconds node_mtbf, Seconds repair) {
  return 1 / (1 + nodes_per_replica * (repair / node_mtbf));
}

Seconds weibull_segment(Seconds work, double shape, Seconds mean, Seconds restart) {
  const Seconds scale = mean / std::tgamma(1 + 1 / shape);
  const double x = std::pow(work / scale, shape);
  const double survival = std::exp(-x);
  const Seconds at_work = scale / shape * lower_gamma(1 / shape, x);
  return (at_work + restart * (1 - survival)) / survival;
}

double two_tier_waste(const TwoTiers& t) {
  const Seconds lost =
      (t.restart1 + t.interval1 / 2) * t.fast + (t.restart2 + t.interval2 / 2) * (1 - t.fast);
  return t.checkpoint1 / t.interval1 + t.checkpoint2 / t.interval2 + lost / t.mtbf;
}

double peer_copies_survive(int nodes, int group) {
  double sets = 1;
  for (int k = 1; k <= group; ++k) {
    sets *= static_cast<double>(nodes - group + k) / k;
  }
  return 1 - static_cast<double>(nodes) / group / sets;
}

}  // namespace danlu
