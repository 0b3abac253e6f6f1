// Axis by axis through a torus (the bucket algorithm in many dimensions). The array is cut into
// parts, for every axis two: each reduce-scatters along its own axis first, one part one way
// around, the other the other way, then what is left of it along the next axis, and so on; the
// gathers come backwards. So all links of all axes work from the first moment (4 x 4):
//
//   part            1           2                3          4
//   first      along x ->   along x <-      along y ->   along y <-      S/4 each
//   then       along y ->   along y <-      along x ->   along x <-      S/16 each, a quarter left
//
// Chunks follow one another, so that no axis waits for the others. With d closed axes of equal
// length on links of B, N = n^d ranks:
//
//   reduce-scatter, all-gather   d(n-1) alpha + (N-1)/N S/(2d B);   an all-reduce twice that
//
// An axis that is not closed into a ring is gone along over its even points and back over the odd
// ones: a ring that loads every link both ways. Its two directions share these links, so parts that
// begin with it are half as large as others. Ranks at one point (GPUs of a node in a torus of
// switches) come first, when most is there; several tori (slices) come last.
#include <algorithm>
#include <array>
#include <numeric>
#include <span>

#include "sim/base/ids.hpp"
#include "sim/collective/algorithms.hpp"

namespace danlu {
namespace {

/// Chunks of every rank that go one way.
struct Part {
  std::vector<std::size_t> order;  // of the axes
  bool backwards = false;
  int first_chunk = 0;
  int chunks = 1;
};

class Torus {
 public:
  explicit Torus(const Group& group) : grid_(group.grid) {
    int stride = 1;
    for (const GridAxis& axis : grid_.axes) {
      strides_.push_back(stride);
      stride *= axis.length;
    }
    add_parts();
  }

  const std::vector<Part>& parts() const { return parts_; }
  int chunks() const { return chunks_; }  // of every rank
  int length(std::size_t axis) const { return grid_.axes[axis].length; }
  int at(int point) const { return grid_.at[index(point)]; }
  int coordinate(int point, std::size_t axis) const {
    return point / strides_[axis] % length(axis);
  }
  int moved(int point, std::size_t axis, int coordinate_there) const {
    return point + (coordinate_there - coordinate(point, axis)) * strides_[axis];
  }
  /// Coordinates along an axis in the order of its ring.
  std::vector<int> ring(std::size_t axis, bool backwards) const {
    const int n = length(axis);
    std::vector<int> order;
    for (int i = 0; i < n; ++i) {
      const int out = (n + 1) / 2;  // even ones
      order.push_back(grid_.axes[axis].closed ? i : i < out ? 2 * i : 2 * (n - 1 - i) + 1);
    }
    return backwards ? std::vector<int>(order.rbegin(), order.rend()) : order;
  }
  /// Points that differ from the origin along `axes` only.
  std::vector<int> points_along(std::span<const std::size_t> axes) const {
    std::vector<int> points{0};
    for (const std::size_t axis : axes) {
      const std::size_t known = points.size();
      for (int c = 1; c < length(axis); ++c) {
        for (std::size_t i = 0; i < known; ++i) {
          points.push_back(points[i] + c * strides_[axis]);
        }
      }
    }
    return points;
  }

 private:
  std::vector<std::size_t> axes_with(GridAxis::Turn turn) const {
    std::vector<std::size_t> axes;
    for (std::size_t axis = 0; axis < grid_.axes.size(); ++axis) {
      if (grid_.axes[axis].turn == turn && length(axis) > 1) {
        axes.push_back(axis);
      }
    }
    return axes;
  }

  void add_parts() {
    const std::vector<std::size_t> first = axes_with(GridAxis::Turn::First);
    const std::vector<std::size_t> any = axes_with(GridAxis::Turn::Any);
    const std::vector<std::size_t> last = axes_with(GridAxis::Turn::Last);
    const bool some_open = std::any_of(any.begin(), any.end(),
                                       [&](std::size_t axis) { return !grid_.axes[axis].closed; });
    for (std::size_t turn = 0; turn < any.size(); ++turn) {
      Part part{.order = first, .chunks = some_open && grid_.axes[any[turn]].closed ? 2 : 1};
      for (std::size_t i = 0; i < any.size(); ++i) {
        part.order.push_back(any[(turn + i) % any.size()]);
      }
      part.order.insert(part.order.end(), last.begin(), last.end());
      for (const bool backwards : {false, true}) {
        part.backwards = backwards;
        part.first_chunk = chunks_;
        chunks_ += part.chunks;
        parts_.push_back(part);
      }
    }
  }

  const GroupGrid& grid_;
  std::vector<int> strides_;
  std::vector<Part> parts_;
  int chunks_ = 0;
};

/// One part along its `stage`-th axis. A rank has what belongs to ranks that differ from it along
/// this axis and later ones.
void add_stage(const Torus& torus, const Part& part, std::size_t stage, int ranks, bool reduces,
               int& round, TransferList& list) {
  const std::size_t axis = part.order[stage];
  const std::vector<int> ring = torus.ring(axis, part.backwards);
  const int n = torus.length(axis);
  const std::vector<int> others = torus.points_along(std::span(part.order).subspan(stage + 1));
  for (int step = 0; step < n - 1; ++step, ++round) {
    for (int point = 0; point < ranks; ++point) {
      const int place = static_cast<int>(
          std::find(ring.begin(), ring.end(), torus.coordinate(point, axis)) - ring.begin());
      const int to = torus.moved(point, axis, ring[index((place + 1) % n)]);
      const int block = (place - step - (reduces ? 1 : 0) + 2 * n) % n;
      int owner = torus.moved(point, axis, ring[index(block)]);
      for (std::size_t later = stage + 1; later < part.order.size(); ++later) {
        owner = torus.moved(owner, part.order[later], 0);
      }
      Transfer transfer{round, torus.at(point), torus.at(to), {}, reduces};
      for (const int other : others) {
        for (int chunk = 0; chunk < part.chunks; ++chunk) {
          transfer.chunks.push_back(torus.at(owner + other) * torus.chunks() + part.first_chunk +
                                    chunk);
        }
      }
      list.transfers.push_back(std::move(transfer));
    }
  }
}

/// Chunks that cross a link of every axis one way: the same both ways, since parts come in pairs.
std::vector<int> chunks_by_axis(const Torus& torus, const Group& group) {
  std::vector<int> chunks(group.grid.axes.size(), 0);
  for (const Part& part : torus.parts()) {
    int left = group.size();  // ranks whose chunks a rank still has
    for (const std::size_t axis : part.order) {
      left /= torus.length(axis);
      chunks[axis] += part.backwards ? 0 : left * (torus.length(axis) - 1) * part.chunks;
    }
  }
  return chunks;
}

/// Chunks that count as one, so that weights are small: a flow lists every link once for every one.
/// Exact, unless axes of unequal length on thousands of ranks have no common divisor; then the
/// others are rounded up, the busiest axis too if its chunks have no divisor.
int chunks_as_one(const std::vector<int>& chunks, int ranks) {
  constexpr int kMostListed = 2'000'000;
  const int most = *std::max_element(chunks.begin(), chunks.end());
  const int listed = 2 * ranks * static_cast<int>(chunks.size());
  const int largest = std::max(kMostListed / listed, 16);  // weight
  const int common =
      std::accumulate(chunks.begin(), chunks.end(), 0, [](int a, int b) { return std::gcd(a, b); });
  if (most / common <= largest) {
    return common;
  }
  for (int weight = largest; weight > largest / 2; --weight) {
    if (most % weight == 0) {
      return most / weight;
    }
  }
  return (most + largest - 1) / largest;
}

}  // namespace

TransferList torus_transfers(CollectiveOp op, const Group& group) {
  const Torus torus(group);
  TransferList list{group.size() * torus.chunks(), {}};
  for (const Part& part : torus.parts()) {
    int round = 0;
    for (std::size_t stage = 0; op != CollectiveOp::AllGather && stage < part.order.size();
         ++stage) {
      add_stage(torus, part, stage, group.size(), true, round, list);
    }
    for (std::size_t stage = part.order.size(); op != CollectiveOp::ReduceScatter && stage > 0;
         --stage) {
      add_stage(torus, part, stage - 1, group.size(), false, round, list);
    }
  }
  return list;
}

/// One pass: a reduce-scatter, or an all-gather.
std::vector<Phase> torus_phases(CollectiveOp /*op*/, const Group& group) {
  const Torus torus(group);
  const std::vector<int> chunks = chunks_by_axis(torus, group);
  const int as_one = chunks_as_one(chunks, group.size());
  Phase phase{.parts = group.size() * torus.chunks(), .count = as_one};
  double messages = 0;
  for (std::size_t axis = 0; axis < chunks.size(); ++axis) {
    const int n = torus.length(axis);
    const int weight = (chunks[axis] + as_one - 1) / as_one;
    messages += static_cast<double>(torus.parts().size()) * group.size() * (n - 1);
    const std::vector<int> ring = torus.ring(axis, false);
    std::vector<int> after(ring.size());  // by coordinate, the next one around the ring
    for (int i = 0; i < n; ++i) {
      after[index(ring[index(i)])] = ring[index((i + 1) % n)];
    }
    for (int point = 0; n > 1 && point < group.size(); ++point) {
      const int from = torus.at(point);
      const int to =
          torus.at(torus.moved(point, axis, after[index(torus.coordinate(point, axis))]));
      phase.streams.push_back({from, to, weight, 0});
      phase.streams.push_back({to, from, weight, 0});
    }
    for (int i = 0; n > 1 && i < n; ++i) {  // n-1 steps around the ring, in the mean
      phase.critical.push_back({torus.at(torus.moved(0, axis, i)),
                                torus.at(torus.moved(0, axis, after[index(i)])), 1 - 1.0 / n});
    }
  }
  phase.messages = messages / static_cast<double>(phase.streams.size());
  return {phase};
}

}  // namespace danlu
