#include "sim/validation/training_notes.hpp"

#include <algorithm>
#include <array>
#include <regex>
#include <utility>
#include <vector>

#include "sim/base/units.hpp"

namespace danlu {
namespace {

/// One fact, a pattern of small letters for it, and wordings as they were met in tables.
struct NotePattern {
  Note note;
  const char* pattern;
  const char* examples;  // cut at "; "
  const char* means;
};
constexpr std::array kNotes{
    NotePattern{Note::ParallelResidual,
                "parallel (attention|attn) ?(and|\\+|/|with) ?(mlp|ffn)|"
                "parallel[ _](residual|block)",
                "parallel attention and MLP; parallel residual",
                "attention and MLP read the same input"},
    NotePattern{Note::UntiedEmbeddings, "\\buntied?\\b|untie_embeddings|embeddings? not tied",
                "untied; untie_embeddings_and_output_weights",
                "the output head has its own weights"},
    NotePattern{Note::TiedEmbeddings,
                "\\btied (word )?embeddings?|tie_word_embeddings|shared? (word )?embeddings?",
                "tied embeddings; tie_word_embeddings",
                "the output head shares the embedding's weights"},
    NotePattern{Note::NoBiases, "\\b(no|without) bias(es)?\\b|\\bbias-free|bias[ =:]+false",
                "no biases; bias-free; bias=False", "linear layers have no biases"},
    NotePattern{Note::NoPositions, "\\bno position(s|al embeddings?| embeddings?)?\\b",
                "no positions; no positional embeddings", "no table of learned positions"},
    NotePattern{Note::NoDropout, "\\b(no|without) dropout|dropout[ =:]*(of )?0(\\.0+)?(?![.0-9])",
                "no dropout; dropout 0.0", "unfused attention without dropout"},
    NotePattern{Note::AsyncTensor, "async[a-z_]*[ _-]?(tp|tensor)",
                "async TP; AsyncTP; enable_async_tensor_parallel",
                "PyTorch's tensor parallelism hides its exchanges"},
    NotePattern{Note::TensorOverlapOff,
                "tp[_ -]comm[_ -]overlap[ =:]*(false|off|no\\b|0)|no tp[_ -]comm[_ -]overlap|"
                "overlap switches off",
                "TP_COMM_OVERLAP False; no TP comm overlap; overlap switches off",
                "exchanges of tensor ranks are exposed"},
    NotePattern{Note::TensorOverlap, "tp[_ -]comm[_ -]overlap|dp\\+tp overlap",
                "TP_COMM_OVERLAP True; tp_comm_overlap; DP+TP overlap",
                "exchanges of tensor ranks hide behind products"},
    NotePattern{Note::OverlapOff,
                "\\b(no|without) (--)?([a-z/]+ )?overlap|"
                "overlap[_-]grad[_-]reduce[ =:]*(false|off)",
                "no overlap; no DP overlap; overlap_grad_reduce=False",
                "gradients are exchanged behind backward"},
    NotePattern{Note::DataOverlap, "overlap[_-]grad[_-]reduce|dp[_ ]comm[_ ]overlap",
                "--overlap-grad-reduce; overlap_grad_reduce=True",
                "gradients are exchanged beside backward"},
    NotePattern{Note::WeightsOverlap, "overlap[_-]param[_-](gather|sync)",
                "--overlap-param-gather; overlap_param_gather=True",
                "ZeRO-1's weights are gathered beside forward"},
    NotePattern{Note::NarrowGather, "(float8|fp8)[ _-]all[ _-]?gather",
                "float8 all-gather; enable_fsdp_float8_all_gather; fp8 allgather",
                "FSDP gathers weights in 8 bits (torchtitan)"},
    NotePattern{Note::UsualGather, "(bf16|16[ -]bit)[ _-]all[ _-]?gather", "bf16 all-gather",
                "FSDP gathers weights in 16 bits (torchtitan)"},
    NotePattern{Note::WideGather, "weights in fp32", "weights in fp32",
                "FSDP gathers weights in fp32"},
    NotePattern{Note::PureFsdp, "fsdp mixed precision pure", "FSDP mixed precision PURE",
                "FSDP reduces gradients in 16 bits"},
    NotePattern{Note::ReducedOnceWide, "gradients reduced once a step, in fp32",
                "gradients reduced once a step, in fp32", "so, with FSDP or ZeRO-2"},
    NotePattern{Note::ReducedOnce, "gradients reduced once a step|\\bno[_-]sync\\b",
                "gradients reduced once a step; no_sync", "so, with FSDP or ZeRO-2"},
    NotePattern{
        Note::NotCompiled,
        "\\b(no|not|nothing|without|w/o) (torch[. ])?compil|uncompiled|compile[ =:]+(false|off)|"
        "(^|[;(,] ?|plain )eager\\b(?! (loss|attention))",
        "without torch.compile; not compiled; compile=False; plain eager; eager mode",
        "PyTorch's single operators"},
    NotePattern{Note::Compiled, "compile", "torch.compile; compiled", "PyTorch's compiled kernels"},
    NotePattern{Note::NonReentrant,
                "non-reentrant|use_reentrant[ =:]*false|no_reentrant|checkpoints? not reentrant",
                "non-reentrant checkpoints; torch.utils.checkpoint non-reentrant; "
                "use_reentrant=False",
                "layers are computed again as PyTorch's newer checkpoints do"},
    NotePattern{Note::Reentrant,
                "\\breentrant checkpoint|checkpoint[a-z]* reentrant|use_reentrant[ =:]*true",
                "reentrant checkpoints; use_reentrant=True", "as its older ones do"},
    NotePattern{Note::Fp8Attention, "fp8 attention|fp8_dot_product_attention|fp8[ _]dpa",
                "fp8 attention; fp8_dot_product_attention",
                "attention in fp8, where the GPU has it"},
    NotePattern{Note::FusedLossOfTe, "fused cross entropy of te", "fused cross entropy of TE",
                "TransformerEngine's fused loss"},
    NotePattern{Note::NoFusedLoss,
                "\\bno fused (loss|cross[ -]?entropy)|unfused (loss|cross[ -]?entropy)",
                "no fused loss; unfused cross-entropy", "the loss's operators apart"},
    NotePattern{Note::FusedLoss,
                "\\bfused (linear )?cross[ -]?entropy|cross[_ -]entropy[_ -](loss[_ -])?fusion",
                "fused cross entropy; cross_entropy_loss_fusion", "the loss in one kernel"},
    NotePattern{Note::NarrowLoss, "loss in (16 bits|bf16)", "loss in 16 bits; loss in bf16",
                "the loss in 16 bits"},
    NotePattern{Note::OpFuser, "op[ _-]fuser|use_te_ops", "op fuser; USE_TE_OPS",
                "TransformerEngine's operator fuser"},
    NotePattern{Note::KeptNarrow, "fp8_activation", "FP8_ACTIVATION",
                "activations are kept in 8 bits"},
    NotePattern{Note::PureBf16, "\\bpure[ _-]bf16", "pure bf16",
                "gradients and the optimizer's state in 16 bits, no master weights"},
    NotePattern{Note::NarrowGradients,
                "(gradients|grads) in (bf16|16 bits)|"
                "\\bbf16 (gradients|grads|grad[a-z]* (reduc|accum|sync))",
                "gradients in bf16; bf16 grad reduction", "gradients in 16 bits"},
    NotePattern{Note::TensorAmax, "tp_only_amax_red", "tp_only_amax_red",
                "fp8's maxima are exchanged by tensor ranks alone"},
    NotePattern{Note::NoRotary, "\\b(no|without) (rotary|rope)", "no rotary; without RoPE",
                "no pass for rotary positions"},
    NotePattern{Note::RotaryOperators, "rotary positions of single operators",
                "rotary positions of single operators", "so"},
    NotePattern{Note::NormOperators, "rmsnorm of single operators", "RMSNorm of single operators",
                "so"},
    NotePattern{Note::NormFusedOn80, "fused rms norm only on 80gb",
                "fused rms norm only on 80GB rows", "on GPUs of 40 GB of single operators"},
    NotePattern{Note::Adapters, "\\blora\\b", "LoRA",
                "adapters are trained, as with \"LoRA\" in the model's name"},
    NotePattern{Note::AdaptersDrop, "adapters with dropout|lora[ _]dropout[ =:]*0?\\.[0-9]*[1-9]",
                "adapters with dropout; lora_dropout=0.1", "so"},
    NotePattern{Note::AdaptersWide, "adapters in fp32", "adapters in fp32", "so"},
    NotePattern{Note::NarrowBase, "4-bit base|\\bqlora\\b", "4-bit base; QLoRA",
                "the frozen weights have 4 bits"},
    NotePattern{Note::NarrowHead, "fp8_output_proj|(head|logits) in (mx)?fp8",
                "fp8_output_proj; head in mxfp8", "the head's product is below 16 bits"},
    NotePattern{Note::Unbalanced,
                "\\bunbalanced|not balanced|uneven(ly)? (experts|routed|routing|load)|"
                "(real|natural|learned) (router|routing|gate)|router left alone",
                "unbalanced; uneven experts; natural router",
                "tokens are not shared evenly: not simulated"},
    NotePattern{Note::ActivationsOffloaded,
                "activations?( are| were| also)* offload|offload[a-z_]* (of )?activations?|"
                "activation[ _-]offload",
                "activations offloaded to the host; activation offloading",
                "to the host: not simulated unless `cpu_offload_layers` says how many, or layers "
                "are computed again whole"},
    NotePattern{Note::PowerLimited, "power[ -](limited|capped)", "power limited",
                "not simulated unless the limit is stated"},
    NotePattern{Note::IncludesEvaluation, "\\binclud(es?|ing) eval",
                "includes evaluation; including eval",
                "the rate is not that of steps: not simulated"},
    NotePattern{Note::Padding, "padding", "with padding",
                "experts are padded to their capacity, where a capacity factor is said"},
};

struct NumberPattern {
  NoteNumber number;
  const char* pattern;  // the first group that matched is the number
  const char* examples;
  const char* means;
};
constexpr std::array kNumbers{
    NumberPattern{
        NoteNumber::PowerLimit,
        "(?:limit(?:ed)?(?: to| of)?|cap(?:ped)?(?: at| to| of)?|tdp(?: of)?|custom)[ :=]*"
        "([0-9]{2,5}) ?w\\b|"
        "\\(([0-9]{3,4}) ?w\\)|\\b([0-9]{3,5}) ?w (?:tdp|power|limit|cap|sku|each|per "
        "gpu|gpus?|cards?)",
        "GPUs limited to 500 W; custom 500W; TDP 500 W; 500 W power cap",
        "the boards' limit of power"},
    NumberPattern{NoteNumber::MemoryBandwidth,
                  "hbm[0-9]?e?(?: memory)?(?: of| at|,|:)? ([0-9.]{1,5}) ?tb/s|"
                  "([0-9.]{1,5}) ?tb/s (?:of )?(?:hbm|memory)",
                  "HBM2e of 2.4 TB/s; 2.4 TB/s memory", "the memory's rate"},
    NumberPattern{NoteNumber::HeadDim,
                  "\\bheads of ([0-9]{2,3})\\b|"
                  "head[ _-]?dim(?:ension)?[ =:]*(?:of )?([0-9]{2,3})\\b",
                  "heads of 128; head_dim=128", "where it is not hidden / heads"},
    NumberPattern{NoteNumber::DenseLayers,
                  "\\b([0-9]{1,3}) dense layer|first ([0-9]{1,3}) layers? (?:are )?dense|"
                  "first_k_dense_replace[ =:]*([0-9]{1,3})",
                  "1 dense layer; first 3 layers dense; first_k_dense_replace=3",
                  "first layers of a mixture that have no experts"},
    NumberPattern{NoteNumber::PredictionLayers,
                  "\\b([0-9]) (?:prediction|mtp) layer|mtp_num_layers[ =:]*([0-9])",
                  "1 prediction layer; mtp_num_layers=1", "for multi-token prediction"},
    NumberPattern{NoteNumber::Capacity, "capacity[ _-]factor[ =:]*(?:of )?([0-9]+(?:\\.[0-9]+)?)",
                  "capacity factor 1.25; capacity_factor=1",
                  "of experts; tokens beyond are dropped"},
};

/// Compiled once: a table of a thousand rows asks each of them.
template <typename Row, std::size_t N>
std::vector<std::regex> compiled(const std::array<Row, N>& rows) {
  std::vector<std::regex> all;
  for (const Row& row : rows) {
    all.emplace_back(row.pattern);
  }
  return all;
}

/// Whether words right before or behind take a fact back.
bool is_denied(const std::string& before, const std::string& behind) {
  static const std::regex no(
      "\\b(no|not|non|without|w/o|disabled?)[ -]+(the |a |any |using |--)?$");
  static const std::regex off("^[\"'`]?[ =:]*(false|off|disabled|none)\\b");
  constexpr std::size_t kWindow = 24;
  const std::string near =
      before.size() > kWindow ? before.substr(before.size() - kWindow) : before;
  return std::regex_search(near, no) || std::regex_search(behind.substr(0, kWindow), off);
}

/// Words of a list of fused parts, and what they are of.
constexpr std::array kFusedWords{
    std::pair{"norm", UnfusedPart::Norm},         std::pair{"norms", UnfusedPart::Norm},
    std::pair{"rmsnorm", UnfusedPart::Norm},      std::pair{"layernorm", UnfusedPart::Norm},
    std::pair{"rotary", UnfusedPart::Positions},  std::pair{"rope", UnfusedPart::Positions},
    std::pair{"swiglu", UnfusedPart::Activation}, std::pair{"gelu", UnfusedPart::Activation},
    std::pair{"residual", UnfusedPart::Residual}, std::pair{"residuals", UnfusedPart::Residual}};

}  // namespace

bool text_says(const std::string& text, Note note) {
  static const std::vector<std::regex> patterns = compiled(kNotes);
  const auto* const row = std::find_if(
      kNotes.begin(), kNotes.end(), [&](const NotePattern& known) { return known.note == note; });
  const std::regex& pattern = patterns[static_cast<std::size_t>(row - kNotes.begin())];
  for (std::sregex_iterator found(text.begin(), text.end(), pattern), end; found != end; ++found) {
    if (!is_denied(found->prefix(), found->suffix())) {
      return true;
    }
  }
  return false;
}

bool notes_say(const TrainingRow& row, Note note) {
  return text_says(row.words("notes"), note);
}

std::optional<double> text_number(const std::string& text, NoteNumber number) {
  static const std::vector<std::regex> patterns = compiled(kNumbers);
  const auto* const known =
      std::find_if(kNumbers.begin(), kNumbers.end(),
                   [&](const NumberPattern& each) { return each.number == number; });
  std::smatch found;
  if (!std::regex_search(text, found,
                         patterns[static_cast<std::size_t>(known - kNumbers.begin())])) {
    return std::nullopt;
  }
  const auto group =
      std::find_if(found.begin() + 1, found.end(), [](const auto& each) { return each.matched; });
  return parse_number(group->str());
}

std::optional<double> note_number(const TrainingRow& row, NoteNumber number) {
  return text_number(row.words("notes"), number);
}

bool notes_fuse(const TrainingRow& row, UnfusedPart part) {
  static const std::regex list("\\bfused ([^;.(:]*)");
  static const std::regex between("[^a-z0-9_]+");
  const std::string notes = row.words("notes");
  for (std::sregex_iterator found(notes.begin(), notes.end(), list), end; found != end; ++found) {
    const std::string words = (*found)[1].str();
    for (std::sregex_token_iterator word(words.begin(), words.end(), between, -1), last;
         word != last && !is_denied(found->prefix(), ""); ++word) {
      const bool is_it = std::any_of(
          kFusedWords.begin(), kFusedWords.end(),
          [&](const auto& known) { return *word == known.first && known.second == part; });
      if (is_it) {
        return true;
      }
    }
  }
  return part == UnfusedPart::Positions && notes_say(row, Note::NoRotary);
}

std::vector<NoteWording> note_wordings() {
  std::vector<NoteWording> all;
  for (const NotePattern& row : kNotes) {
    all.push_back(
        {.note = row.note, .number = std::nullopt, .examples = row.examples, .means = row.means});
  }
  for (const NumberPattern& row : kNumbers) {
    all.push_back(
        {.note = std::nullopt, .number = row.number, .examples = row.examples, .means = row.means});
  }
  return all;
}

std::optional<NotedAdapters> noted_adapters(const TrainingRow& row) {
  static const std::regex rank("\\b(?:rank|r)[ =]*([0-9]{1,4})\\b");
  static const std::regex all("\\b(?:every|all)[ -](?:linear|\\*?_?proj)");
  static const std::regex stated("rank ([0-9]+) on ([a-z]+(?:, (?:q|k|v|o|gate|up|down))*)");
  const std::string notes = row.words("notes");
  std::smatch found;
  if (std::regex_search(notes, all) && std::regex_search(notes, found, rank)) {
    return NotedAdapters{.rank = std::stoi(found[1]), .targets = kAllLinear};
  }
  if (!std::regex_search(notes, found, stated)) {
    return std::nullopt;
  }
  return NotedAdapters{.rank = std::stoi(found[1]), .targets = found[2].str()};
}

}  // namespace danlu
