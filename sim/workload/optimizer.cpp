#include "sim/workload/optimizer.hpp"

#include <algorithm>

#include "sim/workload/block.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {
namespace {

constexpr double kForeach = 105.0 / 39;  // bytes over those of one kernel
constexpr double kRounds = 5;            // of Newton and Schulz

struct Matrix {
  double rows = 0, columns = 0, count = 1;

  double values() const { return rows * columns * count; }
};

/// Of a product those of its gradients; at the model's ends a table of rows of `hidden` values.
std::vector<Matrix> matrices_of(const Operator& op, bool in_layer, double hidden) {
  std::vector<Matrix> found;
  for (const Kernel& kernel : op.weight_gradient) {
    if (kernel.kind == KernelKind::Gemm) {
      found.push_back({kernel.m, kernel.n, kernel.batch});
    }
  }
  if (!in_layer && found.empty() && op.weight.held > hidden) {
    found.push_back({op.weight.held / hidden, hidden});
  }
  return found;
}

std::vector<Repeated> orthogonalisation(const Matrix& matrix) {
  constexpr double kElement = 2;
  const double n = std::min(matrix.rows, matrix.columns);
  const double m = std::max(matrix.rows, matrix.columns);
  std::vector<Repeated> products;
  for (Kernel kernel :
       {gemm(n, n, m, 1, kElement), gemm(n, n, n, 1, kElement), gemm(n, m, n, 1, kElement)}) {
    kernel.model_flops = {};
    products.push_back({kernel, kRounds * matrix.count});
  }
  return products;
}

}  // namespace

bool has_master(const TrainingSpec& training) {
  return element_bytes(training.precision) == 2 && training.optimizer.master;
}

double gradient_bytes(const TrainingSpec& training) {
  return element_bytes(training.precision) == 4 ? 4 : training.gradient_bytes;
}

double copied_bytes(const TrainingSpec& training) {
  const bool copies_gradients =
      training.precision == Precision::Fp16 && training.gradient_bytes == 2;
  return (has_master(training) ? 4.0 : 0.0) + (copies_gradients ? 4.0 : 0.0);
}

double moment_bytes(const TrainingSpec& training) {
  constexpr double kScaled = 256;  // values that share a scale
  const double bytes = training.optimizer.state_bytes;
  return bytes == 1 ? bytes + 4 / kScaled : bytes;
}

Updated updated_by(const TrainingSpec& training, const Operator& op, bool in_layer, double hidden) {
  Updated updated{.parameters = (op.weight.trained ? op.weight.held : 0) + op.adapter.held};
  if (updated.parameters == 0) {
    return updated;
  }
  double in_matrices = 0;
  double edges = 0;
  const std::vector<Matrix> matrices = matrices_of(op, in_layer, hidden);
  for (const Matrix& matrix : matrices) {
    in_matrices += matrix.values();
    edges += (matrix.rows + matrix.columns) * matrix.count;
  }
  const double rest = updated.parameters - in_matrices;
  switch (training.optimizer.kind) {
    case OptimizerKind::Adam:
      updated.moments = 2 * updated.parameters;
      break;
    case OptimizerKind::Sgd:
      updated.moments = training.optimizer.momentum ? updated.parameters : 0;
      break;
    case OptimizerKind::Adafactor:
      updated.moments = edges + rest;
      break;
    case OptimizerKind::Muon:
      updated.moments = in_layer ? in_matrices + 2 * rest : 2 * updated.parameters;
      break;
  }
  if (training.optimizer.kind == OptimizerKind::Muon && in_layer) {
    updated.gathered = in_matrices;
    for (const Matrix& matrix : matrices) {
      const std::vector<Repeated> products = orthogonalisation(matrix);
      updated.products.insert(updated.products.end(), products.begin(), products.end());
    }
  }
  return updated;
}

Bytes moved_by(const TrainingSpec& training, const Updated& updated, double writes) {
  const bool twice = training.optimizer.kind == OptimizerKind::Adafactor;
  const double weight = has_master(training) ? 4 : element_bytes(training.precision);
  const double copied = copied_bytes(training) - (has_master(training) ? 4 : 0);
  const double of_parameter =
      gradient_bytes(training) * (twice ? 2 : 1) + 2 * copied + 2 * weight + writes;
  const Bytes once{updated.parameters * of_parameter +
                   updated.moments * 2 * moment_bytes(training)};
  return (training.optimizer.foreach ? kForeach : 1.0) * once;
}

}  // namespace danlu
