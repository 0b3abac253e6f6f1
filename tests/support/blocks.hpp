// Blocks and programs, for tests: an operator by its name, what compute takes.
#pragma once

#include <string_view>

#include "sim/base/error.hpp"
#include "sim/program/program.hpp"

namespace danlu::testing {

/// The first operator of that name.
inline const Operator& operator_named(const Block& block, std::string_view name) {
  for (const Operator* op : operators_of(block)) {
    if (op->name == name) {
      return *op;
    }
  }
  throw InternalError("no such operator");
}

/// A plain model of hidden size 1,024 on sequences of 512 tokens.
inline Workload small_gpt(int layers) {
  Workload w;
  w.model = {.layers = layers,
             .hidden = 1024,
             .heads = 16,
             .kv_heads = 16,
             .head_dim = 64,
             .ffn = 4096,
             .vocab = 32000};
  w.training.sequence_length = 512;
  return w;
}

/// What all compute of a pass takes.
inline ComputeTime compute_of(const Program& program, const KernelTimer& timer) {
  ComputeTime sum;
  for (const ComputeTime& time : compute_times(program, timer)) {
    sum += time;
  }
  return sum;
}

}  // namespace danlu::testing
