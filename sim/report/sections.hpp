// Inside sim/report: the sections of a run, each made in one place.
#pragma once

#include <optional>
#include <vector>

#include "sim/report/document.hpp"

namespace danlu {

/// The verdict, the plan, and what the report rests on.
std::vector<Section> heading_sections(const Report& report);
/// The step's figures, its draws, where its time goes, who waits for whom.
std::vector<Section> step_sections(const Report& report);
/// Communication by kind and sort, links, the critical path.
std::vector<Section> communication_sections(const Report& report);
/// Memory, and the whole run where nothing fails.
std::vector<Section> run_sections(const Report& report);
/// What experts get and what it costs; none of a model without them.
std::optional<Section> expert_section(const Report& report);
/// What is kept and computed in which precision; none where that is as usual.
std::optional<Section> width_section(const Report& report);
/// The campaign; a single section without rows where there is none.
std::vector<Section> faults_sections(const std::optional<FaultsReport>& faults);
/// What more of each resource is worth, and the plan's switches; without rows where not asked.
std::vector<Section> sensitivity_sections(const std::optional<Sensitivity>& sensitivity,
                                          Seconds step);
/// "0.310", "<0.001", "0".
Figure elasticity_figure(double elasticity);
Section simulation_section(const Report& report);

}  // namespace danlu
