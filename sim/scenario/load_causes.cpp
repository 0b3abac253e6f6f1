// The causes of a faults section, and the events that it lists.
//
// A component's mean time between failures m comes from one of three keys. With n components in the
// cluster, N nodes, and in the observed one n' components during the time T:
//
//   mtbf: m              m
//   observed: f          m = T n' / f          (n' its GPUs, or its nodes)
//   per_1000_node_days   m = n x 1000 d / (N x rate)
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/csv.hpp"
#include "sim/base/text.hpp"
#include "sim/cluster/fabrics.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/load_cluster.hpp"
#include "sim/scenario/load_faults.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// One cause of faults. One class, since its checks relate most of its keys to each other.
class CauseReader {
 public:
  CauseReader(const Values& values, std::string name, const ClusterSpec& cluster,
              std::vector<Problem>& problems)
      : values_(values),
        get_(values, faults_keys()),
        name_(std::move(name)),
        cluster_(cluster),
        problems_(problems) {
    const TopologySpec& topology = cluster.topology;
    nodes_ = (cluster.gpus + topology.gpus_per_node - 1) / topology.gpus_per_node;
  }

  FaultCause read(CauseId id, std::vector<SlowState>& states) {
    component_ = get_.choice<Component>(path("component"));
    FaultCause cause{.name = name_};
    cause.component = row_named(component_).shown;
    cause.nodes = layout_of(component_, cluster_, nodes_).nodes;
    get_.fill(cause, section());
    if (!has("count")) {
      const ComponentLayout layout = layout_of(component_, cluster_, nodes_, cause.nodes);
      cause.count = layout.count;
      cause.beside = layout.beside;
      cause.apart = layout.apart;
    }
    cause.window = read_random(values_, path("duration"), problems_);
    cause.detection = read_detection();
    read_arrivals(cause);
    read_slowness(cause, id, states);
    return cause;
  }

 private:
  std::string section() const { return fmt::format("causes.{}", name_); }
  std::string path(std::string_view key) const { return fmt::format("{}.{}", section(), key); }
  bool has(std::string_view key) const { return values_.has(path(key)); }
  void add(std::string_view key, std::string message, std::string hint = "") {
    problems_.push_back(values_.problem(path(key), std::move(message), std::move(hint)));
  }

  /// Of what all causes share, once.
  void complain(const std::string& at, const std::string& message, const std::string& hint) {
    const bool shared = at.starts_with("detection.");
    const bool said = std::any_of(problems_.begin(), problems_.end(), [&](const Problem& problem) {
      return problem.message == message;
    });
    if (!shared || !said) {
      problems_.push_back(values_.problem(at, message, hint));
    }
  }

  /// Mean time between failures of one component; none if it fails only when an event says so.
  std::optional<double> mean_time(const FaultCause& cause) {
    if (has("mtbf")) {
      return get_.number(path("mtbf"));
    }
    const double never = std::numeric_limits<double>::infinity();
    if (has("per_1000_node_days")) {
      const double rate = get_.number(path("per_1000_node_days"));
      return rate > 0 ? cause.count * 1000 * kDay / (nodes_ * rate) : never;
    }
    if (!has("observed")) {
      return std::nullopt;
    }
    if (!get_.has("observed.gpus") || !get_.has("observed.time")) {
      add("observed", "a count says nothing without 'observed.gpus' and 'observed.time'",
          "the cluster on which, and the time in which so many failures were counted");
      return std::nullopt;
    }
    const double observed = components_observed(cause);
    const double failures = get_.number(path("observed"));
    return failures > 0 ? get_.number("observed.time") * observed / failures : never;
  }

  /// How many components of the cause the observed cluster had: racks and leaves whole, others, and
  /// those whose count is given, for each GPU or node as many as here.
  double components_observed(const FaultCause& cause) {
    if (component_ == Component::Job) {
      return 1;
    }
    const double gpus = get_.number("observed.gpus");
    const double nodes = gpus / get_.number("observed.gpus_per_node");
    if (!has("count") && (component_ == Component::Rack || component_ == Component::Leaf)) {
      return layout_of(component_, cluster_, static_cast<int>(std::ceil(nodes)), cause.nodes).count;
    }
    const bool by_gpu = component_ == Component::Gpu || component_ == Component::Nic;
    return by_gpu ? cause.count / cluster_.gpus * gpus : cause.count / nodes_ * nodes;
  }

  void read_arrivals(FaultCause& cause) {
    if (std::count_if(kRateKeys.begin(), kRateKeys.end(), [&](auto key) { return has(key); }) > 1) {
      add("", fmt::format("cause '{}' has its rate twice", name_),
          "one of mtbf, observed and per_1000_node_days");
    }
    const std::optional<double> mean = mean_time(cause);
    if (!mean || std::isinf(*mean) || !get_.flag("random")) {
      return;
    }
    Arrivals& arrivals = cause.arrivals;
    get_.fill(arrivals, section());
    const bool one_clock =
        arrivals.kind == Arrivals::Kind::Periodic
            ? !has("mtbf")
            : arrivals.kind == Arrivals::Kind::Weibull && arrivals.clock == Arrivals::Clock::Job;
    arrivals.mean = Seconds{one_clock ? *mean / cause.count : *mean};
  }

  Detection read_detection() {
    const std::string own = path("detection");
    const std::string at = values_.has_below(own + ".") ? own : "detection";
    Detection detection;
    get_.fill(detection, at);
    detection.delay = read_random(values_, at, problems_);
    const bool heartbeat = detection.kind == Detection::Kind::Heartbeat;
    const bool no_period = heartbeat && detection.period.value == 0;
    const bool no_timeout =
        detection.kind != Detection::Kind::Delay && detection.timeout.value == 0;
    if (no_period) {
      complain(at + ".by", "a heartbeat needs 'period'", "for example period: 30 s");
    }
    if (no_timeout) {
      complain(at + ".by", "a heartbeat or watchdog needs 'timeout'",
               "for example timeout: 10 min");
    }
    return no_period || no_timeout ? Detection{} : detection;  // it has been complained about
  }

  void read_slowness(FaultCause& cause, CauseId id, std::vector<SlowState>& states) {
    if (cause.effect != FaultCause::Effect::Degrade) {
      return;
    }
    const bool played = has("slow_gpu") || has("slow_nic") || has("slow_scale_up");
    if (has("slowdown")) {
      cause.slowdown = get_.number(path("slowdown"));
      if (played) {
        add("slowdown", fmt::format("cause '{}' has its slowdown twice", name_),
            "either the factor, or what is slow, to be simulated");
      }
    } else if (played) {
      const bool of_nics =
          component_ == Component::Nic ||
          (component_ != Component::Gpu && !has("slow_gpu") && !has("slow_scale_up"));
      get_.fill(states.emplace_back(SlowState{.cause = id, .of_nics = of_nics}), section());
    }
  }

  const Values& values_;
  Getter get_;
  std::string name_;
  const ClusterSpec& cluster_;
  std::vector<Problem>& problems_;
  int nodes_ = 1;
  Component component_ = Component::Node;
};

/// The cause called `name`, or what to say of it.
std::optional<CauseId> find_cause(std::string_view name,
                                  const IdVector<CauseId, FaultCause>& causes, Problem& asked) {
  std::vector<std::string_view> names;
  for (const CauseId id : causes.ids()) {
    if (causes[id].name == name) {
      return id;
    }
    names.emplace_back(causes[id].name);
  }
  const std::string_view near = nearest(name, names);
  asked.message = fmt::format("unknown cause '{}'", shown(name));
  asked.hint = !near.empty()   ? fmt::format("did you mean '{}'?", near)
               : names.empty() ? "name it below causes"
                               : fmt::format("known: {}", join(names, ", "));
  return std::nullopt;
}

/// Says so where an event is out of order or strikes what is not there.
bool is_wrong(const FaultEvent& event, const std::vector<FaultEvent>& before,
              const IdVector<CauseId, FaultCause>& causes, Problem& asked) {
  const FaultCause& cause = causes[event.cause];
  if (!before.empty() && event.at < before.back().at) {
    asked.message = "this event comes before the one above it";
    asked.hint = "events stand in the order of time";
  } else if (event.component >= cause.count) {
    asked.message = fmt::format("there is no {} {}: the job has 0 to {:.0f}", cause.component,
                                event.component, cause.count - 1);
  } else {
    return false;
  }
  return true;
}

class TraceReader {
 public:
  TraceReader(const fs::path& file, const IdVector<CauseId, FaultCause>& causes)
      : table_(read_csv(file, std::array<std::string_view, 2>{"time", "cause"})), causes_(causes) {}

  std::vector<FaultEvent> read(std::vector<Problem>& problems) const {
    std::vector<FaultEvent> events;
    if (!has_its_columns(problems)) {
      return events;
    }
    for (const CsvRow& row : table_.rows()) {
      Problem asked{{table_.file(), row.line, 1}, "", "", ""};
      const std::optional<FaultEvent> event = read_row(row, asked);
      if (event) {
        asked.position = table_.problem(row, "time", "").position;
      }
      if (!event || is_wrong(*event, events, causes_, asked)) {
        problems.push_back(std::move(asked));
        return events;
      }
      events.push_back(*event);
    }
    return events;
  }

 private:
  static constexpr std::array<std::string_view, 4> kColumns{"time", "cause", "component",
                                                            "duration"};

  bool has_its_columns(std::vector<Problem>& problems) const {
    const std::string known = fmt::format("columns: {}", join(kColumns, ", "));
    const std::size_t before = problems.size();
    for (const CsvCell& cell : table_.header().cells) {
      if (std::find(kColumns.begin(), kColumns.end(), cell.text) == kColumns.end()) {
        const std::string_view near = nearest(cell.text, kColumns);
        problems.push_back(
            {{table_.file(), cell.line, cell.column},
             fmt::format("unknown column '{}'", shown(cell.text)),
             near.empty() ? known : fmt::format("did you mean '{}'? {}", near, known),
             ""});
      }
    }
    for (const std::string_view column : {kColumns[0], kColumns[1]}) {
      if (!table_.has_column(column)) {
        problems.push_back(
            {{table_.file(), 1, 1}, fmt::format("missing column '{}'", column), known, ""});
      }
    }
    return problems.size() == before;
  }

  /// The time in a column, or what to say of it.
  std::optional<Seconds> time(const CsvRow& row, std::string_view column, Problem& asked) const {
    const std::string_view cell = table_.cell(row, column);
    asked.position = table_.problem(row, column, "").position;
    const std::optional<ParsedQuantity> parsed = parse_quantity(cell, Dimension::Duration);
    if (!parsed || parsed->value < 0) {
      asked.message =
          fmt::format("'{}' must be a duration with its unit, found '{}'", column, shown(cell));
      asked.hint = fmt::format("units: {}", accepted_units(Dimension::Duration));
      return std::nullopt;
    }
    return Seconds{parsed->value};
  }

  std::optional<FaultEvent> read_row(const CsvRow& row, Problem& asked) const {
    const std::optional<Seconds> at = time(row, "time", asked);
    asked.position = table_.problem(row, at ? "cause" : "time", "").position;
    const std::optional<CauseId> cause =
        at ? find_cause(table_.cell(row, "cause"), causes_, asked) : std::nullopt;
    if (!cause) {
      return std::nullopt;
    }
    FaultEvent event{.at = *at, .cause = *cause};
    if (const std::string_view cell = table_.cell(row, "component"); !cell.empty()) {
      asked.position = table_.problem(row, "component", "").position;
      const double number = parse_number(cell).value_or(-1);
      if (number < 0 || number > 1e9 || number != std::floor(number)) {
        asked.message = fmt::format("'component' must be a whole number, found '{}'", shown(cell));
        return std::nullopt;
      }
      event.component = static_cast<int>(number);
    }
    if (!table_.cell(row, "duration").empty()) {
      const std::optional<Seconds> window = time(row, "duration", asked);
      if (!window) {
        return std::nullopt;
      }
      const FaultCause& of = causes_[*cause];
      if (of.effect == FaultCause::Effect::Stop) {
        asked.message = fmt::format("'duration' has no effect: 'faults.causes.{}.effect' is {}",
                                    of.name, name_of(of.effect));
        asked.hint = "leave the cell empty";
        return std::nullopt;
      }
      event.window = *window;
    }
    return event;
  }

  CsvTable table_;
  const IdVector<CauseId, FaultCause>& causes_;
};

void read_listed(const Values& values, const IdVector<CauseId, FaultCause>& causes,
                 std::vector<FaultEvent>& events, std::vector<Problem>& problems) {
  for (std::size_t i = 0; values.has_below(fmt::format("events.{}.", i)); ++i) {
    const std::string at = fmt::format("events.{}.", i);
    bool whole = true;
    for (const char* key : {"time", "cause"}) {
      if (!values.has(at + key)) {
        whole = false;
        if (values.misses(at + key)) {
          problems.push_back(values.problem(at + key,
                                            fmt::format("missing key 'faults.{}{}'", at, key),
                                            "{time: 3 h, cause: NAME}"));
        }
      }
    }
    if (!whole) {
      return;
    }
    Problem asked = values.problem(at + "cause", "");
    const std::optional<CauseId> cause = find_cause(values.at(at + "cause").text, causes, asked);
    if (!cause) {
      problems.push_back(std::move(asked));
      return;
    }
    FaultEvent event{.cause = *cause};
    Getter(values, faults_keys()).fill(event, fmt::format("events.{}", i));
    Problem wrong = values.problem(at + "time", "");
    if (is_wrong(event, events, causes, wrong)) {
      problems.push_back(std::move(wrong));
      return;
    }
    events.push_back(event);
  }
}

}  // namespace

ComponentLayout layout_of(Component component, const ClusterSpec& cluster, int nodes,
                          int together) {
  const TopologySpec& topology = cluster.topology;
  switch (component) {
    case Component::Gpu: {
      const int last = nodes == cluster.nodes() ? cluster.gpus : nodes * topology.gpus_per_node;
      return {.count = static_cast<double>(last), .beside = topology.gpus_per_node};
    }
    case Component::Nic:
      return {.count = static_cast<double>(nodes) * topology.nics_per_node,
              .beside = topology.nics_per_node};
    case Component::Node:
      return {.count = static_cast<double>(nodes)};
    case Component::Rack: {
      constexpr int kRack = 4;
      const int of_rack = together > 0 ? together : std::min(kRack, nodes);
      return {.count = std::ceil(static_cast<double>(nodes) / of_rack),
              .nodes = of_rack,
              .apart = of_rack};
    }
    case Component::Leaf: {
      const LeafLayout leaves = leaf_layout(topology, nodes);
      return {.count = static_cast<double>(leaves.groups) * leaves.leaves,
              .nodes = std::min(leaves.nodes, nodes),
              .beside = leaves.leaves,
              .apart = leaves.nodes};
    }
    case Component::Job:
      break;
  }
  return {.nodes = 0};
}

Duration read_random(const Values& values, const std::string& path,
                     std::vector<Problem>& problems) {
  Duration duration;
  if (values.has(path + ".samples")) {
    duration.kind = Duration::Kind::Empirical;
    double sum = 0;
    for (const double sample : values.at(path + ".samples").numbers) {
      duration.samples.push_back({sample});
      sum += sample;
    }
    duration.mean = {sum / static_cast<double>(duration.samples.size())};
    return duration;
  }
  Getter(values, faults_keys()).fill(duration, path);
  const bool needs_shape =
      duration.kind == Duration::Kind::LogNormal || duration.kind == Duration::Kind::Weibull;
  if (needs_shape && values.misses(path + ".shape")) {
    problems.push_back(values.problem(path + ".distribution", "this distribution needs 'shape'",
                                      "log-normal: the standard deviation of the logarithm; "
                                      "Weibull: k"));
  }
  return duration;
}

IdVector<CauseId, FaultCause> read_causes(const Values& values, const ClusterSpec& cluster,
                                          std::vector<SlowState>& states,
                                          std::vector<Problem>& problems) {
  IdVector<CauseId, FaultCause> causes;
  for (const std::string& name : values.names("causes")) {
    CauseReader reader(values, name, cluster, problems);
    causes.push_back(reader.read(causes.next_id(), states));
  }
  return causes;
}

void check_durations(const Values& values, const IdVector<CauseId, FaultCause>& causes,
                     const std::vector<FaultEvent>& events, std::vector<Problem>& problems) {
  for (const CauseId id : causes.ids()) {
    const FaultCause& cause = causes[id];
    const std::string section = fmt::format("causes.{}.", cause.name);
    if (cause.effect == FaultCause::Effect::Stop || values.has_below(section + "duration.")) {
      continue;
    }
    const auto is_of_it = [&](const FaultEvent& event) { return event.cause == id; };
    const bool all_told = std::any_of(events.begin(), events.end(), is_of_it) &&
                          std::all_of(events.begin(), events.end(), [&](const FaultEvent& event) {
                            return !is_of_it(event) || event.window < kNever;
                          });
    if (cause.arrivals.kind != Arrivals::Kind::None || !all_told) {
      problems.push_back(values.problem(
          section + "effect", fmt::format("cause '{}' has this effect and no duration", cause.name),
          "for example duration: 10 min; or, without random ones, one for each of its events"));
    }
  }
}

std::vector<FaultEvent> read_events(const Values& values,
                                    const IdVector<CauseId, FaultCause>& causes,
                                    const fs::path& beside, std::vector<Problem>& problems) {
  std::vector<FaultEvent> events;
  read_listed(values, causes, events, problems);
  if (!values.has("trace")) {
    return events;
  }
  Problem asked = values.problem("trace", "");
  const std::string& name = values.at("trace").text;
  const bool in_file = asked.position.line > 0;  // and not on the command line
  const fs::path file = (in_file ? fs::path(asked.position.file).parent_path() : beside) / name;
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    asked.message = no_file(name, "trace", file.parent_path());
    asked.hint = "a path starts at the folder of the file that holds it";
    problems.push_back(std::move(asked));
    return events;
  }
  const std::vector<FaultEvent> traced = TraceReader(file, causes).read(problems);
  events.insert(events.end(), traced.begin(), traced.end());
  std::stable_sort(events.begin(), events.end(),
                   [](const FaultEvent& a, const FaultEvent& b) { return a.at < b.at; });
  return events;
}

}  // namespace danlu
