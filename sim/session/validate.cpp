#include "sim/session/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/collective/group.hpp"
#include "sim/engine/engine.hpp"
#include "sim/session/planning.hpp"
#include "sim/session/plays.hpp"
#include "sim/session/training_rows.hpp"
#include "sim/tasks/collective_graph.hpp"
#include "sim/validation/columns.hpp"
#include "sim/validation/gemm_table.hpp"
#include "sim/validation/nccl_table.hpp"
#include "sim/validation/training_table.hpp"

namespace danlu {
namespace {

/// Rows of one cluster, by their place.
using Rows = std::vector<std::size_t>;

std::vector<Rows> by_cluster(const std::vector<CollectiveConversion>& runs) {
  std::vector<Rows> parts;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto known = std::find_if(parts.begin(), parts.end(), [&](const Rows& part) {
      return runs[part.front()].collective->cluster == runs[i].collective->cluster;
    });
    (known != parts.end() ? *known : parts.emplace_back()).push_back(i);
  }
  return parts;
}

/// Collectives one after the other on an idle cluster, in this process: when each ends stands in
/// the timeline, as if each were a task.
Played play_collectives(const std::vector<CollectiveConversion>& runs, const Rows& rows,
                        const Cluster& cluster) {
  std::vector<int> ranks(cluster.spec.gpus);
  std::iota(ranks.begin(), ranks.end(), 0);
  const Group group = make_group(cluster, ranks);
  CollectiveGraph sequence(cluster);
  std::vector<TaskId> ends;
  const MeasuredCollective* last = nullptr;  // that `choices` are of
  std::vector<Candidate> choices;
  for (const std::size_t row : rows) {
    const MeasuredCollective& measured = *runs[row].collective;
    if (measured.experts) {
      ends.push_back(sequence.add_exchange(expert_exchange(cluster, group, *measured.experts)));
      continue;
    }
    if (last == nullptr || last->op != measured.op ||
        last->forced.algorithm != measured.forced.algorithm ||
        last->forced.protocol != measured.forced.protocol) {
      choices = candidates(cluster, group, measured.op, measured.forced);
      last = &measured;
    }
    ends.push_back(
        sequence.add_steady(group, fastest(cluster, group, measured.op, measured.bytes, choices),
                            measured.op, measured.bytes));
  }
  const Timeline timeline = simulate(sequence.graph());
  Played played{.timeline = {.end = timeline.end}};
  for (const TaskId end : ends) {
    const auto& finish = played.timeline.finish;
    played.timeline.start.push_back(finish.empty() ? Seconds{} : finish.back());
    played.timeline.finish.push_back(timeline.finish[end]);
  }
  return played;
}

Validation validate_collectives(const CsvTable& table, const LoadOptions& load,
                                const SessionOptions& options) {
  Validation result{.table = std::string(name_of(TableKind::Collectives)),
                    .rows = static_cast<int>(table.rows().size())};
  std::vector<CollectiveConversion> runs;
  for (const CsvRow& row : table.rows()) {
    CollectiveConversion conversion = convert_collective(table, row, load);
    const bool experts = conversion.collective && conversion.collective->experts;
    result.complete += experts || !table.cell(row, "size_bytes").empty() ? 1 : 0;
    if (conversion.collective) {
      runs.push_back(std::move(conversion));
    } else {
      result.not_simulated.push_back({conversion.id, std::move(conversion.reasons)});
    }
  }
  const std::vector<Rows> parts = by_cluster(runs);
  std::vector<const ClusterSpec*> clusters;
  clusters.reserve(parts.size());
  for (const Rows& part : parts) {
    clusters.push_back(&runs[part.front()].collective->cluster);
  }
  const std::vector<Played> plays =
      play_on_clusters(clusters, nullptr, pool_of(options, parts.size()),
                       [&](std::size_t i, const Cluster& cluster) {
                         return play_collectives(runs, parts[i], cluster);
                       });
  std::vector<Played> times(runs.size());
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const auto& [outcome, timeline, why] = plays[part];
    for (std::size_t i = 0; i < parts[part].size(); ++i) {
      Played& played = times[parts[part][i]];
      played = {.outcome = outcome, .why = why};
      if (played.ended()) {
        const auto id = make_id<TaskId>(i);
        played.timeline.end =
            timeline.finish[id] - timeline.start[id] + runs[parts[part][i]].collective->method;
      }
    }
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    add_point({.id = runs[i].id,
               .device = runs[i].device,
               .source = runs[i].source,
               .published = runs[i].collective->published.value,
               .size = size_range(runs[i].collective->bytes),
               .sweep = runs[i].sweep,
               .bytes = runs[i].collective->bytes.value},
              times[i], result);
  }
  return result;
}

/// A kind of table, known by a column that only it has.
struct TableRow {
  TableKind kind = TableKind::Training;
  std::string_view column;
  std::span<const ColumnRule> (*columns)();
  std::span<const std::string_view> (*needed_columns)() = nullptr;
  Validation (*validate)(const CsvTable&, const LoadOptions&, const SessionOptions&);
};
constexpr std::array kTableKinds{
    TableRow{TableKind::Training, "step_time_s", training_columns, needed_training_columns,
             validate_training},
    TableRow{TableKind::Collectives, "busbw_GBps", collective_columns, nullptr,
             validate_collectives},
    TableRow{TableKind::Products, "tflops", product_columns, needed_product_columns,
             [](const CsvTable& table, const LoadOptions& load, const SessionOptions&) {
               return validate_products(table, load);
             }}};

const TableRow& row_of(TableKind kind) {
  return *std::find_if(kTableKinds.begin(), kTableKinds.end(),
                       [&](const TableRow& row) { return row.kind == kind; });
}

/// Throws when the table has not all columns that its kind needs.
void check_columns(const CsvTable& table, const TableRow& kind) {
  if (kind.needed_columns == nullptr) {
    return;
  }
  const std::span<const std::string_view> needed = kind.needed_columns();
  std::vector<std::string_view> missing;
  std::copy_if(needed.begin(), needed.end(), std::back_inserter(missing),
               [&](std::string_view column) { return !table.has_column(column); });
  if (!missing.empty()) {
    throw InputError(Problem{{table.file(), 1, 1},
                             fmt::format("a table of kind '{}' lacks the columns {}",
                                         name_of(kind.kind), join(missing, ", ")),
                             fmt::format("it needs {} and {}", join(needed, ", "), kind.column),
                             ""});
  }
}

}  // namespace

void add_point(ValidationPoint point, const Played& played, Validation& validation) {
  point.simulated = played.ended() ? played.timeline.end.value : 0;
  if (point.simulated > 0) {
    validation.points.push_back(std::move(point));
  } else {
    validation.not_simulated.push_back({point.id, {"simulation failed: " + played.why}});
  }
}

MeasuredTable read_table(const std::filesystem::path& file) {
  std::vector<std::string_view> columns;
  for (const TableRow& kind : kTableKinds) {
    columns.push_back(kind.column);
  }
  CsvTable table = read_csv(file, columns);
  for (const TableRow& row : kTableKinds) {
    if (table.has_column(row.column)) {
      check_columns(table, row);
      return {row.kind, std::move(table)};
    }
  }
  throw InputError(Problem{{table.file(), 1, 1},
                           "the header is of no kind of table that danlu knows",
                           "training runs have a column step_time_s, collectives busbw_GBps, "
                           "matrix products tflops",
                           ""});
}

void check_table(const MeasuredTable& table) {
  check_cells(table.csv, row_of(table.kind).columns());
}

Validation validate(const MeasuredTable& table, const LoadOptions& load,
                    const SessionOptions& options) {
  check_table(table);
  return row_of(table.kind).validate(table.csv, load, options);
}

}  // namespace danlu
