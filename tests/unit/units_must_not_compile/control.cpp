// Must compile: the others differ from it in one line each, so they fail for that line.
#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

danlu::Bytes sum() {
  return danlu::Bytes{1} + danlu::Bytes{2};
}

int of_gpu(danlu::GpuId id) {
  return static_cast<int>(id);
}
int of_gpu_seven() {
  return of_gpu(danlu::GpuId{7});
}

danlu::Seconds at_rate(danlu::BytesPerSecond rate) {
  return danlu::Bytes{1} / rate;
}
danlu::Seconds at_one_byte_per_second() {
  return at_rate(danlu::BytesPerSecond{1});
}
