#include "sim/import/torchtitan_batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sim/base/error.hpp"

namespace danlu {
namespace titan_batch {  // the folder is built as one
namespace {

/// torchtitan plays its schedule once for each local batch (its step of accumulation), danlu once
/// for all microbatches of a step. With m microbatches of a local batch, G local batches, and the
/// bubble of 1F1B and GPipe, b = (p - 1) / chunks microbatches' time:
///
///   torchtitan: G (m + b)        danlu: G m + b
void tell_accumulation(Draft& draft, long local, long micro, long steps) {
  if (steps < 2) {
    return;
  }
  const std::string_view kind = draft.at("training.schedule.kind");
  const double m = static_cast<double>(local) / static_cast<double>(std::max(1L, micro));
  const double bubble = static_cast<double>(draft.count("parallelism.pipeline") - 1) /
                        static_cast<double>(std::max(1L, draft.count("training.schedule.chunks")));
  const auto all = static_cast<double>(steps);
  const std::string size =
      kind == "1f1b" || kind == "gpipe" || kind.empty()
          ? fmt::format(
                "by the closed form of its bubble a step takes {:.2f} times as long as that "
                "of this scenario",
                all * (m + bubble) / (all * m + bubble))
          : "a step takes longer than that of this scenario, by so many more bubbles";
  const long one = draft.count("training.global_batch") / steps;
  draft.remark(fmt::format(
      "gradient accumulation: torchtitan plays its schedule {} times in a step, with {:.0f} "
      "microbatches each, danlu once with all {:.0f}: {}. danlu has no key for that; {} times a "
      "step of training.global_batch {} comes close (gradients are then reduced as often)",
      steps, m, all * m, size, steps, one));
}

/// torchtitan refuses batches that do not go into each other (Trainer.__init__,
/// build_pipeline_schedule).
void check_batch(const Draft& draft, long local, long micro) {
  const std::optional<long> global = draft.whole("training.global_batch_size");
  const std::optional<long> replicas = draft.replicas();
  if (micro < 1 || local < 1 || local % micro != 0) {
    constexpr std::string_view kEither =
        "parallelism.pipeline_parallel_microbatch_size|training.local_batch_size|"
        "training.batch_size";
    if (const GivenFlag* from = draft.given(kEither)) {
      throw InputError(from->problem(
          fmt::format("a local batch of {} sequences is not of microbatches of {}", local, micro),
          "torchtitan refuses such a file"));
    }
  }
  if (global && *global > 0 && replicas && *global % (local * *replicas) != 0 &&
      !draft.options().global_batch) {
    throw InputError(draft.given("training.global_batch_size")
                         ->problem(fmt::format("{} sequences are not local batches of {} on {} "
                                               "replicas, once or several times",
                                               *global, local, *replicas),
                                   "torchtitan refuses such a file; --gpus says how many replicas "
                                   "there are, --global-batch another batch"));
  }
}

/// The sequences of a microbatch of pipeline stages, and what says so. Until April 2025 (pytorch/
/// torchtitan@5e2033c75) files said how many microbatches a local batch has, as many as stages by
/// default, and had their degrees under [experimental].
std::pair<long, std::string> microbatch_of_stages(const Draft& draft, long local) {
  constexpr std::string_view kSize = "parallelism.pipeline_parallel_microbatch_size";
  constexpr std::string_view kNumber =
      "parallelism.pipeline_parallel_microbatches|experimental.pipeline_parallel_microbatches";
  const GivenFlag* number = draft.given(kNumber);
  const GivenFlag* stages = draft.given("experimental.pipeline_parallel_degree");
  const GivenFlag* by = number != nullptr ? number : stages;
  if (draft.given(kSize) != nullptr || by == nullptr) {
    return {draft.whole(kSize).value_or(1), fmt::format("{}, 1 by default", kSize)};
  }
  const long parts =
      number != nullptr ? draft.whole(kNumber).value_or(1) : draft.count("parallelism.pipeline");
  if (parts < 1 || local % parts != 0) {
    throw InputError(by->problem(
        fmt::format("a local batch of {} sequences is not {} microbatches", local, parts),
        "torchtitan refuses such a file"));
  }
  return {local / parts, number != nullptr
                             ? number->place()
                             : fmt::format("{}: as many microbatches as stages, the default until "
                                           "January 2025 (until April as many as chunks)",
                                           stages->place())};
}

}  // namespace
}  // namespace titan_batch

bool is_before_april_2025(const Draft& draft) {
  return draft.given(
             "experimental.pipeline_parallel_degree|experimental.context_parallel_degree|"
             "training.data_parallel_shard_degree|training.data_parallel_degree|"
             "training.data_parallel_replicate_degree|training.tensor_parallel_degree|"
             "parallelism.pipeline_parallel_microbatches") != nullptr;
}

void finish_titan_batch(Draft& draft, bool pipeline) {
  using namespace titan_batch;
  constexpr long kLocal = 8;
  const GivenFlag* given = draft.given("training.local_batch_size|training.batch_size");
  const long local = draft.whole("training.local_batch_size|training.batch_size").value_or(kLocal);
  const std::string from =
      given != nullptr ? given->place() : "torchtitan's default: local_batch_size 8";
  const auto [micro, why] = pipeline ? microbatch_of_stages(draft, local) : std::pair{local, from};
  draft.set("training.micro_batch", std::to_string(micro), why);
  check_batch(draft, local, micro);
  const std::optional<long> global = draft.whole("training.global_batch_size");
  if (global && *global > 0) {
    draft.set("training.global_batch", std::to_string(*global),
              draft.given("training.global_batch_size"));
  } else if (const std::optional<long> replicas = draft.replicas()) {
    draft.set("training.global_batch", std::to_string(local * *replicas),
              fmt::format("{}: {} x {} replicas", from, local, *replicas));
  } else {
    draft.fill_in("training.global_batch", "local batch size x replicas, once GPUs are known");
  }
  if (const std::optional<long> replicas = draft.replicas(); pipeline && replicas) {
    tell_accumulation(draft, local, micro,
                      draft.count("training.global_batch") / (local * *replicas));
  }
}

}  // namespace danlu
