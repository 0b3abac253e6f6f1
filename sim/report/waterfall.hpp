// Inside sim/report: how one duration becomes another, part by part.
#pragma once

#include <string>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/report/document.hpp"

namespace danlu {

struct WaterfallPart {
  std::string key;  // in JSON
  std::string label;
  Seconds change;
};

struct Waterfall {
  std::string what;  // "step"
  std::string key;   // of the whole difference in JSON, "step_s"
  Seconds from, to;
  std::vector<WaterfallPart> parts;  // what each adds; together to - from
  Figure (*figure)(Seconds);         // how its durations read
};

/// The columns of a waterfall: label, duration, share of what it comes from, bar.
std::vector<Column> waterfall_columns();

/// The difference (on the page last), then the two ends as bars and between them the parts, each
/// where the last one ended; parts that do not differ are off the page.
std::vector<Row> waterfall_rows(const Waterfall& waterfall);

}  // namespace danlu
