// The constants that are fitted to published training runs, fitted again, and how far they carry
// over: the runs of each publisher are predicted by constants that were fitted without it.
//
//   fit_training TABLE.csv TOPOLOGIES [CACHE.csv] [--left-out FILE]
//
// What was played for the fit is kept in CACHE. FILE gets every run as it is predicted without its
// publisher, beside what danlu as shipped makes of it: topologies/validated-left-out.csv.
//
// Constants: gemm.in_step of a family of GPUs and a width, host.launch (host.exchange goes with it)
// of a family of frameworks, and host.launch_again of PyTorch's. A fit looks for those with the
// least sum of x^2 / (1 + x^2), x being the log error over 0.2: rows that the model cannot explain
// do not rule. A publisher of n rows weighs sqrt(n). One constant at a time takes the best of a
// fine row of values, until none changes. It knows a row's time from a few plays: as shipped, and
// with each of its constants a step below and above, through which ln(time) is a parabola of
// ln(constant); what several constants do is added. Steps of many tasks are played in closed form
// for this, the largest not at all. What is printed was played as danlu validate plays it.
// A constant that no run of the rest depends on is what danlu would assume: 0.9, 50 us.
//
// A constant is fitted only to runs that tell it: those whose time changes by a quarter or more of
// what it changes by, such as a launch's that their host binds. Other runs' errors have other
// causes, which it should not make up for: of Blackwell Ultra MLPerf has runs in 4 bits only, whose
// few products of 8 bits would have to be 1.4 times as fast as alone. (What is launched again every
// run tells that does: too few are bound by it.) A family of frameworks with too few runs that tell
// its launch launches as the others do, in the (geometric) mean: all of them call PyTorch's
// operators one by one.
//
// Exits with 1 when runs of other publishers are not predicted to kMostMedian in the median.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/base/text.hpp"
#include "sim/session/training_rows.hpp"
#include "sim/session/trust.hpp"
#include "sim/validation/training_table.hpp"
#include "sim/validation/validation.hpp"

namespace danlu {
namespace {

constexpr double kMostMedian = 0.11;
constexpr double kBound = 0.25;  // d ln(time) / d ln(constant), at least, of a run that tells it
// Such runs that a constant is fitted to, at the least: in_step and a launch.
constexpr std::size_t kTelling = 3;
constexpr std::size_t kTellingLaunch = 5;

/// A fitted constant, as factors of what is shipped. `set` is of a scenario.
struct Constant {
  std::string name;
  double shipped = 1;
  double unknown = 1;  // where no run tells
  double step = 1.25;  // between the plays that tell how a row depends on it
  std::function<void(Scenario&, double)> set;
  bool launch = false;    // of an operator: where no run tells, others' launches do
  double bound = kBound;  // 0: every run tells
};

constexpr double kRange = 3;  // how many steps a fit may go, either way

std::string family(const GpuSpec& gpu) {
  const double capability = gpu.compute_capability;
  return capability >= 10  ? "Blackwell"
         : capability >= 9 ? "Hopper"
         : capability >= 8 ? "Ampere"
         : capability >= 7 ? "Volta"
         : gpu.name.find("MI300") != std::string::npos ||
                 gpu.name.find("MI325") != std::string::npos
             ? "CDNA 3"
             : "";  // no constant is fitted
}

void add_in_step(const Scenario& scenario, Precision precision, std::vector<Constant>& found) {
  const GpuSpec& gpu = scenario.cluster.gpu;
  // Boards with more watts sustain more (topologies/gpus/b300.yaml).
  const bool ultra = gpu.compute_capability > 10;
  const std::string_view width = precision == Precision::Bf16  ? "16 bit"
                                 : precision == Precision::Fp8 ? "8 bit"
                                                               : "4 bit";
  if (family(gpu).empty() || !gpu.gemm_in_step[precision]) {
    return;
  }
  found.push_back({fmt::format("in_step: {}{} {}", family(gpu), ultra ? " Ultra" : "", width),
                   *gpu.gemm_in_step[precision], 0.9, 1.25, [precision](Scenario& s, double value) {
                     PerPrecision<double>& in_step = s.cluster.gpu.gemm_in_step;
                     if (precision == Precision::Fp8 && in_step[Precision::Mxfp8]) {
                       *in_step[Precision::Mxfp8] *= value / *in_step[precision];  // as measured
                     }
                     in_step[precision] = value;
                   }});
}

std::string host_family(std::string_view profile) {
  constexpr std::array<std::string_view, 4> kEager{"pytorch", "pytorch-fsdp1", "llm-foundry",
                                                   "huggingface"};
  constexpr std::array<std::string_view, 9> kMegatron{
      "megatron-2020",      "megatron-2022", "megatron-core", "megatron-bridge", "nemo",
      "megatron-deepspeed", "gpt-neox",      "internevo",     "paddle"};
  const auto is_in = [&](const auto& names) {
    return std::find(names.begin(), names.end(), profile) != names.end();
  };
  return is_in(kEager) ? "PyTorch" : is_in(kMegatron) ? "Megatron" : std::string(profile);
}

/// The constants that a run depends on.
std::vector<Constant> constants_of(const Scenario& scenario) {
  std::vector<Constant> found;
  const TrainingSpec& training = scenario.workload.training;
  add_in_step(scenario, Precision::Bf16, found);  // in narrow runs too: attention, the head
  if (is_narrow(training.precision)) {
    add_in_step(scenario, training.precision == Precision::Fp4 ? Precision::Fp4 : Precision::Fp8,
                found);
  }
  const HostSpec& host = scenario.workload.host;
  const std::string of = host_family(training.framework);
  if (host.launch > Seconds{} && !of.ends_with("-compiled")) {  // whose launch is assumed
    const double ratio = host.exchange / host.launch;
    found.push_back({fmt::format("launch, us: {}", of), host.launch.value * 1e6, 50, 1.5,
                     [ratio](Scenario& s, double value) {
                       s.workload.host.launch = Seconds{value * 1e-6};
                       s.workload.host.exchange = Seconds{value * 1e-6 * ratio};
                     },
                     /*launch=*/true});
    if (host.launch_again && training.recompute == Recompute::Full) {
      found.push_back(
          {fmt::format("launch again, us: {}", of), host.launch_again->value * 1e6, 50, 1.5,
           [](Scenario& s, double value) { s.workload.host.launch_again = Seconds{value * 1e-6}; },
           /*launch=*/false, /*bound=*/0});
    }
  }
  return found;
}

using Constants = std::map<std::string, double>;

/// How ln(time) of a row depends on a constant, x steps from what is shipped.
struct Response {
  double slope = 0, curve = 0;  // a x + b x^2
  double at(double x) const { return slope * x + curve * x * x; }
};

struct Row {
  Conversion run;
  std::string publisher;
  std::vector<Constant> constants;
  bool fits = true;    // it has a part in the fit
  double shipped = 0;  // ln(time) as played for that
  std::vector<Response> responses;

  double steps(std::size_t i, const Constants& at) const {
    const auto found = at.find(constants[i].name);
    return found == at.end()
               ? 0
               : std::log(found->second / constants[i].shipped) / std::log(constants[i].step);
  }
  /// Whether its time says something of that constant.
  bool tells(std::size_t i) const {
    return fits && std::abs(responses[i].slope) >= constants[i].bound * std::log(constants[i].step);
  }
  double log_error(const Constants& at) const {
    double time = shipped;
    for (std::size_t i = 0; i < constants.size(); ++i) {
      time += responses[i].at(steps(i, at));
    }
    return time - std::log(run.published_step_s);
  }
  Scenario scenario(const Constants& at) const {
    Scenario changed = *run.scenario;
    for (const Constant& constant : constants) {
      if (const auto found = at.find(constant.name); found != at.end()) {
        constant.set(changed, found->second);
      }
    }
    return changed;
  }
};

/// "mlcommons" of "mlcommons/training_results_v5.0@0fdc28f013": what one publisher says is not
/// independent.
std::string publisher_of(const std::string& source) {
  return source.substr(0, source.find('/'));
}

std::vector<Row> read_rows(const std::string& file, const LoadOptions& load) {
  const CsvTable table = read_csv(file);
  std::vector<Row> rows;
  std::set<std::tuple<std::string, std::string, double, std::string>> known;
  for (const CsvRow& line : table.rows()) {
    Conversion run = convert(table, line, load);
    if (run.scenario &&
        known.insert({run.source, run.date, run.published_step_s, run.yaml}).second) {
      std::vector<Constant> constants = constants_of(*run.scenario);
      std::string publisher = publisher_of(run.source);
      rows.push_back({std::move(run), std::move(publisher), std::move(constants), 0, {}});
    }
  }
  return rows;
}

// ---- plays ----------------------------------------------------------------------------------

/// Seconds; none of a step that did not end.
std::vector<std::optional<double>> play(const std::vector<Scenario>& scenarios,
                                        const SessionOptions& options) {
  std::vector<const Scenario*> list;
  for (const Scenario& scenario : scenarios) {
    list.push_back(&scenario);
  }
  std::vector<std::optional<double>> seconds;
  for (const Played& played : play_rows(list, options)) {
    seconds.push_back(played.ended() ? std::optional(played.timeline.end.value) : std::nullopt);
  }
  return seconds;
}

/// Times that were played before, by row and what was changed.
class Cache {
 public:
  explicit Cache(std::string file) : file_(std::move(file)) {
    std::ifstream in(file_);
    for (std::string line; std::getline(in, line);) {
      const std::size_t at = line.rfind(',');
      known_[line.substr(0, at)] = std::stod(line.substr(at + 1));
    }
  }
  std::optional<double> find(const std::string& key) const {
    const auto found = known_.find(key);
    return found == known_.end() ? std::nullopt : std::optional(found->second);
  }
  void add(const std::string& key, double time) {
    known_[key] = time;
    if (!file_.empty()) {
      std::ofstream(file_, std::ios::app) << fmt::format("{},{}\n", key, time);
    }
  }

 private:
  std::string file_;
  std::map<std::string, double> known_;
};

/// Plays the scenarios and keeps their times by their keys.
void play_all(const std::vector<Scenario>& scenarios, const std::vector<std::string>& keys,
              const SessionOptions& options, Cache& cache) {
  constexpr std::size_t kAtOnce = 200;  // then they are stored
  for (std::size_t from = 0; from < keys.size(); from += kAtOnce) {
    const std::size_t to = std::min(from + kAtOnce, keys.size());
    const std::vector<std::optional<double>> times =
        play({scenarios.begin() + static_cast<std::ptrdiff_t>(from),
              scenarios.begin() + static_cast<std::ptrdiff_t>(to)},
             options);
    for (std::size_t i = from; i < to; ++i) {
      cache.add(keys[i], times[i - from].value_or(0));
    }
  }
}

/// Fills in how the rows depend on their constants. Those that are too large for that do not fit.
void find_responses(std::vector<Row>& rows, Cache& cache) {
  SessionOptions small;
  small.tasks.most = 5e4;
  std::vector<std::string> keys;
  std::vector<Scenario> scenarios;
  const auto want = [&](const Row& row, const std::string& name, double value) {
    std::string key = fmt::format("{} {} {:.6g}", row.run.id, name, value);
    if (!cache.find(key)) {
      scenarios.push_back(row.scenario({{name, value}}));
      keys.push_back(key);
    }
    return key;
  };
  const auto each = [&](const auto& with) {
    for (Row& row : rows) {
      std::vector<std::string> of{want(row, "", 1)};
      for (const Constant& constant : row.constants) {
        of.push_back(want(row, constant.name, constant.shipped / constant.step));
        of.push_back(want(row, constant.name, constant.shipped * constant.step));
      }
      with(row, of);
    }
  };
  each([](Row&, const std::vector<std::string>&) {});
  play_all(scenarios, keys, small, cache);
  each([&](Row& row, const std::vector<std::string>& of) {
    const auto time = [&](std::size_t i) { return std::log(cache.find(of[i]).value_or(0)); };
    row.shipped = time(0);
    row.fits = std::isfinite(row.shipped);
    for (std::size_t i = 0; i < row.constants.size(); ++i) {
      const double below = time(1 + 2 * i) - row.shipped;
      const double above = time(2 + 2 * i) - row.shipped;
      row.responses.push_back({(above - below) / 2, (above + below) / 2});
    }
  });
}

// ---- the fit --------------------------------------------------------------------------------

/// A constant and the rows that tell it.
struct Used {
  Constant constant;
  std::vector<const Row*> rows;

  bool told() const {
    const std::size_t least = constant.bound == 0 ? 1 : constant.launch ? kTellingLaunch : kTelling;
    return rows.size() >= least;
  }
};

/// The mean of the launches that are told, for those that are not.
void pool_launches(const std::map<std::string, Used>& used, Constants& constants) {
  double sum = 0;
  int told = 0;
  for (const auto& [name, of] : used) {
    if (of.constant.launch && of.told()) {
      sum += std::log(constants.at(name));
      ++told;
    }
  }
  for (const auto& [name, of] : used) {
    if (of.constant.launch && !of.told() && told > 0) {
      constants.at(name) = std::exp(sum / told);
    }
  }
}

Constants fit(const std::vector<Row>& rows, const std::string& without) {
  Constants constants;
  std::map<std::string, Used> used;
  std::map<std::string, int> counts;
  for (const Row& row : rows) {
    counts[row.publisher] += row.fits ? 1 : 0;
    for (std::size_t i = 0; i < row.constants.size(); ++i) {
      const Constant& constant = row.constants[i];
      constants[constant.name] = constant.unknown;
      used[constant.name].constant = constant;
      if (row.publisher != without && row.tells(i)) {
        used[constant.name].rows.push_back(&row);
      }
    }
  }
  const auto loss = [&](const std::vector<const Row*>& members) {
    double sum = 0;
    for (const Row* row : members) {
      const double x = row->log_error(constants) / 0.2;
      sum += x * x / (1 + x * x) / std::sqrt(counts.at(row->publisher));
    }
    return sum;
  };
  constexpr int kValues = 60;  // either way
  bool improved = true;
  for (int sweep = 0; improved && sweep < 20; ++sweep) {
    improved = false;
    for (const auto& [name, of] : used) {
      if (!of.told()) {
        continue;
      }
      double& value = constants.at(name);
      double best = value;
      double least = loss(of.rows) - 1e-9;
      for (int i = -kValues; i <= kValues; ++i) {
        value = of.constant.shipped * std::pow(of.constant.step, kRange * i / kValues);
        if (const double now = loss(of.rows); now < least) {
          least = now;
          best = value;
          improved = true;
        }
      }
      value = best;
    }
    pool_launches(used, constants);
  }
  return constants;
}

// ---- what is printed ------------------------------------------------------------------------

using Points = std::vector<ValidationPoint>;

/// The rows played with those constants.
Points points_of(const std::vector<Row>& rows, Cache& cache,
                 const std::function<const Constants&(const Row&)>& constants) {
  std::vector<std::string> keys;
  std::vector<std::string> missing;
  std::vector<Scenario> scenarios;
  for (const Row& row : rows) {
    std::string key = row.run.id + " in full";
    for (const Constant& constant : row.constants) {
      const auto found = constants(row).find(constant.name);
      key +=
          fmt::format(" {:.6g}", found == constants(row).end() ? constant.shipped : found->second);
    }
    if (!cache.find(key)) {
      missing.push_back(key);
      scenarios.push_back(row.scenario(constants(row)));
    }
    keys.push_back(std::move(key));
  }
  play_all(scenarios, missing, {}, cache);
  Points points;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (const double time = cache.find(keys[i]).value_or(0); time > 0) {
      const Conversion& run = rows[i].run;
      points.push_back(
          {.id = run.id,
           .device = run.device,
           .source = rows[i].publisher,
           .published = run.published_step_s,
           .simulated = time,
           .kind = std::string(kind_of_plan(run.scenario->workload,
                                            run.scenario->cluster.topology.gpus_per_node))});
    }
  }
  return points;
}

void print_line(std::string_view name, const ErrorStatistics& of) {
  fmt::print("{:<48} {:>6} {:>7.1f} % {:>7.1f} % {:>+7.1f} %\n", name, of.rows,
             100 * of.median_abs.value_or(0), 100 * of.p90_abs.value_or(0),
             100 * of.mean.value_or(0));
}

void print_points(std::string_view heading, const Points& points, bool groups) {
  fmt::print("\n{:<48} {:>6} {:>9} {:>9} {:>9}\n", heading, "rows", "median", "p90", "mean");
  if (groups) {
    for (const auto group :
         {&ValidationPoint::source, &ValidationPoint::device, &ValidationPoint::kind}) {
      for (const auto& [name, of] : error_statistics_by(points, group)) {
        print_line("  " + name, of);
      }
    }
  }
  print_line("all", error_statistics(points));
}

void write_left_out(const std::string& file, const Points& shipped, const Points& left_out) {
  std::string text = "id,publisher,shipped,left_out\n";
  for (const ValidationPoint& point : left_out) {
    const auto same = std::find_if(shipped.begin(), shipped.end(),
                                   [&](const ValidationPoint& of) { return of.id == point.id; });
    if (same != shipped.end()) {
      text += fmt::format("{},\"{}\",{:.6g},{:.6g}\n", point.id, point.source, same->simulated,
                          point.simulated);
    }
  }
  std::ofstream(file) << text;
}

int run(const std::string& table, const std::string& topologies, const std::string& stored,
        const std::string& left_out_file) {
  std::vector<Row> rows = read_rows(table, {topologies, {}});
  Cache cache(stored);
  find_responses(rows, cache);
  const Constants all = fit(rows, "");
  std::map<std::string, Constants> left_out;
  for (const Row& row : rows) {
    if (!left_out.contains(row.publisher)) {
      left_out[row.publisher] = fit(rows, row.publisher);
    }
  }
  fmt::print("{:<34} {:>9} {:>9}   without each publisher\n", "Constants", "shipped", "fitted");
  for (const auto& [name, value] : all) {
    double shipped = 0;
    std::set<std::string> publishers;
    for (const Row& row : rows) {
      for (const Constant& constant : row.constants) {
        if (constant.name == name) {
          shipped = constant.shipped;
          publishers.insert(row.publisher);
        }
      }
    }
    double least = value;
    double most = value;
    for (const std::string& publisher : publishers) {
      least = std::min(least, left_out.at(publisher).at(name));
      most = std::max(most, left_out.at(publisher).at(name));
    }
    fmt::print("  {:<32} {:>9.3g} {:>9.3g}   {:.3g} to {:.3g}, {} publishers\n", name, shipped,
               value, least, most, publishers.size());
  }
  const Constants none;
  const auto print = [&](std::string_view heading, bool groups, const auto& constants) {
    const Points points = points_of(rows, cache, constants);
    print_points(heading, points, groups);
    std::fflush(stdout);
    return points;
  };
  const Points shipped = print("In sample, constants as shipped", false,
                               [&](const Row&) -> const Constants& { return none; });
  print("In sample, constants as fitted", false,
        [&](const Row&) -> const Constants& { return all; });
  const Points predicted =
      print("Each publisher predicted from the others", true,
            [&](const Row& row) -> const Constants& { return left_out.at(row.publisher); });
  if (!left_out_file.empty()) {
    write_left_out(left_out_file, shipped, predicted);
  }
  return *error_statistics(predicted).median_abs <= kMostMedian ? 0 : 1;
}

}  // namespace
}  // namespace danlu

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::string left_out;
  if (words.size() >= 2 && words[words.size() - 2] == "--left-out") {
    left_out = words.back();
    words.resize(words.size() - 2);
  }
  if (words.size() < 2 || words.size() > 3) {
    fmt::print(stderr, "usage: fit_training TABLE.csv TOPOLOGIES [CACHE.csv] [--left-out FILE]\n");
    return 2;
  }
  words.resize(3);
  return danlu::run(words[0], words[1], words[2], left_out);
}
