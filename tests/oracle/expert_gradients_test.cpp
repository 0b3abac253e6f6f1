// Sums of gradients behind the last backward pass, where experts have other ranks than all else.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/session/simulate.hpp"
#include "tests/support/mixtures.hpp"

namespace danlu {
namespace {

using testing::batch;
using testing::kLlamaLike;
using testing::with;

/// Whether communications of one sort and of the same ranks overlap.
bool any_overlap(const Simulation& played, std::string_view name) {
  const TaskGraph& graph = played.plan.graph;
  std::map<std::pair<CommunicationId, RankClassId>, std::vector<std::pair<Seconds, Seconds>>> when;
  for (const TaskId id : graph.tasks.ids()) {
    const Task& task = graph.tasks[id];
    if (graph.names[task.name] != name || !task.communication) {
      continue;
    }
    auto& own = when[{*task.communication, graph.participants.of(id).front()}];
    if (task.part == PartId{}) {
      own.emplace_back(played.timeline.start[id], Seconds{});
    }
    own.back().second = std::max(own.back().second, played.timeline.finish[id]);
  }
  EXPECT_FALSE(when.empty()) << name;
  return std::any_of(when.begin(), when.end(), [](auto& of_ranks) {
    auto& own = of_ranks.second;
    std::sort(own.begin(), own.end());
    return std::adjacent_find(own.begin(), own.end(), [](const auto& a, const auto& b) {
             return b.first < a.second;
           }) != own.end();
  });
}

// What one communicator sums it sums in the order in which it was asked, whatever others do
// meanwhile: gradients of experts over 2 replicas, of all else over 16 ranks.
TEST(ExpertGradients, OfOneGroupQueueUp) {
  for (const int zero : {0, 1}) {
    const Simulation played = simulate(
        with(fmt::format("model={{layers: 12, hidden: 2048, heads: 16, ffn: 2048, vocab: 1024, {}, "
                         "experts: {{count: 16, per_token: 1}}}}",
                         kLlamaLike),
             16, fmt::format("{{expert: 8, zero: {}, overlap: {{data: true}}}}", zero),
             {batch(16, 1024)}));
    EXPECT_FALSE(any_overlap(played, "reduce gradients")) << zero;
    EXPECT_FALSE(any_overlap(played, "reduce gradients of experts")) << zero;
  }
}

// What the CPUs update waits for the last sum of every group.
TEST(ExpertGradients, AreSummedBeforeTheHostUpdates) {
  const Simulation played = simulate(
      with(fmt::format("model={{layers: 4, hidden: 2048, heads: 16, ffn: 8192, vocab: 1024, {}, "
                       "experts: {{count: 16, per_token: 1, dense_layers: 1}}}}",
                       kLlamaLike),
           16, "{expert: 8, zero: 1, overlap: {data: true}, offload: {optimizer: true}}",
           {batch(16, 1024)}));
  Seconds summed;
  Seconds copied = kNever;
  for (const TaskId id : played.plan.graph.tasks.ids()) {
    const std::string& name = played.plan.graph.name_of(played.plan.graph.tasks[id]);
    if (name.starts_with("reduce gradients")) {
      summed = std::max(summed, played.timeline.finish[id]);
    } else if (name == "gradients to host") {
      copied = std::min(copied, played.timeline.start[id]);
    }
  }
  EXPECT_LT(copied, kNever);
  EXPECT_GE(copied, summed - Seconds{1e-9});
}

}  // namespace
}  // namespace danlu
