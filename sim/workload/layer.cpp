#include "sim/workload/layer.hpp"

namespace danlu {
namespace {

constexpr double kMask = 1;  // bytes of a dropout mask's element

/// The sizes that all kernels of a rank share.
struct Sizes {
  explicit Sizes(const Workload& w)
      : model(w.model),
        training(w.training),
        batch(w.training.micro_batch),
        sequence(w.training.sequence_length),
        tokens(batch * sequence),
        tensor(w.parallelism.tensor),
        element(element_bytes(w.training.precision)),
        gradient(2.0 * w.training.gradient_bytes),
        local_tokens(w.parallelism.sequence ? tokens / tensor : tokens) {}

  const ModelSpec& model;
  const TrainingSpec& training;
  double batch, sequence, tokens, tensor;
  double element;       // bytes of an activation or weight
  double gradient;      // bytes of a gradient read and written back
  double local_tokens;  // where sequence parallelism splits them
};

ParallelLinear linear(const Sizes& z, double in, double out) {
  return {.forward = gemm(z.tokens, out, in, 1, z.element),
          .backward_input = gemm(z.tokens, in, out, 1, z.element),
          .backward_weight = gemm(in, out, z.tokens, 1, z.element, {z.gradient * in * out})};
}

/// Counts only a share of what a product does as the model's.
void count_only(double share, ParallelLinear& product) {
  for (Kernel* kernel : {&product.forward, &product.backward_input, &product.backward_weight}) {
    kernel->model_flops = share * kernel->model_flops;
  }
}

/// Attention as separate products, softmax and dropout over the s x s scores.
void add_unfused_attention(const Sizes& z, LayerKernels& layer) {
  const double heads = z.batch * z.model.heads / z.tensor;
  const double s = z.sequence;
  const double d = z.model.head_dim;
  const double scores = heads * s * s;
  const double dropout = z.training.dropout ? scores * (2 * z.element + kMask) : 0;
  layer.attention_forward = {gemm(s, s, d, heads, z.element), memory_pass(scores * 2 * z.element)};
  layer.attention_backward = {gemm(s, s, d, heads, z.element),
                              gemm(s, d, s, heads, z.element)};  // through the values
  if (z.training.dropout) {
    layer.attention_forward.push_back(memory_pass(dropout));
    layer.attention_backward.push_back(memory_pass(dropout));
  }
  layer.attention_forward.push_back(gemm(s, d, s, heads, z.element));
  layer.attention_backward.push_back(memory_pass(scores * 3 * z.element));
  layer.attention_backward.push_back(gemm(s, d, s, heads, z.element));  // queries
  layer.attention_backward.push_back(gemm(s, d, s, heads, z.element));  // keys
}

/// One fused causal kernel: it does half of the square, backward does the scores once more.
void add_flash_attention(const Sizes& z, LayerKernels& layer) {
  const double share = z.batch / z.tensor;
  const Flops done = share * attention_core_flops(z.model, z.sequence, true);
  const Flops counted = share * attention_core_flops(z.model, z.sequence, z.training.causal_flops);
  const double qkvo =
      z.tokens * 2 * (z.model.query_width() / z.tensor + z.model.rank_kv_width(z.tensor));
  layer.attention_forward = {{.kind = KernelKind::AttentionForward,
                              .flops = done,
                              .model_flops = counted,
                              .bytes = {z.element * qkvo}}};
  layer.attention_backward = {{.kind = KernelKind::AttentionBackward,
                               .flops = 2.5 * done,
                               .model_flops = 2 * counted,
                               .bytes = {2 * z.element * qkvo}}};
}

void add_rotary(const Sizes& z, LayerKernels& layer) {
  if (z.model.positions == 0) {
    const double turned =
        z.tokens * (z.model.query_width() / z.tensor + z.model.rank_kv_width(z.tensor));
    layer.attention_forward.insert(layer.attention_forward.begin(),
                                   memory_pass(turned * 2 * z.element));
    layer.attention_backward.push_back(memory_pass(turned * 2 * z.element));
  }
}

}  // namespace

LayerKernels layer_kernels(const Workload& workload) {
  const Sizes z(workload);
  const double h = z.model.hidden;
  const double f = z.model.ffn / z.tensor;
  const double q = z.model.query_width() / z.tensor;
  const double kv = z.model.rank_kv_width(z.tensor);
  const double boundary = z.local_tokens * h;
  const double mask = z.training.dropout ? kMask : 0;

  LayerKernels layer;
  layer.norm_forward = {memory_pass(boundary * 2 * z.element)};
  layer.norm_backward = {memory_pass(boundary * 3 * z.element)};
  layer.residual_forward = {memory_pass(boundary * (3 * z.element + mask))};
  layer.residual_backward = {memory_pass(boundary * (2 * z.element + mask))};
  layer.qkv = linear(z, h, q + 2 * kv);
  const double own = (q + 2 * z.model.kv_width() / z.tensor) / (q + 2 * kv);
  count_only(own, layer.qkv);  // copies of key-value heads are not the model's work
  layer.projection = linear(z, q, h);
  layer.mlp_up = linear(z, h, z.model.gated_mlp ? 2 * f : f);
  layer.mlp_down = linear(z, f, h);
  const double inputs = z.model.gated_mlp ? 2 : 1;
  layer.activation_forward = {memory_pass(z.tokens * f * (inputs + 1) * z.element)};
  layer.activation_backward = {memory_pass(z.tokens * f * (2 * inputs + 1) * z.element)};
  if (z.training.attention == AttentionKind::Flash) {
    add_flash_attention(z, layer);
  } else {
    add_unfused_attention(z, layer);
    if (z.training.causal_flops) {
      for (auto* kernels : {&layer.attention_forward, &layer.attention_backward}) {
        for (Kernel& kernel : *kernels) {
          kernel.model_flops = kernel.model_flops / 2;
        }
      }
    }
  }
  add_rotary(z, layer);
  return layer;
}

EndKernels end_kernels(const Workload& workload) {
  const Sizes z(workload);
  const double h = z.model.hidden;
  const double vocab = z.model.rank_vocab(workload.parallelism.tensor);
  const double boundary = z.local_tokens * h;
  EndKernels ends;
  ends.embedding_forward = {memory_pass(z.tokens * h * 2 * z.element)};
  ends.embedding_backward = {memory_pass(z.tokens * h * (z.element + z.gradient))};
  ends.final_norm_forward = {memory_pass(boundary * 2 * z.element)};
  ends.final_norm_backward = {memory_pass(boundary * 3 * z.element)};
  ends.logits = linear(z, h, vocab);
  count_only(z.model.vocab / (vocab * z.tensor), ends.logits);  // rows of padding
  // fp32 logits: cast (2 + 4 bytes), maximum (4), exponential (8); backward reads 4, writes 2.
  ends.loss_forward = {memory_pass(z.tokens * vocab * 18)};
  ends.loss_backward = {memory_pass(z.tokens * vocab * 6)};
  return ends;
}

Bytes boundary_bytes(const Workload& workload) {
  return {element_bytes(workload.training.precision) * workload.training.micro_batch *
          workload.training.sequence_length * workload.model.hidden};
}

Kernel piece_of(const Workload& workload, const Kernel& kernel, int pieces) {
  Kernel piece = gemm(kernel.m / pieces, kernel.n, kernel.k, kernel.batch,
                      element_bytes(workload.training.precision));
  piece.model_flops = kernel.model_flops / pieces;
  return piece;
}

}  // namespace danlu
