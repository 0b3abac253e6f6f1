#include "sim/import/import.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "sim/base/text.hpp"
#include "sim/scenario/keys.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

const std::vector<Importer>& frameworks() {
  static const std::vector<Importer> all{kMegatron, kDeepSpeed, kTorchTitan, kNemo};
  return all;
}

const Importer* framework_named(std::string_view name) {
  const std::vector<Importer>& all = frameworks();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Importer& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

namespace {

/// The variables of --define; of several with one name the last, as in a shell.
std::vector<Definition> definitions(const ImportOptions& options, std::vector<std::string>& notes) {
  std::vector<Definition> all;
  for (const std::string& variable : options.variables) {
    const std::size_t equals = variable.find('=');
    Definition one{variable.substr(0, equals), variable.substr(equals + 1)};
    const auto same = std::find_if(all.begin(), all.end(),
                                   [&](const Definition& other) { return other.name == one.name; });
    if (same == all.end()) {
      all.push_back(std::move(one));
      continue;
    }
    notes.push_back(fmt::format("--define {}={} is left out: --define {} comes later",
                                shown(same->name), shown(same->value), shown(variable)));
    *same = std::move(one);
  }
  return all;
}

}  // namespace

Imported import_file(const Importer& framework, const std::filesystem::path& file,
                     const ImportOptions& options) {
  std::vector<std::string> notes;
  const std::string text = read_text_file(file);
  std::vector<Definition> environment = definitions(options, notes);
  std::vector<GivenFlag> flags = framework.read(text, file.string(), environment, notes);
  for (const Definition& one : environment) {
    if (!one.used) {
      notes.push_back(fmt::format("--define {}={}: nothing that counts in the file asks for it",
                                  shown(one.name), shown(one.value)));
    }
  }
  Draft draft(file.stem().string(), std::move(flags), framework.rows, options);
  if (!draft.knows_any()) {
    throw InputError(
        Problem{{file.string(), 0, 0},
                fmt::format("found nothing of {} in it", framework.title),
                fmt::format("danlu import {} reads {}", framework.name, framework.file),
                ""});
  }
  for (std::string& note : notes) {
    draft.remark(std::move(note));
  }
  draft.add_model_of_options();
  for (const auto& [key, value, option] :
       {std::tuple("model.vocab", options.vocab, "--vocab"),
        std::tuple("training.sequence_length", options.sequence_length, "--sequence-length"),
        std::tuple("training.global_batch", options.global_batch, "--global-batch")}) {
    if (value) {
      draft.pin(key, *value, option);
    }
  }
  framework.finish(draft);
  const bool whole_model = draft.has("model.preset") || draft.has("model.huggingface");
  for (const DefaultRow& row : framework.defaults) {
    if (!whole_model || !row.key.starts_with("model.")) {
      draft.set_default(row);
    }
  }
  draft.list_unused(framework.rows);
  return {draft.write(fmt::format("From {} by danlu import {}: every line with the flag it is from",
                                  shown(file.string(), kLongestPath), framework.name)),
          draft.remarks(),
          draft.flags(),
          draft.unknown(),
          draft.idle(),
          !draft.has_gaps()};
}

namespace {

std::string names_text(std::string_view flags) {
  return fmt::format("`{}`", fmt::join(split(flags, '|'), "`, `"));
}

/// The keys of a row as links of a table, and what of them this version lacks.
std::string keys_text(std::string_view keys) {
  std::vector<std::string> found;
  for (const std::string_view key : split(keys, '|')) {
    const bool there = find_key(scenario_keys(), key) != nullptr;
    found.push_back(fmt::format("`{}`{}", key, there ? "" : " (not in this version)"));
  }
  return fmt::format("{}", fmt::join(found, ", "));
}

std::string how_read(const FlagRow& row) {
  switch (row.reading) {
    case Reading::Count:
    case Reading::Number:
      return "its number";
    case Reading::On:
      return fmt::format("`{}`", row.words.empty() ? "true" : row.words[0].second);
    case Reading::Words: {
      std::vector<std::string> words;
      for (const auto& [from, to] : row.words) {
        words.push_back(fmt::format("{}: `{}`", from, to.empty() ? "-" : to));
      }
      return fmt::format("{}", fmt::join(words, ", "));
    }
    default:
      return "with others";
  }
}

}  // namespace

std::string import_page(const Importer& framework) {
  std::string page = fmt::format(
      "# Coming from {}\n\n`danlu import {} FILE` reads {} and prints a scenario, each line with "
      "the flag that it is from. This page is written from the table that the command goes by. A "
      "flag that is not here is listed at the end of the scenario as not understood.\n\n{}\n\n"
      "## What has an effect\n\n| Flag | Key | Value | |\n| --- | --- | --- | --- |\n",
      framework.title, framework.name, framework.file, framework.introduction);
  for (const FlagRow& row : framework.rows) {
    if (row.reading != Reading::Idle && row.reading != Reading::Told) {
      page += fmt::format("| {} | {} | {} | {} |\n", names_text(row.flag), keys_text(row.key),
                          how_read(row), row.note);
    }
  }
  page += "\n## What holds where the file is silent\n\n| Key | Value | |\n| --- | --- | --- |\n";
  for (const DefaultRow& row : framework.defaults) {
    page += fmt::format("| {} | `{}` | {} |\n", keys_text(row.key), row.value, row.note);
  }
  const auto list = [&](Reading reading, std::string_view heading) {
    page += fmt::format("\n## {}\n\n| Flags | Why |\n| --- | --- |\n", heading);
    for (const FlagRow& row : framework.rows) {
      if (row.reading == reading) {
        page += fmt::format("| {} | {} |\n", names_text(row.flag), row.note);
      }
    }
  };
  list(Reading::Told, "What danlu has no key for and tells");
  list(Reading::Idle, "What has no effect here");
  return page;
}

}  // namespace danlu
