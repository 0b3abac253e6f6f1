// What a framework does in passes of its own, where better kernels would do it beside others: a
// pass over the layers that adds them (training.unfused, training.accumulation). T tokens on the
// rank, widths q and kv of queries and of keys and values on it, e bytes of a value, g of a
// gradient read and written back.
//
//   copies        attention's output put together, 2 e T q, and again backward, where the gradients
//                 of queries, keys and values are joined as well: 2 e T (q + 2 kv)  (Megatron-LM
//                 megatron/model/transformer.py)
//   biases        gradients of biases: a read of e T out behind each product that has some
//   added_biases  biases behind attention and MLP added by themselves, 2 e T h (GPT-NeoX v1.0
//                 megatron/model/transformer.py without bias-dropout-fusion)
//   norm          RMSNorm in PyTorch's operators; its LayerNorm is one kernel in any case
//   positions     rotary positions in PyTorch's operators
//   partial_positions   the same of a quarter of each head, which is cut off and joined again (the
//                 rotary_pct of GPT-NeoX's own models)
//   packing       queries, keys and values put in the order of sequences, and joined for a fused
//                 attention that takes them as one array: 4 e T (q + 2 kv) (flash_attention of
//                 GPT-NeoX v1.0); backward has views
//   activation    gate and activation, or the activation and its bias, apart
//   residual      sums of the gradients of the two branches
//
// What autograd keeps of them beside what fused kernels keep: of an RMSNorm its input in fp32 and
// what it scales in 16 bits, 6 bytes of a value for 2 (transformers' LlamaRMSNorm); of a gated
// activation silu(gate), which its product with up needs, e f T (measured: 1.03 to 1.13 of that on
// one H100).
//
// The bytes of the last four were measured on one H200 (PyTorch 2.11), as time x 4.8 TB/s of a
// value in 16 bits, forward / both ways: RMSNorm 63 / 201, rotary 76 / 159, SwiGLU 12 / 32, GELU 6
// / 16, residual 7 / 18; 0.87 of them are bytes at the rate that kernels reach.
//
//   gathers       what tensor ranks gather along the sequence is put together and what they scatter
//                 is cut up by a pass each, 2 e T h: NCCL joins arrays along their first dimension,
//                 which is that of sequences (all_gather_tensor and reduce_scatter_tensor of
//                 PyTorch's torch/distributed/_functional_collectives.py, chunk and cat)
//
//   flat          gradients of a unit are joined to one array, and more, before they are scattered
//                 (program.cpp); autograd adds none of them to a sum
//
//   accumulation  the weight's gradient is added to the sum of the step by a pass of its own,
//                 (e + g) bytes of a parameter, instead of by its product (Megatron-LM's
//                 --no-gradient-accumulation-fusion, DeepSpeed)
#include <algorithm>

#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

/// Bytes that PyTorch's operators move of a value of 16 bits, and their kernels.
struct Eager {
  double forward, backward;
  int forward_launches, backward_launches;
};
constexpr Eager kNormEager{55, 120, 8, 16};
constexpr Eager kRotaryEager{66, 72, 10, 12};
/// A quarter of each head turned like that, and what cuts it off and joins it again, of a value of
/// the whole head: forward a concatenation, 4; backward two arrays of zeros, 4, into which the
/// gradients of the quarter and of the rest are copied, 4, and their sum, 6.
constexpr Eager kPartialEager{66.0 / 4 + 4, 72.0 / 4 + 14, 12, 22};
constexpr Eager kGatedEager{10, 18, 2, 4};
constexpr Eager kPlainEager{5.4, 8.5, 2, 2};
constexpr Eager kResidualEager{6, 10, 1, 2};

/// Another pass in the place of one, with other bytes of each of its values.
void replace(Kernel& pass, double ratio, int launches) {
  pass.bytes = ratio * pass.bytes;
  pass.pass = PassKind::Stream;
  pass.launches = launches;
  for (Kernel& fullest : pass.fullest) {
    replace(fullest, ratio, launches);
  }
}
/// The same of passes that would move so many bytes of a value forward, and backward.
void replace(Kernel& forward, Kernel& backward, const Eager& eager, double wide, double now,
             double now_backward) {
  replace(forward, wide * eager.forward / now, eager.forward_launches);
  replace(backward, wide * eager.backward / now_backward, eager.backward_launches);
}

double gemm_values(const Operator& op) {
  double values = 0;
  for (const Kernel& kernel : op.forward) {
    values += kernel.kind == KernelKind::Gemm ? kernel.batch * kernel.m * kernel.n : 0;
  }
  return values;
}

std::optional<Biased> biased(const Operator& op) {
  if (op.name == kQkv || op.name == kLatentUp) {
    return Biased::Qkv;
  }
  if (op.name == kProjection) {
    return Biased::Output;
  }
  return op.name == kMlpUp || op.name == kMlpDown ? std::optional(Biased::Mlp) : std::nullopt;
}

/// Adds the weight's gradients to their sums by passes of their own, if there are sums.
void accumulate_apart(const RankShape& z, Operator& op) {
  Kernels passes;
  const auto without_sum = [&](Kernel& product) {
    const double values = product.batch * product.m * product.n;
    product.bytes -= Bytes{z.gradient * values};
    product.apart = {};
    return memory_pass(values * (z.element + z.gradient));
  };
  for (Kernel& kernel : op.weight_gradient) {
    if (kernel.kind == KernelKind::Gemm) {
      const Kernel pass = without_sum(kernel);
      if (!z.joins_gradients) {
        passes.push_back(pass);
      }
      for (Kernel& fullest : kernel.fullest) {
        without_sum(fullest);
      }
    }
  }
  op.weight_gradient.insert(op.weight_gradient.end(), passes.begin(), passes.end());
}

/// One class: what it adds depends on the same few facts.
class Unfusing {
 public:
  explicit Unfusing(const RankShape& z) : z_(z), wide_(z.element / 2) {}

  void change(Operator& op) const {
    const double e = z_.element;
    const bool is_norm = op.part == ModelPart::Norms && z_.model.norm == Norm::RmsNorm;
    if (is_norm && has(UnfusedPart::Norm)) {
      replace(op.forward[0], op.input_gradient[0], kNormEager, wide_, 2 * e, 3 * e);
      op.kept_inside += 2 * (op.name == kNorm ? z_.block_input() : op.kept);
    }
    if (op.name == kRotary) {
      turn(op.forward[0], op.input_gradient[0]);
    }
    if (op.name == kAttention) {
      change_attention(op);
    }
    const bool gated = z_.model.gated_mlp;
    if (op.name.ends_with(kActivation) &&
        (has(UnfusedPart::Activation) || (gated && has(UnfusedPart::Gated)))) {
      const double gates = gated ? 2 : 1;
      replace(op.forward[0], op.input_gradient[0], gates > 1 ? kGatedEager : kPlainEager, wide_,
              (gates + 1) * e, (2 * gates + 1) * e);
      op.kept_inside += gates > 1 ? op.kept / gates : Bytes{};
    }
    if (op.name == kResidual && has(UnfusedPart::Residual)) {
      const double mask = z_.training.dropout ? kMaskBytes : 0;
      replace(op.forward[0], op.input_gradient[0], kResidualEager, wide_, 3 * e + mask,
              2 * e + mask);
    }
    if (const std::optional<Biased> at = biased(op); at && z_.model.biases.on(*at)) {
      const bool ends_half = op.name == kProjection || op.name == kMlpDown;
      if (ends_half && has(UnfusedPart::AddedBiases)) {
        op.forward.push_back(memory_pass(2 * z_.element * gemm_values(op)));
      }
      if (has(UnfusedPart::Biases)) {
        op.weight_gradient.push_back(memory_pass(z_.element * gemm_values(op)));
      }
    }
    if (z_.training.accumulates_apart) {
      accumulate_apart(z_, op);
    }
  }

 private:
  bool has(UnfusedPart part) const { return z_.training.splits(part); }

  void turn(Kernel& forward, Kernel& backward) const {
    if (has(UnfusedPart::Positions) || has(UnfusedPart::PartialPositions)) {
      const Eager& eager = has(UnfusedPart::Positions) ? kRotaryEager : kPartialEager;
      replace(forward, backward, eager, wide_, 2 * z_.element, 2 * z_.element);
    }
  }

  /// Rotary positions stand before the core, and behind it backward, unless ranks exchange between.
  void change_attention(Operator& op) const {
    const bool turns = op.forward.front().kind == KernelKind::Memory;
    if (turns) {
      turn(op.forward.front(), op.input_gradient.back());
    }
    if (is_fused(z_.training.attention) && has(UnfusedPart::Packing)) {
      constexpr int kLaunches = 4;
      const double moved = 4 * op.kept.value;  // twice read and written
      op.forward.insert(op.forward.begin() + (turns ? 1 : 0),
                        memory_pass(moved, PassKind::Stream, kLaunches));
    }
    if (has(UnfusedPart::Copies)) {
      const double out = z_.batch * z_.queries * z_.core_output;
      op.forward.push_back(memory_pass(2 * z_.element * out));
      op.input_gradient.insert(op.input_gradient.begin(), memory_pass(2 * z_.element * out));
      op.input_gradient.push_back(memory_pass(2 * op.kept.value));  // queries, keys and values
    }
  }

  const RankShape& z_;
  double wide_;  // of values of 16 bits
};

/// The operator that an exchange of tensor ranks stands beside: the product behind it if that is
/// split by columns, else the operator before it.
Operator* neighbour(Block& block, std::size_t exchange) {
  std::size_t next = exchange + 1;
  while (next < block.steps.size() && std::holds_alternative<Exchange>(block.steps[next])) {
    ++next;
  }
  if (next < block.steps.size()) {
    if (auto& op = std::get<Operator>(block.steps[next]); op.split == Split::Columns) {
      return &op;
    }
  }
  return exchange > 0 ? std::get_if<Operator>(&block.steps[exchange - 1]) : nullptr;
}

/// Read and written once, what is gathered or scattered; nothing for sums.
void add_copy(const Exchange& exchange, const std::optional<Way>& way, Kernels& kernels) {
  if (way && (way->op == CollectiveOp::AllGather || way->op == CollectiveOp::ReduceScatter)) {
    kernels.push_back(memory_pass(2 * way->share * exchange.bytes.value));
  }
}

void copy_gathered(Block& block) {
  for (std::size_t i = 0; i < block.steps.size(); ++i) {
    const auto* exchange = std::get_if<Exchange>(&block.steps[i]);
    if (exchange == nullptr || exchange->axes != AxisSet(Axis::Tensor)) {
      continue;
    }
    if (Operator* op = neighbour(block, i)) {
      add_copy(*exchange, exchange->forward, op->forward);
      add_copy(*exchange, exchange->backward, op->input_gradient);
      if (exchange->again && !op->weight_gradient.empty()) {
        add_copy(*exchange, exchange->forward, op->weight_gradient);
      }
    }
  }
}

}  // namespace

void copy_gathered(const Workload& w, ModelBlocks& model) {
  if (w.parallelism.tensor == 1 || !w.training.splits(UnfusedPart::Gathers)) {
    return;
  }
  copy_gathered(model.embedding);
  copy_gathered(model.decoder_embedding);
  for (Block& layer : model.kinds) {
    copy_gathered(layer);
  }
  copy_gathered(model.head);
}

void unfuse(const RankShape& shape, Block& block) {
  const Unfusing unfusing(shape);
  for (Step& step : block.steps) {
    if (auto* op = std::get_if<Operator>(&step)) {
      unfusing.change(*op);
    }
  }
}

}  // namespace danlu
