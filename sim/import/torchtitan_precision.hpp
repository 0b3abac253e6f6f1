// torchtitan: what its products and its optimizer compute with.
#pragma once

#include "sim/import/draft.hpp"

namespace danlu {

/// Precision by model.converters, and by training.dtype what weights, gradients and moments lie in.
/// To be called once the model and the plan are known.
void finish_titan_precision(Draft& draft);

}  // namespace danlu
