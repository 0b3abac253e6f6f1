// What a launch script says beside its command: lines #SBATCH of Slurm, and variables that switch
// Transformer Engine's kernels off.
#pragma once

#include <string>
#include <vector>

#include "sim/import/draft.hpp"
#include "sim/import/shell_values.hpp"

namespace danlu {

struct LaunchEnvironment {
  std::vector<GivenFlag> flags;  // "#SBATCH --nodes", "#SBATCH --gpus-per-node", "NVTE_FLASH_ATTN"
  ShellVariables variables;      // that Slurm sets by them
};

/// The number in Slurm's count of a flag: of "8", "4-4", "gpu:8" and "gpu:h100:8". Nobody knows
/// that of a range; other text stays.
void settle_slurm_count(GivenFlag& flag);

/// What its lines #SBATCH say.
LaunchEnvironment read_slurm(const std::string& text, const std::string& name);

/// The script in that environment, which gets what switches of Transformer Engine its command has.
/// Throws InputError for text that no shell reads.
ShellScript read_launch(const std::string& text, const std::string& name,
                        LaunchEnvironment& environment);

}  // namespace danlu
