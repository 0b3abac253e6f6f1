// Any bytes make a scenario or an InputError, and the same holds for a topology.
#include <cstddef>
#include <cstdint>
#include <string>

#include "sim/base/error.hpp"
#include "sim/scenario/load_scenario.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const danlu::LoadOptions options{DANLU_SOURCE_DIR "/topologies", {}};
  const std::string text(data, data + size);
  try {
    danlu::load_scenario_text(text, "fuzz.yaml", options);
  } catch (const danlu::InputError&) {
  }
  try {
    danlu::load_topology_text(text, "fuzz.yaml", options);
  } catch (const danlu::InputError&) {
  }
  return 0;
}
