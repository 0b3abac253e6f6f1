// Inside sim/scenario: short ways to write the rows of the tables of keys.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sim/scenario/keys.hpp"

namespace danlu::rows {

inline constexpr double kMost = 1e6;  // of anything one counts: GPUs, layers, sequences

inline KeyRow text(std::string path, std::string fallback, std::string help) {
  return {.path = std::move(path), .fallback = std::move(fallback), .text = std::move(help)};
}
inline KeyRow count(std::string path, double minimum, double maximum, std::string fallback,
                    std::string help) {
  return {.path = std::move(path),
          .type = KeyType::Count,
          .minimum = minimum,
          .maximum = maximum,
          .fallback = std::move(fallback),
          .text = std::move(help)};
}
inline KeyRow number(std::string path, double minimum, double maximum, std::string fallback,
                     std::string help) {
  KeyRow row = count(std::move(path), minimum, maximum, std::move(fallback), std::move(help));
  row.type = KeyType::Number;
  return row;
}
inline KeyRow quantity(std::string path, Dimension dimension, double minimum, double maximum,
                       std::string fallback, std::string help) {
  KeyRow row = count(std::move(path), minimum, maximum, std::move(fallback), std::move(help));
  row.type = KeyType::Quantity;
  row.dimension = dimension;
  return row;
}
inline KeyRow choice(std::string path, std::string choices, std::string fallback,
                     std::string help) {
  return {.path = std::move(path),
          .type = KeyType::Choice,
          .fallback = std::move(fallback),
          .choices = std::move(choices),
          .text = std::move(help)};
}
inline KeyRow numbers(std::string path, double minimum, double maximum, std::string help) {
  KeyRow row = number(std::move(path), minimum, maximum, "", std::move(help));
  row.type = KeyType::Numbers;
  return row;
}
inline KeyRow flag(std::string path, std::string fallback, std::string help) {
  return {.path = std::move(path),
          .type = KeyType::Flag,
          .fallback = std::move(fallback),
          .text = std::move(help)};
}

inline KeyRow bandwidth(std::string path, double minimum, double maximum, std::string fallback,
                        std::string help) {
  return quantity(std::move(path), Dimension::Bandwidth, minimum, maximum, std::move(fallback),
                  std::move(help));
}
inline KeyRow duration(std::string path, std::string fallback, std::string help) {
  return quantity(std::move(path), Dimension::Duration, 0, 1, std::move(fallback), std::move(help));
}
inline KeyRow fraction(std::string path, std::string fallback, std::string help) {
  return number(std::move(path), 0.01, 1, std::move(fallback), std::move(help));
}

}  // namespace danlu::rows

namespace danlu {

/// The rows of the `faults` section, without its name.
std::vector<KeyRow> faults_section_keys();

}  // namespace danlu
