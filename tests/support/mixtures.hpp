// Plans of mixtures of experts, for tests.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {

inline constexpr const char* kLlamaLike =
    "positions: 0, gated_mlp: true, tied_embeddings: false, biases: false, norm: rmsnorm";
/// Mixtral 8x7B (arXiv:2401.04088) with so many layers.
inline std::string mixtral(int layers = 32) {
  return fmt::format(
      "model={{layers: {}, hidden: 4096, heads: 32, kv_heads: 8, ffn: 14336, vocab: 32000, {}, "
      "experts: {{count: 8, per_token: 2}}}}",
      layers, kLlamaLike);
}

inline Scenario with(const std::string& model, int gpus, const std::string& parallelism,
                     std::vector<std::string> more = {}) {
  std::vector<std::string> settings{model, fmt::format("cluster.gpus={}", gpus),
                                    "parallelism=" + parallelism};
  settings.insert(settings.end(), more.begin(), more.end());
  return shipped("llama3-8b-h100.yaml", settings);
}
inline std::string batch(int global_batch, int sequence, const std::string& more = "") {
  return fmt::format("training={{global_batch: {}, micro_batch: 1, sequence_length: {}{}}}",
                     global_batch, sequence, more);
}

/// Of a step, played.
inline Report report_of(const Scenario& s) {
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  return measure("", s.workload, cluster, plan, play(plan.graph));
}

}  // namespace danlu::testing
