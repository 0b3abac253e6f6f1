#include <fmt/format.h>

#include "sim/collective/algorithms.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

std::string choice_text(const CollectiveChoice& choice) {
  return fmt::format("{} {}", row_of(choice.algorithm).name,
                     kProtocolNames[static_cast<std::size_t>(choice.protocol)]);
}

}  // namespace

Difference difference(const Report& base, const Report& other) {
  Difference result{.step = other.step.time - base.step.time};
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    result.parts.parts[i] = other.step.breakdown.parts[i] - base.step.breakdown.parts[i];
  }
  return result;
}

std::vector<std::string> turned_choices(const Report& base, const Report& other) {
  std::vector<std::string> turned;
  for (const CommunicationReport& now : other.communication) {
    for (const CommunicationReport& was : base.communication) {
      if (was.kind == now.kind && was.op == now.op && was.group == now.group &&
          was.group_size == now.group_size && was.bytes_per_rank == now.bytes_per_rank &&
          was.choice != now.choice) {
        turned.push_back(fmt::format("{}, {}, {} ranks, {}: {}, was {}", collective_name(now.op),
                                     now.group, now.group_size, to_text(now.bytes_per_rank),
                                     choice_text(now.choice), choice_text(was.choice)));
      }
    }
  }
  return turned;
}

std::string_view collective_name(CollectiveOp op) {
  return kCollectiveOpNames[static_cast<std::size_t>(op)];
}

}  // namespace danlu
