// Containers indexed by an id (ids.hpp) or another enumeration, so that what is kept by rank cannot
// be asked for a stage. They compile to what std::vector and std::array do.
//
//   IdVector<LinkId, double> capacities;
//   const LinkId wire = capacities.push_back(50e9);
//   for (const LinkId link : capacities.ids()) { use(capacities[link]); }
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <utility>
#include <vector>

#include "sim/base/ids.hpp"

namespace danlu {

/// The ids from `first` up to `last`, without it.
template <typename Id>
class IdRange {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Id;
    using difference_type = std::ptrdiff_t;
    using pointer = const Id*;
    using reference = Id;

    constexpr explicit Iterator(std::size_t at) : at_(at) {}
    constexpr Id operator*() const { return make_id<Id>(at_); }
    constexpr Iterator& operator++() {
      ++at_;
      return *this;
    }
    constexpr bool operator==(const Iterator&) const = default;

   private:
    std::size_t at_;
  };

  /// The first `count` ids.
  constexpr explicit IdRange(std::size_t count) : last_(count) {}
  constexpr IdRange(Id first, Id last) : first_(index(first)), last_(index(last)) {}

  constexpr Iterator begin() const { return Iterator(first_); }
  constexpr Iterator end() const { return Iterator(last_); }
  constexpr std::size_t size() const { return last_ - first_; }

 private:
  std::size_t first_ = 0;
  std::size_t last_;
};

/// A std::vector with an item for every id.
template <typename Id, typename Item>
class IdVector {
 public:
  using Items = std::vector<Item>;
  using value_type = Item;
  using iterator = typename Items::iterator;
  using const_iterator = typename Items::const_iterator;

  IdVector() = default;
  explicit IdVector(std::size_t size, const Item& item = {}) : items_(size, item) {}
  IdVector(std::initializer_list<Item> items) : items_(items) {}
  explicit IdVector(Items items) : items_(std::move(items)) {}

  // Of a vector of bool the items are no references.
  decltype(auto) operator[](Id id) { return items_[index(id)]; }
  decltype(auto) operator[](Id id) const { return items_[index(id)]; }

  std::size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  IdRange<Id> ids() const { return IdRange<Id>(items_.size()); }
  /// The id that the next item gets.
  Id next_id() const { return make_id<Id>(items_.size()); }
  /// The id of the last item; there is one.
  Id last_id() const { return make_id<Id>(items_.size() - 1); }
  /// The id of the item that `at` points to; the next one's at the end.
  Id id_at(const_iterator at) const {
    return make_id<Id>(static_cast<std::size_t>(at - items_.begin()));
  }
  /// The id of an item of this vector.
  Id id_of(const Item& item) const {
    return make_id<Id>(static_cast<std::size_t>(&item - items_.data()));
  }

  Item* data() { return items_.data(); }
  const Item* data() const { return items_.data(); }
  iterator begin() { return items_.begin(); }
  iterator end() { return items_.end(); }
  const_iterator begin() const { return items_.begin(); }
  const_iterator end() const { return items_.end(); }
  Item& front() { return items_.front(); }
  Item& back() { return items_.back(); }
  const Item& front() const { return items_.front(); }
  const Item& back() const { return items_.back(); }

  /// Returns the new item's id.
  Id push_back(Item item) {
    items_.push_back(std::move(item));
    return make_id<Id>(items_.size() - 1);
  }
  void assign(std::size_t size, const Item& item) { items_.assign(size, item); }
  void resize(std::size_t size) { items_.resize(size); }
  void clear() { items_.clear(); }

  bool operator==(const IdVector&) const = default;

 private:
  Items items_;
};

/// An array with an item for each of the enumeration's values.
template <typename Id, typename Item, std::size_t Size>
struct IdArray {
  Item items[Size]{};

  constexpr Item& operator[](Id id) { return items[index(id)]; }
  constexpr const Item& operator[](Id id) const { return items[index(id)]; }

  constexpr std::size_t size() const { return Size; }
  constexpr IdRange<Id> ids() const { return IdRange<Id>(Size); }
  constexpr Item* begin() { return items; }
  constexpr Item* end() { return items + Size; }
  constexpr const Item* begin() const { return items; }
  constexpr const Item* end() const { return items + Size; }

  bool operator==(const IdArray&) const = default;
};

}  // namespace danlu
