#include "sim/validation/nccl_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <regex>

#include "sim/base/ids.hpp"
#include "sim/base/text.hpp"
#include "sim/collective/group.hpp"
#include "sim/validation/boards.hpp"

namespace danlu {
namespace {

/// A GPU as tables name it, and the nodes it comes in: with InfiniBand or RoCE, and as a cloud's
/// instance with a network of its own.
struct NodeRow {
  std::string_view gpu;
  std::string_view node;
  std::string_view cloud;
  std::string_view larger = {};  // a node of more GPUs
};
constexpr std::array kNodes{
    NodeRow{"A100", "dgx-a100", "aws-p4d"},
    NodeRow{"A800", "hgx-a800", ""},
    NodeRow{"H100", "dgx-h100", "aws-p5"},
    NodeRow{"H200", "hgx-h200", "aws-p5en"},
    NodeRow{"H800", "hgx-h800", ""},
    NodeRow{"GB200", "gb200-nvl72", ""},
    NodeRow{"GB300", "gb300-nvl72", ""},
    NodeRow{"B200", "hgx-b200", "aws-p6-b200"},
    NodeRow{"V100", "dgx1-v100", "", "dgx2-v100"},
    NodeRow{"MI300X", "mi300x", ""},
};

struct OpRow {
  std::string_view name;
  CollectiveOp op;
};
constexpr std::array kOps{
    OpRow{"all_reduce", CollectiveOp::AllReduce},
    OpRow{"all_gather", CollectiveOp::AllGather},
    OpRow{"reduce_scatter", CollectiveOp::ReduceScatter},
    OpRow{"all_gather/reduce_scatter", CollectiveOp::AllGather},
    OpRow{"broadcast", CollectiveOp::Broadcast},
    OpRow{"alltoall", CollectiveOp::AllToAll},
    OpRow{"all_to_all", CollectiveOp::AllToAll},
    OpRow{"sendrecv", CollectiveOp::SendReceive},
};

/// What a way of measuring adds, once and for every GPU that one host launches on. Fitted to what
/// the same collective takes by several of them (docs/explain/validation-collectives.md).
struct Method {
  std::string_view word;  // of the notes
  Seconds once;
  Seconds per_gpu;
  double sum = 0;   // s for every byte of a rank's own part of the array, where it is summed,
  double copy = 0;  // and where it is copied
};
constexpr std::array kMethods{
    Method{"PyTorch", {23.5e-6}, {}}, Method{"training replay", {}, {}},
    Method{"XLA", {}, {1.7e-6}, 1.4e-12, 0.7e-12},
    Method{"", {}, {1.44e-6}},  // nccl-tests and the like
};

constexpr Bytes kLargest{8.0 * 1073741824};  // where nccl-tests usually ends: a maximum's size

using Kind = ColumnRule::Kind;
constexpr std::array kNcclColumns{
    ColumnRule{"id"},
    ColumnRule{"source"},
    ColumnRule{"gpu"},
    ColumnRule{"collective"},
    ColumnRule{"algo"},
    ColumnRule{"notes"},
    ColumnRule{"interconnect_intra"},
    ColumnRule{"interconnect_inter"},
    ColumnRule{"gpus", Kind::Count, 1, 131072},
    ColumnRule{"nodes", Kind::Count, 1, 131072},
    ColumnRule{"gpus_per_node", Kind::Count, 1, 131072},
    ColumnRule{"size_bytes", Kind::Count, 0, 1e15},
    ColumnRule{"time_us", Kind::Number, 1e-3, 1e12},
    ColumnRule{"algbw_GBps", Kind::Number, 0, 1e6},
    ColumnRule{"busbw_GBps", Kind::Number, 0, 1e6},
};

bool mentions(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) ==
                  std::tolower(static_cast<unsigned char>(b));
         }) != text.end();
}

/// NICs of a node as a text states them.
struct Nics {
  int count = 0;
  BytesPerSecond each;
};

/// "4x HDR200", "8x50 GB/s", "8 x 100 Gb/s", "400 Gb/s per GPU", "3200 Gb/s per node"; none when it
/// gives no rate.
std::optional<Nics> parse_nics(const std::string& text, int gpus_per_node) {
  std::smatch found;
  static const std::regex several(
      R"(\b(\d{1,3})\s*x\s*(?:HDR|NDR|EDR|XDR)?\s*(\d{1,6})(?!\d)\s*(GB/s|Gb/s|Gbps|G\b)?)");
  static const std::regex total(R"(\b(\d{1,6})\s*(Gb/s|Gbps|GB/s)[^,;]*per (GPU|node))");
  const auto rate = [](const std::string& number, const std::string& unit) {
    const double value = std::stod(number) * 1e9;
    return BytesPerSecond{unit == "GB/s" ? value : value / 8};
  };
  if (std::regex_search(text, found, several)) {
    return Nics{std::stoi(found[1]), rate(found[2], found[3])};
  }
  if (std::regex_search(text, found, total)) {
    const BytesPerSecond stated = rate(found[1], found[2]);
    return Nics{gpus_per_node, found[3] == "GPU" ? stated : stated / gpus_per_node};
  }
  return std::nullopt;
}

/// One row as a benchmark, or why not: a rule for each column, and all that is in the way told at
/// once.
class NcclConverter {
 public:
  NcclConverter(const CsvTable& table, const CsvRow& row, const LoadOptions& options)
      : table_(table), row_(row), options_(options) {}

  CollectiveConversion convert() {
    find_cluster();
    if (mentions(cell("collective"), "MoE")) {
      find_experts();
    } else {
      find_op();
      find_size();
      find_time();
    }
    find_method();
    const std::string algorithm(cell("algo"));
    const bool sums = measured_.op == CollectiveOp::AllReduce ||
                      measured_.op == CollectiveOp::AllGather ||
                      measured_.op == CollectiveOp::ReduceScatter;
    if (sums && mentions(algorithm, "NVLS_ENABLE=0")) {  // others never use NVLS
      measured_.forced.algorithm = Algorithm::Ring;
    }
    CollectiveConversion conversion{
        std::string(cell("id")),          device_,      std::string(cell("source")),
        measured_.experts ? "" : sweep(), std::nullopt, std::move(reasons_)};
    if (conversion.reasons.empty()) {
      conversion.collective = measured_;
    }
    return conversion;
  }

 private:
  std::string_view cell(std::string_view column) const { return table_.cell(row_, column); }
  double number(std::string_view column) const { return parse_number(cell(column)).value_or(0); }
  std::string sweep() const {
    std::string name;
    for (const std::string_view column :
         {"source", "gpu", "gpus", "gpus_per_node", "nodes", "interconnect_intra",
          "interconnect_inter", "collective", "algo"}) {
      name += fmt::format("{}\n", cell(column));
    }
    return name;
  }
  void refuse(std::string reason) { reasons_.push_back(std::move(reason)); }

  void find_op() {
    const std::string_view name = cell("collective");
    const auto* const known =
        std::find_if(kOps.begin(), kOps.end(), [&](const OpRow& row) { return row.name == name; });
    if (known == kOps.end()) {
      refuse(fmt::format("not a collective: {}", shown(name)));
      return;
    }
    measured_.op = known->op;
  }

  void find_cluster() {
    const std::string gpu(cell("gpu"));
    const auto* const known = std::find_if(
        kNodes.begin(), kNodes.end(), [&](const NodeRow& row) { return gpu.starts_with(row.gpu); });
    const int gpus = static_cast<int>(number("gpus"));
    const int nodes = std::max(1, static_cast<int>(number("nodes")));
    if (known == kNodes.end()) {
      refuse(fmt::format("GPU without a node: {}", shown(gpu)));
      return;
    }
    device_ = known->gpu;
    if (mentions(cell("interconnect_intra"), "bridge") || mentions(gpu, "PCIe")) {
      refuse("GPUs joined by NVLink bridges, their number not stated");
      return;
    }
    if (gpus < 2) {
      refuse("fewer than two GPUs");
      return;
    }
    const std::string network(cell("interconnect_inter"));
    const bool cloud = mentions(network, "EFA");
    const bool tcpx = mentions(network, "TCPX") || mentions(network, "a3-mega");
    if (nodes > 1 && cloud && known->cloud.empty()) {
      refuse("a cloud's network without a preset for this GPU");
      return;
    }
    constexpr int kUsual = 8;
    const bool larger = !known->larger.empty() && gpus > kUsual * nodes;
    measured_.cluster = load_topology(nodes > 1 && tcpx    ? "gcp-a3-mega"
                                      : nodes > 1 && cloud ? std::string(known->cloud)
                                      : larger             ? std::string(known->larger)
                                                           : std::string(known->node),
                                      options_);
    TopologySpec& topology = measured_.cluster.topology;
    measured_.cluster.gpus = gpus;
    if (is_board_of_four(gpu, static_cast<int>(number("gpus_per_node")),
                         cell("interconnect_intra"))) {
      join_pairs(topology);
    }
    if (nodes > 1 && gpus > nodes * topology.gpus_per_node) {
      refuse("more GPUs in a node than the preset's");
    }
    if (nodes > 1 && !cloud && !tcpx) {
      use_nics(network, topology);
    }
    if (std::string problem = cluster_problem(measured_.cluster); !problem.empty()) {
      refuse(std::move(problem));
    }
    if (mentions(network, "SHARP") || mentions(cell("notes"), "SHARP") ||
        mentions(cell("algo"), "CollNet")) {
      topology.fabric_reduction_efficiency = kSharpEfficiency;
    }
  }

  void use_nics(const std::string& network, TopologySpec& topology) {
    const std::optional<Nics> nics = parse_nics(network, topology.gpus_per_node);
    const bool some = nics && nics->count > 0 && nics->each.value > 0;
    if (some && nics->count <= topology.gpus_per_node) {
      topology.nics_per_node = nics->count;
      topology.nic_bandwidth = nics->each;
    } else if (mentions(network, "per NIC")) {
      refuse("NICs of a node not stated");
    }
  }

  void find_size() {
    measured_.bytes = {number("size_bytes")};
    if (measured_.bytes.value < 1) {
      if (!mentions(cell("notes"), "maxim")) {
        refuse("message size not stated");
      }
      measured_.bytes = kLargest;
    }
  }

  void find_experts() {
    const std::string notes(cell("notes"));
    std::smatch tokens, groups, chosen;
    static const std::regex batch(R"(\b(\d{1,9}) tokens x (\d{1,6}) hidden)");
    static const std::regex limit(R"(top-(\d{1,4}) groups)");
    static const std::regex experts(R"(top-(\d{1,4}) experts)");
    if (!std::regex_search(notes, tokens, batch) || !std::regex_search(notes, chosen, experts)) {
      refuse("tokens, hidden size or experts of each token not stated");
      return;
    }
    const bool eight_bits = mentions(cell("collective"), "FP8");
    const double hidden = std::stod(tokens[2]);
    ExpertLoad load{.tokens = std::stod(tokens[1]),
                    .token = {hidden * (eight_bits ? 1 + 4.0 / 128 : 2)},
                    .two_levels = !mentions(cell("algo"), "low-latency")};
    load.routing.per_token = std::stoi(chosen[1]);
    load.routing.most_nodes = std::regex_search(notes, groups, limit) ? std::stoi(groups[1]) : 0;
    TopologySpec& topology = measured_.cluster.topology;
    topology.pxn = topology.pxn && load.two_levels;
    if (measured_.cluster.gpus % std::max(1, topology.gpus_per_node) != 0) {
      refuse("nodes with different numbers of ranks");
      return;
    }
    measured_.published = {number("time_us") * 1e-6};
    if (number("time_us") == 0 && load.two_levels && number("algbw_GBps") > 0) {
      const TokenSpread spread = token_spread(
          load.routing, measured_.cluster.gpus / topology.gpus_per_node, topology.gpus_per_node);
      const double copies = mentions(cell("algo"), "RDMA") ? spread.nodes : spread.ranks;
      measured_.published =
          load.token * load.tokens * copies / BytesPerSecond{number("algbw_GBps") * 1e9};
    } else if (number("time_us") == 0) {
      refuse("no time");
    }
    measured_.experts = load;
  }

  void find_time() {
    const double busbw = number("busbw_GBps");
    constexpr double kPrintedToTwoDigits = 0.05;  // 0.01 may be anything from 0.005 to 0.015
    if (number("time_us") > 0) {
      measured_.published = {number("time_us") * 1e-6};
    } else if (busbw >= kPrintedToTwoDigits) {
      measured_.published = measured_.bytes * bus_factor(measured_.op, measured_.cluster.gpus) /
                            BytesPerSecond{busbw * 1e9};
    } else {
      refuse("no time, and no bus bandwidth of two digits");
    }
  }

  void find_method() {
    const double own = number("gpus_per_node");
    const double nodes = std::max(1.0, number("nodes"));
    const double each = std::min(number("gpus"), own > 0 ? own : number("gpus") / nodes);
    const auto* const method = std::find_if(
        kMethods.begin(), kMethods.end(),
        [&](const Method& row) { return row.word.empty() || mentions(cell("notes"), row.word); });
    const bool sums =
        measured_.op == CollectiveOp::AllReduce || measured_.op == CollectiveOp::ReduceScatter;
    const bool copies =
        measured_.op == CollectiveOp::AllReduce || measured_.op == CollectiveOp::AllGather;
    const double own_part = measured_.bytes.value / std::max(1.0, number("gpus"));
    measured_.method = method->once + method->per_gpu * each +
                       Seconds{own_part * ((sums ? method->sum : 0) + (copies ? method->copy : 0))};
  }

  /// 386 GB/s of bus bandwidth at 8 GiB on 64 H100 with SHARP (CoreWeave): 193 GB/s through eight
  /// NICs that achieve 48.5 each.
  static constexpr double kSharpEfficiency = 0.5;

  const CsvTable& table_;
  const CsvRow& row_;
  const LoadOptions& options_;
  MeasuredCollective measured_;
  std::string device_;
  std::vector<std::string> reasons_;
};

}  // namespace

std::string size_range(Bytes bytes) {
  constexpr Bytes kMebibyte{1024.0 * 1024};
  return bytes < kMebibyte        ? "0 to 1 MiB"
         : bytes < kMebibyte * 16 ? "1 to 16 MiB"
                                  : "16 MiB and more";
}

Seconds alone_time(const MeasuredCollective& measured) {
  const Cluster cluster = build_cluster(measured.cluster);
  std::vector<int> ranks(index(measured.cluster.gpus));
  std::iota(ranks.begin(), ranks.end(), 0);
  const Group group = make_group(cluster, ranks);
  const Seconds alone =
      measured.experts ? alone_time(cluster, expert_exchange(cluster, group, *measured.experts))
                       : fastest(cluster, group, measured.op, measured.bytes,
                                 candidates(cluster, group, measured.op, measured.forced))
                             .alone;
  return alone + measured.method;
}

std::span<const ColumnRule> collective_columns() {
  return kNcclColumns;
}

CollectiveConversion convert_collective(const CsvTable& table, const CsvRow& row,
                                        const LoadOptions& options) {
  return NcclConverter(table, row, options).convert();
}

}  // namespace danlu
