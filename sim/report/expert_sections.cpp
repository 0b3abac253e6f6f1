// Experts: what they get of a microbatch, where they lie, what dispatch and combine send, and what
// the step loses by it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/collective/experts.hpp"
#include "sim/collective/group.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/sections.hpp"
#include "sim/workload/rank_shape.hpp"

namespace danlu {
namespace {

/// The number of the n-th layer with experts.
int layer_with_experts(const ModelSpec& model, std::size_t n) {
  int layer = 0;
  for (;; ++layer) {
    if (model.layer_sort(layer).experts && n-- == 0) {
      return layer;
    }
  }
}

/// Of the mean group: ranks may lie on nodes in several ways.
SentShare mean_sent_share(const Workload& w, const Cluster& cluster, bool once) {
  const Mesh mesh = w.parallelism.mesh();
  const ExpertRouting routing{w.model.experts.count, w.model.experts.per_token,
                              w.training.routing.most_nodes, w.training.routing.nodes};
  SentShare mean;
  const double groups = 1.0 * mesh.world_size() / mesh.size(Axis::Expert);
  for (int rank = 0; rank < mesh.world_size(); ++rank) {
    if (mesh.is_first(rank, Axis::Expert)) {
      const Group group = make_group(cluster, mesh.group(rank, {Axis::Expert, Span::All}));
      const SentShare share = once ? sent_share(group, routing) : sent_share(group);
      mean.in_node += share.in_node / groups;
      mean.between_nodes += share.between_nodes / groups;
    }
  }
  return mean;
}

/// "ranks 0 to 7", "ranks 0, 2, ... 14".
std::string ranks_text(const std::vector<int>& ranks) {
  constexpr std::size_t kFew = 4;
  if (ranks.size() == 1) {
    return fmt::format("rank {}", ranks[0]);
  }
  if (ranks.back() - ranks.front() + 1 == static_cast<int>(ranks.size())) {
    return fmt::format("ranks {} to {}", ranks.front(), ranks.back());
  }
  return ranks.size() <= kFew
             ? fmt::format("ranks {}", fmt::join(ranks, ", "))
             : fmt::format("ranks {}, {}, ... {}", ranks[0], ranks[1], ranks.back());
}

std::string group_text(const ExpertReport& x) {
  if (x.group.size() == 1) {
    return "every rank has all of a layer's experts";
  }
  return fmt::format("{} of a layer's experts on each of {}, on {}", count_text(x.per_rank),
                     ranks_text(x.group), counted(x.group_nodes, "node"));
}

Figure tokens_figure(double tokens) {
  return Figure::number(tokens, figure(tokens));
}

/// Which layer the loads are of, where each has its own.
std::vector<Row> layer_rows(const ExpertReport& x) {
  if (!x.fullest_layer) {
    return {};
  }
  return {{.key = "fullest_layer",
           .label = "fullest layer",
           .cells = {Figure::count(*x.fullest_layer)},
           .note = "counted from 0: with the fullest rank of all, whose loads follow"}};
}

std::vector<Row> load_rows(const ExpertReport& x, const Workload& workload) {
  const ParallelismSpec& p = workload.parallelism;
  const Shown if_uneven = x.is_even() ? Shown::OffPage : Shown::Everywhere;
  return {{.key = "tokens",
           .label = "tokens of an expert",
           .cells = {tokens_figure(x.tokens)},
           .note = fmt::format("of a microbatch on {}, {}",
                               counted(p.expert * p.expert_tensor_ranks(), "rank"),
                               x.is_even() ? "all experts alike" : "in the mean")},
          {.key = "fullest_tokens",
           .label = "fullest expert",
           .cells = {tokens_figure(x.fullest)},
           .shown = if_uneven},
          {.key = "emptiest_tokens",
           .label = "emptiest expert",
           .cells = {tokens_figure(x.emptiest)},
           .shown = if_uneven},
          {.key = "load_factor",
           .label = "load factor",
           .cells = {Figure::number(x.load_factor, figure(x.load_factor))},
           .note = "tokens at the fullest rank over the mean rank's",
           .shown = if_uneven},
          {.key = "dropped",
           .label = "dropped",
           .cells = {Figure::share(x.dropped)},
           .note = "of the copies of tokens, by the capacity",
           .shown = x.dropped ? Shown::Everywhere : Shown::OffPage},
          {.key = "padding",
           .label = "filled up",
           .cells = {Figure::share(x.padding)},
           .note = "of what experts compute is no token",
           .shown = x.padding ? Shown::Everywhere : Shown::OffPage}};
}

std::vector<Row> cost_rows(const ExpertReport& x, const StepReport& step) {
  const KindOverlap& exchange = step.by_kind[Axis::Expert];
  const bool travels = x.group.size() > 1;
  const Shown if_travels = travels ? Shown::Everywhere : Shown::OffPage;
  const auto if_any = [&](Figure figure) { return travels ? figure : Figure::absent(); };
  return {{.key = "fullest_wait_s",
           .label = "wait for the fullest",
           .cells = {Figure::time(step.fullest_wait)},
           .note = fmt::format("{} of the step, a part of straggler wait",
                               percent(step.fullest_wait / step.time)),
           .shown = step.fullest_wait > Seconds{} ? Shown::Everywhere : Shown::OffPage},
          {.key = "exchange_share",
           .label = "dispatch and combine",
           .cells = {if_any(Figure::share(exchange.time / step.time))},
           .note = fmt::format("of the step, {} of it hidden", percent(exchange.overlap_ratio())),
           .shown = if_travels},
          {.key = "sent_in_node_bytes",
           .label = "sent in the node",
           .cells = {if_any(Figure::size(x.in_node))},
           .note = fmt::format("in a step by {}, to experts and back, forward and backward",
                               x.load_factor > 1 ? "the fullest GPU" : "each GPU"),
           .shown = if_travels},
          {.key = "sent_between_nodes_bytes",
           .label = "sent between nodes",
           .cells = {if_any(Figure::size(x.between_nodes))},
           .shown = if_travels}};
}

}  // namespace

std::optional<ExpertReport> measure_experts(const Workload& workload, const Cluster& cluster,
                                            const std::vector<CommunicationReport>& communication) {
  const ExpertsSpec& spec = workload.model.experts;
  if (spec.count == 0) {
    return std::nullopt;
  }
  const RankShape shape(workload);
  const std::vector<ExpertBalance>& loads = shape.experts;
  const auto ruling = std::max_element(
      loads.begin(), loads.end(),
      [](const ExpertBalance& a, const ExpertBalance& b) { return b.fullest - a.fullest > 1e-9; });
  const ExpertBalance& load = *ruling;
  const double tokens =
      shape.local_tokens * spec.per_token * shape.expert * shape.expert_tensor / spec.count;
  const auto [emptiest, fullest] = std::minmax_element(load.taken.begin(), load.taken.end());
  const RoutingSpec& routing = workload.training.routing;
  const Mesh mesh = workload.parallelism.mesh();
  ExpertReport report{.layers = workload.model.layers_with_experts(),
                      .per_rank = spec.count / shape.expert,
                      .group = mesh.group(0, {Axis::Expert, Span::All}),
                      .tokens = tokens,
                      .fullest = tokens * *fullest,
                      .emptiest = tokens * *emptiest,
                      .load_factor = load.fullest};
  if (loads.size() > 1) {
    report.fullest_layer =
        layer_with_experts(workload.model, static_cast<std::size_t>(ruling - loads.begin()));
  }
  if (routing.capacity > 0) {
    report.dropped = load.dropped;
  }
  if (routing.pads) {
    report.padding = load.padding;
  }
  if (report.group.size() > 1) {
    report.group_nodes = make_group(cluster, report.group).node_count();
    const SentShare share = mean_sent_share(workload, cluster, shape.routed_once);
    for (const CommunicationReport& sort : communication) {
      if (sort.axis == Axis::Expert) {
        const Bytes bytes = sort.bytes_per_rank * sort.count;
        report.in_node += bytes * share.in_node;
        report.between_nodes += bytes * share.between_nodes;
      }
    }
  }
  return report;
}

std::optional<Section> expert_section(const Report& report) {
  if (!report.experts) {
    return std::nullopt;
  }
  const ExpertReport& x = *report.experts;
  const ExpertsSpec& spec = report.workload.model.experts;
  Section section{
      .key = "experts",
      .heading = fmt::format("Experts: {} in {}, {} for each token{}", thousands(spec.count),
                             counted(x.layers, "layer"), thousands(spec.per_token),
                             spec.shared_ffn > 0 ? ", besides what all share" : ""),
      .columns = figure_columns(22, 10),
      .rows = {sentence(group_text(x), Shown::PageOnly),
               off_page("layers", "layers with experts", Figure::count(x.layers)),
               off_page("per_rank", "experts of a layer on a rank",
                        Figure::number(x.per_rank, count_text(x.per_rank))),
               off_page("group", "ranks of the first group", Figure::words(ranks_text(x.group))),
               off_page("group_nodes", "nodes that it lies on", Figure::count(x.group_nodes))}};
  for (std::vector<Row> rows :
       {layer_rows(x), load_rows(x, report.workload), cost_rows(x, report.step)}) {
    std::move(rows.begin(), rows.end(), std::back_inserter(section.rows));
  }
  return section;
}

}  // namespace danlu
