// Ranks lie on named axes. The order is said once, in kMeshOrder: neighbours along the first axis
// have neighbouring numbers (Megatron's tp-cp-ep-dp-pp). The time of an exchange is named by its
// axis.
//
//   rank = tensor + tensors * (context + contexts * (replica + replicas * stage))
//
// A group is the ranks that differ only along one axis, or some of those. Rank r runs on GPU r.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/id_vector.hpp"

namespace danlu {

enum class Axis { Tensor, Pipeline, Replicate, Context, Expert };
inline constexpr std::size_t kAxes = 5;
inline constexpr IdArray<Axis, std::string_view, kAxes> kAxisNames{"tensor", "pipeline", "data",
                                                                   "context", "expert"};
inline constexpr std::array kMeshOrder{Axis::Tensor, Axis::Context, Axis::Expert, Axis::Replicate,
                                       Axis::Pipeline};

/// Which ranks along an axis make a group: all, the first and the last, or one that sends to its
/// neighbour.
enum class Span { All, Ends, Next, Previous };

struct GroupSort {
  Axis axis = Axis::Tensor;
  Span span = Span::All;
  auto operator<=>(const GroupSort&) const = default;  // NOLINT(modernize-use-nullptr)

  /// Whether it is a sender and its receiver.
  bool is_transfer() const { return span == Span::Next || span == Span::Previous; }
  int number() const { return static_cast<int>(axis) * 4 + static_cast<int>(span); }
};
inline constexpr GroupSort kTensorGroups{Axis::Tensor, Span::All};
inline constexpr GroupSort kReplicaGroups{Axis::Replicate, Span::All};
inline constexpr GroupSort kEmbeddingGroups{Axis::Pipeline, Span::Ends};  // of a tied table
inline constexpr GroupSort kSendsOfActivations{Axis::Pipeline, Span::Next};
inline constexpr GroupSort kSendsOfGradients{Axis::Pipeline, Span::Previous};

class Mesh {
 public:
  /// `sizes` by axis.
  explicit Mesh(const std::array<int, kAxes>& sizes) : sizes_(sizes) {}

  int size(Axis axis) const { return sizes_[static_cast<std::size_t>(axis)]; }
  int world_size() const {
    int ranks = 1;
    for (const int size : sizes_) {
      ranks *= size;
    }
    return ranks;
  }
  /// How far apart the numbers of neighbours along `axis` are.
  int stride(Axis axis) const {
    int stride = 1;
    for (std::size_t i = 0; kMeshOrder[i] != axis; ++i) {
      stride *= size(kMeshOrder[i]);
    }
    return stride;
  }
  /// The rank with these coordinates, and 0 along all other axes.
  int rank(std::initializer_list<std::pair<Axis, int>> coordinates) const {
    int rank = 0;
    for (const auto& [axis, at] : coordinates) {
      rank += at * stride(axis);
    }
    return rank;
  }
  int coordinate(int rank, Axis axis) const { return rank / stride(axis) % size(axis); }
  /// The rank that is at `at` along `axis`, and else where `rank` is.
  int moved(int rank, Axis axis, int at) const {
    return rank + (at - coordinate(rank, axis)) * stride(axis);
  }
  /// The group of that sort that `rank` belongs to, in order; sends begin with `rank`.
  std::vector<int> group(int rank, GroupSort sort) const {
    const int ranks = size(sort.axis);
    const int here = coordinate(rank, sort.axis);
    const auto at = [&](int place) { return moved(rank, sort.axis, place); };
    switch (sort.span) {
      case Span::Ends:
        return {at(0), at(ranks - 1)};
      case Span::Next:
        return {rank, at((here + 1) % ranks)};
      case Span::Previous:
        return {rank, at((here + ranks - 1) % ranks)};
      case Span::All:
        break;
    }
    std::vector<int> all;
    for (int place = 0; place < ranks; ++place) {
      all.push_back(at(place));
    }
    return all;
  }
  GpuId gpu(int rank) const { return make_id<GpuId>(static_cast<std::size_t>(rank)); }

 private:
  std::array<int, kAxes> sizes_;
};

}  // namespace danlu
