// The constants of kernels fitted to a table of measurements, and how far they carry over: each
// source is predicted by constants that were fitted without it.
//
//   fit_kernels TABLE.csv TOPOLOGIES
//
// Constants: of products edge and prologue, one for all; start, efficiency and sustained share, by
// generation and width; of fused attention share, narrow, ramp and backward, by generation and
// implementation, and one tail. A fit begins at values that know nothing of the table and changes
// one constant at a time, in steps that shrink, while a sum of min(1, (log error / 0.2)^2), nearly,
// falls: rows that the model cannot explain do not rule. A constant that no row of the rest depends
// on stays as shipped. Exits with 1 when other sources do not predict products to 10 % and
// attention to 15 % in the median.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/validation/gemm_table.hpp"
#include "sim/validation/validation.hpp"

namespace danlu {
namespace {

/// One fitted constant: a figure of all GPUs of some generation.
struct Constant {
  std::string name;
  double start = 1;
  double least = 0, most = 1e9;
  bool adds = false;  // steps are added, not multiplied: it may be below zero
  std::function<void(GpuSpec&, double)> set;
};
using Constants = std::map<std::string, double>;

std::string generation(const GpuSpec& gpu) {
  const double capability = gpu.compute_capability;
  return capability >= 10  ? "Blackwell"
         : capability >= 9 ? "Hopper"
         : capability >= 8 ? "Ampere"
         : capability >= 7 ? "Volta"
                           : gpu.name;
}

/// The constants that a row depends on.
std::vector<Constant> constants_of(const MeasuredKernel& row) {
  const std::string of = generation(row.gpu);
  std::vector<Constant> found;
  if (row.what == "product") {
    const Precision at = is_narrow(row.precision) ? Precision::Fp8 : Precision::Bf16;
    const std::string in = fmt::format("{} {}", of, is_narrow(row.precision) ? "8 bit" : "16 bit");
    found = {{"edge", 10, 0, 100, false, [](GpuSpec& gpu, double value) { gpu.gemm_edge = value; }},
             {"prologue, B", 250, 0, 2000, false,
              [](GpuSpec& gpu, double value) { gpu.gemm_prologue = {value}; }},
             {fmt::format("start, us: {}", of), 2, 0, 20, false,
              [](GpuSpec& gpu, double value) { gpu.gemm_start = {value * 1e-6}; }},
             {fmt::format("efficiency: {}", in), 0.75, 0.1, 1, false,
              [at](GpuSpec& gpu, double value) { gpu.gemm_efficiency[at] = value; }}};
    if (row.running == Running::Long) {
      found.push_back({fmt::format("sustained: {}", in), 0.75, 0.1, 1, false,
                       [at](GpuSpec& gpu, double value) { gpu.gemm_sustained[at] = value; }});
    }
  } else if (row.what.starts_with("attention")) {
    const AttentionKind kind = row.kernels[0].attention;
    const auto figure = [&](std::string_view name, double start, double least, double most,
                            bool adds, double FusedAttention::*member) {
      found.push_back(
          {fmt::format("{}: {} {}", name, of, name_of(kind)), start, least, most, adds,
           [kind, member](GpuSpec& gpu, double value) { (*gpu.attention[kind]).*member = value; }});
    };
    figure("share", 0.6, 0.05, 1.5, false, &FusedAttention::share);
    figure("narrow", 0.2, -0.6, 3, true, &FusedAttention::narrow);
    figure("ramp", 200, 0, 2000, false, &FusedAttention::ramp);
    const bool apart =
        row.kernels.size() == 1 && row.kernels[0].kind == KernelKind::AttentionBackward;
    if (apart) {
      figure("backward", 0.8, 0.2, 1.5, false, &FusedAttention::backward);
    }
    found.push_back({"tail", 0.5, 0, 3, false, [](GpuSpec& gpu, double value) {
                       for (auto& fused : gpu.attention) {
                         if (fused) {
                           fused->tail = value;
                         }
                       }
                     }});
  }
  return found;
}

struct Row {
  MeasuredKernel measured;
  std::vector<Constant> constants;
};

double log_error(const Row& row, const Constants& constants) {
  MeasuredKernel changed = row.measured;
  for (const Constant& constant : row.constants) {
    if (const auto found = constants.find(constant.name); found != constants.end()) {
      constant.set(changed.gpu, found->second);
    }
  }
  return std::log(changed.simulated() / changed.published);
}

double loss(double error) {
  constexpr double kRange = 0.2;
  const double square = error * error / (kRange * kRange);
  return square / (1 + square);
}

Constants fit(const std::vector<Row>& rows) {
  Constants constants;
  std::map<std::string, std::pair<Constant, std::vector<std::size_t>>> used;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const Constant& constant : rows[i].constants) {
      constants[constant.name] = constant.start;
      used[constant.name].first = constant;
      used[constant.name].second.push_back(i);
    }
  }
  std::vector<double> losses;
  for (const Row& row : rows) {
    losses.push_back(loss(log_error(row, constants)));
  }
  constexpr int kSweeps = 40;
  const auto moved = [&](const Constant& constant, const std::vector<std::size_t>& members,
                         double step) {
    double& value = constants.at(constant.name);
    const double before = value;
    value = std::clamp(constant.adds ? value + (step - 1) / 2 : value * step, constant.least,
                       constant.most);
    std::vector<double> changed;
    double gain = 0;
    for (const std::size_t i : members) {
      changed.push_back(loss(log_error(rows[i], constants)));
      gain += losses[i] - changed.back();
    }
    if (gain <= 1e-7) {
      value = before;
      return false;
    }
    for (std::size_t n = 0; n < members.size(); ++n) {
      losses[members[n]] = changed[n];
    }
    return true;
  };
  for (const double step : {1.6, 1.3, 1.15, 1.08, 1.04, 1.02, 1.01}) {
    bool improved = true;
    for (int sweep = 0; improved && sweep < kSweeps; ++sweep) {
      improved = false;
      for (const auto& [name, of] : used) {
        improved = moved(of.first, of.second, step) || improved;
        improved = moved(of.first, of.second, 1 / step) || improved;
      }
    }
  }
  return constants;
}

std::vector<Row> read_rows(const std::string& file, const std::string& topologies) {
  std::vector<Row> rows;
  for (MeasuredKernel& kernel : measured_kernels(read_csv(file), {topologies, {}}).kernels) {
    std::vector<Constant> constants = constants_of(kernel);
    rows.push_back({std::move(kernel), std::move(constants)});
  }
  return rows;
}

std::string kind_of(const Row& row) {
  return row.measured.what.starts_with("attention") ? "attention" : row.measured.what;
}

/// Errors by kind of kernel, and of each kind by source.
class Report {
 public:
  void add(const Row& row, double error) {
    const ValidationPoint point{
        .source = row.measured.source, .published = 1, .simulated = std::exp(error)};
    by_[{kind_of(row), ""}].push_back(point);
    by_[{kind_of(row), row.measured.source.substr(0, 40)}].push_back(point);
  }
  void print(std::string_view heading) const {
    fmt::print("\n{}\n{:<54} {:>6} {:>9} {:>9} {:>9}\n", heading, "", "rows", "median", "p90",
               "mean");
    for (const auto& [key, points] : by_) {
      const ErrorStatistics of = error_statistics(points);
      fmt::print("{:<54} {:>6} {:>7.1f} % {:>7.1f} % {:>+7.1f} %\n",
                 key.second.empty() ? key.first : "  " + key.second, of.rows,
                 100 * of.median_abs.value_or(0), 100 * of.p90_abs.value_or(0),
                 100 * of.mean.value_or(0));
    }
  }
  double median(const std::string& kind) const {
    return error_statistics(by_.at({kind, ""})).median_abs.value_or(1);
  }

 private:
  std::map<std::pair<std::string, std::string>, std::vector<ValidationPoint>> by_;
};

int run(const std::string& table, const std::string& topologies) {
  const std::vector<Row> rows = read_rows(table, topologies);
  const Constants all = fit(rows);
  fmt::print("Constants fitted to all rows\n");
  for (const auto& [name, value] : all) {
    fmt::print("  {:<44} {:>9.3g}\n", name, value);
  }
  Report shipped;
  Report refitted;
  std::set<std::string> sources;
  for (const Row& row : rows) {
    shipped.add(row, log_error(row, {}));
    refitted.add(row, log_error(row, all));
    sources.insert(row.measured.source);
  }
  shipped.print("In sample, constants as shipped");
  refitted.print("In sample, constants as above");
  Report predicted;
  for (const std::string& source : sources) {
    std::vector<Row> rest;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(rest),
                 [&](const Row& row) { return row.measured.source != source; });
    const Constants constants = fit(rest);
    for (const Row& row : rows) {
      if (row.measured.source == source) {
        predicted.add(row, log_error(row, constants));
      }
    }
  }
  predicted.print("Each source predicted from the others");
  constexpr double kProducts = 0.10;
  constexpr double kAttention = 0.15;
  return predicted.median("product") <= kProducts && predicted.median("attention") <= kAttention
             ? 0
             : 1;
}

}  // namespace
}  // namespace danlu

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: fit_kernels TABLE.csv TOPOLOGIES\n");
    return 2;
  }
  return danlu::run(argv[1], argv[2]);
}
