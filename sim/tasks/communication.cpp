#include "sim/tasks/communication.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "sim/base/error.hpp"
#include "sim/collective/experts.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/transfers.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/fold/taken_share.hpp"
#include "sim/tasks/messages.hpp"

namespace danlu {
namespace {

/// What the time of a group's communications counts as: data parallelism, also between shards, and
/// between two stages that hold the same weights; context parallelism, also by Ulysses; tensor
/// parallelism, also of experts.
Axis axis_of(GroupSort sort) {
  if (sort == kEmbeddingGroups || sort == kCopyGroups) {
    return Axis::Replicate;
  }
  switch (sort.axis()) {
    case Axis::Ulysses:
      return Axis::Context;
    case Axis::ExpertTensor:
      return Axis::Tensor;
    case Axis::Shard:
    case Axis::ExpertShard:
    case Axis::ExpertReplicate:
      return Axis::Replicate;
    default:
      return sort.axis();
  }
}

std::string_view name_of(GroupSort sort, const Mesh& mesh) {
  if (sort.is_copy()) {
    return sort == kToHost ? "GPU to host" : "host to GPU";
  }
  if (sort.axis() == Axis::Pipeline) {
    return sort.is_transfer()    ? "stage to stage"
           : sort == kCopyGroups ? "copies of a stage"
                                 : "embedding group";
  }
  if (mesh.size(Axis::Shard) > 1 && mesh.size(Axis::Replicate) > 1) {  // parts of the data's ranks
    if (sort.axis() == Axis::Shard || sort.axes == AxisSet{Axis::Replicate}) {
      return sort.axis() == Axis::Shard ? "shard group" : "replica group";
    }
  }
  constexpr std::array<std::string_view, kAxes> kNames{"tensor group",
                                                       "",
                                                       "data group",
                                                       "context group",
                                                       "expert group",
                                                       "data group",
                                                       "ulysses group",
                                                       "expert tensor group",
                                                       "expert data group",
                                                       "expert data group",
                                                       ""};
  return kNames[static_cast<std::size_t>(sort.axis())];
}

/// Makes the parts of one communication. One class for phases and messages, which end alike.
class Describer {
 public:
  Describer(const Workload& workload, const Cluster& cluster, const Fold& fold, GroupClassId group,
            const Demand& demand)
      : w_(workload), cluster_(cluster), fold_(fold), class_(fold.groups[group]), demand_(demand) {
    made_.axis = axis_of(class_.sort);
    made_.group = name_of(class_.sort, workload.mesh());
    made_.op = demand.op;
    made_.group_class = group;
    made_.group_size = class_.shapes[0].group.size();
    made_.bytes_per_rank = demand.bytes;
    made_.alone = Seconds{-1};
  }

  Communication describe() {
    for (const GroupShape& shape : class_.shapes) {
      if (class_.sort.is_copy()) {
        keep_slower(shape, {Algorithm::Direct, Protocol::Simple},
                    {part_of(shape.patterns[0], {}, whole(demand_.bytes / kHostCopyShare))});
        continue;
      }
      if (class_.sort.is_brief()) {
        const auto [choice, time] = brief(shape.group.ranks[0]);
        keep_slower(shape, choice, Parts(std::vector{part_of(shape.patterns[0], time, {})}));
        continue;
      }
      if (class_.sort.is_transfer()) {
        keep_slower(shape, {Algorithm::Direct, Protocol::Simple}, {transfer(shape.patterns[0])});
        continue;
      }
      const CollectiveChoice choice = choice_of(shape.plan, demand_);
      if (demand_.op == CollectiveOp::Dispatch) {
        keep_slower(shape, choice, dispatch(shape));
        continue;
      }
      keep_slower(shape, choice,
                  w_.collectives == CollectiveMode::Stepwise ? messages(shape, choice)
                                                             : phases(shape, choice));
    }
    return std::move(made_);
  }

 private:
  using Parts = IdVector<PartId, CommunicationPart>;

  static Seconds time_of(const Parts& parts, Seconds CommunicationPart::*each) {
    IdVector<PartId, Seconds> finish;
    for (const CommunicationPart& part : parts) {
      Seconds start;
      for (const PartId before : part.after) {
        start = std::max(start, finish[before]);
      }
      finish.push_back(start + part.*each);
    }
    return *std::max_element(finish.begin(), finish.end());
  }

  /// Of the class's shapes the slowest counts.
  void keep_slower(const GroupShape& shape, CollectiveChoice choice, Parts parts) {
    const Seconds alone = time_of(parts, &CommunicationPart::alone);
    if (alone > made_.alone) {
      made_.choice = choice;
      made_.alone = alone;
      made_.taken = taken_share(w_, cluster_.spec, shape.group, class_.sort, choice, demand_,
                                time_of(parts, &CommunicationPart::lone));
      made_.parts = std::move(parts);
      set_ends();
    }
  }

  void set_ends() {
    made_.ends.clear();
    for (const RankClassId ranks : class_.rank_classes) {
      std::vector<PartId>& ends = made_.ends.emplace_back();
      IdVector<PartId, bool> waited_for(made_.parts.size());
      for (std::size_t i = made_.parts.size(); i-- > 0;) {
        const auto id = make_id<PartId>(i);
        const CommunicationPart& part = made_.parts[id];
        const bool takes_part = std::find(part.rank_classes.begin(), part.rank_classes.end(),
                                          ranks) != part.rank_classes.end();
        if (!takes_part) {
          continue;
        }
        if (!waited_for[id]) {
          ends.push_back(id);
        }
        for (const PartId before : part.after) {
          waited_for[before] = true;
        }
      }
    }
  }

  BytesPerSecond rate(const CarriedPattern& carried) const {
    if (w_.collectives == CollectiveMode::Formula) {
      return carried.alone;
    }
    return w_.fold == FoldMode::Bound ? carried.guaranteed
                                      : fold_.patterns[carried.pattern_class].rate;
  }

  CommunicationPart part_of(const CarriedPattern& carried, Seconds latency, Bytes stream) const {
    return {.pattern = carried.pattern_class,
            .latency = latency,
            .stream = stream,
            .alone = latency + (stream > Bytes{} ? stream / rate(carried) : Seconds{}),
            .lone = latency + (stream > Bytes{} ? stream / carried.alone : Seconds{}),
            .after = {},
            .rank_classes = class_.rank_classes};
  }

  const TopologySpec& topology_of(const Group& group) const {
    return cluster_.topology_among(group.ranks);
  }

  CommunicationPart transfer(const CarriedPattern& carried) const {
    const TransferCost cost = transfer_cost(cluster_.topology_among(carried.pattern.ranks),
                                            carried.pattern, demand_.bytes);
    return part_of(carried, cost.latency, cost.stream);
  }

  Parts phases(const GroupShape& shape, CollectiveChoice choice) const {
    std::vector<const CarriedPattern*> carried;
    std::vector<Pattern> patterns;
    for (const CarriedPattern& candidate : shape.patterns) {
      if (candidate.key.algorithm == choice.algorithm &&
          candidate.key.op == pattern_op(choice.algorithm, demand_.op)) {
        carried.push_back(&candidate);
        patterns.push_back(candidate.pattern);
      }
    }
    check(!carried.empty(), "the fold has the patterns of every communication");
    Parts parts;
    std::optional<PartId> previous;
    for (std::size_t i = 0; i < carried.size(); ++i) {
      CommunicationPart part = part_of(*carried[i],
                                       phase_latency(topology_of(shape.group), shape.group, choice,
                                                     demand_.op, demand_.bytes, patterns, i),
                                       phase_bytes(topology_of(shape.group), choice, demand_.op,
                                                   shape.group, patterns[i], demand_.bytes));
      if (previous) {
        part.after = {*previous};
      }
      previous = parts.push_back(std::move(part));
    }
    return parts;
  }

  /// Its launch and latency, whatever both levels wait for.
  CommunicationPart launched(Seconds latency) const {
    return {.latency = latency,
            .alone = latency,
            .lone = latency,
            .after = {},
            .rank_classes = class_.rank_classes};
  }

  /// As the group along the axes makes it alone.
  std::pair<CollectiveChoice, Seconds> brief(int rank) {
    const GroupSort sort{class_.sort.axes, Span::All};
    const Group group = make_group(cluster_, w_.mesh().group(rank, sort));
    const PlannedCollective made = fastest(cluster_, group, demand_.op, demand_.bytes,
                                           candidates_for(w_, cluster_, group, sort, demand_.op));
    made_.group_size = group.size();
    return {made.choice, made.alone};
  }

  /// Both levels at the same time, behind one launch.
  Parts dispatch(const GroupShape& shape) const {
    const ExpertExchange exchange = expert_exchange(
        cluster_, shape.group, {.routing = *demand_.routing, .tokens = 1, .token = demand_.bytes});
    Parts parts;
    const bool both = exchange.flows.size() > 1;
    if (both) {
      parts.push_back(launched(exchange.latency));
    }
    auto flow = exchange.flows.begin();
    for (const CarriedPattern& carried : shape.patterns) {
      if (carried.key.op == CollectiveOp::Dispatch) {
        CommunicationPart part =
            part_of(carried, both ? Seconds{} : exchange.latency, whole(flow->stream));
        if (both) {
          part.after = {PartId{0}};
        }
        parts.push_back(std::move(part));
        ++flow;
      }
    }
    return parts;
  }

  // ---- message by message

  Parts messages(const GroupShape& shape, CollectiveChoice choice) const {
    const Group& group = shape.group;
    const TransferList list =
        playable_transfers(demand_.op, group, choice.algorithm, demand_.bytes);
    std::map<std::pair<int, int>, const CarriedPattern*> known;
    for (const CarriedPattern& carried : shape.patterns) {
      known[{carried.pattern.ranks[0], carried.pattern.ranks[1]}] = &carried;
    }
    const Ways ways = ways_of(list);
    IdVector<WayId, const CarriedPattern*> carried;
    IdVector<WayId, PatternClassId> way_classes;
    for (const auto& [from, to] : ways.ends) {
      carried.push_back(known.at({group.rank(from), group.rank(to)}));
      way_classes.push_back(carried.back()->pattern_class);
    }
    IdVector<RankId, RankClassId> rank_classes;  // by position
    for (const int rank : group.ranks) {
      rank_classes.push_back(fold_.class_of_rank[RankId{rank}]);
    }
    const Seconds launch =
        fixed_latency(topology_of(group), group, choice, demand_.op, demand_.bytes);
    Parts parts;
    const PartId first = parts.push_back(launched(launch));
    IdVector<MessageId, PartId> part_of_message;
    for (const PlayedMessage& played : played_messages(list, ways, way_classes, rank_classes)) {
      const Transfer& transfer = list.transfers[played.transfer];
      CommunicationPart part =
          message(*carried[ways.of[played.transfer]], group, choice, list, transfer);
      part.rank_classes = {rank_classes[RankId{transfer.from}], rank_classes[RankId{transfer.to}]};
      if (part.rank_classes[0] == part.rank_classes[1]) {
        part.rank_classes.pop_back();
      }
      for (const MessageId before : played.after) {
        part.after.push_back(part_of_message[before]);
      }
      if (played.after.empty()) {
        part.after = {first};
      }
      part_of_message.push_back(parts.push_back(std::move(part)));
    }
    return parts;
  }

  CommunicationPart message(const CarriedPattern& way, const Group& group, CollectiveChoice choice,
                            const TransferList& list, const Transfer& transfer) const {
    const bool in_node =
        cluster_.node_of(way.pattern.ranks[0]) == cluster_.node_of(way.pattern.ranks[1]);
    const Seconds latency = step_latency(topology_of(group), choice, demand_.bytes, in_node,
                                         way.pattern.local_latency + way.pattern.network_latency);
    const double chunk = std::ceil(demand_.bytes.value / list.parts);
    const Bytes bytes{chunk * static_cast<double>(transfer.chunks.size())};
    return part_of(
        way, latency,
        whole(bytes * overhead(topology_of(group), choice, demand_.op, group) / way.pattern.parts));
  }

  const Workload& w_;
  const Cluster& cluster_;
  const Fold& fold_;
  const GroupClass& class_;
  const Demand& demand_;
  Communication made_;
};

}  // namespace

Communication describe_communication(const Workload& workload, const Cluster& cluster,
                                     const Fold& fold, GroupClassId group, const Demand& demand) {
  return Describer(workload, cluster, fold, group, demand).describe();
}

}  // namespace danlu
