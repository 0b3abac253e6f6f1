#include "sim/workload/attention_mask.hpp"

namespace danlu {
namespace {

double pairs_within(double length, double window) {
  return length <= window ? length * length / 2 : window * length - window * window / 2;
}

}  // namespace

double attended_pairs(const TrainingSpec& t) {
  const double window = t.attention_window > 0 ? t.attention_window : t.sequence_length;
  if (t.documents.empty()) {
    return pairs_within(t.sequence_length, window);
  }
  double pairs = 0;
  double positions = 0;
  for (const auto& [length, number] : t.documents) {
    pairs += number * pairs_within(length, window);
    positions += number * length;
  }
  return t.sequence_length * pairs / positions;
}

}  // namespace danlu
