// Identifiers as types: a rank is not a stage. All count from 0; id_vector.hpp has the containers
// that they index.
#pragma once

#include <cstddef>
#include <cstdint>

namespace danlu {

enum class GpuId : std::int32_t {};
enum class RankId : std::int32_t {};
enum class VertexId : std::int32_t {};  // of the topology graph
enum class LinkId : std::int32_t {};    // a directed edge of the topology graph

// Of the communication of a step (StepPatterns).
enum class GroupId : std::int32_t {};
enum class GroupPlanId : std::int32_t {};
enum class PatternId : std::int32_t {};
enum class LoadedLinkId : std::int32_t {};  // a link that carries anything

// Of a fold: what is played as one.
enum class RankClassId : std::int32_t {};
enum class GroupClassId : std::int32_t {};
enum class PatternClassId : std::int32_t {};
enum class LinkClassId : std::int32_t {};
enum class FoldedLinkId : std::int32_t {};  // of the small system; of TaskGraph::links, too

// Of one collective, message by message (messages.hpp).
enum class PositionId : std::int32_t {};  // of a rank in its group
enum class TransferId : std::int32_t {};
enum class WayId : std::int32_t {};
enum class MessageId : std::int32_t {};

// Of a step program.
enum class LayerKindId : std::int32_t {};  // of ModelBlocks
enum class ProgramId : std::int32_t {};
enum class PassId : std::int32_t {};  // of a stage
enum class EndId : std::int32_t {};   // of a stage

// Of TaskGraph.
enum class TaskId : std::int32_t {};
enum class NameId : std::int32_t {};
enum class ChannelId : std::int32_t {};
enum class CommunicationId : std::int32_t {};
enum class PartId : std::int32_t {};  // of a communication
enum class PlayedProgramId : std::int32_t {};
enum class StageGroupId : std::int32_t {};  // of StepDraft
enum class PaceGroupId : std::int32_t {};

// Of a campaign (FaultsSpec).
enum class CauseId : std::int32_t {};
enum class TierId : std::int32_t {};         // of checkpoints
enum class RestartPartId : std::int32_t {};  // also below 0: restart.hpp
enum class ReplicaId : std::int32_t {};

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
