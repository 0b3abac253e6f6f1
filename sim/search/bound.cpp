#include "sim/search/bound.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "sim/collective/experts.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/fold/fold.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/fold/hash.hpp"
#include "sim/fold/taken_share.hpp"
#include "sim/program/least_pass.hpp"
#include "sim/program/longest_way.hpp"

namespace danlu {
namespace {

/// Microbatches that show every kind of pass: a first one, a last one, one between.
constexpr int kFew = 3;

/// The plan with as few microbatches as its schedule runs: the same passes, less often.
Workload with_few(Workload w) {
  const int all = w.microbatches();
  if (w.schedule() == nullptr) {
    return w;  // a grid is of its own number of them
  }
  for (int few = kFew; few < all; ++few) {
    w.training.global_batch = w.training.micro_batch * w.parallelism.data * few;
    if (w.schedule()->obstacle(w.schedule_shape()).empty()) {
      return w;
    }
  }
  w.training.global_batch = w.training.micro_batch * w.parallelism.data * all;
  return w;
}

/// Whether passes run side by side.
bool has_pairs(const Workload& w) {
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    const std::vector<Action> actions = w.actions(stage);
    if (std::any_of(actions.begin(), actions.end(),
                    [](const Action& action) { return action.with_next; })) {
      return true;
    }
    if (w.schedule() == &kOneFOneB) {
      return false;  // it pairs in all stages or in none
    }
  }
  return false;
}

ComputeTime time_on(const KernelTimer& timer, const Segment& segment) {
  return segment.again ? timer.recompute_time(segment.kernels) : timer.time(segment.kernels);
}

GpuShare least_of(GpuShare a, GpuShare b) {
  return {std::min(a.multiprocessors, b.multiprocessors), std::min(a.bandwidth, b.bandwidth)};
}

constexpr Seconds kUnknown{std::numeric_limits<double>::infinity()};

/// The compute of a program that differs from what came before: layers mostly repeat theirs, in the
/// same order.
class DistinctCompute {
 public:
  /// The place of the first segment like that one, which may be itself.
  std::size_t first_like(const std::vector<Segment>& segments, std::size_t i) {
    for (std::size_t tried = 0; tried < first_.size(); ++tried, ++next_) {
      next_ = next_ < first_.size() ? next_ : 0;
      const Segment& known = segments[first_[next_]];
      if (known.again == segments[i].again && known.kernels == segments[i].kernels) {
        return first_[next_++];
      }
    }
    first_.push_back(i);
    return i;
  }

 private:
  std::vector<std::size_t> first_;
  std::size_t next_ = 0;  // of them the one behind the last that was found
};

}  // namespace

/// The shortest of a stage's passes.
struct StepBounds::PassesOfStage {
  using Sort = std::pair<int, ActionKind>;  // by chunk
  static Sort sort_of(const Action& action) { return {action.chunk, action.kind}; }
  template <typename Times, typename Key>
  static Seconds of(const Times& times, const Key& key, Seconds none) {
    const auto found = times.find(key);
    return found == times.end() ? none : found->second;
  }
  template <typename Times, typename Key>
  static void keep_least(Times& times, const Key& key, Seconds time) {
    const auto [entry, is_first] = times.try_emplace(key, time);
    entry->second = std::min(entry->second, time);
  }
  void see(const Action& action, Seconds time) {
    keep_least(times, sort_of(action), time);
    forwards[action.chunk] += action.is_forward() ? 1 : 0;
  }
  void see_pair(const Action& first, const Action& second, Seconds together) {
    keep_least(pairs, std::pair(sort_of(first), sort_of(second)), together);
  }

  std::map<Sort, Seconds> times;
  std::map<std::pair<Sort, Sort>, Seconds> pairs;  // side by side
  std::map<int, double> forwards;                  // by chunk, of
  int microbatches = 0;
};

/// What a stage takes at least.
struct StepBounds::StageTimes {
  struct OfChunk {                    // with one microbatch
    Seconds forward, gradient, both;  // gradient: of its input; both: and of its weights
    double passes = 1;                // of each kind, for one microbatch of the step
  };
  std::vector<OfChunk> chunks;
  Seconds all;              // passes, one after the other
  Seconds to_gradient;      // those until no gradient is left to go back
  Seconds end;              // of the step
  Seconds sends;            // of all its passes for one microbatch
  Seconds longest_send;     // of them
  Seconds send = kUnknown;  // the shortest
};

/// From the first part of the model to each, and back.
struct StepBounds::Chain {
  std::vector<PlacedChunk> parts;
  std::vector<Seconds> forward, back;  // through all parts below the i-th, and sends to it
  Seconds through;                     // all parts and back
};

template <typename Time>
Seconds StepBounds::on_fastest(const Workload& w, const Time& time) {
  if (timed_ != w.training.precision) {
    timers_.clear();
    for (int kind = 0; kind < cluster_.spec.kinds(); ++kind) {
      timers_.emplace_back(cluster_.spec.gpu_of(kind), w.training.precision);
    }
    timed_ = w.training.precision;
  }
  Seconds least = kUnknown;
  for (const KernelTimer& timer : timers_) {
    least = std::min<Seconds>(least, time(timer).total());
  }
  return least;
}

StepBounds::Alone StepBounds::collective(const Workload& w, GroupSort sort, const Ranks& group,
                                         const Demand& demand) {
  std::uint64_t hash = group.hash;
  if (demand.routing) {
    const ExpertRouting& routing = *demand.routing;
    hash = mix(mix(mix(mix(hash, routing.experts), routing.per_token), routing.most_nodes),
               routing.nodes);
  }
  if (w.parallelism.overlap_tensor == TensorOverlap::Full && w.parallelism.tensor_blocks) {
    hash = mix(hash, *w.parallelism.tensor_blocks);  // what it takes from compute
  }
  const Known key{hash, demand.op, sort.number()};
  const auto [known, is_new] = alone_.try_emplace({key, demand.bytes.value});
  if (!is_new) {
    return known->second;
  }
  const auto [kept, is_first] = groups_.try_emplace(key);
  Placed& placed = kept->second;
  if (is_first) {
    placed.group = make_group(cluster_, group.ranks);
    if (demand.op != CollectiveOp::Dispatch) {
      placed.candidates = candidates_for(w, cluster_, placed.group, sort, demand.op);
    }
  }
  CollectiveChoice choice;  // of a dispatch: none takes less
  if (demand.op == CollectiveOp::Dispatch) {
    known->second.time = alone_time(
        cluster_,
        expert_exchange(cluster_, placed.group,
                        {.routing = *demand.routing, .tokens = 1, .token = demand.bytes}));
  } else {
    const PlannedCollective planned =
        fastest(cluster_, placed.group, demand.op, demand.bytes, placed.candidates);
    known->second.time = planned.alone;
    choice = planned.choice;
  }
  known->second.taken =
      taken_share(w, cluster_.spec, placed.group, sort, choice, demand, known->second.time);
  return known->second;
}

const StepBounds::Ranks& StepBounds::ranks_of(const Workload& w, GroupSort sort, int stage) {
  const auto [known, is_new] = ranks_.try_emplace({stage, sort});
  Ranks& group = known->second;
  if (is_new) {
    const Mesh mesh = w.mesh();
    group.ranks = mesh.group(mesh.rank({{Axis::Pipeline, stage}}), sort);
    group.hash = group.ranks.size();
    for (const int rank : group.ranks) {
      group.hash = mix(group.hash, rank);
    }
  }
  return group;
}

/// Of the stage's first group of that sort.
StepBounds::Alone StepBounds::alone(const Workload& w, GroupSort sort, int stage,
                                    const Demand& demand) {
  if (w.collectives == CollectiveMode::Stepwise || sort.is_copy()) {
    return {};
  }
  if (sort.is_brief()) {
    return {alone(w, {sort.axes, Span::All}, stage, demand).time, {}};
  }
  const Ranks& group = ranks_of(w, sort, stage);
  if (sort.is_transfer()) {
    const Pattern pattern = transfer_pattern(cluster_, group.ranks[0], group.ranks[1]);
    const TransferCost cost =
        transfer_cost(cluster_.topology_among(pattern.ranks), pattern, demand.bytes);
    return {cost.latency + cost.stream / alone_rate(cluster_, pattern), {}};
  }
  return collective(w, sort, group, demand);
}

Seconds StepBounds::compute_time(const Workload& w, const Segment& segment) {
  return on_fastest(w, [&](const KernelTimer& timer) { return time_on(timer, segment); });
}

StepBounds::ProgramTimes StepBounds::program_times(const Workload& w, const Program& program) {
  ProgramTimes times{.is_known = true};
  DistinctCompute distinct;
  for (std::size_t i = 0; i < program.segments.size(); ++i) {
    const Segment& segment = program.segments[i];
    times.compute.emplace_back();
    times.bounds.emplace_back();
    times.exchange.push_back(0);
    if (segment.is_compute) {
      const std::size_t like = distinct.first_like(program.segments, i);
      const bool is_new = like == i;
      times.compute[i] = is_new ? compute_time(w, segment) : times.compute[like];
      times.bounds[i] = is_new ? time_on(timers_.front(), segment).bounds() : times.bounds[like];
      continue;
    }
    ProgramTimes::Asked one{segment.sort(), segment.demand};
    const auto same = std::find(times.asked.begin(), times.asked.end(), one);
    times.exchange.back() = static_cast<std::size_t>(same - times.asked.begin());
    if (same == times.asked.end()) {
      times.asked.push_back(std::move(one));
    }
  }
  return times;
}

/// What it takes on a stage; `contended`: with compute that its exchanges slow.
Seconds StepBounds::program_time(const Workload& w, const StepProgram& step, ProgramId id,
                                 int stage, PairPart part, bool contended) {
  ProgramTimes& program = programs_[id];
  if (!program.is_known) {
    program = program_times(w, step.programs[id]);
  }
  std::vector<Alone> exchanges;
  for (const auto& [sort, demand] : program.asked) {
    exchanges.push_back(alone(w, sort, stage, demand));
    if (!contended) {
      exchanges.back().taken = {};
    }
  }
  const auto [known, is_new] = program.total.try_emplace({part, std::move(exchanges)});
  if (is_new) {
    known->second = pass_time(step.programs[id], program, known->first.second, part);
  }
  return known->second;
}

/// Of a pass, or of one action of a pair as if the other took no time; `exchanges` take so long,
/// and from compute the least that any of them takes.
Seconds StepBounds::pass_time(const Program& program, const ProgramTimes& times,
                              const std::vector<Alone>& exchanges, PairPart part) const {
  std::optional<GpuShare> taken;
  for (const Alone& one : exchanges) {
    taken = taken ? least_of(*taken, one.taken) : one.taken;
  }
  std::vector<Seconds> durations;
  for (std::size_t i = 0; i < program.segments.size(); ++i) {
    const Segment& segment = program.segments[i];
    const bool is_left_out = part == (segment.beside ? PairPart::First : PairPart::Second);
    durations.push_back(is_left_out          ? Seconds{}
                        : segment.is_compute ? times.compute[i]
                                             : exchanges[times.exchange[i]].time);
  }
  return least_pass(program, durations, times.bounds, taken.value_or(GpuShare{}));
}

/// From the end of the stage's passes on; what waits for a layer alone, or for nothing, may be done
/// by then.
Seconds StepBounds::end_time(const Workload& w, const StageProgram& own, int stage) {
  IdVector<EndId, Seconds> finish;
  Seconds last;
  for (const EndStep& end : own.ends) {
    Seconds start = end.layer || end.ahead_of ? -1 * kUnknown : Seconds{};
    for (const EndId before : end.after) {
      start = std::max(start, finish[before]);
    }
    const Seconds time = end.sort ? alone(w, *end.sort, stage, {end.op, end.bytes, {}}).time
                         : end.on_host > 0 || end.launched > Seconds{}
                             ? end.launched
                             : on_fastest(w, [&](const KernelTimer& timer) {
                                 return timer.optimizer_time(end.bytes, end.products);
                               });
    finish.push_back(start + time);
    last = std::max(last, finish.back());
  }
  return last;
}

StepBounds::StageTimes StepBounds::stage_times(const Workload& w, const Workload& few,
                                               const StepProgram& step, int stage, bool pairs) {
  const StageProgram& own = step.stage(stage);
  std::map<std::pair<ProgramId, PairPart>, Seconds> known;
  const auto time_of = [&](ProgramId id, PairPart part) {
    const auto [time, is_new] = known.try_emplace({id, part});
    if (!is_new) {
      return time->second;
    }
    return time->second = program_time(few, step, id, stage, part);
  };
  PassesOfStage passes{.microbatches = few.microbatches()};
  for (const StagePass& pass : own.passes) {
    if (pass.beside) {
      passes.see(pass.action, time_of(pass.program, PairPart::First));
      passes.see(*pass.beside, time_of(pass.program, PairPart::Second));
      passes.see_pair(pass.action, *pass.beside, time_of(pass.program, PairPart::Whole));
    } else {
      passes.see(pass.action, time_of(pass.program, PairPart::Whole));
    }
  }
  StageTimes times = sums_of(w, passes, stage, pairs);
  times.end = end_time(few, own, stage);
  for (const bool next : {true, false}) {
    int sends = 0;
    Bytes sent;  // by each of them
    for (const Send& send : own.sends) {
      sends += send.next == next ? 1 : 0;
      sent = send.next == next ? send.arrays * step.sent : sent;
    }
    if (sends > 0) {
      const Seconds send =
          alone(few, next ? kSendsOn : kSendsBack, stage, {CollectiveOp::SendReceive, sent, {}})
              .time;
      times.sends += static_cast<double>(sends) / few.microbatches() * send;
      times.longest_send = std::max(times.longest_send, send);
      times.send = std::min(times.send, send);
    }
  }
  return times;
}

StepBounds::StageTimes StepBounds::sums_of(const Workload& w, const PassesOfStage& passes,
                                           int stage, bool pairs) {
  StageTimes times;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const auto time = [&](ActionKind kind) {
      return PassesOfStage::of(passes.times, PassesOfStage::Sort{chunk, kind}, kUnknown);
    };
    const auto there = [](Seconds least) { return least == kUnknown ? Seconds{} : least; };
    const Seconds whole = time(ActionKind::Backward);
    const Seconds input = time(ActionKind::Input);
    const auto forwards = passes.forwards.find(chunk);
    times.chunks.push_back(
        {.forward = there(time(ActionKind::Forward)),
         .gradient = there(std::min(whole, input)),
         .both = there(std::min(whole, input + there(time(ActionKind::Weight)))),
         .passes = forwards == passes.forwards.end() ? 0 : forwards->second / passes.microbatches});
  }
  if (pairs) {
    add_pairs(w.actions(stage), passes, times);
    return times;
  }
  for (const StageTimes::OfChunk& chunk : times.chunks) {
    const double count = chunk.passes * w.microbatches();
    times.all += count * (chunk.forward + chunk.both);
    times.to_gradient += count * (chunk.forward + chunk.gradient);
  }
  return times;
}

/// Of the actions one by one, since how many are side by side does not grow with the microbatches.
/// A pair that few microbatches do not have takes no less than the longer of its actions.
void StepBounds::add_pairs(const std::vector<Action>& actions, const PassesOfStage& passes,
                           StageTimes& times) {
  const auto sort_of = PassesOfStage::sort_of;
  const auto least = [&](const Action& action) {
    return PassesOfStage::of(passes.times, sort_of(action), Seconds{});
  };
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Action& first = actions[i];
    const Seconds own = least(first);
    if (!first.with_next) {
      times.all += own;
      // A gradient of weights may come when none goes back any more.
      times.to_gradient += first.kind == ActionKind::Weight ? Seconds{} : own;
      continue;
    }
    const Action& second = actions[++i];
    const Seconds its = least(second);
    const Seconds pair = std::max(
        {own, its,
         PassesOfStage::of(passes.pairs, std::pair(sort_of(first), sort_of(second)), Seconds{})});
    times.all += pair;
    // The last gradient may go when its own action has ended.
    const bool is_last = i + 1 == actions.size() || first.kind == ActionKind::Weight ||
                         second.kind == ActionKind::Weight;
    times.to_gradient += is_last ? std::min(own, its) : pair;
  }
}

/// Of the model, or of its second copy, which lies the other way round.
StepBounds::Chain StepBounds::chain(const Workload& w, const std::vector<StageTimes>& stages,
                                    bool second) const {
  const Placement placement = w.placement();
  Chain chain;
  Seconds send = kUnknown;
  for (const StageTimes& stage : stages) {
    send = std::min(send, stage.send);
  }
  Seconds forward, back;
  for (int part = 0; part < placement.parts(); ++part) {
    const PlacedChunk at =
        second ? PlacedChunk{placement.stages() - 1 - part, 1} : placement.holder(part);
    const StageTimes& stage = stages[static_cast<std::size_t>(at.stage)];
    const StageTimes::OfChunk& times = stage.chunks[static_cast<std::size_t>(at.chunk)];
    const bool sent = part > 0 && chain.parts.back().stage != at.stage;
    forward += sent && send < kUnknown ? send : Seconds{};
    back += sent && send < kUnknown ? send : Seconds{};
    chain.parts.push_back(at);
    chain.forward.push_back(forward);
    chain.back.push_back(back);
    forward += times.forward;
    back += times.gradient;
  }
  chain.through = forward + back;
  return chain;
}

void StepBounds::begin(const StepProgram& step) {
  programs_ = IdVector<ProgramId, ProgramTimes>(step.programs.size());
  ranks_.clear();
}

Seconds StepBounds::bound(const Workload& w) {
  if (cluster_.spec.degraded.jitter.spread > 0) {
    return {};
  }
  const Workload few = with_few(w);
  const StepProgram step = make_step_program(few);
  const bool pairs = has_pairs(w);
  begin(step);
  std::vector<StageTimes> stages;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    stages.push_back(stage_times(w, few, step, stage, pairs));
  }
  return bound_of(w, stages, pairs);
}

/// Whether all ranks of a stage are at the same place at any time, and no host is late.
bool StepBounds::contends_alike(const Workload& w, const StepProgram& step) const {
  return !w.host.is_there() && w.fold != FoldMode::Bound && cluster_.spec.kinds() == 1 &&
         fold(w, step, cluster_).rank_classes.size() == step.stages.size();
}

/// The longest one through the step.
Seconds StepBounds::way(const Workload& w, const StepProgram& step, bool contended) {
  LeastTimes least;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    const StageProgram& own = step.stage(stage);
    std::map<ProgramId, Seconds> known;
    IdVector<PassId, Seconds>& passes = least.passes.emplace_back();
    for (const StagePass& pass : own.passes) {
      const auto [time, is_new] = known.try_emplace(pass.program);
      if (is_new) {
        time->second = program_time(w, step, pass.program, stage, PairPart::Whole, contended);
      }
      passes.push_back(time->second);
    }
    least.ends.push_back(end_time(w, own, stage));
    least.sends_on.push_back(send_time(w, step, stage, true));
    least.sends_back.push_back(send_time(w, step, stage, false));
  }
  return longest_way(step, least);
}

/// Of the smallest message that goes there.
Seconds StepBounds::send_time(const Workload& w, const StepProgram& step, int stage, bool next) {
  std::optional<double> arrays;
  for (const Send& send : step.stage(stage).sends) {
    arrays = send.next == next ? std::min(arrays.value_or(send.arrays), send.arrays) : arrays;
  }
  return arrays ? alone(w, next ? kSendsOn : kSendsBack, stage,
                        {CollectiveOp::SendReceive, *arrays * step.sent, {}})
                      .time
                : Seconds{};
}

bool StepBounds::takes_longer(const Workload& w, Seconds than) {
  constexpr double kRounding = 1e-9;
  if (cluster_.spec.degraded.jitter.spread > 0) {
    return false;
  }
  const Seconds most = (1 + kRounding) * than;
  const StepProgram step = make_step_program(w);
  begin(step);
  return way(w, step, false) > most || (way(w, step, true) > most && contends_alike(w, step));
}

/// Its passes have the kernels of the plan's, whatever they wait for.
Seconds StepBounds::compute_bound(const Workload& w) {
  if (cluster_.spec.degraded.jitter.spread > 0) {
    return {};
  }
  const Workload few = with_few(w);
  const ModelBlocks model = build_model(w);
  std::map<std::pair<Chunk, ActionKind>, Seconds> known;
  const auto compute_of = [&](const Chunk& chunk, ActionKind kind) {
    const auto [time, is_new] = known.try_emplace({chunk, kind});
    if (is_new) {
      const Program program = make_program(w, model, chunk, kind);
      for (const Seconds segment : program_times(w, program).compute) {
        time->second += segment;
      }
    }
    return time->second;
  };
  const bool pairs = has_pairs(w);
  std::vector<StageTimes> stages;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    std::vector<Chunk> chunks;
    for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
      chunks.push_back(chunk_at(w, model, {stage, chunk}));
    }
    PassesOfStage passes{.microbatches = few.microbatches()};
    std::map<PassesOfStage::Sort, Seconds> times;
    const auto time_of = [&](const Action& action) {
      const auto [time, is_new] = times.try_emplace(PassesOfStage::sort_of(action));
      if (is_new) {
        time->second = compute_of(chunks[static_cast<std::size_t>(action.chunk)], action.kind);
      }
      return time->second;
    };
    const Action* first_of_pair = nullptr;
    const std::vector<Action> actions = few.actions(stage);
    for (const Action& action : actions) {
      passes.see(action, time_of(action));
      if (first_of_pair != nullptr) {
        passes.see_pair(*first_of_pair, action, time_of(*first_of_pair) + time_of(action));
      }
      first_of_pair = action.with_next ? &action : nullptr;
    }
    stages.push_back(sums_of(w, passes, stage, pairs));
  }
  constexpr double kRounding = 1e-12;  // of sums in another order
  return (1 - kRounding) * bound_of(w, stages, pairs);
}

Seconds StepBounds::bound_of(const Workload& w, const std::vector<StageTimes>& stages,
                             bool pairs) const {
  std::vector<Chain> chains{chain(w, stages, false)};
  if (w.placement().has_copies()) {
    chains.push_back(chain(w, stages, true));
  }
  const auto end_of_first = [&](const Chain& chain) {
    return stages[static_cast<std::size_t>(chain.parts.front().stage)].end;
  };
  Seconds bound = chains[0].through + end_of_first(chains[0]);
  for (int s = 0; s < w.parallelism.pipeline; ++s) {
    const StageTimes& stage = stages[static_cast<std::size_t>(s)];
    Seconds before = kUnknown, behind = kUnknown;
    for (const Chain& chain : chains) {
      const auto lowest = std::find_if(chain.parts.begin(), chain.parts.end(),
                                       [&](PlacedChunk at) { return at.stage == s; });
      const auto i = static_cast<std::size_t>(lowest - chain.parts.begin());
      before = std::min(before, chain.forward[i]);
      behind = std::min(behind, chain.back[i] + end_of_first(chain));
    }
    // It waits for its sends, but maybe not for the last one.
    const bool waits = !w.parallelism.overlap_pipeline && !pairs;
    const Seconds sends =
        waits ? std::max(Seconds{}, w.microbatches() * stage.sends - stage.longest_send)
              : Seconds{};
    behind = w.training.trains_less() ? Seconds{} : behind;  // gradients may end on the way
    bound = std::max({bound, before + sends + stage.all + stage.end,
                      before + sends + stage.to_gradient + behind});
  }
  return bound;
}

}  // namespace danlu
