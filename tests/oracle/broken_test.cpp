// Dead NICs, links and switches, and nodes of two kinds, against hand arithmetic.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/collective/group.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/program/program.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/collectives.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::compute_of;
using testing::near;
using testing::plain_cluster;
using testing::play;

std::vector<int> first_gpus(int count) {
  std::vector<int> gpus;
  for (int gpu = 0; gpu < count; ++gpu) {
    gpus.push_back(gpu);
  }
  return gpus;
}

/// A ring all-reduce over all GPUs: latency, and what its bytes take.
struct Ring {
  std::size_t rings = 0;
  double latency = 0;
  double bytes = 0;
};
Ring all_reduce(const ClusterSpec& spec, Bytes size) {
  const Cluster cluster = build_cluster(spec);
  const Group group = make_group(cluster, first_gpus(spec.gpus));
  const auto time = [&](Bytes bytes) {
    return testing::choose(cluster, group, CollectiveOp::AllReduce, bytes).alone.value;
  };
  return {group.rings.size(), time({}), time(size) - time({})};
}

std::vector<std::string> names_on(const Cluster& cluster, int from, int to) {
  std::vector<std::string> names;
  for (const LinkId id : route(cluster, from, to)) {
    names.push_back(cluster.topology.vertex_name(cluster.topology.link(id).to));
  }
  return names;
}

/// 4 nodes of 4 GPUs, rails with 2 nodes a leaf; NICs of 10 GB/s.
ClusterSpec on_rails(int nodes_per_leaf = 2) {
  ClusterSpec spec = plain_cluster(4, 4, 1000_GBps, 10_GBps, 2_us).spec;
  spec.topology.fabric = FabricKind::RailOptimised;
  spec.topology.nodes_per_leaf = nodes_per_leaf;
  return spec;
}

// S / (16 x 8 x 7) is whole. Healthy, 8 rings carry S/8 each; with one of 8 NICs dead its node has
// 7 left, so 7 rings carry S/7 each: 8/7 of the time, and not twice, which two rings through one
// NIC would take. A second dead NIC in the other node changes nothing; in the same node it makes 6
// rings.
TEST(DeadNics, RingsUseTheNicsThatAreLeft) {
  const Bytes size{16.0 * 8 * 7 * 6 * 1000};
  ClusterSpec spec = plain_cluster(2, 8, 1000_GBps, 10_GBps, 2_us).spec;
  const Ring healthy = all_reduce(spec, size);
  EXPECT_EQ(healthy.rings, 8U);
  EXPECT_TRUE(near(healthy.bytes, 2 * 15.0 / 16 * size.value / 8 / 10e9));
  for (const auto& [dead, left] : std::vector<std::pair<std::map<int, double>, double>>{
           {{{5, 0}}, 7}, {{{5, 0}, {8, 0}}, 7}, {{{5, 0}, {6, 0}}, 6}}) {
    spec.degraded.nics = dead;
    const Ring hurt = all_reduce(spec, size);
    EXPECT_EQ(hurt.rings, static_cast<std::size_t>(left));
    EXPECT_TRUE(near(hurt.bytes, healthy.bytes * 8 / left));
    EXPECT_TRUE(near(hurt.latency, healthy.latency));
  }
}

// 8 GPUs behind fewer NICs: a ring for each NIC, or as many as all NICs carry evenly. With 7 the
// eighth ring would make one NIC carry two eighths instead of all a seventh; with 4 each has two.
TEST(FewerNics, RingsLoadThemEvenly) {
  const Bytes size{16.0 * 8 * 7 * 6 * 5 * 1000};
  for (const auto& [nics, rings] :
       std::vector<std::pair<int, std::size_t>>{{8, 8}, {7, 7}, {6, 6}, {5, 5}, {4, 8}, {2, 8}}) {
    ClusterSpec spec = plain_cluster(2, 8, 1000_GBps, 10_GBps, 2_us).spec;
    spec.topology.nics_per_node = nics;
    const Ring found = all_reduce(spec, size);
    EXPECT_EQ(found.rings, rings) << nics;
    EXPECT_TRUE(near(found.bytes, 2 * 15.0 / 16 * size.value / nics / 10e9)) << nics;
  }
}

// One rank of each node takes part, so its traffic has NIC 2 to itself when its own is dead: as
// fast as before. So it is with a second rank that has another NIC.
TEST(DeadNics, AGroupMovesToNicsThatItDoesNotUse) {
  ClusterSpec spec = plain_cluster(2, 8, 1000_GBps, 10_GBps, {}).spec;
  for (const std::vector<int>& ranks : {std::vector{3, 11}, std::vector{3, 4, 11, 12}}) {
    const auto time = [&](const std::map<int, double>& dead) {
      spec.degraded.nics = dead;
      const Cluster cluster = build_cluster(spec);
      return testing::choose(cluster, make_group(cluster, ranks), CollectiveOp::AllReduce, 1_GB)
          .alone.value;
    };
    EXPECT_TRUE(near(time({{3, 0}}), time({})));
  }
}

// The stand-in has taken in the fewest GPUs and is the nearest of these: four dead NICs go to four
// others, the fifth GPU to the nearest of the three that are left.
TEST(DeadNics, StandInsAreEvenAndNear) {
  ClusterSpec spec = plain_cluster(2, 8, 100_GBps, 10_GBps, {}).spec;
  const auto exits = [&](const std::map<int, double>& dead) {
    spec.degraded.nics = dead;
    const Cluster cluster = build_cluster(spec);
    std::vector<int> found;
    for (const auto& [nic, share] : dead) {
      found.push_back(cluster.inside.exit_of(nic).value());
    }
    return found;
  };
  EXPECT_EQ(exits({{3, 0}, {4, 0}}), (std::vector{2, 5}));
  EXPECT_EQ(exits({{0, 0}, {1, 0}, {2, 0}, {3, 0}}), (std::vector{4, 5, 6, 7}));
  EXPECT_EQ(exits({{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 0}}), (std::vector{5, 6, 7, 5, 6}));
}

// NIC 3 of node 0 is dead: its GPU goes over NVLink to GPU 2, along rail 2, and over NVLink to the
// GPU that it wants; the way back is the same.
TEST(DeadNics, TrafficStaysOnOneRail) {
  ClusterSpec spec = on_rails(4);
  spec.degraded.nics = {{3, 0}};
  const Cluster cluster = build_cluster(spec);
  EXPECT_EQ(names_on(cluster, 3, 7),
            (std::vector<std::string>{"NVSwitch of node 0", "GPU 2 of node 0", "NIC 2 of node 0",
                                      "leaf 2", "NIC 2 of node 1", "GPU 2 of node 1",
                                      "NVSwitch of node 1", "GPU 3 of node 1"}));
  EXPECT_EQ(names_on(cluster, 7, 3),
            (std::vector<std::string>{"NVSwitch of node 1", "GPU 2 of node 1", "NIC 2 of node 1",
                                      "leaf 2", "NIC 2 of node 0", "GPU 2 of node 0",
                                      "NVSwitch of node 0", "GPU 3 of node 0"}));
  // From rail 1 to the GPU without a NIC: along the sender's own rail.
  EXPECT_EQ(names_on(cluster, 5, 3),
            (std::vector<std::string>{"NIC 1 of node 1", "leaf 1", "NIC 1 of node 0",
                                      "GPU 1 of node 0", "NVSwitch of node 0", "GPU 3 of node 0"}));
}

// With the leaf of rail 1 down no node has its NIC 1: 3 of 4 rings, so 4/3 of the time, for the
// rings of the double binary tree too.
TEST(DeadLeaf, IsADeadNicInEveryNodeBelow) {
  const Bytes size{16.0 * 4 * 3 * 1000};
  ClusterSpec spec = on_rails(4);
  const Ring healthy = all_reduce(spec, size);
  spec.degraded.leaves = {{1, 0}};
  const Ring hurt = all_reduce(spec, size);
  EXPECT_EQ(hurt.rings, 3U);
  EXPECT_TRUE(near(hurt.bytes, healthy.bytes * 4 / 3));
  EXPECT_EQ(build_cluster(spec).inside.dead_nics(), (std::set<int>{1, 5, 9, 13}));
}

// A leaf with two NICs of 10 GB/s below has 20 GB/s up. The ring of its rail crosses them once each
// way at 10 GB/s: half of the uplinks is enough, a quarter takes twice as long. The spine is two
// chips (2 uplinks of each leaf): with one of them down every leaf has half.
TEST(WornLeaf, CarriesItsShare) {
  const Bytes size{16.0 * 4 * 1000};
  ClusterSpec spec = on_rails(2);
  const Ring healthy = all_reduce(spec, size);
  spec.degraded.leaves = {{0, 0.5}};
  EXPECT_TRUE(near(all_reduce(spec, size).bytes, healthy.bytes));
  spec.degraded.leaves = {{0, 0.25}};
  EXPECT_TRUE(near(all_reduce(spec, size).bytes, 2 * healthy.bytes));
  spec.degraded.leaves = {};
  const int spines = build_cluster(spec).topology.count(VertexKind::Spine);
  ASSERT_GE(spines, 2);
  spec.degraded.spines = {{0, 0}};
  const Topology topology = build_cluster(spec).topology;
  for (const Link& link : topology.links()) {
    if (link.kind == LinkKind::Uplink) {
      EXPECT_TRUE(near(link.bandwidth.value, link.nominal.value * (spines - 1) / spines));
    }
  }
}

/// Whether the links of a route follow one another and all have bandwidth left.
bool is_way(const Cluster& cluster, int from, int to, int flow) {
  VertexId at = cluster.topology.gpu(make_id<GpuId>(static_cast<std::size_t>(from)));
  for (const LinkId id : route(cluster, from, to, flow)) {
    const Link& link = cluster.topology.link(id);
    if (link.from != at || link.bandwidth.value <= 0) {
      return false;
    }
    at = link.to;
  }
  return at == cluster.topology.gpu(make_id<GpuId>(static_cast<std::size_t>(to)));
}

// ECMP never picks a dead cable, port, spine or NIC, in two and three levels, and every route still
// arrives. Dual ToR: with leaf 0 down the NICs of its nodes use their other port.
TEST(Ecmp, NeverPicksWhatIsDead) {
  ClusterSpec spec = on_rails(2);
  spec.topology.fabric = FabricKind::FatTree;
  spec.topology.routing = Routing::Ecmp;
  spec.topology.nodes_per_leaf = 1;
  spec.gpus = 32;
  const auto check_all = [&](const DegradedSpec& damage) {
    spec.degraded = damage;
    ASSERT_EQ(damage_problem(spec).message, "");
    const Cluster cluster = build_cluster(spec);
    for (int from = 0; from < spec.gpus; ++from) {
      for (int to = 0; to < spec.gpus; ++to) {
        for (int flow = 0; flow < 4; ++flow) {
          ASSERT_TRUE(from == to || is_way(cluster, from, to, flow)) << from << " to " << to;
        }
      }
    }
  };
  for (const int nodes_per_pod : {0, 2}) {
    spec.topology.nodes_per_pod = nodes_per_pod;
    spec.topology.ports_per_nic = 1;
    check_all({});
    check_all({.leaves = {{0, 0.5}, {3, 0.25}}});
    check_all({.spines = {{1, 0}}});
    check_all({.nics = {{2, 0}, {17, 0}}, .leaves = {{1, 0.5}}});
    spec.topology.ports_per_nic = 2;
    check_all({.leaves = {{0, 0}}});
    EXPECT_TRUE(build_cluster(spec).inside.dead_nics().empty());
  }
}

// The two ToRs of a group are one bundle with adaptive routing. One down: half the rate of every
// NIC below and of the bundle's uplinks.
TEST(DualTor, TheOtherPortCarriesOn) {
  ClusterSpec spec = on_rails(2);
  spec.topology.ports_per_nic = 2;
  spec.degraded.leaves = {{1, 0}};
  const Topology topology = build_cluster(spec).topology;
  int halved = 0;
  for (const Link& link : topology.links()) {
    const bool there = topology.vertex_name(link.from) == "leaf 0-1" ||
                       topology.vertex_name(link.to) == "leaf 0-1";
    EXPECT_TRUE(near(link.bandwidth.value, link.nominal.value * (there ? 0.5 : 1)));
    halved += there ? 1 : 0;
  }
  EXPECT_EQ(halved, 2 * (2 + 1));  // two NICs and one bundle up, both directions
}

/// Four GPUs on a mesh node.
ClusterSpec mesh_of_four(std::vector<MeshLink> links) {
  ClusterSpec spec = plain_cluster(1, 4, 100_GBps, 10_GBps, {}).spec;
  spec.topology.scale_up = ScaleUpKind::Mesh;
  spec.topology.mesh_links = std::move(links);
  return spec;
}

// A square has one tour, both ways round: two rings. Without the link 3-0 no tour is left: one ring
// whose last hop runs back along the other three, on directions that nothing else uses: twice as
// slow.
TEST(DeadMeshLink, OfASquareLeavesOneRing) {
  const Bytes size = 1_GB;
  ClusterSpec spec = mesh_of_four({{0, 1, 1}, {1, 2, 1}, {2, 3, 1}, {3, 0, 1}});
  const Ring healthy = all_reduce(spec, size);
  EXPECT_EQ(healthy.rings, 2U);
  spec.degraded.links = {{0, 3, 0}};
  const Ring hurt = all_reduce(spec, size);
  EXPECT_EQ(hurt.rings, 1U);
  EXPECT_TRUE(near(hurt.bytes, 2 * healthy.bytes));
  EXPECT_EQ(names_on(build_cluster(spec), 3, 0),
            (std::vector<std::string>{"GPU 2 of node 0", "GPU 1 of node 0", "GPU 0 of node 0"}));
}

// All pairs of four are linked, and six rings use every link both ways. Without 0-1 GPUs 0 and 1
// have two links left of three: two rings, 3/2 of the time. A link at half its rate, not dead,
// stays in the rings, which wait for it: twice the time.
TEST(DeadMeshLink, OfAFullMeshIsAvoided) {
  const Bytes size = 1_GB;
  ClusterSpec spec =
      mesh_of_four({{0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {1, 2, 1}, {1, 3, 1}, {2, 3, 1}});
  const Ring healthy = all_reduce(spec, size);
  spec.degraded.links = {{1, 0, 0}};
  const Ring hurt = all_reduce(spec, size);
  EXPECT_EQ(healthy.rings, 6U);
  EXPECT_EQ(hurt.rings, 2U);
  EXPECT_TRUE(near(hurt.bytes, 1.5 * healthy.bytes, 1e-7));
  spec.degraded.links = {{0, 2, 0.5}};
  EXPECT_TRUE(near(all_reduce(spec, size).bytes, 2 * healthy.bytes, 1e-7));
}

// A torus of 4 x 4 x 2 GPUs without one of its links still has a way between all, by other links.
TEST(DeadMeshLink, OfATorusIsRoutedAround) {
  ClusterSpec spec = plain_cluster(1, 32, 100_GBps, 10_GBps, {}).spec;
  TopologySpec& t = spec.topology;
  t.scale_up = ScaleUpKind::Torus;
  t.scale_up_dims = {4, 4, 2};
  for (const auto& [first, second] : Grid(t.scale_up_dims, t.scale_up_wrap).cables()) {
    t.mesh_links.push_back({first, second, 1});
  }
  spec.degraded.links = {{0, 1, 0}};
  const Cluster cluster = build_cluster(spec);
  for (int from = 0; from < 32; ++from) {
    for (int to = 0; to < 32; ++to) {
      ASSERT_TRUE(from == to || is_way(cluster, from, to, 0)) << from << " to " << to;
    }
  }
  EXPECT_EQ(route(cluster, 0, 1).size(), 3U);  // around a square
  for (const std::vector<int>& ring : make_group(cluster, first_gpus(32)).rings) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const int next = ring[(i + 1) % ring.size()];
      EXPECT_FALSE(std::minmax({ring[i], next}) == std::minmax({0, 1}));
    }
  }
}

/// Llama-like layers on an A100 and an H100; the NIC of the H100 has 5 GB/s, the other 10.
struct Mixed {
  Cluster cluster;
  Workload workload;

  Mixed(int pipeline, int data) {
    ClusterSpec spec = plain_cluster(2, 1, 100_GBps, 10_GBps, 2_us).spec;
    spec.gpu = load_gpu("a100-80", testing::shipped_presets());
    NodeKind other{spec.topology, load_gpu("h100", testing::shipped_presets())};
    other.topology.nic_bandwidth = 5_GBps;
    spec.others = {other};
    spec.kind_of_node = {{1, 1}};
    cluster = build_cluster(spec);
    workload = testing::shipped("llama3-8b-h100.yaml").workload;
    workload.model.layers = 2;
    workload.parallelism = {.pipeline = pipeline, .data = data};
    workload.training.global_batch = data;
    workload.training.precision = Precision::Bf16;
  }
  KernelTimer timer(int kind) const {
    return {cluster.spec.gpu_of(kind), workload.training.precision};
  }
  double compute(int kind, bool forward, const Chunk& chunk) const {
    const ModelBlocks model = build_model(workload);
    const Program program =
        make_program(workload, model, chunk, forward ? ActionKind::Forward : ActionKind::Backward);
    return compute_of(program, timer(kind)).total().value;
  }
  /// Gradients of 4 bytes, master weights and moments of 24, weights of 2.
  double optimizer(int kind, int stage) const {
    return timer(kind).optimizer_time({rank_parameters(workload, stage) * 30}).total().value;
  }
  Report report() const {
    const StepPlan plan = plan_step(workload, cluster);
    return measure("mixed", workload, cluster, plan, play(plan.graph));
  }
};

// One microbatch through two stages, the first on an A100, the second on an H100:
//
//   A100   F                       B  optimizer
//            send             send
//   H100          F  B  optimizer
//
// Each send takes 2 us and its bytes at the slower NIC's 5 GB/s.
TEST(MixedGpus, StagesTakeTheTimeOfTheirKind) {
  const Mixed mixed(2, 1);
  const Chunk first{.layers = {LayerKindId{}}, .first = true};
  const Chunk last{.layers = {LayerKindId{}}, .last = true};
  const double send = 2e-6 + RankShape(mixed.workload).boundary().value / 5e9;
  const double until_gradient = mixed.compute(0, true, first) + send +
                                mixed.compute(1, true, last) + mixed.compute(1, false, last);
  const double step =
      std::max(until_gradient + mixed.optimizer(1, 1),
               until_gradient + send + mixed.compute(0, false, first) + mixed.optimizer(0, 0));
  EXPECT_TRUE(near(mixed.report().step.time.value, step));
  EXPECT_GT(mixed.compute(0, true, last), 1.5 * mixed.compute(1, true, last));
}

// Two replicas: the H100 waits for the A100's gradients, and all of the all-reduce
// (2 alpha + S/B, two ranks) goes at the slower NIC. Peaks are averaged, memory is the smaller.
TEST(MixedGpus, TheFasterReplicaWaitsForTheSlower) {
  const Mixed mixed(1, 2);
  const Chunk all{.layers = {LayerKindId{}, LayerKindId{}}, .first = true, .last = true};
  const auto compute = [&](int kind) {
    return mixed.compute(kind, true, all) + mixed.compute(kind, false, all);
  };
  const double bytes = rank_parameters(mixed.workload, 0) * mixed.workload.training.gradient_bytes;
  const double reduction = 2 * 2e-6 + bytes / 5e9;
  const double step = compute(0) + reduction + mixed.optimizer(0, 0);
  const Report report = mixed.report();
  EXPECT_TRUE(near(report.step.time.value, step));
  const double a100 = mixed.cluster.spec.gpu.peak(Precision::Bf16)->value;
  const double h100 = mixed.cluster.spec.gpu_of(1).peak(Precision::Bf16)->value;
  EXPECT_TRUE(near(report.peak.value, (a100 + h100) / 2));
  EXPECT_TRUE(near(report.step.mfu, report.step.model_flops_per_gpu_second / report.peak.value));
  ASSERT_EQ(report.speeds.size(), 2U);
  EXPECT_EQ(report.speeds[0].gpu, mixed.cluster.spec.gpu.name);  // the slowest first
  EXPECT_TRUE(near(report.speeds[0].compute.value, compute(0) + mixed.optimizer(0, 0)));
  EXPECT_TRUE(near(report.speeds[0].straggler_wait.value + 1, 1));
  const double waits = compute(0) - compute(1) + mixed.optimizer(0, 0) - mixed.optimizer(1, 0);
  EXPECT_TRUE(near(report.speeds[1].straggler_wait.value, waits));
  EXPECT_TRUE(near(report.step.breakdown.total().value, report.step.time.value));
  EXPECT_EQ(report.memory.capacity.value,
            std::min(mixed.cluster.spec.gpu.memory_capacity.value,
                     mixed.cluster.spec.gpu_of(1).memory_capacity.value));
}

// Stage 0 has one of three layers. It lies on the smaller GPU, which stage 1 would not fit; the
// stage with least left is reported. With replicas outermost each stage has GPUs of both kinds.
TEST(MixedGpus, AStageHasToFitItsOwnGpus) {
  Mixed mixed(2, 1);
  mixed.workload.model.layers = 3;
  mixed.workload.parallelism.stage_layers = {1, 2};
  const std::vector<MemoryUse> stages = memory_by_stage(mixed.workload);
  ASSERT_GT(stages[1].peak(), stages[0].peak());
  ClusterSpec spec = mixed.cluster.spec;
  spec.gpu.memory_capacity = stages[0].peak() + Bytes{1e9};
  spec.others[0].gpu.memory_capacity = stages[1].peak() + Bytes{2e9};
  const MemoryReport memory = measure_memory(mixed.workload, spec);
  EXPECT_TRUE(memory.fits());
  EXPECT_EQ(memory.use.stage, 0);
  EXPECT_EQ(memory.gpu, spec.gpu.name);
  EXPECT_EQ(memory.capacity.value, spec.gpu.memory_capacity.value);

  std::swap(spec.gpu, spec.others[0].gpu);
  const MemoryReport swapped = measure_memory(mixed.workload, spec);
  EXPECT_FALSE(swapped.fits());
  EXPECT_EQ(swapped.use.stage, 1);
  EXPECT_EQ(swapped.gpu, spec.others[0].gpu.name);

  mixed.workload.parallelism.data = mixed.workload.training.global_batch = 2;
  mixed.workload.parallelism.outermost = Outermost::Data;
  spec.gpus = 4;
  spec.kind_of_node = {{2, 1}, {3, 1}};
  EXPECT_EQ(measure_memory(mixed.workload, spec).use.stage, 1);
  std::swap(spec.gpu, spec.others[0].gpu);
  EXPECT_FALSE(measure_memory(mixed.workload, spec).fits());
}

}  // namespace
}  // namespace danlu
