// The `checkpoint` section of a faults section: how long a write takes, and the tiers it goes to.
//
// How long a write takes can stand at three places, and what was written last counts: the scenario
// over what it extends, the command line over both, all of them over a preset.
//
//   checkpoint.write        the time itself
//   checkpoint.blocking     the same of a synchronous save, for which training stands still
//   cluster.storage         bytes over the lesser of `write` and all nodes' `node_write`
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/base/text.hpp"
#include "sim/scenario/getter.hpp"
#include "sim/scenario/load_faults.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

constexpr const char* kWrite = "checkpoint.write";
constexpr const char* kBlocking = "checkpoint.blocking";
constexpr const char* kBytes = "checkpoint.bytes_per_parameter";
constexpr const char* kMemory = "checkpoint.memory";

class Settler {
 public:
  Settler(const Values& storage, const Values& own, Values& values, std::vector<Problem>& problems,
          std::vector<std::string>& notes)
      : storage_(storage), own_(own), values_(values), problems_(problems), notes_(notes) {}

  void settle() {
    const bool sync = is_sync(values_);
    if (sync && own_.has(kBlocking) && own_.layer_of(kBlocking) < own_.layer_of(kCheckpointMode)) {
      give_way(kBlocking, fmt::format("'faults.{}' is sync", kCheckpointMode));
    }
    if (sync) {
      settle_blocking();
    }
    settle_storage(kWrite, {"write", "node_write"}, "how long a checkpoint's write takes");
    if (sync) {
      settle_storage(kBlocking, {"write", "node_write"}, "how long a checkpoint's write takes");
    }
    settle_storage("checkpoint.load", {"read", "node_read"}, "how long a checkpoint's load takes");
  }

  static bool is_sync(const Values& values) {
    return !values.has(kCheckpointMode) || values.at(kCheckpointMode).text == "sync";
  }

 private:
  void give_way(const std::string& path, const std::string& reason) {
    notes_.push_back(fmt::format("'faults.{}'{} gives way: {}", path,
                                 own_.has(path) || own_.has_below(path + ".")
                                     ? ""
                                     : fmt::format(" of {}", own_.at("preset").text),
                                 reason));
    values_.erase_tree(path);
  }

  /// A synchronous save blocks for the whole write: two names of one time.
  void settle_blocking() {
    if (!values_.has(kWrite) || !values_.has(kBlocking)) {
      return;
    }
    const int write = own_.layer_of(kWrite);
    const int blocking = own_.layer_of(kBlocking);
    if (write != blocking) {
      const char* const older = write < blocking ? kWrite : kBlocking;
      const char* const newer = write < blocking ? kBlocking : kWrite;
      give_way(older, fmt::format("'faults.{}' is the same time of a synchronous save", newer));
    } else if (values_.at(kWrite).number != values_.at(kBlocking).number && write >= 0) {
      problems_.push_back(own_.problem(
          kBlocking,
          fmt::format("'faults.{}' is {} and 'faults.{}' {}: a synchronous save stands still for "
                      "the whole write",
                      kBlocking, values_.at(kBlocking).text, kWrite, values_.at(kWrite).text),
          fmt::format("leave one of the two out, or set faults.{}: async", kCheckpointMode)));
    }
  }

  void settle_storage(const std::string& path, const std::array<const char*, 2>& keys,
                      const char* what) {
    int layer = -1;
    std::vector<std::string> names;
    for (const char* key : keys) {
      layer = std::max(layer, storage_.layer_of(key));
      if (storage_.has(key)) {
        names.push_back(fmt::format("'cluster.storage.{}'", key));
      }
    }
    if (names.empty() || !(values_.has(path) || values_.has_below(path + "."))) {
      return;
    }
    int own = own_.layer_of(path);
    for (const char* key : {".mean", ".samples"}) {
      own = std::max(own, own_.layer_of(path + key));
    }
    const std::string storage = fmt::format("{}", fmt::join(names, " and "));
    if (layer > own) {
      give_way(path, fmt::format("{} {} {}", storage, names.size() == 1 ? "says" : "say", what));
    } else {
      notes_.push_back(fmt::format("'faults.{}' says {}, not {}", path, what, storage));
    }
  }

  const Values& storage_;
  const Values& own_;
  Values& values_;
  std::vector<Problem>& problems_;
  std::vector<std::string>& notes_;
};

class CheckpointReader {
 public:
  explicit CheckpointReader(const FaultsSection& section)
      : section_(section), values_(section.values), get_(values_, faults_keys()) {}

  void read(FaultsPlan& plan) {
    read_file(plan.file);
    read_tiers(plan);
  }

 private:
  /// The lesser of what all nodes and what the storage can move; none without either.
  std::optional<BytesPerSecond> rate(BytesPerSecond node, BytesPerSecond all,
                                     std::string& limit) const {
    const BytesPerSecond nodes = node * section_.nodes;
    const bool by_nodes = node.value > 0 && (all.value == 0 || nodes < all);
    if (by_nodes) {
      limit = fmt::format("{} nodes of {}", section_.nodes, to_text(node));
      return nodes;
    }
    limit = fmt::format("storage of {}", to_text(all));
    return all.value > 0 ? std::optional(all) : std::nullopt;
  }

  void read_file(CheckpointFile& file) {
    const StorageSpec& storage = section_.context.cluster.topology.storage;
    file.size = has(kBytes)
                    ? Bytes{total_parameters(section_.context.workload.model) * get_.number(kBytes)}
                    : checkpoint_size(section_.context.workload);
    file.copy = file.size /
                (section_.context.cluster.topology.pcie_bandwidth * section_.context.cluster.gpus);
    const std::optional<BytesPerSecond> out =
        rate(storage.node_write, storage.write, file.write_limit);
    std::string read_limit;
    const std::optional<BytesPerSecond> in = rate(storage.node_read, storage.read, read_limit);
    if (in) {
      file.read = file.size / *in;
    }
    const char* const given = has(kWrite)                                   ? kWrite
                              : Settler::is_sync(values_) && has(kBlocking) ? kBlocking
                                                                            : nullptr;
    if (given != nullptr) {
      file.write = seconds(given);
      file.write_limit = section_.own.has(given)
                             ? "as given"
                             : fmt::format("as {} says", section_.own.at("preset").text);
    } else if (out) {
      file.write = file.size / *out;
    } else if (needs_write()) {
      add("checkpoint.write",
          fmt::format("how long a checkpoint takes to write is not known: {} names no storage",
                      section_.context.cluster.topology.name),
          "give checkpoint.write, or cluster.storage.write or .node_write");
    }
  }
  bool needs_write() const {
    return get_.text("checkpoint.interval") != name_of(CheckpointTier::Interval::Never) &&
           (!has(kBlocking) || is_async());
  }

  bool is_async() const { return !Settler::is_sync(values_); }

  /// One that is longer than the run is a mistake.
  void check_interval(const std::string& path, const CheckpointTier& tier, const FaultsPlan& plan) {
    const double tokens = section_.context.workload.training.tokens.value_or(0);
    const double steps = std::ceil(tokens / section_.context.workload.tokens_per_step());
    if (tier.interval == CheckpointTier::Interval::Steps && !plan.horizon && tier.steps > steps) {
      add(path, fmt::format("a checkpoint every {:.0f} steps in a run of {:.0f} steps", tier.steps,
                            steps));
    }
    if (tier.interval == CheckpointTier::Interval::Time && plan.horizon &&
        tier.time > *plan.horizon) {
      add(path, fmt::format("a checkpoint every {} in a run of {:.6g} days", get_.text(path),
                            plan.horizon->value / 86400));
    }
  }

  void read_tiers(FaultsPlan& plan) {
    CheckpointTier memory{.name = "peer memory"};
    get_.fill(memory, kMemory);
    if (memory.interval != CheckpointTier::Interval::Never) {
      check_interval("checkpoint.memory.interval", memory, plan);
      memory.load = random("checkpoint.memory.load");
      memory.survives_nodes = get_.count("checkpoint.memory.copies") - 1;
      if (memory.survives_nodes == 0 && section_.own.has("checkpoint.memory.copies")) {
        section_.notes.emplace_back(
            "with 'faults.checkpoint.memory.copies' 1 no checkpoint in memory survives the loss of "
            "a node");
      }
      plan.spec.tiers.push_back(memory);
    }
    CheckpointTier storage{.name = "storage"};
    const bool async = is_async();
    storage.blocking = async ? plan.file.copy : plan.file.write;
    storage.persist = async ? plan.file.write : Seconds{};
    get_.fill(storage, "checkpoint", kMemory);
    check_interval("checkpoint.interval", storage, plan);
    storage.load = values_.has_below("checkpoint.load.") ? random("checkpoint.load")
                                                         : Duration{.mean = load_time(plan.file)};
    if (!has("checkpoint.slowdown") && (async || plan.what_if)) {
      contend(plan, async ? std::optional(plan.spec.tiers.next_id()) : std::nullopt);
    }
    plan.spec.tiers.push_back(storage);
  }

  /// Without a rate of reading a restart reads as long as a write takes.
  static Seconds load_time(const CheckpointFile& file) { return file.read.value_or(file.write); }

  /// Training keeps what a write beside it leaves of the NICs.
  void contend(FaultsPlan& plan, std::optional<TierId> tier) const {
    const TopologySpec& topology = section_.context.cluster.topology;
    if (!topology.storage.shares_nics || plan.file.write.value <= 0) {
      return;
    }
    if (tier) {
      section_.notes.emplace_back(
          "while a checkpoint is written beside the steps, every NIC is taken to have its share of "
          "the write less for the whole step: the write is no flow of its own");
    }
    const double nics = static_cast<double>(section_.nodes) * topology.nics_per_node;
    const BytesPerSecond taken = plan.file.size / plan.file.write / nics;
    constexpr double kLeast = 0.01;
    plan.states.push_back({.tier = tier,
                           .all_nics = std::max(kLeast, 1 - taken / (topology.nic_bandwidth *
                                                                     topology.nic_efficiency))});
  }

  bool has(std::string_view path) const { return values_.has(path); }
  Seconds seconds(std::string_view path) const { return {get_.number(path)}; }
  Duration random(const std::string& path) const {
    return read_random(values_, path, section_.problems);
  }
  void add(std::string_view path, std::string message, std::string hint = "") {
    section_.problems.push_back(values_.problem(path, std::move(message), std::move(hint)));
  }

  const FaultsSection& section_;
  const Values& values_;
  Getter get_;
};

}  // namespace

void settle_checkpoints(const Values& storage, const Values& own, Values& values,
                        std::vector<Problem>& problems, std::vector<std::string>& notes) {
  Settler(storage, own, values, problems, notes).settle();
}

void read_checkpoints(const FaultsSection& section, FaultsPlan& plan) {
  CheckpointReader(section).read(plan);
}

}  // namespace danlu
