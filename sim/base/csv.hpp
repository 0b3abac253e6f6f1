// Tables as RFC 4180 has them: commas, quotes around what holds commas, quotes ("" inside) or line
// breaks, a header line. Line ends may be LF or CRLF; a byte order mark is skipped.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/error.hpp"

namespace danlu {

/// One cell and where it starts in the file; columns count characters, from 1.
struct CsvCell {
  std::string text;
  int line = 0;
  int column = 0;
};
/// One row; `line` is where it starts in the file.
struct CsvRow {
  int line = 0;
  std::vector<CsvCell> cells;
};

class CsvTable {
 public:
  /// Every row has as many cells as the header, whose names all differ.
  CsvTable(std::string file, CsvRow header, std::vector<CsvRow> rows);

  const std::string& file() const { return file_; }
  const std::vector<CsvRow>& rows() const { return rows_; }
  const CsvRow& header() const { return header_; }  // names without blanks around them
  bool has_column(std::string_view name) const { return columns_.find(name) != columns_.end(); }
  /// The cell of `row` in the column called `name`, without blanks around it; "" without the
  /// column.
  std::string_view cell(const CsvRow& row, std::string_view name) const;
  /// A problem at that cell, or at the row where there is no such column.
  Problem problem(const CsvRow& row, std::string_view name, std::string message,
                  std::string hint = "") const;

 private:
  std::string file_;
  CsvRow header_;
  std::map<std::string, std::size_t, std::less<>> columns_;
  std::vector<CsvRow> rows_;
};

/// Reads the text of a table; `file` names it in messages. Throws InputError at the line at fault;
/// first of all where the first line has none of the words in `known`, if there are any: then it is
/// no table that the caller could use, and hardly a table.
CsvTable parse_csv(std::string_view text, const std::string& file,
                   std::span<const std::string_view> known = {});
/// The same for a file of at most 64 MiB.
CsvTable read_csv(const std::filesystem::path& file, std::span<const std::string_view> known = {});

/// The text as a cell of a table that people open in spreadsheets: quoted where RFC 4180 asks for
/// it, and with a ' before what a spreadsheet would take for a formula (= + - @, tab, CR).
std::string csv_cell(std::string_view text);

}  // namespace danlu
