// Configurations of other programs as scenarios: `danlu import megatron FILE`. A framework is one
// file with one table of flags, which also writes its page in docs/import.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/import/draft.hpp"

namespace danlu {

/// A scenario as text, and what is to be told about it.
struct Imported {
  std::string scenario;
  std::vector<std::string> remarks;  // what keeps it from being what the file describes
  std::size_t flags = 0;             // that the file has
  std::size_t unknown = 0;           // of them not understood
  std::size_t idle = 0;              // without effect here
  bool complete = true;              // no line is to be filled in
};

struct Importer {
  std::string_view name;          // as on the command line
  std::string_view title;         // "Megatron-LM"
  std::string_view file;          // what it reads, in a few words
  std::string_view introduction;  // of its page: what is assumed as a whole
  std::span<const FlagRow> rows;
  std::span<const DefaultRow> defaults;
  std::vector<GivenFlag> (*read)(const std::string& text, const std::string& name,
                                 std::vector<Definition>& environment,
                                 std::vector<std::string>& notes);
  void (*finish)(Draft& draft);  // what follows from several flags; then defaults are filled in
};

const std::vector<Importer>& frameworks();
/// nullptr: there is none of that name.
const Importer* framework_named(std::string_view name);

/// Throws InputError.
Imported import_file(const Importer& framework, const std::filesystem::path& file,
                     const ImportOptions& options);

/// The page "Coming from ...": flag by flag.
std::string import_page(const Importer& framework);

extern const Importer kMegatron;
extern const Importer kDeepSpeed;
extern const Importer kTorchTitan;
extern const Importer kNemo;

}  // namespace danlu
