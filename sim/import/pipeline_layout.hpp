// Megatron-LM's --pipeline-model-parallel-layout: what each part of a pipeline holds, in the
// model's order (megatron/core/transformer/pipeline_parallel_layer_layout.py, parse_str_to_list).
//
//   Ettt|(tt|)*29,m|L     E embedding, t a layer, m one that predicts more, L loss; | ends a part,
//                         x*n and (..)*n repeat, commas are for the eye
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sim/import/draft.hpp"

namespace danlu {

struct PipelineLayout {
  std::vector<int> layers;              // by part
  std::optional<std::size_t> predicts;  // the last part with layers that predict more
};

/// Nothing where `text` is none.
std::optional<PipelineLayout> read_pipeline_layout(std::string_view text);

/// Writes what the flag says of a pipeline of so many stages into the scenario.
void take_pipeline_layout(Draft& draft, const GivenFlag& given, long stages);

}  // namespace danlu
