#include "sim/import/draft.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <functional>
#include <iterator>

#include "sim/base/edit_distance.hpp"
#include "sim/base/text.hpp"
#include "sim/base/units.hpp"
#include "sim/scenario/keys.hpp"
#include "sim/scenario/resolve.hpp"

namespace danlu {
namespace {

constexpr std::string_view kGap = "FILL-IN";

/// As YAML, TOML, JSON and Python write what is true or false; nothing for another word.
std::optional<bool> boolean_of(std::string_view value) {
  constexpr std::array<std::string_view, 5> kTrue{"", "true", "1", "yes", "on"};
  constexpr std::array<std::string_view, 6> kFalse{"false", "0", "no", "off", "null", "none"};
  const std::string word = lower_case(value);
  const auto is_one_of = [&](std::span<const std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  return is_one_of(kTrue)    ? std::optional(true)
         : is_one_of(kFalse) ? std::optional(false)
                             : std::nullopt;
}

bool is_false(std::string_view value) {
  return boolean_of(value) == std::optional(false);
}

/// Of a switch. DeepSpeed's "auto" is what somebody else fills in.
bool is_on(const GivenFlag& flag) {
  constexpr std::string_view kAuto = "auto";
  if (flag.value == kAuto) {
    return true;
  }
  const std::optional<bool> found = boolean_of(flag.value);
  if (!found) {
    constexpr std::size_t kMost = 2;  // letters
    std::string_view meant;
    for (const std::string_view word : {"true", "false"}) {
      meant = edit_distance(lower_case(flag.value), word) <= kMost ? word : meant;
    }
    throw InputError(flag.problem(
        fmt::format("'{}' must be true or false, found {}", flag.shown_name(), quote(flag.value)),
        meant.empty() ? "" : fmt::format("did you mean '{}'?", meant)));
  }
  return *found;
}

bool is_name(std::string_view names, std::string_view flag) {
  const std::vector<std::string_view> all = split(names, '|');
  return std::find(all.begin(), all.end(), flag) != all.end();
}

bool names_flag(std::string_view names, std::string_view flag) {
  const std::vector<std::string_view> all = split(names, '|');
  return std::any_of(all.begin(), all.end(), [&](std::string_view name) {
    return name.ends_with('*') ? flag.starts_with(name.substr(0, name.size() - 1)) : name == flag;
  });
}

/// What YAML takes for one text.
std::string as_text(std::string_view value) {
  const bool plain = value.find_first_of(":#{}&*!|>'\"%@`\\") == std::string_view::npos ||
                     value.starts_with('{') || value.starts_with('[');
  return plain ? std::string(value) : fmt::format("\"{}\"", printable(value));
}

}  // namespace

std::string GivenFlag::place() const {
  return position.line > 0 ? fmt::format("{}, line {}", shown_name(), position.line) : shown_name();
}

std::vector<std::string_view> words_of(std::string_view list) {
  constexpr std::string_view kBetween = " ,[]()'\"";
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = list.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) {
      return words;
    }
    list.remove_prefix(begin);
    words.push_back(list.substr(0, list.find_first_of(kBetween)));
    list.remove_prefix(words.back().size());
  }
}

const FlagRow* find_row(std::span<const FlagRow> rows, std::string_view flag) {
  for (const auto names : {is_name, names_flag}) {
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [&](const FlagRow& row) { return names(row.flag, flag); });
    if (found != rows.end()) {
      return &*found;
    }
  }
  return nullptr;
}

std::string_view misspelt_flag(std::span<const FlagRow> rows, std::string_view flag) {
  const FlagRow* row = find_row(rows, flag);
  if (row != nullptr && is_name(row->flag, flag)) {
    return "";
  }
  std::vector<std::string_view> names;
  for (const FlagRow& one : rows) {
    if (one.reading != Reading::Idle) {
      const std::vector<std::string_view> its = split(one.flag, '|');
      names.insert(names.end(), its.begin(), its.end());
    }
  }
  return misspelt(flag, names);
}

Draft::Draft(std::string name, std::vector<GivenFlag> flags, std::span<const FlagRow> rows,
             ImportOptions options)
    : name_(std::move(name)), flags_(std::move(flags)), options_(std::move(options)) {
  for (const GivenFlag& flag : flags_) {
    const FlagRow* row = find_row(rows, flag.name);
    if (const std::string_view meant = misspelt_flag(rows, flag.name); !meant.empty()) {
      misspelt_.push_back(fmt::format("{}: not understood, did you mean {}?", flag.place(),
                                      flag.written.empty() ? meant : split(meant, '.').back()));
    } else if (row != nullptr) {
      knows_any_ |= row->reading != Reading::Idle;
      read(flag, *row);
    } else {
      unknown_.push_back(flag.place());
    }
  }
}

void Draft::read(const GivenFlag& flag, const FlagRow& row) {
  if (row.reading == Reading::Idle) {
    const char* how = is_name(row.flag, flag.name) ? "" : ", by their beginnings alone";
    idle_[fmt::format("{}{}", row.note, how)].push_back(flag.shown_name());
    ++idle_count_;
    return;
  }
  if (flag.value == "null" || flag.value == "None") {
    return;
  }
  if (!flag.known && row.reading == Reading::Minor) {
    not_used(flag, fmt::format("only the one who runs the script knows {}, so it counts as not "
                               "given",
                               shown(flag.value)));
    return;
  }
  if (!flag.known && row.reading != Reading::Told) {
    fill_in(split(row.key, '|').front(),
            fmt::format("{} is {}, which only the one who runs the script knows", flag.place(),
                        shown(flag.value)));
    return;
  }
  if (row.reading == Reading::Fact || row.reading == Reading::Minor) {
    return;
  }
  if (row.reading == Reading::Told) {
    if (!is_false(flag.value)) {
      not_used(flag, std::string(row.note));
    }
    return;
  }
  switch (row.reading) {
    case Reading::Count:
      set(row.key, std::to_string(whole(flag.name).value_or(0)), &flag, row.note);
      return;
    case Reading::Number:
      set(row.key, fmt::format("{}", number(flag.name).value_or(0)), &flag, row.note);
      return;
    case Reading::On:
      if (is_on(flag)) {
        set(row.key, row.words.empty() ? "true" : std::string(row.words[0].second), &flag,
            row.note);
      }
      return;
    default:
      break;
  }
  const auto word = std::find_if(row.words.begin(), row.words.end(),
                                 [&](const auto& one) { return one.first == flag.value; });
  if (word == row.words.end()) {
    not_used(flag, fmt::format("danlu does not know its value '{}'", shown(flag.value)));
  } else if (!word->second.empty()) {
    set(row.key, std::string(word->second), &flag, row.note);
  }
}

std::size_t Draft::flags() const {
  return static_cast<std::size_t>(std::count_if(
      flags_.begin(), flags_.end(), [](const GivenFlag& flag) { return !flag.implied; }));
}

const GivenFlag* Draft::given(std::string_view names) const {
  const auto found = std::find_if(flags_.rbegin(), flags_.rend(), [&](const GivenFlag& flag) {
    return names_flag(names, flag.name) && flag.known && flag.value != "null" &&
           flag.value != "None";
  });
  return found == flags_.rend() ? nullptr : &*found;
}

const GivenFlag* Draft::mentioned(std::string_view names) const {
  const auto found = std::find_if(flags_.begin(), flags_.end(), [&](const GivenFlag& flag) {
    return names_flag(names, flag.name);
  });
  return found == flags_.end() ? nullptr : &*found;
}

bool Draft::on(std::string_view names) const {
  const GivenFlag* flag = given(names);
  return flag != nullptr && is_on(*flag);
}

bool Draft::says(std::string_view names) const {
  const GivenFlag* flag = given(names);
  return flag != nullptr && !is_false(flag->value);
}

namespace {

const GivenFlag* first_where(const Draft& draft, std::string_view names,
                             bool (Draft::*holds)(std::string_view) const) {
  for (const std::string_view name : split(names, '|')) {
    if ((draft.*holds)(name)) {
      return draft.given(name);
    }
  }
  return nullptr;
}

}  // namespace

const GivenFlag* Draft::first_on(std::string_view names) const {
  return first_where(*this, names, &Draft::on);
}

const GivenFlag* Draft::first_that_says(std::string_view names) const {
  return first_where(*this, names, &Draft::says);
}

std::optional<double> Draft::number(std::string_view names) const {
  const GivenFlag* flag = given(names);
  if (flag == nullptr) {
    return std::nullopt;
  }
  std::string text = flag->value;
  text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
  const std::optional<double> value = parse_number(text);
  if (!value) {
    throw InputError(flag->problem(
        fmt::format("'{}' must be a number, found {}", flag->shown_name(), quote(flag->value))));
  }
  return value;
}

std::optional<long> Draft::whole(std::string_view names) const {
  constexpr double kMost = 1e9;  // of two of them the product is a long
  const std::optional<double> value = number(names);
  if (!value) {
    return std::nullopt;
  }
  const bool fits = std::abs(*value) <= kMost;
  if (!fits || *value != std::floor(*value)) {
    const GivenFlag* flag = given(names);
    throw InputError(flag->problem(
        fmt::format("'{}' must be a whole number{}, found {}", flag->shown_name(),
                    fits ? "" : fmt::format(" of at most {:.0f}", kMost), quote(flag->value))));
  }
  return static_cast<long>(*value);
}

std::string_view Draft::at(std::string_view key) const {
  const auto found = lines_.find(key);
  return found == lines_.end() ? std::string_view() : found->second.value;
}

long Draft::count(std::string_view key) const {
  return static_cast<long>(parse_number(at(key)).value_or(0));
}

bool Draft::knows(std::string_view key) {
  return find_key(scenario_keys(), key) != nullptr;
}

long Draft::largest(std::string_view key) {
  return static_cast<long>(find_key(scenario_keys(), key)->maximum);
}

bool Draft::is_gap(std::string_view key) const {
  return at(key) == kGap;
}

void Draft::set(std::string_view key, std::string value, std::string comment) {
  if (!knows(key)) {
    remark(fmt::format("danlu has no key {} yet: {} ({}) is left out", key, value, comment));
    return;
  }
  if (!is_settled(key)) {  // nothing is guessed over a gap
    lines_.insert_or_assign(std::string(key), Line{std::move(value), std::move(comment)});
  }
}

void Draft::set(std::string_view key, std::string value, const GivenFlag* from,
                std::string_view note) {
  const KeyRow* row = find_key(scenario_keys(), key);
  if (row != nullptr && row->type == KeyType::Count && !is_settled(key) &&
      parse_number(value).value_or(0) > row->maximum) {
    throw InputError(from->problem(
        fmt::format("'{}' makes {} {}, of which danlu has at most {}", from->shown_name(), key,
                    shown(value), limit_text(*row, row->maximum)),
        "no such plan can be simulated"));
  }
  set(key, std::move(value), fmt::format("{}{}{}", from->place(), note.empty() ? "" : ": ", note));
}

void Draft::pin(std::string_view key, int value, std::string_view option) {
  lines_.insert_or_assign(std::string(key), Line{std::to_string(value),
                                                 fmt::format("{} of danlu import", option), true});
}

void Draft::set_default(const DefaultRow& row) {
  if (!has(row.key)) {
    set(row.key, std::string(row.value), std::string(row.note));
  }
}

void Draft::forget(std::string_view key) {
  if (const auto found = lines_.find(key); found != lines_.end()) {
    lines_.erase(found);
  }
}

void Draft::fill_in(std::string_view key, std::string_view how) {
  if (!knows(key)) {
    remark(fmt::format("danlu has no key {} yet: {}", key, how));
  } else if (!is_settled(key)) {
    lines_.insert_or_assign(std::string(key),
                            Line{std::string(kGap), fmt::format("fill in: {}", how)});
  }
}

bool Draft::is_settled(std::string_view key) const {
  const auto line = lines_.find(key);
  return line != lines_.end() && (line->second.pinned || line->second.value == kGap);
}

bool Draft::has_gaps() const {
  return std::any_of(lines_.begin(), lines_.end(),
                     [](const auto& line) { return line.second.value == kGap; });
}

std::vector<std::string> Draft::remarks() const {
  std::vector<std::string> all = gaps_and_remarks();
  all.insert(all.end(), misspelt_.begin(), misspelt_.end());
  return all;
}

std::vector<std::string> Draft::gaps_and_remarks() const {
  std::vector<std::string> all;
  for (const auto& [key, line] : lines_) {
    if (line.value == kGap) {
      all.push_back(fmt::format("{}: {}", key, line.comment));
    }
  }
  all.insert(all.end(), remarks_.begin(), remarks_.end());
  return all;
}

void Draft::remark(std::string text) {
  remarks_.push_back(std::move(text));
}

void Draft::not_used(const GivenFlag& flag, std::string why) {
  remark(fmt::format("{}: {}", flag.place(), why));
}

void Draft::tell_offloaded_share(std::string_view flag) {
  if (has("parallelism.offload.optimizer") && number(flag).value_or(1) < 1) {
    not_used(*given(flag),
             "the CPUs update that share, the GPUs the rest: the scenario leaves all of the "
             "optimizer to the CPUs");
  }
}

void Draft::no_effect(const GivenFlag& flag, std::string why) {
  if (!flag.implied) {
    idle_[std::move(why)].push_back(flag.place());
    ++idle_count_;
  }
}

void Draft::add_cluster(std::optional<long> gpus, const std::string& comment) {
  if (options_.topology.empty()) {
    fill_in("cluster.topology", "the file does not say the machine; --topology NAME does");
  } else {
    set("cluster.topology", as_text(options_.topology), "--topology of danlu import");
  }
  if (options_.gpus) {
    pin("cluster.gpus", *options_.gpus, "--gpus");
  } else if (gpus) {
    set("cluster.gpus", std::to_string(*gpus), comment);
  } else {
    fill_in("cluster.gpus", "the file does not say how many GPUs; --gpus NUMBER does");
  }
}

void Draft::add_sequence_length() {
  constexpr std::string_view kKey = "training.sequence_length";
  if (!has(kKey)) {
    fill_in(kKey, "the file does not say it; --sequence-length NUMBER does");
  }
}

std::optional<long> Draft::replicas() const {
  const long gpus = count("cluster.gpus");
  long others = 1;
  for (const char* key : {"parallelism.tensor", "parallelism.pipeline", "parallelism.context",
                          "parallelism.ulysses"}) {
    others *= std::max(1L, count(key));
    if (others > gpus || is_gap(key)) {
      return std::nullopt;
    }
  }
  return gpus % others == 0 ? std::optional(gpus / others) : std::nullopt;
}

void Draft::add_model_of_options() {
  if (options_.model.empty()) {
    return;
  }
  for (auto line = lines_.begin(); line != lines_.end();) {
    line = line->first.starts_with("model.") ? lines_.erase(line) : std::next(line);
  }
  if (layers_of_preset(options_.model)) {
    set("model.preset", options_.model, "--model of danlu import");
  } else {
    set("model.huggingface", as_text(std::filesystem::absolute(options_.model).string()),
        "--model of danlu import");
  }
}

namespace {

std::string comment_block(std::string_view heading, const std::vector<std::string>& lines) {
  std::string text = fmt::format("# {}\n", heading);
  for (const std::string& line : lines) {
    text += fmt::format("#   {}\n", printable(line));
  }
  return text;
}

}  // namespace

namespace {

/// Paths that share their first `depth` parts, as nested sections, each where its
/// first path stands.
std::string sections(const std::vector<std::string>& paths, std::size_t depth,
                     const std::function<std::string(const std::string&)>& value_of) {
  constexpr std::size_t kComment = 44;  // column
  std::string text;
  std::vector<std::string_view> seen;
  for (const std::string& path : paths) {
    const std::vector<std::string_view> parts = split(path, '.');
    const std::string_view name = parts[depth];
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      continue;
    }
    seen.push_back(name);
    if (parts.size() == depth + 1) {
      const std::string value = value_of(path);
      const std::size_t comment = value.find('\t');
      text += fmt::format("{:{}} # {}\n",
                          fmt::format("{:{}}{}: {}", "", 2 * depth, name, value.substr(0, comment)),
                          kComment, printable(value.substr(comment + 1)));
      continue;
    }
    std::vector<std::string> inner;
    std::copy_if(paths.begin(), paths.end(), std::back_inserter(inner), [&](const auto& other) {
      const std::vector<std::string_view> its = split(other, '.');
      return its.size() > depth + 1 &&
             std::equal(parts.begin(), parts.begin() + depth + 1, its.begin());
    });
    text += fmt::format("{:{}}{}:\n", "", 2 * depth, name) + sections(inner, depth + 1, value_of);
  }
  return text;
}

}  // namespace

void Draft::list_unused(std::span<const FlagRow> rows) {
  const auto names = [](std::string_view text, std::string_view flag) {
    constexpr std::string_view kOfName = "-_.";
    const auto goes_on = [&](std::size_t at) {
      return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 ||
                                  (kOfName.find(text[at]) != std::string_view::npos &&
                                   at + 1 < text.size() && text[at + 1] != ' '));
    };
    for (std::size_t at = text.find(flag); at != std::string_view::npos;
         at = text.find(flag, at + 1)) {
      if (!goes_on(at + flag.size()) && (at == 0 || !goes_on(at - 1))) {
        return true;
      }
    }
    return false;
  };
  for (const GivenFlag& flag : flags_) {
    const FlagRow* row = find_row(rows, flag.name);
    const auto is_said = [&](const std::string& text) { return names(text, flag.shown_name()); };
    if (flag.implied || row == nullptr || row->reading == Reading::Idle ||
        std::any_of(lines_.begin(), lines_.end(),
                    [&](const auto& line) { return is_said(line.second.comment); }) ||
        std::any_of(remarks_.begin(), remarks_.end(), is_said) ||
        std::any_of(idle_.begin(), idle_.end(), [&](const auto& why) {
          return is_said(why.first) || std::any_of(why.second.begin(), why.second.end(), is_said);
        })) {
      continue;
    }
    no_effect(flag, "no line comes of it: it says what holds anyway, or other settings decide");
  }
}

std::string Draft::write(std::string_view heading) const {
  std::string text = fmt::format("# {}\nname: {}\n", heading, as_text(name_));
  std::vector<std::string> paths;
  for (const KeyRow& row : scenario_keys()) {
    if (has(row.path)) {
      paths.push_back(row.path);
    }
  }
  text += sections(paths, 0, [&](const std::string& path) {
    const Line& line = lines_.at(path);
    return fmt::format("{}\t{}", line.value, line.comment);
  });
  if (const std::vector<std::string> all = gaps_and_remarks(); !all.empty()) {
    text += comment_block("To be seen to:", all);
  }
  if (unknown() > 0) {
    std::vector<std::string> all = misspelt_;
    all.insert(all.end(), unknown_.begin(), unknown_.end());
    text += comment_block(fmt::format("Not understood ({}):", unknown()), all);
  }
  std::vector<std::string> idle;
  for (const auto& [why, names] : idle_) {
    idle.push_back(fmt::format("{}: {}", why, fmt::join(names, ", ")));
  }
  if (!idle.empty()) {
    text += comment_block(fmt::format("Understood, without effect here ({}):", idle_count_), idle);
  }
  return text;
}

}  // namespace danlu
