#include "sim/report/advice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "sim/report/verdict.hpp"

namespace danlu {
namespace {

Change keep(const Workload& workload) {
  return {{}, workload};
}

template <typename Apply>
Change with(const Change& before, std::string setting, const Apply& apply) {
  Change after = before;
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
  if (tensor == 1 && p.sequence) {
    p.sequence = false;
    after.settings.emplace_back("parallelism.sequence=false");
  }
  return after;
}

Change zero_1(const Change& before) {
  return with(before, "parallelism.zero=1", [](Workload& w) { w.parallelism.zero = 1; });
}
Change sequence(const Change& before) {
  return with(before, "parallelism.sequence=true",
              [](Workload& w) { w.parallelism.sequence = true; });
}
/// Attention stays as it is: without selective recomputation it would be fused if nothing is said.
Change recompute(const Change& before, Recompute how) {
  const bool was_selective = before.workload.training.recompute == Recompute::Selective;
  Change after = with(before, setting("training.recompute", how),
                      [&](Workload& w) { w.training.recompute = how; });
  if (was_selective && after.workload.training.attention == AttentionKind::Unfused) {
    after.settings.push_back(setting("training.attention", AttentionKind::Unfused));
  }
  return after;
}
/// A fused kernel has no scores to keep, so that selective recomputation has nothing to do.
Change fused(const Change& before) {
  Change after = with(before, setting("training.attention", AttentionKind::Flash),
                      [](Workload& w) { w.training.attention = AttentionKind::Flash; });
  if (after.workload.training.recompute == Recompute::Selective) {
    after.workload.training.recompute = Recompute::None;
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
  return problems(workload, cluster.gpus, cluster.gpu).empty();
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

/// Each of `changes` as it is, and, where `applies`, changed further.
template <typename Applies, typename Apply>
std::vector<Change> also(const std::vector<Change>& changes, const Applies& applies,
                         const Apply& apply) {
  std::vector<Change> all = changes;
  for (const Change& change : changes) {
    if (applies(change.workload)) {
      all.push_back(apply(change));
    }
  }
  return all;
}

/// Every combination of the settings that save memory.
std::vector<Change> combinations(const Workload& w, int gpus_per_node) {
  std::vector<Change> all = regroupings(w, gpus_per_node);
  all = also(
      all, [](const Workload& x) { return x.parallelism.zero < 1 && x.parallelism.data > 1; },
      zero_1);
  all = also(
      all, [](const Workload& x) { return !x.parallelism.sequence && x.parallelism.tensor > 1; },
      sequence);
  all = also(
      all, [](const Workload& x) { return x.training.micro_batch > 1; },
      [](const Change& x) { return micro_batch(x, 1); });
  const std::vector<Change> kept = all;
  const bool unfused = w.training.attention == AttentionKind::Unfused;
  if (w.training.recompute == Recompute::None && unfused) {
    const std::vector<Change> more = also(
        kept, [](const Workload&) { return true; },
        [](const Change& x) { return recompute(x, Recompute::Selective); });
    all = more;
  }
  if (w.training.recompute != Recompute::Full) {
    for (const Change& change : kept) {
      all.push_back(recompute(change, Recompute::Full));
    }
  }
  return all;
}

/// Whether all settings of `less` are among those of `more`.
bool holds(const Change& more, const Change& less) {
  return std::all_of(less.settings.begin(), less.settings.end(), [&](const std::string& setting) {
    return std::find(more.settings.begin(), more.settings.end(), setting) != more.settings.end();
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
    if (!p.scatter_gather && p.tensor > 1) {
      list.push_back(with(now, "parallelism.scatter_gather=true",
                          [](Workload& x) { x.parallelism.scatter_gather = true; }));
    }
  } else if (part == "exposed_data") {
    if (!p.overlap_data) {
      list.push_back(with(now, "parallelism.overlap.data=true",
                          [](Workload& x) { x.parallelism.overlap_data = true; }));
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
      list.push_back(zero_1(now));
    }
  } else if (part == "host") {
    list.push_back(micro_batch(now, t.micro_batch * 2));
  }
  return list;
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
  return all.size() == 1 ? all.front() : fmt::format("--set {}", fmt::join(all, " --set "));
}

std::vector<Change> speed_changes(const Report& report, const ClusterSpec& cluster) {
  constexpr double kWorthwhile = 0.01;  // of the step
  constexpr std::size_t kParts = 2;
  std::vector<Change> changes;
  std::size_t parts = 0;
  for (const StepLimit& limit : limits_of(report.step)) {
    const std::vector<Change> list = remedies(limit.key, report.workload);
    if (list.empty() || limit.share < kWorthwhile) {
      continue;
    }
    for (const Change& change : list) {
      if (can_run(change.workload, cluster) && measure_memory(change.workload, cluster).fits()) {
        changes.push_back(change);
      }
    }
    if (++parts == kParts) {
      break;
    }
  }
  return changes;
}

std::vector<Change> memory_changes(const Workload& workload, const ClusterSpec& cluster) {
  std::vector<Change> fitting;
  for (Change& change : combinations(workload, cluster.topology.gpus_per_node)) {
    if (!change.settings.empty() && can_run(change.workload, cluster) &&
        measure_memory(change.workload, cluster).fits()) {
      fitting.push_back(std::move(change));
    }
  }
  const auto inside = [&](const Change& change) {
    return change.workload.parallelism.tensor <= cluster.topology.gpus_per_node;
  };
  if (std::any_of(fitting.begin(), fitting.end(), inside)) {
    std::erase_if(fitting, [&](const Change& change) { return !inside(change); });
  }
  std::stable_sort(fitting.begin(), fitting.end(), [](const Change& a, const Change& b) {
    return a.settings.size() < b.settings.size();
  });
  std::vector<Change> least;
  for (Change& change : fitting) {
    if (std::none_of(least.begin(), least.end(),
                     [&](const Change& known) { return holds(change, known); })) {
      least.push_back(std::move(change));
    }
  }
  return least;
}

}  // namespace danlu
