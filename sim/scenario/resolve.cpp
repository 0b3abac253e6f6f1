#include "sim/scenario/resolve.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/scenario/derive_plan.hpp"
#include "sim/scenario/equal_parts.hpp"
#include "sim/scenario/frameworks.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/huggingface.hpp"
#include "sim/scenario/load_cluster.hpp"
#include "sim/scenario/load_faults.hpp"
#include "sim/scenario/node_slips.hpp"
#include "sim/scenario/power_limit.hpp"
#include "sim/scenario/unused_keys.hpp"
#include "sim/workload/model_presets.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

/// Values that follow from others, in the order in which they do. One class, since each step reads
/// what the one before derived.
class Resolver {
 public:
  Resolver(Values own, const fs::path& beside, const LoadOptions& options,
           std::vector<Problem>& problems)
      : own_(std::move(own)), beside_(beside), options_(options), problems_(problems) {}

  ResolvedValues resolve() {
    all_ = own_;
    said_ = own_;
    attempt("model", [&] { add_model(); });
    attempt("cluster.topology", [&] { add_cluster(); });
    attempt("faults", [&] { add_faults(); });
    attempt("training.framework", [&] { add_framework(); });
    check_factors(all_, scenario_keys(), problems_);
    derive_model();
    derive_plan(all_, problems_);
    return {std::move(own_), std::move(all_), std::move(notes_)};
  }

 private:
  /// One layer; its problems do not hide those of the next.
  template <typename Layer>
  void attempt(const std::string& section, const Layer& layer) {
    try {
      layer();
    } catch (const InputError& error) {
      problems_.insert(problems_.end(), error.problems().begin(), error.problems().end());
      all_.set_wrong(section);
    }
  }

  /// Puts what `inner` has become back into both: `own` without repeats, `all` over the preset.
  void keep(std::string_view prefix, const Values& own, const Values& all) {
    for (const std::string& path : own_.below(prefix).paths()) {
      if (!own.has(path)) {
        own_.erase_tree(fmt::format("{}{}", prefix, path));
      }
    }
    all_.set_below(prefix, all);
  }

  /// Puts a model under what the scenario says of it.
  void lay_model_over(const Values& model) {
    model_below_ = model;
    Values own = own_.below("model.");
    own.forget_repeats(model);
    Values all = own;
    all.lay_over(model);
    keep("model.", own, all);
  }

  void add_model() {
    const std::string huggingface = "model.huggingface";
    if (own_.has(huggingface)) {
      if (own_.has("model.preset")) {
        throw InputError(
            own_.problem(huggingface,
                         "a model is from a preset or from Hugging Face, found both 'model.preset' "
                         "and 'model.huggingface'"));
      }
      HuggingFaceModel model = read_huggingface(
          beside_ / own_.at(huggingface).text, own_.problem(huggingface, ""), own_.below("model."));
      lay_model_over(model.values);
      notes_.insert(notes_.end(), model.notes.begin(), model.notes.end());
      return;
    }
    if (!own_.has("model.preset")) {
      return;
    }
    const std::string& name = own_.at("model.preset").text;
    std::vector<std::string_view> names;
    const ModelPreset* found = nullptr;
    for (const ModelPreset& preset : model_presets()) {
      names.push_back(preset.name);
      found = preset.name == name ? &preset : found;
    }
    if (found == nullptr) {
      const std::string_view near = nearest(name, names);
      throw InputError(own_.problem("model.preset", fmt::format("unknown model '{}'", shown(name)),
                                    near.empty() ? fmt::format("known: {}", join(names, ", "))
                                                 : fmt::format("did you mean '{}'?", near)));
    }
    const ModelSpec spec = to_model_spec(*found);
    const std::string origin = fmt::format("model preset {}", found->name);
    Values values = values_of(spec, scenario_keys(), "model", origin);
    values.set_below("experts.", values_of(spec.experts, scenario_keys(), "model.experts", origin));
    lay_model_over(std::move(values));
  }

  void add_cluster() {
    if (!own_.has("cluster.topology")) {
      return;
    }
    settle_price();
    Values own = own_.below("cluster.");
    Values preset =
        find_topology(own.at("topology").text, own.problem("topology", ""), beside_, options_);
    if (own.has("network.preset")) {
      preset.set("network.preset", own.at("network.preset"));
    }
    add_network(preset, beside_, options_);
    const Values file = preset;
    if (own.has("node.xml")) {
      add_node_of_xml(preset, own, beside_);
    }
    if (own.has("gpu.preset")) {
      preset.erase_tree("gpu");  // another GPU, not one with the figures of this one
      preset.set("gpu.preset", own.at("gpu.preset"));
    }
    for (const std::string way : {"write", "read"}) {
      const std::string all = "storage." + way;
      const std::string node = "storage.node_" + way;
      if (own.has(all) || own.has(node)) {  // another storage, not one with the limits of this one
        preset.erase_tree(all);
        preset.erase_tree(node);
      }
    }
    Values written = preset;  // of the GPU, in the topology's file or the scenario
    add_gpu(preset, beside_, options_);
    const double watts =
        said_.has_below("cluster.gpu.") ? gpu_watts(file) : preset.at("gpu.power").number;
    own.forget_repeats(preset);
    Values all = own;
    all.lay_over(preset);
    const std::vector<std::string> scaled = scale_measured(all, file, said_.below("cluster."));
    notes_.insert(notes_.end(), scaled.begin(), scaled.end());
    const std::vector<std::string> parts = take_equal_parts(all, said_.below("cluster."));
    notes_.insert(notes_.end(), parts.begin(), parts.end());
    limit_power(all, std::move(written));
    fit_node_power(all, file, watts);
    note_slips({own, file, all}, notes_);
    note_idle_keys(file, all);
    keep("cluster.", own, all);
  }

  /// What a topology's file says without effect, by all that counts. It is no error there: others
  /// use the file too, and the presets have figures for what one may choose instead.
  void note_idle_keys(const Values& file, const Values& all) {
    std::vector<Problem> idle;
    find_unused_keys(file, all, topology_keys(), cluster_key_uses(), "", {idle, notes_});
    for (const Problem& problem : idle) {
      const auto& [file_name, line, column] = problem.position;
      std::error_code none;
      if (!fs::equivalent(fs::path(file_name).parent_path(), options_.topologies, none)) {
        notes_.push_back(fmt::format("{}:{}: {}", file_name, line, problem.message));
      }
    }
  }

  /// The price of a GPU may stand at two keys; the one that was written last counts.
  void settle_price() {
    constexpr const char* kOfAll = "cluster.price";
    constexpr const char* kOfGpu = "cluster.gpu.price";
    if (!own_.has(kOfAll) || !own_.has(kOfGpu)) {
      return;
    }
    const bool all_counts = own_.layer_of(kOfAll) >= own_.layer_of(kOfGpu);
    const char* gone = all_counts ? kOfGpu : kOfAll;
    const char* counts = all_counts ? kOfAll : kOfGpu;
    notes_.push_back(fmt::format("'{}' ({}) gives way to '{}' ({})", gone, own_.at(gone).text,
                                 counts, own_.at(counts).text));
    for (Values* values : {&own_, &said_, &all_}) {
      values->erase_tree(gone);
    }
  }

  /// By the power that somebody wrote, in the topology's file (`written`) or the scenario; else it
  /// is the GPU file's own.
  void limit_power(Values& all, Values written) {
    const Values said = said_.below("cluster.");
    for (const std::string& path : said.paths()) {
      written.set(path, said.at(path));
    }
    if (!written.has("gpu.power")) {
      return;
    }
    Values board;
    board.set("gpu.preset", all.at("gpu.preset"));
    add_gpu(board, beside_, options_);
    const std::vector<std::string> slowed = keep_to_power(all, board, written);
    notes_.insert(notes_.end(), slowed.begin(), slowed.end());
  }

  /// Of the GPU that a topology's file has.
  double gpu_watts(const Values& file) const {
    Values own = file;
    add_gpu(own, beside_, options_);
    return own.at("gpu.power").number;
  }

  /// The topology's nameplate power is that of nodes with its own GPUs.
  void fit_node_power(Values& all, const Values& file, double before) {
    constexpr const char* kKey = "node.power";
    if (!file.has(kKey) || said_.has(fmt::format("cluster.{}", kKey)) || !all.has("gpu.power")) {
      return;
    }
    const double now = all.at("gpu.power").number;
    const double gpus = all.at("node.gpus").number;
    const double of_file = said_.has("cluster.node.gpus") && file.has("node.gpus")
                               ? file.at("node.gpus").number
                               : gpus;
    const double more = gpus * now - of_file * before;
    Value power = all.at(kKey);
    if (more == 0 || power.number + more <= 0) {
      return;
    }
    const std::string whole = power.text;
    power.text = format_quantity(power.number + more, Dimension::Power);
    power.number = parse_quantity(power.text, Dimension::Power)->value;
    power.origin = "derived: with these GPUs";
    const std::string of = format_quantity(before, Dimension::Power);
    const std::string are = format_quantity(now, Dimension::Power);
    notes_.push_back(
        gpus == of_file
            ? fmt::format("'cluster.node.power' is {} here: the topology's {} has GPUs of {}, "
                          "these are of {}",
                          power.text, whole, of, are)
            : fmt::format(
                  "'cluster.node.power' is {} here: the topology's {} has {:.0f} GPUs of {}, "
                  "these nodes have {:.0f} of {}, and the rest of a node as it is",
                  power.text, whole, of_file, of, gpus, are));
    all.set(kKey, std::move(power));
  }

  void add_faults() {
    Values own = own_.below("faults.");
    Values all = add_faults_preset(own, beside_, options_, notes_);
    settle_checkpoints(said_.below("cluster.storage."), said_.below("faults."), all, problems_,
                       notes_);
    keep("faults.", own, all);
    for (const std::string& path : all_.below("faults.").paths()) {
      if (!all.has(path)) {
        all_.erase_tree("faults." + path);  // of a preset, and replaced by another key
      }
    }
  }

  /// What the framework does by itself, where nothing else is said.
  void add_framework() {
    constexpr const char* kKey = "training.framework";
    if (!own_.has(kKey)) {
      return;
    }
    const std::string& name = own_.at(kKey).text;
    const Framework* found = find_framework(name);
    if (found == nullptr) {
      std::vector<std::string_view> names;
      for (const Framework& framework : framework_table()) {
        names.push_back(framework.name);
      }
      const std::string_view near = nearest(name, names);
      throw InputError(own_.problem(kKey, fmt::format("unknown framework '{}'", shown(name)),
                                    near.empty() ? fmt::format("known: {}", join(names, ", "))
                                                 : fmt::format("did you mean '{}'?", near)));
    }
    for (const FrameworkValue& row : found->values) {
      const std::string key(row.key);
      if (all_.misses(key)) {
        Value value{.text = std::string(row.value), .origin = fmt::format("framework {}", name)};
        const std::optional<Complaint> wrong = read_scalar(*find_key(scenario_keys(), key), value);
        check(!wrong, "a framework's value fits its key");
        all_.set(key, std::move(value));
      }
    }
  }

  void derive(const std::string& path, double number, std::string text, std::string_view from) {
    if (all_.misses(path)) {
      all_.set(
          path,
          {.text = std::move(text), .number = number, .origin = fmt::format("derived: {}", from)});
    }
  }
  void derive(const std::string& path, double number, std::string_view from) {
    derive(path, number, fmt::format("{:.0f}", number), from);
  }
  double number(std::string_view path) const { return all_.has(path) ? all_.at(path).number : 0; }

  /// A width that follows from others, in a preset as where it is left out: it goes on to follow
  /// where those are the user's. One that a preset has of its own stays, and a note says so.
  ///
  ///   heads: 64 over a preset of 32    kv_heads 32 in the preset: 64    8 in the preset: 8
  void follow(const std::string& key, std::initializer_list<const char*> others, double in_preset) {
    const std::string path = fmt::format("model.{}", key);
    std::string own;
    for (const char* other : others) {
      if (own_.has(fmt::format("model.{}", other))) {
        own = other;
      }
    }
    if (own.empty() || said_.has(path) || !model_below_.has(key)) {
      return;
    }
    if (model_below_.at(key).number == in_preset) {
      all_.erase_tree(path);
      return;
    }
    constexpr const char* kPreset = "model.preset";
    own = fmt::format("model.{}", own);
    notes_.push_back(fmt::format(
        "'{}' stays {}, as {} has it, with '{}' {}", path, model_below_.at(key).text,
        own_.has(kPreset) ? own_.at(kPreset).text : "its config.json", own, own_.at(own).text));
  }

  /// One norm a layer stands before attention and MLP side by side.
  void one_norm_is_of_both() {
    constexpr const char* kNorms = "model.norms";
    constexpr const char* kBeside = "model.parallel_residual";
    if (number(kNorms) != 1) {
      return;
    }
    if (said_.has(kBeside) && said_.at(kBeside).number == 0) {
      problems_.push_back(said_.problem(
          kBeside, "one norm a layer stands before attention and MLP side by side, found norms 1",
          "norms: 2 for halves one after the other"));
    }
    all_.set(kBeside, {.text = "true", .number = 1, .origin = "derived: one norm for both"});
  }

  /// Widths that follow from others.
  void derive_model() {
    const auto in_preset = [&](const char* key) {
      return model_below_.has(key) ? model_below_.at(key).number : 0;
    };
    follow("kv_heads", {"heads"}, in_preset("heads"));
    follow("ffn", {"hidden"}, 4 * in_preset("hidden"));
    follow("head_dim", {"heads", "hidden"},
           std::floor(in_preset("hidden") / std::max(1.0, in_preset("heads"))));
    if (all_.misses("model.preset") && all_.misses("model.huggingface")) {
      constexpr std::string_view kWhy = "a GPT's, since it is left out of an own model";
      derive("model.positions", 0, "no table, since it is left out of an own model");
      derive("model.gated_mlp", 0, "false", kWhy);
      derive("model.tied_embeddings", 1, "true", kWhy);
      derive("model.biases", 1, "true", kWhy);
      derive("model.norm", 0, std::string(name_of(Norm::LayerNorm)), kWhy);
    }
    one_norm_is_of_both();
    const double hidden = number("model.hidden");
    const double heads = number("model.heads");
    if (heads > 0) {
      derive("model.kv_heads", heads, "as many as heads");
    }
    if (hidden > 0) {
      derive("model.ffn", 4 * hidden, "4 x hidden");
    }
    if (number("model.experts.count") > 0) {
      derive("model.experts.ffn", number("model.ffn"), "as model.ffn");
    }
    if (heads > 0 && hidden > 0) {
      if (static_cast<long>(hidden) % static_cast<long>(heads) != 0 &&
          all_.misses("model.head_dim")) {
        problems_.push_back(all_.problem(
            "model.heads", fmt::format("heads ({}) must divide hidden ({})", heads, hidden),
            "or give head_dim"));
        all_.set_wrong("model.head_dim");
      }
      derive("model.head_dim", std::floor(hidden / heads), "hidden / heads");
    }
  }

  Values said_;  // `own_` with what repeats a preset
  Values own_;
  Values model_below_;  // of a preset, or from Hugging Face
  Values all_;
  const fs::path& beside_;
  const LoadOptions& options_;
  std::vector<Problem>& problems_;
  std::vector<std::string> notes_;
};

}  // namespace

std::optional<int> layers_of_preset(std::string_view name) {
  for (const ModelPreset& preset : model_presets()) {
    if (preset.name == name) {
      return to_model_spec(preset).layers;
    }
  }
  return std::nullopt;
}

std::optional<bool> preset_has_experts(std::string_view name) {
  for (const ModelPreset& preset : model_presets()) {
    if (preset.name == name) {
      return to_model_spec(preset).experts.count > 0;
    }
  }
  return std::nullopt;
}

ResolvedValues resolve(Values own, const fs::path& beside, const LoadOptions& options,
                       std::vector<Problem>& problems) {
  return Resolver(std::move(own), beside, options, problems).resolve();
}

}  // namespace danlu
