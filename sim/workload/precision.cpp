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

Bytes amaxes_of_layer(bool forward) {
  constexpr double kProducts = 4;
  return Bytes{kProducts * (forward ? 3 : 2) * 4};
}

AxisSet amax_axes(const TrainingSpec& training) {
  if (training.precision != Precision::Fp8 || training.fp8_recipe != Fp8Recipe::Delayed) {
    return {};
  }
  const AxisSet sequence = kSequenceAxes.with(Axis::Tensor);
  switch (training.fp8_amax) {
    case Fp8Amax::Tensor:
      return sequence;
    case Fp8Amax::All:
      return sequence.with(kDataAxes);
    case Fp8Amax::Own:
      break;
  }
  return {};
}

}  // namespace danlu
