// What follows from the figures of a report.
#include "sim/report/report.hpp"

#include <algorithm>

namespace danlu {
namespace {

std::optional<double> ratio(Seconds part, Seconds whole) {
  return whole > Seconds{} ? std::optional(part / whole) : std::nullopt;
}

}  // namespace

Seconds TimePartition::total() const {
  Seconds sum;
  for (const Seconds part : parts) {
    sum += part;
  }
  return sum;
}

bool StepReport::has(TimePart part) const {
  return std::none_of(kExposedParts.begin(), kExposedParts.end(), [&](const auto& exposed) {
    return exposed.second == part && by_kind[exposed.first].time == Seconds{};
  });
}

std::optional<double> KindOverlap::overlap_ratio() const {
  return ratio(overlapped, time);
}
std::optional<double> CommunicationReport::overlap_ratio() const {
  return ratio(time - exposed, time);
}

}  // namespace danlu
