#include "tests/support/closed_forms.hpp"

namespace danlu::testing {

double layer_matrix_parameters(const ModelSpec& model) {
  const double attention =
      model.hidden * (model.query_width() + model.key_width() + model.value_width()) +
      model.output_width() * model.hidden;
  const double mlp = model.mlp_matrices() * model.hidden * model.ffn;
  return attention + mlp;
}

double layer_parameters(const ModelSpec& model) {
  double biases = 0;
  if (model.biases.on(Biased::Qkv)) {
    biases += model.query_width() + model.key_width() + model.value_width();
  }
  biases += model.biases.on(Biased::Output) ? model.hidden : 0;
  biases +=
      model.biases.on(Biased::Mlp) ? (model.mlp_matrices() - 1) * model.ffn + model.hidden : 0;
  return layer_matrix_parameters(model) + biases + 2 * model.norm_parameters();
}

double rank_layer_parameters(const ModelSpec& model, int tensor) {
  const double t = tensor;
  const double h = model.hidden;
  const double query = model.query_width() / t;
  const double kv = model.rank_key_width(t);
  const double up = (model.mlp_matrices() - 1) * model.ffn / t;
  const bool has_biases = model.biases == kUsualBiases;
  const double split_biases = has_biases ? query + 2 * kv + up : 0;
  const double whole_biases = has_biases ? 2 * h : 0;
  const double matrices = h * (query + 2 * kv) + query * h + h * up + model.ffn / t * h;
  return matrices + split_biases + whole_biases + 2 * model.norm_parameters();
}

double embedding_parameters(const ModelSpec& model) {
  return (static_cast<double>(model.vocab) + model.positions) * model.hidden;
}

double head_parameters(const ModelSpec& model) {
  return model.tied_embeddings ? 0 : static_cast<double>(model.vocab) * model.hidden;
}

double all_parameters(const ModelSpec& model) {
  return model.layers * layer_parameters(model) + embedding_parameters(model) +
         model.norm_parameters() + head_parameters(model);
}

Flops attention_core_flops(const ModelSpec& model, double sequence, bool causal) {
  const double square = causal ? sequence * sequence / 2 : sequence * sequence;
  return {2 * 2 * square * model.query_width()};
}

Flops model_flops(const ModelSpec& model, double sequences, double sequence, bool causal) {
  const double tokens = sequences * sequence;
  const Flops layer = Flops{2 * tokens * layer_matrix_parameters(model)} +
                      sequences * attention_core_flops(model, sequence, causal);
  const Flops logits{2 * tokens * model.hidden * model.vocab};
  return 3 * (model.layers * layer + logits);  // backward is twice forward
}

}  // namespace danlu::testing
