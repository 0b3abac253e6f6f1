#include "sim/plan/communication.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "sim/base/error.hpp"
#include "sim/collective/transfers.hpp"
#include "sim/plan/messages.hpp"

namespace danlu {
namespace {

/// What the time of a group's communications counts as; a table on two stages is a replica, too.
Axis axis_of(GroupSort sort) {
  return sort == kEmbeddingGroups ? Axis::Replicate : sort.axis();
}

std::string_view name_of(GroupSort sort) {
  if (sort.axis() == Axis::Pipeline) {
    return sort.is_transfer() ? "stage to stage" : "embedding group";
  }
  constexpr std::array<std::string_view, kAxes> kNames{"tensor group", "", "data group",
                                                       "context group", "expert group"};
  return kNames[static_cast<std::size_t>(sort.axis())];
}

class Describer {
 public:
  Describer(const Workload& workload, const Cluster& cluster, const Fold& fold, int group,
            const Demand& demand)
      : w_(workload),
        cluster_(cluster),
        fold_(fold),
        class_(fold.groups[static_cast<std::size_t>(group)]),
        demand_(demand) {
    info_.axis = axis_of(class_.sort);
    info_.group = name_of(class_.sort);
    info_.op = demand.op;
    info_.group_class = group;
    info_.group_size = class_.shapes[0].group.size();
    info_.bytes_per_rank = demand.bytes;
    info_.alone = Seconds{-1};
  }

  CommunicationInfo describe() {
    for (const GroupShape& shape : class_.shapes) {
      if (class_.sort.is_transfer()) {
        keep_slower({Algorithm::Direct, Protocol::Simple}, {transfer(shape.patterns[0])});
        continue;
      }
      const CollectiveChoice choice = choice_of(shape.plan, demand_);
      keep_slower(choice, w_.collectives == CollectiveMode::Stepwise ? messages(shape, choice)
                                                                     : phases(shape, choice));
    }
    return std::move(info_);
  }

 private:
  using Parts = std::vector<CommunicationPart>;

  /// Of the class's shapes the slowest counts.
  void keep_slower(CollectiveChoice choice, Parts parts) {
    std::vector<Seconds> finish;
    for (const CommunicationPart& part : parts) {
      Seconds start;
      for (const int before : part.after) {
        start = std::max(start, finish[static_cast<std::size_t>(before)]);
      }
      finish.push_back(start + part.alone);
    }
    const Seconds alone = *std::max_element(finish.begin(), finish.end());
    if (alone > info_.alone) {
      info_.choice = choice;
      info_.alone = alone;
      info_.parts = std::move(parts);
      set_ends();
    }
  }

  void set_ends() {
    info_.ends.assign(class_.units.size(), {});
    for (std::size_t u = 0; u < class_.units.size(); ++u) {
      std::vector<bool> waited_for(info_.parts.size());
      for (std::size_t i = info_.parts.size(); i-- > 0;) {
        const CommunicationPart& part = info_.parts[i];
        const bool takes_part =
            std::find(part.units.begin(), part.units.end(), class_.units[u]) != part.units.end();
        if (!takes_part) {
          continue;
        }
        if (!waited_for[i]) {
          info_.ends[u].push_back(static_cast<int>(i));
        }
        for (const int before : part.after) {
          waited_for[static_cast<std::size_t>(before)] = true;
        }
      }
    }
  }

  BytesPerSecond rate(const CarriedPattern& carried) const {
    if (w_.collectives == CollectiveMode::Formula) {
      return carried.alone;
    }
    return w_.fold == FoldMode::Bound
               ? carried.guaranteed
               : fold_.patterns[static_cast<std::size_t>(carried.pattern_class)].rate;
  }

  CommunicationPart part_of(const CarriedPattern& carried, Seconds latency, Bytes stream) const {
    return {.pattern = carried.pattern_class,
            .latency = latency,
            .stream = stream,
            .alone = latency + (stream > Bytes{} ? stream / rate(carried) : Seconds{}),
            .after = {},
            .units = class_.units};
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
    for (std::size_t i = 0; i < carried.size(); ++i) {
      parts.push_back(part_of(*carried[i],
                              phase_latency(topology_of(shape.group), shape.group, choice,
                                            demand_.op, demand_.bytes, patterns, i),
                              phase_bytes(topology_of(shape.group), choice, demand_.op, shape.group,
                                          patterns[i], demand_.bytes)));
      if (i > 0) {
        parts.back().after = {static_cast<int>(i) - 1};
      }
    }
    return parts;
  }

  // ---- message by message

  Parts messages(const GroupShape& shape, CollectiveChoice choice) const {
    const TransferList list =
        playable_transfers(demand_.op, shape.group, choice.algorithm, demand_.bytes);
    const auto rank = [&](int at) { return shape.group.ranks[static_cast<std::size_t>(at)]; };
    std::map<std::pair<int, int>, const CarriedPattern*> known;
    for (const CarriedPattern& carried : shape.patterns) {
      known[{carried.pattern.ranks[0], carried.pattern.ranks[1]}] = &carried;
    }
    const Ways ways = ways_of(list);
    std::vector<const CarriedPattern*> carried;
    std::vector<int> way_classes;
    for (const auto& [from, to] : ways.ends) {
      carried.push_back(known.at({rank(from), rank(to)}));
      way_classes.push_back(carried.back()->pattern_class);
    }
    std::vector<int> units;
    for (const int member : shape.group.ranks) {
      units.push_back(unit(member));
    }
    const Seconds launch =
        fixed_latency(topology_of(shape.group), shape.group, choice, demand_.op, demand_.bytes);
    Parts parts{{.latency = launch, .alone = launch, .after = {}, .units = class_.units}};
    for (const PlayedMessage& played : played_messages(list, ways, way_classes, units)) {
      const auto number = static_cast<std::size_t>(played.transfer);
      const Transfer& transfer = list.transfers[number];
      parts.push_back(message(*carried[static_cast<std::size_t>(ways.of[number])], shape.group,
                              choice, list, transfer));
      CommunicationPart& part = parts.back();
      part.units = {unit(rank(transfer.from)), unit(rank(transfer.to))};
      if (part.units[0] == part.units[1]) {
        part.units.pop_back();
      }
      part.after = played.after.empty() ? std::vector{0} : played.after;
      for (int& before : part.after) {
        before += played.after.empty() ? 0 : 1;  // the launch stands first
      }
    }
    return parts;
  }

  int unit(int rank) const { return fold_.unit_of_rank[static_cast<std::size_t>(rank)]; }

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
  CommunicationInfo info_;
};

}  // namespace

CommunicationInfo describe_communication(const Workload& workload, const Cluster& cluster,
                                         const Fold& fold, int group, const Demand& demand) {
  return Describer(workload, cluster, fold, group, demand).describe();
}

}  // namespace danlu
