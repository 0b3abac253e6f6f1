#include "sim/base/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "sim/base/error.hpp"
#include "sim/base/files_read.hpp"
#include "sim/base/text.hpp"

namespace danlu {
namespace {

constexpr std::uintmax_t kLargestFile = std::uintmax_t{64} << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

[[noreturn]] void fail(const std::string& file, int line, std::string message,
                       std::string hint = "", int column = 1) {
  throw InputError(
      Problem{{file, line, line == 0 ? 0 : column}, std::move(message), std::move(hint), ""});
}

/// Cuts the text into rows of cells.
class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : text_(text), file_(file) {
    if (text_.starts_with(kByteOrderMark)) {
      text_.remove_prefix(kByteOrderMark.size());
    }
  }

  std::vector<CsvRow> read() {
    std::vector<CsvRow> rows;
    while (!text_.empty()) {
      CsvRow row = read_row();
      const bool blank = row.cells.size() == 1 && row.cells[0].text.empty();
      if (!blank) {
        rows.push_back(std::move(row));
      }
    }
    return rows;
  }

 private:
  CsvRow read_row() {
    CsvRow row{.line = line_};
    column_ = 1;
    do {
      CsvCell cell{.line = line_, .column = column_};
      cell.text = text_.starts_with('"') ? quoted_cell() : plain_cell();
      row.cells.push_back(std::move(cell));
    } while (take(","));
    if (!take("\r\n") && !take("\n") && !text_.empty()) {
      fail(file_, line_, "something follows a closing quote",
           "write a quote inside a quoted cell twice", column_);
    }
    return row;
  }

  std::string plain_cell() {
    std::size_t end = 0;
    while (end < text_.size() && text_[end] != ',' && text_[end] != '\n') {
      if (text_[end] == '"') {
        fail(file_, line_, "a quote inside a cell that does not start with one",
             "put the whole cell in quotes, and write the quote inside twice", column_);
      }
      ++end;
    }
    if (end > 0 && text_[end - 1] == '\r' && end < text_.size() && text_[end] == '\n') {
      --end;
    }
    std::string cell(text_.substr(0, end));
    skip(end);
    return cell;
  }

  std::string quoted_cell() {
    const int opened = line_;
    const int opened_at = column_;
    take("\"");
    std::string cell;
    for (;;) {
      const std::size_t end = text_.find('"');
      if (end == std::string_view::npos) {
        fail(file_, opened, "a quote opens here and never closes", "", opened_at);
      }
      cell += text_.substr(0, end);
      skip(end + 1);
      if (!take("\"")) {
        return cell;
      }
      cell += '"';
    }
  }

  bool take(std::string_view token) {
    const bool found = text_.starts_with(token);
    skip(found ? token.size() : 0);
    return found;
  }

  /// Leaves bytes behind and counts lines and columns; a byte that goes on with a character is none
  /// of its own.
  void skip(std::size_t bytes) {
    for (const char c : text_.substr(0, bytes)) {
      line_ += c == '\n' ? 1 : 0;
      column_ = c == '\n' ? 1 : column_ + ((static_cast<unsigned char>(c) & 0xc0) == 0x80 ? 0 : 1);
    }
    text_.remove_prefix(bytes);
  }

  std::string_view text_;
  const std::string& file_;
  int line_ = 1;
  int column_ = 1;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) {
    return "";
  }
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

CsvTable::CsvTable(std::string file, CsvRow header, std::vector<CsvRow> rows)
    : file_(std::move(file)), header_(std::move(header)), rows_(std::move(rows)) {
  for (std::size_t i = 0; i < header_.cells.size(); ++i) {
    CsvCell& cell = header_.cells[i];
    cell.text = std::string(trimmed(cell.text));
    if (!columns_.emplace(cell.text, i).second) {
      fail(file_, cell.line, fmt::format("two columns are called '{}'", shown(cell.text)), "",
           cell.column);
    }
  }
  for (const CsvRow& row : rows_) {
    if (row.cells.size() != header_.cells.size()) {
      fail(file_, row.line,
           fmt::format("expected {} cells as in the header, found {}", header_.cells.size(),
                       row.cells.size()));
    }
  }
}

std::string_view CsvTable::cell(const CsvRow& row, std::string_view name) const {
  const auto column = columns_.find(name);
  return column == columns_.end() ? "" : trimmed(row.cells[column->second].text);
}

Problem CsvTable::problem(const CsvRow& row, std::string_view name, std::string message,
                          std::string hint) const {
  const auto column = columns_.find(name);
  const CsvCell at =
      column == columns_.end() ? CsvCell{"", row.line, 1} : row.cells[column->second];
  return {{file_, at.line, at.column}, std::move(message), std::move(hint), ""};
}

CsvTable parse_csv(std::string_view text, const std::string& file,
                   std::span<const std::string_view> known) {
  const std::string_view first = text.substr(0, text.find('\n'));
  const bool useful = std::any_of(known.begin(), known.end(), [&](std::string_view word) {
    return first.find(word) != std::string_view::npos;
  });
  if (!useful && !known.empty() && !text.empty()) {
    fail(file, 1,
         fmt::format("expected the header of a CSV table with a column {}, found '{}'",
                     fmt::join(known, " or "), shown(trimmed(first))),
         "the first line names the columns, separated by commas");
  }
  std::vector<CsvRow> rows = Reader(text, file).read();
  if (rows.empty()) {
    fail(file, 0, "the table is empty", "the first line names the columns");
  }
  CsvRow header = std::move(rows.front());
  rows.erase(rows.begin());
  return {file, std::move(header), std::move(rows)};
}

CsvTable read_csv(const std::filesystem::path& file, std::span<const std::string_view> known) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    fail(file.string(), 0, "is a directory, not a file");
  }
  if (!std::filesystem::is_regular_file(file, error)) {
    fail(file.string(), 0, "there is no such file");
  }
  if (std::filesystem::file_size(file, error) > kLargestFile) {
    fail(file.string(), 0, "the file is larger than 64 MiB");
  }
  FilesRead::note(file);
  std::ifstream stream(file, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  if (!stream) {
    fail(file.string(), 0, "the file cannot be read");
  }
  return parse_csv(text.str(), file.string(), known);
}

std::string csv_cell(std::string_view text) {
  constexpr std::string_view kFormula = "=+-@\t\r";
  const bool formula = !text.empty() && kFormula.find(text.front()) != std::string_view::npos;
  // Some spreadsheets part cells at ';' or tabs.
  if (!formula && text.find_first_of(",;\"\n\r\t") == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = formula ? "\"'" : "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

}  // namespace danlu
