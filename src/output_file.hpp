// Files that the program writes: whole or not at all, never over what it reads.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "sim/base/text_sink.hpp"

namespace danlu {

/// Whether two names lead to one file, by links of either kind, whether it is there or not. Devices
/// and pipes are no files.
bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b);

/// Why `file` cannot be written, as far as trying beside it shows; "" if nothing is in the way.
std::string why_unwritable(const std::filesystem::path& file);

/// Writes a text to a sink.
using TextWriter = std::function<void(const TextSink&)>;
/// Writes a text beside `file` and renames it, so that the file is whole or not there at all; links
/// to it stay, and so do devices and pipes, which are written to. It is compressed where the name
/// ends in .gz. A signal that ends the program meanwhile leaves nothing behind. Throws InputError,
/// and what `write` throws.
void write_file(const std::filesystem::path& file, const TextWriter& write);
/// The same of a text that is whole.
void write_file(const std::filesystem::path& file, std::string_view text);

/// Whether a file of that name is written compressed.
bool is_gzip(const std::filesystem::path& file);
/// The ending of a file's name, in small letters and without the .gz of what is compressed.
std::string kind_of(const std::filesystem::path& file);

/// A file to be written, and the option that names it.
struct Output {
  std::string option;
  std::filesystem::path file;

  /// "for example FOLDER/out.json": what may be meant.
  std::string hint(const std::filesystem::path& folder) const;
};

/// What can be said of output files before hours of simulation: throws InputError where one cannot
/// be written, or is the file of two options.
void check_outputs(std::span<const Output> outputs);

/// Throws InputError where a drawing or a trace would get the name of something else: "x.png".
/// Devices, pipes and what lies in /dev and /proc may have any. For after it is known that nothing
/// is written over what is read.
void check_endings(std::span<const Output> outputs);

}  // namespace danlu
