// How published tables of training runs word their settings, in small letters. A word that is none
// of these is not understood; one that is understood may still be a thing that danlu has no model
// for, which then is why the row is not simulated.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/workload/workload.hpp"

namespace danlu {

/// Year and month of a date, as far as it says them, so that later ones sort behind: "2023-07" of
/// "2023-07..11", "2026-04" of a container's "26.04 ...", the last of the years "2023-24"; "" for
/// none.
std::string month_of(std::string_view date);
/// The year alone; 0 for none.
int year_of(std::string_view date);

/// Whether attention is unfused: "unfused", "naive", "eager", "no flash..."; false for flash, te,
/// cudnn, sdpa and everything else that is fused.
std::optional<bool> unfused_attention(std::string_view text);

/// A format, as far as tables tell them apart.
struct NumberFormat {
  bool fp4 = false, fp8 = false, bf16 = false, fp16 = false, tf32 = false, other = false;
};
/// Reads "bf16", "amp_bf16", "float16", "fp8 (hybrid)", "bf16/fp16"; plain "amp" is fp16.
std::optional<NumberFormat> number_format(std::string_view text);

/// What is computed again.
struct RecomputeWords {
  bool is_simulated = true;  // not so where it is chosen in a way that nobody names
  Recompute kind = Recompute::None;
  double share = 1;                    // of the layers, where Full names some
  std::vector<RecomputePart> parts{};  // of Selective; none named: the attention core, if unfused
};
/// Reads "none", "full", "selective", "selective(moe_act,layernorm)", "selective(layernorm+whole
/// moe)". MaxText's "minimal_flash" keeps what products and attention give. By operator, as
/// torchtitan: "selective(op)", "selective per op". Some layers whole: "selective(every 2nd
/// layer)", "selective(2)", "selective(1/3)".
std::optional<RecomputeWords> recompute_words(std::string_view text);

/// What is split over data-parallel ranks.
struct ShardingWords {
  bool is_simulated = true;  // not so where the host's memory takes part
  int zero = 0;
  bool is_fsdp = false;        // which keeps no 16-bit copy of its shard
  bool keeps_weights = false;  // from forward to backward: SHARD_GRAD_OP
  std::optional<int> ranks{};  // that share, where a number is said
  bool within_node = false;    // and where none is: those of a node (HSDP)
};
/// Reads "none", "ZeRO-1 within 8", "distributed optimizer", "FSDP FULL_SHARD (ZeRO-3)",
/// "FSDP SHARD_GRAD_OP", "Megatron FSDP group 64", "3".
std::optional<ShardingWords> sharding_words(std::string_view text);

/// yes or no; Ulysses is another kind of sequence parallelism.
enum class SequenceWord { No, Yes, Ulysses };
std::optional<SequenceWord> sequence_word(std::string_view text);

/// Who sends tokens to their experts: "alltoall", "deepep", "hybridep".
bool is_dispatcher(std::string_view text);

}  // namespace danlu
