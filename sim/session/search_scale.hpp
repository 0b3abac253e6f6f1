// The best plan for each of several numbers of GPUs.
#pragma once

#include <vector>

#include "sim/report/scale_report.hpp"
#include "sim/session/search.hpp"

namespace danlu {

/// Searches once for each number of GPUs, with the scenario's batch. Where the file says
/// parallelism.data, that grows with them. A number for which the scenario cannot be read, or that
/// has no plan, is a line of the report. Throws as search().
ScaleReport search_scale(const SearchRequest& request, const std::vector<int>& gpus,
                         const LoadOptions& load, const SessionOptions& options);

}  // namespace danlu
