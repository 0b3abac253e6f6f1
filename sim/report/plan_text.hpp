// Inside sim/report: a plan in words, whole, so that plans that differ never read alike.
#pragma once

#include <string>
#include <vector>

#include "sim/report/report.hpp"

namespace danlu {

/// "tensor 8 x pipeline 8 x data 2, sequence parallel, ZeRO-1; 1f1b in 3 chunks".
std::string layout_line(const Workload& workload);
/// "experts: expert 8 x expert tensor 1 x expert data 4, all-to-all"; "" for a model without.
std::string experts_line(const Workload& workload);
/// "overlap: tensor full in 4 pieces, pipeline; not data".
std::string overlap_line(const Workload& workload);
/// "bf16, fp32 gradients, unfused attention, selective recomputation, dropout".
std::string precision_line(const Workload& workload);
/// "batch 64 = 64 microbatches of 1 sequence x 1 replica, 2,048 tokens each".
std::string batch_line(const Workload& workload);
/// The lines above, in order.
std::vector<std::string> plan_lines(const Workload& workload);

/// The assumptions in short, the first few by name: "gpu.kernel_launch 2 us, ... and 3 more".
std::string assumed_text(const Report& report);

/// "1 step", "2 steps".
std::string counted(double number, std::string_view noun, std::string_view plural = "s");

}  // namespace danlu
