// A node that is a rack is shared: a job on several racks takes equal parts of them, in whole
// trays, so that its groups fit into each alike (segments of Slurm's block topology; Megatron-
// Bridge's utils/executors.py asks for them).
//
//   256 GPUs on racks of 72, trays of 4     64 + 64 + 64 + 64,   not   72 + 72 + 72 + 40
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/values.hpp"

namespace danlu {

/// The GPUs of each node that a job takes: of the parts of whole trays that divide `gpus` the
/// largest, where it is half a node at least; else, and where one node is enough, `node`.
int equal_part(int gpus, int node, int tray);

/// Where a topology's node has trays (node.tray) and the user (`said`) does not say how large it
/// is, makes it such a part, with as many NICs, watts and bytes of the host's memory a GPU. Returns
/// what is to be said of it. `cluster` are the values of the topology and the user's over them.
std::vector<std::string> take_equal_parts(Values& cluster, const Values& said);

}  // namespace danlu
