// Inside sim/scenario: which member of a spec a key fills. A row of the tables of keys carries it,
// so that Getter::fill reads a section as a whole, and a key that is just a value stands in its row
// and nowhere else.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <any>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "sim/base/names.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// How a value gets into a spec, and what the user would write for what stands there (of counts,
/// flags and choices; the others have no `get`).
template <typename Spec>
struct Member {
  std::function<void(Spec&, const Value&)> set;
  std::function<Value(const Spec&)> get;
};

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

/// Puts a value into a number, a flag, a text, a quantity, a list of whole numbers, or an optional
/// one of these.
template <typename T>
void assign(T& member, const Value& value) {
  if constexpr (kIsOptional<T>) {
    assign(member.emplace(), value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    member = value.text;
  } else if constexpr (std::is_same_v<T, std::vector<int>>) {
    member.assign(value.numbers.begin(), value.numbers.end());
  } else if constexpr (std::is_same_v<T, bool>) {
    member = value.number != 0;
  } else if constexpr (std::is_arithmetic_v<T>) {
    member = static_cast<T>(value.number);
  } else {
    member = T{value.number};
  }
}

template <typename Spec, typename T>
Member<Spec> member_at(T Spec::*at) {
  static_assert(!std::is_enum_v<T>, "an enum is filled by a choice");
  Member<Spec> member{.set = [at](Spec& spec, const Value& value) { assign(spec.*at, value); }};
  if constexpr (std::is_same_v<T, int> || std::is_same_v<T, bool>) {
    member.get = [at](const Spec& spec) {
      return Value{.text = fmt::format("{}", spec.*at), .number = static_cast<double>(spec.*at)};
    };
  }
  return member;
}

/// A member of a part of the spec.
template <typename Spec, typename Part, typename T>
Member<Spec> member_at(Part Spec::*part, T Part::*at) {
  const Member<Part> inside = member_at(at);
  Member<Spec> member{
      .set = [=](Spec& spec, const Value& value) { inside.set(spec.*part, value); }};
  if (inside.get) {
    member.get = [=](const Spec& spec) { return inside.get(spec.*part); };
  }
  return member;
}

/// A member that has the value of one of `words`.
template <typename Spec, typename T>
Member<Spec> member_at(T Spec::*at, const std::vector<Named<T>>& words) {
  return {.set =
              [at, words](Spec& spec, const Value& value) {
                const auto word =
                    std::find_if(words.begin(), words.end(),
                                 [&](const Named<T>& one) { return one.name == value.text; });
                check(word != words.end(), "a word that the reader should have refused");
                spec.*at = word->value;
              },
          .get =
              [at, words](const Spec& spec) {
                const auto word =
                    std::find_if(words.begin(), words.end(),
                                 [&](const Named<T>& one) { return one.value == spec.*at; });
                check(word != words.end(), "a value without a word");
                return Value{.text = std::string(word->name)};
              }};
}

/// The Member of a row: that of a pointer to a member, or one of its own.
struct Into {
  Into() = default;
  template <typename Spec, typename T>
  Into(T Spec::*at) : member(member_at(at)) {}  // NOLINT(google-explicit-constructor)
  template <typename Spec>
  Into(Member<Spec> own) : member(std::move(own)) {}  // NOLINT(google-explicit-constructor)

  std::any member;
};
/// Of a key that has code of its own: a list, a relation, a value that others follow from.
inline const Into kByHand{};

/// The names of an enum as choices: all of them, or those of some values.
template <typename Enum>
std::vector<Named<Enum>> words_of() {
  std::vector<Named<Enum>> words;
  for (const auto& row : kNames<Enum>) {
    words.push_back({row.value, row.name});
  }
  return words;
}
template <typename Enum>
std::vector<Named<Enum>> words_of(std::initializer_list<Enum> some) {
  std::vector<Named<Enum>> words;
  for (const Enum value : some) {
    words.push_back({value, name_of(value)});
  }
  return words;
}

/// "auto", which is none, and all names of the enum.
template <typename Enum>
std::vector<Named<std::optional<Enum>>> words_or_auto() {
  std::vector<Named<std::optional<Enum>>> words{{std::nullopt, "auto"}};
  for (const auto& row : kNames<Enum>) {
    words.push_back({row.value, row.name});
  }
  return words;
}

/// "none|selective|full"
template <typename T>
std::string choices_of(const std::vector<Named<T>>& words) {
  std::string choices;
  for (const Named<T>& word : words) {
    choices += fmt::format("{}{}", choices.empty() ? "" : "|", word.name);
  }
  return choices;
}

}  // namespace danlu
