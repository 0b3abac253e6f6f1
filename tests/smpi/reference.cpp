// danlu's side of the cross-check: the collectives of collectives.c, every transfer a flow of its
// own over danlu's routes, played by danlu's engine; and their closed forms.
//
//   smpi_reference TOPOLOGY GPUS OPERATION BYTES CHUNKS
//
// prints the engine's seconds, the closed form (or -) and the single steady flow (or -). With c
// the size of a part or chunk, and a transfer over edge e taking t_e = latency + c / bandwidth:
//
//   all-reduce, ring of n    2(n-1) max t_e        the slowest edge never waits for the others
//   all-to-all, one switch   (n-1) t               rounds are permutations, no port has two
//   broadcast, K chunks      sum t_e + (K-1) max t_e
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <numeric>
#include <optional>
#include <string>

#include "sim/base/units.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "tests/support/play.hpp"

namespace danlu::testing {
namespace {

/// A graph over a cluster's links, with a channel for every pair of GPUs that sends.
class Transfers {
 public:
  explicit Transfers(const Cluster& cluster) : cluster_(cluster) {
    for (const Link& link : cluster.topology.links()) {
      graph_.links.push_back({link.bandwidth});
    }
  }

  TaskId add(int from, int to, Bytes bytes, const std::vector<TaskId>& after) {
    const Route links = route(cluster_, from, to);
    const auto [place, is_new] = channels_.try_emplace({from, to}, graph_.channels.next_id());
    if (is_new) {
      Channel channel;
      for (const LinkId link : links) {
        channel.loads.push_back({make_id<FoldedLinkId>(index(link)), 1});
      }
      graph_.channels.push_back(std::move(channel));
    }
    return add_flow(graph_, place->second, bytes, cluster_.topology.latency(links), after);
  }

  Seconds play_all() const { return play(graph_).end; }

 private:
  const Cluster& cluster_;
  TaskGraph graph_;
  std::map<std::pair<int, int>, ChannelId> channels_;
};

/// In every round each GPU sends to the one `ahead(round)` further on and receives; a transfer
/// starts when both its ends have done their last round, as MPI_Sendrecv's does.
Seconds play_rounds(const Cluster& cluster, int rounds, const std::function<int(int)>& ahead,
                    Bytes part) {
  const int gpus = cluster.spec.gpus;
  Transfers transfers(cluster);
  std::vector<std::vector<TaskId>> before(static_cast<std::size_t>(gpus));  // by GPU
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::vector<TaskId>> now(before.size());
    for (int from = 0; from < gpus; ++from) {
      const int to = (from + ahead(round)) % gpus;
      std::vector<TaskId> after = before[static_cast<std::size_t>(from)];
      const std::vector<TaskId>& there = before[static_cast<std::size_t>(to)];
      after.insert(after.end(), there.begin(), there.end());
      const TaskId sent = transfers.add(from, to, part, after);
      now[static_cast<std::size_t>(from)].push_back(sent);
      now[static_cast<std::size_t>(to)].push_back(sent);
    }
    before = std::move(now);
  }
  return transfers.play_all();
}

/// GPU 0 to 1 to 2 ...: an edge carries one chunk after the other, each once it is there.
Seconds play_chain(const Cluster& cluster, int chunks, Bytes chunk) {
  Transfers transfers(cluster);
  std::vector<std::optional<TaskId>> last(static_cast<std::size_t>(cluster.spec.gpus));  // by edge
  for (int i = 0; i < chunks; ++i) {
    std::optional<TaskId> arrived;
    for (int from = 0; from + 1 < cluster.spec.gpus; ++from) {
      std::optional<TaskId>& own = last[static_cast<std::size_t>(from)];
      std::vector<TaskId> after;
      for (const std::optional<TaskId>& one : {arrived, own}) {
        if (one) {
          after.push_back(*one);
        }
      }
      own = transfers.add(from, from + 1, chunk, after);
      arrived = own;
    }
  }
  return transfers.play_all();
}

/// One transfer alone.
Seconds alone(const Cluster& cluster, int from, int to, Bytes bytes) {
  const Route links = route(cluster, from, to);
  BytesPerSecond least = cluster.topology.link(links.front()).bandwidth;
  for (const LinkId link : links) {
    least = std::min(least, cluster.topology.link(link).bandwidth);
  }
  return cluster.topology.latency(links) + bytes / least;
}

std::string all_reduce(const Cluster& cluster, Bytes bytes) {
  const int gpus = cluster.spec.gpus;
  const int steps = 2 * (gpus - 1);
  const Bytes part = bytes / gpus;
  Seconds slowest;
  for (int from = 0; from < gpus; ++from) {
    slowest = std::max(slowest, alone(cluster, from, (from + 1) % gpus, part));
  }
  std::string steady = "-";
  if (cluster.nodes() == 1) {  // else danlu runs a ring for every NIC
    std::vector<int> ranks(static_cast<std::size_t>(gpus));
    std::iota(ranks.begin(), ranks.end(), 0);
    const Pattern ring = ring_pattern(cluster, ranks);
    const TaskGraph graph = one_collective(cluster, ring, CollectiveOp::AllReduce, bytes);
    steady = fmt::format("{}", play(graph).end.value);
  }
  const Seconds stepwise = play_rounds(
      cluster, steps, [](int) { return 1; }, part);
  return fmt::format("{} {} {}", stepwise.value, steps * slowest.value, steady);
}

std::string all_to_all(const Cluster& cluster, Bytes bytes) {
  const int rounds = cluster.spec.gpus - 1;
  const Bytes part = bytes / cluster.spec.gpus;
  const Seconds stepwise = play_rounds(
      cluster, rounds, [](int round) { return round + 1; }, part);
  const bool alike = cluster.nodes() == 1 && cluster.spec.topology.scale_up == ScaleUpKind::Switch;
  const std::string closed_form =
      alike ? fmt::format("{}", rounds * alone(cluster, 0, 1, part).value) : "-";
  return fmt::format("{} {} -", stepwise.value, closed_form);
}

std::string broadcast(const Cluster& cluster, Bytes bytes, int chunks) {
  const Bytes chunk = bytes / chunks;
  Seconds sum, slowest;
  for (int from = 0; from + 1 < cluster.spec.gpus; ++from) {
    const Seconds time = alone(cluster, from, from + 1, chunk);
    sum += time;
    slowest = std::max(slowest, time);
  }
  const Seconds stepwise = play_chain(cluster, chunks, chunk);
  return fmt::format("{} {} -", stepwise.value, (sum + (chunks - 1) * slowest).value);
}

}  // namespace
}  // namespace danlu::testing

int main(int argc, char** argv) {
  using namespace danlu;
  if (argc != 6) {
    std::cerr << "usage: smpi_reference TOPOLOGY GPUS OPERATION BYTES CHUNKS\n";
    return 2;
  }
  try {
    ClusterSpec spec = load_topology(argv[1], {std::string(DANLU_SOURCE_DIR) + "/topologies", {}});
    spec.gpus = std::stoi(argv[2]);
    const Cluster cluster = build_cluster(spec);
    const std::string operation = argv[3];
    const Bytes bytes{std::stod(argv[4])};
    std::cout << (operation == "all-reduce" ? testing::all_reduce(cluster, bytes)
                  : operation == "all-to-all"
                      ? testing::all_to_all(cluster, bytes)
                      : testing::broadcast(cluster, bytes, std::stoi(argv[5])))
              << "\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
