// Identifiers as types: a rank is not a stage. All count from 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace danlu {

enum class GpuId : std::int32_t {};
enum class RankId : std::int32_t {};
enum class VertexId : std::int32_t {};  // of the topology graph
enum class LinkId : std::int32_t {};    // a directed edge of the topology graph
enum class TaskId : std::int32_t {};
enum class NameId : std::int32_t {};  // of TaskGraph::names

/// The id as an index into a vector.
template <typename Id>
constexpr std::size_t index(Id id) {
  return static_cast<std::size_t>(id);
}

/// The id of the i-th element.
template <typename Id>
constexpr Id make_id(std::size_t i) {
  return static_cast<Id>(static_cast<std::int32_t>(i));
}

}  // namespace danlu
