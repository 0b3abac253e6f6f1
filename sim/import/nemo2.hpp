// NeMo 2 (nemo/lightning, nemo/collections/llm of github.com/NVIDIA/NeMo, 2.4): the settings of
// Megatron-core in sections of its own, of the strategy, of the model's and the optimizer's config.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/import/draft.hpp"

namespace danlu {

/// The flag that stands for such a section, where the file has one.
inline constexpr const char* kNemo2 = "trainer.strategy";

/// Gives the settings in these sections the names that the rows have for them. MegatronStrategy
/// lays its own over the model's (ParallelismConfig); `notes` gets what it changes.
void rename_nemo2(std::vector<GivenFlag>& flags, std::span<const FlagRow> rows,
                  std::vector<std::string>& notes);

}  // namespace danlu
