#include "sim/report/campaign_trace.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/campaign/restart.hpp"
#include "sim/report/trace_events.hpp"

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
  CampaignTraceWriter(const FaultsSpec& faults, const TextSink& out)
      : faults_(faults), events_(out) {}

  void write(const CampaignTrial& trial) {
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
    events_.finish();
  }

 private:
  void add_name(std::string_view what, int thread, std::string_view name) {
    events_.add(FMT_COMPILE(R"({{"ph":"M","name":"{}","pid":0,"tid":{},"args":{{"name":"{}"}}}})"),
                what, thread, name);
  }

  int thread_of(const CampaignEvent& event) {
    const TraceRow row = trace_row_of(event);
    const TraceLanes::Lane lane = lanes_.take(static_cast<int>(row), {event.begin, event.end});
    if (lane.is_new) {
      add_name("thread_name", lane.thread, kRowNames[row]);
    }
    return lane.thread;
  }

  void add_event(const CampaignEvent& event) {
    const TraceTime time({event.begin, event.end});
    const std::string part = part_of(event, faults_);
    const std::string_view kind = kind_name(event);
    const std::string place = is_instant(event) ? R"("ph":"i","s":"p","tid":0)"
                                                : fmt::format(R"("ph":"X","dur":{},"tid":{})",
                                                              time.duration, thread_of(event));
    events_.add(FMT_COMPILE(R"({{"name":{},"cat":"{}","pid":0,"ts":{},{},"args":{{"step":{:.10g},)"
                            R"("replicas":{})"),
                quoted(part.empty() ? std::string(kind) : fmt::format("{}: {}", kind, part)), kind,
                time.begin, place, event.step, event.replicas);
    if (event.cause) {
      events_.append(FMT_COMPILE(R"(,"cause":{})"), quoted(cause_of(event, faults_)));
    }
    if (event.component >= 0) {
      events_.append(FMT_COMPILE(R"(,"component":{})"), event.component);
    }
    events_.append("}}");
  }

  static std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  const FaultsSpec& faults_;
  TraceEvents events_;
  TraceLanes lanes_;
};

}  // namespace

void write_campaign_trace(const CampaignTrial& trial, const FaultsSpec& faults,
                          const TextSink& out) {
  CampaignTraceWriter(faults, out).write(trial);
}

void write_campaign_csv(const CampaignTrial& trial, const FaultsSpec& faults, const TextSink& out) {
  TextPieces text(out);
  text.append("begin_s,end_s,event,part,cause,component,step,replicas\n");
  for (const CampaignEvent& event : trial.events) {
    text.append(
        FMT_COMPILE("{:.6f},{:.6f},{},{},{},{},{:.10g},{}\n"), event.begin.value, event.end.value,
        kind_name(event), csv_cell(part_of(event, faults)), csv_cell(cause_of(event, faults)),
        event.component < 0 ? "" : fmt::format("{}", event.component), event.step, event.replicas);
  }
  text.pass_on();
}

}  // namespace danlu
