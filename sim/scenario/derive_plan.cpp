#include "sim/scenario/derive_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "sim/schedule/grid.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {
namespace {

/// One class, since each step reads what the one before derived.
class PlanDeriver {
 public:
  PlanDeriver(Values& values, std::vector<Problem>& problems) : all_(values), problems_(problems) {}

  /// Blackwell multiplies fp8 in every layout (sim/workload/precision.hpp).
  void derive_widths() {
    constexpr double kEveryLayout = 10;  // compute capability
    constexpr const char* kPrecision = "training.precision";
    if (all_.has(kPrecision) && all_.at(kPrecision).text == name_of(Precision::Fp8) &&
        number("cluster.gpu.compute_capability") >= kEveryLayout) {
      derive("training.fp8_transposes", 0, "false",
             "compute capability 10 and above multiply fp8 in every layout");
    }
  }

  void derive_step() {
    const double gpus = number("cluster.gpus");
    bool known = gpus > 0;
    double rest = 1;
    std::vector<std::string> keys{"parallelism"};
    std::vector<std::string> degrees;
    std::vector<std::string_view> names;
    for (const Degree& degree : kDegrees) {
      if (degree.axis == Axis::Replicate) {
        continue;
      }
      const std::string key = fmt::format("parallelism.{}", name_of(degree.axis));
      const double ranks = std::max(1.0, number(key));
      known = known && !all_.is_wrong(key);
      rest *= ranks;
      if (ranks == 1 && !is_always_named(degree.axis)) {
        continue;
      }
      keys.push_back(key);
      names.push_back(name_of(degree.axis));
      degrees.push_back(fmt::format("{} ({})", names.back(), ranks));
    }
    keys.emplace_back("cluster.gpus");
    if (all_.misses("parallelism.data") && known && std::fmod(gpus, rest) != 0) {
      problems_.push_back(all_.relation_problem(
          keys, fmt::format("{} must divide gpus ({})", fmt::join(degrees, " x "), gpus)));
    }
    if (known && std::fmod(gpus, rest) == 0) {
      derive("parallelism.data", gpus / rest, fmt::format("gpus / ({})", fmt::join(names, " x ")));
    } else if (all_.misses("parallelism.data")) {
      all_.set_wrong("parallelism.data");
    }
    derive_schedule();
    const bool selective = all_.has("training.recompute") &&
                           all_.at("training.recompute").text == name_of(Recompute::Selective);
    derive("training.attention", 0,
           std::string(name_of(selective ? AttentionKind::Unfused : AttentionKind::Flash)),
           selective ? "selective recomputation repeats unfused attention"
                     : "fused, without selective recomputation");
    const bool scatters = number("parallelism.zero") >= 2;
    derive("parallelism.overlap.data", scatters ? 1 : 0, scatters ? "true" : "false",
           scatters ? "with ZeRO-2 and -3 gradients travel beside backward"
                    : "gradients are reduced when the last backward pass has ended");
    const bool fp16 = all_.has("training.precision") &&
                      all_.at("training.precision").text == name_of(Precision::Fp16);
    derive("training.gradients", 0, fp16 ? "16bit" : "fp32",
           fp16 ? "Megatron keeps those of fp16 in 16 bits"
                : "Megatron keeps them in fp32, but those of fp16");
    const std::string precision =
        all_.has("training.precision") ? all_.at("training.precision").text : "";
    const bool wide =
        precision == name_of(Precision::Fp32) || precision == name_of(Precision::Tf32);
    derive("parallelism.sharding.gather_width", 0, wide ? "fp32" : "16bit",
           fmt::format("weights in {}", wide ? "fp32" : "16 bits"));
    if (number("model.experts.count") > 0) {
      derive("training.experts.dispatch_width", 0, wide ? "fp32" : "16bit", "the precision's");
    }
    if (all_.has("training.gradients")) {
      derive("parallelism.sharding.reduce_width", 0, all_.at("training.gradients").text,
             "as training.gradients");
    }
  }

 private:
  void derive(const std::string& path, double number, std::string text, std::string_view from) {
    if (all_.misses(path)) {
      all_.set(path, {.text = std::move(text),
                      .number = number,
                      .origin = fmt::format("{}{}", kDerived, from)});
    }
  }
  void derive(const std::string& path, double number, std::string_view from) {
    derive(path, number, fmt::format("{:.0f}", number), from);
  }
  double number(std::string_view path) const { return all_.has(path) ? all_.at(path).number : 0; }

  /// How many chunks a stage has, where the schedule says it.
  void derive_schedule() {
    const std::string kind = "training.schedule.kind";
    const std::string chunks = "training.schedule.chunks";
    const std::string grid = "training.schedule.grid";
    if (all_.has(grid)) {
      derive(kind, 0, std::string(kGridSchedule), "there is a grid");
    }
    if (all_.has(kind) && all_.at(kind).text != kGridSchedule) {
      const std::string& name = all_.at(kind).text;
      if (const int fixed = schedule_named(name).chunks.value_or(1); fixed != 1) {
        derive(chunks, fixed, fmt::format("what {} has", name));
      }
    } else if (all_.has(grid)) {
      std::vector<std::string> lines;
      for (const TextLine& line : all_.at(grid).lines) {
        lines.push_back(line.text);
      }
      const int stages = std::max(1, static_cast<int>(number("parallelism.pipeline")));
      derive(chunks, chunks_of_grid(lines, stages), "by the parts in the grid");
    }
  }

  Values& all_;
  std::vector<Problem>& problems_;
};

}  // namespace

void derive_plan(Values& values, std::vector<Problem>& problems) {
  PlanDeriver plan(values, problems);
  plan.derive_widths();
  plan.derive_step();
}

void forget_derived(Values& values) {
  for (const std::string& path : values.paths()) {
    const bool of_plan = path.starts_with("parallelism.") || path.starts_with("training.");
    if (of_plan && values.at(path).origin.starts_with(kDerived)) {
      values.erase_tree(path);
    }
  }
}

}  // namespace danlu
