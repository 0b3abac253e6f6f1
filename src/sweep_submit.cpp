#include "src/sweep_submit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "sim/base/shell_word.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

/// {1, 2, 3, 7} as "1-3,7".
std::string ranges_of(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) {
      ++last;
    }
    text += text.empty() ? "" : ",";
    text +=
        last == i ? fmt::format("{}", numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[last]);
    i = last + 1;
  }
  return text;
}

/// The worker, for a shell; `chunk` is how that has its number.
std::string worker_of(const SweepJob& job, std::string_view chunk) {
  const auto limit = [](std::string_view option, const std::optional<double>& seconds) {
    return seconds ? fmt::format(" {} {}s", option, *seconds) : "";
  };
  return fmt::format("{} sweep worker {} --chunk {}/{}{}{}", shell_word(job.program),
                     shell_word(job.folder), chunk, job.chunks,
                     limit("--time-limit", job.time_limit),
                     limit("--point-limit", job.point_limit));
}

std::string slurm_script(const SweepJob& job) {
  std::string text = "#!/bin/bash\n";
  for (const std::string& option : job.options) {
    text += fmt::format("#SBATCH {}\n", option);
  }
  // --requeue: a node that is lost; a process that is killed is submitted again by hand.
  text += fmt::format(
      "#SBATCH --job-name=danlu-sweep\n#SBATCH --array={}\n#SBATCH --cpus-per-task=1\n"
      "#SBATCH --requeue\n#SBATCH --open-mode=append\n#SBATCH --output=\"{}/slurm-%A_%a.out\"\n",
      ranges_of(job.missing), job.folder);
  return text + fmt::format("exec {}\n", worker_of(job, "\"$SLURM_ARRAY_TASK_ID\""));
}

std::string parallel_script(const SweepJob& job) {
  std::string options;
  for (const std::string& option : job.options) {
    options += " " + shell_word(option);
  }
  return fmt::format("#!/bin/bash\nexec parallel{} {} ::: {}\n", options,
                     shell_word(worker_of(job, "{}")), fmt::join(job.missing, " "));
}

std::string kubernetes_job(const SweepJob& job) {
  constexpr int kTries = 3;  // of an index, whose pod may be evicted
  const std::string script = fmt::format("set -- {}\nshift \"$JOB_COMPLETION_INDEX\"\nexec {}",
                                         fmt::join(job.missing, " "), worker_of(job, "\"$1\""));
  const Json container{
      {"name", "worker"},
      {"image", job.image},
      {"command", {"sh", "-c", script}},
      {"resources", {{"requests", {{"cpu", "1"}}}}},
      {"volumeMounts",
       Json::array({{{"name", "sweeps"},
                     {"mountPath", std::filesystem::path(job.folder).parent_path().string()}}})}};
  const Json pod{
      {"restartPolicy", "Never"},
      {"containers", Json::array({container})},
      {"volumes",
       Json::array({{{"name", "sweeps"}, {"persistentVolumeClaim", {{"claimName", job.claim}}}}})}};
  const Json whole{{"apiVersion", "batch/v1"},
                   {"kind", "Job"},
                   {"metadata", {{"generateName", "danlu-sweep-"}}},
                   {"spec",
                    {{"completionMode", "Indexed"},
                     {"completions", job.missing.size()},
                     {"parallelism", job.missing.size()},
                     {"backoffLimitPerIndex", kTries},
                     {"template", {{"spec", pod}}}}}};
  return whole.dump(2) + "\n";
}

}  // namespace

std::string job_text(SweepEngine engine, const SweepJob& job) {
  switch (engine) {
    case SweepEngine::Slurm:
      return slurm_script(job);
    case SweepEngine::Parallel:
      return parallel_script(job);
    case SweepEngine::Kubernetes:
      break;
  }
  return kubernetes_job(job);
}

std::string job_file(SweepEngine engine) {
  return fmt::format("submit-{}.{}", name_of(engine),
                     engine == SweepEngine::Kubernetes ? "json" : "sh");
}

std::vector<std::string> job_command(SweepEngine engine, const std::filesystem::path& file) {
  switch (engine) {
    case SweepEngine::Slurm:
      return {"sbatch", file.string()};
    case SweepEngine::Parallel:
      return {"bash", file.string()};
    case SweepEngine::Kubernetes:
      break;
  }
  return {"kubectl", "create", "-f", file.string()};
}

}  // namespace danlu
