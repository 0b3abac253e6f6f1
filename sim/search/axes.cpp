// The defaults are what is worth a try on any cluster: degrees that divide the GPUs, with tensor
// groups inside an NVLink domain, and what Megatron-LM switches by an option. What they leave out
// (other schedules, attention kernels, ZeRO's groups) the user adds by name.
#include "sim/search/axes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace danlu {
namespace {

using Texts = std::vector<std::string>;

Texts texts(const std::vector<int>& numbers) {
  Texts all;
  for (const int number : numbers) {
    all.push_back(fmt::format("{}", number));
  }
  return all;
}

Texts divisors(int number, int most) {
  std::vector<int> found;
  for (int divisor = 1; divisor <= std::min(number, most); ++divisor) {
    if (number % divisor == 0) {
      found.push_back(divisor);
    }
  }
  return texts(found);
}

/// Those of a mixture of experts; of a dense model none.
Texts with_experts(const Workload& w, Texts values) {
  return w.model.experts.count > 0 ? std::move(values) : Texts{};
}

struct DefaultAxis {
  std::string key;
  Texts values;
};

/// Beside the scenario's own value.
std::vector<DefaultAxis> defaults(const Scenario& scenario) {
  constexpr int kLongSequence = 32768;  // tokens
  const Workload& w = scenario.workload;
  const ClusterSpec& cluster = scenario.cluster;
  const bool long_sequence = w.training.sequence_length >= kLongSequence;
  const bool shares = w.model.experts.shared_ffn > 0;
  const Texts both{"false", "true"};
  return {
      {"parallelism.tensor", divisors(cluster.gpus, cluster.topology.gpus_per_node)},
      {"parallelism.pipeline", divisors(cluster.gpus, w.model.layers)},
      {"parallelism.context", long_sequence ? texts({1, 2, 4, 8, 16}) : Texts{}},
      {"parallelism.ulysses", {}},
      {"parallelism.expert", with_experts(w, divisors(w.model.experts.count, cluster.gpus))},
      {"parallelism.expert_tensor", with_experts(w, {"1"})},
      {"parallelism.sequence", {"true"}},
      {"parallelism.zero", {"1", "3"}},
      {"parallelism.sharding.ranks", {}},
      {"parallelism.sharding.reshard", {}},
      {"parallelism.outermost", {}},
      {"parallelism.scatter_gather", {}},
      {"parallelism.expert_exchange", {}},
      {"parallelism.context_exchange", {}},
      {"parallelism.overlap.tensor", {"backward", "full"}},
      {"parallelism.overlap.chunks", {"2", "4"}},
      {"parallelism.overlap.data", both},
      {"parallelism.overlap.weights", {}},
      {"parallelism.overlap.pipeline", {}},
      {"parallelism.overlap.shared_experts", shares ? both : Texts{}},
      {"parallelism.overlap.pair", with_experts(w, both)},
      {"training.micro_batch", texts({1, 2, 4, 8})},
      {"training.recompute", {"none", "selective", "full"}},
      {"training.recompute_layers", {}},
      {"training.recompute_unit", {}},
      {"training.attention", {}},
      {"training.schedule.kind", {"1f1b"}},
      {"training.schedule.chunks", texts({1, 2, 3, 4, 6, 8})},
  };
}

void add_once(Texts& values, const std::string& value) {
  if (std::find(values.begin(), values.end(), value) == values.end()) {
    values.push_back(value);
  }
}

}  // namespace

std::vector<SearchAxis> axes_of(const Variants& variants) {
  std::vector<SearchAxis> axes;
  const SearchSpec& asked = variants.scenario().search;
  for (const DefaultAxis& row : defaults(variants.scenario())) {
    const auto user = std::find_if(asked.begin(), asked.end(),
                                   [&](const SearchedKey& one) { return one.key == row.key; });
    SearchAxis axis{.key = row.key, .values = {}, .from_user = user != asked.end()};
    const std::string own = variants.text_at(row.key);
    if (!axis.from_user && !own.empty() && !variants.follows(row.key)) {
      axis.values.push_back(own);  // first, so that of plans that are alike it is the one
    }
    for (const std::string& value : axis.from_user ? user->values : row.values) {
      add_once(axis.values, value);
    }
    if (!axis.values.empty()) {
      axes.push_back(std::move(axis));
    }
  }
  return axes;
}

}  // namespace danlu
