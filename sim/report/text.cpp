#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "sim/collective/algorithms.hpp"
#include "sim/report/faults_report.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/verdict.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

std::string precision_name(const Report& report) {
  return std::string(kPrecisionNames[static_cast<std::size_t>(report.workload.training.precision)]);
}

/// What the one change would save that was played, and how much of the step that is.
std::string saving_text(const Report& report) {
  if (!report.saving) {
    return report.untried.empty() ? "" : fmt::format(" (no change tried: {})", report.untried);
  }
  const Seconds saved = report.step.time - report.saving->step;
  return fmt::format(": {} would save {} ({})", report.saving->change, to_text(saved),
                     percent(saved / report.step.time));
}

/// What the scenario makes worse, by key: "nics.3 0.5, gpus.5 1.4"; "" if it is whole.
std::string damage_text(const Report& report) {
  constexpr std::string_view kSection = "degraded.";
  constexpr std::size_t kMost = 8;
  std::vector<std::string> parts;
  for (const ReportSetting& setting : report.settings) {
    if (setting.from_user && setting.key.starts_with(kSection)) {
      parts.push_back(fmt::format("{} {}", setting.key.substr(kSection.size()), setting.text));
    }
  }
  const std::size_t more = parts.size() - std::min(parts.size(), kMost);
  parts.resize(parts.size() - more);
  return fmt::format("{}{}", fmt::join(parts, ", "),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

std::string cost_text(const std::optional<double>& dollars) {
  return dollars ? fmt::format(", {} USD", figure(*dollars)) : "";
}

/// As the sections below have it, in days where it is days.
std::string run_length(Seconds time) {
  constexpr double kDay = 86400;
  return time.value >= kDay ? days_text(time) : long_time(time);
}

/// Whether it fits, what limits the step, and the figures that people ask for first.
void add_verdict(const Report& report, Page& page) {
  constexpr double kDay = 86400;
  const StepReport& step = report.step;
  page.title(report.scenario);
  page.line("  {}", fits_text(report.memory));
  page.line("  limited by {}{}", limit_text(step), saving_text(report));
  page.line("  step {}, MFU {}, {} tokens/s per GPU", to_text(step.time), percent(step.mfu),
            figure(step.tokens_per_second / report.gpus));
  if (report.run) {
    page.line("  whole run {}{}", run_length(Seconds{report.run->days * kDay}),
              cost_text(report.run->cost_usd));
  }
  if (report.faults) {
    const Campaign& campaign = report.faults->study.campaign;
    page.line("  with faults {}{}, ETTR {}, goodput {}", run_length(Seconds{campaign.wall.mean}),
              cost_text(report.faults->cost_usd), percent(campaign.ettr.mean),
              percent(report.faults->goodput));
  }
}

void add_summary(const Report& report, Page& page) {
  constexpr double kTera = 1e12;
  const StepReport& step = report.step;
  const Workload& w = report.workload;
  page.line("");
  page.line("{} ({:.4g} B parameters) on {} x {}, {}", report.model, report.parameters / 1e9,
            thousands(report.gpus), report.gpu, report.cluster);
  for (const std::string& line : plan_lines(w)) {
    page.line("{}", line);
  }
  for (const std::string& note : report.notes) {
    page.line("note: {}", note);
  }
  if (const std::string damage = damage_text(report); !damage.empty()) {
    page.line("degraded: {}", damage);
  }
  if (const std::string assumed = assumed_text(report); !assumed.empty()) {
    page.line("assumed: {}", assumed);
  }
  if (!report.overrides.empty()) {
    page.line("changed: {}", fmt::join(report.overrides, ", "));
  }
  page.heading("Step");
  page.line("  {:<22} {:>12}", "step time", to_text(step.time));
  page.line("  {:<22} {:>12} /s   {} /s per GPU", "tokens", figure(step.tokens_per_second),
            figure(step.tokens_per_second / report.gpus));
  page.line("  {:<22} {:>12}   of {} dense {}{}", "MFU", percent(step.mfu), to_text(report.peak),
            precision_name(report), report.is_mixed ? ", the mean over GPUs" : "");
  page.line("  {:<22} {:>12}   of the model per GPU, {} of the attention square counted", "",
            fmt::format("{} TFLOP/s", figure(step.model_flops_per_gpu_second / kTera)),
            w.training.causal_flops ? "half" : "all");
  page.line("  {:<22} {:>12}   {} of the attention square counted",
            w.training.causal_flops ? "MFU, full attention" : "MFU, causal attention",
            percent(w.training.causal_flops ? step.mfu_full : step.mfu_causal),
            w.training.causal_flops ? "all" : "half");
  page.line(
      "  {:<22} {:>12}   {} TFLOP/s really executed, recomputed ones too{}", "HFU",
      percent(step.hfu), figure(step.hardware_flops_per_gpu_second / kTera),
      w.training.attention == AttentionKind::Flash ? ", the masked half of attention not" : "");
}

void add_part(std::string_view name, Seconds time, Seconds whole, Page& page) {
  page.line("  {:<22} {:>10} {:>8}  {}", name, to_text(time), percent(time / whole),
            bar(time / whole));
}

void add_breakdown(const StepReport& step, Page& page) {
  page.heading("Where the time goes (mean over GPUs)");
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    const Seconds time = step.breakdown.parts[i];
    if (time == Seconds{}) {
      continue;
    }
    add_part(part_name(kTimePartNames[i]), time, step.time, page);
    if (static_cast<TimePart>(i) == TimePart::KernelInefficiency) {
      const KernelInefficiency& lost = step.kernel_inefficiency;
      for (const auto& [name, part] :
           {std::pair("matrix products", lost.gemm), std::pair("fused attention", lost.attention),
            std::pair("memory-bound", lost.memory)}) {
        if (part != Seconds{}) {
          page.line("    {:<20} {:>10}", name, to_text(part));
        }
      }
    }
  }
  page.line("  {:<22} {:>10} {:>8}", "sum", to_text(step.breakdown.total()),
            percent(step.breakdown.total() / step.time));
}

/// "NVIDIA H100, 1.2 times as slow, throttles (x 1.4 for 30 % of 10 s), jitters by 5 %".
std::string kind_name(const SpeedReport& speed) {
  std::string name = speed.gpu;
  if (speed.slowdown != 1) {
    name += fmt::format(", {:.4g} times as slow", speed.slowdown);
  }
  if (speed.throttle) {
    name += fmt::format(", throttles (x {:.4g} for {:.4g} % of {})", speed.throttle->slowdown,
                        100 * speed.throttle->share, to_text(speed.throttle->period));
  }
  if (speed.jitter) {
    name += fmt::format(", jitters by {:.4g} %", 100 * *speed.jitter);
  }
  return name;
}

void add_speeds(const Report& report, Page& page) {
  if (report.speeds.empty()) {
    return;
  }
  std::size_t width = 34;
  for (const SpeedReport& speed : report.speeds) {
    width = std::max(width, kind_name(speed).size());
  }
  page.heading("Who waits for whom (mean over the GPUs of a kind)");
  page.line("  {:<{}} {:>7} {:>10} {:>16} {:>10}", "kind", width, "GPUs", "computes",
            "waits for peers", "bubble");
  for (const SpeedReport& speed : report.speeds) {
    page.line("  {:<{}} {:>7} {:>10} {:>16} {:>10}", kind_name(speed), width, thousands(speed.gpus),
              to_text(speed.compute), to_text(speed.straggler_wait), to_text(speed.bubble));
  }
}

void add_draws(const Report& report, Page& page) {
  if (!report.draws) {
    return;
  }
  const DrawsReport& draws = *report.draws;
  const auto [least, most] = std::minmax_element(draws.steps.begin(), draws.steps.end());
  page.heading(
      fmt::format("Step time over {} draws (all else is of the first)", draws.steps.size()));
  page.line("  {:<22} {:>12}   standard error {}", "mean", to_text(draws.mean()),
            to_text(draws.standard_error()));
  page.line("  {:<22} {:>12}", "shortest", to_text(*least));
  page.line("  {:<22} {:>12}", "longest", to_text(*most));
}

void add_communication(const Report& report, Page& page) {
  const StepReport& step = report.step;
  page.heading("Communication per GPU (each kind by itself; above, a moment counts once)");
  if (report.communication.empty()) {
    page.line("  none");
    return;
  }
  page.line("  {:<12} {:>10} {:>10} {:>10} {:>9}", "kind", "total", "hidden", "exposed", "overlap");
  const auto row = [&](std::string_view name, const KindOverlap& overlap) {
    page.line("  {:<12} {:>10} {:>10} {:>10} {:>9}", name, to_text(overlap.time),
              to_text(overlap.overlapped), to_text(overlap.exposed),
              percent(overlap.overlap_ratio()));
  };
  for (std::size_t k = 0; k < kCommunicationKinds; ++k) {
    if (step.by_kind[k].time > Seconds{}) {
      row(kCommunicationKindNames[k], step.by_kind[k]);
    }
  }
  row("all, merged", step.all_communication);
  page.line("");
  page.line("  {:<34} {:>6} {:>10} {:>7} {:>10} {:>10}  {:<13} {}", "sort", "ranks", "size",
            "count", "time", "exposed", "by", "limited by");
  for (const CommunicationReport& c : report.communication) {
    page.line("  {:<34} {:>6} {:>10} {:>7.5g} {:>10} {:>10}  {:<13} {}", c.name(), c.group_size,
              to_text(c.bytes_per_rank), c.count, to_text(c.time), to_text(c.exposed),
              fmt::format("{} {}", row_of(c.choice.algorithm).name,
                          kProtocolNames[static_cast<std::size_t>(c.choice.protocol)]),
              c.bottleneck);
  }
}

void add_links(const Report& report, Page& page) {
  if (report.links.empty()) {
    return;
  }
  page.heading("Links");
  page.line("  {:<9} {:>7} {:>11} {:>9} {:>8}  {}", "kind", "number", "carried", "average", "peak",
            "of the busiest");
  for (const LinkReport& kind : report.links) {
    page.line("  {:<9} {:>7.0f} {:>11} {:>9} {:>8}  {}, {}", link_kind_name(kind.kind), kind.links,
              to_text(kind.bytes), percent(kind.average), percent(kind.peak), kind.busiest,
              to_text(kind.capacity));
  }
}

void add_critical_path(const Report& report, Page& page) {
  constexpr std::size_t kShown = 5;
  const CriticalPath& path = report.critical_path;
  page.heading("Critical path: what would shorten the step");
  const Seconds compute = path.compute.total();
  page.line("  {:<34} {:>10} {:>8}", "compute", to_text(compute),
            percent(compute / report.step.time));
  if (path.communication != Seconds{}) {
    page.line("  {:<34} {:>10} {:>8}", "communication", to_text(path.communication),
              percent(path.communication / report.step.time));
  }
  for (std::size_t i = 0; i < std::min(kShown, path.communications.size()); ++i) {
    const CriticalCommunication& c = path.communications[i];
    page.line("    {:<32} {:>10} {:>8}  {}, limited by {}", c.name, to_text(c.time),
              percent(c.time / report.step.time), counted(c.count, "time"), c.link);
  }
}

void add_memory(const Report& report, Page& page) {
  const MemoryUse& use = report.memory.use;
  page.heading(fmt::format("Memory of the fullest GPU (stage {})", use.stage));
  const auto row = [&](std::string_view name, Bytes bytes) {
    if (bytes > Bytes{}) {
      page.line("  {:<22} {:>10} {:>8}", name, to_text(bytes),
                percent(bytes / report.memory.capacity));
    }
  };
  row("parameters", use.parameters);
  row("gradients", use.gradients);
  row("optimizer state", use.optimizer);
  row("activations", use.activations);
  row("other", use.other);
  page.line("  {:<22} {:>10} {:>8}  of {}: {}", "peak", to_text(use.peak()),
            percent(use.peak() / report.memory.capacity), to_text(report.memory.capacity),
            report.memory.verdict());
}

void add_run(const Report& report, Page& page) {
  if (!report.run) {
    return;
  }
  constexpr double kGiga = 1e9;
  const RunReport& run = *report.run;
  page.heading(
      fmt::format("Whole run of {} B tokens, nothing failing", figure(run.tokens / kGiga)));
  page.line("  {:<22} {:>12}   {} steps{}", "days", figure(run.days), thousands(run.steps),
            report.draws ? ", the mean over the draws" : "");
  page.line("  {:<22} {:>12}   {} GPU-hours", "GPU-years", figure(run.gpu_years),
            figure(run.gpu_hours));
  page.line("  {:<22} {:>12}   T tokens, P parameters, X model FLOP/s per GPU", "by 6TP/X",
            figure(run.gpu_years_6tp));
  if (run.gpu_years_8tp) {
    page.line("  {:<22} {:>12}   X hardware FLOP/s per GPU, full recomputation", "by 8TP/X",
              figure(*run.gpu_years_8tp));
  }
  if (run.energy_mwh) {
    page.line("  {:<22} {:>12}   at the nodes' nameplate power, without cooling", "energy",
              fmt::format("{} MWh", figure(*run.energy_mwh)));
  } else {
    page.line("  {:<22} {:>12}   no power known: set cluster.node.power", "energy", "-");
  }
  if (run.cost_usd) {
    page.line("  {:<22} {:>12}   at {} USD per GPU-hour", "cost",
              fmt::format("{} USD", figure(*run.cost_usd)), figure(*run.cost_usd / run.gpu_hours));
  } else {
    page.line("  {:<22} {:>12}   no price known: set cluster.price", "cost", "-");
  }
}

void add_simulation(const Report& report, Page& page) {
  const SimulationReport& simulation = report.simulation;
  constexpr std::array kFoldNames{"exact fold", "bound: coarse classes at their worst", "no fold"};
  page.line("");
  page.line("Simulated {} as {}, {} ({}{}) in {}.", counted(report.gpus, "GPU"),
            counted(static_cast<double>(simulation.classes), "class", "es"),
            counted(static_cast<double>(simulation.tasks_played), "task"),
            kFoldNames[static_cast<std::size_t>(simulation.fold)],
            simulation.fold == FoldMode::Bound && simulation.exact ? ", here exact" : "",
            to_text(simulation.wall));
}

}  // namespace

std::string brief_report(const Report& report, bool colour) {
  Page page(colour);
  add_verdict(report, page);
  return page.take();
}

std::string text_report(const Report& report, bool colour) {
  Page page(colour);
  add_verdict(report, page);
  add_summary(report, page);
  add_draws(report, page);
  add_breakdown(report.step, page);
  add_speeds(report, page);
  add_communication(report, page);
  add_links(report, page);
  add_critical_path(report, page);
  add_memory(report, page);
  add_run(report, page);
  if (report.faults) {
    add_faults(*report.faults, page);
  }
  add_simulation(report, page);
  return page.take();
}

}  // namespace danlu
