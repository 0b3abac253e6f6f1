// Inside sim/scenario: words of a list that nothing uses, models that a framework's profile is not
// of, and what of a profile the scenario replaces. A word that another key leaves without effect is
// as a key is (unused_keys.hpp); one that the model leaves without is a note, for one list may be
// for several models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/unused_keys.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// Of training.unfused, as the scenario says it itself.
void find_idle_words(const Values& own, const Workload& workload, const UnusedKeys& found);

/// What of the model the framework's code, as its profile was read, does not have or does in other
/// ways.
void note_framework(const Workload& workload, std::vector<std::string>& notes);

/// What the scenario says of loss and fused casts, where its framework does otherwise: "loss fused,
/// fused_casts [norm]".
std::string own_ways(const Values& own, std::string_view framework);

}  // namespace danlu
