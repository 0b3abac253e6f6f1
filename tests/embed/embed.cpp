// A program that embeds danlu: how does the step of a small job change with the batch?
// Usage: embed TOPOLOGIES_FOLDER
#include <fmt/format.h>

#include <cstdio>

#include "sim/danlu.hpp"

int main(int, char** arguments) {
  const std::string job =
      "name: eight H100\n"
      "model: llama2-7b\n"
      "cluster: {topology: dgx-h100, gpus: 8}\n"
      "parallelism: {zero: 1}\n"
      "training: {micro_batch: 1, sequence_length: 4096, precision: bf16}\n";
  try {
    for (const int batch : {8, 16, 32}) {
      const danlu::LoadOptions options{arguments[1],
                                       {fmt::format("training.global_batch={}", batch)}};
      const danlu::Scenario scenario = danlu::load_scenario_text(job, "job.yaml", options);
      const danlu::Report report = danlu::simulate(scenario).report;
      fmt::print("{{\"global_batch\": {}, \"step_s\": {:.6g}, \"mfu\": {:.4g}, \"fits\": {}}}\n",
                 batch, report.step.time.value, report.step.mfu, report.memory.fits());
    }
  } catch (const danlu::InputError& error) {
    fmt::print(stderr, "{}", error.what());
    return 2;
  } catch (const danlu::CannotRun& error) {
    fmt::print(stderr, "{}: {}\n", error.what(), error.hint());
    return 1;
  }
  return 0;
}
