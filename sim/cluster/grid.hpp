// A torus as arithmetic: points 0, 1, 2, ... on a grid, the first axis varying fastest, each point
// cabled to the next one on every axis, long axes closed into rings.
//
//    0 - 1 - 2 - 3 - 0        dims {4, 3}: axis 0 and axis 1 (downwards) wrap around
//    |   |   |   |
//    4 - 5 - 6 - 7 - 4
//    |   |   |   |
//    8 - 9 -10 -11 - 8
#pragma once

#include <utility>
#include <vector>

namespace danlu {

class Grid {
 public:
  /// Axes of at least `shortest_ring` points are closed into rings.
  explicit Grid(std::vector<int> dims = {}, int shortest_ring = 3);

  int size() const { return size_; }
  /// Every cable as (point, next point), in the order of cable().
  std::vector<std::pair<int, int>> cables() const;

  /// One step of dimension-order routing from `from` towards `to`, two different points: along the
  /// first axis on which they differ, the shorter way around the ring. Of two equal ways the even
  /// points of a ring take one and the odd points the other, so that together they load both.
  struct Step {
    int point = 0;        // where it ends
    int cable = 0;        // index into cables()
    bool forward = true;  // along the cable, or against it
  };
  Step step(int from, int to) const;

 private:
  bool is_ring(std::size_t axis) const { return dims_[axis] >= shortest_ring_; }
  int coordinate(int point, std::size_t axis) const { return point / stride_[axis] % dims_[axis]; }
  /// The point after `point` on an axis; around the ring at the end.
  int next(int point, std::size_t axis) const;

  std::vector<int> dims_;
  std::vector<int> stride_;
  std::vector<int> cable_;  // by point and axis, to the next point; -1 at the end of an open axis
  int shortest_ring_ = 3;
  int size_ = 1;
};

}  // namespace danlu
