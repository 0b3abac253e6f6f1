#include "sim/report/sensitivity.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "sim/report/page.hpp"
#include "sim/report/sections.hpp"

namespace danlu {
namespace {

double elasticity_of(Seconds step, Seconds with_more) {
  return std::log(step / with_more) / std::log(kLittleMore);
}

Figure saved_figure(Seconds step, Seconds with) {
  const double saved = 1 - with / step;
  return Figure::share(std::abs(saved) < 1e-9 ? 0 : saved);
}

Section resource_section(const Sensitivity& sensitivity, Seconds step) {
  Section section{.key = "sensitivity.resources",
                  .heading = "What more of each resource is worth, the rest as it is",
                  .shape = Shape::Groups,
                  .columns = {{"", "resource", 22, true},
                              {"elasticity", "elasticity", 10},
                              {"twice.step_s", "step with twice", 15},
                              {"twice.saved", "saves", 8}},
                  .labels = true,
                  .bars = true,
                  .first_by = "twice.saved"};
  std::vector<std::string_view> idle;
  for (const ResourceGain& gain : sensitivity.resources) {
    const bool is_idle = gain.twice == step && gain.little_more == step;
    if (is_idle) {
      idle.push_back(gain.name);
    }
    section.rows.push_back({.key = std::string(gain.key),
                            .label = std::string(gain.name),
                            .cells = {elasticity_figure(gain.elasticity(step)),
                                      Figure::time(gain.twice), saved_figure(step, gain.twice)},
                            .shown = is_idle ? Shown::OffPage : Shown::Everywhere});
  }
  if (!idle.empty()) {
    section.rows.push_back(
        sentence(fmt::format("worth nothing here: {}", join(idle, ", ")), Shown::PageOnly));
  }
  return section;
}

Section sum_section(const Sensitivity& sensitivity, Seconds step) {
  const double sum = sensitivity.sum(step);
  const double together = sensitivity.together(step);
  return {
      .key = "sensitivity",
      .heading = "Their sum",
      .level = 2,
      .lead = Lead::None,
      .rows = {
          off_page("sum", "sum of elasticities", Figure::number(sum, figure(sum))),
          off_page("together", "all of them together", Figure::number(together, figure(together))),
          sentence(
              fmt::format("elasticity: 1 % more of it makes the step so many per cent shorter; "
                          "their sum is {:.3f}, all at once are worth {:.3f}",
                          sum, together),
              Shown::PageOnly),
          sentence("(what all at once lack of 1 is time that none of them shortens, as NCCL's "
                   "constants and flaps at given times; the sum also lacks overlaps that turn)",
                   Shown::PageOnly)}};
}

Section switch_section(std::string key, std::string heading, const std::vector<Saving>& switches,
                       Seconds step) {
  Section section{
      .key = std::move(key),
      .heading = std::move(heading),
      .shape = Shape::Table,
      .columns = {{"change", "switch", 40, true}, {"step_s", "step", 10}, {"saved", "saves", 8}},
      .labels = true};
  for (const Saving& gain : switches) {
    section.rows.push_back(
        {.label = gain.change, .cells = {Figure::time(gain.step), saved_figure(step, gain.step)}});
  }
  return section;
}

}  // namespace

double ResourceGain::elasticity(Seconds step) const {
  return elasticity_of(step, little_more);
}

double Sensitivity::together(Seconds step) const {
  return elasticity_of(step, all_little_more);
}

double Sensitivity::sum(Seconds step) const {
  return std::accumulate(
      resources.begin(), resources.end(), 0.0,
      [&](double sum, const ResourceGain& gain) { return sum + gain.elasticity(step); });
}

Figure elasticity_figure(double elasticity) {
  constexpr double kNothing = 1e-9;  // of rounding
  constexpr double kLeast = 0.0005;
  const double size = std::abs(elasticity);
  return Figure::number(elasticity, size < kNothing ? "0"
                                    : size < kLeast ? "<0.001"
                                                    : fmt::format("{:.3f}", elasticity));
}

std::vector<Section> sensitivity_sections(const std::optional<Sensitivity>& sensitivity,
                                          Seconds step) {
  if (!sensitivity) {
    return {{.key = "sensitivity", .heading = "Sensitivity"}};
  }
  return {resource_section(*sensitivity, step), sum_section(*sensitivity, step),
          switch_section("sensitivity.switches", "What switches of the plan that are off are worth",
                         sensitivity->switches, step),
          switch_section("sensitivity.with_memory", "What would fit with twice the HBM",
                         sensitivity->with_memory, step)};
}

}  // namespace danlu
