#include "sim/report/campaign_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace danlu {
namespace {

using Kind = CampaignEvent::Kind;
using Json = nlohmann::ordered_json;

std::string_view kind_name(const CampaignEvent& event) {
  return CampaignEvent::kNames[static_cast<std::size_t>(event.kind)];
}

bool is_instant(const CampaignEvent& event) {
  return event.kind == Kind::Failure || event.kind == Kind::Rollback || event.kind == Kind::Resize;
}

std::string cause_of(const CampaignEvent& event, const FaultsSpec& faults) {
  return event.cause < 0 ? "" : faults.causes[static_cast<std::size_t>(event.cause)].name;
}

/// The part of a restart, or the tier of a checkpoint.
std::string part_of(const CampaignEvent& event, const FaultsSpec& faults) {
  constexpr int kLoad = -2;
  constexpr int kColdSpare = -3;
  if (event.kind == Kind::Restart) {
    return event.part >= 0            ? faults.restart[static_cast<std::size_t>(event.part)].name
           : event.part == kLoad      ? "load"
           : event.part == kColdSpare ? "cold spare"
                                      : "";
  }
  return event.part < 0 ? "" : faults.tiers[static_cast<std::size_t>(event.part)].name;
}

/// Rows of the trace, and further lanes of one where events overlap.
enum class Row { Job, Saves, Slow, Repairs };
constexpr std::array kRowNames{"job", "saves", "slow parts", "repairs"};

Row row_of(const CampaignEvent& event) {
  switch (event.kind) {
    case Kind::Persist:
      return Row::Saves;
    case Kind::Degraded:
      return Row::Slow;
    case Kind::Repair:
      return Row::Repairs;
    default:
      return Row::Job;
  }
}

class TraceWriter {
 public:
  explicit TraceWriter(const FaultsSpec& faults) : faults_(faults) {}

  std::string write(const CampaignTrial& trial) {
    text_ = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
    add({{"ph", "M"}, {"name", "process_name"}, {"pid", 0}, {"args", {{"name", "campaign"}}}});
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
  void add(const Json& event) { text_ += (text_.ends_with("[\n") ? "" : ",\n") + event.dump(); }

  /// The first lane of the row that is free.
  int lane(const CampaignEvent& event) {
    constexpr int kLanes = 1000;
    const auto row = static_cast<std::size_t>(row_of(event));
    std::vector<Seconds>& ends = ends_[row];
    const auto free =
        std::find_if(ends.begin(), ends.end(), [&](Seconds end) { return end <= event.begin; });
    const int number = static_cast<int>(free - ends.begin());
    const int thread = static_cast<int>(row) * kLanes + number;
    if (free == ends.end()) {
      ends.push_back(event.end);
      add({{"ph", "M"},
           {"name", "thread_name"},
           {"pid", 0},
           {"tid", thread},
           {"args", {{"name", kRowNames[row]}}}});
    } else {
      *free = event.end;
    }
    return thread;
  }

  void add_event(const CampaignEvent& event) {
    constexpr double kMicro = 1e6;
    const std::string part = part_of(event, faults_);
    Json arguments{{"step", event.step}, {"replicas", event.replicas}};
    if (event.cause >= 0) {
      arguments["cause"] = cause_of(event, faults_);
    }
    if (event.component >= 0) {
      arguments["component"] = event.component;
    }
    Json json{{"name", part.empty() ? std::string(kind_name(event))
                                    : fmt::format("{}: {}", kind_name(event), part)},
              {"cat", kind_name(event)},
              {"pid", 0},
              {"ts", event.begin.value * kMicro},
              {"args", std::move(arguments)}};
    if (is_instant(event)) {
      json["ph"] = "i";
      json["s"] = "p";
      json["tid"] = 0;
    } else {
      json["ph"] = "X";
      json["dur"] = (event.end - event.begin).value * kMicro;
      json["tid"] = lane(event);
    }
    add(json);
  }

  const FaultsSpec& faults_;
  std::string text_;
  std::array<std::vector<Seconds>, kRowNames.size()> ends_;
};

/// As RFC 4180 has it.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

}  // namespace

std::string campaign_trace(const CampaignTrial& trial, const FaultsSpec& faults) {
  return TraceWriter(faults).write(trial);
}

std::string campaign_csv(const CampaignTrial& trial, const FaultsSpec& faults) {
  std::string text = "begin_s,end_s,event,part,cause,component,step,replicas\n";
  for (const CampaignEvent& event : trial.events) {
    text += fmt::format(
        "{:.6f},{:.6f},{},{},{},{},{:.10g},{}\n", event.begin.value, event.end.value,
        kind_name(event), cell(part_of(event, faults)), cell(cause_of(event, faults)),
        event.component < 0 ? "" : fmt::format("{}", event.component), event.step, event.replicas);
  }
  return text;
}

}  // namespace danlu
