#include <fmt/format.h>

#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/campaign/faults_plan.hpp"
#include "sim/cluster/limits.hpp"
#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/key_rows.hpp"
#include "sim/scenario/search_keys.hpp"
#include "sim/scenario/sweep_keys.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {
namespace {

using namespace rows;

std::vector<KeyRow> parallelism_keys() {
  return {
      count("parallelism.pipeline", &ParallelismSpec::pipeline, 1, 1024, "1",
            "Stages that the layers are cut into"),
      count("parallelism.first_stage_layers", &ParallelismSpec::first_stage_layers, 1, kMost, "",
            "Layers of the first stage, where it holds another number than the rest"),
      count("parallelism.last_stage_layers", &ParallelismSpec::last_stage_layers, 1, kMost, "",
            "The same for the last stage"),
      counts("parallelism.stage_layers", &ParallelismSpec::stage_layers, 0, kMost,
             "Layers of every stage, first to last, as in `[7, 8, 9, 8]`, each cut evenly into its "
             "chunks; or of all pipeline x chunks chunks in the model's order. Evenly if left out"),
      flag("parallelism.count_embedding_and_head", &ParallelismSpec::count_embedding_and_head,
           "false",
           "Share layers evenly with the embedding and the head counted as one each (Megatron-LM's "
           "account_for_embedding and account_for_loss): the first and the last chunk hold a layer "
           "less"),
      flag("parallelism.prediction_before_head", &ParallelismSpec::prediction_before_head, "false",
           "The layers of model.prediction_layers lie on the chunk before the last, which has the "
           "head alone, with the logits of all (Megatron-LM's layouts that end in m|L); false: on "
           "the last, with the head"),
      count("parallelism.data", &ParallelismSpec::data, 1, kLargestCluster, "",
            "Replicas; gpus over the product of all other degrees if left out"),
      count("parallelism.context", &ParallelismSpec::context, 1, 65536, "1",
            "Ranks that share the positions of a sequence: each holds two pieces, the i-th and the "
            "i-th from the end, so that a causal mask leaves all the same work"),
      choice("parallelism.context_exchange", &ParallelismSpec::context_exchange, "ring",
             "Keys and values go round or are gathered; gather-ring: their gradients go round"),
      choice("parallelism.context_heads", &ParallelismSpec::context_repeats,
             {{false, "kv"}, {true, "query"}}, "kv",
             "Of which heads: of keys and values, or repeated for every query's (torchtitan)"),
      count("parallelism.ulysses", &ParallelismSpec::ulysses, 1, 1024, "1",
            "Ranks that share a sequence and exchange, before and after attention, positions for "
            "heads; with context these groups lie inside those"),
      count("parallelism.zero", &ParallelismSpec::zero, 0, 3, "0",
            "What data-parallel ranks split (ZeRO): 1 the optimizer's state, 2 gradients too, 3 "
            "weights too, which are gathered for every pass (FSDP)"),
      count("parallelism.sharding.ranks", &ShardingSpec::ranks, 1, kLargestCluster, "",
            "Data-parallel ranks among which ZeRO splits; gradients are then summed between such "
            "parts (HSDP, MiCS, ZeRO within a node). All if left out"),
      count("parallelism.sharding.unit_layers", &ShardingSpec::unit_layers, 1, kMost, "1",
            "Layers of one unit"),
      count("parallelism.sharding.prefetch", &ShardingSpec::prefetch, 0, kMost, "1",
            "Units whose weights are gathered ahead of the one that computes; 0: none, so that "
            "compute waits for every gather"),
      count("parallelism.sharding.backward_prefetch", &ShardingSpec::backward_prefetch, 0, kMost,
            "",
            "Likewise in backward passes (PyTorch's backward_prefetch); as prefetch if left out"),
      choice("parallelism.sharding.reshard", &ShardingSpec::reshard, "forward",
             "When gathered weights are given up: after each forward pass, to be gathered again "
             "for backward (FULL_SHARD); after backward (SHARD_GRAD_OP); or after the step"),
      enum_list("parallelism.sharding.units", &ShardingSpec::units,
                "What is a unit: weights that are gathered together and whose gradients are "
                "reduced together. One inside another (attention and mlp, or what stands in its "
                "place, in a layer; experts in mlp) has its weights, that one the rest. What is in "
                "none is in the root, which is there all through a pass; model: all is. "
                "torchtitan's are [embedding, layer, head]",
                "layer", std::optional(UnitPart::Model)),
      flag("parallelism.sharding.keep_root", &ShardingSpec::keeps_root, "true",
           "The root, and the head where that is a unit, stay from a forward pass to its backward "
           "pass (PyTorch's root unit); false: they are given up and gathered again as layers are"),
      choice("parallelism.sharding.reduce", &ShardingSpec::reduce, "microbatch",
             "How often gradients are reduced: in the backward pass of every microbatch, or in the "
             "last one (no_sync), until which each rank keeps them whole"),
      flag("parallelism.sharding.scatter", &ShardingSpec::scatters, "true",
           "ZeRO-1 scatters gradients; false: all ranks sum all of them (DeepSpeed's pipelines)"),
      choice("parallelism.sharding.gather_width", &ShardingSpec::gather_bytes,
             {{1, "8bit"}, {2, "16bit"}, {4, "fp32"}}, "",
             "Of a weight that is gathered; the precision's if left out"),
      choice("parallelism.sharding.reduce_width", &ShardingSpec::reduce_bytes,
             {{2, "16bit"}, {4, "fp32"}}, "",
             "Of a gradient that is reduced; as training.gradients if left out"),
      flag("parallelism.sharding.copy", &ShardingSpec::keeps_copy, "true",
           "A rank keeps its shard of 16-bit weights beside the fp32 master weights (DeepSpeed); "
           "false: it casts before it gathers (PyTorch's FSDP)"),
      flag("parallelism.offload.optimizer", &OffloadSpec::optimizer, "false",
           "The optimizer's state lies in the memory of the CPUs, which update it: gradients go "
           "down over PCIe at the end of a step, 16-bit weights come up (ZeRO-Offload)"),
      choice("parallelism.offload.gradients", &OffloadSpec::gradients_in_backward,
             {{false, "step"}, {true, "backward"}}, "step",
             "When gradients go to the host: at the end of the step, all of a rank's shard; or as "
             "each unit's are reduced, so that none stay (DeepSpeed's ZeRO-2 and -3)"),
      count("parallelism.offload.pieces", &OffloadSpec::pieces, 1, 1024, "1",
            "Pieces of that update: one is updated while others travel (Megatron-LM's "
            "--overlap-cpu-optimizer-d2h-h2d)"),
      number("parallelism.offload.update_rate", &OffloadSpec::update_rate, 1e6, 1e13, "3.9e9",
             "Parameters a second that the CPUs of a node update with Adam, all together: 10 "
             "billion in 2.57 s on the two Xeon 8168 of a DGX-2 (Ren et al. 2021, table 4)"),
      count("parallelism.offload.activation_layers", &OffloadSpec::activation_layers, 0, kMost, "0",
            "Of each chunk so many first layers copy their activations to the host and back "
            "(TransformerEngine's and Megatron-LM's cpu_offloading_num_layers)"),
      choice("parallelism.outermost", &ParallelismSpec::outermost, "pipeline",
             "Which ranks lie farthest apart: `pipeline` puts replicas side by side and stages far "
             "apart (Megatron-LM's order tp-cp-dp-pp), `data` puts the stages of a replica side by "
             "side (--use-tp-pp-dp-mapping)"),
      flag("parallelism.scatter_gather", &ParallelismSpec::scatter_gather, "false",
           "Pipeline transfers carry 1/tensor each and are gathered over NVLink on arrival; with "
           "sequence parallelism every rank has such a part of its own anyway"),
      choice("parallelism.overlap.tensor", &ParallelismSpec::overlap_tensor, "backward",
             "What hides tensor-parallel communication: nothing; the weight gradients; or also "
             "products cut into pieces"),
      count("parallelism.overlap.chunks", &ParallelismSpec::tensor_chunks, 1, 64, "4",
            "Pieces of a product with overlap tensor full"),
      count("parallelism.overlap.blocks", &ParallelismSpec::tensor_blocks, 0, 1024, "",
            "With overlap tensor full: multiprocessors that an exchange of tensor ranks keeps from "
            "the products beside it, 0 with copy engines; left out: as many as NCCL takes"),
      flag("parallelism.overlap.pipeline", &ParallelismSpec::overlap_pipeline, "true",
           "A stage computes on while it sends to the next; false: it waits until it has sent"),
      flag("parallelism.overlap.shared_experts", &ParallelismSpec::overlap_shared, "false",
           "Shared experts run beside dispatch and combine (Megatron-LM's "
           "--moe-shared-expert-overlap); false: before the dispatch"),
      flag("parallelism.overlap.pair", &ParallelismSpec::overlap_pairs, "false",
           "1F1B's steady phase runs a forward beside a backward pass, each hiding the other's "
           "exchanges, after one forward pass more (Megatron-LM's "
           "overlap_moe_expert_parallel_comm); needs chunks > 1, or one stage"),
      flag("parallelism.overlap.data", &ParallelismSpec::overlap_data, "",
           "Gradients are reduced layer by layer beside backward; false if left out, and true with "
           "zero 2 and 3"),
      flag("parallelism.overlap.weights", &ParallelismSpec::overlap_weights, "false",
           "With zero 1 and 2 updated weights are gathered beside the first forward passes of the "
           "next step (Megatron-LM's --overlap-param-gather): layer by layer, with pipeline stages "
           "chunk by chunk; false: before it, when the optimizer has ended"),
  };
}

std::vector<Named<std::string>> schedule_words() {
  std::vector<Named<std::string>> words;
  for (const ScheduleRow& row : schedule_table()) {
    words.push_back({std::string(row.name), row.name});
  }
  words.push_back({std::string(kGridSchedule), kGridSchedule});
  return words;
}

/// A word, or the list "[core_attn, mlp]" of parts.
Member<TrainingSpec> recompute_member() {
  const auto set = [](TrainingSpec& training, const Value& value) {
    training.recompute_parts.clear();
    if (!value.text.starts_with('[')) {
      member_at(&TrainingSpec::recompute, words_of<Recompute>()).set(training, value);
      return;
    }
    training.recompute = Recompute::Selective;
    for (const std::string_view word : words_in(value.text)) {
      training.recompute_parts.push_back(value_named<RecomputePart>(word).value());
    }
  };
  const auto get = [](const TrainingSpec& training) {
    std::string list;
    for (const RecomputePart part : training.recompute_parts) {
      list += (list.empty() ? "[" : ", ") + std::string(name_of(part));
    }
    return Value{.text = list.empty() ? std::string(name_of(training.recompute)) : list + "]"};
  };
  return {.set = set, .get = get};
}

std::vector<KeyRow> training_keys() {
  return {
      count("training.global_batch", &TrainingSpec::global_batch, 1, 1e9, "required",
            "Sequences per step, all replicas"),
      count("training.micro_batch", &TrainingSpec::micro_batch, 1, kMost, "1",
            "Sequences per microbatch"),
      count("training.sequence_length", &TrainingSpec::sequence_length, 1, 1e8, "required",
            "Tokens per sequence"),
      count("training.decoder_length", &TrainingSpec::decoder_length, 0, 1e8, "",
            "Of an encoder-decoder, tokens per sequence of its decoder, where `sequence_length` is "
            "the encoder's, by which tokens are counted; as many if left out"),
      choice("training.precision", &TrainingSpec::precision, "bf16",
             "Of matrix products; fp8, mxfp8 and fp4 are of those in layers alone, all else is in "
             "bf16 then"),
      words("training.recompute", recompute_member(), choices_of(words_of<Recompute>()),
            choices_of(words_of<RecomputePart>()), "none",
            "What backward computes again: nothing, unfused attention, the whole layer, all of it "
            "but attention and every second product (torchtitan's op), or parts of it by "
            "Megatron-LM's names, as in `[core_attn, mlp]`"),
      count_or_counts("training.recompute_layers", &TrainingSpec::recompute_layers, 0, kMost,
                      "In how many layers of each chunk, its first ones: one number, or one for "
                      "each stage. In all if left out"),
      count("training.recompute_unit", &TrainingSpec::recompute_unit, 1, kMost, "",
            "With recompute full: layers that are computed again together, of which one input is "
            "kept; 1 if left out"),
      flag("training.recompute_early_stop", &TrainingSpec::recompute_early_stop, "",
           "Do not compute again what nothing in backward needs, such as the last product of a "
           "layer, as PyTorch does since 2.1 (use_reentrant=False); false if left out, as Megatron "
           "does"),
      choice(
          "training.attention", &TrainingSpec::attention, "",
          "Separate kernels over the s x s scores, or one fused causal kernel: flash is the usual "
          "one of the GPU (its attention.usual), the others are FlashAttention 1, 2, 3, cuDNN's in "
          "16 bits and in fp8 and one in Triton, where the GPU's file has them; flash if left out, "
          "unfused with selective recomputation"),
      count("training.attention_window", &TrainingSpec::attention_window, 0, 1e8, "0",
            "Positions that one attends to, itself and those just before it, in every layer; 0: "
            "all before it. Fused attention only"),
      numbers("training.documents", 1e-9, 1e12,
              "Documents packed into a sequence, none of which attends to another: lengths in "
              "tokens, and how many there are of each in proportion, as in `{1024: 6, 8192: 1}`; "
              "one as long as the sequence if left out. Fused attention only"),
      flag("training.dropout", &TrainingSpec::dropout, "false",
           "Dropout in attention and residuals"),
      choice("training.model_flops", &TrainingSpec::causal_flops,
             {{false, "full"}, {true, "causal"}}, "full",
             "Count the whole attention square as model FLOPs (the papers of 2021 and 2022) or the "
             "causal half"),
      choice("training.gradients", &TrainingSpec::gradient_bytes, {{4, "fp32"}, {2, "16bit"}}, "",
             "How gradients are kept and reduced; as Megatron does if left out: 16bit with "
             "precision fp16, fp32 with all others"),
      choice("training.loss", &TrainingSpec::loss, "in-place",
             "What the loss holds of each logit, and moves: 6 bytes in fp32 and in 16 bits, in "
             "place as in Megatron-LM; 12 in fp32 with single operators, as PyTorch has it "
             "(measured), 6 where nobody widens the logits (eager-16bit), or 10 where those of "
             "split logits work in place (eager-sharded: nanotron); 2 where it is compiled or "
             "fused, or 6 where that keeps fp32 (fused-fp32: Megatron-core's "
             "native fusion). In place it moves 24 bytes of a logit, both ways, or 54 with `loss` "
             "in training.unfused; eager 54, eager-16bit 20, fused 12, fused-fp32 28"),
      choice("training.schedule.kind", &TrainingSpec::schedule, schedule_words(), "1f1b",
             "Pipeline schedule (danlu list schedules), or the user's own; grid if there is one"),
      lines("training.schedule.grid",
            "A schedule of one's own: a line for each stage, of PyTorch's words, as `0F0 0F1 0B0 "
            "0B1`. Part of the model (0 to pipeline x chunks - 1), F (forward), B (backward) or I "
            "and W (gradients of inputs, of weights), microbatch; `(2F1;0B0)` is a pair, which "
            "runs side by side"),
      choice("training.schedule.placement", &TrainingSpec::grid_deal,
             words_of({Deal::InTurn, Deal::V}), "in-turn",
             "How a grid's parts lie on stages: in turn from the first stage on, or there and back "
             "as in a V"),
      count("training.schedule.chunks", &TrainingSpec::chunks, 1, 1024, "1",
            "Virtual stages per stage; more than 1 interleaves. What the schedule has where that "
            "is a fixed number"),
      flag("training.schedule.free_before_weights", &TrainingSpec::frees_before_weights, "false",
           "Between I and W a microbatch keeps what W needs, inputs of products and gradients of "
           "their outputs; false: all that it kept until W, and no gradients are counted"),
      quantity(
          "training.memory_reserve", &TrainingSpec::memory_reserve, Dimension::Size, 0, 1e12,
          "4 GiB",
          "Memory of a GPU that a plan should leave to CUDA's context, NCCL's buffers (1.6 GB with "
          "one communicator, about 6 GB with three: github.com/NVIDIA/nccl/issues/864; 0.5 to 0.7 "
          "GB each: issue 964) and fragmentation; a plan that leaves less is tight"),
      number("training.tokens", &TrainingSpec::tokens, 1, 1e18, "",
             "Tokens of the whole run, for days, cost and energy"),
  };
}

std::vector<KeyRow> forced_choice_keys(const std::string& section, std::string_view groups) {
  return {
      choice(section + ".algorithm", &ForcedChoice::algorithm, words_or_auto<Algorithm>(), "auto",
             fmt::format("Algorithm for the collectives of {}, wherever it can make them; auto: as "
                         "danlu collective chooses",
                         groups)),
      choice(section + ".protocol", &ForcedChoice::protocol, words_or_auto<Protocol>(), "auto",
             fmt::format("Protocol for the collectives of {}", groups)),
  };
}

std::vector<KeyRow> degraded_keys() {
  return {
      numbers("degraded.gpus", 1, 1000,
              "Slow GPUs by number: their kernels take that many times as long"),
      numbers("degraded.nics", 0, 1,
              "NICs, counted over the cluster: the share of bandwidth left; 0: dead, another NIC "
              "of the node stands in"),
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
}

/// What comes and goes within a step.
std::vector<KeyRow> step_fault_keys() {
  constexpr double kLongestStep = 864e3;  // seconds: 10 days
  const std::string throttle = "degraded.throttle.*.";
  const std::string flap = "degraded.flaps.#.";
  const auto time = [](std::string path, Into into, double least, std::string fallback,
                       std::string help) {
    return quantity(std::move(path), std::move(into), Dimension::Duration, least, kLongestStep,
                    std::move(fallback), std::move(help));
  };
  return {
      number(throttle + "slowdown", &Throttle::slowdown, 1, 1000, "required",
             "GPUs that throttle, by number or range (`4-7`): their kernels take that many times "
             "as long while hot"),
      time(throttle + "period", &Throttle::period, 1e-6, "required",
           "From the beginning of one hot stretch to the next"),
      number(throttle + "share", &Throttle::share, 0, 1, "required",
             "Share of a period that is hot"),
      number(throttle + "phase", &Throttle::phase, 0, 1, "0",
             "Part of a period that is over when the step begins; 0: a hot stretch begins"),
      number("degraded.jitter.spread", &Jitter::spread, 0, 1, "",
             "Each stretch of kernels (norm, QKV, attention, ...) takes a log-normal factor of "
             "mean 1 and this standard deviation; 0: none"),
      count("degraded.jitter.seed", &Jitter::seed, 0, 1e9, "1", "Of the random factors"),
      text("degraded.jitter.gpus", kByHand, "",
           "GPUs that jitter, as in `0-7, 12`; all if left out"),
      count(flap + "nic", kByHand, 0, kMost, "", "Links that come back: of this NIC"),
      count(flap + "scale_up", kByHand, 0, kMost, "", "or of this GPU inside its node"),
      time(flap + "at", &Flap::at, 0, "required", "When it begins, from the beginning of the step"),
      time(flap + "for", &Flap::length, 1e-9, "required", "How long it lasts"),
      number(flap + "share", &Flap::share, 0, 1, "0",
             "Share of the bandwidth that is left; 0: down"),
      count("degraded.draws", &DegradedSpec::draws, 1, 1000, "1",
            "Steps to play where throttling or jitter leave something to chance, for their mean "
            "and its error"),
  };
}

/// The rows of a section, with its name; `help` goes after what they say of themselves.
std::vector<KeyRow> below(std::string_view section, std::vector<KeyRow> rows,
                          std::string_view help = "") {
  for (KeyRow& row : rows) {
    row.path = fmt::format("{}.{}", section, row.path);
    row.text += help;
  }
  return rows;
}
std::vector<KeyRow> without(std::vector<KeyRow> rows, std::string_view path) {
  std::erase_if(rows, [&](const KeyRow& row) { return row.path == path; });
  return rows;
}
std::vector<KeyRow> without_defaults(std::vector<KeyRow> rows) {
  for (KeyRow& row : rows) {
    row.fallback.clear();
  }
  return rows;
}

/// Those of the plan and, as the section `search`, lists of values for some of them.
std::vector<KeyRow> plan_keys() {
  const std::vector<KeyRow> plan =
      joined({tensor_keys(), parallelism_keys(), training_keys(), expert_keys()});
  return joined({plan, search_keys(plan)});
}

}  // namespace

std::span<const KeyRow> scenario_keys() {
  static const std::vector<KeyRow> rows = joined({
      text("name", kByHand, "", "Name for people; the file's name if left out"),
      text("extends", kByHand, "", "Another scenario whose values hold where this one has none"),
      model_keys(),
      text("cluster.topology", kByHand, "required",
           "A topology of danlu list topologies, or a path to a topology file"),
      count("cluster.gpus", &ClusterSpec::gpus, 1, kLargestCluster, "required", "GPUs in use"),
      text("cluster.gpu.preset", kByHand, "",
           "GPU preset or file instead of the topology's own; `gpu: NAME` says the same"),
      below("cluster", gpu_section_keys()),
      quantity("cluster.price", kByHand, Dimension::Price, 0.001, 1000, "",
               "Price of a GPU instead of the GPU file's"),
      KeyRow{.path = "cluster.mixed",
             .type = KeyType::Ranges,
             .text = "Nodes of another kind: by node or range of nodes a topology with the same "
                     "structure, whose GPU, links and NICs they have"},
      below("cluster", without_defaults(node_and_fabric_keys()), " (instead of the topology's)"),
      plan_keys(),
      sweep_keys(),
      width_keys(),
      host_keys(),
      degraded_keys(),
      step_fault_keys(),
      forced_choice_keys("communication.tensor", "tensor groups"),
      forced_choice_keys("communication.data", "data and embedding groups"),
      forced_choice_keys("communication.expert", "all-to-all of tokens to experts"),
      quantity("communication.timeout", &CommunicationSpec::timeout, Dimension::Duration, 1e-3,
               864e3, "600 s",
               "A communication that hangs on a flapping link for longer ends the job"),
      below("faults", faults_section_keys()),
      choice("collectives", &Workload::collectives, "steady",
             "The closed form of each communication alone, one flow per phase of a collective "
             "sharing links, or one flow per message"),
      choice("fold", &Workload::fold, "exact",
             "Play one of each class of equal ranks, coarse classes at their worst, or every rank"),
  });
  return rows;
}

std::span<const KeyRow> topology_keys() {
  static const std::vector<KeyRow> rows = joined({
      text("name", &TopologySpec::name, "required", "Name for people"),
      text("gpu.preset", kByHand, "required",
           "GPU preset (danlu list gpus) or a path to a GPU file, as `gpu: NAME`; other keys of "
           "`gpu` override its figures"),
      gpu_section_keys(),
      node_and_fabric_keys(),
      sources(
          "Where each figure comes from: key path to source; 'assumed: ...' where none was found"),
  });
  return rows;
}

std::span<const KeyRow> gpu_keys() {
  static const std::vector<KeyRow> rows = gpu_file_keys();
  return rows;
}

std::span<const KeyRow> faults_keys() {
  static const std::vector<KeyRow> rows =
      joined({text("name", &FaultsPlan::name, "required", "Name for people"),
              without(faults_section_keys(), "preset"),
              sources("Where each figure comes from: key path to source")});
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
  const std::size_t dot = path.rfind('.');  // the section must fit, the last part be the same
  const std::string_view section = dot == std::string_view::npos ? "" : path.substr(0, dot);
  const std::string_view last = path.substr(section.empty() ? 0 : dot + 1);
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const KeyRow& row) {
    return row.path.ends_with(last) && rest_below(row.path, section) == last;  // cheap test first
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
