// Ranks lie on named axes. The order is said once, in order_of(): neighbours along the first axis
// have neighbouring numbers. The time of an exchange is named by its axis. Experts lie on a mesh of
// their own over the same ranks of a stage: axes of one mesh say nothing about those of the other.
//
//   rank = tensor + tensors * (context + contexts * (shard + shards * (replica + ...)))
//   rank in stage = expert-tensor + expert-tensors * (expert + experts * (expert-shard + ...))
//
// A group is the ranks that differ only along some axes, or some of those. Rank r runs on GPU r.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/base/ids.hpp"
#include "sim/base/names.hpp"

namespace danlu {

enum class Axis {
  Tensor,
  Pipeline,
  Replicate,
  Context,
  Expert,
  Shard,
  Ulysses,
  ExpertTensor,
  ExpertShard,
  ExpertReplicate,
  Offload,
};
template <>
inline constexpr auto kNames<Axis> =
    std::to_array<Named<Axis>>({{Axis::Tensor, "tensor"},
                                {Axis::Pipeline, "pipeline"},
                                {Axis::Replicate, "data"},
                                {Axis::Context, "context"},
                                {Axis::Expert, "expert"},
                                {Axis::Shard, "shard"},
                                {Axis::Ulysses, "ulysses"},
                                {Axis::ExpertTensor, "expert tensor"},
                                {Axis::ExpertShard, "expert shard"},
                                {Axis::ExpertReplicate, "expert data"},
                                {Axis::Offload, "offload"}});
inline constexpr std::size_t kAxes = kNames<Axis>.size();
/// Along what neighbours are farthest apart: stages (Megatron's order tp-cp-dp-pp), or replicas
/// (its tp-cp-pp-dp: sends between stages stay near, sums of gradients go far).
enum class Outermost { Pipeline, Data };
template <>
inline constexpr auto kNames<Outermost> =
    std::to_array<Named<Outermost>>({{Outermost::Pipeline, "pipeline"}, {Outermost::Data, "data"}});
/// Both meshes, each from its innermost axis to its outermost. The stages are those of both.
struct MeshOrder {
  std::array<Axis, 6> dense;
  std::array<Axis, 5> experts;
};
constexpr MeshOrder order_of(Outermost outermost) {
  using enum Axis;
  return outermost == Outermost::Pipeline
             ? MeshOrder{{Tensor, Ulysses, Context, Shard, Replicate, Pipeline},
                         {ExpertTensor, Expert, ExpertShard, ExpertReplicate, Pipeline}}
             : MeshOrder{{Tensor, Ulysses, Context, Pipeline, Shard, Replicate},
                         {ExpertTensor, Expert, Pipeline, ExpertShard, ExpertReplicate}};
}
/// Those of both meshes, a stage's from the innermost to the outermost, then the pipeline's.
inline constexpr std::array kAllAxes{
    Axis::ExpertTensor, Axis::Expert,  Axis::ExpertShard, Axis::ExpertReplicate, Axis::Tensor,
    Axis::Ulysses,      Axis::Context, Axis::Shard,       Axis::Replicate,       Axis::Pipeline};
static_assert(kAllAxes.size() + 1 == kAxes);  // no ranks differ along Offload

/// Some of the axes.
class AxisSet {
 public:
  constexpr AxisSet() = default;
  constexpr AxisSet(Axis axis) : bits_(1U << static_cast<unsigned>(axis)) {}  // NOLINT: implicit
  constexpr AxisSet(std::initializer_list<Axis> axes) {
    for (const Axis axis : axes) {
      bits_ |= AxisSet(axis).bits_;
    }
  }

  constexpr bool contains(Axis axis) const { return (bits_ & AxisSet(axis).bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr AxisSet with(AxisSet others) const {
    AxisSet all;
    all.bits_ = bits_ | others.bits_;
    return all;
  }
  constexpr AxisSet without(AxisSet others) const {
    AxisSet rest;
    rest.bits_ = bits_ & ~others.bits_;
    return rest;
  }
  constexpr int number() const { return static_cast<int>(bits_); }
  auto operator<=>(const AxisSet&) const = default;  // NOLINT(modernize-use-nullptr)

 private:
  unsigned bits_ = 0;
};

/// Those of the mesh that is not of experts.
inline constexpr AxisSet kDenseAxes{Axis::Tensor, Axis::Ulysses,   Axis::Context,
                                    Axis::Shard,  Axis::Replicate, Axis::Pipeline};
/// Along which the positions of a sequence are split (context_parallel.cpp).
inline constexpr AxisSet kSequenceAxes{Axis::Ulysses, Axis::Context};
/// Along which the data are split: ranks that differ along these alone hold the same weights, but
/// for those of experts, and sum their gradients.
inline constexpr AxisSet kDataAxes = kSequenceAxes.with({Axis::Shard, Axis::Replicate});
/// The same for weights of experts.
inline constexpr AxisSet kExpertDataAxes{Axis::ExpertShard, Axis::ExpertReplicate};

/// Which ranks along the axes make a group: all; or along one axis the first and the last, and
/// those between that hold the same (Mesh::join), one that sends to its neighbour, or two as far
/// from the first as from the last; or one rank by itself, that copies to its host's memory or from
/// there, or waits as long as all ranks along the axes take for a few bytes, which neither slow
/// down nor are slowed by anything.
enum class Span { All, Ends, Next, Previous, Mirror, ToHost, FromHost, Brief };
template <>
inline constexpr auto kNames<Span> = std::to_array<Named<Span>>({{Span::All, "all"},
                                                                 {Span::Ends, "ends"},
                                                                 {Span::Next, "next"},
                                                                 {Span::Previous, "previous"},
                                                                 {Span::Mirror, "mirror"},
                                                                 {Span::ToHost, "to host"},
                                                                 {Span::FromHost, "from host"},
                                                                 {Span::Brief, "brief"}});

struct GroupSort {
  AxisSet axes{Axis::Tensor};
  Span span = Span::All;
  auto operator<=>(const GroupSort&) const = default;  // NOLINT(modernize-use-nullptr)

  /// Whether it is a sender and its receiver.
  bool is_transfer() const { return span == Span::Next || span == Span::Previous; }
  /// Whether it is one rank, and its host.
  bool is_copy() const { return span == Span::ToHost || span == Span::FromHost; }
  /// Whether it is one rank, of as many along the axes.
  bool is_brief() const { return span == Span::Brief; }
  /// Of several the outermost, by which time is named.
  Axis axis() const {
    Axis last = is_copy() ? Axis::Offload : Axis::Tensor;
    for (const Axis axis : kAllAxes) {
      last = axes.contains(axis) ? axis : last;
    }
    return last;
  }
  int number() const { return axes.number() * 8 + static_cast<int>(span); }
};
inline constexpr GroupSort kTensorGroups{Axis::Tensor, Span::All};
inline constexpr GroupSort kEmbeddingGroups{Axis::Pipeline, Span::Ends};  // of a shared table
inline constexpr GroupSort kCopyGroups{Axis::Pipeline, Span::Mirror};     // of two copies
inline constexpr GroupSort kToHost{Axis::Offload, Span::ToHost};
inline constexpr GroupSort kFromHost{Axis::Offload, Span::FromHost};
inline constexpr GroupSort kSendsOn{Axis::Pipeline, Span::Next};
inline constexpr GroupSort kSendsBack{Axis::Pipeline, Span::Previous};

class Mesh {
 public:
  /// `sizes` by axis.
  explicit Mesh(const IdArray<Axis, int, kAxes>& sizes, Outermost outermost = Outermost::Pipeline)
      : sizes_(sizes), outermost_(outermost) {}

  /// Lets groups of Span::Ends be those stages, in place of the first and the last.
  void join(std::vector<int> stages) { ends_ = std::move(stages); }

  int size(Axis axis) const { return sizes_[axis]; }
  /// Those of the axes along which there is more than one rank.
  AxisSet split(AxisSet axes) const {
    for (const Axis axis : kAllAxes) {
      axes = size(axis) > 1 ? axes : axes.without(axis);
    }
    return axes;
  }
  /// Ranks of a group along these axes.
  int size(AxisSet axes) const {
    int ranks = 1;
    for (const Axis axis : kAllAxes) {
      ranks *= axes.contains(axis) ? size(axis) : 1;
    }
    return ranks;
  }
  int world_size() const { return size(kDenseAxes); }
  /// How far apart the numbers of neighbours along `axis` are.
  int stride(Axis axis) const {
    const MeshOrder order = order_of(outermost_);
    return kDenseAxes.contains(axis) ? stride_in(order.dense, axis)
                                     : stride_in(order.experts, axis);
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
  /// Whether `rank` is the first of its group along these axes.
  bool is_first(int rank, AxisSet axes) const {
    return std::all_of(kAllAxes.begin(), kAllAxes.end(), [&](Axis axis) {
      return !axes.contains(axis) || coordinate(rank, axis) == 0;
    });
  }
  /// The ranks of stage 0, in order.
  std::vector<int> first_stage() const {
    std::vector<int> ranks;
    for (int rank = 0; rank < world_size(); ++rank) {
      if (coordinate(rank, Axis::Pipeline) == 0) {
        ranks.push_back(rank);
      }
    }
    return ranks;
  }
  /// The group of that sort that `rank` belongs to, in order; sends begin with `rank`.
  std::vector<int> group(int rank, GroupSort sort) const {
    if (sort.span == Span::All) {
      return along(rank, sort.axes);
    }
    if (sort.is_copy() || sort.is_brief()) {
      return {rank};
    }
    const Axis axis = sort.axis();
    const int ranks = size(axis);
    const auto at = [&](int place) { return moved(rank, axis, place); };
    if (sort.span == Span::Ends) {
      std::vector<int> joined;
      for (const int stage : ends_.empty() ? std::vector{0, ranks - 1} : ends_) {
        joined.push_back(at(stage));
      }
      return joined;
    }
    if (sort.span == Span::Mirror) {
      const int own = std::min(coordinate(rank, axis), ranks - 1 - coordinate(rank, axis));
      return {at(own), at(ranks - 1 - own)};
    }
    const int step = sort.span == Span::Next ? 1 : ranks - 1;
    return {rank, at((coordinate(rank, axis) + step) % ranks)};
  }
  GpuId gpu(int rank) const { return make_id<GpuId>(static_cast<std::size_t>(rank)); }

 private:
  template <typename Order>
  int stride_in(const Order& order, Axis axis) const {
    int stride = 1;
    for (std::size_t i = 0; order[i] != axis; ++i) {
      stride *= size(order[i]);
    }
    return stride;
  }
  std::vector<int> along(int rank, AxisSet axes) const {
    for (const Axis axis : kAllAxes) {
      rank = axes.contains(axis) ? moved(rank, axis, 0) : rank;
    }
    std::vector<int> ranks{rank};
    for (const Axis axis : kAllAxes) {
      const std::size_t before = axes.contains(axis) ? ranks.size() : 0;
      for (int place = 1; place < size(axis); ++place) {
        for (std::size_t i = 0; i < before; ++i) {
          ranks.push_back(ranks[i] + place * stride(axis));
        }
      }
    }
    return ranks;
  }

  IdArray<Axis, int, kAxes> sizes_;
  Outermost outermost_;
  std::vector<int> ends_;  // none: the first and the last stage
};

}  // namespace danlu
