#include "sim/session/whole_step.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "sim/engine/least_rest.hpp"
#include "sim/program/longest_way.hpp"
#include "sim/program/step_program.hpp"

namespace danlu {
namespace {

/// Whatever their microbatches are called.
bool is_like(const StagePass& one, const StagePass& other) {
  const auto same = [](const Action& a, const Action& b) {
    return a.kind == b.kind && a.chunk == b.chunk;
  };
  return same(one.action, other.action) && one.beside.has_value() == other.beside.has_value() &&
         (!one.beside || same(*one.beside, *other.beside)) && one.program == other.program &&
         one.cut_at_layers == other.cut_at_layers;
}

/// How many passes each stage makes alike in both steps, from the first on.
std::vector<std::size_t> passes_alike(const StepProgram& whole, const StepProgram& fewer) {
  std::vector<std::size_t> alike;
  for (std::size_t stage = 0; stage < fewer.stages.size(); ++stage) {
    const IdVector<PassId, StagePass>& own = fewer.stages[stage].passes;
    const IdVector<PassId, StagePass>& other = whole.stages[stage].passes;
    const auto differ = std::mismatch(own.begin(), own.end(), other.begin(), other.end(), is_like);
    alike.push_back(static_cast<std::size_t>(differ.first - own.begin()));
  }
  return alike;
}

/// Whether a stage does the same at the step's end, behind passes of the same sorts that have not
/// come while all was alike.
bool end_alike(const StageProgram& whole, const StageProgram& fewer, std::size_t alike) {
  const std::size_t more = whole.passes.size() - fewer.passes.size();
  return whole.passes.size() >= fewer.passes.size() && !fewer.passes.empty() &&
         alike < fewer.passes.size() && is_like(whole.passes.back(), fewer.passes.back()) &&
         std::equal(whole.ends.begin(), whole.ends.end(), fewer.ends.begin(), fewer.ends.end(),
                    [&](EndStep one, EndStep other) {
                      if (one.layer && other.layer) {
                        const bool same = index(one.layer->pass) == index(other.layer->pass) + more;
                        if (!same || index(other.layer->pass) < alike) {
                          return false;
                        }
                        one.layer->pass = other.layer->pass;
                      }
                      return one == other;
                    });
}

/// Whether the passes that are alike also get and send alike, and are all that the others wait for
/// before they begin.
bool exchange_alike(const StepProgram& whole, const StepProgram& fewer,
                    const std::vector<std::size_t>& alike) {
  const std::size_t stages = alike.size();
  for (std::size_t stage = 0; stage < stages; ++stage) {
    const auto early = [&](const StepProgram& step, std::vector<Send>& sends) {
      for (const Send& send : step.stages[stage].sends) {
        const std::size_t to = (stage + (send.next ? 1 : stages - 1)) % stages;
        if (index(send.pass) < alike[stage]) {
          sends.push_back(send);
        } else if (index(send.taken) < alike[to]) {
          return false;
        }
      }
      return true;
    };
    std::vector<Send> own, other;
    if (!end_alike(whole.stages[stage], fewer.stages[stage], alike[stage]) || !early(fewer, own) ||
        !early(whole, other) || own != other) {
      return false;
    }
  }
  return true;
}

/// A sort of passes, which take the same wherever they stand.
using PassSort = std::pair<ProgramId, bool>;

PassSort sort_of(const StagePass& pass) {
  return {pass.program, pass.cut_at_layers};
}

constexpr Seconds kUnknown{1e300};

/// What passes, sends and ends of a step take at least. One class, since all are read off the tasks
/// of one graph.
class StepLeasts {
 public:
  StepLeasts(const StepProgram& step, const StepPlan& plan)
      : step_(step),
        plan_(plan),
        graph_(plan.graph),
        times_(least_times(plan.graph)),
        after_(successors(plan.graph)),
        first_end_(plan.strands.back().begins.back()),
        passes_(step.stages.size()),
        ends_(step.stages.size(), kUnknown) {
    add_ends();
    for (const Strand& strand : plan.strands) {
      is_of_passes(strand) ? add_passes(strand) : add_sends(strand);
    }
  }

  /// Whether a strand is of passes, not of sends.
  bool is_of_passes(const Strand& strand) const {
    const std::optional<CommunicationId>& first =
        plan_.graph.tasks[strand.begins.front()].communication;
    return !first ||
           !plan_.fold.groups[plan_.graph.communications[*first].group_class].sort.is_transfer();
  }
  /// 0 s: there is none such.
  Seconds of(std::size_t stage, const StagePass& pass) const {
    const auto found = passes_[stage].find(sort_of(pass));
    return found == passes_[stage].end() ? Seconds{} : found->second;
  }
  Seconds send() const { return send_ < kUnknown ? send_ : Seconds{}; }
  /// Of a stage, its last pass and what waits for that at the step's end.
  Seconds end(std::size_t stage) const {
    return ends_[stage] < kUnknown ? ends_[stage] : Seconds{};
  }

 private:
  const IdVector<PassId, StagePass>& passes_of(int stage) const {
    return step_.stages[static_cast<std::size_t>(stage)].passes;
  }

  /// From each task of the step's end on.
  void add_ends() {
    rests_.resize(graph_.tasks.size() - index(first_end_));
    for (std::size_t i = rests_.size(); i-- > 0;) {
      const TaskId task = make_id<TaskId>(index(first_end_) + i);
      for (const TaskId next : after_.of(task)) {  // all of them come later
        rests_[i] = std::max(rests_[i], rests_[index(next) - index(first_end_)]);
      }
      rests_[i] += times_[task];
    }
  }

  void add_sends(const Strand& strand) {
    for (const TaskId task : IdRange<TaskId>(strand.begins.front(), strand.begins.back())) {
      send_ = std::min(send_, times_[task]);
    }
  }

  void add_passes(const Strand& strand) {
    const auto stage = static_cast<std::size_t>(strand.stage);
    std::map<PassSort, Seconds> own;
    for (const PassId pass : passes_of(strand.stage).ids()) {
      const auto [known, is_new] =
          own.try_emplace(sort_of(passes_of(strand.stage)[pass]), Seconds{});
      if (is_new) {
        known->second = least_of(strand, index(pass)).pass;
      }
    }
    for (const auto& [sort, least] : own) {  // of stage groups the quickest
      const auto [known, is_new] = passes_[stage].try_emplace(sort, least);
      known->second = std::min(known->second, least);
    }
    ends_[stage] = std::min(ends_[stage], least_of(strand, strand.passes.size() - 1).end);
  }

  struct Least {
    Seconds pass, end;
  };
  /// The longest way through a pass by tasks that one class of ranks takes part in: it makes its
  /// passes one after the other. And through what waits for it at the step's end. Of the class by
  /// which both are shortest.
  Least least_of(const Strand& strand, std::size_t pass) const {
    const IdRange<TaskId> tasks(strand.begins[pass], strand.begins[pass + 1]);
    std::map<RankClassId, std::pair<std::map<TaskId, Seconds>, Least>> lanes;
    for (const TaskId task : tasks) {  // in an order in which each comes after what it waits for
      if (graph_.tasks[task].kind == TaskKind::Host) {
        continue;
      }
      for (const RankClassId ranks : graph_.participants[task]) {
        auto& [begins, least] = lanes[ranks];
        const Seconds end = begins[task] + times_[task];
        least.pass = std::max(least.pass, end);
        for (const TaskId next : after_.of(task)) {
          begins[next] = std::max(begins[next], end);
          if (next >= first_end_) {
            least.end = std::max(least.end, end + rests_[index(next) - index(first_end_)]);
          }
        }
      }
    }
    Least found{kUnknown, kUnknown};
    for (const auto& [ranks, lane] : lanes) {
      found = {std::min(found.pass, lane.second.pass), std::min(found.end, lane.second.end)};
    }
    return lanes.empty() ? Least{} : found;
  }

  const StepProgram& step_;
  const StepPlan& plan_;
  const TaskGraph& graph_;
  IdVector<TaskId, Seconds> times_;
  Adjacency after_;
  TaskId first_end_;                                 // the tasks from it on are the step's end
  std::vector<Seconds> rests_;                       // of these, itself included
  std::vector<std::map<PassSort, Seconds>> passes_;  // by stage
  Seconds send_ = kUnknown;                          // of all sends the quickest
  std::vector<Seconds> ends_;                        // by stage, with its last pass
};

/// By stage and pass, from its beginning on.
std::vector<IdVector<PassId, Seconds>> rests_of(const StepProgram& step, const StepLeasts& leasts) {
  LeastTimes least;
  for (std::size_t stage = 0; stage < step.stages.size(); ++stage) {
    IdVector<PassId, Seconds>& own = least.passes.emplace_back();
    for (const StagePass& pass : step.stages[stage].passes) {
      own.push_back(leasts.of(stage, pass));
    }
    least.sends_on.push_back(leasts.send());
    least.sends_back.push_back(leasts.send());
    least.ends.push_back(own.empty() ? Seconds{}
                                     : std::max(Seconds{}, leasts.end(stage) - own.back()));
  }
  return rests(step, least);
}

/// When a pass begins; nothing where it has no tasks. Hosts launch before.
std::optional<Seconds> begin_of(const StepPlan& plan, const Timeline& timeline,
                                const Strand& strand, std::size_t pass) {
  std::optional<Seconds> first;
  for (const TaskId task : IdRange<TaskId>(strand.begins[pass], strand.begins[pass + 1])) {
    if (plan.graph.tasks[task].kind != TaskKind::Host) {
      first = std::min(first.value_or(timeline.start[task]), timeline.start[task]);
    }
  }
  return first;
}

}  // namespace

WholeStep least_of_whole(const Workload& whole, const Workload& fewer, const StepPlan& plan,
                         const Timeline& timeline) {
  const StepProgram all = make_step_program(whole);
  const StepProgram played = make_step_program(fewer);
  const std::vector<std::size_t> alike = passes_alike(all, played);
  if (!plan.graph.late.empty() || all.programs != played.programs ||
      !exchange_alike(all, played, alike)) {
    return {};
  }
  const StepLeasts leasts(played, plan);
  const std::vector<IdVector<PassId, Seconds>> rests = rests_of(all, leasts);
  // The last of its passes that are alike, and have tasks, begins then on the first stage to do so.
  Seconds same_until = timeline.end;
  for (const Strand& strand : plan.strands) {
    if (leasts.is_of_passes(strand)) {
      std::optional<Seconds> last;
      for (std::size_t pass = alike[static_cast<std::size_t>(strand.stage)]; pass > 0 && !last;) {
        last = begin_of(plan, timeline, strand, --pass);
      }
      same_until = std::min(same_until, last.value_or(Seconds{}));
    }
  }
  WholeStep step;
  for (const Strand& strand : plan.strands) {
    const auto stage = static_cast<std::size_t>(strand.stage);
    for (std::size_t pass = 0; leasts.is_of_passes(strand) && pass < alike[stage]; ++pass) {
      const std::optional<Seconds> begin = begin_of(plan, timeline, strand, pass);
      const Seconds rest = rests[stage][make_id<PassId>(pass)];
      step.at_begin = std::max(step.at_begin, rest);
      if (begin && *begin <= same_until) {
        step.least = std::max(step.least, *begin + rest);
      }
    }
  }
  return step;
}

std::optional<Workload> enough_to_tell(const Workload& whole, const Workload& fewer,
                                       const WholeStep& known, Seconds wanted) {
  constexpr double kMore = 1.2;   // than it looks as if were enough
  constexpr double kMost = 0.67;  // of all
  const Seconds lost = known.least - known.at_begin;
  if (lost <= Seconds{}) {
    return std::nullopt;
  }
  const double all = whole.microbatches();
  const double enough = kMore * fewer.microbatches() * ((wanted - known.at_begin) / lost);
  if (enough > kMost * all) {
    return std::nullopt;
  }
  const int round = whole.schedule()->round(whole.schedule_shape());
  const int more = static_cast<int>(std::ceil((enough - fewer.microbatches()) / round));
  Workload longer = fewer;
  longer.training.global_batch +=
      std::max(1, more) * round * fewer.training.micro_batch * fewer.parallelism.data;
  const bool can_run = longer.schedule()->obstacle(longer.schedule_shape()).empty();
  return can_run ? std::optional(std::move(longer)) : std::nullopt;
}

}  // namespace danlu
