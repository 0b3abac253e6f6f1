#include "sim/scenario/key_rows.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

using namespace rows;

std::vector<KeyRow> width_keys() {
  return {
      choice("training.fp8_recipe", &TrainingSpec::fp8_recipe, "delayed",
             "Where the scales of fp8 come from, by Megatron-LM's names: from the steps before, "
             "from each array itself, or from blocks of it"),
      choice("training.fp8_amax", &TrainingSpec::fp8_amax, "own",
             "With delayed scaling: whose largest values scales come from: each rank's own; those "
             "of tensor and context ranks; those of all ranks of a stage. They are shared by an "
             "all-reduce behind each pass of a chunk, which compute waits for"),
      flag("training.fp8_transposes", &TrainingSpec::fp8_transposes, "true",
           "With a scale for a whole array (delayed, tensorwise) operands are written transposed, "
           "too, for backward; derived: false on GPUs of compute capability 10 and above, which "
           "multiply fp8 in every layout"),
      choice("training.narrow_weights", &TrainingSpec::narrow_weights,
             {{false, "copy"}, {true, "only"}}, "copy",
             "Below 16 bits: weights have narrow copies beside those in 16 bits, cast once a step; "
             "or the optimizer writes narrow ones, which are gathered so (Megatron-LM's "
             "--fp8-param-gather)"),
      enum_list_or_none(
          "training.kept_narrow", &TrainingSpec::kept_narrow,
          "What is kept narrower than computed from forward to backward: inputs of activation "
          "functions in 8 bits (activation), attention's output in 12 bits (attention), as in "
          "`[activation, attention]` of DeepSeek-V3; nothing if left out"),
      enum_list_or_none(
          "training.fused_casts", &TrainingSpec::fused_casts,
          "Below 16 bits: what quantises its own output for the product behind it, instead "
          "of a pass that does: norm, activation (and backward its gradient), as "
          "TransformerEngine does where the recipe lets it; where an adapter reads it, too, "
          "only with lora.fused; none if left out"),
      count("training.wide_first_layers", &TrainingSpec::wide_first_layers, 0, kMost, "0",
            "Below 16 bits: first layers whose products stay in bf16 (Megatron-LM's "
            "--first-last-layers-bf16)"),
      flag(
          "training.wide_head", &TrainingSpec::wide_head, "true",
          "Below 16 bits: whether the product that makes logits stays in 16 bits; in Megatron-core "
          "it is in mxfp8 with fp8_output_proj"),
      count("training.wide_last_layers", &TrainingSpec::wide_last_layers, 0, kMost, "0",
            "The same of the last layers"),
      choice("training.optimizer.kind", &OptimizerSpec::kind, "adam",
             "Adam or AdamW; SGD; Adafactor; Muon, with Adam for what is no matrix of a layer. "
             "`optimizer: NAME` says the same"),
      choice("training.optimizer.state_width", &OptimizerSpec::state_bytes,
             {{4, "fp32"}, {2, "16bit"}, {1, "8bit"}}, "fp32",
             "Of each of its moments; 8bit: with an fp32 scale for 256 values"),
      flag("training.optimizer.master", &OptimizerSpec::master, "true",
           "Weights in 16 bits have fp32 master weights; false: the optimizer updates the 16 bits"),
      flag("training.optimizer.momentum", &OptimizerSpec::momentum, "true", "Of sgd"),
      choice("training.optimizer.implementation", &OptimizerSpec::foreach,
             {{false, "fused"}, {true, "foreach"}}, "fused",
             "One kernel over all parameters (Apex, PyTorch's fused); or an operator at a time, as "
             "PyTorch does unless asked, which moves 2.7 times as much"),
      choice("training.accumulation", &TrainingSpec::accumulates_apart,
             {{false, "fused"}, {true, "pass"}}, "fused",
             "Gradients of weights are added to the sum of the step by their products "
             "(Megatron-LM's gradient accumulation fusion, TransformerEngine), or by a pass for "
             "each"),
      enum_list_or_none(
          "training.gradient_passes", &TrainingSpec::gradient_passes,
          "What a step does to gradients in passes of its own, as in `[zero, norm, clip]`; "
          "none if left out. Of all gradients that a rank holds: zero, check (for NaN), "
          "average (over replicas, where their sum does not), norm_all, clip_all, buckets (joined "
          "to be summed, and put back), check_copied and norm_copied (of a copy in fp32); of those "
          "that it updates: unscale (fp16 alone), norm, clip"),
      flag("training.gradient_copy", &TrainingSpec::gradient_copy, "false",
           "Gradients of all weights stand in 16 bits beside their sums in fp32 until a "
           "microbatch's backward pass is over (DeepSpeed's BF16_Optimizer, nanotron); without "
           "ZeRO-2, -3 and FSDP"),
      flag("training.placeholders", &TrainingSpec::placeholders, "false",
           "An empty 16-bit gradient is kept for each shape of a layer's weights "
           "(TransformerEngine, where products add to the sums), and one of the head's is made "
           "each time"),
      enum_list_or_none(
          "training.unfused", &TrainingSpec::unfused,
          "What runs in passes of its own, as in `[copies, biases, loss]`; none if left out. "
          "norm, positions, activation, residual, loss (in place): in PyTorch's single operators; "
          "gated: activations that are gated alone; partial_positions: of a quarter of each head, "
          "cut off and joined again; packing: queries, keys and values joined for a fused "
          "attention; "
          "softmax: the scores of unfused attention, too, as always where Megatron-LM's fused "
          "softmax cannot (sequences above 2048, sequences x heads of a rank no multiple of "
          "4); copies: of attention's output and gradients; biases: their gradients; "
          "added_biases: themselves, behind attention and MLP; gathers: "
          "around what tensor ranks gather and scatter along the sequence, logits that they "
          "gather, and FSDP's units (none of these: no effect); flat: FSDP's gradients are joined "
          "to one array, made as wide as they travel, and divided, before they are scattered"),
      count("training.lora.rank", &LoraSpec::rank, 1, 65536, "",
            "Low-rank adapters (LoRA) of this rank are trained, and nothing else"),
      enum_list(
          "training.lora.targets", &LoraSpec::targets,
          "Weights that have adapters, as in `[q, v]`; qkv is one adapter for all three; gate, up "
          "and down are of experts, too, each of which has its own"),
      number("training.lora.dropout", &LoraSpec::dropout, 0, 0.99, "0",
             "Probability of dropout before adapters, of what they read; how large it is costs "
             "nothing"),
      choice("training.lora.width", &LoraSpec::wide, {{false, "16bit"}, {true, "32bit"}}, "16bit",
             "Of adapters and of what they compute; 32bit: as Hugging Face's peft makes them "
             "beside a base in 16 bits, where no autocast narrows them"),
      flag(
          "training.lora.fused", &LoraSpec::fused, "false",
          "The scale of adapters and the sums with what they stand beside are part of their "
          "products (TransformerEngine's op fuser), not passes of their own; without tensor ranks"),
      choice("training.lora.base_width", &LoraSpec::four_bit_base,
             {{false, "16bit"}, {true, "4bit"}}, "16bit",
             "Of the frozen weights of layers; 4bit: NormalFloat with twice quantised scales, made "
             "wide for every product (QLoRA)"),
      enum_list("training.frozen", &TrainingSpec::frozen,
                "Parts of the model that are not trained, as in `[embedding, norms]`: no gradient, "
                "no optimizer state, and no backward pass below the lowest weight that is trained"),
      count("training.frozen_layers", &TrainingSpec::frozen_layers, 0, kMost, "0",
            "First layers that are not trained, whole"),
  };
}

}  // namespace danlu
