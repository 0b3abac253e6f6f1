#include "sim/scenario/huggingface.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "sim/base/edit_distance.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/flat_file.hpp"
#include "sim/scenario/huggingface_layers.hpp"
#include "sim/scenario/huggingface_types.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kBiasParts{"qkv", "output", "mlp", "head", "experts"};

constexpr std::string_view kTied = "tie_word_embeddings";

// What a layer may attend to.
constexpr std::string_view kLayerTypes = "layer_types";
constexpr std::string_view kFull = "full_attention";
constexpr std::string_view kSliding = "sliding_attention";
constexpr std::string_view kChunked = "chunked_attention";

constexpr std::string_view kUsesWindow = "use_sliding_window";

constexpr double kMostLayers = 1e6;  // that a list is made for; no model has so many

/// A value of a key, and the field that it is from; no field: a default, or what the code does.
struct Taken {
  std::string text;
  const FlatValue* from = nullptr;
};

/// One configuration along the row of its type. One class: fields refer to keys taken before.
class ConfigReader {
 public:
  ConfigReader(const FlatFile& file, const Problem& place, const Values& beside)
      : file_(file), place_(place), beside_(beside) {}

  HuggingFaceModel read() {
    const HuggingFaceType& type = find_type();
    for (const TakenField& field : type.fields) {
      take(field);
    }
    take_layer_types(type);
    if (!taken_.contains("window") && !beside_.has("window")) {
      drop("global_every");
    }
    add_biases();
    note_misspelt(type);
    note_prediction(type);
    HuggingFaceModel model;
    for (const std::string& key : order_) {
      add_key(key, taken_.at(key), model);
    }
    if (!problems_.empty()) {
      throw InputError(std::move(problems_));
    }
    model.notes.insert(model.notes.begin(), what_was_taken(type));
    model.notes.insert(model.notes.end(), notes_.begin(), notes_.end());
    return model;
  }

 private:
  [[noreturn]] void refuse(std::string message, std::string hint) const {
    Problem problem = place_;
    problem.message = std::move(message);
    problem.hint = std::move(hint);
    throw InputError(std::move(problem));
  }

  static const HuggingFaceType* type_named(std::string_view name) {
    const std::vector<HuggingFaceType>& table = huggingface_table();
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const HuggingFaceType& type) { return type.name == name; });
    return found == table.end() ? nullptr : &*found;
  }

  /// The row of the file's type; of a model of several media that of its text.
  const HuggingFaceType& find_type() {
    const std::string known = fmt::format("danlu reads {}", fmt::join(huggingface_types(), ", "));
    const FlatValue* type = file_.find("model_type");
    if (type == nullptr) {
      refuse(fmt::format("'{}' has no model_type", shown(file_.name, kLongestPath)),
             "a config.json of Hugging Face's transformers; " + known);
    }
    const FlatValue* inner = file_.find("text_config.model_type");
    const bool is_known = inner != nullptr && type_named(inner->text) != nullptr;
    if (is_known || (inner != nullptr && type_named(type->text) == nullptr)) {
      prefix_ = "text_config.";
      notes_.push_back(
          fmt::format("of the {} in '{}' only the language part is taken (text_config)", type->text,
                      file_.name));
      type = inner;
    }
    const HuggingFaceType* row = type_named(type->text);
    if (row == nullptr) {
      throw InputError(
          type->problem(fmt::format("unknown model_type '{}'", shown(type->text)), known));
    }
    return *row;
  }

  /// The first of the fields "new|old" that is there and says something.
  const FlatValue* given(std::string_view fields) const {
    for (const std::string_view name : split(fields, '|')) {
      // Whether the whole model's head is the table is said beside its parts.
      const FlatValue* whole = name == kTied && !prefix_.empty() ? file_.find(kTied) : nullptr;
      const FlatValue* value =
          whole != nullptr ? whole : file_.find(fmt::format("{}{}", prefix_, name));
      if (value != nullptr && !value->is_null) {
        return value;
      }
    }
    return nullptr;
  }

  /// Whether one of the fields is written as null.
  bool is_null(std::string_view fields) const {
    const std::vector<std::string_view> names = split(fields, '|');
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
      const FlatValue* value = file_.find(fmt::format("{}{}", prefix_, name));
      return value != nullptr && value->is_null;
    });
  }

  double number(std::string_view key) const {
    const auto found = taken_.find(key);
    return found == taken_.end() ? 0 : parse_whole(found->second.text).value_or(0);
  }
  static std::optional<double> parse_whole(const std::string& text) {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    return digits && text.size() < 16 ? std::optional(std::stod(text)) : std::nullopt;
  }
  static std::string whole(double number) { return fmt::format("{:.0f}", number); }

  /// "=heads", "4*hidden", "hidden/heads", or a value.
  std::string fallback(std::string_view text) const {
    if (text.starts_with('=')) {
      return taken_.at(std::string(text.substr(1))).text;
    }
    if (const std::size_t star = text.find('*'); star != std::string_view::npos) {
      return whole(std::stod(std::string(text.substr(0, star))) * number(text.substr(star + 1)));
    }
    if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
      const double by = number(text.substr(slash + 1));
      return whole(by > 0 ? std::floor(number(text.substr(0, slash)) / by) : 0);
    }
    return std::string(text);
  }

  bool is_true(const FlatValue* value, std::string_view otherwise) {
    if (value == nullptr) {
      return otherwise == "true";
    }
    if (value->text != "true" && value->text != "false") {
      problems_.push_back(value->problem(
          fmt::format("'{}' must be true or false, found {}", value->path, quote(value->text))));
    }
    return value->text == "true";
  }

  void set(std::string_view key, Taken taken) {
    if (taken_.insert_or_assign(std::string(key), std::move(taken)).second) {
      order_.emplace_back(key);
    }
  }

  void take(const TakenField& field) {
    const FlatValue* value = field.field.empty() ? nullptr : given(field.field);
    if (field.how == Taking::Bias) {
      for (const std::string_view part : split(field.part, ' ')) {
        biases_[part] = biases_[part] || is_true(value, field.fallback);
      }
      return;
    }
    const std::string_view otherwise = value == nullptr ? without(field) : "";
    if (value == nullptr && otherwise.empty()) {
      take_missing(field);
      return;
    }
    const std::string text = value != nullptr ? value->text : fallback(otherwise);
    switch (field.how) {
      case Taking::Must:
        if (text != fallback(field.fallback)) {
          problems_.push_back(value->problem(
              fmt::format("danlu has no model with '{}' {}", value->path, shown(text)),
              fmt::format("it knows {}", fallback(field.fallback))));
        }
        return;
      case Taking::If:
        if (text == "null" || !is_true(given(field.part), "false")) {
          return;
        }
        break;
      case Taking::When:
        if (is_true(value, field.fallback)) {
          set(field.key, {std::string(field.part), value});
        }
        return;
      case Taking::Says:
        set(field.key, {text.find(field.part) != std::string::npos ? "true" : "false", value});
        return;
      case Taking::Times:
      case Taking::Plus: {
        const double other = parse_whole(std::string(field.part)).value_or(number(field.part));
        const std::optional<double> own = parse_whole(text);
        if (!own) {
          problems_.push_back(value->problem(
              fmt::format("'{}' must be a whole number, found {}", value->path, quote(text))));
          return;
        }
        set(field.key, {whole(field.how == Taking::Plus ? *own + other : *own * other), value});
        return;
      }
      case Taking::Behind:
      case Taking::Among:
        take_window_layers(field, value, text);
        return;
      case Taking::These:
      case Taking::Others:
        take_expert_layers(field, value);
        return;
      case Taking::Unsaid:
        note_unsaid(field, value, text);
        return;
      default:
        break;
    }
    if (text != "null") {
      set(field.key, {text, value});
    }
  }

  /// What holds where the field is missing or null; empty: it has to be there.
  std::string_view without(const TakenField& field) const {
    if (is_null(field.field)) {
      return field.if_null.empty() ? field.fallback : field.if_null;
    }
    return !prefix_.empty() && !field.inner.empty() ? field.inner : field.fallback;
  }

  void drop(const std::string& key) {
    taken_.erase(key);
    std::erase(order_, key);
  }

  /// Layers of the model in the end: beside the file there may be more or fewer than in it.
  int layers() const {
    constexpr std::string_view kKey = "layers";
    const std::optional<double> own =
        beside_.has(kKey) ? parse_whole(beside_.at(kKey).text) : std::nullopt;
    return static_cast<int>(std::clamp(own.value_or(number(kKey)), 0.0, kMostLayers));
  }

  /// Qwen's way to say which layers have the window: by the number of those at the beginning.
  void take_window_layers(const TakenField& field, const FlatValue* value,
                          const std::string& text) {
    const std::optional<double> first = parse_whole(text);
    if (!first) {
      problems_.push_back(value->problem(
          fmt::format("'{}' must be a whole number, found {}", value->path, quote(text))));
      return;
    }
    if (!taken_.contains("window") || given(kLayerTypes) != nullptr) {
      return;
    }
    std::vector<bool> sees_all(static_cast<std::size_t>(layers()));
    for (std::size_t layer = 0; layer < sees_all.size(); ++layer) {
      const bool is_first = static_cast<double>(layer) < *first;
      sees_all[layer] = field.how == Taking::Behind ? is_first : !is_first || layer % 2 == 1;
    }
    const FlatValue* place = value != nullptr ? value : given(kUsesWindow);
    check(place != nullptr, "a window that no field asks for");
    set_window_layers(
        sees_all, value, *place,
        fmt::format("{} {}{}", field.field, text, value != nullptr ? "" : " by its class"));
  }

  bool check_is_list(const FlatValue& value) {
    if (!value.is_list) {
      problems_.push_back(value.problem(
          fmt::format("'{}' must be a list, found {}", value.path, quote(value.text))));
    }
    return value.is_list;
  }

  /// A list with the kind of attention of each layer, which goes before all else.
  void take_layer_types(const HuggingFaceType& type) {
    const FlatValue* list = given(kLayerTypes);
    if (list == nullptr || !check_is_list(*list)) {
      return;
    }
    const bool has_chunks =
        std::any_of(type.fields.begin(), type.fields.end(),
                    [](const TakenField& field) { return field.how == Taking::Unsaid; });
    std::vector<bool> sees_all;
    for (const std::string& item : list->items) {
      const bool is_known = item == kFull || item == kSliding || (has_chunks && item == kChunked);
      if (!is_known) {
        problems_.push_back(
            list->problem(fmt::format("danlu has no model with a layer of '{}'", shown(item)),
                          fmt::format("it knows {} and {}", kFull, kSliding)));
        return;
      }
      sees_all.push_back(item != kSliding);
    }
    if (static_cast<double>(sees_all.size()) != number("layers")) {
      problems_.push_back(
          list->problem(fmt::format("'{}' has {} layers, the model has {}", list->path,
                                    sees_all.size(), whole(number("layers"))),
                        "one kind of attention for each layer"));
      return;
    }
    const bool slides = std::find(sees_all.begin(), sees_all.end(), false) != sees_all.end();
    if (slides && !taken_.contains("window") && !beside_.has("window")) {
      problems_.push_back(
          list->problem(fmt::format("'{}' has {}, and the file no window", list->path, kSliding),
                        "or say it beside the file: model.window"));
      return;
    }
    if (slides || taken_.contains("window")) {
      set_window_layers(sees_all, list, *list, list->path);
    }
  }

  /// Says by window and global_every which layers see everything.
  void set_window_layers(const std::vector<bool>& sees_all, const FlatValue* from,
                         const FlatValue& place, const std::string& source) {
    drop("global_every");
    if (std::find(sees_all.begin(), sees_all.end(), true) == sees_all.end()) {
      return;
    }
    const std::optional<EachSoMany> each = each_so_many(sees_all);
    if (each == EachSoMany{0, 1}) {
      notes_.push_back(fmt::format("no layer of '{}' has its window of {}: {}", file_.name,
                                   taken_.at("window").text, source));
      drop("window");
    } else if (each && each->behind == 0) {
      set("global_every", {fmt::format("{}", each->every), from});
    } else if (!beside_.has("global_every") && !says_no_window()) {
      problems_.push_back(place.problem(
          fmt::format("danlu has no model in which {} see everything and the others a window ({})",
                      layers_text(sees_all), source),
          "it knows those of which each so-manieth does; say beside the file what comes nearest: "
          "model.global_every (0: none), or model.window: 0"));
    }
  }
  bool says_no_window() const {
    return beside_.has("window") && parse_whole(beside_.at("window").text) == 0.0;
  }

  /// Lists of layers that have experts, or have none.
  void take_expert_layers(const TakenField& field, const FlatValue* value) {
    if (value == nullptr || !check_is_list(*value) ||
        (value->items.empty() && field.how == Taking::Others)) {
      return;
    }
    const auto every = static_cast<int>(std::max(1.0, number("experts.every")));
    std::vector<bool> picked(
        static_cast<std::size_t>(std::clamp(number("layers"), 0.0, kMostLayers)));
    for (std::size_t layer = 0; layer < picked.size(); ++layer) {
      const bool has_turn = (static_cast<int>(layer) + 1) % every == 0;
      picked[layer] = field.how == Taking::Others && has_turn;
    }
    for (const std::string& item : value->items) {
      const std::optional<double> layer = parse_whole(item);
      if (!layer || *layer >= static_cast<double>(picked.size())) {
        problems_.push_back(
            value->problem(fmt::format("'{}' has no layer {}", value->path, quote(item)),
                           fmt::format("layers are 0 to {}", static_cast<int>(picked.size()) - 1)));
        return;
      }
      picked[static_cast<std::size_t>(*layer)] = field.how == Taking::These;
    }
    const bool any = std::find(picked.begin(), picked.end(), true) != picked.end();
    const std::optional<EachSoMany> each = any ? each_so_many(picked) : std::nullopt;
    if (each) {
      set("experts.every", {fmt::format("{}", each->every), value});
      set("experts.dense_layers", {fmt::format("{}", each->behind), value});
    } else if (!beside_.has("experts.every") && !beside_.has("experts.dense_layers")) {
      problems_.push_back(value->problem(
          fmt::format("danlu has no model with experts in {} ({})", layers_text(picked),
                      value->path),
          "it knows those with experts in each so-manieth layer behind some first ones; say beside "
          "the file what comes nearest: model.experts.every, model.experts.dense_layers"));
    }
  }

  void note_unsaid(const TakenField& field, const FlatValue* value, const std::string& text) {
    if (text != "null") {
      notes_.push_back(fmt::format(
          "{} {} of '{}'{} is left out: no key says it; it makes no difference to sequences that "
          "are no longer",
          field.field, text, file_.name, value != nullptr ? "" : ", by its class,"));
    }
  }

  /// What neither the file nor its class says, by what stands beside it in the scenario.
  void take_missing(const TakenField& field) {
    const std::string key(field.key);
    if (beside_.has(key) && parse_whole(beside_.at(key).text)) {
      taken_.insert_or_assign(key, Taken{beside_.at(key).text});  // for what follows from it
      return;
    }
    problems_.push_back({{file_.name, 0, 0},
                         fmt::format("missing field '{}{}', which is {}", prefix_,
                                     split(field.field, '|').front(), field.key),
                         fmt::format("or say it beside the file: model.{}", field.key),
                         ""});
    set(field.key, {"1"});
    misses_ = true;
  }

  /// Fields that nothing reads, but for two letters those that the type reads and the file lacks.
  void note_misspelt(const HuggingFaceType& type) {
    std::vector<std::string_view> lacking;
    for (const TakenField& field : type.fields) {
      for (const std::string_view name : split(field.field, '|')) {
        if (!name.empty() && file_.find(fmt::format("{}{}", prefix_, name)) == nullptr) {
          lacking.push_back(name);
        }
      }
    }
    const auto is_read = [&](std::string_view name) {
      return std::any_of(type.fields.begin(), type.fields.end(), [&](const TakenField& field) {
        const std::vector<std::string_view> names = split(field.field, '|');
        return field.part == name || std::find(names.begin(), names.end(), name) != names.end();
      });
    };
    for (const FlatValue& value : file_.values) {
      if (!value.path.starts_with(prefix_)) {
        continue;
      }
      const std::string_view name = std::string_view(value.path).substr(prefix_.size());
      const std::string_view meant = is_read(name) ? "" : misspelt(name, lacking);
      if (!meant.empty()) {
        notes_.push_back(fmt::format("nothing reads {} {} of '{}': did you mean {}{}?", value.path,
                                     shown(value.text), file_.name, prefix_, meant));
      }
    }
  }

  /// Layers for multi-token prediction, which the code of most types in transformers leaves out.
  void note_prediction(const HuggingFaceType& type) {
    constexpr std::string_view kKey = "prediction_layers";
    const FlatValue* layers = given("num_nextn_predict_layers|mtp_num_hidden_layers");
    const bool taken = std::any_of(type.fields.begin(), type.fields.end(),
                                   [&](const TakenField& field) { return field.key == kKey; });
    if (layers != nullptr && layers->text != "0" && !taken && !beside_.has(kKey)) {
      notes_.push_back(fmt::format(
          "{} {} of '{}' is left out, as transformers leaves it out of a {}: set model.{}={} to "
          "train with it",
          layers->path, layers->text, file_.name, type.name, kKey, layers->text));
    }
  }

  /// true, false, or the list of products that have biases.
  void add_biases() {
    std::vector<std::string_view> parts;
    std::copy_if(kBiasParts.begin(), kBiasParts.end(), std::back_inserter(parts),
                 [&](std::string_view part) { return biases_[part]; });
    const bool all = parts.size() == 3 && parts.back() == "mlp";
    set("biases", {parts.empty() ? "false"
                   : all         ? "true"
                                 : fmt::format("[{}]", fmt::join(parts, ", "))});
  }

  /// Reads one value as a scenario would have it.
  void add_key(const std::string& key, const Taken& taken, HuggingFaceModel& model) {
    const std::string path = "model." + key;
    Problem place{{file_.name, 0, 0}, "", "", ""};
    if (taken.from != nullptr) {
      place = taken.from->problem("");
    }
    if (taken.from == nullptr && misses_) {
      return;  // may follow from what is missing, which was said
    }
    std::vector<Problem> wrong;
    const Values read = read_values(taken.text, file_.name, scenario_keys(), path, wrong);
    for (Problem& problem : wrong) {
      problem.position = place.position;
      problem.source_line = place.source_line;
      problems_.push_back(std::move(problem));
    }
    for (const std::string& found : read.paths()) {
      Value value = read.at(found);
      value.position = {};
      value.source_line.clear();
      value.origin = fmt::format("{}, {}", file_.name,
                                 taken.from != nullptr ? taken.from->path : "by its type");
      model.values.set(found.substr(std::string_view("model.").size()), std::move(value));
    }
  }

  /// What came from the file, and what it does not say.
  std::string what_was_taken(const HuggingFaceType& type) const {
    std::vector<std::string> from_file;
    std::vector<std::string> from_type;
    for (const std::string& key : order_) {
      const Taken& taken = taken_.at(key);
      (taken.from != nullptr ? from_file : from_type)
          .push_back(fmt::format("{} {}", key, taken.text));
    }
    return fmt::format("'{}' is a {}: {}; by {} or the model's code: {}", file_.name, type.name,
                       fmt::join(from_file, ", "), type.source, fmt::join(from_type, ", "));
  }

  const FlatFile& file_;
  const Problem& place_;
  const Values& beside_;
  std::string prefix_;
  std::map<std::string, Taken, std::less<>> taken_;
  std::vector<std::string> order_;  // of the keys
  std::map<std::string_view, bool> biases_;
  bool misses_ = false;  // a field that has to be there
  std::vector<std::string> notes_;
  std::vector<Problem> problems_;
};

}  // namespace

HuggingFaceModel read_huggingface(const fs::path& file, const Problem& place,
                                  const Values& beside) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    Problem problem = place;
    problem.message = fmt::format("there is no file '{}'", shown(file.string(), kLongestPath));
    problem.hint = "a path from the folder of this scenario to a config.json";
    throw InputError(std::move(problem));
  }
  const FlatFile flat = read_flat_yaml(read_text_file(file), file.string());
  return ConfigReader(flat, place, beside).read();
}

std::vector<std::string_view> huggingface_types() {
  std::vector<std::string_view> names;
  for (const HuggingFaceType& type : huggingface_table()) {
    names.push_back(type.name);
  }
  return names;
}

}  // namespace danlu
