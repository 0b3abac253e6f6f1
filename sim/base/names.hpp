// The names of an enum stand once, beside it, each with the value that it is the name of:
//
//   enum class Norm { LayerNorm, RmsNorm };
//   template <>
//   inline constexpr auto kNames<Norm> = std::to_array<Named<Norm>>(
//       {{Norm::LayerNorm, "layernorm"}, {Norm::RmsNorm, "rmsnorm"}});
//
// Keys, reports, traces and tables of measurements read them there, so that neither the order nor
// the numbers of an enum mean anything to a file. tests/unit/names_test.cpp holds every table to
// its enum.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

namespace danlu {

template <typename Enum>
struct Named {
  Enum value{};
  std::string_view name;
};

/// The table of an enum; rows may have more than a `value` and a `name`. Empty: it has none.
template <typename Enum>
inline constexpr std::array<Named<Enum>, 0> kNames{};

template <typename Enum>
requires std::is_enum_v<Enum>
constexpr const auto& row_named(Enum value) {
  static_assert(!kNames<Enum>.empty(), "an enum without names");
  std::size_t at = 0;
  while (kNames<Enum>[at].value != value) {
    ++at;  // the table has all of them
  }
  return kNames<Enum>[at];
}

template <typename Enum>
requires std::is_enum_v<Enum>
constexpr std::string_view name_of(Enum value) {
  return row_named(value).name;
}

/// The value of that name, if there is one.
template <typename Enum>
constexpr std::optional<Enum> value_named(std::string_view name) {
  for (const auto& row : kNames<Enum>) {
    if (row.name == name) {
      return row.value;
    }
  }
  return std::nullopt;
}

}  // namespace danlu
