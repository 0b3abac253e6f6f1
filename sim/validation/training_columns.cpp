#include <array>

#include "sim/validation/training_table.hpp"
#include "sim/validation/training_words.hpp"

namespace danlu {
namespace {

constexpr std::string_view kAttentionWords =
    "flash, cudnn, te, sdpa or another fused kernel; unfused, naive, eager";
constexpr std::string_view kFormatWords = "fp16, bf16, fp8, tf32, fp4, fp32 and the like";
constexpr std::string_view kRecomputeWords =
    "none, full, selective, selective(PARTS) of Megatron-LM's names, selective(op), "
    "selective(every 2nd layer), minimal_flash; minimal, partial, block, uniform, custom and "
    "selections of other parts are known and not simulated";
constexpr std::string_view kShardingWords =
    "none, ZeRO-0 to ZeRO-3, distributed optimizer, FSDP (FULL_SHARD, SHARD_GRAD_OP), `within n`; "
    "offload is known and not simulated";

using Kind = ColumnRule::Kind;
constexpr double kMost = 1e6;  // GPUs, and so degrees of parallelism
constexpr double kMostSeconds = 1e6;
constexpr std::array kTrainingColumns{
    ColumnRule{"id"},
    ColumnRule{"source"},
    ColumnRule{.name = "date",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return year_of(text) != 0; },
               .words = "it starts with the year: 2023-07, or a container's 26.04"},
    ColumnRule{"gpu"},
    ColumnRule{"model"},
    ColumnRule{"framework"},
    ColumnRule{"interconnect_intra"},
    ColumnRule{"interconnect_inter"},
    ColumnRule{"gpus", Kind::Count, 1, kMost},
    ColumnRule{"gpus_per_node", Kind::Count, 1, 1024},
    ColumnRule{"layers", Kind::Count, 1, 1e5},
    ColumnRule{"hidden", Kind::Count, 1, 1e6},
    ColumnRule{"ffn_hidden", Kind::Count, 1, 1e7},
    ColumnRule{"gated_mlp", Kind::Flag},
    ColumnRule{"heads", Kind::Count, 1, 1e5},
    ColumnRule{"kv_heads", Kind::Count, 1, 1e5},
    ColumnRule{"vocab", Kind::Count, 1, 1e7},
    ColumnRule{"seq_len", Kind::Count, 1, 1e8},
    ColumnRule{"moe_experts", Kind::Count, 0, 1e6},
    ColumnRule{"moe_topk", Kind::Count, 0, 1e4},
    ColumnRule{"moe_ffn_hidden", Kind::Count, 0, 1e7},
    ColumnRule{"global_batch_seqs", Kind::Count, 1, 1e9},
    ColumnRule{"micro_batch", Kind::Count, 1, 1e6},
    ColumnRule{"tp", Kind::Count, 1, kMost},
    ColumnRule{"pp", Kind::Count, 1, kMost},
    ColumnRule{"vpp", Kind::Count, 1, 1e5},
    ColumnRule{"cp", Kind::Count, 1, kMost},
    ColumnRule{"ep", Kind::Count, 1, kMost},
    ColumnRule{"etp", Kind::Count, 1, kMost},
    ColumnRule{"dp", Kind::Count, 1, kMost},
    ColumnRule{.name = "sequence_parallel",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return sequence_word(text).has_value(); },
               .words = kFlagWords},
    ColumnRule{.name = "zero_stage_or_sharding",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return sharding_words(text).has_value(); },
               .words = kShardingWords},
    ColumnRule{.name = "moe_dispatcher",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return is_dispatcher(text); },
               .words = "alltoall, deepep, hybridep"},
    ColumnRule{"moe_a2a_overlap", Kind::Flag},
    ColumnRule{"cpu_offload_layers", Kind::Count, 0, 1e5},
    ColumnRule{.name = "recompute",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return recompute_words(text).has_value(); },
               .words = kRecomputeWords},
    ColumnRule{.name = "attention_kernel",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return unfused_attention(text).has_value(); },
               .words = kAttentionWords},
    ColumnRule{.name = "dtype",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return number_format(text).has_value(); },
               .words = kFormatWords},
    ColumnRule{"notes"},
    ColumnRule{"step_time_s", Kind::Number, 1e-6, kMostSeconds},
    ColumnRule{"derived_step_time_s", Kind::Number, 1e-6, kMostSeconds},
    ColumnRule{"tokens_per_s_per_gpu", Kind::Number, 1e-6, 1e9},
    ColumnRule{"peak_mem_gb", Kind::Number, 1e-3, 1e5},
    ColumnRule{.name = "peak_mem_of",
               .kind = Kind::Word,
               .known = [](std::string_view text) { return value_named<PeakOf>(text).has_value(); },
               .words = "allocated, reserved (by the framework's allocator), card (what nvidia-smi "
                        "says)"},
    ColumnRule{.name = "complete",
               .kind = Kind::Word,
               .known =
                   [](std::string_view text) {
                     return text.starts_with("missing") || parse_flag(text).has_value();
                   },
               .words = "yes, true, 1, no, false, 0, or missing:COLUMNS"},
};

}  // namespace

std::span<const ColumnRule> training_columns() {
  return kTrainingColumns;
}

}  // namespace danlu
