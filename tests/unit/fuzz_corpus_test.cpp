// The inputs that the fuzzers start from or once stumbled over, played in the normal suite.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

/// How many files of a folder were read or refused.
int play_folder(const FuzzTarget& target, const std::filesystem::path& folder) {
  int inputs = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      SCOPED_TRACE(entry.path());
      std::ifstream stream(entry.path(), std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(stream), {});
      EXPECT_NO_THROW(fuzz_one(target, bytes));
      ++inputs;
    }
  }
  return inputs;
}

TEST(FuzzCorpus, EveryInputIsReadOrRefused) {
  for (const FuzzTarget& target : fuzz_targets()) {
    const std::string name(target.name);
    EXPECT_GE(play_folder(target, source_dir() + "/tests/fuzz/corpus/" + name), 1) << name;
    EXPECT_GE(play_folder(target, source_dir() + "/" + std::string(target.seeds)), 1) << name;
  }
}

}  // namespace
}  // namespace danlu::testing
