#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernel/state/chunked.h"

namespace gantry::state {

// A set of small keys in order: a two-level B-tree whose leaves are arrays of at most 512. Appending at either end is cheap, a
// snapshot is the keys as they lie. `Less` may be stateful (comparing numbers of names by their text) and is passed by the caller.
template <Raw Key>
class Ordered {
    struct Leaf {
        std::uint64_t count = 0;
        Key keys[512];
    };

   public:
    struct Cursor {
        std::size_t leaf, at;
    };
    std::size_t size() const { return size_; }

    template <class Less = std::less<>>
    void insert(Key const& key, Less&& less = {}) {
        if (leaves_.empty()) leaves_.push_back(fresh());
        std::size_t l = leaf_for(key, less);
        if (leaves_[l]->count == 512) {
            split(l, key, less);
            if (!less(key, leaves_[l + 1]->keys[0])) ++l;
        }
        Leaf& leaf = writable(l);
        std::size_t i = std::size_t(std::lower_bound(leaf.keys, leaf.keys + leaf.count, key, less) - leaf.keys);
        std::copy_backward(leaf.keys + i, leaf.keys + leaf.count, leaf.keys + leaf.count + 1);
        leaf.keys[i] = key, ++leaf.count, ++size_;
    }
    // True if it was there.
    template <class Less = std::less<>>
    bool erase(Key const& key, Less&& less = {}) {
        if (leaves_.empty()) return false;
        std::size_t l = leaf_for(key, less);
        Leaf const& found = *leaves_[l];
        std::size_t i = std::size_t(std::lower_bound(found.keys, found.keys + found.count, key, less) - found.keys);
        if (i == found.count || less(key, found.keys[i])) return false;
        Leaf& leaf = writable(l);
        std::copy(leaf.keys + i + 1, leaf.keys + leaf.count, leaf.keys + i);
        leaf.keys[--leaf.count] = Key{}, --size_;
        if (leaf.count == 0) leaves_.erase(leaves_.begin() + std::ptrdiff_t(l));
        return true;
    }
    // Visits keys >= `from` upwards until `visit` returns false.
    template <class Visit, class Less = std::less<>>
    void ascend(Key const& from, Visit&& visit, Less&& less = {}) const {
        if (leaves_.empty()) return;
        std::size_t l = leaf_for(from, less);
        std::size_t i =
            std::size_t(std::lower_bound(leaves_[l]->keys, leaves_[l]->keys + leaves_[l]->count, from, less) - leaves_[l]->keys);
        for (; l < leaves_.size(); ++l, i = 0)
            for (; i < leaves_[l]->count; ++i)
                if (!visit(leaves_[l]->keys[i])) return;
    }
    // Visits keys < `below` downwards until `visit` returns false.
    template <class Visit, class Less = std::less<>>
    void descend(Key const& below, Visit&& visit, Less&& less = {}) const {
        if (leaves_.empty()) return;
        std::size_t l = leaf_for(below, less);
        std::size_t i =
            std::size_t(std::lower_bound(leaves_[l]->keys, leaves_[l]->keys + leaves_[l]->count, below, less) - leaves_[l]->keys);
        for (;;) {
            while (i > 0)
                if (!visit(leaves_[l]->keys[--i])) return;
            if (l == 0) return;
            i = leaves_[--l]->count;
        }
    }
    Key const* first() const { return leaves_.empty() ? nullptr : &leaves_.front()->keys[0]; }
    Key const* last() const { return leaves_.empty() ? nullptr : &leaves_.back()->keys[leaves_.back()->count - 1]; }
    std::size_t memory_bytes() const { return leaves_.size() * (sizeof(Leaf) + sizeof(std::shared_ptr<Leaf>) + 16); }

    void save(Out& out) const {
        out.number(std::uint64_t(size_));
        if (out.form == Form::portable) {
            ValueWriter<Key> writer(out);
            for (auto const& leaf : leaves_)
                for (std::uint64_t i = 0; i < leaf->count; ++i) writer.put(leaf->keys[i]);
            return writer.finish();
        }
        for (auto const& leaf : leaves_) out.write(leaf->keys, sizeof(Key) * leaf->count);
    }
    bool load(In& in) {
        leaves_.clear(), size_ = 0;
        std::uint64_t n;
        ValueReader<Key> reader;
        bool const portable = in.form == Form::portable;
        if (!in.number(n) || n > in.left() / (portable ? 1 : sizeof(Key)) || (portable && !reader.open(in))) return false;
        for (std::uint64_t i = 0; i < n; i += 384) {  // room to grow in each
            auto leaf = fresh();
            leaf->count = std::min<std::uint64_t>(384, n - i);
            if (!portable && !in.read(leaf->keys, sizeof(Key) * leaf->count)) return false;
            for (std::uint64_t k = 0; portable && k < leaf->count; ++k)
                if (!reader.read(in, leaf->keys[k])) return false;
            leaves_.push_back(std::move(leaf));
        }
        size_ = n;
        return reader.all_read();
    }

   private:
    static std::shared_ptr<Leaf> fresh() { return std::make_shared<Leaf>(); }
    // Leaves are shared with copies of this set; a shared one is copied before it is written.
    Leaf& writable(std::size_t l) {
        if (leaves_[l].use_count() != 1) leaves_[l] = std::make_shared<Leaf>(*leaves_[l]);
        return *leaves_[l];
    }
    // The last leaf whose first key is <= key, or the first leaf.
    template <class Less>
    std::size_t leaf_for(Key const& key, Less&& less) const {
        if (leaves_.size() == 1 || !less(key, leaves_.back()->keys[0])) return leaves_.size() - 1;
        auto it = std::upper_bound(leaves_.begin(), leaves_.end(), key,
                                   [&](Key const& k, std::shared_ptr<Leaf> const& leaf) { return less(k, leaf->keys[0]); });
        return it == leaves_.begin() ? 0 : std::size_t(it - leaves_.begin()) - 1;
    }
    template <class Less>
    void split(std::size_t l, Key const& key, Less&& less) {
        bool at_end = l + 1 == leaves_.size() && !less(key, leaves_[l]->keys[511]);
        std::size_t keep = at_end ? 500 : 256;  // growing at the end leaves full leaves behind
        auto right = fresh();
        Leaf& left = writable(l);
        right->count = 512 - keep;
        std::copy(left.keys + keep, left.keys + 512, right->keys);
        std::fill(left.keys + keep, left.keys + 512, Key{});
        left.count = keep;
        leaves_.insert(leaves_.begin() + std::ptrdiff_t(l) + 1, std::move(right));
    }
    std::vector<std::shared_ptr<Leaf>> leaves_;
    std::size_t size_ = 0;
};

}  // namespace gantry::state
