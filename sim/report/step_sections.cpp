// The step: its figures, its draws, where its time goes, who waits for whom.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/report/page.hpp"
#include "sim/report/sections.hpp"

namespace danlu {
namespace {

constexpr double kTera = 1e12;

std::string precision_name(const Report& report) {
  return std::string(name_of(report.workload.training.precision));
}

Figure teraflops(double flops_per_second) {
  const double tera = flops_per_second / kTera;
  return Figure::number(tera, fmt::format("{} TFLOP/s", figure(tera)), "TFLOP/s");
}

Section step_figures(const Report& report) {
  const StepReport& step = report.step;
  const bool causal = report.workload.training.causal_flops;
  const double tokens_per_gpu = step.tokens_per_second / report.gpus;
  const Figure hardware = teraflops(step.hardware_flops_per_gpu_second);
  Section section{.key = "step", .heading = "Step", .columns = figure_columns(22, 12)};
  section.rows = {
      {.key = "time_s", .label = "step time", .cells = {Figure::time(step.time)}},
      {.key = "tokens_per_s",
       .label = "tokens",
       .cells = {Figure::number(step.tokens_per_second,
                                fmt::format("{} /s", figure(step.tokens_per_second)), "1/s")}},
      {.key = "tokens_per_s_per_gpu",
       .label = "tokens per GPU",
       .cells = {Figure::number(tokens_per_gpu, fmt::format("{} /s", figure(tokens_per_gpu)),
                                "1/s")},
       .note = fmt::format("{} /s per GPU", figure(tokens_per_gpu)),
       .shown = Shown::Beside},
      {.key = "mfu", .label = "MFU", .cells = {Figure::share(step.mfu)}},
      {.key = "peak_tflops_per_gpu",
       .label = "dense peak",
       .cells = {Figure::number(report.peak.value / kTera, to_text(report.peak), "TFLOP/s")},
       .note = fmt::format("of {} dense {}{}", to_text(report.peak), precision_name(report),
                           report.is_mixed ? ", the mean over GPUs" : ""),
       .shown = Shown::Beside},
      {.key = "model_tflops_per_gpu",
       .cells = {teraflops(step.model_flops_per_gpu_second)},
       .note = fmt::format("of the model per GPU, {} of the attention square counted",
                           causal ? "half" : "all")},
      {.key = "mfu_full_attention",
       .label = "MFU, full attention",
       .cells = {Figure::share(step.mfu_full)},
       .note = "all of the attention square counted",
       .shown = causal ? Shown::Everywhere : Shown::OffPage},
      {.key = "mfu_causal_attention",
       .label = "MFU, causal attention",
       .cells = {Figure::share(step.mfu_causal)},
       .note = "half of the attention square counted",
       .shown = causal ? Shown::OffPage : Shown::Everywhere},
      {.key = "hfu", .label = "HFU", .cells = {Figure::share(step.hfu)}},
      {.key = "hardware_tflops_per_gpu",
       .label = "executed",
       .cells = {hardware},
       .note = fmt::format("{} really executed, recomputed ones too{}", hardware.text,
                           is_fused(report.workload.training.attention)
                               ? ", the masked half of attention not"
                               : ""),
       .shown = Shown::Beside},
      {.key = "mbu", .label = "MBU", .cells = {Figure::share(step.mbu)}},
      {.key = "hbm_bytes_per_s_per_gpu",
       .label = "HBM traffic",
       .cells = {Figure::number(step.memory_bandwidth.value, to_text(step.memory_bandwidth),
                                "bytes/s")},
       .note = fmt::format("{} of the {} of HBM", to_text(step.memory_bandwidth),
                           to_text(report.memory_peak)),
       .shown = Shown::Beside},
      off_page("bubble_fraction", "bubble", Figure::share(step.bubble_fraction)),
      off_page("overlap_ratio", "overlap", Figure::share(step.all_communication.overlap_ratio())),
      off_page("exposed_communication_s", "exposed communication",
               Figure::time(step.all_communication.exposed))};
  return section;
}

/// FLOPs of a step by what is counted, and the utilisation that each comes to.
Section flops(const Report& report) {
  const StepReport& step = report.step;
  Section section{.key = "step.flops",
                  .heading = "FLOPs of a step by what is counted, per GPU",
                  .shape = Shape::Groups,
                  .level = 2,
                  .lead = Lead::None,
                  .columns = {{"", "counted"},
                              {"tflop_per_step", "FLOPs"},
                              {"tflops_per_gpu", "TFLOP/s"},
                              {"utilisation", "of the dense peak"}}};
  for (const auto& [key, label, counted, utilisation] :
       {std::tuple("full_attention", "full attention square (MFU)", step.flops_full, step.mfu_full),
        std::tuple("causal_attention", "causal half of it (MFU)", step.flops_causal,
                   step.mfu_causal),
        std::tuple("executed", "executed, recomputed ones too (HFU)", step.flops_executed,
                   step.hfu)}) {
    const double tera = counted.value / kTera;
    section.rows.push_back(
        {.key = key,
         .label = label,
         .cells = {Figure::number(tera, fmt::format("{} TFLOP", figure(tera)), "TFLOP"),
                   teraflops(counted.value / step.time.value), Figure::share(utilisation)},
         .shown = Shown::OffPage});
  }
  return section;
}

Section draws(const std::optional<DrawsReport>& draws) {
  Section section{.key = "draws", .heading = "Step time over draws"};
  if (!draws) {
    return section;
  }
  const auto [least, most] = std::minmax_element(draws->steps.begin(), draws->steps.end());
  section.heading =
      fmt::format("Step time over {} draws (all else is of the first)", draws->steps.size());
  section.columns = figure_columns(22, 12);
  section.rows = {off_page("count", "draws", Figure::count(draws->steps.size())),
                  {.key = "mean_s", .label = "mean", .cells = {Figure::time(draws->mean())}},
                  {.key = "stderr_s",
                   .label = "standard error",
                   .cells = {Figure::time(draws->standard_error())},
                   .note = fmt::format("standard error {}", to_text(draws->standard_error())),
                   .shown = Shown::Beside},
                  {.key = "min_s", .label = "shortest", .cells = {Figure::time(*least)}},
                  {.key = "max_s", .label = "longest", .cells = {Figure::time(*most)}}};
  return section;
}

Section draws_by_number(const DrawsReport& draws) {
  Section section{.key = "draws.steps_s",
                  .heading = "By draw",
                  .shape = Shape::List,
                  .level = 2,
                  .lead = Lead::None};
  for (const Seconds step : draws.steps) {
    section.rows.push_back({.cells = {Figure::time(step)}, .shown = Shown::OffPage});
  }
  return section;
}

/// "contention: hidden collectives keep multiprocessors from compute: ring 16 of 108", where that
/// is of some size.
std::string contention_text(const Report& report) {
  constexpr double kWorthIt = 0.01;
  if (report.step.breakdown[TimePart::Contention] < kWorthIt * report.step.time) {
    return "";
  }
  std::map<std::string_view, std::set<double>> kept;
  for (const CommunicationReport& c : report.communication) {
    if (c.multiprocessors.value_or(0) > 0 && c.exposed < (1 - kWorthIt) * c.time) {
      kept[name_of(c.choice.algorithm)].insert(*c.multiprocessors);
    }
  }
  std::vector<std::string> parts;
  for (const auto& [algorithm, numbers] : kept) {
    std::vector<std::string> said;
    for (const double number : numbers) {
      said.push_back(fmt::format("{:.3g}", number));
    }
    parts.push_back(fmt::format("{} {}", algorithm, fmt::join(said, " or ")));
  }
  return parts.empty()
             ? ""
             : fmt::format(
                   "contention: hidden collectives keep multiprocessors from compute: {} of {}{}",
                   fmt::join(parts, ", "), report.multiprocessors,
                   report.is_mixed ? " of a GPU of the first kind" : "");
}

Section breakdown(const Report& report) {
  const StepReport& step = report.step;
  Section section{.key = "step",
                  .heading = "Where the time goes (mean over GPUs)",
                  .columns = figure_columns(22, 10, 8),
                  .bars = true,
                  .gap = 2};
  for (const auto& [part, name] : kNames<TimePart>) {
    Row& row = section.rows.emplace_back(part_row(
        fmt::format("breakdown_s.{}", name), part_name(name), step.breakdown[part], step.time));
    if (!step.has(part)) {
      row.cells = {Figure::absent(), Figure::absent()};
    }
    if (part == TimePart::KernelInefficiency) {
      const KernelInefficiency& lost = step.kernel_inefficiency;
      for (const auto& [key, label, time] :
           {std::tuple("gemm", "matrix products", lost.gemm),
            std::tuple("attention", "fused attention", lost.attention),
            std::tuple("memory", "memory-bound", lost.memory)}) {
        section.rows.push_back({.key = fmt::format("kernel_inefficiency_s.{}", key),
                                .label = label,
                                .cells = {Figure::time(time)},
                                .depth = 1,
                                .shown = time == Seconds{} ? Shown::OffPage : Shown::Everywhere});
      }
    }
  }
  section.rows.push_back({.label = "sum",
                          .cells = {Figure::time(step.breakdown.total()),
                                    Figure::share(step.breakdown.total() / step.time)}});
  if (const std::string text = contention_text(report); !text.empty()) {
    section.rows.push_back(sentence(text, Shown::PageOnly));
  }
  return section;
}

/// "stages: 7 is the slowest, 2.2 % above the mean, which costs up to 245.1 ms"
std::string balance_text(const StageBalance& balance) {
  constexpr double kEqual = 1e-6;
  const double above = balance.cost() / balance.mean;
  return above < kEqual ? "stages: all compute equally long"
                        : fmt::format(
                              "stages: {} is the slowest, {} above the mean, which costs "
                              "up to {}",
                              balance.slowest, percent(above), to_text(balance.cost()));
}

Section stages(const Report& report) {
  Section section{.key = "stages",
                  .heading = "Stages (mean over their GPUs)",
                  .shape = Shape::Table,
                  .lead = Lead::None,
                  .columns = {{"", "stage", 8},
                              {"stage", "number", 6},
                              {"gpus", "GPUs", 7},
                              {"compute_s", "computes", 10},
                              {"above_mean", "above the mean", 14},
                              {"wait_s", "waits", 10}}};
  if (report.stages.empty()) {
    return section;
  }
  const StageBalance balance = balance_of(report.stages);
  section.rows.push_back(sentence(balance_text(balance), Shown::PageOnly));
  for (const StageReport& stage : report.stages) {
    section.rows.push_back(
        {.label = fmt::format("stage {}", stage.stage),
         .cells = {Figure::count(stage.stage), Figure::count(stage.gpus),
                   Figure::time(stage.compute), Figure::share(stage.compute / balance.mean - 1),
                   Figure::time(stage.waits)},
         .shown = Shown::OffPage});
  }
  return section;
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

Figure ratio(double value) {
  return Figure::number(value, fmt::format("{:.4g}", value));
}

Section speeds(const Report& report) {
  std::size_t width = 34;
  for (const SpeedReport& speed : report.speeds) {
    width = std::max(width, kind_name(speed).size());
  }
  Section section{.key = "speeds",
                  .heading = "Who waits for whom (mean over the GPUs of a kind)",
                  .shape = Shape::Table,
                  .columns = {{"", "kind", width, true},
                              {.key = "gpu", .shown = Shown::OffPage},
                              {.key = "slowdown", .shown = Shown::OffPage},
                              {.key = "throttle.slowdown", .shown = Shown::OffPage},
                              {.key = "throttle.period_s", .shown = Shown::OffPage},
                              {.key = "throttle.share", .shown = Shown::OffPage},
                              {.key = "throttle.phase", .shown = Shown::OffPage},
                              {.key = "jitter", .shown = Shown::OffPage},
                              {"gpus", "GPUs", 7},
                              {"compute_s", "computes", 10},
                              {"straggler_wait_s", "waits for peers", 16},
                              {"bubble_s", "bubble", 10}},
                  .labels = true};
  for (const SpeedReport& speed : report.speeds) {
    Row row{.label = kind_name(speed), .cells = {Figure::words(speed.gpu), ratio(speed.slowdown)}};
    if (const std::optional<Throttle>& throttle = speed.throttle) {
      row.cells.insert(row.cells.end(),
                       {ratio(throttle->slowdown), Figure::time(throttle->period),
                        Figure::share(throttle->share), Figure::share(throttle->phase)});
    } else {
      row.cells.insert(row.cells.end(), 4, Figure::absent());
    }
    row.cells.push_back(speed.jitter ? Figure::share(*speed.jitter) : Figure::absent());
    row.cells.insert(row.cells.end(),
                     {Figure::count(speed.gpus), Figure::time(speed.compute),
                      Figure::time(speed.straggler_wait), Figure::time(speed.bubble)});
    section.rows.push_back(std::move(row));
  }
  return section;
}

}  // namespace

std::vector<Section> step_sections(const Report& report) {
  std::vector<Section> sections{step_figures(report), flops(report), draws(report.draws)};
  if (report.draws) {
    sections.push_back(draws_by_number(*report.draws));
  }
  sections.push_back(breakdown(report));
  sections.push_back(stages(report));
  sections.push_back(speeds(report));
  return sections;
}

}  // namespace danlu
