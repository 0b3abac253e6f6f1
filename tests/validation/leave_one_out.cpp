// How far the fitted constants of collectives carry over: they are refitted without one source of
// measurements, and this source is predicted.
//
//   leave_one_out TABLE.csv TOPOLOGIES [formula]     formula: the fastest by closed form is chosen,
//                                                    not what NCCL would choose
//
// The constants are those that the topology files call fitted
// (docs/explain/validation-collectives.md), one set for each generation of links and each cloud's
// network. A fit starts from values that know nothing of the table and changes one constant at a
// time, in steps that shrink from a half to a hundredth and by a factor of 8 at most, while a loss
// of ln(simulated / published) falls. A constant that no row of the rest depends on is the
// geometric mean of those of its kind. Exits with 1 when large messages over links that other
// sources measured are not predicted to 10 % in the median.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/validation/nccl_table.hpp"
#include "sim/validation/validation.hpp"

namespace danlu {
namespace {

/// One fitted constant: its kind, and whose it is (a generation of links, a network).
struct ConstantKey {
  std::string kind;
  std::string of;
  auto operator<=>(const ConstantKey&) const = default;
};
using Constants = std::map<ConstantKey, double>;

/// A kind of constant, where a fit starts, and how it gets into a topology.
struct Kind {
  std::string_view name;
  std::string_view unit;
  double start;
  bool of_network;
  void (*set)(TopologySpec& topology, double value);
};
constexpr double kMega = 1e6;
constexpr double kMicro = 1e-6;
constexpr Seconds kNetworkHop{14e-6};  // NCCL's
const std::vector<Kind> kKinds{
    {"ring efficiency", "", 0.8, false,
     [](TopologySpec& t, double value) { t.scale_up_efficiency = value; }},
    {"launch", "us", 8, false,
     [](TopologySpec& t, double value) { t.collective_launch = {value * kMicro}; }},
    {"fill of rings", "MB", 10, false,
     [](TopologySpec& t, double value) { t.pipeline_fill = {value * kMega}; }},
    {"NVLS efficiency", "", 0.65, false,
     [](TopologySpec& t, double value) { t.scale_up_reduction_efficiency = value; }},
    {"NVLS at most, of the links", "", 1, false,
     [](TopologySpec& t, double value) { t.scale_up_reduction_cap_share = value; }},
    {"fill of NVLS", "MB", 10, false,
     [](TopologySpec& t, double value) { t.reduction_fill = {value * kMega}; }},
    {"latency beside NCCL's", "us", 50, true,
     [](TopologySpec& t, double value) {
       t.fabric_latency = kNetworkHop + Seconds{value * kMicro};
     }},
    {"fill of 100 Gb/s", "MB", 1.5, true,
     [](TopologySpec& t, double value) {
       t.network_fill = {value * kMega * t.nics_per_node * t.nic_bandwidth.value / 12.5e9};
     }},
    {"passes", "", 2, true, [](TopologySpec& t, double value) { t.network_passes = value; }},
    {"share of the latency for small ones", "", 0.6, true,
     [](TopologySpec& t, double value) {
       t.fabric_small_share =
           (kNetworkHop + (t.fabric_latency - kNetworkHop) * value) / t.fabric_latency;
     }},
};

constexpr double kRange = 8;  // of a fit: no constant goes further from where it starts

const Kind& kind_of(const ConstantKey& key) {
  return *std::find_if(kKinds.begin(), kKinds.end(),
                       [&](const Kind& kind) { return kind.name == key.kind; });
}

struct Row {
  MeasuredCollective measured;
  std::string id, source;
  std::string links;    // "NVLink 4"
  std::string network;  // of a cloud; empty: none, or one without fitted constants
};

std::string links_of(const ClusterSpec& cluster) {
  const double capability = cluster.gpu.compute_capability;
  return capability >= 10  ? "NVLink 5"
         : capability >= 9 ? "NVLink 4"
         : capability >= 8 ? "NVLink 3"
                           : cluster.gpu.name;
}

/// Whose constants of a kind a row takes; empty where it takes none.
std::string owner(const Row& row, const Kind& kind) {
  if (kind.name == "fill of rings") {
    return "all";
  }
  if (!kind.of_network) {
    const bool sums = kind.name.find("NVLS") != std::string_view::npos;
    const bool can = row.measured.cluster.topology.scale_up_reduction_efficiency > 0;
    return sums && !can ? "" : row.links;
  }
  const bool per_network = kind.name == "latency beside NCCL's";
  return row.network.empty() || per_network ? row.network : "EFA";
}

/// What decides between algorithms and protocols: NCCL's estimate, or danlu's closed form.
enum class Choice { Nccl, Formula };

Seconds alone(const ClusterSpec& spec, const MeasuredCollective& measured, Choice choice) {
  const Cluster cluster = build_cluster(spec);
  std::vector<int> ranks(static_cast<std::size_t>(spec.gpus));
  std::iota(ranks.begin(), ranks.end(), 0);
  const Group group = make_group(cluster, ranks);
  const auto found = candidates(cluster, group, measured.op, measured.forced);
  if (choice == Choice::Nccl) {
    return fastest(cluster, group, measured.op, measured.bytes, found).alone;
  }
  Seconds least{std::numeric_limits<double>::infinity()};
  for (const Offer& offer : offers(cluster, group, measured.op, measured.bytes, found)) {
    least = std::min(least, offer.alone);
  }
  return least;
}

double log_error(const Row& row, const Constants& constants, Choice choice) {
  ClusterSpec spec = row.measured.cluster;
  for (const Kind& kind : kKinds) {
    const auto found = constants.find({std::string(kind.name), owner(row, kind)});
    if (found != constants.end()) {
      kind.set(spec.topology, found->second);
    }
  }
  return std::log((alone(spec, row.measured, choice) + row.measured.method) /
                  row.measured.published);
}

/// The rows that each constant has an effect on.
std::map<ConstantKey, std::vector<std::size_t>> uses(const std::vector<Row>& rows) {
  std::map<ConstantKey, std::vector<std::size_t>> used;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const Kind& kind : kKinds) {
      if (const std::string of = owner(rows[i], kind); !of.empty()) {
        used[{std::string(kind.name), of}].push_back(i);
      }
    }
  }
  return used;
}

/// Square near 0, which makes it smooth, and linear beyond 10 %, so that outliers do not rule.
double loss(double log_of_ratio) {
  return std::hypot(0.1, log_of_ratio);
}

/// A fit while it goes on.
class Fit {
 public:
  Fit(const std::vector<Row>& rows, Choice choice)
      : rows_(rows), choice_(choice), used_(uses(rows)) {
    for (const auto& [key, members] : used_) {
      constants_[key] = kind_of(key).start;
    }
    for (const Row& row : rows) {
      errors_.push_back(loss(log_error(row, constants_, choice)));
    }
  }

  Constants run() {
    constexpr int kSweeps = 6;
    for (const double step : {1.5, 1.2, 1.08, 1.03, 1.01}) {
      bool improved = true;
      for (int sweep = 0; improved && sweep < kSweeps; ++sweep) {
        improved = false;
        for (const auto& [key, members] : used_) {
          improved = move(key, step) || improved;
          improved = move(key, 1 / step) || improved;
        }
      }
    }
    return constants_;
  }

 private:
  /// Moves one constant by `factor` for as long as that helps; whether it did.
  bool move(const ConstantKey& key, double factor) {
    const std::vector<std::size_t>& members = used_.at(key);
    const double start = kind_of(key).start;
    double& constant = constants_.at(key);
    for (bool improved = false;; improved = true) {
      const double before = constant;
      constant *= factor;
      std::vector<double> changed = errors_;
      double gain = 0;
      for (const std::size_t i : members) {
        changed[i] = loss(log_error(rows_[i], constants_, choice_));
        gain += errors_[i] - changed[i];
      }
      const bool in_range = constant >= start / kRange && constant <= start * kRange;
      if (!in_range || gain <= 1e-9 * static_cast<double>(members.size())) {
        constant = before;
        return improved;
      }
      errors_ = std::move(changed);
    }
  }

  const std::vector<Row>& rows_;
  Choice choice_;
  std::map<ConstantKey, std::vector<std::size_t>> used_;
  Constants constants_;
  std::vector<double> errors_;
};

/// Adds constants that only `rows` need: the geometric mean of those of their kind.
Constants with_guesses(Constants constants, const std::vector<Row>& rows) {
  const Constants fitted = constants;
  for (const auto& [key, members] : uses(rows)) {
    double sum = 0;
    int count = 0;
    for (const auto& [other, value] : fitted) {
      sum += other.kind == key.kind ? std::log(value) : 0;
      count += other.kind == key.kind ? 1 : 0;
    }
    if (fitted.count(key) == 0 && count > 0) {
      constants[key] = std::exp(sum / count);
    }
  }
  return constants;
}

std::vector<Row> read_rows(const std::string& file, const std::string& topologies) {
  const CsvTable table = read_csv(file);
  const LoadOptions load{topologies, {}};
  std::vector<Row> rows;
  for (const CsvRow& line : table.rows()) {
    CollectiveConversion conversion = convert_collective(table, line, load);
    // Exchanges between experts are left out: nothing was fitted to them.
    // A thousand GPUs take too long to be laid out again for every step of a fit.
    constexpr int kMostGpus = 256;
    if (conversion.collective && !conversion.collective->experts &&
        conversion.collective->cluster.gpus <= kMostGpus) {
      const TopologySpec& topology = conversion.collective->cluster.topology;
      const bool outside = conversion.collective->cluster.gpus > topology.gpus_per_node;
      rows.push_back({*conversion.collective, conversion.id, conversion.source,
                      links_of(conversion.collective->cluster),
                      outside && topology.network_passes > 0 ? topology.name : ""});
    }
  }
  return rows;
}

class Report {
 public:
  void add(const Row& row, double log_of_ratio, bool covered) {
    ValidationPoint point{.id = row.id, .source = row.source, .published = 1};
    point.simulated = std::exp(log_of_ratio);
    all_.push_back(point);
    if (covered) {
      covered_.push_back(point);
      if (row.measured.bytes >= Bytes{16.0 * 1024 * 1024}) {
        large_.push_back(point);
      }
    }
  }
  static std::string line(const std::string& name, const std::vector<ValidationPoint>& points) {
    const ErrorStatistics of = error_statistics(points);
    return fmt::format("{:<58} {:>5} {:>9.1f} % {:>7.1f} % {:>+7.1f} %\n", name.substr(0, 56),
                       of.rows, 100 * of.median_abs.value_or(0), 100 * of.p90_abs.value_or(0),
                       100 * of.mean.value_or(0));
  }
  std::string text() const {
    return line("all rows", all_) + line("rows whose links other sources measured", covered_) +
           line("of these, 16 MiB and more", large_);
  }
  std::string sources() const {
    std::map<std::string, std::vector<ValidationPoint>> by;
    for (const ValidationPoint& point : all_) {
      by[point.source].push_back(point);
    }
    std::string text;
    for (const auto& [source, points] : by) {
      text += line(source, points);
    }
    return text;
  }
  double large_median() const { return error_statistics(large_).median_abs.value_or(1); }

 private:
  std::vector<ValidationPoint> all_, covered_, large_;
};

constexpr const char* kColumns =
    "                                                            rows      median       p90      "
    "mean\n";

int run(const std::string& table, const std::string& topologies, Choice choice) {
  const std::vector<Row> rows = read_rows(table, topologies);
  const Constants all = Fit(rows, choice).run();
  fmt::print("Constants fitted to all rows\n");
  for (const auto& [key, value] : all) {
    fmt::print("  {:<36} {:<24} {:>9.3g} {}\n", key.kind, key.of, value, kind_of(key).unit);
  }
  Report shipped;
  Report refitted;
  for (const Row& row : rows) {
    shipped.add(row, log_error(row, {}, choice), true);
    refitted.add(row, log_error(row, all, choice), true);
  }
  fmt::print("\nIn sample, constants as shipped\n{}{}", kColumns, shipped.text());
  fmt::print("\nIn sample, constants as above\n{}{}", kColumns, refitted.text());

  std::set<std::string> sources;
  for (const Row& row : rows) {
    sources.insert(row.source);
  }
  Report predicted;
  for (const std::string& source : sources) {
    std::vector<Row> rest;
    std::vector<Row> left_out;
    for (const Row& row : rows) {
      (row.source == source ? left_out : rest).push_back(row);
    }
    const Constants constants = with_guesses(Fit(rest, choice).run(), left_out);
    for (const Row& row : left_out) {
      const bool covered = std::any_of(rest.begin(), rest.end(), [&](const Row& other) {
        return other.links == row.links && (row.network.empty() || other.network == row.network);
      });
      predicted.add(row, log_error(row, constants, choice), covered);
    }
  }
  fmt::print("\nEach source predicted from the others\n{}{}{}", kColumns, predicted.sources(),
             predicted.text());
  return predicted.large_median() <= 0.10 ? 0 : 1;
}

}  // namespace
}  // namespace danlu

int main(int argc, char** argv) {
  using danlu::Choice;
  const bool by_formula = argc == 4 && std::string_view(argv[3]) == "formula";
  if (argc != 3 && !by_formula) {
    fmt::print(stderr, "usage: leave_one_out TABLE.csv TOPOLOGIES [formula]\n");
    return 2;
  }
  return danlu::run(argv[1], argv[2], by_formula ? Choice::Formula : Choice::Nccl);
}
