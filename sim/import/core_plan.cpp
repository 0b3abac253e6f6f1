// What follows for the plan from several settings of Megatron-core.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/base/units.hpp"
#include "sim/import/megatron_core.hpp"
#include "sim/import/pipeline_layout.hpp"
#include "sim/scenario/load_scenario.hpp"

namespace danlu {
namespace core_plan {  // the folder is built as one
namespace {

/// Of the names of a setting the one that stands in the same file as `flag`.
std::string_view name_beside(const GivenFlag& flag, std::string_view names) {
  const std::vector<std::string_view> all = split(names, '|');
  return *std::find_if(all.begin(), all.end(),
                       [&](std::string_view name) { return is_flag(name) == is_flag(flag.name); });
}

// ---- Contexts.
constexpr std::string_view kContext = "--context-parallel-size|model.context_parallel_size";

/// a2a+p2p has groups of two levels: of all-to-alls (the first number) within those of a ring.
/// Megatron refuses it without them, and where their product is not that of the contexts.
void take_two_levels(Draft& draft, const GivenFlag& context, const GivenFlag& type) {
  constexpr std::string_view kSizes =
      "--hierarchical-context-parallel-sizes|model.hierarchical_context_parallel_sizes";
  const GivenFlag* given = draft.given(kSizes);
  if (given == nullptr) {
    for (const char* key : {"parallelism.ulysses", "parallelism.context"}) {
      draft.fill_in(key,
                    fmt::format("{} a2a+p2p needs {}", type.place(), name_beside(type, kSizes)));
    }
    return;
  }
  const std::vector<std::string_view> sizes = words_of(given->value);
  const std::optional<double> inner = parse_number(sizes.empty() ? "" : sizes[0]);
  const std::optional<double> outer = parse_number(sizes.size() == 2 ? sizes[1] : "");
  const double all = static_cast<double>(draft.whole(kContext).value_or(1));
  if (!inner || !outer || *inner * *outer != all) {
    throw InputError(
        given->problem(fmt::format("'{}' must be two numbers whose product is {}, found {}",
                                   given->name, context.value, quote(given->value)),
                       "Megatron refuses others"));
  }
  draft.set("parallelism.ulysses", fmt::format("{}", *inner), given,
            fmt::format("of a2a, of {} {}", context.name, context.value));
  draft.set("parallelism.context", fmt::format("{}", *outer), given,
            fmt::format("of p2p, within {}", type.name));
}

void take_contexts(Draft& draft) {
  const GivenFlag* context = draft.given(kContext);
  if (context == nullptr) {
    return;
  }
  const GivenFlag* type = draft.given("--cp-comm-type|model.cp_comm_type");
  const std::vector<std::string_view> types =
      words_of(type != nullptr ? std::string_view(type->value) : "");
  const std::string_view first = types.empty() ? "p2p" : types.front();
  const bool ulysses = first == "a2a";
  if (std::any_of(types.begin(), types.end(), [&](std::string_view one) { return one != first; })) {
    draft.not_used(*type, fmt::format("danlu has one exchange for all layers: {} is taken", first));
  }
  if (first == "a2a+p2p") {
    return take_two_levels(draft, *context, *type);
  }
  draft.set(ulysses ? "parallelism.ulysses" : "parallelism.context",
            std::to_string(draft.whole(kContext).value_or(1)), context);
  if (type == nullptr || ulysses || draft.count("parallelism.context") <= 1) {
    return;
  }
  const bool gathers = first == "all_gather" || first == "allgather";
  if (gathers || first == "p2p") {
    draft.set("parallelism.context_exchange", gathers ? "all-gather" : "ring", type);
  } else {
    draft.not_used(*type, fmt::format("danlu does not know its value '{}'", shown(first)));
  }
}

// ---- Stages.

constexpr const char* kStages = "parallelism.pipeline";

/// Chunks of so many layers. Megatron refuses those of which a stage is no whole number, where
/// embedding and loss may count as a layer each (validate_args).
void take_virtual_stages(Draft& draft, const GivenFlag& given, long layers, long stages) {
  const long all = draft.count("model.layers");
  if (all == 0 || draft.is_gap(kStages)) {
    draft.fill_in("training.schedule.chunks", fmt::format("layers of a stage / {}", given.value));
    return;
  }
  const long counted = all + (draft.on("--account-for-embedding-in-pipeline-split") ? 1 : 0) +
                       (draft.on("--account-for-loss-in-pipeline-split") ? 1 : 0);
  if (counted % (stages * layers) != 0) {
    throw InputError(given.problem(
        fmt::format("{} layers on {} stages are not chunks of {} layers", counted, stages, layers),
        "Megatron refuses such a plan"));
  }
  draft.set("training.schedule.chunks", std::to_string(counted / stages / layers), &given);
}

void take_stages(Draft& draft, const CoreFramework& framework) {
  constexpr std::string_view kEmbedding =
      "--account-for-embedding-in-pipeline-split|model.account_for_embedding_in_pipeline_split";
  if (draft.on(kEmbedding) &&
      draft.on("--account-for-loss-in-pipeline-split|model.account_for_loss_in_pipeline_split")) {
    draft.set("parallelism.count_embedding_and_head", "true", draft.given(kEmbedding));
  }
  const long stages = std::max(1L, draft.count(kStages));
  if (const GivenFlag* given =
          draft.given("--pipeline-model-parallel-layout|model.pipeline_model_parallel_layout")) {
    if (draft.is_gap(kStages)) {
      draft.fill_in("training.schedule.chunks", fmt::format("parts of {} / stages", given->value));
    }
    take_pipeline_layout(draft, *given, stages);
  }
  constexpr const char* kVirtual = "--num-layers-per-virtual-pipeline-stage";
  if (const std::optional<long> layers = draft.whole(kVirtual); layers && *layers > 0) {
    take_virtual_stages(draft, *draft.given(kVirtual), *layers, stages);
  }
  if (stages == 1 && !draft.is_gap(kStages)) {
    for (const char* key : {"training.schedule.chunks", "parallelism.first_stage_layers",
                            "parallelism.last_stage_layers"}) {
      draft.forget(key);
    }
    return;
  }
  constexpr std::string_view kOverlap =
      "--no-overlap-p2p-communication|model.overlap_p2p_comm|comm_overlap.overlap_p2p_comm";
  const bool interleaved = draft.count("training.schedule.chunks") > 1;
  const std::optional<bool> says = switched(draft, kOverlap);
  const bool overlaps = interleaved && says.value_or(framework.overlaps_stages);
  draft.set("parallelism.overlap.pipeline", overlaps ? "true" : "false",
            !interleaved ? "Megatron sends and receives beside compute only when it interleaves"
            : says       ? draft.given(kOverlap)->place()
                         : fmt::format("{}'s default with interleaving", framework.name));
}

// ---- How tokens reach experts.
void take_expert_exchange(Draft& draft, const CoreFramework& framework) {
  constexpr std::string_view kDispatcher =
      "--moe-token-dispatcher-type|model.moe_token_dispatcher_type";
  constexpr std::string_view kKey = "parallelism.expert_exchange";
  const GivenFlag* given = draft.given(kDispatcher);
  const std::string type = given != nullptr ? given->value : "allgather";
  const long ranks = draft.count("parallelism.expert");
  if (draft.has(kKey)) {  // DeepEP has a flag of its own
    return;
  }
  if (type == "flex") {
    draft.set(kKey, "deepep", given);
  } else if (type.starts_with("alltoall")) {
    draft.set(kKey, "all-to-all", given);
  } else if (type != "allgather") {
    draft.not_used(*given, fmt::format("danlu does not know its value '{}'", shown(type)));
  } else if (ranks > 1) {
    const std::string from =
        given != nullptr ? given->place()
                         : fmt::format("{}'s default of moe_token_dispatcher_type", framework.name);
    const double more = static_cast<double>(ranks) /
                        static_cast<double>(std::max(1L, draft.count("model.experts.per_token")));
    draft.set(kKey, "all-to-all", fmt::format("{}: allgather, which danlu does not have", from));
    draft.remark(fmt::format(
        "{}: allgather brings all tokens to all ranks, {:.3g} times what an all-to-all sends at "
        "most; danlu has no such exchange and takes all-to-all",
        from, more));
  }
}

void take_experts(Draft& draft, const CoreFramework& framework) {
  if (!may_have_experts(draft) && draft.has("model.layers")) {
    for (const char* key :
         {"parallelism.expert_exchange", "parallelism.expert_tensor", "training.experts.capacity",
          "training.experts.pad", "parallelism.overlap.shared_experts"}) {
      draft.forget(key);  // whole dumps of a configuration have them for dense models, too
    }
  }
  const long tensor = draft.count("parallelism.tensor");
  if (may_have_experts(draft) && !draft.has("parallelism.expert_tensor") && tensor > 1) {
    draft.set("parallelism.expert_tensor", std::to_string(tensor),
              fmt::format("{}'s default: as many as tensor_model_parallel_size", framework.name));
  }
  constexpr std::string_view kShared =
      "--moe-shared-expert-overlap|model.moe_shared_expert_overlap";
  if (draft.on(kShared) && draft.count("parallelism.expert") <= 1) {
    draft.forget("parallelism.overlap.shared_experts");
    draft.not_used(*draft.given(kShared),
                   fmt::format("there is nothing to run beside without {}",
                               name_beside(*draft.given(kShared),
                                           "--expert-model-parallel-size|"
                                           "model.expert_model_parallel_size")));
  }
  if (may_have_experts(draft) || draft.count("parallelism.expert") > 1) {
    take_expert_exchange(draft, framework);
  }
}

/// Sequence parallelism, and the sum of what each tensor rank has whole
/// (megatron/core/distributed/finalize_model_grads.py).
void take_sequence_parallelism(Draft& draft) {
  constexpr std::string_view kSequence = "--sequence-parallel|model.sequence_parallel";
  if (!draft.on(kSequence)) {
    return;
  }
  draft.set("parallelism.sequence", "true", draft.given(kSequence));
  if (draft.count("parallelism.tensor") > 1) {
    draft.set("parallelism.sum_whole", "true", draft.given(kSequence),
              "gradients of norms are summed");
  }
}

/// Megatron-LM refuses to overlap tensor ranks without sequence parallelism (validate_args), NeMo
/// and Megatron-Bridge switch it off.
void check_tensor_overlap(Draft& draft) {
  constexpr std::string_view kOverlap =
      "--tp-comm-overlap|model.tp_comm_overlap|model.ub_tp_comm_overlap|"
      "comm_overlap.tp_comm_overlap";
  const GivenFlag* from = draft.first_on(kOverlap);
  if (from == nullptr || draft.count("parallelism.tensor") <= 1 ||
      draft.at("parallelism.sequence") == "true") {
    return;
  }
  if (is_flag(from->name)) {
    throw InputError(from->problem(fmt::format("'{}' needs --sequence-parallel", from->name),
                                   "Megatron refuses such a plan"));
  }
  draft.forget("parallelism.overlap.tensor");
  draft.no_effect(*from, "switched off without sequence_parallel");
}

}  // namespace
}  // namespace core_plan

std::optional<bool> switched(const Draft& draft, std::string_view names) {
  const GivenFlag* given = draft.given(names);
  if (given == nullptr) {
    return std::nullopt;
  }
  return draft.on(given->name) != given->name.starts_with("--no-");
}

void take_core_plan(Draft& draft, const CoreFramework& framework) {
  core_plan::take_sequence_parallelism(draft);
  core_plan::check_tensor_overlap(draft);
  core_plan::take_contexts(draft);
  core_plan::take_stages(draft, framework);
  core_plan::take_experts(draft, framework);
}

bool take_fsdp(Draft& draft) {
  constexpr std::array<std::string_view, 4> kStrategies{"no_shard", "optim", "optim_grads",
                                                        "optim_grads_params"};
  const GivenFlag* strategy =
      draft.given("--data-parallel-sharding-strategy|ddp.data_parallel_sharding_strategy");
  if (strategy == nullptr ||
      draft.first_that_says("--use-megatron-fsdp|--use-custom-fsdp|ddp.use_megatron_fsdp|"
                            "ddp.use_custom_fsdp|dist.use_megatron_fsdp|trainer.strategy.fsdp") ==
          nullptr) {
    return false;
  }
  const auto* const found = std::find(kStrategies.begin(), kStrategies.end(), strategy->value);
  if (found == kStrategies.end()) {
    draft.not_used(*strategy, "danlu does not know this strategy");
    return false;
  }
  draft.set("parallelism.zero", std::to_string(found - kStrategies.begin()), strategy);
  return true;
}

bool can_gather_beside(const Draft& draft) {
  return ParallelismSpec::gathers_beside(static_cast<int>(draft.count("parallelism.pipeline")),
                                         static_cast<int>(draft.count("parallelism.expert")));
}

void take_gathered_weights(Draft& draft) {
  const GivenFlag* flag = draft.first_on(kGatheredWeights);
  if (flag == nullptr) {
    return;
  }
  if (draft.count("parallelism.zero") != 1) {
    draft.no_effect(*flag,
                    "only with ZeRO-1 weights are gathered here when they have been updated");
  } else if (!can_gather_beside(draft)) {
    draft.not_used(*flag,
                   "with pipeline stages and experts on several ranks danlu gathers updated "
                   "weights when the optimizer has ended");
  } else {
    draft.set("parallelism.overlap.weights", "true", flag);
  }
}

void take_optimizer_instances(Draft& draft) {
  constexpr std::string_view kInstances =
      "--num-distributed-optimizer-instances|ddp.num_distributed_optimizer_instances";
  const std::optional<long> instances = draft.whole(kInstances);
  const std::optional<long> data = draft.replicas();
  if (!instances || *instances <= 1 || !data || draft.count("parallelism.zero") == 0) {
    return;
  }
  const GivenFlag& from = *draft.given(kInstances);
  if (*data % *instances != 0) {
    throw InputError(
        from.problem(fmt::format("'{}' must divide the {} replicas, found {}", from.name, *data,
                                 quote(from.value)),
                     "Megatron refuses such a plan; --gpus says how many replicas there are"));
  }
  draft.set("parallelism.sharding.ranks", std::to_string(*data / *instances), &from);
}

}  // namespace danlu
