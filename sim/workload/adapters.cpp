// Low-rank adapters as a pass over the layers (LoRA, Hu et al. 2021): beside a product of in x out
// whose weight is frozen two thin ones, of in x r and r x out, whose weights are trained.
//
//   forward    y = x W + s (x A) B         A, B, then s and the sum, passes of their own as in
//                                          Hugging Face's peft (tuners/lora/layer.py): 2 + 3 values
//                                          of y moved
//   backward   s dy, dy B', dx += . A'     2 values of y, 3 of x
//   gradients  dA, dB                      of in x r and r x out
//
// TransformerEngine's op fuser has s and the sums in the products (ops/fused of its pytorch:
// forward_linear_scale_add.py, backward_linear_scale.py, backward_linear_add.py): B reads y, too,
// and A' dx, and there are no passes. NeMo fuses where there are no tensor ranks
// (TEFusedLoRALinear of its collections/llm/peft/lora.py).
//
// With dropout x passes through it first: x read, written and a mask of 1 byte for each value, the
// same backward, and the mask kept (torch.nn.functional.dropout; each adapter has its own).
//
// In 32 bits (peft's autocast_adapter_dtype, of adapters without autocast) each casts x for itself,
// casts what was summed back, and the gradients likewise; its products are of fp32.
//
// They keep x, whole for dA, and x A; one x for all of a product, but for each its own where it was
// cast or dropped. Of a product that is split by columns B
// is split, too, and A held whole; by rows A, and B whole, so that its output joins the product's
// sum (sums of a whole one's gradients over tensor ranks are not counted, as those of norms are
// not). Routed experts have adapters of their own each, grouped as their products are, split as
// they are among ranks that share an expert; routers have none.
//
// QLoRA (Dettmers et al. 2023) keeps the frozen products' weights in 4 bits: each pass makes those
// of a layer wide before it multiplies with them.
#include <algorithm>

#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

constexpr double kWide = 4;  // bytes of an adapter's value in 32 bits

bool has_target(const LoraSpec& lora, LoraTarget target) {
  return std::find(lora.targets.begin(), lora.targets.end(), target) != lora.targets.end();
}

/// Whether each adapter makes what it multiplies of the product's input.
bool makes_own_input(const LoraSpec& lora) {
  return lora.wide || lora.dropout > 0;
}

/// Whether scale and sums are part of the products.
bool fuses_adapters(const RankShape& z) {
  return z.training.lora.fused && z.tensor == 1 && !z.training.lora.wide;
}

/// Widths of the outputs that adapters of a product have, on this rank, and over all.
struct Output {
  double held = 0;
  double whole = 0;
};

std::vector<Output> outputs_of(const RankShape& z, const Operator& op) {
  const LoraSpec& lora = z.training.lora;
  const bool all = has_target(lora, LoraTarget::AllLinear);
  const auto asked = [&](LoraTarget target) { return all || has_target(lora, target); };
  const Output query{z.query, z.model.query_width()};
  const Output key{z.key, z.model.key_width()};
  const Output value{z.value, z.model.value_width()};
  std::vector<Output> outputs;
  if (op.name == kQkv) {
    if (has_target(lora, LoraTarget::Qkv)) {
      outputs.push_back(
          {query.held + key.held + value.held, query.whole + key.whole + value.whole});
    }
    for (const auto& [target, output] :
         {std::pair(LoraTarget::Q, query), {LoraTarget::K, key}, {LoraTarget::V, value}}) {
      if (asked(target)) {
        outputs.push_back(output);
      }
    }
    return outputs;
  }
  const Kernel& product =
      *std::find_if(op.forward.begin(), op.forward.end(),
                    [](const Kernel& kernel) { return kernel.kind == KernelKind::Gemm; });
  const bool routed = op.part == ModelPart::Experts;
  const double ranks = op.name == kExpertUp         ? z.expert_tensor
                       : op.split == Split::Columns ? z.tensor
                                                    : 1;
  const auto add = [&](bool is_asked, double width) {
    if (is_asked) {
      outputs.push_back({width, width * ranks});
    }
  };
  if (op.name == kExpertUp || op.name.ends_with(kMlpUp)) {
    const double width = product.n / (z.model.gated_mlp ? 2 : 1);
    add(asked(LoraTarget::Up), width);
    add(z.model.gated_mlp && asked(LoraTarget::Gate), width);
  } else if (op.name == kExpertDown || op.name.ends_with(kMlpDown)) {
    add(asked(LoraTarget::Down), product.n);
  } else if (op.name == kProjection) {
    add(asked(LoraTarget::O), product.n);
  } else if (op.part != ModelPart::Router && !routed) {
    add(all, product.n);
  }
  return outputs;
}

void add_adapter(const RankShape& z, const Output& out, Operator& op) {
  const Kernel product =
      *std::find_if(op.forward.begin(), op.forward.end(),
                    [](const Kernel& kernel) { return kernel.kind == KernelKind::Gemm; });
  const bool wide = z.training.lora.wide;
  const double base = z.element;
  const double e = wide ? kWide : base;
  const double t = product.m;
  const double in = product.k;
  const double r = z.training.lora.rank;
  const bool routed = op.part == ModelPart::Experts;
  const double ranks = routed ? z.expert_tensor : z.tensor;  // that share the product
  const bool columns = op.split == Split::Columns || op.name == kExpertUp;
  const bool rows = op.split == Split::Rows || op.name == kExpertDown;
  const double share_a = columns ? 1 / ranks : 1;
  const double share_b = rows ? 1 / ranks : 1;
  const double held = product.batch;  // of such products
  const double everywhere = routed ? z.model.experts.count : 1;
  // Of the rank that has most tokens, too, for which the others wait.
  const double fullest = product.fullest.empty() ? 1 : product.fullest[0].m / product.m;
  const auto beside_fullest = [&](const auto& make) {
    Kernel kernel = make(1);
    if (fullest > 1) {
      kernel.fullest = {make(fullest)};
    }
    return kernel;
  };
  const double counted = routed ? product.model_flops / product.flops : 1;
  const auto of_tokens = [&](double n, double k, double share) {
    return beside_fullest([&](double more) {
      Kernel kernel = gemm(more * t, n, k, held, e);
      kernel.width = wide ? KernelWidth::Full : KernelWidth::Usual;
      kernel.model_flops = counted * share * kernel.model_flops;
      return kernel;
    });
  };
  const auto of_weight = [&](double m, double n, double share) {
    return beside_fullest([&](double more) {
      Kernel kernel = gemm(m, n, more * t, held, e, {z.gradient * m * n * held});
      kernel.width = wide ? KernelWidth::Full : KernelWidth::Usual;
      kernel.model_flops = counted * share * kernel.model_flops;
      return kernel;
    });
  };
  // Elementwise operators, one after the other: their bytes of a token, and kernels.
  const auto pass = [&](double bytes, int kernels) {
    return beside_fullest([&](double more) {
      return memory_pass(more * t * held * bytes, PassKind::Stream, kernels);
    });
  };
  const auto add = [](Kernels& kernels, Kernels more) {
    kernels.insert(kernels.end(), more.begin(), more.end());
  };
  if (fuses_adapters(z)) {
    const auto into_sum = [&](double n, double k, double share) {
      Kernel kernel = of_tokens(n, k, share);
      kernel.bytes += Bytes{base * t * n * held};
      return kernel;
    };
    add(op.forward, {of_tokens(r, in, share_a), into_sum(out.held, r, share_b)});
    add(op.input_gradient, {of_tokens(r, out.held, share_b), into_sum(in, r, share_a)});
  } else {
    add(op.forward, {of_tokens(r, in, share_a), of_tokens(out.held, r, share_b)});
    add(op.input_gradient, {of_tokens(r, out.held, share_b), of_tokens(in, r, share_a)});
  }
  add(op.weight_gradient, {of_weight(in, r, share_a), of_weight(r, out.held, share_b)});
  constexpr double kMask = 1;  // bytes
  const bool apart = !fuses_adapters(z);
  const bool drops = z.training.lora.dropout > 0;
  const double both_ways =
      (wide ? (in + out.held) * (base + e) : 0) + (drops ? in * (2 * e + kMask) : 0);
  const int kernels = (apart ? 2 : 0) + (wide ? 2 : 0) + (drops ? 1 : 0);
  if (kernels > 0) {
    const double forward = apart ? out.held * (2 * e + (base + 2 * e)) : 0;
    const double backward = apart ? out.held * 2 * e + in * 3 * base : 0;
    add(op.forward, {pass(forward + both_ways, kernels)});
    add(op.input_gradient, {pass(backward + both_ways, kernels)});
  }
  if (drops) {
    op.kept += Bytes{kMask * t * in * held * fullest};
  }
  if (makes_own_input(z.training.lora)) {
    op.kept += Bytes{e * t * in * held * fullest};
  }
  op.adapter.copies = op.weight.copies;
  op.adapter.active = op.weight.active;
  op.adapter.whole += everywhere * r * (in * (rows ? ranks : 1) + out.whole);
  op.adapter.held += held * r * (in + out.held);
  op.kept += Bytes{e * t * r * held * fullest};
}

/// The product's input, which was not kept for its own weight.
Bytes input_of(const RankShape& z, const Operator& op) {
  for (const Kernel& kernel : op.forward) {
    if (kernel.kind == KernelKind::Gemm) {
      const bool gathered = op.split == Split::Columns && z.splits_sequence;
      const double rows = kernel.batch * (kernel.fullest.empty() ? kernel.m : kernel.fullest[0].m);
      return {z.element * rows * kernel.k / (gathered ? z.tensor : 1)};
    }
  }
  return {};
}

void add_adapters(const RankShape& z, Block& block) {
  for (std::size_t i = 0; i < block.steps.size(); ++i) {
    auto* op = std::get_if<Operator>(&block.steps[i]);
    if (op == nullptr || !op->is_product()) {
      continue;
    }
    const std::vector<Output> outputs = outputs_of(z, *op);
    if (outputs.empty()) {
      continue;
    }
    if (!makes_own_input(z.training.lora)) {
      op->kept = std::max(op->kept, input_of(z, *op));
    }
    for (const Output& output : outputs) {
      add_adapter(z, output, *op);
    }
    auto* before = i > 0 ? std::get_if<Exchange>(&block.steps[i - 1]) : nullptr;
    if (before != nullptr && before->forward) {
      before->forward->share = 1;  // adapters need it in 16 bits
    }
  }
}

void keep_in_four_bits(const RankShape& z, Block& block) {
  for (Step& step : block.steps) {
    auto* op = std::get_if<Operator>(&step);
    if (op == nullptr || !op->is_frozen_product || op->name == kRouter) {
      continue;
    }
    const Kernel widen = memory_pass(op->weight.held * (kFourBitBytes + z.element));
    op->forward.insert(op->forward.begin(), widen);
    op->input_gradient.insert(op->input_gradient.begin(), widen);
    op->weight.four_bit = true;
  }
}

}  // namespace

bool needs_wide_input(const RankShape& z, const Operator& product) {
  return z.training.lora.is_there() && !fuses_adapters(z) && !outputs_of(z, product).empty();
}

void add_adapters(const RankShape& z, ModelBlocks& model) {
  if (!z.training.lora.is_there()) {
    return;
  }
  for (Block& block : model.kinds) {
    if (z.training.lora.four_bit_base) {
      keep_in_four_bits(z, block);
    }
    add_adapters(z, block);
  }
}

}  // namespace danlu
