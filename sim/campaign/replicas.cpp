#include "sim/campaign/replicas.hpp"

#include <algorithm>
#include <cstdint>

#include "sim/base/error.hpp"

namespace danlu {

Replicas::Replicas(const CampaignJob& job, const FaultsSpec& spec)
    : pool(spec.spares),
      job_(job),
      spec_(spec),
      active_(job.replicas),
      in_job_(static_cast<std::size_t>(job.replicas), true) {}

NodeRange Replicas::nodes_of(const FaultCause& cause, int component) const {
  const int first = static_cast<int>(component * (job_.nodes / cause.count));
  return {first, std::min(first + cause.nodes, job_.nodes)};
}

/// Replica r of d has the nodes from r n/d to before (r+1) n/d; small ones share a node.
NodeRange Replicas::replicas_on(NodeRange nodes) const {
  const std::int64_t d = job_.replicas;
  const std::int64_t n = job_.nodes;
  return {static_cast<int>(nodes.first * d / n), static_cast<int>((nodes.last * d + n - 1) / n)};
}

bool Replicas::has(NodeRange nodes) const {
  if (nodes.first >= nodes.last) {
    return true;  // the job as a whole
  }
  const NodeRange range = replicas_on(nodes);
  if (spec_.recovery.kind != RecoverySpec::Kind::Replica) {
    return range.first < active_;  // elastic jobs number their nodes anew
  }
  return std::any_of(in_job_.begin() + range.first, in_job_.begin() + range.last,
                     [](bool in_job) { return in_job; });
}

NodeUse Replicas::use() const {
  const double all = job_.nodes + spec_.spares.hot + spec_.spares.cold;
  NodeUse use;
  use.repair = pool.in_repair();
  const double of_replicas = static_cast<double>(active_) * job_.nodes / job_.replicas;
  use.working = std::min<double>(of_replicas, job_.nodes - missing_);
  use.idle = all - use.working - use.repair;
  return use;
}

NodePool::Taken Replicas::fill() {
  const NodePool::Taken taken = pool.take(missing_);
  missing_ -= taken.all();
  return taken;
}

int Replicas::replicas_with(int missing) const {
  return static_cast<int>(std::int64_t{job_.nodes - missing} * job_.replicas / job_.nodes);
}

int Replicas::possible() const {
  return spec_.recovery.kind == RecoverySpec::Kind::Replica ? active_ : replicas_with(missing_);
}

int Replicas::least() const {
  return spec_.recovery.kind == RecoverySpec::Kind::Restart ? job_.replicas
                                                            : spec_.recovery.min_replicas;
}

bool Replicas::could_grow() const {
  return spec_.recovery.kind == RecoverySpec::Kind::Elastic && !full() &&
         replicas_with(std::max(0, missing_ - pool.spares())) > active_;
}

void Replicas::leave(NodeRange nodes, int missing, const Fault& why) {
  Group group;
  group.why = why;
  group.missing = missing;
  const NodeRange range = replicas_on(nodes);
  for (int replica = range.first; replica < range.last; ++replica) {
    if (in_job_[static_cast<std::size_t>(replica)]) {
      in_job_[static_cast<std::size_t>(replica)] = false;
      group.replicas.push_back(replica);
    }
  }
  active_ -= static_cast<int>(group.replicas.size());
  groups_.push_back(std::move(group));
}

void Replicas::dispatch(Seconds now, const RestartTime& restart_time) {
  for (Group& group : groups_) {
    if (group.joins < kNever) {
      continue;
    }
    const NodePool::Taken taken = pool.take(group.missing);
    group.missing -= taken.all();
    group.taken.hot += taken.hot;
    group.taken.cold += taken.cold;
    if (group.missing == 0) {
      group.joins = now + restart_time(group.why, group.taken);
    }
  }
}

Seconds Replicas::next_join() const {
  Seconds next = kNever;
  for (const Group& group : groups_) {
    next = std::min(next, group.joins);
  }
  return next;
}

void Replicas::join(Seconds now) {
  std::erase_if(groups_, [&](const Group& group) {
    for (const int replica : group.replicas) {
      in_job_[static_cast<std::size_t>(replica)] = group.joins <= now;
    }
    active_ += group.joins <= now ? static_cast<int>(group.replicas.size()) : 0;
    return group.joins <= now;
  });
}

bool Replicas::waiting() const {
  return std::any_of(groups_.begin(), groups_.end(),
                     [](const Group& group) { return group.joins == kNever; });
}

}  // namespace danlu
