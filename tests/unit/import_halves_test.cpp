// Encoder-decoders of other programs, whose files have sizes, lengths and stages half by half.
#include <gtest/gtest.h>

#include "tests/support/imports.hpp"

namespace danlu {
namespace {

using testing::imported;
using testing::imported_scenario;
using testing::says;

// NeMo's T5 has its sizes by halves.
TEST(Import, NemosEncoderDecoderIsTaken) {
  const std::string text = R"yaml(
trainer: {num_nodes: 4, devices: 8, precision: bf16, max_steps: 10}
model:
  mcore_t5: True
  micro_batch_size: 4
  global_batch_size: 128
  tensor_model_parallel_size: 2
  pipeline_model_parallel_size: 4
  pipeline_model_parallel_split_rank: ${divide_floor:${.pipeline_model_parallel_size}, 2}
  seq_length: 512
  max_position_embeddings: ${.seq_length}
  share_decoder_tokens_head_embeddings: True
  encoder:
    num_layers: 12
    hidden_size: 1024
    ffn_hidden_size: 2816
    num_attention_heads: 16
    kv_channels: 64
    position_embedding_type: POSITIONS
    relative_attention_num_buckets: 48
    activation: geglu
    hidden_dropout: 0.0
    attention_dropout: 0.0
    activations_checkpoint_granularity: full
    activations_checkpoint_method: block
    activations_checkpoint_num_layers: 1
  decoder:
    num_layers: 24
    hidden_size: 1024
    ffn_hidden_size: FFN
    num_attention_heads: 16
    kv_channels: 64
    position_embedding_type: POSITIONS
  data: {seq_length: 512, seq_length_dec: 128}
)yaml";
  const auto with = [&](const std::string& positions, const std::string& ffn) {
    std::string made = text;
    for (const auto& [word, value] : {std::pair("POSITIONS", positions), {"FFN", ffn}}) {
      for (std::size_t at = made.find(word); at != std::string::npos; at = made.find(word)) {
        made.replace(at, std::string_view(word).size(), value);
      }
    }
    return made;
  };
  const ImportOptions options{.topology = "dgx-a100", .vocab = 32128};
  for (const std::string positions : {"learned_absolute", "relative"}) {
    const Workload w = imported_scenario("nemo", with(positions, "2816"), options).workload;
    EXPECT_EQ(w.model.kind, ModelKind::EncoderDecoder);
    EXPECT_EQ(w.model.encoder_layers, 12);
    EXPECT_EQ(w.model.layers, 36);
    EXPECT_EQ(w.model.ffn, 2816);
    EXPECT_TRUE(w.model.gated_mlp);
    EXPECT_EQ(w.model.positions, positions == "relative" ? 0 : 512);
    EXPECT_EQ(w.model.relative_positions, positions == "relative" ? 48 : 0);
    EXPECT_EQ(w.training.decoder_length, 128);
    EXPECT_EQ(w.training.recompute_layers, std::vector{1});
    EXPECT_FALSE(w.training.dropout);
    EXPECT_EQ(w.parallelism.stage_layers, (std::vector{6, 6, 12, 12}));
  }
  const Imported unlike = imported("nemo", with("relative", "4096"), options);
  EXPECT_TRUE(says(unlike,
                   "model.decoder.ffn_hidden_size, line 30: the encoder has 2816, which is "
                   "taken for both halves"))
      << unlike.scenario;
}

// Megatron-LM's flags of T5, with the decoder's stages among all or beside the encoder's.
TEST(Import, MegatronsEncoderDecoderIsTaken) {
  const std::string text =
      "torchrun --nnodes 1 --nproc-per-node 8 pretrain_t5.py --encoder-num-layers 12 "
      "--decoder-num-layers 18 --hidden-size 768 --num-attention-heads 12 --kv-channels 64 "
      "--ffn-hidden-size 3072 --encoder-seq-length 512 --decoder-seq-length 128 "
      "--position-embedding-type relative --max-position-embeddings 512 --vocab-size 32128 "
      "--micro-batch-size 4 --global-batch-size 64 --bf16 ";
  for (const char* stages :
       {"--pipeline-model-parallel-size 4 --pipeline-model-parallel-split-rank 2",
        "--pipeline-model-parallel-size 2 --encoder-pipeline-model-parallel-size 2"}) {
    const Workload w = imported_scenario("megatron", text + stages).workload;
    EXPECT_EQ(w.model.kind, ModelKind::EncoderDecoder);
    EXPECT_EQ(w.model.layers, 30);
    EXPECT_EQ(w.model.encoder_layers, 12);
    EXPECT_EQ(w.model.relative_positions, 32);
    EXPECT_EQ(w.model.positions, 0);
    EXPECT_EQ(w.parallelism.stage_layers, (std::vector{6, 6, 9, 9}));
    EXPECT_EQ(w.decoder_stage(), 2);
    EXPECT_EQ(w.training.sequence_length, 512);
    EXPECT_EQ(w.training.decoder_length, 128);
    const Imported result = imported("megatron", text + stages, {.topology = "dgx-h100"});
    EXPECT_FALSE(says(result, "the script starts")) << result.scenario;
  }
  const Imported uneven = imported(
      "megatron", text + "--pipeline-model-parallel-size 8 --pipeline-model-parallel-split-rank 4",
      {.topology = "dgx-h100"});
  EXPECT_TRUE(says(uneven,
                   "12 layers of the encoder on 4 stages and 18 of the decoder on 4 are "
                   "not shared evenly"))
      << uneven.scenario;
}

}  // namespace
}  // namespace danlu
