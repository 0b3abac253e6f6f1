#include "sim/scenario/search_keys.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/key_rows.hpp"

namespace danlu {
namespace {

/// A key that may be varied, and in words what a search tries where the user lists nothing; the
/// values themselves are those of sim/search/axes.cpp.
struct Searched {
  std::string_view key;
  std::string_view tried;
};
constexpr std::array kSearched{
    Searched{"parallelism.tensor", "the divisors of gpus that fit in an NVLink domain"},
    Searched{"parallelism.pipeline", "the divisors of gpus up to the model's layers"},
    Searched{"parallelism.context", "1, 2, 4, 8 and 16 from 32,768 tokens a sequence on"},
    Searched{"parallelism.ulysses", "no other"},
    Searched{"parallelism.expert", "of a mixture of experts the divisors of their number"},
    Searched{"parallelism.expert_tensor", "of a mixture of experts 1"},
    Searched{"parallelism.sequence", "true"},
    Searched{"parallelism.zero", "1 and 3"},
    Searched{"parallelism.sharding.ranks", "no other"},
    Searched{"parallelism.sharding.reshard", "no other"},
    Searched{"parallelism.outermost", "no other"},
    Searched{"parallelism.scatter_gather", "no other"},
    Searched{"parallelism.expert_exchange", "no other"},
    Searched{"parallelism.context_exchange", "no other"},
    Searched{"parallelism.overlap.tensor", "backward and full"},
    Searched{"parallelism.overlap.chunks", "2 and 4"},
    Searched{"parallelism.overlap.data", "false and true"},
    Searched{"parallelism.overlap.weights", "no other"},
    Searched{"parallelism.overlap.pipeline", "no other"},
    Searched{"parallelism.overlap.shared_experts", "false and true, with shared experts"},
    Searched{"parallelism.overlap.pair", "of a mixture of experts false and true"},
    Searched{"training.micro_batch", "1, 2, 4 and 8"},
    Searched{"training.recompute", "none, selective and full"},
    Searched{"training.recompute_layers", "no other"},
    Searched{"training.recompute_unit", "no other"},
    Searched{"training.attention", "no other"},
    Searched{"training.schedule.kind", "1f1b"},
    Searched{"training.schedule.chunks", "1, 2, 3, 4, 6 and 8"},
};

std::string path_of(std::string_view key) {
  return fmt::format("search.{}", key);
}

}  // namespace

std::vector<KeyRow> search_keys(std::span<const KeyRow> plan) {
  std::vector<KeyRow> rows;
  for (const auto& [key, tried] : kSearched) {
    const KeyRow* own = find_key(plan, key);
    check(own != nullptr, "a key that can be searched is one of the plan");
    const std::string choices = own->type == KeyType::Flag ? "true|false" : own->choices;
    std::string help = fmt::format(
        "Values of `{}` that danlu search tries; if left out the scenario's own, and {}", key,
        tried);
    if (choices.empty()) {
      rows.push_back(rows::count_or_counts(path_of(key), kByHand, own->minimum, own->maximum,
                                           std::move(help)));
    } else {
      rows.push_back(rows::words(path_of(key), kByHand, choices, choices, "", std::move(help)));
      rows.back().inner = own->parts;
    }
  }
  return rows;
}

SearchSpec read_search(const Values& values) {
  SearchSpec spec;
  for (const Searched& searched : kSearched) {
    const std::string path = path_of(searched.key);
    if (!values.has(path)) {
      continue;
    }
    const Value& value = values.at(path);
    SearchedKey& key = spec.emplace_back(SearchedKey{std::string(searched.key), {}});
    for (const double number : value.numbers) {
      key.values.push_back(fmt::format("{:.0f}", number));
    }
    if (value.numbers.empty() && value.text.starts_with('[')) {
      for (const std::string_view word : words_in(value.text)) {
        key.values.emplace_back(word);
      }
    } else if (value.numbers.empty()) {
      key.values.push_back(value.text);
    }
  }
  return spec;
}

}  // namespace danlu
