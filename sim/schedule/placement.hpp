// Which stage holds which part of the model. With v chunks a stage the model is cut into p v parts,
// dealt to the stages in turn, or there and back; or there are two copies of it, cut into p parts
// each, that run against each other:
//
//   straight      stage 0: part 0        stage 1: part 1
//   interleaved   stage 0: parts 0, 2    stage 1: parts 1, 3       (p = 2, v = 2)
//   V             stage 0: parts 0, 3    stage 1: parts 1, 2
//   both ways     stage 0: parts 0, 1'   stage 1: parts 1, 0'      (' of the second copy)
#pragma once

#include <compare>
#include <optional>

#include "sim/base/names.hpp"

namespace danlu {

/// A part of the model, where it lies.
struct PlacedChunk {
  int stage = 0;
  int chunk = 0;
  auto operator<=>(const PlacedChunk&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// How parts are dealt: in turn from the first stage on; there and back; or the second chunk is a
/// second copy of the model, from the last stage to the first.
enum class Deal { InTurn, V, BothWays };
template <>
inline constexpr auto kNames<Deal> = std::to_array<Named<Deal>>({{Deal::InTurn, "in-turn"},
                                                                 {Deal::V, "v"},
                                                                 {Deal::BothWays, "both-ways"}});

class Placement {
 public:
  Placement(int stages, int chunks, Deal deal = Deal::InTurn)
      : stages_(stages), chunks_(chunks), deal_(deal) {}

  int stages() const { return stages_; }
  int chunks() const { return chunks_; }
  /// Into how many the model is cut.
  int parts() const { return has_copies() ? stages_ : stages_ * chunks_; }
  bool has_copies() const { return deal_ == Deal::BothWays; }
  /// The number of the part, in the model's order.
  int part(PlacedChunk at) const {
    const int first = has_copies() ? 0 : at.chunk * stages_;
    return first + (turns_back(at.chunk) ? stages_ - 1 - at.stage : at.stage);
  }
  /// Where the part lies; of two copies the first.
  PlacedChunk holder(int part) const {
    const int chunk = part / stages_;
    const int along = part % stages_;
    return {turns_back(chunk) ? stages_ - 1 - along : along, chunk};
  }
  bool is_first(PlacedChunk at) const { return part(at) == 0; }
  bool is_last(PlacedChunk at) const { return part(at) == parts() - 1; }
  /// Where activations (forward) or gradients go from here; nowhere at the model's ends.
  std::optional<PlacedChunk> receiver(PlacedChunk at, bool forward) const {
    if (forward ? is_last(at) : is_first(at)) {
      return std::nullopt;
    }
    if (has_copies()) {
      return PlacedChunk{at.stage + (goes_on(at, forward) ? 1 : -1), at.chunk};
    }
    return holder(part(at) + (forward ? 1 : -1));
  }
  /// Whether what goes there goes to the stage that follows, with the first one after the last;
  /// else to the one before.
  bool goes_on(PlacedChunk from, bool forward) const { return forward != turns_back(from.chunk); }
  /// The stages that hold the model's beginning and its end; of two copies of the first.
  int first_stage() const { return holder(0).stage; }
  int last_stage() const { return holder(parts() - 1).stage; }
  bool holds_first(int stage) const {
    return stage == first_stage() || (has_copies() && stage == last_stage());
  }
  bool holds_last(int stage) const {
    return stage == last_stage() || (has_copies() && stage == first_stage());
  }

 private:
  bool turns_back(int chunk) const { return deal_ != Deal::InTurn && chunk % 2 == 1; }

  int stages_;
  int chunks_;
  Deal deal_;
};

}  // namespace danlu
