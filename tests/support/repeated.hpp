// A text many times over: input that is too long or too deep.
#pragma once

#include <string>

namespace danlu::testing {

inline std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) {
    all += text;
  }
  return all;
}

}  // namespace danlu::testing
