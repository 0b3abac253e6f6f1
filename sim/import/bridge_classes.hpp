// Models that a file of Megatron-Bridge or NeMo 2 has by the name of a class (`_target_`): what the
// class says of its fields counts where the file does not write them.
#pragma once

#include <string_view>
#include <vector>

#include "sim/import/draft.hpp"

namespace danlu {

/// Whether danlu has the fields of a class, "megatron.bridge.models.llama.Llama3ModelProvider8B".
bool knows_class(std::string_view target);

/// Puts the fields of the file's class, if danlu knows it, before its own flags.
void add_class_fields(std::vector<GivenFlag>& flags);

/// What a class that danlu does not know may say otherwise than Megatron-core's defaults is to be
/// filled in; without sizes the whole model, also of a class that leaves them to its file.
/// `target`: the file's class, or nullptr.
void fill_in_class(Draft& draft, const GivenFlag* target);

}  // namespace danlu
