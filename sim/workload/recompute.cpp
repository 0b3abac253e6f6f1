// Recomputation as a pass over a layer: full, everything but its input; selective, what attention
// can make again of what it keeps anyway.
#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {

void recompute(Recompute recompute, Block& block) {
  block.recomputed = recompute == Recompute::Full;
  if (recompute != Recompute::Selective) {
    return;
  }
  for (Step& step : block.steps) {
    auto* op = std::get_if<Operator>(&step);
    if (op != nullptr && op->name == kAttention) {
      op->again = true;
      op->kept_inside = {};
    }
  }
}

}  // namespace danlu
