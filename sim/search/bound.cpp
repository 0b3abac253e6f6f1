#include "sim/search/bound.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "sim/collective/experts.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/fold/hash.hpp"
#include "sim/program/play.hpp"

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

constexpr Seconds kUnknown{std::numeric_limits<double>::infinity()};

}  // namespace

/// What a stage takes at least.
struct StepBounds::StageTimes {
  struct OfChunk {                    // with one microbatch
    Seconds forward, gradient, both;  // gradient: of its input; both: and of its weights
    double passes = 1;                // of each kind, for one microbatch of the step
  };
  std::vector<OfChunk> chunks;
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

Seconds StepBounds::collective(const Workload& w, GroupSort sort, const std::vector<int>& ranks,
                               const Demand& demand) {
  std::uint64_t hash = ranks.size();
  for (const int rank : ranks) {
    hash = mix(hash, rank);
  }
  if (demand.routing) {
    const ExpertRouting& routing = *demand.routing;
    hash = mix(mix(mix(mix(hash, routing.experts), routing.per_token), routing.most_nodes),
               routing.nodes);
  }
  const Known key{hash, demand.op, sort.number()};
  const auto [known, is_new] = alone_.try_emplace({key, demand.bytes.value});
  if (!is_new) {
    return known->second;
  }
  const auto [kept, is_first] = groups_.try_emplace(key);
  Placed& placed = kept->second;
  if (is_first) {
    placed.group = make_group(cluster_, ranks);
    if (demand.op != CollectiveOp::Dispatch) {
      placed.candidates = candidates_for(w, cluster_, placed.group, sort, demand.op);
    }
  }
  known->second =
      demand.op == CollectiveOp::Dispatch
          ? alone_time(
                cluster_,
                expert_exchange(cluster_, placed.group,
                                {.routing = *demand.routing, .tokens = 1, .token = demand.bytes}))
          : fastest(cluster_, placed.group, demand.op, demand.bytes, placed.candidates).alone;
  return known->second;
}

/// Of the stage's first group of that sort.
Seconds StepBounds::alone(const Workload& w, GroupSort sort, int stage, const Demand& demand) {
  if (w.collectives == CollectiveMode::Stepwise || sort.is_copy()) {
    return {};
  }
  const Mesh mesh = w.mesh();
  const std::vector<int> ranks = mesh.group(mesh.rank({{Axis::Pipeline, stage}}), sort);
  if (sort.is_transfer()) {
    const Pattern pattern = transfer_pattern(cluster_, ranks[0], ranks[1]);
    const TransferCost cost =
        transfer_cost(cluster_.topology_among(pattern.ranks), pattern, demand.bytes);
    return cost.latency + cost.stream / alone_rate(cluster_, pattern);
  }
  return collective(w, sort, ranks, demand);
}

/// Of the action of a pass, or of the second of a pair.
Seconds StepBounds::pass_time(const Workload& w, const Program& program, int stage,
                              bool compute_only, bool beside) {
  SegmentCosts costs;
  Seconds compute;
  for (const Segment& segment : program.segments) {
    if (segment.is_compute) {
      costs.durations.push_back(on_fastest(w, [&](const KernelTimer& timer) {
        return segment.again ? timer.recompute_time(segment.kernels) : timer.time(segment.kernels);
      }));
      compute += segment.beside == beside ? costs.durations.back() : Seconds{};
    } else {
      costs.durations.push_back(compute_only ? Seconds{}
                                             : alone(w, segment.sort(), stage, segment.demand));
    }
  }
  return compute_only ? compute : play_alone(program, 0, program.segments.size(), costs).total;
}

/// From the end of the stage's passes on; what waits for a layer alone may be done by then.
Seconds StepBounds::end_time(const Workload& w, const StageProgram& own, int stage) {
  IdVector<EndId, Seconds> finish;
  Seconds last;
  for (const EndStep& end : own.ends) {
    Seconds start = end.layer ? -1 * kUnknown : Seconds{};
    for (const EndId before : end.after) {
      start = std::max(start, finish[before]);
    }
    const Seconds time = end.sort ? alone(w, *end.sort, stage, {end.op, end.bytes, {}})
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

StepBounds::StageTimes StepBounds::stage_times(const Workload& w, const StepProgram& step,
                                               int stage, bool pairs) {
  const StageProgram& own = step.stage(stage);
  std::map<std::pair<ProgramId, bool>, Seconds> known;
  std::map<std::pair<int, ActionKind>, Seconds> passes;  // by chunk: the shortest
  std::map<int, double> forwards;                        // by chunk
  const auto see = [&](const StagePass& pass, const Action& action, bool beside) {
    const auto [time, is_new] = known.try_emplace({pass.program, beside});
    if (is_new) {
      time->second = pass_time(w, step.programs[pass.program], stage, pairs, beside);
    }
    const auto [entry, is_first] = passes.try_emplace({action.chunk, action.kind}, time->second);
    entry->second = std::min(entry->second, time->second);
    forwards[action.chunk] += action.is_forward() ? 1 : 0;
  };
  for (const StagePass& pass : own.passes) {
    see(pass, pass.action, false);
    if (pass.beside) {
      see(pass, *pass.beside, true);
    }
  }
  StageTimes times;
  times.end = end_time(w, own, stage);
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const auto time = [&](ActionKind kind) {
      const auto found = passes.find({chunk, kind});
      return found == passes.end() ? kUnknown : found->second;
    };
    const auto there = [](Seconds least) { return least == kUnknown ? Seconds{} : least; };
    const Seconds whole = time(ActionKind::Backward);
    const Seconds input = time(ActionKind::Input);
    times.chunks.push_back({.forward = there(time(ActionKind::Forward)),
                            .gradient = there(std::min(whole, input)),
                            .both = there(std::min(whole, input + there(time(ActionKind::Weight)))),
                            .passes = forwards[chunk] / w.microbatches()});
  }
  for (const bool next : {true, false}) {
    int sends = 0;
    Bytes sent;  // by each of them
    for (const Send& send : own.sends) {
      sends += send.next == next ? 1 : 0;
      sent = send.next == next ? send.arrays * step.sent : sent;
    }
    if (sends > 0) {
      const Seconds send =
          alone(w, next ? kSendsOn : kSendsBack, stage, {CollectiveOp::SendReceive, sent, {}});
      times.sends += static_cast<double>(sends) / w.microbatches() * send;
      times.longest_send = std::max(times.longest_send, send);
      times.send = std::min(times.send, send);
    }
  }
  return times;
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

Seconds StepBounds::bound(const Workload& w) {
  if (cluster_.spec.degraded.jitter.spread > 0) {
    return {};
  }
  const Workload few = with_few(w);
  const StepProgram step = make_step_program(few);
  const bool pairs = has_pairs(w);
  std::vector<StageTimes> stages;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    stages.push_back(stage_times(few, step, stage, pairs));
  }
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
    Seconds before = kUnknown, behind = kUnknown, to_gradient, all;
    for (const Chain& chain : chains) {
      const auto lowest = std::find_if(chain.parts.begin(), chain.parts.end(),
                                       [&](PlacedChunk at) { return at.stage == s; });
      const auto i = static_cast<std::size_t>(lowest - chain.parts.begin());
      before = std::min(before, chain.forward[i]);
      behind = std::min(behind, chain.back[i] + end_of_first(chain));
    }
    for (const StageTimes::OfChunk& chunk : stage.chunks) {
      const double passes = chunk.passes * w.microbatches();
      all += passes * (chunk.forward + chunk.both);
      to_gradient += passes * (chunk.forward + chunk.gradient);
    }
    // It waits for its sends, but maybe not for the last one.
    const bool waits = !w.parallelism.overlap_pipeline && !pairs;
    const Seconds sends =
        waits ? std::max(Seconds{}, w.microbatches() * stage.sends - stage.longest_send)
              : Seconds{};
    behind = w.training.trains_less() ? Seconds{} : behind;  // gradients may end on the way
    bound =
        std::max({bound, before + sends + all + stage.end, before + sends + to_gradient + behind});
  }
  return bound;
}

}  // namespace danlu
