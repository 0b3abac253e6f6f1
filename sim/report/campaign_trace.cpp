#include "sim/report/campaign_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/campaign/restart.hpp"
#include "sim/report/trace_time.hpp"

namespace danlu {
namespace {

using Kind = CampaignEvent::Kind;

std::string_view kind_name(const CampaignEvent& event) {
  return name_of(event.kind);
}

bool is_instant(const CampaignEvent& event) {
  return event.kind == Kind::Failure || event.kind == Kind::Rollback || event.kind == Kind::Resize;
}

std::string cause_of(const CampaignEvent& event, const FaultsSpec& faults) {
  return event.cause ? faults.causes[*event.cause].name : "";
}

/// The part of a restart, or the tier of a checkpoint.
std::string part_of(const CampaignEvent& event, const FaultsSpec& faults) {
  if (event.part) {
    return event.part == kLoadPart        ? "load"
           : event.part == kColdSparePart ? "cold spare"
                                          : faults.restart[*event.part].name;
  }
  return event.tier ? faults.tiers[*event.tier].name : "";
}

/// Rows of the trace, and further lanes of one where events overlap.
enum class TraceRow { Job, Saves, Slow, Repairs };
constexpr IdArray<TraceRow, std::string_view, 4> kRowNames{"job", "saves", "slow parts", "repairs"};

TraceRow trace_row_of(const CampaignEvent& event) {
  switch (event.kind) {
    case Kind::Persist:
      return TraceRow::Saves;
    case Kind::Degraded:
      return TraceRow::Slow;
    case Kind::Repair:
      return TraceRow::Repairs;
    default:
      return TraceRow::Job;
  }
}

class CampaignTraceWriter {
 public:
  explicit CampaignTraceWriter(const FaultsSpec& faults) : faults_(faults) {}

  std::string write(const CampaignTrial& trial) {
    text_ = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
    add_name("process_name", 0, "campaign");
    std::vector<const CampaignEvent*> events;
    for (const CampaignEvent& event : trial.events) {
      events.push_back(&event);
    }
    std::stable_sort(events.begin(), events.end(),
                     [](const auto* a, const auto* b) { return a->begin < b->begin; });
    for (const CampaignEvent* event : events) {
      add_event(*event);
    }
    return text_ + "\n]}\n";
  }

 private:
  /// One line. Text is made in place: a run has tens of thousands of events.
  void add(const std::string& event) {
    text_ += first_ ? "" : ",\n";
    text_ += event;
    first_ = false;
  }
  void add_name(std::string_view what, int thread, std::string_view name) {
    add(fmt::format(R"({{"ph":"M","name":"{}","pid":0,"tid":{},"args":{{"name":"{}"}}}})", what,
                    thread, name));
  }

  /// The first lane of the row that is free.
  int lane(const CampaignEvent& event) {
    constexpr int kLanes = 1000;
    const TraceRow row = trace_row_of(event);
    std::vector<Seconds>& ends = ends_[row];
    const auto free =
        std::find_if(ends.begin(), ends.end(), [&](Seconds end) { return end <= event.begin; });
    const int number = static_cast<int>(free - ends.begin());
    const int thread = static_cast<int>(row) * kLanes + number;
    if (free == ends.end()) {
      ends.push_back(event.end);
      add_name("thread_name", thread, kRowNames[row]);
    } else {
      *free = event.end;
    }
    return thread;
  }

  void add_event(const CampaignEvent& event) {
    const TraceTime time(event.begin, event.end);
    const std::string part = part_of(event, faults_);
    const std::string_view kind = kind_name(event);
    std::string arguments =
        fmt::format(R"("step":{:.10g},"replicas":{})", event.step, event.replicas);
    if (event.cause) {
      arguments += fmt::format(R"(,"cause":{})", quoted(cause_of(event, faults_)));
    }
    if (event.component >= 0) {
      arguments += fmt::format(R"(,"component":{})", event.component);
    }
    const std::string place = is_instant(event) ? R"("ph":"i","s":"p","tid":0)"
                                                : fmt::format(R"("ph":"X","dur":{},"tid":{})",
                                                              time.duration, lane(event));
    add(fmt::format(R"({{"name":{},"cat":"{}","pid":0,"ts":{},{},"args":{{{}}}}})",
                    quoted(part.empty() ? std::string(kind) : fmt::format("{}: {}", kind, part)),
                    kind, time.begin, place, arguments));
  }

  static std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  const FaultsSpec& faults_;
  std::string text_;
  bool first_ = true;
  IdArray<TraceRow, std::vector<Seconds>, kRowNames.size()> ends_;
};

}  // namespace

std::string campaign_trace(const CampaignTrial& trial, const FaultsSpec& faults) {
  return CampaignTraceWriter(faults).write(trial);
}

std::string campaign_csv(const CampaignTrial& trial, const FaultsSpec& faults) {
  std::string text = "begin_s,end_s,event,part,cause,component,step,replicas\n";
  for (const CampaignEvent& event : trial.events) {
    text += fmt::format(
        "{:.6f},{:.6f},{},{},{},{},{:.10g},{}\n", event.begin.value, event.end.value,
        kind_name(event), csv_cell(part_of(event, faults)), csv_cell(cause_of(event, faults)),
        event.component < 0 ? "" : fmt::format("{}", event.component), event.step, event.replicas);
  }
  return text;
}

}  // namespace danlu
