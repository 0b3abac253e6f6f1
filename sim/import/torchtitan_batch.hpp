// The batch of a torchtitan file: local batches, which pipeline stages cut into microbatches, once
// or several times in a step.
#pragma once

#include "sim/import/draft.hpp"

namespace danlu {

/// Sets training.micro_batch and global_batch; `pipeline`: there are stages. Throws InputError where
/// torchtitan refuses the batch.
void finish_titan_batch(Draft& draft, bool pipeline);

}  // namespace danlu
