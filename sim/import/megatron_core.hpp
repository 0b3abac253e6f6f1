// Settings of Megatron-core that Megatron-LM's flags and NeMo's and Megatron-Bridge's keys give
// under names of their own, and what follows of them; what they mean stands in
// megatron/core/transformer/transformer_config.py (github.com/NVIDIA/Megatron-LM).
#pragma once

#include <string_view>

#include "sim/import/draft.hpp"

namespace danlu {

/// By which names a framework gives them, "a|b" under either; "" where it cannot.
struct CoreNames {
  std::string_view graph_kind;     // none, local, transformer_engine, full_iteration
  std::string_view graph_parts;    // attn, mlp, moe_router, ...; the whole layer without it
  std::string_view local_graphs;   // true: graph_kind local, by older versions
  std::string_view engine_graphs;  // true: graph_kind transformer_engine, likewise
  std::string_view expert_groups, groups_per_token, gpus_of_node;
  std::string_view fsdp, sharding_strategy, optimizer_instances;
  std::string_view fused_loss, loss_kernel;
  std::string_view wide_ends, wide_first, wide_last;
  std::string_view fused_positions, fused_activation, fused_softmax, fused_sums;
  bool negated = false;  // those four say what is not fused (Megatron-LM's --no-...)
};

/// What of CUDA graphs, groups of experts, the loss, layers that stay wide and fusions a file says.
/// To be called once precision, attention, positions, experts and how tokens reach these are known;
/// `framework` is the profile whose unfused passes these are beside.
void take_core_settings(Draft& draft, const CoreNames& names, std::string_view framework);

/// Megatron-FSDP: what it shards by its strategy. Whether the file has it, with a known one.
bool take_fsdp(Draft& draft, const CoreNames& names);

/// Into how many parts replicas fall whose optimizers are split each for itself.
void take_optimizer_instances(Draft& draft, const CoreNames& names);

/// Selective recomputation of the parts that `modules` lists, Megatron's default without it.
void take_recomputed_parts(Draft& draft, const GivenFlag& kind, const GivenFlag* modules);

/// The words of "attn moe_router", "attn,moe_router" and "[attn, moe_router]".
std::vector<std::string_view> words_of(std::string_view list);

}  // namespace danlu
