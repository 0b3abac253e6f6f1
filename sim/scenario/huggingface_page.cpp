// The page that the table of Hugging Face's model types writes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/base/text.hpp"
#include "sim/scenario/huggingface.hpp"
#include "sim/scenario/huggingface_types.hpp"

namespace danlu {
namespace {

/// What the value of the field means for the key.
std::string how_text(const TakenField& field) {
  switch (field.how) {
    case Taking::As:
      return "";
    case Taking::Times:
      return fmt::format(", times {}", field.part);
    case Taking::Plus:
      return fmt::format(" + {}", field.part);
    case Taking::Bias:
      return fmt::format(": of {}", fmt::join(split(field.part, ' '), ", "));
    case Taking::If:
      return fmt::format(" if `{}`", field.part);
    case Taking::When:
      return fmt::format(": {}", field.part);
    case Taking::Says:
      return fmt::format(" says {}", field.part);
    case Taking::Must:
      return ", which must be that";
    case Taking::Behind:
      return ": none in so many first layers";
    case Taking::Among:
      return ": of so many first layers each second has none, as all behind them";
    case Taking::These:
      return ": the layers with experts";
    case Taking::Others:
      return ": layers without experts";
    case Taking::Unsaid:
      return ": left out, with a note";
  }
  return "";
}

std::string field_row(const TakenField& field) {
  const std::string names = fmt::format("`{}`", fmt::join(split(field.field, '|'), "` or `"));
  const auto in_words = [](std::string_view fallback) {
    return fallback.starts_with('=') ? fmt::format("as {}", fallback.substr(1))
                                     : std::string(fallback.empty() ? "required" : fallback);
  };
  std::string otherwise = in_words(field.fallback);
  if (!field.inner.empty() && field.inner != field.fallback) {
    otherwise += fmt::format("; in a text_config {}", in_words(field.inner));
  }
  if (!field.if_null.empty() && field.if_null != field.fallback) {
    otherwise +=
        fmt::format("; null: {}", field.if_null == "null" ? "none" : in_words(field.if_null));
  }
  return fmt::format("| `model.{}` | {}{} | {} |\n", field.key,
                     field.field.empty() ? "the model's code" : names, how_text(field), otherwise);
}

}  // namespace

std::string huggingface_page() {
  std::string page =
      "# Models of Hugging Face\n\n"
      "`model: {huggingface: path/config.json}` takes a model from the configuration of a "
      "checkpoint; the path starts at the scenario's folder, and keys beside it override what it "
      "says, or stand in for what it lacks. What a field means depends on the file's `model_type`. "
      "Where a field is missing, the default of the configuration class holds that its table has "
      "(a "
      "field that is null may mean another thing: no window, as many key-value heads as heads); "
      "what that calls required has to be in the file or beside it. Some things only the model's "
      "code says, such as the biases of Qwen2's queries, keys and values; the run's notes tell "
      "both. A type that "
      "is not here is refused, and so is a model that no key can express. Of a model of several "
      "media the language part is taken (`text_config`), of which transformers writes only what "
      "differs "
      "from its class.\n\n"
      "Which layers see past a window is `model.global_every`: each so-manieth. `layer_types`, the "
      "list of `full_attention` and `sliding_attention`, is taken of every type, before all else "
      "that says so. A list, or a number of first layers, that is no each so-manieth is refused at "
      "its place, unless the scenario says beside the file what comes nearest: `global_every`, or "
      "`window: 0`. So it is with lists of the layers that have experts, by `experts.every` and "
      "`experts.dense_layers`.\n\n"
      "Defaults are those of `src/transformers/models/*/configuration_*.py` in "
      "github.com/huggingface/transformers, the model's code is `modeling_*.py` beside it. Fields "
      "that change neither sizes nor work (rotary bases, dropout, token ids) are not read; of "
      "one that is but for two letters a field which the file lacks a note of the run asks.\n";
  for (const HuggingFaceType& type : huggingface_table()) {
    page += fmt::format("\n## {}\n\n{}\n\n| Key | From | Without it |\n| --- | --- | --- |\n",
                        type.name, type.source);
    for (const TakenField& field : type.fields) {
      page += field_row(field);
    }
  }
  return page;
}

}  // namespace danlu
