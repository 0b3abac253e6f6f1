#include "sim/schedule/schedule.hpp"

#include <algorithm>
#include <array>

#include "sim/base/error.hpp"

namespace danlu {

std::span<const ScheduleRow> schedule_table() {
  static const std::array kRows{
      kGPipe,     //
      kOneFOneB,  //
      kZbH1,      //
      kZbH2,      //
      kZbV,       //
      kDualPipe,  //
      kDualPipeV,
  };
  return kRows;
}

const ScheduleRow& schedule_named(std::string_view name) {
  const std::span<const ScheduleRow> rows = schedule_table();
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const ScheduleRow& row) { return row.name == name; });
  check(found != rows.end(), "a schedule that the table lacks");
  return *found;
}

int peak_chunks_in_flight(std::span<const Action> actions) {
  int held = 0;
  int peak = 0;
  for (const Action& action : actions) {
    held += action.is_forward() ? 1 : action.frees() ? -1 : 0;
    peak = std::max(peak, held);
  }
  return peak;
}

}  // namespace danlu
