#include "src/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/scenario/values.hpp"
#include "sim/session/effort.hpp"
#include "src/output_file.hpp"
#include "src/program.hpp"

namespace danlu {
namespace {

/// Numbers as they are typed, "0-7,12".
struct NumberList {
  std::string option;
  std::string_view one, several;  // "rank", "ranks"
};

/// Which of `count` numbers a list names.
std::vector<bool> marked(const NumberList& list, const std::string& text, std::size_t count) {
  std::vector<bool> marks(count);
  for (std::string_view part : split(text, ',')) {
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    const std::optional<NumberRange> range = parse_range(part);
    if (!range) {
      refuse(list.option,
             fmt::format("expected {} and ranges of them, found '{}'", list.several, shown(text)),
             "for example 0-7,12");
    }
    if (static_cast<std::size_t>(range->last) >= count) {
      refuse(list.option, fmt::format("there is no {} {}: the scenario has 0 to {}", list.one,
                                      range->last, count - 1));
    }
    std::fill(marks.begin() + range->first, marks.begin() + range->last + 1, true);
  }
  return marks;
}

}  // namespace

void check_trace_options(const TraceOptions& options) {
  for (const auto& [option, asked] :
       {std::pair("--trace-ranks", options.ranks.has_value()),
        std::pair("--trace-microbatches", options.microbatches.has_value())}) {
    if (asked && !options.file) {
      refuse(option, "has no effect without --trace", "for example --trace step.json");
    }
  }
}

TraceSelection selection_of(const TraceOptions& options, const Workload& workload,
                            const StepPlan& plan) {
  TraceSelection selection = whole_step(plan);
  if (options.ranks) {
    const IdVector<RankId, RankClassId>& classes = plan.fold.class_of_rank;
    const std::vector<bool> ranks =
        marked({"--trace-ranks", "rank", "ranks"}, *options.ranks, classes.size());
    selection.ranks.assign(selection.ranks.size(), false);
    for (const RankId rank : classes.ids()) {
      selection.ranks[classes[rank]] = selection.ranks[classes[rank]] || ranks[index(rank)];
    }
  }
  if (options.microbatches) {
    selection.microbatches =
        marked({"--trace-microbatches", "microbatch", "microbatches"}, *options.microbatches,
               static_cast<std::size_t>(workload.microbatches()));
  }
  return selection;
}

void check_trace(const StepPlan& plan, const TraceSelection& selection,
                 const std::filesystem::path& file, const SessionOptions& session) {
  // On one core of GPT-3 175B on 1,024 GPUs; the text of a slice is hardly ever shorter or longer
  // by more than a tenth.
  constexpr Bytes kText{200};
  constexpr Bytes kCompressed{14};
  constexpr Seconds kTextTime{0.4e-6};
  constexpr Seconds kCompressedTime{0.6e-6};
  const double slices = trace_slices(plan, selection);
  const bool gzip = is_gzip(file);
  const Bytes size = (gzip ? kCompressed : kText) * slices;
  std::vector<std::string> ways_out{"--trace-ranks 0-7 writes some ranks",
                                    "--trace-microbatches 0-3 some microbatches"};
  if (!gzip) {
    ways_out.push_back(
        fmt::format("a name that ends in .gz compresses it to {}", to_text(kCompressed * slices)));
  }
  allow_tasks({.what = fmt::format("the trace has {:.2g} slices", slices),
               .count = slices,
               .time = (gzip ? kCompressedTime : kTextTime) * slices,
               .file = size,
               .ways_out = std::move(ways_out)},
              session);
}

}  // namespace danlu
