// What a topology file of NCCL does not say and every step needs: how long things take.
#pragma once

#include "sim/scenario/values.hpp"

namespace danlu {

/// Fills in latencies and how algorithms are chosen where neither the file of `node.xml` nor
/// the topology below it says them, each with a note.
void assume_nccl_times(Values& values);

}  // namespace danlu
