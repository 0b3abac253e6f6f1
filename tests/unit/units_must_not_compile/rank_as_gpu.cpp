// Must not compile: a rank is not a GPU.
#include "sim/base/ids.hpp"

int of_gpu(danlu::GpuId id) {
  return static_cast<int>(id);
}
int of_gpu_seven() {
  return of_gpu(danlu::RankId{7});
}
