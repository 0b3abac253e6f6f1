#include "sim/scenario/load_scenario.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "sim/base/text.hpp"
#include "sim/cluster/port_note.hpp"
#include "sim/scenario/assumed.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/idle_fabric.hpp"
#include "sim/scenario/idle_words.hpp"
#include "sim/scenario/load_cluster.hpp"
#include "sim/scenario/load_degraded.hpp"
#include "sim/scenario/load_faults.hpp"
#include "sim/scenario/read_scenario.hpp"
#include "sim/scenario/resolve.hpp"
#include "sim/scenario/search_keys.hpp"
#include "sim/scenario/settings.hpp"
#include "sim/scenario/sweep_keys.hpp"
#include "sim/scenario/unused_keys.hpp"
#include "sim/scenario/values.hpp"
#include "sim/schedule/grid.hpp"
#include "sim/schedule/schedule.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDeepestExtends = 16;
constexpr const char* kOwnModel = "custom";

void throw_if_any(std::vector<Problem>& problems) {
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
}

/// Where the scenario that `own` extends lies; empty after a problem.
std::optional<fs::path> find_base(const Values& own, const fs::path& file,
                                  const std::vector<fs::path>& chain,
                                  std::vector<Problem>& problems) {
  const std::string& text = own.at("extends").text;
  const fs::path base = file.parent_path() / text;
  std::error_code error;
  std::string message;
  if (!fs::exists(base, error)) {
    message = fmt::format("there is no file '{}'", shown(base.string(), kLongestPath));
  } else if (!fs::is_regular_file(base, error)) {
    message = fmt::format("'{}' is not a file", shown(base.string(), kLongestPath));
  } else if (std::find(chain.begin(), chain.end(), fs::weakly_canonical(base, error)) !=
             chain.end()) {
    message = fmt::format("'{}' extends itself", shown(text));
  } else if (chain.size() > kDeepestExtends) {
    message = fmt::format("more than {} scenarios extend each other", kDeepestExtends);
  } else {
    return base;
  }
  problems.push_back(own.problem("extends", std::move(message),
                                 "a path from the folder of this file to another scenario"));
  return std::nullopt;
}

/// What the base says of a section for which this scenario names a preset, and itself says nothing.
void note_replaced(const Values& base, const std::string& section, const Values& own,
                   std::vector<std::string>& notes) {
  std::vector<std::string> keys;
  for (const std::string& path : base.paths()) {
    if (path.starts_with(section + ".") && !path.ends_with(".preset") && !own.has(path)) {
      keys.push_back(fmt::format("'{}'", path));
    }
  }
  if (!keys.empty()) {
    notes.push_back(
        fmt::format("{} of the extended scenario {} not hold: '{}.preset' replaces the "
                    "section as a whole",
                    fmt::join(keys, ", "), keys.size() == 1 ? "does" : "do", section));
  }
}

/// The values of a scenario and of everything it extends, nearest file winning. `chain` holds the
/// files on the way here.
Values read_chain(const std::string& yaml, const fs::path& file, std::vector<fs::path> chain,
                  std::vector<Problem>& problems, std::vector<std::string>& notes) {
  Values own = read_values(yaml, file.string(), scenario_keys(), "", problems);
  if (!own.has("extends")) {
    if (!own.misses("extends")) {
      own.set_wrong("");  // whatever is missing may stand there
    }
    return own;
  }
  std::error_code error;
  chain.push_back(fs::weakly_canonical(file, error));
  const std::optional<fs::path> base = find_base(own, file, chain, problems);
  if (!base) {
    own.set_wrong("");
    return own;
  }
  Values values = read_chain(read_text_file(*base), *base, std::move(chain), problems, notes);
  values.erase_tree("name");
  for (const char* section : {"model", "faults"}) {
    const std::string preset = fmt::format("{}.preset", section);
    if (own.has(preset) ||
        own.has(
            fmt::format("{}.huggingface",
                        section))) {  // a model of its own, not one of the base with another name
      note_replaced(values, section, own, notes);
      values.erase_tree(section);
    }
  }
  if (own.has_section("sweep")) {
    values.erase_tree("sweep");  // the nearest says what is swept
  }
  values.overlay(own);
  return values;
}

/// From values to specs. A part whose values are missing or wrong is left out, so that its problems
/// do not hide those of the others; hence one class, which knows what is there by now.
class Builder {
 public:
  Builder(ResolvedValues values, fs::path beside, const LoadOptions& options,
          std::vector<Problem> problems)
      : own_(std::move(values.own)),
        values_(std::move(values.all)),
        beside_(std::move(beside)),
        options_(options),
        problems_(std::move(problems)) {}

  Scenario build() {
    check_model_keys();
    check_required(values_, scenario_keys(), problems_);
    Scenario scenario;
    Workload& w = scenario.workload;
    const Getter get(values_, scenario_keys());
    get.fill(w);
    w.model.name = values_.has("model.preset")        ? values_.at("model.preset").text
                   : values_.has("model.huggingface") ? values_.at("model.huggingface").text
                                                      : kOwnModel;
    get.fill(w.model, "model");
    get.fill(w.model.experts, "model.experts");
    const bool has_cluster = read_cluster(get, scenario);
    get.fill(w.host, "host");
    for (int kind = 0; kind < scenario.cluster.kinds(); ++kind) {
      w.host.slowdown = std::max(w.host.slowdown, scenario.cluster.topology_of(kind).cpu_slowdown);
    }
    fill_plan(values_, w);
    get.fill(w.training.optimizer, "training.optimizer");
    get.fill(w.training.lora, "training.lora");
    w.training.documents = values_.numbers("training.documents");
    get.fill(w.communication, "communication");
    get.fill(w.communication.tensor, "communication.tensor");
    get.fill(w.communication.data, "communication.data");
    get.fill(w.communication.expert, "communication.expert");
    if (w.training.recompute == Recompute::Selective && w.training.recompute_parts.empty() &&
        !own_.has("training.attention")) {
      scenario.notes.emplace_back(
          "selective recomputation repeats unfused attention, so without training.attention "
          "attention is unfused");
    }
    read_schedule_grid(w);
    note_interleaving(scenario);
    for (const std::string& path : own_.paths()) {
      scenario.places.emplace(path, own_.problem(path, ""));
    }
    note_unplayable(scenario);
    if (w.offload.optimizer && !own_.has("parallelism.offload.update_rate")) {
      scenario.notes.emplace_back(
          "the CPUs of a node are assumed to update 3.9e9 parameters a second, as two Xeon 8168 do "
          "(Ren et al. 2021); parallelism.offload.update_rate");
    }
    read_step_faults(values_, w, scenario.cluster, problems_);
    find_unused_keys(sized(own_, w.parallelism), sized(values_, w.parallelism), scenario_keys(),
                     scenario_key_uses(), "", {problems_, scenario.notes});
    find_idle_words(own_, w, {problems_, scenario.notes});
    note_framework(w, scenario.notes);
    w.training.own_ways = own_ways(own_, w.training.framework);
    if (own_.has("communication.timeout") && scenario.cluster.degraded.flaps.empty()) {
      scenario.notes.emplace_back(
          "'communication.timeout' has no effect: no link flaps ('degraded.flaps')");
    }
    check_relations(scenario);
    if (has_cluster && problems_.empty()) {
      note_lone_node(scenario);
      note_idle_fabric(own_.below("cluster."), "cluster.", scenario.cluster, scenario.notes);
      note_mixed_nodes(scenario.cluster, scenario.notes);
      check_damage(values_, scenario.cluster, problems_);
    }
    if (has_cluster && values_.has_below("faults.") && !values_.is_wrong("faults.preset") &&
        !values_.is_wrong("model")) {
      collect([&] {
        scenario.faults =
            make_faults_plan(own_.below("faults."), values_.below("faults."),
                             {w, scenario.cluster, beside_, options_}, problems_, scenario.notes);
      });
    }
    scenario.sweep = read_sweep(values_, problems_);
    throw_if_any(problems_);
    scenario.name = values_.at("name").text;
    scenario.search = read_search(values_);
    note_own_model(scenario);
    note_padding(scenario);
    scenario.settings = settings_of(values_, options_);
    scenario.assumed = find_assumed(values_.below("cluster."), "cluster.", scenario);
    for (const auto& [section, topology] : mixed_) {
      const std::vector<Assumed> more = find_assumed(topology, section, scenario);
      scenario.assumed.insert(scenario.assumed.end(), more.begin(), more.end());
    }
    return scenario;
  }

 private:
  void add(std::string_view path, std::string message, std::string hint = "") {
    problems_.push_back(values_.problem(path, std::move(message), std::move(hint)));
  }

  /// Runs one part of the reading, so that its problems do not hide those of the next.
  template <typename Part>
  void collect(const Part& part) {
    try {
      part();
    } catch (const InputError& error) {
      problems_.insert(problems_.end(), error.problems().begin(), error.problems().end());
    }
  }

  /// A model of one's own needs these; a problem for each that is missing.
  void check_model_keys() {
    if (!values_.misses("model.preset") || !values_.misses("model.huggingface") ||
        values_.is_wrong("model") || problems_.size() > kMostProblems) {
      return;
    }
    if (!own_.has_below("model.") && !own_.has_section("model")) {
      miss("model", "for example model: gpt3-175b");
      return;
    }
    for (const char* key : {"model.layers", "model.hidden", "model.heads", "model.vocab"}) {
      if (values_.misses(key)) {
        miss(key, "or name a preset, for example preset: gpt3-175b");
      }
    }
  }
  void miss(const std::string& path, std::string hint) {
    add(path, fmt::format("missing key '{}'", path), std::move(hint));
    values_.set_wrong(path);
  }

  /// The user's own schedule, with what is wrong where it stands.
  void read_schedule_grid(Workload& w) {
    const std::string key = "training.schedule.grid";
    if (w.schedule() != nullptr) {
      if (own_.has(key)) {
        add(key,
            fmt::format("a grid needs schedule kind {}, found {}", kGridSchedule,
                        w.training.schedule),
            "set training.schedule.kind to grid, or leave it out");
      }
      return;
    }
    if (!values_.has(key)) {
      if (values_.misses(key)) {
        miss(key, "a line for each stage, as in 0F0 0F1 0B0 0B1");
      }
      return;
    }
    const std::vector<TextLine>& lines = values_.at(key).lines;
    std::vector<std::string> texts;
    for (const TextLine& line : lines) {
      texts.push_back(line.text);
    }
    ScheduleGrid grid = read_grid(texts, w.placement(), w.microbatches());
    for (GridProblem& found : grid.problems) {
      Problem problem = values_.problem(key, std::move(found.message), std::move(found.hint));
      const TextLine& line = lines[std::min(found.line, lines.size() - 1)];
      if (line.position.line > 0) {
        problem.position = line.position;
        problem.position.column += static_cast<int>(found.column);
        problem.source_line = line.source_line;
      }
      if (problems_.size() <= kMostProblems) {
        problems_.push_back(std::move(problem));
      }
      values_.set_wrong(key);
    }
    w.training.grid = std::move(grid.actions);
  }

  /// Relations between values that are there.
  void check_relations(const Scenario& scenario) {
    const ClusterSpec& cluster = scenario.cluster;
    std::vector<WorkloadProblem> broken = problems(scenario.workload, cluster.gpus, cluster.gpu);
    for (const NodeKind& kind : cluster.others) {
      for (const auto& problem : {precision_problem, attention_problem}) {
        if (std::optional<WorkloadProblem> found = problem(scenario.workload, kind.gpu)) {
          found->keys = {found->keys.front(), "cluster.mixed"};
          broken.push_back(std::move(*found));
        }
      }
    }
    if (std::optional<WorkloadProblem> found =
            offload_problem(scenario.workload.offload, cluster.topology)) {
      broken.push_back(std::move(*found));
    }
    for (WorkloadProblem& found : broken) {
      const bool rests_on_wrong =
          std::any_of(found.keys.begin(), found.keys.end(),
                      [&](const std::string& key) { return values_.is_wrong(key); });
      if (!rests_on_wrong) {
        problems_.push_back(
            own_.relation_problem(found.keys, std::move(found.message), std::move(found.hint)));
      }
    }
  }

  /// A vocabulary that tensor ranks cannot share evenly.
  static void note_padding(Scenario& scenario) {
    const ModelSpec& m = scenario.workload.model;
    const int tensor = scenario.workload.parallelism.tensor;
    if (const double rows = m.rank_vocab(tensor) * tensor; rows != m.vocab) {
      scenario.notes.push_back(fmt::format(
          "the vocabulary of {} is padded to {} (a multiple of 128 x tensor, as Megatron does), "
          "since tensor ({}) does not divide it; memory and time are of the padded one, parameters "
          "and model FLOPs of the model as written",
          m.vocab, rows, tensor));
    }
  }

  static std::string biases_text(const Biases& biases) {
    std::vector<std::string_view> names;
    for (const auto& [product, name] : kNames<Biased>) {
      if (biases.on(product)) {
        names.push_back(name);
      }
    }
    return biases == kUsualBiases ? "biases"
           : names.empty()        ? "no biases"
                                  : fmt::format("biases of {}", fmt::join(names, ", "));
  }

  /// What an own model is taken for, in words: whoever has a Llama in mind sees a GPT at once.
  static void note_own_model(Scenario& scenario) {
    const ModelSpec& m = scenario.workload.model;
    if (m.name == kOwnModel) {
      scenario.notes.push_back(fmt::format(
          "own model: {} MLP matrices of width {} (gated_mlp: {}), {} (norm), {} embeddings, "
          "{}, {} key-value heads, {}",
          m.mlp_matrices(), m.ffn, m.gated_mlp, name_of(m.norm),
          m.tied_embeddings ? "tied" : "untied", biases_text(m.biases), m.kv_heads,
          m.positions > 0 ? fmt::format("{} learned positions", m.positions)
                          : "no table of positions"));
    }
  }

  /// Interleaving with a number of microbatches that the stages do not divide.
  static void note_interleaving(Scenario& scenario) {
    const Workload& w = scenario.workload;
    const int pipeline = w.parallelism.pipeline;
    const int microbatches = w.microbatches();
    if (w.training.chunks > 1 && w.schedule() != nullptr && !w.schedule()->chunks && pipeline > 1 &&
        microbatches > 0 && microbatches % pipeline != 0) {
      scenario.notes.push_back(
          fmt::format("pipeline ({}) does not divide the {} microbatches: interleaving takes them "
                      "in groups of {} through each chunk, as Megatron-LM and PyTorch do",
                      pipeline, microbatches, interleaving_group(pipeline, microbatches)));
    }
  }
  /// Sums that switches make have no messages to be played one by one.
  static void note_unplayable(Scenario& scenario) {
    const CommunicationSpec& communication = scenario.workload.communication;
    for (const auto& [section, wish] :
         {std::pair("tensor", communication.tensor), std::pair("data", communication.data)}) {
      if (scenario.workload.collectives == CollectiveMode::Stepwise && wish.algorithm &&
          reduces_in_switches(*wish.algorithm)) {
        scenario.notes.push_back(fmt::format(
            "'communication.{}.algorithm' has no effect: sums made in switches cannot be played "
            "message by message ('collectives' is stepwise)",
            section));
      }
    }
  }

  /// Whether there is a cluster to lay anything on.
  bool read_cluster(const Getter& get, Scenario& scenario) {
    const std::size_t before = problems_.size();
    ClusterSpec& cluster = scenario.cluster;
    get.fill(cluster, "cluster");
    if (!values_.has("cluster.topology") || values_.is_wrong("cluster.topology")) {
      values_.set_wrong("cluster.gpu");  // so that nothing is said of the GPU's precisions
      return false;
    }
    const Values own = own_.below("cluster.");
    const Values all = values_.below("cluster.");
    find_unused_keys(own, all, topology_keys(), cluster_key_uses(), "cluster.",
                     {problems_, scenario.notes});
    collect([&] {
      cluster.topology = make_topology(all, problems_);
      cluster.gpu = make_gpu(all.below("gpu."));
      check_nccl_gpu(all, cluster.gpu, values_.problem("cluster.gpu.preset", ""), options_,
                     cluster.topology.notes, problems_);
    });
    scenario.notes.insert(scenario.notes.end(), cluster.topology.notes.begin(),
                          cluster.topology.notes.end());
    if (own.has("price")) {
      cluster.gpu.dollars_per_hour = own.at("price").number;
    }
    if (problems_.size() > before || values_.is_wrong("cluster.gpus")) {
      return false;
    }
    build_mixed(cluster);
    read_damage(values_, cluster, problems_);
    if (std::string found = cluster_problem(cluster); !found.empty()) {
      problems_.push_back(own_.problem("cluster.gpus", std::move(found)));
    } else if (std::string note = port_note(cluster.topology, cluster.nodes()); !note.empty()) {
      scenario.notes.push_back(std::move(note));
    }
    return problems_.size() == before;
  }

  /// Nodes of other kinds: each range names a topology.
  void build_mixed(ClusterSpec& cluster) {
    std::map<std::string, int> kinds;  // by the name of the topology
    for (const std::string& range : values_.names_below("cluster.mixed")) {
      collect([&] { add_mixed(range, kinds, cluster); });
    }
  }
  /// What the scenario itself says that nodes of every kind pay: it goes over the topology of each.
  /// Keys of `node` are those of cluster.topology's nodes, and there is one fabric.
  Values own_of_all_nodes() const {
    Values own = own_.below("cluster.");
    for (const std::string& path : own.paths()) {
      const bool paid = path.starts_with("collective.") || path.ends_with("latency") ||
                        path == "fabric.reduction_efficiency";
      if (!paid || path.starts_with("node.")) {
        own.erase_tree(path);
      }
    }
    return own;
  }
  /// The values with the sizes of the job as if they came last: what only a larger job would use is
  /// a note, since sizes are what one varies.
  static Values sized(Values whole, const ParallelismSpec& p) {
    whole.set("parallelism.tensor", {.text = fmt::format("{}", p.tensor)});
    whole.set("parallelism.pipeline", {.text = fmt::format("{}", p.pipeline)});
    whole.set("parallelism.data", {.text = fmt::format("{}", p.data)});
    return whole;
  }
  /// What joins nodes joins nothing in a job of one.
  void note_lone_node(Scenario& scenario) const {
    std::vector<std::string> keys;
    for (const std::string& path : own_.paths()) {
      const bool between =
          path.starts_with("cluster.fabric.") || path.starts_with("cluster.node.nics.") ||
          path.starts_with("degraded.nics.") || path.starts_with("degraded.leaves.") ||
          path.starts_with("degraded.spines.");
      if (between && scenario.cluster.nodes() == 1) {
        keys.push_back(fmt::format("'{}'", path));
      }
    }
    if (!keys.empty()) {
      scenario.notes.push_back(fmt::format("{} {} no effect: the job has one node",
                                           fmt::join(keys, ", "),
                                           keys.size() == 1 ? "has" : "have"));
    }
  }
  void note_mixed_nodes(const ClusterSpec& cluster, std::vector<std::string>& notes) const {
    std::vector<std::string> keys;
    for (const std::string& path : own_.paths()) {
      if (path.starts_with("cluster.node.") || path.starts_with("cluster.gpu.")) {
        keys.push_back(fmt::format("'{}'", path));
      }
    }
    if (!cluster.others.empty() && !keys.empty()) {
      const bool power = own_.has("cluster.node.power");
      notes.push_back(fmt::format(
          "of the nodes, {} {} only for those of cluster.topology; those of cluster.mixed are as "
          "their topologies say{}",
          fmt::join(keys, ", "), keys.size() == 1 ? "holds" : "hold",
          power ? ": another power of theirs is node.power of a topology file that cluster.mixed "
                  "names"
                : ""));
    }
  }
  void add_mixed(const std::string& range, std::map<std::string, int>& kinds,
                 ClusterSpec& cluster) {
    const std::string path = "cluster.mixed." + range;
    const std::string& name = values_.at(path).text;
    const auto [kind, is_new] = kinds.try_emplace(name, cluster.kinds());
    if (is_new) {
      Values values = find_topology(name, values_.problem(path, ""), beside_, options_);
      values.overlay(own_of_all_nodes());
      ClusterSpec other = make_cluster(values, beside_, options_);
      if (own_.has("cluster.price")) {
        other.gpu.dollars_per_hour = own_.at("cluster.price").number;
      }
      add_gpu(values, beside_, options_);
      mixed_.emplace_back(fmt::format("{}.", path), std::move(values));
      if (std::string found = structure_problem(cluster.topology, other.topology); !found.empty()) {
        add(path, std::move(found),
            "mixed nodes may differ in GPU, rates and latencies, not in structure");
      }
      cluster.others.push_back({other.topology, other.gpu});
    }
    const auto [first, last] = parse_range(range).value();
    if (last >= cluster.nodes()) {
      add(path,
          fmt::format("there is no node {}: the cluster has 0 to {}", last, cluster.nodes() - 1));
      return;
    }
    for (int node = first; node <= last; ++node) {
      if (!cluster.kind_of_node.try_emplace(node, kind->second).second) {
        add(path, fmt::format("node {} stands in two ranges", node));
        return;
      }
    }
  }

  Values own_;
  Values values_;
  std::vector<std::pair<std::string, Values>> mixed_;  // other kinds of nodes, by section
  fs::path beside_;
  const LoadOptions& options_;
  std::vector<Problem> problems_;
};

}  // namespace

ReadScenario read_scenario(const std::string& yaml, const fs::path& file,
                           const LoadOptions& options) {
  std::vector<Problem> problems;
  std::vector<std::string> notes;
  Values values;
  try {
    values = read_chain(yaml, file, {}, problems, notes);
  } catch (const InputError& error) {  // a file of the chain that cannot be read
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    throw_if_any(problems);
  }
  for (const std::string& override_text : options.overrides) {
    apply_override(override_text, scenario_keys(), values, problems);
  }
  if (!values.has("name")) {
    values.set("name", {.text = file.stem().string(), .origin = "derived: the file's name"});
  }
  ResolvedValues resolved = resolve(std::move(values), file.parent_path(), options, problems);
  notes.insert(notes.end(), resolved.notes.begin(), resolved.notes.end());
  return {std::move(resolved), std::move(problems), std::move(notes)};
}

Scenario build_scenario(ReadScenario read, const fs::path& file, const LoadOptions& options) {
  Scenario scenario =
      Builder(std::move(read.values), file.parent_path(), options, std::move(read.problems))
          .build();
  scenario.notes.insert(scenario.notes.begin(), read.notes.begin(), read.notes.end());
  return scenario;
}

void fill_plan(const Values& values, Workload& workload) {
  const Getter get(values, scenario_keys());
  get.fill(workload.parallelism, "parallelism");
  get.fill(workload.parallelism.sharding, "parallelism.sharding");
  get.fill(workload.offload, "parallelism.offload");
  get.fill(workload.training, "training");
  get.fill(workload.training.routing, "training.experts");
}

Scenario load_scenario_text(const std::string& yaml, const fs::path& file,
                            const LoadOptions& options) {
  return build_scenario(read_scenario(yaml, file, options), file, options);
}

Scenario load_scenario(const fs::path& file, const LoadOptions& options) {
  return load_scenario_text(read_text_file(file), file, options);
}

}  // namespace danlu
