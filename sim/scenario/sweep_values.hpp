// Values that a key of a sweep takes, as they are typed:
//
//   64,128,1024          a list
//   64..512:x2           64, 128, 256, 512: by a factor
//   2..8:2               2, 4, 6, 8: by a step, 1 where it is left out
//   dgx-a100,hgx-a800
//
// A range ends at the last value that is not beyond its end. Commas inside of brackets and braces
// are the value's own: [1,2],[3].
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/values.hpp"

namespace danlu {

/// The values, or what is wrong with the text.
struct TypedValues {
  std::vector<std::string> values;
  std::optional<Complaint> wrong;
};
TypedValues typed_values(const std::string& text);

/// Whether a value stands twice among those of `key`.
std::optional<Complaint> stands_twice(std::string_view key, std::vector<std::string> values);

/// Whether one key is the other, or a section that it lies in.
bool keys_overlap(std::string_view a, std::string_view b);

}  // namespace danlu
