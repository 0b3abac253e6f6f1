// The smallest data-parallel step: what each replica does can be added up by hand.
#pragma once

#include "sim/tasks/plan_step.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {

/// A two-layer model on `data` replicas of one A100 each, one microbatch; NICs of 10 GB/s, 2 us. A
/// replica computes, all reduce their gradients, each updates its weights.
struct Replicas {
  Cluster cluster;
  Workload workload;

  explicit Replicas(int data, const DegradedSpec& degraded = {}) {
    cluster = plain_cluster(data, 1, 100_GBps, 10_GBps, 2_us);
    cluster.spec.gpu = load_gpu("a100-80", shipped_presets());
    cluster.spec.degraded = degraded;
    cluster = build_cluster(cluster.spec);
    workload = shipped("llama3-8b-h100.yaml").workload;
    workload.model.layers = 2;
    workload.parallelism = {.data = data};
    workload.training.global_batch = data;
    workload.training.precision = Precision::Bf16;
  }
  StepPlan plan() const { return plan_step(workload, cluster); }
  double step() const { return play(plan().graph).end.value; }
  /// 2 (d-1) alpha + 2 (d-1)/d S/B.
  double all_reduce() const {
    const double d = workload.parallelism.data;
    const double bytes = rank_parameters(workload, 0) * workload.training.gradient_bytes;
    return 2 * (d - 1) * 2e-6 + 2 * (d - 1) / d * bytes / 10e9;
  }
};

}  // namespace danlu::testing
