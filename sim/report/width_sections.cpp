// What stays in which precision, where a plan has anything else than Adam in mixed precision on all
// weights.
#include <fmt/format.h>

#include "sim/base/text.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/sections.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

std::string_view width_name(double bytes) {
  return bytes == 4 ? "fp32" : bytes == 2 ? "16 bits" : "8 bits";
}

bool is_usual(const TrainingSpec& t) {
  const OptimizerSpec& o = t.optimizer;
  return !is_narrow(t.precision) && !t.trains_less() && o.kind == OptimizerKind::Adam &&
         o.state_bytes == 4 && o.master;
}

std::string products_text(const TrainingSpec& t) {
  std::string text(name_of(t.precision));
  text += t.precision == Precision::Fp8 ? fmt::format(", {} scaling", name_of(t.fp8_recipe)) : "";
  const int wide = t.wide_first_layers + t.wide_last_layers;
  text += is_narrow(t.precision) && wide > 0
              ? fmt::format("; bf16 in the first {} and the last {}", t.wide_first_layers,
                            counted(t.wide_last_layers, "layer"))
              : "";
  return text;
}

std::string weights_text(const Workload& w) {
  const TrainingSpec& t = w.training;
  if (t.lora.four_bit_base) {
    return fmt::format("{:.3g} bits in layers, 16 bits elsewhere", 8 * kFourBitBytes);
  }
  const std::string_view wide = width_name(element_bytes(t.precision));
  if (!is_narrow(t.precision)) {
    return std::string(wide);
  }
  const Quantisation how = quantisation_of(t);
  const std::string narrow =
      fmt::format("{:.3g} bits{}", 8 * how.bytes, how.transposes ? " and as many transposed" : "");
  return w.parallelism.zero >= 3 ? fmt::format("{}, cast when gathered", wide)
         : t.narrow_weights      ? fmt::format("{} in products of layers, else {}", narrow, wide)
                                 : fmt::format("{}; of products of layers {} beside", wide, narrow);
}

std::string moments_text(const TrainingSpec& t) {
  const OptimizerSpec& o = t.optimizer;
  if (o.kind == OptimizerKind::Sgd && !o.momentum) {
    return "none";
  }
  return fmt::format("{} of {}{}", width_name(o.state_bytes), name_of(o.kind),
                     o.state_bytes == 1 ? ", with fp32 scales" : "");
}

}  // namespace

std::optional<Section> width_section(const Report& report) {
  const Workload& w = report.workload;
  const TrainingSpec& t = w.training;
  if (is_usual(t)) {
    return std::nullopt;
  }
  Section section{
      .key = "widths", .heading = "What is in which precision", .columns = figure_columns(22, 0)};
  const auto add = [&](std::string key, std::string label, const std::string& text) {
    section.rows.push_back(
        {.key = std::move(key), .label = std::move(label), .cells = {Figure::words(text)}});
  };
  add("products", "products of layers", products_text(t));
  add("other_kernels", "all other kernels",
      std::string(name_of(is_narrow(t.precision) ? Precision::Bf16 : t.precision)));
  add("weights", t.lora.is_there() ? "weights of the base" : "weights", weights_text(w));
  add("gradients", "gradients", std::string(width_name(gradient_bytes(t))));
  add("master_weights", "master weights", has_master(t) ? "fp32" : "none");
  add("moments", "moments", moments_text(t));
  if (t.trains_less()) {
    const double trained = trained_parameters(w);
    section.rows.push_back({.key = "trained_parameters",
                            .label = "trained parameters",
                            .cells = {Figure::number(trained, thousands(trained))},
                            .note = fmt::format("{:.2g} % of {}", 100 * trained / report.parameters,
                                                thousands(report.parameters))});
  }
  return section;
}

}  // namespace danlu
