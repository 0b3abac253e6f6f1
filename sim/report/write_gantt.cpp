// A drawing of steps as text: a line for each stage, a column for so much time.
//
//   stage 0  F0-F1-...B0====F2-B1====   18.2 %
//
// A column shows one of the things that go on in it. Where several share columns, each gets columns
// in proportion to its time: what it was denied is carried on to the next that it has a part of.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/report/gantt.hpp"
#include "sim/report/page.hpp"

namespace danlu {
namespace {

/// How one sort of span is drawn.
struct GanttInk {
  char letter = ' ';
  std::string_view ascii;    // what fills a pass behind its letter and number
  std::string_view unicode;  // the same in blocks
  int colour = 0;            // of the ground, of 256; 0: none
};

constexpr char kWaitLetter = '.';
constexpr std::string_view kWaitDot = "·";
constexpr int kGrey = 242;

constexpr std::size_t kShades = 4;  // of chunks, which take them in turn
struct PassInk {
  ActionKind kind;
  std::string_view ascii, unicode;
  std::array<int, kShades> colours;
};
constexpr std::array kPassInks{
    PassInk{ActionKind::Forward, "-", "░", {39, 75, 111, 153}},
    PassInk{ActionKind::Backward, "=", "▓", {35, 78, 115, 158}},
    PassInk{ActionKind::Input, "~", "▒", {44, 80, 116, 159}},
    PassInk{ActionKind::Weight, "+", "█", {178, 179, 222, 229}},
};
constexpr int kExchangeColour = 203;
constexpr int kUpdateColour = 176;

/// Small letters stand for every other chunk.
char letter_of(ActionKind kind, int chunk) {
  const char letter = row_named(kind).letter;
  return chunk % 2 == 0 ? letter : static_cast<char>(letter - 'A' + 'a');
}
char letter_of(Axis axis) {
  return name_of(axis).front();
}
constexpr char kUpdateLetter = 'o';

GanttInk ink_of(const GanttSpan* span) {
  if (span == nullptr) {
    return {kWaitLetter, ".", kWaitDot, 0};
  }
  switch (span->kind) {
    case GanttSpan::Kind::Exchange:
      return {letter_of(span->axis), {}, {}, kExchangeColour};
    case GanttSpan::Kind::Update:
      return {kUpdateLetter, {}, {}, kUpdateColour};
    case GanttSpan::Kind::Pass:
      break;
  }
  const auto* const ink = std::find_if(kPassInks.begin(), kPassInks.end(), [&](const PassInk& one) {
    return one.kind == span->action->kind;
  });
  const auto chunk = static_cast<std::size_t>(span->action->chunk);
  return {letter_of(span->action->kind, span->action->chunk), ink->ascii, ink->unicode,
          ink->colours[chunk % kShades]};
}

/// Which span each column of a row shows; nullptr where the rank waits.
std::vector<const GanttSpan*> columns_of(const std::vector<GanttSpan>& spans, Seconds column,
                                         std::size_t columns, Seconds end) {
  std::vector<const GanttSpan*> shown(columns, nullptr);
  std::map<char, double> carried;
  std::size_t first = 0;
  for (std::size_t i = 0; i < columns; ++i) {
    const Seconds from = static_cast<double>(i) * column;
    const Seconds to = std::min(from + column, end);
    std::map<char, double> shares;
    std::map<char, std::pair<double, const GanttSpan*>> longest;
    double waits = (to - from) / column;
    while (first < spans.size() && spans[first].interval.finish <= from) {
      ++first;
    }
    for (std::size_t at = first; at < spans.size() && spans[at].interval.start < to; ++at) {
      const Seconds within =
          std::min(spans[at].interval.finish, to) - std::max(spans[at].interval.start, from);
      const double share = within / column;
      const char letter = ink_of(&spans[at]).letter;
      shares[letter] += share;
      waits -= share;
      longest[letter] = std::max(longest[letter], std::pair(share, &spans[at]));
    }
    constexpr double kRounding = 1e-9;
    if (waits > kRounding) {
      shares[kWaitLetter] = waits;
    }
    const auto most =
        std::max_element(shares.begin(), shares.end(), [&](const auto& a, const auto& b) {
          return a.second + carried[a.first] < b.second + carried[b.first];
        });
    for (const auto& [letter, share] : shares) {
      carried[letter] += share;
    }
    if (most != shares.end()) {
      carried[most->first] -= 1;
      shown[i] = most->first == kWaitLetter ? nullptr : longest[most->first].second;
    }
  }
  return shown;
}

/// Characters of a line that look alike.
struct GanttCell {
  std::string glyph;
  int colour = 0;
};

std::string cells_text(const std::vector<GanttCell>& cells, bool colour) {
  std::string text;
  int now = 0;
  for (const GanttCell& cell : cells) {
    if (colour && cell.colour != now) {
      text += cell.colour == 0 ? "\x1b[0m" : fmt::format("\x1b[0;30;48;5;{}m", cell.colour);
      now = cell.colour;
    }
    text += cell.glyph;
  }
  return now == 0 ? text : text + "\x1b[0m";
}

/// Of what stands before the columns of time, and behind them.
std::size_t label_width(std::span<const Gantt> gantts) {
  std::size_t width = 0;
  for (const Gantt& gantt : gantts) {
    width = std::max(width, fmt::format("stage {}  ", gantt.stages - 1).size());
  }
  return width;
}
constexpr std::size_t kWaitsWidth = 9;

/// Drawings in text. One class: all rows share a scale, a style and what the legend has to explain.
class GanttPage {
 public:
  GanttPage(std::span<const Gantt> gantts, const GanttStyle& style)
      : gantts_(gantts),
        style_(style),
        columns_(static_cast<std::size_t>(style.columns)),
        margin_(label_width(gantts)) {
    for (const Gantt& gantt : gantts) {
      longest_ = std::max(longest_, gantt.step);
    }
    column_ = longest_ / style.columns;
  }

  std::string text() {
    for (const Gantt& gantt : gantts_) {
      add(gantt);
    }
    add_scale();
    add_legend();
    return std::move(text_);
  }

 private:
  void add_line(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    text_ += line + '\n';
  }

  void add(const Gantt& gantt) {
    const std::string heading = printable(gantt_heading(gantt));
    add_line(style_.colour ? fmt::format("\x1b[1m{}\x1b[0m", heading) : heading);
    add_line(fmt::format("{:{}}{:{}}{:>{}}", "", margin_, "", columns_, "waits", kWaitsWidth));
    for (const GanttRow& row : gantt.rows) {
      add_line(fmt::format("{:<{}}{}{:>{}}", fmt::format("stage {}", row.stage), margin_,
                           cells_text(cells_of(row, gantt.step), style_.colour),
                           percent(row.waits(gantt.step) / gantt.step), kWaitsWidth));
    }
    for (const std::string& note : gantt_notes(gantt)) {
      add_line("note: " + note);
    }
    text_ += gantts_.size() > 1 ? "\n" : "";
  }

  std::vector<GanttCell> cells_of(const GanttRow& row, Seconds step) {
    const std::vector<GanttSpan> spans = visible_spans(row, column_);
    const std::vector<const GanttSpan*> shown = columns_of(spans, column_, columns_, step);
    std::vector<GanttCell> cells;
    std::set<Action> begun;
    for (std::size_t first = 0; first < shown.size();) {
      std::size_t last = first;
      while (last < shown.size() && shown[last] == shown[first]) {
        ++last;
      }
      add_cells(shown[first], last - first, begun, cells);
      first = last;
    }
    const double ends = std::ceil(step / column_ - 1e-9);
    for (auto i = static_cast<std::size_t>(ends); i < cells.size(); ++i) {
      cells[i] = {" ", 0};
    }
    return cells;
  }

  /// A span that takes `width` columns: its letter; of a pass the number of its microbatch too, if
  /// there is room for it, and neither of one of those that have `begun` before.
  void add_cells(const GanttSpan* span, std::size_t width, std::set<Action>& begun,
                 std::vector<GanttCell>& cells) {
    const GanttInk ink = ink_of(span);
    const std::string letter(1, ink.letter);
    const int colour = style_.colour ? ink.colour : 0;
    if (span == nullptr || span->kind != GanttSpan::Kind::Pass) {
      waits_ = waits_ || span == nullptr;
      if (span != nullptr) {
        legend_.add(*span);
      }
      const bool dots = span == nullptr && style_.unicode;
      cells.insert(cells.end(), width, {dots ? std::string(kWaitDot) : letter, colour});
      return;
    }
    legend_.add(*span);
    std::string words = letter + std::to_string(span->action->microbatch);
    words = !begun.insert(*span->action).second ? "" : words.size() <= width ? words : letter;
    for (std::size_t i = 0; i < width; ++i) {
      const std::string_view fill = colour != 0 ? " " : style_.unicode ? ink.unicode : ink.ascii;
      cells.push_back({i < words.size() ? std::string(1, words[i]) : std::string(fill), colour});
    }
  }

  void add_scale() {
    constexpr int kMarkColumns = 10;  // apart at least
    std::string rule(columns_, '-');
    std::string labels(columns_, ' ');
    for (const GanttMark& mark : gantt_marks(longest_, style_.columns / kMarkColumns)) {
      const auto at = static_cast<std::size_t>(mark.at / column_ + 0.5);
      if (at < columns_) {
        rule[at] = '|';
        labels.replace(at, std::min(mark.text.size(), columns_ - at), mark.text);
      }
    }
    std::string drawn;
    for (const char c : rule) {
      drawn += !style_.unicode ? std::string(1, c) : c == '|' ? "┼" : "─";
    }
    add_line(std::string(margin_, ' ') + drawn);
    add_line(std::string(margin_, ' ') + labels);
  }

  /// Words of the legend, as many to a line as it is wide.
  void add_legend() {
    std::vector<std::string> words;
    for (const ActionKind kind : legend_.passes) {
      words.push_back(fmt::format("{} {}", letter_of(kind, 0), name_of(kind)));
    }
    words.emplace_back("numbers: microbatches");
    if (legend_.chunks > 1) {
      std::string small;
      for (const ActionKind kind : legend_.passes) {
        small += fmt::format("{}{}", small.empty() ? "" : " ", letter_of(kind, 1));
      }
      words.push_back(fmt::format("{} of chunks 1, 3, ...", small));
    }
    for (const Axis axis : legend_.exchanges) {
      words.push_back(fmt::format("{} exposed {} exchange", letter_of(axis), name_of(axis)));
    }
    if (legend_.updates) {
      words.push_back(fmt::format("{} optimizer", kUpdateLetter));
    }
    if (waits_) {
      words.push_back(
          fmt::format("{} waits", style_.unicode ? kWaitDot : std::string_view(&kWaitLetter, 1)));
    }
    words.push_back(fmt::format("a column is {}", to_text(column_)));
    words.emplace_back("what shares a column is shown in turn");
    constexpr std::string_view kBetween = "   ";
    std::string line;
    for (const std::string& word : words) {
      if (!line.empty() && line.size() + kBetween.size() + word.size() > columns_) {
        add_line(std::string(margin_, ' ') + line);
        line.clear();
      }
      line += fmt::format("{}{}", line.empty() ? "" : kBetween, word);
    }
    add_line(std::string(margin_, ' ') + line);
  }

  std::span<const Gantt> gantts_;
  GanttStyle style_;
  std::size_t columns_;
  std::size_t margin_;
  Seconds longest_, column_;
  GanttLegend legend_;
  bool waits_ = false;  // is drawn
  std::string text_;
};

}  // namespace

int gantt_margin(std::span<const Gantt> gantts) {
  return static_cast<int>(label_width(gantts) + kWaitsWidth);
}

std::string write_gantt(std::span<const Gantt> gantts, const GanttStyle& style) {
  return GanttPage(gantts, style).text();
}

}  // namespace danlu
