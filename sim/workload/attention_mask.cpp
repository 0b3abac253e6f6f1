#include "sim/workload/attention_mask.hpp"

#include <algorithm>

namespace danlu {
namespace {

double pairs_within(double length, double window) {
  return length <= window ? length * length / 2 : window * length - window * window / 2;
}

double smallest_window(const TrainingSpec& t, int of_layer, double length) {
  double window = length;
  for (const int smaller : {t.attention_window, of_layer}) {
    window = smaller > 0 ? std::min<double>(window, smaller) : window;
  }
  return window;
}

}  // namespace

double most_attended(const TrainingSpec& t, int of_layer, double length) {
  const double longest = t.documents.empty() ? length : t.documents.rbegin()->first;
  return std::min(longest, smallest_window(t, of_layer, length));
}

double attended_pairs(const TrainingSpec& t, int of_layer, double length) {
  const double window = smallest_window(t, of_layer, length);
  if (t.documents.empty()) {
    return pairs_within(length, window);
  }
  double pairs = 0;
  double positions = 0;
  for (const auto& [tokens, number] : t.documents) {
    pairs += number * pairs_within(tokens, window);
    positions += number * tokens;
  }
  return length * pairs / positions;
}

}  // namespace danlu
