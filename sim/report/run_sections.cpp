// Memory, the whole run, and what the simulation took.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/sections.hpp"

namespace danlu {
namespace {

Section memory(const MemoryReport& memory) {
  const MemoryUse& use = memory.use;
  Section section{.key = "memory",
                  .heading = fmt::format("Memory of the fullest GPU (stage {})", use.stage),
                  .columns = figure_columns(22, 10, 8),
                  .gap = 2};
  const auto add = [&](std::string_view key, std::string_view label, Bytes bytes) -> Row& {
    return section.rows.emplace_back(
        Row{.key = std::string(key),
            .label = std::string(label),
            .cells = {Figure::size(bytes), Figure::share(bytes / memory.capacity)},
            .shown = bytes > Bytes{} ? Shown::Everywhere : Shown::OffPage});
  };
  add("parameters_bytes", "parameters", use.parameters);
  add("gradients_bytes", "gradients", use.gradients);
  add("optimizer_bytes", "optimizer state", use.optimizer);
  add("activations_bytes", "activations", use.moment.activations);
  if (use.gathered > Bytes{}) {
    add("gathered_bytes", "units in flight", use.gathered);
  }
  if (use.framework > Bytes{}) {
    add("framework_bytes", "framework", use.framework);
  }
  add("other_bytes", "other",
      use.moment.again + use.moment.flowing + use.moment.logits + use.moment.buffers);
  if (memory.host > Bytes{}) {
    Row& host = add("node_host_bytes", "a node's CPUs", memory.host);
    host.cells.pop_back();
    host.cells.push_back(memory.host_capacity ? Figure::share(memory.host / *memory.host_capacity)
                                              : Figure::absent());
    host.note = memory.host_capacity ? fmt::format("of {}", to_text(*memory.host_capacity))
                                     : "of a size that the topology does not say (node.memory)";
  }
  add("peak_bytes", "peak", use.peak()).shown = Shown::Everywhere;
  Row& capacity = add("capacity_bytes", "capacity", memory.capacity);
  capacity.note = fmt::format("of {}: ", to_text(memory.capacity));
  capacity.shown = Shown::Beside;
  section.rows.push_back({.key = "verdict",
                          .label = "verdict",
                          .cells = {Figure::words(memory.verdict())},
                          .note = std::string(memory.verdict()),
                          .shown = Shown::Beside});
  section.rows.push_back(off_page("stage", "stage", Figure::count(use.stage)));
  section.rows.push_back(off_page("peak_during", "peak", Figure::words(use.moment.during())));
  add("reserve_bytes", "to be left free", memory.reserve).shown = Shown::OffPage;
  add("outside_bytes", "outside the allocator", use.outside).shown = Shown::OffPage;
  add("card_bytes", "on the card", use.card()).shown = Shown::OffPage;
  section.rows.push_back(off_page("fits", "fits", Figure::flag(memory.fits())));
  return section;
}

/// What the model's parameters are of; what it has none of is left out.
Section parameters(const Report& report) {
  Section section{.key = "parameters_by_part",
                  .heading = "Parameters of the model",
                  .shape = Shape::Table,
                  .columns = {{"", "part", 14, true},
                              {.key = "part", .shown = Shown::OffPage},
                              {"parameters", "all", 17},
                              {"active", "a token meets", 17}},
                  .labels = true};
  const auto add = [&](std::string_view part, const PartParameters& of) {
    std::string label(part);
    std::replace(label.begin(), label.end(), '_', ' ');
    section.rows.push_back(
        {.label = std::move(label),
         .cells = {Figure::words(part), Figure::number(of.all, thousands(of.all)),
                   Figure::number(of.active, thousands(of.active))},
         .shown = Shown::OffPage});
  };
  PartParameters all;
  for (const auto& [part, name] : kNames<ModelPart>) {
    const PartParameters& of = report.parameters_by_part[part];
    if (of.all > 0) {
      add(name, of);
      all.all += of.all;
      all.active += of.active;
    }
  }
  add("all", all);
  return section;
}

/// Takes a column off the page of which no stage holds anything.
template <typename BytesOf>
void hide_where_none(const MemoryReport& memory, std::string_view key, Section& section,
                     const BytesOf& bytes_of) {
  const bool none = std::all_of(memory.stages.begin(), memory.stages.end(),
                                [&](const MemoryUse& use) { return bytes_of(use) == Bytes{}; });
  for (Column& column : section.columns) {
    column.shown = none && column.key == key ? Shown::OffPage : column.shown;
  }
}

/// What a GPU of each stage holds at the moment at which it holds most.
Section memory_by_stage(const MemoryReport& memory) {
  Section section{.key = "memory.stages",
                  .heading = "Memory by stage, each at its peak",
                  .shape = Shape::Table,
                  .level = 2,
                  .columns = {{"", "stage", 5},
                              {.key = "stage", .shown = Shown::OffPage},
                              {"parameters_bytes", "weights", 9},
                              {"gradients_bytes", "gradients", 9},
                              {"optimizer_bytes", "optimizer", 9},
                              {"gathered_bytes", "gathered", 9},
                              {"activations_bytes", "activations", 11},
                              {"recomputed_bytes", "recomputed", 10},
                              {"flowing_bytes", "flowing", 9},
                              {"buffers_bytes", "keys, values", 12},
                              {"logits_bytes", "logits", 9},
                              {"framework_bytes", "framework", 9},
                              {"peak_bytes", "peak", 9},
                              {"during", "during", 6},
                              {.key = "forwards", .shown = Shown::OffPage}},
                  .labels = true};
  for (const MemoryUse& use : memory.stages) {
    section.rows.push_back(
        {.label = fmt::format("{}", use.stage),
         .cells = {Figure::count(use.stage), Figure::size(use.parameters),
                   Figure::size(use.gradients), Figure::size(use.optimizer),
                   Figure::size(use.gathered), Figure::size(use.moment.activations),
                   Figure::size(use.moment.again), Figure::size(use.moment.flowing),
                   Figure::size(use.moment.buffers), Figure::size(use.moment.logits),
                   Figure::size(use.framework), Figure::size(use.peak()),
                   Figure::words(use.moment.during()), Figure::count(use.moment.forwards)},
         .shown = Shown::OffPage});
  }
  hide_where_none(memory, "gathered_bytes", section, [](const MemoryUse& u) { return u.gathered; });
  hide_where_none(memory, "recomputed_bytes", section,
                  [](const MemoryUse& u) { return u.moment.again; });
  hide_where_none(memory, "flowing_bytes", section,
                  [](const MemoryUse& u) { return u.moment.flowing; });
  hide_where_none(memory, "framework_bytes", section,
                  [](const MemoryUse& u) { return u.framework; });
  hide_where_none(memory, "buffers_bytes", section,
                  [](const MemoryUse& u) { return u.moment.buffers; });
  const auto& [moment, stage] = std::pair(memory.use.moment, memory.use.stage);
  section.rows.push_back(
      sentence(fmt::format("The peak is on stage {}, during {}, after {}.", stage, moment.during(),
                           counted(moment.forwards, "forward pass", "es")),
               Shown::OffPage));
  section.rows.push_back(
      sentence(fmt::format("Not counted: workspaces, what an allocator keeps, CUDA's context and "
                           "NCCL's buffers; the card would hold about {}. training.memory_reserve "
                           "is for these.",
                           to_text(memory.use.card())),
               Shown::OffPage));
  return section;
}

Section whole_run(const Report& report) {
  constexpr double kGiga = 1e9;
  Section section{.key = "run", .heading = "Whole run"};
  if (!report.run) {
    return section;
  }
  const RunReport& run = *report.run;
  section.heading =
      fmt::format("Whole run of {} B tokens, nothing failing", figure(run.tokens / kGiga));
  section.columns = figure_columns(22, 12);
  section.rows = {
      off_page("tokens", "tokens", Figure::number(run.tokens, thousands(run.tokens))),
      {.key = "days",
       .label = "days",
       .cells = {Figure::number(run.days, figure(run.days), "days")}},
      {.key = "steps",
       .label = "steps",
       .cells = {Figure::number(run.steps, thousands(run.steps))},
       .note = fmt::format("{} steps{}", thousands(run.steps),
                           report.draws ? ", the mean over the draws" : ""),
       .shown = Shown::Beside},
      {.key = "gpu_years",
       .label = "GPU-years",
       .cells = {Figure::number(run.gpu_years, figure(run.gpu_years), "GPU-years")}},
      {.key = "gpu_hours",
       .label = "GPU-hours",
       .cells = {Figure::number(run.gpu_hours, figure(run.gpu_hours), "GPU-hours")},
       .note = fmt::format("{} GPU-hours", figure(run.gpu_hours)),
       .shown = Shown::Beside},
      {.key = "gpu_years_6tp",
       .label = "GPU-years by 6TP/X",
       .cells = {Figure::number(run.gpu_years_6tp, figure(run.gpu_years_6tp), "GPU-years")},
       .note = fmt::format("T tokens, P parameters{}, X model FLOP/s per GPU",
                           report.workload.model.experts.count > 0 ? " that a token meets" : "")},
      {.key = "gpu_years_8tp",
       .label = "GPU-years by 8TP/X",
       .cells = {run.gpu_years_8tp
                     ? Figure::number(*run.gpu_years_8tp, figure(*run.gpu_years_8tp), "GPU-years")
                     : Figure::absent()},
       .note = run.gpu_years_8tp ? "X hardware FLOP/s per GPU, full recomputation" : "",
       .shown = run.gpu_years_8tp ? Shown::Everywhere : Shown::OffPage},
      {.key = "energy_mwh",
       .label = "energy",
       .cells = {Figure::amount(run.energy_mwh, "MWh")},
       .note = run.energy_mwh
                   ? "at the nodes' nameplate power, without cooling"
                   : fmt::format("no power of a node known: set cluster.node.power; its GPUs alone "
                                 "{} MWh",
                                 figure(run.gpu_energy_mwh))},
      {.key = "gpu_energy_mwh",
       .label = "energy of the GPUs",
       .cells = {Figure::amount(run.gpu_energy_mwh, "MWh")},
       .shown = Shown::OffPage},
      {.key = "cost_usd",
       .label = "cost",
       .cells = {Figure::amount(run.cost_usd, "USD")},
       .note = run.cost_usd
                   ? fmt::format("at {} USD per GPU-hour", figure(*run.cost_usd / run.gpu_hours))
               : run.unpriced.empty()
                   ? "no price known: set cluster.price"
                   : fmt::format("no price known of {}: gpu.price of its topology's file, or "
                                 "cluster.price for all",
                                 run.unpriced)}};
  return section;
}

}  // namespace

std::vector<Section> run_sections(const Report& report) {
  std::vector<Section> sections;
  if (std::optional<Section> experts = expert_section(report)) {
    sections.push_back(std::move(*experts));
  }
  if (std::optional<Section> widths = width_section(report)) {
    sections.push_back(std::move(*widths));
  }
  sections.push_back(memory(report.memory));
  sections.push_back(memory_by_stage(report.memory));
  sections.push_back(parameters(report));
  sections.push_back(whole_run(report));
  return sections;
}

Section simulation_section(const Report& report) {
  const SimulationReport& simulation = report.simulation;
  const std::string_view fold = simulation.fold == FoldMode::Exact ? "exact fold"
                                : simulation.fold == FoldMode::Bound
                                    ? "bound: coarse classes at their worst"
                                    : "no fold";
  Section section{.key = "simulation", .heading = "Simulation", .lead = Lead::Blank, .indent = 0};
  const auto add = [&](std::string_view key, Figure figure) {
    section.rows.push_back(off_page(std::string(key), "", std::move(figure)));
  };
  add("wall_s", Figure::time(simulation.wall));
  add("peak_memory_bytes", Figure::size(simulation.peak_memory));
  add("tasks_played", Figure::count(simulation.tasks_played));
  add("flows_played", Figure::count(simulation.flows_played));
  add("rounds_counted", Figure::count(simulation.rounds_counted));
  add("round_microbatches", Figure::count(simulation.round_microbatches));
  add("classes", Figure::count(simulation.classes));
  add("fold", Figure::words(name_of(simulation.fold)));
  add("exact", Figure::flag(simulation.exact));
  section.rows.push_back(sentence(
      fmt::format("Simulated {} as {}, {} ({}{}) in {}.", counted(report.gpus, "GPU"),
                  counted(static_cast<double>(simulation.classes), "class", "es"),
                  counted(static_cast<double>(simulation.tasks_played), "task"), fold,
                  simulation.fold == FoldMode::Bound && simulation.exact ? ", here exact" : "",
                  to_text(simulation.wall)),
      Shown::PageOnly));
  if (simulation.fold == FoldMode::Bound && !simulation.exact &&
      report.step.breakdown[TimePart::Contention] > Seconds{}) {
    section.rows.push_back(sentence(
        "What collectives take from compute beside them (contention) depends on when they run, "
        "and has no bound.",
        Shown::PageOnly));
  }
  if (simulation.rounds_counted > 0) {
    section.rows.push_back(sentence(
        fmt::format("Its rounds of {} repeat exactly: {} of them {} counted, not played.",
                    counted(simulation.round_microbatches, "microbatch", "es"),
                    simulation.rounds_counted, simulation.rounds_counted == 1 ? "is" : "are"),
        Shown::PageOnly));
  }
  return section;
}

}  // namespace danlu
