// All-reduce with the sum made in the switches.
//
//   NVLS    one NVSwitch node. Rank i owns the i-th part: it reads the sum of that part through the
//           switch, which fetches it from all n, and writes it back to all through the switch. Each
//           port carries S + S/n each way:   t = (n+1)/n S/B, a bus bandwidth of 2(n-1)/(n+1) B
//   NVLS with trees
//           the shard that rank i owns of its node's sum travels along double binary trees over the
//           nodes before it is written back: (h+1)/h S on NVLink, (S/h) 2/B on every NIC (1/B
//           with two nodes). Of g ranks at most 32 own a shard (heads): h = min(g, 32)
//   SHARP   reduce-scatter in the node, each shard once up to the leaf or spine where its rail
//           meets and once down again, all-gather in the node, pipelined: (S/g)/B on every NIC and
//           2(g-1)/g S on NVLink (NCCL's CollNet chain)
//   NVLS with SHARP
//           the same network, and NVLink as in NVLS: (g+1)/g S
//
// So a bus bandwidth above the link's rate is right here, and only here.
#include <algorithm>

#include "sim/collective/algorithms.hpp"
#include "sim/collective/rails.hpp"

namespace danlu {

TransferList nvls_transfers(CollectiveOp /*op*/, const Group& group) {
  const int n = group.size();
  const int nvswitch = n;
  TransferList list{n, {}};
  std::vector<int> all;
  for (int chunk = 0; chunk < n; ++chunk) {
    all.push_back(chunk);
  }
  for (int rank = 0; rank < n; ++rank) {
    list.transfers.push_back({0, rank, nvswitch, all, true});
    list.transfers.push_back({1, nvswitch, rank, {rank}, false});
    list.transfers.push_back({2, rank, nvswitch, {rank}, false});
    list.transfers.push_back({3, nvswitch, rank, all, false});
  }
  return list;
}

std::vector<Phase> nvls_phases(CollectiveOp /*op*/, const Group& group) {
  const int n = group.size();
  Phase phase{.parts = n, .count = n + 1, .critical = {{0, 1, 2}}};
  for (int rank = 0; rank < n; ++rank) {
    phase.reduced.push_back({rank, (rank + 1) % n, 1, 0});
  }
  return {phase};
}

TransferList nvls_tree_transfers(CollectiveOp /*op*/, const Group& group) {
  const Rails r(group);
  const int n = group.size();
  const int heads = std::min(r.rails, kMostHeads);
  const int m = r.nodes;
  // Chunks: rail r's shard has two halves, one for each tree; the run of a rank is not special.
  TransferList list{2 * heads, {}};
  std::vector<int> all;
  for (int chunk = 0; chunk < 2 * heads; ++chunk) {
    all.push_back(chunk);
  }
  const int height = 2 * m;  // rounds enough for any tree
  for (int node = 0; node < m; ++node) {
    const int nvswitch = n + node;
    for (int rail = 0; rail < r.rails; ++rail) {
      const int rank = r.at(node, rail);
      list.transfers.push_back({0, rank, nvswitch, all, true});
      list.transfers.push_back({2 * height + 3, nvswitch, rank, all, false});
    }
    for (int rail = 0; rail < heads; ++rail) {
      const int rank = r.at(node, rail);
      const std::vector<int> shard{2 * rail, 2 * rail + 1};
      list.transfers.push_back({1, nvswitch, rank, shard, false});
      list.transfers.push_back({2 * height + 2, rank, nvswitch, shard, false});
      for (int twin = 0; twin < 2; ++twin) {
        int depth = 0;
        for (int at = node; double_tree_parent(twin, at, m) >= 0; ++depth) {
          at = double_tree_parent(twin, at, m);
        }
        if (depth > 0) {
          const int parent = double_tree_parent(twin, node, m);
          const int up = r.at(parent, rail);
          const int chunk = 2 * rail + twin;
          list.transfers.push_back({2 + height - depth, rank, up, {chunk}, true});
          list.transfers.push_back({1 + height + depth, up, rank, {chunk}, false});
        }
      }
    }
  }
  return list;
}

std::vector<Phase> nvls_tree_phases(CollectiveOp /*op*/, const Group& group) {
  const Rails r(group);
  const int heads = std::min(r.rails, kMostHeads);
  const int m = r.nodes;
  Phase phase{.parts = 2 * heads};
  for (int node = 0; node < m; ++node) {
    for (int rail = 0; rail < r.rails; ++rail) {  // S + S/h through the NVLink port of a head
      phase.reduced.push_back({r.at(node, rail), r.at(node, rail + 1), 2 * (heads + 1), 0});
    }
  }
  for (int node = 0; node < m; ++node) {
    for (int twin = 0; twin < 2; ++twin) {
      const int parent = double_tree_parent(twin, node, m);
      for (int rail = 0; parent >= 0 && rail < heads; ++rail) {
        const int here = r.at(node, rail);
        const int up = r.at(parent, rail);
        phase.streams.push_back({here, up, 1, twin});
        phase.streams.push_back({up, here, 1, twin});
      }
    }
  }
  phase.critical.push_back({group.nodes[0][0], group.nodes[0][1], 2});
  phase.critical.push_back({group.nodes[0][0], group.nodes[1][0], 2.0 * double_tree_depth(m)});
  return {phase};
}

TransferList sharp_transfers(CollectiveOp /*op*/, const Group& group) {
  const Rails r(group);
  const int n = group.size();
  const int rails = r.rails;
  TransferList list{n, {}};
  const int up = rails - 1;
  for (int node = 0; node < r.nodes; ++node) {
    for (int s = 0; s < rails - 1; ++s) {
      for (int i = 0; i < rails; ++i) {
        list.transfers.push_back({s, r.at(node, i), r.at(node, i + 1), r.shard(i - s - 1), true});
        list.transfers.push_back(
            {up + 2 + s, r.at(node, i), r.at(node, i + 1), r.shard(i - s), false});
      }
    }
    for (int rail = 0; rail < rails; ++rail) {
      list.transfers.push_back({up, r.at(node, rail), n + rail, r.shard(rail), true});
      list.transfers.push_back({up + 1, n + rail, r.at(node, rail), r.shard(rail), false});
    }
  }
  return list;
}

std::vector<Phase> sharp_phases(CollectiveOp /*op*/, const Group& group) {
  const Rails r(group);
  const int rails = r.rails;
  Phase phase{.parts = rails};
  for (int node = 0; node < r.nodes; ++node) {
    for (int rail = 0; rail < rails; ++rail) {
      const int here = r.at(node, rail);
      const int root = r.at(0, rail);
      if (rails > 1) {  // (g-1)/g S to sum, as much to gather
        phase.streams.push_back({here, r.at(node, rail + 1), 2 * (rails - 1), 0});
      }
      if (here != root) {
        phase.reduced.push_back({here, root, 1, 0});
        phase.reduced.push_back({root, here, 1, 0});
      }
    }
  }
  const std::vector<int>& first = group.nodes.front();
  if (rails > 1) {
    phase.critical.push_back({first[0], first[1], 2.0 * (rails - 1)});
  }
  phase.critical.push_back({first[0], group.nodes.back()[0], 1});
  return {phase};
}

TransferList nvls_sharp_transfers(CollectiveOp /*op*/, const Group& group) {
  const Rails r(group);
  const int n = group.size();
  TransferList list{r.rails, {}};
  std::vector<int> all;
  for (int chunk = 0; chunk < r.rails; ++chunk) {
    all.push_back(chunk);
  }
  for (int node = 0; node < r.nodes; ++node) {
    const int nvswitch = n + node;
    for (int rail = 0; rail < r.rails; ++rail) {
      const int rank = r.at(node, rail);
      const int leaf = n + r.nodes + rail;
      list.transfers.push_back({0, rank, nvswitch, all, true});
      list.transfers.push_back({1, nvswitch, rank, {rail}, false});
      list.transfers.push_back({2, rank, leaf, {rail}, true});
      list.transfers.push_back({3, leaf, rank, {rail}, false});
      list.transfers.push_back({4, rank, nvswitch, {rail}, false});
      list.transfers.push_back({5, nvswitch, rank, all, false});
    }
  }
  return list;
}

std::vector<Phase> nvls_sharp_phases(CollectiveOp /*op*/, const Group& group) {
  const Rails r(group);
  Phase phase{.parts = r.rails};
  for (int node = 0; node < r.nodes; ++node) {
    for (int rail = 0; rail < r.rails; ++rail) {
      const int here = r.at(node, rail);
      const int root = r.at(0, rail);
      phase.reduced.push_back({here, r.at(node, rail + 1), r.rails + 1, 0});
      if (here != root) {
        phase.reduced.push_back({here, root, 1, 0});
        phase.reduced.push_back({root, here, 1, 0});
      }
    }
  }
  const std::vector<int>& first = group.nodes.front();
  phase.critical = {{first[0], first[1], 2}, {first[0], group.nodes.back()[0], 1}};
  return {phase};
}

}  // namespace danlu
