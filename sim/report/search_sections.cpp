// A search as a document: what was varied, how many plans there were, the best of them and why each
// is behind the first, how flat the optimum is, and the way there from the scenario as it stands.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/shell_word.hpp"
#include "sim/base/text.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/search_report.hpp"
#include "sim/report/sections.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

/// "schedule.chunks" of "training.schedule.chunks".
std::string short_key(std::string_view key) {
  return std::string(key.substr(key.find('.') + 1));
}

Figure change_of(Seconds from, std::optional<Seconds> to) {
  if (!to || from <= Seconds{}) {
    return Figure::absent();
  }
  const double change = *to / from - 1;
  return Figure::number(change, signed_percent(change));
}
Figure time_or_none(std::optional<Seconds> time, std::string none) {
  return time ? Figure::time(*time) : Figure::absent(std::move(none));
}

/// "bubble +210 ms, exposed tensor +40 ms": what of the step grows most from one to the other.
std::string growth_text(const Report& from, const Report& to) {
  constexpr std::size_t kFew = 2;
  constexpr double kLeast = 1e-4;  // of the step
  const Difference against = difference(from, to);
  std::vector<std::pair<Seconds, std::string>> grows;
  for (const auto& [part, name] : kNames<TimePart>) {
    if (against.parts[part].value > kLeast * from.step.time.value) {
      grows.emplace_back(against.parts[part], part_name(name));
    }
  }
  std::sort(grows.begin(), grows.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> words;
  for (std::size_t i = 0; i < std::min(kFew, grows.size()); ++i) {
    words.push_back(fmt::format("{} +{}", grows[i].second, to_text(grows[i].first)));
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

// ---- What was searched.

Section heading(const SearchReport& search) {
  const Report& report = search.best.empty() ? search.own->report : search.best.front().report;
  Section section{.heading = "", .lead = Lead::None};
  const auto add = [&](std::string words) { section.rows.push_back(sentence(std::move(words))); };
  add(fmt::format("{} on {} x {}, {}", report.model, thousands(report.gpus), report.gpu,
                  report.cluster));
  add(fmt::format("batch {} sequences of {} tokens, {}",
                  thousands(report.workload.training.global_batch),
                  thousands(report.workload.training.sequence_length),
                  name_of(report.workload.training.precision)));
  add("GPUs and batch are the scenario's: the shortest step is also most tokens a second, least "
      "cost and energy");
  section.rows.push_back(off_page("scenario", "scenario", Figure::words(search.scenario)));
  section.rows.push_back(off_page("file", "file", Figure::words(search.file)));
  for (const std::string& note : search.notes) {
    add(note);
  }
  return section;
}

Section axes(const SearchReport& search) {
  Section section{.key = "axes",
                  .heading = fmt::format(
                      "What varies, {} first (section search, or --set search.KEY=[...])",
                      search.has_own ? "the scenario's own value" : "the plan it begins with"),
                  .shape = Shape::Table,
                  .columns = {{"key", "key", 34, true},
                              {"values", "values", 0, true},
                              {.key = "from_user", .shown = Shown::OffPage}}};
  std::vector<std::string> fixed;
  for (const SearchedAxis& axis : search.axes) {
    const bool varies = axis.values.size() > 1;
    if (!varies) {
      fixed.push_back(short_key(axis.key));
    }
    section.rows.push_back(
        {.label = axis.key,
         .cells = {Figure::words(fmt::format("{}", fmt::join(axis.values, ", "))),
                   Figure::flag(axis.from_user)},
         .shown = varies ? Shown::Everywhere : Shown::OffPage});
  }
  if (!fixed.empty()) {
    section.rows.push_back(
        sentence(fmt::format("with values listed also: {}", fmt::join(fixed, ", "))));
  }
  return section;
}

Section plans(const SearchReport& search) {
  Section section{.key = "plans", .heading = "Plans", .columns = figure_columns(20, 10), .gap = 2};
  const auto add = [&](std::string key, std::string label, std::size_t count,
                       std::string note = "") {
    section.rows.push_back({.key = std::move(key),
                            .label = std::move(label),
                            .cells = {{std::uint64_t{count}, thousands(double(count)), ""}},
                            .note = std::move(note)});
  };
  add("can_run", "valid", search.can_run, "with or without room in memory");
  const std::size_t misfits = search.can_run - search.fit;
  add("do_not_fit", "do not fit", misfits,
      misfits == 0 ? ""
                   : fmt::format("{} to {} more than {} with {} left free are needed",
                                 to_text(search.least_missing), to_text(search.most_missing),
                                 to_text(search.capacity), to_text(search.reserve)));
  add("cannot_win", "cannot win", search.fit - search.played,
      "their step takes longer, by its bound");
  add("played", "played", search.played);
  if (search.unplayable > 0) {
    add("not_playable", "of these cannot be", search.unplayable, search.obstacle);
  }
  section.rows.push_back(
      off_page("least_missing_bytes", "least missing", Figure::size(search.least_missing)));
  section.rows.push_back(
      off_page("most_missing_bytes", "most missing", Figure::size(search.most_missing)));
  return section;
}

// ---- The best.

std::vector<Figure> cells_of(const RankedPlan& plan, const Report& best) {
  const Report& report = plan.report;
  const double tokens = report.step.tokens_per_second / report.gpus;
  const bool is_best = &report == &best;
  Figure slower = change_of(best.step.time, report.step.time);
  slower.text = is_best ? "" : slower.text;
  return {Figure::time(report.step.time),
          std::move(slower),
          Figure::share(report.step.mfu),
          Figure::number(tokens, figure(tokens), "1/s"),
          Figure::size(report.memory.use.peak()),
          report.memory_trust && report.memory_trust->p90_times
              ? Figure::size(report.memory_trust->may_need(report.memory.use.peak()))
              : Figure::absent(),
          Figure::time(plan.bound),
          Figure::words(plan.options),
          Figure::words(plan.plan),
          plan.on_front ? Figure::flag(*plan.on_front) : Figure::absent(),
          Figure::words(plan.on_front == true ? "front" : ""),
          Figure::words(is_best ? "" : growth_text(best, report))};
}

Section best_plans(const SearchReport& search) {
  Section section{.key = "best",
                  .heading = "Best plans",
                  .shape = Shape::Table,
                  .columns = {{"rank", "", 5, true},
                              {"step_s", "step", 10},
                              {"slower", "slower", 9},
                              {"mfu", "MFU", 8},
                              {"tokens_per_s_per_gpu", "tok/s/GPU", 11},
                              {"memory_peak_bytes", "memory", 10},
                              {.key = "memory_may_need_bytes", .shown = Shown::OffPage},
                              {.key = "bound_s", .shown = Shown::OffPage},
                              {.key = "options", .shown = Shown::OffPage},
                              {.key = "plan", .shown = Shown::OffPage},
                              {.key = "on_front", .shown = Shown::OffPage},
                              {"", "", 7, true, "  ", Shown::PageOnly},
                              {"grows", "what grows against the best", 0, true, "  "}},
                  .labels = true,
                  .empty = "none"};
  if (search.best.empty()) {
    return section;
  }
  const Report& best = search.best.front().report;
  const auto add = [&](std::string label, const RankedPlan& plan) {
    section.rows.push_back({.label = std::move(label), .cells = cells_of(plan, best)});
    section.rows.push_back(sentence(plan.plan, Shown::PageOnly, 3));
  };
  for (std::size_t i = 0; i < search.best.size(); ++i) {
    add(fmt::format("{}", i + 1), search.best[i]);
  }
  if (search.own) {
    add("own", *search.own);
    section.rows.back().note = "the scenario as it stands";
  } else {
    section.rows.push_back(
        sentence(fmt::format("the scenario as it stands {}", search.own_obstacle)));
  }
  if (best.saving) {
    const Seconds saved = best.step.time - best.saving->step;
    section.rows.push_back(sentence(
        fmt::format("none of the plans, {} would save {} of the first ({}){}", best.saving->change,
                    to_text(saved), percent(saved / best.step.time),
                    search.saving_is_tight ? ", with less than the reserve left free" : "")));
  }
  if (best.memory_trust) {
    section.rows.push_back(sentence(fmt::format(
        "memory of the first: {}",
        memory_trust_text(*best.memory_trust, best.memory.use.peak(), best.memory.capacity))));
  }
  return section;
}

Section front(const SearchReport& search) {
  Section section{.key = "front",
                  .heading = "The front of step and memory",
                  .shape = Shape::Table,
                  .columns = {{"rank", "", 5, true},
                              {"step_s", "step", 10},
                              {"slower", "slower", 9},
                              {"memory_peak_bytes", "memory", 10},
                              {"memory_saved_bytes", "saves", 10},
                              {.key = "options", .shown = Shown::OffPage},
                              {.key = "plan", .shown = Shown::OffPage}},
                  .labels = true};
  for (std::size_t i = 0; i < search.front.size(); ++i) {
    const FrontPlan& plan = search.front[i];
    const FrontPlan& best = search.front.front();
    Figure slower = change_of(best.step, plan.step);
    Figure saved = Figure::size(best.memory - plan.memory);
    if (i == 0) {
      slower.text = saved.text = "";
    }
    section.rows.push_back(
        {.label = fmt::format("{}", i + 1),
         .cells = {Figure::time(plan.step), std::move(slower), Figure::size(plan.memory),
                   std::move(saved), Figure::words(plan.options), Figure::words(plan.plan)}});
    section.rows.push_back(sentence(plan.plan, Shown::PageOnly, 3));
  }
  if (!search.front.empty()) {
    section.rows.push_back(sentence(
        "no other plan is as fast with less memory, or faster with as little", Shown::PageOnly));
  }
  return section;
}

Section near(const SearchReport& search) {
  Section section{.key = "near",
                  .heading = "How flat the optimum is",
                  .shape = Shape::Table,
                  .columns = {{"within", "", 20, true},
                              {"plans_at_least", "", 10},
                              {.key = "plans_at_most", .shown = Shown::OffPage},
                              {"", "", 0, true, " ", Shown::PageOnly}}};
  for (const NearPlans& one : search.near) {
    section.rows.push_back(
        {.label = fmt::format("within {}", percent(one.within)),
         .cells = {Figure::count(std::uint64_t{one.least}), Figure::count(std::uint64_t{one.most}),
                   Figure::words(one.least == one.most
                                     ? "plans"
                                     : fmt::format("to {} plans, those not played by their bound",
                                                   thousands(double(one.most))))}});
  }
  return section;
}

// ---- From the scenario as it stands.

Section changes(std::string key, std::string heading, const std::vector<PlanChange>& list,
                Seconds own, std::string none = "nothing") {
  Section section{.key = std::move(key),
                  .heading = std::move(heading),
                  .shape = Shape::Table,
                  .columns = {{"key", "", 34, true},
                              {"from", "from", 12},
                              {"to", "to", 12},
                              {"step_s", "step", 10},
                              {"change", "change", 9}},
                  .labels = true,
                  .empty = std::move(none)};
  for (const PlanChange& change : list) {
    section.rows.push_back(
        {.label = change.key,
         .cells = {Figure::words(change.from), Figure::words(change.to),
                   time_or_none(change.step, "no fit"), change_of(own, change.step)}});
  }
  return section;
}

Section map_section(const SearchReport& search) {
  const PlanMap& map = search.map;
  Section section{.key = "map",
                  .heading = fmt::format("Best step by {} (down) and {} (across)",
                                         short_key(map.down), short_key(map.across)),
                  .shape = Shape::Table,
                  .columns = {{map.down, "", 8, true},
                              {map.across, "", 8},
                              {.key = "plans"},
                              {.key = "fit"},
                              {.key = "step_s"},
                              {.key = "certain"}}};
  constexpr std::size_t kCell = 11;
  std::string labels = fmt::format("{:>8}", "");
  for (const std::string& value : map.across_values) {
    labels += fmt::format("{:>{}}", value, kCell);
  }
  section.rows.push_back(sentence(labels, Shown::PageOnly));
  for (std::size_t row = 0; row < map.down_values.size(); ++row) {
    std::string line = fmt::format("{:>8}", map.down_values[row]);
    for (std::size_t column = 0; column < map.across_values.size(); ++column) {
      const MapCell& cell = map.at(row, column);
      const std::string step =
          cell.step ? fmt::format("{}{}", cell.certain ? "" : ">", to_text(*cell.step)) : "no fit";
      line += fmt::format("{:>{}}", cell.plans == 0 ? "" : step, kCell);
      section.rows.push_back({.label = map.down_values[row],
                              .cells = {Figure::words(map.across_values[column]),
                                        Figure::count(std::uint64_t{cell.plans}),
                                        Figure::count(std::uint64_t{cell.fit}),
                                        time_or_none(cell.step, "-"), Figure::flag(cell.certain)},
                              .shown = Shown::OffPage});
    }
    section.rows.push_back(sentence(std::move(line), Shown::PageOnly));
  }
  section.rows.push_back(
      sentence("> the best plan there takes longer than that: its bound", Shown::PageOnly));
  const auto has_none = [](const std::vector<std::string>& values) {
    return std::find(values.begin(), values.end(), "-") != values.end();
  };
  if (has_none(map.down_values) || has_none(map.across_values)) {
    section.rows.push_back(sentence("- without effect there", Shown::PageOnly));
  }
  return section;
}

Section to_run(const SearchReport& search) {
  Section section{.heading = "To run the best", .lead = Lead::Heading};
  if (!search.best.empty()) {
    const std::string& options = search.best.front().options;
    section.rows.push_back(sentence(fmt::format("danlu run {}{}{}", shell_word(search.file),
                                                options.empty() ? "" : " ", options)));
    if (const auto& run = search.best.front().report.run) {
      section.rows.push_back(sentence(fmt::format(
          "the whole run takes {} days{}{}", figure(run->days),
          run->cost_usd ? fmt::format(" and {} USD", figure(*run->cost_usd)) : std::string(),
          search.leaves_faults_out ? ", the scenario's faults left out: danlu run has them" : "")));
    }
  }
  section.rows.push_back(off_page("wall_s", "wall", Figure::time(search.wall)));
  return section;
}

}  // namespace

Document document_of(const SearchReport& search) {
  const bool any = !search.best.empty();
  const Seconds own = search.own ? search.own->report.step.time : Seconds{};
  Document document{.schema = "danlu.search/1",
                    .title = fmt::format("Best plans of {}", search.scenario)};
  document.sections = {heading(search), axes(search), plans(search), best_plans(search)};
  if (any) {
    document.sections.push_back(front(search));
    document.sections.push_back(near(search));
  }
  if (any && search.has_own) {
    document.sections.push_back(
        search.own ? changes("single_changes", "Single changes of the scenario that save most",
                             search.singles, own)
                   : changes("single_changes", "Single changes with which the scenario fits",
                             search.singles, own, "none does alone"));
    document.sections.push_back(
        changes("way", "From the scenario to the best, change upon change", search.way, own));
  }
  if (any) {
    document.sections.push_back(map_section(search));
    document.sections.push_back(to_run(search));
  }
  for (const RankedPlan& plan : search.best) {
    document.runs.push_back(document_of(plan.report));
  }
  return document;
}

}  // namespace danlu
