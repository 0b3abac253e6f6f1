// Inside sim/scenario: values with the defaults of their table.
#pragma once

#include <string>
#include <string_view>

#include "sim/scenario/members.hpp"

namespace danlu {

/// Typed access with the table's defaults.
class Getter {
 public:
  Getter(const Values& values, std::span<const KeyRow> keys) : values_(values), keys_(keys) {}

  bool has(std::string_view path) const { return values_.has(path); }
  /// 0 and "" where nothing stands and there is no default.
  double number(std::string_view path) const { return value(path).number; }
  int count(std::string_view path) const { return static_cast<int>(number(path)); }
  bool flag(std::string_view path) const { return number(path) != 0; }
  std::string text(std::string_view path) const { return value(path).text; }
  template <typename Enum>
  Enum choice(std::string_view path) const {
    return value_named<Enum>(text(path)).value();
  }

  /// Fills the members of `spec` that rows at any depth below `section` ("" is the root) are for,
  /// but for those below `except`. One without value and default keeps what it has.
  template <typename Spec>
  void fill(Spec& spec, std::string_view section = "", std::string_view except = "") const {
    for (const KeyRow& row : keys_) {
      const auto* const member = std::any_cast<Member<Spec>>(&row.member);
      const auto rest = member != nullptr ? rest_below(row.path, section) : std::nullopt;
      if (!rest || (!except.empty() && rest_below(row.path, except))) {
        continue;
      }
      const std::string path = section.empty() ? row.path : fmt::format("{}.{}", section, *rest);
      if (values_.has(path)) {
        member->set(spec, values_.at(path));
      } else if (const std::optional<Value> fallback = fallback_of(row)) {
        member->set(spec, *fallback);
      }
    }
  }

 private:
  Value value(std::string_view path) const {
    if (values_.has(path)) {
      return values_.at(path);
    }
    const KeyRow* row = find_key(keys_, path);
    check(row != nullptr, fmt::format("the table has no key '{}'", path));
    return fallback_of(*row).value_or(Value{});
  }

  const Values& values_;
  std::span<const KeyRow> keys_;
};

/// What a user would write in the section for what stands in `spec`, by key below the section.
template <typename Spec>
Values values_of(const Spec& spec, std::span<const KeyRow> keys, std::string_view section,
                 const std::string& origin) {
  Values values;
  for (const KeyRow& row : keys) {
    const auto* const member = std::any_cast<Member<Spec>>(&row.member);
    if (member != nullptr && member->get) {
      Value value = member->get(spec);
      value.origin = origin;
      values.set(std::string(rest_below(row.path, section).value()), std::move(value));
    }
  }
  return values;
}

}  // namespace danlu
