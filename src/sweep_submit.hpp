// A sweep in a folder as a job of an engine that starts workers on several machines: each plays a
// chunk of the points, and only chunks of which points are missing are asked for. What the engine
// loses is submitted again.
//
//   slurm       a job array, an element a chunk       sbatch DIR/submit-slurm.sh
//   parallel    GNU parallel, here or by --sshlogin   bash DIR/submit-parallel.sh
//   kubernetes  an indexed job, an index a chunk      kubectl create -f DIR/submit-kubernetes.json
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/names.hpp"

namespace danlu {

enum class SweepEngine { Slurm, Parallel, Kubernetes };
template <>
inline constexpr auto kNames<SweepEngine> =
    std::to_array<Named<SweepEngine>>({{SweepEngine::Slurm, "slurm"},
                                       {SweepEngine::Parallel, "parallel"},
                                       {SweepEngine::Kubernetes, "kubernetes"}});

struct SweepJob {
  std::string program;                // danlu, as the workers' machines have it
  std::string folder;                 // of the sweep, absolute
  std::vector<std::size_t> missing;   // chunks, from 1 on
  std::size_t chunks = 0;             // in all
  std::optional<double> time_limit;   // seconds, of each worker
  std::optional<double> point_limit;  // seconds, of each point
  std::vector<std::string> options;   // of the engine: "--partition=long"
  std::string image;                  // of kubernetes: what has danlu in it,
  std::string claim;                  // and the claim of the volume with the folder
};

/// What the engine is given.
std::string job_text(SweepEngine engine, const SweepJob& job);
/// The name of its file in the folder.
std::string job_file(SweepEngine engine);
/// The command that starts it.
std::vector<std::string> job_command(SweepEngine engine, const std::filesystem::path& file);

}  // namespace danlu
