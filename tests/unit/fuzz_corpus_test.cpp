// The inputs that the fuzzer starts from or once stumbled over, played in the normal suite.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace danlu::testing {
namespace {

TEST(FuzzCorpus, EveryInputIsReadOrRefused) {
  std::size_t inputs = 0;
  for (const char* folder : {"/tests/fuzz/corpus", "/scenarios", "/topologies"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(source_dir() + folder)) {
      if (entry.is_regular_file()) {
        SCOPED_TRACE(entry.path());
        std::ifstream stream(entry.path(), std::ios::binary);
        const std::string text(std::istreambuf_iterator<char>(stream), {});
        EXPECT_NO_THROW(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()),
                                               text.size()));
        ++inputs;
      }
    }
  }
  EXPECT_GE(inputs, 20U);
}

}  // namespace
}  // namespace danlu::testing
