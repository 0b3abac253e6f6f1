// Settings of Megatron-core, which Megatron-LM's flags and NeMo's and Megatron-Bridge's keys give
// under names of their own, and what follows of them; what they mean stands in
// megatron/core/transformer/transformer_config.py (github.com/NVIDIA/Megatron-LM). A list of names
// "--moe-router-topk|model.moe_router_topk" holds those of all of them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sim/import/draft.hpp"

namespace danlu {

/// A framework on Megatron-core, and what it takes where its file is silent.
struct CoreFramework {
  std::string_view name;
  std::string_view profile;     // training.framework
  bool pads_vocab = true;       // without should_pad_vocab
  long query_rank = 0;          // of latent attention
  long kv_rank = 32;            // likewise
  bool overlaps_stages = true;  // that interleave
  bool fuses_positions = true, fuses_loss = true, fuses_sums = true;
  double dropout = 0.1;          // of attention and of what layers add
  std::string_view sums_need{};  // the switch without which sums are not fused, whatever is said
};

/// The rows of its settings under Megatron-LM's flags, or under NeMo's and Megatron-Bridge's keys.
std::vector<FlagRow> core_rows(bool flags);

/// Whether a name is a flag of Megatron-LM, and no key of a file.
inline bool is_flag(std::string_view name) {
  return name.starts_with("--");
}

/// What a switch says, of which "--no-..." says the contrary; nothing where none is given.
std::optional<bool> switched(const Draft& draft, std::string_view names);

/// What follows of several settings for the model: latent attention, biases, positions, the
/// vocabulary, experts, an encoder-decoder. Throws InputError where a flag is no number.
void take_core_model(Draft& draft, const CoreFramework& framework);

/// Whether the model has experts, or only the one who runs the script knows how many.
bool may_have_experts(const Draft& draft);

/// Whether positions turn heads, as far as the file says; of a model by an option it is assumed.
bool has_rotary_positions(const Draft& draft);

/// Likewise for the plan: contexts, stages, how tokens reach experts. Throws InputError where
/// Megatron-LM refuses it.
void take_core_plan(Draft& draft, const CoreFramework& framework);

/// What of CUDA graphs, groups of experts, attention, the loss, layers that stay wide, fusions,
/// dropout and passes over gradients a file says. To be called last.
void take_core_settings(Draft& draft, const CoreFramework& framework);

/// Precision by a flag of 8 bits; in mxfp8 where `mx`, the recipe's, says so, too.
void set_fp8(Draft& draft, const GivenFlag& fp8, const GivenFlag* mx);

/// Megatron-FSDP: what it shards by its strategy. Whether the file has it, with a known one.
bool take_fsdp(Draft& draft);

inline constexpr const char* kGatheredWeights =
    "--overlap-param-gather|ddp.overlap_param_gather|comm_overlap.overlap_param_gather|"
    "model.optim.overlap_param_sync";
/// Weights of ZeRO-1 that are gathered beside the first passes.
void take_gathered_weights(Draft& draft);
/// Whether danlu has updated weights travel beside passes in such a plan.
bool can_gather_beside(const Draft& draft);

/// Into how many parts replicas fall whose optimizers are split each for itself.
void take_optimizer_instances(Draft& draft);

/// Selective recomputation of the parts that `modules` lists, Megatron's default without it.
void take_recomputed_parts(Draft& draft, const GivenFlag& kind, const GivenFlag* modules);

/// training.tokens of so many sequences, where batch and length are known.
void take_tokens(Draft& draft, double sequences, const GivenFlag* from);

}  // namespace danlu
