// The sub-commands: each takes its options and returns the exit code.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/import/draft.hpp"
#include "src/drawing.hpp"
#include "src/program.hpp"
#include "src/trace.hpp"

namespace danlu {

struct RunOptions {
  std::vector<std::filesystem::path> files;
  TraceOptions trace;
  std::optional<std::filesystem::path> timeline;  // of the campaign
  bool crosscheck = false;
  bool brief = false;        // the verdict alone
  bool memory = false;       // the page has the table of memory by stage
  bool parameters = false;   // the page has the table of the model's parameters
  bool sensitivity = false;  // play what more of each resource is worth
  DrawingOptions drawing;
  bool advice = true;  // play what may be better
};
int run(const RunOptions& options, const CommonOptions& common);
int run_crosscheck(const std::filesystem::path& file, const CommonOptions& common);

struct CompareOptions {
  std::vector<std::filesystem::path> files;
  bool sensitivity = false;
  DrawingOptions drawing;
};
int compare(const CompareOptions& options, const CommonOptions& common);
struct SearchCommand {
  std::filesystem::path file;
  int top = 5;
  bool front = false;     // of step and memory
  std::string map;        // "tensor,pipeline"; empty: these
  std::vector<int> gpus;  // searched one after the other; empty: the scenario's
  std::optional<std::filesystem::path> svg;
  int jobs = 0;
};
int run_search(const SearchCommand& command, const CommonOptions& common);
struct SweepDrawing {
  std::optional<std::filesystem::path> file;
  std::string axes;  // "x=cluster.gpus,y=step.mfu,by=cluster.topology"
};
struct SweepCommand {
  std::filesystem::path file;
  std::vector<std::string> over;  // "cluster.gpus=64..512:x2"
  std::string show;               // "step.time_s,step.mfu"; empty: the usual
  std::optional<std::filesystem::path> out;
  SweepDrawing drawing;
  std::optional<double> point_limit;  // seconds, after which a point has failed
  int jobs = 0;
};
int run_sweep(const SweepCommand& command, const CommonOptions& common);
/// Into this folder.
int sweep_plan(const SweepCommand& command, const std::filesystem::path& folder,
               const CommonOptions& common);
struct SweepWork {
  std::filesystem::path folder;
  std::optional<std::filesystem::path> out;  // the table of all points
  SweepDrawing drawing;
  std::string chunk = "1/1";          // "2/3": every third point, from the second on
  std::optional<double> time_limit;   // seconds, after which no point is begun
  std::optional<double> point_limit;  // seconds, after which a point has failed
  bool retries_failed = false;
  std::optional<int> jobs;  // none: one of a worker, of a run as many as there are processors
};
int sweep_worker(const SweepWork& work, const CommonOptions& common);
int sweep_run(const SweepWork& work, const CommonOptions& common);
int sweep_status(const std::filesystem::path& folder, const CommonOptions& common);
int sweep_collect(const SweepWork& work, const CommonOptions& common);
struct SweepSubmission {
  std::filesystem::path folder;
  std::string engine;                 // of kNames<SweepEngine>
  std::optional<std::size_t> chunks;  // none: as many as points, a hundred at most
  std::optional<double> time_limit;   // seconds, of each worker
  std::optional<double> point_limit;  // seconds, of each point
  std::vector<std::string> options;   // of the engine
  std::string image, claim;           // of kubernetes
  bool dry_run = false;               // print what the engine would be given
};
int sweep_submit(const SweepSubmission& submission, const CommonOptions& common);
int show(const std::filesystem::path& file, const CommonOptions& common);
int show_step(const std::filesystem::path& file, const CommonOptions& common);
int check_files(const std::vector<std::filesystem::path>& files, const CommonOptions& common);

struct TopologyOptions {
  std::string topology;    // name or path
  int gpus = 0;            // 0: four nodes
  std::vector<int> route;  // two GPUs, or empty for a few examples
  std::string format;      // empty: text, or json with --json
};
int show_topology(const TopologyOptions& options, const CommonOptions& common);
/// What a topology's file leaves to be approximated, what is dead and what stands in for it: as
/// sentences, and as text, a note a line below a blank one, "" without any.
std::vector<std::string> notes_of(const Cluster& cluster);
std::string notes_text(const Cluster& cluster);
struct CollectiveOptions {
  std::string topology;
  int gpus = 0;  // 0: one node
  std::string op = "all-reduce";
  std::string least = "8 B";
  std::string most = "8 GiB";
  int factor = 2;
  std::string algorithm = "auto";
  std::string protocol = "auto";
  std::string mode = "steady";
  bool choices = false;  // show what there was to choose from
};
int run_collective(const CollectiveOptions& options, const CommonOptions& common);
struct ImportCommand {
  std::string framework;
  std::filesystem::path file;
  ImportOptions options;
};
int import_configuration(const ImportCommand& command);
int list_presets(const std::string& what, const CommonOptions& common);

}  // namespace danlu
