// Many short lists in one array, for data of millions of items: list i is
// items[offsets[i] .. offsets[i + 1]).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace danlu {

template <typename Item>
class Lists {
 public:
  std::size_t size() const { return offsets_.size() - 1; }
  std::span<const Item> of(std::size_t list) const {
    return std::span(items_).subspan(offsets_[list], offsets_[list + 1] - offsets_[list]);
  }
  std::span<const Item> all() const { return items_; }

  /// Appends one list.
  template <typename Range>
  void add(const Range& list) {
    items_.insert(items_.end(), list.begin(), list.end());
    offsets_.push_back(items_.size());
  }

 private:
  std::vector<std::size_t> offsets_{0};
  std::vector<Item> items_;
};

}  // namespace danlu
