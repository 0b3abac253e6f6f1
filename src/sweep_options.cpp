#include "src/sweep_options.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "src/options.hpp"
#include "src/sweep_submit.hpp"

namespace danlu {
namespace {

void add_duration(CLI::App& command, std::string name, std::optional<double>& seconds,
                  std::string what) {
  command.add_option(std::move(name), seconds, std::move(what))
      ->type_name("TIME")
      ->transform(
          CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"m", 60}, {"h", 3600}},
                                CLI::AsNumberWithUnit::UNIT_REQUIRED))
      ->check(CLI::PositiveNumber);
}

void add_time_limit(CLI::App& command, std::optional<double>& limit) {
  add_duration(command, "--time-limit", limit,
               "Begin no point after so long: 90s, 50m, 2h (those begun are finished)");
}
void add_point_limit(CLI::App& command, std::optional<double>& limit) {
  add_duration(
      command, "--point-limit", limit,
      "Give a point up that takes longer than this: it has failed, and the next is played");
}

/// What all of sweep's ways to begin have; FILE, which each needs.
CLI::Option* add_points(CLI::App& sweep, SweepCommand& command, CommonOptions& common) {
  CLI::Option* file = sweep.add_option("FILE", command.file, "A scenario");
  sweep
      .add_option("--over", command.over,
                  "A key and its values, beside the scenario's section 'sweep' (repeatable): "
                  "cluster.gpus=64..512:x2, cluster.topology=dgx-a100,hgx-a800")
      ->type_name("KEY=VALUES")
      ->take_all()
      ->allow_extra_args(false);
  sweep
      .add_option("--show", command.show,
                  "Figures of each point, by their place in the JSON of run: step.time_s,step.mfu")
      ->type_name("NAMES");
  add_point_limit(sweep, command.point_limit);
  add_limit(sweep, common);
  add_limit_of_events(sweep, common);
  add_overrides(sweep, common);
  return file;
}

void add_points_table(CLI::App& command, std::optional<std::filesystem::path>& out) {
  command
      .add_option(
          "-o", out,
          "Write a line for each point to this file: .csv, .jsonl, or .sqlite or .db, a database")
      ->type_name("FILE");
}

void add_drawing(CLI::App& command, SweepDrawing& drawing) {
  command.add_option("--plot", drawing.file, "Draw the points as lines, as SVG, in this file")
      ->type_name("FILE");
  command
      .add_option("--axes", drawing.axes,
                  "What --plot draws: a key across, a figure upwards, a line for each value of a "
                  "key: x=cluster.gpus,y=step.mfu,by=cluster.topology")
      ->type_name("x=KEY,y=FIGURE,by=KEY");
}

/// Playing what is missing of a sweep in a folder.
void add_work(CLI::App& command, SweepWork& work, std::string jobs_help) {
  command.add_option("DIR", work.folder, "The folder of a sweep")->required();
  add_time_limit(command, work.time_limit);
  add_point_limit(command, work.point_limit);
  command.add_flag("--retry-failed", work.retries_failed, "Play points again that failed");
  add_jobs(command, work.jobs, std::move(jobs_help));
}

void describe_sweep_submit(CLI::App& sweep, SweepSubmission& submission, CommonOptions& common) {
  constexpr std::size_t kMostChunks = 100'000;
  std::vector<std::string> engines;
  for (const auto& [engine, name] : kNames<SweepEngine>) {
    engines.emplace_back(name);
  }
  CLI::App& submit = *sweep.add_subcommand(
      "submit", "Give what is missing to an engine that starts workers on several machines");
  submit.add_option("DIR", submission.folder, "The folder of a sweep")->required();
  submit
      .add_option("--engine", submission.engine,
                  "slurm (a job array), parallel (GNU parallel), kubernetes (an indexed job)")
      ->type_name("ENGINE")
      ->required()
      ->check(CLI::IsMember(engines));
  submit
      .add_option("--chunks", submission.chunks,
                  "Workers that share the points (as many as points, 100 at most)")
      ->type_name("NUMBER")
      ->check(CLI::Range(std::size_t{1}, kMostChunks));
  add_time_limit(submit, submission.time_limit);
  add_point_limit(submit, submission.point_limit);
  submit
      .add_option("--with", submission.options,
                  "An option of the engine (repeatable): --with=--partition=long")
      ->type_name("OPTION")
      ->take_all()
      ->allow_extra_args(false);
  submit.add_option("--image", submission.image, "kubernetes: an image with danlu in it")
      ->type_name("NAME");
  submit
      .add_option("--claim", submission.claim,
                  "kubernetes: the claim of a volume, to be mounted at the folder above DIR")
      ->type_name("NAME");
  submit.add_flag("--dry-run", submission.dry_run, "Print what the engine would be given");
  add_verbosity(submit, common);
}

/// The same by way of a folder. They are told from a FILE by their names.
void describe_sweep_folder(CLI::App& sweep, SweepArguments& arguments, CommonOptions& common) {
  SweepWork& work = arguments.work;
  CLI::App& plan = *sweep.add_subcommand(
      "plan", "Resolve all points into a folder, where any number of processes may play them");
  add_points(plan, arguments.command, common)->required();
  plan.add_option("-o", work.folder, "The folder: a new one, or one without a sweep")
      ->type_name("DIR")
      ->required();
  add_jobs(plan, arguments.command.jobs, "Points resolved at once (0: all processors)");
  add_verbosity(plan, common);

  CLI::App& worker = *sweep.add_subcommand(
      "worker", "Play a part of what is missing: what runs on each of several machines");
  worker.add_option("--chunk", work.chunk, "2/3: of every third point, from the second on")
      ->type_name("NUMBER/OF")
      ->capture_default_str();
  add_work(worker, work, "Points played at once (one if left out; 0: all processors)");
  add_verbosity(worker, common);

  CLI::App& run = *sweep.add_subcommand("run", "Play all that is missing on this machine");
  add_work(run, work, "Points played at once (0: all processors)");
  add_verbosity(run, common);

  describe_sweep_submit(sweep, arguments.submission, common);

  CLI::App& status = *sweep.add_subcommand("status", "How many points are played and missing");
  status.add_option("DIR", work.folder, "The folder of a sweep")->required();
  add_format(status, common);
  add_common(status, common);

  CLI::App& collect = *sweep.add_subcommand("collect", "The points as a table, by their numbers");
  collect.add_option("DIR", work.folder, "The folder of a sweep")->required();
  add_points_table(collect, work.out);
  add_drawing(collect, work.drawing);
  add_format(collect, common);
  add_common(collect, common);
}

}  // namespace

void describe_sweep(CLI::App& app, SweepArguments& arguments, CommonOptions& common) {
  SweepCommand& command = arguments.command;
  CLI::App& sweep =
      *app.add_subcommand("sweep", "A scenario played for each combination of values of keys");
  const CLI::Option* file = add_points(sweep, command, common);
  add_points_table(sweep, command.out);
  add_drawing(sweep, command.drawing);
  add_jobs(sweep, command.jobs, "Points played at once (0: all processors)");
  add_format(sweep, common);
  add_common(sweep, common);
  sweep.require_subcommand(0, 1);
  describe_sweep_folder(sweep, arguments, common);
  for (CLI::App* way : sweep.get_subcommands([](const CLI::App*) { return true; })) {
    for (CLI::Option* option : sweep.get_options()) {
      if (!option->check_name("--help")) {
        way->excludes(option);
      }
    }
  }
  sweep.callback([&sweep, file] {
    if (sweep.get_subcommands().empty() && file->count() == 0) {
      throw CLI::RequiredError(file->get_name());
    }
  });
}

int dispatch_sweep(const CLI::App& sweep, const SweepArguments& arguments,
                   const CommonOptions& common) {
  const std::vector<CLI::App*> ways = sweep.get_subcommands();
  const std::string way = ways.empty() ? "" : ways.front()->get_name();
  const SweepWork& work = arguments.work;
  if (way == "plan") {
    return sweep_plan(arguments.command, work.folder, common);
  }
  if (way == "worker") {
    return sweep_worker(work, common);
  }
  if (way == "run") {
    return sweep_run(work, common);
  }
  if (way == "submit") {
    return sweep_submit(arguments.submission, common);
  }
  if (way == "status") {
    return sweep_status(work.folder, common);
  }
  if (way == "collect") {
    return sweep_collect(work, common);
  }
  return run_sweep(arguments.command, common);
}

}  // namespace danlu
