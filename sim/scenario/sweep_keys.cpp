#include "sim/scenario/sweep_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/scenario/key_rows.hpp"
#include "sim/scenario/sweep_values.hpp"

namespace danlu {
namespace {

constexpr const char* kOver = "sweep.over";
constexpr const char* kTogether = "sweep.together";

}  // namespace

std::vector<KeyRow> sweep_keys() {
  KeyRow over{.path = kOver,
              .type = KeyType::Swept,
              .text =
                  "What danlu sweep varies, each with each: keys as of --over, as in "
                  "`{cluster.gpus: 64..512:x2, cluster.topology: [dgx-a100, hgx-a800]}`. "
                  "[Sweeps](../explain/sweep.md#in-the-scenario)"};
  KeyRow together{.path = kTogether,
                  .type = KeyType::SweptRows,
                  .text =
                      "Keys that change together, a row for each of their values, as in "
                      "`[{cluster.gpus: 128, training.global_batch: 256}, {cluster.gpus: "
                      "1024, training.global_batch: 2048}]`"};
  return {std::move(over), std::move(together)};
}

SweepSpec read_sweep(const Values& values, std::vector<Problem>& problems) {
  SweepSpec spec;
  std::vector<std::string> seen;
  for (const char* path : {kOver, kTogether}) {
    const SweepSpec found = values.has(path) ? values.at(path).swept : SweepSpec{};
    for (const SweptAxis& axis : found) {
      for (const SweptKey& key : axis.keys) {
        const auto other = std::find_if(seen.begin(), seen.end(), [&](const std::string& one) {
          return keys_overlap(one, key.key);
        });
        if (other != seen.end()) {
          Problem problem = axis.place;
          problem.message = fmt::format("{} and {} say the same", shown(*other), shown(key.key));
          problem.hint = "a key varies in one place of 'sweep'";
          problems.push_back(std::move(problem));
        }
        seen.push_back(key.key);
      }
      spec.push_back(axis);
    }
  }
  return spec;
}

}  // namespace danlu
