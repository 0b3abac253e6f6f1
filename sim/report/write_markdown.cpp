// A document as Markdown: a heading and a table for each section, with everything that it has.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

/// The text as Markdown shows it: nothing in it is a mark, and it stays in its line and cell.
std::string escaped(std::string_view text) {
  constexpr std::string_view kMarks = "\\`*_[]<>|~$&";
  std::string result;
  for (const char c : printable(text)) {
    result += kMarks.find(c) != std::string_view::npos ? "\\" : "";
    result += c;
  }
  return result;
}

/// The same at the start of a line, where "#", "-" and "1." are marks too.
std::string escaped_line(std::string_view text) {
  std::string line = escaped(text);
  const std::size_t mark = std::min(line.find_first_not_of("0123456789"), line.size() - 1);
  if (std::string_view("#-+=.)").find(line[mark]) != std::string_view::npos) {
    line.insert(mark, "\\");
  }
  return line;
}

std::string line_of(const std::vector<std::string>& cells) {
  return fmt::format("| {} |\n", fmt::join(cells, " | "));
}

/// What is to be seen of a section: all but what stands on the page of text for the rest.
std::vector<const Row*> rows_of(const Section& section) {
  std::vector<const Row*> rows = in_reading_order(section);
  std::erase_if(rows, [](const Row* row) { return row->shown == Shown::PageOnly; });
  return rows;
}

/// Numbers stand to the right, words to the left.
bool is_of_numbers(const std::vector<const Row*>& rows, std::size_t column) {
  return column > 0 && std::none_of(rows.begin(), rows.end(), [&](const Row* row) {
           return column <= row->cells.size() &&
                  (std::holds_alternative<std::string>(row->cells[column - 1].value) ||
                   std::holds_alternative<bool>(row->cells[column - 1].value));
         });
}

/// What `row` has in a column, that of the labels being the first; parts of a row above are marked.
std::string cell_of(const Row& row, std::size_t column, int top) {
  if (column == 0) {
    return (row.depth > top ? "- " : "") + escaped(name_of(row));
  }
  return column <= row.cells.size() ? escaped(row.cells[column - 1].text) : "";
}

/// The table of rows that have cells; the last column is that of their notes, if there are any.
std::string table_of(const Section& section, const std::vector<const Row*>& rows) {
  const std::vector<Column> plain{{}, {.label = "value"}};
  const std::vector<Column>& columns = section.columns.empty() ? plain : section.columns;
  const auto note_of = [](const Row* row) {
    return row->shown == Shown::Beside ? "" : escaped(row->note);
  };
  const bool notes =
      std::any_of(rows.begin(), rows.end(), [&](const Row* row) { return !note_of(row).empty(); });
  int top = rows.front()->depth;
  for (const Row* row : rows) {
    top = std::min(top, row->depth);
  }
  std::vector<std::string> heads;
  std::vector<std::string> rules;
  std::vector<std::vector<std::string>> lines(rows.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].shown == Shown::PageOnly) {
      continue;
    }
    heads.push_back(escaped(name_of(columns[i])));
    rules.emplace_back(is_of_numbers(rows, i) ? "--:" : ":--");
    for (std::size_t row = 0; row < rows.size(); ++row) {
      lines[row].push_back(cell_of(*rows[row], i, top));
    }
  }
  if (notes) {
    heads.emplace_back("note");
    rules.emplace_back(":--");
  }
  std::string text = line_of(heads) + line_of(rules);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (notes) {
      lines[row].push_back(note_of(rows[row]));
    }
    text += line_of(lines[row]);
  }
  return text;
}

std::string section_text(const Section& section) {
  std::vector<const Row*> rows = rows_of(section);
  if (rows.empty()) {
    return "";
  }
  std::string text =
      fmt::format("\n{} {}\n", section.level == 1 ? "##" : "###", escaped(section.heading));
  const auto sentences = std::stable_partition(rows.begin(), rows.end(),
                                               [](const Row* row) { return !row->is_sentence(); });
  for (auto row = sentences; row != rows.end(); ++row) {
    text += fmt::format("\n{}\n", escaped_line((*row)->note));
  }
  rows.erase(sentences, rows.end());
  if (rows.empty()) {
    return text;
  }
  text += "\n";
  if (section.shape != Shape::List) {
    return text + table_of(section, rows);
  }
  for (const Row* row : rows) {
    text += fmt::format("- {}\n", escaped_line(row->cells.front().text));
  }
  return text;
}

}  // namespace

std::string write_markdown(std::span<const Document> documents, bool /*colour*/) {
  std::string text;
  for (const Document& document : documents) {
    text += fmt::format("{}# {}\n", text.empty() ? "" : "\n", escaped(document.title));
    for (const Section& section : document.sections) {
      text += section_text(section);
    }
  }
  return text;
}

}  // namespace danlu
