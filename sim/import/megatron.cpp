// Megatron-LM: the arguments of pretrain_gpt.py or pretrain_t5.py in a launch script, or alone.
// Names and defaults are those of megatron/training/arguments.py and
// megatron/core/transformer/transformer_config.py (github.com/NVIDIA/Megatron-LM).
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "sim/base/text.hpp"
#include "sim/import/import.hpp"
#include "sim/import/launch_environment.hpp"
#include "sim/import/megatron_arguments.hpp"
#include "sim/import/megatron_core.hpp"
#include "sim/import/shell.hpp"

namespace danlu {
namespace megatron {  // the folder is built as one
namespace {

using enum Reading;

constexpr CoreFramework kMegatronCore{.name = "Megatron", .profile = "megatron-core"};
constexpr CoreFramework kMegatron2020{.name = "Megatron", .profile = "megatron-2020"};

constexpr std::string_view kFlash = "--use-flash-attn";
// Until gradient accumulation fusion, and until Megatron-core.
constexpr std::string_view k2021 =
    "--checkpoint-activations|--checkpoint-num-layers|--activations-checkpoint-method|"
    "--activations-checkpoint-num-layers|--distribute-checkpointed-activations";
constexpr std::string_view kUntil2023 = "--DDP-impl";

std::vector<FlagRow> own_rows() {
  return {
      {"--group-query-attention", "model.kv_heads", Fact, "as many as --num-query-groups"},
      {"--num-query-groups", "model.kv_heads", Fact, "with --group-query-attention"},
      {"--swiglu", "model.gated_mlp", On,
       "and an MLP of 8/3 x hidden in multiples of 64 without "
       "--ffn-hidden-size"},
      {"--quick-geglu|--geglu", "model.gated_mlp", On},
      {"--normalization",
       "model.norm",
       Words,
       "",
       {{"LayerNorm", "layernorm"}, {"RMSNorm", "rmsnorm"}}},
      {"--disable-bias-linear", "model.biases", Fact, "no product has biases"},
      {"--add-qkv-bias", "model.biases", Fact, "of queries, keys and values alone"},
      {"--untie-embeddings-and-output-weights", "model.tied_embeddings", On, "", {{"", "false"}}},
      {"--encoder-pipeline-model-parallel-size", "parallelism.pipeline|parallelism.stage_layers",
       Fact, "stages of the encoder, beside --pipeline-model-parallel-size of the decoder"},
      {"--num-layers-per-virtual-pipeline-stage", "training.schedule.chunks", Fact,
       "layers / pipeline / it"},
      {"--no-scatter-gather-tensors-in-pipeline", "parallelism.scatter_gather", Fact,
       "of 2021, when it was the default; later versions send so with sequence parallelism alone"},
      {"--use-distributed-optimizer", "parallelism.zero", Fact, "1"},
      {"--use-torch-fsdp2", "parallelism.zero|parallelism.overlap.data", Fact,
       "3; PyTorch's FSDP reduces beside backward passes, whatever --overlap-grad-reduce is"},
      {"--torch-fsdp2-no-reshard-after-forward",
       "parallelism.sharding.reshard",
       On,
       "",
       {{"", "backward"}}},
      {"--no-async-tensor-model-parallel-allreduce",
       "parallelism.overlap.tensor",
       On,
       "",
       {{"", "none"}}},
      {"--overlap-cpu-optimizer-d2h-h2d", "", Told,
       "into how many pieces the update on the CPUs is cut is for parallelism.offload.pieces to "
       "say"},
      {"--no-pin-cpu-*|--use-torch-optimizer-for-cpu-offload", "", Idle,
       "how the update on the CPUs is copied and computed"},
      {"--micro-batch-size", "training.micro_batch", Count},
      {"--global-batch-size", "training.global_batch", Count},
      {"--seq-length|--encoder-seq-length", "training.sequence_length", Count},
      {"--decoder-seq-length", "training.decoder_length", Fact},
      {"--bf16", "training.precision", Fact, "fp32 without --bf16 and --fp16"},
      {"--fp16", "training.precision", Fact},
      {"--fp8-format|--fp8", "training.precision", Fact, "fp8 over --bf16, in either format"},
      {"--fp4-format|--fp4", "training.precision", Fact, "fp4 over --bf16"},
      {"--fp8-recipe", "training.fp8_recipe", Fact,
       "delayed, tensorwise, blockwise; mxfp8: precision mxfp8"},
      {"--fp8-param-gather",
       "training.narrow_weights",
       On,
       "with ZeRO-3 parallelism.sharding.gather_width 8bit",
       {{"", "only"}}},
      {"--grad-reduce-in-bf16", "training.gradients", On, "", {{"", "16bit"}}},
      {"--accumulate-allreduce-grads-in-fp32", "training.gradients", On, "", {{"", "fp32"}}},
      {"--recompute-granularity|--recompute-activations", "training.recompute", Fact},
      {"--checkpoint-activations|--checkpoint-num-layers|--activations-checkpoint-method|"
       "--activations-checkpoint-num-layers|--distribute-checkpointed-activations",
       "training.recompute|training.attention|training.framework|parallelism.overlap.pipeline|"
       "parallelism.scatter_gather",
       Fact,
       "of 2021: full, with method and layers as the two flags below; unfused without "
       "--use-flash-attn, megatron-2020; between stages false, and a part of each tensor rank"},
      {"--recompute-modules", "training.recompute", Fact, "core_attn without it"},
      {"--recompute-method", "training.recompute_layers|training.recompute_unit", Fact,
       "block: so many layers of a chunk; uniform: layers of which one input is kept"},
      {"--recompute-num-layers", "training.recompute_layers|training.recompute_unit", Fact},
      {"--use-flash-attn", "training.attention", On, "", {{"", "flash"}}},
      {"--DDP-impl", "training.attention|parallelism.overlap.pipeline", Minor,
       "until 2023, when attention was unfused without --use-flash-attn, and nothing was sent "
       "between stages beside compute"},
      {"--train-iters|--train-samples", "training.tokens", Fact,
       "x sequences a step x their length"},
      {"--nnodes|--num-nodes|--nproc-per-node|--num-gpus|--nodes|--gpus-per-node|#SBATCH --nodes|"
       "#SBATCH --gpus-per-node|#SBATCH --gpus",
       "cluster.gpus", Fact, "of torchrun, or of Slurm without it: nodes x GPUs of a node, or all"},
      {"NVTE_FLASH_ATTN|NVTE_FUSED_ATTN", "training.attention", Fact,
       "of Transformer Engine's environment: unfused where both are 0"},
      {"--use-precision-aware-optimizer", "", Idle,
       "widths of the optimizer's parts have flags of their own"},
      {"--overlap-param-gather-with-optimizer-step|--align-*|--ddp-*", "", Idle,
       "how weights of ZeRO-1 are gathered beyond --overlap-param-gather"},
      {"--rampup-batch-size|--step-batch-size-schedule", "", Idle,
       "a step of the full batch is simulated"},
      {"--lr*|--min-lr|--decoupled-*|--weight-decay*|--adam-*|--init-method-std|"
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
       "--moe-apply-probs-on-input|--mtp-loss-scaling-factor",
       "", Idle, "ways to compute the same experts, or what is learnt"},
      {"--fp8-*|--fp4-*", "", Idle, "details of the 8-bit recipe"},
      {"--disable-bf16-*|--masked-softmax-fusion|"
       "--calculate-per-token-loss|--gradient-accumulation-fusion|--bias-*|--manual-gc*|"
       "--empty-unused-memory-level|--check-for-nan*|--no-check-for-nan*|--cuda-graph*|"
       "--te-rng-tracker|--use-cpu-initialization|"
       "--tp-comm-*|--high-priority-stream-groups|--delay-*|"
       "--overlap-p2p-*|--sharp-*|"
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
      {"--label|--mpi|--container-*|--no-container-*|--kill-on-bad-exit|--cpu-bind|--mem-bind|"
       "--cpus-per-task|--ntasks|--ntasks-per-node|--export|--exclusive|--output|--error|"
       "--job-name|--wait|--unbuffered|--distribution|--time|--partition|--account",
       "", Idle, "how srun starts processes"},
  };
}

const std::vector<FlagRow>& rows() {
  static const std::vector<FlagRow> all = [] {
    std::vector<FlagRow> rows = core_rows(true);
    std::vector<FlagRow> own = own_rows();
    rows.insert(rows.end(), std::make_move_iterator(own.begin()),
                std::make_move_iterator(own.end()));
    return rows;
  }();
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
      {"training.framework", "megatron-core",
       "whose script it is; megatron-2020 with flags of 2021"},
  };
  return all;
}

constexpr const char* kNodes = "--nnodes|--num-nodes|--nodes|#SBATCH --nodes";

/// torchrun takes as many GPUs as a node has (`gpu`, `auto`), and any number of nodes of a range;
/// srun counts as sbatch does. A job's range of nodes does not matter to a command with its own.
void settle_counts(std::vector<GivenFlag>& flags, LaunchEnvironment& environment) {
  const auto job =
      std::find_if(environment.flags.begin(), environment.flags.end(),
                   [](const GivenFlag& flag) { return flag.name == "#SBATCH --gpus-per-node"; });
  const std::vector<std::string_view> nodes = split(kNodes, '|');
  if (std::any_of(flags.begin(), flags.end(), [&](const GivenFlag& flag) {
        return std::find(nodes.begin(), nodes.end(), flag.name) != nodes.end();
      })) {
    std::erase_if(environment.flags, [](const GivenFlag& flag) { return !flag.known; });
  }
  for (GivenFlag& flag : flags) {
    if (flag.name == "--nodes" || flag.name == "--gpus-per-node") {
      settle_slurm_count(flag);
      continue;
    }
    const bool is_all =
        flag.name == "--nproc-per-node" && (flag.value == "gpu" || flag.value == "auto");
    const std::vector<std::string_view> range = split(flag.value, ':');
    if (is_all && job != environment.flags.end()) {
      flag.value = job->value;
    } else if (flag.name == "--nnodes" && range.size() == 2 && range[0] == range[1]) {
      flag.value = std::string(range[0]);
    } else if (is_all || (flag.name == "--nnodes" && range.size() == 2)) {
      flag.known = false;
    }
  }
}

std::vector<GivenFlag> read_flags(const std::string& text, const std::string& name,
                                  std::vector<Definition>& defined,
                                  std::vector<std::string>& notes) {
  LaunchEnvironment environment = read_slurm(text, name);
  for (Definition& one : defined) {
    environment.variables.put(
        one.name,
        ShellVariables::Variable{.words = {{one.value, true, {}, ""}}, .used = &one.used});
  }
  std::vector<GivenFlag> flags =
      megatron_arguments(read_launch(text, name, environment), rows(), notes);
  const bool knows_any = std::any_of(flags.begin(), flags.end(), [](const GivenFlag& flag) {
    const FlagRow* row = find_row(rows(), flag.name);
    return row != nullptr && row->reading != Idle;
  });
  settle_counts(flags, environment);
  if (knows_any) {  // its command's own flags win: they stand behind
    flags.insert(flags.begin(), std::make_move_iterator(environment.flags.begin()),
                 std::make_move_iterator(environment.flags.end()));
  }
  return flags;
}

/// Before Megatron-core attention had kernels of its own but for FlashAttention, which has a flag;
/// in 2021 tensor ranks also sent a part each between stages.
void finish_age(Draft& draft) {
  const GivenFlag* old = draft.given(k2021);
  const GivenFlag* from = old != nullptr ? old : draft.mentioned(kUntil2023);
  if (from == nullptr) {
    return;
  }
  if (draft.given(kFlash) == nullptr) {
    draft.set(
        "training.attention", "unfused", from,
        fmt::format("a script of {}, without {}", old != nullptr ? "2021" : "before 2024", kFlash));
  }
  if (draft.count("parallelism.pipeline") > 1) {
    draft.set("parallelism.overlap.pipeline", "false", from,
              "Megatron's sends are beside compute since October 2023");
  }
  if (old == nullptr) {
    return;
  }
  draft.set("training.framework", std::string(kMegatron2020.profile), from, "a script of 2021");
  if (draft.count("parallelism.tensor") > 1 && draft.count("parallelism.pipeline") > 1 &&
      !draft.on("--no-scatter-gather-tensors-in-pipeline")) {
    draft.set("parallelism.scatter_gather", "true", from, "Megatron's default in 2021");
  }
}

void finish_model(Draft& draft) {
  if (draft.on("--swiglu") && !draft.has("model.ffn")) {
    constexpr long kMultiple = 64;
    draft.set("model.ffn",
              std::to_string(8 * draft.count("model.hidden") / 3 / kMultiple * kMultiple),
              draft.given("--swiglu"), "8/3 x hidden in multiples of 64");
  }
  if (draft.on("--group-query-attention")) {
    draft.set("model.kv_heads", std::to_string(draft.whole("--num-query-groups").value_or(1)),
              draft.given("--group-query-attention"), "--num-query-groups");
  }
  take_core_model(draft, kMegatronCore);
}

void finish_sharding(Draft& draft) {
  if (const GivenFlag* fsdp = draft.given("--use-torch-fsdp2")) {
    draft.set("parallelism.zero", "3", fsdp);
    draft.set("parallelism.overlap.data", "true", fsdp,
              "PyTorch's FSDP reduces beside backward passes");
  } else if (!take_fsdp(draft) && draft.on("--use-distributed-optimizer")) {
    draft.set("parallelism.zero", "1", draft.given("--use-distributed-optimizer"));
  }
  if (draft.count("parallelism.zero") == 3 && draft.has("training.narrow_weights")) {
    draft.forget("training.narrow_weights");  // shards are gathered before each pass
    draft.set("parallelism.sharding.gather_width", "8bit", draft.given("--fp8-param-gather"));
  }
  take_optimizer_instances(draft);
  take_gathered_weights(draft);
}

void finish_precision(Draft& draft) {
  const GivenFlag* recipe = draft.given("--fp8-recipe");
  if (const GivenFlag* fp8 = draft.mentioned("--fp8-format|--fp8")) {
    draft.forget("training.precision");  // which format it is may not be known
    const GivenFlag* known = draft.given("--fp8-format|--fp8");
    if (known != nullptr && known->value != "e4m3" && known->value != "hybrid") {
      throw InputError(known->problem(fmt::format("'{}' must be e4m3 or hybrid, found '{}'",
                                                  known->shown_name(), known->value)));
    }
    const bool mx = recipe != nullptr && recipe->value == "mxfp8";
    set_fp8(draft, *fp8, mx ? recipe : nullptr);
    if (!mx && recipe != nullptr) {
      draft.set("training.fp8_recipe", recipe->value, recipe);
    }
  } else if (const GivenFlag* fp4 = draft.given("--fp4-format|--fp4")) {
    draft.set("training.precision", "fp4", fp4);
  } else if (const GivenFlag* half = draft.given("--bf16|--fp16")) {
    draft.set("training.precision", half->name.substr(2), half);
  }
}

/// What Megatron refuses (validate_args, TransformerConfig.__post_init__).
void refuse_contradictions(const Draft& draft) {
  constexpr const char* kRefuses = "Megatron refuses such a plan";
  if (draft.on("--fp16") && draft.on("--bf16")) {
    throw InputError(draft.given("--fp16")->problem("both --fp16 and --bf16 are given", kRefuses));
  }
  const GivenFlag* granularity = draft.given("--recompute-granularity");
  const GivenFlag* method = draft.given("--recompute-method");
  if (granularity != nullptr && granularity->value == "full" &&
      draft.mentioned("--recompute-method") == nullptr) {
    throw InputError(granularity->problem(
        "'--recompute-granularity full' needs --recompute-method uniform or block", kRefuses));
  }
  if (granularity != nullptr && granularity->value == "selective" && method != nullptr) {
    throw InputError(method->problem(
        "'--recompute-method' is of --recompute-granularity full, found selective", kRefuses));
  }
  const GivenFlag* fsdp = draft.given("--use-torch-fsdp2");
  const char* const other = draft.count("parallelism.pipeline") > 1 ? "pipeline stages"
                            : draft.count("parallelism.expert") > 1 ? "expert ranks"
                            : draft.on("--use-distributed-optimizer")
                                ? "--use-distributed-optimizer"
                                : nullptr;
  if (fsdp != nullptr && other != nullptr) {
    throw InputError(
        fsdp->problem(fmt::format("'--use-torch-fsdp2' goes with no {}", other), kRefuses));
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
  constexpr std::string_view kLayers =
      "--recompute-num-layers|--activations-checkpoint-num-layers|--checkpoint-num-layers";
  const std::optional<long> layers = draft.whole(kLayers);
  const GivenFlag* method = draft.given("--recompute-method|--activations-checkpoint-method");
  if (layers && method == nullptr && draft.given("--checkpoint-num-layers") != nullptr) {
    draft.set("training.recompute_unit", std::to_string(*layers), draft.given(kLayers));
  } else if (layers && method != nullptr) {
    draft.set(method->value == "block" ? "training.recompute_layers" : "training.recompute_unit",
              std::to_string(*layers), draft.given(kLayers),
              fmt::format("{} {}", method->name, method->value));
  }
}

void finish_run(Draft& draft) {
  const std::optional<double> samples = draft.number("--train-samples");
  const double steps = draft.number("--train-iters").value_or(0);
  take_tokens(draft,
              samples.value_or(steps * static_cast<double>(draft.count("training.global_batch"))),
              draft.given(samples ? "--train-samples" : "--train-iters"));
}

/// How many GPUs: of torchrun, of srun, or of Slurm's job.
void finish_cluster(Draft& draft) {
  constexpr const char* kOfNode =
      "--nproc-per-node|--num-gpus|--gpus-per-node|#SBATCH --gpus-per-node";
  constexpr const char* kAll = "#SBATCH --gpus";
  const GivenFlag* nodes = draft.given(kNodes);
  const GivenFlag* of_node = draft.given(kOfNode);
  for (const auto& [used, job] : {std::pair(nodes, draft.given("#SBATCH --nodes")),
                                  std::pair(of_node, draft.given("#SBATCH --gpus-per-node"))}) {
    if (used != nullptr && job != nullptr && used->value != job->value) {
      draft.remark(fmt::format("{} is {}, {} {}: the first is taken", used->place(), used->value,
                               job->place(), job->value));
    }
  }
  if (nodes != nullptr && of_node != nullptr) {
    const long gpus = *draft.whole(kNodes) * *draft.whole(kOfNode);
    draft.add_cluster(gpus, fmt::format("{} x {}", nodes->name, of_node->name));
    if (const std::optional<long> all = draft.whole(kAll); all && *all != gpus) {
      draft.remark(fmt::format("{} x {} are {}, {} {}: the first is taken", nodes->place(),
                               of_node->place(), gpus, draft.given(kAll)->place(), *all));
    }
  } else {
    draft.add_cluster(draft.whole(kAll), kAll);
  }
}

void finish(Draft& draft) {
  draft.add_sequence_length();
  finish_cluster(draft);
  refuse_contradictions(draft);
  if (draft.options().model.empty()) {
    finish_model(draft);
  }
  take_core_plan(draft, kMegatronCore);
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
  const GivenFlag* flash = draft.given("NVTE_FLASH_ATTN");
  const GivenFlag* fused = draft.given("NVTE_FUSED_ATTN");
  if (flash != nullptr && fused != nullptr && flash->value == "0" && fused->value == "0" &&
      draft.at("training.attention") != "unfused") {
    draft.set("training.attention", "unfused", flash, "and NVTE_FUSED_ATTN are 0");
  }
  finish_age(draft);
  take_core_settings(draft, draft.given(k2021) != nullptr ? kMegatron2020 : kMegatronCore);
}

}  // namespace
}  // namespace megatron

const Importer kMegatron{
    .name = "megatron",
    .title = "Megatron-LM",
    .file = "a launch script, or just the arguments of `pretrain_gpt.py` or `pretrain_t5.py`",
    .introduction =
        "The script is read, not run: assignments, arrays, `$VAR`, `${VAR:-default}`, sums, "
        "comparisons, `case`, `for` over words, `&&` and `||`, functions and subshells are "
        "followed. What only the environment or arguments say is to be filled in: the value of a "
        "flag as a line `FILL-IN`, words that may hold flags, as `$EXTRA_ARGS`, by name; "
        "`--define NAME=value` says what a variable, or an argument by its number, has. "
        "Flags are taken under either spelling, with `-` or `_`.",
    .rows = megatron::rows(),
    .defaults = megatron::defaults(),
    .read = megatron::read_flags,
    .finish = megatron::finish};

}  // namespace danlu
