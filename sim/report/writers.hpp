// Reports as text for people and JSON for machines. A writer of documents is a file write_*.cpp and
// a row of kWriters; it computes nothing.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/report/document.hpp"
#include "sim/report/report.hpp"

namespace danlu {

/// Step of each other run against the first: seconds by part; they add up to the difference of
/// steps.
struct Difference {
  TimePartition parts;
  Seconds step;
};
Difference difference(const Report& base, const Report& other);

/// Communications of both runs that are carried out by other algorithms or protocols:
/// "all-reduce, tensor group, 8 ranks, 48 MiB: nvls Simple, was ring LL128".
std::vector<std::string> turned_choices(const Report& base, const Report& other);

/// Keys of the scenarios whose values differ, in order, with a text for each report; "-" where it
/// has none. Of what only a different preset brings along the main figures are there, marked.
struct DifferentSetting {
  std::string key;
  std::vector<std::string> texts;
  bool follows = false;  // from a preset that differs
};
std::vector<DifferentSetting> different_settings(std::span<const Report> reports);

/// Documents in one format, one after another. `colour` adds terminal escapes.
using Write = std::string(std::span<const Document> documents, bool colour);
Write write_text, write_json, write_markdown, write_csv;

struct Writer {
  std::string_view name;  // for --format
  std::string_view help;
  Write* write;
  bool for_people;  // may be brief; makes what a terminal cannot show visible itself
};
inline constexpr std::array kWriters{
    Writer{"text", "a page", write_text, true},
    Writer{"json", "every figure in SI units, for programs", write_json, false},
    Writer{"markdown", "headings and tables, everything in them", write_markdown, true},
    Writer{"csv", "a line for each figure, for spreadsheets", write_csv, false},
};

/// One document as JSON: SI base units, absent quantities null.
nlohmann::ordered_json json_of(const Document& document);

/// A value as a cell of CSV: with all its digits, and words kept from being formulas.
std::string csv_value(const FigureValue& value);
/// A value as JSON; an absent one is null.
nlohmann::ordered_json json_value(const FigureValue& value);

/// The report of one run.
std::string text_report(const Report& report, bool colour);
/// The verdict alone, as text_report begins.
std::string brief_report(const Report& report, bool colour);
/// "danlu.run/1".
std::string json_report(const Report& report);

/// "all-reduce", ...
std::string_view collective_name(CollectiveOp op);

}  // namespace danlu
