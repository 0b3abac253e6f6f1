// danlu collective: one collective on a topology, size by size, in the columns of nccl-tests.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/collective/transfers.hpp"
#include "sim/engine/engine.hpp"
#include "sim/scenario/idle_fabric.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/effort.hpp"
#include "sim/tasks/collective_graph.hpp"
#include "src/commands.hpp"
#include "src/session.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> kFewerMessages{
    "--collectives steady plays each phase as one flow",
    "fewer --gpus or sizes (--min, --max, --factor) make fewer messages"};

/// What one line of the result is made of.
struct Line {
  Bytes size;
  std::vector<Offer> offers;
  PlannedCollective planned;
  Seconds time;
  Limit limit;
};

/// The value that `text` names; the names are listed, after `known`, when it is none of them.
template <typename Enum>
Enum read_name(const std::string& option, const std::string& text,
               std::vector<std::string_view> known = {}) {
  const std::optional<Enum> found = value_named<Enum>(text);
  if (!found) {
    for (const auto& row : kNames<Enum>) {
      known.push_back(row.name);
    }
    const std::string_view near = nearest(text, known);
    refuse(option, fmt::format("unknown value '{}'", shown(text)),
           near.empty() ? fmt::format("known: {}", join(known, ", "))
                        : fmt::format("did you mean '{}'?", near));
  }
  return *found;
}

/// The same where the text may be `auto`, which is nothing.
template <typename Enum>
std::optional<Enum> read_unless_auto(const std::string& option, const std::string& text) {
  constexpr std::string_view kAuto = "auto";
  return text == kAuto ? std::nullopt : std::optional(read_name<Enum>(option, text, {kAuto}));
}

Bytes read_size(const std::string& option, const std::string& text) {
  const std::optional<ParsedQuantity> size = parse_quantity(text, Dimension::Size);
  if (!size && parse_number(text)) {
    refuse(option, fmt::format("a size needs its unit, found '{}'", shown(text)),
           fmt::format("for example '{} KiB'; units: {}", shown(text),
                       accepted_units(Dimension::Size)));
  }
  if (!size || size->value < 1 || size->value > 1e15) {
    refuse(option, fmt::format("expected a size from 1 B to 1000 TB, found '{}'", shown(text)),
           fmt::format("a number and a unit: {}", accepted_units(Dimension::Size)));
  }
  return {size->value};
}

std::vector<Bytes> sizes_of(const CollectiveOptions& options) {
  const Bytes least = read_size("--min", options.least);
  const Bytes most = read_size("--max", options.most);
  if (most < least) {
    refuse("--max", fmt::format("{} is less than --min, {}", to_text(most), to_text(least)), "");
  }
  std::vector<Bytes> sizes;
  for (Bytes size = least; size <= most; size = size * options.factor) {
    sizes.push_back(size);
  }
  return sizes;
}

ForcedChoice read_forced(const CollectiveOptions& options) {
  return {read_unless_auto<Algorithm>("--algorithm", options.algorithm),
          read_unless_auto<Protocol>("--protocol", options.protocol)};
}

/// Says why a forced algorithm or protocol cannot be used.
void check_forced(const ForcedChoice& forced, CollectiveOp op, const Group& group,
                  const TopologySpec& topology, CollectiveMode mode) {
  const Algorithm algorithm = forced.algorithm.value_or(Algorithm::Ring);
  if (forced.algorithm) {
    const std::string obstacle = row_of(algorithm).obstacle(op, group, topology);
    if (!obstacle.empty()) {
      refuse("--algorithm", fmt::format("{} cannot be used: {}", name_of(algorithm), obstacle),
             fmt::format("it makes: {}", row_of(algorithm).ops));
    }
    if (mode == CollectiveMode::Stepwise && reduces_in_switches(algorithm)) {
      refuse("--collectives", "sums made in switches cannot be played message by message",
             "steady or formula");
    }
  }
}

/// Says which algorithms would use a forced protocol.
[[noreturn]] void refuse_protocol(const ForcedChoice& forced, CollectiveOp op, const Group& group,
                                  const TopologySpec& topology) {
  const Protocol wanted = forced.protocol.value();
  std::vector<std::string_view> fitting;
  for (const AlgorithmRow& row : algorithms()) {
    const std::vector<Protocol> used = protocols_of(row.algorithm, topology);
    if (row.obstacle(op, group, topology).empty() &&
        std::find(used.begin(), used.end(), wanted) != used.end()) {
      fitting.push_back(row.name());
    }
  }
  const std::string_view name = name_of(wanted);
  const std::string_view of_op = name_of(op);
  refuse("--protocol",
         forced.algorithm ? fmt::format("{} does not use {} here", name_of(*forced.algorithm), name)
                          : fmt::format("no algorithm for {} uses {} here", of_op, name),
         !fitting.empty() ? fmt::format("{} is used for {} by {}", name, of_op, join(fitting, ", "))
         : topology.nccl_tuning ? "only Simple: LL and LL128 are for rings and trees"
                                : "only Simple: the topology does not follow NCCL "
                                  "(collective.tuning)");
}

/// What limits the phase which takes longest.
Limit limit_of(const Cluster& cluster, const Group& group, CollectiveOp op, Bytes size,
               const PlannedCollective& planned) {
  Limit found;
  Seconds longest{-1};
  for (const Pattern& phase : planned.phases) {
    const Seconds time =
        phase_bytes(cluster.topology_among(group.ranks), planned.choice, op, group, phase, size) /
        alone_rate(cluster, phase);
    if (time > longest) {
      longest = time;
      found = phase.limit;
    }
  }
  return found;
}

/// Says what it takes to list and fold the messages of all sizes, as seen in rings of 256 and 512
/// ranks. They count as two thirds of a task each.
void check_messages(const Group& group, CollectiveOp op, const std::vector<Line>& lines,
                    const SessionOptions& session) {
  double all = 0;
  double most = 0;
  for (const Line& line : lines) {
    const double own = playable_messages(op, group, line.planned.choice.algorithm, line.size);
    all += own;
    most = std::max(most, own);
  }
  constexpr double kTasksOfMessage = 2.0 / 3;
  constexpr Seconds kTimeOfMessage{1.2e-6};
  constexpr Bytes kMemoryOfMessage{150};
  const double tasks = kTasksOfMessage * all;
  allow_tasks(
      {.what = fmt::format("stepwise there are {:.3g} messages, like {:.2g} tasks", all, tasks),
       .count = tasks,
       .time = kTimeOfMessage * all,
       .memory = kMemoryOfMessage * most,
       .ways_out = kFewerMessages},
      session);
}

/// Says what it takes to play them: SimGrid looks at all that are under way whenever one ends.
void check_flows(const CollectiveGraph& sequence, double at_once, const SessionOptions& session) {
  constexpr double kLooksOfTask = 60;  // so many take as long as a task
  const auto tasks = static_cast<double>(sequence.graph().tasks.size());
  const double weighed = tasks * (1 + at_once / kLooksOfTask);
  allow_tasks({.what = fmt::format("{:.3g} messages that are no two alike, {:.0f} of them at once, "
                                   "are like {:.2g} tasks",
                                   tasks, at_once, weighed),
               .count = weighed,
               .time = kTimeOfTask * weighed,
               .memory = {tasks * 3200},
               .ways_out = kFewerMessages},
              session);
}

/// Says what it takes to lay out a stream for every pair of GPUs, or of GPUs and nodes.
void check_pairs(const Group& group, CollectiveOp op, const ForcedChoice& forced,
                 const SessionOptions& session) {
  constexpr double kStreamsOfTask = 15;  // so many count as one
  constexpr Seconds kTimeOfStream{1e-6};
  constexpr Bytes kStream{140};  // with its route
  const Algorithm algorithm =
      forced.algorithm.value_or(op == CollectiveOp::AllToAll ? Algorithm::Direct : Algorithm::Ring);
  const bool all_pairs = algorithm == Algorithm::Direct && op != CollectiveOp::SendReceive &&
                         op != CollectiveOp::Broadcast;
  const bool all_nodes = algorithm == Algorithm::TwoLevel && op == CollectiveOp::AllToAll;
  if (!all_pairs && !all_nodes) {
    return;
  }
  const double streams =
      static_cast<double>(group.size()) * (all_pairs ? group.size() : group.node_count());
  std::vector<std::string> ways{"fewer --gpus"};
  if (op == CollectiveOp::AllToAll && all_pairs) {
    ways.emplace_back("--algorithm two-level");
  }
  allow_tasks({.what = fmt::format("{} by {} over {} GPUs has {:.3g} streams", name_of(op),
                                   name_of(algorithm), group.size(), streams),
               .count = streams / kStreamsOfTask,
               .time = kTimeOfStream * streams,
               .memory = kStream * streams,
               .ways_out = std::move(ways)},
              session);
}

/// The messages of a collective; made anew only where another size has others.
struct Messages {
  std::optional<Algorithm> algorithm;
  double count = 0;
  double at_once = 0;  // of all sizes, the most of one round that are played
  TransferList list;
  MessageFold fold;

  void fill(const Cluster& cluster, const Group& group, CollectiveOp op, Algorithm wanted,
            Bytes size) {
    const double messages = playable_messages(op, group, wanted, size);
    if (algorithm == wanted && count == messages) {
      return;
    }
    algorithm = wanted;
    count = messages;
    list = playable_transfers(op, group, wanted, size);
    fold = fold_messages(cluster, group, list, FoldMode::Exact);
    at_once = std::max(at_once, static_cast<double>(most_at_once(list, fold)));
  }
};

/// Plays the sizes one after the other and fills in their times.
void play(const Cluster& cluster, const Group& group, CollectiveOp op, CollectiveMode mode,
          std::vector<Line>& lines, const SessionOptions& session) {
  CollectiveGraph sequence(cluster);
  std::vector<TaskId> ends;
  Messages messages;
  for (const Line& line : lines) {
    if (mode == CollectiveMode::Steady) {
      ends.push_back(sequence.add_steady(group, line.planned, op, line.size));
    } else {
      const CollectiveChoice choice = line.planned.choice;
      messages.fill(cluster, group, op, choice.algorithm, line.size);
      ends.push_back(
          sequence.add_stepwise(group, choice, messages.list, messages.fold, op, line.size));
    }
  }
  if (mode == CollectiveMode::Stepwise) {
    check_flows(sequence, messages.at_once, session);
  }
  const Timeline timeline = simulate(sequence.graph());
  spdlog::info("{} tasks played", sequence.graph().tasks.size());
  Seconds before;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Seconds end = timeline.finish[ends[i]];
    lines[i].time = end - before;
    before = end;
  }
}

struct Bandwidths {
  BytesPerSecond algorithm, bus;
};
Bandwidths bandwidths(const Line& line, CollectiveOp op, int ranks) {
  const BytesPerSecond algorithm = line.size / line.time;
  return {algorithm, algorithm * bus_factor(op, ranks)};
}

/// "GPU 0 of node 0 -> NVSwitch of node 0 (sums in NVSwitch 306 GB/s)"
std::string bottleneck_text(const Cluster& cluster, const Limit& limit) {
  const std::string link = cluster.topology.link_name(limit.link);
  return limit.of == Limit::Of::Link ? link
                                     : fmt::format("{} ({})", link, describe(cluster, limit));
}

std::string text_of(const std::vector<Line>& lines, CollectiveOp op, CollectiveMode mode,
                    const Cluster& cluster) {
  const int ranks = cluster.spec.gpus;
  std::string text = fmt::format("{} over {} GPUs of {}, {}\n\n", name_of(op), ranks,
                                 cluster.spec.topology.name, name_of(mode));
  text += fmt::format("{:>14}  {:>12}  {:>9}  {:>9}  {:<18}  {:<8}  {}\n", "size", "time", "algbw",
                      "busbw", "algorithm", "protocol", "bottleneck");
  text += fmt::format("{:>14}  {:>12}  {:>9}  {:>9}\n", "B", "us", "GB/s", "GB/s");
  for (const Line& line : lines) {
    const Bandwidths bandwidth = bandwidths(line, op, ranks);
    text +=
        fmt::format("{:>14.0f}  {:>12.2f}  {:>9.2f}  {:>9.2f}  {:<18}  {:<8}  {}\n",
                    line.size.value, line.time.value * 1e6, bandwidth.algorithm.value / 1e9,
                    bandwidth.bus.value / 1e9, name_of(line.planned.choice.algorithm),
                    name_of(line.planned.choice.protocol), bottleneck_text(cluster, line.limit));
  }
  return text;
}

bool is_taken(const Line& line, const Offer& offer) {
  return offer.choice.algorithm == line.planned.choice.algorithm &&
         offer.choice.protocol == line.planned.choice.protocol;
}

/// What there was to choose from, size by size: by NCCL's estimate and by the closed form.
std::string choices_text(const std::vector<Line>& lines) {
  std::string text = fmt::format(
      "\nThe choice\n{:>14}  {:<18}  {:<8}  {:>12}  {:>12}\n{:>14}  {:<18}  {:<8}  {:>12}  "
      "{:>12}\n",
      "size", "algorithm", "protocol", "NCCL expects", "danlu", "B", "", "", "us", "us");
  for (const Line& line : lines) {
    for (const Offer& offer : line.offers) {
      const std::string estimate =
          offer.estimate ? fmt::format("{:.2f}", offer.estimate->value * 1e6) : "-";
      text += fmt::format("{:>14.0f}  {:<18}  {:<8}  {:>12}  {:>12.2f}{}\n", line.size.value,
                          name_of(offer.choice.algorithm), name_of(offer.choice.protocol), estimate,
                          offer.alone.value * 1e6, is_taken(line, offer) ? "  taken" : "");
    }
  }
  return text;
}

Json choices_json(const Line& line) {
  Json json = Json::array();
  for (const Offer& offer : line.offers) {
    json.push_back(
        {{"algorithm", name_of(offer.choice.algorithm)},
         {"protocol", name_of(offer.choice.protocol)},
         {"nccl_estimate_s", offer.estimate ? Json(offer.estimate->value) : Json(nullptr)},
         {"formula_s", offer.alone.value},
         {"taken", is_taken(line, offer)}});
  }
  return json;
}

Json json_of(const std::vector<Line>& lines, CollectiveOp op, CollectiveMode mode,
             const Cluster& cluster) {
  Json json{{"schema", "danlu.collective/1"},
            {"op", name_of(op)},
            {"topology", cluster.spec.topology.name},
            {"gpus", cluster.spec.gpus},
            {"collectives", name_of(mode)},
            {"notes", notes_of(cluster)},
            {"points", Json::array()}};
  for (const Line& line : lines) {
    const Bandwidths bandwidth = bandwidths(line, op, cluster.spec.gpus);
    json["points"].push_back({{"size_bytes", line.size.value},
                              {"time_s", line.time.value},
                              {"algbw_bytes_per_s", bandwidth.algorithm.value},
                              {"busbw_bytes_per_s", bandwidth.bus.value},
                              {"algorithm", name_of(line.planned.choice.algorithm)},
                              {"protocol", name_of(line.planned.choice.protocol)},
                              {"bottleneck", bottleneck_text(cluster, line.limit)},
                              {"choices", choices_json(line)}});
  }
  return json;
}

}  // namespace

int run_collective(const CollectiveOptions& options, const CommonOptions& common) {
  const SessionOptions session = session_options(common);
  const auto op = read_name<CollectiveOp>("--op", options.op);
  const auto mode = read_name<CollectiveMode>("--collectives", options.mode);
  const std::vector<Bytes> sizes = sizes_of(options);
  const ForcedChoice forced = read_forced(options);
  ClusterSpec spec = load_topology(options.topology, {topologies_folder(), common.overrides});
  spec.gpus = options.gpus > 0 ? options.gpus : spec.topology.gpus_per_node;
  if (spec.gpus < 2) {
    refuse("--gpus", "a collective needs two GPUs or more", "");
  }
  if (std::string problem = cluster_problem(spec); !problem.empty()) {
    refuse("--gpus", std::move(problem), "");
  }
  degrade_cluster(spec, {topologies_folder(), common.overrides});
  note_idle_fabric(spec, {topologies_folder(), common.overrides});
  announce_layout(fmt::format("the links of {} GPUs are to be laid out", spec.gpus), spec, {3.5e-6},
                  {1e3}, session);
  const Cluster cluster = build_cluster(spec);
  std::vector<int> ranks(spec.gpus);
  std::iota(ranks.begin(), ranks.end(), 0);
  const Group group = make_group(cluster, ranks);
  ForcedChoice playable = forced;
  if (mode == CollectiveMode::Stepwise && !forced.algorithm && op == CollectiveOp::AllReduce &&
      spec.topology.nccl_tuning) {
    playable.algorithm = Algorithm::Ring;  // what switches add up cannot be played by messages
  }
  check_forced(playable, op, group, spec.topology, mode);
  check_pairs(group, op, playable, session);
  const std::vector<Candidate> choices = candidates(cluster, group, op, playable);
  if (choices.empty()) {
    refuse_protocol(forced, op, group, spec.topology);
  }
  std::vector<Line> lines;
  for (const Bytes size : sizes) {
    Line line{.size = size,
              .offers = offers(cluster, group, op, size, choices),
              .planned = fastest(cluster, group, op, size, choices)};
    line.time = line.planned.alone;
    line.limit = limit_of(cluster, group, op, size, line.planned);
    lines.push_back(std::move(line));
  }
  if (mode == CollectiveMode::Stepwise) {
    check_messages(group, op, lines, session);
  }
  if (mode != CollectiveMode::Formula) {
    play(cluster, group, op, mode, lines, session);
  }
  if (common.json) {
    print_json(json_of(lines, op, mode, cluster));
  } else {
    print(text_of(lines, op, mode, cluster) + (options.choices ? choices_text(lines) : "") +
          notes_text(cluster));
  }
  return kExitDone;
}

}  // namespace danlu
