#include "sim/report/advice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>

#include "sim/base/shell_word.hpp"
#include "sim/report/verdict.hpp"

namespace danlu {
namespace {

Change keep(const Workload& workload) {
  return {{}, workload};
}

/// A setting takes the place of one of the same key.
template <typename Apply>
Change with(const Change& before, std::string setting, const Apply& apply) {
  Change after = before;
  const std::string key = setting.substr(0, setting.find('=') + 1);
  std::erase_if(after.settings, [&](const std::string& old) { return old.starts_with(key); });
  after.settings.push_back(std::move(setting));
  apply(after.workload);
  return after;
}

template <typename Enum>
std::string setting(std::string_view key, Enum value) {
  return fmt::format("{}={}", key, name_of(value));
}

/// Other numbers of tensor ranks and stages on as many GPUs.
Change regrouped(const Change& before, int tensor, int pipeline) {
  Change after = before;
  ParallelismSpec& p = after.workload.parallelism;
  p.data = p.data * (p.tensor * p.pipeline) / (tensor * pipeline);
  if (tensor != p.tensor) {
    after.settings.push_back(fmt::format("parallelism.tensor={}", tensor));
  }
  if (pipeline != p.pipeline) {
    after.settings.push_back(fmt::format("parallelism.pipeline={}", pipeline));
  }
  p.tensor = tensor;
  p.pipeline = pipeline;
  if (tensor == 1 && p.sequence && before.workload.parallelism.tensor > 1) {
    p.sequence = false;
    after.settings.emplace_back("parallelism.sequence=false");
  }
  return after;
}

/// ZeRO-3 sums gradients beside compute unless the user says otherwise.
Change zero(const Change& before, int stage) {
  Change after = with(before, fmt::format("parallelism.zero={}", stage),
                      [&](Workload& w) { w.parallelism.zero = stage; });
  if (stage == 3 && !after.workload.parallelism.overlap_data) {
    after = with(after, "parallelism.overlap.data=true",
                 [](Workload& w) { w.parallelism.overlap_data = true; });
  }
  return after;
}
/// Shards over more of the data-parallel ranks, which then are fewer parts.
Change shared_by(const Change& before, int ranks) {
  return with(before, fmt::format("parallelism.sharding.ranks={}", ranks),
              [&](Workload& w) { w.parallelism.sharding.ranks = ranks; });
}
Change optimizer_in_host(const Change& before) {
  return with(before, "parallelism.offload.optimizer=true",
              [](Workload& w) { w.offload.optimizer = true; });
}
Change sequence(const Change& before) {
  return with(before, "parallelism.sequence=true",
              [](Workload& w) { w.parallelism.sequence = true; });
}
/// Attention stays as it is: without selective recomputation it would be fused if nothing is said.
Change keep_attention(const Change& before, Change after) {
  const TrainingSpec& was = before.workload.training;
  if (was.recompute == Recompute::Selective && was.recompute_parts.empty() &&
      after.workload.training.attention == AttentionKind::Unfused) {
    after.settings.push_back(setting("training.attention", AttentionKind::Unfused));
  }
  return after;
}
Change recompute(const Change& before, Recompute how) {
  return keep_attention(before, with(before, setting("training.recompute", how), [&](Workload& w) {
                          w.training.recompute = how;
                          w.training.recompute_parts.clear();
                        }));
}
Change recompute_parts(const Change& before, const std::vector<RecomputePart>& parts) {
  std::vector<std::string_view> names;
  for (const RecomputePart part : parts) {
    names.push_back(name_of(part));
  }
  return keep_attention(
      before,
      with(before, fmt::format("training.recompute=[{}]", fmt::join(names, ",")), [&](Workload& w) {
        w.training.recompute = Recompute::Selective;
        w.training.recompute_parts = parts;
      }));
}
Change recompute_in(const Change& before, int layers) {
  return with(before, fmt::format("training.recompute_layers={}", layers),
              [&](Workload& w) { w.training.recompute_layers = {layers}; });
}
/// A fused kernel has no scores to keep, so that selective recomputation has nothing to do.
Change fused(const Change& before) {
  Change after = with(before, setting("training.attention", AttentionKind::Flash),
                      [](Workload& w) { w.training.attention = AttentionKind::Flash; });
  if (after.workload.training.recompute == Recompute::Selective) {
    after.workload.training.recompute = Recompute::None;
    after.workload.training.recompute_parts.clear();
    after.settings.push_back(setting("training.recompute", Recompute::None));
  }
  return after;
}
Change micro_batch(const Change& before, int sequences) {
  return with(before, fmt::format("training.micro_batch={}", sequences),
              [&](Workload& w) { w.training.micro_batch = sequences; });
}
Change chunks(const Change& before, int number) {
  return with(before, fmt::format("training.schedule.chunks={}", number),
              [&](Workload& w) { w.training.chunks = number; });
}

bool can_run(const Workload& workload, const ClusterSpec& cluster) {
  return problems(workload, cluster.gpus, cluster.gpu).empty() &&
         !offload_problem(workload.offload, cluster.topology);
}

/// Every regrouping by powers of two; fewer tensor ranks only where a group is larger than a node.
std::vector<Change> regroupings(const Workload& w, int gpus_per_node) {
  const ParallelismSpec& p = w.parallelism;
  const int gpus = p.tensor * p.pipeline * p.data;  // for each that shares a sequence
  int least = p.tensor;
  while (least > gpus_per_node && least % 2 == 0) {
    least /= 2;
  }
  std::vector<Change> all;
  for (int tensor = least; tensor <= gpus; tensor *= 2) {
    for (int pipeline = p.pipeline; tensor * pipeline <= gpus; pipeline *= 2) {
      if (gpus % (tensor * pipeline) == 0) {
        all.push_back(regrouped(keep(w), tensor, pipeline));
      }
    }
  }
  return all;
}

using Variant = std::function<Change(const Change&)>;

/// What may be computed again instead of what is, attention as it is.
std::vector<Variant> recomputations(const TrainingSpec& t) {
  std::vector<Variant> found;
  if (t.recompute == Recompute::Full) {
    if (!t.recompute_layers.empty()) {
      found.push_back([](const Change& x) { return recompute_in(x, x.workload.model.layers); });
    }
    return found;
  }
  const bool unfused = t.attention == AttentionKind::Unfused;
  if (t.recompute == Recompute::None && unfused) {
    found.push_back([](const Change& x) { return recompute(x, Recompute::Selective); });
  }
  for (std::vector<RecomputePart> parts :
       {std::vector{RecomputePart::LayerNorm, RecomputePart::Activation},
        std::vector{RecomputePart::Mlp}}) {
    if (unfused) {
      parts.insert(parts.begin(), RecomputePart::CoreAttention);
    }
    if (parts != t.recompute_parts) {
      found.push_back([=](const Change& x) { return recompute_parts(x, parts); });
    }
  }
  if (t.recompute_layers.empty()) {
    found.push_back([](const Change& x) {
      return recompute_in(recompute(x, Recompute::Full), (x.workload.layers_at({}) + 1) / 2);
    });
    found.push_back([](const Change& x) { return recompute(x, Recompute::Full); });
  } else {
    found.push_back([](const Change& x) {
      return recompute_in(recompute(x, Recompute::Full), x.workload.model.layers);
    });
  }
  return found;
}

/// What of a layer may be kept otherwise: by computing it again, and by a fused kernel for
/// attention that is not fused, with each of the same.
std::vector<Variant> ways_to_keep(const Workload& w) {
  std::vector<Variant> found = recomputations(w.training);
  if (w.training.attention == AttentionKind::Unfused) {
    found.push_back([](const Change& x) { return fused(x); });
    for (const Variant& more : recomputations(fused(keep(w)).workload.training)) {
      found.push_back([=](const Change& x) { return more(fused(x)); });
    }
  }
  return found;
}

/// What saves memory besides other degrees: for each kind of setting those worth a try.
std::vector<std::vector<Variant>> variants(const Workload& w) {
  std::vector<std::vector<Variant>> kinds(3);
  for (const int stage : {1, 3}) {
    if (w.parallelism.zero < stage) {
      kinds[0].push_back([=](const Change& x) { return zero(x, stage); });
    }
  }
  if (!w.parallelism.sequence) {
    kinds[1].emplace_back(sequence);
  }
  if (w.training.micro_batch > 1) {
    kinds[2].push_back([](const Change& x) { return micro_batch(x, 1); });
  }
  if (w.parallelism.zero > 0 && w.parallelism.sharding.ranks) {
    const int now = *w.parallelism.sharding.ranks;
    std::vector<Variant>& wider = kinds.emplace_back();
    for (const int times : {2, 4}) {
      if (times * now < w.parallelism.data) {
        wider.push_back([=](const Change& x) { return shared_by(x, times * now); });
      }
    }
    if (now < w.parallelism.data) {
      wider.push_back([](const Change& x) { return shared_by(x, x.workload.parallelism.data); });
    }
  }
  kinds.push_back(ways_to_keep(w));
  if (!w.offload.optimizer) {
    kinds.push_back({[](const Change& x) { return optimizer_in_host(x); }});
  }
  return kinds;
}

/// Whether every setting of a change means something there. What the plan itself has without an
/// effect, as ZeRO of one replica, is no matter of the change.
bool means_something(const Change& change) {
  const ParallelismSpec& p = change.workload.parallelism;
  const auto sets = [&](std::string_view key) {
    return std::any_of(change.settings.begin(), change.settings.end(),
                       [&](const std::string& setting) { return setting.starts_with(key); });
  };
  return (p.data > 1 || (!sets("parallelism.zero=") && !sets("parallelism.sharding.ranks="))) &&
         (p.tensor > 1 || !p.sequence || !sets("parallelism.sequence="));
}

/// Every combination of the settings that save memory, one of each kind at most; those of fewest
/// settings first.
std::vector<Change> combinations(const Workload& w, int gpus_per_node) {
  std::vector<Change> all = regroupings(w, gpus_per_node);
  for (const std::vector<Variant>& kind : variants(w)) {
    const std::vector<Change> before = all;
    for (const Variant& variant : kind) {
      std::transform(before.begin(), before.end(), std::back_inserter(all), variant);
    }
  }
  std::erase_if(all, [](const Change& change) {
    return change.settings.empty() || !means_something(change);
  });
  std::stable_sort(all.begin(), all.end(), [](const Change& a, const Change& b) {
    return a.settings.size() < b.settings.size();
  });
  return all;
}

/// Whether all settings of `less` are among those of `more`. Fewer layers that are computed again
/// are another change, not a longer one.
bool holds(const Change& more, const Change& less) {
  const bool other_layers =
      more.workload.training.recompute_layers != less.workload.training.recompute_layers;
  return std::all_of(less.settings.begin(), less.settings.end(), [&](const std::string& setting) {
    const bool is_other = other_layers && setting.starts_with("training.recompute");
    return !is_other &&
           std::find(more.settings.begin(), more.settings.end(), setting) != more.settings.end();
  });
}

/// What may shorten a part of the step.
std::vector<Change> remedies(std::string_view part, const Workload& w) {
  const ParallelismSpec& p = w.parallelism;
  const TrainingSpec& t = w.training;
  const Change now = keep(w);
  std::vector<Change> list;
  if (part == "exposed_tensor") {
    if (p.overlap_tensor != TensorOverlap::Full) {
      list.push_back(with(now, setting("parallelism.overlap.tensor", TensorOverlap::Full),
                          [](Workload& x) { x.parallelism.overlap_tensor = TensorOverlap::Full; }));
    }
    if (p.tensor % 2 == 0) {
      list.push_back(regrouped(now, p.tensor / 2, p.pipeline));
    }
  } else if (part == "exposed_pipeline") {
    if (!p.overlap_pipeline) {
      list.push_back(with(now, "parallelism.overlap.pipeline=true",
                          [](Workload& x) { x.parallelism.overlap_pipeline = true; }));
    }
    if (!p.scatter_gather && !p.sequence && p.tensor > 1) {
      list.push_back(with(now, "parallelism.scatter_gather=true",
                          [](Workload& x) { x.parallelism.scatter_gather = true; }));
    }
  } else if (part == "exposed_data") {
    if (!p.overlap_data) {
      list.push_back(with(now, "parallelism.overlap.data=true",
                          [](Workload& x) { x.parallelism.overlap_data = true; }));
    } else if (!p.overlap_weights && p.splits_state_alone() && p.can_gather_beside()) {
      list.push_back(with(now, "parallelism.overlap.weights=true",
                          [](Workload& x) { x.parallelism.overlap_weights = true; }));
    }
  } else if (part == "exposed_expert") {
    if (!p.overlap_shared && w.model.experts.shared_ffn > 0) {
      list.push_back(with(now, "parallelism.overlap.shared_experts=true",
                          [](Workload& x) { x.parallelism.overlap_shared = true; }));
    }
    if (!p.overlap_pairs) {
      list.push_back(with(now, "parallelism.overlap.pair=true",
                          [](Workload& x) { x.parallelism.overlap_pairs = true; }));
    }
  } else if (part == "bubble") {
    list.push_back(chunks(now, t.chunks * 2));
    if (t.micro_batch % 2 == 0) {
      list.push_back(micro_batch(now, t.micro_batch / 2));
    }
    if (p.pipeline % 2 == 0) {
      list.push_back(regrouped(now, p.tensor, p.pipeline / 2));
    }
  } else if (part == "recomputation") {
    if (t.attention == AttentionKind::Unfused) {
      list.push_back(fused(now));
    }
    if (t.recompute == Recompute::Full) {
      list.push_back(recompute(now, Recompute::None));
      if (t.attention == AttentionKind::Unfused) {
        list.push_back(recompute(now, Recompute::Selective));
      }
    }
  } else if (part == "memory_bound") {
    if (t.attention == AttentionKind::Unfused) {
      list.push_back(fused(now));
    }
    if (!p.sequence && p.tensor > 1) {
      list.push_back(sequence(now));
    }
  } else if (part == "optimizer") {
    if (p.zero < 1 && p.data > 1) {
      list.push_back(zero(now, 1));
    }
  } else if (part == "host") {
    list.push_back(micro_batch(now, t.micro_batch * 2));
  }
  return list;
}

/// Parts that a change may shorten.
constexpr auto kShortened = std::to_array<std::string_view>(
    {"exposed_tensor", "exposed_pipeline", "exposed_data", "exposed_expert", "bubble",
     "recomputation", "memory_bound", "optimizer", "host"});

/// Other numbers of what there is already, as of ranks, are no switches.
bool is_switch(const Change& change) {
  return std::none_of(change.settings.begin(), change.settings.end(), [](std::string_view setting) {
    return setting.starts_with("parallelism.tensor=") ||
           setting.starts_with("parallelism.pipeline=") ||
           setting.starts_with("training.micro_batch=") ||
           setting.starts_with("training.schedule.chunks=");
  });
}

}  // namespace

std::string Change::text() const {
  const bool regroups = std::any_of(settings.begin(), settings.end(), [](const std::string& text) {
    return text.starts_with("parallelism.tensor=") || text.starts_with("parallelism.pipeline=");
  });
  std::vector<std::string> all = settings;
  if (regroups) {
    all.push_back(fmt::format("parallelism.data={}", workload.parallelism.data));
  }
  if (all.size() == 1) {
    return all.front();
  }
  for (std::string& one : all) {
    one = shell_word(one);
  }
  return fmt::format("--set {}", fmt::join(all, " --set "));
}

std::vector<Change> speed_changes(const Report& report, const ClusterSpec& cluster) {
  constexpr double kWorthwhile = 0.01;  // of the step
  constexpr std::size_t kParts = 2;
  constexpr double kAsLarge = 0.9;  // of the last of them: which of two like these is no matter
  std::vector<Change> changes;
  std::size_t parts = 0;
  double least = kWorthwhile;
  for (const StepLimit& limit : limits_of(report.step)) {
    if (limit.share < least) {
      break;
    }
    const std::vector<Change> list = remedies(limit.key, report.workload);
    if (list.empty()) {
      continue;
    }
    for (const Change& change : list) {
      if (can_run(change.workload, cluster) && measure_memory(change.workload, cluster).fits()) {
        changes.push_back(change);
      }
    }
    if (++parts == kParts) {
      least = std::max(least, kAsLarge * limit.share);
    }
  }
  return changes;
}

std::vector<Change> switch_changes(const Workload& workload, const ClusterSpec& cluster) {
  std::vector<Change> found;
  for (const std::string_view part : kShortened) {
    for (Change& change : remedies(part, workload)) {
      const bool is_known = std::any_of(found.begin(), found.end(), [&](const Change& known) {
        return known.settings == change.settings;
      });
      if (!is_known && is_switch(change) && can_run(change.workload, cluster) &&
          measure_memory(change.workload, cluster).fits()) {
        found.push_back(std::move(change));
      }
    }
  }
  return found;
}

std::vector<Change> memory_changes(const Workload& workload, const ClusterSpec& cluster) {
  constexpr std::size_t kEnough = 12;
  const int node = cluster.topology.gpus_per_node;
  const std::vector<Change> all = combinations(workload, node);
  std::vector<Change> found;
  for (const bool inside : {true, false}) {
    for (const Change& change : all) {
      if (found.size() >= kEnough && change.settings.size() > found.back().settings.size()) {
        break;
      }
      const bool longer = std::any_of(found.begin(), found.end(),
                                      [&](const Change& known) { return holds(change, known); });
      if ((change.workload.parallelism.tensor <= node) == inside && !longer &&
          can_run(change.workload, cluster) && measure_memory(change.workload, cluster).fits()) {
        found.push_back(change);
      }
    }
    if (!found.empty()) {
      break;
    }
  }
  return found;
}

}  // namespace danlu
