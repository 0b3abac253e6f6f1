// A document as a page of text.
#include <fmt/format.h>

#include <algorithm>

#include "sim/report/page.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

bool is_line(const Row& row) {
  return row.shown == Shown::Everywhere || row.shown == Shown::PageOnly;
}
bool is_on_page(const Column& column) {
  return column.shown != Shown::OffPage;
}

/// The text in a column. The "/s" of a rate hangs over its edge.
std::string in_column(const std::string& text, const Column& column, std::size_t indent = 0) {
  const std::size_t width =
      (column.width > indent ? column.width - indent : 0) + (text.ends_with(" /s") ? 3 : 0);
  return column.left ? fmt::format("{:<{}}", text, width) : fmt::format("{:>{}}", text, width);
}

/// The columns' labels above their cells.
std::string label_line(const Section& section) {
  std::string line = in_column(section.columns.front().label, section.columns.front());
  for (std::size_t i = 1; i < section.columns.size(); ++i) {
    const Column& column = section.columns[i];
    if (is_on_page(column)) {
      line += fmt::format("{}{}", column.before, in_column(column.label, column));
    }
  }
  return line;
}

/// Label and cells; those of a section without columns are words.
std::string cell_line(const Section& section, const Row& row) {
  if (section.columns.empty()) {
    return fmt::format("{}{}{}", row.label, row.label.empty() ? "" : ": ", row.cells.front().text);
  }
  std::string line =
      in_column(row.label, section.columns.front(), 2 * static_cast<std::size_t>(row.depth));
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const Column& column = section.columns[i + 1];
    if (is_on_page(column)) {
      line += fmt::format("{}{}", column.before, in_column(row.cells[i].text, column));
    }
  }
  return line;
}

/// What stands behind a row: its share as a bar, or its note and those of the rows beside it.
std::string tail(const Section& section, std::span<const Row* const> rows, std::size_t at) {
  const Row& row = *rows[at];
  if (section.bars && row.cells.size() + 1 == section.columns.size() && !row.key.empty()) {
    return bar(std::get<double>(row.cells.back().value));
  }
  std::string note = row.note;
  for (std::size_t next = at + 1; next < rows.size() && rows[next]->shown == Shown::Beside;
       ++next) {
    note += rows[next]->note;
  }
  return note;
}

void add_row(const Section& section, std::span<const Row* const> rows, std::size_t at, Page& page) {
  const Row& row = *rows[at];
  const std::string indent(section.indent + 2 * static_cast<std::size_t>(row.depth), ' ');
  if (row.is_sentence()) {
    page.line("{}{}", indent, row.note);
  } else {
    page.line("{}{}{:<{}}{}", indent, cell_line(section, row), "", section.gap,
              tail(section, rows, at));
  }
}

void add_section(const Section& section, Page& page) {
  const std::vector<const Row*> rows = in_reading_order(section);
  const bool any =
      std::any_of(rows.begin(), rows.end(), [](const Row* row) { return is_line(*row); });
  if (!any && !section.empty) {
    return;
  }
  if (section.lead == Lead::Heading) {
    page.heading(section.heading);
  } else if (section.lead == Lead::Blank) {
    page.line("");
  }
  if (!any && !section.empty->empty()) {
    page.line("{:<{}}{}", "", section.indent, *section.empty);
  }
  if (any && section.labels) {
    page.line("{:<{}}{}", "", section.indent, label_line(section));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (is_line(*rows[i])) {
      add_row(section, rows, i, page);
    }
  }
}

}  // namespace

std::string write_text(std::span<const Document> documents, bool colour) {
  std::string text;
  for (const Document& document : documents) {
    Page page(colour);
    page.title(document.title);
    for (const Section& section : document.sections) {
      add_section(section, page);
    }
    text += (text.empty() ? "" : "\n") + page.take();
  }
  return text;
}

std::string text_report(const Report& report, bool colour) {
  return write_text(std::array{document_of(report)}, colour);
}

std::string brief_report(const Report& report, bool colour) {
  return write_text(std::array{brief(document_of(report))}, colour);
}

}  // namespace danlu
