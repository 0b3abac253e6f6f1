#include "sim/plan/plan_step.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "sim/base/error.hpp"
#include "sim/workload/layer.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/schedule.hpp"

namespace danlu {
namespace {

using Tasks = std::vector<TaskId>;

/// The classes of ranks that share tensor-parallel groups and so run passes together.
struct Cell {
  int stage = 0;
  std::vector<int> units;
  int tensor_pattern = -1;  // of Fold::patterns, -1 without tensor parallelism
};

/// A planned pass: where it can be entered and left, by position in Cell::units, and the one after
/// it.
struct Pass {
  std::vector<Tasks> entries;
  std::vector<Tasks> exits;
  const Pass* next = nullptr;
};

class StepPlanner {
 public:
  StepPlanner(const Workload& workload, const Cluster& cluster)
      : w_(workload),
        p_(workload.parallelism),
        launch_(cluster.spec.topology.collective_launch),
        timer_(cluster.spec.gpu, workload.training.precision) {
    plan_.fold = fold(workload, cluster, RankLayout(p_));
    graph().units = static_cast<int>(folded().units.size());
    add_channels();
    add_cells();
  }

  StepPlan plan() {
    for (std::size_t cell = 0; cell < cells_.size(); ++cell) {
      add_passes(static_cast<int>(cell));
    }
    add_transfers();
    add_gradient_reduction();
    add_embedding_reduction();
    add_optimizer();
    return std::move(plan_);
  }

 private:
  // Passes are known by cell, direction, chunk and microbatch.
  using PassKey = std::tuple<int, bool, int, int>;

  TaskGraph& graph() { return plan_.graph; }
  const Fold& folded() const { return plan_.fold; }
  const PatternClass& pattern(int id) const {
    return folded().patterns[static_cast<std::size_t>(id)];
  }
  bool steady() const { return w_.collectives == CollectiveMode::Steady; }
  int last_microbatch() const { return w_.microbatches() - 1; }

  void add_channels() {
    for (const FoldedLink& link : folded().links) {
      graph().links.push_back({link.capacity});
    }
    for (const PatternClass& pattern : folded().patterns) {
      Channel channel;
      for (const FoldedLoad& load : pattern.loads) {
        channel.loads.push_back({load.link, load.weight});
      }
      graph().channels.push_back(std::move(channel));
    }
  }

  void add_cells() {
    cell_of_unit_.assign(folded().units.size(), -1);
    const auto add = [this](Cell cell) {
      for (const int unit : cell.units) {
        cell_of_unit_[static_cast<std::size_t>(unit)] = static_cast<int>(cells_.size());
      }
      cells_.push_back(std::move(cell));
    };
    for (std::size_t i = 0; i < folded().patterns.size(); ++i) {
      const PatternClass& tensor = folded().patterns[i];
      if (tensor.kind == PatternKind::Tensor) {
        add({unit(tensor.units[0]).stage, tensor.units, static_cast<int>(i)});
      }
    }
    for (std::size_t u = 0; u < folded().units.size(); ++u) {
      if (cell_of_unit_[u] < 0) {
        add({folded().units[u].stage, {static_cast<int>(u)}, -1});
      }
    }
  }
  const RankClass& unit(int id) const { return folded().units[static_cast<std::size_t>(id)]; }

  // ---- passes

  void add_passes(int cell_id) {
    const Cell& cell = cells_[static_cast<std::size_t>(cell_id)];
    std::vector<Tasks> previous(cell.units.size());
    Pass* previous_pass = nullptr;
    for (const StageOp& op : schedule_ops(w_.training.schedule, cell.stage, p_.pipeline,
                                          w_.training.chunks, w_.microbatches())) {
      const int program = program_of(cell, op);
      const bool cut = !op.forward && op.microbatch == last_microbatch() && p_.overlap_data;
      const std::vector<ProgramSlice> slices = cut ? layer_slices(program) : whole(program);
      Pass whole_pass;
      for (const ProgramSlice& slice : slices) {
        Pass pass = add_slice(cell, slice, op);
        connect(previous, pass.entries);
        previous = pass.exits;
        if (whole_pass.entries.empty()) {
          whole_pass.entries = std::move(pass.entries);
        }
        if (cut) {
          layer_exits_[{cell_id, op.chunk}].push_back(pass.exits);
        }
        whole_pass.exits = std::move(pass.exits);
      }
      Pass& planned = passes_[{cell_id, op.forward, op.chunk, op.microbatch}];
      planned = std::move(whole_pass);
      if (previous_pass != nullptr) {
        previous_pass->next = &planned;
      }
      previous_pass = &planned;
    }
    last_exits_.push_back(previous);
  }

  std::vector<ProgramSlice> whole(int program) const {
    const auto& played = plan_.graph.programs[static_cast<std::size_t>(program)];
    return {{program, 0, static_cast<int>(played.program.segments.size())}};
  }
  /// One slice per layer; what comes before the first layer and after the last goes with it.
  std::vector<ProgramSlice> layer_slices(int program) const {
    const auto& played = plan_.graph.programs[static_cast<std::size_t>(program)];
    std::vector<ProgramSlice> slices;
    int first = 0;
    for (const int end : played.program.layer_ends) {
      slices.push_back({program, first, end});
      first = end;
    }
    slices.back().last = static_cast<int>(played.program.segments.size());
    return slices;
  }

  int program_of(const Cell& cell, const StageOp& op) {
    const ChunkEnds ends{
        .first = cell.stage == 0 && op.chunk == 0,
        .last = cell.stage == p_.pipeline - 1 && op.chunk == w_.training.chunks - 1};
    const auto key = std::tuple(cell.tensor_pattern, op.forward, ends.first, ends.last);
    const auto known = programs_.find(key);
    if (known != programs_.end()) {
      return known->second;
    }
    PlayedProgram played{
        op.forward ? forward_program(w_, timer_, ends) : backward_program(w_, timer_, ends),
        {},
        {}};
    for (const Segment& segment : played.program.segments) {
      const bool compute = segment.is_compute;
      const int info = compute ? -1
                               : communication(cell.tensor_pattern, CommunicationKind::Tensor,
                                               segment.op, "tensor group", segment.bytes);
      played.infos.push_back(info);
      played.collective_durations.push_back(
          compute ? Seconds{} : graph().communications[static_cast<std::size_t>(info)].alone);
    }
    graph().programs.push_back(std::move(played));
    const int id = static_cast<int>(graph().programs.size()) - 1;
    programs_[key] = id;
    return id;
  }

  /// A slice whose collectives nobody can disturb has a known length and is one task.
  bool can_fuse(const Cell& cell) const {
    const bool undisturbed = cell.tensor_pattern < 0 || pattern(cell.tensor_pattern).is_private;
    return cell.units.size() == 1 && undisturbed && steady();
  }

  Pass add_slice(const Cell& cell, const ProgramSlice& slice, const StageOp& op) {
    if (!can_fuse(cell)) {
      return add_segments(cell, slice, op);
    }
    const PlayedProgram& played = graph().programs[static_cast<std::size_t>(slice.program)];
    const auto key = std::tuple(slice.program, slice.first, slice.last);
    auto known = slice_durations_.find(key);
    if (known == slice_durations_.end()) {
      const Seconds total =
          play_alone(played.program, slice.first, slice.last, played.collective_durations).total;
      known = slice_durations_.emplace(key, total).first;
    }
    const TaskId run = graph().add({.kind = TaskKind::Run,
                                    .duration = known->second,
                                    .name = op.forward ? "forward" : "backward",
                                    .microbatch = op.microbatch,
                                    .slice = slice},
                                   cell.units);
    return {{{run}}, {{run}}};
  }

  /// The slice segment by segment: compute on every unit, collectives of all units together.
  Pass add_segments(const Cell& cell, const ProgramSlice& slice, const StageOp& op) {
    const std::size_t units = cell.units.size();
    Pass pass{std::vector<Tasks>(units), std::vector<Tasks>(units)};
    std::vector<std::vector<std::pair<TaskId, TaskId>>> made;  // by segment and unit: first, last
    int last_of_stream[2] = {-1, -1};
    for (int i = slice.first; i < slice.last; ++i) {
      const PlayedProgram& played = graph().programs[static_cast<std::size_t>(slice.program)];
      const Segment segment = played.program.segments[static_cast<std::size_t>(i)];
      std::vector<int> before;
      for (const int after : segment.after) {
        if (after >= slice.first) {
          before.push_back(after - slice.first);
        }
      }
      int& previous = last_of_stream[segment.is_compute ? 0 : 1];
      if (previous >= 0) {
        before.push_back(previous);
      }
      previous = i - slice.first;
      made.push_back(segment.is_compute
                         ? add_compute_segment(cell, segment, op)
                         : add_collective_segment(cell, played.infos[static_cast<std::size_t>(i)],
                                                  segment, op));
      for (std::size_t u = 0; u < units; ++u) {
        for (const int earlier : before) {
          graph().add_edge(made[static_cast<std::size_t>(earlier)][u].second, made.back()[u].first);
        }
        if (before.empty()) {
          pass.entries[u].push_back(made.back()[u].first);
        }
      }
    }
    for (std::size_t u = 0; u < units; ++u) {
      for (const int last : last_of_stream) {
        if (last >= 0) {
          pass.exits[u].push_back(made[static_cast<std::size_t>(last)][u].second);
        }
      }
    }
    return pass;
  }

  std::vector<std::pair<TaskId, TaskId>> add_compute_segment(const Cell& cell,
                                                             const Segment& segment,
                                                             const StageOp& op) {
    std::vector<std::pair<TaskId, TaskId>> tasks;
    for (const int unit : cell.units) {
      const TaskId task = graph().add({.kind = TaskKind::Compute,
                                       .duration = segment.compute.total(),
                                       .name = segment.name,
                                       .microbatch = op.microbatch,
                                       .compute = segment.compute},
                                      {unit});
      tasks.emplace_back(task, task);
    }
    return tasks;
  }

  std::vector<std::pair<TaskId, TaskId>> add_collective_segment(const Cell& cell, int info,
                                                                const Segment& segment,
                                                                const StageOp& op) {
    const auto task = add_communication(info, segment.name, op.microbatch, cell.units);
    return std::vector(cell.units.size(), task);
  }

  void connect(const std::vector<Tasks>& from, const std::vector<Tasks>& to) {
    for (std::size_t u = 0; u < from.size(); ++u) {
      for (const TaskId before : from[u]) {
        for (const TaskId after : to[u]) {
          graph().add_edge(before, after);
        }
      }
    }
  }

  // ---- communication

  int communication(int pattern_id, CommunicationKind kind, CollectiveOp op, std::string_view group,
                    Bytes bytes) {
    const auto key = std::tuple(pattern_id, static_cast<int>(op), bytes.value);
    const auto [known, is_new] =
        infos_.try_emplace(key, static_cast<int>(graph().communications.size()));
    if (is_new) {
      const Pattern& shape = pattern(pattern_id).representative;
      graph().communications.push_back(
          {.kind = kind,
           .op = op,
           .group = group,
           .group_size = static_cast<int>(shape.ranks.size()),
           .bytes_per_rank = bytes,
           .alone =
               latency(op, shape) + stream_bytes(op, shape, bytes) / pattern(pattern_id).alone_rate,
           .pattern = pattern_id});
    }
    return known->second;
  }
  Seconds latency(CollectiveOp op, const Pattern& shape) const {
    const bool collective = op != CollectiveOp::SendReceive;
    return (collective ? launch_ : Seconds{}) + collective_latency(op, shape);
  }

  /// One communication, as one task in steady state or one per step of the ring: its first and
  /// last.
  std::pair<TaskId, TaskId> add_communication(int info, std::string_view name, int microbatch,
                                              const std::vector<int>& units) {
    const CommunicationInfo described = graph().communications[static_cast<std::size_t>(info)];
    const Pattern& shape = pattern(described.pattern).representative;
    const int steps = tasks_per_communication(w_.collectives, described);
    Task task{.kind = TaskKind::Communication,
              .duration = latency(described.op, shape) / steps,
              .bytes = stream_bytes(described.op, shape, described.bytes_per_rank) / steps,
              .channel = described.pattern,
              .info = info,
              .name = name,
              .microbatch = microbatch};
    const TaskId first = graph().add(task, units);
    TaskId last = first;
    for (int step = 1; step < steps; ++step) {
      const TaskId next = graph().add(task, units);
      graph().add_edge(last, next);
      last = next;
    }
    return {first, last};
  }

  // ---- transfers between stages

  void add_transfers() {
    const bool sliced = p_.sequence || p_.scatter_gather;
    const Bytes bytes = boundary_bytes(w_) / (sliced ? p_.tensor : 1);
    for (std::size_t id = 0; id < folded().patterns.size(); ++id) {
      const PatternClass& transfer = folded().patterns[id];
      const bool forward = transfer.kind == PatternKind::SendForward;
      if (!forward && transfer.kind != PatternKind::SendBackward) {
        continue;
      }
      const int info = communication(static_cast<int>(id), CommunicationKind::Pipeline,
                                     CollectiveOp::SendReceive, "stage to stage", bytes);
      for (int chunk = 0; chunk < w_.training.chunks; ++chunk) {
        add_transfers_of_chunk(transfer, info, forward, chunk);
      }
    }
  }

  void add_transfers_of_chunk(const PatternClass& transfer, int info, bool forward, int chunk) {
    const int sender_stage = unit(transfer.units[0]).stage;
    // From the last stage forward (or the first backward) the next (previous) chunk goes on.
    const bool wraps = sender_stage == (forward ? p_.pipeline - 1 : 0);
    const int next_chunk = chunk + (wraps ? (forward ? 1 : -1) : 0);
    if (next_chunk < 0 || next_chunk >= w_.training.chunks) {
      return;
    }
    for (int m = 0; m < w_.microbatches(); ++m) {
      const auto [first, last] =
          add_communication(info, forward ? "send activation" : "send gradient", m, transfer.units);
      const auto [from, to] = std::pair(transfer.units[0], transfer.units[1]);
      const Pass& sender = pass_of(from, forward, chunk, m);
      const Pass& receiver = pass_of(to, forward, next_chunk, m);
      wait_for(sender.exits[position(from)], first);
      let_go_on(last, receiver.entries[position(to)]);
      if (!p_.overlap_pipeline && sender.next != nullptr) {
        let_go_on(last, sender.next->entries[position(from)]);
      } else if (!p_.overlap_pipeline) {
        const int cell = cell_of_unit_[static_cast<std::size_t>(from)];
        last_exits_[static_cast<std::size_t>(cell)][position(from)].push_back(last);
      }
    }
  }

  void let_go_on(TaskId before, const Tasks& after) {
    for (const TaskId task : after) {
      graph().add_edge(before, task);
    }
  }
  const Pass& pass_of(int unit, bool forward, int chunk, int microbatch) const {
    return passes_.at({cell_of_unit_[static_cast<std::size_t>(unit)], forward, chunk, microbatch});
  }
  std::size_t position(int unit) const {
    return position(cell_of_unit_[static_cast<std::size_t>(unit)], unit);
  }
  std::size_t position(int cell_id, int unit) const {
    const std::vector<int>& units = cells_[static_cast<std::size_t>(cell_id)].units;
    return static_cast<std::size_t>(std::find(units.begin(), units.end(), unit) - units.begin());
  }

  // ---- the end of the step

  double gradient_bytes(int stage) const {
    return rank_parameters(w_, stage) * w_.training.gradient_bytes;
  }

  /// Data-parallel reduction: one at the end, or one per layer behind the last backward pass.
  void add_gradient_reduction() {
    reduced_.resize(folded().units.size());
    for (std::size_t u = 0; u < reduced_.size(); ++u) {
      const int cell = cell_of_unit_[u];
      reduced_[u] =
          last_exits_[static_cast<std::size_t>(cell)][position(cell, static_cast<int>(u))];
    }
    const CollectiveOp op = p_.zero == 0 ? CollectiveOp::AllReduce : CollectiveOp::ReduceScatter;
    for (std::size_t id = 0; id < folded().patterns.size(); ++id) {
      const PatternClass& data = folded().patterns[id];
      if (data.kind != PatternKind::Data) {
        continue;
      }
      TaskId last{};
      if (p_.overlap_data) {
        last = add_layer_buckets(static_cast<int>(id), data, op);
      } else {
        const Bytes bytes{gradient_bytes(unit(data.units[0]).stage)};
        const auto made = add_communication(
            communication(static_cast<int>(id), CommunicationKind::Data, op, "data group", bytes),
            "reduce gradients", -1, data.units);
        for (const int u : data.units) {
          wait_for(reduced_[static_cast<std::size_t>(u)], made.first);
        }
        last = made.second;
      }
      for (const int u : data.units) {
        reduced_[static_cast<std::size_t>(u)].push_back(last);
      }
    }
  }

  void wait_for(const Tasks& before, TaskId after) {
    for (const TaskId task : before) {
      graph().add_edge(task, after);
    }
  }

  /// A bucket per layer, in the order in which the last backward passes finish them; the head's
  /// gradients go with the first, the embedding's, which come last, with the last.
  TaskId add_layer_buckets(int id, const PatternClass& data, CollectiveOp op) {
    const int per_chunk = w_.layers_per_chunk();
    const int buckets = per_chunk * w_.training.chunks;
    const double layer = layer_parameters(w_.model) / p_.tensor;
    const double ends =
        std::max(0.0, rank_parameters(w_, unit(data.units[0]).stage) - buckets * layer);
    const bool embedding = unit(data.units[0]).stage == 0;
    TaskId last{};
    for (int bucket = 0; bucket < buckets; ++bucket) {
      const bool with_ends = bucket == (embedding ? buckets - 1 : 0);
      const double parameters = layer + (with_ends ? ends : 0);
      const int info = communication(id, CommunicationKind::Data, op, "data group",
                                     Bytes{parameters * w_.training.gradient_bytes});
      const int chunk = w_.training.chunks - 1 - bucket / per_chunk;
      const auto at = static_cast<std::size_t>(bucket % per_chunk);
      const auto [first, end] = add_communication(info, "reduce gradients", -1, data.units);
      for (const int u : data.units) {
        const int cell = cell_of_unit_[static_cast<std::size_t>(u)];
        wait_for(layer_exits_.at({cell, chunk})[at][position(cell, u)], first);
      }
      if (bucket > 0) {
        graph().add_edge(last, first);
      }
      last = end;
    }
    return last;
  }

  /// A tied embedding lives on the first and the last stage; its gradients are summed.
  void add_embedding_reduction() {
    for (std::size_t id = 0; id < folded().patterns.size(); ++id) {
      const PatternClass& embedding = folded().patterns[id];
      if (embedding.kind != PatternKind::Embedding) {
        continue;
      }
      const Bytes bytes{static_cast<double>(w_.model.vocab) * w_.model.hidden / p_.tensor *
                        w_.training.gradient_bytes};
      const auto [first, last] =
          add_communication(communication(static_cast<int>(id), CommunicationKind::Data,
                                          CollectiveOp::AllReduce, "embedding group", bytes),
                            "sum embedding gradients", -1, embedding.units);
      for (const int u : embedding.units) {
        wait_for(reduced_[static_cast<std::size_t>(u)], first);
      }
      for (const int u : embedding.units) {
        reduced_[static_cast<std::size_t>(u)].push_back(last);
      }
    }
  }

  /// Adam reads the gradient, reads and writes master weights and both moments in fp32, and writes
  /// the weights where they are not the master copy itself.
  void add_optimizer() {
    const double shards = p_.zero == 0 ? 1 : p_.data;
    const double weight = element_bytes(w_.training.precision);
    const double moved = w_.training.gradient_bytes + 24.0 + (weight == 2 ? 2.0 : 0.0);
    std::vector<TaskId> updated;
    for (std::size_t u = 0; u < folded().units.size(); ++u) {
      const double parameters = rank_parameters(w_, folded().units[u].stage) / shards;
      const ComputeTime time = timer_.optimizer_time({parameters * moved});
      const TaskId task = graph().add({.kind = TaskKind::Compute,
                                       .duration = time.total(),
                                       .name = "optimizer",
                                       .compute = time},
                                      {static_cast<int>(u)});
      wait_for(reduced_[u], task);
      updated.push_back(task);
    }
    for (std::size_t id = 0; id < folded().patterns.size() && p_.zero > 0; ++id) {
      const PatternClass& data = folded().patterns[id];
      if (data.kind == PatternKind::Data) {
        const Bytes bytes{rank_parameters(w_, unit(data.units[0]).stage) * weight};
        const auto made =
            add_communication(communication(static_cast<int>(id), CommunicationKind::Data,
                                            CollectiveOp::AllGather, "data group", bytes),
                              "gather parameters", -1, data.units);
        for (const int u : data.units) {
          graph().add_edge(updated[static_cast<std::size_t>(u)], made.first);
        }
      }
    }
  }

  const Workload& w_;
  const ParallelismSpec& p_;
  Seconds launch_;
  KernelTimer timer_;
  StepPlan plan_;
  std::vector<Cell> cells_;
  std::vector<int> cell_of_unit_;
  std::map<PassKey, Pass> passes_;
  std::map<std::pair<int, int>, std::vector<std::vector<Tasks>>> layer_exits_;  // cell, chunk
  std::vector<std::vector<Tasks>> last_exits_;  // by cell and position
  std::vector<Tasks> reduced_;                  // by unit: what the optimizer waits for
  std::map<std::tuple<int, bool, bool, bool>, int> programs_;
  std::map<std::tuple<int, int, int>, Seconds> slice_durations_;
  std::map<std::tuple<int, int, double>, int> infos_;
};

}  // namespace

StepPlan plan_step(const Workload& workload, const Cluster& cluster) {
  return StepPlanner(workload, cluster).plan();
}

}  // namespace danlu
