// A sweep as a folder, on which any number of processes on any machines may work:
//
//   DIR/manifest.jsonl         the plan: first what all points share, then a point a line
//   DIR/results/part-*.jsonl   a file of each process that plays, to which it appends its results
//
// A line carries a checksum, a result the key of its point. So one that was cut off is none, and
// one that is there twice counts once: a process may be killed at any moment, and a point be played
// by several. Nothing is ever changed or locked.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/session/sweep_plan.hpp"

namespace danlu {

/// Throws InputError at -o where no sweep can be put into the folder: it holds one, or is a file.
void check_sweep_folder(const std::filesystem::path& folder);

/// Makes the folder, where it is not there, and the plan in it. Throws InputError.
void write_plan(const std::filesystem::path& folder, const SweepPlan& plan);

/// Throws InputError where there is no plan, where it is damaged, or another danlu made it.
SweepPlan read_plan(const std::filesystem::path& folder);

/// What is known of each point, "" where nothing is. Of several results one that did not fail
/// counts, else the first by its text, so that their order means nothing.
std::vector<std::string> read_results(const std::filesystem::path& folder, const SweepPlan& plan);

/// Whether a file is, or would be, one of those that make up the sweep.
bool lies_in_sweep(const std::filesystem::path& folder, const std::filesystem::path& file);

/// The results of this process.
class ResultFile {
 public:
  /// The file is made with the first result.
  explicit ResultFile(const std::filesystem::path& folder);
  ~ResultFile();
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;

  /// In one write, so that nothing is lost with this process. Syncs where that was not done for
  /// some seconds. Throws InputError where it cannot be written.
  void append(const std::string& key, const std::string& result);
  /// What was appended outlives the machine. Throws InputError.
  void sync();

 private:
  void open_file();

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::chrono::steady_clock::time_point synced_ = std::chrono::steady_clock::now();
};

}  // namespace danlu
