#include "sim/workload/expert_balance.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/base/lists.hpp"
#include "sim/base/philox.hpp"

namespace danlu {
namespace {

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// In an order that the seed says: Fisher and Yates.
std::vector<double> shuffled(std::vector<double> values, int seed, int load) {
  const RandomStreams random(static_cast<std::uint64_t>(seed), static_cast<std::uint32_t>(load));
  const std::uint64_t stream = stream_name("experts", "popularity");
  for (std::size_t i = values.size(); i > 1; --i) {
    const double drawn = random.uniforms(stream, static_cast<std::uint32_t>(i))[0];
    std::swap(values[i - 1], values[static_cast<std::size_t>(drawn * static_cast<double>(i))]);
  }
  return values;
}

std::vector<double> relative_load(const RoutingSpec& routing, int experts, int of) {
  if (!routing.load.empty()) {
    const auto begin = routing.load.begin() + static_cast<std::ptrdiff_t>(of) * experts;
    return {begin, begin + experts};
  }
  std::vector<double> load;
  for (int i = 1; i <= experts; ++i) {
    load.push_back(std::pow(i, -routing.zipf));
  }
  return routing.zipf > 0 ? shuffled(std::move(load), routing.seed, of) : load;
}

/// From weights to tokens, the mean being 1: in proportion, but no token visits an expert twice, so
/// that none gets more than `most`; what is over goes to the others, in proportion again.
void share_out(std::vector<double>& load, double most) {
  std::vector<bool> full(load.size());
  for (bool more = true; more;) {
    more = false;
    double left = static_cast<double>(load.size());
    double weights = 0;
    for (std::size_t i = 0; i < load.size(); ++i) {
      (full[i] ? left : weights) += full[i] ? -most : load[i];
    }
    const double share = weights > 0 ? left / weights : 0;
    for (std::size_t i = 0; i < load.size(); ++i) {
      if (!full[i] && load[i] * share > most) {
        full[i] = more = true;
      }
    }
    for (std::size_t i = 0; i < load.size() && !more; ++i) {
      load[i] = full[i] ? most : load[i] * share;
    }
  }
}

}  // namespace

int expert_loads(const Workload& w) {
  const RoutingSpec& routing = w.training.routing;
  const bool by_layer = routing.zipf > 0
                            ? routing.zipf_by_layer
                            : static_cast<int>(routing.load.size()) > w.model.experts.count;
  return by_layer ? w.model.layers_with_experts() : 1;
}

std::vector<ExpertBalance> expert_balances(const Workload& w) {
  std::vector<ExpertBalance> loads;
  for (int load = 0; w.model.experts.count > 0 && load < expert_loads(w); ++load) {
    loads.push_back(expert_balance(w, load));
  }
  return loads;
}

ExpertBalance expert_balance(const Workload& w, int of) {
  const RoutingSpec& routing = w.training.routing;
  ExpertBalance load{.wanted = relative_load(routing, w.model.experts.count, of)};
  share_out(load.wanted, static_cast<double>(w.model.experts.count) / w.model.experts.per_token);
  double kept = 0;
  load.computed.resize(static_cast<std::size_t>(w.parallelism.expert));
  const std::size_t per_rank = load.wanted.size() / load.computed.size();
  for (std::size_t i = 0; i < load.wanted.size(); ++i) {
    const double taken =
        routing.capacity > 0 ? std::min(load.wanted[i], routing.capacity) : load.wanted[i];
    load.taken.push_back(taken);
    kept += taken / static_cast<double>(load.wanted.size());
    load.computed[i / per_rank] +=
        (routing.pads ? routing.capacity : taken) / static_cast<double>(per_rank);
  }
  load.mean = mean_of(load.computed);
  load.fullest = *std::max_element(load.computed.begin(), load.computed.end()) / load.mean;
  load.dropped = 1 - kept;
  load.padding = 1 - kept / load.mean;
  return load;
}

}  // namespace danlu
