// Which stage holds which part of the model. With v chunks a stage the model is cut into p v parts,
// dealt to the stages in turn:
//
//   straight      stage 0: part 0        stage 1: part 1
//   interleaved   stage 0: parts 0, 2    stage 1: parts 1, 3       (p = 2, v = 2)
#pragma once

#include <optional>

namespace danlu {

/// A part of the model, where it lies.
struct PlacedChunk {
  int stage = 0;
  int chunk = 0;
  bool operator==(const PlacedChunk&) const = default;
};

class Placement {
 public:
  Placement(int stages, int chunks) : stages_(stages), chunks_(chunks) {}

  int stages() const { return stages_; }
  int chunks() const { return chunks_; }
  /// The number of the part, in the model's order.
  int part(PlacedChunk at) const { return at.chunk * stages_ + at.stage; }
  PlacedChunk holder(int part) const { return {part % stages_, part / stages_}; }
  bool is_first(PlacedChunk at) const { return part(at) == 0; }
  bool is_last(PlacedChunk at) const { return part(at) == stages_ * chunks_ - 1; }
  /// Where activations (forward) or gradients go from here; nowhere at the model's ends.
  std::optional<PlacedChunk> receiver(PlacedChunk at, bool forward) const {
    if (forward ? is_last(at) : is_first(at)) {
      return std::nullopt;
    }
    return holder(part(at) + (forward ? 1 : -1));
  }
  /// The stages that hold the model's beginning and its end.
  int first_stage() const { return holder(0).stage; }
  int last_stage() const { return holder(stages_ * chunks_ - 1).stage; }

 private:
  int stages_;
  int chunks_;
};

}  // namespace danlu
