#include "sim/report/trust.hpp"

#include <fmt/format.h>

#include "sim/base/text.hpp"
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

/// By what constants they were predicted.
std::string prediction_text(const Trust& trust) {
  if (trust.in_sample == trust.runs) {
    return ", their publishers' runs being in the fits";
  }
  return fmt::format(", each predicted without its publisher's runs{}",
                     trust.in_sample == 0 ? "" : fmt::format(" (but {} of them)", trust.in_sample));
}

/// Which published peaks these are: "62 published peaks like this one (nanotron, tensor)".
std::string peaks_text(const MemoryTrust& trust) {
  switch (trust.likeness) {
    case PeakLikeness::SameKind:
      return fmt::format("{} published peaks like this one ({}, {})", trust.peaks, trust.framework,
                         trust.kind);
    case PeakLikeness::SameFramework:
      return fmt::format("nothing of this kind ({}); the {} published peaks of {}", trust.kind,
                         trust.peaks, trust.framework);
    default:
      return fmt::format(
          "{}; all {} published peaks",
          trust.framework.empty() ? "no framework is named" : "too few with " + trust.framework,
          trust.peaks);
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
      "{} {} are met within {} (median) and {} (90th percentile){}{}", nearest_text(trust),
      runs_text(trust), percent(*trust.median_abs), percent(*trust.p90_abs), prediction_text(trust),
      trust.own_figures ? ", by the GPU's figures and not by this scenario's own" : "");
}

bool fits_within_error_only(const MemoryTrust& trust, Bytes peak, Bytes capacity) {
  return peak <= capacity && trust.may_need(peak) > capacity;
}

std::string memory_trust_text(const MemoryTrust& trust, Bytes peak, Bytes capacity) {
  if (trust.likeness == PeakLikeness::Nothing) {
    return "no published peak";
  }
  return fmt::format(
      "{} are met within {} (median) and {} (90th percentile), nine of ten are at most {:.2f} "
      "times "
      "what is simulated{}",
      peaks_text(trust), percent(*trust.median_abs), percent(*trust.p90_abs), *trust.p90_times,
      fits_within_error_only(trust, peak, capacity)
          ? fmt::format("; that would be {} here, of {}: it fits within this error only",
                        to_text(trust.may_need(peak)), to_text(capacity))
          : "");
}

}  // namespace danlu
