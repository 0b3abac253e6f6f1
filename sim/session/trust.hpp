// How far to trust a report: the published runs that are most like it, and their errors.
//
// The rule, from near to far; the first that finds kEnoughRuns runs counts:
//
//   GPU, framework and kind of plan   the same
//   GPU and kind                      other frameworks
//   GPU                               other kinds
//
// The runs stand in topologies/validated.csv, as `danlu validate TABLE.csv --format csv` prints
// them (docs/explain/validation.md).
#pragma once

#include <filesystem>
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

/// The runs of such a file, each once; none where there is no file. Throws InputError for one that
/// danlu did not write.
std::vector<ValidationPoint> read_validated_runs(const std::filesystem::path& file);

Trust trust_in(const Report& report, const std::vector<ValidationPoint>& runs);

}  // namespace danlu
