#include "sim/fold/implied_links.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "sim/fold/folded_links.hpp"

namespace danlu {
namespace {

constexpr std::size_t kMostGuards = 1024;  // at a vertex; where more meet, no link is dropped
constexpr double kRounding = 1 + 1e-12;
constexpr double kNothing = 1e-12;  // of a weight
constexpr double kAny = std::numeric_limits<double>::infinity();

/// A class of links at a vertex, and how many of it are there.
struct Meeting {
  LinkClassId links{};
  int count = 0;
};

/// At one vertex.
struct Meetings {
  std::vector<Meeting> into, out_of;
};
enum class MeetingsId : std::int32_t {};

class Search {
 public:
  Search(const StepPatterns& step, const Cluster& cluster, const Colours& classes)
      : topology_(cluster.topology),
        system_(inequalities(cluster, step, classes.patterns, classes.links)),
        implied_(system_.size(), false),
        open_(count_colours(classes.patterns), 0) {
    vertices_.resize(topology_.vertices().size());
    for (const Inequality& one : system_) {
      const Link& link = topology_.link(one.representative);
      for (const VertexId end : {link.from, link.to}) {
        vertices_[end] = vertices_[end] ? vertices_[end] : meetings_.push_back({});
      }
    }
    for (const LoadedLinkId l : step.links.ids()) {
      const Link& link = topology_.link(step.links[l]);
      if (const std::optional<MeetingsId> at = vertices_[link.to]) {
        add(classes.links[l], meetings_[*at].into);
      }
      if (const std::optional<MeetingsId> at = vertices_[link.from]) {
        add(classes.links[l], meetings_[*at].out_of);
      }
    }
  }

  /// By class.
  IdVector<LinkClassId, bool> run() {
    std::vector<LinkClassId> widest_first;
    for (const LinkClassId l : system_.ids()) {
      widest_first.push_back(l);
    }
    std::stable_sort(widest_first.begin(), widest_first.end(), [&](LinkClassId a, LinkClassId b) {
      return system_[a].capacity > system_[b].capacity;
    });
    for (const LinkClassId l : widest_first) {
      const Link& link = topology_.link(system_[l].representative);
      implied_[l] = !system_[l].flaps &&  // it will be full while it does
                    (is_implied(l, meetings_[*vertices_[link.to]].out_of) ||
                     is_implied(l, meetings_[*vertices_[link.from]].into));
    }
    return std::move(implied_);
  }

 private:
  static void add(LinkClassId links, std::vector<Meeting>& meeting) {
    const auto known = std::find_if(meeting.begin(), meeting.end(),
                                    [&](const Meeting& one) { return one.links == links; });
    if (known != meeting.end()) {
      ++known->count;
    } else if (meeting.size() <= kMostGuards) {
      meeting.push_back({links, 1});
    }
  }

  /// Of links that are alike, as the two ways of a cable, none is dropped for another, since that
  /// would tell apart what they join.
  bool may_guard(LinkClassId guard, LinkClassId l) const {
    const Link& by = topology_.link(system_[guard].representative);
    const Link& link = topology_.link(system_[l].representative);
    return !implied_[guard] && (by.bandwidth < link.bandwidth ||
                                (by.bandwidth == link.bandwidth && by.kind != link.kind));
  }

  /// Whether guards among `candidates` leave `l` room for all its patterns: each of them standing
  /// for what it carries at most, or for more than that.
  bool is_implied(LinkClassId l, const std::vector<Meeting>& candidates) {
    const double room = system_[l].capacity * kRounding;
    return candidates.size() <= kMostGuards &&
           (most_on(l, candidates, 1) <= room || most_on(l, candidates, kAny) <= room);
  }

  /// What the guards allow on `l`; infinite where they do not stand for all of it.
  double most_on(LinkClassId l, const std::vector<Meeting>& candidates, double most_share) {
    const Inequality& limit = system_[l];
    for (const ClassWeight& crossing : limit.row) {
      open_[crossing.pattern] = crossing.weight;
    }
    std::size_t left = limit.row.size();
    double most = 0;
    for (std::size_t i = 0; i < candidates.size() && left > 0 && most <= limit.capacity; ++i) {
      const auto& [guard, count] = candidates[i];
      if (may_guard(guard, l)) {
        const Inequality& by = system_[guard];
        most += by.capacity * take_over(by.row, most_share * count, left);
      }
    }
    for (const ClassWeight& crossing : limit.row) {
      open_[crossing.pattern] = 0;
    }
    return left == 0 ? most : kAny;
  }

  /// Lets a guard that is crossed so stand for what is open of these patterns; returns its share.
  double take_over(const std::vector<ClassWeight>& crossings, double most_share,
                   std::size_t& left) {
    double share = 0;
    for (const auto& [pattern, weight] : crossings) {
      share = std::max(share, open_[pattern] / weight);
    }
    share = std::min(share, most_share);
    for (const auto& [pattern, weight] : crossings) {
      double& open = open_[pattern];
      if (open > 0) {
        open -= share * weight;
        if (open <= kNothing) {
          open = 0;
          --left;
        }
      }
    }
    return share;
  }

  const Topology& topology_;
  IdVector<LinkClassId, Inequality> system_;
  IdVector<LinkClassId, bool> implied_;
  IdVector<PatternClassId, double> open_;  // of its weight on the link, what has no guard
  IdVector<VertexId, std::optional<MeetingsId>> vertices_;  // where representatives end
  IdVector<MeetingsId, Meetings> meetings_;
};

}  // namespace

IdVector<LoadedLinkId, bool> implied_links(const StepPatterns& step, const Cluster& cluster,
                                           const Colours& classes) {
  const IdVector<LinkClassId, bool> implied = Search(step, cluster, classes).run();
  IdVector<LoadedLinkId, bool> links;
  for (const LinkClassId link : classes.links) {
    links.push_back(implied[link]);
  }
  return links;
}

LeanStep without_implied_links(const StepPatterns& step, const Cluster& cluster,
                               const IdVector<RankId, RankClassId>& ranks, bool equal_rates) {
  const Colours classes = equal_rates ? refine(step, cluster, ranks)
                                      : Colours{{},
                                                all_different<PatternClassId>(step.patterns()),
                                                all_different<LinkClassId>(step.links.ids())};
  LeanStep lean{without_links(step, implied_links(step, cluster, classes)), {}};
  lean.classes = refine(lean.patterns, cluster, ranks);
  return lean;
}

}  // namespace danlu
