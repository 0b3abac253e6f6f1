// Inside sim/report: how much a step uses of what the GPUs can do, of their FLOP/s and their HBM.
#pragma once

#include "sim/report/report.hpp"

namespace danlu {

/// Means over the GPUs of several kinds.
FlopsPerSecond mean_peak(const ClusterSpec& cluster, Precision precision);
BytesPerSecond mean_memory_peak(const ClusterSpec& cluster);

/// What a mean GPU did in a step.
struct WorkDone {
  Flops model_flops, hardware_flops;
  Bytes memory;
};
/// Fills in the step's FLOPs by each convention and what of the peaks they come to; its time is
/// known.
void add_utilisation(const Workload& workload, const ClusterSpec& cluster, const WorkDone& done,
                     StepReport& step);

}  // namespace danlu
