// danlu run FILE...
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "sim/base/error.hpp"
#include "sim/base/shell_word.hpp"
#include "sim/report/trace.hpp"
#include "sim/report/verdict.hpp"
#include "sim/report/writers.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/advice.hpp"
#include "sim/session/campaign.hpp"
#include "sim/session/sensitivity.hpp"
#include "sim/session/simulate.hpp"
#include "sim/session/trust.hpp"
#include "src/commands.hpp"
#include "src/drawing.hpp"
#include "src/output_file.hpp"
#include "src/session.hpp"
#include "src/trace.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// Says by how much a plan misses and what would fit.
void explain_memory(const Report& report) {
  if (!report.memory.fits_host()) {
    complain(fmt::format("error: {}: the plan {}\n", report.scenario, fits_text(report.memory)));
    return;
  }
  const Bytes missing = report.memory.use.peak() - report.memory.capacity;
  complain(fmt::format(
      "error: {}: the plan does not fit in memory: a GPU of stage {} needs {}, {} more than "
      "the {} of {}\n",
      report.scenario, report.memory.use.stage, to_text(report.memory.use.peak()), to_text(missing),
      to_text(report.memory.capacity), report.memory.gpu));
  for (const std::string& hint : report.memory_hints) {
    complain(fmt::format("hint: {}\n", hint));
  }
}

/// The files that a run is to write.
std::vector<Output> outputs_of(const RunOptions& options) {
  std::vector<Output> outputs;
  for (const auto& [option, file] :
       {std::pair("--trace", &options.trace.file), std::pair("--timeline", &options.timeline),
        std::pair("--svg", &options.drawing.svg)}) {
    if (*file) {
      outputs.push_back({option, **file});
    }
  }
  return outputs;
}

/// `instead`: the option that prints something else than a report, "" without any.
void check_sensitivity(bool sensitivity, std::string_view instead) {
  if (sensitivity && !instead.empty()) {
    refuse("--sensitivity", fmt::format("has no effect with {}, which prints no report", instead),
           "leave one of the two out");
  }
}

void check_options(const RunOptions& options, const std::vector<Output>& outputs) {
  if (options.crosscheck && options.files.size() > 1) {
    refuse("--crosscheck", "needs a single scenario");
  }
  if (options.crosscheck && options.drawing.gantt) {
    refuse("--gantt", "has no effect with --crosscheck, which plays the step several times",
           "leave one of the two out");
  }
  for (const auto& [asked, option] :
       {std::pair(options.drawing.gantt, "--gantt"),
        std::pair(options.sensitivity, "--sensitivity"), std::pair(options.memory, "--memory"),
        std::pair(options.parameters, "--parameters")}) {
    if (options.brief && asked) {
      refuse(option, "contradicts --brief", "leave one of the two out");
    }
  }
  check_sensitivity(options.sensitivity, options.crosscheck      ? "--crosscheck"
                                         : options.drawing.gantt ? "--gantt"
                                                                 : "");
  for (const auto& [option, file] : outputs) {
    if (file.empty()) {
      refuse(option, "expected the name of a file, found nothing");
    }
    if (options.crosscheck) {
      refuse(option, "has no effect with --crosscheck, which plays the step several times",
             "leave one of the two out");
    }
    if (options.files.size() > 1) {
      refuse(option, "needs a single scenario",
             fmt::format("a run for each: danlu run {} {} FILE",
                         shell_word(options.files.front().string()), option));
    }
  }
  check_outputs(outputs);
  check_trace_options(options.trace);
  if (options.timeline && kind_of(*options.timeline) != ".json" &&
      kind_of(*options.timeline) != ".csv") {
    refuse("--timeline",
           fmt::format("'{}' ends neither in .json nor in .csv", options.timeline->string()),
           ".json is a trace for Perfetto, .csv a table; .json.gz and .csv.gz compress them");
  }
}

/// Runs `write`; what was in the way of it, so that the report is printed all the same.
std::string tried(const std::function<void()>& write) {
  try {
    write();
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

/// Writes the files; returns what was in the way.
std::string write_outputs(const Simulation& simulation, const RunOptions& options,
                          std::span<const Gantt> gantts, const TraceSelection& traced) {
  std::string problems;
  if (options.trace.file) {
    problems += tried([&] {
      write_file(*options.trace.file, [&](const TextSink& out) {
        write_trace(simulation.plan, simulation.timeline, traced, out);
      });
      spdlog::info("trace written to {}", options.trace.file->string());
    });
  }
  if (options.timeline) {
    problems += tried([&] {
      const bool csv = kind_of(*options.timeline) == ".csv";
      write_file(*options.timeline,
                 [&](const TextSink& out) { write_timeline(*simulation.report.faults, csv, out); });
      spdlog::info("timeline written to {}", options.timeline->string());
    });
  }
  if (options.drawing.svg) {
    problems += tried([&] { write_svg(gantts, *options.drawing.svg); });
  }
  return problems;
}

/// --crosscheck has text and JSON of its own.
int crosscheck_as(const Writer& writer, const RunOptions& options, CommonOptions common) {
  common.json = writer.name == "json";
  if (!common.json && writer.name != "text") {
    refuse("--format", fmt::format("--crosscheck cannot be written as '{}'", writer.name),
           "it has text and json");
  }
  return run_crosscheck(options.files.front(), common);
}

/// What is played besides the step.
struct Tries {
  bool advice = false;       // what would take less time
  bool sensitivity = false;  // what more of each resource is worth
};

/// Plays a scenario, and what would help: changes with which it fits or, where that is wanted,
/// takes less time.
Simulation play(const Scenario& scenario, Tries tries, const CommonOptions& common,
                const SessionOptions& session) {
  Simulation simulation = simulate(scenario, session);
  Report& report = simulation.report;
  report.overrides = common.overrides;
  set_trust(report, read_published_runs(topologies_folder()));
  if (!report.memory.fits()) {
    report.remedies = memory_remedies(simulation, session);
    report.memory_hints = hints_of(report.remedies);
  } else if (tries.advice) {
    report.saving = best_saving(simulation, session);
    report.untried = why_untried(report);
  }
  if (tries.sensitivity) {
    report.sensitivity = sensitivity_of(simulation, session);
  }
  return simulation;
}

/// Says which reports are of plans that do not fit in memory; the exit code.
int explain_misfits(const std::vector<Report>& reports) {
  int exit_code = kExitDone;
  for (const Report& report : reports) {
    if (!report.memory.fits()) {
      explain_memory(report);
      exit_code = kExitCannotRun;
    }
  }
  return exit_code;
}

}  // namespace

int run(const RunOptions& options, const CommonOptions& common) {
  const Writer& writer = chosen_writer(common);
  const std::vector<Output> outputs = outputs_of(options);
  check_options(options, outputs);
  check_drawing(options.drawing, writer);
  if (options.crosscheck) {
    return crosscheck_as(writer, options, common);
  }
  const std::vector<Scenario> scenarios = load_beside(outputs, options.files, common);
  if (options.timeline && !scenarios.front().faults) {
    refuse(options.files.front().string(), "--timeline needs a scenario with faults",
           "for example --set faults=llama3-405b --set faults.days=54");
  }
  SessionOptions session = session_options(common);
  session.count_rounds &= !options.trace.file && !options.drawing.asked();
  TraceSelection traced;
  if (options.trace.file) {
    session.planned = [&](const StepPlan& plan) {
      traced = selection_of(options.trace, scenarios.front().workload, plan);
      check_trace(plan, traced, *options.trace.file, session);
    };
  }
  const Tries tries{.advice = options.advice && !options.drawing.gantt,
                    .sensitivity = options.sensitivity};
  std::vector<Report> reports;
  std::vector<Document> documents;
  std::vector<Gantt> gantts;
  std::string unwritten;
  for (const Scenario& scenario : scenarios) {
    Simulation simulation = play(scenario, tries, common, session);
    if (options.drawing.asked()) {
      gantts.push_back(gantt_of(simulation));
    }
    unwritten += write_outputs(simulation, options, gantts, traced);  // those of the only scenario
    Document document = document_of(simulation.report);
    if (options.memory) {
      document = on_page(std::move(document), "memory.stages");
    }
    if (options.parameters) {
      document = on_page(std::move(document), "parameters_by_part");
    }
    documents.push_back(options.brief && writer.for_people ? brief(std::move(document))
                                                           : std::move(document));
    reports.push_back(std::move(simulation.report));
  }
  if (options.drawing.gantt) {
    for (const Gantt& gantt : gantts) {
      print_page(&gantt == &gantts.front() ? "" : "\n");
      print_gantts({&gantt, 1}, options.drawing);
    }
  } else {
    print_documents(documents, writer);
  }
  const int exit_code = explain_misfits(reports);
  complain(unwritten);
  return unwritten.empty() ? exit_code : kExitBadInput;
}

int compare(const CompareOptions& options, const CommonOptions& common) {
  if (options.files.size() < 2) {
    throw InputError(Problem{{"compare", 0, 0}, "needs two scenarios or more, found one", "", ""});
  }
  const Writer& writer = chosen_writer(common);
  const DrawingOptions& drawing = options.drawing;
  check_sensitivity(options.sensitivity, drawing.gantt ? "--gantt" : "");
  std::vector<Output> outputs;
  if (drawing.svg) {
    outputs.push_back({"--svg", *drawing.svg});
  }
  check_outputs(outputs);
  check_drawing(drawing, writer);
  std::vector<Report> reports;
  std::vector<Gantt> gantts;
  SessionOptions session = session_options(common);
  session.count_rounds &= !drawing.asked();
  for (const Scenario& scenario : load_beside(outputs, options.files, common)) {
    Simulation simulation = play(scenario, {.sensitivity = options.sensitivity}, common, session);
    if (drawing.asked()) {
      gantts.push_back(gantt_of(simulation));
    }
    reports.push_back(std::move(simulation.report));
  }
  const std::string unwritten = drawing.svg ? tried([&] { write_svg(gantts, *drawing.svg); }) : "";
  if (drawing.gantt) {
    print_gantts(gantts, drawing);
  } else {
    print_documents({comparison_of(reports)}, writer);
  }
  const int exit_code = explain_misfits(reports);
  complain(unwritten);
  return unwritten.empty() ? exit_code : kExitBadInput;
}

}  // namespace danlu
