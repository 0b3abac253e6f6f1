// Megatron-LM: the arguments of pretrain_gpt.py or pretrain_t5.py in a launch script, or alone.
// Names and defaults are those of megatron/training/arguments.py and
// megatron/core/transformer/transformer_config.py (github.com/NVIDIA/Megatron-LM).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "sim/base/text.hpp"
#include "sim/base/units.hpp"
#include "sim/import/import.hpp"
#include "sim/import/megatron_arguments.hpp"
#include "sim/import/megatron_core.hpp"
#include "sim/import/megatron_model.hpp"
#include "sim/import/pipeline_layout.hpp"
#include "sim/import/shell.hpp"

namespace danlu {
namespace megatron {  // the folder is built as one
namespace {

using enum Reading;

constexpr std::string_view kFramework = "megatron-core";

constexpr CoreNames kCore{.graph_kind = "--cuda-graph-impl",
                          .graph_parts = "--cuda-graph-scope|--cuda-graph-modules",
                          .local_graphs = "--enable-cuda-graph",
                          .engine_graphs = "--external-cuda-graph",
                          .expert_groups = "--moe-router-num-groups",
                          .groups_per_token = "--moe-router-group-topk",
                          .gpus_of_node = "--nproc-per-node|--num-gpus",
                          .fsdp = "--use-megatron-fsdp|--use-custom-fsdp",
                          .sharding_strategy = "--data-parallel-sharding-strategy",
                          .optimizer_instances = "--num-distributed-optimizer-instances",
                          .fused_loss = "--cross-entropy-loss-fusion",
                          .loss_kernel = "--cross-entropy-fusion-impl",
                          .wide_ends = "--first-last-layers-bf16",
                          .wide_first = "--num-layers-at-start-in-bf16",
                          .wide_last = "--num-layers-at-end-in-bf16",
                          .fused_positions = "--no-rope-fusion",
                          .fused_activation = "--no-bias-gelu-fusion|--no-bias-swiglu-fusion",
                          .fused_softmax = "--no-masked-softmax-fusion",
                          .fused_sums = "--no-gradient-accumulation-fusion",
                          .negated = true};

const std::vector<FlagRow>& rows() {
  static const std::vector<FlagRow> all{
      {"--num-layers|--encoder-num-layers", "model.layers", Count},
      {"--decoder-num-layers", "model.kind|model.encoder_layers", Fact,
       "an encoder-decoder (pretrain_t5.py), whose encoder has --encoder-num-layers"},
      {"--hidden-size", "model.hidden", Count},
      {"--num-attention-heads", "model.heads", Count},
      {"--ffn-hidden-size", "model.ffn", Count},
      {"--kv-channels", "model.head_dim", Count},
      {"--group-query-attention", "model.kv_heads", Fact, "as many as --num-query-groups"},
      {"--num-query-groups", "model.kv_heads", Fact, "with --group-query-attention"},
      {"--swiglu", "model.gated_mlp", On,
       "and an MLP of 8/3 x hidden in multiples of 64 without "
       "--ffn-hidden-size"},
      {"--quick-geglu|--geglu", "model.gated_mlp", On},
      {"--window-size", "model.window", Fact, "its left number and the position itself"},
      {"--window-attn-skip-freq", "model.global_every", Count},
      {"--softmax-type",
       "model.sinks",
       Words,
       "",
       {{"vanilla", ""}, {"learnable", "true"}, {"off-by-one", ""}}},
      {"--normalization",
       "model.norm",
       Words,
       "",
       {{"LayerNorm", "layernorm"}, {"RMSNorm", "rmsnorm"}}},
      {"--disable-bias-linear", "model.biases", Fact, "no product has biases"},
      {"--add-qkv-bias", "model.biases", Fact, "of queries, keys and values alone"},
      {"--untie-embeddings-and-output-weights", "model.tied_embeddings", On, "", {{"", "false"}}},
      {"--qk-layernorm",
       "model.qk_norm",
       On,
       "latent attention has its norms in any case",
       {{"", "head"}}},
      {"--max-position-embeddings", "model.positions", Fact, "of a learned table"},
      {"--position-embedding-type|--use-rotary-position-embeddings|--no-position-embedding",
       "model.positions", Fact, "rope, yarn, relative and none have no table"},
      {"--relative-attention-num-buckets", "model.relative_positions", Fact,
       "with --position-embedding-type relative; 32 without it"},
      {"--vocab-size|--padded-vocab-size|--make-vocab-size-divisible-by|--tokenizer-type",
       "model.vocab", Fact,
       "padded to a multiple of 128 (or the given number) x tensor, as Megatron does; of "
       "GPT2BPETokenizer 50257 words"},
      {"--num-experts", "model.experts.count", Count},
      {"--moe-router-topk", "model.experts.per_token", Count},
      {"--moe-ffn-hidden-size", "model.experts.ffn", Count},
      {"--moe-shared-expert-intermediate-size", "model.experts.shared_ffn", Count},
      {"--moe-shared-expert-gate", "model.experts.shared_gate", On},
      {"--moe-layer-freq", "model.experts.dense_layers|model.experts.every", Fact,
       "a number, or ([0]*dense+[1]*others)"},
      {"--moe-expert-capacity-factor", "training.experts.capacity", Number},
      {"--moe-token-dispatcher-type",
       "parallelism.expert_exchange",
       Words,
       "",
       {{"alltoall", "all-to-all"}, {"flex", "deepep"}}},
      {"--moe-enable-deepep", "parallelism.expert_exchange", On, "", {{"", "deepep"}}},
      {"--moe-pad-expert-input-to-capacity", "training.experts.pad", On},
      {"--moe-shared-expert-overlap", "parallelism.overlap.shared_experts", On},
      {"--activation-func-fp8-input-store", "training.kept_narrow", On, "", {{"", "activation"}}},
      {"--overlap-moe-expert-parallel-comm", "parallelism.overlap.pair", On},
      {"--multi-latent-attention", "model.latent.kv_rank", Fact, "with the ranks and widths below"},
      {"--q-lora-rank", "model.latent.query_rank", Fact},
      {"--kv-lora-rank", "model.latent.kv_rank", Fact, "512 without it"},
      {"--qk-head-dim", "model.head_dim", Fact, "with --multi-latent-attention; 128 without it"},
      {"--qk-pos-emb-head-dim", "model.latent.rotary_dim", Fact, "64 without it"},
      {"--v-head-dim", "model.value_dim", Fact, "128 without it"},
      {"--mtp-num-layers", "model.prediction_layers", Count},
      {"--mtp-loss-scaling-factor", "", Idle, "changes what is learnt"},
      {"--tensor-model-parallel-size|--model-parallel-size", "parallelism.tensor", Count},
      {"--pipeline-model-parallel-size", "parallelism.pipeline", Count},
      {"--pipeline-model-parallel-split-rank", "parallelism.stage_layers", Fact,
       "the encoder's layers on so many stages, the decoder's on the others"},
      {"--encoder-pipeline-model-parallel-size", "parallelism.pipeline|parallelism.stage_layers",
       Fact, "stages of the encoder, beside --pipeline-model-parallel-size of the decoder"},
      {"--context-parallel-size", "parallelism.context|parallelism.ulysses", Fact,
       "ulysses with --cp-comm-type a2a; both with a2a+p2p"},
      {"--hierarchical-context-parallel-sizes", "parallelism.ulysses|parallelism.context", Fact,
       "of a2a+p2p: the first is ulysses, the second context"},
      {"--cp-comm-type", "parallelism.context_exchange", Fact,
       "p2p: ring; all_gather; one for all layers"},
      {"--expert-model-parallel-size", "parallelism.expert", Count},
      {"--expert-tensor-parallel-size", "parallelism.expert_tensor", Count},
      {"--sequence-parallel", "parallelism.sequence", On},
      {"--use-tp-pp-dp-mapping", "parallelism.outermost", On, "", {{"", "data"}}},
      {"--decoder-first-pipeline-num-layers", "parallelism.first_stage_layers", Count},
      {"--decoder-last-pipeline-num-layers", "parallelism.last_stage_layers", Count},
      {"--pipeline-model-parallel-layout",
       "parallelism.stage_layers|training.schedule.chunks|parallelism.prediction_before_head", Fact,
       "layers of each part, in the model's order; of m on the part before that of L, the last"},
      {"--account-for-embedding-in-pipeline-split|--account-for-loss-in-pipeline-split",
       "parallelism.count_embedding_and_head", Fact, "both of them"},
      {"--num-layers-per-virtual-pipeline-stage", "training.schedule.chunks", Fact,
       "layers / pipeline / it"},
      {"--num-virtual-stages-per-pipeline-rank", "training.schedule.chunks", Count},
      {"--no-overlap-p2p-communication", "parallelism.overlap.pipeline", Fact,
       "overlap needs interleaving in Megatron"},
      {"--use-distributed-optimizer", "parallelism.zero", Fact, "1"},
      {"--data-parallel-sharding-strategy", "parallelism.zero", Fact,
       "no_shard 0, optim 1, optim_grads 2, optim_grads_params 3"},
      {"--use-torch-fsdp2", "parallelism.zero", Fact, "3"},
      {"--torch-fsdp2-no-reshard-after-forward",
       "parallelism.sharding.reshard",
       On,
       "",
       {{"", "backward"}}},
      {"--use-megatron-fsdp|--use-custom-fsdp", "parallelism.zero", Fact,
       "by --data-parallel-sharding-strategy"},
      {"--num-distributed-optimizer-instances", "parallelism.sharding.ranks", Fact, "data / it"},
      {"--overlap-grad-reduce", "parallelism.overlap.data", On},
      {"--tp-comm-overlap", "parallelism.overlap.tensor", On, "", {{"", "full"}}},
      {"--no-async-tensor-model-parallel-allreduce",
       "parallelism.overlap.tensor",
       On,
       "",
       {{"", "none"}}},
      {"--micro-batch-size", "training.micro_batch", Count},
      {"--global-batch-size", "training.global_batch", Count},
      {"--seq-length|--encoder-seq-length", "training.sequence_length", Count},
      {"--decoder-seq-length", "training.decoder_length", Fact},
      {"--bf16", "training.precision", Fact, "fp32 without --bf16 and --fp16"},
      {"--fp16", "training.precision", Fact},
      {"--fp8-format|--fp8", "training.precision", Fact, "fp8 over --bf16"},
      {"--fp4-format|--fp4", "training.precision", Fact, "fp4 over --bf16"},
      {"--fp8-recipe", "training.fp8_recipe", Fact,
       "delayed, tensorwise, blockwise; mxfp8: precision mxfp8"},
      {"--fp8-param-gather",
       "training.narrow_weights",
       On,
       "with ZeRO-3 parallelism.sharding.gather_width 8bit",
       {{"", "only"}}},
      {"--optimizer",
       "training.optimizer.kind",
       Words,
       "",
       {{"adam", ""}, {"sgd", "sgd"}, {"muon", "muon"}, {"dist_muon", "muon"}}},
      {"--exp-avg-dtype|--exp-avg-sq-dtype",
       "training.optimizer.state_width",
       Words,
       "",
       {{"fp32", "fp32"}, {"bf16", "16bit"}, {"fp16", "16bit"}, {"fp8", "8bit"}}},
      {"--optimizer-cpu-offload", "parallelism.offload.optimizer", On},
      {"--optimizer-offload-fraction", "parallelism.offload.optimizer", Fact,
       "with --optimizer-cpu-offload: below 1 not taken over"},
      {"--overlap-cpu-optimizer-d2h-h2d|--no-pin-cpu-*|--use-torch-optimizer-for-cpu-offload", "",
       Idle, "how the update on the CPUs is cut and copied: parallelism.offload.pieces says it"},
      {"--cpu-offloading-num-layers", "parallelism.offload.activation_layers", Count},
      {"--grad-reduce-in-bf16", "training.gradients", On, "", {{"", "16bit"}}},
      {"--main-params-dtype|--megatron-fsdp-main-params-dtype|--use-precision-aware-optimizer", "",
       Idle, "master weights are fp32; other widths have flags of their own"},
      {"--main-grads-dtype|--megatron-fsdp-main-grads-dtype",
       "training.gradients",
       Words,
       "",
       {{"fp32", "fp32"}, {"bf16", "16bit"}, {"fp16", "16bit"}}},
      {"--accumulate-allreduce-grads-in-fp32", "training.gradients", On, "", {{"", "fp32"}}},
      {"--recompute-granularity|--recompute-activations|--checkpoint-activations",
       "training.recompute", Fact},
      {"--activations-checkpoint-method|--activations-checkpoint-num-layers",
       "training.recompute|training.recompute_layers|training.recompute_unit", Fact,
       "of 2021: full, with the method and the layers of the two flags below"},
      {"--recompute-modules", "training.recompute", Fact, "core_attn without it"},
      {"--recompute-method", "training.recompute_layers|training.recompute_unit", Fact,
       "block: so many layers of a chunk; uniform: layers of which one input is kept"},
      {"--recompute-num-layers", "training.recompute_layers|training.recompute_unit", Fact},
      {"--attention-backend",
       "training.attention",
       Words,
       "",
       {{"flash", "flash"},
        {"fused", "flash"},
        {"auto", "flash"},
        {"unfused", "unfused"},
        {"local", "unfused"}}},
      {"--use-flash-attn", "training.attention", On, "", {{"", "flash"}}},
      {"--transformer-impl", "training.attention", Fact,
       "local: unfused, without --attention-backend and --use-flash-attn"},
      {"--enable-cuda-graph|--external-cuda-graph|--cuda-graph-impl|--cuda-graph-scope|"
       "--cuda-graph-modules",
       "host.graphs", Fact,
       "the whole layer, attn with mlp or moe_router: layers; moe_router without attn: routers; "
       "full_iteration: full; other parts are told"},
      {"--moe-router-num-groups|--moe-router-group-topk", "training.experts.most_nodes", Fact,
       "nodes of so many groups of experts, with DeepEP, where groups coincide with nodes of "
       "--nproc-per-node GPUs"},
      {"--cross-entropy-loss-fusion|--cross-entropy-fusion-impl", "training.loss", Fact,
       "native: fused-fp32, as without the second; te: fused"},
      {"--first-last-layers-bf16|--num-layers-at-start-in-bf16|--num-layers-at-end-in-bf16",
       "training.wide_first_layers|training.wide_last_layers", Fact,
       "below 16 bits; 1 each without the numbers"},
      {"--no-rope-fusion|--no-bias-gelu-fusion|--no-bias-swiglu-fusion|--no-masked-softmax-fusion",
       "training.unfused", Fact,
       "positions, activation, softmax (of unfused attention) beside the framework's"},
      {"--no-gradient-accumulation-fusion", "training.accumulation", Fact, "pass"},
      {"--attention-dropout|--hidden-dropout", "training.dropout", Fact,
       "0.1 each without the flags"},
      {"--train-iters|--train-samples", "training.tokens", Fact,
       "x sequences a step x their length"},
      {"--nnodes|--num-nodes|--nproc-per-node|--num-gpus", "cluster.gpus", Fact,
       "of torchrun: nodes x GPUs of a node"},
      {"--overlap-param-gather*|--align-*|--ddp-*", "", Idle,
       "weights of ZeRO-1 are gathered when the optimizer has ended, in one way"},
      {"--rampup-batch-size|--step-batch-size-schedule", "", Idle,
       "a step of the full batch is simulated"},
      {"--lr*|--min-lr|--decoupled-*|--weight-decay*|--adam-*|--clip-grad|--init-method-std|"
       "--warmup*|--override-opt*|--use-checkpoint-opt*|--start-weight-decay|"
       "--end-weight-decay|--weight-decay-incr-style|--loss-scale*|--initial-loss-scale|"
       "--min-loss-scale|--hysteresis|--sgd-momentum",
       "", Idle,
       "changes what is learnt, not how long a step takes; Adam is taken for the optimizer"},
      {"--seed|--attention-softmax-in-fp32|--no-query-key-layer-scaling|"
       "--apply-query-key-layer-scaling|--apply-layernorm-1p|--layernorm-epsilon|--norm-epsilon|"
       "--rotary-*|--use-rope-scaling|--rope-*|--mscale*|"
       "--position-*|--qk-clip*|--fp16-lm-cross-entropy|--fp32-residual-connection|--no-weight-*|"
       "--relative-attention-max-distance|--init-method-xavier-uniform|--output-logit-dtype|"
       "--muon-*|--lion-*|--squared-relu|--openai-gelu|--onnx-safe|--yarn-*|--"
       "use-mcore-models|--use-te|--use-legacy-models|--deterministic-mode",
       "", Idle, "numerical details"},
      {"--moe-router-*|--moe-aux-loss-coeff|--moe-z-loss-coeff|--moe-input-jitter-eps", "", Idle,
       "how the router chooses: experts are taken to be loaded evenly"},
      {"--moe-grouped-gemm|--moe-permute-fusion|--moe-use-legacy-*|--moe-flex-*|"
       "--moe-deepep-num-sms|--moe-per-layer-logging|--moe-token-drop-policy|"
       "--moe-apply-probs-on-input",
       "", Idle, "ways to compute the same experts"},
      {"--fp8-*|--fp4-*", "", Idle, "details of the 8-bit recipe"},
      {"--no-bias-dropout-fusion|--disable-bf16-*|--masked-softmax-fusion|"
       "--calculate-per-token-loss|--gradient-accumulation-fusion|--bias-*|--manual-gc*|"
       "--empty-unused-memory-level|--check-for-nan*|--no-check-for-nan*|--cuda-graph*|"
       "--te-rng-tracker|--use-cpu-initialization|"
       "--tp-comm-*|--high-priority-stream-groups|--delay-*|"
       "--no-scatter-gather-tensors-in-pipeline|--overlap-p2p-*|--use-sharp|--sharp-*|"
       "--defer-embedding-wgrad-compute|--wgrad-deferral-limit|--nccl-*|--use-nccl-ub|"
       "--suggested-communication-unit-size|--fsdp-*|--init-model-with-meta-device|"
       "--no-persist-layer-norm|--mla-down-proj-fusion|--optimizer-cuda-graph|"
       "--no-gradient-reduce-div-fusion|--keep-fp8-transpose-cache|--reuse-grad-buf-*|"
       "--no-align-param-gather",
       "", Idle, "fusions, streams and buffers that danlu does not tell apart"},
      {"--inference-*|--rl-*|--grpo-*|--fim-*|--ft-*|--inprocess-*|--otel-*|--logits-*", "", Idle,
       "of other programs and of watching, not of a step"},
      {"--data-*|--train-data-path|--valid-data-path|--test-data-path|--per-split-*|--vocab-file|"
       "--merge-file|--tokenizer-*|--split|--dataloader-type|--num-workers|--num-dataset-*|"
       "--mock-data|--reset-*|--eod-mask-loss|--no-create-attention-mask-in-dataloader|"
       "--no-mmap-bin-files|--tiktoken-*|--mask-prob|--short-seq-prob|"
       "--vocab-extra-ids|--max-token*|--dataset-*",
       "", Idle, "data and tokens"},
      {"--log-*|--tensorboard-*|--wandb-*|--timing-*|--profile*|--use-pytorch-profiler|"
       "--eval-*|--save*|--load*|--no-load-*|--no-save-*|--exit-*|--ckpt-*|--async-save|"
       "--use-dist-ckpt*|--dist-ckpt-*|--finetune|--pretrained-checkpoint|--auto-detect-*|"
       "--distributed-*|--use-persistent-ckpt-worker|--record-memory-*|--memory-*|--one-logger*|"
       "--enable-one-logger|--logging-level|--test-mode|--non-persistent-*|--dist-*|"
       "--no-one-logger|--enable-experimental|--recompute-loss-*",
       "", Idle, "saving, logging and measuring"},
      {"--master-*|--node-rank|--rdzv-*|--rdzv|--max-restarts|--monitor-interval|--log-dir|"
       "--standalone|--role|--local-rank|--tee|--redirects|--module|--run-path|--start-method|"
       "--local-addr|--local-ranks-filter",
       "", Idle, "how processes find each other"},
  };
  return all;
}

const std::vector<DefaultRow>& defaults() {
  static const std::vector<DefaultRow> all{
      {"model.biases", "true", "Megatron's default: without --disable-bias-linear"},
      {"model.norm", "layernorm", "Megatron's default: without --normalization"},
      {"model.gated_mlp", "false", "Megatron's default: without --swiglu"},
      {"model.tied_embeddings", "true",
       "Megatron's default: without --untie-embeddings-and-output-weights"},
      {"parallelism.overlap.data", "false", "Megatron's default: without --overlap-grad-reduce"},
      {"training.precision", "fp32", "Megatron's default: without --bf16 and --fp16"},
      {"training.attention", "flash", "Megatron's default: attention of Transformer Engine"},
      {"training.framework", kFramework, "whose script it is; megatron-2020 until 2021"},
  };
  return all;
}

std::vector<GivenFlag> read_flags(const std::string& text, const std::string& name,
                                  std::vector<std::string>& notes) {
  return megatron_arguments(read_shell(text, name), rows(), notes);
}

/// Chunks of so many layers. Megatron refuses those of which a stage is no whole number, where
/// embedding and loss may count as a layer each (validate_args).
void take_virtual_stages(Draft& draft, const GivenFlag& given, long layers, long stages) {
  const long all = draft.count("model.layers");
  if (all == 0) {
    draft.fill_in("training.schedule.chunks", fmt::format("layers of a stage / {}", given.value));
    return;
  }
  const long counted = all + (draft.on("--account-for-embedding-in-pipeline-split") ? 1 : 0) +
                       (draft.on("--account-for-loss-in-pipeline-split") ? 1 : 0);
  if (counted % (stages * layers) != 0) {
    throw InputError(given.problem(
        fmt::format("{} layers on {} stages are not chunks of {} layers", counted, stages, layers),
        "Megatron refuses such a plan"));
  }
  draft.set("training.schedule.chunks", std::to_string(counted / stages / layers), &given);
}

void finish_stages(Draft& draft) {
  if (draft.on("--account-for-embedding-in-pipeline-split") &&
      draft.on("--account-for-loss-in-pipeline-split")) {
    draft.set("parallelism.count_embedding_and_head", "true",
              draft.given("--account-for-embedding-in-pipeline-split"));
  }
  const long stages = std::max(1L, draft.count("parallelism.pipeline"));
  if (const GivenFlag* given = draft.given("--pipeline-model-parallel-layout")) {
    take_pipeline_layout(draft, *given, stages);
  }
  constexpr const char* kVirtual = "--num-layers-per-virtual-pipeline-stage";
  if (const std::optional<long> layers = draft.whole(kVirtual); layers && *layers > 0) {
    take_virtual_stages(draft, *draft.given(kVirtual), *layers, stages);
  }
  if (stages > 1) {
    const bool interleaved = draft.count("training.schedule.chunks") > 1;
    const bool overlaps = interleaved && !draft.on("--no-overlap-p2p-communication");
    draft.set("parallelism.overlap.pipeline", overlaps ? "true" : "false",
              overlaps ? "Megatron's default with interleaving"
              : interleaved
                  ? "--no-overlap-p2p-communication"
                  : "Megatron sends and receives beside compute only when it interleaves");
  }
}

/// a2a+p2p has groups of two levels: of all-to-alls (the first number) within those of a ring.
/// Megatron refuses it without them, and where their product is not --context-parallel-size.
void take_two_levels(Draft& draft, const GivenFlag& context, const GivenFlag& type) {
  constexpr const char* kSizes = "--hierarchical-context-parallel-sizes";
  const GivenFlag* given = draft.given(kSizes);
  if (given == nullptr) {
    for (const char* key : {"parallelism.ulysses", "parallelism.context"}) {
      draft.fill_in(key, fmt::format("{} a2a+p2p needs {}", type.place(), kSizes));
    }
    return;
  }
  const std::vector<std::string_view> sizes = words_of(given->value);
  const std::optional<double> inner = parse_number(sizes.empty() ? "" : sizes[0]);
  const std::optional<double> outer = parse_number(sizes.size() == 2 ? sizes[1] : "");
  const double all = static_cast<double>(draft.whole("--context-parallel-size").value_or(1));
  if (!inner || !outer || *inner * *outer != all) {
    throw InputError(
        given->problem(fmt::format("'{}' must be two numbers whose product is {}, found {}",
                                   given->name, context.value, quote(given->value)),
                       "Megatron refuses others"));
  }
  draft.set("parallelism.ulysses", fmt::format("{}", *inner), given,
            fmt::format("of a2a, of {} {}", context.name, context.value));
  draft.set("parallelism.context", fmt::format("{}", *outer), given,
            fmt::format("of p2p, within {}", type.name));
}

/// Megatron refuses --tp-comm-overlap without sequence parallelism (validate_args).
void check_overlap(const Draft& draft) {
  constexpr const char* kOverlap = "--tp-comm-overlap";
  if (draft.on(kOverlap) && draft.count("parallelism.tensor") > 1 &&
      draft.at("parallelism.sequence") != "true") {
    throw InputError(draft.given(kOverlap)->problem(
        fmt::format("'{}' needs --sequence-parallel", kOverlap), "Megatron refuses such a plan"));
  }
}

void finish_parallelism(Draft& draft) {
  check_overlap(draft);
  if (const GivenFlag* context = draft.given("--context-parallel-size")) {
    const GivenFlag* type = draft.given("--cp-comm-type");
    const bool ulysses = type != nullptr && type->value.starts_with("a2a");
    const std::vector<std::string_view> types =
        words_of(type != nullptr ? std::string_view(type->value) : "");
    if (std::any_of(types.begin(), types.end(),
                    [&](std::string_view one) { return one != types.front(); })) {
      draft.not_used(*type, fmt::format("danlu has one exchange for all layers: {} is taken",
                                        ulysses ? "a2a" : types.front()));
    }
    if (!types.empty() && types.front() == "a2a+p2p") {
      take_two_levels(draft, *context, *type);
      return finish_stages(draft);
    }
    draft.set(ulysses ? "parallelism.ulysses" : "parallelism.context",
              std::to_string(draft.whole("--context-parallel-size").value_or(1)), context);
    if (type != nullptr && !ulysses && draft.count("parallelism.context") > 1) {
      draft.set(
          "parallelism.context_exchange",
          types.front() == "all_gather" || types.front() == "allgather" ? "all-gather" : "ring",
          type);
    }
  }
  finish_stages(draft);
}

void finish_sharding(Draft& draft) {
  if (const GivenFlag* fsdp = draft.given("--use-torch-fsdp2")) {
    draft.set("parallelism.zero", "3", fsdp);
  } else if (!take_fsdp(draft, kCore) && draft.on("--use-distributed-optimizer")) {
    draft.set("parallelism.zero", "1", draft.given("--use-distributed-optimizer"));
  }
  if (draft.count("parallelism.zero") == 3 && draft.has("training.narrow_weights")) {
    draft.forget("training.narrow_weights");  // shards are gathered before each pass
    draft.set("parallelism.sharding.gather_width", "8bit", draft.given("--fp8-param-gather"));
  }
  take_optimizer_instances(draft, kCore);
}

void finish_precision(Draft& draft) {
  const GivenFlag* recipe = draft.given("--fp8-recipe");
  if (const GivenFlag* fp8 = draft.given("--fp8-format|--fp8")) {
    const bool mx = recipe != nullptr && recipe->value == "mxfp8";
    draft.set("training.precision", mx ? "mxfp8" : "fp8", mx ? recipe : fp8);
    if (!mx && recipe != nullptr) {
      draft.set("training.fp8_recipe", recipe->value, recipe);
    }
  } else if (const GivenFlag* fp4 = draft.given("--fp4-format|--fp4")) {
    draft.set("training.precision", "fp4", fp4);
  } else if (const GivenFlag* half = draft.given("--bf16|--fp16")) {
    draft.set("training.precision", half->name.substr(2), half);
  }
}

void finish_recompute(Draft& draft) {
  const GivenFlag* granularity = draft.given("--recompute-granularity");
  const GivenFlag* old = draft.given(
      "--recompute-activations|--checkpoint-activations|--activations-checkpoint-method");
  if (granularity == nullptr && old == nullptr) {
    return;
  }
  const GivenFlag* from = granularity != nullptr ? granularity : old;
  const bool full = granularity != nullptr ? granularity->value == "full"
                                           : old->name != "--recompute-activations";
  if (!full) {
    take_recomputed_parts(draft, *from, draft.given("--recompute-modules"));
    return;
  }
  draft.set("training.recompute", "full", from);
  constexpr std::string_view kLayers = "--recompute-num-layers|--activations-checkpoint-num-layers";
  const std::optional<long> layers = draft.whole(kLayers);
  const GivenFlag* method = draft.given("--recompute-method|--activations-checkpoint-method");
  if (layers && method != nullptr) {
    draft.set(method->value == "block" ? "training.recompute_layers" : "training.recompute_unit",
              std::to_string(*layers), draft.given(kLayers),
              fmt::format("{} {}", method->name, method->value));
  }
}

void finish_run(Draft& draft) {
  const auto dropout = [&](std::string_view flag) { return draft.number(flag).value_or(0.1) > 0; };
  const bool drops = dropout("--attention-dropout") || dropout("--hidden-dropout");
  draft.set("training.dropout", drops ? "true" : "false",
            drops ? "--attention-dropout, --hidden-dropout: 0.1 is Megatron's default"
                  : "--attention-dropout 0, --hidden-dropout 0");
  const double batch = static_cast<double>(draft.count("training.global_batch"));
  const double length = static_cast<double>(draft.count("training.sequence_length"));
  const std::optional<double> samples = draft.number("--train-samples");
  const std::optional<double> steps = draft.number("--train-iters");
  if (const double sequences = samples.value_or(steps.value_or(0) * batch);
      sequences * length > 0) {
    draft.set("training.tokens", fmt::format("{:.0f}", sequences * length),
              draft.given(samples ? "--train-samples" : "--train-iters"));
  }
}

void finish(Draft& draft) {
  draft.add_sequence_length();
  const std::optional<long> nodes = draft.whole("--nnodes|--num-nodes");
  const std::optional<long> of_node = draft.whole("--nproc-per-node|--num-gpus");
  draft.add_cluster(nodes && of_node ? std::optional(*nodes * *of_node) : std::nullopt,
                    nodes && of_node
                        ? fmt::format("{} x {}", draft.given("--nnodes|--num-nodes")->name,
                                      draft.given("--nproc-per-node|--num-gpus")->name)
                        : "");
  if (draft.options().model.empty()) {
    finish_megatron_model(draft);
  }
  finish_parallelism(draft);
  const std::optional<long> data = draft.replicas();
  finish_sharding(draft);
  draft.tell_offloaded_share("--optimizer-offload-fraction");
  if (!draft.has("training.global_batch")) {
    if (data) {
      draft.set("training.global_batch",
                std::to_string(*data * std::max(1L, draft.count("training.micro_batch"))),
                "Megatron's default of --global-batch-size: micro-batch-size x replicas");
    } else {
      draft.fill_in("training.global_batch",
                    "no --global-batch-size is given; --global-batch NUMBER says it");
    }
  }
  finish_precision(draft);
  finish_recompute(draft);
  finish_run(draft);
  if (const GivenFlag* layers = draft.given("--transformer-impl");
      layers != nullptr && layers->value == "local" && !draft.has("training.attention")) {
    draft.set("training.attention", "unfused", layers, "Megatron-core's own layers");
  }
  take_core_settings(draft, kCore, kFramework);
}

}  // namespace
}  // namespace megatron

const Importer kMegatron{
    .name = "megatron",
    .title = "Megatron-LM",
    .file = "a launch script, or just the arguments of `pretrain_gpt.py` or `pretrain_t5.py`",
    .introduction =
        "The script is read, not run: assignments, arrays, `$VAR`, `${VAR:-default}`, sums, "
        "comparisons, `&&` and `||`, functions and subshells are followed. What only the "
        "environment or arguments say is to be filled in: the value of a flag as a line "
        "`FILL-IN`, words that may hold flags, as `$EXTRA_ARGS`, by name. "
        "Flags are taken under either spelling, with `-` or `_`.",
    .rows = megatron::rows(),
    .defaults = megatron::defaults(),
    .read = megatron::read_flags,
    .finish = megatron::finish};

}  // namespace danlu
