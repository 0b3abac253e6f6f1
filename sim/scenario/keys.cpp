#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/cluster/topology_spec.hpp"
#include "sim/collective/algorithms.hpp"
#include "sim/scenario/key_rows.hpp"
#include "sim/workload/schedule.hpp"

namespace danlu {
namespace {

using namespace rows;

std::vector<KeyRow> node_keys() {
  return {
      text(
          "node.xml", "",
          "NCCL's or RCCL's topology file of such a node (XML); the keys below that stand here win "
          "over it"),
      count("node.gpus", 1, 16384, "required", "GPUs in one node (one scale-up domain)"),
      quantity("node.power", Dimension::Power, 1, 1e7, "", "Nameplate power of the whole node"),
      choice("node.scale_up.kind", "switch|mesh|none|torus|full-mesh", "switch",
             "How GPUs of a node are joined: through NVSwitches, by the direct links listed, over "
             "PCIe only, by links to the neighbours in a torus, or by links between all pairs"),
      count("node.scale_up.switches", 1, 1024, "1", "Switch chips in a node (for the counts)"),
      bandwidth("node.scale_up.bandwidth", 1e9, 1e13, "",
                "Nominal bandwidth per GPU (mesh, torus: per link) and direction"),
      fraction("node.scale_up.efficiency", "1",
               "Share of the nominal bandwidth that collectives achieve"),
      fraction("node.scale_up.reduction_efficiency", "",
               "The same for sums that the switches make (NVLS); absent: they cannot"),
      bandwidth("node.scale_up.reduction_cap", 1e9, 1e13, "",
                "Bus bandwidth that such sums never exceed"),
      duration("node.scale_up.latency", "0 us", "One step from GPU to GPU, software included"),
      {.path = "node.scale_up.links",
       .type = KeyType::Links,
       .text = "Of a mesh: a list of [GPU, GPU, number of links]"},
      count("node.scale_up.links_per_pair", 1, 64, "1", "Of a full mesh: links between two GPUs"),
      text("node.scale_up.dims", "", "Of a torus: GPUs along each axis, as in `4x4x4`"),
      count("node.scale_up.wrap", 3, 1024, "3",
            "Of a torus: the shortest axis that closes into a ring"),
      bandwidth("node.pcie.bandwidth", 1e8, 5e11, "64 GB/s",
                "GPU to NIC, each direction (GPU to PCIe switch where no direct links join all)"),
      fraction("node.pcie.efficiency", "1",
               "Share of it that collectives achieve between GPUs that meet over PCIe"),
      numbers("node.pcie.slots", 0.001, 1, "GPUs in slower slots: share of that bandwidth"),
      count("node.pcie.switches", 1, 64, "1",
            "Where GPUs meet over PCIe: switches that share GPUs and NICs, joined by the CPUs"),
      text("node.pcie.gpus", "", "GPUs below each PCIe switch, as in `5+3`; evenly if left out"),
      text("node.pcie.nics", "", "NICs below each PCIe switch, as in `1+0`; evenly if left out"),
      bandwidth("node.pcie.uplink", 1e8, 1e12, "",
                "PCIe switch to the CPUs, each direction; as the bandwidth if left out"),
      count("node.nics.count", 1, 16384, "",
            "NICs of a node that carry training traffic; a second node needs them"),
      bandwidth("node.nics.bandwidth", 1e8, 2.5e11, "",
                "Nominal bandwidth of one NIC, each direction"),
      bandwidth("node.nics.slot", 1e8, 5e11, "",
                "PCIe of one NIC, each direction, where it is narrower than the NIC"),
      count("node.nics.ports", 1, 8, "1",
            "Ports of a NIC that share its bandwidth, each cabled to a leaf and plane of its own"),
      fraction("node.nics.efficiency", "1", "Share of the nominal bandwidth that messages achieve"),
  };
}

std::vector<KeyRow> fabric_keys() {
  std::string kinds;
  std::string helps;
  for (const FabricRow& row : kFabricKinds) {
    kinds += fmt::format("{}{}", kinds.empty() ? "" : "|", row.name);
    helps += fmt::format("{}{}: {}", helps.empty() ? "" : "; ", row.name, row.help);
  }
  return {
      choice("fabric.kind", kinds, "rail-optimised", "How nodes are joined. " + helps),
      count("fabric.nodes_per_leaf", 1, kMost, "32",
            "Nodes below one leaf switch (torus, dragonfly: at one switch)"),
      number("fabric.oversubscription", 0.01, 100, "1",
             "Of a leaf: bandwidth down over bandwidth up; below 1 it has more up than down"),
      count("fabric.nodes_per_pod", 1, kMost, "",
            "Nodes below one set of spines; then a third level, the core, joins these pods"),
      number("fabric.pod_oversubscription", 0.01, 100, "1",
             "Of a spine below a core: bandwidth down over bandwidth up"),
      bandwidth("fabric.uplink_bandwidth", 1e8, 1e13, "",
                "One cable between switches, each direction; that of a NIC's port if left out"),
      count("fabric.switch_ports", 2, 1e5, "",
            "Ports of a spine or core at that speed; as many as a leaf has if left out"),
      text("fabric.dims", "", "Of a torus: switches along each axis, as in `8x8x8`"),
      count("fabric.groups", 2, 10000, "", "Of a dragonfly: groups of switches"),
      count("fabric.switches_per_group", 1, 1000, "", "Of a dragonfly"),
      count("fabric.global_links_per_switch", 1, 1000, "",
            "Of a dragonfly: cables from a switch to other groups"),
      duration("fabric.latency", "0 us",
               "One step from GPU to GPU through one leaf, software included"),
      duration("fabric.small_latency", "0 us",
               "The same for messages up to 16 KiB, where a network sends them faster"),
      fraction(
          "fabric.reduction_efficiency", "",
          "Share of the NICs' rate that sums made by its switches achieve (SHARP); absent: they "
          "cannot"),
      duration("fabric.hop_latency", "0 us", "Each further switch on the way"),
      choice("fabric.routing", "adaptive|ecmp", "adaptive",
             "adaptive: traffic spreads evenly over equal paths; ecmp: a hash picks one path for "
             "every flow, and flows can collide"),
      count("fabric.ecmp_seed", 0, 1e9, "1", "Of the hash of ecmp"),
      count("fabric.connections", 1, 64, "1",
            "With ecmp: flows that the traffic of two GPUs is split into, each with a path of its "
            "own (queue pairs)"),
      flag(
          "fabric.pxn", "true",
          "Traffic between rails goes over NVLink (PCIe-only: the PCIe switches) to the NIC on the "
          "destination's rail and along that rail; false: from its own rail over the spine"),
      duration("collective.launch", "0 us", "Fixed cost of starting one collective"),
      choice("collective.tuning", "none|nccl", "none",
             "What chooses algorithm and protocol: nothing (rings, through a torus axis by axis), "
             "or NCCL's model with its constants"),
      bandwidth("storage.write", 1e6, 1e15, "",
                "What the checkpoint storage takes in, all writers together; no limit if left out"),
      bandwidth("storage.read", 1e6, 1e15, "", "What it gives out; as `storage.write` if left out"),
      bandwidth("storage.node_write", 1e6, 1e13, "", "What one node can write to it"),
      bandwidth("storage.node_read", 1e6, 1e13, "",
                "What one node can read from it; as `storage.node_write` if left out"),
      flag("storage.shares_nics", "false",
           "Checkpoints travel over the NICs that training uses, not over NICs of their own"),
      quantity("collective.fill", Dimension::Size, 0, 1e12, "0 B",
               "With NCCL: pipeline that a ring or tree must fill in a node"),
      quantity("collective.reduction_fill", Dimension::Size, 0, 1e12, "0 B",
               "The same for sums that the switches of a node make"),
      quantity("collective.network_fill", Dimension::Size, 0, 1e12, "0 B",
               "The same for the network, all NICs of a node together"),
      number("collective.network_passes", 0, 100, "0",
             "Network stages that do not overlap while it fills"),
  };
}

std::vector<KeyRow> node_and_fabric_keys() {
  std::vector<KeyRow> rows = node_keys();
  const std::vector<KeyRow> fabric = fabric_keys();
  rows.insert(rows.end(), fabric.begin(), fabric.end());
  return rows;
}

std::vector<KeyRow> make_gpu_keys() {
  std::vector<KeyRow> rows{text("name", "required", "Name for people")};
  for (const char* precision : {"fp32", "tf32", "fp16", "bf16", "fp8", "fp4"}) {
    rows.push_back(quantity(std::string("peak_dense.") + precision, Dimension::ComputeRate, 1e11,
                            1e17, "",
                            "Dense peak (never with 2:4 sparsity); absent if the GPU lacks it"));
  }
  const std::vector<KeyRow> rest{
      quantity("memory.capacity", Dimension::Size, 1e9, 1e13, "required", "Usable HBM"),
      bandwidth("memory.bandwidth", 1e11, 1e14, "required", "Nominal HBM bandwidth"),
      fraction("memory.efficiency", "required",
               "Share of the HBM bandwidth that large streaming kernels reach"),
      count("multiprocessors", 1, 10000, "required", "SMs, for wave quantisation"),
      number("compute_capability", 3, 20, "",
             "NVIDIA's number of the generation, from which NCCL takes its constants"),
      fraction("gemm.efficiency", "required", "Asymptotic share of the dense peak in products"),
      number("gemm.half_k", 0, 1e5, "required", "K at which the main loop reaches half of that"),
      fraction("attention.forward_efficiency", "required",
               "Fused attention, on the FLOPs it really does"),
      fraction("attention.backward_efficiency", "required", "The same, backward"),
      duration("kernel_launch", "required", "Gap between two kernels of one stream"),
      quantity("power", Dimension::Power, 1, 1e5, "required", "Board power"),
      quantity("price", Dimension::Price, 0.001, 1000, "", "Rental price of one GPU"),
      {.path = "sources",
       .type = KeyType::Sources,
       .text =
           "Where each figure comes from: key path to source; 'assumed: ...' where none was found"},
  };
  rows.insert(rows.end(), rest.begin(), rest.end());
  return rows;
}

/// The figures of a GPU as keys of a section, each instead of the preset's.
std::vector<KeyRow> gpu_section_keys() {
  std::vector<KeyRow> rows;
  for (KeyRow& row : make_gpu_keys()) {
    if (row.path != "name" && row.path != "sources") {
      row.path.insert(0, "gpu.");
      row.fallback.clear();
      row.text += " (instead of the preset's)";
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::vector<KeyRow> make_topology_keys() {
  std::vector<KeyRow> rows{
      text("name", "required", "Name for people"),
      text("gpu.preset", "required",
           "GPU preset (danlu list gpus) or a path to a GPU file, as `gpu: NAME`; other keys of "
           "`gpu` "
           "override its figures"),
  };
  for (KeyRow& row : gpu_section_keys()) {
    rows.push_back(std::move(row));
  }
  for (KeyRow& row : node_and_fabric_keys()) {
    rows.push_back(std::move(row));
  }
  rows.push_back({.path = "sources",
                  .type = KeyType::Sources,
                  .text = "Where each figure comes from: key path to source; 'assumed: ...' where "
                          "none was found"});
  return rows;
}

void add_model_keys(std::vector<KeyRow>& rows) {
  const std::vector<KeyRow> model{
      text("model.preset", "",
           "A model of danlu list models; `model: NAME` says the same. Other keys override it"),
      count("model.layers", 1, kMost, "", "Transformer layers; required without a preset"),
      count("model.hidden", 1, kMost, "", "Hidden size; required without a preset"),
      count("model.heads", 1, kMost, "", "Attention heads; required without a preset"),
      count("model.kv_heads", 1, kMost, "", "Key-value heads; as many as heads if left out"),
      count("model.head_dim", 1, kMost, "", "Width of a head; hidden / heads if left out"),
      count("model.ffn", 1, 1e7, "", "Width of the MLP; 4 x hidden if left out"),
      count("model.vocab", 1, 1e7, "",
            "Vocabulary, as padded for training; required without a preset"),
      count(
          "model.positions", 0, 1e9, "",
          "Rows of a learned position table; 0 for rotary or ALiBi, as in an own model that leaves "
          "it out"),
      flag(
          "model.gated_mlp", "",
          "Three MLP matrices (SwiGLU, GeGLU) instead of two; false in an own model that leaves it "
          "out: the report says what an own model is taken for"),
      flag("model.tied_embeddings", "",
           "Input and output embedding are one table; true in an own model that leaves it out"),
      flag("model.biases", "", "Products have biases; true in an own model that leaves it out"),
      choice("model.norm", "layernorm|rmsnorm", "",
             "Kind of normalisation; layernorm in an own model that leaves it out"),
  };
  rows.insert(rows.end(), model.begin(), model.end());
}

void add_parallelism_keys(std::vector<KeyRow>& rows) {
  const std::vector<KeyRow> parallelism{
      count("parallelism.tensor", 1, 1024, "1", "Ranks that share each matrix product"),
      count("parallelism.pipeline", 1, 1024, "1", "Stages that the layers are cut into"),
      count("parallelism.first_stage_layers", 1, kMost, "",
            "Layers of the first stage, where it holds another number than the rest"),
      count("parallelism.last_stage_layers", 1, kMost, "", "The same for the last stage"),
      {.path = "parallelism.stage_layers",
       .type = KeyType::Counts,
       .minimum = 1,
       .maximum = kMost,
       .text =
           "Layers of every stage, first to last, as in `[7, 8, 9, 8]`; with chunks each is cut "
           "evenly into them. Evenly over the stages if left out"},
      count("parallelism.data", 1, kMost, "", "Replicas; gpus / (tensor x pipeline) if left out"),
      flag("parallelism.sequence", "false",
           "Sequence parallelism: norms and dropouts are split over the tensor ranks too"),
      count(
          "parallelism.zero", 0, 1, "0",
          "ZeRO stage: 1 splits the optimizer's state over data-parallel ranks; 2, 3 and FSDP are "
          "not simulated"),
      flag("parallelism.scatter_gather", "false",
           "Pipeline transfers carry 1/tensor each and are gathered over NVLink on arrival"),
      choice("parallelism.overlap.tensor", "none|backward|full", "backward",
             "What hides tensor-parallel communication: nothing; the weight gradients; or also "
             "products cut into pieces"),
      count("parallelism.overlap.chunks", 1, 64, "4",
            "Pieces of a product with overlap tensor full"),
      flag("parallelism.overlap.pipeline", "true",
           "A stage computes on while it sends to the next; false: it waits until it has sent"),
      flag("parallelism.overlap.data", "false",
           "Reduce gradients layer by layer during the last backward pass"),
  };
  rows.insert(rows.end(), parallelism.begin(), parallelism.end());
}

std::string schedule_choices() {
  std::vector<std::string_view> names;
  for (const ScheduleRow& row : schedule_table()) {
    names.push_back(row.name);
  }
  return fmt::format("{}", fmt::join(names, "|"));
}

void add_training_keys(std::vector<KeyRow>& rows) {
  const std::vector<KeyRow> training{
      count("training.global_batch", 1, 1e9, "required", "Sequences per step, all replicas"),
      count("training.micro_batch", 1, kMost, "1", "Sequences per microbatch"),
      count("training.sequence_length", 1, 1e8, "required", "Tokens per sequence"),
      choice("training.precision", "fp32|tf32|fp16|bf16|fp8", "bf16", "Of matrix products"),
      choice("training.recompute", "none|selective|full", "none",
             "What backward computes again: nothing, unfused attention, or the whole layer"),
      choice(
          "training.attention", "unfused|flash", "",
          "Separate kernels over the s x s scores, or one fused causal kernel; flash if left out, "
          "unfused with selective recomputation"),
      flag("training.dropout", "false", "Dropout in attention and residuals"),
      choice("training.model_flops", "full|causal", "full",
             "Count the whole attention square as model FLOPs (the papers of 2021 and 2022) or the "
             "causal half"),
      choice("training.gradients", "fp32|16bit", "",
             "How gradients are kept and reduced; as Megatron does if left out: 16bit with "
             "precision fp16, fp32 with all others"),
      choice("training.schedule.kind", schedule_choices(), "1f1b", "Pipeline schedule"),
      count("training.schedule.chunks", 1, 1024, "1",
            "Virtual stages per stage; more than 1 interleaves"),
      quantity(
          "training.memory_reserve", Dimension::Size, 0, 1e12, "4 GiB",
          "Memory of a GPU that a plan should leave to CUDA's context, NCCL's buffers (1.6 GB "
          "with one communicator, about 6 GB with three: github.com/NVIDIA/nccl/issues/864; "
          "0.5 to 0.7 GB each: issue 964) and fragmentation; a plan that leaves less is tight"),
      number("training.tokens", 1, 1e18, "", "Tokens of the whole run, for days, cost and energy"),
  };
  rows.insert(rows.end(), training.begin(), training.end());
}

/// "auto|ring|tree|...".
template <typename Names>
std::string auto_or(const Names& names) {
  std::string choices = "auto";
  for (const std::string_view name : names) {
    choices += fmt::format("|{}", name);
  }
  return choices;
}

void add_communication_keys(std::vector<KeyRow>& rows) {
  std::vector<std::string_view> names;
  for (const AlgorithmRow& row : algorithms()) {
    names.push_back(row.name);
  }
  for (const auto& [section, groups] :
       {std::pair("tensor", "tensor groups"), std::pair("data", "data and embedding groups")}) {
    rows.push_back(choice(fmt::format("communication.{}.algorithm", section), auto_or(names),
                          "auto",
                          fmt::format("Algorithm for the collectives of {}, wherever it can make "
                                      "them; auto: as danlu collective chooses",
                                      groups)));
    rows.push_back(choice(fmt::format("communication.{}.protocol", section),
                          auto_or(kProtocolNames), "auto",
                          fmt::format("Protocol for the collectives of {}", groups)));
  }
  rows.push_back(quantity("communication.timeout", Dimension::Duration, 1e-3, 864e3, "600 s",
                          "A communication that hangs on a flapping link for longer ends the job"));
}

void add_degraded_keys(std::vector<KeyRow>& rows) {
  const std::vector<KeyRow> degraded{
      numbers("degraded.gpus", 1, 1000,
              "Slow GPUs by number: their kernels take that many times as long"),
      numbers(
          "degraded.nics", 0, 1,
          "NICs, counted over the cluster: the share of bandwidth left; 0: dead, another NIC of "
          "the node stands in"),
      numbers("degraded.scale_up", 0, 1,
              "Slow scale-up links by GPU: the share of bandwidth left, above 0"),
      {.path = "degraded.links",
       .type = KeyType::Shares,
       .minimum = 0,
       .maximum = 1,
       .text = "Of mesh and torus nodes: links between two GPUs and the share of bandwidth left; "
               "0: dead, the other links stand in"},
      numbers("degraded.leaves", 0, 1,
              "Leaf switches: the share of their uplinks left; 0: down, with all ports to NICs"),
      numbers("degraded.spines", 0, 1, "Spine switches: the share of their cables left; 0: down"),
  };
  rows.insert(rows.end(), degraded.begin(), degraded.end());
}

/// What comes and goes within a step.
void add_step_fault_keys(std::vector<KeyRow>& rows) {
  constexpr double kLongest = 864e3;  // seconds: 10 days
  const std::string throttle = "degraded.throttle.*.";
  const std::string flap = "degraded.flaps.#.";
  const auto time = [](std::string path, double least, std::string fallback, std::string help) {
    return quantity(std::move(path), Dimension::Duration, least, kLongest, std::move(fallback),
                    std::move(help));
  };
  const std::vector<KeyRow> faults{
      number(
          throttle + "slowdown", 1, 1000, "required",
          "GPUs that throttle, by number or range (`4-7`): their kernels take that many times as "
          "long while hot"),
      time(throttle + "period", 1e-6, "required",
           "From the beginning of one hot stretch to the next"),
      number(throttle + "share", 0, 1, "required", "Share of a period that is hot"),
      number(throttle + "phase", 0, 1, "0",
             "Part of a period that is over when the step begins; 0: a hot stretch begins"),
      number(
          "degraded.jitter.spread", 0, 1, "",
          "Each stretch of kernels (norm, QKV, attention, ...) takes a log-normal factor of mean 1 "
          "and this standard deviation; 0: none"),
      count("degraded.jitter.seed", 0, 1e9, "1", "Of the random factors"),
      text("degraded.jitter.gpus", "", "GPUs that jitter, as in `0-7, 12`; all if left out"),
      count(flap + "nic", 0, kMost, "", "Links that come back: of this NIC"),
      count(flap + "scale_up", 0, kMost, "", "or of this GPU inside its node"),
      time(flap + "at", 0, "required", "When it begins, from the beginning of the step"),
      time(flap + "for", 1e-9, "required", "How long it lasts"),
      number(flap + "share", 0, 1, "0", "Share of the bandwidth that is left; 0: down"),
      count(
          "degraded.draws", 1, 1000, "1",
          "Steps to play where throttling or jitter leave something to chance, for their mean and "
          "its error"),
  };
  rows.insert(rows.end(), faults.begin(), faults.end());
}

std::vector<KeyRow> make_scenario_keys() {
  std::vector<KeyRow> rows{
      text("name", "", "Name for people; the file's name if left out"),
      text("extends", "", "Another scenario whose values hold where this one has none"),
  };
  add_model_keys(rows);
  rows.push_back(text("cluster.topology", "required",
                      "A topology of danlu list topologies, or a path to a topology file"));
  rows.push_back(count("cluster.gpus", 1, kMost, "required", "GPUs in use"));
  rows.push_back(
      text("cluster.gpu.preset", "",
           "GPU preset or file instead of the topology's own; `gpu: NAME` says the same"));
  for (KeyRow& row : gpu_section_keys()) {
    row.path.insert(0, "cluster.");
    rows.push_back(std::move(row));
  }
  rows.push_back(quantity("cluster.price", Dimension::Price, 0.001, 1000, "",
                          "Price of a GPU instead of the GPU file's"));
  rows.push_back({.path = "cluster.mixed",
                  .type = KeyType::Ranges,
                  .text = "Nodes of another kind: by node or range of nodes a topology with the "
                          "same structure, whose GPU, links and NICs they have"});
  for (KeyRow& row : node_and_fabric_keys()) {
    row.path.insert(0, "cluster.");
    row.fallback.clear();
    row.text += " (instead of the topology's)";
    rows.push_back(std::move(row));
  }
  add_parallelism_keys(rows);
  add_training_keys(rows);
  add_degraded_keys(rows);
  add_step_fault_keys(rows);
  add_communication_keys(rows);
  for (KeyRow& row : faults_section_keys()) {
    row.path.insert(0, "faults.");
    rows.push_back(std::move(row));
  }
  rows.push_back(choice("collectives", "formula|steady|stepwise", "steady",
                        "The closed form of each communication alone, one flow per phase of a "
                        "collective sharing links, or one flow per message"));
  rows.push_back(choice("fold", "exact|bound|off", "exact",
                        "Play one of each class of equal ranks, coarse classes at their worst, or "
                        "every rank"));
  return rows;
}

std::vector<KeyRow> make_faults_keys() {
  std::vector<KeyRow> rows{text("name", "required", "Name for people")};
  for (KeyRow& row : faults_section_keys()) {
    if (row.path != "preset") {
      rows.push_back(std::move(row));
    }
  }
  rows.push_back({.path = "sources",
                  .type = KeyType::Sources,
                  .text = "Where each figure comes from: key path to source"});
  return rows;
}

}  // namespace

std::span<const KeyRow> scenario_keys() {
  static const std::vector<KeyRow> rows = make_scenario_keys();
  return rows;
}

std::span<const KeyRow> topology_keys() {
  static const std::vector<KeyRow> rows = make_topology_keys();
  return rows;
}

std::span<const KeyRow> gpu_keys() {
  static const std::vector<KeyRow> rows = make_gpu_keys();
  return rows;
}

std::span<const KeyRow> faults_keys() {
  static const std::vector<KeyRow> rows = make_faults_keys();
  return rows;
}

std::optional<std::string_view> rest_below(std::string_view pattern, std::string_view section) {
  if (section.ends_with('.')) {
    return std::nullopt;  // a name is missing
  }
  while (!section.empty()) {
    const std::string_view wanted = pattern.substr(0, pattern.find('.'));
    const std::string_view found = section.substr(0, section.find('.'));
    const bool number = found.find_first_not_of("0123456789") == std::string_view::npos;
    if (wanted.size() == pattern.size() ||
        (wanted != found && wanted != "*" && !(wanted == "#" && number))) {
      return std::nullopt;
    }
    pattern.remove_prefix(wanted.size() + 1);
    const bool more = found.size() < section.size();
    section.remove_prefix(found.size() + (more ? 1 : 0));
    if (more && section.empty()) {
      return std::nullopt;  // "training." has a part without a name
    }
  }
  return pattern;
}

bool is_section_of(std::span<const KeyRow> keys, std::string_view path) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const KeyRow& row) { return rest_below(row.path, path).has_value(); });
}

std::vector<std::string_view> names_below(std::span<const KeyRow> keys, std::string_view section) {
  std::vector<std::string_view> names;
  for (const KeyRow& row : keys) {
    if (const std::optional<std::string_view> rest = rest_below(row.path, section)) {
      const std::string_view name = rest->substr(0, rest->find('.'));
      if (name != "*" && name != "#" &&
          std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

const KeyRow* find_short_form(std::span<const KeyRow> keys, std::string_view section) {
  for (const char* name : {".preset", ".kind", ".mean"}) {
    if (const KeyRow* row = find_key(keys, std::string(section) + name)) {
      return row;
    }
  }
  return nullptr;
}

const KeyRow* find_key(std::span<const KeyRow> keys, std::string_view path) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const KeyRow& row) {
    const std::size_t dot = path.rfind('.');  // the section must fit, the last part be the same
    const std::string_view section = dot == std::string_view::npos ? "" : path.substr(0, dot);
    return rest_below(row.path, section) == path.substr(section.empty() ? 0 : dot + 1);
  });
  return found == keys.end() ? nullptr : &*found;
}

const KeyRow* find_numbers(std::span<const KeyRow> keys, std::string_view path) {
  const std::size_t dot = path.rfind('.');
  const KeyRow* row = dot == std::string_view::npos ? nullptr : find_key(keys, path.substr(0, dot));
  const bool has_entries =
      row != nullptr && (row->type == KeyType::Numbers || row->type == KeyType::Ranges);
  return has_entries ? row : nullptr;
}

}  // namespace danlu
