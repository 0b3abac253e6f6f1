#include "sim/campaign/nodes.hpp"

#include <algorithm>

namespace danlu {

NodePool::Taken NodePool::take(int wanted) {
  Taken taken;
  taken.hot = std::min(wanted, hot_);
  taken.cold = std::min(wanted - taken.hot, cold_);
  hot_ -= taken.hot;
  cold_ -= taken.cold;
  return taken;
}

void NodePool::settle(Seconds now) {
  while (next_mended() <= now) {
    mended_.pop();
    ++hot_;
  }
}

}  // namespace danlu
