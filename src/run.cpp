// danlu run FILE...
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "sim/base/error.hpp"
#include "sim/base/files_read.hpp"
#include "sim/base/text.hpp"
#include "sim/report/writers.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"
#include "sim/session/advice.hpp"
#include "sim/session/campaign.hpp"
#include "sim/session/effort.hpp"
#include "sim/session/simulate.hpp"
#include "src/commands.hpp"
#include "src/output_file.hpp"
#include "src/session.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// Says by how much a plan misses and what would fit.
void explain_memory(const Report& report) {
  const Bytes missing = report.memory.use.peak() - report.memory.capacity;
  complain(fmt::format(
      "error: {}: the plan does not fit in memory: a GPU of stage {} needs {}, {} more than "
      "the {} of {}\n",
      report.scenario, report.memory.use.stage, to_text(report.memory.use.peak()), to_text(missing),
      to_text(report.memory.capacity), report.gpu));
  for (const std::string& hint : report.memory_hints) {
    complain(fmt::format("hint: {}\n", hint));
  }
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
  if (const std::string why = why_unwritable(file); !why.empty()) {
    refuse(option, fmt::format("'{}' cannot be written: {}", file.string(), why));
  }
}

/// The ending of a file's name, in small letters.
std::string kind_of(const fs::path& file) {
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

void check_outputs(const RunOptions& options) {
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
  if (kind_of(timeline) != ".json" && kind_of(timeline) != ".csv") {
    refuse("--timeline", fmt::format("'{}' ends neither in .json nor in .csv", timeline.string()),
           ".json is a trace for Perfetto, .csv a table");
  }
  if (options.trace && is_same_file(*options.trace, timeline)) {
    refuse("--timeline", fmt::format("'{}' is the file of --trace too", timeline.string()),
           "each needs a file of its own");
  }
}

/// Nothing is written over what the run reads: the scenario, what it extends, its presets, tables.
/// Returns the scenario.
Scenario check_inputs(const RunOptions& options, const CommonOptions& common) {
  const FilesRead read;
  Scenario scenario = load_scenario(options.files.front(), {topologies_folder(), common.overrides});
  for (const fs::path& file : read.names()) {
    for (const auto& [option, output] :
         {std::pair("--trace", &options.trace), std::pair("--timeline", &options.timeline)}) {
      if (*output && is_same_file(**output, file)) {
        refuse(option, fmt::format("'{}' is a file that this run reads", (*output)->string()),
               fmt::format("for example {}", ((*output)->parent_path() / "out.json").string()));
      }
    }
  }
  return scenario;
}

/// Writes the files; what is in the way of one is returned, so that the report is printed all the
/// same.
std::string write_outputs(const Simulation& simulation, const RunOptions& options,
                          const IdVector<RankClassId, bool>& traced) {
  std::string problems;
  const auto attempt = [&](const auto& write) {
    try {
      write();
    } catch (const InputError& error) {
      problems += error.what();
    }
  };
  if (options.trace) {
    attempt([&] {
      std::ostringstream trace;
      write_trace(simulation.plan, simulation.timeline, traced, trace);
      write_file(*options.trace, trace.str());
      spdlog::info("trace written to {}", options.trace->string());
    });
  }
  if (options.timeline) {
    attempt([&] {
      const bool csv = kind_of(*options.timeline) == ".csv";
      write_file(*options.timeline, timeline_text(*simulation.report.faults, csv));
      spdlog::info("timeline written to {}", options.timeline->string());
    });
  }
  return problems;
}

/// The classes of ranks that the trace is to show.
IdVector<RankClassId, bool> traced_classes(const std::string& ranks, const Fold& fold) {
  IdVector<RankClassId, bool> traced(fold.rank_classes.size(), ranks.empty());
  const int last = static_cast<int>(fold.class_of_rank.size()) - 1;
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
      traced[fold.class_of_rank[RankId{rank}]] = true;
    }
  }
  return traced;
}

/// Says what a large trace takes before the step is played, and refuses one above the limit.
void check_trace(const StepPlan& plan, const IdVector<RankClassId, bool>& traced,
                 const SessionOptions& session) {
  constexpr Seconds kSlice{2e-6};
  constexpr Bytes kText{190};     // in the file
  constexpr Bytes kWritten{400};  // while it is made
  const double slices = trace_slices(plan, traced);
  allow_tasks({.what = fmt::format("the trace has {:.2g} slices, a file of about {}", slices,
                                   to_text(kText * slices)),
               .count = slices,
               .time = kSlice * slices,
               .memory = kWritten * slices,
               .ways_out = {"--trace-ranks 0-7 writes those of some ranks"}},
              session);
}

/// The writer that the options ask for; none that --json contradicts.
const Writer& chosen_writer(const CommonOptions& common) {
  const std::string_view format = !common.format.empty() ? std::string_view(common.format)
                                  : common.json          ? "json"
                                                         : "text";
  if (common.json && format != "json") {
    refuse("--format", fmt::format("'{}' contradicts --json, which is --format json", format),
           "leave one of the two out");
  }
  return *std::find_if(kWriters.begin(), kWriters.end(),
                       [&](const Writer& writer) { return writer.name == format; });
}

void print_documents(const std::vector<Document>& documents, const Writer& writer) {
  const std::string text = writer.write(documents, wants_colour());
  writer.for_people ? print_page(text) : print(text);
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

/// Plays a scenario, and what would help: changes with which it fits or, where that is wanted,
/// takes less time.
Simulation play(const Scenario& scenario, bool advice, const CommonOptions& common,
                const SessionOptions& session) {
  Simulation simulation = simulate(scenario, session);
  Report& report = simulation.report;
  report.overrides = common.overrides;
  if (!report.memory.fits()) {
    report.remedies = memory_remedies(simulation, session);
    report.memory_hints = hints_of(report.remedies);
  } else if (advice) {
    report.saving = best_saving(simulation, session);
    report.untried = why_untried(report);
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
  check_outputs(options);
  if (options.trace || options.timeline) {
    const Scenario scenario = check_inputs(options, common);
    if (options.timeline && !scenario.faults) {
      refuse(options.files.front().string(), "--timeline needs a scenario with faults",
             "for example --set faults=llama3-405b --set faults.days=54");
    }
  }
  if (options.crosscheck) {
    return crosscheck_as(writer, options, common);
  }
  SessionOptions session = session_options(common);
  IdVector<RankClassId, bool> traced;
  if (options.trace) {
    session.planned = [&](const StepPlan& plan) {
      traced = traced_classes(options.trace_ranks, plan.fold);
      check_trace(plan, traced, session);
    };
  }
  std::vector<Report> reports;
  std::vector<Document> documents;
  std::string unwritten;
  for (const Scenario& scenario : load_files(options.files, common)) {
    Simulation simulation = play(scenario, options.advice, common, session);
    unwritten += write_outputs(simulation, options, traced);  // those of the only scenario
    Document document = document_of(simulation.report);
    if (options.memory) {
      document = on_page(std::move(document), "memory.stages");
    }
    documents.push_back(options.brief && writer.for_people ? brief(std::move(document))
                                                           : std::move(document));
    reports.push_back(std::move(simulation.report));
  }
  print_documents(documents, writer);
  const int exit_code = explain_misfits(reports);
  complain(unwritten);
  return unwritten.empty() ? exit_code : kExitBadInput;
}

int compare(const std::vector<std::filesystem::path>& files, const CommonOptions& common) {
  if (files.size() < 2) {
    throw InputError(Problem{{"compare", 0, 0}, "needs two scenarios or more, found one", "", ""});
  }
  const Writer& writer = chosen_writer(common);
  std::vector<Report> reports;
  for (const Scenario& scenario : load_files(files, common)) {
    reports.push_back(play(scenario, false, common, session_options(common)).report);
  }
  const int exit_code = explain_misfits(reports);
  print_documents({comparison_of(reports)}, writer);
  return exit_code;
}

}  // namespace danlu
