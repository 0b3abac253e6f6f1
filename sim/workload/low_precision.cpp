// Products below 16 bits as a pass over the layers: what quantises their operands (precision.hpp)
// goes before them, and what tensor ranks gather of these travels narrow. With e and n bytes of a
// wide and a narrow value, r reads, of a product of T tokens:
//
//   forward          input     T in (r e + n)     + n its transpose, for the weight's gradient
//   input gradient   gradient  T out (r e + n)    + n the same
//   weight gradient  nothing
//   weights          in out (r e + 2 n), once a step (step_program.cpp); where they are gathered
//                    for every pass (ZeRO-3) each time, r e + n
//
// On a GPU that needs no transposes of what has one scale (Quantisation::transposes) they are not.
// With sequence parallelism the ranks quantise their own tokens and gather them narrow; per-tensor
// recipes then transpose what was gathered in backward (2 n), and of the input, which is kept as it
// was sent, always (pytorch/module/linear.py and base.py, grad_output_preprocess). The input is
// kept narrow. An output that its maker needs in backward, as attention does, is kept beside that.
//
// A norm or an activation may quantise what it makes (training.fused_casts), n bytes a value
// written for e, and no pass after it; so may an activation's backward, for the product before it.
// Where the largest value must be known first it only finds it, r - 1 reads:
//
//   norm e in, e out | cast e in, n out | product        norm e in, n out | product
//
// A transpose of what has one scale (Quantisation::transposes) stays a pass of its own, 2 n. Of
// what an adapter reads, or its gradient, there must be 16 bits, too, unless that is fused as well
// (adapters.cpp). Experts' rows are quantised apart from activations, a tensor for each, and what
// attention and MLP read beside each other (model.norms 1) apart from the norm before both.
//
// The head stays in 16 bits unless training.wide_head is false (Megatron-core's fp8_output_proj).
// Layers that predict more are as the others, whatever wide_last_layers is, but for fp4, in which
// they stay wide (_proj_and_transformer_layer of Megatron-core's multi_token_prediction.py, which
// knows one context of fp8 and none of fp4); their logits are the head's.
//
// Two activations may be kept narrower than they are (training.kept_narrow): what an activation
// function begins with, n bytes a value instead of e, written forward and read backward; and
// attention's output, once for attention and for the product behind it, in 12 bits (E5M6). Both are
// DeepSeek-V3's (arXiv:2412.19437, section 3.3.3), the first is also Megatron-LM's
// --activation-func-fp8-input-store.
#include <algorithm>

#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

/// Values of the operands of an operator's products, and of how many experts those are.
struct Sizes {
  double input = 0, output = 0, weight = 0, experts = 1;
  bool of_experts = false;
};

Sizes sizes_of(const Operator& op) {
  Sizes sizes{.of_experts = op.part == ModelPart::Experts};
  for (const Kernel& kernel : op.forward) {
    if (kernel.kind == KernelKind::Gemm) {
      sizes.input += kernel.batch * kernel.m * kernel.k;
      sizes.output += kernel.batch * kernel.m * kernel.n;
      sizes.weight += kernel.batch * kernel.k * kernel.n;
      sizes.experts = std::max(sizes.experts, kernel.products);
    }
  }
  return sizes;
}

/// Routers do, and products too thin for narrow tiles, as the gate of shared experts; the head
/// unless asked for.
bool stays_wide(const TrainingSpec& t, const Operator& op) {
  constexpr double kLeastColumns = 16;
  return op.part == ModelPart::Router || (op.part == ModelPart::Head && t.wide_head) ||
         std::any_of(op.forward.begin(), op.forward.end(), [](const Kernel& kernel) {
           return kernel.kind == KernelKind::Gemm && kernel.n < kLeastColumns;
         });
}

bool is_exchange(const Step& step) {
  return std::holds_alternative<Exchange>(step);
}

/// One class: what it puts before a product depends on the same few facts.
class Lowering {
 public:
  Lowering(const Workload& w, const RankShape& shape)
      : p_(w.parallelism),
        t_(w.training),
        shape_(shape),
        how_(quantisation_of(w.training)),
        wide_(element_bytes(w.training.precision)),
        splits_sequence_(p_.sequence && p_.tensor > 1) {}

  void lower(Block& block) const {
    bool kept_by_maker = false;  // the operator before needs its output in backward
    for (std::size_t i = 0; i < block.steps.size(); ++i) {
      auto* op = std::get_if<Operator>(&block.steps[i]);
      if (op == nullptr) {
        continue;
      }
      if (op->is_product() && !stays_wide(t_, *op)) {
        lower(*op, kept_by_maker, {maker(block, i), taker(block, i)});
        for (std::size_t j = i; j > 0 && is_exchange(block.steps[j - 1]); --j) {
          send_narrow(block.steps[j - 1], &Exchange::forward);
        }
        if (i + 1 < block.steps.size()) {
          send_narrow(block.steps[i + 1], &Exchange::backward);
        }
      }
      kept_by_maker = op->needs_output;
    }
  }

 private:
  /// Who quantises the input of a product, and the gradient of its output, in their own passes;
  /// none where passes of their own do.
  struct Quantisers {
    Operator* input = nullptr;
    Operator* gradient = nullptr;
  };

  bool quantises(const Operator& op) const {
    const auto asked = [&](CastMaker maker) {
      return std::find(t_.fused_casts.begin(), t_.fused_casts.end(), maker) != t_.fused_casts.end();
    };
    // Queries that are not made of a narrow array are made of what no latent norm writes.
    const bool norm = (op.name == kLatentNorms && shape_.model.latent.query_rank > 0) ||
                      (op.name == kNorm && shape_.model.norms > 1);
    return (asked(CastMaker::Norm) && norm) ||
           (asked(CastMaker::Activation) && op.name.ends_with(kActivation));
  }

  /// The operator that makes the input of the product at `i`, if it quantises it.
  Operator* maker(Block& block, std::size_t i) const {
    std::size_t before = i;
    while (before > 0 && is_exchange(block.steps[before - 1])) {
      --before;
    }
    auto* op = before > 0 ? std::get_if<Operator>(&block.steps[before - 1]) : nullptr;
    const auto& product = std::get<Operator>(block.steps[i]);
    const bool in_norm = product.name != kLatentDown;  // which Megatron-LM norms apart
    const bool read_wide = needs_wide_input(shape_, product);
    return op != nullptr && quantises(*op) && in_norm && !read_wide ? op : nullptr;
  }

  /// The operator that takes the output of the product at `i`, if it quantises its gradient.
  Operator* taker(Block& block, std::size_t i) const {
    auto* op = i + 1 < block.steps.size() ? std::get_if<Operator>(&block.steps[i + 1]) : nullptr;
    const bool activates = op != nullptr && op->name.ends_with(kActivation) && quantises(*op);
    const bool read_wide = needs_wide_input(shape_, std::get<Operator>(block.steps[i]));
    return activates && !read_wide ? op : nullptr;
  }

  void lower(Operator& op, bool kept_by_maker, Quantisers by) const {
    const Sizes sizes = sizes_of(op);
    const double ranks = splits_sequence_ ? p_.tensor : 1;
    const bool trained = !op.weight_gradient.empty();
    const bool gathers_input = op.split == Split::Columns;
    const bool gathers_gradient = op.split == Split::Rows;
    const bool late_input = splits_sequence_ && !how_.both_ways && how_.transposes;
    const bool late_gradient = late_input && gathers_gradient;
    for (Kernels* kernels : {&op.forward, &op.input_gradient, &op.weight_gradient}) {
      for (Kernel& kernel : *kernels) {
        kernel = kernel.kind == KernelKind::Gemm ? narrowed(kernel, how_.bytes) : kernel;
      }
    }
    Kernels forward = casts(sizes, sizes.input / (gathers_input ? ranks : 1),
                            written(trained && !late_input), by.input, &Operator::forward);
    Kernels backward =
        casts(sizes, sizes.output / (gathers_gradient ? ranks : 1),
              written(trained && !late_gradient), by.gradient, &Operator::input_gradient);
    Kernels late;
    if (trained && late_input) {
      late.push_back(
          memory_pass(2 * how_.bytes * (sizes.input + (late_gradient ? sizes.output : 0))));
    }
    add_weight_casts(sizes.weight, forward, backward);
    put_before(op.forward, forward);
    put_before(op.input_gradient, backward);
    put_before(op.weight_gradient, late);
    op.weight.narrow = true;
    op.kept = op.kept * (how_.bytes / wide_) + (kept_by_maker ? op.kept : Bytes{});
  }

  /// What quantises `values`, each in `narrow` bytes: a pass, of the rows of each expert by itself
  /// (multi_tensor_quantize_impl of TransformerEngine's pytorch/csrc/extensions/cast.cpp), or what
  /// is left of it where `quantiser` does it, in its last kernel of `direction`.
  Kernels casts(const Sizes& sizes, double values, double narrow, Operator* quantiser,
                Kernels Operator::*direction) const {
    int reads = how_.reads;
    if (quantiser != nullptr && !sizes.of_experts && how_.in_maker != InMaker::Nothing) {
      if (how_.in_maker == InMaker::All) {
        const double made = how_.both_ways ? narrow : how_.bytes;
        (quantiser->*direction).back().bytes += Bytes{values * (made - wide_)};
        return narrow > made ? Kernels{memory_pass(values * 2 * how_.bytes)} : Kernels{};
      }
      --reads;
    }
    Kernel pass = memory_pass(values * (reads * wide_ + narrow));
    pass.products = sizes.experts;
    return {pass};
  }

  /// Bytes of a value that is quantised, for both ways or for one.
  double written(bool both) const { return how_.bytes * (both ? how_.copies() : 1); }

  /// Of weights that are gathered for every pass.
  void add_weight_casts(double values, Kernels& forward, Kernels& backward) const {
    if (p_.zero < 3) {
      return;
    }
    if (p_.sharding.gather_bytes == 1) {  // gathered narrow
      if (!how_.both_ways && how_.transposes) {
        backward.push_back(memory_pass(values * 2 * how_.bytes));
      }
      return;
    }
    const double reads = how_.reads * p_.sharding.gather_bytes;
    const bool again = p_.sharding.reshard == Reshard::AfterForward;
    forward.push_back(memory_pass(values * (reads + written(!again))));
    if (again) {
      backward.push_back(memory_pass(values * (reads + written(false))));
    }
  }

  void send_narrow(Step& step, std::optional<Way> Exchange::*direction) const {
    auto* exchange = std::get_if<Exchange>(&step);
    if (exchange != nullptr && exchange->axes == AxisSet(Axis::Tensor) && exchange->*direction &&
        (exchange->*direction)->op == CollectiveOp::AllGather) {
      (exchange->*direction)->share = how_.bytes / wide_;
    }
  }

  static void put_before(Kernels& kernels, const Kernels& first) {
    kernels.insert(kernels.begin(), first.begin(), first.end());
  }

  const ParallelismSpec& p_;
  const TrainingSpec& t_;
  const RankShape& shape_;
  Quantisation how_;
  double wide_;
  bool splits_sequence_;
};

constexpr double kTwelveBits = 1.5;

/// Lets a kernel, and what the fullest rank has of it, move that many times as many bytes.
void scale_bytes(Kernel& kernel, double ratio) {
  kernel.bytes = ratio * kernel.bytes;
  for (Kernel& fullest : kernel.fullest) {
    scale_bytes(fullest, ratio);
  }
}

void keep_input_narrow(double gates, double wide, double narrow, Operator& activation) {
  const double share = gates * narrow / wide;  // of a pass that reads or writes one output
  scale_bytes(activation.forward[0], 1 + share / (gates + 1));
  scale_bytes(activation.input_gradient[0], 1 - (gates - share) / (2 * gates + 1));
  activation.kept = activation.kept * (narrow / wide);
}

void keep_output_narrow(double wide, Operator& projection) {
  const double values = sizes_of(projection).input;
  const Kernel cast = memory_pass(values * (wide + kTwelveBits));
  projection.forward.insert(projection.forward.begin(), cast);
  projection.input_gradient.push_back(cast);
  projection.kept = Bytes{values * kTwelveBits};
}

}  // namespace

void keep_activations_narrow(const Workload& w, ModelBlocks& model) {
  const TrainingSpec& t = w.training;
  if (!t.keeps_narrow(NarrowPart::Activation)) {
    return;
  }
  const double narrow = is_narrow(t.precision) ? quantisation_of(t).bytes : 1;
  for (Block& block : model.kinds) {
    for (Step& step : block.steps) {
      auto* op = std::get_if<Operator>(&step);
      if (op != nullptr && op->name.ends_with(kActivation)) {
        keep_input_narrow(w.model.gated_mlp ? 2 : 1, element_bytes(t.precision), narrow, *op);
      }
    }
  }
}

void keep_attention_narrow(const Workload& w, ModelBlocks& model) {
  if (!w.training.keeps_narrow(NarrowPart::Attention)) {
    return;
  }
  for (Block& block : model.kinds) {
    bool behind_attention = false;
    for (Step& step : block.steps) {
      auto* op = std::get_if<Operator>(&step);
      if (op == nullptr) {
        continue;
      }
      if (behind_attention && op->kept > Bytes{}) {
        keep_output_narrow(element_bytes(w.training.precision), *op);
      }
      behind_attention = op->name == kAttention;
    }
  }
}

void lower_precision(const Workload& w, const RankShape& shape, ModelBlocks& model) {
  const TrainingSpec& t = w.training;
  if (!is_narrow(t.precision)) {
    return;
  }
  const int layers = w.model.layers;
  const auto narrow = [&](std::size_t number) {
    const int layer = static_cast<int>(number);
    if (layer >= layers) {  // one that predicts more
      return t.precision != Precision::Fp4;
    }
    return layer >= t.wide_first_layers && layer < layers - t.wide_last_layers;
  };
  vary_layers(model, narrow, [&](bool is_narrow, Block& block) {
    if (is_narrow) {
      Lowering(w, shape).lower(block);
    }
  });
  Lowering(w, shape).lower(model.head);
}

}  // namespace danlu
