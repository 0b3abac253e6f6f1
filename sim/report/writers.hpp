// Reports as text for people, JSON for machines, and a trace for Perfetto. Writers only print:
// every number is in the Report.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "sim/report/report.hpp"

namespace danlu {

/// Step of each other run against the first: seconds by part; they add up to the difference of
/// steps.
struct Difference {
  TimePartition parts;
  Seconds step;
};
Difference difference(const Report& base, const Report& other);

/// Communications of both runs that are carried out by other algorithms or protocols:
/// "all-reduce, tensor group, 8 ranks, 48 MiB: nvls Simple, was ring LL128".
std::vector<std::string> turned_choices(const Report& base, const Report& other);

/// Keys of the scenarios whose values differ, in order, with a text for each report; "-" where it
/// has none. Of what only a different preset brings along the main figures are there, marked.
struct DifferentSetting {
  std::string key;
  std::vector<std::string> texts;
  bool follows = false;  // from a preset that differs
};
std::vector<DifferentSetting> different_settings(std::span<const Report> reports);

/// The report of one run. `colour` adds terminal escapes.
std::string text_report(const Report& report, bool colour);
/// The verdict alone, as text_report begins.
std::string brief_report(const Report& report, bool colour);
/// Several runs side by side, and a waterfall from the first to each other.
std::string text_comparison(std::span<const Report> reports, bool colour);

/// "danlu.run/1", SI base units, absent quantities null.
std::string json_report(const Report& report);
/// "danlu.compare/1": the runs, and the differences to the first.
std::string json_comparison(std::span<const Report> reports);

/// Chrome trace JSON: a process for each played class of ranks that `traced` marks, a thread for
/// each stream.
void write_trace(const StepPlan& plan, const Timeline& timeline, const std::vector<bool>& traced,
                 std::ostream& out);
/// How many slices that trace has.
double trace_slices(const StepPlan& plan, const std::vector<bool>& traced);

/// "all-reduce", ...
std::string_view collective_name(CollectiveOp op);

}  // namespace danlu
