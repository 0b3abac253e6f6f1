// Inside sim/scenario: layers that a list picks, as keys of a model say it: each so-manieth.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace danlu {

/// Of the layers behind the first `behind` each `every`-th, counted from the first layer of all.
struct EachSoMany {
  int behind = 0;
  int every = 1;
  bool operator==(const EachSoMany&) const = default;
};

/// That of the picked layers, of which there is one at least; nothing where no such two numbers
/// pick them and no others. Of several it is the one with the fewest layers left out in front.
std::optional<EachSoMany> each_so_many(const std::vector<bool>& picked);

/// "3 of 26 layers (0 to 2)", counted from 0 as configurations do.
std::string layers_text(const std::vector<bool>& picked);

}  // namespace danlu
