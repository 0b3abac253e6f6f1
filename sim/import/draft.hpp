// What all importers share: flags as a file gives them, the rows that say what becomes of a flag,
// and the scenario that is being written, each line with the flag it came from.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"

namespace danlu {

/// A flag of a launch script, or a key of a file.
struct GivenFlag {
  std::string name;   // "--num-layers", "parallelism.tensor_parallel_degree"
  std::string value;  // "" of a flag that stands alone
  bool known = true;  // false: its value is only known to who runs the script
  SourcePosition position;
  std::string source_line;
  std::string written{};  // where the file has another name for it
  bool implied = false;   // it is not in the file itself, but follows of what stands there

  const std::string& shown_name() const { return written.empty() ? name : written; }
  /// "--num-layers, line 12"
  std::string place() const;
  Problem problem(std::string message, std::string hint = "") const {
    return {position, std::move(message), std::move(hint), source_line};
  }
};

/// How the value of a flag is read.
enum class Reading {
  Count,   // a whole number, which the key gets
  Number,  // a number
  Words,   // one of `words`, each of which stands for a value of the key
  On,      // given or true: the key gets the first of `words`, "true" without any
  Fact,    // with others, by the code of its framework: `key` lists the keys
  Minor,   // as Fact; where its value is not known, it counts as not given
  Told,    // given or true: danlu has no key for it, and `note` says what it has instead
  Idle     // nothing: `note` says why
};

struct FlagRow {
  std::string flag;  // "a|b" under either name; Idle ones may end with '*'
  std::string_view key;
  Reading reading;
  std::string_view note{};
  std::vector<std::pair<std::string_view, std::string_view>> words{};
};

/// What holds where a framework's file is silent.
struct DefaultRow {
  std::string_view key;
  std::string_view value;
  std::string_view note;  // "the default of ..."
};

/// What danlu needs and files do not say.
struct ImportOptions {
  std::string topology;
  std::optional<int> gpus;
  std::string model;  // a preset, or a config.json
  std::optional<int> sequence_length;
  std::optional<int> vocab;
  std::optional<int> global_batch;
  std::vector<std::string> variables;  // "NAME=value" of the environment
};

/// A variable of the environment, as --define has it.
struct Definition {
  std::string name, value;
  bool used = false;  // the file asks for it
};

/// A scenario while flags are read. One class, since each part asks what the others have said.
class Draft {
 public:
  Draft(std::string name, std::vector<GivenFlag> flags, std::span<const FlagRow> rows,
        ImportOptions options);

  const ImportOptions& options() const { return options_; }
  /// The flag that stands under one of the names "a|b"; of several the last. nullptr: none does,
  /// or its value is null.
  const GivenFlag* given(std::string_view names) const;
  /// The first flag of one of the names, whatever its value is.
  const GivenFlag* mentioned(std::string_view names) const;
  /// Whether the switch is given, and not as false. Throws InputError where it is neither.
  bool on(std::string_view names) const;
  /// The same of a flag that has other values than true, all of which switch it on.
  bool says(std::string_view names) const;
  /// Of several switches, each of which has a say of its own, the first of the names that is on;
  /// nullptr: none is.
  const GivenFlag* first_on(std::string_view names) const;
  const GivenFlag* first_that_says(std::string_view names) const;
  /// A whole number of a flag, of at most 1e9 either way; nothing where it is not given or not
  /// known. Throws InputError.
  std::optional<long> whole(std::string_view names) const;
  std::optional<double> number(std::string_view names) const;

  /// Whether danlu has the key.
  static bool knows(std::string_view key);
  /// The largest number of a key that counts.
  static long largest(std::string_view key);
  bool has(std::string_view key) const { return lines_.find(key) != lines_.end(); }
  /// Whether a line is to be filled in: its value may be any.
  bool is_gap(std::string_view key) const;
  /// What stands at a key; "" where nothing does.
  std::string_view at(std::string_view key) const;
  /// The same as a whole number; 0 without one.
  long count(std::string_view key) const;
  /// Puts a value at a key, in place of what is there.
  void set(std::string_view key, std::string value, std::string comment);
  /// Throws InputError where a flag's number is above the largest of its key.
  void set(std::string_view key, std::string value, const GivenFlag* from,
           std::string_view note = "");
  /// Puts what an option says at a key, over all that the file says of it.
  void pin(std::string_view key, int value, std::string_view option);
  /// The same where nothing stands.
  void set_default(const DefaultRow& row);
  void forget(std::string_view key);
  /// A line that the user must fill in, which nothing but forget() and pin() takes away.
  void fill_in(std::string_view key, std::string_view how);
  /// Something to be told that keeps the scenario from being what the file describes.
  void remark(std::string text);
  /// A flag that is understood, and that the scenario cannot say: a remark.
  void not_used(const GivenFlag& flag, std::string why);
  /// A flag that says which share of the optimizer the CPUs update, where they do: danlu knows all.
  void tell_offloaded_share(std::string_view flag);
  /// A flag that is understood, and changes nothing here.
  void no_effect(const GivenFlag& flag, std::string why);

  /// Lists each flag that has a row and is named nowhere yet, as one without effect.
  void list_unused(std::span<const FlagRow> rows);

  /// The cluster and the model by the options, where the file says nothing of them.
  void add_cluster(std::optional<long> gpus, const std::string& comment);
  void add_model_of_options();
  /// The sequence length is to be filled in where neither the file nor an option says it.
  void add_sequence_length();
  /// GPUs over all other degrees; nothing where one of them is not known, or it is no whole number.
  std::optional<long> replicas() const;

  /// The scenario as text, all flags that had no effect at its end.
  std::string write(std::string_view heading) const;
  /// All that is to be told, misspelt flags among it.
  std::vector<std::string> remarks() const;
  bool has_gaps() const;
  /// Whether some flag has a row that is not idle.
  bool knows_any() const { return knows_any_; }
  std::size_t flags() const;
  std::size_t unknown() const { return misspelt_.size() + unknown_.size(); }
  std::size_t idle() const { return idle_count_; }

 private:
  struct Line {
    std::string value;
    std::string comment;
    bool pinned = false;
  };

  void read(const GivenFlag& flag, const FlagRow& row);
  std::vector<std::string> gaps_and_remarks() const;
  /// Whether nothing but forget() changes the line: a gap, or what an option says.
  bool is_settled(std::string_view key) const;

  std::string name_;
  std::vector<GivenFlag> flags_;
  ImportOptions options_;
  std::map<std::string, Line, std::less<>> lines_;
  std::vector<std::string> misspelt_;  // flags that no row has by their whole name, but one by
                                       // another of two letters more or less; and which it is
  std::vector<std::string> unknown_;   // other flags without a row
  std::map<std::string, std::vector<std::string>> idle_;  // flags by why they have no effect
  std::size_t idle_count_ = 0;
  bool knows_any_ = false;
  std::vector<std::string> remarks_;
};

/// The words of "attn moe_router", "attn,moe_router", "(1, 2)" and "[attn, moe_router]".
std::vector<std::string_view> words_of(std::string_view list);

/// The row of a flag, by its name or else by a beginning that ends with '*'; nullptr: none.
const FlagRow* find_row(std::span<const FlagRow> rows, std::string_view flag);

/// The flag with an effect that one without a row is but for two letters; "": none.
std::string_view misspelt_flag(std::span<const FlagRow> rows, std::string_view flag);

}  // namespace danlu
