#include "sim/program/play.hpp"

#include <map>
#include <queue>
#include <utility>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

/// The slice from event to event. One class, since every event may start the next segments, and
/// those change how fast compute goes on.
class SlicePlayer {
 public:
  SlicePlayer(const Program& program, std::size_t first, std::size_t last,
              const SegmentCosts& costs, std::optional<Seconds> lead,
              const std::vector<TakenFrom>& beside)
      : program_(program),
        costs_(costs),
        beside_(beside),
        first_(first),
        count_(last - first),
        launches_(lead && !costs.launches.empty()),
        waiting_for_(count_),
        after_(count_),
        ready_(count_, kNever) {
    times_.start.resize(count_);
    times_.finish.resize(count_);
    times_.longer.resize(count_);
    link();
    for (std::size_t i = 0; i < count_; ++i) {
      if (waiting_for_[i] == 0) {
        events_.push({Seconds{}, What::Ready, i});
      }
    }
    for (std::size_t i = 0; i < beside.size(); ++i) {
      events_.push({beside[i].at, What::Change, i});
    }
    if (launches_) {
      times_.launched.resize(count_, kNever);
      host_free_ = -1 * *lead;
      launch_next();
    }
  }

  SegmentTimes play() {
    while (ended_ < count_) {
      if (computing_ && (events_.empty() || compute_end() <= events_.top().at)) {
        now_ = compute_end();
        times_.longer[*computing_] += now_ - since_ - to_do_;
        finish(*std::exchange(computing_, {}));
        continue;
      }
      check(!events_.empty(), "a program has no cycle");
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      happen(event);
    }
    return std::move(times_);
  }

 private:
  static constexpr Seconds kNever{1e300};

  /// What of the same instant comes first makes no difference.
  enum class What { Ready, Launched, Finished, Change };
  struct Event {
    Seconds at;
    What what = What::Ready;
    std::size_t of = 0;  // segment of the slice, or index of a change
    bool operator>(const Event& other) const {
      return std::tie(at, what, of) > std::tie(other.at, other.what, other.of);
    }
  };

  const Segment& segment(std::size_t i) const { return program_.segments[first_ + i]; }

  /// A segment waits for what it says, and for the one before it in its stream.
  void link() {
    std::map<GroupSort, std::size_t> last_of_stream;
    const auto wait = [&](std::size_t before, std::size_t i) {
      after_[before].push_back(i);
      ++waiting_for_[i];
    };
    for (std::size_t i = 0; i < count_; ++i) {
      for (const std::size_t before : segment(i).after) {
        if (before >= first_) {
          wait(before - first_, i);
        }
      }
      const auto [previous, is_first] = last_of_stream.try_emplace(segment(i).stream(), i);
      if (!is_first) {
        wait(std::exchange(previous->second, i), i);
      }
    }
  }

  void happen(const Event& event) {
    switch (event.what) {
      case What::Ready:
        become_ready(event.of);
        break;
      case What::Launched:
        times_.launched[event.of] = host_free_ = now_;
        start_if_possible(event.of);
        ++next_launch_;
        launch_next();
        break;
      case What::Finished:
        std::erase(exchanging_, event.of);
        change_pace();
        finish(event.of);
        break;
      case What::Change:
        others_ = beside_[event.of].taken;
        change_pace();
        break;
    }
  }

  void become_ready(std::size_t i) {
    ready_[i] = now_;
    start_if_possible(i);
    if (launches_ && next_launch_ == i && waits(i)) {
      launch_next();
    }
  }

  bool waits(std::size_t i) const { return costs_.launches.wait[first_ + i]; }

  /// The host launches segment by segment, and waits where it has to.
  void launch_next() {
    const std::size_t i = next_launch_;
    if (i == count_ || (waits(i) && ready_[i] == kNever)) {
      return;
    }
    const Seconds begin = waits(i) ? std::max(host_free_, ready_[i]) : host_free_;
    events_.push({begin + costs_.launches.times[first_ + i], What::Launched, i});
  }

  void start_if_possible(std::size_t i) {
    if (ready_[i] == kNever || (launches_ && times_.launched[i] == kNever)) {
      return;
    }
    const Seconds start = launches_ ? std::max(ready_[i], times_.launched[i]) : ready_[i];
    const Seconds duration = costs_.durations[first_ + i];
    times_.start[i] = start;
    if (segment(i).is_compute) {
      computing_ = i;
      since_ = start;
      to_do_ = duration;
      pace_ = pace_now();
      return;
    }
    events_.push({start + duration, What::Finished, i});
    if (!costs_.taken.empty() && !costs_.taken[first_ + i].nothing()) {
      exchanging_.push_back(i);
      change_pace();
    }
  }

  void finish(std::size_t i) {
    times_.finish[i] = now_;
    times_.total = std::max(times_.total, now_);
    ++ended_;
    for (const std::size_t next : after_[i]) {
      if (--waiting_for_[next] == 0) {
        become_ready(next);
      }
    }
  }

  // ---- compute

  Seconds compute_end() const { return since_ + to_do_ / pace_; }

  double pace_now() const {
    if (costs_.bounds.empty()) {
      return 1;
    }
    GpuShare taken = others_;
    for (const std::size_t i : exchanging_) {
      taken = taken + costs_.taken[first_ + i];
    }
    return pace(costs_.bounds[first_ + *computing_], taken);
  }

  void change_pace() {
    if (!computing_) {
      return;
    }
    const double pace = pace_now();
    if (pace != pace_) {
      const Seconds done = std::min(to_do_, (now_ - since_) * pace_);
      times_.longer[*computing_] += (now_ - since_) - done;
      to_do_ -= done;
      since_ = now_;
      pace_ = pace;
    }
  }

  const Program& program_;
  const SegmentCosts& costs_;
  const std::vector<TakenFrom>& beside_;
  std::size_t first_, count_;
  bool launches_;
  std::vector<int> waiting_for_;  // by segment of the slice, as all below
  std::vector<std::vector<std::size_t>> after_;
  std::vector<Seconds> ready_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  SegmentTimes times_;
  std::size_t ended_ = 0;
  Seconds now_;
  std::size_t next_launch_ = 0;
  Seconds host_free_;
  std::vector<std::size_t> exchanging_;  // those that take something
  GpuShare others_;
  std::optional<std::size_t> computing_;
  Seconds since_, to_do_;  // of it: what is left of its duration since then
  double pace_ = 1;
};

}  // namespace

SegmentTimes play_alone(const Program& program, std::size_t first, std::size_t last,
                        const SegmentCosts& costs, std::optional<Seconds> lead,
                        const std::vector<TakenFrom>& beside) {
  return SlicePlayer(program, first, last, costs, lead, beside).play();
}

}  // namespace danlu
