// A report as a document: sections of rows, each figure with its name, its value for machines, its
// unit and its words for people. Who makes the document says all that once; writers (text, JSON,
// ...) lay it out and compute nothing.
//
//   Document    the title and
//     Section     "Memory of the fullest GPU"        memory           {
//       Row         peak    59.91 GiB   75.6 %         peak_bytes       : 64328040448
//       Row         ...                              }
//
// Everything is in every writer. Only the page of text, which has a width, may have a row beside
// another, leave out what is zero, or say in a sentence what others show in full (Shown).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sim/report/report.hpp"

namespace danlu {

/// A value for machines: absent (what does not apply), a flag, a whole number, a number, words.
using FigureValue = std::variant<std::monostate, bool, std::uint64_t, double, std::string>;

/// Made by how it reads. A share is a fraction: 0.54 reads "54.0 %".
struct Figure {
  FigureValue value;
  std::string text;       // as people read it: "13.08 s"
  std::string_view unit;  // of the value: "s"; "" for words, counts and shares

  static Figure absent(std::string text = "-");
  static Figure flag(bool value);
  static Figure count(std::uint64_t number);
  static Figure count(int number);
  static Figure words(std::string_view text);
  static Figure number(double value, std::string text, std::string_view unit = "");
  static Figure amount(const std::optional<double>& value, std::string_view unit);  // "12.34 USD"
  static Figure share(double fraction);
  static Figure share(const std::optional<double>& fraction);
  static Figure time(Seconds time);
  static Figure days(Seconds time);
  static Figure size(Bytes bytes);
};

/// Where the page of text has something; all other writers have all but PageOnly.
enum class Shown {
  Everywhere,
  Beside,    // of a row: its note goes on from that of the row above
  OffPage,   // the page has it elsewhere, or leaves it out
  PageOnly,  // words that stand for what is off the page
};

/// How a section looks in JSON: an object of the rows' first cells by key; an object of objects; an
/// array of objects with the columns' keys; an array of the rows' cells; an object of such arrays.
enum class Shape { Figures, Groups, Table, List, Lists };

/// What the page has above a section: a blank line and its heading, a blank line, nothing.
enum class Lead { Heading, Blank, None };

struct Column {
  std::string_view key;  // of its cells in JSON, "busiest.link"; "" where JSON has none
  std::string label;
  std::size_t width = 0;  // on the page, at least
  bool left = false;      // on the page: aligned to the left
  std::string_view before = " ";
  Shown shown = Shown::Everywhere;
};

struct Row {
  std::string key;    // in JSON, from that of the section on; "" where JSON has none
  std::string label;  // "" for what needs none on the page
  std::vector<Figure> cells;
  std::string note;  // the whole of a row without label and cells, which is a sentence
  int depth = 0;     // a part of the row above
  Shown shown = Shown::Everywhere;

  bool is_sentence() const { return label.empty() && cells.empty(); }
};

struct Section {
  std::string key;  // in JSON, "step.breakdown_s"; "" for the top
  std::string heading;
  Shape shape = Shape::Figures;
  int level = 1;  // 2: a part of the section of level 1 above it
  Lead lead = Lead::Heading;
  std::vector<Column> columns;  // that of the labels, then those of the cells; none: plain lines
  std::vector<Row> rows;        // none: absent
  bool labels = false;          // the page has the columns' labels
  bool bars = false;            // the page draws the last cell, a share
  std::size_t indent = 2;       // of the page's lines
  std::size_t gap = 3;          // on the page, before a note
  std::optional<std::string> empty;  // what the page says where it has no row; none: no section
  std::string_view first_by;  // people have the rows with the largest cells of this column first
};

struct Document {
  std::string_view schema;
  std::string title;
  std::vector<Section> sections;
  std::vector<Document> runs;  // of a comparison; only JSON repeats them
};

/// The document of "danlu.run/1".
Document document_of(const Report& report);
/// The document of "danlu.compare/1": runs side by side, the first being the base.
Document comparison_of(std::span<const Report> reports);
/// The verdict alone.
Document brief(Document document);
/// The page has the whole section of that key.
Document on_page(Document document, std::string_view key);

/// A part of a whole, with its share; of no time it is off the page.
Row part_row(std::string key, std::string label, Seconds time, Seconds whole);
/// A figure that the page leaves out.
Row off_page(std::string key, std::string label, Figure figure);
/// A sentence of a section.
Row sentence(std::string words, Shown shown = Shown::Everywhere, int depth = 0);

/// "name, value, share": what a section of figures is laid out in.
std::vector<Column> figure_columns(std::size_t label, std::size_t value, std::size_t share = 0);

/// "step" and "time_s" as "step.time_s"; either may be empty.
std::string joined_key(std::string key, std::string_view more);
/// Every figure that stands by itself in JSON, with its place there: "step.time_s". Those of tables
/// and lists, whose places are numbers, are left out.
std::vector<std::pair<std::string, Figure>> figures_of(const Document& document);

/// The rows as people read them: by Section::first_by, sentences last.
std::vector<const Row*> in_reading_order(const Section& section);

/// A name for what has no label on the page.
std::string name_of(const Row& row);
std::string name_of(const Column& column);

}  // namespace danlu
