// Ranks lie on named axes. The order is said once, here: neighbours along the first axis have
// neighbouring numbers (Megatron's tp-cp-ep-dp-pp).
//
//   rank = tensor + tensors * (context + contexts * (replica + replicas * stage))
//
// A group is the ranks that differ only along some axes. Rank r runs on GPU r.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "sim/base/ids.hpp"

namespace danlu {

enum class Axis { Tensor, Context, Expert, Replicate, Pipeline };
inline constexpr std::size_t kAxes = 5;
inline constexpr std::array<std::string_view, kAxes> kAxisNames{"tensor", "context", "expert",
                                                                "replicate", "pipeline"};

/// Where a rank is, by axis.
using Coordinates = std::array<int, kAxes>;

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
    for (std::size_t before = 0; before < static_cast<std::size_t>(axis); ++before) {
      stride *= sizes_[before];
    }
    return stride;
  }
  int coordinate(int rank, Axis axis) const { return rank / stride(axis) % size(axis); }
  /// The rank that is at `at` along `axis`, and else where `rank` is.
  int moved(int rank, Axis axis, int at) const {
    return rank + (at - coordinate(rank, axis)) * stride(axis);
  }
  /// The ranks that differ from `rank` only along `axis`, in order.
  std::vector<int> group(int rank, Axis axis) const {
    std::vector<int> ranks;
    for (int at = 0; at < size(axis); ++at) {
      ranks.push_back(moved(rank, axis, at));
    }
    return ranks;
  }
  GpuId gpu(int rank) const { return make_id<GpuId>(static_cast<std::size_t>(rank)); }

 private:
  std::array<int, kAxes> sizes_;
};

}  // namespace danlu
