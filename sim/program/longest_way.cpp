#include "sim/program/longest_way.hpp"

#include <algorithm>

namespace danlu {

std::vector<IdVector<PassId, Seconds>> rests(const StepProgram& step, const LeastTimes& least) {
  const std::size_t stages = step.stages.size();
  std::vector<IdVector<PassId, Seconds>> rests;
  std::vector<std::size_t> passes_left, sends_left;
  for (const StageProgram& stage : step.stages) {
    rests.emplace_back(stage.passes.size(), Seconds{});
    passes_left.push_back(stage.passes.size());
    sends_left.push_back(stage.sends.size());
  }
  const auto add_last_left = [&](std::size_t stage) {
    std::size_t& left = passes_left[stage];
    std::size_t& sends = sends_left[stage];
    const PassId pass = make_id<PassId>(left - 1);
    const Seconds own = least.passes[stage][pass];
    Seconds behind =
        left < rests[stage].size() ? rests[stage][make_id<PassId>(left)] : least.ends[stage];
    std::size_t of_pass = sends;
    for (; of_pass > 0 && step.stages[stage].sends[of_pass - 1].pass == pass; --of_pass) {
      const Send& send = step.stages[stage].sends[of_pass - 1];
      const std::size_t to = (stage + (send.next ? 1 : stages - 1)) % stages;
      if (index(send.taken) < passes_left[to]) {
        return false;  // what takes it up is not known yet
      }
      const Seconds way = (send.next ? least.sends_on : least.sends_back)[stage];
      behind = std::max(behind, way + rests[to][send.taken]);
    }
    rests[stage][pass] = own + behind;
    --left;
    sends = of_pass;
    return true;
  };
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (std::size_t stage = 0; stage < stages; ++stage) {
      while (passes_left[stage] > 0 && add_last_left(stage)) {
        goes_on = true;
      }
    }
  }
  return rests;
}

Seconds longest_way(const StepProgram& step, const LeastTimes& least) {
  Seconds longest;
  for (const IdVector<PassId, Seconds>& stage : rests(step, least)) {
    longest = stage.empty() ? longest : std::max(longest, stage.front());
  }
  return longest;
}

}  // namespace danlu
