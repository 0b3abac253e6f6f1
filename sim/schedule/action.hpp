// What a stage does in one step, in order: actions on a chunk and a microbatch. F is the forward
// pass; the backward pass B is made of the gradients of the inputs (I), for which the stage before
// waits, and those of the weights (W), for which nobody does. Written as PyTorch does: 0F1 is the
// forward pass of microbatch 1 through chunk 0.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "sim/base/names.hpp"

namespace danlu {

enum class ActionKind { Forward, Backward, Input, Weight };
struct ActionRow {
  ActionKind value;
  std::string_view name;
  char letter;
};
template <>
inline constexpr auto kNames<ActionKind> =
    std::to_array<ActionRow>({{ActionKind::Forward, "forward", 'F'},
                              {ActionKind::Backward, "backward", 'B'},
                              {ActionKind::Input, "input gradient", 'I'},
                              {ActionKind::Weight, "weight gradient", 'W'}});

struct Action {
  ActionKind kind = ActionKind::Forward;
  int chunk = 0;
  int microbatch = 0;
  bool with_next = false;  // side by side with the action that follows, as one pass
  auto operator<=>(const Action&) const = default;  // NOLINT(modernize-use-nullptr)

  bool is_forward() const { return kind == ActionKind::Forward; }
  /// Whether it makes what goes to the stage before: the gradient of its input.
  bool gives_gradient() const { return kind == ActionKind::Backward || kind == ActionKind::Input; }
  /// Whether after it nothing is kept of the microbatch.
  bool frees() const { return kind == ActionKind::Backward || kind == ActionKind::Weight; }
  /// "0F1"
  std::string text() const {
    return std::to_string(chunk) + row_named(kind).letter + std::to_string(microbatch);
  }
};

/// What such a text says; nothing where it says no action.
std::optional<Action> parse_action(std::string_view text);

}  // namespace danlu
