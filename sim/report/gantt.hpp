// What every stage does when, for drawings of a step: read off the timeline, as data. A drawing
// (write_gantt, write_gantt_svg) is a function of this alone.
//
//   stage 0   F0 F1 . . B0 F2 . B1 . B2  d o     passes, what waits are for, the end of the step
//   stage 1   .  F0 B0 F1 B1 F2 B2 . . . d o
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/report/intervals.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {

/// What a rank does from one moment to another. Where there is none it waits.
struct GanttSpan {
  enum class Kind : std::uint8_t {
    Pass,      // computes, as part of an action
    Update,    // computes at the end of the step: the optimizer
    Exchange,  // communicates without computing
  };
  Interval interval;
  Kind kind = Kind::Pass;
  std::optional<Action> action{};  // of a pass, and of an exchange inside one
  Axis axis = Axis::Tensor;        // of an exchange, as in the partition of time

  Seconds length() const { return interval.finish - interval.start; }
  /// Whether both are drawn as one where they touch.
  bool goes_on_in(const GanttSpan& next) const;
};

/// A stage, as the largest of its classes of ranks sees it.
struct GanttRow {
  int stage = 0;
  RankId rank{};                 // one of those drawn
  int ranks = 1;                 // of the stage, ...
  int alike = 1;                 // ... and of these, as many as do what is drawn
  Seconds apart;                 // by so much at most the others' passes end sooner or later
  std::vector<GanttSpan> spans;  // in order, disjoint

  Seconds waits(Seconds step) const;  // all that no span covers
};

struct Gantt {
  std::string title;  // the scenario's name
  std::string schedule;
  int stages = 1;  // of the pipeline; of many only some have a row
  int chunks = 1;  // of each
  int microbatches = 1;
  Seconds step;
  std::vector<GanttRow> rows;
};

/// The most stages that are drawn; of more so many, evenly from the first to the last.
inline constexpr int kMostGanttRows = 24;

/// All of the step was played: none of its rounds was counted.
Gantt gantt_of(std::string title, const Workload& workload, const StepPlan& plan,
               const Timeline& timeline);

/// The row's spans for a drawing that shows nothing shorter than `least`: what a pass exchanges or
/// waits for inside, for less than that, is drawn as the pass, and two passes that take turns
/// faster than that take as long ones.
std::vector<GanttSpan> visible_spans(const GanttRow& row, Seconds least);

/// What a legend has to explain: what was drawn.
struct GanttLegend {
  std::set<ActionKind> passes;
  int chunks = 1;
  std::set<Axis> exchanges;
  bool updates = false;

  void add(const GanttSpan& span);
};

/// A mark of a scale of time.
struct GanttMark {
  Seconds at;
  std::string text;  // "200 ms"
};
/// From 0 on, at most `most` steps of 1, 2 or 5 times a power of ten, all before `end`.
std::vector<GanttMark> gantt_marks(Seconds end, int most);

/// What stands over a drawing: "Lesson 6, pipeline: 1f1b, 4 stages, 8 microbatches, 601.6 ms".
std::string gantt_heading(const Gantt& gantt);

/// How a drawing in text looks.
struct GanttStyle {
  int columns = 100;     // of time
  bool unicode = false;  // blocks, else ASCII
  bool colour = false;   // terminal escapes
};

/// How many columns beside those of time a drawing takes.
int gantt_margin(std::span<const Gantt> gantts);
/// Drawings above one another on one scale, as text.
std::string write_gantt(std::span<const Gantt> gantts, const GanttStyle& style);
/// The same as SVG, for light and dark pages.
std::string write_gantt_svg(std::span<const Gantt> gantts);

/// "4 stages (12 of them drawn)", "ranks 0 ... are drawn": what a drawing leaves out, in sentences.
std::vector<std::string> gantt_notes(const Gantt& gantt);

}  // namespace danlu
