#include "sim/scenario/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "sim/base/text.hpp"
#include "sim/scenario/derive_plan.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// The paths that a row stands for in `values`: itself, or one for each name that a wild card
/// finds.
std::vector<std::string> paths_of(const KeyRow& row, const Values& values) {
  std::vector<std::string> paths{""};
  for (const std::string_view part : split(row.path, '.')) {
    std::vector<std::string> longer;
    for (const std::string& path : paths) {
      const std::string prefix = path.empty() ? "" : path + ".";
      if (part != "*" && part != "#") {
        longer.push_back(fmt::format("{}{}", prefix, part));
        continue;
      }
      std::vector<std::string> names = values.names(path);
      if (part == "#") {
        std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
          return std::stoi(a) < std::stoi(b);
        });
      }
      for (const std::string& name : names) {
        longer.push_back(prefix + name);
      }
    }
    paths = std::move(longer);
  }
  if (row.type != KeyType::Numbers && row.type != KeyType::Ranges) {
    return paths;
  }
  std::vector<std::string> entries;
  for (const std::string& name : values.names_below(row.path)) {
    entries.push_back(fmt::format("{}.{}", row.path, name));
  }
  return entries;
}

/// Text as YAML takes it for one text.
std::string as_yaml(std::string_view text) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view(" _./()+,-").find(c) != std::string_view::npos;
  };
  const bool safe =
      std::all_of(text.begin(), text.end(), plain) && !text.empty() &&
      (std::isalnum(static_cast<unsigned char>(text.front())) != 0 || text.front() == '/') &&
      text.back() != ' ' && text.find(" -") == std::string_view::npos;
  if (safe && text != "null" && text != "Null" && text != "NULL") {
    return std::string(text);
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' || c == '\\' ? fmt::format("\\{}", c) : std::string(1, c);
  }
  return out + "\"";
}

/// A name that is a path, from the root; others as they are.
std::string absolute(const Value& value) {
  const std::string& text = value.text;
  const bool path = text.find('/') != std::string::npos || text.ends_with(".yaml") ||
                    text.ends_with(".yml") || text.ends_with(".xml") || text.ends_with(".csv");
  if (!path) {
    return text;
  }
  const fs::path beside =
      value.position.line > 0 ? fs::path(value.position.file).parent_path() : fs::path();
  std::error_code error;
  for (const fs::path& found : {beside / text, fs::path(text)}) {
    if (fs::exists(found, error)) {
      return fs::absolute(found, error).lexically_normal().string();
    }
  }
  return text;
}

std::string text_of(const KeyRow& row, const Value& value) {
  switch (row.type) {
    case KeyType::Links:
    case KeyType::Shares: {
      std::vector<std::string> links;
      for (const auto& [first, second, number] : value.links) {
        links.push_back(fmt::format("[{}, {}, {}]", first, second, number));
      }
      return fmt::format("[{}]", fmt::join(links, ", "));
    }
    case KeyType::Counts:
    case KeyType::Durations: {
      std::vector<std::string> list;
      for (const double number : value.numbers) {
        list.push_back(exact_text(row, number));
      }
      return fmt::format("[{}]", fmt::join(list, ", "));
    }
    case KeyType::Lines: {
      std::vector<std::string> list;
      for (const TextLine& line : value.lines) {
        list.push_back(fmt::format("\"{}\"", line.text));
      }
      return fmt::format("[{}]", fmt::join(list, ", "));
    }
    case KeyType::Count:
    case KeyType::Number:
    case KeyType::Quantity: {
      Value again{.text = value.text};
      const bool said = !read_scalar(row, again) && again.number == value.number;
      return said ? value.text : exact_text(row, value.number);
    }
    case KeyType::Text:
    case KeyType::Ranges:
      return as_yaml(row.path == "name" ? value.text : absolute(value));
    default:
      return value.text;
  }
}

Setting setting_of(const KeyRow& row, const Value& value, const LoadOptions& options) {
  Setting setting{.key = row.path, .text = text_of(row, value)};
  const SourcePosition& at = value.position;
  if (value.origin.starts_with(kDerived)) {
    setting.source = Setting::Source::Derived;
    setting.where = value.origin.substr(kDerived.size());
  } else if (!value.origin.empty()) {
    setting.source = Setting::Source::Preset;
    setting.where = value.origin;
  } else if (at.line == 0) {
    setting.source =
        at.file.starts_with("--set") ? Setting::Source::CommandLine : Setting::Source::File;
    setting.where = at.file;
  } else {
    const fs::path inside = fs::path(at.file).lexically_relative(options.topologies);
    const bool preset = !inside.empty() && *inside.begin() != "..";
    setting.source = preset ? Setting::Source::Preset : Setting::Source::File;
    setting.where = fmt::format("{}:{}", preset ? inside.string() : at.file, at.line);
  }
  if (!value.scaled.empty()) {
    setting.where += fmt::format(" ({} of what lies below)", value.scaled);
  }
  return setting;
}

/// The default that holds where nothing stands: the row's, or of a cluster its topology's. "" where
/// there is none, and in sections that are left out as a whole.
std::string default_text(const KeyRow& row, const Values& values) {
  for (const char* optional : {"faults.", "degraded.", "degraded.jitter."}) {
    if (row.path.starts_with(optional) && !values.has_below(optional)) {
      return "";
    }
  }
  constexpr std::string_view kCluster = "cluster.";
  const KeyRow* own = &row;
  if (row.path.starts_with(kCluster) && row.fallback.empty()) {
    own = find_key(topology_keys(), row.path.substr(kCluster.size()));
  }
  return own == nullptr || own->fallback == "required" ? "" : own->fallback;
}

}  // namespace

std::vector<Setting> settings_of(const Values& values, const LoadOptions& options) {
  std::vector<Setting> settings;
  for (const KeyRow& row : scenario_keys()) {
    const std::string fallback = default_text(row, values);
    for (std::string& path : paths_of(row, values)) {
      KeyRow own = row;
      own.path = path;
      own.type = row.type == KeyType::Numbers ? KeyType::Number : row.type;
      if (values.has(path)) {
        settings.push_back(setting_of(own, values.at(path), options));
      } else if (!fallback.empty()) {
        settings.push_back({std::move(path),
                            row.type == KeyType::Text ? as_yaml(fallback) : fallback,
                            Setting::Source::Default, "default"});
      }
    }
  }
  std::erase_if(settings, [](const Setting& setting) { return setting.key == "extends"; });
  return settings;
}

}  // namespace danlu
