// Which rank is where, in Megatron's order: tensor ranks are neighbours, then data, then pipeline.
//
//   rank = tensor_index + tensor * (data_index + data * stage)
//
// Rank r runs on GPU r.
#pragma once

#include <vector>

#include "sim/base/ids.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

struct RankCoordinates {
  int tensor = 0;
  int data = 0;
  int stage = 0;
};

class RankLayout {
 public:
  explicit RankLayout(const ParallelismSpec& parallelism)
      : tensor_(parallelism.tensor), data_(parallelism.data), stages_(parallelism.pipeline) {}

  int world_size() const { return tensor_ * data_ * stages_; }
  int rank(RankCoordinates at) const { return at.tensor + tensor_ * (at.data + data_ * at.stage); }
  RankCoordinates coordinates(int rank) const {
    return {rank % tensor_, rank / tensor_ % data_, rank / (tensor_ * data_)};
  }
  GpuId gpu(int rank) const { return make_id<GpuId>(static_cast<std::size_t>(rank)); }

  std::vector<int> tensor_group(int data, int stage) const {
    std::vector<int> ranks;
    for (int t = 0; t < tensor_; ++t) {
      ranks.push_back(rank({t, data, stage}));
    }
    return ranks;
  }
  std::vector<int> data_group(int tensor, int stage) const {
    std::vector<int> ranks;
    for (int d = 0; d < data_; ++d) {
      ranks.push_back(rank({tensor, d, stage}));
    }
    return ranks;
  }
  /// The first and the last stage, which share a tied embedding.
  std::vector<int> embedding_group(int tensor, int data) const {
    return {rank({tensor, data, 0}), rank({tensor, data, stages_ - 1})};
  }

 private:
  int tensor_;
  int data_;
  int stages_;
};

}  // namespace danlu
