#include "sim/collective/nccl_estimate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace danlu {
namespace {

// ---- constants -------------------------------------------------------------------------------

constexpr double kNvlsHop = 25;
constexpr double kNvlsNetworkHop = 18;
constexpr double kNvlsTreeNetworkHop = 20.9;
constexpr double kCollNetHop = 2.8;  // of its chains
constexpr double kCollNetNetworkHop = 30;

/// Bounds in GB/s. NCCL takes the bound of LL between nodes by the maker of the processors; Intel's
/// here.
enum class NodeCount { One, Two, More };
using ByNodes = IdArray<NodeCount, double, 3>;
constexpr ByNodes kIntelLowLatency{39.0, 39.0, 20.4};

/// What NCCL knows of a generation of GPUs. Speeds are those that it tries for a channel.
struct Generation {
  double capability;                                // at least
  double link_share;                                // of NVLink's nominal rate, what NCCL counts on
  std::array<double, 13> in_node;                   // speeds, falling
  std::array<double, 20> between;                   // the same with a network
  double low_latency;                               // bound of LL in a node
  ByNodes ring_ll128, tree_ll128, tree, nvls_tree;  // bounds for each channel
  double nvls;                                      // share of the links that NVLS reaches
};
constexpr std::array<double, 13> kOldInNode{40, 30, 20, 18, 15, 12, 10, 9, 7, 6, 5, 4, 3};
constexpr std::array<double, 20> kOldBetween{48, 30, 28, 24, 20, 18,  15,  12,   10,  9,
                                             7,  6,  5,  4,  3,  2.4, 1.2, 0.24, 0.12};
constexpr std::array kGenerations{
    Generation{
        0, 0.9, kOldInNode, kOldBetween, 39, {20, 20, 20}, {20, 20, 20}, {26.5, 18.5, 10}, {}, 0},
    Generation{
        7, 0.8, kOldInNode, kOldBetween, 39, {20, 20, 20}, {20, 20, 20}, {26.5, 18.5, 10}, {}, 0},
    Generation{
        8, 0.8, kOldInNode, kOldBetween, 87.7, {20, 20, 20}, {20, 20, 20}, {24, 23.6, 17.8}, {}, 0},
    Generation{9,
               20.6 / 25,
               {60, 50, 40, 30, 24, 20, 15, 12, 11, 6, 3},
               {48, 45, 42, 40, 30, 24, 22, 20, 17.5, 15, 12, 6, 3, 2.4, 1.2, 0.24, 0.12},
               141,
               {36.7, 36.7, 36.7},
               {36.7, 36.7, 29},
               {38.7, 41.4, 36},
               {0, 57.7, 45.5},
               0.85},
    Generation{
        10,
        40.1 / 50,
        {90, 80, 70, 60, 50, 45, 40, 30, 24, 20, 19, 18},
        {96, 86, 80, 48, 45.1, 42, 40, 30, 24, 22, 20, 17.5, 15, 12, 6, 3, 2.4, 1.2, 0.24, 0.12},
        282,
        {40, 40, 40},
        {55.6, 31.67, 20},
        {70, 42.8, 24},
        {0, 96, 80},
        0.74},
};
constexpr double kPcieShare = 12 / 15.5;  // of the nominal rate: 12, 24, 48 for PCIe 3, 4, 5

/// Trees fall short of the model in the middle: a factor on their bandwidth for every power of two
/// from 64 B on.
constexpr IdArray<Protocol, std::array<double, 24>, kNames<Protocol>.size()> kTreeCorrection{{
    {1, 1, 1, 1, .9, .8, .7, .7, .7, .7, .6, .5, .4, .4, .5, .6, .7, .8, .9, 1, 1, 1, 1, 1},
    {1, 1, 1, 1, 1, .9, .8, .8, .8, .7, .6, .6, .6, .6, .6, .6, .8, .9, .9, .9, .9, 1, 1, 1},
    {.9, .9, .9, .9, .9, .9, .9, .8, .7, .6, .6, .5,
     .5, .5, .5, .6, .7, .8, .7, .7, .8, .9, .9, .9},
}};

double correction(Protocol protocol, Bytes bytes) {
  const int power = std::ilogb(std::max(bytes.value / 64, 1.0));
  const auto& row = kTreeCorrection[protocol];
  return power < static_cast<int>(row.size()) - 1 ? row[static_cast<std::size_t>(power)] : 1;
}

// ---- channels --------------------------------------------------------------------------------

/// The channels of an algorithm through a node, and their speed in it and out of it.
struct Channels {
  int count = 0;
  double in_node = 0;
  double between = 0;
};

/// A group as NCCL sees it. One class, as it is one function there: every term reads the same
/// twenty numbers of the group.
class Model {
 public:
  Model(const ClusterSpec& cluster, const Group& group)
      : topology_(cluster.topology),
        capability_(cluster.gpu.compute_capability),
        ranks_(group.size()),
        nodes_(group.node_count()),
        per_node_(static_cast<double>(ranks_) / nodes_) {
    for (const Generation& generation : kGenerations) {
      known_ = capability_ >= generation.capability ? &generation : known_;
    }
    const bool nvlink = topology_.scale_up != ScaleUpKind::None;
    hops_ = nvlink ? &kNvlinkHops : &kPcieHops;
    links_ = topology_.gpu_bandwidth().value / 1e9 * (nvlink ? known_->link_share : kPcieShare);
    const BytesPerSecond slot =
        topology_.nic_slot.value > 0 ? topology_.nic_slot : topology_.nic_bandwidth;
    nic_ = std::min({topology_.nic_bandwidth, slot, topology_.pcie_bandwidth * kPcieShare}).value /
           1e9;
    nics_ = std::max(1, static_cast<int>(std::ceil(per_node_ * topology_.nics_per_node /
                                                   topology_.gpus_per_node)));
  }

  std::optional<double> microseconds(CollectiveChoice choice, CollectiveOp op, Bytes bytes) const {
    if (choice.protocol == Protocol::LL128 && hops_ == &kPcieHops) {
      return std::nullopt;  // lines of 128 B may be torn apart on PCIe
    }
    switch (choice.algorithm) {
      case Algorithm::Ring:
        return ring(choice.protocol, op, bytes);
      case Algorithm::Tree:
        return tree(choice.protocol, bytes);
      case Algorithm::Nvls:
        return nvls(nvls_channels(), 0, bytes);
      case Algorithm::NvlsTree:
        return nvls_tree(bytes);
      case Algorithm::Sharp:
        return sharp(bytes);
      case Algorithm::NvlsSharp:
        return nvls(nvls_channels(), kNvlsNetworkHop + network_latency(Protocol::Simple), bytes);
      default:
        return std::nullopt;
    }
  }

  /// Channels as they run: those of rings and trees are laid twice; sums in switches have a number
  /// for each generation (src/graph/connect.cc, src/transport/nvls.cc).
  std::optional<int> blocks(Algorithm algorithm) const {
    constexpr int kHopperSums = 16;
    constexpr int kBlackwellSums = 24;
    if (algorithm == Algorithm::Ring || algorithm == Algorithm::Tree) {
      return std::min(2 * std::max(1, ring_channels().count), kMostChannels);
    }
    if (reduces_in_switches(algorithm)) {
      return capability_ >= 10 ? kBlackwellSums : kHopperSums;
    }
    return std::nullopt;
  }

 private:
  static constexpr int kMostChannels = 32;
  static constexpr double kRounding = 1 + 1e-9;

  bool one_node() const { return nodes_ == 1; }
  double at(const ByNodes& bounds) const {
    return bounds[nodes_ == 1 ? NodeCount::One : nodes_ == 2 ? NodeCount::Two : NodeCount::More];
  }
  std::span<const double> speeds() const {
    return one_node() ? std::span<const double>(known_->in_node)
                      : std::span<const double>(known_->between);
  }
  double rate(const Channels& channels) const {
    return nodes_ <= 2 ? channels.in_node : channels.between;
  }
  /// The next higher speeds, as long as they fit, while `current` is below `most`.
  template <typename Fits>
  double raised(double current, double most, const Fits& fits) const {
    const std::span<const double> list = speeds();
    for (auto speed = list.rbegin(); speed != list.rend(); ++speed) {
      if (*speed > current && current < most && fits(*speed)) {
        current = *speed;
      }
    }
    return current;
  }

  /// Channels of that speed that the links of each GPU of a node carry. One that comes from a NIC
  /// does not end where it began, and GPUs take turns in being the end: eight channels through
  /// eight GPUs load each seven times, seven channels one of them, too.
  int through_links(double speed) const {
    if (per_node_ < 2) {
      return kMostChannels;
    }
    const int ends = one_node() ? kMostChannels + 1 : static_cast<int>(per_node_);
    int count = kMostChannels;
    while ((count - count / ends) * speed > links_ * kRounding) {
      --count;
    }
    return count;
  }
  int through_nics(double speed) const {
    return one_node() ? kMostChannels : nics_ * static_cast<int>(nic_ / speed);
  }

  /// As ncclTopoCompute of src/graph/search.cc finds them, by falling speed: until they use up what
  /// links a GPU has, or speeds are below 0.49 of the best.
  Channels ring_channels() const {
    Channels best;
    for (const double speed : speeds()) {
      if (speed <= 0 || speed < 0.49 * best.in_node) {
        break;
      }
      const int count = std::min({through_links(speed), through_nics(speed), kMostChannels});
      if (count * speed > best.count * best.in_node) {
        best = {count, speed, speed};
      }
      if (best.count * best.in_node * kRounding >= links_) {
        break;
      }
    }
    const bool wide =
        best.in_node >= 25 && !(capability_ > 8 && best.in_node < 50 && best.count > 4);
    return wide ? Channels{2 * best.count, best.in_node / 2, best.between / 2} : best;
  }

  /// As many as rings; between two nodes they load the NICs less, so their speed is raised.
  Channels tree_channels() const {
    Channels channels = ring_channels();
    if (!one_node() && per_node_ >= 2) {
      channels.in_node = raised(channels.in_node, 2 * channels.between, [&](double speed) {
        return through_links(speed) >= channels.count;
      });
    }
    return channels;
  }

  /// One for each GPU, whose own links carry it twice.
  Channels nvls_channels() const {
    const int most = static_cast<int>(std::min(per_node_, 32.0));
    const int count = one_node() ? most : std::min(most, nics_);
    const auto through_nic = [&](double speed) { return speed <= nic_; };
    for (const double speed : speeds()) {
      if (known_->nvls > 0 && count >= 2 && speed > 0 && (one_node() || speed <= nic_) &&
          (count + 1) * speed <= links_) {
        return {count, speed, one_node() ? speed : raised(speed, 2 * speed, through_nic)};
      }
    }
    return {};
  }
  /// Of a channel, pipelining the sum and its distribution.
  double nvls_in_node(const Channels& channels) const {
    return 2 * channels.in_node * known_->nvls * (channels.count - 1) / channels.count;
  }

  /// The network's own latency, beyond what the constants have.
  double network_latency(Protocol protocol) const {
    if (protocol != Protocol::Simple && topology_.fabric_line_latency > Seconds{}) {
      return std::max(0.0,
                      topology_.fabric_line_latency.value * 1e6 - kNetworkHops.ring[Protocol::LL]);
    }
    const double own = topology_.fabric_latency.value * 1e6 - kNetworkHops.ring[Protocol::Simple];
    return std::max(0.0, own) * (protocol == Protocol::Simple ? 1 : 0.5);
  }

  std::optional<double> ring(Protocol protocol, CollectiveOp op, Bytes bytes) const {
    const int steps = op == CollectiveOp::Broadcast ? ranks_ : collective_steps(op, ranks_);
    const Channels channels = ring_channels();
    double bus = channels.count * rate(channels);
    if (protocol == Protocol::LL) {
      bus = std::min(one_node() ? known_->low_latency : at(kIntelLowLatency), bus / 2);
    } else if (protocol == Protocol::LL128) {
      bus = std::min(bus * 0.92, channels.count * at(known_->ring_ll128));
    }
    const double latency =
        kRingBase[protocol] + (op == CollectiveOp::Broadcast ? chain_latency(protocol, steps)
                                                             : ring_latency(protocol, op, steps));
    const bool plateau = protocol == Protocol::Simple && !one_node() &&
                         op == CollectiveOp::AllReduce &&
                         bytes.value / (2.0 * channels.count * ranks_) >= 64;
    return latency * (!plateau          ? 1
                      : capability_ < 8 ? 1.9
                                        : 1.4) +
           bytes.value / (1000 * bus * ranks_ / steps);
  }
  double ring_latency(Protocol protocol, CollectiveOp op, int steps) const {
    // Posting to the network: 1 us on Intel's processors.
    const double overhead = one_node() ? 0 : protocol == Protocol::Simple ? 3 : 1;
    const int outside = op == CollectiveOp::AllReduce ? 2 * (nodes_ - 1) : nodes_ - 1;
    const double hop = per_node_ == 1 ? kNetworkHops.tree[protocol] : kNetworkHops.ring[protocol];
    return (steps - outside) * std::max(hops_->ring[protocol], overhead) +
           outside * (hop + network_latency(protocol));
  }
  double chain_latency(Protocol protocol, int steps) const {
    return one_node()                     ? hops_->ring[protocol]
           : protocol == Protocol::Simple ? steps * kNetworkHops.tree[protocol]
                                          : steps * kNetworkHops.ring[protocol];
  }
  int tree_depth() const { return std::ilogb(static_cast<double>(nodes_)); }

  std::optional<double> tree(Protocol protocol, Bytes bytes) const {
    const Channels channels = tree_channels();
    double bus =
        std::min(channels.count * rate(channels) * 0.92, channels.count * at(known_->tree));
    if (protocol == Protocol::LL) {
      bus = std::min(bus / 3.8, one_node() ? known_->low_latency : at(kIntelLowLatency));
    } else if (protocol == Protocol::LL128) {
      bus = std::min(bus * (one_node() ? 7.0 / 9 : 120.0 / 128),
                     channels.count * at(known_->tree_ll128));
    }
    const double hop = kNetworkHops.tree[protocol] + network_latency(protocol);
    const double latency =
        kTreeBase[protocol] +
        2 * ((std::floor(per_node_) - 1) * hops_->tree[protocol] + tree_depth() * hop);
    return latency + bytes.value / (1000 * bus / 2 * correction(protocol, bytes));
  }

  std::optional<double> nvls(const Channels& channels, double network, Bytes bytes) const {
    if (channels.count < 2) {
      return std::nullopt;
    }
    const double in_node = nvls_in_node(channels);
    const double bus =
        channels.count * (one_node() ? in_node : std::min(in_node, channels.between));
    return kNvlsHop + network + bytes.value / (1000 * bus) * bus_factor_of_ranks();
  }
  std::optional<double> nvls_tree(Bytes bytes) const {
    const Channels channels = nvls_channels();
    if (channels.count < 2 || one_node()) {
      return std::nullopt;
    }
    const double between = channels.between * (nodes_ == 2 ? 2 : 1);
    const double bus = channels.count *
                       std::min({nvls_in_node(channels), between, at(known_->nvls_tree)}) *
                       (capability_ >= 10 ? correction(Protocol::Simple, bytes) : 1);
    return kNvlsHop + 2 * tree_depth() * (kNvlsTreeNetworkHop + network_latency(Protocol::Simple)) +
           bytes.value / (1000 * bus) * bus_factor_of_ranks();
  }
  /// Chains in the nodes, the switches' sums between them (CollNet).
  std::optional<double> sharp(Bytes bytes) const {
    const double own = network_latency(Protocol::Simple);
    const Channels channels = tree_channels();
    const double bus = channels.count * channels.in_node;
    const double latency = 2 * (per_node_ - 1) * kCollNetHop + kCollNetNetworkHop + own;
    return latency + bytes.value / (1000 * bus / 2);
  }
  double bus_factor_of_ranks() const { return bus_factor(CollectiveOp::AllReduce, ranks_); }

  const TopologySpec& topology_;
  double capability_;
  int ranks_;
  int nodes_;
  double per_node_;
  const Generation* known_ = &kGenerations.front();
  const Hops* hops_ = nullptr;
  double links_ = 0;  // of a GPU
  double nic_ = 0;
  int nics_ = 1;  // of a node's ranks
};

}  // namespace

BytesPerSecond low_latency_bound(int nodes) {
  return {1e9 * kIntelLowLatency[nodes <= 2 ? NodeCount::Two : NodeCount::More]};
}

std::optional<int> nccl_channels(const ClusterSpec& cluster, const Group& group,
                                 Algorithm algorithm) {
  if (cluster.gpu.compute_capability <= 0 || group.size() < 2) {
    return std::nullopt;
  }
  return Model(cluster, group).blocks(algorithm);
}

std::optional<Seconds> nccl_estimate(const ClusterSpec& cluster, const Group& group,
                                     CollectiveChoice choice, CollectiveOp op, Bytes bytes) {
  if (!cluster.topology.nccl_tuning || cluster.gpu.compute_capability <= 0 || group.size() < 2) {
    return std::nullopt;
  }
  const auto time = Model(cluster, group).microseconds(choice, op, bytes);
  return time ? std::optional(Seconds{*time * 1e-6}) : std::nullopt;
}

}  // namespace danlu
