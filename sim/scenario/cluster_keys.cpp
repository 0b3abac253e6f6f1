// The rows of a topology's node and fabric, and of a GPU file.
#include <fmt/format.h>

#include <algorithm>

#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/key_rows.hpp"
#include "sim/scenario/load_cluster.hpp"

namespace danlu {
namespace {

using namespace rows;

std::vector<Named<ScaleUpKind>> scale_up_words() {
  std::vector<Named<ScaleUpKind>> words = words_of<ScaleUpKind>();
  words.push_back({ScaleUpKind::Mesh, kFullMesh});
  return words;
}

std::vector<KeyRow> node_keys() {
  return {
      text("node.xml", kByHand, "",
           "NCCL's or RCCL's topology file of such a node (XML); the keys below that stand here "
           "win over it"),
      count("node.gpus", &TopologySpec::gpus_per_node, 1, 16384, "required",
            "GPUs in one node (one scale-up domain)"),
      count("node.tray", kByHand, 1, 16384, "",
            "Of a node that is a rack: GPUs of each tray. A job on several nodes then takes equal "
            "parts of them, in whole trays, where node.gpus is the topology's"),
      quantity("node.power", &TopologySpec::node_power_watts, Dimension::Power, 1, 1e7, "",
               "Nameplate power of the whole node"),
      quantity("node.memory", &TopologySpec::host_memory, Dimension::Size, 0, 1e15, "",
               "Memory of the CPUs of a node, for what parallelism.offload puts there; not checked "
               "if left out"),
      number(
          "node.cpu_slowdown", &TopologySpec::cpu_slowdown, 0.1, 10, "1",
          "How many times as long a CPU of the node takes for what `host` says of launches, as a "
          "server's with x86; of a cluster of several kinds the largest holds"),
      choice("node.scale_up.kind", &TopologySpec::scale_up, scale_up_words(), "switch",
             "How GPUs of a node are joined: through NVSwitches, by the direct links listed, over "
             "PCIe only, by links to the neighbours in a torus, or by links between all pairs"),
      count("node.scale_up.switches", &TopologySpec::scale_up_switches, 1, 1024, "1",
            "Switch chips in a node (for the counts)"),
      bandwidth("node.scale_up.bandwidth", &TopologySpec::scale_up_bandwidth, 1e9, 1e13, "",
                "Nominal bandwidth per GPU (mesh, torus: per link) and direction"),
      fraction("node.scale_up.efficiency", &TopologySpec::scale_up_efficiency, "1",
               "Share of the nominal bandwidth that collectives achieve"),
      fraction("node.scale_up.reduction_efficiency", &TopologySpec::scale_up_reduction_efficiency,
               "", "The same for sums that the switches make (NVLS); absent: they cannot"),
      bandwidth("node.scale_up.reduction_cap", kByHand, 1e9, 1e13, "",
                "Bus bandwidth that such sums never exceed"),
      duration("node.scale_up.latency", &TopologySpec::scale_up_latency, "0 us",
               "One step from GPU to GPU, software included"),
      {.path = "node.scale_up.links",
       .type = KeyType::Links,
       .text = "Of a mesh: a list of [GPU, GPU, number of links]"},
      count("node.scale_up.links_per_pair", kByHand, 1, 64, "1",
            "Of a full mesh: links between two GPUs"),
      text("node.scale_up.dims", kByHand, "", "Of a torus: GPUs along each axis, as in `4x4x4`"),
      count("node.scale_up.wrap", &TopologySpec::scale_up_wrap, 3, 1024, "3",
            "Of a torus: the shortest axis that closes into a ring"),
      bandwidth("node.pcie.bandwidth", &TopologySpec::pcie_bandwidth, 1e8, 5e11, "64 GB/s",
                "GPU to NIC, each direction (GPU to PCIe switch where no direct links join all)"),
      fraction("node.pcie.efficiency", &TopologySpec::pcie_efficiency, "1",
               "Share of it that collectives achieve between GPUs that meet over PCIe"),
      numbers("node.pcie.slots", 0.001, 1, "GPUs in slower slots: share of that bandwidth"),
      count("node.pcie.switches", &TopologySpec::pcie_switches, 1, 64, "1",
            "Where GPUs meet over PCIe: switches that share GPUs and NICs, joined by the CPUs"),
      text("node.pcie.gpus", kByHand, "",
           "GPUs below each PCIe switch, as in `5+3`; evenly if left out"),
      text("node.pcie.nics", kByHand, "",
           "NICs below each PCIe switch, as in `1+0`; evenly if left out"),
      bandwidth("node.pcie.uplink", &TopologySpec::pcie_uplink, 1e8, 1e12, "",
                "PCIe switch to the CPUs, each direction; as the bandwidth if left out"),
      count("node.nics.count", &TopologySpec::nics_per_node, 1, 16384, "",
            "NICs of a node that carry training traffic; a second node needs them"),
      bandwidth("node.nics.bandwidth", &TopologySpec::nic_bandwidth, 1e8, 2.5e11, "",
                "Nominal bandwidth of one NIC, each direction"),
      bandwidth("node.nics.slot", &TopologySpec::nic_slot, 1e8, 5e11, "",
                "PCIe of one NIC, each direction, where it is narrower than the NIC"),
      count("node.nics.ports", &TopologySpec::ports_per_nic, 1, 8, "1",
            "Ports of a NIC that share its bandwidth, each cabled to a leaf and plane of its own"),
      fraction("node.nics.efficiency", &TopologySpec::nic_efficiency, "1",
               "Share of the nominal bandwidth that messages achieve"),
  };
}

std::vector<KeyRow> fabric_keys() {
  std::string helps;
  for (const FabricRow& row : kNames<FabricKind>) {
    helps += fmt::format("{}{}: {}", helps.empty() ? "" : "; ", row.name, row.help);
  }
  return {
      choice("fabric.kind", &TopologySpec::fabric, "rail-optimised",
             "How nodes are joined. " + helps),
      count("fabric.nodes_per_leaf", &TopologySpec::nodes_per_leaf, 1, kMost, "32",
            "Nodes below one leaf switch (torus, dragonfly: at one switch)"),
      number("fabric.oversubscription", &TopologySpec::oversubscription, 0.01, 100, "1",
             "Of a leaf: bandwidth down over bandwidth up; below 1 it has more up than down"),
      count("fabric.nodes_per_pod", &TopologySpec::nodes_per_pod, 1, kMost, "",
            "Nodes below one set of spines; then a third level, the core, joins these pods"),
      number("fabric.pod_oversubscription", &TopologySpec::pod_oversubscription, 0.01, 100, "1",
             "Of a spine below a core: bandwidth down over bandwidth up"),
      bandwidth("fabric.uplink_bandwidth", &TopologySpec::uplink_bandwidth, 1e8, 1e13, "",
                "One cable between switches, each direction; that of a NIC's port if left out"),
      count("fabric.switch_ports", &TopologySpec::switch_ports, 2, 1e5, "",
            "Ports of a spine or core at that speed; as many as a leaf has if left out"),
      text("fabric.dims", kByHand, "", "Of a torus: switches along each axis, as in `8x8x8`"),
      count("fabric.groups", &TopologySpec::groups, 2, 10000, "",
            "Of a dragonfly: groups of switches"),
      count("fabric.switches_per_group", &TopologySpec::switches_per_group, 1, 1000, "",
            "Of a dragonfly"),
      count("fabric.global_links_per_switch", &TopologySpec::global_links_per_switch, 1, 1000, "",
            "Of a dragonfly: cables from a switch to other groups"),
      duration("fabric.latency", &TopologySpec::fabric_latency, "0 us",
               "One step from GPU to GPU through one leaf, software included"),
      duration("fabric.small_latency", kByHand, "0 us",
               "The same for messages up to 16 KiB, where a network sends them faster"),
      duration("fabric.line_latency", &TopologySpec::fabric_line_latency, "",
               "The same where data travels with its flags (NCCL's LL and LL128); if left out it "
               "follows from `fabric.latency` by NCCL's constants"),
      flag("fabric.ll128", &TopologySpec::fabric_ll128, "false",
           "NCCL uses LL128 between nodes; it depends on its version and the network's plugin"),
      number("fabric.message_rate", &TopologySpec::fabric_message_rate, 1, 1e12, "",
             "Messages a second that one GPU can send over the network, for tokens to experts; no "
             "limit if left out"),
      fraction("fabric.reduction_efficiency", &TopologySpec::fabric_reduction_efficiency, "",
               "Share of the NICs' rate that sums made by its switches achieve (SHARP); absent: "
               "they cannot"),
      duration("fabric.hop_latency", &TopologySpec::hop_latency, "0 us",
               "Each further switch on the way"),
      choice("fabric.routing", &TopologySpec::routing, "adaptive",
             "adaptive: traffic spreads evenly over equal paths; ecmp: a hash picks one path for "
             "every flow, and flows can collide"),
      count("fabric.ecmp_seed", &TopologySpec::ecmp_seed, 0, 1e9, "1", "Of the hash of ecmp"),
      count("fabric.connections", &TopologySpec::connections, 1, 64, "1",
            "With ecmp: flows that the traffic of two GPUs is split into, each with a path of its "
            "own (queue pairs)"),
      flag("fabric.pxn", &TopologySpec::pxn, "true",
           "Traffic between rails goes over NVLink (PCIe-only: the PCIe switches) to the NIC on "
           "the destination's rail and along that rail; false: from its own rail over the spine"),
      duration("collective.launch", &TopologySpec::collective_launch, "0 us",
               "Fixed cost of starting one collective on the GPU, besides NCCL's own; what a "
               "benchmark's host adds is no part of it"),
      count("collective.blocks", &TopologySpec::collective_blocks, 0, 1024, "",
            "Thread blocks of a collective, each of which keeps a multiprocessor from the compute "
            "beside it (NCCL_MAX_CTAS); if left out as many as NCCL takes with tuning nccl, else "
            "none; 0: collectives take nothing from compute"),
      choice("collective.tuning", &TopologySpec::nccl_tuning, {{false, "none"}, {true, "nccl"}},
             "none",
             "What chooses algorithm and protocol: nothing (rings, through a torus axis by axis), "
             "or NCCL's model with its constants"),
      choice("collective.tuner", &TopologySpec::plugin_tuner, {{false, "nccl"}, {true, "plugin"}},
             "nccl",
             "With NCCL: who chooses between nodes, NCCL by its own estimate or the plugin of a "
             "cloud's network, which is taken to know what is fastest on it"),
      bandwidth("storage.write", &StorageSpec::write, 1e6, 1e15, "",
                "What the checkpoint storage takes in, all writers together; no limit if left out"),
      bandwidth("storage.read", &StorageSpec::read, 1e6, 1e15, "",
                "What it gives out; as `storage.write` if left out"),
      bandwidth("storage.node_write", &StorageSpec::node_write, 1e6, 1e13, "",
                "What one node can write to it"),
      bandwidth("storage.node_read", &StorageSpec::node_read, 1e6, 1e13, "",
                "What one node can read from it; as `storage.node_write` if left out"),
      flag("storage.shares_nics", &StorageSpec::shares_nics, "false",
           "Checkpoints travel over the NICs that training uses, not over NICs of their own"),
      quantity("collective.fill", &TopologySpec::pipeline_fill, Dimension::Size, 0, 1e12, "0 B",
               "With NCCL: pipeline that a ring or tree must fill in a node"),
      quantity("collective.reduction_fill", &TopologySpec::reduction_fill, Dimension::Size, 0, 1e12,
               "0 B", "The same for sums that the switches of a node make"),
      quantity("collective.network_fill", &TopologySpec::network_fill, Dimension::Size, 0, 1e12,
               "0 B", "The same for the network, all NICs of a node together"),
      number(
          "collective.network_passes", &TopologySpec::network_passes, 0, 100, "0",
          "Network stages that do not overlap while it fills; with NVLS and trees, at every step "
          "up and down"),
      fraction("collective.head_share", &TopologySpec::head_share, "",
               "Of NVLS with trees between nodes: share of the NICs' rate that the ranks which own "
               "a part of the sum reach; 0.89, as other trees, if left out"),
  };
}

KeyRow peak(std::string_view precision, Into into) {
  return quantity(fmt::format("peak_dense.{}", precision), std::move(into), Dimension::ComputeRate,
                  1e11, 1e17, "",
                  "Dense peak (never with 2:4 sparsity); absent if the GPU lacks it");
}
Member<GpuSpec> peak_of(Precision precision) {
  return {.set = [precision](GpuSpec& gpu, const Value& value) {
    gpu.peak_dense[precision] = FlopsPerSecond{value.number};
  }};
}

Member<GpuSpec> figure_of(PerPrecision<double> GpuSpec::*figures, Precision precision) {
  return {.set = [figures, precision](GpuSpec& gpu, const Value& value) {
    (gpu.*figures)[precision] = value.number;
  }};
}

Member<GpuSpec> pace_of(PassKind kind) {
  return {.set = [kind](GpuSpec& gpu, const Value& value) { gpu.pace[kind] = value.number; }};
}

/// A figure of one fused attention, which thereby is there.
Member<GpuSpec> attention_figure(AttentionKind kind, double FusedAttention::*figure) {
  return {.set = [kind, figure](GpuSpec& gpu, const Value& value) {
    std::optional<FusedAttention>& fused = gpu.attention[kind];
    if (!fused) {
      fused.emplace();
    }
    (*fused).*figure = value.number;
  }};
}

std::vector<KeyRow> attention_figures() {
  std::vector<KeyRow> rows;
  for (const auto& [kind, kind_name] : kNames<AttentionKind>) {
    if (kind == AttentionKind::Unfused || kind == AttentionKind::Flash) {
      continue;
    }
    const auto add = [&](std::string_view figure, double FusedAttention::*member, double least,
                         double most, std::string fallback, std::string help) {
      rows.push_back(number(fmt::format("attention.{}.{}", kind_name, figure),
                            attention_figure(kind, member), least, most, std::move(fallback),
                            std::move(help)));
    };
    add("share", &FusedAttention::share, 0.01, 2, "",
        fmt::format("Share of the dense peak that {} tends to with wide heads and long sequences, "
                    "on the FLOPs it really does; absent: it is not there",
                    kind_name));
    add("narrow", &FusedAttention::narrow, -0.6, 5, "0.34",
        "A head dimension of d divides that by 1 + narrow 64/d; fitted to FlashAttention-2 on "
        "A100");
    add("ramp", &FusedAttention::ramp, 0, 1e5, "195",
        "Keys that take as long as what a block of queries needs besides them; likewise");
    add("tail", &FusedAttention::tail, 0, 5, "0.8",
        "Share of the longest rows of a causal mask that multiprocessors wait for at the end; "
        "fitted to all implementations");
    add("backward", &FusedAttention::backward, 0.05, 2, "0.8",
        "Speed backward, of that forward; of FlashAttention-2 and cuDNN on H100");
    add("sustained", &FusedAttention::sustained, 0.01, 1, "1",
        "Share of the dense peak that it never exceeds forward where kernels run for long, as "
        "within a step: the power limit; backward that, times backward");
  }
  return rows;
}

std::vector<KeyRow> gpu_figures() {
  return {
      quantity("memory.capacity", &GpuSpec::memory_capacity, Dimension::Size, 1e9, 1e13, "required",
               "Usable HBM"),
      bandwidth("memory.bandwidth", &GpuSpec::memory_bandwidth, 1e11, 1e14, "required",
                "Nominal HBM bandwidth"),
      fraction("memory.efficiency", &GpuSpec::memory_efficiency, "required",
               "Share of the HBM bandwidth that large streaming kernels reach"),
      fraction(
          "memory.norm", pace_of(PassKind::Norm), "0.74",
          "Of that rate, what norms reach on the bytes that they must read and write; measured "
          "on one H100"),
      fraction("memory.norm_backward", pace_of(PassKind::NormBackward), "0.45",
               "The same backward, where they read twice; measured on one H200"),
      fraction("memory.scores", pace_of(PassKind::Scores), "0.8",
               "The same of softmax and dropout over the scores of unfused attention; fitted to "
               "training runs on A100"),
      fraction("memory.permute", pace_of(PassKind::Permute), "1",
               "The same of tokens put in the order of their experts and back; rows that are "
               "copied by index reach 0.87 to 1 of what others do on one H200"),
      count("multiprocessors", &GpuSpec::multiprocessors, 1, 10000, "required",
            "SMs, for wave quantisation"),
      number("compute_capability", &GpuSpec::compute_capability, 3, 20, "",
             "NVIDIA's number of the generation, from which NCCL takes its constants"),
      fraction("gemm.efficiency", figure_of(&GpuSpec::gemm_efficiency, Precision::Bf16), "required",
               "Share of the dense peak that products of 16 bits and above reach with tiles of 128 "
               "x 256 and a long K, before the power limit"),
      fraction("gemm.sustained", figure_of(&GpuSpec::gemm_sustained, Precision::Bf16), "1",
               "Share of the dense peak that products never exceed where they run for long: what "
               "the power limit leaves"),
      fraction("gemm.in_step", figure_of(&GpuSpec::gemm_in_step, Precision::Bf16), "1",
               "Speed of a product inside a step, of that of the same product alone"),
      fraction("gemm.fp16", &GpuSpec::gemm_fp16, "1",
               "Speed of products in fp16 inside a step, of that of bf16 ones: three more bits of "
               "mantissa to multiply take power"),
      quantity("gemm.prologue", &GpuSpec::gemm_prologue, Dimension::Size, 0, 1e5, "360 B",
               "Bytes of a row of K that a tile of a product loads before it computes; fitted to "
               "products of all GPUs"),
      number("gemm.edge", &GpuSpec::gemm_edge, 0, 1e3, "20",
             "Tiles of M x N take 1 + edge (1/M + 1/N) times as long as their FLOPs; fitted to "
             "products of all GPUs"),
      duration("gemm.start", &GpuSpec::gemm_start, "3.3 us",
               "What every product takes beside that and its launch: start, last tiles, writing; "
               "fitted to products of H100"),
      fraction("gemm.unaligned", &GpuSpec::gemm_unaligned, "0.44",
               "Speed of products whose rows are no multiple of 16 bytes (a head dimension that 8 "
               "does not divide), of that of others; measured on one H100"),
      choice("attention.usual", &GpuSpec::usual_attention,
             words_of({AttentionKind::Flash1, AttentionKind::Flash2, AttentionKind::Flash3,
                       AttentionKind::Cudnn, AttentionKind::Triton}),
             "required", "The fused attention that training.attention flash stands for"),
      duration("kernel_launch", &GpuSpec::kernel_launch, "required",
               "Gap between two kernels of one stream"),
      quantity(
          "power", &GpuSpec::power_watts, Dimension::Power, 1, 1e5, "required",
          "Board power; another one than its file's changes what runs for long (explain/power.md)"),
      quantity("price", &GpuSpec::dollars_per_hour, Dimension::Price, 0.001, 1000, "",
               "Rental price of one GPU"),
      sources(
          "Where each figure comes from: key path to source; 'assumed: ...' where none was found"),
  };
}

}  // namespace

std::vector<KeyRow> node_and_fabric_keys() {
  return joined(
      {text("network.preset", kByHand, "",
            "Network between the nodes whose measured curve (efficiency of the NICs, "
            "latencies, fill) holds instead of the topology's, as `network: NAME`: a file "
            "of topologies/networks, or a path"),
       node_keys(), fabric_keys()});
}

std::span<const KeyRow> network_keys() {
  static const std::vector<KeyRow> rows = [] {
    std::vector<KeyRow> found;
    for (const KeyRow& row : topology_keys()) {
      const bool of_curve =
          std::find(kNetworkCurve.begin(), kNetworkCurve.end(), row.path) != kNetworkCurve.end();
      if (of_curve || row.path == "name" || row.path == "sources") {
        found.push_back(row);
      }
    }
    return found;
  }();
  return rows;
}

std::vector<KeyRow> gpu_file_keys() {
  std::vector<KeyRow> peaks;
  for (const auto& [precision, precision_name] : kNames<Precision>) {
    peaks.push_back(peak(precision_name, peak_of(precision)));
  }
  std::vector<KeyRow> shares;
  for (const Precision precision : {Precision::Fp8, Precision::Mxfp8, Precision::Fp4}) {
    const std::string_view lender = precision == Precision::Fp8 ? "that of 16 bits" : "that of fp8";
    const auto add = [&](std::string_view figure, PerPrecision<double> GpuSpec::*figures) {
      shares.push_back(fraction(
          fmt::format("gemm.{}.{}", name_of(precision), figure), figure_of(figures, precision), "",
          fmt::format("The same in {}; {} if left out", name_of(precision), lender)));
    };
    add("efficiency", &GpuSpec::gemm_efficiency);
    add("sustained", &GpuSpec::gemm_sustained);
    add("in_step", &GpuSpec::gemm_in_step);
  }
  return joined({text("name", &GpuSpec::name, "required", "Name for people"), std::move(peaks),
                 gpu_figures(), std::move(shares), attention_figures()});
}

std::vector<KeyRow> gpu_section_keys() {
  std::vector<KeyRow> rows;
  for (KeyRow& row : gpu_file_keys()) {
    if (row.path != "name" && row.path != "sources") {
      row.path.insert(0, "gpu.");
      row.fallback.clear();
      row.text += " (instead of the preset's)";
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace danlu
