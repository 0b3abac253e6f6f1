// The host of a rank: the process on its CPU that launches kernels and exchanges one after the
// other, each before it can start. It runs ahead of the GPU until the framework lets it wait; where
// launching takes longer than computing, the GPU waits for it.
//
//   host   |l1|l2|l3|l4|l5|                    |l1|l2|l3|l4|l5|
//   GPU       |  1  |   2   |  3  |  4  |         |1||2||3||4||5|
//             the GPU is the slower one           the host is
//
// Times are those of a framework (training.framework), its Python and its autograd included: an
// eager operator takes the CPU 5 to 50 us, not the 2 us of a bare launch. They are a server's of
// today with x86; another CPU takes `slowdown` times as long (node.cpu_slowdown).
#pragma once

#include <optional>

#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

namespace danlu {

/// What is launched as one CUDA graph: nothing; of every layer what does not depend on where its
/// tokens go, which is all of a dense one; whole passes; or what routes tokens to experts, until
/// they travel (Operator::routes).
enum class CudaGraphs { None, Layers, Full, Routers };
template <>
inline constexpr auto kNames<CudaGraphs> =
    std::to_array<Named<CudaGraphs>>({{CudaGraphs::None, "none"},
                                      {CudaGraphs::Layers, "layers"},
                                      {CudaGraphs::Full, "full"},
                                      {CudaGraphs::Routers, "routers"}});

/// After what the host waits for the GPU before it goes on: the whole step; every pass; or every
/// pass of a pipeline whose stages do not hide what they send (parallelism.overlap.pipeline).
enum class HostWait { AfterStep, AfterPass, AfterSend };
template <>
inline constexpr auto kNames<HostWait> = std::to_array<Named<HostWait>>(
    {{HostWait::AfterStep, "step"}, {HostWait::AfterPass, "pass"}, {HostWait::AfterSend, "send"}});

struct HostSpec {
  Seconds launch;                       // of a kernel, from one to the next
  std::optional<Seconds> launch_again;  // the same where it is computed again; none: as launch
  std::optional<Seconds> operators;     // of each further kernel of a pass; none: as launch
  Seconds exchange;                     // of a collective or a copy within a pass
  Seconds unit;    // the same of a unit's weights or gradients (sharding.hpp), hooks included
  Seconds expert;  // the same of each further expert of a grouped product
  Seconds cast;    // the same of each further expert whose rows are quantised before that
  Seconds node;    // further, of each part that layers of two passes side by side are launched in
  Seconds piece;   // the same of a rank's part of a tensor that is put to its place after an update
  CudaGraphs graphs = CudaGraphs::None;
  HostWait waits = HostWait::AfterStep;
  bool reads_counts = false;  // before it lets tokens travel to experts, from the GPU
  double slowdown = 1;        // of its CPU: the largest of the cluster's, since ranks wait

  /// The same with every time so many times as long.
  HostSpec times(double factor) const {
    HostSpec other = *this;
    for (Seconds HostSpec::*time :
         {&HostSpec::launch, &HostSpec::exchange, &HostSpec::unit, &HostSpec::expert,
          &HostSpec::cast, &HostSpec::node, &HostSpec::piece}) {
      other.*time = factor * (this->*time);
    }
    for (std::optional<Seconds> HostSpec::*time : {&HostSpec::launch_again, &HostSpec::operators}) {
      if (this->*time) {
        other.*time = factor * *(this->*time);
      }
    }
    return other;
  }
  HostSpec on_its_cpu() const { return times(slowdown); }

  /// Else it is never late.
  bool is_there() const { return launch > Seconds{} || exchange > Seconds{} || unit > Seconds{}; }
};

}  // namespace danlu
