// What a reader wants first: does it fit, what limits the step, what would change that.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/report/report.hpp"

namespace danlu {

/// Something that the step spends time on.
struct StepLimit {
  std::string_view key;  // for JSON
  std::string_view name;
  double share = 0;  // of the step
};

/// What the step spends its time on, largest first, nothing that takes none. Matrix products are
/// the useful FLOPs and what their kernels lose, attention's included; the shares add up to 1.
std::vector<StepLimit> limits_of(const StepReport& step);

/// "fits" and the like, and how tightly.
std::string fits_text(const MemoryReport& memory);
/// "matrix products 75.8 %, then exposed tensor communication 9.8 %".
std::string limit_text(const StepReport& step);

}  // namespace danlu
