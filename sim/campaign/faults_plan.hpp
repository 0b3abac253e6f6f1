// What a scenario asks of a campaign before any step has been played: the request itself, and the
// states of the job whose steps are to be played to complete it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/campaign/faults_spec.hpp"

namespace danlu {

/// A state in which steps take longer: its slowdown is the time of its step over that of the
/// healthy one.
struct SlowState {
  std::optional<CauseId> cause{};  // whose slowdown it is; none: that of a write beside the steps
  std::optional<TierId> tier{};    // of the write; none: saves stop training, and only a what-if
                                   // asks for it
  double slow_gpu = 1;             // one GPU takes that many times as long
  double slow_nic = 1;             // the share left of one NIC
  double slow_scale_up = 1;        // the share left of one GPU's links inside its node
  double all_nics = 1;             // the share left of every NIC
  bool of_nics = false;            // a cause's components are NICs, or made of some; else of GPUs
};

/// Parts of a cluster whose slowness costs the same: the step is played with one of them.
struct SlowParts {
  CauseId cause{};
  std::string played;  // "GPU 20"
  int parts = 1;       // that it stands for
  int sorts = 1;       // of them that differ in whom they communicate with
  double slowdown = 1;
};

/// Where the time of a checkpoint comes from.
struct CheckpointFile {
  Bytes size;                   // all parts together
  Seconds write;                // once
  std::string write_limit;      // what limits it, in words
  Seconds copy;                 // to the hosts' memory, over PCIe
  std::optional<Seconds> read;  // none: the restart says how long loading takes
  double slowdown = 1;          // of steps while a write goes on beside them
};

struct FaultsPlan {
  FaultsSpec spec;
  std::string name;                // of the faults file; empty: all is the scenario's own
  std::optional<Seconds> horizon;  // play so much wall time; otherwise all tokens
  std::optional<Seconds> step;     // of the healthy job, as measured; otherwise as simulated
  CheckpointFile file;
  std::vector<SlowState> states;
  std::vector<SlowParts> slow_parts;  // once the states have been played
  bool what_if = true;
  std::vector<std::string> assumptions;  // of the faults file, where the scenario says nothing else
};

}  // namespace danlu
