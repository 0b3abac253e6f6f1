// Communication by kind and by sort, the links that carry it, and the critical path.
#include <fmt/format.h>

#include "sim/collective/algorithms.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/sections.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

std::vector<Figure> overlap_cells(const KindOverlap& overlap) {
  return {Figure::time(overlap.time), Figure::time(overlap.overlapped),
          Figure::time(overlap.exposed), Figure::share(overlap.overlap_ratio())};
}

Section communication_by_kind(const Report& report) {
  const StepReport& step = report.step;
  Section section{
      .key = "step.communication_s",
      .heading = "Communication per GPU (each kind by itself; above, a moment counts once)",
      .shape = Shape::Groups,
      .columns = {{"", "kind", 12, true},
                  {"time_s", "total", 10},
                  {"overlapped_s", "hidden", 10},
                  {"exposed_s", "exposed", 10},
                  {"overlap_ratio", "overlap", 9}},
      .labels = true,
      .empty = "none"};
  for (const auto& [axis, name] : kNames<Axis>) {
    if (!has_time(axis)) {
      continue;
    }
    const std::string kind(name);
    const KindOverlap& overlap = step.by_kind[axis];
    const bool there = overlap.time > Seconds{};
    section.rows.push_back(
        {.key = kind,
         .label = kind,
         .cells = there ? overlap_cells(overlap) : std::vector<Figure>(4, Figure::absent()),
         .shown = there ? Shown::Everywhere : Shown::OffPage});
  }
  if (!report.communication.empty()) {
    section.rows.push_back(
        {.label = "all, merged", .cells = overlap_cells(step.all_communication)});
  }
  return section;
}

Section communication(const Report& report) {
  Section section{.key = "communication",
                  .heading = "Communication by sort",
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::Blank,
                  .columns = {{"name", "sort", 34, true},
                              {.key = "kind", .shown = Shown::OffPage},
                              {.key = "operation", .shown = Shown::OffPage},
                              {.key = "group", .shown = Shown::OffPage},
                              {"group_size", "ranks", 6},
                              {.key = "algorithm", .shown = Shown::OffPage},
                              {.key = "protocol", .shown = Shown::OffPage},
                              {"bytes_per_rank", "size", 10},
                              {"count", "count", 7},
                              {"time_s", "time", 10},
                              {"exposed_s", "exposed", 10},
                              {.key = "overlap_ratio", .shown = Shown::OffPage},
                              {"", "by", 13, true, "  ", Shown::PageOnly},
                              {"bottleneck", "limited by", 0, true},
                              {.key = "multiprocessors", .shown = Shown::OffPage}},
                  .labels = true};
  for (const CommunicationReport& c : report.communication) {
    const std::string_view algorithm = name_of(c.choice.algorithm);
    const std::string_view protocol = name_of(c.choice.protocol);
    section.rows.push_back(
        {.label = c.name(),
         .cells = {Figure::words(name_of(c.axis)),
                   Figure::words(collective_name(c.op)),
                   Figure::words(c.group),
                   {Figure::count(c.group_size).value, fmt::format("{}", c.group_size), ""},
                   Figure::words(algorithm),
                   Figure::words(protocol),
                   Figure::size(c.bytes_per_rank),
                   Figure::number(c.count, fmt::format("{:.5g}", c.count)),
                   Figure::time(c.time),
                   Figure::time(c.exposed),
                   Figure::share(c.overlap_ratio()),
                   Figure::words(fmt::format("{} {}", algorithm, protocol)),
                   Figure::words(c.bottleneck),
                   c.multiprocessors ? Figure::number(*c.multiprocessors,
                                                      fmt::format("{:.4g}", *c.multiprocessors))
                                     : Figure::absent()}});
  }
  return section;
}

Section links(const Report& report) {
  Section section{.key = "links",
                  .heading = "Links",
                  .shape = Shape::Table,
                  .columns = {{"kind", "kind", 9, true},
                              {"links", "number", 7},
                              {"bytes", "carried", 11},
                              {.key = "busiest.link", .shown = Shown::OffPage},
                              {.key = "busiest.capacity_bytes_per_s", .shown = Shown::OffPage},
                              {.key = "busiest.bytes", .shown = Shown::OffPage},
                              {"busiest.average_utilisation", "average", 9},
                              {"busiest.peak_utilisation", "peak", 8},
                              {"", "of the busiest", 0, true, "  ", Shown::PageOnly}},
                  .labels = true};
  for (const LinkReport& kind : report.links) {
    section.rows.push_back(
        {.label = std::string(name_of(kind.kind)),
         .cells = {Figure::number(kind.links, fmt::format("{:.0f}", kind.links)),
                   Figure::size(kind.bytes), Figure::words(kind.busiest),
                   Figure::number(kind.capacity.value, to_text(kind.capacity), "bytes/s"),
                   Figure::size(kind.busiest_bytes), Figure::share(kind.average),
                   Figure::share(kind.peak),
                   Figure::words(fmt::format("{}, {}", kind.busiest, to_text(kind.capacity)))}});
  }
  return section;
}

// ---- The critical path.

Section critical_path(const Report& report) {
  const CriticalPath& path = report.critical_path;
  const Seconds step = report.step.time;
  Section section{.key = "critical_path",
                  .heading = "Critical path: what would shorten the step",
                  .columns = figure_columns(34, 10, 8),
                  .rows = {part_row("", "compute", path.compute.total(), step),
                           part_row("communication_s", "communication", path.communication, step)},
                  .gap = 2};
  section.rows.front().shown = Shown::Everywhere;
  return section;
}

Section critical_compute(const Report& report) {
  const CriticalPath& path = report.critical_path;
  Section section{.key = "critical_path.compute_s",
                  .heading = "Compute on the critical path",
                  .level = 2,
                  .lead = Lead::None,
                  .columns = figure_columns(22, 10, 8)};
  for (const auto& [part, name] : kNames<ComputePart>) {
    section.rows.push_back(
        part_row(std::string(name), part_name(name), path.compute[part], report.step.time));
    section.rows.back().shown = Shown::OffPage;
  }
  return section;
}

Section critical_communications(const Report& report) {
  constexpr std::size_t kShown = 5;
  Section section{.key = "critical_path.communications",
                  .heading = "Communication on the critical path",
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::None,
                  .columns = {{"name", "sort", 34, true},
                              {.key = "kind", .shown = Shown::OffPage},
                              {.key = "link", .label = "limited by", .shown = Shown::OffPage},
                              {"time_s", "time", 10},
                              {"", "share", 8},
                              {"count", "times", 0, true, "  "},
                              {"", "limited by", 0, true, ", limited by ", Shown::PageOnly}}};
  for (const CriticalCommunication& c : report.critical_path.communications) {
    section.rows.push_back(
        {.label = c.name,
         .cells = {Figure::words(name_of(c.axis)), Figure::words(c.link), Figure::time(c.time),
                   Figure::share(c.time / report.step.time),
                   Figure::number(c.count, counted(c.count, "time")), Figure::words(c.link)},
         .depth = 1,
         .shown = section.rows.size() < kShown ? Shown::Everywhere : Shown::OffPage});
  }
  return section;
}

}  // namespace

std::vector<Section> communication_sections(const Report& report) {
  return {communication_by_kind(report), communication(report),    links(report),
          critical_path(report),         critical_compute(report), critical_communications(report)};
}

}  // namespace danlu
