// Runs side by side as JSON, "danlu.compare/1".
#include <nlohmann/json.hpp>

#include "sim/report/faults_report.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

Json parts_json(const TimePartition& partition) {
  Json json = Json::object();
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    json[std::string(kTimePartNames[i])] = partition.parts[i].value;
  }
  return json;
}

/// The campaign against that of the base; null where one of them has none.
Json faults_difference(const Report& base, const Report& other) {
  if (!base.faults || !other.faults) {
    return nullptr;
  }
  const CampaignDifference difference = campaign_difference(*base.faults, *other.faults);
  Json parts = Json::object();
  for (const CampaignPart part : kWallParts) {
    const std::string_view name = kCampaignPartNames[static_cast<std::size_t>(part)];
    parts[std::string(name)] = difference.parts[part].value;
  }
  return {{"wall_s", difference.wall.value}, {"time_s", parts}};
}

/// The keys that differ, with the text of each run.
Json settings_json(std::span<const Report> reports) {
  Json settings = Json::object();
  for (const DifferentSetting& setting : different_settings(reports)) {
    settings[setting.key] = setting.texts;
  }
  return settings;
}

}  // namespace

std::string json_comparison(std::span<const Report> reports) {
  Json runs = Json::array();
  Json differences = Json::array();
  for (const Report& report : reports) {
    runs.push_back(json_of(document_of(report)));
    const Difference against = difference(reports.front(), report);
    differences.push_back({{"scenario", report.scenario},
                           {"step_s", against.step.value},
                           {"parts_s", parts_json(against.parts)},
                           {"faults", faults_difference(reports.front(), report)}});
  }
  differences.erase(0);  // the first against itself
  return json_text({{"schema", "danlu.compare/1"},
                    {"base", reports.front().scenario},
                    {"settings", settings_json(reports)},
                    {"runs", runs},
                    {"differences", differences}});
}

}  // namespace danlu
