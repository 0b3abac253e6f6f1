#include "sim/import/interpolation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "sim/base/text.hpp"
#include "sim/base/units.hpp"

namespace danlu {
namespace {

/// Values by path, each resolved when it is asked for; a value that needs itself has none.
class Interpolator {
 public:
  Interpolator(const std::vector<GivenFlag>& flags, std::vector<Definition>& environment)
      : environment_(environment) {
    for (const GivenFlag& flag : flags) {
      written_[flag.name] = flag.value;
    }
  }

  /// The text of the flag `path` with everything put in; nothing where that is not known.
  std::optional<std::string> resolve(const std::string& text, const std::string& path, int depth) {
    constexpr int kDeepest = 30;
    std::string result = text;
    while (true) {  // the innermost one first
      const std::size_t from = result.rfind("${");
      if (from == std::string::npos) {
        return result;
      }
      const std::size_t to = result.find('}', from);
      const std::optional<std::string> value =
          to == std::string::npos || depth > kDeepest
              ? std::nullopt
              : value_of(result.substr(from + 2, to - from - 2), path, depth);
      if (!value) {
        return std::nullopt;
      }
      result.replace(from, to - from + 1, *value);
    }
  }

 private:
  std::optional<std::string> value_of(const std::string& inside, const std::string& path,
                                      int depth) {
    if (const std::size_t colon = inside.find(':'); colon != std::string::npos) {
      const std::string how = inside.substr(0, colon);
      return how == "oc.env" ? of_environment(inside.substr(colon + 1))
                             : calculated(how, inside.substr(colon + 1));
    }
    std::string target = inside;
    if (inside.starts_with('.')) {
      const std::size_t dot = path.rfind('.');
      target = dot == std::string::npos ? inside.substr(1) : path.substr(0, dot) + inside;
    }
    for (const std::string_view prefix : {"", "training.", "cfg."}) {  // of launchers
      const auto found =
          target.starts_with(prefix) ? written_.find(target.substr(prefix.size())) : written_.end();
      if (found != written_.end()) {
        return resolve(found->second, found->first, depth + 1);
      }
    }
    return std::nullopt;
  }

  /// "NAME" or "NAME,default", blanks around either.
  std::optional<std::string> of_environment(const std::string& arguments) {
    const std::size_t comma = std::min(arguments.find(','), arguments.size());
    const std::string name = bare(arguments.substr(0, comma));
    const auto found =
        std::find_if(environment_.begin(), environment_.end(),
                     [&](const Definition& variable) { return variable.name == name; });
    if (found != environment_.end()) {
      found->used = true;
      return found->value;
    }
    return comma < arguments.size() ? std::optional(bare(arguments.substr(comma + 1)))
                                    : std::nullopt;
  }

  /// Without blanks and quotes around it.
  static std::string bare(const std::string& text) {
    constexpr std::string_view kAround = " '\"";
    const std::size_t first = std::min(text.find_first_not_of(kAround), text.size());
    return text.substr(first, text.find_last_not_of(kAround) + 1 - first);
  }

  static std::optional<std::string> calculated(const std::string& how, std::string arguments) {
    std::erase(arguments, ' ');
    const std::size_t comma = arguments.find(',');
    if (comma == std::string::npos) {
      return std::nullopt;
    }
    const std::optional<double> left = parse_number(arguments.substr(0, comma));
    const std::optional<double> right = parse_number(arguments.substr(comma + 1));
    if (!left || !right || (how != "multiply" && *right == 0)) {
      return std::nullopt;
    }
    const std::optional<double> result = how == "multiply"       ? std::optional(*left * *right)
                                         : how == "divide_ceil"  ? std::ceil(*left / *right)
                                         : how == "divide_floor" ? std::floor(*left / *right)
                                                                 : std::optional<double>();
    return result ? std::optional(fmt::format("{}", *result)) : std::nullopt;
  }

  std::map<std::string, std::string> written_;
  std::vector<Definition>& environment_;
};

}  // namespace

void resolve_interpolations(std::vector<GivenFlag>& flags, std::vector<Definition>& environment) {
  Interpolator interpolator(flags, environment);
  for (GivenFlag& flag : flags) {
    if (flag.value.find("${") != std::string::npos) {
      const std::optional<std::string> value = interpolator.resolve(flag.value, flag.name, 0);
      flag.known = value.has_value();
      flag.value = value.value_or(flag.value);
    }
  }
}

}  // namespace danlu
