#include "sim/campaign/replicas.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "sim/base/error.hpp"

namespace danlu {

Replicas::Replicas(const CampaignJob& job, const FaultsSpec& spec)
    : pool(spec.spares),
      job_(job),
      spec_(spec),
      active_(job.replicas),
      in_job_(job.replicas, true) {}

NodeRange nodes_of(const CampaignJob& job, const FaultCause& cause, int component) {
  const int first = cause.beside > 0 ? component / cause.beside * cause.apart
                                     : static_cast<int>(component * (job.nodes / cause.count));
  return {first, std::min(first + cause.nodes, job.nodes)};
}

namespace {

/// Those one after the other: replica r of d has the nodes from r n/d to before (r+1) n/d.
IdRange<ReplicaId> in_a_row(const CampaignJob& job, int node) {
  const std::int64_t d = job.replicas;
  const std::int64_t n = job.nodes;
  return {ReplicaId{static_cast<int>(node * d / n)},
          ReplicaId{static_cast<int>(((node + 1) * d + n - 1) / n)}};
}

template <typename Visit>
void for_replicas_on(const CampaignJob& job, int node, const Visit& visit) {
  if (job.replicas_on.empty()) {
    for (const ReplicaId replica : in_a_row(job, node)) {
      visit(replica);
    }
    return;
  }
  for (const ReplicaId replica : job.replicas_on[static_cast<std::size_t>(node)]) {
    visit(replica);
  }
}

}  // namespace

std::vector<ReplicaId> replicas_on(const CampaignJob& job, NodeRange nodes) {
  std::vector<ReplicaId> found;
  for (int node = nodes.first; node < nodes.last; ++node) {
    for_replicas_on(job, node, [&](ReplicaId replica) { found.push_back(replica); });
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

bool Replicas::has(NodeRange nodes) const {
  if (nodes.first >= nodes.last) {
    return true;  // the job as a whole
  }
  if (!one_by_one()) {  // the job numbers its nodes anew
    return std::int64_t{nodes.first} * job_.replicas < std::int64_t{active_} * job_.nodes;
  }
  const std::vector<ReplicaId> replicas = replicas_on(job_, nodes);
  return std::any_of(replicas.begin(), replicas.end(),
                     [&](ReplicaId replica) { return in_job_[replica]; });
}

bool Replicas::is_on(ReplicaId replica, int node) const {
  bool found = false;
  for_replicas_on(job_, node, [&](ReplicaId here) { found = found || here == replica; });
  return found;
}

std::vector<int> Replicas::in_job(NodeRange nodes) const {
  std::vector<int> found;
  for (int node = nodes.first; node < nodes.last; ++node) {
    // Jobs that restart as a whole number their nodes anew: so many, whichever they were.
    const bool there = one_by_one() ? has({node, node + 1})
                                    : static_cast<int>(found.size()) < job_.nodes - missing_;
    if (there) {
      found.push_back(node);
    }
  }
  return found;
}

std::optional<CauseId> Replicas::short_because() const {
  if (full()) {
    return std::nullopt;
  }
  return one_by_one() ? groups_.front().why.cause : short_because_;
}

GpuUse Replicas::use() const {
  const double node = job_.gpus_per_node;
  const double all = job_.gpus() + node * (spec_.spares.hot + spec_.spares.cold);
  const double of_replicas = static_cast<double>(active_) * job_.gpus() / job_.replicas;
  GpuUse use;
  use.working = std::min(of_replicas, node * (job_.nodes - missing_));
  use.repair = std::min(node * pool.in_repair(), all - use.working);
  use.idle = all - use.working - use.repair;
  return use;
}

void Replicas::lose(NodeRange nodes, const std::vector<int>& broken, const Fault& why) {
  if (!one_by_one()) {
    short_because_ = missing_ == 0 ? why.cause : short_because_;
    missing_ += static_cast<int>(broken.size());
    return;
  }
  Group group{.why = why, .broken = broken};
  for (const ReplicaId replica : replicas_on(job_, nodes)) {
    if (in_job_[replica]) {
      in_job_[replica] = false;
      group.replicas.push_back(replica);
    }
  }
  active_ -= static_cast<int>(group.replicas.size());
  groups_.push_back(std::move(group));
  for (Group& other : groups_) {  // on its way back, and a node that it shares breaks
    other.joins = has_its_nodes(other) ? other.joins : kNever;
  }
}

bool Replicas::has_its_nodes(const Group& group) const {
  const auto needs = [&](int node) {
    return std::any_of(group.replicas.begin(), group.replicas.end(),
                       [&](ReplicaId replica) { return is_on(replica, node); });
  };
  return group.broken.empty() &&
         std::none_of(groups_.begin(), groups_.end(), [&](const Group& other) {
           return std::any_of(other.broken.begin(), other.broken.end(), needs);
         });
}

void Replicas::supply() {
  const NodePool::Taken for_all = pool.take(missing_);
  missing_ -= for_all.all();
  taken_ += for_all;
  for (Group& group : groups_) {
    const NodePool::Taken more = pool.take(static_cast<int>(group.broken.size()));
    group.broken.resize(group.broken.size() - static_cast<std::size_t>(more.all()));
    group.taken += more;
  }
}

int Replicas::replicas_with(int missing) const {
  return static_cast<int>(std::int64_t{job_.nodes - missing} * job_.replicas / job_.nodes);
}

int Replicas::possible() const {
  if (!one_by_one()) {
    return replicas_with(missing_);
  }
  int replicas = active_;
  for (const Group& group : groups_) {
    replicas += has_its_nodes(group) ? static_cast<int>(group.replicas.size()) : 0;
  }
  return replicas;
}

int Replicas::least() const {
  return spec_.recovery.kind == RecoverySpec::Kind::Restart ? job_.replicas
                                                            : spec_.recovery.min_replicas;
}

NodePool::Taken Replicas::start() {
  if (one_by_one()) {
    return take_in([&](const Group& group) { return has_its_nodes(group); });
  }
  active_ = replicas_with(missing_);
  return std::exchange(taken_, {});
}

bool Replicas::could_grow() const {
  return spec_.recovery.kind == RecoverySpec::Kind::Elastic && !full() &&
         replicas_with(std::max(0, missing_ - pool.spares())) > active_;
}

void Replicas::dispatch(Seconds now, const RestartTime& restart_time) {
  supply();
  for (Group& group : groups_) {
    if (group.joins == kNever && has_its_nodes(group)) {
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
  take_in([&](const Group& group) { return group.joins <= now; });
}

template <typename Joins>
NodePool::Taken Replicas::take_in(const Joins& joins) {
  NodePool::Taken taken;
  std::erase_if(groups_, [&](const Group& group) {
    if (!joins(group)) {
      return false;
    }
    for (const ReplicaId replica : group.replicas) {
      in_job_[replica] = true;
    }
    active_ += static_cast<int>(group.replicas.size());
    taken += group.taken;
    return true;
  });
  return taken;
}

bool Replicas::waiting() const {
  return std::any_of(groups_.begin(), groups_.end(),
                     [](const Group& group) { return !group.broken.empty(); });
}

}  // namespace danlu
