// Inside sim/scenario: the table of Hugging Face's model types.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace danlu {

/// How the value of a field becomes that of a key.
enum class Taking {
  As,     // as it is
  Times,  // times the value of the key `part`
  Plus,   // plus the number, or the value of the key, `part`
  Bias,   // true: the products `part` have biases
  If,     // only where the field `part` is true
  When,   // `part` where the field is true, nothing where it is false
  Says,   // true where its words have `part` in them
  Must,   // it must have the value `fallback`: no key says anything else
  // Which layers have what the key is about, for keys that say each so-manieth has:
  Behind,  // a window: all but so many first ones
  Among,   // a window: of so many first ones the first, the third, ...
  These,   // experts: those that are listed
  Others,  // experts: those that are not listed, of those that would have them
  Unsaid   // no key says it: a note that it is left out
};

/// One key of a model.
struct TakenField {
  std::string_view key;       // below `model`
  std::string_view field;     // of config.json, "new|old"; empty: the model's code decides
  std::string_view fallback;  // where the field is missing: a value, "=key", "4*key", "a/b"; empty:
                              // it must be there
  Taking how = Taking::As;
  std::string_view part{};
  std::string_view inner{};    // instead of the fallback in a text_config, if not empty
  std::string_view if_null{};  // instead of both where the file says null, if not empty
};

struct HuggingFaceType {
  std::string_view name;    // model_type
  std::string_view source;  // the class whose defaults these are
  std::vector<TakenField> fields;
};

const std::vector<HuggingFaceType>& huggingface_table();

}  // namespace danlu
