#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "sim/collective/algorithms.hpp"
#include "sim/report/faults_report.hpp"
#include "sim/report/page.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

/// "1 step", "2 steps".
std::string counted(double number, std::string_view noun, std::string_view plural = "s") {
  return fmt::format("{} {}{}", thousands(number), noun, number == 1 ? "" : plural);
}
std::string precision_name(const Report& report) {
  return std::string(kPrecisionNames[static_cast<std::size_t>(report.workload.training.precision)]);
}

std::string plan_line(const Report& report) {
  const ParallelismSpec& p = report.workload.parallelism;
  const TrainingSpec& t = report.workload.training;
  std::string line = fmt::format("tensor {} x pipeline {} x data {}", p.tensor, p.pipeline, p.data);
  line += p.sequence ? ", sequence parallel" : "";
  line += p.zero > 0 ? ", ZeRO-1" : "";
  line += t.chunks > 1 ? fmt::format(", {} chunks", t.chunks) : "";
  return line;
}

std::string training_line(const Report& report) {
  const TrainingSpec& t = report.workload.training;
  constexpr std::array kRecompute{"no recomputation", "selective recomputation",
                                  "full recomputation"};
  constexpr std::array kAttention{"unfused attention", "fused attention"};
  return fmt::format("{}, {}, {}", precision_name(report),
                     kAttention[static_cast<std::size_t>(t.attention)],
                     kRecompute[static_cast<std::size_t>(t.recompute)]);
}

void add_summary(const Report& report, Page& page) {
  const StepReport& step = report.step;
  const Workload& w = report.workload;
  page.title(report.scenario);
  page.line("{} ({:.4g} B parameters) on {} x {}, {}", report.model, report.parameters / 1e9,
            thousands(report.gpus), report.gpu, report.cluster);
  page.line("{}; {}", plan_line(report), training_line(report));
  for (const std::string& note : report.notes) {
    page.line("note: {}", note);
  }
  page.line("batch {} = {} of {} x {}, {} each", thousands(w.training.global_batch),
            counted(w.microbatches(), "microbatch", "es"),
            counted(w.training.micro_batch, "sequence"), counted(w.parallelism.data, "replica"),
            counted(w.training.sequence_length, "token"));
  if (!report.overrides.empty()) {
    page.line("changed: {}", fmt::join(report.overrides, ", "));
  }
  page.heading("Step");
  page.line("  {:<22} {:>12}", "step time", to_text(step.time));
  page.line("  {:<22} {:>12} /s   {} /s per GPU", "tokens", thousands(step.tokens_per_second),
            thousands(step.tokens_per_second / report.gpus));
  page.line("  {:<22} {:>12}   of {} dense {}{}", "MFU", percent(step.mfu), to_text(report.peak),
            precision_name(report), report.is_mixed ? ", the mean over GPUs" : "");
  page.line("  {:<22} {:>12}   of the model per GPU, {} of the attention square counted", "",
            fmt::format("{:.1f} TFLOP/s", step.model_flops_per_gpu_second / 1e12),
            w.training.causal_flops ? "half" : "all");
  page.line("  {:<22} {:>12}   {} of the attention square counted",
            w.training.causal_flops ? "MFU, full attention" : "MFU, causal attention",
            percent(w.training.causal_flops ? step.mfu_full : step.mfu_causal),
            w.training.causal_flops ? "all" : "half");
  page.line("  {:<22} {:>12}   {:.1f} TFLOP/s really executed, recomputed ones too", "HFU",
            percent(step.hfu), step.hardware_flops_per_gpu_second / 1e12);
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
      page.line("    {:<20} {:>10}", "matrix products", to_text(lost.gemm));
      if (lost.attention != Seconds{}) {
        page.line("    {:<20} {:>10}", "fused attention", to_text(lost.attention));
      }
      page.line("    {:<20} {:>10}", "memory-bound", to_text(lost.memory));
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
  page.heading("Communication per GPU");
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
    page.line("  {:<34} {:>6} {:>10} {:>7.5g} {:>10} {:>10}  {:<13} {}",
              fmt::format("{}, {}", collective_name(c.op), c.group), c.group_size,
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
  page.line("  {:<9} {:>7} {:>11} {:>9} {:>6}  {}", "kind", "number", "carried", "average", "peak",
            "of the busiest");
  for (const LinkReport& kind : report.links) {
    page.line("  {:<9} {:>7.0f} {:>11} {:>9} {:>6}  {}, {}", link_kind_name(kind.kind), kind.links,
              to_text(kind.bytes), percent(kind.average), fmt::format("{:.0f} %", 100 * kind.peak),
              kind.busiest, to_text(kind.capacity));
  }
}

void add_critical_path(const Report& report, Page& page) {
  constexpr std::size_t kShown = 5;
  const CriticalPath& path = report.critical_path;
  page.heading("Critical path: what would shorten the step");
  const Seconds compute = path.compute.total();
  page.line("  {:<34} {:>10} {:>8}", "compute", to_text(compute),
            percent(compute / report.step.time));
  page.line("  {:<34} {:>10} {:>8}", "communication", to_text(path.communication),
            percent(path.communication / report.step.time));
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
    page.line("  {:<22} {:>10} {:>8}", name, to_text(bytes),
              percent(bytes / report.memory.capacity));
  };
  row("parameters", use.parameters);
  row("gradients", use.gradients);
  row("optimizer state", use.optimizer);
  row("activations", use.activations);
  row("other", use.other);
  page.line("  {:<22} {:>10} {:>8}  of {}: {}", "peak", to_text(use.peak()),
            percent(use.peak() / report.memory.capacity), to_text(report.memory.capacity),
            report.memory.verdict());
  if (report.memory.tight()) {
    page.line(
        "  {:<22} {:>10}           less than the {} of training.memory_reserve, for what is no "
        "tensor of the plan",
        "left", to_text(report.memory.capacity - use.peak()), to_text(report.memory.reserve));
  }
}

void add_run(const Report& report, Page& page) {
  if (!report.run) {
    return;
  }
  const RunReport& run = *report.run;
  page.heading(
      fmt::format("Whole run of {} B tokens, nothing failing", thousands(run.tokens / 1e9)));
  page.line("  {:<22} {:>12}   {} steps", "days", fmt::format("{:.1f}", run.days),
            thousands(run.steps));
  page.line("  {:<22} {:>12}   {} GPU-hours", "GPU-years", fmt::format("{:.1f}", run.gpu_years),
            thousands(run.gpu_hours));
  page.line("  {:<22} {:>12}   T tokens, P parameters, X model FLOP/s per GPU", "by 6TP/X",
            fmt::format("{:.1f}", run.gpu_years_6tp));
  if (run.gpu_years_8tp) {
    page.line("  {:<22} {:>12}   X hardware FLOP/s per GPU, full recomputation", "by 8TP/X",
              fmt::format("{:.1f}", *run.gpu_years_8tp));
  }
  if (run.energy_mwh) {
    page.line("  {:<22} {:>12}   at the nodes' nameplate power, without cooling", "energy",
              fmt::format("{} MWh", thousands(*run.energy_mwh)));
  }
  if (run.cost_usd) {
    page.line("  {:<22} {:>12}   at {:.2f} USD per GPU-hour", "cost",
              fmt::format("{} USD", thousands(*run.cost_usd)), *run.cost_usd / run.gpu_hours);
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

// ---- comparison
// ----------------------------------------------------------------------------------

constexpr std::size_t kColumn = 18;

void add_columns(std::string_view name, std::span<const Report> reports, Page& page,
                 const std::function<std::string(const Report&)>& value) {
  std::string cells;
  for (const Report& report : reports) {
    cells += fmt::format(" {:>{}}", value(report).substr(0, kColumn), kColumn);
  }
  page.line("  {:<20}{}", name, cells);
}

std::string signed_text(Seconds time) {
  return fmt::format("{}{}", time > Seconds{} ? "+" : "", to_text(time));
}

/// The running total of a waterfall as a bar that starts where the last one ended.
std::string waterfall_bar(double from, double to, double scale) {
  const auto left = std::lround(std::min(from, to) * scale);
  const auto right = std::max(left + (from == to ? 0 : 1), std::lround(std::max(from, to) * scale));
  return std::string(static_cast<std::size_t>(left), ' ') +
         std::string(static_cast<std::size_t>(right - left), to < from ? '-' : '+');
}

void add_waterfall(const Report& base, const Report& other, Page& page) {
  const Difference against = difference(base, other);
  page.heading(fmt::format("From {} to {}", base.scenario, other.scenario));
  const double longest = std::max(base.step.time.value, other.step.time.value);
  double highest = longest;
  double running = base.step.time.value;
  for (const Seconds part : against.parts.parts) {
    running += part.value;
    highest = std::max(highest, running);
  }
  const double scale = kBarWidth / highest;
  const auto total = [&](const Report& report) {
    const auto width = std::lround(report.step.time.value * scale);
    page.line("  {:<22} {:>10} {:>8}  {}", "step", to_text(report.step.time), "",
              std::string(static_cast<std::size_t>(width), '='));
  };
  total(base);
  running = base.step.time.value;
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    const double change = against.parts.parts[i].value;
    if (std::abs(change) < 1e-12 * longest) {
      continue;
    }
    page.line("  {:<22} {:>10} {:>8}  {}", part_name(kTimePartNames[i]),
              signed_text(Seconds{change}),
              fmt::format("{:+.1f} %", 100 * change / base.step.time.value),
              waterfall_bar(running, running + change, scale));
    running += change;
  }
  total(other);
  page.line("  {:<22} {:>10} {:>8}", "difference", signed_text(against.step),
            fmt::format("{:+.1f} %", 100 * (against.step / base.step.time)));
}

}  // namespace

std::string text_report(const Report& report, bool colour) {
  Page page(colour);
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

std::string text_comparison(std::span<const Report> reports, bool colour) {
  Page page(colour);
  page.title("Side by side");
  for (std::size_t i = 0; i < reports.size(); ++i) {
    page.line("  [{}] {}: {}, {}", i + 1, reports[i].scenario, reports[i].gpu,
              plan_line(reports[i]));
  }
  page.line("");
  std::size_t number = 0;
  add_columns("", reports, page, [&](const Report&) { return fmt::format("[{}]", ++number); });
  add_columns("GPUs", reports, page, [](const Report& r) { return thousands(r.gpus); });
  add_columns("tokens per step", reports, page,
              [](const Report& r) { return thousands(r.workload.tokens_per_step()); });
  add_columns("step time", reports, page, [](const Report& r) { return to_text(r.step.time); });
  add_columns("tokens/s per GPU", reports, page,
              [](const Report& r) { return thousands(r.step.tokens_per_second / r.gpus); });
  add_columns("MFU", reports, page, [](const Report& r) { return percent(r.step.mfu); });
  add_columns("overlap", reports, page,
              [](const Report& r) { return percent(r.step.all_communication.overlap_ratio()); });
  add_columns("bubble", reports, page,
              [](const Report& r) { return percent(r.step.bubble_fraction); });
  add_columns("memory", reports, page, [](const Report& r) {
    return fmt::format("{}{}", to_text(r.memory.use.peak()), r.memory.fits() ? "" : ", no fit");
  });
  page.heading("Communication: exposed of total");
  for (std::size_t k = 0; k < kCommunicationKinds; ++k) {
    const bool present = std::any_of(reports.begin(), reports.end(), [&](const Report& r) {
      return r.step.by_kind[k].time > Seconds{};
    });
    if (present) {
      add_columns(kCommunicationKindNames[k], reports, page, [&](const Report& r) {
        const KindOverlap& overlap = r.step.by_kind[k];
        return fmt::format("{:.3f} of {:.3f} s", overlap.exposed.value, overlap.time.value);
      });
    }
  }
  page.heading("Where the time goes");
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    const bool present = std::any_of(reports.begin(), reports.end(), [&](const Report& r) {
      return r.step.breakdown.parts[i] != Seconds{};
    });
    if (!present) {
      continue;
    }
    add_columns(part_name(kTimePartNames[i]), reports, page, [&](const Report& r) {
      return fmt::format("{:.4f} s", r.step.breakdown.parts[i].value);
    });
  }
  add_faults_comparison(reports, page);
  for (const Report& other : reports.subspan(1)) {
    add_waterfall(reports.front(), other, page);
  }
  return page.take();
}

}  // namespace danlu
