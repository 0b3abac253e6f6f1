#include "sim/workload/resources.hpp"

#include <array>
#include <cmath>

#include "sim/cluster/fabrics.hpp"

namespace danlu {
namespace {

template <typename Change>
void for_kinds(ClusterSpec& cluster, const Change& change) {
  change(cluster.topology, cluster.gpu);
  for (NodeKind& kind : cluster.others) {
    change(kind.topology, kind.gpu);
  }
}

template <typename Change>
void for_gpus(ClusterSpec& cluster, const Change& change) {
  for_kinds(cluster, [&](TopologySpec&, GpuSpec& gpu) { change(gpu); });
}

template <typename Change>
void for_topologies(ClusterSpec& cluster, const Change& change) {
  for_kinds(cluster, [&](TopologySpec& topology, GpuSpec&) { change(topology); });
}

void peak(ClusterSpec& cluster, Workload&, double f) {
  for_gpus(cluster, [&](GpuSpec& gpu) {
    for (auto& peak : gpu.peak_dense) {
      peak = peak ? std::optional(*peak * f) : std::nullopt;
    }
  });
}

void memory_bandwidth(ClusterSpec& cluster, Workload&, double f) {
  for_gpus(cluster, [&](GpuSpec& gpu) { gpu.memory_bandwidth = gpu.memory_bandwidth * f; });
}

void kernel_start(ClusterSpec& cluster, Workload&, double f) {
  for_gpus(cluster, [&](GpuSpec& gpu) {
    gpu.gemm_start = gpu.gemm_start / f;
    gpu.kernel_launch = gpu.kernel_launch / f;
  });
}

void host(ClusterSpec&, Workload& workload, double f) {
  workload.host = workload.host.times(1 / f);
}

void scale_up_bandwidth(ClusterSpec& cluster, Workload&, double f) {
  for_topologies(cluster,
                 [&](TopologySpec& t) { t.scale_up_bandwidth = t.scale_up_bandwidth * f; });
}

void scale_up_latency(ClusterSpec& cluster, Workload&, double f) {
  for_topologies(cluster, [&](TopologySpec& t) { t.scale_up_latency = t.scale_up_latency / f; });
}

void pcie_bandwidth(ClusterSpec& cluster, Workload&, double f) {
  for_topologies(cluster, [&](TopologySpec& t) {
    t.pcie_bandwidth = t.pcie_bandwidth * f;
    t.pcie_uplink = t.pcie_uplink * f;
    t.nic_slot = t.nic_slot * f;
  });
}

/// Says what follows from the NICs where a file is silent, so that switches stay as they are.
void fix_switches(TopologySpec& t) {
  t.switch_ports = static_cast<int>(std::lround(upper_ports(t)));
  t.uplink_bandwidth = t.cable_bandwidth();
}

void nic_bandwidth(ClusterSpec& cluster, Workload&, double f) {
  for_topologies(cluster, [&](TopologySpec& t) {
    fix_switches(t);
    t.nic_bandwidth = t.nic_bandwidth * f;
    t.oversubscription *= f;  // what leaves carry up stays as it is
  });
}

void uplink_bandwidth(ClusterSpec& cluster, Workload&, double f) {
  for_topologies(cluster, [&](TopologySpec& t) {
    fix_switches(t);
    t.uplink_bandwidth = t.uplink_bandwidth * f;
    t.oversubscription /= f;
  });
}

void network_latency(ClusterSpec& cluster, Workload&, double f) {
  for_topologies(cluster, [&](TopologySpec& t) {
    t.fabric_latency = t.fabric_latency / f;
    t.fabric_line_latency = t.fabric_line_latency / f;
    t.hop_latency = t.hop_latency / f;
    t.fabric_message_rate *= f;
  });
}

void collective_launch(ClusterSpec& cluster, Workload&, double f) {
  for_topologies(cluster, [&](TopologySpec& t) { t.collective_launch = t.collective_launch / f; });
}

constexpr auto kResources = std::to_array<Resource>({
    {"peak_dense", "dense peak", peak},
    {"hbm_bandwidth", "HBM bandwidth", memory_bandwidth},
    {"kernel_start", "start of kernels", kernel_start},
    {"host", "host", host},
    {"scale_up_bandwidth", "scale-up bandwidth", scale_up_bandwidth},
    {"scale_up_latency", "scale-up latency", scale_up_latency},
    {"pcie_bandwidth", "PCIe bandwidth", pcie_bandwidth},
    {"nic_bandwidth", "NIC bandwidth", nic_bandwidth},
    {"uplink_bandwidth", "links of switches", uplink_bandwidth},
    {"network_latency", "network latency", network_latency},
    {"collective_launch", "start of collectives", collective_launch},
});

}  // namespace

std::span<const Resource> resources() {
  return kResources;
}

void scale_all(ClusterSpec& cluster, Workload& workload, double factor) {
  for (const Resource& resource : kResources) {
    resource.scale(cluster, workload, factor);
  }
}

}  // namespace danlu
