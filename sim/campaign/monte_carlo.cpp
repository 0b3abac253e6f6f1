// Many trials on all cores. They are played in blocks, each trial into its own place, and summed up
// in their order, so that the result is the same to the last bit for any number of threads.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <numeric>
#include <thread>

#include "sim/campaign/campaign.hpp"

namespace danlu {
namespace {

constexpr int kBlock = 1024;

/// The q-quantile of sorted values, between neighbours in proportion.
double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - std::floor(place));
}

CampaignStatistic statistic(std::vector<double> values) {
  CampaignStatistic s;
  const auto n = static_cast<double>(values.size());
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) {
    squares += (value - s.mean) * (value - s.mean);
  }
  if (values.size() > 1) {
    s.stddev = std::sqrt(squares / (n - 1));
    s.stderr_of_mean = s.stddev / std::sqrt(n);
  }
  std::sort(values.begin(), values.end());
  s.min = values.front();
  s.p5 = quantile(values, 0.05);
  s.p25 = quantile(values, 0.25);
  s.p50 = quantile(values, 0.5);
  s.p75 = quantile(values, 0.75);
  s.p95 = quantile(values, 0.95);
  s.max = values.back();
  return s;
}

/// Sums of trials, and what is needed of each for quantiles.
class Summary {
 public:
  explicit Summary(const FaultsSpec& spec) : faults_(spec.causes.size()) {
    campaign_.tiers = spec.tiers;
    campaign_.checkpoints.resize(spec.tiers.size());
    campaign_.lost_by_cause.resize(faults_.size());
    campaign_.stops_by_cause.resize(faults_.size());
  }

  void add(const CampaignTrial& trial) {
    ++campaign_.trials;
    campaign_.finished += trial.finished ? 1 : 0;
    campaign_.gave_up += trial.gave_up ? 1 : 0;
    campaign_.wall_by_trial.push_back(trial.wall);
    campaign_.useful_by_trial.push_back(trial.time[CampaignPart::Useful]);
    wall_.push_back(trial.wall.value);
    ettr_.push_back(trial.ettr());
    failures_.push_back(trial.failures);
    add_to(campaign_.time, trial.time);
    add_to(campaign_.gpu_time, trial.gpu_time);
    campaign_.steps += trial.steps;
    campaign_.unnoticed += trial.unnoticed;
    campaign_.begun_anew += trial.begun_anew;
    campaign_.left_out += trial.left_out;
    for (const TierId i : campaign_.checkpoints.ids()) {
      campaign_.checkpoints[i] += trial.checkpoints[i];
    }
    for (const CauseId i : faults_.ids()) {
      faults_[i].push_back(trial.faults[i]);
      campaign_.stops_by_cause[i] += trial.stops[i];
      add_to(campaign_.lost_by_cause[i], trial.lost[i]);
    }
  }

  Campaign result() && {
    const double n = campaign_.trials;
    campaign_.wall = statistic(std::move(wall_));
    campaign_.ettr = ratio(statistic(std::move(ettr_)));
    campaign_.failures = statistic(std::move(failures_));
    campaign_.steps /= n;
    campaign_.unnoticed /= n;
    campaign_.begun_anew /= n;
    campaign_.left_out /= n;
    for (double& stops : campaign_.stops_by_cause) {
      stops /= n;
    }
    for (double& checkpoints : campaign_.checkpoints) {
      checkpoints /= n;
    }
    divide(campaign_.time, n);
    divide(campaign_.gpu_time, n);
    for (CampaignTime& lost : campaign_.lost_by_cause) {
      divide(lost, n);
    }
    for (std::vector<double>& counts : faults_) {
      campaign_.faults_by_cause.push_back(statistic(std::move(counts)));
    }
    return std::move(campaign_);
  }

 private:
  static void add_to(CampaignTime& sum, const CampaignTime& time) {
    for (const CampaignPart part : sum.parts.ids()) {
      sum[part] += time[part];
    }
  }
  static void divide(CampaignTime& sum, double n) {
    for (Seconds& part : sum.parts) {
      part = part / n;
    }
  }

  /// The mean of the ratio of all, with its error (Cochran, Sampling Techniques, 6.4).
  CampaignStatistic ratio(CampaignStatistic ettr) const {
    const auto n = static_cast<double>(campaign_.trials);
    const auto& useful = campaign_.useful_by_trial;
    const auto& wall = campaign_.wall_by_trial;
    ettr.mean = std::accumulate(useful.begin(), useful.end(), Seconds{}) /
                std::accumulate(wall.begin(), wall.end(), Seconds{});
    double squares = 0;
    for (std::size_t i = 0; i < useful.size(); ++i) {
      const double off = (useful[i] - wall[i] * ettr.mean).value;
      squares += off * off;
    }
    ettr.stderr_of_mean = n > 1 ? std::sqrt(squares / (n - 1) / n) / campaign_.wall.mean : 0;
    return ettr;
  }

  Campaign campaign_;
  std::vector<double> wall_;
  std::vector<double> ettr_;
  std::vector<double> failures_;
  IdVector<CauseId, std::vector<double>> faults_;
};

/// Trials `first` to before `first + trials.size()`.
void play(const CampaignJob& job, const FaultsSpec& faults, int first, int threads,
          std::vector<CampaignTrial>& trials) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::exception_ptr> errors(threads);
  const auto work = [&](std::size_t thread) {
    try {
      for (std::size_t i = next++; i < trials.size(); i = next++) {
        trials[i] = run_trial(job, faults, first + static_cast<int>(i));
      }
    } catch (...) {
      errors[thread] = std::current_exception();
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t thread = 1; thread < errors.size(); ++thread) {
    others.emplace_back(work, thread);
  }
  work(0);
  others.clear();
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

}  // namespace

Campaign run_campaign(const CampaignJob& job, const FaultsSpec& asked, int threads,
                      const EnoughTrials& enough) {
  const FaultsSpec faults = with_intervals(job, asked, threads);
  const int cores = threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency());
  Summary summary(faults);
  for (int first = 0, count = 0; first < faults.trials; first += count) {
    if (first > 0 && enough && enough(Summary(summary).result())) {
      break;
    }
    const int next = !enough ? kBlock : first == 0 ? kFirstTrials : std::min(first, kBlock);
    count = std::min(next, faults.trials - first);
    std::vector<CampaignTrial> trials(count);
    play(job, faults, first, std::clamp(cores, 1, count), trials);
    for (const CampaignTrial& trial : trials) {
      summary.add(trial);
    }
  }
  return std::move(summary).result();
}

}  // namespace danlu
