// Which files were read: so that the program does not write over one of them.
#pragma once

#include <filesystem>
#include <vector>

namespace danlu {

/// While one lives, the readers of files leave their names in it. One at a time.
class FilesRead {
 public:
  FilesRead() { current_ = this; }
  ~FilesRead() { current_ = nullptr; }
  FilesRead(const FilesRead&) = delete;
  FilesRead& operator=(const FilesRead&) = delete;

  const std::vector<std::filesystem::path>& names() const { return names_; }

  /// For readers of files.
  static void note(const std::filesystem::path& file) {
    if (current_ != nullptr) {
      current_->names_.push_back(file);
    }
  }

 private:
  static inline thread_local FilesRead* current_ = nullptr;
  std::vector<std::filesystem::path> names_;
};

}  // namespace danlu
