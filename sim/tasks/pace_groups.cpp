#include "sim/tasks/pace_groups.hpp"

#include <boost/pending/disjoint_sets.hpp>
#include <set>
#include <utility>

namespace danlu {
namespace {

/// Of strands, classes of ranks and links, numbered one after the other, those that go together.
class Joiner {
 public:
  explicit Joiner(const StepPlan& plan)
      : plan_(plan),
        ranks_from_(plan.strands.size()),
        links_from_(ranks_from_ + plan.fold.rank_classes.size()),
        height_(links_from_ + plan.graph.links.size()),
        parent_(height_.size()),
        sets_(height_.data(), parent_.data()) {
    for (std::size_t i = 0; i < parent_.size(); ++i) {
      sets_.make_set(i);
    }
    for (std::size_t strand = 0; strand < plan_.strands.size(); ++strand) {
      join_tasks(strand);
    }
  }

  PaceGroups groups() {
    PaceGroups found;
    found.of_link.resize(plan_.graph.links.size());
    std::vector<std::optional<PaceGroupId>> known(parent_.size());  // by what stands for its set
    for (std::size_t strand = 0; strand < plan_.strands.size(); ++strand) {
      std::optional<PaceGroupId>& group = known[sets_.find_set(strand)];
      group = group ? group : make_id<PaceGroupId>(found.count++);
      found.of_strand.push_back(*group);
    }
    for (const RankClassId ranks : plan_.fold.rank_classes.ids()) {
      // Those without tasks are of any.
      found.of_ranks.push_back(
          known[sets_.find_set(ranks_from_ + index(ranks))].value_or(PaceGroupId{}));
    }
    for (const FoldedLinkId link : found.of_link.ids()) {
      found.of_link[link] = known[sets_.find_set(links_from_ + index(link))];
    }
    return found;
  }

 private:
  /// All of a strand's tasks wait for each other, and for those of its ranks.
  void join_tasks(std::size_t strand) {
    const std::vector<TaskId>& begins = plan_.strands[strand].begins;
    std::set<PlayedProgramId> programs;
    std::set<ChannelId> channels;
    for (const TaskId id : IdRange<TaskId>(begins.front(), begins.back())) {
      const Task& task = plan_.graph.tasks[id];
      for (const RankClassId ranks : plan_.graph.participants.of(id)) {
        sets_.union_set(strand, ranks_from_ + index(ranks));
      }
      if (task.channel && channels.insert(*task.channel).second) {
        join_links(strand, *task.channel);
      }
      if (task.kind == TaskKind::Run && programs.insert(task.slice.program).second) {
        join_links(strand, plan_.graph.programs[task.slice.program]);
      }
    }
  }

  void join_links(std::size_t strand, const PlayedProgram& program) {
    for (const std::optional<CommunicationId> communication : program.communications) {
      if (communication) {
        for (const CommunicationPart& part : plan_.graph.communications[*communication].parts) {
          if (part.pattern) {
            join_links(strand, make_id<ChannelId>(index(*part.pattern)));
          }
        }
      }
    }
  }
  void join_links(std::size_t strand, ChannelId channel) {
    for (const ChannelLoad& load : plan_.graph.channels[channel].loads) {
      sets_.union_set(strand, links_from_ + index(load.link));
    }
  }

  const StepPlan& plan_;
  std::size_t ranks_from_, links_from_;
  std::vector<std::size_t> height_, parent_;
  boost::disjoint_sets<std::size_t*, std::size_t*> sets_;
};

}  // namespace

PaceGroups find_pace_groups(const StepPlan& plan) {
  return Joiner(plan).groups();
}

}  // namespace danlu
