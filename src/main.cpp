// danlu: simulates the training of large models on clusters of GPUs.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <new>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/cluster/limits.hpp"
#include "sim/import/import.hpp"
#include "sim/report/writers.hpp"
#include "src/commands.hpp"
#include "src/options.hpp"
#include "src/sweep_options.hpp"
#include "src/validate.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// Everything the command line can say; CLI11 fills it in.
struct Arguments {
  CommonOptions common;
  RunOptions run;
  CompareOptions compare;
  SearchCommand search;
  SweepArguments sweep;
  std::vector<fs::path> files;
  fs::path shown;
  bool shows_step = false;
  TopologyOptions topology;
  std::string list;
  CollectiveOptions collective;
  ValidateOptions validate;
  ImportCommand import;
};

void add_sensitivity(CLI::App& command, bool& sensitivity) {
  command.add_flag(
      "--sensitivity", sensitivity,
      "Play what 1 % more and twice of each resource is worth, and the plan's switches");
}

void add_drawing(CLI::App& command, DrawingOptions& drawing) {
  constexpr int kLeast = 20;
  constexpr int kMost = 1000;
  command.add_flag("--gantt", drawing.gantt,
                   "Draw who does what when, a line for each stage, instead of the report");
  command
      .add_option("--columns", drawing.columns,
                  "Columns of time of --gantt (the terminal's width, else 100)")
      ->type_name("NUMBER")
      ->check(CLI::Range(kLeast, kMost));
  command.add_flag("--ascii", drawing.ascii, "Draw in ASCII on any terminal");
  command.add_option("--svg", drawing.svg, "Write that drawing as SVG to this file")
      ->type_name("FILE");
}

void describe(CLI::App& app, Arguments& arguments) {
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("danlu {}", kVersion));
  CommonOptions& common = arguments.common;

  CLI::App& run = *app.add_subcommand("run", "Simulate the training step of scenarios");
  run.add_option("FILE", arguments.run.files, "Scenario files")->required();
  run.add_option("--trace", arguments.run.trace.file,
                 "Write a Chrome/Perfetto trace to this file; .json.gz is compressed")
      ->type_name("FILE");
  run.add_option("--trace-ranks", arguments.run.trace.ranks,
                 "Only these ranks in the trace, as in 0-7,12")
      ->type_name("RANKS");
  run.add_option("--trace-microbatches", arguments.run.trace.microbatches,
                 "Only these microbatches in the trace, as in 0-3,7")
      ->type_name("NUMBERS");
  run.add_option("--timeline", arguments.run.timeline,
                 "Write one run of the campaign: a Perfetto trace (.json) or a table (.csv)")
      ->type_name("FILE");
  run.add_flag("--crosscheck", arguments.run.crosscheck,
               "Play closed forms, steady flows and every step, and say how far they are apart");
  run.add_flag("--brief", arguments.run.brief,
               "Print the verdict alone: does it fit, what limits the step, time and MFU");
  run.add_flag("--memory", arguments.run.memory,
               "Print what every stage holds at its peak, and when that is");
  run.add_flag("--parameters", arguments.run.parameters,
               "Print what the model's parameters are of: all, and those that a token meets");
  run.add_flag("!--no-advice", arguments.run.advice,
               "Do not play changes of the plan to see what they would save");
  add_sensitivity(run, arguments.run.sensitivity);
  add_drawing(run, arguments.run.drawing);
  run.add_flag("--simgrid-log", common.simgrid_log, "Let SimGrid log how bandwidth is shared");
  add_limit_of_events(run, common);
  add_playing(run, common);

  CLI::App& compare =
      *app.add_subcommand("compare", "Scenarios side by side, and what makes the difference");
  compare
      .add_option("FILE", arguments.compare.files, "Two or more scenarios; the first is the base")
      ->required();
  add_sensitivity(compare, arguments.compare.sensitivity);
  add_drawing(compare, arguments.compare.drawing);
  add_limit_of_events(compare, common);
  add_playing(compare, common);

  CLI::App& check = *app.add_subcommand("check", "Read and check scenarios only");
  check.add_option("FILE", arguments.files, "Scenario files")->required();
  add_common(check, common);
  add_overrides(check, common);

  CLI::App& show = *app.add_subcommand(
      "show", "A scenario as it is understood: every key, its value and where it comes from");
  show.add_option("FILE", arguments.shown, "A scenario file")->required();
  show.add_flag("--step", arguments.shows_step,
                "What every stage does in a step instead, without times: passes, exchanges, sends");
  add_common(show, common);
  add_overrides(show, common);

  CLI::App& list = *app.add_subcommand("list", "What is known");
  list.add_option(
          "WHAT", arguments.list,
          "models, gpus, topologies, networks, schedules, collectives, frameworks or faults")
      ->required()
      ->check(CLI::IsMember({"models", "gpus", "topologies", "networks", "schedules", "collectives",
                             "frameworks", "faults"}));
  add_common(list, common);

  CLI::App& topology =
      *app.add_subcommand("topology", "Counts, bandwidths and routes of a topology");
  topology.add_option("NAME", arguments.topology.topology, "A topology's name or file")->required();
  topology.add_option("--gpus", arguments.topology.gpus, "GPUs in use (four nodes if left out)")
      ->check(CLI::Range(1, kLargestCluster));
  topology
      .add_option("--format", arguments.topology.format,
                  "text, json, or simgrid-xml: a SimGrid platform file for smpirun")
      ->check(CLI::IsMember({"text", "json", "simgrid-xml"}));
  topology.add_option("--route", arguments.topology.route, "Two GPUs to show the route between")
      ->expected(2);
  add_common(topology, common);
  add_overrides(topology, common);
}

void describe_collective(CLI::App& app, Arguments& arguments) {
  CollectiveOptions& options = arguments.collective;
  CLI::App& collective = *app.add_subcommand(
      "collective", "One collective on a topology, in the columns of nccl-tests");
  collective.add_option("--topology", options.topology, "A topology's name or file")->required();
  collective.add_option("--gpus", options.gpus, "GPUs taking part (one node if left out)")
      ->check(CLI::Range(2, kLargestCluster));
  collective
      .add_option("--op", options.op,
                  "all-reduce, reduce-scatter, all-gather, broadcast, all-to-all or send")
      ->capture_default_str();
  collective.add_option("--min", options.least, "Smallest array")->capture_default_str();
  collective.add_option("--max", options.most, "Largest array")->capture_default_str();
  collective.add_option("--factor", options.factor, "From one size to the next")
      ->capture_default_str()
      ->check(CLI::Range(2, 1024));
  collective.add_option("--algorithm", options.algorithm, "auto, or one of danlu list collectives")
      ->capture_default_str();
  collective.add_option("--protocol", options.protocol, "auto, LL, LL128 or Simple")
      ->capture_default_str();
  collective
      .add_option("--collectives", options.mode,
                  "formula (no contention), steady (a flow per phase) or stepwise (a flow per "
                  "message)")
      ->capture_default_str();
  collective.add_flag("--choices", options.choices,
                      "Show every algorithm and protocol, by NCCL's own estimate and by danlu");
  add_limit(collective, arguments.common);
  add_common(collective, arguments.common);
  add_overrides(collective, arguments.common);
}

void describe_validate(CLI::App& app, Arguments& arguments) {
  CLI::App& validate =
      *app.add_subcommand("validate", "Published measurements against simulated ones");
  validate.add_option("TABLE", arguments.validate.table, "A CSV table of measurements")->required();
  add_jobs(validate, arguments.validate.jobs, "Rows simulated at once (0: all processors)");
  validate.add_option("--worst", arguments.validate.worst, "Rows in the list of largest errors")
      ->check(CLI::Range(0, 100000));
  validate
      .add_option("--by", arguments.validate.by,
                  "Tables of errors, one or several: by device or source; of training runs also by "
                  "framework, precision or kind (of plan); of collectives by size (of a message)")
      ->capture_default_str()
      ->check(CLI::IsMember({"device", "source", "framework", "precision", "kind", "size"}));
  validate.add_flag("--rows", arguments.validate.rows, "List all rows, too");
  validate.add_flag("--markdown", arguments.validate.markdown, "The same as --format markdown");
  validate.add_option("--plot", arguments.validate.plot,
                      "Draw published and simulated times as SVG into this file");
  validate.add_option("--scenario", arguments.validate.scenario,
                      "Print the row of this id as a scenario file and play nothing");
  add_format(validate, arguments.common);
  add_limit(validate, arguments.common);
  add_common(validate, arguments.common);
}

/// "" for NAME=VALUE, or what it should have been.
std::string check_variable(const std::string& text) {
  const std::size_t equals = text.find('=');
  return equals > 0 && equals != std::string::npos
             ? ""
             : fmt::format("expected NAME=VALUE, found '{}'", shown(text));
}

void describe_import(CLI::App& app, Arguments& arguments) {
  ImportCommand& command = arguments.import;
  CLI::App& import = *app.add_subcommand(
      "import", "A scenario from the configuration of another program, on stdout");
  std::vector<std::string> names;
  for (const Importer& framework : frameworks()) {
    names.emplace_back(framework.name);
  }
  import.add_option("FRAMEWORK", command.framework, "Whose configuration it is")
      ->required()
      ->check(CLI::IsMember(names));
  import.add_option("FILE", command.file, "The file")->required();
  import.add_option("--topology", command.options.topology, "A topology's name or file");
  import.add_option("--gpus", command.options.gpus, "GPUs in use, over what the file says")
      ->check(CLI::Range(1, kLargestCluster));
  import.add_option("--model", command.options.model,
                    "A model's name, or a config.json of Hugging Face, over what the file says");
  import
      .add_option("--define", command.options.variables,
                  "What a variable of the environment has, or an argument of the script")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->check(check_variable);
  import
      .add_option("--vocab", command.options.vocab,
                  "Words of the vocabulary, as padded for training, over what the file says")
      ->check(CLI::Range(1, 10000000));
  import
      .add_option("--sequence-length", command.options.sequence_length,
                  "Tokens of a sequence, over what the file says")
      ->check(CLI::Range(1, 100000000));
  import
      .add_option("--global-batch", command.options.global_batch,
                  "Sequences of a step, all replicas together, over what the file says")
      ->check(CLI::Range(1, 1000000000));
}

void describe_search(CLI::App& app, Arguments& arguments) {
  constexpr int kMostPlans = 100;
  SearchCommand& command = arguments.search;
  CLI::App& search = *app.add_subcommand(
      "search", "The best plan of a scenario: parallelism, schedule, recomputation, overlaps");
  search
      .add_option("FILE", command.file,
                  "A scenario; its section 'search' lists what varies, else what is usual does")
      ->required();
  CLI::Option* gpus =
      search
          .add_option(
              "--gpus", command.gpus,
              "Search for each of these numbers of GPUs, and tell which of them is worth it")
          ->type_name("N,N,...")
          ->delimiter(',')
          ->check(CLI::PositiveNumber);
  search.add_option("--top", command.top, "Best plans to simulate and show")
      ->type_name("NUMBER")
      ->capture_default_str()
      ->check(CLI::Range(1, kMostPlans))
      ->excludes(gpus);
  search.add_option("--map", command.map, "Two keys to draw the map of (tensor,pipeline)")
      ->type_name("DOWN,ACROSS")
      ->excludes(gpus);
  search
      .add_flag(
          "--front", command.front,
          "Also every plan of which none is as fast with less memory, or faster with as little")
      ->excludes(gpus);
  search
      .add_option("--svg", command.svg,
                  "Write the map as SVG to this file, or the front where --front asks for it")
      ->type_name("FILE")
      ->excludes(gpus);
  add_jobs(search, command.jobs, "Plans looked at at once (0: all processors)");
  add_playing(search, arguments.common);
}

int dispatch(const CLI::App& app, const Arguments& arguments) {
  set_up_logging(arguments.common.verbosity);
  const std::string command = app.get_subcommands().front()->get_name();
  if (command == "run") {
    return run(arguments.run, arguments.common);
  }
  if (command == "compare") {
    return compare(arguments.compare, arguments.common);
  }
  if (command == "search") {
    return run_search(arguments.search, arguments.common);
  }
  if (command == "sweep") {
    return dispatch_sweep(*app.get_subcommands().front(), arguments.sweep, arguments.common);
  }
  if (command == "check") {
    return check_files(arguments.files, arguments.common);
  }
  if (command == "show") {
    return arguments.shows_step ? show_step(arguments.shown, arguments.common)
                                : show(arguments.shown, arguments.common);
  }
  if (command == "import") {
    return import_configuration(arguments.import);
  }
  if (command == "list") {
    return list_presets(arguments.list, arguments.common);
  }
  if (command == "collective") {
    return run_collective(arguments.collective, arguments.common);
  }
  if (command == "validate") {
    return run_validate(arguments.validate, arguments.common);
  }
  return show_topology(arguments.topology, arguments.common);
}

/// CLI11 takes an unknown word for a missing sub-command; says which word, and what was meant.
bool names_unknown_command(const CLI::App& app, int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word.empty() || word.starts_with('-')) {
    return false;
  }
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  if (std::find(names.begin(), names.end(), word) != names.end()) {
    return false;
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view near = nearest(word, known);
  complain(fmt::format("error: unknown command '{}'\nhint: {}\n", shown(word),
                       near.empty() ? fmt::format("commands: {}", join(known, ", "))
                                    : fmt::format("did you mean '{}'?", near)));
  return true;
}

/// Fills in the arguments; an exit code where that is all there is to do.
std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  if (names_unknown_command(app, argc, argv)) {
    return kExitBadInput;
  }
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream complaint;
    const int code = app.exit(error, out, complaint);
    complain(complaint.str());
    print(out.str());
    return code == 0 ? kExitDone : kExitBadInput;
  }
}

int run_program(int argc, char** argv) {
  CLI::App app("Simulates the training of large models on clusters of GPUs.", "danlu");
  Arguments arguments;
  describe(app, arguments);
  describe_search(app, arguments);
  describe_sweep(app, arguments.sweep, arguments.common);
  describe_collective(app, arguments);
  describe_validate(app, arguments);
  describe_import(app, arguments);
  try {
    const std::optional<int> done = parse(app, argc, argv);
    return done ? *done : dispatch(app, arguments);
  } catch (const InputError& error) {
    complain(error.what());
    return kExitBadInput;
  } catch (const CannotRun& error) {
    complain(fmt::format("error: {}\nhint: {}\n", error.what(), error.hint()));
    return kExitCannotRun;
  } catch (const std::length_error& error) {  // more of something than can be laid out
    complain(fmt::format("error: {}\nhint: fewer GPUs, or fewer links of each\n", error.what()));
    return kExitCannotRun;
  } catch (const std::bad_alloc&) {
    complain("error: this machine has not enough memory for that\nhint: fewer GPUs\n");
    return kExitCannotRun;
  } catch (const std::system_error& error) {  // no process, no pipe
    complain(fmt::format("error: this machine refuses: {}\n", error.what()));
    return kExitCannotRun;
  } catch (const InternalError& error) {
    complain(
        fmt::format("internal error: {}\nplease report this as a bug of danlu\n", error.what()));
    return kExitInternal;
  } catch (const std::exception& error) {
    complain(fmt::format("error: {}\nplease report this as a bug of danlu\n", error.what()));
    return kExitInternal;
  }
}

/// What the shell may have left undone: a stream that is closed would be the next file opened, and
/// a file at its limit of size (ulimit -f) is an error like a full disk, no end of the program.
void prepare_process() {
  int descriptor = 0;
  while ((descriptor = open("/dev/null", O_RDONLY)) >= 0 && descriptor <= STDERR_FILENO) {
  }
  close(descriptor);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace
}  // namespace danlu

int main(int argc, char** argv) {
  danlu::prepare_process();
  return danlu::run_program(argc, argv);
}
