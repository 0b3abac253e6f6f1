#include "sim/report/trust.hpp"

#include <fmt/format.h>

#include "sim/report/page.hpp"

namespace danlu {
namespace {

/// "(A100, pipeline, 64 to 3,072 GPUs)": what the published runs have in common.
std::string runs_text(const Trust& trust) {
  std::string text = fmt::format("({}", trust.gpu);
  if (trust.likeness == Likeness::SameKind) {
    text += fmt::format(", {}", trust.framework);
  }
  if (trust.likeness != Likeness::OtherKinds) {
    text += fmt::format(", {}", trust.kind);
  }
  return text + (trust.fewest_gpus == trust.most_gpus
                     ? fmt::format(", {} GPUs)", thousands(trust.most_gpus))
                     : fmt::format(", {} to {} GPUs)", thousands(trust.fewest_gpus),
                                   thousands(trust.most_gpus)));
}

/// What was not validated, and the runs that are nearest.
std::string nearest_text(const Trust& trust) {
  switch (trust.likeness) {
    case Likeness::SameKind:
      return fmt::format("{} published runs like this one", trust.runs);
    case Likeness::OtherFrameworks:
      return fmt::format("{}; the nearest {} published runs",
                         trust.framework.empty()
                             ? "no framework is named"
                             : fmt::format("nothing of this kind with {}", trust.framework),
                         trust.runs);
    default:
      return fmt::format("nothing of this kind ({}); the nearest {} published runs", trust.kind,
                         trust.runs);
  }
}

}  // namespace

std::string trust_text(const Trust& trust) {
  if (trust.likeness == Likeness::Invented) {
    return "nothing, this hardware is invented for lessons";
  }
  if (trust.likeness == Likeness::Nothing) {
    return fmt::format("nothing of this kind, nor enough on any {}", trust.gpu);
  }
  return fmt::format(
      "{} {} are met within {} (median) and {} (90th percentile){}", nearest_text(trust),
      runs_text(trust), percent(*trust.median_abs), percent(*trust.p90_abs),
      trust.own_figures ? ", by the GPU's figures and not by this scenario's own" : "");
}

}  // namespace danlu
