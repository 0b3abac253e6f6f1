#include "src/sweep_sqlite.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <memory>
#include <new>
#include <string_view>
#include <variant>
#include <vector>

#include "src/program.hpp"

namespace danlu {
namespace {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct EndStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, EndStatement>;

/// A database in memory.
class Database {
 public:
  Database() {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open(":memory:", &opened);
    database_.reset(opened);
    check_code(code);
  }

  void run(const std::string& sql) {
    check_code(sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr));
  }
  Statement prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    check_code(sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &statement, nullptr));
    return Statement(statement);
  }
  /// Runs a statement once, with these values.
  void insert(const Statement& statement, const std::vector<FigureValue>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      check_code(bind(statement.get(), static_cast<int>(i) + 1, values[i]));
    }
    const int code = sqlite3_step(statement.get());
    check_code(code == SQLITE_DONE ? SQLITE_OK : code);
    check_code(sqlite3_reset(statement.get()));
  }
  std::string bytes() {
    sqlite3_int64 size = 0;
    const std::unique_ptr<unsigned char, decltype(&sqlite3_free)> all(
        sqlite3_serialize(database_.get(), "main", &size, 0), sqlite3_free);
    if (all == nullptr) {
      throw std::bad_alloc();
    }
    return {reinterpret_cast<const char*>(all.get()), static_cast<std::size_t>(size)};
  }

 private:
  void check_code(int code) {
    if (code == SQLITE_NOMEM) {
      throw std::bad_alloc();
    }
    if (code != SQLITE_OK) {
      refuse("-o", fmt::format("SQLite refuses the table: {}", sqlite3_errmsg(database_.get())),
             "-o points.csv writes the same as CSV");
    }
  }

  static int bind(sqlite3_stmt* statement, int place, const FigureValue& value) {
    if (const bool* flag = std::get_if<bool>(&value)) {
      return sqlite3_bind_int(statement, place, *flag ? 1 : 0);
    }
    if (const std::uint64_t* count = std::get_if<std::uint64_t>(&value)) {
      return sqlite3_bind_int64(statement, place, static_cast<sqlite3_int64>(*count));
    }
    if (const double* number = std::get_if<double>(&value)) {
      return sqlite3_bind_double(statement, place, *number);
    }
    if (const std::string* text = std::get_if<std::string>(&value)) {
      return sqlite3_bind_text(statement, place, text->data(), static_cast<int>(text->size()),
                               SQLITE_TRANSIENT);
    }
    return sqlite3_bind_null(statement, place);
  }

  std::unique_ptr<sqlite3, CloseDatabase> database_;
};

/// A name as SQL has it.
std::string quoted_name(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) {
    text += c == '"' ? "\"\"" : std::string(1, c);
  }
  return text + "\"";
}

FigureValue text_or_null(const std::string& text) {
  return text.empty() ? FigureValue() : FigureValue(text);
}

/// A column of `points`. Of type NUMERIC, SQLite takes text that is a number for the number.
struct SqlColumn {
  std::string name, type, kind, unit;
  std::string together_with{};  // the key that a setting changes with
};

std::vector<SqlColumn> columns_of(const SweepReport& sweep) {
  std::vector<SqlColumn> columns{{"point", "INTEGER PRIMARY KEY", "point", ""}};
  for (std::size_t i = 0; i < sweep.axes.size(); ++i) {
    const SweepAxis& axis = sweep.axes[i];
    columns.push_back({axis.key, "NUMERIC", "setting", "",
                       axis.together ? sweep.axes[first_together(sweep.axes, i)].key : ""});
  }
  columns.push_back({"status", "TEXT NOT NULL", "outcome", ""});
  columns.push_back({"reason", "TEXT", "outcome", ""});
  for (std::size_t i = 0; i < sweep.names.size(); ++i) {
    columns.push_back({sweep.names[i], "", "figure", sweep.units[i]});
  }
  return columns;
}

void add_points(Database& database, const SweepReport& sweep,
                const std::vector<SqlColumn>& columns) {
  std::string declared;
  std::string places;
  for (const SqlColumn& column : columns) {
    const char* comma = declared.empty() ? "" : ", ";
    declared += fmt::format("{}{} {}", comma, quoted_name(column.name), column.type);
    places += fmt::format("{}?", comma);
  }
  database.run(fmt::format("CREATE TABLE points ({})", declared));
  const Statement insert = database.prepare(fmt::format("INSERT INTO points VALUES ({})", places));
  for (std::size_t number = 0; number < sweep.points.size(); ++number) {
    const SweepPoint& point = sweep.points[number];
    std::vector<FigureValue> values{static_cast<std::uint64_t>(number)};
    values.insert(values.end(), point.values.begin(), point.values.end());
    values.emplace_back(std::string(name_of(point.status)));
    values.push_back(text_or_null(point.reason));
    for (const Figure& figure : point.figures) {
      values.push_back(figure.value);
    }
    database.insert(insert, values);
  }
}

}  // namespace

std::string sweep_sqlite(const SweepReport& sweep) {
  Database database;
  database.run("BEGIN");
  database.run(
      "CREATE TABLE sweep (scenario TEXT NOT NULL, file TEXT NOT NULL, danlu TEXT NOT NULL)");
  database.insert(database.prepare("INSERT INTO sweep VALUES (?, ?, ?)"),
                  {sweep.scenario, sweep.file, std::string(kBuild)});
  database.run(
      "CREATE TABLE columns (name TEXT PRIMARY KEY, kind TEXT NOT NULL, unit TEXT, "
      "together_with TEXT)");
  const std::vector<SqlColumn> columns = columns_of(sweep);
  const Statement insert = database.prepare("INSERT INTO columns VALUES (?, ?, ?, ?)");
  for (const SqlColumn& column : columns) {
    database.insert(insert, {column.name, column.kind, text_or_null(column.unit),
                             text_or_null(column.together_with)});
  }
  add_points(database, sweep, columns);
  database.run("COMMIT");
  return database.bytes();
}

}  // namespace danlu
