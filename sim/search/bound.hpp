// A time that no step of a plan can beat, without a plan of its tasks: what is left of danlu's own
// step when every communication has its links to itself and slows no compute.
//
// Let a pass take the longest path through its segments: compute one after the other, exchanges
// along each axis one after the other, each at the closed form that it takes alone on the machine.
// A stage s of the pipeline makes its passes one after the other. Its first one is the forward pass
// of its lowest part of the model, whose input has come through all parts below; the gradient of
// that part goes back through them when no backward pass of s is left. So
//
//   step >=  sum of f over the parts below  +  all passes of s  +  the larger of
//               what s does at the end of the step
//               sum of b over the parts below, then what the first part's stage does at its end
//
// for each s, and the same for the chain of one microbatch through all parts and back. Sends
// between stages add what they take alone.
//
// Why that is never above the simulated step: there, too, a segment starts when all that it waits
// for has ended, and waits for at least as much (a host that launches, a slice that ends). None
// takes less: max-min sharing gives a flow no more than its links carry when it is alone, compute
// beside collectives goes on more slowly, GPUs are at most as fast as healthy ones. By induction
// along the graph nothing ends sooner. With jitter, which shortens kernels too, the bound is 0.
// Schedules that put off gradients of weights may end with these: the passes of s then count
// without them where a gradient goes back. Two passes side by side are one, as long as both take
// together with the links to themselves; through the parts of the model goes each of them as if the
// other took no time.
//
// The same with compute alone is a shorter bound that is had sooner, and one for all plans that
// differ only in what runs beside what: what a search leaves out by that has no other.
//
// Of plans that it would play next it asks for more (takes_longer). First the longest way through
// the whole schedule, pass by pass (sim/program/longest_way.hpp), since a stage also waits in the
// middle of a step. Then with compute that is slowed by exchanges of its own pass: by the least
// that any of them takes, while one or more of them are under way. Where all ranks of a stage are
// of one class they do the same at the same time, so none waits for a rank that comes later, and
// that is no more than the step either. For let c be how far the pass has come in its compute, e in
// the exchanges of each stream, and let the step's own pass be behind in c and all e, as it is at
// its beginning. It cannot get ahead:
//
//   in e   where both stand alike, and its exchange is under way, what that waits for has ended:
//          here too; and it takes no less than alone
//   in c   where both stand alike, and here an exchange is under way, one is there: the same, or
//          one that comes before it in its stream, or one that this waits for; none of these waits
//          for compute, which has come as far as here. So compute is slowed there too, by as much
//          or more
//
// A host that is late could keep an exchange from its place, and put it where no compute is.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/program/step_program.hpp"
#include "sim/workload/contention.hpp"
#include "sim/workload/kernels.hpp"

namespace danlu {

/// Bounds of plans on one cluster. One class, since what a collective takes alone is kept from plan
/// to plan; it has a cluster of its own, whose routes are kept likewise, and so belongs to one
/// thread.
class StepBounds {
 public:
  explicit StepBounds(const ClusterSpec& spec) : cluster_(build_cluster(spec)) {}

  const Cluster& cluster() const { return cluster_; }
  /// `workload` fits the cluster (no problems()).
  Seconds bound(const Workload& workload);
  /// Of its compute alone: never above that, and the same whatever of data,
  /// pipeline and shared experts is overlapped.
  Seconds compute_bound(const Workload& workload);
  /// Whether its step must take longer than that, by its longest way; dearer than a bound, above
  /// which it may be.
  bool takes_longer(const Workload& workload, Seconds than);

 private:
  struct PassesOfStage;
  struct StageTimes;
  struct Chain;
  using Known = std::tuple<std::uint64_t, CollectiveOp, int>;  // hash of the ranks, sort
  struct Placed {
    Group group;
    std::vector<Candidate> candidates;
  };

  /// What a communication takes when nothing else runs, and from compute meanwhile.
  struct Alone {
    Seconds time;
    GpuShare taken;
    auto operator<=>(const Alone&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  enum class PairPart { Whole, First, Second };
  /// What a program of the plan takes, kept for all stages that run it: most of them have their
  /// groups alike, so that its exchanges take as long there.
  struct ProgramTimes {
    struct Asked {
      GroupSort sort;
      Demand demand;
      bool operator==(const Asked&) const = default;
    };
    bool is_known = false;
    std::vector<Seconds> compute;       // by segment; nothing for exchanges, as in `bounds`
    std::vector<Bounds> bounds;         // of compute on the first kind of node
    std::vector<Asked> asked;           // by its exchanges, each once
    std::vector<std::size_t> exchange;  // by segment: its place there
    std::map<std::pair<PairPart, std::vector<Alone>>, Seconds> total;  // by what `asked` take
  };
  struct Ranks {
    std::vector<int> ranks;
    std::uint64_t hash = 0;
  };

  StageTimes stage_times(const Workload& w, const Workload& few, const StepProgram& step, int stage,
                         bool pairs);
  static StageTimes sums_of(const Workload& w, const PassesOfStage& passes, int stage, bool pairs);
  static void add_pairs(const std::vector<Action>& actions, const PassesOfStage& passes,
                        StageTimes& times);
  Seconds bound_of(const Workload& w, const std::vector<StageTimes>& stages, bool pairs) const;
  Chain chain(const Workload& w, const std::vector<StageTimes>& stages, bool second) const;
  ProgramTimes program_times(const Workload& w, const Program& program);
  Seconds compute_time(const Workload& w, const Segment& segment);
  Seconds program_time(const Workload& w, const StepProgram& step, ProgramId id, int stage,
                       PairPart part, bool contended = false);
  Seconds pass_time(const Program& program, const ProgramTimes& times,
                    const std::vector<Alone>& exchanges, PairPart part) const;
  Seconds end_time(const Workload& w, const StageProgram& own, int stage);
  Seconds send_time(const Workload& w, const StepProgram& step, int stage, bool next);
  Alone alone(const Workload& w, GroupSort sort, int stage, const Demand& demand);
  Alone collective(const Workload& w, GroupSort sort, const Ranks& group, const Demand& demand);
  const Ranks& ranks_of(const Workload& w, GroupSort sort, int stage);
  void begin(const StepProgram& step);
  bool contends_alike(const Workload& w, const StepProgram& step) const;
  Seconds way(const Workload& w, const StepProgram& step, bool contended);
  template <typename Time>
  Seconds on_fastest(const Workload& w, const Time& time);

  Cluster cluster_;
  std::vector<KernelTimer> timers_;  // by kind of node, for one precision
  std::optional<Precision> timed_;
  IdVector<ProgramId, ProgramTimes> programs_;        // of the plan, as the next
  std::map<std::pair<int, GroupSort>, Ranks> ranks_;  // by stage: of its first group
  std::map<Known, Placed> groups_;
  std::map<std::pair<Known, double>, Alone> alone_;
};

}  // namespace danlu
