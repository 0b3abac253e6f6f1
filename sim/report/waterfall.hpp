// Inside sim/report: how one duration becomes another, part by part.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/report/page.hpp"

namespace danlu {

struct Waterfall {
  std::string what;  // "step"
  Seconds from, to;
  std::vector<std::pair<std::string, Seconds>> parts;  // what each adds; together to - from
};

/// The two ends as bars, between them the parts that differ, each where the last one ended.
void add_waterfall(const Waterfall& waterfall, const std::function<std::string(Seconds)>& text,
                   Page& page);

}  // namespace danlu
