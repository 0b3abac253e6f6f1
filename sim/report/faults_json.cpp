#include "sim/report/faults_report.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

Json statistic_json(const CampaignStatistic& of) {
  return {{"mean", of.mean},     {"stderr", of.stderr_of_mean},
          {"stddev", of.stddev}, {"min", of.min},
          {"p5", of.p5},         {"p25", of.p25},
          {"p50", of.p50},       {"p75", of.p75},
          {"p95", of.p95},       {"max", of.max}};
}

std::string name_of(CampaignPart part) {
  return std::string(kCampaignPartNames[static_cast<std::size_t>(part)]);
}

Json parts_json(const CampaignTime& time, bool with_useful) {
  Json json = Json::object();
  for (const CampaignPart part : kWallParts) {
    if (with_useful || part != CampaignPart::Useful) {
      json[name_of(part)] = time[part].value;
    }
  }
  return json;
}

Json all_parts_json(const CampaignTime& time) {
  Json json = Json::object();
  for (std::size_t i = 0; i < kCampaignParts; ++i) {
    json[std::string(kCampaignPartNames[i])] = time.parts[i].value;
  }
  return json;
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
Json or_null(const std::optional<Seconds>& time) {
  return time ? Json(time->value) : Json(nullptr);
}

Json causes_json(const CampaignStudy& study) {
  Json causes = Json::array();
  for (std::size_t i = 0; i < study.plan.spec.causes.size(); ++i) {
    const FaultCause& cause = study.plan.spec.causes[i];
    const bool slows = cause.effect == FaultCause::Effect::Degrade;
    causes.push_back({{"cause", cause.name},
                      {"component", cause.component},
                      {"components", cause.count},
                      {"effect", FaultCause::kEffectNames[static_cast<std::size_t>(cause.effect)]},
                      {"slowdown", slows && std::isfinite(cause.slowdown) ? Json(cause.slowdown)
                                                                          : Json(nullptr)},
                      {"faults", statistic_json(study.campaign.faults_by_cause[i])},
                      {"stops", study.campaign.stops_by_cause[i]},
                      {"lost_s", study.campaign.lost_by_cause[i].total().value}});
  }
  return causes;
}

/// Every tier with the interval that was used, in useful time.
Json tiers_json(const CampaignStudy& study) {
  Json tiers = Json::array();
  for (std::size_t i = 0; i < study.campaign.tiers.size(); ++i) {
    const CheckpointTier& tier = study.campaign.tiers[i];
    const Seconds interval =
        interval_of(tier, study.job.step, study.plan.spec.semantics.whole_steps);
    tiers.push_back({{"name", tier.name},
                     {"count", study.campaign.checkpoints[i]},
                     {"interval_s", interval < kNever ? Json(interval.value) : Json(nullptr)},
                     {"blocking_s", tier.blocking.value},
                     {"persist_s", tier.persist.value},
                     {"slowdown", tier.slowdown}});
  }
  return tiers;
}

Json checkpoint_json(const CampaignStudy& study) {
  if (study.campaign.tiers.empty()) {
    return nullptr;
  }
  const CheckpointTier& tier = study.campaign.tiers.back();
  Json curve = Json::array();
  Json best = nullptr;
  if (study.interval && study.interval->formula) {
    best = study.interval->best.value;
    for (const IntervalTrial& point : study.interval->curve) {
      curve.push_back({{"interval_s", point.interval.value},
                       {"ettr", point.ettr},
                       {"ettr_stderr", point.stderr_of_ettr}});
    }
  }
  return {{"bytes", study.plan.file.size.value},
          {"write_s", study.plan.file.write.value},
          {"blocking_s", tier.blocking.value},
          {"persist_s", tier.persist.value},
          {"slowdown", tier.slowdown},
          {"count", study.campaign.checkpoints.back()},
          {"interval_s", study.interval ? Json(study.interval->used.value) : Json(nullptr)},
          {"best_interval_formula_s",
           study.interval ? or_null(study.interval->formula) : Json(nullptr)},
          {"best_interval_simulated_s", best},
          {"curve", curve},
          {"tiers", tiers_json(study)}};
}

}  // namespace

Json campaign_difference_json(const CampaignDifference& difference) {
  return {{"wall_s", difference.wall.value}, {"time_s", parts_json(difference.parts, true)}};
}

Json faults_json(const FaultsReport& faults) {
  const CampaignStudy& study = faults.study;
  const Campaign& campaign = study.campaign;
  Json what_if = Json::array();
  for (const WhatIf& remedy : study.what_if) {
    what_if.push_back({{"remedy", remedy.name},
                       {"saved_s", remedy.saved.value},
                       {"saved_stderr_s", remedy.stderr_of_saved.value},
                       {"wall_s", remedy.wall.value},
                       {"ettr", remedy.ettr}});
  }
  return {{"name", study.plan.name.empty() ? Json(nullptr) : Json(study.plan.name)},
          {"trials", campaign.trials},
          {"seed", study.plan.spec.seed},
          {"finished", campaign.finished},
          {"ettr", campaign.ettr.mean},
          {"ettr_distribution", statistic_json(campaign.ettr)},
          {"goodput", faults.goodput},
          {"failures", campaign.failures.mean},
          {"unnoticed_corruptions", campaign.unnoticed},
          {"begun_anew", campaign.begun_anew},
          {"failures_distribution", statistic_json(campaign.failures)},
          {"wall_time_s", statistic_json(campaign.wall)},
          {"fault_free_s", faults.fault_free.value},
          {"step_s", study.job.step.value},
          {"steps", campaign.steps},
          {"time_s", parts_json(campaign.time, true)},
          {"lost_s", parts_json(campaign.time, false)},
          {"gpu_time_s", all_parts_json(campaign.gpu_time)},
          {"gpu_hours", faults.gpu_hours},
          {"cost_usd", or_null(faults.cost_usd)},
          {"fault_free_cost_usd", or_null(faults.fault_free_cost_usd)},
          {"by_cause", causes_json(study)},
          {"checkpoint", checkpoint_json(study)},
          {"what_if", what_if},
          {"assumptions", study.plan.assumptions}};
}

}  // namespace danlu
