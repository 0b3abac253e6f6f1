#include "sim/workload/layer.hpp"

namespace danlu {
namespace {

constexpr double kHalf = 2;         // bytes of a 16-bit element
constexpr double kMask = 1;         // bytes of a dropout mask's element
constexpr double kGradient = 8;     // an fp32 gradient read and written back

/// The sizes that all kernels of a rank share.
struct Sizes {
  explicit Sizes(const Workload& w)
      : model(w.model),
        training(w.training),
        batch(w.training.micro_batch),
        sequence(w.training.sequence_length),
        tokens(batch * sequence),
        tensor(w.parallelism.tensor),
        local_tokens(w.parallelism.sequence ? tokens / tensor : tokens) {}

  const ModelSpec& model;
  const TrainingSpec& training;
  double batch, sequence, tokens, tensor;
  double local_tokens;  // where sequence parallelism splits them
};

ParallelLinear linear(double tokens, double in, double out) {
  return {.forward = gemm(tokens, out, in),
          .backward_input = gemm(tokens, in, out),
          .backward_weight = gemm(in, out, tokens, 1, Bytes{kGradient * in * out})};
}

/// Attention as separate products, softmax and dropout over the s x s scores.
void add_unfused_attention(const Sizes& z, LayerKernels& layer) {
  const double heads = z.batch * z.model.heads / z.tensor;
  const double s = z.sequence;
  const double d = z.model.head_dim;
  const double scores = heads * s * s;
  const double dropout = z.training.dropout ? scores * (2 * kHalf + kMask) : 0;
  layer.attention_forward = {gemm(s, s, d, heads), memory_pass(scores * 2 * kHalf)};
  layer.attention_backward = {gemm(s, s, d, heads), gemm(s, d, s, heads)};  // through the values
  if (z.training.dropout) {
    layer.attention_forward.push_back(memory_pass(dropout));
    layer.attention_backward.push_back(memory_pass(dropout));
  }
  layer.attention_forward.push_back(gemm(s, d, s, heads));
  layer.attention_backward.push_back(memory_pass(scores * 3 * kHalf));
  layer.attention_backward.push_back(gemm(s, d, s, heads));  // queries
  layer.attention_backward.push_back(gemm(s, d, s, heads));  // keys
}

/// One fused causal kernel: it does half of the square, backward does the scores once more.
void add_flash_attention(const Sizes& z, LayerKernels& layer) {
  const double share = z.batch / z.tensor;
  const Flops done = share * attention_core_flops(z.model, z.sequence, true);
  const Flops counted =
      share * attention_core_flops(z.model, z.sequence, z.training.causal_flops);
  const double qkvo = z.tokens / z.tensor * 2 * (z.model.query_width() + z.model.kv_width());
  layer.attention_forward = {{.kind = KernelKind::AttentionForward,
                              .flops = done,
                              .model_flops = counted,
                              .bytes = {kHalf * qkvo}}};
  layer.attention_backward = {{.kind = KernelKind::AttentionBackward,
                               .flops = 2.5 * done,
                               .model_flops = 2 * counted,
                               .bytes = {2 * kHalf * qkvo}}};
}

void add_rotary(const Sizes& z, LayerKernels& layer) {
  if (z.model.positions == 0) {
    const double turned = z.tokens / z.tensor * (z.model.query_width() + z.model.kv_width());
    layer.attention_forward.insert(layer.attention_forward.begin(),
                                   memory_pass(turned * 2 * kHalf));
    layer.attention_backward.push_back(memory_pass(turned * 2 * kHalf));
  }
}

}  // namespace

LayerKernels layer_kernels(const Workload& workload) {
  const Sizes z(workload);
  const double h = z.model.hidden;
  const double f = z.model.ffn / z.tensor;
  const double q = z.model.query_width() / z.tensor;
  const double kv = z.model.kv_width() / z.tensor;
  const double boundary = z.local_tokens * h;
  const double mask = z.training.dropout ? kMask : 0;

  LayerKernels layer;
  layer.norm_forward = {memory_pass(boundary * 2 * kHalf)};
  layer.norm_backward = {memory_pass(boundary * 3 * kHalf)};
  layer.residual_forward = {memory_pass(boundary * (3 * kHalf + mask))};
  layer.residual_backward = {memory_pass(boundary * (2 * kHalf + mask))};
  layer.qkv = linear(z.tokens, h, q + 2 * kv);
  layer.projection = linear(z.tokens, q, h);
  layer.mlp_up = linear(z.tokens, h, z.model.gated_mlp ? 2 * f : f);
  layer.mlp_down = linear(z.tokens, f, h);
  const double inputs = z.model.gated_mlp ? 2 : 1;
  layer.activation_forward = {memory_pass(z.tokens * f * (inputs + 1) * kHalf)};
  layer.activation_backward = {memory_pass(z.tokens * f * (2 * inputs + 1) * kHalf)};
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
  const double vocab = z.model.vocab / z.tensor;
  const double boundary = z.local_tokens * h;
  EndKernels ends;
  ends.embedding_forward = {memory_pass(z.tokens * h * 2 * kHalf)};
  ends.embedding_backward = {memory_pass(z.tokens * h * (kHalf + kGradient))};
  ends.final_norm_forward = {memory_pass(boundary * 2 * kHalf)};
  ends.final_norm_backward = {memory_pass(boundary * 3 * kHalf)};
  ends.logits = linear(z.tokens, h, vocab);
  // fp32 logits: cast (2 + 4 bytes), maximum (4), exponential (8); backward reads 4, writes 2.
  ends.loss_forward = {memory_pass(z.tokens * vocab * 18)};
  ends.loss_backward = {memory_pass(z.tokens * vocab * 6)};
  return ends;
}

Bytes boundary_bytes(const Workload& workload) {
  return {kHalf * workload.training.micro_batch * workload.training.sequence_length *
          workload.model.hidden};
}

Kernel piece_of(const Kernel& kernel, int pieces) {
  return gemm(kernel.m / pieces, kernel.n, kernel.k, kernel.batch);
}

}  // namespace danlu
