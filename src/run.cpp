// danlu run FILE...
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/report/writers.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"
#include "src/campaign.hpp"
#include "src/commands.hpp"
#include "src/simulation.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// Says by how much a plan misses and what would fit.
void explain_memory(const Simulation& simulation) {
  const Report& report = simulation.report;
  const Bytes missing = report.memory.use.peak() - report.memory.capacity;
  fmt::print(stderr,
             "error: {}: the plan does not fit in memory: a GPU of stage {} needs {}, {} more than "
             "the {} of {}\n",
             report.scenario, report.memory.use.stage, to_text(report.memory.use.peak()),
             to_text(missing), to_text(report.memory.capacity), report.gpu);
  for (const std::string& advice : memory_advice(report.workload, simulation.scenario.cluster)) {
    fmt::print(stderr, "hint: {}\n", advice);
  }
}

[[noreturn]] void refuse(const std::string& option, std::string message, std::string hint = "") {
  throw InputError(Problem{{option, 0, 0}, std::move(message), std::move(hint), ""});
}

/// What can be said of an output file before hours of simulation.
void check_output(const std::string& option, const fs::path& file, const RunOptions& options) {
  std::error_code none;
  const fs::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (file.empty()) {
    refuse(option, "expected the name of a file, found nothing");
  }
  if (options.crosscheck) {
    refuse(option, "has no effect with --crosscheck, which plays the step several times",
           "leave one of the two out");
  }
  if (options.files.size() > 1) {
    refuse(option, "needs a single scenario",
           fmt::format("a run for each: danlu run {} {} FILE", options.files.front().string(),
                       option));
  }
  if (fs::is_directory(file, none)) {
    refuse(option, fmt::format("'{}' is a directory, not a file", file.string()),
           fmt::format("for example {}", (file / "out.json").string()));
  }
  if (!fs::is_directory(folder, none)) {
    refuse(option, fmt::format("'{}' cannot be written: there is no folder '{}'", file.string(),
                               folder.string()));
  }
}

void check_outputs(const RunOptions& options, const CommonOptions& common) {
  if (options.crosscheck && options.files.size() > 1) {
    refuse("--crosscheck", "needs a single scenario");
  }
  if (options.trace) {
    check_output("--trace", *options.trace, options);
  }
  if (!options.trace_ranks.empty() && !options.trace) {
    refuse("--trace-ranks", "has no effect without --trace", "for example --trace step.json");
  }
  if (!options.timeline) {
    return;
  }
  const fs::path& timeline = *options.timeline;
  check_output("--timeline", timeline, options);
  check_timeline(timeline);
  std::error_code none;
  if (options.trace &&
      fs::weakly_canonical(*options.trace, none) == fs::weakly_canonical(timeline, none)) {
    refuse("--timeline", fmt::format("'{}' is the file of --trace too", timeline.string()),
           "each needs a file of its own");
  }
  const fs::path& scenario = options.files.front();
  if (!load_scenario(scenario, {topologies_folder(), common.overrides}).faults) {
    refuse(scenario.string(), "--timeline needs a scenario with faults",
           "for example --set faults=llama3-405b --set faults.days=54");
  }
}

/// The classes of ranks that the trace is to show, by number.
std::vector<bool> traced_classes(const std::string& ranks, const Fold& fold) {
  std::vector<bool> traced(fold.units.size(), ranks.empty());
  const int last = static_cast<int>(fold.unit_of_rank.size()) - 1;
  for (std::string_view part : split(ranks, ',')) {
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    const std::optional<NumberRange> range = parse_range(part);
    if (!range && !ranks.empty()) {
      refuse("--trace-ranks",
             fmt::format("expected ranks and ranges of them, found '{}'", shown(ranks)),
             "for example 0-7,12");
    }
    if (range && range->last > last) {
      refuse("--trace-ranks",
             fmt::format("there is no rank {}: the scenario has 0 to {}", range->last, last));
    }
    for (int rank = range ? range->first : 0; range && rank <= range->last; ++rank) {
      const int unit = fold.unit_of_rank[static_cast<std::size_t>(rank)];
      traced[static_cast<std::size_t>(unit)] = true;
    }
  }
  return traced;
}

/// Says what a large trace takes before the step is played, and refuses one above the limit.
void check_trace(const StepPlan& plan, const std::vector<bool>& traced,
                 const CommonOptions& common) {
  constexpr double kQuiet = 1e6;
  constexpr Bytes kSlice{190};  // in the file
  const double slices = trace_slices(plan, traced);
  const std::string what =
      fmt::format("the trace has {:.2g} slices, about {}", slices, to_text(kSlice * slices));
  if (slices > common.max_tasks) {
    throw CannotRun(fmt::format("{}; danlu writes {:.2g}", what, common.max_tasks),
                    "--trace-ranks 0-7 writes those of some ranks; --max-tasks writes more");
  }
  if (slices > kQuiet) {
    fmt::print(stderr, "note: {}\n", what);
  }
}

}  // namespace

int run(const RunOptions& options, const CommonOptions& common) {
  check_outputs(options, common);
  if (options.crosscheck) {
    return crosscheck(options.files.front(), common);
  }
  std::vector<bool> traced;
  const std::vector<Simulation> simulations =
      simulate_files(options.files, common, [&](const StepPlan& plan) {
        if (options.trace) {
          traced = traced_classes(options.trace_ranks, plan.fold);
          check_trace(plan, traced, common);
        }
      });
  if (options.trace) {
    std::ostringstream trace;
    write_trace(simulations.front().plan, simulations.front().timeline, traced, trace);
    write_file(*options.trace, trace.str());
    spdlog::info("trace written to {}", options.trace->string());
  }
  if (options.timeline) {
    write_timeline(*simulations.front().report.faults, *options.timeline);
  }
  int exit_code = kExitDone;
  std::string text;
  for (const Simulation& simulation : simulations) {
    const Report& report = simulation.report;
    text += text.empty() ? "" : common.json ? ",\n" : "\n";
    text += common.json ? json_report(report) : text_report(report, wants_colour());
  }
  const bool several = common.json && simulations.size() > 1;
  print(several ? fmt::format("[\n{}]\n", text) : text);
  for (const Simulation& simulation : simulations) {
    const Report& report = simulation.report;
    if (!report.memory.fits()) {
      explain_memory(simulation);
      exit_code = kExitCannotRun;
    }
  }
  return exit_code;
}

int compare(const std::vector<std::filesystem::path>& files, const CommonOptions& common) {
  if (files.size() < 2) {
    throw InputError(Problem{{"compare", 0, 0}, "needs two scenarios or more, found one", "", ""});
  }
  std::vector<Report> reports;
  int exit_code = kExitDone;
  for (const Simulation& simulation : simulate_files(files, common)) {
    reports.push_back(simulation.report);
    if (!simulation.report.memory.fits()) {
      explain_memory(simulation);
      exit_code = kExitCannotRun;
    }
  }
  print(common.json ? json_comparison(reports) : text_comparison(reports, wants_colour()));
  return exit_code;
}

}  // namespace danlu
