// The engine against closed forms: what SimGrid must do for us, and the traps of 3.32.
#include "sim/engine/engine.hpp"

#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::one_link;

// alpha + S/B = 5 us + 1e9 B / 50e9 B/s = 20.005 ms.
TEST(Engine, OneMessageTakesLatencyPlusSizeOverBandwidth) {
  TaskGraph graph = one_link(50_GBps);
  graph.add({.kind = TaskKind::Communication, .duration = 5_us, .bytes = 1_GB, .channel = 0}, {0});
  EXPECT_TRUE(near(simulate(graph).end.value, 20.005e-3));
}

}  // namespace
}  // namespace danlu
