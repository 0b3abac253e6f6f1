#include "sim/cluster/grid.hpp"

#include <cstddef>

#include "sim/base/error.hpp"
#include "sim/base/ids.hpp"

namespace danlu {

Grid::Grid(std::vector<int> dims, int shortest_ring)
    : dims_(std::move(dims)), shortest_ring_(shortest_ring) {
  for (const int dim : dims_) {
    stride_.push_back(size_);
    size_ *= dim;
  }
  int cables = 0;
  for (int point = 0; point < size_; ++point) {
    for (std::size_t axis = 0; axis < dims_.size(); ++axis) {
      const bool has_next = is_ring(axis) || coordinate(point, axis) + 1 < dims_[axis];
      cable_.push_back(has_next ? cables++ : -1);
    }
  }
}

int Grid::next(int point, std::size_t axis) const {
  const int end = dims_[axis] - 1;
  return coordinate(point, axis) < end ? point + stride_[axis] : point - end * stride_[axis];
}

std::vector<std::pair<int, int>> Grid::cables() const {
  std::vector<std::pair<int, int>> cables;
  for (int point = 0; point < size_; ++point) {
    for (std::size_t axis = 0; axis < dims_.size(); ++axis) {
      if (cable_[index(point) * dims_.size() + axis] >= 0) {
        cables.emplace_back(point, next(point, axis));
      }
    }
  }
  return cables;
}

Grid::Step Grid::step(int from, int to) const {
  std::size_t axis = 0;
  while (coordinate(from, axis) == coordinate(to, axis)) {
    ++axis;
    check(axis < dims_.size(), "a step on a grid needs two different points");
  }
  const int dim = dims_[axis];
  const int here = coordinate(from, axis);
  const int there = coordinate(to, axis);
  bool up = there > here;
  if (is_ring(axis)) {
    const int ahead = (there - here + dim) % dim;
    up = 2 * ahead < dim || (2 * ahead == dim && here % 2 == 0);
  }
  const auto cable_of = [&](int point) { return cable_[index(point) * dims_.size() + axis]; };
  if (up) {
    return {next(from, axis), cable_of(from), true};
  }
  const int before = here > 0 ? from - stride_[axis] : from + (dim - 1) * stride_[axis];
  return {before, cable_of(before), false};
}

}  // namespace danlu
