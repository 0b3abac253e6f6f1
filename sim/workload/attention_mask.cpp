#include "sim/workload/attention_mask.hpp"

#include <algorithm>

namespace danlu {
namespace {

double pairs_within(double length, double window) {
  return length <= window ? length * length / 2 : window * length - window * window / 2;
}

double smallest_window(const TrainingSpec& t, int of_layer) {
  double window = t.sequence_length;
  for (const int smaller : {t.attention_window, of_layer}) {
    window = smaller > 0 ? std::min<double>(window, smaller) : window;
  }
  return window;
}

}  // namespace

double most_attended(const TrainingSpec& t, int of_layer) {
  const double longest = t.documents.empty() ? t.sequence_length : t.documents.rbegin()->first;
  return std::min(longest, smallest_window(t, of_layer));
}

double attended_pairs(const TrainingSpec& t, int of_layer) {
  const double window = smallest_window(t, of_layer);
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
