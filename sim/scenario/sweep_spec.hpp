// What of a scenario a sweep varies (danlu sweep).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sim/base/error.hpp"

namespace danlu {

inline constexpr std::size_t kMostPoints = 10'000;  // of a sweep

/// A key, and the values that it takes, as --set would have them.
struct SweptKey {
  std::string key;  // "cluster.gpus"
  std::vector<std::string> values;
};

/// One key, or several that change together, of which each has as many values.
struct SweptAxis {
  std::vector<SweptKey> keys;
  Problem place;  // where it stands: a problem without words
};

/// The section `sweep`, in the order in which its axes vary, the last fastest.
using SweepSpec = std::vector<SweptAxis>;

}  // namespace danlu
