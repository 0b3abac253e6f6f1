#include "sim/plan/fold.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

using Colour = std::uint64_t;

/// Mixes `value` into `seed` (the finaliser of splitmix64).
Colour mix(Colour seed, Colour value) {
  Colour z = seed ^ (value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2));
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}
Colour bits(double value) {
  Colour colour = 0;
  static_assert(sizeof colour == sizeof value);
  std::copy_n(reinterpret_cast<const char*>(&value), sizeof value,
              reinterpret_cast<char*>(&colour));
  return colour;
}
Colour mix_sorted(Colour seed, std::vector<Colour>& values) {
  std::sort(values.begin(), values.end());
  return std::accumulate(values.begin(), values.end(), seed, mix);
}

std::size_t count_distinct(std::vector<Colour> colours) {
  std::sort(colours.begin(), colours.end());
  return static_cast<std::size_t>(std::unique(colours.begin(), colours.end()) - colours.begin());
}

/// Replaces colours by 0, 1, 2, ... in order of first appearance.
std::vector<int> number(const std::vector<Colour>& colours) {
  std::unordered_map<Colour, int> numbers;
  std::vector<int> numbered;
  for (const Colour colour : colours) {
    numbered.push_back(numbers.try_emplace(colour, static_cast<int>(numbers.size())).first->second);
  }
  return numbered;
}

bool is_transfer(PatternKind kind) {
  return kind == PatternKind::SendForward || kind == PatternKind::SendBackward;
}

/// Colour refinement over ranks, patterns and links.
class Refinement {
 public:
  Refinement(const StepPatterns& step, const Cluster& cluster, std::vector<Colour> rank_colours)
      : step_(step), ranks_(std::move(rank_colours)), patterns_(step.patterns.size()) {
    for (const Link& link : cluster.topology.links()) {
      links_.push_back(bits(link.bandwidth.value));
    }
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      const Pattern& pattern = step.patterns[i];
      patterns_[i] = mix(mix(mix(static_cast<Colour>(step.kinds[i]), pattern.ranks.size()),
                             static_cast<Colour>(pattern.parts)),
                         bits((pattern.local_latency + pattern.network_latency).value));
    }
  }

  void run() {
    for (std::size_t before = 0, now = colours(); now != before; now = colours()) {
      before = now;
      refine_patterns();
      refine_links();
      refine_ranks();
    }
  }

  const std::vector<Colour>& ranks() const { return ranks_; }
  const std::vector<Colour>& patterns() const { return patterns_; }

 private:
  std::size_t colours() const {
    return count_distinct(ranks_) + count_distinct(patterns_) + count_distinct(links_);
  }

  void refine_patterns() {
    std::vector<Colour> parts;
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      const Pattern& pattern = step_.patterns[i];
      parts.clear();
      for (const LinkLoad& load : pattern.loads) {
        parts.push_back(mix(links_[index(load.link)], static_cast<Colour>(load.weight)));
      }
      Colour colour = mix_sorted(patterns_[i], parts);
      parts.clear();
      for (const int rank : pattern.ranks) {
        parts.push_back(ranks_[static_cast<std::size_t>(rank)]);
      }
      colour = is_transfer(step_.kinds[i]) ? mix(mix(colour, parts[0]), parts[1])
                                           : mix_sorted(colour, parts);
      patterns_[i] = colour;
    }
  }

  void refine_links() {
    std::vector<std::vector<Colour>> crossing(links_.size());
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      for (const LinkLoad& load : step_.patterns[i].loads) {
        crossing[index(load.link)].push_back(mix(patterns_[i], static_cast<Colour>(load.weight)));
      }
    }
    for (std::size_t link = 0; link < links_.size(); ++link) {
      links_[link] = mix_sorted(links_[link], crossing[link]);
    }
  }

  void refine_ranks() {
    std::vector<std::vector<Colour>> taking_part(ranks_.size());
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      Colour role = 0;
      for (const int rank : step_.patterns[i].ranks) {
        taking_part[static_cast<std::size_t>(rank)].push_back(
            mix(patterns_[i], is_transfer(step_.kinds[i]) ? role++ : 0));
      }
    }
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      ranks_[rank] = mix_sorted(ranks_[rank], taking_part[rank]);
    }
  }

  const StepPatterns& step_;
  std::vector<Colour> ranks_, patterns_, links_;
};

/// Classes of patterns for given classes of ranks, without looking at links: the coarse fold.
std::vector<Colour> coarse_patterns(const StepPatterns& step, const std::vector<Colour>& ranks) {
  std::vector<Colour> colours;
  for (std::size_t i = 0; i < step.patterns.size(); ++i) {
    std::vector<Colour> parts;
    for (const int rank : step.patterns[i].ranks) {
      parts.push_back(ranks[static_cast<std::size_t>(rank)]);
    }
    const Colour kind = mix(static_cast<Colour>(step.kinds[i]), parts.size());
    colours.push_back(is_transfer(step.kinds[i]) ? mix(mix(kind, parts[0]), parts[1])
                                                 : mix_sorted(kind, parts));
  }
  return colours;
}

/// Adds up W(F, l) and merges links that give the same inequality.
class QuotientBuilder {
 public:
  QuotientBuilder(const StepPatterns& step, const std::vector<int>& class_of_pattern,
                  const Cluster& cluster, Fold& fold)
      : cluster_(cluster), fold_(fold), weights_(cluster.topology.links().size()) {
    for (std::size_t i = 0; i < step.patterns.size(); ++i) {
      for (const LinkLoad& load : step.patterns[i].loads) {
        weights_[index(load.link)][class_of_pattern[i]] += load.weight;
      }
    }
  }

  void build() {
    find_tightest_own_links();
    std::map<std::pair<double, std::map<int, int>>, int> known;
    for (std::size_t l = 0; l < weights_.size(); ++l) {
      std::map<int, int>& weights = weights_[l];
      if (weights.empty() || !matters(l)) {
        continue;
      }
      const double capacity = divide_by_common(weights, capacity_of(l));
      const auto [at, is_new] =
          known.try_emplace({capacity, weights}, static_cast<int>(fold_.links.size()));
      if (is_new) {
        add_link(l, capacity, weights);
      } else {
        ++fold_.links[static_cast<std::size_t>(at->second)].members;
      }
    }
    set_rates();
  }

 private:
  double capacity_of(std::size_t link) const {
    return cluster_.topology.link(make_id<LinkId>(link)).bandwidth.value;
  }
  /// Rate of the class if this link were its only limit.
  double limit(std::size_t link, int weight) const { return capacity_of(link) / weight; }

  /// Of the links that only one class crosses, its tightest is the only one that can ever matter.
  void find_tightest_own_links() {
    tightest_.assign(fold_.patterns.size(), {-1, 0});
    for (std::size_t l = 0; l < weights_.size(); ++l) {
      if (weights_[l].size() == 1) {
        const auto& [pattern, weight] = *weights_[l].begin();
        auto& [best, best_limit] = tightest_[static_cast<std::size_t>(pattern)];
        if (best < 0 || limit(l, weight) < best_limit) {
          best = static_cast<int>(l);
          best_limit = limit(l, weight);
        }
      }
    }
  }
  bool matters(std::size_t l) const {
    if (weights_[l].size() > 1) {
      return true;
    }
    const auto& [pattern, weight] = *weights_[l].begin();
    const auto& [best, best_limit] = tightest_[static_cast<std::size_t>(pattern)];
    return limit(l, weight) == best_limit;
  }

  static double divide_by_common(std::map<int, int>& weights, double capacity) {
    int common = 0;
    for (const auto& [pattern, weight] : weights) {
      common = std::gcd(common, weight);
    }
    for (auto& [pattern, weight] : weights) {
      weight /= common;
    }
    return capacity / common;
  }

  void add_link(std::size_t l, double capacity, const std::map<int, int>& weights) {
    for (const auto& [pattern, weight] : weights) {
      PatternClass& owner = fold_.patterns[static_cast<std::size_t>(pattern)];
      owner.loads.push_back({static_cast<int>(fold_.links.size()), weight});
      owner.is_private = owner.is_private && weights.size() == 1;
    }
    fold_.links.push_back({{capacity}, make_id<LinkId>(l), 1});
  }

  void set_rates() {
    for (PatternClass& pattern : fold_.patterns) {
      double rate = 0;
      for (const FoldedLoad& load : pattern.loads) {
        const double here =
            fold_.links[static_cast<std::size_t>(load.link)].capacity.value / load.weight;
        rate = rate == 0 ? here : std::min(rate, here);
      }
      pattern.alone_rate = {rate};
    }
  }

  const Cluster& cluster_;
  Fold& fold_;
  std::vector<std::map<int, int>> weights_;       // by link: class -> W
  std::vector<std::pair<int, double>> tightest_;  // by class: its tightest own link, its rate
};

void add_units(const std::vector<Colour>& colours, const RankLayout& layout, Fold& fold) {
  fold.unit_of_rank = number(colours);
  for (std::size_t rank = 0; rank < colours.size(); ++rank) {
    const auto unit = static_cast<std::size_t>(fold.unit_of_rank[rank]);
    if (unit == fold.units.size()) {
      const int representative = static_cast<int>(rank);
      fold.units.push_back({representative, layout.coordinates(representative).stage, 0});
    }
    ++fold.units[unit].members;
  }
}

void add_patterns(const StepPatterns& step, const std::vector<int>& class_of_pattern, Fold& fold) {
  for (std::size_t i = 0; i < step.patterns.size(); ++i) {
    const auto known = static_cast<std::size_t>(class_of_pattern[i]);
    if (known < fold.patterns.size()) {  // equal in an exact fold; a bound takes the worst
      Pattern& worst = fold.patterns[known].representative;
      const Pattern& other = step.patterns[i];
      if (other.local_latency + other.network_latency >
          worst.local_latency + worst.network_latency) {
        worst.local_latency = other.local_latency;
        worst.network_latency = other.network_latency;
      }
      worst.parts = std::min(worst.parts, other.parts);  // most bytes in a stream
      continue;
    }
    PatternClass added{.kind = step.kinds[i], .representative = step.patterns[i]};
    for (const int rank : step.patterns[i].ranks) {
      const int unit = fold.unit_of_rank[static_cast<std::size_t>(rank)];
      if (is_transfer(step.kinds[i]) ||
          std::find(added.units.begin(), added.units.end(), unit) == added.units.end()) {
        added.units.push_back(unit);
      }
    }
    fold.patterns.push_back(std::move(added));
  }
}

}  // namespace

StepPatterns step_patterns(const Workload& workload, const Cluster& cluster,
                           const RankLayout& layout) {
  StepPatterns step;
  const ParallelismSpec& p = workload.parallelism;
  const auto add = [&](PatternKind kind, Pattern pattern) {
    step.kinds.push_back(kind);
    step.patterns.push_back(std::move(pattern));
  };
  for (int stage = 0; stage < p.pipeline; ++stage) {
    for (int d = 0; d < p.data && p.tensor > 1; ++d) {
      add(PatternKind::Tensor, ring_pattern(cluster, layout.tensor_group(d, stage)));
    }
    for (int t = 0; t < p.tensor && p.data > 1; ++t) {
      add(PatternKind::Data, ring_pattern(cluster, layout.data_group(t, stage)));
    }
  }
  if (p.pipeline == 1) {
    return step;
  }
  const bool wraps =
      workload.training.chunks > 1;  // the last stage feeds the first one's next chunk
  for (int t = 0; t < p.tensor; ++t) {
    for (int d = 0; d < p.data; ++d) {
      if (workload.model.tied_embeddings) {
        add(PatternKind::Embedding, ring_pattern(cluster, layout.embedding_group(t, d)));
      }
      for (int stage = 0; stage < p.pipeline - (wraps ? 0 : 1); ++stage) {
        const int here = layout.rank({t, d, stage});
        const int next = layout.rank({t, d, (stage + 1) % p.pipeline});
        add(PatternKind::SendForward, transfer_pattern(cluster, here, next));
        add(PatternKind::SendBackward, transfer_pattern(cluster, next, here));
      }
    }
  }
  return step;
}

Fold fold(const Workload& workload, const Cluster& cluster, const RankLayout& layout) {
  const StepPatterns step = step_patterns(workload, cluster, layout);
  std::vector<Colour> by_stage;
  std::vector<Colour> one_each;
  for (int rank = 0; rank < layout.world_size(); ++rank) {
    by_stage.push_back(static_cast<Colour>(layout.coordinates(rank).stage));
    one_each.push_back(static_cast<Colour>(rank));
  }
  Refinement refined(step, cluster, by_stage);
  refined.run();

  Fold result;
  std::vector<Colour> ranks = refined.ranks();
  std::vector<Colour> patterns = refined.patterns();
  switch (workload.fold) {
    case FoldMode::Exact:
      break;
    case FoldMode::Bound:
      ranks = by_stage;
      patterns = coarse_patterns(step, by_stage);
      result.exact = count_distinct(patterns) == count_distinct(refined.patterns()) &&
                     count_distinct(ranks) == count_distinct(refined.ranks());
      break;
    case FoldMode::Off:
      ranks = one_each;
      std::iota(patterns.begin(), patterns.end(), Colour{0});
      break;
  }
  add_units(ranks, layout, result);
  const std::vector<int> class_of_pattern = number(patterns);
  add_patterns(step, class_of_pattern, result);
  QuotientBuilder(step, class_of_pattern, cluster, result).build();
  return result;
}

}  // namespace danlu
