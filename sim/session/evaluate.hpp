// What plans are worth, to rank thousands of them: planned and played in this process, on several
// threads, by the max-min player (sim/engine/max_min.hpp), whose times are SimGrid's to 1e-12. What
// is printed is played by simulate().
//
//   Evaluator evaluator(cluster);
//   for (batch of plans) { evaluator.evaluate(batch, best so far); }
//
// An answer depends on its plan and the bound alone, whatever was evaluated before and on however
// many threads.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/base/threads.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/report/report.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// What one plan came to.
struct Evaluation {
  enum class Outcome {
    Ended,
    GivenUp,   // its step takes longer than the bound
    TooLarge,  // it has more parts than the limit
    Hung,      // on a flapping link
    Failed     // it cannot be planned or played: a forced algorithm that cannot be used, no memory
  };

  Outcome outcome = Outcome::Ended;
  Seconds step{};     // of Ended
  std::string why{};  // it has not ended
};

struct EvaluateOptions {
  int threads = 0;            // 0: as many as there are processors
  double most_parts = 400e3;  // of a plan: tasks, and segments of what they are made of
  CountProgress progress{};   // of the plans of a call
};

/// Evaluates plans on one cluster, and keeps what they have in common from call to call.
class Evaluator {
 public:
  /// `cluster` outlives the evaluator.
  explicit Evaluator(const Cluster& cluster, const EvaluateOptions& options = {});

  /// The steps of plans that fit the cluster (no problems()), in their order; where chance decides,
  /// of its first draw. A step that takes longer than `bound` may be given up before its end, or
  /// before it is planned. Whether a plan fits in memory makes no difference.
  std::vector<Evaluation> evaluate(std::span<const Workload> plans,
                                   std::optional<Seconds> bound = {});

 private:
  const Cluster& cluster_;
  EvaluateOptions options_;
};

}  // namespace danlu
