// Which stage holds which part of the model. With v chunks a stage the model is cut into p v parts,
// dealt to the stages in turn:
//
//   straight      stage 0: part 0        stage 1: part 1
//   interleaved   stage 0: parts 0, 2    stage 1: parts 1, 3       (p = 2, v = 2)
//   V             stage 0: parts 0, 3    stage 1: parts 1, 2
#pragma once

#include <compare>
#include <optional>

namespace danlu {

/// A part of the model, where it lies.
struct PlacedChunk {
  int stage = 0;
  int chunk = 0;
  auto operator<=>(const PlacedChunk&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// How parts are dealt: in turn from the first stage on, or there and back.
enum class Deal { InTurn, V };

class Placement {
 public:
  Placement(int stages, int chunks, Deal deal = Deal::InTurn)
      : stages_(stages), chunks_(chunks), deal_(deal) {}

  int stages() const { return stages_; }
  int chunks() const { return chunks_; }
  /// Into how many the model is cut.
  int parts() const { return stages_ * chunks_; }
  /// The number of the part, in the model's order.
  int part(PlacedChunk at) const {
    return at.chunk * stages_ + (turns_back(at.chunk) ? stages_ - 1 - at.stage : at.stage);
  }
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
    return holder(part(at) + (forward ? 1 : -1));
  }
  /// Whether what goes there goes to the stage that follows, with the first one after the last;
  /// else to the one before.
  bool goes_on(PlacedChunk from, bool forward) const { return forward != turns_back(from.chunk); }
  /// The stages that hold the model's beginning and its end.
  int first_stage() const { return holder(0).stage; }
  int last_stage() const { return holder(parts() - 1).stage; }

 private:
  bool turns_back(int chunk) const { return deal_ == Deal::V && chunk % 2 == 1; }

  int stages_;
  int chunks_;
  Deal deal_;
};

}  // namespace danlu
