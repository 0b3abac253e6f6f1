// What repeats in a row of a schedule. A step of so many microbatches more has a round of passes
// more on every stage, a copy of the one before it:
//
//   1F1B, stage 0 of 2, 4 microbatches   F0  F1 B0  F2 B1  F3 B2  B3
//   5 microbatches                       F0  F1 B0 [F2 B1] F3 B2  F4 B3  B4
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "sim/schedule/action.hpp"

namespace danlu {

/// A round of a stage's passes, an action or two side by side: `length` of them from the pass
/// number `first` on, or from any later one up to `last`, may come once more.
struct RowRound {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t length = 0;
};

/// That by which `longer` is longer than `row`; none where it is not one round inserted. Passes are
/// alike where they are of the same kind and chunk, and both or neither are the first forward pass
/// of the chunk, or the last that frees what is kept of a microbatch.
std::optional<RowRound> round_between(std::span<const Action> row, std::span<const Action> longer);

}  // namespace danlu
