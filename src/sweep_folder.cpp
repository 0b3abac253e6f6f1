#include "src/sweep_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/shell_word.hpp"
#include "sim/base/text.hpp"
#include "src/output_file.hpp"
#include "src/program.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "danlu.sweep-plan/1";

// ---- Lines: {..., "checksum":"89abcdef"}, the CRC-32 of what stands before that.

std::string checksum_after(std::string_view text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return fmt::format(",\"checksum\":\"{:08x}\"}}", crc.checksum());
}

std::string sealed(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.pop_back();  // the brace
  return text + checksum_after(text) + "\n";
}

/// None where the line is torn or was changed.
std::optional<Json> unsealed(std::string_view line) {
  const std::size_t length = checksum_after("").size();
  if (line.size() < length) {
    return std::nullopt;
  }
  const std::string_view text = line.substr(0, line.size() - length);
  if (line.substr(text.size()) != checksum_after(text)) {
    return std::nullopt;
  }
  Json json = Json::parse(line, nullptr, false);
  json.erase("checksum");
  return json;
}

// ---- The plan.

Json header_of(const SweepPlan& plan) {
  Json over = Json::array();
  for (const SweepAxis& axis : plan.report.axes) {
    over.push_back({{"key", axis.key}, {"values", axis.values}, {"together", axis.together}});
  }
  return {{"schema", kSchema},
          {"version", plan.version},
          {"scenario", plan.report.scenario},
          {"file", plan.report.file},
          {"over", std::move(over)},
          {"show", plan.report.names},
          {"max_tasks", plan.most_tasks},
          {"max_events", plan.most_events},
          {"points", plan.points.size()},
          {"sections", plan.sections}};
}

Json line_of(const SweepPlan& plan, std::size_t number) {
  const SweepPlan::Point& point = plan.points[number];
  Json line{{"point", number}};
  const std::vector<std::string> values = values_of(plan.report.axes, number);
  for (std::size_t i = 0; i < values.size(); ++i) {
    line["settings"][plan.report.axes[i].key] = values[i];
  }
  if (!point.key.empty()) {
    line["key"] = point.key;
    line["sections"] = point.sections;
  }
  if (!point.result.empty()) {
    line["result"] = Json::parse(point.result);
  }
  return line;
}

[[noreturn]] void refuse_plan(const fs::path& manifest, std::size_t line, std::string what) {
  throw InputError(Problem{{manifest.string(), static_cast<int>(line), 1},
                           std::move(what),
                           "plan the sweep again, in another folder",
                           ""});
}

SweepPlan plan_of(const Json& header, const fs::path& manifest) {
  if (header.value("schema", "") != kSchema) {
    refuse_plan(manifest, 1, fmt::format("expected a plan of {}", kSchema));
  }
  SweepPlan plan{.version = header.at("version").get<std::string>(),
                 .most_tasks = header.at("max_tasks").get<double>(),
                 .most_events = header.at("max_events").get<double>(),
                 .report = {.scenario = header.at("scenario").get<std::string>(),
                            .file = header.at("file").get<std::string>(),
                            .axes = {},
                            .names = header.at("show").get<std::vector<std::string>>(),
                            .places = {},
                            .points = {}},
                 .sections = header.at("sections").get<std::vector<std::string>>(),
                 .points = {}};
  if (plan.version != kBuild) {
    refuse_plan(manifest, 1,
                fmt::format("danlu {} made this plan, and this is danlu {}", plan.version, kBuild));
  }
  for (const Json& axis : header.at("over")) {
    plan.report.axes.push_back({axis.at("key").get<std::string>(),
                                axis.at("values").get<std::vector<std::string>>(),
                                axis.at("together").get<bool>()});
  }
  for (const std::string& name : plan.report.names) {
    plan.report.places.push_back("figures." + name);
  }
  return plan;
}

SweepPlan::Point point_of(const Json& line, const SweepPlan& plan) {
  SweepPlan::Point point{.sections = line.value("sections", std::vector<std::size_t>()),
                         .key = line.value("key", ""),
                         .result = line.contains("result") ? line["result"].dump() : ""};
  for (const std::size_t section : point.sections) {
    (void)plan.sections.at(section);
  }
  if (point.result.empty() ? point.key.empty() : !is_point_result(point.result)) {
    throw std::out_of_range("neither to be played nor known");
  }
  return point;
}

// ---- Results.

bool has_failed(const std::string& result) {
  return Json::parse(result)["status"] == name_of(SweepPoint::Status::Failed);
}

/// Adds those of one file, by key.
void add_results(const fs::path& file, std::map<std::string, std::string>& results) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::optional<Json> json = unsealed(line);
    if (!json || !json->contains("key") || !json->contains("result")) {
      continue;
    }
    std::string result = (*json)["result"].dump();
    if (!is_point_result(result)) {
      continue;
    }
    const auto [place, is_new] = results.emplace((*json)["key"].dump(), result);
    std::string& known = place->second;
    if (!is_new && std::pair(has_failed(result), result) < std::pair(has_failed(known), known)) {
      known = std::move(result);
    }
  }
}

[[noreturn]] void refuse_file(const fs::path& file, int error) {
  throw InputError(Problem{
      {file.string(), 0, 0}, fmt::format("cannot be written: {}", std::strerror(error)), "", ""});
}

}  // namespace

void check_sweep_folder(const fs::path& folder) {
  std::error_code none;
  const std::string name = shown(folder.string());
  if (folder.empty()) {
    refuse("-o", "expected the name of a folder, found nothing");
  }
  if (fs::exists(folder, none) && !fs::is_directory(folder, none)) {
    refuse("-o", fmt::format("'{}' is a file, not a folder", name));
  }
  if (fs::exists(folder / "manifest.jsonl", none)) {
    refuse("-o", fmt::format("'{}' holds a sweep", name),
           fmt::format("danlu sweep run {} goes on with it", shell_word(name)));
  }
}

void write_plan(const fs::path& folder, const SweepPlan& plan) {
  check_sweep_folder(folder);
  std::error_code error;
  fs::create_directories(folder / "results", error);
  if (error) {
    refuse_file(folder, error.value());
  }
  std::string text = sealed(header_of(plan));
  for (std::size_t number = 0; number < plan.points.size(); ++number) {
    text += sealed(line_of(plan, number));
  }
  write_file(folder / "manifest.jsonl", text);
}

SweepPlan read_plan(const fs::path& folder) {
  const fs::path manifest = folder / "manifest.jsonl";
  std::ifstream in(manifest);
  if (!in) {
    throw InputError(Problem{{manifest.string(), 0, 0},
                             fmt::format("cannot be read: {}", std::strerror(errno)),
                             "danlu sweep plan FILE --over KEY=VALUES -o DIR makes one",
                             ""});
  }
  SweepPlan plan;
  std::size_t points = 0;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::optional<Json> json = unsealed(line);
    if (!json) {
      refuse_plan(manifest, number, "this line is not as it was written");
    }
    try {
      if (number == 1) {
        plan = plan_of(*json, manifest);
        points = points_of(plan.report).size();
      } else {
        plan.points.push_back(point_of(*json, plan));
      }
    } catch (const Json::exception& wrong) {
      refuse_plan(manifest, number, fmt::format("this is no line of a plan: {}", wrong.what()));
    } catch (const std::out_of_range& wrong) {
      refuse_plan(manifest, number, fmt::format("this is no line of a plan: {}", wrong.what()));
    }
  }
  if (number == 0 || plan.points.size() != points) {
    refuse_plan(manifest, number,
                fmt::format("expected {} points, found {}", points, plan.points.size()));
  }
  return plan;
}

std::vector<std::string> read_results(const fs::path& folder, const SweepPlan& plan) {
  std::map<std::string, std::string> results;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / "results", none)) {
    if (entry.path().extension() == ".jsonl") {
      add_results(entry.path(), results);
    }
  }
  std::vector<std::string> of_points;
  for (const SweepPlan::Point& point : plan.points) {
    const auto found = results.find(Json(point.key).dump());
    of_points.push_back(found == results.end() || point.key.empty() ? point.result : found->second);
  }
  return of_points;
}

bool lies_in_sweep(const fs::path& folder, const fs::path& file) {
  std::error_code none;
  const fs::path beside = file.has_parent_path() ? file.parent_path() : fs::path(".");
  return is_same_file(file, folder / "manifest.jsonl") ||
         fs::equivalent(beside, folder / "results", none);
}

ResultFile::ResultFile(const fs::path& folder) {
  std::array<char, 256> host{};
  (void)gethostname(host.data(), host.size() - 1);
  const auto start = std::chrono::system_clock::now().time_since_epoch();
  file_ = folder / "results" /
          fmt::format("part-{}-{}-{}.jsonl", host.data(), getpid(),
                      std::chrono::duration_cast<std::chrono::microseconds>(start).count());
}

ResultFile::~ResultFile() {
  if (descriptor_ >= 0) {
    (void)fsync(descriptor_);
    close(descriptor_);
  }
}

void ResultFile::open_file() {
  descriptor_ = open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    refuse_file(file_, errno);
  }
  const int folder = open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    (void)fsync(folder);  // the file's name; where that is not possible, its content is not either
    close(folder);
  }
}

void ResultFile::append(const std::string& key, const std::string& result) {
  if (descriptor_ < 0) {
    open_file();
  }
  const std::string line = sealed({{"key", key}, {"result", Json::parse(result)}});
  ssize_t written = -1;
  do {
    written = write(descriptor_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(line.size())) {  // behind half a line no other may stand
    refuse_file(file_, written < 0 ? errno : ENOSPC);
  }
  constexpr std::chrono::seconds kBatch{5};
  if (std::chrono::steady_clock::now() - synced_ > kBatch) {
    sync();
  }
}

void ResultFile::sync() {
  if (descriptor_ >= 0 && fsync(descriptor_) != 0) {
    refuse_file(file_, errno);
  }
  synced_ = std::chrono::steady_clock::now();
}

}  // namespace danlu
