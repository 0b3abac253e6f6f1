// What the notes of a row say, in the wordings of sources and of those who copy them. All that any
// rule takes from free text stands in one table (training_notes.cpp), a fact and a pattern a line;
// the rules are at the head of training_table.hpp.
//
//   "torch.compile; TP_COMM_OVERLAP False; GPUs limited to 500 W"
//          |                  |                       |
//      Compiled       TensorOverlapOff         PowerLimit 500
//
// A fact is said unless the words around it take it back: "no fp8 attention", "without
// torch.compile", "overlap_grad_reduce=False". Facts that are a "no" themselves ("no biases") have
// it in their pattern.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/validation/training_row.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

enum class Note {
  // the model
  ParallelResidual,
  TiedEmbeddings,
  UntiedEmbeddings,
  NoBiases,
  NoPositions,
  NoDropout,
  // what is exchanged, and beside what
  AsyncTensor,
  TensorOverlap,
  TensorOverlapOff,
  OverlapOff,
  DataOverlap,
  WeightsOverlap,
  NarrowGather,
  UsualGather,
  WideGather,
  PureFsdp,
  ReducedOnce,
  ReducedOnceWide,
  // kernels and formats
  Compiled,
  NotCompiled,
  Reentrant,
  NonReentrant,
  Fp8Attention,
  FusedLoss,
  FusedLossOfTe,
  NoFusedLoss,
  NarrowLoss,
  OpFuser,
  KeptNarrow,
  PureBf16,
  NarrowGradients,
  TensorAmax,
  NarrowHead,
  NoRotary,
  RotaryOperators,
  NormOperators,
  NormFusedOn80,
  // adapters
  Adapters,
  AdaptersDrop,
  AdaptersWide,
  NarrowBase,
  // what cannot be simulated
  Unbalanced,
  ActivationsOffloaded,
  PowerLimited,
  IncludesEvaluation,
  Padding,
};

/// Numbers in notes.
enum class NoteNumber {
  PowerLimit,       // W
  MemoryBandwidth,  // TB/s
  HeadDim,
  DenseLayers,
  PredictionLayers,
  Capacity,
};

/// Whether a row's notes say so.
bool notes_say(const TrainingRow& row, Note note);
/// The same of any text in small letters.
bool text_says(const std::string& text, Note note);
/// A number in a text of small letters, and in a row's notes.
std::optional<double> text_number(const std::string& text, NoteNumber number);
std::optional<double> note_number(const TrainingRow& row, NoteNumber number);

/// Whether the notes call the kernels of a part fused: "fused norm and rotary".
bool notes_fuse(const TrainingRow& row, UnfusedPart part);

/// What is known, for the page that documents it and for tests.
struct NoteWording {
  std::optional<Note> note;
  std::optional<NoteNumber> number;  // or else this
  std::string_view examples;         // cut at "; "
  std::string_view means;
};
std::vector<NoteWording> note_wordings();

/// "rank 16 on q, v", "r=16 on all linear layers"
inline constexpr const char* kAllLinear = "q, k, v, o, gate, up, down";
struct NotedAdapters {
  int rank = 0;
  std::string targets;  // "q, v"
};
std::optional<NotedAdapters> noted_adapters(const TrainingRow& row);

}  // namespace danlu
