// Random scenario files on all shipped topologies: own and preset models, GPUs of all kinds,
// figures changed by key, factors, every kind of plan, hurt parts, and campaigns of faults.
#pragma once

#include <string>
#include <vector>

#include "tests/support/random_steps.hpp"

namespace danlu::testing {

/// Not every one can run: topologies, models and degrees are thrown together.
std::string random_scenario(Dice& dice);
/// Settings over such a file: schedules, sharding, recomputation and offloading, which it does not
/// draw, so that a seed stays the same scenario.
std::vector<std::string> random_overrides(Dice& dice);

}  // namespace danlu::testing
