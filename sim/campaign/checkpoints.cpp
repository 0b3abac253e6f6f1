#include "sim/campaign/checkpoints.hpp"

#include <algorithm>
#include <cmath>

#include "sim/campaign/campaign.hpp"

namespace danlu {
namespace {

constexpr double kOnGrid = 1e-6;  // intervals: so near to a grid point is on it

}  // namespace

CheckpointBook::CheckpointBook(const FaultsSpec& spec, Seconds step, Seconds total)
    : tiers_(spec.tiers),
      total_(total),
      due_(spec.tiers.size(), kNever),
      saves_(spec.tiers.size()),
      counts_(spec.tiers.size()) {
  for (const CheckpointTier& tier : tiers_) {
    interval_.push_back(interval_of(tier, step, spec.semantics.whole_steps));
    slows_ = slows_ || tier.slowdown > 1;
  }
  plan_after({});
}

void CheckpointBook::plan_after(Seconds work) {
  next_due_ = kNever;
  for (const TierId i : tiers_.ids()) {
    if (interval_[i] < kNever) {
      due_[i] = interval_[i] * (std::floor(work / interval_[i] + kOnGrid) + 1);
      if (std::abs((due_[i] - total_) / interval_[i]) < kOnGrid) {
        due_[i] = total_;  // k intervals of n steps are k n steps, but not to the last bit
      }
      next_due_ = std::min(next_due_, due_[i]);
    }
  }
}

CheckpointBook::Row CheckpointBook::next_row(Seconds work) const {
  Row row;
  Seconds until = total_;
  for (const TierId i : tiers_.ids()) {
    if (due_[i] == next_due_ && !row.tier) {
      row.tier = i;
      row.interval = interval_[i];
    } else {
      until = std::min(until, due_[i]);
    }
  }
  if (row.tier && std::abs((next_due_ - work) / row.interval - 1) < kOnGrid) {
    row.count = std::floor((until - work) / row.interval - kOnGrid);
  }
  return row;
}

void CheckpointBook::add_row(TierId tier, const Save& first, int count, Seconds cycle,
                             Seconds interval) {
  auto& saves = saves_[tier];
  const int kept = tiers_[tier].keep;
  const int needed = wrong_since_ == kNever ? 2 : kept == 0 ? count : kept + 1;
  const double number = std::round(first.work / interval);
  for (int i = count - std::min(count, needed); i < count; ++i) {
    saves.push_back(
        {tier, interval * (number + i), first.taken + cycle * i, first.usable + cycle * i});
  }
  counts_[tier] += count;
  trim(tier, saves.back().taken);
}

void CheckpointBook::add(TierId tier, const Save& save) {
  saves_[tier].push_back(save);
  ++counts_[tier];
  trim(tier, save.taken);
}

/// Drops what is usable but kept no longer, and what no failure can fall back to: all before the
/// newest usable save that has right numbers.
void CheckpointBook::trim(TierId tier, Seconds now) {
  auto& saves = saves_[tier];
  const int kept = tiers_[tier].keep;
  const auto usable =
      std::count_if(saves.begin(), saves.end(), [&](const Save& old) { return old.usable <= now; });
  const auto right = std::count_if(saves.begin(), saves.end(), [&](const Save& old) {
    return old.usable <= now && old.taken <= wrong_since_;
  });
  const auto surplus = std::max(right - 1, kept > 0 ? usable - kept : 0);
  if (surplus > 0) {
    saves.erase(saves.begin(), saves.begin() + surplus);
  }
}

Seconds CheckpointBook::free_at(TierId tier, Seconds now) const {
  const auto& saves = saves_[tier];
  const auto most = static_cast<std::size_t>(tiers_[tier].in_flight);
  // Saves of a tier persist in order: the one `most` back must be through.
  return saves.size() < most ? now : std::max(now, saves[saves.size() - most].usable);
}

Seconds CheckpointBook::usable_at(TierId tier) const {
  const auto& saves = saves_[tier];
  return saves.empty() ? Seconds{} : saves.back().usable;
}

double CheckpointBook::slowdown(Seconds now) const {
  double factor = 1;
  for (const TierId i : tiers_.ids()) {
    if (slows_ && !saves_[i].empty() && saves_[i].back().usable > now) {
      factor = std::max(factor, tiers_[i].slowdown);
    }
  }
  return factor;
}

Seconds CheckpointBook::next_persisted(Seconds now) const {
  Seconds next = kNever;
  for (const TierId i : tiers_.ids()) {
    if (slows_ && !saves_[i].empty() && saves_[i].back().usable > now) {
      next = std::min(next, saves_[i].back().usable);
    }
  }
  return next;
}

// Saves of a tier are taken and become usable in the order in which they stand.

void CheckpointBook::drop_unfinished(Seconds now) {
  for (const TierId i : saves_.ids()) {
    for (; !saves_[i].empty() && saves_[i].back().usable > now; --counts_[i]) {
      saves_[i].pop_back();
    }
    trim(i, now);
  }
}

void CheckpointBook::forget_after(Seconds tainted) {
  for (auto& saves : saves_) {
    while (!saves.empty() && saves.back().taken > tainted) {
      saves.pop_back();
    }
  }
}

Save CheckpointBook::newest(Seconds now) const {
  Save best;
  for (const auto& saves : saves_) {
    const auto save = std::find_if(saves.rbegin(), saves.rend(),
                                   [&](const Save& candidate) { return candidate.usable <= now; });
    if (save != saves.rend() && save->work > best.work) {
      best = *save;
    }
  }
  return best;
}

}  // namespace danlu
