// How many layers each part of the model holds: the first thing that applies of
//
//   stage_layers              a number for every part in the model's order, or for every stage,
//                             which cuts it evenly into its chunks
//   count_embedding_and_head  (layers + 2) / parts, one less in the first and in the last part:
//                             the embedding and the head count as a layer each (Megatron-LM's
//                             account_for_embedding_in_pipeline_split and ..._loss_...; BLOOM's
//                             type:transformer|embedding)
//   first_, last_stage_layers of these stages; the others share the rest evenly
//   nothing                   layers / parts
#pragma once

#include <string>
#include <vector>

#include "sim/workload/workload.hpp"

namespace danlu {

/// What keeps the layers from being split so: relations between keys; empty if they can be.
std::vector<WorkloadProblem> layer_problems(const Workload& workload);

}  // namespace danlu
