// danlu sweep FILE --over KEY=VALUES, and the same by way of a folder: plan, worker, run, submit,
// status, collect.
#include "sim/session/sweep.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/report/sweep_report.hpp"
#include "sim/report/writers.hpp"
#include "sim/session/plot_axes.hpp"
#include "sim/session/sweep_axis.hpp"
#include "sim/session/sweep_plan.hpp"
#include "src/commands.hpp"
#include "src/output_file.hpp"
#include "src/progress.hpp"
#include "src/session.hpp"
#include "src/sweep_folder.hpp"
#include "src/sweep_sqlite.hpp"
#include "src/sweep_submit.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// The names of --show, or what a sweep is mostly for.
std::vector<std::string> names_of(const std::string& show) {
  const std::string names =
      show.empty() ? "step.time_s,step.tokens_per_s_per_gpu,step.mfu,memory.peak_bytes" : show;
  std::vector<std::string> found;
  for (const std::string_view name : split(names, ',')) {
    if (name.empty() || std::find(found.begin(), found.end(), name) != found.end()) {
      refuse("--show",
             name.empty() ? fmt::format("'{}' has an empty name", shown(names))
                          : fmt::format("'{}' stands there twice", shown(name)),
             "for example --show step.time_s,step.mfu");
    }
    found.emplace_back(name);
  }
  return found;
}

/// The table of -o: CSV, JSON Lines or a database by the file's name.
struct PointsTable {
  std::optional<fs::path> file;
  std::string (*write)(const SweepReport&) = sweep_csv;
};

PointsTable table_of(const std::optional<fs::path>& file) {
  PointsTable table{.file = file};
  const std::string ending = file ? kind_of(*file) : ".csv";
  if (ending == ".jsonl") {
    table.write = sweep_jsonl;
  } else if (ending == ".sqlite" || ending == ".db") {
    table.write = sweep_sqlite;
  } else if (ending != ".csv") {
    refuse("-o",
           fmt::format("expected a file .csv, .jsonl, .sqlite or .db, found '{}'",
                       shown(file->string())),
           "for example -o points.csv");
  }
  return table;
}

std::vector<Output> outputs_of(const PointsTable& table, const SweepDrawing& drawing) {
  if (!drawing.file && !drawing.axes.empty()) {
    refuse("--axes", "has no effect without --plot", "for example --plot points.svg");
  }
  std::vector<Output> outputs;
  if (table.file) {
    outputs.push_back({"-o", *table.file});
  }
  if (drawing.file) {
    outputs.push_back({"--plot", *drawing.file});
  }
  check_outputs(outputs);
  return outputs;
}

/// What will be drawn, which is told with the other figures.
void add_plot(SweepRequest& request, const SweepCommand& command, const Scenario& scenario,
              const CommonOptions& common) {
  if (!command.drawing.file) {
    return;
  }
  request.plot = read_plot_axes(
      command.drawing.axes, sweep_axes(command.over, scenario, common.overrides), request.names);
  const std::string& figure = request.plot->figure;
  if (std::find(request.names.begin(), request.names.end(), figure) == request.names.end()) {
    request.names.push_back(figure);
  }
}

int print_document(const SweepReport& report, const Document& document, const Writer& writer) {
  print_documents({document}, writer);
  return is_complete(report) ? kExitDone : kExitIncomplete;
}

/// Prints the points and what is noted of them, writes their table and their drawing; the exit
/// code.
int tell(const SweepReport& report, const CommonOptions& common, const PointsTable& table,
         const SweepDrawing& drawing, const std::optional<SweepPlot>& plot) {
  const Writer& writer = chosen_writer(common);
  std::vector<std::vector<std::string>> notes;
  for (const SweepPoint& point : report.points) {
    if (point.status == SweepPoint::Status::Ran || point.status == SweepPoint::Status::NoFit) {
      notes.push_back(point.notes);
    }
  }
  tell_notes(notes, "points", common);
  const int code = print_document(report, document_of(report), writer);
  if (table.file) {
    write_file(*table.file, table.write(report));
    spdlog::info("points written to {}", table.file->string());
  }
  if (plot) {
    write_file(*drawing.file, write_sweep_svg(report, *plot));
    spdlog::info("drawing written to {}", drawing.file->string());
  }
  return code;
}

/// Prints how far the sweep is, and what is next; the exit code.
int tell_status(const fs::path& folder, const SweepReport& report, const Writer& writer) {
  const int code = print_document(report, status_of(report), writer);
  const bool is_left = std::any_of(
      report.points.begin(), report.points.end(),
      [](const SweepPoint& point) { return point.status == SweepPoint::Status::Missing; });
  if (writer.for_people) {
    print(fmt::format("\n  danlu sweep {} {}\n", is_left ? "run" : "collect",
                      shown(folder.string())));
  }
  return code;
}

SweepRequest request_of(const SweepCommand& command) {
  return {.file = command.file,
          .over = command.over,
          .names = names_of(command.show),
          .plot = {},
          .point_limit = command.point_limit};
}

/// "2/3": every third point, from the second on.
struct PointChunk {
  std::size_t number = 1;
  std::size_t of = 1;

  bool has(std::size_t point) const { return point % of == number - 1; }
};

PointChunk chunk_of(const std::string& text) {
  PointChunk chunk;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto read = [](std::string_view digits, std::size_t& number) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  const std::string_view all = text;
  const bool is_chunk = read(all.substr(0, slash), chunk.number) &&
                        read(all.substr(std::min(slash + 1, text.size())), chunk.of);
  if (!is_chunk || chunk.number < 1 || chunk.number > chunk.of) {
    refuse("--chunk", fmt::format("expected NUMBER/OF, found '{}'", shown(text)),
           "for example --chunk 2/3: every third point, from the second on");
  }
  return chunk;
}

/// Plays the points of the chunk of which nothing is known, as far as there is time.
void play_chunk(const SweepWork& work, const CommonOptions& common, const SweepPlan& plan,
                const PointChunk& chunk, int jobs) {
  const std::vector<std::string> known = read_results(work.folder, plan);
  const SweepReport report = with_points(plan.report, known);
  std::vector<std::size_t> missing;
  std::set<std::string> keys;
  for (std::size_t number = 0; number < known.size(); ++number) {
    using Status = SweepPoint::Status;
    const Status status = report.points[number].status;
    const bool wanted =
        status == Status::Missing || (status == Status::Failed && work.retries_failed);
    if (wanted && chunk.has(number) && keys.insert(plan.points[number].key).second) {
      missing.push_back(number);
    }
  }
  SessionOptions session = session_options(common);
  session.processes = jobs;
  Progress progress(common);
  const auto tell_points = counting(progress, "points");
  ResultFile file(work.folder);
  std::size_t played = 0;
  const auto take = [&](const PointResult& result) {
    file.append(plan.points[result.number].key, result.json);
    ++played;
    tell_points(played, missing.size());
  };
  const auto start = std::chrono::steady_clock::now();
  const auto has_time = [&] {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    return !work.time_limit || passed.count() < *work.time_limit;
  };
  play_planned(plan, missing, topologies_folder(), session,
               {.go_on = has_time, .limit = work.point_limit, .take = take});
  file.sync();
}

/// Starts a command, and waits for its end; its exit status, as a shell has it.
int start_and_wait(const std::vector<std::string>& command) {
  std::vector<char*> words;
  for (const std::string& word : command) {
    words.push_back(const_cast<char*>(word.c_str()));  // which posix_spawnp() does not change
  }
  words.push_back(nullptr);
  pid_t id = -1;
  if (const int error = posix_spawnp(&id, words[0], nullptr, nullptr, words.data(), environ)) {
    refuse("--engine",
           fmt::format("cannot start {}: {}", shown(command.front()), std::strerror(error)),
           "--dry-run prints what it would be given");
  }
  int status = 0;
  while (waitpid(id, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The chunks, of so many, that points are missing of.
std::vector<std::size_t> missing_chunks(const std::vector<std::string>& results,
                                        std::size_t chunks) {
  std::set<std::size_t> missing;
  for (std::size_t number = 0; number < results.size(); ++number) {
    if (results[number].empty()) {
      missing.insert(number % chunks + 1);
    }
  }
  return {missing.begin(), missing.end()};
}

void check_submission(const SweepSubmission& submission, SweepEngine engine) {
  const bool is_kubernetes = engine == SweepEngine::Kubernetes;
  if (is_kubernetes && (submission.image.empty() || submission.claim.empty())) {
    refuse("--engine", "kubernetes needs --image and --claim",
           "an image with danlu, and the claim of the volume that the sweep's folder lies on");
  }
  if (!is_kubernetes && !(submission.image.empty() && submission.claim.empty())) {
    refuse("--engine", fmt::format("{} has no --image and no --claim", submission.engine));
  }
  if (is_kubernetes && !submission.options.empty()) {
    refuse("--with", "kubernetes takes no options",
           "--dry-run prints the job, which may be changed");
  }
}

}  // namespace

int run_sweep(const SweepCommand& command, const CommonOptions& common) {
  (void)chosen_writer(common);  // refused before anything is played
  SweepRequest request = request_of(command);
  const PointsTable table = table_of(command.out);
  const std::vector<Scenario> scenarios =
      load_beside(outputs_of(table, command.drawing), {command.file}, common);
  add_plot(request, command, scenarios.front(), common);
  SessionOptions session = session_options(common);
  session.processes = command.jobs;
  Progress progress(common);
  session.progress = counting(progress, "points");
  const SweepReport report = sweep(request, {topologies_folder(), common.overrides}, session);
  progress.clear();
  return tell(report, common, table, command.drawing, request.plot);
}

int sweep_plan(const SweepCommand& command, const fs::path& folder, const CommonOptions& common) {
  const SweepRequest request = request_of(command);
  check_sweep_folder(folder);
  SessionOptions session = session_options(common);
  session.processes = command.jobs;
  const SweepPlan plan =
      plan_sweep(request, std::string(kBuild), {topologies_folder(), common.overrides}, session);
  write_plan(folder, plan);
  tell_status(folder, with_points(plan.report, read_results(folder, plan)), chosen_writer(common));
  return kExitDone;
}

int sweep_worker(const SweepWork& work, const CommonOptions& common) {
  const PointChunk chunk = chunk_of(work.chunk);
  const SweepPlan plan = read_plan(work.folder);
  play_chunk(work, common, plan, chunk, work.jobs.value_or(1));
  const std::vector<std::string> results = read_results(work.folder, plan);
  std::size_t missing = 0;
  for (std::size_t number = 0; number < results.size(); ++number) {
    missing += chunk.has(number) && results[number].empty() ? 1 : 0;
  }
  spdlog::info("chunk {}: {} points missing", work.chunk, missing);
  return missing == 0 ? kExitDone : kExitIncomplete;
}

int sweep_run(const SweepWork& work, const CommonOptions& common) {
  const SweepPlan plan = read_plan(work.folder);
  play_chunk(work, common, plan, {}, work.jobs.value_or(0));
  return sweep_status(work.folder, common);
}

int sweep_submit(const SweepSubmission& submission, const CommonOptions& common) {
  constexpr std::size_t kMostChunks = 100;  // unless more are asked for
  const SweepEngine engine = *value_named<SweepEngine>(submission.engine);
  check_submission(submission, engine);
  const SweepPlan plan = read_plan(submission.folder);
  const std::vector<std::string> results = read_results(submission.folder, plan);
  SweepJob job{.program = engine == SweepEngine::Kubernetes
                              ? "danlu"
                              : fs::read_symlink("/proc/self/exe").string(),
               .folder = fs::canonical(submission.folder).string(),
               .missing = {},
               .chunks = submission.chunks.value_or(std::min(results.size(), kMostChunks)),
               .time_limit = submission.time_limit,
               .point_limit = submission.point_limit,
               .options = submission.options,
               .image = submission.image,
               .claim = submission.claim};
  job.missing = missing_chunks(results, job.chunks);
  if (job.missing.empty()) {
    return tell_status(submission.folder, with_points(plan.report, results), chosen_writer(common));
  }
  const std::string text = job_text(engine, job);
  if (submission.dry_run) {
    print(text);
    return kExitDone;
  }
  const fs::path file = fs::path(job.folder) / job_file(engine);
  write_file(file, text);
  const int status = start_and_wait(job_command(engine, file));
  if (status != 0) {
    spdlog::warn("{} has ended with status {}", job_command(engine, file).front(), status);
  }
  return status == 0 ? kExitDone : kExitIncomplete;
}

int sweep_status(const fs::path& folder, const CommonOptions& common) {
  const SweepPlan plan = read_plan(folder);
  return tell_status(folder, with_points(plan.report, read_results(folder, plan)),
                     chosen_writer(common));
}

int sweep_collect(const SweepWork& work, const CommonOptions& common) {
  const PointsTable table = table_of(work.out);
  const std::vector<Output> outputs = outputs_of(table, work.drawing);
  for (const Output& output : outputs) {
    if (lies_in_sweep(work.folder, output.file)) {
      refuse(output.option, fmt::format("'{}' is a file of the sweep", shown(output.file.string())),
             output.hint(""));
    }
  }
  check_endings(outputs);
  const SweepPlan plan = read_plan(work.folder);
  const SweepReport report = with_points(plan.report, read_results(work.folder, plan));
  std::optional<SweepPlot> plot;
  if (work.drawing.file) {
    plot = read_plot_axes(work.drawing.axes, report.axes, report.names);
    check_plotted(report, *plot);
  }
  return tell(report, common, table, work.drawing, plot);
}

}  // namespace danlu
