#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <vector>

#include "kernel/state/chunked.h"

namespace gantry::state {

// A set of small keys in order: a two-level B-tree whose leaves are arrays of at most 504 (with what is around them two or four KiB, for
// keys of four or eight bytes). Appending at either end and taking away there is cheap, and so is what stands beside the last change of its
// kind: nothing is searched for. A snapshot is the keys as they lie. `By` gives what a key is ordered by, its rank: of the number of a row
// what stands in the row. It is passed by the caller, always the same; ranks differ.
template <Raw Key>
class Ordered {
    static constexpr std::size_t leaf_max = 504;
    struct Leaf {
        std::uint32_t begin = 0, count = 0;
        Key room[leaf_max];
        Key* keys() { return room + begin; }
        Key const* keys() const { return room + begin; }
        Key const* end() const { return room + begin + count; }

        // The side that is shorter moves, if there is room beside it.
        void insert(std::size_t i, Key const& key) {
            if (begin > 0 && (i < count / 2 || begin + count == leaf_max)) {
                std::copy(keys(), keys() + i, keys() - 1);
                --begin;
            } else {
                std::copy_backward(keys() + i, keys() + count, keys() + count + 1);
            }
            keys()[i] = key, ++count;
        }
        void erase(std::size_t i) {
            if (i < count / 2) {
                std::copy_backward(keys(), keys() + i, keys() + i + 1);
                ++begin;
            } else {
                std::copy(keys() + i + 1, keys() + count, keys() + i);
            }
            --count;
        }
    };

   public:
    template <class By>
    using Rank = std::remove_cvref_t<std::invoke_result_t<By, Key const&>>;
    std::size_t size() const { return size_; }

    template <class By = std::identity>
    void insert(Key const& key, By&& by = {}) {
        auto const& rank = by(key);
        if (!belongs_at(put_, rank, by)) put_ = room_for(rank, by);
        writable(put_.leaf).insert(put_.place++, key);
        ++size_;
    }
    // True if it was there.
    template <class By = std::identity>
    bool erase(Key const& key, By&& by = {}) {
        if (leaves_.empty()) return false;
        if (!stands_at(taken_, key)) {
            auto const& rank = by(key);
            auto const l = leaf_for(rank, by), i = place_in(*leaves_[l], rank, by);
            if (i == leaves_[l]->count || rank < by(leaves_[l]->keys()[i])) return false;
            taken_ = {l, i};
        }
        --size_;
        if (leaves_[taken_.leaf]->count == 1 && leaves_.size() > 1)
            leaves_.erase(leaves_.begin() + std::ptrdiff_t(taken_.leaf)), taken_.place = 0;
        else
            writable(taken_.leaf).erase(taken_.place);
        return true;
    }
    // Visits keys of a rank >= `from` upwards until `visit` returns false.
    template <class Visit, class By = std::identity>
    void ascend(Rank<By> const& from, Visit&& visit, By&& by = {}) const {
        if (leaves_.empty()) return;
        std::size_t l = leaf_for(from, by);
        for (std::size_t i = place_in(*leaves_[l], from, by); l < leaves_.size(); ++l, i = 0)
            for (; i < leaves_[l]->count; ++i)
                if (!visit(leaves_[l]->keys()[i])) return;
    }
    // Visits keys of a rank < `below` downwards until `visit` returns false.
    template <class Visit, class By = std::identity>
    void descend(Rank<By> const& below, Visit&& visit, By&& by = {}) const {
        if (leaves_.empty()) return;
        std::size_t l = leaf_for(below, by);
        std::size_t i = place_in(*leaves_[l], below, by);
        for (;;) {
            while (i > 0)
                if (!visit(leaves_[l]->keys()[--i])) return;
            if (l == 0) return;
            i = leaves_[--l]->count;
        }
    }
    Key const* first() const { return size_ == 0 ? nullptr : leaves_.front()->keys(); }
    Key const* last() const { return size_ == 0 ? nullptr : leaves_.back()->end() - 1; }
    std::size_t memory_bytes() const { return leaves_.size() * (sizeof(Leaf) + sizeof(std::shared_ptr<Leaf>) + 16); }

    void save(Out& out) const {
        out.number(std::uint64_t(size_));
        if (out.form == Form::portable) {
            ValueWriter<Key> writer(out);
            for (auto const& leaf : leaves_)
                for (std::uint64_t i = 0; i < leaf->count; ++i) writer.put(leaf->keys()[i]);
            return writer.finish();
        }
        for (auto const& leaf : leaves_) out.write(leaf->keys(), sizeof(Key) * leaf->count);
    }
    bool load(In& in) {
        leaves_.clear(), size_ = 0;
        std::uint64_t n;
        ValueReader<Key> reader;
        bool const portable = in.form == Form::portable;
        if (!in.number(n) || n > in.left() / (portable ? 1 : sizeof(Key)) || (portable && !reader.open(in))) return false;
        for (std::uint64_t i = 0; i < n; i += 384) {  // room to grow in each
            auto leaf = fresh();
            leaf->count = std::uint32_t(std::min<std::uint64_t>(384, n - i));
            if (!portable && !in.read(leaf->room, sizeof(Key) * leaf->count)) return false;
            for (std::uint64_t k = 0; portable && k < leaf->count; ++k)
                if (!reader.read(in, leaf->room[k])) return false;
            leaves_.push_back(std::move(leaf));
        }
        size_ = n;
        return reader.all_read();
    }

   private:
    struct Spot {
        std::size_t leaf = 0, place = 0;
    };
    // Whether a key of this rank goes there, and finds room.
    template <class R, class By>
    bool belongs_at(Spot const& at, R const& rank, By&& by) const {
        if (at.leaf >= leaves_.size()) return false;
        Leaf const& leaf = *leaves_[at.leaf];
        if (at.place == 0 || at.place > leaf.count || leaf.count == leaf_max || !(by(leaf.keys()[at.place - 1]) < rank)) return false;
        if (at.place < leaf.count) return rank < by(leaf.keys()[at.place]);
        return at.leaf + 1 == leaves_.size() || rank < by(*leaves_[at.leaf + 1]->keys());
    }
    bool stands_at(Spot const& at, Key const& key) const {
        return at.leaf < leaves_.size() && at.place < leaves_[at.leaf]->count && leaves_[at.leaf]->keys()[at.place] == key;
    }
    template <class R, class By>
    Spot room_for(R const& rank, By&& by) {
        if (leaves_.empty()) leaves_.push_back(fresh());
        std::size_t l = leaf_for(rank, by);
        if (leaves_[l]->count == leaf_max) {
            split(l, rank, by);
            if (!(rank < by(*leaves_[l + 1]->keys()))) ++l;
        }
        return {l, place_in(*leaves_[l], rank, by)};
    }
    static std::shared_ptr<Leaf> fresh() { return std::make_shared<Leaf>(); }
    // Leaves are shared with copies of this set; a shared one is copied before it is written.
    Leaf& writable(std::size_t l) {
        if (leaves_[l].use_count() != 1) leaves_[l] = std::make_shared<Leaf>(*leaves_[l]);
        return *leaves_[l];
    }
    template <class R, class By>
    static std::size_t place_in(Leaf const& leaf, R const& rank, By&& by) {
        auto const before = [&](Key const& key) { return by(key) < rank; };
        return std::size_t(std::partition_point(leaf.keys(), leaf.end(), before) - leaf.keys());
    }
    // The last leaf whose first key isn't above `rank`, or the first leaf. Only one that is alone may be empty.
    template <class R, class By>
    std::size_t leaf_for(R const& rank, By&& by) const {
        auto const reaches = [&](std::shared_ptr<Leaf> const& leaf) { return !(rank < by(*leaf->keys())); };
        if (leaves_.size() == 1 || reaches(leaves_.back())) return leaves_.size() - 1;
        auto it = std::partition_point(leaves_.begin(), leaves_.end(), reaches);
        return it == leaves_.begin() ? 0 : std::size_t(it - leaves_.begin()) - 1;
    }
    template <class R, class By>
    void split(std::size_t l, R const& rank, By&& by) {
        bool const at_end = l + 1 == leaves_.size() && by(leaves_[l]->end()[-1]) < rank;
        std::size_t const keep = at_end ? leaf_max - 12 : leaf_max / 2;  // growing at the end leaves full leaves behind
        auto right = fresh();
        Leaf& left = writable(l);
        right->count = std::uint32_t(leaf_max - keep);
        std::copy(left.keys() + keep, left.keys() + leaf_max, right->room);
        left.count = std::uint32_t(keep);
        leaves_.insert(leaves_.begin() + std::ptrdiff_t(l) + 1, std::move(right));
    }
    std::vector<std::shared_ptr<Leaf>> leaves_;
    std::size_t size_ = 0;
    Spot put_, taken_;  // behind the key that was put last; where the one stood that was erased last
};

}  // namespace gantry::state
