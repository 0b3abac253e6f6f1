#include "sim/report/plan_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/collective/algorithms.hpp"
#include "sim/report/page.hpp"

namespace danlu {
namespace {

/// What the collectives of a group are asked to be carried out by; "" for danlu's choice.
std::string forced_text(std::string_view groups, const ForcedChoice& forced) {
  std::string text;
  if (forced.algorithm) {
    text += fmt::format(" {}", name_of(*forced.algorithm));
  }
  if (forced.protocol) {
    text += fmt::format(" {}", name_of(*forced.protocol));
  }
  return text.empty() ? "" : fmt::format("; {} collectives by{}", groups, text);
}

/// ", layers by stage: 7, 2 x 8, 9"; "" where all stages hold as many.
std::string stages_text(const Workload& workload) {
  std::vector<std::pair<int, int>> runs;  // layers, stages that follow one another
  for (int stage = 0; stage < workload.parallelism.pipeline; ++stage) {
    const int layers = workload.stage_layers(stage);
    if (runs.empty() || runs.back().first != layers) {
      runs.emplace_back(layers, 0);
    }
    ++runs.back().second;
  }
  std::string text;
  for (const auto& [layers, stages] : runs) {
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ",
                        stages > 1 ? fmt::format("{} x ", stages) : "", layers);
  }
  return runs.size() < 2 ? ""
                         : fmt::format(", layers by stage: {}{}", text,
                                       workload.parallelism.count_embedding_and_head
                                           ? " (embedding and head counted)"
                                       : workload.parallelism.prediction_before_head
                                           ? " (multi-token prediction before the head)"
                                           : "");
}

/// "q, v"
template <typename Enum>
std::string names(const std::vector<Enum>& list) {
  std::vector<std::string_view> words;
  for (const Enum one : list) {
    words.push_back(name_of(one));
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

/// ", ZeRO-3 within 8 ranks, weights kept until backward"
std::string sharding_text(const ParallelismSpec& p) {
  if (p.zero == 0) {
    return "";
  }
  const ShardingSpec& s = p.sharding;
  std::string text = fmt::format(", ZeRO-{}", p.zero);
  text += s.ranks ? fmt::format(" within {} data ranks", *s.ranks) : "";
  if (p.zero >= 3) {
    text += s.reshard == Reshard::AfterForward
                ? ""
                : fmt::format(", weights kept until after {}",
                              s.reshard == Reshard::AfterStep ? "the step" : "backward");
    text += s.prefetch == 1 ? "" : fmt::format(", {} units gathered ahead", s.prefetch);
    text += s.units_ahead(false) == s.prefetch
                ? ""
                : fmt::format(", {} in backward", s.units_ahead(false));
  }
  if (p.zero >= 2) {
    text += s.unit_layers > 1 ? fmt::format(", units of {} layers", s.unit_layers) : "";
    if (s.units != ShardingSpec{}.units) {
      text += fmt::format(", units [{}]", names(s.units));
    }
    text += s.reduce == Reduce::OncePerStep ? ", gradients reduced once a step" : "";
  }
  return text;
}

/// "no", "selective", "full in units of 4 layers, the first 8 of each chunk", "core_attn and mlp"
std::string recompute_text(const Workload& workload) {
  const TrainingSpec& t = workload.training;
  if (t.recompute == Recompute::None) {
    return "no recomputation";
  }
  std::vector<std::string_view> parts;
  for (const RecomputePart part : t.recompute_parts) {
    parts.push_back(name_of(part));
  }
  std::string text = parts.empty() || t.recompute == Recompute::Full
                         ? fmt::format("{} recomputation", name_of(t.recompute))
                         : fmt::format("recomputation of {}", fmt::join(parts, " and "));
  if (t.recompute == Recompute::Full && t.recompute_unit > 1) {
    text += fmt::format(" in units of {} layers", t.recompute_unit);
  }
  if (!t.recompute_layers.empty()) {
    text +=
        fmt::format(" of the first {} layers of each chunk{}", fmt::join(t.recompute_layers, ", "),
                    t.recompute_layers.size() > 1 ? " by stage" : "");
  }
  return text + (t.recompute_early_stop ? " with early stop" : "");
}

}  // namespace

std::string counted(double number, std::string_view noun, std::string_view plural) {
  return fmt::format("{} {}{}", thousands(number), noun, number == 1 ? "" : plural);
}

std::string layout_line(const Workload& workload) {
  const ParallelismSpec& p = workload.parallelism;
  const TrainingSpec& t = workload.training;
  std::string line = fmt::format("tensor {} x pipeline {} x data {}", p.tensor, p.pipeline, p.data);
  line += p.ulysses > 1 ? fmt::format(" x ulysses {}", p.ulysses) : "";
  line += p.context > 1 ? fmt::format(" x context {} by {}", p.context, name_of(p.context_exchange))
                        : "";
  line += p.outermost == Outermost::Data && p.pipeline > 1 && p.data > 1
              ? ", a replica's stages side by side"
              : "";
  line += p.sequence ? ", sequence parallel" : "";
  line += sharding_text(p);
  if (p.pipeline > 1) {
    line += fmt::format("; {}", t.schedule);
    line += t.chunks > 1 ? fmt::format(" in {} chunks", t.chunks) : "";
  }
  line += stages_text(workload);
  line += p.pipeline > 1 && p.scatter_gather && !p.sequence ? ", scatter-gather" : "";
  line += workload.offload.optimizer ? ", optimizer on the CPUs" : "";
  line += workload.offload.gradients_in_backward ? ", gradients there in backward" : "";
  line += workload.offload.activation_layers > 0
              ? fmt::format(", activations of {} on the CPUs",
                            counted(workload.offload.activation_layers, "layer"))
              : "";
  line += forced_text("tensor", workload.communication.tensor);
  line += forced_text("data", workload.communication.data);
  return line;
}

std::string experts_line(const Workload& workload) {
  if (workload.model.experts.count == 0) {
    return "";
  }
  const ParallelismSpec& p = workload.parallelism;
  const RoutingSpec& r = workload.training.routing;
  const int sharers = p.expert_tensor_ranks();
  std::string line = fmt::format("experts: expert {} x expert tensor {} x expert data {:.0f}",
                                 p.expert, sharers, p.stage_ranks() / (p.expert * sharers));
  if (p.expert > 1) {
    line +=
        fmt::format(", {}, dispatch in {} bits", name_of(p.expert_exchange), 8 * r.dispatch_bytes);
    line += r.most_nodes > 0 ? fmt::format(", to at most {}{}", counted(r.most_nodes, "node"),
                                           r.nodes == NodeChoice::Random ? " at random" : "")
                             : "";
  }
  line += !r.load.empty() ? ", load as given" : "";
  line += r.zipf > 0 ? fmt::format(", load by Zipf's law ({:g}, seed {}){}", r.zipf, r.seed,
                                   r.zipf_by_layer ? " by layer" : "")
                     : "";
  if (r.capacity > 0) {
    line += fmt::format(", capacity {:g}{}", r.capacity, r.pads ? " filled up" : "");
  }
  return line + forced_text("expert", workload.communication.expert);
}

std::string overlap_line(const Workload& workload) {
  const ParallelismSpec& p = workload.parallelism;
  std::vector<std::string> hidden;
  std::vector<std::string> bare;
  const auto add = [&](bool there, bool hides, std::string how, std::string_view kind) {
    if (there) {
      (hides ? hidden : bare).push_back(hides ? std::move(how) : std::string(kind));
    }
  };
  add(p.tensor > 1, p.overlap_tensor != TensorOverlap::None,
      p.overlap_tensor == TensorOverlap::Full
          ? fmt::format("tensor in full ({} pieces)", p.tensor_chunks)
          : "tensor with weight gradients",
      "tensor");
  add(p.ulysses > 1, false, "", "ulysses");
  add(p.context > 1, p.context_exchange == ContextExchange::Ring, "context with attention",
      "context");
  add(p.pipeline > 1, p.overlap_pipeline, "pipeline", "pipeline");
  add(p.overlap_pairs, true, "forward with backward passes", "");
  add(p.expert > 1 && p.overlap_shared, true, "shared experts with dispatch and combine", "");
  add(p.expert > 1 && !p.overlap_pairs, false, "", "expert");
  add(p.data * p.context * p.ulysses > 1, p.overlap_data, "data", "data");
  add(p.data * p.context * p.ulysses > 1 && p.overlaps_updated(), true, "updated weights", "");
  if (hidden.empty() && bare.empty()) {
    return "";
  }
  return fmt::format(
      "overlap: {}{}", hidden.empty() ? "none" : fmt::format("{}", fmt::join(hidden, ", ")),
      hidden.empty() || bare.empty() ? "" : fmt::format("; not {}", fmt::join(bare, ", ")));
}

namespace {

std::string precision_text(const TrainingSpec& t) {
  std::string text(name_of(t.precision));
  if (!is_narrow(t.precision)) {
    return text;
  }
  text += t.precision == Precision::Fp8 ? fmt::format(" ({} scaling)", name_of(t.fp8_recipe)) : "";
  text += t.narrow_weights ? ", narrow weights only" : "";
  const int wide = t.wide_first_layers + t.wide_last_layers;
  text += wide > 0 ? fmt::format(", first {} and last {} layers in bf16", t.wide_first_layers,
                                 t.wide_last_layers)
                   : "";
  text += t.wide_head ? "" : ", the head, too";
  return text;
}

/// What is not Adam with fp32 moments and master weights.
std::string optimizer_text(const TrainingSpec& t) {
  const OptimizerSpec& o = t.optimizer;
  const bool moments = o.kind != OptimizerKind::Sgd || o.momentum;
  std::string text = o.kind != OptimizerKind::Adam ? fmt::format(", {}", name_of(o.kind)) : "";
  text += moments ? "" : " without momentum";
  text +=
      moments && o.state_bytes != 4 ? fmt::format(", moments in {} bits", 8 * o.state_bytes) : "";
  text += o.master ? "" : ", no master weights";
  return text;
}

std::string trained_text(const TrainingSpec& t) {
  std::string text;
  if (t.lora.is_there()) {
    text +=
        fmt::format("; LoRA of rank {} on {}{}{}{}", t.lora.rank, names(t.lora.targets),
                    t.lora.wide ? " in 32 bits" : "", t.lora.dropout > 0 ? ", with dropout" : "",
                    t.lora.four_bit_base ? ", base in 4 bits" : "");
  }
  text += t.frozen.empty() ? "" : fmt::format("; {} frozen", names(t.frozen));
  text += t.frozen_layers > 0 ? fmt::format("; first {} frozen", counted(t.frozen_layers, "layer"))
                              : "";
  return text;
}

}  // namespace

std::string precision_line(const Workload& workload) {
  const TrainingSpec& t = workload.training;
  std::string mask = t.attention_window > 0
                         ? fmt::format(" in a window of {}", counted(t.attention_window, "token"))
                         : "";
  if (!t.documents.empty()) {
    mask += fmt::format(" within documents of {} to {}", thousands(t.documents.begin()->first),
                        counted(t.documents.rbegin()->first, "token"));
  }
  const std::string ways = !t.framework.empty()       ? fmt::format("; as {} does it", t.framework)
                           : workload.host.is_there() ? ""
                                                      : "; no framework: the host is never late";
  const double slowdown = workload.host.slowdown;
  const std::string cpu = workload.host.is_there() && slowdown != 1
                              ? fmt::format(" on CPUs that take {} times as long", slowdown)
                              : "";
  const std::string own = t.own_ways.empty() ? "" : fmt::format(", with {}", t.own_ways);
  return fmt::format("{}, {} gradients{}, {} attention{}, {}{}{}{}{}{}", precision_text(t),
                     t.gradient_bytes == 4 ? "fp32" : "16-bit", optimizer_text(t),
                     t.attention == AttentionKind::Flash ? "fused" : name_of(t.attention), mask,
                     recompute_text(workload), t.dropout ? ", dropout" : "", trained_text(t), ways,
                     cpu, own);
}

std::string batch_line(const Workload& workload) {
  const TrainingSpec& t = workload.training;
  const int sharing = workload.parallelism.context * workload.parallelism.ulysses;
  return fmt::format(
      "batch {} = {} of {} x {}, {} each{}{}", thousands(t.global_batch),
      counted(workload.microbatches(), "microbatch", "es"), counted(t.micro_batch, "sequence"),
      counted(workload.parallelism.data, "replica"), counted(t.sequence_length, "token"),
      t.decoder_length > 0 ? fmt::format(", {} of the decoder", thousands(t.decoder_length)) : "",
      sharing > 1 ? fmt::format(", {} of them on a rank", thousands(t.sequence_length / sharing))
                  : "");
}

std::vector<std::string> plan_lines(const Workload& workload) {
  std::vector<std::string> lines{layout_line(workload)};
  if (std::string experts = experts_line(workload); !experts.empty()) {
    lines.push_back(std::move(experts));
  }
  if (std::string overlap = overlap_line(workload); !overlap.empty()) {
    lines.push_back(std::move(overlap));
  }
  lines.push_back(precision_line(workload));
  lines.push_back(batch_line(workload));
  return lines;
}

std::string assumed_text(const Report& report) {
  constexpr std::size_t kShown = 8;
  constexpr std::string_view kCluster = "cluster.";
  std::vector<std::string> shown;
  for (const ReportAssumption& assumed : report.assumptions) {
    if (shown.size() == kShown) {
      break;
    }
    const std::string_view key = assumed.key;
    shown.push_back(fmt::format(
        "{} {}", key.starts_with(kCluster) ? key.substr(kCluster.size()) : key, assumed.text));
  }
  const std::size_t more = report.assumptions.size() - shown.size();
  return fmt::format(
      "{}{}", fmt::join(shown, ", "),
      more > 0 ? fmt::format(" and {} more (--json has all, with reasons)", more) : "");
}

}  // namespace danlu
