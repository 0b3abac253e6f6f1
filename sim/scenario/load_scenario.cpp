#include "sim/scenario/load_scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/text.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/load_cluster.hpp"
#include "sim/scenario/load_degraded.hpp"
#include "sim/scenario/load_faults.hpp"
#include "sim/scenario/unused_keys.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDeepestExtends = 16;
constexpr std::size_t kLongestPath = 120;  // in a message

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

/// The values of a scenario and of everything it extends, nearest file winning. `chain` holds the
/// files on the way here.
Values read_chain(const std::string& yaml, const fs::path& file, std::vector<fs::path> chain,
                  std::vector<Problem>& problems) {
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
  Values values = read_chain(read_text_file(*base), *base, std::move(chain), problems);
  values.erase_tree("name");
  if (own.has("model.preset")) {
    values.erase_tree("model");  // a model of its own, not one of the base with another name
  }
  if (own.has("faults.preset")) {
    values.erase_tree("faults");
  }
  values.overlay(own);
  return values;
}

/// Reads typed values with the table's defaults.
class Builder {
 public:
  Builder(Values values, fs::path beside, const LoadOptions& options, std::vector<Problem> problems)
      : values_(std::move(values)),
        beside_(std::move(beside)),
        options_(options),
        problems_(std::move(problems)) {}

  Scenario build() {
    check_required(values_, scenario_keys(), problems_);
    check_model_keys();
    throw_if_any(problems_);
    Scenario scenario;
    collect([&] { build_model(scenario.workload.model); });
    collect([&] { build_cluster_spec(scenario.cluster, scenario.notes); });
    scenario.cluster.gpus = count("cluster.gpus");
    build_mixed(scenario.cluster);
    build_degraded(scenario.cluster);
    build_parallelism(scenario.workload.parallelism, scenario.cluster.gpus);
    build_training(scenario.workload.training);
    if (scenario.workload.training.recompute == Recompute::Selective &&
        values_.misses("training.attention")) {
      scenario.notes.emplace_back(
          "selective recomputation repeats unfused attention, so without training.attention "
          "attention is unfused");
    }
    scenario.workload.communication = {
        wish("communication.tensor"), wish("communication.data"),
        Seconds{Getter(values_, scenario_keys()).number("communication.timeout")}};
    for (const std::string& path : values_.paths()) {
      if (path.starts_with("communication.")) {
        scenario.places.emplace(path, values_.problem(path, ""));
      }
    }
    scenario.workload.collectives = static_cast<CollectiveMode>(choice("collectives"));
    note_unplayable(scenario);
    scenario.workload.fold = static_cast<FoldMode>(choice("fold"));
    read_step_faults(values_, scenario.workload, scenario.cluster, problems_);
    find_unused_keys(values_, values_, scenario_keys(), scenario_key_uses(), "",
                     {problems_, scenario.notes});
    throw_if_any(problems_);
    if (std::string found = cluster_problem(scenario.cluster); !found.empty()) {
      problems_.push_back(values_.problem("cluster.gpus", std::move(found)));
    }
    std::vector<WorkloadProblem> broken =
        problems(scenario.workload, scenario.cluster.gpus, scenario.cluster.gpu);
    for (const NodeKind& kind : scenario.cluster.others) {
      if (std::optional<WorkloadProblem> found = precision_problem(scenario.workload, kind.gpu)) {
        found->keys = {"training.precision", "cluster.mixed"};
        broken.push_back(std::move(*found));
      }
    }
    for (WorkloadProblem& found : broken) {
      problems_.push_back(
          values_.relation_problem(found.keys, std::move(found.message), std::move(found.hint)));
    }
    throw_if_any(problems_);
    check_damage(scenario.cluster);
    if (values_.has_below("faults.")) {
      collect([&] {
        scenario.faults =
            make_faults_plan(values_, {scenario.workload, scenario.cluster, beside_, options_},
                             problems_, scenario.notes);
      });
    }
    throw_if_any(problems_);
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

  void check_model_keys() {
    const char* const hint = "or name a preset, for example preset: gpt3-175b";
    if (!values_.misses("model.preset") || problems_.size() > kMostProblems) {
      return;
    }
    if (!values_.has_below("model.")) {
      add("model", "missing key 'model'", "for example model: gpt3-175b");
      return;
    }
    for (const char* key : {"model.layers", "model.hidden", "model.heads", "model.vocab"}) {
      if (values_.misses(key)) {
        add(key, fmt::format("missing key '{}'", key), hint);
      }
    }
  }

  const KeyRow& row(std::string_view path) const {
    const KeyRow* found = find_key(scenario_keys(), path);
    check(found != nullptr, fmt::format("the table has no key '{}'", path));
    return *found;
  }
  int count(std::string_view path) const {
    return values_.has(path) ? static_cast<int>(values_.at(path).number)
                             : static_cast<int>(parse_number(row(path).fallback).value_or(0));
  }
  bool flag(std::string_view path) const {
    return values_.has(path) ? values_.at(path).number != 0 : row(path).fallback == "true";
  }
  int choice(std::string_view path) const {
    if (values_.has(path)) {
      return static_cast<int>(values_.at(path).number);
    }
    const std::vector<std::string_view> choices = split(row(path).choices, '|');
    return static_cast<int>(std::find(choices.begin(), choices.end(), row(path).fallback) -
                            choices.begin());
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
  CollectiveWish wish(const std::string& section) const {
    CollectiveWish wish;
    if (const int algorithm = choice(section + ".algorithm"); algorithm > 0) {  // 0 is auto
      wish.algorithm = static_cast<Algorithm>(algorithm - 1);
    }
    if (const int protocol = choice(section + ".protocol"); protocol > 0) {
      wish.protocol = static_cast<Protocol>(protocol - 1);
    }
    return wish;
  }
  void override_count(std::string_view path, int& value) const {
    if (values_.has(path)) {
      value = count(path);
    }
  }
  void override_flag(std::string_view path, bool& value) const {
    if (values_.has(path)) {
      value = flag(path);
    }
  }

  void start_from_preset(ModelSpec& model) {
    const std::string& name = values_.at("model.preset").text;
    std::vector<std::string_view> names;
    for (const ModelPreset& preset : model_presets()) {
      names.push_back(preset.name);
      if (preset.name == name) {
        model = to_model_spec(preset);
        return;
      }
    }
    const std::string_view near = nearest(name, names);
    throw InputError(values_.problem("model.preset", fmt::format("unknown model '{}'", shown(name)),
                                     near.empty() ? fmt::format("known: {}", join(names, ", "))
                                                  : fmt::format("did you mean '{}'?", near)));
  }

  void build_model(ModelSpec& model) {
    const bool preset = values_.has("model.preset");
    if (preset) {
      start_from_preset(model);
    } else {
      model.name = "custom";
    }
    override_count("model.layers", model.layers);
    override_count("model.hidden", model.hidden);
    override_count("model.heads", model.heads);
    override_count("model.vocab", model.vocab);
    override_count("model.positions", model.positions);
    override_flag("model.gated_mlp", model.gated_mlp);
    override_flag("model.tied_embeddings", model.tied_embeddings);
    override_flag("model.biases", model.biases);
    if (values_.has("model.norm")) {
      model.norm = static_cast<Norm>(choice("model.norm"));
    }
    const bool new_width = values_.has("model.hidden") || values_.has("model.heads");
    if (!preset || values_.has("model.heads")) {
      model.kv_heads = model.heads;
    }
    if (!preset || values_.has("model.hidden")) {
      model.ffn = 4 * model.hidden;
    }
    if (!preset || new_width) {
      model.head_dim = model.hidden / model.heads;
      if (model.hidden % model.heads != 0 && !values_.has("model.head_dim")) {
        add("model.heads",
            fmt::format("heads ({}) must divide hidden ({})", model.heads, model.hidden),
            "or give head_dim");
      }
    }
    override_count("model.kv_heads", model.kv_heads);
    override_count("model.head_dim", model.head_dim);
    override_count("model.ffn", model.ffn);
  }

  void build_cluster_spec(ClusterSpec& cluster, std::vector<std::string>& notes) {
    Values topology = find_topology(values_.at("cluster.topology").text,
                                    values_.problem("cluster.topology", ""), beside_, options_);
    const Values own = values_.below("cluster.");
    const bool own_gpu = own.has("gpu");
    if (own.has("node.xml")) {
      add_node_of_xml(topology, own, beside_);
    }
    topology.overlay(own);
    find_unused_keys(own, topology, topology_keys(), cluster_key_uses(), "cluster.",
                     {problems_, notes});
    cluster.topology = make_topology(topology, problems_);
    cluster.gpu =
        find_gpu(topology.at("gpu").text,
                 own_gpu ? values_.problem("cluster.gpu", "") : topology.problem("gpu", ""),
                 beside_, options_);
    check_nccl_gpu(topology, cluster.gpu,
                   own_gpu ? values_.problem("cluster.gpu", "") : topology.problem("gpu", ""),
                   options_, cluster.topology.notes, problems_);
    notes.insert(notes.end(), cluster.topology.notes.begin(), cluster.topology.notes.end());
    if (own.has("price")) {
      cluster.gpu.dollars_per_hour = own.at("price").number;
    }
  }

  /// Nodes of other kinds: each range names a topology.
  void build_mixed(ClusterSpec& cluster) {
    std::map<std::string, int> kinds;  // by the name of the topology
    for (const std::string& range : values_.names_below("cluster.mixed")) {
      collect([&] { add_mixed(range, kinds, cluster); });
    }
  }
  void add_mixed(const std::string& range, std::map<std::string, int>& kinds,
                 ClusterSpec& cluster) {
    const std::string path = "cluster.mixed." + range;
    const std::string& name = values_.at(path).text;
    const auto [kind, is_new] = kinds.try_emplace(name, cluster.kinds());
    if (is_new) {
      const ClusterSpec other = make_cluster(
          find_topology(name, values_.problem(path, ""), beside_, options_), beside_, options_);
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

  void build_degraded(ClusterSpec& cluster) {
    DegradedSpec& damage = cluster.degraded;
    damage.gpus = numbers("degraded.gpus", "GPU", cluster.gpus);
    damage.nics = nic_shares(cluster);
    damage.scale_up = numbers("degraded.scale_up", "GPU", cluster.gpus);
    for (const auto& [gpu, share] : damage.scale_up) {
      if (share == 0) {
        add(fmt::format("degraded.scale_up.{}", gpu),
            fmt::format("without its scale-up links GPU {} cannot take part in the step", gpu),
            "leave its node out (cluster.gpus) or let a spare stand in; one link of a mesh is "
            "degraded.links");
      }
    }
    check_shares();
    damage.leaves = values_.numbers("degraded.leaves");  // check_damage() looks for them
    damage.spines = values_.numbers("degraded.spines");
    if (values_.has("degraded.links")) {
      for (const auto& [first, second, share] : values_.at("degraded.links").links) {
        damage.links.push_back({static_cast<int>(first), static_cast<int>(second), share});
        check_link(cluster, damage.links.back());
      }
    }
  }
  /// By NIC of the cluster; of a GPU's several cards the mean.
  std::map<int, double> nic_shares(const ClusterSpec& cluster) {
    const TopologySpec& t = cluster.topology;
    const int cards = t.cards_per_node();
    const std::map<int, double> told = numbers("degraded.nics", "NIC", cluster.nodes() * cards);
    if (cards == t.nics_per_node) {
      return told;
    }
    const double share_of_card = static_cast<double>(t.nics_per_node) / cards;
    std::map<int, double> shares;
    for (const auto& [card, share] : told) {
      const int nic = card / cards * t.nics_per_node + card % cards * t.nics_per_node / cards;
      double& left = shares.try_emplace(nic, 1).first->second;
      left = std::max(0.0, left - (1 - share) * share_of_card);
      constexpr double kRounding = 1e-9;
      left = left < kRounding ? 0 : left;
    }
    return shares;
  }
  /// A share is 0, dead, or so much that a step still ends.
  void check_shares() {
    constexpr double kLeast = 0.001;
    for (const char* section :
         {"degraded.nics", "degraded.scale_up", "degraded.leaves", "degraded.spines"}) {
      for (const auto& [number, share] : values_.numbers(section)) {
        if (share > 0 && share < kLeast) {
          add(fmt::format("{}.{}", section, number),
              fmt::format("a share of '{}' must be 0 or lie between {} and 1", section, kLeast),
              "0 is dead: another part stands in");
        }
      }
    }
  }
  void check_link(const ClusterSpec& cluster, const DegradedSpec::MeshShare& link) {
    const TopologySpec& t = cluster.topology;
    const int last = std::max(link.first, link.second);
    const int base = link.first / t.gpus_per_node * t.gpus_per_node;
    const auto is_it = [&](const MeshLink& direct) {
      return std::minmax({base + direct.first, base + direct.second}) ==
             std::minmax({link.first, link.second});
    };
    const bool has_links = t.scale_up == ScaleUpKind::Mesh || t.scale_up == ScaleUpKind::Torus;
    if (last >= cluster.gpus) {
      add("degraded.links",
          fmt::format("there is no GPU {}: the cluster has 0 to {}", last, cluster.gpus - 1));
    } else if (!has_links || std::none_of(t.mesh_links.begin(), t.mesh_links.end(), is_it)) {
      add("degraded.links",
          fmt::format("GPUs {} and {} have no direct link", link.first, link.second),
          has_links ? "links of the node: danlu topology NAME --route GPU GPU"
                    : "only mesh and torus nodes have such links; see degraded.scale_up");
    }
  }

  /// The parts of the fabric that are named exist, and all GPUs still reach each other.
  void check_damage(const ClusterSpec& cluster) {
    const DegradedSpec& damage = cluster.degraded;
    if (!damage.leaves.empty() || !damage.spines.empty()) {
      ClusterSpec whole = cluster;
      whole.degraded = {};
      const Topology topology = build_cluster(whole).topology;
      check_switches("degraded.leaves", "leaf switch", topology.count(VertexKind::Leaf));
      check_switches("degraded.spines", "spine switch", topology.count(VertexKind::Spine));
      throw_if_any(problems_);
    }
    DamageProblem found = damage_problem(cluster);
    if (!found.message.empty()) {
      add("degraded." + found.key, std::move(found.message),
          "a part that nothing can stand in for ends the job: leave its nodes out, or let spares "
          "stand in");
    }
  }
  void check_switches(std::string_view path, std::string_view what, int count) {
    for (const auto& [number, share] : values_.numbers(path)) {
      if (count == 0) {
        add(path, fmt::format("the fabric has no {}es", what));
        return;
      }
      if (number >= count) {
        add(fmt::format("{}.{}", path, number),
            fmt::format("there is no {} {}: the cluster has 0 to {}", what, number, count - 1));
      }
    }
  }
  /// The entries of a row of numbers, each naming one of `count` things.
  std::map<int, double> numbers(std::string_view path, std::string_view what, int count) {
    std::map<int, double> found = values_.numbers(path);
    for (const auto& [number, value] : found) {
      if (number >= count) {
        add(fmt::format("{}.{}", path, number),
            fmt::format("there is no {} {}: the cluster has {} to {}", what, number, 0, count - 1));
      }
    }
    return found;
  }

  void build_parallelism(ParallelismSpec& p, int gpus) {
    p.tensor = count("parallelism.tensor");
    p.pipeline = count("parallelism.pipeline");
    p.data = count("parallelism.data");
    if (!values_.has("parallelism.data")) {
      const int rest = p.tensor * p.pipeline;
      p.data = std::max(1, gpus / rest);
      if (gpus % rest != 0) {
        const std::vector<std::string> keys{"parallelism", "parallelism.tensor",
                                            "parallelism.pipeline", "cluster.gpus"};
        problems_.push_back(values_.relation_problem(
            keys, fmt::format("tensor ({}) x pipeline ({}) must divide gpus ({})", p.tensor,
                              p.pipeline, gpus)));
      }
    }
    const auto optional_count = [&](std::string_view path) {
      return values_.has(path) ? std::optional(count(path)) : std::nullopt;
    };
    p.first_stage_layers = optional_count("parallelism.first_stage_layers");
    p.last_stage_layers = optional_count("parallelism.last_stage_layers");
    p.sequence = flag("parallelism.sequence");
    p.zero = count("parallelism.zero");
    p.scatter_gather = flag("parallelism.scatter_gather");
    p.overlap_tensor = static_cast<TensorOverlap>(choice("parallelism.overlap.tensor"));
    p.tensor_chunks = count("parallelism.overlap.chunks");
    p.overlap_data = flag("parallelism.overlap.data");
    p.overlap_pipeline = flag("parallelism.overlap.pipeline");
  }

  void build_training(TrainingSpec& t) {
    t.global_batch = count("training.global_batch");
    t.micro_batch = count("training.micro_batch");
    t.sequence_length = count("training.sequence_length");
    t.precision = static_cast<Precision>(choice("training.precision"));
    t.recompute = static_cast<Recompute>(choice("training.recompute"));
    t.attention =
        t.recompute == Recompute::Selective ? AttentionKind::Unfused : AttentionKind::Flash;
    if (values_.has("training.attention")) {
      t.attention = static_cast<AttentionKind>(choice("training.attention"));
    }
    t.dropout = flag("training.dropout");
    t.causal_flops = choice("training.model_flops") == 1;
    t.gradient_bytes = choice("training.gradients") == 0 ? 4 : 2;
    t.schedule = static_cast<ScheduleKind>(choice("training.schedule.kind"));
    t.chunks = count("training.schedule.chunks");
    if (values_.has("training.tokens")) {
      t.tokens = values_.at("training.tokens").number;
    }
  }

  Values values_;
  fs::path beside_;
  const LoadOptions& options_;
  std::vector<Problem> problems_;
};

}  // namespace

Scenario load_scenario_text(const std::string& yaml, const fs::path& file,
                            const LoadOptions& options) {
  std::vector<Problem> problems;
  Values values;
  try {
    values = read_chain(yaml, file, {}, problems);
  } catch (const InputError& error) {  // a file of the chain that cannot be read
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    throw_if_any(problems);
  }
  for (const std::string& override_text : options.overrides) {
    apply_override(override_text, scenario_keys(), values, problems);
  }
  const std::string name = values.has("name") ? values.at("name").text : file.stem().string();
  Scenario scenario =
      Builder(std::move(values), file.parent_path(), options, std::move(problems)).build();
  scenario.name = name;
  return scenario;
}

Scenario load_scenario(const fs::path& file, const LoadOptions& options) {
  return load_scenario_text(read_text_file(file), file, options);
}

}  // namespace danlu
