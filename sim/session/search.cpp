#include "sim/session/search.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/report/advice.hpp"
#include "sim/report/page.hpp"
#include "sim/search/bound.hpp"
#include "sim/search/search.hpp"
#include "sim/session/advice.hpp"
#include "sim/session/effort.hpp"
#include "sim/session/evaluate.hpp"
#include "sim/session/simulate.hpp"

namespace danlu {
namespace {

constexpr double kNear[] = {0.01, 0.02, 0.05};

/// One class, since every part of the result asks the space and the plans that were found.
class Searcher {
 public:
  Searcher(const SearchRequest& request, const LoadOptions& load, const SessionOptions& options)
      : request_(request),
        options_(options),
        step_options_(options),
        overrides_(load.overrides),
        variants_(request.file, load),
        space_(variants_, axes_of(variants_)),
        cluster_(build_cluster(variants_.scenario().cluster)),
        evaluator_(cluster_, {.threads = options.processes,
                              .most_parts = options.tasks.most,
                              .progress = [this](std::size_t done,
                                                 std::size_t of) { tell_played(done, of); }}),
        bounds_(variants_.scenario().cluster, options.processes,
                [this](std::size_t done, std::size_t of) { tell_bounded(done, of); }),
        search_{.top = request.top, .near = kNear[0]} {
    step_options_.announce = nullptr;
    report_.own_obstacle = request.own_obstacle;
    report_.has_own = request.own_obstacle.empty();
  }

  SearchReport run() {
    const std::size_t down = axis_named(request_.down);
    const std::size_t across = axis_named(request_.across);
    find();
    begin("counting the plans near the best");
    count_near();
    begin("simulating the best");
    for (std::size_t i = 0; i < std::min(request_.top, ranked_.size()); ++i) {
      const FoundPlan& found = plans_[ranked_[i]];
      const Simulation simulation = played(found.plan, Faults::LeftOut);
      report_.best.push_back(ranked(found.plan, found.bound, simulation.report));
      report_.best.back().on_front = is_on_front(ranked_[i]);
      if (i == 0) {
        look_beyond(simulation);
      }
      tell(counted(i + 1, std::min(request_.top, ranked_.size())));
    }
    if (report_.has_own) {
      look_at_own();
    }
    if (request_.front) {
      tell_front();
    }
    options_.say("the best are simulated");
    begin("drawing the map");
    draw_map(down, across);
    options_.say(fmt::format("{} plans have their bounds in full",
                             std::count_if(plans_.begin(), plans_.end(),
                                           [](const FoundPlan& plan) { return plan.is_full; })));
    return std::move(report_);
  }

  RankedPlan best() {
    search_.near = 0;  // how flat the optimum is nobody asks
    find();
    begin("simulating the best");
    const FoundPlan& found = plans_[ranked_.front()];
    return ranked(found.plan, found.bound, played(found.plan, Faults::Played).report);
  }

 private:
  /// Plans, the fastest of them ranked.
  void find() {
    describe();
    begin("looking for valid plans that fit");
    search_.progress = [this](const SearchProgress& now) { tell_best(now); };
    plans_ = survey(space_, bounds_, [this](const SearchSize& size) { announce_size(size); });
    count_plans();
    options_.say(fmt::format("{} plans are valid, {} fit", report_.can_run, report_.fit));
    begin("playing plans");
    ranked_ = play_best_first(space_, plans_, bounds_, player(), search_);
    front_ =
        request_.front ? play_front(space_, plans_, bounds_, player(), search_) : front_of(plans_);
    count_played();
    if (ranked_.empty()) {
      throw CannotRun(
          fmt::format("{}: no plan can be played: {}", report_.scenario, report_.obstacle),
          options_.tasks.raised);
    }
    options_.say(fmt::format("{} plans played", report_.played));
  }

  void announce_size(const SearchSize& size) const {
    announce({.what = fmt::format(
                  "{} plans are valid and {} of them fit in memory; before any is played "
                  "come their bounds",
                  thousands(double(size.can_run)), thousands(double(size.fit))),
              .time = size.time,
              .ways_out = {"fewer values below 'search'"}},
             options_);
  }

  PlayPlans player() {
    return [this](std::span<const Workload> workloads, std::optional<Seconds> wanted) {
      return play(workloads, wanted);
    };
  }

  // ---- what is being done, for who looks on

  void tell(const std::string& line) const {
    if (request_.progress) {
      request_.progress(line);
    }
  }
  void begin(std::string what) {
    doing_ = std::move(what);
    so_far_.reset();
    tell(doing_);
  }
  void tell_bounded(std::size_t done, std::size_t of) const {
    constexpr std::size_t kMany = 100;  // fewer are soon worked out, and others follow
    tell(so_far_ ? so_far_text(0) : of < kMany ? doing_ : counted(done, of));
  }
  void tell_played(std::size_t done, std::size_t of) const {
    tell(so_far_ ? so_far_text(done) : counted(done, of));
  }
  std::string counted(std::size_t done, std::size_t of) const {
    return fmt::format("{}: {} of {}", doing_, thousands(double(done)), thousands(double(of)));
  }
  void tell_best(const SearchProgress& now) {
    so_far_ = {
        now.played, now.left,
        fmt::format("best {}: {}", to_text(*now.best), short_text(space_.settings(*now.plan)))};
    tell(so_far_text(0));
  }
  std::string so_far_text(std::size_t more) const {
    return fmt::format("{} plans played, {} may still win; {}",
                       thousands(double(so_far_->played + more)), thousands(double(so_far_->left)),
                       so_far_->best);
  }

  std::size_t axis_named(const std::string& name) const {
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < space_.axes().size(); ++i) {
      const std::string_view key = space_.axes()[i].key;
      if (key == name || key.ends_with("." + name)) {
        return i;
      }
      names.push_back(key.substr(key.find('.') + 1));
    }
    const std::string_view near = nearest(name, names);
    throw InputError(Problem{{"--map", 0, 0},
                             fmt::format("'{}' is nothing that varies", shown(name)),
                             near.empty() ? fmt::format("one of {}", fmt::join(names, ", "))
                                          : fmt::format("did you mean '{}'?", near),
                             ""});
  }

  void describe() {
    const Scenario& scenario = variants_.scenario();
    report_.scenario = scenario.name;
    report_.file = request_.file.string();
    for (const SearchAxis& axis : space_.axes()) {
      report_.axes.push_back({axis.key, axis.values, axis.from_user});
    }
    report_.leaves_faults_out = scenario.faults.has_value();
    if (report_.leaves_faults_out) {
      report_.notes.emplace_back(
          "the scenario's faults are left out: a step without any is searched");
    }
    if (scenario.cluster.kinds() > 1) {
      report_.notes.emplace_back(
          "stages have as many layers on fast GPUs as on slow ones, but where the scenario says "
          "otherwise: try parallelism.first_stage_layers or stage_layers of the best plans by "
          "danlu sweep");
    }
    if (scenario.cluster.degraded.jitter.spread > 0) {
      report_.notes.emplace_back(
          "with degraded.jitter no plan can be left out: all that fit are played");
    }
  }

  std::vector<PlayedPlan> play(std::span<const Workload> workloads, std::optional<Seconds> wanted) {
    std::vector<PlayedPlan> played;
    for (Evaluation& one : evaluator_.evaluate(workloads, wanted)) {
      PlayedPlan& plan = played.emplace_back();
      if (one.outcome == Evaluation::Outcome::Ended) {
        plan.step = one.step;
      } else if (one.outcome != Evaluation::Outcome::GivenUp) {
        plan.obstacle = std::move(one.why);
      }
    }
    return played;
  }

  void count_plans() {
    const Scenario& scenario = variants_.scenario();
    report_.can_run = plans_.size();
    report_.reserve = scenario.workload.training.memory_reserve;
    report_.capacity = measure_memory(scenario.workload, scenario.cluster).capacity;
    Bytes least{1e300};
    for (const FoundPlan& plan : plans_) {
      report_.fit += plan.fits() ? 1 : 0;
      if (!plan.fits()) {
        least = std::min(least, -1 * plan.spare);
        report_.most_missing = std::max(report_.most_missing, -1 * plan.spare);
      }
    }
    report_.least_missing = report_.fit < report_.can_run ? least : Bytes{};
    if (plans_.empty()) {
      throw CannotRun(fmt::format("{}: no plan can run with the values that the search tries",
                                  report_.scenario),
                      "more values below 'search', or fewer GPUs");
    }
    if (report_.fit == 0) {
      throw CannotRun(fmt::format("{}: none of {} plans fits in memory: the smallest needs {} more "
                                  "than {}, with {} left free",
                                  report_.scenario, report_.can_run, to_text(report_.least_missing),
                                  to_text(report_.capacity), to_text(report_.reserve)),
                      "more values below 'search' (zero, recompute), more GPUs, or a smaller "
                      "training.memory_reserve");
    }
  }

  void count_played() {
    for (const FoundPlan& plan : plans_) {
      report_.played += plan.tried ? 1 : 0;
      if (!plan.played.obstacle.empty()) {
        report_.obstacle = report_.unplayable++ == 0 ? plan.played.obstacle : report_.obstacle;
      }
    }
  }

  void count_near() {
    const Seconds best = *plans_[ranked_[0]].played.step;
    fill_up_to((1 + *std::rbegin(kNear)) * best, space_, plans_, bounds_);
    for (const double within : kNear) {
      NearPlans& near = report_.near.emplace_back(NearPlans{within});
      for (const FoundPlan& plan : plans_) {
        const Seconds most = (1 + within) * best;
        const bool is_near = plan.played.step && *plan.played.step <= most;
        near.least += is_near ? 1 : 0;
        near.most += is_near || (plan.fits() && !plan.played.step && within > kNear[0] &&
                                 plan.played.obstacle.empty() && plan.bound <= most)
                         ? 1
                         : 0;
      }
    }
  }

  enum class Faults { LeftOut, Played };
  Simulation played(const SearchPlan& plan, Faults faults) {
    Scenario scenario = variants_.load(space_.settings(plan));
    if (faults == Faults::LeftOut) {
      scenario.faults.reset();
    }
    return simulate(scenario, step_options_);
  }
  RankedPlan ranked(const SearchPlan& plan, Seconds bound, Report report) {
    const std::vector<KeyValue> settings = space_.settings(plan);
    return {short_text(settings), options_text(with_overrides(settings)), bound, std::move(report)};
  }

  /// What a command line has to say to make the scenario that plan: what this one's said as well.
  std::vector<KeyValue> with_overrides(const std::vector<KeyValue>& settings) const {
    std::vector<KeyValue> all;
    for (const std::string& said : overrides_) {
      const std::size_t equals = said.find('=');
      KeyValue one{said.substr(0, equals), said.substr(equals + 1)};
      const bool is_set = std::any_of(settings.begin(), settings.end(),
                                      [&](const KeyValue& set) { return set.key == one.key; });
      if (!is_set && !one.key.starts_with("search.")) {
        all.push_back(std::move(one));
      }
    }
    all.insert(all.end(), settings.begin(), settings.end());
    return all;
  }

  /// What `danlu run` would say of the best, which that is.
  void look_beyond(const Simulation& simulation) {
    std::optional<Saving>& saving = report_.best.front().report.saving;
    saving = best_saving(simulation, step_options_);
    if (!saving) {
      return;
    }
    const ClusterSpec& cluster = variants_.scenario().cluster;
    for (const Change& change : speed_changes(simulation.report, cluster)) {
      if (change.text() == saving->change) {
        report_.saving_is_tight = measure_memory(change.workload, cluster).tight();
      }
    }
  }

  /// The scenario's own plan, single changes of it, and the way from there to the best.
  void look_at_own() {
    begin("simulating the scenario's own plan");
    simulate_own();
    begin("changing the scenario's own plan");
    KnownSteps known = known_steps(plans_);
    for (const SearchStep& change : single_changes(space_, bounds_, player(), known)) {
      if (!report_.own || *change.step < report_.own->report.step.time) {
        report_.singles.push_back(change_of(space_.own_plan(), change));
      }
    }
    begin("on the way from the scenario's own plan to the best");
    SearchPlan before = space_.own_plan();
    for (SearchStep& step : way_to(plans_[ranked_[0]].plan, space_, player(), known)) {
      report_.way.push_back(change_of(before, step));
      before = std::move(step.plan);
    }
  }

  void simulate_own() {
    const Scenario& scenario = variants_.scenario();
    const MemoryReport memory = measure_memory(scenario.workload, scenario.cluster);
    if (!memory.fits()) {
      report_.own_obstacle = "does not fit in memory";
      return;
    }
    report_.own = ranked(space_.own_plan(), StepBounds(scenario.cluster).bound(scenario.workload),
                         played(space_.own_plan(), Faults::LeftOut).report);
  }

  /// Of the best it is certain: all plans that are faster were played.
  bool is_on_front(std::size_t plan) const {
    return std::find(front_.begin(), front_.end(), plan) != front_.end();
  }

  void tell_front() {
    for (const std::size_t i : front_) {
      const std::vector<KeyValue> settings = space_.settings(plans_[i].plan);
      report_.front.push_back({short_text(settings), options_text(with_overrides(settings)),
                               *plans_[i].played.step, plans_[i].memory});
    }
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      if (plans_[i].played.step && !is_on_front(i)) {
        report_.behind_front.emplace_back(plans_[i].memory, *plans_[i].played.step);
      }
    }
  }

  PlanChange change_of(const SearchPlan& from, const SearchStep& step) {
    std::vector<std::string> keys, before, after;
    for (const std::size_t axis : step.axes) {
      const std::string was = space_.text(from, axis);
      const std::string is = space_.text(step.plan, axis);
      if (was != is) {
        keys.push_back(space_.axes()[axis].key);
        before.push_back(was);
        after.push_back(is);
      }
    }
    return {fmt::format("{}", fmt::join(keys, ", ")), fmt::format("{}", fmt::join(before, ", ")),
            fmt::format("{}", fmt::join(after, ", ")), step.step};
  }

  void draw_map(std::size_t down, std::size_t across) {
    PlanMap& map = report_.map;
    map.down = space_.axes()[down].key;
    map.across = space_.axes()[across].key;
    std::vector<std::string> rows, columns;  // by plan
    for (const FoundPlan& plan : plans_) {
      rows.push_back(space_.text(plan.plan, down));
      columns.push_back(space_.text(plan.plan, across));
    }
    map.down_values = with_others(sorted(space_.axes()[down].values), rows);
    map.across_values = with_others(sorted(space_.axes()[across].values), columns);
    map.cells.resize(map.down_values.size() * map.across_values.size());
    std::vector<std::vector<std::size_t>> at(map.cells.size());
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      at[place(map.down_values, rows[i]) * map.across_values.size() +
         place(map.across_values, columns[i])]
          .push_back(i);
    }
    fill_least(at, space_, plans_, bounds_);
    for (std::size_t cell = 0; cell < at.size(); ++cell) {
      for (const std::size_t i : at[cell]) {
        add_to(map.cells[cell], plans_[i]);
      }
    }
  }
  static void add_to(MapCell& cell, const FoundPlan& plan) {
    ++cell.plans;
    if (!plan.fits() || !plan.played.obstacle.empty()) {
      return;
    }
    ++cell.fit;
    const Seconds step = plan.played.step.value_or(plan.bound);
    if (!cell.step || step < *cell.step) {
      cell.step = step;
      cell.certain = plan.played.step.has_value();
    }
  }
  static std::size_t place(const std::vector<std::string>& values, const std::string& value) {
    return static_cast<std::size_t>(std::find(values.begin(), values.end(), value) -
                                    values.begin());
  }
  /// With what plans have besides: "-" where the key is without effect.
  static std::vector<std::string> with_others(std::vector<std::string> values,
                                              const std::vector<std::string>& of_plans) {
    for (const std::string& value : of_plans) {
      if (place(values, value) == values.size()) {
        values.push_back(value);
      }
    }
    return values;
  }
  /// Numbers by size, words as they are.
  static std::vector<std::string> sorted(std::vector<std::string> values) {
    const bool numbers = std::all_of(values.begin(), values.end(), [](const std::string& value) {
      return value.find_first_not_of("0123456789") == std::string::npos;
    });
    if (numbers) {
      std::sort(values.begin(), values.end(), [](const std::string& a, const std::string& b) {
        return std::pair(a.size(), a) < std::pair(b.size(), b);
      });
    }
    return values;
  }

  const SearchRequest& request_;
  const SessionOptions& options_;
  SessionOptions step_options_;  // of each step that is simulated, which nobody asked for by itself
  const std::vector<std::string>& overrides_;
  Variants variants_;
  SearchSpace space_;
  Cluster cluster_;
  Evaluator evaluator_;
  PlanBounds bounds_;
  SearchOptions search_;
  std::vector<FoundPlan> plans_;
  std::vector<std::size_t> ranked_;  // of plans_, fastest first
  std::vector<std::size_t> front_;   // of those that were played, or of all; likewise
  SearchReport report_;
  std::string doing_;
  struct SoFar {
    std::size_t played = 0, left = 0;
    std::string best;
  };
  std::optional<SoFar> so_far_;  // of the plays of play_best_first() and play_front()
};

}  // namespace

SearchReport search(const SearchRequest& request, const LoadOptions& load,
                    const SessionOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  SearchReport report = Searcher(request, load, options).run();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  report.wall = {wall.count()};
  return report;
}

RankedPlan best_plan(const SearchRequest& request, const LoadOptions& load,
                     const SessionOptions& options) {
  return Searcher(request, load, options).best();
}

}  // namespace danlu
