#include "sim/scenario/assumed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "sim/base/text.hpp"
#include "sim/scenario/power_limit.hpp"

namespace danlu {
namespace {

/// Words by which a source says that it is none.
constexpr std::array<std::string_view, 12> kMarks{
    "not sourced", "unsourced",     "no source", "assum",  "from memory", "carried over",
    "estimate",    "not published", "guess",     "chosen", "invented",    "no measurement"};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  const std::size_t last = text.find_last_not_of(' ');
  return first == std::string_view::npos ? "" : text.substr(first, last - first + 1);
}

/// The source of the key, or of the nearest section above it; "" without any.
std::string_view source_of(std::string_view key, std::string_view sources) {
  for (std::string_view path = key; !path.empty();
       path = path.substr(0, path.rfind('.') == std::string_view::npos ? 0 : path.rfind('.'))) {
    for (const std::string_view line : split(sources, '\n')) {
      const std::size_t tab = line.find('\t');
      if (tab != std::string_view::npos && line.substr(0, tab) == path) {
        return line.substr(tab + 1);
      }
    }
  }
  return "";
}

/// Whether `word` names a key: its whole last name, or the first word of it ("forward" of
/// forward_efficiency).
bool names(std::string_view word, std::string_view leaf) {
  return word == leaf || (leaf.starts_with(word) && leaf[word.size()] == '_');
}

/// What of a section's source is about the key: "efficiency: measured; half_k: assumed" has a part
/// for each of two.
std::string part_about(std::string_view key, std::string_view source,
                       std::span<const KeyRow> keys) {
  const std::size_t dot = key.rfind('.');
  const std::string_view leaf = dot == std::string_view::npos ? key : key.substr(dot + 1);
  const std::vector<std::string_view> siblings =
      names_below(keys, dot == std::string_view::npos ? "" : key.substr(0, dot));
  std::string about;
  bool ours = true;
  for (const std::string_view part : split(source, ';')) {
    const std::string_view label = part.substr(0, part.find(':'));
    const std::vector<std::string_view> words = split(label, ',');
    const bool is_label = std::all_of(words.begin(), words.end(), [&](std::string_view word) {
      return std::any_of(siblings.begin(), siblings.end(), [&](std::string_view sibling) {
        return !trimmed(word).empty() && names(trimmed(word), sibling);
      });
    });
    if (is_label) {
      ours = std::any_of(words.begin(), words.end(),
                         [&](std::string_view word) { return names(trimmed(word), leaf); });
    }
    if (ours) {
      about += fmt::format("{}{}", about.empty() ? "" : "; ", trimmed(part));
    }
  }
  return about;
}

/// Whether a value of no preset says what would hold without it, as what `danlu show` prints does.
bool repeats_default(const KeyRow& row, const Value& value) {
  const std::optional<Value> fallback = fallback_of(row);
  return value.origin.empty() && fallback && fallback->number == value.number;
}

/// A key that matters, and when.
struct Use {
  std::string_view key;
  bool used = true;
};

void add_assumed(const Values& values, std::span<const KeyRow> keys, std::string_view section,
                 std::initializer_list<Use> uses, std::vector<Assumed>& found) {
  const std::string sources = values.has("sources") ? values.at("sources").text : "";
  for (const Use& use : uses) {
    const KeyRow* row = find_key(keys, use.key);
    check(row != nullptr, fmt::format("the table has no key '{}'", use.key));
    if (!use.used) {
      continue;
    }
    const std::string name = fmt::format("{}{}", section, use.key);
    const bool of_preset = values.has(use.key) && !sources.empty() &&
                           values.at(use.key).position.file == values.at("sources").position.file;
    if (!values.has(use.key) || (!of_preset && repeats_default(*row, values.at(use.key)))) {
      if (!row->fallback.empty() && row->fallback != "required") {
        found.push_back({name, row->fallback, "default: nothing gives it"});
      }
      continue;
    }
    const Value& value = values.at(use.key);
    if (value.origin == kByPower) {
      found.push_back({name, value.text, "goes with gpu.power, by an exponent that is fitted"});
      continue;
    }
    if (std::string why = of_preset ? why_assumed(use.key, sources, keys) : ""; !why.empty()) {
      found.push_back({name, value.text, std::move(why)});
    }
  }
}

/// The key of a figure of products in `precision`, or of what that borrows of.
std::string narrow_key(const Values& gpu, Precision precision, std::string_view figure) {
  for (const Precision from : {precision, Precision::Fp8}) {
    const std::string key = fmt::format("gemm.{}.{}", name_of(from), figure);
    if (is_narrow(precision) && gpu.has(key)) {
      return key;
    }
  }
  return fmt::format("gemm.{}", figure);
}

/// Figures of products that nobody measured in `precision`.
void add_borrowed(const Values& gpu, Precision precision, const std::string& section,
                  std::vector<Assumed>& found) {
  for (const std::string_view figure : {"efficiency", "sustained", "in_step"}) {
    const std::string own = fmt::format("gemm.{}.{}", name_of(precision), figure);
    if (const std::string from = narrow_key(gpu, precision, figure);
        is_narrow(precision) && from != own && gpu.has(from)) {
      found.push_back({fmt::format("{}gpu.{}", section, own), gpu.at(from).text,
                       fmt::format("borrowed of {}: nothing gives it", from)});
    }
  }
}

}  // namespace

std::string why_assumed(std::string_view key, const std::string& sources,
                        std::span<const KeyRow> keys) {
  constexpr std::string_view kAs = "as ";
  const std::string about = part_about(key, source_of(key, sources), keys);
  if (about.empty()) {
    return "no source";
  }
  if (about.starts_with(kAs)) {  // of another key, or of another machine
    const std::string_view other = split(std::string_view(about).substr(kAs.size()), ' ').front();
    const bool is_key =
        other != key && (find_key(keys, other) != nullptr || is_section_of(keys, other));
    return is_key ? why_assumed(other, sources, keys) : about;
  }
  std::string small = about;
  std::transform(small.begin(), small.end(), small.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool marked = std::any_of(kMarks.begin(), kMarks.end(), [&](std::string_view mark) {
    return small.find(mark) != std::string::npos;
  });
  return marked ? about : "";
}

std::vector<Assumed> find_assumed(const Values& values, const std::string& section,
                                  const Scenario& scenario) {
  const Values gpu = values.below("gpu.");
  const ClusterSpec& cluster = scenario.cluster;
  const TopologySpec& spec = cluster.topology;
  const TrainingSpec& training = scenario.workload.training;
  const std::string peak = fmt::format("peak_dense.{}", name_of(training.precision));
  const std::string efficiency = narrow_key(gpu, training.precision, "efficiency");
  const std::string sustained = narrow_key(gpu, training.precision, "sustained");
  const std::string in_step = narrow_key(gpu, training.precision, "in_step");
  const bool fused = is_fused(training.attention);
  const AttentionKind kind =
      training.attention == AttentionKind::Flash ? cluster.gpu.usual_attention : training.attention;
  const std::string attention =
      fused ? fmt::format("attention.{}.share", name_of(kind)) : "attention.usual";
  const bool several = cluster.gpus > 1;
  const bool nodes = cluster.nodes() > 1;
  const bool leaves = cluster.nodes() > spec.nodes_per_leaf;
  const bool inside = std::min(spec.gpus_per_node, cluster.gpus) > 1;
  const bool scale_up = inside && spec.scale_up != ScaleUpKind::None;
  const bool sums = scale_up && spec.scale_up_reduction_efficiency > 0;
  const bool meet_on_pcie = inside && spec.scale_up == ScaleUpKind::None;
  const bool one_share = meet_on_pcie && values.has("node.pcie.efficiency");  // for both
  const bool tree = leaves && spec.fabric != FabricKind::Torus &&
                    spec.fabric != FabricKind::Dragonfly && spec.fabric != FabricKind::Switch;
  const auto counts = [&](const char* key) { return values.has(key) && values.at(key).number > 0; };
  const bool run = training.tokens.has_value();
  const bool campaign = scenario.faults.has_value();
  std::vector<Assumed> found;
  add_assumed(gpu, gpu_keys(), section + "gpu.",
              {{peak},
               {efficiency},
               {sustained},
               {in_step},
               {"gemm.efficiency", efficiency != "gemm.efficiency"},
               {attention, fused},
               {"memory.bandwidth"},
               {"memory.efficiency"},
               {"memory.permute", scenario.workload.model.experts.count > 0},
               {"kernel_launch"},
               {"multiprocessors"},
               {"memory.capacity"}},
              found);
  add_borrowed(gpu, training.precision, section, found);
  add_assumed(values, topology_keys(), section,
              {{"node.scale_up.bandwidth", scale_up},
               {"node.scale_up.efficiency", inside && !one_share},
               {"node.scale_up.latency", inside},
               {"node.scale_up.reduction_efficiency", sums},
               {"node.nics.bandwidth", nodes},
               {"node.nics.efficiency", nodes},
               {"node.nics.count", nodes},
               {"node.pcie.bandwidth", nodes || meet_on_pcie},
               {"node.pcie.efficiency", one_share},
               {"fabric.latency", nodes},
               {"fabric.small_latency", nodes && counts("fabric.small_latency")},
               {"fabric.line_latency", nodes},
               {"fabric.message_rate", nodes && scenario.workload.model.experts.count > 0},
               {"collective.network_fill", nodes && counts("collective.network_fill")},
               {"collective.head_share", nodes && sums},
               {"fabric.hop_latency", leaves},
               {"fabric.oversubscription", tree},
               {"fabric.nodes_per_leaf", tree},
               {"collective.launch", several},
               {"collective.fill", several && spec.nccl_tuning},
               {"storage.write", campaign},
               {"storage.node_write", campaign},
               {"node.power", run}},
              found);
  if (!values.has("price")) {  // else the user's
    add_assumed(gpu, gpu_keys(), section + "gpu.", {{"price", run}}, found);
  }
  return found;
}

}  // namespace danlu
