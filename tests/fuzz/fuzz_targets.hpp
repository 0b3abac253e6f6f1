// What is fuzzed: each kind of input that a user can hand in. Any bytes are read or end as
// InputError; anything else is a finding.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace danlu::testing {

struct FuzzTarget {
  std::string_view name;    // of its fuzzer and of its folder in corpus/
  std::string_view seeds;   // shipped files to start from, below the repository's root
  std::string_view ending;  // of their names
  void (*read)(const std::string& bytes);
};
std::span<const FuzzTarget> fuzz_targets();

/// Reads the bytes and swallows InputError.
void fuzz_one(const FuzzTarget& target, const std::string& bytes);

}  // namespace danlu::testing
