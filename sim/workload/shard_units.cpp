#include "sim/workload/shard_units.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "sim/workload/layers.hpp"
#include "sim/workload/memory.hpp"

namespace danlu {
namespace {

/// A module within a layer: from an operator to another, with what these exchange; outer ones
/// first.
struct ModuleRow {
  UnitPart part{};
  const char* first;
  const char* last;
};
constexpr std::array kModules{
    ModuleRow{UnitPart::Attention, kQkv, kProjection},
    ModuleRow{UnitPart::Attention, kLatentDown, kProjection},
    ModuleRow{UnitPart::Attention, kCrossQueries, kProjection},
    ModuleRow{UnitPart::Mlp, kMlpUp, kMlpDown},
    ModuleRow{UnitPart::Mlp, kRouter, kExpertSum},
    ModuleRow{UnitPart::Experts, kExpertUp, kExpertDown},
};

const Operator* operator_at(const Block& block, std::size_t i) {
  return std::get_if<Operator>(&block.steps[i]);
}
bool is_named(const Block& block, std::size_t i, std::string_view name) {
  const Operator* op = operator_at(block, i);
  return op != nullptr && op->name == name;
}

/// Whether that is an exchange beside a product of the module; tokens are sent to experts and back
/// by what they lie in.
bool goes_along(const Block& block, std::size_t i) {
  const auto* exchange = std::get_if<Exchange>(&block.steps[i]);
  return exchange != nullptr && exchange->axes != AxisSet(Axis::Expert);
}

/// Steps [first, end) that a unit holds.
struct Range {
  std::size_t first = 0;
  std::size_t end = 0;
};

std::vector<Range> ranges_of(const ModuleRow& row, const Block& block) {
  std::vector<Range> found;
  const std::size_t size = block.steps.size();
  for (std::size_t i = 0; i < size; ++i) {
    if (!is_named(block, i, row.first)) {
      continue;
    }
    Range range{i, i};
    while (range.first > 0 && goes_along(block, range.first - 1)) {
      --range.first;
    }
    while (!is_named(block, range.end, row.last)) {
      ++range.end;
    }
    do {
      ++range.end;
    } while (range.end < size && goes_along(block, range.end));
    found.push_back(range);
    i = range.end - 1;
  }
  return found;
}

/// Cuts a chunk into stretches, in the model's order, and then turns that round where a pass goes
/// backward.
class Cutter {
 public:
  Cutter(const Workload& w, const ModelBlocks& model, PassOrder order)
      : w_(w), sharding_(w.parallelism.sharding), model_(model), order_(order) {}

  UnitsOfPass cut(const HeldByChunk& chunk) {
    if (chunk.first) {
      add_end(chunk.decodes ? model_.decoder_embedding : model_.embedding, UnitPart::Embedding);
    }
    std::vector<const Block*> again;
    std::optional<std::size_t> unit;
    double filled = 0;  // parameters of the unit
    for (std::size_t i = 0; i < chunk.layers.size(); ++i) {
      const Block& block = model_.kinds[chunk.layers[i]];
      const bool is_full = w_.parallelism.zero >= 2
                               ? i % static_cast<std::size_t>(sharding_.unit_layers) == 0
                               : i == 0 || filled >= bucket();
      if (is_unit(UnitPart::Layer) && is_full) {
        unit = open(0);
        filled = 0;
      }
      for (const Weight* weight : weights_of(block)) {
        filled += weight->trained ? weight->held : 0;
      }
      add_layer(block, unit);
      if (order_ == PassOrder::Backward && block.with_next) {
        again.push_back(&block);
      } else {
        made_.stretches.back().again = std::exchange(again, {});
      }
    }
    if (chunk.last) {
      add_end(model_.head, UnitPart::Head);
    }
    if (order_ != PassOrder::Forward) {
      turn_round();
    }
    sort_units();
    find_entered();
    return std::move(made_);
  }

 private:
  /// Parameters that ZeRO-1 gathers together at least (bucket_size of Megatron-LM's
  /// core/distributed/distributed_data_parallel.py).
  double bucket() const {
    return std::max(40e6, 1e6 * shards_of(w_.parallelism, kDataAxes).optimizer);
  }

  /// Below ZeRO-2 nothing travels within passes but updated weights, by layers and the model's
  /// ends.
  bool is_unit(UnitPart part) const {
    return w_.parallelism.zero >= 2 ? sharding_.has_unit(part)
                                    : w_.parallelism.gathers_updated() &&
                                          (part == UnitPart::Embedding || part == UnitPart::Layer ||
                                           part == UnitPart::Head);
  }

  std::size_t open(int depth) {
    made_.units.push_back({.depth = depth});
    begun_.push_back(false);
    return made_.units.size() - 1;
  }

  void add_end(const Block& block, UnitPart part) {
    std::vector<std::size_t> holders;
    if (is_unit(part)) {
      holders.push_back(open(0));
      made_.units.back().stays = part == UnitPart::Head;
    }
    add_stretch(
        {.block = &block, .end = block.steps.size(), .begins_block = true, .ends_block = true},
        holders);
  }

  void add_layer(const Block& block, std::optional<std::size_t> unit) {
    std::vector<std::pair<Range, std::size_t>> parts;  // with their units, outer ones first
    std::set<std::size_t> cuts{0, block.steps.size()};
    for (const ModuleRow& row : kModules) {
      if (!is_unit(row.part)) {
        continue;
      }
      for (const Range& range : ranges_of(row, block)) {
        const auto around = std::count_if(parts.begin(), parts.end(), [&](const auto& part) {
          return part.first.first <= range.first && range.end <= part.first.end;
        });
        parts.emplace_back(range, open(1 + static_cast<int>(around)));
        cuts.insert({range.first, range.end});
      }
    }
    for (auto cut = cuts.begin(); std::next(cut) != cuts.end(); ++cut) {
      const std::size_t end = *std::next(cut);
      std::vector<std::size_t> holders;
      if (unit) {
        holders.push_back(*unit);
      }
      for (const auto& [range, part] : parts) {
        if (range.first <= *cut && end <= range.end) {
          holders.push_back(part);
        }
      }
      add_stretch({.block = &block,
                   .first = *cut,
                   .end = end,
                   .is_layer = true,
                   .begins_block = *cut == 0,
                   .ends_block = end == block.steps.size()},
                  holders);
    }
  }

  /// `holders`: the units that it lies in; the last one, or the root, has its weights.
  void add_stretch(Stretch stretch, const std::vector<std::size_t>& holders) {
    const std::size_t here = made_.stretches.size();
    for (const std::size_t holder : holders) {
      ShardUnit& unit = made_.units[holder];
      unit.first = begun_[holder] ? unit.first : here;
      unit.last = here;
      begun_[holder] = true;
    }
    ShardUnit& own = holders.empty() ? made_.root : made_.units[holders.back()];
    own.add(w_, *stretch.block, stretch.first, stretch.end);
    made_.root_has_layers |= holders.empty() && stretch.is_layer;
    made_.stretches.push_back(std::move(stretch));
    holders_.push_back(holders);
  }

  void turn_round() {
    const std::size_t last = made_.stretches.size() - 1;
    std::reverse(made_.stretches.begin(), made_.stretches.end());
    std::reverse(holders_.begin(), holders_.end());
    for (Stretch& stretch : made_.stretches) {
      std::swap(stretch.begins_block, stretch.ends_block);
    }
    for (ShardUnit& unit : made_.units) {
      unit.first = last - std::exchange(unit.last, last - unit.first);
    }
  }

  /// As they are entered: outer ones before those in them.
  void sort_units() {
    std::vector<std::size_t> order(made_.units.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto key = [&](std::size_t unit) {
      return std::pair(made_.units[unit].first, made_.units[unit].depth);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    std::vector<ShardUnit> sorted;
    place_.resize(order.size());
    for (const std::size_t unit : order) {
      place_[unit] = sorted.size();
      sorted.push_back(std::move(made_.units[unit]));
    }
    made_.units = std::move(sorted);
  }
  /// How many units are entered once all that hold a stretch are.
  std::size_t entered_for(std::size_t stretch) const {
    std::size_t entered = 0;
    for (const std::size_t holder : holders_[stretch]) {
      entered = std::max(entered, place_[holder] + 1);
    }
    return entered;
  }

  void find_entered() {
    std::vector<Stretch>& all = made_.stretches;
    std::size_t before = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::size_t entered = std::max(before, entered_for(i));
      if (order_ == PassOrder::Backward) {
        entered = std::max(entered, entered_for_again(i));
      }
      all[i].entered = before = entered;
    }
  }
  /// What backward runs again when it comes to a stretch lies in that and in later ones.
  std::size_t entered_for_again(std::size_t here) const {
    const std::vector<Stretch>& all = made_.stretches;
    std::size_t entered = 0;
    std::size_t blocks = 0;  // that have begun since
    for (std::size_t i = here; i < all.size() && blocks <= all[here].again.size(); ++i) {
      const Stretch& stretch = all[i];
      const auto is_run = [&](const Again& again) {
        return again.before > all[here].first && again.before <= all[here].end &&
               !weights_within(*stretch.block, std::max(again.first, stretch.first),
                               std::min(again.end, stretch.end))
                    .empty();
      };
      const std::vector<Again>& again = all[here].block->again;
      const bool whole = blocks > 0;
      if (whole || std::any_of(again.begin(), again.end(), is_run)) {
        entered = std::max(entered, entered_for(i));
      }
      blocks += stretch.ends_block ? 1 : 0;
    }
    return entered;
  }

  const Workload& w_;
  const ShardingSpec& sharding_;
  const ModelBlocks& model_;
  PassOrder order_;
  UnitsOfPass made_;
  std::vector<std::vector<std::size_t>> holders_;  // by stretch: units, as they were opened
  std::vector<bool> begun_;                        // by unit, likewise
  std::vector<std::size_t> place_;                 // likewise: where it is when they are sorted
};

}  // namespace

void ShardUnit::add(const Workload& w, const Block& block, std::size_t begin, std::size_t end) {
  for (const Weight* weight : weights_within(block, begin, end)) {
    if (w.parallelism.zero >= 3) {
      gathered[weight->copies] += weight->held * gathered_bytes(w, *weight);
    } else if (weight->trained && weight->held > 0) {
      gathered[weight->copies] += weight->held * updated_bytes(w, *weight);
    }
    if (weight->trained && weight->held > 0) {
      trained[weight->copies] += weight->held;
    }
  }
  takes_gradient |= block.takes_gradient;
}

UnitsOfPass units_of_pass(const Workload& w, const ModelBlocks& model, const HeldByChunk& chunk,
                          PassOrder order) {
  return Cutter(w, model, order).cut(chunk);
}

}  // namespace danlu
