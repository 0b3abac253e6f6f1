#include "sim/import/megatron_arguments.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "sim/base/text.hpp"

namespace danlu {
namespace megatron_words {  // the folder is built as one
namespace {

/// Whether all words up to the next flag are its value.
bool takes_list(std::string_view flag) {
  return flag == "--recompute-modules" || flag == "--cuda-graph-scope" ||
         flag == "--cuda-graph-modules" || flag == "--hierarchical-context-parallel-sizes" ||
         flag == "--cp-comm-type";
}

/// Whether argparse gives the flag no value (store_true), so that a word behind it is not its own.
bool stands_alone(std::string_view flag, std::span<const FlagRow> rows) {
  constexpr auto kFlags =
      std::to_array<std::string_view>({"--bf16",
                                       "--fp16",
                                       "--group-query-attention",
                                       "--add-qkv-bias",
                                       "--multi-latent-attention",
                                       "--recompute-activations",
                                       "--checkpoint-activations",
                                       "--external-cuda-graph",
                                       "--cross-entropy-loss-fusion",
                                       "--first-last-layers-bf16",
                                       "--calculate-per-token-loss",
                                       "--account-for-embedding-in-pipeline-split",
                                       "--account-for-loss-in-pipeline-split",
                                       "--ddp-average-in-collective",
                                       "--distribute-checkpointed-activations",
                                       "--moe-layer-recompute",
                                       "--sequence-parallel",
                                       "--mock-data",
                                       "--moe-grouped-gemm",
                                       "--moe-permute-fusion",
                                       "--manual-gc"});
  constexpr auto kBegins = std::to_array<std::string_view>(
      {"--no-", "--use-", "--disable-", "--enable-", "--overlap-", "--reset-"});
  const FlagRow* row = find_row(rows, flag);
  return (row != nullptr && (row->reading == Reading::On || row->reading == Reading::Told)) ||
         std::find(kFlags.begin(), kFlags.end(), flag) != kFlags.end() ||
         std::any_of(kBegins.begin(), kBegins.end(),
                     [&](std::string_view begin) { return flag.starts_with(begin); });
}

/// Whether a word that is not known may stand for several, flags among them.
bool may_hold_flags(const ShellWord& word) {
  return !word.known && (word.text.starts_with('$') || word.text.starts_with('`'));
}
/// ... and cannot be the one value of a flag.
bool is_list(const ShellWord& word) {
  return !word.known &&
         (word.text == "$@" || word.text == "$*" || word.text == "${@}" ||
          word.text.find("[@]") != std::string::npos ||
          word.text.find("[*]") != std::string::npos || word.text.find(":+") != std::string::npos);
}

}  // namespace
}  // namespace megatron_words

std::vector<GivenFlag> megatron_arguments(ShellScript script, std::span<const FlagRow> rows,
                                          std::vector<std::string>& notes) {
  using namespace megatron_words;
  notes.insert(notes.end(), std::make_move_iterator(script.notes.begin()),
               std::make_move_iterator(script.notes.end()));
  std::vector<GivenFlag> flags;
  const bool decodes =
      std::any_of(script.command.begin(), script.command.end(), [](const ShellWord& word) {
        return word.text.starts_with("--decoder-num-layers") ||
               word.text.starts_with("--decoder_num_layers");
      });
  bool in_arguments = std::none_of(script.command.begin(), script.command.end(),
                                   [](const ShellWord& w) { return w.text.ends_with(".py"); });
  std::vector<std::string> open;  // words that may hold flags
  for (ShellWord& word : script.command) {
    in_arguments |= word.text.ends_with(".py");
    const bool is_flag = word.text.starts_with("--") && word.text.size() > 2;
    const bool is_known = word.text.ends_with("pretrain_gpt.py") ||
                          (decodes && word.text.ends_with("pretrain_t5.py"));
    if (!is_flag && word.text.ends_with(".py") && !is_known) {
      notes.push_back(
          fmt::format("the script starts {}: its model is taken for one of pretrain_gpt.py, a "
                      "decoder of text",
                      shown(word.text)));
    }
    if (!is_flag) {  // the value of the flag before, or its second one
      const bool is_value =
          !flags.empty() && flags.back().value.empty() &&
          !(may_hold_flags(word) && (is_list(word) || stands_alone(flags.back().name, rows)));
      if (is_value) {
        flags.back().value = word.text;
        flags.back().known = word.known;
      } else if (!flags.empty() && takes_list(flags.back().name)) {
        flags.back().value += " " + word.text;
        flags.back().known &= word.known;
      } else if (in_arguments && may_hold_flags(word)) {
        open.push_back(fmt::format("{} (line {})", shown(word.text), word.position.line));
      }
      continue;
    }
    const std::size_t equals = word.text.find('=');
    GivenFlag flag{.name = word.text.substr(0, equals),
                   .value = equals == std::string::npos ? "" : word.text.substr(equals + 1),
                   .known = word.known,
                   .position = word.position,
                   .source_line = word.source_line};
    std::replace(flag.name.begin() + 2, flag.name.end(), '_', '-');
    flags.push_back(std::move(flag));
  }
  if (!open.empty()) {
    notes.push_back(fmt::format(
        "fill in: only the one who runs the script knows what these say, so the flags in them are "
        "left out: {}",
        fmt::join(open, ", ")));
  }
  return flags;
}

}  // namespace danlu
