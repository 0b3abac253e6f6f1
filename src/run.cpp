// danlu run FILE...
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "sim/base/error.hpp"
#include "sim/report/writers.hpp"
#include "src/campaign.hpp"
#include "src/commands.hpp"
#include "src/simulation.hpp"

namespace danlu {
namespace {

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

}  // namespace

int run(const RunOptions& options, const CommonOptions& common) {
  if (!options.trace.empty() && options.files.size() > 1) {
    throw InputError(Problem{{"--trace", 0, 0}, "needs a single scenario", "", ""});
  }
  if (!options.timeline.empty()) {
    if (options.files.size() > 1) {
      throw InputError(Problem{{"--timeline", 0, 0}, "needs a single scenario", "", ""});
    }
    check_timeline(options.timeline);
  }
  if (options.crosscheck) {
    if (options.files.size() > 1) {
      throw InputError(Problem{{"--crosscheck", 0, 0}, "needs a single scenario", "", ""});
    }
    return crosscheck(options.files.front(), common);
  }
  const std::vector<Simulation> simulations = simulate_files(options.files, common);
  if (!options.trace.empty()) {
    std::ostringstream trace;
    write_trace(simulations.front().plan, simulations.front().timeline, trace);
    write_file(options.trace, trace.str());
    spdlog::info("trace written to {}", options.trace.string());
  }
  if (!options.timeline.empty()) {
    const Simulation& simulation = simulations.front();
    if (!simulation.report.faults) {
      throw InputError(Problem{{options.files.front().string(), 0, 0},
                               "--timeline needs a scenario with faults",
                               "for example --set faults=llama3-405b --set faults.days=54",
                               ""});
    }
    write_timeline(*simulation.report.faults, options.timeline);
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
