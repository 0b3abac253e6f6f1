// One fuzzer of Clang's libFuzzer; DANLU_FUZZ_TARGET names its target.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto targets = danlu::testing::fuzz_targets();
  static const auto target = std::find_if(targets.begin(), targets.end(), [](const auto& one) {
    return one.name == DANLU_FUZZ_TARGET;
  });
  danlu::testing::fuzz_one(*target, std::string(data, data + size));
  return 0;
}
