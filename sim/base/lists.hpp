// Many short lists in one array, for data of millions of items: the list of an id is
// items[offsets[id] .. offsets[id + 1]).
#pragma once

#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "sim/base/ids.hpp"

namespace danlu {

template <typename Id, typename Item>
class Lists {
 public:
  /// Items sorted into `lists` lists, each in the order of coming: `for_items(put)` calls put(list,
  /// item) for all of them, twice alike.
  template <typename ForItems>
  static Lists sorted(std::size_t lists, const ForItems& for_items) {
    Lists made;
    made.offsets_.assign(lists + 1, 0);
    for_items([&](Id list, const Item&) { ++made.offsets_[index(list) + 1]; });
    std::partial_sum(made.offsets_.begin(), made.offsets_.end(), made.offsets_.begin());
    made.items_.resize(made.offsets_.back());
    std::vector<std::size_t> next(made.offsets_.begin(), made.offsets_.end() - 1);
    for_items([&](Id list, const Item& item) { made.items_[next[index(list)]++] = item; });
    return made;
  }

  std::size_t size() const { return offsets_.size() - 1; }
  std::span<const Item> of(Id list) const {
    const std::size_t begin = offsets_[index(list)];
    return std::span(items_).subspan(begin, offsets_[index(list) + 1] - begin);
  }
  std::span<const Item> all() const { return items_; }

  /// Room for so many lists, with so many items in all.
  void reserve(std::size_t lists, std::size_t items) {
    offsets_.reserve(lists + 1);
    items_.reserve(items);
  }

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
