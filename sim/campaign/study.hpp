// What one asks of a campaign: what the run takes, which checkpoint interval is best and how much
// that matters, and what would help. Everything is played on the same random numbers, so that two
// answers differ only by what was changed. Differences of paired runs are much surer than the runs,
// so that they are taken of as many of the first runs as they need, and no more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/campaign/campaign.hpp"
#include "sim/campaign/faults_plan.hpp"

namespace danlu {

/// A change for the better.
struct CampaignRemedy {
  std::string name;
  FaultsSpec spec;
};

/// What a remedy brings. Days are those of the work that the unchanged campaign does.
struct WhatIf {
  std::string name;
  double ettr = 0;
  Seconds wall;             // for the same work
  Seconds saved;            // by the remedy
  Seconds stderr_of_saved;  // of the differences trial by trial
  int trials = 0;           // the first so many of the campaign's, as many as the difference needs
};

struct IntervalTrial {
  Seconds interval;
  double ettr = 0;
  double stderr_of_ettr = 0;
};

/// The storage tier's interval: the best by formula and by trying, and what others cost.
struct IntervalStudy {
  Seconds used;
  std::optional<Seconds> formula;    // none: nothing fails, or saves cost nothing
  Seconds best;                      // of the curve, and of what was used
  std::vector<IntervalTrial> curve;  // see curve_around
  int trials = 0;                    // of each of its points
};

struct CampaignStudy {
  CampaignJob job;
  FaultsPlan plan;  // with its slowdowns and intervals
  Campaign campaign;
  std::optional<IntervalStudy> interval;  // none without checkpoints
  std::vector<WhatIf> what_if;            // most days saved first
};

/// Whether the error of a difference is small: so much of it is. Of two intervals it may also be so
/// much of the time.
inline constexpr double kSureOfDifference = 0.02;
inline constexpr double kSureOfTime = 1e-4;

/// Whether chance says when faults come; otherwise all runs meet one sequence that is known.
bool draws_faults(const FaultsSpec& spec);

/// Every remedy that changes something, but for the best interval, which study() finds by trying.
std::vector<CampaignRemedy> remedies(const FaultsPlan& plan);

/// About how many happenings (CampaignTrial) all runs of a study have together, of the campaign
/// and of everything that is compared with it.
double expected_happenings(const CampaignJob& job, const FaultsPlan& plan);

/// Plays the campaign and everything that is asked about it; `threads` as in run_campaign.
CampaignStudy study(const CampaignJob& job, FaultsPlan plan, int threads = 0);

}  // namespace danlu
