// The batch of a torchtitan file: local batches, which pipeline stages cut into microbatches, once
// or several times in a step.
#pragma once

#include "sim/import/draft.hpp"

namespace danlu {

/// Whether a file has its degrees where they stood until then: under [experimental] and [training].
bool is_before_april_2025(const Draft& draft);

/// Sets training.micro_batch and global_batch; `pipeline`: there are stages. Throws InputError
/// where torchtitan refuses the batch.
void finish_titan_batch(Draft& draft, bool pipeline);

}  // namespace danlu
