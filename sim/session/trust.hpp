// How far to trust a report: the published runs that are most like it, and their errors.
//
// The rule, from near to far; the first that finds kEnoughRuns runs counts:
//
//   a step's time                     a peak of memory, on any GPU
//   GPU, framework and kind of plan   framework and kind of plan   the same
//   GPU and kind                      -                            other frameworks
//   GPU                               framework                    other kinds
//   -                                 -                            all
//
// The runs stand in topologies/validated.csv, as `danlu validate TABLE.csv --format csv` prints
// them; in validated-left-out.csv what their steps are predicted to take by constants that were
// fitted without their publisher, as tests/validation/fit_training.cpp writes it
// (docs/explain/validation.md).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/report/report.hpp"
#include "sim/report/trust.hpp"
#include "sim/validation/validation.hpp"

namespace danlu {

/// Below that a percentile says nothing.
constexpr int kEnoughRuns = 5;

/// What is special about a plan, the first that holds: "experts", "tensor over nodes", "FSDP and
/// ZeRO-2, -3", "pipeline".
std::string_view kind_of_plan(const Workload& workload, int gpus_per_node);

/// What danlu ships of published runs, each once.
struct PublishedRuns {
  std::vector<ValidationPoint> steps;
  std::map<std::string, double> left_out;  // by id: seconds, predicted without its publisher
  std::vector<ValidationPoint> peaks;      // of memory
};

/// The runs of the two files of that folder; none where there is no file. Throws InputError for one
/// that danlu did not write.
PublishedRuns read_published_runs(const std::filesystem::path& folder);

Trust trust_in(const Report& report, const PublishedRuns& runs);
/// Boards with figures of the scenario's own, or invented ones, hold bytes all the same.
MemoryTrust memory_trust_in(const Workload& workload, int gpus_per_node, const PublishedRuns& runs);

/// Both, of a report.
void set_trust(Report& report, const PublishedRuns& runs);

}  // namespace danlu
