// What a sweep tells, as plain data: a point for each combination of values, with the figures that
// were asked for. document_of() says how it reads; a table has a line for each point.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/base/names.hpp"
#include "sim/report/document.hpp"

namespace danlu {

/// A key and the values that it takes.
struct SweepAxis {
  std::string key;                  // "cluster.gpus"
  std::vector<std::string> values;  // as --set would have them
  bool together = false;            // it changes with the key before it, value by value
};
/// The first of the keys that change together with key `i`, which is `i` where that varies alone.
std::size_t first_together(const std::vector<SweepAxis>& axes, std::size_t i);

/// What became of one point.
struct SweepPoint {
  enum class Status {
    Ran,
    NoFit,    // it was played, and does not fit in the GPUs' memory
    Invalid,  // its settings contradict each other
    Failed,   // it could not be played: a limit, a hang, this machine's memory
    Missing   // of a sweep in a folder: nobody has played it yet
  };

  std::vector<std::string> values;  // of each axis
  Status status = Status::Ran;
  std::string reason;                // why it did not run; "" of one that did
  std::vector<Figure> figures;       // of each name; absent where it was not played
  std::vector<std::string> notes{};  // of its run
};
template <>
inline constexpr auto kNames<SweepPoint::Status> =
    std::to_array<Named<SweepPoint::Status>>({{SweepPoint::Status::Ran, "ran"},
                                              {SweepPoint::Status::NoFit, "no_fit"},
                                              {SweepPoint::Status::Invalid, "invalid"},
                                              {SweepPoint::Status::Failed, "failed"},
                                              {SweepPoint::Status::Missing, "missing"}});

struct SweepReport {
  std::string scenario;
  std::string file;
  std::vector<SweepAxis> axes;
  std::vector<std::string> names;   // of the figures: places in the JSON of a run
  std::vector<std::string> places;  // in the JSON of the sweep: "figures.step.time_s"
  std::vector<std::string> units;   // of the figures' values: "s"; "" of shares, counts and words
  std::vector<SweepPoint> points;   // the last axis varies fastest
};

/// Whether every point has come to something that would be the same elsewhere: none failed, none is
/// missing.
bool is_complete(const SweepReport& sweep);

/// The document of "danlu.sweep/1". It views into `sweep`.
Document document_of(const SweepReport& sweep);
/// That of "danlu.sweep-status/1": how many points came to what, and those that failed.
Document status_of(const SweepReport& sweep);

/// A line for each point: its number, its values, its status and reason, its figures. As CSV with a
/// header, and as JSON Lines with an object for each.
std::string sweep_csv(const SweepReport& sweep);
std::string sweep_jsonl(const SweepReport& sweep);

/// What of a sweep is drawn; every other key has one value.
struct SweepPlot {
  std::string across;  // a key
  std::string figure;  // upwards; one of the names
  std::string by;      // a key with a line for each of its values; "" for one line
};
inline constexpr std::size_t kMostPlotLines = 30;  // which can be told apart

/// Its points joined by lines, as SVG.
std::string write_sweep_svg(const SweepReport& sweep, const SweepPlot& plot);

}  // namespace danlu
