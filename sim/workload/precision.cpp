#include "sim/workload/precision.hpp"

#include "sim/workload/workload.hpp"

namespace danlu {

Quantisation quantisation_of(Precision precision, Fp8Recipe recipe) {
  if (precision == Precision::Mxfp8) {
    return {.bytes = 1 + 1.0 / 32, .both_ways = true};
  }
  if (precision == Precision::Fp4) {
    return {.bytes = 0.5 + 1.0 / 16, .reads = 2, .both_ways = true, .in_maker = InMaker::Largest};
  }
  switch (recipe) {
    case Fp8Recipe::Delayed:
      return {};
    case Fp8Recipe::Tensorwise:
      return {.reads = 2, .in_maker = InMaker::Largest};
    case Fp8Recipe::Blockwise:
      break;
  }
  return {.bytes = 1 + 4.0 / 128, .both_ways = true, .in_maker = InMaker::Nothing};
}

Quantisation quantisation_of(const TrainingSpec& training) {
  Quantisation how = quantisation_of(training.precision, training.fp8_recipe);
  how.transposes = how.both_ways || training.fp8_transposes;
  return how;
}

}  // namespace danlu
