#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/collective/algorithms.hpp"
#include "sim/report/faults_report.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/verdict.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string_view fold_name(FoldMode fold) {
  switch (fold) {
    case FoldMode::Exact:
      return "exact";
    case FoldMode::Bound:
      return "bound";
    case FoldMode::Off:
      return "off";
  }
  return "";
}

Json partition_json(const TimePartition& partition) {
  Json json = Json::object();
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    json[std::string(kTimePartNames[i])] = partition.parts[i].value;
  }
  return json;
}

/// The time of a step by part; null for what it cannot have.
Json breakdown_json(const StepReport& step) {
  Json json = partition_json(step.breakdown);
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    if (!step.has(static_cast<TimePart>(i))) {
      json[std::string(kTimePartNames[i])] = nullptr;
    }
  }
  return json;
}

Json overlap_json(const KindOverlap& overlap) {
  return {{"time_s", overlap.time.value},
          {"overlapped_s", overlap.overlapped.value},
          {"exposed_s", overlap.exposed.value},
          {"overlap_ratio", or_null(overlap.overlap_ratio())}};
}

Json step_json(const Report& report) {
  const StepReport& step = report.step;
  Json by_kind = Json::object();
  for (std::size_t k = 0; k < kCommunicationKinds; ++k) {
    by_kind[std::string(kCommunicationKindNames[k])] =
        step.by_kind[k].time > Seconds{} ? overlap_json(step.by_kind[k]) : Json(nullptr);
  }
  return {{"time_s", step.time.value},
          {"tokens_per_s", step.tokens_per_second},
          {"tokens_per_s_per_gpu", step.tokens_per_second / report.gpus},
          {"model_tflops_per_gpu", step.model_flops_per_gpu_second / 1e12},
          {"hardware_tflops_per_gpu", step.hardware_flops_per_gpu_second / 1e12},
          {"peak_tflops_per_gpu", report.peak.value / 1e12},
          {"mfu", step.mfu},
          {"mfu_full_attention", step.mfu_full},
          {"mfu_causal_attention", step.mfu_causal},
          {"hfu", step.hfu},
          {"bubble_fraction", step.bubble_fraction},
          {"overlap_ratio", or_null(step.all_communication.overlap_ratio())},
          {"exposed_communication_s", step.all_communication.exposed.value},
          {"breakdown_s", breakdown_json(step)},
          {"kernel_inefficiency_s",
           {{"gemm", step.kernel_inefficiency.gemm.value},
            {"attention", step.kernel_inefficiency.attention.value},
            {"memory", step.kernel_inefficiency.memory.value}}},
          {"communication_s", by_kind}};
}

Json communication_json(const CommunicationReport& c) {
  return {{"name", c.name()},
          {"kind", kCommunicationKindNames[static_cast<std::size_t>(c.kind)]},
          {"operation", collective_name(c.op)},
          {"group", c.group},
          {"group_size", c.group_size},
          {"algorithm", row_of(c.choice.algorithm).name},
          {"protocol", kProtocolNames[static_cast<std::size_t>(c.choice.protocol)]},
          {"bytes_per_rank", c.bytes_per_rank.value},
          {"count", c.count},
          {"time_s", c.time.value},
          {"exposed_s", c.exposed.value},
          {"overlap_ratio", or_null(c.overlap_ratio())},
          {"bottleneck", c.bottleneck}};
}

Json link_json(const LinkReport& links) {
  return {{"kind", link_kind_name(links.kind)},
          {"links", links.links},
          {"bytes", links.bytes.value},
          {"busiest",
           {{"link", links.busiest},
            {"capacity_bytes_per_s", links.capacity.value},
            {"bytes", links.busiest_bytes.value},
            {"average_utilisation", links.average},
            {"peak_utilisation", links.peak}}}};
}

Json throttle_json(const std::optional<Throttle>& throttle) {
  if (!throttle) {
    return nullptr;
  }
  return {{"slowdown", throttle->slowdown},
          {"period_s", throttle->period.value},
          {"share", throttle->share},
          {"phase", throttle->phase}};
}

Json draws_json(const std::optional<DrawsReport>& draws) {
  if (!draws) {
    return nullptr;
  }
  Json steps = Json::array();
  for (const Seconds step : draws->steps) {
    steps.push_back(step.value);
  }
  const auto [least, most] = std::minmax_element(draws->steps.begin(), draws->steps.end());
  return {{"count", draws->steps.size()},
          {"mean_s", draws->mean().value},
          {"stderr_s", draws->standard_error().value},
          {"min_s", least->value},
          {"max_s", most->value},
          {"steps_s", steps}};
}

Json speed_json(const SpeedReport& speed) {
  return {{"gpu", speed.gpu},
          {"slowdown", speed.slowdown},
          {"throttle", throttle_json(speed.throttle)},
          {"jitter", or_null(speed.jitter)},
          {"gpus", speed.gpus},
          {"compute_s", speed.compute.value},
          {"straggler_wait_s", speed.straggler_wait.value},
          {"bubble_s", speed.bubble.value}};
}

Json memory_json(const MemoryReport& memory) {
  const MemoryUse& use = memory.use;
  return {{"capacity_bytes", memory.capacity.value},
          {"peak_bytes", use.peak().value},
          {"parameters_bytes", use.parameters.value},
          {"gradients_bytes", use.gradients.value},
          {"optimizer_bytes", use.optimizer.value},
          {"activations_bytes", use.activations.value},
          {"other_bytes", use.other.value},
          {"stage", use.stage},
          {"reserve_bytes", memory.reserve.value},
          {"fits", memory.fits()},
          {"verdict", memory.verdict()}};
}

Json run_json(const std::optional<RunReport>& run) {
  if (!run) {
    return nullptr;
  }
  return {{"tokens", run->tokens},
          {"steps", run->steps},
          {"days", run->days},
          {"gpu_hours", run->gpu_hours},
          {"gpu_years", run->gpu_years},
          {"gpu_years_6tp", run->gpu_years_6tp},
          {"gpu_years_8tp", or_null(run->gpu_years_8tp)},
          {"energy_mwh", or_null(run->energy_mwh)},
          {"cost_usd", or_null(run->cost_usd)}};
}

Json critical_path_json(const CriticalPath& path) {
  Json compute = Json::object();
  for (std::size_t i = 0; i < kComputeParts; ++i) {
    compute[std::string(kComputePartNames[i])] = path.compute.parts[i].value;
  }
  Json communications = Json::array();
  for (const CriticalCommunication& c : path.communications) {
    communications.push_back({{"name", c.name},
                              {"kind", kCommunicationKindNames[static_cast<std::size_t>(c.kind)]},
                              {"link", c.link},
                              {"time_s", c.time.value},
                              {"count", c.count}});
  }
  return {{"compute_s", compute},
          {"communication_s", path.communication.value},
          {"communications", communications}};
}

Json verdict_json(const Report& report) {
  Json limits = Json::array();
  for (const StepLimit& limit : limits_of(report.step)) {
    limits.push_back({{"key", limit.key}, {"name", limit.name}, {"share", limit.share}});
  }
  Json saving = nullptr;
  if (report.saving) {
    saving = {{"change", report.saving->change},
              {"step_s", report.saving->step.value},
              {"saved_s", (report.step.time - report.saving->step).value}};
  }
  return {{"fits", report.memory.fits()},
          {"memory", fits_text(report.memory)},
          {"limited_by", limit_text(report.step)},
          {"limits", limits},
          {"saving", saving},
          {"hints", report.memory_hints}};
}

Json assumptions_json(const Report& report) {
  Json assumed = Json::array();
  for (const ReportAssumption& assumption : report.assumptions) {
    assumed.push_back(
        {{"key", assumption.key}, {"value", assumption.text}, {"reason", assumption.reason}});
  }
  return assumed;
}

Json plan_json(const Workload& w) {
  return {{"layout", layout_line(w)},
          {"overlap", overlap_line(w)},
          {"precision", precision_line(w)},
          {"batch", batch_line(w)}};
}

Json report_json(const Report& report) {
  Json communication = Json::array();
  for (const CommunicationReport& c : report.communication) {
    communication.push_back(communication_json(c));
  }
  Json links = Json::array();
  for (const LinkReport& kind : report.links) {
    links.push_back(link_json(kind));
  }
  Json speeds = Json::array();
  for (const SpeedReport& speed : report.speeds) {
    speeds.push_back(speed_json(speed));
  }
  const SimulationReport& simulation = report.simulation;
  return {{"schema", "danlu.run/1"},
          {"scenario", report.scenario},
          {"overrides", report.overrides},
          {"verdict", verdict_json(report)},
          {"notes", report.notes},
          {"assumed", assumptions_json(report)},
          {"model", report.model},
          {"parameters", report.parameters},
          {"topology", report.cluster},
          {"gpu", report.gpu},
          {"gpus", report.gpus},
          {"plan", plan_json(report.workload)},
          {"step", step_json(report)},
          {"draws", draws_json(report.draws)},
          {"speeds", speeds},
          {"communication", communication},
          {"links", links},
          {"critical_path", critical_path_json(report.critical_path)},
          {"memory", memory_json(report.memory)},
          {"run", run_json(report.run)},
          {"faults", report.faults ? faults_json(*report.faults) : Json(nullptr)},
          {"simulation",
           {{"wall_s", simulation.wall.value},
            {"peak_memory_bytes", simulation.peak_memory.value},
            {"tasks_played", simulation.tasks_played},
            {"flows_played", simulation.flows_played},
            {"classes", simulation.classes},
            {"fold", fold_name(simulation.fold)},
            {"exact", simulation.exact}}}};
}

/// What is not UTF-8 (in the name of a file, say) is replaced.
std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// The campaign against that of the base; null where one of them has none.
Json faults_difference(const Report& base, const Report& other) {
  return base.faults && other.faults
             ? campaign_difference_json(campaign_difference(*base.faults, *other.faults))
             : Json(nullptr);
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

std::string json_report(const Report& report) {
  return text_of(report_json(report));
}

std::string json_comparison(std::span<const Report> reports) {
  Json runs = Json::array();
  Json differences = Json::array();
  for (const Report& report : reports) {
    runs.push_back(report_json(report));
    const Difference against = difference(reports.front(), report);
    differences.push_back({{"scenario", report.scenario},
                           {"step_s", against.step.value},
                           {"parts_s", partition_json(against.parts)},
                           {"faults", faults_difference(reports.front(), report)}});
  }
  differences.erase(0);  // the first against itself
  const Json json{{"schema", "danlu.compare/1"},
                  {"base", reports.front().scenario},
                  {"settings", settings_json(reports)},
                  {"runs", runs},
                  {"differences", differences}};
  return text_of(json);
}

}  // namespace danlu
