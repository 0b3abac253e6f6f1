#include <fmt/format.h>

#include <string>
#include <string_view>

#include "sim/scenario/key_rows.hpp"
#include "sim/workload/model.hpp"

namespace danlu {
namespace {

using namespace rows;

/// true, false, or the list "[qkv, mlp]".
Member<ModelSpec> biases_member() {
  const auto set = [](ModelSpec& model, const Value& value) {
    model.biases = value.text == "true" ? kUsualBiases : kNoBiases;
    if (value.text.starts_with('[')) {
      for (const std::string_view word : words_in(value.text)) {
        model.biases = model.biases | Biases{value_named<Biased>(word).value()};
      }
    }
  };
  const auto get = [](const ModelSpec& model) {
    if (model.biases == kUsualBiases || model.biases == kNoBiases) {
      return Value{.text = model.biases == kNoBiases ? "false" : "true"};
    }
    std::string words;
    for (const auto& [product, name] : kNames<Biased>) {
      if (model.biases.on(product)) {
        words += fmt::format("{}{}", words.empty() ? "" : ", ", name);
      }
    }
    return Value{.text = fmt::format("[{}]", words)};
  };
  return {.set = set, .get = get};
}

}  // namespace

std::vector<KeyRow> model_keys() {
  return {
      text("model.preset", kByHand, "",
           "A model of danlu list models; `model: NAME` says the same. Other keys override it"),
      text("model.huggingface", kByHand, "",
           "A config.json of Hugging Face to take the model from, by its path from this file's "
           "folder; other keys override it. [What becomes what](huggingface.md)"),
      count("model.layers", &ModelSpec::layers, 1, kMost, "",
            "Transformer layers; required without a preset"),
      count("model.hidden", &ModelSpec::hidden, 1, kMost, "",
            "Hidden size; required without a preset"),
      count("model.heads", &ModelSpec::heads, 1, kMost, "",
            "Attention heads; required without a preset"),
      count("model.kv_heads", &ModelSpec::kv_heads, 1, kMost, "",
            "Key-value heads; as many as heads if left out"),
      count("model.head_dim", &ModelSpec::head_dim, 1, kMost, "",
            "Width of a head; hidden / heads if left out"),
      count("model.ffn", &ModelSpec::ffn, 1, 1e7, "", "Width of the MLP; 4 x hidden if left out"),
      count("model.vocab", &ModelSpec::vocab, 1, 1e7, "",
            "Vocabulary, as padded for training; required without a preset"),
      count("model.positions", &ModelSpec::positions, 0, 1e9, "",
            "Rows of a learned position table; 0 for rotary or ALiBi, as in an own model that "
            "leaves it out"),
      flag("model.gated_mlp", &ModelSpec::gated_mlp, "",
           "Three MLP matrices (SwiGLU, GeGLU) instead of two; false in an own model that leaves "
           "it out: the report says what an own model is taken for"),
      flag("model.tied_embeddings", &ModelSpec::tied_embeddings, "",
           "Input and output embedding are one table; true in an own model that leaves it out"),
      words("model.biases", biases_member(), "true|false", choices_of(words_of<Biased>()), "",
            "Which products have biases, as in `[qkv, output]`; true: all but the logits (head). "
            "True in an own model that leaves it out"),
      choice("model.norm", &ModelSpec::norm, "",
             "Kind of normalisation; layernorm in an own model that leaves it out"),
      count("model.norms", &ModelSpec::norms, 1, 4, "",
            "Norms a layer: 2 before its halves, as if left out; 4 behind them, too (Gemma 2); 1 "
            "before attention and MLP side by side (GPT-J, PaLM). 3 there is none"),
      flag("model.parallel_residual", &ModelSpec::parallel_residual, "",
           "Attention and MLP stand side by side and are summed once, each behind its own norm "
           "(Pythia, Falcon 40B; gpt_j_residual of GPT-NeoX); false if left out, but with one "
           "norm, before both"),
      flag("model.embedding_norm", &ModelSpec::embedding_norm, "",
           "A norm behind the embedding (BLOOM); false if left out"),
      choice("model.qk_norm", &ModelSpec::qk_norm, "",
             "Norms of queries and keys: with weights for one head, which all share (Qwen 3), or "
             "for all of them (OLMo 2); none if left out"),
      count("model.value_dim", &ModelSpec::value_dim, 0, kMost, "",
            "Width of a head's values; head_dim if 0 or left out"),
      count("model.latent.kv_rank", member_at(&ModelSpec::latent, &Latent::kv_rank), 0, kMost, "",
            "Latent attention (MLA, DeepSeek): width of what keys and values are made of; 0 or "
            "left out: none. head_dim is then a head's part without positions"),
      count("model.latent.query_rank", member_at(&ModelSpec::latent, &Latent::query_rank), 0, kMost,
            "", "The same of what queries are made of; 0 or left out: of the layer's input"),
      count("model.latent.rotary_dim", member_at(&ModelSpec::latent, &Latent::rotary_dim), 0, kMost,
            "", "What a head's query and key have for positions, beside head_dim; 0 if left out"),
      count("model.window", &ModelSpec::window, 0, 1e8, "",
            "Positions that one attends to, with itself; 0 or left out: all before it. "
            "training.attention_window sets it for all layers"),
      count("model.global_every", &ModelSpec::global_every, 0, kMost, "",
            "With window: each so-manieth layer sees all positions (Gemma 3: 6); 0 or left out: "
            "none does"),
      flag("model.final_norm", &ModelSpec::final_norm, "",
           "A norm before the logits; true if left out (BERT: false)"),
      choice("model.kind", &ModelSpec::kind, "",
             "What layers attend to: positions before one's own; all of them (BERT); or first an "
             "encoder's all of theirs, then a decoder's those before and all of the encoder's "
             "output (T5). decoder if left out"),
      count("model.encoder_layers", &ModelSpec::encoder_layers, 0, kMost, "",
            "Of an encoder-decoder: of `layers`, the first so many are the encoder's"),
      count("model.token_types", &ModelSpec::token_types, 0, 1e6, "",
            "Rows of a table of token types (BERT: 2); 0 if left out"),
      count("model.relative_positions", &ModelSpec::relative_positions, 0, 1e6, "",
            "Buckets of a table of relative positions with a value for each head, one in the "
            "encoder and one in the decoder (T5: 32); 0 if left out"),
      flag("model.pooler", &ModelSpec::pooler, "",
           "A product behind the first token (BERT); false if left out"),
      count("model.prediction_layers", &ModelSpec::prediction_layers, 0, 8, "",
            "Layers for multi-token prediction beside `layers`, on the last stage (DeepSeek-V3: "
            "1); 0 if left out"),
      flag("model.sinks", &ModelSpec::sinks, "",
           "A learned score for each head that joins its softmax (GPT-OSS); false if left out"),
  };
}

}  // namespace danlu
