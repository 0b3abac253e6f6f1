// Random small steps on random machines, with slow, throttling and jittering GPUs, slow, dead and
// flapping NICs and links, hurt leaf switches, and nodes of two kinds: for properties that must
// hold of every step.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>

#include "sim/cluster/cluster.hpp"
#include "sim/workload/workload.hpp"

namespace danlu::testing {

/// A step and the machine it runs on.
struct Case {
  ClusterSpec cluster;
  Workload workload;
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  /// A whole number from `least` to `most`; the same on every machine, unlike the standard's.
  int between(int least, int most) {
    const int count = most - least + 1;
    return least + static_cast<int>(engine_() % static_cast<std::uint64_t>(count));
  }
  std::size_t below(std::uint64_t limit) { return engine_() % limit; }
  bool coin() { return between(0, 1) == 1; }
  template <typename Enum>
  Enum one_of(Enum last) {
    return static_cast<Enum>(between(0, static_cast<int>(last)));
  }
  template <typename T>
  T pick(std::initializer_list<T> from) {
    return *(from.begin() + below(from.size()));
  }
  /// A divisor of `number`.
  int divisor(int number) {
    int found = 0;
    do {
      found = between(1, number);
    } while (number % found != 0);
    return found;
  }

 private:
  std::mt19937_64 engine_;
};

/// The same for the same seed, on every machine; it has no problems().
Case random_case(std::uint64_t seed);
/// The same with ways of training that came later: what ZeRO splits, sequences that are shared, a
/// schedule of the whole table, with more microbatches or layers where it needs them, passes side
/// by side, recomputation by parts, layers and units, and what is offloaded.
Case mixed_case(std::uint64_t seed);
/// The same of a model that predicts more tokens, of an encoder, or of an encoder-decoder.
Case other_kind_case(std::uint64_t seed);
/// What it is, for messages.
std::string describe(const Case& drawn);

/// A number from the environment: DANLU_SEED, DANLU_CASES.
std::uint64_t from_environment(const char* name, std::uint64_t otherwise);

}  // namespace danlu::testing
